//! What the operations of MFA devices have in common.

use super::{identity_prelude::*, session_prelude::MFA_CODE_KIND};
use crate::mfa;
use keyward_types::MfaDeviceRecord;

pub(crate) const SERIAL_NUMBER: Member =
    required("SerialNumber", patterned(9, 256, "[\\w+=/:,.@-]+", |text| only(text, "_+=/:,.@-")));
pub(crate) const CODE_1: Member = required("AuthenticationCode1", MFA_CODE_KIND);
pub(crate) const CODE_2: Member = required("AuthenticationCode2", MFA_CODE_KIND);

/// A user's device and two of its codes in a row, the input of operations that check them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeviceAndCodes {
    pub(crate) user_name: String,
    pub(crate) serial_number: String,
    #[serde(rename = "AuthenticationCode1")]
    code_1: String,
    #[serde(rename = "AuthenticationCode2")]
    code_2: String,
}

/// Steps before now among which two codes in a row are looked for: typing them takes a while.
const STEPS_BACK: u64 = 10;

/// The name of a device by its serial number; the account's own devices only.
pub(crate) fn device_name(account: &AccountId, serial_number: &str) -> Option<String> {
    let prefix = format!("arn:aws:iam::{account}:mfa/");
    let path = serial_number.strip_prefix(&prefix)?;
    path.rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The device of a serial number; the request rests on it.
pub(crate) fn device(
    call: &mut Call<'_>,
    serial_number: &str,
) -> Result<Arc<MfaDeviceRecord>, KmsError> {
    let account = &call.caller().account;
    let absent = || {
        KmsError::new(
            ErrorCode::IamNoSuchEntity,
            format!("VirtualMFADevice with serial number {serial_number} does not exist."),
        )
    };
    let name = device_name(account, serial_number).ok_or_else(absent)?;
    call.rest_on(Name::MfaDevice(account.clone(), name.clone()));
    let device = call.store().mfa_device(account, &name).map_err(KmsError::internal)?;
    device.filter(|device| device.serial_number() == serial_number).ok_or_else(absent)
}

/// The device of a serial number, where it is assigned to this user.
pub(crate) fn device_of(
    call: &mut Call<'_>,
    user: &str,
    serial_number: &str,
) -> Result<Arc<MfaDeviceRecord>, KmsError> {
    let device = device(call, serial_number)?;
    if device.user.as_deref() == Some(user) {
        Ok(device)
    } else {
        Err(no_such_entity("MFA device", "serial number", serial_number))
    }
}

/// The later step of two codes in a row, none of which was used.
pub(crate) fn two_in_a_row(
    device: &MfaDeviceRecord,
    input: &DeviceAndCodes,
    now: Timestamp,
) -> Result<u64, KmsError> {
    let now = mfa::step(now);
    let code = |step: u64| format!("{:06}", keyward_crypto::totp::code(&device.seed, step));
    (now.saturating_sub(STEPS_BACK)..=now)
        .filter(|step| device.last_step < *step)
        .find(|step| code(*step) == input.code_1 && code(step.saturating_add(1)) == input.code_2)
        .map(|step| step.saturating_add(1))
        .ok_or_else(|| {
            KmsError::new(
                ErrorCode::IamInvalidAuthenticationCode,
                "Authentication code for device is not valid.",
            )
        })
}

/// The user whose devices a request is about; the request rests on it.
pub(crate) fn known_user(call: &mut Call<'_>, name: &str) -> Result<(), KmsError> {
    known::<UserRecord>(call, name).map(drop)
}
