//! `ResyncMFADevice` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ResyncMFADevice.html>
//!
//! Virtual devices follow the clock, so that nothing drifts; the codes are checked, and used up.

use super::{
    identity_prelude::*,
    mfa_prelude::{
        CODE_1, CODE_2, DeviceAndCodes, SERIAL_NUMBER, device_of, known_user, two_in_a_row,
    },
};
use keyward_types::MfaDeviceRecord;

pub(crate) struct ResyncMFADevice;

impl Operation for ResyncMFADevice {
    const SPEC: Spec = iam(
        "ResyncMFADevice",
        "PUT",
        "/v1/users/{UserName}/mfa-devices/{SerialNumber}",
        &[USER_NAME, SERIAL_NUMBER, CODE_1, CODE_2],
    );
    type Input = DeviceAndCodes;
    type Output = Empty;

    fn targets(input: &DeviceAndCodes) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn run(call: &mut Call<'_>, input: &DeviceAndCodes) -> Result<Empty, KmsError> {
        known_user(call, &input.user_name)?;
        let device = device_of(call, &input.user_name, &input.serial_number)?;
        let last_step = two_in_a_row(&device, input, call.now())?;
        let mut device = MfaDeviceRecord::clone(&device);
        device.last_step = last_step;
        call.put(Record::MfaDevice(device));
        Ok(Empty)
    }
}
