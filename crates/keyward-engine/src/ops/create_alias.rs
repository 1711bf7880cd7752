//! `CreateAlias` <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html>

use super::prelude::*;
use keyward_types::{AliasName, AliasRecord, KeyName, limits};

pub(crate) struct CreateAlias;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    alias_name: AliasName,
    target_key_id: KeyRef,
}

impl Operation for CreateAlias {
    const SPEC: Spec = Spec {
        states: NOT_PENDING_DELETION,
        logged: &["AliasName", "TargetKeyId"],
        errors: &[
            ErrorCode::DependencyTimeout,
            ErrorCode::AlreadyExists,
            ErrorCode::NotFound,
            ErrorCode::InvalidAliasName,
            ErrorCode::Internal,
            ErrorCode::LimitExceeded,
            ErrorCode::InvalidState,
        ],
        ..control("CreateAlias", "POST", "/v1/aliases", &[ALIAS_NAME, TARGET_KEY_ID])
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_alias(&input.alias_name, &input.target_key_id)?;
        Ok(vec![Target::of(Subject::Alias(&input.alias_name)), Target::key(&input.target_key_id)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let (caller, key) = (call.caller(), call.key()?);
        let (account, region) = (caller.account.clone(), caller.origin.region.clone());
        let arn = input.alias_name.arn(&account, &region);
        call.rest_on(Name::Alias(account.clone(), region.clone(), input.alias_name.clone()));
        call.rest_on(Name::Aliases(key.name.clone()));
        if call
            .store()
            .alias(&account, &region, &input.alias_name)
            .map_err(KmsError::internal)?
            .is_some()
        {
            let message = format!("An alias with the name {arn} already exists");
            return Err(KmsError::new(ErrorCode::AlreadyExists, message));
        }
        check_quota(call, &key.name)?;
        let now = call.now();
        let name = input.alias_name.clone();
        call.put(Record::Alias(AliasRecord {
            account,
            region,
            name,
            target: key.name.clone(),
            created: now,
            updated: now,
        }));
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        key_arn_element(call)
    }
}

/// What CreateAlias and UpdateAlias demand of a name and of what it shall point to.
pub(crate) fn check_alias(name: &AliasName, target: &KeyRef) -> Result<(), KmsError> {
    check_alias_name(name)?;
    if target.is_alias() {
        return Err(KmsError::validation("Aliases must refer to keys. Not aliases"));
    }
    Ok(())
}

/// What every operation that changes an alias demands of its name.
pub(crate) fn check_alias_name(name: &AliasName) -> Result<(), KmsError> {
    let text = name.as_str();
    if !text.starts_with("alias/") || text == "alias/" {
        return Err(KmsError::validation(
            "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    }
    if name.is_reserved() {
        return Err(KmsError::bare(ErrorCode::NotAuthorized));
    }
    if text.contains(':') {
        return Err(KmsError::validation(format!(
            "{text} contains invalid characters for an alias"
        )));
    }
    Ok(())
}

/// Fails when the key has as many aliases as a key may have.
pub(crate) fn check_quota(call: &Call<'_>, key: &KeyName) -> Result<(), KmsError> {
    let aliases = call.store().aliases_of_key(key).map_err(KmsError::internal)?;
    if limits::ALIASES_PER_KEY_MAX <= aliases.len() {
        return Err(KmsError::new(
            ErrorCode::LimitExceeded,
            format!("A key may have at most {} aliases", limits::ALIASES_PER_KEY_MAX),
        ));
    }
    Ok(())
}
