//! `ListGrants` <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListGrants.html>

use super::prelude::*;
use keyward_types::{GrantConstraints, GrantId, GrantOperation, GrantRecord, Grantee};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct ListGrants;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    limit: Option<usize>,
    marker: Option<String>,
    grant_id: Option<String>,
    grantee_principal: Option<String>,
    grantee_service_principal: Option<String>,
}

/// What ListGrants and ListRetirableGrants answer.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    pub(crate) grants: Vec<GrantListEntry>,
    #[serde(flatten)]
    pub(crate) page: Page,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantListEntry.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GrantListEntry {
    key_id: String,
    grant_id: String,
    /// Empty for a grant without a name.
    name: String,
    creation_date: serde_json::Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    grantee_principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retiring_principal: Option<String>,
    issuing_account: String,
    operations: BTreeSet<GrantOperation>,
    #[serde(skip_serializing_if = "GrantConstraints::is_empty")]
    constraints: GrantConstraints,
    #[serde(skip_serializing_if = "Option::is_none")]
    grantee_service_principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retiring_service_principal: Option<String>,
}

impl From<&GrantRecord> for GrantListEntry {
    fn from(grant: &GrantRecord) -> Self {
        let (grantee_principal, grantee_service_principal) = split(Some(&grant.grantee));
        let (retiring_principal, retiring_service_principal) = split(grant.retiring.as_ref());
        Self {
            key_id: grant.key.to_string(),
            grant_id: grant.grant_id.to_string(),
            name: grant.name.clone().unwrap_or_default(),
            creation_date: grant.created.wire(),
            grantee_principal,
            retiring_principal,
            issuing_account: grant.issuing_account.root_arn(),
            operations: grant.operations.clone(),
            constraints: grant.constraints.clone(),
            grantee_service_principal,
            retiring_service_principal,
        }
    }
}

fn split(party: Option<&Grantee>) -> (Option<String>, Option<String>) {
    match party {
        Some(Grantee::Principal(arn)) => (Some(arn.clone()), None),
        Some(Grantee::Service(name)) => (None, Some(name.clone())),
        None => (None, None),
    }
}

impl Operation for ListGrants {
    const SPEC: Spec = Spec {
        cross_account: true,
        read_only: true,
        logged: &[
            "KeyId",
            "Limit",
            "Marker",
            "GrantId",
            "GranteePrincipal",
            "GranteeServicePrincipal",
        ],
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::DependencyTimeout,
            ErrorCode::InvalidMarker,
            ErrorCode::InvalidGrantId,
            ErrorCode::InvalidArn,
            ErrorCode::Internal,
            ErrorCode::InvalidState,
        ],
        ..control(
            "ListGrants",
            "GET",
            "/v1/keys/{KeyId}/grants",
            &[
                LIMIT,
                MARKER,
                KEY_ID,
                optional("GrantId", GRANT_ID_KIND),
                optional("GranteePrincipal", PRINCIPAL_KIND),
                optional("GranteeServicePrincipal", SERVICE_PRINCIPAL_KIND),
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        if input.grantee_principal.is_some() && input.grantee_service_principal.is_some() {
            return Err(KmsError::validation(
                "You cannot specify both GranteePrincipal and GranteeServicePrincipal.",
            ));
        }
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let limit = page_limit(input.limit, 50, 100);
        let list = format!("grants {}", call.key()?.name.key_id);
        let after =
            input.marker.as_deref().map(|marker| call.open_marker(&list, marker)).transpose()?;
        let after = after.as_deref().map(GrantId::new);
        let grants = matching(call, input, after.as_ref(), limit + 1)?;
        let (grants, page) = page(call, &list, grants, limit, |grant| grant.grant_id.to_string())?;
        Ok(Output {
            grants: grants.iter().map(|grant| GrantListEntry::from(&**grant)).collect(),
            page,
        })
    }
}

/// Up to `count` grants that the filters let through, in the order of their ids.
fn matching(
    call: &Call<'_>,
    input: &Input,
    after: Option<&GrantId>,
    count: usize,
) -> Result<Vec<Arc<GrantRecord>>, KmsError> {
    let (store, key) = (call.store(), call.key()?);
    let grantee = input.grantee_principal.as_deref().or(input.grantee_service_principal.as_deref());
    let mut grants = if let Some(grant_id) = &input.grant_id {
        let grant = store.grant(&key.name, &GrantId::new(grant_id)).map_err(KmsError::internal)?;
        grant.into_iter().collect()
    } else if let Some(grantee) = grantee {
        store.grant_candidates(&key.name, &[grantee]).map_err(KmsError::internal)?
    } else {
        return store.grants_of_key(&key.name, after, count).map_err(KmsError::internal);
    };
    let wanted = |party: &Grantee| match party {
        Grantee::Principal(arn) => {
            input.grantee_principal.as_ref().is_none_or(|wanted| wanted == arn)
        }
        Grantee::Service(name) => {
            input.grantee_service_principal.as_ref().is_none_or(|wanted| wanted == name)
        }
    };
    grants.retain(|grant| {
        wanted(&grant.grantee) && after.is_none_or(|after| *after < grant.grant_id)
    });
    grants.sort_by(|a, b| a.grant_id.cmp(&b.grant_id));
    grants.truncate(count);
    Ok(grants)
}
