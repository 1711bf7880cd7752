//! The `policies` of a file: keys, principals, grants, organisation and endpoints, as members of vectors.

use super::documents::{DocumentId, Documents, Use};
use crate::{
    fault::Wrong,
    members::{Members, entries, pairs},
    yaml::Node,
};
use keyward_policy::Place;
use keyward_types::{AccountId, KeyRef, Region};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that cases refer to by name.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) keys: BTreeMap<String, TestedKey>,
    pub(crate) principals: BTreeMap<String, TestedPrincipal>,
    pub(crate) grants: Vec<TestedGrant>,
    pub(crate) organization: Option<Organization>,
    /// Policies of endpoints, by the endpoint's id.
    pub(crate) endpoints: BTreeMap<String, DocumentId>,
}

#[derive(Clone, Debug)]
pub(crate) struct TestedKey {
    pub(crate) arn: String,
    pub(crate) account: AccountId,
    pub(crate) policy: DocumentId,
    /// Members of a vector: tags, aliases, spec, usage, origin.
    pub(crate) members: Map<String, Value>,
}

#[derive(Clone, Debug)]
pub(crate) struct TestedPrincipal {
    /// Members of a vector: the caller's ARN and what goes with it.
    pub(crate) members: Map<String, Value>,
    /// `None` for a service.
    pub(crate) account: Option<AccountId>,
    /// How a grant names it; a role's sessions are named by the role.
    pub(crate) name: String,
    role: bool,
    pub(crate) identity: Vec<DocumentId>,
    pub(crate) boundary: Option<DocumentId>,
    pub(crate) session: Vec<DocumentId>,
}

#[derive(Clone, Debug)]
pub(crate) struct TestedGrant {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) at: Place,
    /// As a vector holds it.
    pub(crate) members: Value,
}

#[derive(Clone, Debug)]
pub(crate) struct Organization {
    pub(crate) id: Option<String>,
    /// `None`: every account is a member.
    pub(crate) accounts: Option<BTreeSet<AccountId>>,
    pub(crate) management: Option<AccountId>,
    pub(crate) scps: Vec<Vec<DocumentId>>,
    pub(crate) rcps: Vec<Vec<DocumentId>>,
}

impl Organization {
    /// Whether the organisation's policies are over this account.
    pub(crate) fn governs(&self, account: &AccountId) -> bool {
        self.management.as_ref() != Some(account)
            && self.accounts.as_ref().is_none_or(|accounts| accounts.contains(account))
    }

    /// Whether the account is in the organisation, the managing one included.
    pub(crate) fn holds(&self, account: &AccountId) -> bool {
        self.management.as_ref() == Some(account) || self.governs(account)
    }
}

/// `Lookup` of a name among those that exist.
pub(crate) fn known<'m, T>(
    what: &str,
    all: &'m BTreeMap<String, T>,
    name: &str,
    at: Place,
) -> Result<&'m T, Wrong> {
    all.get(name).ok_or_else(|| {
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        let there = match names.as_slice() {
            [] => format!("the file has no {what}s"),
            names => format!("there are: {}", names.join(", ")),
        };
        Wrong::new(at, format!("no {what} is called {name}; {there}"))
    })
}

impl World {
    pub(crate) fn read(node: Option<&Node>, documents: &mut Documents<'_>) -> Result<Self, Wrong> {
        let mut world = Self::default();
        let Some(node) = node else { return Ok(world) };
        let mut members = Members::of("policies", node)?;
        for (name, node) in entries("keys", members.take("keys"))? {
            let key = key(name, node, world.keys.len(), documents)?;
            world.keys.insert(name.to_owned(), key);
        }
        for (name, node) in entries("principals", members.take("principals"))? {
            let principal = principal(name, node, &world.principals, documents)?;
            world.principals.insert(name.to_owned(), principal);
        }
        for node in members.list("grants")? {
            let grant = world.grant(node)?;
            if let Some(first) = world.grants.iter().find(|known| known.id == grant.id) {
                let text = format!("a grant {} stands in line {} already", grant.id, first.at.line);
                return Err(Wrong::new(node.at, text));
            }
            world.grants.push(grant);
        }
        world.organization =
            members.take("org").map(|node| organization(node, documents)).transpose()?;
        for (id, node) in entries("vpc_endpoints", members.take("vpc_endpoints"))? {
            let document = documents.of(node, Use::Endpoint, &format!("vpc_endpoints.{id}"))?;
            world.endpoints.insert(id.to_owned(), document);
        }
        members.end()?;
        Ok(world)
    }

