//! `RetireGrant` <https://docs.aws.amazon.com/kms/latest/APIReference/API_RetireGrant.html>
//!
//! The grant itself decides who may retire it, so no target is authorized by the pipeline: `run` asks the
//! policy engine, and the decision stands in the event either way.
//!
//! INVARIANT (P6): about a grant on another account's key a refusal sounds the same whether or not the
//! key or the grant exists.

use super::prelude::*;
use crate::authorize::{retirement, retirement_elsewhere};
use keyward_types::{GrantId, GrantRecord, KeyName};
use std::sync::Arc;

pub(crate) struct RetireGrant;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    grant_token: Option<String>,
    key_id: Option<KeyRef>,
    grant_id: Option<String>,
}

impl Operation for RetireGrant {
    const SPEC: Spec = Spec {
        cross_account: true,
        logged: &["KeyId", "GrantId"],
        errors: &[
            ErrorCode::InvalidArn,
            ErrorCode::InvalidGrantToken,
            ErrorCode::InvalidGrantId,
            ErrorCode::NotFound,
            ErrorCode::DependencyTimeout,
            ErrorCode::Internal,
            ErrorCode::InvalidState,
            ErrorCode::DryRunOperation,
        ],
        ..control(
            "RetireGrant",
            "POST",
            "/v1/retire-grant",
            &[
                optional("GrantToken", GRANT_TOKEN_KIND),
                optional("KeyId", KEY_ID_KIND),
                optional("GrantId", GRANT_ID_KIND),
                DRY_RUN,
            ],
        )
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        let named = input.key_id.is_some() && input.grant_id.is_some();
        let partly = input.key_id.is_some() != input.grant_id.is_some();
        if partly || named == input.grant_token.is_some() {
            return Err(KmsError::validation(
                "You must specify either GrantToken, or both KeyId and GrantId.",
            ));
        }
        Ok(vec![Target::of(Subject::Unchecked)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let (key, grant_id) = input.named(call)?;
        call.concern(key.to_string());
        call.note("grantId", grant_id.as_str());
        let (record, grant) = found(call, &key, &grant_id)?;
        retirement(call, &record, &grant)?;
        call.delete(Name::Grant(key, grant_id));
        Ok(Empty)
    }
}

impl Input {
    fn named(&self, call: &Call<'_>) -> Result<(KeyName, GrantId), KmsError> {
        let region = &call.caller().origin.region;
        let (key, grant_id) = match (&self.grant_token, &self.key_id, &self.grant_id) {
            (Some(token), ..) => {
                call.engine().grant_of_token(token).ok_or_else(wording::bad_grant_token)?
            }
            (None, Some(KeyRef::Arn(key)), Some(grant_id)) => (key.clone(), GrantId::new(grant_id)),
            _ => {
                return Err(KmsError::new(
                    ErrorCode::InvalidArn,
                    "RetireGrant identifies a key by its ARN.",
                ));
            }
        };
        if key.region == *region {
            Ok((key, grant_id))
        } else {
            Err(wording::other_region(&key.region))
        }
    }
}

fn found(
    call: &mut Call<'_>,
    key: &KeyName,
    grant_id: &GrantId,
) -> Result<(Arc<KeyRecord>, Arc<GrantRecord>), KmsError> {
    call.rest_on(Name::Key(key.clone()));
    call.rest_on(Name::Grant(key.clone(), grant_id.clone()));
    let record = call.store().key(key).map_err(KmsError::internal)?;
    let grant = call.store().grant(key, grant_id).map_err(KmsError::internal)?;
    match (record, grant) {
        (Some(record), Some(grant)) => Ok((record, grant)),
        _ if key.account != call.caller().account => Err(retirement_elsewhere(call, key)),
        (None, _) => Err(wording::no_such_key(key)),
        (Some(_), None) => Err(wording::no_such_grant(grant_id)),
    }
}
