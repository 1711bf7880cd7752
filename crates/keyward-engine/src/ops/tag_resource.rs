//! `TagResource` <https://docs.aws.amazon.com/kms/latest/APIReference/API_TagResource.html>

use super::{create_key::tag_facts, prelude::*};
use keyward_types::limits;
use std::collections::BTreeMap;

pub(crate) struct TagResource;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    tags: Vec<Tag>,
}

impl Operation for TagResource {
    const SPEC: Spec = Spec {
        states: NOT_PENDING_DELETION,
        logged: &["KeyId", "Tags"],
        errors: &[
            ErrorCode::Internal,
            ErrorCode::NotFound,
            ErrorCode::InvalidArn,
            ErrorCode::InvalidState,
            ErrorCode::LimitExceeded,
            ErrorCode::Tag,
        ],
        ..control(
            "TagResource",
            "POST",
            "/v1/keys/{KeyId}/tags",
            &[KEY_ID, required("Tags", TAGS_KIND)],
        )
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        tag_facts(&input.tags, facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let mut key = KeyRecord::clone(call.key()?);
        check_tags(&key.tags, &input.tags)?;
        key.tags.extend(tag_map(&input.tags));
        call.put(Record::Key(key));
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        key_arn_element(call)
    }
}

/// AWS's rules for tags that are added to those a key has.
pub(crate) fn check_tags(
    present: &BTreeMap<String, String>,
    added: &[Tag],
) -> Result<(), KmsError> {
    let refuse = |words: &str| Err(KmsError::new(ErrorCode::Tag, words));
    if added.iter().any(|tag| tag.tag_key.to_ascii_lowercase().starts_with("aws:")) {
        return refuse("Tags beginning with aws: are reserved");
    }
    let together = tag_map(added);
    if together.len() < added.len() {
        return refuse("Duplicate tag keys");
    }
    let all =
        present.keys().chain(together.keys().filter(|key| !present.contains_key(*key))).count();
    if limits::TAGS_PER_KEY_MAX < all {
        return refuse("Too many tags");
    }
    Ok(())
}

pub(crate) fn tag_map(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.tag_key.clone(), tag.tag_value.clone())).collect()
}
