//! Whether a one-time password is that of a device, and was not used before.
//!
//! INVARIANT: a code counts once: the step of the newest one is kept with the device, in the same commit as
//! what it was shown for.

use crate::{Engine, call::Call};
use keyward_crypto::totp;
use keyward_types::{CallerKind, ErrorCode, KmsError, MfaDeviceRecord, Name, Record, Timestamp};
use std::sync::{Arc, PoisonError};

/// Steps before and after now whose codes are taken: clocks differ.
const DRIFT_STEPS: u64 = 1;

/// The step of a time.
pub(crate) fn step(now: Timestamp) -> u64 {
    u64::try_from(now.seconds()).unwrap_or_default() / totp::STEP_SECONDS
}

/// The step, near now and after every step that was used, whose code this is.
pub(crate) fn matching_step(device: &MfaDeviceRecord, code: &str, now: Timestamp) -> Option<u64> {
    let now = step(now);
    let steps = now.saturating_sub(DRIFT_STEPS)..=now.saturating_add(DRIFT_STEPS);
    steps
        .filter(|step| device.last_step < *step)
        .find(|step| format!("{:06}", totp::code(&device.seed, *step)) == code)
}

/// Shows a code for a request: MFA counts for what it does when this succeeds. `None` and `None` is a request
/// without MFA: `false`.
pub(crate) fn shown(
    call: &mut Call<'_>,
    serial_number: Option<&String>,
    code: Option<&String>,
) -> Result<bool, KmsError> {
    let (serial_number, code) = match (serial_number, code) {
        (None, None) => return Ok(false),
        (Some(serial_number), Some(code)) => (serial_number, code),
        (Some(_), None) | (None, Some(_)) => {
            return Err(KmsError::validation(
                "SerialNumber and TokenCode are given together or not at all",
            ));
        }
    };
    let device = own_device(call, serial_number)?.ok_or_else(|| {
        refused(
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your \
             MFA serial number is valid and associated with this user.",
        )
    })?;
    let wrong =
        || refused("MultiFactorAuthentication failed with invalid MFA one time pass code. ");
    let engine = call.engine();
    if engine.is_guessed_at(serial_number) {
        return Err(wrong());
    }
    let Some(step) = matching_step(&device, code, call.now()) else {
        engine.note_wrong_code(serial_number);
        return Err(wrong());
    };
    let mut device = MfaDeviceRecord::clone(&device);
    device.last_step = step;
    call.put(Record::MfaDevice(device));
    Ok(true)
}

/// Wrong codes of one device in one step, after which none is compared until the next step: with more, six
/// digits could be guessed.
const WRONG_CODES_MAX: u32 = 5;
/// Devices whose wrong codes are counted; the counts of earlier steps go first.
const COUNTED_MAX: usize = 10_000;

impl Engine {
    fn is_guessed_at(&self, serial_number: &str) -> bool {
        let failures = self.mfa_failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures
            .get(serial_number)
            .is_some_and(|(at, count)| *at == step(self.now()) && WRONG_CODES_MAX <= *count)
    }

    fn note_wrong_code(&self, serial_number: &str) {
        let now = step(self.now());
        let mut failures = self.mfa_failures.lock().unwrap_or_else(PoisonError::into_inner);
        if COUNTED_MAX <= failures.len() {
            failures.retain(|_, (at, _)| *at == now);
        }
        let (at, count) = failures.entry(serial_number.to_owned()).or_default();
        *count = if *at == now { count.saturating_add(1) } else { 1 };
        *at = now;
    }
}

/// The device of this serial number, where it is the caller's own; the request rests on it.
fn own_device(
    call: &mut Call<'_>,
    serial_number: &str,
) -> Result<Option<Arc<MfaDeviceRecord>>, KmsError> {
    let caller = call.caller();
    let own = match &caller.kind {
        CallerKind::User { name } => name.as_str(),
        CallerKind::Root => "",
        CallerKind::RoleSession { .. }
        | CallerKind::Federated { .. }
        | CallerKind::Service { .. } => return Ok(None),
    };
    let devices = call.store().mfa_devices_of(&caller.account, own).map_err(KmsError::internal)?;
    let device = devices.into_iter().find(|device| device.serial_number() == serial_number);
    if let Some(device) = &device {
        call.rest_on(Name::MfaDevice(device.account.clone(), device.name.clone()));
    }
    Ok(device.filter(|device| device.enabled.is_some()))
}

fn refused(why: &str) -> KmsError {
    KmsError::new(ErrorCode::AccessDenied, why)
}
