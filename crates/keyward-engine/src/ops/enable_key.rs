//! `EnableKey` <https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKey.html>
//!
//! A rotation that fell due while the key was disabled is done by the next round of housekeeping.

use super::prelude::*;

pub(crate) struct EnableKey;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
}

impl Operation for EnableKey {
    const SPEC: Spec = Spec {
        states: SWITCHABLE,
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::InvalidArn,
            ErrorCode::DependencyTimeout,
            ErrorCode::Internal,
            ErrorCode::LimitExceeded,
            ErrorCode::InvalidState,
        ],
        ..control("EnableKey", "POST", "/v1/keys/{KeyId}/enable", &[KEY_ID])
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Empty, KmsError> {
        let key = KeyRecord::clone(call.key()?);
        if key.rotation.next.is_some_and(|next| next <= call.now()) {
            call.engine().look_again();
        }
        call.put(Record::Key(KeyRecord { state: KeyState::Enabled, ..key }));
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        key_arn_element(call)
    }
}
