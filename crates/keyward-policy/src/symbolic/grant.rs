//! A grant as formulas: as what it names the caller, and when it applies, for requests about one action.
//!
//! The clauses are those of `policies/base/grant.cedar`, which the engine evaluates with the grant as an entity;
//! random grants and requests are compared with it (`keyward-prove`). Whose grant was made again for another
//! principal of the name, and what a new grant gives away, are unknowns of their own.

use super::{Cell, Fact, Form, Formula};
use crate::{
    grant::CARRY_CONTEXT,
    principal::{self, Named},
    vectors,
};
use keyward_types::{GrantOperation, GrantRecord, Grantee, MatchKind};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const CONTEXT: &str = "kms:encryptioncontext:";
const CONTEXT_KEYS: &str = "kms:encryptioncontextkeys";

/// A grant.
#[derive(Clone, Debug)]
pub struct SymbolicGrant {
    record: GrantRecord,
}

impl SymbolicGrant {
    /// Reads a grant as decision vectors have it; one that names no key is on `key`.
    ///
    /// # Errors
    /// Says which member is not understood.
    pub fn read(grant: &Value, key: &str) -> Result<Self, String> {
        vectors::read_grant(grant, key).map(|record| Self { record })
    }

    /// The ARN of the key that it is on.
    pub fn key(&self) -> String {
        self.record.key.to_string()
    }

    pub fn id(&self) -> &str {
        self.record.grant_id.as_str()
    }

    /// That the caller is of the account that made it.
    pub fn is_own(&self) -> Formula {
        account(self.record.issuing_account.as_str())
    }

    /// The unknown that stands for "the grant that is asked for gives away no more than this one".
    pub fn within(&self) -> String {
        format!("a new grant within {}", self.id())
    }

    /// By kind of match, when it applies to a request about the action.
    pub fn when(&self, action: &str) -> Vec<(MatchKind, Formula)> {
        let operation = action.strip_prefix("kms:").and_then(GrantOperation::parse);
        let Some(operation) = operation.filter(|one| self.record.operations.contains(one)) else {
            return Vec::new();
        };
        let clauses = self.clauses(operation);
        let all = |(kind, named)| (kind, Formula::all([named, clauses.clone()]));
        self.names().into_iter().map(all).collect()
    }

    fn names(&self) -> Vec<(MatchKind, Formula)> {
        let is = |kind: &str, id: &str| Formula::Fact(Fact::Caller(kind.to_owned(), id.to_owned()));
        let within =
            |kind: &str, id: &str| Formula::Fact(Fact::CallerIn(kind.to_owned(), id.to_owned()));
        let arn = match &self.record.grantee {
            Grantee::Service(name) => return vec![(MatchKind::Session, is("Service", name))],
            Grantee::Principal(arn) => arn,
        };
        match principal::parse_arn(arn) {
            Some(Named::Account(id)) => vec![(MatchKind::Account, account(&id))],
            Some(Named::User(arn)) => {
                let federated = Formula::Fact(Fact::CallerIs("Federated".to_owned()));
                let behind = Formula::all([federated, within("User", &arn)]);
                vec![(MatchKind::Session, is("User", &arn)), (MatchKind::Entity, behind)]
            }
            Some(Named::Role(arn)) => vec![(MatchKind::Entity, within("Role", &arn))],
            Some(Named::Session(arn)) => vec![(MatchKind::Session, is("Session", &arn))],
            Some(Named::Federated(arn)) => vec![(MatchKind::Session, is("Federated", &arn))],
            _ => Vec::new(),
        }
    }

    fn clauses(&self, operation: GrantOperation) -> Formula {
        let unknown = |name: String| Formula::Fact(Fact::Unsaid(name));
        let constraints = &self.record.constraints;
        let carries = CARRY_CONTEXT.contains(&operation.as_str());
        let equals = constraints.encryption_context_equals.as_ref().filter(|_| carries);
        let subset = constraints.encryption_context_subset.as_ref().filter(|_| carries);
        let mut all = Vec::new();
        if let Some(id) = &self.record.grantee_id {
            all.push(unknown(format!("the caller's unique id is {id}")));
        }
        for pairs in equals.iter().chain(&subset) {
            all.push(holds(pairs));
        }
        if let Some(pairs) = equals {
            let names: BTreeSet<String> = pairs.keys().map(|name| name.to_lowercase()).collect();
            let keys = Cell { key: CONTEXT_KEYS.to_owned(), form: Form::Lower };
            all.push(Formula::Fact(Fact::Only(keys, names.into_iter().collect())));
        }
        if let Some(arn) = &constraints.source_arn
            && operation.as_str() != "RetireGrant"
        {
            all.push(is("aws:sourcearn".to_owned(), arn));
        }
        if operation == GrantOperation::CreateGrant {
            all.push(unknown(self.within()));
        }
        Formula::all(all)
    }
}

fn account(id: &str) -> Formula {
    Formula::Fact(Fact::CallerIn("Account".to_owned(), id.to_owned()))
}

fn is(key: String, value: &str) -> Formula {
    let cell = Cell { key, form: Form::Text };
    Formula::all([
        Formula::Fact(Fact::Carries(cell.clone())),
        Formula::Fact(Fact::Is(cell, value.to_owned())),
    ])
}

/// That the encryption context holds these pairs, and no name in two spellings. Names compare without case.
fn holds(pairs: &BTreeMap<String, String>) -> Formula {
    let mut folded: BTreeMap<String, &str> = BTreeMap::new();
    for (name, value) in pairs {
        let known = folded.insert(name.to_lowercase(), value);
        if known.is_some_and(|known| known != value) {
            return Formula::Known(false);
        }
    }
    let twice = Formula::Fact(Fact::ContextDoubtful).negated();
    let each = folded.into_iter().map(|(name, value)| is(format!("{CONTEXT}{name}"), value));
    Formula::all(std::iter::once(twice).chain(each))
}
