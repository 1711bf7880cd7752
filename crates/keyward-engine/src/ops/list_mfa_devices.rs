//! `ListMFADevices` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListMFADevices.html>

use super::identity_prelude::*;

pub(crate) struct ListMFADevices;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    #[serde(rename = "MFADevices")]
    mfa_devices: Vec<Device>,
    #[serde(flatten)]
    page: IamPage,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Device {
    user_name: String,
    serial_number: String,
    enable_date: String,
}

impl Operation for ListMFADevices {
    const SPEC: Spec = iam_read(
        "ListMFADevices",
        "GET",
        "/v1/users/{UserName}/mfa-devices",
        &[OWN_USER_NAME, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(input.user_name.as_deref()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let caller = call.caller();
        let user = directory::named_or_own(caller, input.user_name.as_deref())?;
        if let Some(name) = user {
            known::<UserRecord>(call, name)?;
        }
        let user = user.unwrap_or_default();
        let devices =
            call.store().mfa_devices_of(&caller.account, user).map_err(KmsError::internal)?;
        let list = format!("mfa devices of {user}");
        let (devices, page) = input.page.cut(call, &list, devices, |device| device.name.clone())?;
        let device = |device: &Arc<keyward_types::MfaDeviceRecord>| Device {
            user_name: user.to_owned(),
            serial_number: device.serial_number(),
            enable_date: iso(device.enabled.unwrap_or(device.created)),
        };
        Ok(Output { mfa_devices: devices.iter().map(device).collect(), page })
    }
}
