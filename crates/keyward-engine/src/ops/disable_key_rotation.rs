//! `DisableKeyRotation` <https://docs.aws.amazon.com/kms/latest/APIReference/API_DisableKeyRotation.html>

use super::{
    prelude::*,
    rotation::{self, ROTATABLE, SCHEDULED},
};

pub(crate) struct DisableKeyRotation;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
}

impl Operation for DisableKeyRotation {
    const SPEC: Spec = Spec {
        states: ROTATABLE,
        origins: SCHEDULED,
        errors: rotation::ERRORS,
        ..control("DisableKeyRotation", "DELETE", "/v1/keys/{KeyId}/rotation", &[KEY_ID])
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Empty, KmsError> {
        let key = call.key()?;
        rotation::change(call, key, |rotation| {
            rotation.enabled = false;
            rotation.next = None;
        })?;
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        key_arn_element(call)
    }
}
