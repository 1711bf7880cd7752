//! `RotateKeyOnDemand` <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotateKeyOnDemand.html>
//!
//! The rotation is done when it answers, and has the service's `RotateKey` event beside the request's own; the automatic
//! schedule stays as it is.

use super::{
    prelude::*,
    rotation::{KEPT_HERE, check_rotation_changes, rotate},
};
use crate::housekeeping::Deed;
use keyward_types::{RotationType, limits};

pub(crate) struct RotateKeyOnDemand;

/// An automatic rotation that is this near is waited for.
const NEAR_SECONDS: i64 = 20 * 60;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
}

impl Operation for RotateKeyOnDemand {
    const SPEC: Spec = Spec {
        states: &[KeyState::Enabled],
        origins: KEPT_HERE,
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::Disabled,
            ErrorCode::InvalidArn,
            ErrorCode::DependencyTimeout,
            ErrorCode::Internal,
            ErrorCode::InvalidState,
            ErrorCode::UnsupportedOperation,
            ErrorCode::LimitExceeded,
            ErrorCode::Conflict,
        ],
        ..control("RotateKeyOnDemand", "POST", "/v1/keys/{KeyId}/rotate", &[KEY_ID])
    };
    type Input = Input;
    type Output = KeyIdOnly;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<KeyIdOnly, KmsError> {
        let key = call.key()?;
        let key_id = key.name.to_string();
        check_rotation_changes(key)?;
        if limits::ON_DEMAND_ROTATIONS_MAX <= key.rotation.on_demand_count {
            return Err(KmsError::new(
                ErrorCode::LimitExceeded,
                format!(
                    "The on-demand rotations limit has been reached for the given keyId. \
                     No more on-demand rotations can be performed for this key: {key_id}"
                ),
            ));
        }
        if key.rotation.next.is_some_and(|next| next <= call.now().plus_seconds(NEAR_SECONDS)) {
            return Err(KmsError::new(
                ErrorCode::Conflict,
                format!("{key_id} is about to be rotated automatically. Retry the request later."),
            ));
        }
        let details = rotate(call, key, RotationType::OnDemand)?;
        let deed = Deed {
            event_name: "RotateKey",
            response_elements: None,
            details: Some(&details),
            beside: None,
        };
        call.did(key, &deed);
        Ok(KeyIdOnly { key_id })
    }

    fn response_elements(call: &Call<'_>, _output: &KeyIdOnly) -> Option<Value> {
        key_arn_element(call)
    }
}
