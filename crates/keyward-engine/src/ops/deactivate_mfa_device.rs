//! `DeactivateMFADevice` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeactivateMFADevice.html>

use super::{
    identity_prelude::*,
    mfa_prelude::{SERIAL_NUMBER, device_of, known_user},
};
use keyward_types::MfaDeviceRecord;

pub(crate) struct DeactivateMFADevice;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: Option<String>,
    serial_number: String,
}

impl Operation for DeactivateMFADevice {
    const SPEC: Spec = iam(
        "DeactivateMFADevice",
        "DELETE",
        "/v1/users/{UserName}/mfa-devices/{SerialNumber}",
        &[OWN_USER_NAME, SERIAL_NUMBER],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(input.user_name.as_deref()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let caller = call.caller();
        let user = directory::named_or_own(caller, input.user_name.as_deref())?;
        if let Some(user) = user {
            known_user(call, user)?;
        }
        let device = device_of(call, user.unwrap_or_default(), &input.serial_number)?;
        let mut device = MfaDeviceRecord::clone(&device);
        device.user = None;
        device.enabled = None;
        call.put(Record::MfaDevice(device));
        Ok(Empty)
    }
}
