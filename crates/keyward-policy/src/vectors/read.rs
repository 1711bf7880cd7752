//! Reading a vector, and putting it before the engine.

use super::{
    Expected,
    caller::caller,
    cross_account_operations,
    members::{Members, scalar},
};
use crate::{
    condition::value,
    engine::PolicyEngine,
    facts::Facts,
    question::{Question, Resource},
};
use keyward_types::{
    AccountId, Caller, Decision, EncryptionContext, GrantConstraints, GrantId, GrantOperation,
    GrantRecord, Grantee, IdentityDocument, KeyName, KeyRef, KeySpec, KeyUsage, MaterialOrigin,
    Region, Timestamp, caller::Document,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A vector as it was understood.
#[derive(Clone, Debug)]
pub struct Vector {
    pub(super) expect: Option<Expected>,
    pub(super) reason: Option<String>,
    service_linked: bool,
    caller: Caller,
    action: String,
    resource: String,
    owner: AccountId,
    key: Key,
    cross_account: bool,
    key_policy: Option<Document>,
    ram_policy: Option<Document>,
    trust_policy: Option<Document>,
    identity: Vec<IdentityDocument>,
    boundary: Option<IdentityDocument>,
    scps: Vec<Vec<IdentityDocument>>,
    rcps: Vec<Vec<IdentityDocument>>,
    vpc_endpoint: Option<IdentityDocument>,
    grants: Vec<GrantRecord>,
    child: Option<GrantRecord>,
    encryption_context: EncryptionContext,
    facts: Vec<(String, Vec<String>)>,
}

#[derive(Clone, Debug)]
struct Key {
    tags: BTreeMap<String, String>,
    aliases: Vec<String>,
    spec: KeySpec,
    usage: KeyUsage,
    origin: MaterialOrigin,
}

impl Vector {
    /// Reads one vector.
    ///
    /// # Errors
    /// Says which member is not understood.
    pub fn read(vector: &Value) -> Result<Self, String> {
        let mut members = Members::of("a vector", vector)?;
        let _ = (members.take("id"), members.take("name"));
        let resource = members.text("resource")?.unwrap_or("*").to_owned();
        let action = members.needed("action")?.to_owned();
        let owner = owner(&mut members, vector, &resource)?;
        let region = resource.split(':').nth(3).and_then(Region::parse);
        let mut caller = caller(&mut members, &owner, region)?;
        caller.session_policies = documents(&mut members, "session")?;
        let service_linked = members.truth("slr")?.unwrap_or(false);
        let written = members.list("grants");
        let grants = written.into_iter().map(|grant| read_grant(grant, &resource));
        let grants = grants.collect::<Result<Vec<_>, _>>()?;
        let child = members.take("newGrant");
        let operation = action.strip_prefix("kms:").unwrap_or(&action);
        let offered = cross_account_operations().any(|name| name == operation);
        let read = Self {
            expect: expect(&mut members)?,
            reason: members.text("reason")?.map(str::to_owned),
            owner,
            key: key(&mut members)?,
            cross_account: members.truth("crossAccount")?.unwrap_or(offered),
            key_policy: one(&mut members, "keyPolicy")?,
            ram_policy: one(&mut members, "ramPolicy")?,
            trust_policy: one(&mut members, "trustPolicy")?,
            identity: documents(&mut members, "identity")?,
            boundary: at_most_one("boundary", documents(&mut members, "boundary")?)?,
            scps: levels(&mut members, "scps")?,
            rcps: levels(&mut members, "rcps")?,
            vpc_endpoint: at_most_one("vpce", documents(&mut members, "vpce")?)?,
            grants,
            service_linked,
            child: child.map(|grant| read_grant(grant, &resource)).transpose()?,
            encryption_context: EncryptionContext(
                members.pairs("encryptionContext")?.unwrap_or_default(),
            ),
            facts: facts(&mut members)?,
            caller,
            action,
            resource,
        };
        members.end()?;
        Ok(read)
    }

    /// Decides the vector.
    pub fn decide(&self, engine: &PolicyEngine) -> Decision {
        self.put(|question| engine.decide(question))
    }

    /// Puts the vector's question to `ask`.
    pub fn put<T>(&self, ask: impl FnOnce(&Question<'_>) -> T) -> T {
        let mut facts = Facts::new();
        facts.set_encryption_context(&self.encryption_context);
        // What would follow from the caller's way here is absent unless the vector states it.
        for unsaid in ["aws:SecureTransport", "aws:TokenIssueTime"] {
            if !self.facts.iter().any(|(name, _)| name.eq_ignore_ascii_case(unsaid)) {
                facts.add_many(unsaid, [""; 0]);
            }
        }
        for (name, values) in &self.facts {
            match values.as_slice() {
                [one] => facts.add(name, one.clone()),
                several => facts.add_many(name, several.iter().cloned()),
            };
        }
        let grants: Vec<&GrantRecord> = self.grants.iter().collect();
        ask(&Question {
            cross_account_allowed: self.cross_account,
            key_policy: self.key_policy.as_ref(),
            ram_policy: self.ram_policy.as_ref(),
            grants: &grants,
            child_grant: self.child.as_ref(),
            identity: &self.identity,
            boundary: self.boundary.as_ref(),
            scps: &self.scps,
            rcps: &self.rcps,
            vpc_endpoint: self.vpc_endpoint.as_ref(),
            service_linked: self.service_linked,
            ..Question::new(&self.caller, &self.action, self.resource(), &facts)
        })
    }

    fn resource(&self) -> Resource<'_> {
        let (arn, Key { tags, aliases, spec, usage, origin }) = (self.resource.as_str(), &self.key);
        let name = arn.splitn(6, ':').nth(5).unwrap_or_default();
        match (&self.trust_policy, arn) {
            (_, "*") => Resource::Any,
            (Some(trust), _) => Resource::Role { arn, trust },
            _ if is_of_kms(arn) && name.starts_with("alias/") => Resource::Alias { arn },
            _ if is_of_kms(arn) && name.starts_with("key/") => Resource::Key {
                arn,
                owner: &self.owner,
                tags,
                aliases,
                spec: *spec,
                usage: *usage,
                origin: *origin,
                multi_region: name.starts_with("key/mrk-"),
            },
            _ => Resource::Other { arn },
        }
    }
}

fn is_of_kms(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("kms")
}

/// The account said, that of the resource, or that of the caller.
fn owner(members: &mut Members<'_>, vector: &Value, resource: &str) -> Result<AccountId, String> {
    let of =
        |arn: &str| arn.split(':').nth(4).filter(|account| !account.is_empty()).map(str::to_owned);
    let said = members.text("owner")?.map(str::to_owned);
    let of_caller = || vector.get("caller").and_then(Value::as_str).and_then(of);
    let text = said
        .or_else(|| of(resource))
        .or_else(of_caller)
        .ok_or("a vector has no caller and no owner")?;
    AccountId::parse(&text).ok_or_else(|| format!("owner {text} is not twelve digits"))
}

fn expect(members: &mut Members<'_>) -> Result<Option<Expected>, String> {
    let Some(text) = members.text("expect")? else { return Ok(None) };
    let parsed = Expected::parse(text);
    parsed
        .map(Some)
        .ok_or_else(|| format!("expect is Allow, ImplicitDeny or ExplicitDeny, not {text}"))
}

fn key(members: &mut Members<'_>) -> Result<Key, String> {
    let unknown = |text: &str| format!("{text} is unknown");
    let spec = members.text("keySpec")?.map(|text| KeySpec::parse(text).ok_or(unknown(text)));
    let usage = members.text("keyUsage")?.map(|text| KeyUsage::parse(text).ok_or(unknown(text)));
    let origin =
        members.text("keyOrigin")?.map(|text| MaterialOrigin::parse(text).ok_or(unknown(text)));
    Ok(Key {
        tags: members.pairs("resourceTags")?.unwrap_or_default(),
        aliases: members.texts("aliases")?,
        spec: spec.transpose()?.unwrap_or(KeySpec::SymmetricDefault),
        usage: usage.transpose()?.unwrap_or(KeyUsage::EncryptDecrypt),
        origin: origin.transpose()?.unwrap_or(MaterialOrigin::AwsKms),
    })
}

/// An object, or a text that holds one.
fn text_of(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::Object(_) => Ok(value.to_string()),
        Value::String(text) => Ok(text.clone()),
        _ => Err(format!("{name} is no policy document")),
    }
}

