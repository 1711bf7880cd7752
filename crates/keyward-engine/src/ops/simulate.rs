//! `Simulate`: what would be decided for a principal of the account, with other documents and grants supposed in
//! the place of those in force. Keyward's own.
//!
//! It answers for real as far as nothing is supposed. Layer by layer the decision is told to who may explain
//! decisions (`keyward:ExplainDecision`).

use super::prelude::*;
use crate::{
    ask::{self, About, Action, Answer, Ask, Entry, Stated},
    key_policy,
    resolve::Found,
    usage::WithGrant,
};
use keyward_policy::PolicyError;
use keyward_types::{Caller, GrantRecord, IdentityDocument, KeyName, caller::Document};
use std::sync::Arc;

pub(crate) struct Simulate;

const POLICIES_KIND: Kind = Kind::List { of: &POLICY_KIND, min: 0, max: 64 };
const GRANTS_KIND: Kind = Kind::List {
    of: &Kind::Structure(&[
        optional("GranteePrincipal", PRINCIPAL_KIND),
        optional("GranteeServicePrincipal", SERVICE_PRINCIPAL_KIND),
        required("Operations", GRANT_OPERATIONS_KIND),
        optional("Constraints", GRANT_CONSTRAINTS_KIND),
    ]),
    min: 0,
    max: 64,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    principal: String,
    actions: Vec<String>,
    key_id: Option<KeyRef>,
    resource: Option<String>,
    encryption_context: Option<EncryptionContext>,
    #[serde(default)]
    context: Vec<Entry>,
    key_policy: Option<String>,
    identity_policies: Option<Vec<String>>,
    permissions_boundary: Option<String>,
    session_policies: Option<Vec<String>>,
    service_control_policies: Option<Vec<Vec<String>>>,
    grants: Option<Vec<WithGrant>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    principal: String,
    results: Vec<Answer>,
}

impl Operation for Simulate {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        aliases: true,
        read_only: true,
        logged: &["Principal", "Actions", "KeyId", "Resource", "EncryptionContext"],
        ..control(
            "Simulate",
            "POST",
            "/v1/simulate",
            &[
                required("Principal", text(1, 2_048)),
                required("Actions", Kind::List { of: &ask::ACTION_KIND, min: 1, max: 64 }),
                optional("KeyId", KEY_ID_KIND),
                optional("Resource", text(1, 2_048)),
                ENCRYPTION_CONTEXT,
                ask::CONTEXT,
                optional("KeyPolicy", POLICY_KIND),
                optional("IdentityPolicies", POLICIES_KIND),
                optional("PermissionsBoundary", POLICY_KIND),
                optional("SessionPolicies", POLICIES_KIND),
                optional(
                    "ServiceControlPolicies",
                    Kind::List { of: &POLICIES_KIND, min: 0, max: 16 },
                ),
                optional("Grants", GRANTS_KIND),
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (engine, asker) = (call.engine(), call.caller());
        let stated = Stated::of(input.encryption_context.as_ref(), &input.context)?;
        stated.check_elsewhere(asker, input.key_id.as_ref())?;
        let mut caller = engine.suppose(asker, &input.principal, stated)?;
        if let Some(texts) = &input.session_policies {
            caller.session_policies = documents(call, "session policy", texts)?;
        }
        let layers = supposed_layers(call, &caller, input)?;
        let explain = ask::may_explain(engine, asker)?;
        let about = About { key: input.key_id.as_ref(), resource: input.resource.as_deref() };
        let mut results = Vec::new();
        for action in &input.actions {
            let action = Action::parse(action)?;
            let found = about.find(engine, &caller, &Self::SPEC, &action)?;
            let found = supposed_key(call, input, found)?;
            let grants = match &found {
                Found::Key(key) => supposed_grants(&caller, &key.record.name, input)?,
                _ => None,
            };
            let asked =
                Ask { engine, caller: &caller, layers: &layers, stated, grants: grants.as_deref() };
            results.push(Answer::of(&asked, &action, &found, explain)?);
        }
        Ok(Output { principal: caller.arn, results })
    }
}

/// The caller's layers, with what the request supposes in their place.
fn supposed_layers(
    call: &Call<'_>,
    caller: &Caller,
    input: &Input,
) -> Result<crate::layers::Layers, KmsError> {
    let identity = input.identity_policies.as_ref();
    let identity = identity.map(|texts| documents(call, "identity policy", texts)).transpose()?;
    let boundary = input.permissions_boundary.as_ref();
    let boundary =
        boundary.map(|text| document(call, "permissions boundary".to_owned(), text)).transpose()?;
    let levels = input.service_control_policies.as_ref();
    let scps = levels
        .map(|levels| {
            levels.iter().map(|texts| documents(call, "service control policy", texts)).collect()
        })
        .transpose()?;
    Ok(call.engine().layers(caller)?.supposing(identity, boundary, scps))
}

fn documents(
    call: &Call<'_>,
    what: &str,
    texts: &[String],
) -> Result<Vec<IdentityDocument>, KmsError> {
    let numbered = texts.iter().enumerate();
    numbered.map(|(i, text)| document(call, format!("supposed {what} {}", i + 1), text)).collect()
}

fn document(call: &Call<'_>, source: String, text: &str) -> Result<IdentityDocument, KmsError> {
    call.policies().validate_identity_policy(text).map_err(|error| malformed(&source, &error))?;
    Ok(IdentityDocument { source, document: Document::new(text) })
}

fn malformed(source: &str, error: &PolicyError) -> KmsError {
    KmsError::new(ErrorCode::MalformedPolicyDocument, format!("{source}: {error}"))
}

/// The key as it would be with the supposed policy. Policies and grants can be supposed on own keys alone.
fn supposed_key(call: &Call<'_>, input: &Input, found: Found) -> Result<Found, KmsError> {
    if input.key_policy.is_none() && input.grants.is_none() {
        return Ok(found);
    }
    let own = |account: &keyward_types::AccountId| *account == call.caller().account;
    if !found.owner(call.caller()).is_none_or(own) {
        return Err(ask::not_yours("The key"));
    }
    let (mut key, text) = match (found, &input.key_policy) {
        (Found::Key(key), Some(text)) => (key, text),
        (found, _) => return Ok(found),
    };
    call.policies()
        .validate_key_policy(text)
        .map_err(|error| malformed(key_policy::DEFAULT_NAME, &error))?;
    let mut record = KeyRecord::clone(&key.record);
    record.policy = Document::new(text.as_str());
    // Saved now, it means the principals of now.
    record.policy_principals.clear();
    key.record = Arc::new(record);
    Ok(Found::Key(key))
}

fn supposed_grants(
    caller: &Caller,
    key: &KeyName,
    input: &Input,
) -> Result<Option<Vec<Arc<GrantRecord>>>, KmsError> {
    let Some(grants) = &input.grants else { return Ok(None) };
    let record = |(number, grant): (usize, &WithGrant)| grant.record(caller, key, number);
    grants.iter().enumerate().map(record).collect::<Result<_, _>>().map(Some)
}
