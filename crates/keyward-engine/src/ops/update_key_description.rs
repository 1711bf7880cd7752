//! `UpdateKeyDescription` <https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateKeyDescription.html>

use super::prelude::*;

pub(crate) struct UpdateKeyDescription;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    description: String,
}

impl Operation for UpdateKeyDescription {
    const SPEC: Spec = Spec {
        states: NOT_PENDING_DELETION,
        logged: &["KeyId", "Description"],
        ..control(
            "UpdateKeyDescription",
            "PUT",
            "/v1/keys/{KeyId}/description",
            &[KEY_ID, required("Description", DESCRIPTION_KIND)],
        )
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let key = KeyRecord::clone(call.key()?);
        call.put(Record::Key(KeyRecord { description: input.description.clone(), ..key }));
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        key_arn_element(call)
    }
}
