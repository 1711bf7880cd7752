//! Decision vectors: a caller, documents and facts in, and what the decision must be.
//!
//! The form is that of `tests/vectors/policy-vectors.json`. Unknown members are refused, because a
//! vector whose half was ignored would prove nothing.
//!
//! What a vector does not say is absent: there is no source address, no user agent, no time. What follows
//! from the caller's and the key's ARN is derived, as it is in a request.

use keyward_engine::OPERATIONS;
use keyward_policy::{Facts, PolicyEngine, Question, Resource};
use keyward_types::{
    AccountId, Caller, CallerKind, Decision, EncryptionContext, GrantConstraints, GrantId,
    GrantOperation, GrantRecord, Grantee, IdentityDocument, KeyName, KeyRef, KeySpec, KeyUsage,
    MaterialOrigin, Origin, Region, Timestamp, caller::Document,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A vector as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    #[expect(
        dead_code,
        reason = "read before the vector is understood, so that a bad one has a name"
    )]
    id: String,
    #[expect(
        dead_code,
        reason = "read before the vector is understood, so that a bad one has a name"
    )]
    #[serde(default)]
    name: String,
    #[serde(default)]
    expect: Option<String>,
    /// A part of the reason's words.
    #[serde(default)]
    reason: Option<String>,
    /// An ARN, or a service's name.
    caller: String,
    action: String,
    resource: String,
    /// The account of the resource; the ARN's own unless said.
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    key_policy: Option<Value>,
    #[serde(default)]
    identity: Vec<Value>,
    #[serde(default)]
    boundary: Vec<Value>,
    #[serde(default)]
    session: Vec<Value>,
    #[serde(default)]
    grants: Vec<Grant>,
    #[serde(default)]
    new_grant: Option<Grant>,
    #[serde(default)]
    scps: Vec<Vec<Value>>,
    #[serde(default)]
    rcps: Vec<Vec<Value>>,
    #[serde(default)]
    vpce: Vec<Value>,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
    #[serde(default)]
    context: Map<String, Value>,
    /// The caller's role is service-linked.
    #[serde(default)]
    slr: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Grant {
    #[serde(default)]
    grant_id: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    grantee: Option<String>,
    #[serde(default)]
    grantee_service: Option<String>,
    #[serde(default)]
    retiring: Option<String>,
    operations: BTreeSet<GrantOperation>,
    #[serde(default)]
    constraints: GrantConstraints,
    #[serde(default)]
    issuer: Option<String>,
}

/// What became of a vector.
pub(super) struct Outcome {
    id: String,
    name: String,
    expect: Option<String>,
    decided: Result<Decision, String>,
    pub(super) pass: bool,
}

impl Outcome {
    pub(super) fn to_json(&self) -> Value {
        match &self.decided {
            Ok(decision) => json!({
                "id": self.id,
                "name": self.name,
                "expect": self.expect,
                "decision": decision.effect,
                "effect": decision.effect,
                "reason": decision.because(),
                "rule": decision.rule,
                "pass": self.pass,
                "layers": decision.layers,
            }),
            Err(error) => {
                json!({"id": self.id, "name": self.name, "expect": self.expect, "error": error, "pass": false})
            }
        }
    }

    pub(super) fn to_text(&self) -> String {
        let mark = if self.pass { "ok  " } else { "FAIL" };
        match &self.decided {
            Ok(decision) => format!(
                "{mark} {} {}: {:?} {}",
                self.id,
                self.name,
                decision.effect,
                decision.because()
            ),
            Err(error) => format!("{mark} {} {}: {error}", self.id, self.name),
        }
    }
}

pub(super) fn decide(engine: &PolicyEngine, vector: &Value) -> Outcome {
    let text = |name: &str| vector.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let (id, name) = (text("id"), text("name"));
    let parsed = Vector::deserialize(vector).map_err(|error| error.to_string());
    let expect = parsed.as_ref().ok().and_then(|vector| vector.expect.clone());
    let reason = parsed.as_ref().ok().and_then(|vector| vector.reason.clone());
    let decided = parsed.and_then(|vector| ask(engine, &vector));
    let pass = decided.as_ref().is_ok_and(|decision| {
        expect.as_ref().is_none_or(|expect| format!("{:?}", decision.effect) == *expect)
            && reason.as_ref().is_none_or(|reason| says(decision, reason))
    });
    Outcome { id, name, expect, decided, pass }
}

/// Whether the decision's words hold a vector's; only refusals are compared, because AWS gives no reason
/// for what it allows.
fn says(decision: &Decision, reason: &str) -> bool {
    let wanted = match reason {
        "operation not available cross-account" => "not available to principals of other accounts",
        "reserved alias" => "reserved",
        other => other,
    };
    decision.allowed() || decision.because().contains(wanted)
}

