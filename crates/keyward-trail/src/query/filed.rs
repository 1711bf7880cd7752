//! The terms under which a record is filed when it is written, from what it is made of, without reading it back.
//!
//! The same as [`super::each_index_term`] gives of the written record, but for event ids, which say by themselves
//! where to look, and `readOnly`, which tells half of all records from the others. A test compares the two over
//! the records of a whole service.
//!
//! INVARIANT: an event that would be filed under more than [`TERMS_MAX`] terms is filed under [`MANY`] instead of
//! the rest, and every clause of a query asks for that too.

use super::{Field, IndexTerm, pattern::folded, read};
use crate::{
    INTERNAL,
    record::{Extra, Record},
};
use keyward_types::{Arn, CallerKind, Effect, Outcome, event::term};
use serde_json::Value;

/// Terms of one event at most.
const TERMS_MAX: usize = 200;

/// Stands for all the terms that an event had too many of.
const MANY: (&str, &str) = ("", "many");

/// Whether events are filed by this field.
pub fn is_filed(field: &Field) -> bool {
    !matches!(field, Field::Id | Field::ReadOnly | Field::Agent | Field::Text)
}

/// The digests of a clause: events that have any of its terms are filed under one of them.
pub fn filed_as(clause: &[IndexTerm]) -> Vec<u64> {
    let of = |wanted: &IndexTerm| digest(&wanted.field, &wanted.value);
    clause.iter().map(of).chain([filed_as_many()]).collect()
}

/// The digest under which an event with too many terms is found.
fn filed_as_many() -> u64 {
    term(MANY.0, MANY.1)
}

/// The digest under which every event of an account's log is filed. It comes before all others, and is never left out.
pub fn log_term(account: &str) -> u64 {
    term("log", account)
}

fn digest(field: &Field, value: &str) -> u64 {
    match field {
        Field::Context(name) => term(&format!("ctx.{name}"), value),
        other => term(other.name(), value),
    }
}

/// The digests of all terms of a record, each once.
pub(crate) fn terms(record: &Record<'_>, extra: &Extra<'_>) -> Vec<u64> {
    let mut found = Vec::with_capacity(24);
    each(record, extra, &mut |field, value| {
        // Only a name in an encryption context may say nothing.
        if value.is_empty() && !matches!(field, Field::Context(_)) {
            return;
        }
        let value = if field.ignores_case() { folded(value) } else { value.into() };
        found.push(digest(field, &value));
    });
    found.sort_unstable();
    found.dedup();
    if TERMS_MAX < found.len() {
        found.truncate(TERMS_MAX);
        found.push(filed_as_many());
    }
    found.push(log_term(extra.recipient_account.unwrap_or(record.caller.account.as_str())));
    found
}

/// The digests under which a written record is filed, read from it; the slow way to what was known when it was
/// written.
pub fn terms_of(record: &Value) -> Vec<u64> {
    let mut wanted = Vec::new();
    super::each_index_term(record, &mut |field, value| {
        if is_filed(field) {
            wanted.push(digest(field, value));
        }
    });
    wanted.sort_unstable();
    wanted.dedup();
    let recipient = record.get("recipientAccountId").and_then(Value::as_str).unwrap_or_default();
    wanted.push(log_term(recipient));
    wanted
}

/// Whether an event is filed as the reading of its record says. Of a record that was cut to its limits nothing that it
/// was filed under is asked for in vain, but it may be found by more.
pub fn is_filed_as_written(written: &[u8], filed: &[u64]) -> bool {
    let Ok(record) = serde_json::from_slice::<Value>(written) else { return false };
    let wanted = terms_of(&record);
    let was_many = filed.contains(&filed_as_many());
    let was_cut = ["requestParameters", "responseElements", "additionalEventData"]
        .iter()
        .any(|member| record.get(*member).is_some_and(|value| value.get("omitted").is_some()));
    wanted == filed || was_many || was_cut && wanted.iter().all(|term| filed.contains(term))
}

fn each(record: &Record<'_>, extra: &Extra<'_>, say: &mut dyn FnMut(&Field, &str)) {
    say(&Field::Operation, record.operation);
    say(&Field::Region, record.caller.origin.region.as_str());
    say(&Field::Service, record.service);
    say(&Field::Service, &format!("{}.amazonaws.com", record.service));
    result(record, say);
    if extra.outsider {
        let (account, id) = (record.caller.account.as_str(), record.caller.user_id.as_str());
        if !id.is_empty() {
            read::outsider_names(account, id, &mut |name| say(&Field::Principal, name));
        }
        ids(id, &mut |id| say(&Field::Principal, id));
    } else {
        principal(record, say);
    }
    accounts(record, extra, say);
    keys(record, say);
    contexts(record, say);
    grants(record, say);
    decisions(record, say);
    if let Some(address) = read::address_of(source_address(record)) {
        say(&Field::Ip, &address.to_string());
    }
}

