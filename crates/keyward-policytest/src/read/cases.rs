//! The `tests` of a file: each with its cases and its matrix, until every case is one question.
//!
//! A case becomes a decision vector, and is decided as `keyward policy vectors` decides one: nothing here knows
//! how a decision is made.

use super::{
    documents::Documents,
    fields::Fields,
    world::{TestedKey, TestedPrincipal, World, known, texts_of},
};
use crate::{
    fault::Wrong,
    grounds,
    members::{Members, entries, list, pairs, text},
    yaml::{Kind, Node},
};
use keyward_policy::{KMS_ACTIONS, Place, is_asked_of_key, vectors::Vector};
use keyward_types::{CheckKind, Effect};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// One question, and what its answer must be.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The test's name, and what tells this case from its others.
    pub(crate) title: String,
    pub(crate) at: Place,
    pub(crate) asked: Asked,
    pub(crate) expected: Expected,
    pub(crate) by: Option<By>,
    pub(crate) missing: Vec<CheckKind>,
    /// A part of the words of a refusal.
    pub(crate) reason: Option<String>,
    /// Why it is not run.
    pub(crate) skipped: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) vector: Box<Vector>,
    /// The key's name in the file, where the question is about one.
    pub(crate) key: Option<String>,
    pub(crate) put: Option<Put>,
}

/// A policy that the caller would put on the key.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    pub(crate) text: String,
    /// The caller's question about the key with that policy.
    pub(crate) after: Box<Vector>,
    /// Leave the lockout safety check out.
    pub(crate) bypass: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Effect(Effect),
    /// A refusal of either kind.
    Deny,
    /// An error of PutKeyPolicy.
    Error(String),
}

/// The statements and grants that decide.
#[derive(Clone, Debug)]
pub(crate) struct By {
    pub(crate) names: Vec<String>,
    /// Where they are written.
    pub(crate) at: Place,
    pub(crate) end: Place,
}

impl Expected {
    fn parse(node: &Node) -> Result<Self, Wrong> {
        let text = node.text().unwrap_or_default();
        Ok(match text.replace(['_', '-', ' '], "").to_lowercase().as_str() {
            "allow" | "allowed" => Self::Effect(Effect::Allow),
            "implicitdeny" => Self::Effect(Effect::ImplicitDeny),
            "explicitdeny" => Self::Effect(Effect::ExplicitDeny),
            "deny" | "denied" => Self::Deny,
            _ => {
                let words = "expect is allow, deny, implicit_deny or explicit_deny";
                return Err(Wrong::new(node.at, format!("{words}, not {text}")));
            }
        })
    }

    pub(crate) fn is(&self, effect: Effect) -> bool {
        match self {
            Self::Effect(expected) => *expected == effect,
            Self::Deny => effect != Effect::Allow,
            Self::Error(_) => false,
        }
    }

    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Effect(effect) => words(*effect),
            Self::Deny => "deny",
            Self::Error(code) => code,
        }
    }

    /// Whether no answer is both.
    fn contradicts(&self, other: &Self) -> bool {
        let both = |effect| self.is(effect) && other.is(effect);
        self != other
            && ![Effect::Allow, Effect::ImplicitDeny, Effect::ExplicitDeny].into_iter().any(both)
    }
}

/// As a test file spells it.
pub(crate) const fn words(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::ImplicitDeny => "implicit_deny",
        Effect::ExplicitDeny => "explicit_deny",
    }
}

/// Every case of every test, in the order in which they stand.
pub(crate) fn read(
    tests: &Node,
    defaults: Option<&Node>,
    world: &World,
    documents: &Documents<'_>,
) -> Result<Vec<Case>, Wrong> {
    let defaults = Fields::of_defaults(defaults)?;
    let mut reader = Reader { world, documents, cases: Vec::new(), asked: BTreeMap::new() };
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for node in list("tests", tests)? {
        let mut members = Members::of("a test", node)?;
        let name = members.needed("name")?;
        let title = text("name", name)?.to_owned();
        if let Some(line) = names.insert(title.clone(), node.at.line) {
            let text = format!("a test called {title} stands in line {line} already");
            return Err(Wrong::new(name.at, text));
        }
        reader.test(&title, members, &defaults)?;
    }
    if reader.cases.is_empty() {
        return Err(Wrong::new(tests.at, "the file has no tests"));
    }
    Ok(reader.cases)
}

