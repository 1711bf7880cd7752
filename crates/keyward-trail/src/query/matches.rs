//! Whether one record is what a query asks for. This is the last word; an index only narrows.

use super::{Condition, Field, Pattern, Query, Term, read};
use crate::{
    INTERNAL,
    filter::text,
    who::{self, is_outsider_name},
};
use ipnet::IpNet;
use keyward_types::Timestamp;
use serde_json::Value;
use std::net::IpAddr;

/// What the ids of access keys, users and roles begin with.
const ID_PREFIXES: &[&str] = &["AKIA", "ASIA", "AIDA", "AROA"];
const ID_BYTES_MIN: usize = 16;

/// What resources of principals begin with.
const KINDS: &[&str] = &["role/", "user/", "assumed-role/", "federated-user/"];

impl Query {
    /// Whether all terms hold for a CloudTrail record; spans back from now count from `now`.
    pub fn matches(&self, record: &Value, now: Timestamp) -> bool {
        let window = self.window(now);
        let in_time = window.is_open() || seconds(record).is_some_and(|time| window.holds(time));
        in_time && self.terms.iter().all(|term| term.matches(record))
    }
}

impl Term {
    /// Whether this term alone holds.
    pub fn matches(&self, record: &Value) -> bool {
        // Who pads a request until its record has no room must not be able to hide what else it said.
        if self.is_open(record) {
            return true;
        }
        let holds = match &self.condition {
            Condition::Says(field, patterns) => says(record, field, patterns),
            Condition::From(networks) => from(record, networks),
            Condition::ReadOnly(flag) => {
                record.get("readOnly").and_then(Value::as_bool) == Some(*flag)
            }
        };
        holds != self.negated
    }

    /// Whether it asks for a pair of an encryption context that the record may have had no room for.
    fn is_open(&self, record: &Value) -> bool {
        let Condition::Says(Field::Context(name), _) = &self.condition else { return false };
        let was_cut = record.pointer("/requestParameters/omitted").is_some();
        was_cut && !read::contexts(record).any(|context| context.contains_key(name))
    }
}

/// The record's time in seconds since 1970.
pub(super) fn seconds(record: &Value) -> Option<i64> {
    let time = chrono::DateTime::parse_from_rfc3339(text(record, "eventTime")).ok()?;
    Some(time.timestamp())
}

/// Whether text names a principal whole, and so is compared whole.
pub fn is_whole_principal(text: &str) -> bool {
    let is_id = text.len() >= ID_BYTES_MIN
        && ID_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_service = text == INTERNAL || text.ends_with(".amazonaws.com");
    is_id
        || is_service
        || is_outsider_name(text)
        || text.starts_with("arn:")
        || KINDS.iter().any(|kind| text.starts_with(kind))
}

/// The address that a record came from, in one spelling; services have none.
pub(super) fn address(record: &Value) -> Option<IpAddr> {
    read::address_of(text(record, "sourceIPAddress"))
}

fn says(record: &Value, field: &Field, patterns: &[Pattern]) -> bool {
    let ignores_case = field.ignores_case();
    let any = |test: &dyn Fn(&Pattern) -> bool| patterns.iter().any(test);
    match field {
        Field::Text => patterns.iter().any(|pattern| is_in(record, pattern)),
        Field::Agent => {
            let agent = text(record, "userAgent");
            any(&|pattern| match pattern.as_literal() {
                Some(_) => !agent.is_empty() && pattern.is_in(agent, true),
                None => !agent.is_empty() && pattern.is(agent, true),
            })
        }
        _ => {
            let mut found = false;
            read::says(record, field, &mut |name| {
                found = found || any(&|pattern| pattern.is(&name, ignores_case));
            });
            found || *field == Field::Principal && patterns.iter().any(|p| in_principal(record, p))
        }
    }
}

/// Text that names no principal whole is looked for in ARNs, and in what stands for one.
fn in_principal(record: &Value, pattern: &Pattern) -> bool {
    let part = pattern.as_literal().filter(|text| !is_whole_principal(text));
    part.is_some_and(|part| {
        let name = who::outsider(record).and_then(|_| who::caller_name(record));
        read::principal_arns(record).any(|arn| arn.contains(part))
            || name.is_some_and(|name| name.contains(part))
    })
}

fn from(record: &Value, networks: &[IpNet]) -> bool {
    address(record).is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
}

/// Whether any text of the value, names of members included, has something of this form in it.
fn is_in(value: &Value, pattern: &Pattern) -> bool {
    match value {
        Value::String(text) => pattern.is_in(text, true),
        Value::Array(items) => items.iter().any(|item| is_in(item, pattern)),
        Value::Object(map) => {
            map.iter().any(|(name, value)| pattern.is_in(name, true) || is_in(value, pattern))
        }
        Value::Number(number) => pattern.is_in(&number.to_string(), true),
        Value::Null | Value::Bool(_) => false,
    }
}