fn ask(engine: &PolicyEngine, vector: &Vector) -> Result<Decision, String> {
    let mut caller = caller(vector)?;
    let mut key_policy = vector.key_policy.as_ref().map(Value::to_string);
    if vector.slr {
        mark_service_linked(&mut caller, &mut key_policy);
    }
    caller.session_policies = documents("session policy", &vector.session);
    let key_policy = key_policy.map(Document::new);
    let context = EncryptionContext(vector.encryption_context.clone());
    let facts = facts(vector, &context)?;
    let owner = owner(vector)?;
    let grants = vector
        .grants
        .iter()
        .map(|written| grant(written, vector))
        .collect::<Result<Vec<_>, _>>()?;
    let grants: Vec<&GrantRecord> = grants.iter().collect();
    let child = vector.new_grant.as_ref().map(|written| grant(written, vector)).transpose()?;
    let tags = BTreeMap::new();
    let identity = documents("identity policy", &vector.identity);
    let boundary = documents("permissions boundary", &vector.boundary).pop();
    let (scps, rcps) = (
        levels("service control policy", &vector.scps),
        levels("resource control policy", &vector.rcps),
    );
    let endpoint = documents("VPC endpoint policy", &vector.vpce).pop();
    Ok(engine.decide(&Question {
        cross_account_allowed: crosses_accounts(&vector.action),
        key_policy: key_policy.as_ref(),
        grants: &grants,
        child_grant: child.as_ref(),
        identity: &identity,
        boundary: boundary.as_ref(),
        scps: &scps,
        rcps: &rcps,
        vpc_endpoint: endpoint.as_ref(),
        ..Question::new(&caller, &vector.action, resource(&vector.resource, &owner, &tags), &facts)
    }))
}

fn resource<'a>(
    arn: &'a str,
    owner: &'a AccountId,
    tags: &'a BTreeMap<String, String>,
) -> Resource<'a> {
    match KeyRef::parse(arn) {
        KeyRef::Arn(name) => Resource::Key {
            arn,
            owner,
            tags,
            aliases: &[],
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: MaterialOrigin::AwsKms,
            multi_region: name.key_id.is_multi_region(),
        },
        KeyRef::AliasArn { .. } => Resource::Alias { arn },
        _ if arn == "*" => Resource::Any,
        _ => Resource::Other { arn },
    }
}

/// As the operation's row says; operations without a row yet are AWS's cryptographic ones.
fn crosses_accounts(action: &str) -> bool {
    let name = action.strip_prefix("kms:").unwrap_or(action);
    let operation = match name {
        "ReEncryptFrom" | "ReEncryptTo" => "ReEncrypt",
        other => other,
    };
    let row = OPERATIONS.iter().find(|row| row.spec().name.eq_ignore_ascii_case(operation));
    row.map_or(matches!(name, "DeriveSharedSecret" | "Encapsulate" | "Decapsulate"), |row| {
        row.spec().cross_account
    })
}

fn owner(vector: &Vector) -> Result<AccountId, String> {
    let of_arn = || vector.resource.split(':').nth(4).filter(|account| !account.is_empty());
    let of_caller = || vector.caller.split(':').nth(4);
    let text = vector.owner.as_deref().or_else(of_arn).or_else(of_caller).unwrap_or("");
    AccountId::parse(text).ok_or_else(|| format!("owner `{text}` is not twelve digits"))
}

fn facts<'a>(vector: &Vector, context: &'a EncryptionContext) -> Result<Facts<'a>, String> {
    let mut facts = Facts::new();
    facts.set_encryption_context(context);
    for (name, value) in &vector.context {
        match value {
            Value::Array(values) => {
                let values =
                    values.iter().map(|value| plain(name, value)).collect::<Result<Vec<_>, _>>()?;
                facts.add_many(name, values);
            }
            value => drop(facts.add(name, plain(name, value)?)),
        }
    }
    Ok(facts)
}

fn plain(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(format!("context {name} is no text, number, boolean or list of them")),
    }
}

fn documents(source: &str, values: &[Value]) -> Vec<IdentityDocument> {
    let document = |(i, value): (usize, &Value)| IdentityDocument {
        source: format!("{source} {i}"),
        document: Document::new(value.to_string()),
    };
    values.iter().enumerate().map(document).collect()
}

fn levels(source: &str, levels: &[Vec<Value>]) -> Vec<Vec<IdentityDocument>> {
    levels.iter().map(|level| documents(source, level)).collect()
}

fn grant(written: &Grant, vector: &Vector) -> Result<GrantRecord, String> {
    let arn = written.key.as_deref().unwrap_or(&vector.resource);
    let key = match KeyRef::parse(arn) {
        KeyRef::Arn(name) => name,
        _ => return Err(format!("{arn} is not a key's ARN")),
    };
    let grantee = match (&written.grantee, &written.grantee_service) {
        (Some(arn), None) => Grantee::Principal(arn.clone()),
        (None, Some(name)) => Grantee::Service(name.clone()),
        // The grant that a request asks for may leave its grantee open: who receives it decides nothing.
        (None, None) => Grantee::Principal(String::new()),
        (Some(_), Some(_)) => return Err("a grant has a grantee or a granteeService".to_owned()),
    };
    let KeyName { account, .. } = &key;
    let issuer = written
        .issuer
        .as_deref()
        .map(|text| AccountId::parse(text).ok_or(format!("issuer {text}")))
        .transpose()?;
    Ok(GrantRecord {
        grant_id: GrantId::new(written.grant_id.as_deref().unwrap_or("unnamed")),
        name: None,
        created: Timestamp(0),
        grantee,
        grantee_id: None,
        retiring: written.retiring.clone().map(Grantee::Principal),
        issuing_account: issuer.unwrap_or_else(|| account.clone()),
        operations: written.operations.clone(),
        constraints: written.constraints.clone(),
        key,
    })
}

