//! `ListKeys` <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html>

use super::prelude::*;
use keyward_types::KeyId;

pub(crate) struct ListKeys;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    keys: Vec<KeyListEntry>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyListEntry {
    key_id: String,
    key_arn: String,
}

impl Operation for ListKeys {
    const SPEC: Spec = Spec {
        states: &[],
        read_only: true,
        logged: &["Limit", "Marker"],
        errors: &[ErrorCode::DependencyTimeout, ErrorCode::Internal, ErrorCode::InvalidMarker],
        ..control(
            "ListKeys",
            "GET",
            "/v1/keys",
            &[
                LIMIT,
                MARKER,
                optional(
                    "ResourceOwners",
                    Kind::List {
                        of: &Kind::Enum(&["SELF", "OTHER_ACCOUNTS_VIA_RAM"]),
                        min: 1,
                        max: 2,
                    },
                ),
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let limit = input.limit.unwrap_or(100);
        let after =
            input.marker.as_deref().map(|marker| call.open_marker("keys", marker)).transpose()?;
        let after = after.as_deref().and_then(KeyId::parse);
        let caller = call.caller();
        let keys = call
            .store()
            .keys(&caller.account, &caller.origin.region, after.as_ref(), limit + 1)
            .map_err(KmsError::internal)?;
        let (keys, page) = page(call, "keys", keys, limit, |key| key.name.key_id.to_string())?;
        let entry = |key: &std::sync::Arc<KeyRecord>| KeyListEntry {
            key_id: key.name.key_id.to_string(),
            key_arn: key.name.to_string(),
        };
        Ok(Output { keys: keys.iter().map(entry).collect(), page })
    }
}
