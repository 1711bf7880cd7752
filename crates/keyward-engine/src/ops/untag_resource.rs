//! `UntagResource` <https://docs.aws.amazon.com/kms/latest/APIReference/API_UntagResource.html>
//!
//! A name that the key has no tag of is no error.

use super::prelude::*;

pub(crate) struct UntagResource;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    tag_keys: Vec<String>,
}

impl Operation for UntagResource {
    const SPEC: Spec = Spec {
        states: NOT_PENDING_DELETION,
        logged: &["KeyId", "TagKeys"],
        errors: &[
            ErrorCode::Internal,
            ErrorCode::NotFound,
            ErrorCode::InvalidArn,
            ErrorCode::InvalidState,
            ErrorCode::Tag,
        ],
        ..control(
            "UntagResource",
            "DELETE",
            "/v1/keys/{KeyId}/tags",
            &[
                KEY_ID,
                required("TagKeys", Kind::List { of: &text(1, 128), min: 0, max: usize::MAX }),
            ],
        )
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add_many("aws:TagKeys", input.tag_keys.iter().map(String::as_str));
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        if input.tag_keys.iter().any(|name| name.to_ascii_lowercase().starts_with("aws:")) {
            return Err(KmsError::new(ErrorCode::Tag, "Tags beginning with aws: are reserved"));
        }
        let mut key = KeyRecord::clone(call.key()?);
        key.tags.retain(|name, _| !input.tag_keys.contains(name));
        call.put(Record::Key(key));
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        key_arn_element(call)
    }
}
