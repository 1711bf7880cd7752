//! What an index can find: the terms that a record is filed under, and those that a query asks for.
//!
//! INVARIANT: a record that a query matches is filed under at least one term of every clause of the
//! query's [`Narrowing`]; when the narrowing is complete, it is so the other way round too. What a record has no room for
//! it is filed under all the same, before it is cut.

use super::{
    Condition, Field, Pattern, Query, Term, Window,
    matches::{address, is_whole_principal},
    pattern::folded,
    read,
};
use keyward_types::Timestamp;
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeSet};

/// Fields that records are filed by, beside encryption contexts and addresses.
const FILED: &[Field] = &[
    Field::Principal,
    Field::Operation,
    Field::Result,
    Field::Key,
    Field::Id,
    Field::Grant,
    Field::Statement,
    Field::Region,
    Field::Account,
    Field::Service,
    Field::ReadOnly,
];

/// A name under which a record is filed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexTerm {
    pub field: Field,
    /// In lower case where the field is compared without case.
    pub value: String,
}

/// What an index can say about a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowing {
    /// A record must be filed under one term of each clause. Without clauses every record may match.
    pub clauses: Vec<Vec<IndexTerm>>,
    pub window: Window,
    /// Whether that is all the query asks, so that no record needs to be read.
    pub complete: bool,
}

impl Query {
    /// What an index can find of it; records that it finds are still to be asked ([`Query::matches`])
    /// unless the narrowing is complete.
    pub fn narrowing(&self, now: Timestamp) -> Narrowing {
        let clauses: Vec<_> = self.terms.iter().filter_map(clause).collect();
        let complete = clauses.len() == self.terms.len();
        Narrowing { clauses, window: self.window(now), complete }
    }
}

/// The terms under which a record is to be filed, so that [`Narrowing`] finds it.
pub fn index_terms(record: &Value) -> BTreeSet<IndexTerm> {
    let mut terms = BTreeSet::new();
    each_index_term(record, &mut |field, value| {
        terms.insert(IndexTerm { field: field.clone(), value: value.to_owned() });
    });
    terms
}

/// The same one after another, some more than once, for an index that keeps no text. Encryption contexts
/// are filed with all their names; agents and free text are not filed.
pub fn each_index_term(record: &Value, file: &mut dyn FnMut(&Field, &str)) {
    let mut of = |field: &Field| {
        let ignores_case = field.ignores_case();
        read::says(record, field, &mut |name| {
            file(field, &if ignores_case { folded(&name) } else { Cow::Borrowed(&*name) });
        });
    };
    FILED.iter().for_each(&mut of);
    for name in read::contexts(record).flat_map(|context| context.keys()) {
        of(&Field::Context(name.clone()));
    }
    if let Some(address) = address(record) {
        file(&Field::Ip, &address.to_string());
    }
}

/// `None` when only reading the record tells.
fn clause(term: &Term) -> Option<Vec<IndexTerm>> {
    if term.is_negated() {
        return None;
    }
    match term.condition() {
        Condition::Says(field, patterns) => {
            patterns.iter().map(|pattern| exact(field, pattern)).collect()
        }
        Condition::From(networks) => {
            let whole = |network: &ipnet::IpNet| network.prefix_len() == network.max_prefix_len();
            let one = |network: &ipnet::IpNet| {
                whole(network).then(|| filed(&Field::Ip, &network.addr().to_string()))
            };
            networks.iter().map(one).collect()
        }
        Condition::ReadOnly(flag) => Some(vec![filed(&Field::ReadOnly, &flag.to_string())]),
    }
}

fn exact(field: &Field, pattern: &Pattern) -> Option<IndexTerm> {
    let text = pattern.as_literal()?;
    let filed_whole = match field {
        Field::Agent | Field::Text => false,
        Field::Principal => is_whole_principal(text),
        _ => true,
    };
    filed_whole.then(|| filed(field, text))
}

fn filed(field: &Field, value: &str) -> IndexTerm {
    let value = if field.ignores_case() { folded(value) } else { value.into() };
    IndexTerm { field: field.clone(), value: value.into_owned() }
}
