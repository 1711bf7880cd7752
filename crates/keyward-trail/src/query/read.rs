//! What a record says in each field: every name by which a query can mean it.
//!
//! An index holds these names too, so that a lookup and a reading of records find the same.

use super::Field;
use crate::{
    filter::{class, text},
    who,
};
use serde_json::{Map, Value};
use std::{borrow::Cow, net::IpAddr};

/// Gives each name to `visit`; some come more than once.
pub(super) fn says<'r>(record: &'r Value, field: &Field, visit: &mut dyn FnMut(Cow<'r, str>)) {
    let mut say = |text: &'r str| {
        if !text.is_empty() {
            visit(text.into());
        }
    };
    let at = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match field {
        Field::Principal => principal(record, visit),
        Field::Operation => say(text(record, "eventName")),
        Field::Result => {
            let class = class(record);
            say(class);
            if class != "success" {
                say("failure");
                say(text(record, "errorCode"));
            }
        }
        Field::Key => key(record, &mut say),
        Field::Id => {
            say(text(record, "eventID"));
            say(text(record, "requestID"));
        }
        Field::Context(name) => contexts(record)
            .filter_map(|context| context.get(name)?.as_str())
            // An empty value is a value.
            .for_each(|value| visit(value.into())),
        Field::Grant => {
            say(at("/requestParameters/grantId"));
            say(at("/responseElements/grantId"));
            say(at("/additionalEventData/grantId"));
            deciding(record).filter(|matched| is_grant(matched)).for_each(|m| say(text(m, "sid")));
        }
        Field::Statement => deciding(record)
            .filter(|matched| !is_grant(matched))
            .for_each(|matched| statement(matched, visit)),
        Field::Agent => say(text(record, "userAgent")),
        Field::Ip => say(text(record, "sourceIPAddress")),
        Field::Region => say(text(record, "awsRegion")),
        Field::Account => {
            say(at("/userIdentity/accountId"));
            say(text(record, "recipientAccountId"));
            resources(record).for_each(|resource| say(text(resource, "accountId")));
        }
        Field::Service => {
            let source = text(record, "eventSource");
            say(source);
            say(source.split('.').next().unwrap_or_default());
        }
        Field::ReadOnly => match record.get("readOnly").and_then(Value::as_bool) {
            Some(true) => say("true"),
            Some(false) => say("false"),
            None => {}
        },
        Field::Text => {}
    }
}

/// The names by which people count: one for each thing that the record is about, and each of them finds
/// the record again.
pub(super) fn counted(record: &Value, field: &Field) -> Vec<String> {
    let at = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let first = |pointers: &[&str]| {
        pointers.iter().map(|pointer| at(pointer)).find(|text| !text.is_empty()).map(str::to_owned)
    };
    let mut names: Vec<String> = match field {
        // Sessions come and go; the role is who acted.
        Field::Principal => who::actor_name(record).map(Cow::into_owned).into_iter().collect(),
        Field::Result => {
            first(&["/errorCode"]).or(Some(class(record).to_owned())).into_iter().collect()
        }
        Field::Key => counted_keys(record),
        Field::Id => first(&["/eventID"]).into_iter().collect(),
        Field::Ip => {
            let address = super::matches::address(record).map(|address| address.to_string());
            address.or_else(|| first(&["/sourceIPAddress"])).into_iter().collect()
        }
        Field::Account => {
            first(&["/userIdentity/accountId", "/recipientAccountId"]).into_iter().collect()
        }
        Field::Service => first(&["/eventSource"]).into_iter().collect(),
        Field::Statement => {
            deciding(record).filter(|matched| !is_grant(matched)).map(statement_of).collect()
        }
        _ => {
            let mut names = Vec::new();
            says(record, field, &mut |name| names.push(name.into_owned()));
            names
        }
    };
    names.sort_unstable();
    names.dedup();
    names
}

/// Keys; aliases only where the record names no key.
fn counted_keys(record: &Value) -> Vec<String> {
    let of = |kind: &'static str| {
        let arns = resources(record).map(|resource| text(resource, "ARN"));
        arns.filter(move |arn| arn.contains(kind)).map(str::to_owned).collect::<Vec<_>>()
    };
    let keys = of(":key/");
    if keys.is_empty() { of(":alias/") } else { keys }
}

fn principal<'r>(record: &'r Value, visit: &mut dyn FnMut(Cow<'r, str>)) {
    for arn in principal_arns(record) {
        principal_names(arn, &mut |name| visit(name.to_owned().into()));
    }
    if let Some((account, id)) = who::outsider(record) {
        outsider_names(account, id, &mut |name| visit(name.to_owned().into()));
    }
    let identity = record.get("userIdentity").unwrap_or(&Value::Null);
    let issuer = identity.pointer("/sessionContext/sessionIssuer").unwrap_or(&Value::Null);
    let ids = [text(identity, "principalId"), text(issuer, "principalId")];
    // `AROA…:worker` is a session of `AROA…`.
    let of_sessions = ids.iter().filter_map(|id| Some(id.split_once(':')?.0));
    let others =
        [text(identity, "accessKeyId"), text(identity, "userName"), text(issuer, "userName")];
    ids.into_iter()
        .chain(of_sessions)
        .chain(others)
        .filter(|name| !name.is_empty())
        .for_each(|name| visit(name.into()));
}

