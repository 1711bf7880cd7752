//! `EnableMFADevice` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_EnableMFADevice.html>

use super::{
    identity_prelude::*,
    mfa_prelude::{
        CODE_1, CODE_2, DeviceAndCodes, SERIAL_NUMBER, device, known_user, two_in_a_row,
    },
};
use keyward_types::MfaDeviceRecord;

pub(crate) struct EnableMFADevice;

/// Devices of one user.
const DEVICES_MAX: usize = 8;

impl Operation for EnableMFADevice {
    const SPEC: Spec = iam(
        "EnableMFADevice",
        "POST",
        "/v1/users/{UserName}/mfa-devices",
        &[USER_NAME, SERIAL_NUMBER, CODE_1, CODE_2],
    );
    type Input = DeviceAndCodes;
    type Output = Empty;

    fn targets(input: &DeviceAndCodes) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn run(call: &mut Call<'_>, input: &DeviceAndCodes) -> Result<Empty, KmsError> {
        known_user(call, &input.user_name)?;
        let device = device(call, &input.serial_number)?;
        if device.user.is_some() {
            return Err(KmsError::new(
                ErrorCode::IamEntityAlreadyExists,
                "MFA Device is already in use.",
            ));
        }
        let account = &device.account;
        call.rest_on(Name::MfaDevices(account.clone(), input.user_name.clone()));
        let others = call.store().mfa_devices_of(account, &input.user_name);
        if DEVICES_MAX <= others.map_err(KmsError::internal)?.len() {
            return Err(KmsError::new(
                ErrorCode::IamLimitExceeded,
                format!("Cannot exceed quota for MfaDevicesPerUser: {DEVICES_MAX}"),
            ));
        }
        let last_step = two_in_a_row(&device, input, call.now())?;
        let mut device = MfaDeviceRecord::clone(&device);
        device.user = Some(input.user_name.clone());
        device.enabled = Some(call.now());
        device.last_step = last_step;
        call.put(Record::MfaDevice(device));
        Ok(Empty)
    }
}
