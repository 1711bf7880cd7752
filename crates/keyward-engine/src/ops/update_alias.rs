//! `UpdateAlias` <https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateAlias.html>

use super::{
    create_alias::{check_alias, check_quota},
    prelude::*,
};
use keyward_types::{AliasName, AliasRecord};

pub(crate) struct UpdateAlias;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    alias_name: AliasName,
    target_key_id: KeyRef,
}

impl Operation for UpdateAlias {
    const SPEC: Spec = Spec {
        // The key that the alias leaves may be in any state; `run` looks at the other one.
        states: ANY_STATE,
        logged: &["AliasName", "TargetKeyId"],
        errors: &[
            ErrorCode::DependencyTimeout,
            ErrorCode::NotFound,
            ErrorCode::Internal,
            ErrorCode::LimitExceeded,
            ErrorCode::InvalidState,
        ],
        ..control("UpdateAlias", "PUT", "/v1/aliases", &[ALIAS_NAME, TARGET_KEY_ID])
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_alias(&input.alias_name, &input.target_key_id)?;
        Ok(vec![
            Target::of(Subject::Alias(&input.alias_name)),
            Target::of(Subject::AliasTarget(&input.alias_name)),
            Target::key(&input.target_key_id),
        ])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let (old, new) = (call.key_at(0)?, call.key_at(1)?);
        let caller = call.caller();
        let (account, region) = (&caller.account, &caller.origin.region);
        if !NOT_PENDING_DELETION.contains(&call.state_at(1)?) {
            return Err(KmsError::new(
                ErrorCode::InvalidState,
                format!("{} is pending deletion.", new.name),
            ));
        }
        check_kind(old, new, &input.alias_name.arn(account, region))?;
        call.rest_on(Name::Aliases(new.name.clone()));
        if old.name != new.name {
            check_quota(call, &new.name)?;
        }
        let alias =
            call.store().alias(account, region, &input.alias_name).map_err(KmsError::internal)?;
        let alias =
            alias.ok_or_else(|| wording::no_such_alias(account, region, &input.alias_name))?;
        call.put(Record::Alias(AliasRecord {
            target: new.name.clone(),
            updated: call.now(),
            ..AliasRecord::clone(&alias)
        }));
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        call.key_at(1).ok().map(|key| json!({"keyId": key.name.to_string()}))
    }
}

/// An alias stays with keys of one usage and one family: symmetric, asymmetric or HMAC.
fn check_kind(old: &KeyRecord, new: &KeyRecord, alias_arn: &str) -> Result<(), KmsError> {
    let refuse = |what: &str, old: &str, new: &str| {
        Err(KmsError::validation(format!(
            "Alias {alias_arn} cannot be changed from a CMK with key {what} {old} to a CMK with key {what} {new}"
        )))
    };
    if old.usage != new.usage {
        return refuse("usage", old.usage.as_str(), new.usage.as_str());
    }
    let (was, shall) = (family(old.spec), family(new.spec));
    if was == shall { Ok(()) } else { refuse("type", was, shall) }
}

fn family(spec: KeySpec) -> &'static str {
    if spec.is_symmetric() {
        "SYMMETRIC"
    } else if spec.is_hmac() {
        "HMAC"
    } else {
        "ASYMMETRIC"
    }
}
