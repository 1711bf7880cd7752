//! `DeleteVirtualMFADevice` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteVirtualMFADevice.html>

use super::{
    identity_prelude::*,
    mfa_prelude::{SERIAL_NUMBER, device},
};

pub(crate) struct DeleteVirtualMFADevice;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    serial_number: String,
}

impl Operation for DeleteVirtualMFADevice {
    const SPEC: Spec = iam(
        "DeleteVirtualMFADevice",
        "DELETE",
        "/v1/virtual-mfa-devices/{SerialNumber}",
        &[SERIAL_NUMBER],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Other(input.serial_number.clone()))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let device = device(call, &input.serial_number)?;
        if device.user.is_some() {
            return Err(delete_conflict("deactivate the MFA device"));
        }
        call.delete(Name::MfaDevice(device.account.clone(), device.name.clone()));
        Ok(Empty)
    }
}
