//! Reads as much of a document as can be read, and says what cannot.
//!
//! `document.rs` stops at the first error; here an error costs the one element that has it.

use super::{Findings, LintKind, checks::*, nearest::nearest, read_condition};
use crate::{
    actions::ActionPattern,
    document::{DocumentKind, Reader, ResourcePattern},
    json::Json,
    principal::{self, Named},
};

pub(super) struct Document {
    /// Whether policy variables work.
    pub(super) variables: bool,
    pub(super) statements: Vec<Statement>,
}

/// What of a statement can be read.
pub(super) struct Statement {
    pub(super) at: String,
    pub(super) sid: Option<String>,
    pub(super) allow: Option<bool>,
    pub(super) principals: Option<Element<Named>>,
    pub(super) actions: Option<Element<ActionPattern>>,
    pub(super) resources: Option<Element<ResourcePattern>>,
    pub(super) tests: Vec<read_condition::Condition>,
}

/// A list of one element, or its complement.
pub(super) struct Element<T> {
    pub(super) not: bool,
    pub(super) at: String,
    pub(super) items: Vec<Item<T>>,
}

pub(super) struct Item<T> {
    pub(super) at: String,
    pub(super) text: String,
    pub(super) what: T,
}

impl Statement {
    pub(super) fn allows(&self) -> bool {
        self.allow == Some(true)
    }

    /// The listed actions, when it is they and not their complement that the statement speaks of.
    pub(super) fn listed_actions(&self) -> &[Item<ActionPattern>] {
        self.actions.as_ref().filter(|actions| !actions.not).map_or(&[], |actions| &actions.items)
    }

    pub(super) fn listed_resources(&self) -> &[Item<ResourcePattern>] {
        self.resources.as_ref().filter(|listed| !listed.not).map_or(&[], |listed| &listed.items)
    }

    pub(super) fn listed_principals(&self) -> &[Item<Named>] {
        self.principals.as_ref().filter(|listed| !listed.not).map_or(&[], |listed| &listed.items)
    }

    pub(super) fn covers(&self, action: &str) -> bool {
        self.actions.as_ref().is_some_and(|actions| {
            actions.items.iter().any(|item| item.what.fits(action)) != actions.not
        })
    }

    pub(super) fn names_anyone(&self) -> bool {
        self.listed_principals().iter().any(|item| item.what == Named::Anyone)
    }
}