/// A document of the resource.
fn one(members: &mut Members<'_>, name: &str) -> Result<Option<Document>, String> {
    let Some(value) = members.take(name) else { return Ok(None) };
    Ok(Some(Document::new(text_of(name, value)?)))
}

fn named(name: &str, values: &[&Value]) -> Result<Vec<IdentityDocument>, String> {
    let document = |(place, value): (usize, &&Value)| {
        let (source, value) = match (value.get("source"), value.get("document")) {
            (Some(Value::String(source)), Some(document)) => (source.clone(), document),
            _ => (format!("{name} {place}"), *value),
        };
        Ok(IdentityDocument { source, document: Document::new(text_of(name, value)?) })
    };
    values.iter().enumerate().map(document).collect()
}

fn documents(members: &mut Members<'_>, name: &str) -> Result<Vec<IdentityDocument>, String> {
    named(name, &members.list(name))
}

fn at_most_one(
    name: &str,
    mut documents: Vec<IdentityDocument>,
) -> Result<Option<IdentityDocument>, String> {
    if documents.len() > 1 {
        return Err(format!("{name} is one document, not {}", documents.len()));
    }
    Ok(documents.pop())
}

/// A document that stands in the place of a level is a level of one.
fn levels(members: &mut Members<'_>, name: &str) -> Result<Vec<Vec<IdentityDocument>>, String> {
    let level = |level: &Value| match level {
        Value::Array(documents) => named(name, &documents.iter().collect::<Vec<_>>()),
        one => named(name, &[one]),
    };
    members.list(name).into_iter().map(level).collect()
}

