//! `CreateGrant` <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html>
//!
//! What a caller who may create grants only through a grant may hand on is decided by the policy engine,
//! from [`Operation::child_grant`].

use super::prelude::*;
use crate::{authorize::constraint_facts, grant_token, principal};
use keyward_types::{
    Caller, CallerKind, GrantConstraints, GrantId, GrantOperation, GrantRecord, Grantee, KeyName,
    limits,
};
use std::collections::BTreeSet;

pub(crate) struct CreateGrant;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    grantee_principal: Option<String>,
    retiring_principal: Option<String>,
    operations: BTreeSet<GrantOperation>,
    #[serde(default)]
    constraints: Constraints,
    name: Option<String>,
    grantee_service_principal: Option<String>,
    retiring_service_principal: Option<String>,
}

/// As the request writes them.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Constraints {
    encryption_context_subset: Option<EncryptionContext>,
    encryption_context_equals: Option<EncryptionContext>,
    source_arn: Option<String>,
}

impl Constraints {
    /// What conditions on the encryption context see. Where both are given, `Equals` holds `Subset`, or
    /// nothing fits both.
    fn context(&self) -> Option<&EncryptionContext> {
        self.encryption_context_equals.as_ref().or(self.encryption_context_subset.as_ref())
    }

    fn record(&self) -> GrantConstraints {
        let pairs =
            |context: &Option<EncryptionContext>| context.as_ref().map(|context| context.0.clone());
        GrantConstraints {
            encryption_context_equals: pairs(&self.encryption_context_equals),
            encryption_context_subset: pairs(&self.encryption_context_subset),
            source_arn: self.source_arn.clone(),
        }
    }

