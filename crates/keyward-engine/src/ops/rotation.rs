//! What the rotation operations and housekeeping share: which keys rotate, and what a rotation does.
//!
//! INVARIANT: a rotation adds material and drops none, so that old ciphertexts stay open.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>

use super::prelude::*;
use keyward_types::{MaterialOrigin, RotationType, key::MaterialInfo};

/// Days between automatic rotations when a request names none.
pub(crate) const PERIOD_DAYS_DEFAULT: u16 = 365;

/// States in which rotation settings may be changed.
pub(crate) const ROTATABLE: &[KeyState] = &[KeyState::Enabled, KeyState::Updating];

/// What operations that change or list rotations may answer.
pub(crate) const ERRORS: &[ErrorCode] = &[
    ErrorCode::NotFound,
    ErrorCode::Disabled,
    ErrorCode::InvalidArn,
    ErrorCode::DependencyTimeout,
    ErrorCode::Internal,
    ErrorCode::InvalidState,
    ErrorCode::UnsupportedOperation,
];

/// Asymmetric and HMAC keys do not rotate, and imported material not by itself.
pub(crate) fn check_rotates(key: &KeyRecord) -> Result<(), KmsError> {
    if key.origin != MaterialOrigin::AwsKms {
        return Err(KmsError::new(
            ErrorCode::UnsupportedOperation,
            format!("{} origin is {} which is not valid for this operation.", key.name, key.origin),
        ));
    }
    if key.spec.is_symmetric() {
        Ok(())
    } else {
        Err(KmsError::bare(ErrorCode::UnsupportedOperation))
    }
}

/// Makes new material current and says so in the record, which the caller still has to put.
pub(crate) fn rotate(
    call: &mut Call<'_>,
    key: &mut KeyRecord,
    kind: RotationType,
) -> Result<(), KmsError> {
    let (info, _) = call.new_material(&key.name, key.spec, false)?;
    key.current_material = Some(info.id.clone());
    key.materials.push(MaterialInfo { rotation: Some(kind), ..info });
    Ok(())
}
