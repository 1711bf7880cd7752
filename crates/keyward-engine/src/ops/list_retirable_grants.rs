//! `ListRetirableGrants` <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListRetirableGrants.html>
//!
//! Permission is asked on the retiring principal, by identity policies of its own account. The grants
//! may be on keys of other accounts, in the request's Region.

use super::{
    list_grants::{GrantListEntry, Output},
    prelude::*,
};
use keyward_types::{GrantId, GrantRecord, Grantee, KeyName};

pub(crate) struct ListRetirableGrants;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    limit: Option<usize>,
    marker: Option<String>,
    retiring_principal: Option<String>,
    retiring_service_principal: Option<String>,
}

impl Operation for ListRetirableGrants {
    const SPEC: Spec = Spec {
        states: &[],
        read_only: true,
        logged: &["Limit", "Marker", "RetiringPrincipal", "RetiringServicePrincipal"],
        errors: &[
            ErrorCode::DependencyTimeout,
            ErrorCode::InvalidMarker,
            ErrorCode::InvalidArn,
            ErrorCode::NotFound,
            ErrorCode::Internal,
        ],
        ..control(
            "ListRetirableGrants",
            "GET",
            "/v1/retirable-grants",
            &[
                LIMIT,
                MARKER,
                optional("RetiringPrincipal", PRINCIPAL_KIND),
                optional("RetiringServicePrincipal", SERVICE_PRINCIPAL_KIND),
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        let subject = match (&input.retiring_principal, &input.retiring_service_principal) {
            (Some(arn), None) => Subject::Other(arn.clone()),
            (None, Some(_)) => Subject::Account,
            (None, None) | (Some(_), Some(_)) => {
                return Err(KmsError::validation(
                    "You must specify either RetiringPrincipal or RetiringServicePrincipal.",
                ));
            }
        };
        Ok(vec![Target::of(subject)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let limit = page_limit(input.limit, 50, 100);
        let retiring = match (&input.retiring_principal, &input.retiring_service_principal) {
            (Some(arn), _) => Grantee::Principal(arn.clone()),
            (None, service) => Grantee::Service(service.clone().unwrap_or_default()),
        };
        let list = format!("retirable {retiring:?}");
        let after =
            input.marker.as_deref().map(|marker| call.open_marker(&list, marker)).transpose()?;
        let after =
            after.as_deref().map(|text| place(text).ok_or_else(wording::bad_marker)).transpose()?;
        let grants = retirable(call, &retiring, after, limit + 1)?;
        let name =
            |grant: &std::sync::Arc<GrantRecord>| format!("{} {}", grant.key, grant.grant_id);
        let (grants, page) = page(call, &list, grants, limit, name)?;
        Ok(Output {
            grants: grants.iter().map(|grant| GrantListEntry::from(&**grant)).collect(),
            page,
        })
    }
}

/// Where the page before ended: a key's ARN and a grant's id.
fn place(text: &str) -> Option<(KeyName, GrantId)> {
    let (key, grant_id) = text.split_once(' ')?;
    match KeyRef::parse(key) {
        KeyRef::Arn(key) => Some((key, GrantId::new(grant_id))),
        _ => None,
    }
}

/// Up to `count` grants of the request's Region after a place, in the order of keys and grant ids.
fn retirable(
    call: &Call<'_>,
    retiring: &Grantee,
    after: Option<(KeyName, GrantId)>,
    count: usize,
) -> Result<Vec<std::sync::Arc<GrantRecord>>, KmsError> {
    let (Grantee::Principal(text) | Grantee::Service(text)) = retiring;
    let region = &call.caller().origin.region;
    let mut found = Vec::new();
    let mut after = after;
    loop {
        let grants = call
            .store()
            .grants_retirable_by(text, after.as_ref().map(|(key, id)| (key, id)), count)
            .map_err(KmsError::internal)?;
        let more = grants.len() == count;
        after = grants.last().map(|grant| (grant.key.clone(), grant.grant_id.clone()));
        let fits = |grant: &std::sync::Arc<GrantRecord>| {
            grant.key.region == *region && grant.retiring.as_ref() == Some(retiring)
        };
        found.extend(grants.into_iter().filter(fits));
        if count <= found.len() || !more {
            found.truncate(count);
            return Ok(found);
        }
    }
}