struct Reader<'r, 'f> {
    world: &'r World,
    documents: &'r Documents<'f>,
    cases: Vec<Case>,
    /// What was asked before, in which line, and what was expected of it.
    asked: BTreeMap<String, (usize, Expected)>,
}

impl<'r> Reader<'r, '_> {
    fn test<'n>(
        &mut self,
        title: &str,
        mut members: Members<'n>,
        defaults: &Fields<'n>,
    ) -> Result<(), Wrong> {
        let at = members.at;
        let skipped = members.text("skip")?.map(str::to_owned);
        let before = self.cases.len();
        if let Some(put) = members.take("put_key_policy") {
            self.put(title, put, members, defaults)?;
        } else {
            let (axes, cases) = (members.take("for_each"), members.take("cases"));
            let fields = defaults.with(&mut members)?;
            members.end()?;
            for (suffix, fields) in matrix(axes, fields)? {
                let title = format!("{title}{suffix}");
                match cases {
                    None => self.case(title, at, &fields)?,
                    Some(cases) => self.listed(&title, cases, &fields)?,
                }
            }
        }
        self.cases.iter_mut().skip(before).for_each(|case| case.skipped.clone_from(&skipped));
        Ok(())
    }

    fn listed<'n>(
        &mut self,
        title: &str,
        cases: &'n Node,
        fields: &Fields<'n>,
    ) -> Result<(), Wrong> {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, node) in list("cases", cases)?.iter().enumerate() {
            let mut members = Members::of("a case", node)?;
            let own = members.take("name").map(|name| text("name", name).map(|text| (text, name)));
            let own = own.transpose()?;
            if let Some((text, name)) = own
                && let Some(line) = names.insert(text, node.at.line)
            {
                let text = format!("a case called {text} stands in line {line} already");
                return Err(Wrong::new(name.at, text));
            }
            let fields = fields.with(&mut members)?;
            members.end()?;
            let own =
                own.map_or_else(|| format!("case {}", place + 1), |(text, _)| text.to_owned());
            self.case(format!("{title}: {own}"), node.at, &fields)?;
        }
        Ok(())
    }

    fn case(&mut self, title: String, at: Place, fields: &Fields<'_>) -> Result<(), Wrong> {
        let expected =
            fields.get("expect").ok_or_else(|| Wrong::new(at, "a case has no expect"))?;
        let expected = Expected::parse(expected)?;
        let (principal, name) = self.caller(fields, at)?;
        let action = action(fields.get("action"), at)?;
        let key = self.key(fields)?;
        about(&action, key.is_some(), fields, at)?;
        let vector = self.vector(&action, principal, key, fields, None)?;
        let question = format!("{name} {vector}");
        self.note(question, at, &expected)?;
        let vector = Vector::read(&vector).map_err(|why| Wrong::new(at, why))?;
        let key = key.and(fields.get("key")).and_then(Node::text).map(str::to_owned);
        let case = Case {
            title,
            at,
            asked: Asked { vector: Box::new(vector), key, put: None },
            expected,
            by: fields.get("by").map(by).transpose()?,
            missing: missing(fields.get("missing"))?,
            reason: fields
                .get("reason")
                .map(|node| text("reason", node))
                .transpose()?
                .map(str::to_owned),
            skipped: None,
        };
        let refused = case.expected != Expected::Effect(Effect::Allow);
        if !refused && (case.reason.is_some() || !case.missing.is_empty()) {
            return Err(Wrong::new(
                at,
                "missing and reason are of a refusal, and this expects allow",
            ));
        }
        self.cases.push(case);
        Ok(())
    }

    fn put<'n>(
        &mut self,
        title: &str,
        node: &'n Node,
        mut members: Members<'n>,
        defaults: &Fields<'n>,
    ) -> Result<(), Wrong> {
        let at = members.at;
        let code = members.text("expect_error")?.map(str::to_owned);
        let expect = members.take("expect").map(Expected::parse).transpose()?;
        let expected = match (code, expect) {
            (Some(code), None) => Expected::Error(code),
            (None, Some(Expected::Effect(Effect::Allow))) => Expected::Effect(Effect::Allow),
            _ => {
                let text = "put_key_policy has expect_error with an error's code, or expect: allow";
                return Err(Wrong::new(at, text));
            }
        };
        let mut put = Members::of("put_key_policy", node)?;
        let policy = put.needed("policy")?;
        let bypass = put.truth("bypass")?.unwrap_or(false);
        let fields = defaults.with(&mut members)?.with(&mut put)?;
        put.end()?;
        members.end()?;
        let (principal, name) = self.caller(&fields, at)?;
        let key = self.key(&fields)?;
        let Some(key) = key else { return Err(Wrong::new(node.at, "put_key_policy has no key")) };
        let text = self.documents.candidate(policy)?;
        let vector = |candidate: Option<&str>| {
            let vector =
                self.vector("kms:PutKeyPolicy", principal, Some(key), &fields, candidate)?;
            let read = Vector::read(&vector).map_err(|why| Wrong::new(at, why))?;
            Ok((format!("{name} {bypass} {text} {vector}"), Box::new(read)))
        };
        let ((question, now), (_, after)) = (vector(None)?, vector(Some(&text))?);
        self.note(question, at, &expected)?;
        let key = fields.get("key").and_then(Node::text).map(str::to_owned);
        let put = Some(Put { text, after, bypass });
        self.cases.push(Case {
            title: title.to_owned(),
            at,
            asked: Asked { vector: now, key, put },
            expected,
            by: None,
            missing: Vec::new(),
            reason: None,
            skipped: None,
        });
        Ok(())
    }

    /// Two cases that no answer fulfils are a mistake of the file, not of the policies.
    fn note(&mut self, question: String, at: Place, expected: &Expected) -> Result<(), Wrong> {
        let Some((line, before)) = self.asked.get(&question) else {
            self.asked.insert(question, (at.line, expected.clone()));
            return Ok(());
        };
        if !before.contradicts(expected) {
            return Ok(());
        }
        let text = format!(
            "this asks what line {line} asks, and expects {} where that expects {}",
            expected.words(),
            before.words()
        );
        Err(Wrong::new(at, text))
    }

    fn caller(
        &self,
        fields: &Fields<'_>,
        at: Place,
    ) -> Result<(&'r TestedPrincipal, String), Wrong> {
        let node = fields.get("caller").ok_or_else(|| Wrong::new(at, "a case has no caller"))?;
        let name = text("caller", node)?;
        Ok((known("principal", &self.world.principals, name, node.at)?, name.to_owned()))
    }

    fn key(&self, fields: &Fields<'_>) -> Result<Option<&'r TestedKey>, Wrong> {
        let Some(node) = fields.get("key") else { return Ok(None) };
        known("key", &self.world.keys, text("key", node)?, node.at).map(Some)
    }

    /// The case as a decision vector; `candidate` stands in the place of the key's policy.
    fn vector(
        &self,
        action: &str,
        principal: &TestedPrincipal,
        key: Option<&TestedKey>,
        fields: &Fields<'_>,
        candidate: Option<&str>,
    ) -> Result<Value, Wrong> {
        let listed = |ids: &[usize]| -> Vec<Value> {
            let documents = ids.iter().filter_map(|id| self.documents.all.get(*id));
            documents.map(super::TestedDocument::in_vector).collect()
        };
        let mut vector = principal.members.clone();
        vector.insert("action".to_owned(), action.into());
        vector.insert("identity".to_owned(), listed(&principal.identity).into());
        vector.insert("session".to_owned(), listed(&principal.session).into());
        let boundary: Vec<usize> = principal.boundary.into_iter().collect();
        vector.insert("boundary".to_owned(), listed(&boundary).into());
        if let Some(key) = key {
            let policy = self.documents.all.get(key.policy).map(|document| document.text.as_str());
            vector.extend(key.members.clone());
            vector.insert("resource".to_owned(), key.arn.as_str().into());
            vector.insert("keyPolicy".to_owned(), candidate.or(policy).into());
            let grants = self.world.grants.iter().filter(|grant| {
                self.world.keys.get(&grant.key).is_some_and(|of| of.arn == key.arn)
            });
            let grants: Vec<Value> = grants.map(|grant| grant.members.clone()).collect();
            vector.insert("grants".to_owned(), grants.into());
        } else if let Some(resource) = fields.get("resource") {
            vector.insert("resource".to_owned(), text("resource", resource)?.into());
        }
        if let Some(node) = fields.get("encryption_context") {
            let pairs = pairs("encryption_context", node)?;
            vector.insert("encryptionContext".to_owned(), texts_of(pairs));
        }
        if let Some(node) = fields.get("time") {
            vector.insert("time".to_owned(), text("time", node)?.into());
        }
        let mut facts = Map::new();
        if let Some(node) = fields.get("grant") {
            self.child(node, &mut vector, &mut facts)?;
        }
        if action == "kms:PutKeyPolicy" {
            facts.insert("kms:PolicyName".to_owned(), "default".into());
        }
        self.organization(principal, key, &listed, &mut vector, &mut facts);
        stated(fields, &mut facts)?;
        let endpoint = facts.get("aws:SourceVpce").and_then(Value::as_str);
        if let Some(document) = endpoint.and_then(|id| self.world.endpoints.get(id)) {
            vector.insert("vpce".to_owned(), listed(&[*document]).into());
        }
        vector.insert("context".to_owned(), Value::Object(facts));
        Ok(Value::Object(vector))
    }

    /// The grant that a CreateGrant request asks for, and the condition keys that it brings.
    fn child(
        &self,
        node: &Node,
        vector: &mut Map<String, Value>,
        facts: &mut Map<String, Value>,
    ) -> Result<(), Wrong> {
        let mut members = Members::of("grant", node)?;
        let grant = self.world.grant_members(&mut members)?;
        members.end()?;
        let brought = [
            ("grantee", "kms:GranteePrincipal"),
            ("granteeService", "kms:GranteeServicePrincipal"),
            ("retiring", "kms:RetiringPrincipal"),
            ("operations", "kms:GrantOperations"),
        ];
        for (member, key) in brought {
            facts.extend(grant.get(member).map(|value| (key.to_owned(), value.clone())));
        }
        if let Some(constraints) = grant.get("constraints").and_then(Value::as_object) {
            let types: Vec<&String> = constraints.keys().collect();
            facts.insert("kms:GrantConstraintType".to_owned(), json!(types));
            let source = constraints.get("SourceArn").cloned();
            facts.extend(source.map(|arn| ("kms:GrantConstraintSourceArn".to_owned(), arn)));
        }
        vector.insert("newGrant".to_owned(), Value::Object(grant));
        Ok(())
    }

    fn organization(
        &self,
        principal: &TestedPrincipal,
        key: Option<&TestedKey>,
        listed: &dyn Fn(&[usize]) -> Vec<Value>,
        vector: &mut Map<String, Value>,
        facts: &mut Map<String, Value>,
    ) {
        let Some(org) = &self.world.organization else { return };
        let levels = |levels: &[Vec<usize>]| -> Value {
            levels.iter().map(|level| Value::from(listed(level))).collect::<Vec<_>>().into()
        };
        if principal.account.as_ref().is_some_and(|account| org.governs(account)) {
            vector.insert("scps".to_owned(), levels(&org.scps));
        }
        if key.is_some_and(|key| org.governs(&key.account)) {
            vector.insert("rcps".to_owned(), levels(&org.rcps));
        }
        let Some(id) = &org.id else { return };
        if principal.account.as_ref().is_some_and(|account| org.holds(account)) {
            facts.insert("aws:PrincipalOrgID".to_owned(), id.as_str().into());
        }
        if key.is_some_and(|key| org.holds(&key.account)) {
            facts.insert("aws:ResourceOrgID".to_owned(), id.as_str().into());
        }
    }
}

