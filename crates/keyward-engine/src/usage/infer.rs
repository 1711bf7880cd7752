//! Conditions that a log suggests: what was the same in every one of enough requests.
//!
//! A pair of the encryption context, the set of its names, and `kms:ViaService` are proposed where they were constant
//! over at least the given number of events. What varied, and what too few events show, is told and not proposed.
//!
//! INVARIANT: a condition that a statement has already is kept as it is: what is inferred only narrows.

use super::past::Posed;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Events that must agree, unless the asker says another number.
pub(crate) const MIN_EVENTS: u64 = 20;

/// What follows from some requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inferred {
    /// A `Condition` element; empty where nothing follows.
    pub(crate) condition: Map<String, Value>,
    /// What was not proposed, and why.
    pub(crate) remarks: BTreeSet<String>,
}

/// Looks at requests of one caller, action and resource; there is at least one.
pub(crate) fn infer(all: &[&Posed], min_events: u64, with_context: bool) -> Inferred {
    let mut inferred = Inferred::default();
    let events: u64 = all.iter().map(|posed| posed.allowed().count).sum();
    let pairs = if with_context { constant_pairs(all) } else { BTreeMap::new() };
    let via = constant(all.iter().map(|posed| posed.one("kms:ViaService")));
    if events < min_events {
        if !pairs.is_empty() || via.is_some() {
            let remark = format!("no condition from {events} events: it takes {min_events}");
            inferred.remarks.insert(remark);
        }
        return inferred;
    }
    for (name, value) in &pairs {
        match literal(value).filter(|_| literal(name).as_deref() == Some(*name)) {
            Some(text) => {
                inferred.add("StringEquals", &format!("kms:EncryptionContext:{name}"), json!(text))
            }
            None => {
                let remark = format!("{name} was constant and cannot be written in a policy");
                inferred.remarks.insert(remark);
            }
        }
    }
    if let Some(names) = constant_names(all).filter(|_| !inferred.condition.is_empty()) {
        inferred.add("ForAllValues:StringEquals", "kms:EncryptionContextKeys", json!(names));
    }
    if with_context {
        for name in varying(all, &pairs) {
            inferred.remarks.insert(format!("encryption context {name} varied"));
        }
    }
    if let Some(via) = via {
        inferred.add("StringEquals", "kms:ViaService", json!(via));
    }
    inferred
}

impl Inferred {
    fn add(&mut self, operator: &str, key: &str, value: Value) {
        let of = self.condition.entry(operator).or_insert_with(|| json!({}));
        if let Some(members) = of.as_object_mut() {
            members.insert(key.to_owned(), value);
        }
    }
}

/// The value that all have.
fn constant<'p>(mut values: impl Iterator<Item = Option<&'p str>>) -> Option<&'p str> {
    let first = values.next()??;
    values.all(|value| value == Some(first)).then_some(first)
}

fn constant_pairs<'p>(all: &[&'p Posed]) -> BTreeMap<&'p str, &'p str> {
    let Some(context) = all.first().and_then(|posed| posed.context.as_ref()) else {
        return BTreeMap::new();
    };
    let pair = |(name, _): (&'p String, &'p String)| {
        let value = |posed: &&'p Posed| posed.context.as_ref()?.0.get(name).map(String::as_str);
        Some((name.as_str(), constant(all.iter().map(value))?))
    };
    let pairs: BTreeMap<&str, &str> = context.0.iter().filter_map(pair).collect();
    // Names that differ by case alone have no certain value in a condition.
    let folded: BTreeSet<String> = pairs.keys().map(|name| name.to_lowercase()).collect();
    if folded.len() == pairs.len() { pairs } else { BTreeMap::new() }
}

/// The names that every request had, and no others.
fn constant_names(all: &[&Posed]) -> Option<Vec<String>> {
    let names = |posed: &Posed| -> Option<Vec<String>> {
        Some(posed.context.as_ref()?.0.keys().cloned().collect())
    };
    let first = all.first().and_then(|posed| names(posed))?;
    let plain = first.iter().all(|name| literal(name).as_ref() == Some(name));
    (plain && all.iter().all(|posed| names(posed).as_ref() == Some(&first))).then_some(first)
}

fn varying<'p>(all: &[&'p Posed], pairs: &BTreeMap<&str, &str>) -> BTreeSet<&'p str> {
    let names = all.iter().filter_map(|posed| posed.context.as_ref()).flat_map(|one| one.0.keys());
    names.map(String::as_str).filter(|name| !pairs.contains_key(name)).collect()
}

/// A value as a policy's text means it literally; `None` for what a key policy cannot hold.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars>
fn literal(text: &str) -> Option<String> {
    let fits = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}');
    text.chars().all(fits).then(|| text.replace("${", "${$}{"))
}

/// A statement's own condition and what was inferred. An operator and key that the statement has stay its own.
pub(crate) fn joined(own: Option<&Value>, inferred: &Map<String, Value>) -> Option<Value> {
    let mut all = own.and_then(Value::as_object).cloned().unwrap_or_default();
    for (operator, keys) in inferred {
        let spelled = all
            .keys()
            .find(|known| known.eq_ignore_ascii_case(operator))
            .cloned()
            .unwrap_or_else(|| operator.clone());
        let of = all.entry(spelled).or_insert_with(|| json!({}));
        let Some(members) = of.as_object_mut() else { continue };
        for (key, value) in keys.as_object().into_iter().flatten() {
            if !members.keys().any(|known| known.eq_ignore_ascii_case(key)) {
                members.insert(key.clone(), value.clone());
            }
        }
    }
    (!all.is_empty()).then_some(Value::Object(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_statement_has_stays_and_what_is_inferred_is_added() {
        let own = json!({"stringequals": {"kms:encryptioncontext:app": ["a", "b"]}, "Bool": {"aws:SecureTransport": "true"}});
        let inferred =
            json!({"StringEquals": {"kms:EncryptionContext:App": "a", "kms:ViaService": "s3"}});
        let both = joined(Some(&own), inferred.as_object().unwrap()).unwrap();
        assert_eq!(
            both,
            json!({"stringequals": {"kms:encryptioncontext:app": ["a", "b"], "kms:ViaService": "s3"}, "Bool": {"aws:SecureTransport": "true"}})
        );
        assert_eq!(joined(None, &Map::new()), None);
    }

    #[test]
    fn a_value_is_written_so_that_it_means_itself() {
        assert_eq!(literal("a*?"), Some("a*?".to_owned()));
        assert_eq!(literal("${aws:username}"), Some("${$}{aws:username}".to_owned()));
        assert_eq!(literal("\u{3b1}"), None);
    }
}
