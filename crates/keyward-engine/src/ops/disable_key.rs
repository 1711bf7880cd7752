//! `DisableKey` <https://docs.aws.amazon.com/kms/latest/APIReference/API_DisableKey.html>

use super::prelude::*;

pub(crate) struct DisableKey;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
}

impl Operation for DisableKey {
    const SPEC: Spec = Spec {
        states: SWITCHABLE,
        ..control("DisableKey", "POST", "/v1/keys/{KeyId}/disable", &[KEY_ID])
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn found_facts(
        engine: &crate::Engine,
        keys: &[&KeyRecord],
        facts: &mut Facts<'_>,
    ) -> Result<(), KmsError> {
        trailing_days_fact(engine, keys, facts)
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Empty, KmsError> {
        call.put(Record::Key(KeyRecord {
            state: KeyState::Disabled,
            ..KeyRecord::clone(call.key()?)
        }));
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        key_arn_element(call)
    }
}