/// What the case itself says of the request; `null` says that a key is absent.
fn stated(fields: &Fields<'_>, facts: &mut Map<String, Value>) -> Result<(), Wrong> {
    for (name, node) in fields.context.values() {
        let value = if node.is_null() {
            json!([])
        } else if let Kind::List(items) = &node.kind {
            let texts = items.iter().map(|item| text(name, item)).collect::<Result<Vec<_>, _>>()?;
            json!(texts)
        } else {
            text(name, node)?.into()
        };
        facts.retain(|known, _| !known.eq_ignore_ascii_case(name));
        let name =
            if name.eq_ignore_ascii_case("aws:SourceVpce") { "aws:SourceVpce" } else { name };
        facts.insert(name.to_owned(), value);
    }
    Ok(())
}

/// `kms:Decrypt` in its own spelling; `Decrypt` is one of KMS.
fn action(node: Option<&Node>, at: Place) -> Result<String, Wrong> {
    let node = node.ok_or_else(|| Wrong::new(at, "a case has no action"))?;
    let text = text("action", node)?;
    let full = if text.contains(':') { text.to_owned() } else { format!("kms:{text}") };
    match KMS_ACTIONS.iter().find(|known| known.eq_ignore_ascii_case(&full)) {
        Some(&"kms:RetireGrant") => Err(Wrong::new(
            node.at,
            "kms:RetireGrant is decided by each grant's own members, and is not tested here",
        )),
        Some(action) => Ok((*action).to_owned()),
        None => Err(Wrong::new(node.at, format!("{text} is no action of KMS"))),
    }
}

