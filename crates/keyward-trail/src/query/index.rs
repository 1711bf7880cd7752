//! What an index can find: the terms that a record is filed under, and those that a query asks for.
//!
//! INVARIANT: a record that a query matches is filed under at least one term of every clause of the
//! query's [`Narrowing`]; when the narrowing is complete, it is so the other way round too.

use super::{
    Condition, Field, Pattern, Query, Term, Window,
    matches::{address, is_whole_principal},
    read,
};
use keyward_types::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

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

/// The terms under which a record is to be filed, so that [`Narrowing`] finds it. Encryption contexts are
/// filed with all their names; agents and free text are not filed.
pub fn index_terms(record: &Value) -> BTreeSet<IndexTerm> {
    let mut fields = vec![
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
    let names = read::contexts(record).flat_map(|context| context.keys());
    fields.extend(names.map(|name| Field::Context(name.clone())));
    let mut terms = BTreeSet::new();
    for field in fields {
        read::says(record, &field, &mut |name| {
            terms.insert(filed(&field, &name));
        });
    }
    let address = address(record);
    terms.extend(address.map(|ip| filed(&Field::Ip, &ip.to_string())));
    terms
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
    let value = if field.ignores_case() { value.to_lowercase() } else { value.to_owned() };
    IndexTerm { field: field.clone(), value }
}
