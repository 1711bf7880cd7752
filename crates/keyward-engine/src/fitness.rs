//! The state check: whether a key's usage, origin and state fit the operation. Pure.
//!
//! Which states an operation accepts is data in its row; what a key in another state answers is here.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>

use crate::{
    operation::{Plane, Spec},
    resolve::FoundKey,
    wording,
};
use keyward_types::{ErrorCode, KeyState, KmsError};

/// In AWS's order: usage, origin, state; but cryptography is told of the state before the origin, so that
/// GenerateDataKeyPair hears that a key in an unreachable key store is unavailable.
pub(crate) fn check(spec: &Spec, key: &FoundKey) -> Result<(), KmsError> {
    let record = &key.record;
    if !spec.usages.is_empty() && !spec.usages.contains(&record.usage) {
        return Err(wording::wrong_usage(record, spec.name));
    }
    let origin = || match spec.origins {
        [] => Ok(()),
        origins if origins.contains(&record.origin) => Ok(()),
        _ => Err(wording::wrong_origin(record)),
    };
    let state = || if spec.states.contains(&key.state) { Ok(()) } else { Err(unfit(spec, key)) };
    match spec.plane {
        Plane::Control => origin().and_then(|()| state()),
        Plane::Data => state().and_then(|()| origin()),
    }
}

fn unfit(spec: &Spec, key: &FoundKey) -> KmsError {
    let say = |code, words: &str| KmsError::new(code, format!("{} is {words}.", key.record.name));
    if spec.states.iter().all(|state| state.is_pending_deletion()) {
        return say(ErrorCode::InvalidState, "not pending deletion");
    }
    match key.state {
        KeyState::Disabled => say(ErrorCode::Disabled, "disabled"),
        KeyState::PendingDeletion => say(ErrorCode::InvalidState, "pending deletion"),
        KeyState::PendingReplicaDeletion => {
            say(ErrorCode::InvalidState, "pending replica deletion")
        }
        KeyState::PendingImport => say(ErrorCode::InvalidState, "pending import"),
        KeyState::Unavailable => say(ErrorCode::InvalidState, "unavailable"),
        KeyState::Creating => say(ErrorCode::InvalidState, "creating"),
        KeyState::Updating => say(ErrorCode::InvalidState, "updating"),
        KeyState::Enabled => say(ErrorCode::InvalidState, "enabled"),
    }
}