/// An ARN, or a service's name, and the short names that its ARN has.
pub(super) fn principal_names(arn: &str, visit: &mut dyn FnMut(&str)) {
    visit(arn);
    if let Some(resource) = resource_of(arn) {
        visit(resource);
        short_name(resource).into_iter().for_each(|name| visit(&name));
    }
}

/// What a caller of another account is called: itself, and the role of which it is a session.
pub(super) fn outsider_names(account: &str, id: &str, visit: &mut dyn FnMut(&str)) {
    principal_names(&who::outsider_name(account, id), visit);
    who::outsider_role(account, id).into_iter().for_each(|role| visit(&role));
}

/// `role/App` for `role/team/App`, and `assumed-role/App` for any session of it.
fn short_name(resource: &str) -> Option<String> {
    let (kind, path) = resource.split_once('/')?;
    let name = match kind {
        "assumed-role" => path.split_once('/')?.0,
        _ => path.rsplit_once('/')?.1,
    };
    Some(format!("{kind}/{name}"))
}

/// The caller's ARN, its role's, and the service's name.
pub(super) fn principal_arns(record: &Value) -> impl Iterator<Item = &str> {
    [
        "/userIdentity/arn",
        "/userIdentity/sessionContext/sessionIssuer/arn",
        "/userIdentity/invokedBy",
    ]
    .into_iter()
    .filter_map(|pointer| record.pointer(pointer)?.as_str())
}

fn key<'r>(record: &'r Value, say: &mut dyn FnMut(&'r str)) {
    for resource in resources(record) {
        key_names(text(resource, "ARN"), say);
    }
    let written = record.get("requestParameters").and_then(Value::as_object);
    written
        .into_iter()
        .flatten()
        .filter(|(member, _)| names_key(member))
        .filter_map(|(_, value)| value.as_str())
        .for_each(say);
}

/// A resource's ARN, and the names that it has without its account.
pub(super) fn key_names<'r>(arn: &'r str, say: &mut dyn FnMut(&'r str)) {
    say(arn);
    if let Some(resource) = resource_of(arn) {
        say(resource);
        resource.strip_prefix("key/").into_iter().for_each(say);
    }
}

/// Whether a request parameter names a key.
pub(super) fn names_key(member: &str) -> bool {
    member.to_ascii_lowercase().ends_with("keyid") || member == "aliasName"
}

/// Request parameters that are encryption contexts.
pub(super) const CONTEXTS: &[&str] =
    &["encryptionContext", "sourceEncryptionContext", "destinationEncryptionContext"];

/// An address in one spelling; a service's name is none.
pub(super) fn address_of(text: &str) -> Option<IpAddr> {
    Some(text.parse::<IpAddr>().ok()?.to_canonical())
}

/// The request's encryption contexts; those of a grant's constraints are none.
pub fn contexts(record: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    let parameters = record.get("requestParameters");
    CONTEXTS.iter().filter_map(move |member| parameters?.get(*member)?.as_object())
}

fn resources(record: &Value) -> impl Iterator<Item = &Value> {
    record.get("resources").and_then(Value::as_array).into_iter().flatten()
}

/// What stands behind the fifth colon.
fn resource_of(arn: &str) -> Option<&str> {
    arn.starts_with("arn:").then(|| arn.splitn(6, ':').nth(5)).flatten()
}

/// The statements and grants that made decisions what they are: an allow by what allows, an explicit
/// deny by what denies. A refusal for want of an allow was made by none.
fn deciding(record: &Value) -> impl Iterator<Item = &Value> {
    let decisions = record.pointer("/additionalEventData/policyDecision").and_then(Value::as_array);
    decisions.into_iter().flatten().flat_map(|decision| {
        let allow = match text(decision, "effect") {
            "Allow" => Some(true),
            "ExplicitDeny" => Some(false),
            _ => None,
        };
        let layers = decision.get("layers").and_then(Value::as_array).into_iter().flatten();
        let matched = layers.filter_map(|layer| layer.get("matched")?.as_array()).flatten();
        matched.filter(move |matched| {
            allow.is_some() && matched.get("allow").and_then(Value::as_bool) == allow
        })
    })
}

fn is_grant(matched: &Value) -> bool {
    text(matched, "source") == "grant"
}

fn statement<'r>(matched: &'r Value, visit: &mut dyn FnMut(Cow<'r, str>)) {
    for name in [text(matched, "sid"), text(matched, "source")] {
        if !name.is_empty() {
            visit(name.into());
        }
    }
    visit(statement_of(matched).into());
}

fn statement_of(matched: &Value) -> String {
    let index = matched.get("index").and_then(Value::as_u64).unwrap_or_default();
    statement_name(text(matched, "source"), text(matched, "sid"), index)
}

/// `key policy#EnableIAM`, or with the place of a statement without Sid: `inline:AppUse#2`.
pub(super) fn statement_name(source: &str, sid: &str, index: u64) -> String {
    if sid.is_empty() { format!("{source}#{index}") } else { format!("{source}#{sid}") }
}