/// Whether the action is asked of what the case names.
fn about(action: &str, on_key: bool, fields: &Fields<'_>, at: Place) -> Result<(), Wrong> {
    let alias =
        fields.get("resource").and_then(Node::text).is_some_and(|arn| arn.contains(":alias/"));
    match is_asked_of_key(action) {
        Some(true) if !on_key && !alias => {
            Err(Wrong::new(at, format!("{action} is on a key; name it with key")))
        }
        Some(false) if on_key => {
            Err(Wrong::new(at, format!("{action} is on no key; leave key out")))
        }
        _ => Ok(()),
    }
}

fn by(node: &Node) -> Result<By, Wrong> {
    let mut names = Vec::new();
    for item in node.items() {
        let name = text("by", item)?;
        grounds::check(name).map_err(|why| Wrong::new(item.at, why))?;
        names.push(name.to_owned());
    }
    // Of a list in lines the end is where the next member begins.
    let end = match (&node.kind, node.items().last()) {
        (Kind::List(_), Some(last)) if node.end.line != node.at.line => last.end,
        _ => node.end,
    };
    Ok(By { names, at: node.at, end })
}

fn missing(node: Option<&Node>) -> Result<Vec<CheckKind>, Wrong> {
    const KINDS: &[CheckKind] = &[
        CheckKind::Rcp,
        CheckKind::Scp,
        CheckKind::VpcEndpoint,
        CheckKind::Resource,
        CheckKind::Principal,
        CheckKind::PermissionsBoundary,
        CheckKind::Session,
    ];
    let items = node.map(Node::items).unwrap_or_default();
    let read = |item: &Node| {
        let name = text("missing", item)?;
        KINDS.iter().copied().find(|kind| kind.as_str() == name).ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|kind| kind.as_str()).collect();
            Wrong::new(item.at, format!("missing is one of {}, not {name}", names.join(", ")))
        })
    };
    items.iter().map(read).collect()
}