fn facts(members: &mut Members<'_>) -> Result<Vec<(String, Vec<String>)>, String> {
    let mut facts = Vec::new();
    if let Some(time) = members.text("time")? {
        let ms = value::time_ms(time).ok_or_else(|| format!("time {time} is none"))?;
        facts.push(("aws:CurrentTime".to_owned(), vec![time.to_owned()]));
        facts.push(("aws:EpochTime".to_owned(), vec![ms.div_euclid(1_000).to_string()]));
    }
    let Some(context) = members.take("context") else { return Ok(facts) };
    let context = context.as_object().ok_or("context is no object")?;
    for (name, value) in context.iter().filter(|(_, value)| !value.is_null()) {
        let label = format!("context {name}");
        let values = match value {
            Value::Array(values) => {
                values.iter().map(|value| scalar(&label, value)).collect::<Result<_, _>>()?
            }
            value => vec![scalar(&label, value)?],
        };
        facts.push((name.clone(), values));
    }
    Ok(facts)
}

/// A grant; one without a key is on the resource.
pub(crate) fn read_grant(grant: &Value, resource: &str) -> Result<GrantRecord, String> {
    let mut members = Members::of("a grant", grant)?;
    let arn = members.text("key")?.unwrap_or(resource);
    let KeyRef::Arn(key) = KeyRef::parse(arn) else {
        return Err(format!("a grant is on a key, not on {arn}"));
    };
    let issuer = match members.text("issuer")? {
        Some(text) => {
            AccountId::parse(text).ok_or_else(|| format!("issuer {text} is not twelve digits"))?
        }
        None => key.account.clone(),
    };
    let operation = |name: String| {
        GrantOperation::parse(&name).ok_or_else(|| format!("a grant has no operation {name}"))
    };
    let operations: BTreeSet<GrantOperation> =
        members.texts("operations")?.into_iter().map(operation).collect::<Result<_, _>>()?;
    let principal = |text: &str| Grantee::Principal(text.to_owned());
    let grantee = match (members.text("grantee")?, members.text("granteeService")?) {
        (Some(arn), None) => principal(arn),
        (None, Some(name)) => Grantee::Service(name.to_owned()),
        // The grant that a request asks for may leave its grantee open: who receives it decides nothing.
        (None, None) => principal(""),
        (Some(_), Some(_)) => return Err("a grant has a grantee or a granteeService".to_owned()),
    };
    let record = GrantRecord {
        grant_id: GrantId::new(members.text("grantId")?.unwrap_or("unnamed")),
        name: members.text("name")?.map(str::to_owned),
        created: Timestamp(0),
        grantee,
        grantee_id: members.text("granteeId")?.map(str::to_owned),
        retiring: members.text("retiring")?.map(principal),
        issuing_account: issuer,
        operations,
        constraints: constraints(members.take("constraints"))?,
        key: KeyName { ..key },
    };
    members.end()?;
    Ok(record)
}

fn constraints(value: Option<&Value>) -> Result<GrantConstraints, String> {
    let Some(value) = value else { return Ok(GrantConstraints::default()) };
    let mut members = Members::of("constraints", value)?;
    let constraints = GrantConstraints {
        encryption_context_equals: members.pairs("EncryptionContextEquals")?,
        encryption_context_subset: members.pairs("EncryptionContextSubset")?,
        source_arn: members.text("SourceArn")?.map(str::to_owned),
    };
    members.end()?;
    Ok(constraints)
}
