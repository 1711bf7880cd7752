//! `ListAliases` <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html>
//!
//! Permission is asked on the account alone, so a `KeyId` is only a filter; it must name a key of the
//! caller's own account.

use super::prelude::*;
use keyward_types::{AliasName, AliasRecord, KeyName};
use std::sync::Arc;

pub(crate) struct ListAliases;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: Option<KeyRef>,
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    aliases: Vec<AliasListEntry>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AliasListEntry {
    alias_name: String,
    alias_arn: String,
    target_key_id: String,
    creation_date: serde_json::Number,
    last_updated_date: serde_json::Number,
}

impl From<&AliasRecord> for AliasListEntry {
    fn from(alias: &AliasRecord) -> Self {
        Self {
            alias_name: alias.name.to_string(),
            alias_arn: alias.name.arn(&alias.account, &alias.region),
            target_key_id: alias.target.key_id.to_string(),
            creation_date: alias.created.wire(),
            last_updated_date: alias.updated.wire(),
        }
    }
}

impl Operation for ListAliases {
    const SPEC: Spec = Spec {
        states: &[],
        read_only: true,
        logged: &["KeyId", "Limit", "Marker"],
        errors: &[
            ErrorCode::DependencyTimeout,
            ErrorCode::InvalidMarker,
            ErrorCode::Internal,
            ErrorCode::InvalidArn,
            ErrorCode::NotFound,
        ],
        ..control(
            "ListAliases",
            "GET",
            "/v1/aliases",
            &[optional("KeyId", KEY_ID_KIND), LIMIT, MARKER],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let limit = page_limit(input.limit, 50, 100);
        let after = input
            .marker
            .as_deref()
            .map(|marker| call.open_marker("aliases", marker))
            .transpose()?;
        let after = after.as_deref().and_then(AliasName::parse);
        let aliases = match &input.key_id {
            Some(key_id) => aliases_of(call, key_id, after.as_ref())?,
            None => {
                let caller = call.caller();
                call.store()
                    .aliases(&caller.account, &caller.origin.region, after.as_ref(), limit + 1)
                    .map_err(KmsError::internal)?
            }
        };
        let (aliases, page) =
            page(call, "aliases", aliases, limit, |alias| alias.name.to_string())?;
        Ok(Output {
            aliases: aliases.iter().map(|alias| AliasListEntry::from(&**alias)).collect(),
            page,
        })
    }
}

/// All aliases of one key after a name; a key has few.
fn aliases_of(
    call: &Call<'_>,
    key_id: &KeyRef,
    after: Option<&AliasName>,
) -> Result<Vec<Arc<AliasRecord>>, KmsError> {
    let caller = call.caller();
    let (account, region) = (&caller.account, &caller.origin.region);
    let name = match key_id {
        KeyRef::Id(key_id) => {
            KeyName { account: account.clone(), region: region.clone(), key_id: key_id.clone() }
        }
        KeyRef::Arn(name) if name.region != *region => {
            return Err(wording::other_region(&name.region));
        }
        KeyRef::Arn(name) if name.account != *account => {
            return Err(wording::denied_elsewhere("kms:ListAliases", caller, false));
        }
        KeyRef::Arn(name) => name.clone(),
        KeyRef::Alias(alias) => return Err(wording::invalid_key_id(alias.as_str())),
        KeyRef::AliasArn { account, region, name } => {
            return Err(wording::invalid_key_id(&name.arn(account, region)));
        }
        KeyRef::Malformed(text) => return Err(wording::invalid_key_id(text)),
    };
    let store = call.store();
    store.key(&name).map_err(KmsError::internal)?.ok_or_else(|| wording::no_such_key(&name))?;
    let mut aliases = store.aliases_of_key(&name).map_err(KmsError::internal)?.to_vec();
    aliases.retain(|alias| after.is_none_or(|after| *after < alias.name));
    aliases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(aliases)
}