/// Every combination of a matrix, in the order of its members, with the words that tell it from the others.
fn matrix<'n>(
    axes: Option<&'n Node>,
    fields: Fields<'n>,
) -> Result<Vec<(String, Fields<'n>)>, Wrong> {
    const AXES: &[&str] = &["caller", "action", "key", "encryption_context", "context"];
    let mut rows: Vec<(Vec<String>, Fields<'n>)> = vec![(Vec::new(), fields)];
    for (name, values) in entries("for_each", axes)? {
        let Some(name) = AXES.iter().find(|known| **known == name) else {
            let text = format!("for_each has no {name}; it has {}", AXES.join(", "));
            return Err(Wrong::new(values.at, text));
        };
        let Kind::List(values) = &values.kind else {
            return Err(Wrong::new(values.at, format!("for_each {name} is a list")));
        };
        let mut more = Vec::new();
        for (words, fields) in &rows {
            for (place, value) in values.iter().enumerate() {
                let word = value.text().map_or_else(|| format!("#{}", place + 1), str::to_owned);
                let mut words = words.clone();
                words.push(format!("{name}={word}"));
                more.push((words, fields.with_one(name, value)?));
            }
        }
        rows = more;
    }
    let named = |(words, fields): (Vec<String>, Fields<'n>)| {
        let words = words.join(" ");
        (if words.is_empty() { words } else { format!(" [{words}]") }, fields)
    };
    Ok(rows.into_iter().map(named).collect())
}
