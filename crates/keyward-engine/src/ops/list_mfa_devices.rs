//! `ListMFADevices` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListMFADevices.html>

use super::identity_prelude::*;

pub(crate) struct ListMFADevices;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: Option<String>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    /// MFA devices do not exist here; clients ask before they delete.
    #[serde(rename = "MFADevices")]
    mfa_devices: [(); 0],
    is_truncated: bool,
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
        if let Some(name) = identity::named_or_own(call.caller(), input.user_name.as_deref())? {
            known::<UserRecord>(call, name)?;
        }
        Ok(Output::default())
    }
}