fn source_address<'r>(record: &Record<'r>) -> &'r str {
    match &record.caller.kind {
        CallerKind::Service { name } => name,
        _ => &record.caller.origin.source_ip,
    }
}

fn result(record: &Record<'_>, say: &mut dyn FnMut(&Field, &str)) {
    let outcome = record.error.map_or(Outcome::Success, |error| Outcome::Failure(error.code));
    say(&Field::Result, outcome.class());
    if let Outcome::Failure(code) = outcome {
        say(&Field::Result, "failure");
        say(&Field::Result, code.trail_name());
    }
}

/// A principal's id; `AROA…:worker` is a session of `AROA…`.
fn ids(text: &str, say: &mut dyn FnMut(&str)) {
    say(text);
    if let Some((id, _)) = text.split_once(':') {
        say(id);
    }
}

fn principal(record: &Record<'_>, say: &mut dyn FnMut(&Field, &str)) {
    let caller = record.caller;
    let mut one = |text: &str| {
        if !text.is_empty() {
            say(&Field::Principal, text);
        }
    };
    if let CallerKind::Service { name } = &caller.kind {
        return read::principal_names(name, &mut one);
    }
    read::principal_names(&caller.arn, &mut one);
    if let Some(via) = caller.origin.trusted_facts.get("kms:viaservice") {
        read::principal_names(via, &mut one);
    }
    ids(&caller.user_id, &mut one);
    one(&caller.access_key_id);
    match &caller.kind {
        CallerKind::User { name } => one(name),
        CallerKind::RoleSession { role_name, role_arn, role_id, .. } => {
            read::principal_names(role_arn, &mut one);
            ids(role_id, &mut one);
            one(role_name);
        }
        CallerKind::Federated { user_arn: Some(arn), .. } => {
            read::principal_names(arn, &mut one);
            let name = Arn::parse(arn).and_then(|arn| arn.resource.rsplit('/').next());
            name.into_iter().for_each(one);
        }
        CallerKind::Federated { user_arn: None, .. } => {
            read::principal_names(&caller.account.root_arn(), &mut one);
            one(caller.account.as_str());
        }
        CallerKind::Root | CallerKind::Service { .. } => {}
    }
}

fn accounts(record: &Record<'_>, extra: &Extra<'_>, say: &mut dyn FnMut(&Field, &str)) {
    let own = record.caller.account.as_str();
    let says_own = match &record.caller.kind {
        CallerKind::Service { name } => name == INTERNAL,
        _ => true,
    };
    if says_own {
        say(&Field::Account, own);
    }
    say(&Field::Account, extra.recipient_account.unwrap_or(own));
    record.resources.iter().for_each(|resource| say(&Field::Account, resource.account));
}

fn keys(record: &Record<'_>, say: &mut dyn FnMut(&Field, &str)) {
    for resource in record.resources {
        read::key_names(resource.arn, &mut |name| say(&Field::Key, name));
    }
    for (member, value) in record.request_parameters {
        if read::names_key(member)
            && let Some(text) = value.as_str()
        {
            say(&Field::Key, text);
        }
    }
}

fn contexts(record: &Record<'_>, say: &mut dyn FnMut(&Field, &str)) {
    for member in read::CONTEXTS {
        let pairs = record.request_parameters.get(*member).and_then(Value::as_object);
        for (name, value) in pairs.into_iter().flatten() {
            if let Some(text) = value.as_str() {
                say(&Field::Context(name.clone()), text);
            }
        }
    }
}

fn grants(record: &Record<'_>, say: &mut dyn FnMut(&Field, &str)) {
    let answered = record.response_elements.filter(|_| record.error.is_none());
    let of = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let named = [
        of(record.request_parameters.get("grantId")),
        of(answered.and_then(|elements| elements.get("grantId"))),
        of(record.additional.get("grantId")),
    ];
    named.iter().flatten().filter(|id| !id.is_empty()).for_each(|id| say(&Field::Grant, id));
}

fn decisions(record: &Record<'_>, say: &mut dyn FnMut(&Field, &str)) {
    for decision in record.decisions {
        let allow = match decision.effect {
            Effect::Allow => true,
            Effect::ExplicitDeny => false,
            Effect::ImplicitDeny => continue,
        };
        let matched = decision.layers.iter().flat_map(|layer| &layer.matched);
        for one in matched.filter(|one| one.allow == allow) {
            let sid = one.sid.as_deref().unwrap_or_default();
            if one.source == "grant" {
                if !sid.is_empty() {
                    say(&Field::Grant, sid);
                }
                continue;
            }
            for name in [sid, one.source.as_str()].into_iter().filter(|name| !name.is_empty()) {
                say(&Field::Statement, name);
            }
            say(&Field::Statement, &read::statement_name(&one.source, sid, one.index as u64));
        }
    }
}
