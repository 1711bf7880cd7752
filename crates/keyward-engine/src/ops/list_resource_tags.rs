//! `ListResourceTags` <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListResourceTags.html>

use super::prelude::*;

pub(crate) struct ListResourceTags;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    tags: Vec<Tag>,
    #[serde(flatten)]
    page: Page,
}

impl Operation for ListResourceTags {
    const SPEC: Spec = Spec {
        read_only: true,
        logged: &["KeyId", "Limit", "Marker"],
        errors: &[
            ErrorCode::Internal,
            ErrorCode::NotFound,
            ErrorCode::InvalidArn,
            ErrorCode::InvalidMarker,
        ],
        ..control("ListResourceTags", "GET", "/v1/keys/{KeyId}/tags", &[KEY_ID, LIMIT, MARKER])
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let limit = page_limit(input.limit, 50, 50);
        let key = call.key()?;
        let list = format!("tags {}", key.name.key_id);
        let after =
            input.marker.as_deref().map(|marker| call.open_marker(&list, marker)).transpose()?;
        let tags = key
            .tags
            .iter()
            .filter(|(name, _)| after.as_ref().is_none_or(|after| after < *name))
            .map(|(name, value)| Tag { tag_key: name.clone(), tag_value: value.clone() })
            .collect();
        let (tags, page) = page(call, &list, tags, limit, |tag| tag.tag_key.clone())?;
        Ok(Output { tags, page })
    }
}
