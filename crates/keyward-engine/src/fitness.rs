//! The state check: whether a key's usage and state fit the operation. Pure.
//!
//! Which states an operation accepts is data in its row; what a key in another state answers is here.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>

use crate::{operation::Spec, wording};
use keyward_types::{ErrorCode, KeyRecord, KeyState, KmsError};

pub(crate) fn check(spec: &Spec, key: &KeyRecord) -> Result<(), KmsError> {
    if !spec.usages.is_empty() && !spec.usages.contains(&key.usage) {
        return Err(wording::wrong_usage(key, spec.name));
    }
    if spec.states.contains(&key.state) { Ok(()) } else { Err(unfit(spec, key)) }
}

fn unfit(spec: &Spec, key: &KeyRecord) -> KmsError {
    let say = |code, words: &str| KmsError::new(code, format!("{} is {words}.", key.name));
    if spec.states == [KeyState::PendingDeletion] {
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
