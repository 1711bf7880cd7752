//! `CancelKeyDeletion` <https://docs.aws.amazon.com/kms/latest/APIReference/API_CancelKeyDeletion.html>
//!
//! The key comes back disabled; one whose imported material is gone waits for it again.

use super::prelude::*;

pub(crate) struct CancelKeyDeletion;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
}

impl Operation for CancelKeyDeletion {
    const SPEC: Spec = Spec {
        states: &[KeyState::PendingDeletion, KeyState::PendingReplicaDeletion],
        ..control("CancelKeyDeletion", "DELETE", "/v1/keys/{KeyId}/deletion", &[KEY_ID])
    };
    type Input = Input;
    type Output = KeyIdOnly;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<KeyIdOnly, KmsError> {
        let key = KeyRecord::clone(call.key()?);
        let key_id = key.name.to_string();
        let state =
            if key.has_all_material() { KeyState::Disabled } else { KeyState::PendingImport };
        call.put(Record::Key(KeyRecord {
            state,
            deletion_date: None,
            pending_window_days: None,
            ..key
        }));
        Ok(KeyIdOnly { key_id })
    }

    fn response_elements(call: &Call<'_>, _output: &KeyIdOnly) -> Option<Value> {
        key_arn_element(call)
    }
}
