//! `ListVirtualMFADevices` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListVirtualMFADevices.html>

use super::identity_prelude::*;

pub(crate) struct ListVirtualMFADevices;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    assignment_status: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    #[serde(rename = "VirtualMFADevices")]
    devices: Vec<Device>,
    #[serde(flatten)]
    page: IamPage,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Device {
    serial_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_date: Option<String>,
}

impl Operation for ListVirtualMFADevices {
    const SPEC: Spec = iam_read(
        "ListVirtualMFADevices",
        "GET",
        "/v1/virtual-mfa-devices",
        &[
            optional("AssignmentStatus", Kind::Enum(&["Assigned", "Unassigned", "Any"])),
            IAM_MARKER,
            MAX_ITEMS,
        ],
    );
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let account = &call.caller().account;
        let mut devices = call.store().mfa_devices(account).map_err(KmsError::internal)?;
        devices.retain(|device| match input.assignment_status.as_deref() {
            Some("Assigned") => device.user.is_some(),
            Some("Unassigned") => device.user.is_none(),
            _ => true,
        });
        let (devices, page) =
            input.page.cut(call, "virtual mfa devices", devices, |device| device.name.clone())?;
        let mut listed = Vec::new();
        for device in devices {
            let user = match &device.user {
                Some(name) => call.store().user(account, name).map_err(KmsError::internal)?,
                None => None,
            };
            listed.push(Device {
                serial_number: device.serial_number(),
                user: user.map(|user| User::listed(&user)),
                enable_date: device.enabled.map(iso),
            });
        }
        Ok(Output { devices: listed, page })
    }
}