    fn check(&self) -> Result<(), KmsError> {
        let contexts = [&self.encryption_context_equals, &self.encryption_context_subset];
        for context in contexts.into_iter().flatten() {
            if limits::GRANT_CONSTRAINT_PAIRS_MAX < context.0.len() {
                return Err(KmsError::validation(format!(
                    "A grant constraint may hold at most {} encryption context pairs.",
                    limits::GRANT_CONSTRAINT_PAIRS_MAX
                )));
            }
            let fits =
                |text: &String| text.chars().count() <= limits::GRANT_CONSTRAINT_VALUE_CHARS_MAX;
            if !context.0.iter().all(|(name, value)| fits(name) && fits(value)) {
                return Err(KmsError::validation(format!(
                    "Names and values in a grant constraint may have at most {} characters.",
                    limits::GRANT_CONSTRAINT_VALUE_CHARS_MAX
                )));
            }
        }
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    grant_token: String,
    grant_id: String,
}

impl Operation for CreateGrant {
    const SPEC: Spec = Spec {
        states: &[KeyState::Enabled, KeyState::Unavailable, KeyState::Updating],
        cross_account: true,
        logged: &[
            "KeyId",
            "GranteePrincipal",
            "RetiringPrincipal",
            "Operations",
            "Constraints",
            "Name",
            "GranteeServicePrincipal",
            "RetiringServicePrincipal",
        ],
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::Disabled,
            ErrorCode::DependencyTimeout,
            ErrorCode::InvalidArn,
            ErrorCode::Internal,
            ErrorCode::InvalidGrantToken,
            ErrorCode::LimitExceeded,
            ErrorCode::InvalidState,
            ErrorCode::DryRunOperation,
        ],
        ..control(
            "CreateGrant",
            "POST",
            "/v1/keys/{KeyId}/grants",
            &[
                KEY_ID,
                optional("GranteePrincipal", PRINCIPAL_KIND),
                optional("RetiringPrincipal", PRINCIPAL_KIND),
                required("Operations", GRANT_OPERATIONS_KIND),
                optional("Constraints", GRANT_CONSTRAINTS_KIND),
                GRANT_TOKENS,
                optional("Name", GRANT_NAME_KIND),
                DRY_RUN,
                optional("GranteeServicePrincipal", SERVICE_PRINCIPAL_KIND),
                optional("RetiringServicePrincipal", SERVICE_PRINCIPAL_KIND),
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        input.check()?;
        Ok(vec![Target { context: input.constraints.context(), ..Target::key(&input.key_id) }])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add_many(
            "kms:GrantOperations",
            input.operations.iter().map(|operation| operation.as_str()),
        );
        let stated = [
            ("kms:GranteePrincipal", input.grantee_principal.as_deref()),
            ("kms:RetiringPrincipal", input.retiring_principal.as_deref()),
            ("kms:GranteeServicePrincipal", input.grantee_service_principal.as_deref()),
            ("kms:RetiringServicePrincipal", input.retiring_service_principal.as_deref()),
            ("kms:GrantConstraintSourceArn", input.constraints.source_arn.as_deref()),
        ];
        for (name, value) in stated {
            if let Some(value) = value {
                facts.add(name, value);
            }
        }
        constraint_facts(&input.constraints.record(), facts);
    }

    fn child_grant(input: &Input, caller: &Caller, key: &KeyName) -> Option<GrantRecord> {
        let grantee =
            party(input.grantee_principal.as_ref(), input.grantee_service_principal.as_ref())?;
        Some(GrantRecord {
            grant_id: GrantId::new(""),
            key: key.clone(),
            name: input.name.clone(),
            created: Timestamp::default(),
            grantee,
            grantee_id: None,
            retiring: party(
                input.retiring_principal.as_ref(),
                input.retiring_service_principal.as_ref(),
            ),
            // A service has no account; its grants are as if the key's owner had made them.
            issuing_account: match caller.kind {
                CallerKind::Service { .. } => key.account.clone(),
                _ => caller.account.clone(),
            },
            operations: input.operations.clone(),
            constraints: input.constraints.record(),
        })
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let key = call.key()?;
        input.check_against(key)?;
        let wanted = Self::child_grant(input, call.caller(), &key.name);
        let mut wanted = wanted
            .ok_or_else(|| KmsError::internal("the request was checked to name a grantee"))?;
        wanted.grantee_id = known(call, Some(&wanted.grantee))?;
        known(call, wanted.retiring.as_ref())?;
        let grant_id = match same_grant(call, &wanted)? {
            Some(grant_id) => grant_id,
            None => create(call, wanted)?,
        };
        let grant_token = grant_token::seal(call, &key.name, &grant_id)?;
        Ok(Output { grant_token, grant_id: grant_id.to_string() })
    }

    fn response_elements(call: &Call<'_>, output: &Output) -> Option<Value> {
        let key = call.key().ok()?;
        Some(json!({"grantId": output.grant_id, "keyId": key.name.to_string()}))
    }
}

impl Input {
    /// What needs no key to be refused.
    fn check(&self) -> Result<(), KmsError> {
        let refuse = |words: &str| Err(KmsError::validation(words));
        match (&self.grantee_principal, &self.grantee_service_principal) {
            (None, None) => {
                return refuse(
                    "You must specify either GranteePrincipal or GranteeServicePrincipal.",
                );
            }
            (Some(_), Some(_)) => {
                return refuse(
                    "You cannot specify both GranteePrincipal and GranteeServicePrincipal.",
                );
            }
            _ => {}
        }
        let retiring = (&self.retiring_principal, &self.retiring_service_principal);
        if matches!(retiring, (Some(_), Some(_))) {
            return refuse(
                "You cannot specify both RetiringPrincipal and RetiringServicePrincipal.",
            );
        }
        if self.grantee_service_principal.is_some() {
            if self.constraints.source_arn.is_none() {
                return refuse("GranteeServicePrincipal requires a SourceArn grant constraint.");
            }
            if matches!(retiring, (None, None)) {
                return refuse(
                    "GranteeServicePrincipal requires RetiringPrincipal or RetiringServicePrincipal.",
                );
            }
        }
        if self.operations.is_empty() {
            return refuse("A grant must allow at least one operation.");
        }
        self.constraints.check()
    }