    fn grant(&self, node: &Node) -> Result<TestedGrant, Wrong> {
        let mut members = Members::of("a grant", node)?;
        let id = members.needed("id")?.text().unwrap_or_default().to_owned();
        let key_name = members.needed("key")?;
        let key_text = key_name.text().unwrap_or_default();
        let key = known("key", &self.keys, key_text, key_name.at)?;
        let mut grant = self.grant_members(&mut members)?;
        grant.insert("grantId".to_owned(), id.as_str().into());
        grant.insert("key".to_owned(), key.arn.as_str().into());
        let issuer = members.take("issuer");
        if let Some(node) = issuer {
            grant.insert("issuer".to_owned(), account(node)?.to_string().into());
        }
        members.end()?;
        let (key, at) = (key_text.to_owned(), node.at);
        Ok(TestedGrant { id, key, at, members: Value::Object(grant) })
    }

    /// What a grant and a request for one have alike.
    pub(crate) fn grant_members(
        &self,
        members: &mut Members<'_>,
    ) -> Result<Map<String, Value>, Wrong> {
        let mut grant = Map::new();
        if let Some(node) = members.take("grantee") {
            let text = node.text().unwrap_or_default();
            let (name, service) = self.party(text, node.at)?;
            let member = if service { "granteeService" } else { "grantee" };
            grant.insert(member.to_owned(), name.into());
        }
        if let Some(node) = members.take("retiring") {
            let (name, _) = self.party(node.text().unwrap_or_default(), node.at)?;
            grant.insert("retiring".to_owned(), name.into());
        }
        grant.insert("operations".to_owned(), json!(members.texts("operations")?));
        if let Some(node) = members.take("constraints") {
            grant.insert("constraints".to_owned(), constraints(node)?);
        }
        Ok(grant)
    }

    /// A principal by its name in the file, or an ARN, an account or a service as it stands.
    fn party(&self, text: &str, at: Place) -> Result<(String, bool), Wrong> {
        if let Some(principal) = self.principals.get(text) {
            return Ok((principal.name.clone(), principal.account.is_none()));
        }
        if text.starts_with("arn:") || AccountId::parse(text).is_some() {
            return Ok((text.to_owned(), false));
        }
        if text.ends_with(".amazonaws.com") {
            return Ok((text.to_owned(), true));
        }
        known("principal", &self.principals, text, at).map(|_| (String::new(), false))
    }
}

fn constraints(node: &Node) -> Result<Value, Wrong> {
    let mut members = Members::of("constraints", node)?;
    let mut read = Map::new();
    for name in ["EncryptionContextEquals", "EncryptionContextSubset"] {
        if let Some(node) = members.take(name) {
            read.insert(name.to_owned(), texts_of(pairs(name, node)?));
        }
    }
    if let Some(arn) = members.text("SourceArn")? {
        read.insert("SourceArn".to_owned(), arn.into());
    }
    members.end()?;
    Ok(Value::Object(read))
}