const ELEMENTS: &[&str] = &["Version", "Id", "Statement"];
const STATEMENT_ELEMENTS: &[&str] = &[
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

pub(super) fn document(json: &Json, kind: LintKind, findings: &mut Findings<'_>) -> Document {
    let mut document = Document { variables: false, statements: Vec::new() };
    doubled(json, "", findings);
    let Some(members) = json.members() else {
        wrong_type("", "an object", findings);
        return document;
    };
    let (mut statements, mut version_seen) = (None, false);
    for (name, value) in members {
        match name.as_str() {
            "Version" => {
                version_seen = true;
                document.variables = version(value, findings);
            }
            "Id" if kind.document() == DocumentKind::Identity => {
                let message = "an identity policy has no Id";
                findings.add(&PROHIBITED_ELEMENT, "Id", message, "leave Id out");
            }
            "Id" if value.as_text().is_none() => wrong_type("Id", "a text", findings),
            "Id" => {}
            "Statement" => statements = Some(value),
            other => unknown_element("", other, ELEMENTS, findings),
        }
    }
    if !version_seen {
        let message =
            "without Version the document is of the language of 2008: variables are literal text";
        findings.add(&MISSING_VERSION, "", message, "write \"Version\": \"2012-10-17\"");
    }
    let list = statements.map(Json::list).unwrap_or_default();
    if list.is_empty() {
        let advice = "write \"Statement\": [{...}]";
        findings.add(&MISSING_STATEMENT, "Statement", "the policy has no statements", advice);
    }
    for (index, json) in list.into_iter().enumerate() {
        let reader = Reader {
            kind: kind.document(),
            variables: document.variables,
            at: format!("Statement[{index}]"),
        };
        document.statements.extend(statement(&reader, json, findings));
    }
    document
}

fn version(json: &Json, findings: &mut Findings<'_>) -> bool {
    let current = "write \"2012-10-17\"";
    match json.as_text() {
        Some("2012-10-17") => return true,
        Some("2008-10-17") => {
            let message = "in the language of 2008 variables are literal text";
            findings.add(&OLD_VERSION, "Version", message, current);
        }
        Some(other) => {
            let message = format!("{other} is no version of the language");
            findings.add(&INVALID_VERSION, "Version", message, current);
        }
        None => wrong_type("Version", "a text", findings),
    }
    false
}

pub(super) fn wrong_type(at: &str, wanted: &str, findings: &mut Findings<'_>) {
    let whole = if at.is_empty() { "the policy" } else { at };
    let message = format!("{whole} must be {wanted}");
    findings.add(&DATA_TYPE_MISMATCH, at, message, format!("write {wanted}"));
}

fn unknown_element(at: &str, name: &str, known: &[&str], findings: &mut Findings<'_>) {
    let path = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let advice = match nearest(name, known.iter().copied()) {
        Some(meant) => format!("write {meant}"),
        None => format!("leave it out; there are {}", known.join(", ")),
    };
    findings.add(&UNKNOWN_ELEMENT, &path, format!("the language has no element {name}"), advice);
}

/// Members that stand twice, anywhere.
fn doubled(json: &Json, at: &str, findings: &mut Findings<'_>) {
    if let Json::List(items) = json {
        for (index, item) in items.iter().enumerate() {
            doubled(item, &format!("{at}[{index}]"), findings);
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for (name, value) in json.members().unwrap_or_default() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        if !seen.insert(name) {
            let place = findings.places.second(&path).unwrap_or_else(|| findings.places.of(&path));
            let message = format!("{name} stands twice; one of the two would be lost");
            findings.add_at(&DUPLICATE_ELEMENT, place, &path, message, "join them or drop one");
        }
        let lone = at.is_empty() && name == "Statement" && value.members().is_some();
        doubled(value, &if lone { format!("{path}[0]") } else { path }, findings);
    }
}

fn statement(reader: &Reader, json: &Json, findings: &mut Findings<'_>) -> Option<Statement> {
    let at = &reader.at;
    let Some(members) = json.members() else {
        wrong_type(at, "an object", findings);
        return None;
    };
    let mut read = Statement {
        at: at.clone(),
        sid: None,
        allow: None,
        principals: None,
        actions: None,
        resources: None,
        tests: Vec::new(),
    };
    for (name, value) in members {
        let path = format!("{at}.{name}");
        match name.as_str() {
            "Sid" => match value.as_text() {
                Some(sid) => read.sid = Some(sid.to_owned()),
                None => wrong_type(&path, "a text", findings),
            },
            "Effect" => read.allow = effect(value, &path, findings),
            "Principal" | "NotPrincipal" => {
                read.principals = principals(reader, name, value, findings)
            }
            "Action" | "NotAction" => read.actions = actions(name, value, &path, findings),
            "Resource" | "NotResource" => read.resources = resources(reader, name, value, findings),
            "Condition" => read.tests = read_condition::conditions(reader, value, &path, findings),
            other => unknown_element(at, other, STATEMENT_ELEMENTS, findings),
        }
    }
    complete(reader, members, findings);
    Some(read)
}

/// What is missing, and what excludes each other.
fn complete(reader: &Reader, members: &[(String, Json)], findings: &mut Findings<'_>) {
    let has = |wanted: &str| members.iter().any(|(name, _)| name == wanted);
    let either = |name: &str| has(name) || has(&format!("Not{name}"));
    let at = reader.at.as_str();
    if !has("Effect") {
        let advice = "write \"Effect\": \"Allow\" or \"Deny\"";
        findings.add(&MISSING_EFFECT, at, "the statement has no Effect", advice);
    }
    if !either("Principal") && reader.kind != DocumentKind::Identity {
        let advice = "write who it is about, such as {\"AWS\": \"arn:aws:iam::ACCOUNT:role/NAME\"}";
        findings.add(&MISSING_PRINCIPAL, at, "the statement has no Principal", advice);
    }
    if !either("Action") {
        let advice = "write the actions, such as \"kms:Decrypt\"";
        findings.add(&MISSING_ACTION, at, "without Action it has no effect", advice);
    }
    if !either("Resource") && reader.kind != DocumentKind::Trust {
        let advice = "write \"Resource\": \"*\" in a key policy, an ARN elsewhere";
        findings.add(&MISSING_RESOURCE, at, "without Resource it has no effect", advice);
    }
    for name in ["Principal", "Action", "Resource"] {
        if has(name) && has(&format!("Not{name}")) {
            let message = format!("{name} and Not{name} exclude each other");
            findings.add(&EXCLUSIVE_ELEMENTS, &format!("{at}.Not{name}"), message, "keep one");
        }
    }
}

fn effect(json: &Json, at: &str, findings: &mut Findings<'_>) -> Option<bool> {
    match json.as_text() {
        Some("Allow") => Some(true),
        Some("Deny") => Some(false),
        Some(other) => {
            let message = format!("Effect is Allow or Deny, not {other}");
            let meant = nearest(other, ["Allow", "Deny"]).unwrap_or("Allow or Deny");
            findings.add(&INVALID_EFFECT, at, message, format!("write {meant}"));
            None
        }
        None => {
            wrong_type(at, "a text", findings);
            None
        }
    }
}

/// The texts of an element with their paths.
fn texts<'j>(json: &'j Json, at: &str, findings: &mut Findings<'_>) -> Vec<(String, &'j str)> {
    let list = json.list();
    if list.is_empty() {
        findings.add(&EMPTY_ARRAY, at, format!("{at} is empty"), "name something, or drop it");
    }
    let mut texts = Vec::new();
    for (index, item) in list.into_iter().enumerate() {
        let path = format!("{at}[{index}]");
        match item.as_text() {
            Some(text) => texts.push((path, text)),
            None => wrong_type(&path, "a text", findings),
        }
    }
    texts
}

fn actions(
    name: &str,
    json: &Json,
    at: &str,
    findings: &mut Findings<'_>,
) -> Option<Element<ActionPattern>> {
    let mut items = Vec::new();
    for (path, text) in texts(json, at, findings) {
        match ActionPattern::parse(text) {
            Ok(what) => items.push(Item { at: path, text: text.to_owned(), what }),
            Err(why) => {
                let advice = "write service:Name, such as \"kms:Decrypt\", each by itself";
                findings.add(&INVALID_ACTION, &path, format!("{text}: {why}"), advice);
            }
        }
    }
    Some(Element { not: name.starts_with("Not"), at: at.to_owned(), items })
}

fn resources(
    reader: &Reader,
    name: &str,
    json: &Json,
    findings: &mut Findings<'_>,
) -> Option<Element<ResourcePattern>> {
    let at = format!("{}.{name}", reader.at);
    if reader.kind == DocumentKind::Trust {
        let message = format!("a trust policy has no {name}: it is about the role itself");
        findings.add(&PROHIBITED_ELEMENT, &at, message, format!("leave {name} out"));
        return None;
    }
    let mut items = Vec::new();
    for (path, text) in texts(json, &at, findings) {
        match reader.resource(text, &path) {
            Ok(what) => items.push(Item { at: path, text: text.to_owned(), what }),
            Err(error) if reader.variables && text.contains("${") => {
                let advice = "variables such as ${aws:username} stand after the fifth colon";
                findings.add(&INVALID_VARIABLE, &path, error.to_string(), advice);
            }
            Err(error) => {
                let advice = "write \"*\" or arn:aws:kms:REGION:ACCOUNT:key/ID";
                findings.add(&INVALID_ARN, &path, error.to_string(), advice);
            }
        }
    }
    Some(Element { not: name.starts_with("Not"), at, items })
}

fn principals(
    reader: &Reader,
    name: &str,
    json: &Json,
    findings: &mut Findings<'_>,
) -> Option<Element<Named>> {
    let at = format!("{}.{name}", reader.at);
    if reader.kind == DocumentKind::Identity {
        let message =
            format!("an identity policy has no {name}: it is about who it is attached to");
        findings.add(&PROHIBITED_ELEMENT, &at, message, format!("leave {name} out"));
        return None;
    }
    let mut element = Element { not: name.starts_with("Not"), at, items: Vec::new() };
    let mut named: Vec<(String, &str, &str)> = Vec::new();
    if let Some(text) = json.as_text() {
        named.push((format!("{}[0]", element.at), "*", text));
    } else if let Some(members) = json.members() {
        for (kind, values) in members {
            let path = format!("{}.{kind}", element.at);
            let values = texts(values, &path, findings).into_iter();
            named.extend(values.map(|(path, text)| (path, kind.as_str(), text)));
        }
        if members.is_empty() {
            let message = format!("{} names nobody", element.at);
            findings.add(&EMPTY_ARRAY, &element.at, message, "name somebody");
        }
    } else {
        wrong_type(&element.at, "\"*\" or an object", findings);
    }
    for (path, kind, text) in named {
        match principal::parse(kind, text, reader.kind == DocumentKind::Trust) {
            Some(Named::Anyone) if element.not => {
                let advice = "name who is exempt";
                findings.add(&INVALID_PRINCIPAL, &path, "NotPrincipal exempts everybody", advice);
            }
            Some(what) => element.items.push(Item { at: path, text: text.to_owned(), what }),
            None => invalid_principal(&path, kind, text, findings),
        }
    }
    Some(element)
}

fn invalid_principal(at: &str, kind: &str, text: &str, findings: &mut Findings<'_>) {
    if text.starts_with("arn:") && text.contains(['*', '?']) {
        let message = format!("{text}: a principal's ARN has no wildcards");
        let advice = "write {\"AWS\": \"*\"} with a condition ArnLike on aws:PrincipalArn";
        findings.add(&WILDCARD_IN_PRINCIPAL_ARN, at, message, advice);
        return;
    }
    let advice = match kind {
        "*" => "write \"*\", or an object such as {\"AWS\": \"ACCOUNT\"}",
        "Service" => "write the service's name, such as s3.amazonaws.com",
        "AWS" if text.contains(":group/") => "a group is no principal: name users or roles",
        "AWS" => "write an account id, or the ARN of an account, user, role or session",
        "Federated" => "identity providers stand in trust policies alone",
        _ => "write AWS or Service before the principals",
    };
    findings.add(&INVALID_PRINCIPAL, at, format!("{kind} {text} cannot be a principal"), advice);
}