    fn check_against(&self, key: &KeyRecord) -> Result<(), KmsError> {
        let fitting = grantable(key.spec, key.usage);
        if let Some(operation) =
            self.operations.iter().find(|operation| !fitting.contains(operation))
        {
            return Err(KmsError::validation(format!(
                "Grant operation {operation} is not supported by a key with KeySpec {} and KeyUsage {}.",
                key.spec, key.usage
            )));
        }
        if self.constraints.context().is_some() && !key.spec.is_symmetric() {
            return Err(KmsError::validation(
                "Encryption context grant constraints are supported for symmetric encryption keys only.",
            ));
        }
        Ok(())
    }
}

/// So near to the quota the count must not move before the commit; further away it may, so that grants
/// that are made at the same time do not wait for each other.
const QUOTA_NEAR: usize = 2_000;

/// Operations on the key itself, which every key has.
const ON_ANY_KEY: [GrantOperation; 3] =
    [GrantOperation::CreateGrant, GrantOperation::RetireGrant, GrantOperation::DescribeKey];

/// The operations that a grant on such a key may name.
fn grantable(spec: KeySpec, usage: KeyUsage) -> BTreeSet<GrantOperation> {
    use GrantOperation as Op;
    let of_usage: &[Op] = match usage {
        KeyUsage::EncryptDecrypt => &[Op::Encrypt, Op::Decrypt, Op::ReEncryptFrom, Op::ReEncryptTo],
        KeyUsage::SignVerify => &[Op::Sign, Op::Verify],
        KeyUsage::GenerateVerifyMac => &[Op::GenerateMac, Op::VerifyMac],
        KeyUsage::KeyAgreement => &[Op::DeriveSharedSecret],
        KeyUsage::EncapsulateDecapsulate => &[Op::Encapsulate, Op::Decapsulate],
    };
    let of_spec: &[Op] = if spec.is_symmetric() {
        &[
            Op::GenerateDataKey,
            Op::GenerateDataKeyWithoutPlaintext,
            Op::GenerateDataKeyPair,
            Op::GenerateDataKeyPairWithoutPlaintext,
        ]
    } else if spec.is_asymmetric() {
        &[Op::GetPublicKey]
    } else {
        &[]
    };
    ON_ANY_KEY.iter().chain(of_usage).chain(of_spec).copied().collect()
}

fn party(principal: Option<&String>, service: Option<&String>) -> Option<Grantee> {
    let principal = principal.map(|arn| Grantee::Principal(arn.clone()));
    principal.or_else(|| service.map(|name| Grantee::Service(name.clone())))
}

/// The unique id of a principal whose account lives here; it must exist. Others are taken as they are.
fn known(call: &mut Call<'_>, party: Option<&Grantee>) -> Result<Option<String>, KmsError> {
    let Some(Grantee::Principal(arn)) = party else { return Ok(None) };
    match principal::look_up(call, arn)? {
        Some(found) => Ok(found.unique_id),
        None => Err(KmsError::new(
            ErrorCode::InvalidArn,
            format!("ARN does not refer to a valid principal: {arn}"),
        )),
    }
}

/// A retry: a grant of the same name that is the same in everything the request says.
fn same_grant(call: &mut Call<'_>, wanted: &GrantRecord) -> Result<Option<GrantId>, KmsError> {
    let Some(name) = &wanted.name else { return Ok(None) };
    call.rest_on(Name::Grants(wanted.key.clone()));
    let of_name = call.store().grants_by_name(&wanted.key, name).map_err(KmsError::internal)?;
    let same = |grant: &GrantRecord| {
        let GrantRecord { grant_id, created, .. } = grant;
        *grant == GrantRecord { grant_id: grant_id.clone(), created: *created, ..wanted.clone() }
    };
    Ok(of_name.iter().find(|grant| same(grant)).map(|grant| grant.grant_id.clone()))
}

fn create(call: &mut Call<'_>, wanted: GrantRecord) -> Result<GrantId, KmsError> {
    let count = call.store().grant_count(&wanted.key).map_err(KmsError::internal)?;
    let count = usize::try_from(count).map_err(KmsError::internal)?;
    if limits::GRANTS_PER_KEY_MAX <= count + QUOTA_NEAR {
        call.rest_on(Name::Grants(wanted.key.clone()));
    }
    if limits::GRANTS_PER_KEY_MAX <= count {
        return Err(KmsError::new(
            ErrorCode::LimitExceeded,
            format!("A key may have at most {} grants", limits::GRANTS_PER_KEY_MAX),
        ));
    }
    let grant_id = GrantId::new(&hex::encode(call.random::<32>()));
    let created = call.now();
    call.put(Record::Grant(GrantRecord { grant_id: grant_id.clone(), created, ..wanted }));
    Ok(grant_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_granted_follows_spec_and_usage() {
        let count = |spec, usage| grantable(spec, usage).len();
        assert_eq!(count(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt), 11);
        assert_eq!(count(KeySpec::Rsa2048, KeyUsage::EncryptDecrypt), 8);
        assert_eq!(count(KeySpec::EccNistP256, KeyUsage::SignVerify), 6);
        assert_eq!(count(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac), 5);
        // Each operation fits some key.
        let all: BTreeSet<GrantOperation> = KeySpec::ALL
            .iter()
            .flat_map(|spec| {
                keyward_crypto::algorithm::usages(*spec).iter().map(move |usage| (*spec, *usage))
            })
            .flat_map(|(spec, usage)| grantable(spec, usage))
            .collect();
        assert_eq!(all, GrantOperation::ALL.iter().copied().collect());
    }
}