pub(crate) fn texts_of(pairs: Vec<(String, String)>) -> Value {
    Value::Object(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
}

fn account(node: &Node) -> Result<AccountId, Wrong> {
    let text = node.text().unwrap_or_default();
    AccountId::parse(text)
        .ok_or_else(|| Wrong::new(node.at, format!("an account is twelve digits, not {text}")))
}

fn key(
    name: &str,
    node: &Node,
    number: usize,
    documents: &mut Documents<'_>,
) -> Result<TestedKey, Wrong> {
    let mut members = Members::of("a key", node)?;
    let (account, arn) = match members.take("arn") {
        Some(node) => {
            let text = node.text().unwrap_or_default();
            let KeyRef::Arn(key) = KeyRef::parse(text) else {
                return Err(Wrong::new(node.at, format!("{text} is not the ARN of a key")));
            };
            (key.account, text.to_owned())
        }
        None => {
            let owner = account(members.needed("account")?)?;
            let region = members.text("region")?.unwrap_or("us-east-1");
            let region = Region::parse(region)
                .ok_or_else(|| Wrong::new(node.at, format!("{region} is no Region")))?;
            let arn = format!(
                "arn:aws:kms:{region}:{owner}:key/00000000-0000-4000-8000-{:012}",
                number + 1
            );
            (owner, arn)
        }
    };
    let policy =
        documents.of(members.needed("policy")?, Use::Key, &format!("keys.{name}.policy"))?;
    let mut of_vector = Map::new();
    if let Some(tags) = members.pairs("tags")? {
        of_vector.insert("resourceTags".to_owned(), texts_of(tags));
    }
    of_vector.insert("aliases".to_owned(), json!(members.texts("aliases")?));
    for (member, of) in [("spec", "keySpec"), ("usage", "keyUsage"), ("origin", "keyOrigin")] {
        if let Some(text) = members.text(member)? {
            of_vector.insert(of.to_owned(), text.into());
        }
    }
    members.end()?;
    Ok(TestedKey { arn, account, policy, members: of_vector })
}

fn principal(
    name: &str,
    node: &Node,
    known_before: &BTreeMap<String, TestedPrincipal>,
    documents: &mut Documents<'_>,
) -> Result<TestedPrincipal, Wrong> {
    const KINDS: &str = "user, role, root, service, session_of or federated_of";
    let mut members = Members::of("a principal", node)?;
    let mut kinds = ["user", "role", "root", "service", "session_of", "federated_of"]
        .into_iter()
        .filter_map(|kind| members.take(kind).map(|value| (kind, value)));
    let (first, second) = (kinds.next(), kinds.next());
    let (Some((kind, value)), None) = (first, second) else {
        return Err(Wrong::new(node.at, format!("a principal is one of: {KINDS}")));
    };
    let text = value.text().unwrap_or_default();
    let mut read = match kind {
        "user" => of_arn(text, "user/", value.at)?,
        "role" => of_arn(text, "role/", value.at)?,
        "root" => root(account(value)?),
        "service" => service(text),
        _ => known("principal", known_before, text, value.at)?.clone(),
    };
    match kind {
        "role" => session_of(&mut read, members.text("session")?.unwrap_or("test"), node.at)?,
        "session_of" => {
            let session = members.needed("name")?.text().unwrap_or_default();
            session_of(&mut read, session, value.at)?;
            read.name = caller_of(&read);
            read.role = false;
        }
        "federated_of" => {
            let session = members.needed("name")?.text().unwrap_or_default();
            federated_of(&mut read, session, value.at)?;
        }
        _ => {}
    }
    extras(&mut read, kind, &mut members)?;
    for (place, node) in members.items("policies").iter().enumerate() {
        let label = format!("principals.{name}.policies[{place}]");
        read.identity.push(documents.of(node, Use::Identity, &label)?);
    }
    if let Some(node) = members.take("boundary") {
        let label = format!("principals.{name}.boundary");
        read.boundary = Some(documents.of(node, Use::Identity, &label)?);
    }
    for (place, node) in members.items("session_policy").iter().enumerate() {
        let label = format!("principals.{name}.session_policy[{place}]");
        read.session.push(documents.of(node, Use::Identity, &label)?);
    }
    members.end()?;
    Ok(read)
}

fn caller_of(principal: &TestedPrincipal) -> String {
    principal.members.get("caller").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Tags, MFA and whether a role is service-linked.
fn extras(read: &mut TestedPrincipal, kind: &str, members: &mut Members<'_>) -> Result<(), Wrong> {
    if let Some(tags) = members.pairs("tags")? {
        // Session tags overlay those of the role or user.
        let known = read.members.entry("principalTags").or_insert_with(|| json!({}));
        if let (Value::Object(known), Value::Object(tags)) = (known, texts_of(tags)) {
            known.extend(tags);
        }
    }
    if let Some(mfa) = members.truth("mfa")? {
        read.members.insert("mfa".to_owned(), mfa.into());
    }
    if kind == "role" && members.truth("service_linked")? == Some(true) {
        read.members.insert("slr".to_owned(), true.into());
    }
    Ok(())
}

fn of_arn(text: &str, kind: &str, at: Place) -> Result<TestedPrincipal, Wrong> {
    let wrong = || {
        let like = format!("arn:aws:iam::111122223333:{kind}name");
        Wrong::new(at, format!("{text} is not an ARN such as {like}"))
    };
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [_, _, "iam", "", account, resource] = parts.as_slice() else { return Err(wrong()) };
    let account = AccountId::parse(account).ok_or_else(wrong)?;
    if !resource.starts_with(kind) || resource.ends_with('/') || !text.starts_with("arn:") {
        return Err(wrong());
    }
    let mut principal = bare(text, Some(account));
    principal.role = kind == "role/";
    Ok(principal)
}

fn bare(caller: &str, account: Option<AccountId>) -> TestedPrincipal {
    TestedPrincipal {
        members: Map::from_iter([("caller".to_owned(), Value::from(caller))]),
        account,
        name: caller.to_owned(),
        role: false,
        identity: Vec::new(),
        boundary: None,
        session: Vec::new(),
    }
}

fn root(account: AccountId) -> TestedPrincipal {
    bare(&account.root_arn(), Some(account))
}

fn service(name: &str) -> TestedPrincipal {
    bare(name, None)
}

/// A role's caller is a session of it.
fn session_of(read: &mut TestedPrincipal, session: &str, at: Place) -> Result<(), Wrong> {
    if !read.role {
        return Err(Wrong::new(at, "session_of names a principal that is a role"));
    }
    let (role, account) = (read.name.clone(), read.account.as_ref());
    let name = role.rsplit('/').next().unwrap_or_default();
    let partition = role.split(':').nth(1).unwrap_or("aws");
    let account = account.map(ToString::to_string).unwrap_or_default();
    let caller = format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session}");
    read.members.insert("caller".to_owned(), caller.into());
    read.members.insert("roleArn".to_owned(), role.into());
    Ok(())
}

fn federated_of(read: &mut TestedPrincipal, session: &str, at: Place) -> Result<(), Wrong> {
    let user = read.name.clone();
    let Some((start, _)) = user.split_once(":user/") else {
        return Err(Wrong::new(at, "federated_of names a principal that is a user"));
    };
    let caller = format!("{}:federated-user/{session}", start.replacen(":iam:", ":sts:", 1));
    read.name.clone_from(&caller);
    read.members.insert("caller".to_owned(), caller.into());
    read.members.insert("userArn".to_owned(), user.into());
    Ok(())
}

fn organization(node: &Node, documents: &mut Documents<'_>) -> Result<Organization, Wrong> {
    let mut members = Members::of("org", node)?;
    let accounts = match members.take("accounts") {
        Some(node) => Some(node.items().iter().map(account).collect::<Result<_, _>>()?),
        None => None,
    };
    let mut levels = |name: &str, used_as: Use| -> Result<Vec<Vec<DocumentId>>, Wrong> {
        let mut levels = Vec::new();
        for (depth, level) in members.items(name).iter().enumerate() {
            let mut read = Vec::new();
            for (place, node) in level.items().iter().enumerate() {
                read.push(documents.of(node, used_as, &format!("org.{name}[{depth}][{place}]"))?);
            }
            levels.push(read);
        }
        Ok(levels)
    };
    let (scps, rcps) = (levels("scps", Use::Scp)?, levels("rcps", Use::Rcp)?);
    let read = Organization {
        id: members.text("id")?.map(str::to_owned),
        accounts,
        management: members.take("management").map(account).transpose()?,
        scps,
        rcps,
    };
    members.end()?;
    Ok(read)
}