/// A caller as authentication would make it from this ARN.
fn caller(vector: &Vector) -> Result<Caller, String> {
    let text = vector.caller.as_str();
    let service = !text.starts_with("arn:");
    let account = if service { owner(vector)? } else { account_of(text)? };
    let region = vector.resource.split(':').nth(3).and_then(Region::parse);
    let mut caller = Caller {
        kind: CallerKind::Root,
        account,
        arn: text.to_owned(),
        principal_arn: text.to_owned(),
        user_id: String::new(),
        access_key_id: "AKIAEXAMPLE".to_owned(),
        tags: BTreeMap::new(),
        transitive_tags: Default::default(),
        issued: None,
        mfa: None,
        source_identity: None,
        session_policies: Vec::new(),
        origin: Origin {
            request_id: uuid::Uuid::nil(),
            source_ip: String::new(),
            user_agent: String::new(),
            region: region.or_else(|| Region::parse("us-east-1")).ok_or("no Region")?,
            secure_transport: true,
            host: String::new(),
            trusted_facts: BTreeMap::new(),
        },
    };
    if service {
        caller.kind = CallerKind::Service { name: text.to_owned() };
        return Ok(caller);
    }
    let resource = text.splitn(6, ':').nth(5).unwrap_or("").to_owned();
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["root"] => caller.user_id = caller.account.to_string(),
        ["user", .., name] => {
            caller.user_id = format!("AIDA{}", name.to_uppercase());
            caller.kind = CallerKind::User { name: (*name).to_owned() };
        }
        ["assumed-role", role, session] => {
            caller.principal_arn = format!("arn:aws:iam::{}:role/{role}", caller.account);
            be_role_session(&mut caller, role, session);
        }
        ["federated-user", name] => {
            caller.user_id = format!("{}:{name}", caller.account);
            caller.issued = Some(ISSUED);
            let user_arn = Some(format!("arn:aws:iam::{}:user/{name}", caller.account));
            caller.kind = CallerKind::Federated { user_arn, name: (*name).to_owned() };
        }
        _ => return Err(format!("{text} is no caller")),
    }
    Ok(caller)
}

/// When a session of a vector was issued: some time before any that a vector is about.
const ISSUED: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn be_role_session(caller: &mut Caller, role: &str, session: &str) {
    let role_id = format!("AROA{}", role.to_uppercase());
    caller.user_id = format!("{role_id}:{session}");
    caller.issued = Some(ISSUED);
    caller.kind = CallerKind::RoleSession {
        role_name: role.to_owned(),
        role_arn: caller.principal_arn.clone(),
        role_id,
        session_name: session.to_owned(),
    };
}

/// A service-linked role is known by its path, which a session's ARN does not carry.
fn mark_service_linked(caller: &mut Caller, key_policy: &mut Option<String>) {
    let CallerKind::RoleSession { role_arn, role_name, .. } = &mut caller.kind else { return };
    let linked = role_arn.replace(":role/", ":role/aws-service-role/example.amazonaws.com/");
    *key_policy = key_policy.take().map(|text| {
        text.replace(&format!(":role/{role_name}\""), &format!("{}\"", &suffix(&linked)))
    });
    role_arn.clone_from(&linked);
    caller.principal_arn = linked;
}

/// What follows the account in an ARN, with its colon.
fn suffix(arn: &str) -> String {
    arn.splitn(6, ':').nth(5).map(|resource| format!(":{resource}")).unwrap_or_default()
}

fn account_of(arn: &str) -> Result<AccountId, String> {
    arn.split(':')
        .nth(4)
        .and_then(AccountId::parse)
        .ok_or_else(|| format!("{arn} names no account"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shared_vectors_pass() {
        let text = include_str!("../../../../tests/vectors/policy-vectors.json");
        let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
        let engine = PolicyEngine::new();
        let failed: Vec<String> = vectors
            .iter()
            .map(|vector| decide(&engine, vector))
            .filter(|outcome| !outcome.pass)
            .map(|outcome| outcome.to_text())
            .collect();
        assert!(failed.is_empty(), "{failed:#?}");
        assert!(100 < vectors.len());
    }

    #[test]
    fn a_member_that_is_not_understood_fails_its_vector() {
        let vector = json!({"id": "x", "caller": "s3.amazonaws.com", "action": "kms:Decrypt", "resource": "*", "owner": "111122223333", "surprise": 1});
        assert!(!decide(&PolicyEngine::new(), &vector).pass);
    }
}
