//! The query language of the event log, the same for the command line, REST and links.
//!
//! `principal:role/batch op:Decrypt,GenerateDataKey result:denied -key:alias/demo ctx.tenant:acme since:6h`
//!
//! Terms stand side by side and must all hold. A comma is "or" inside a term, `-` before it is "not", `*`
//! stands for any text, and what holds spaces, commas or quotes stands in quotes, where `\"`, `\\` and
//! `\*` mean the character itself. A term without a field is text that stands anywhere in the record.
//!
//! | field | matches |
//! |---|---|
//! | `principal` | a whole ARN, `role/NAME`, `user/NAME`, an id, a service's name, or `ACCOUNT:ID` of another account's; other text is part of the caller's or its role's ARN |
//! | `op`, `operation` | the operation's name |
//! | `result`, `outcome` | `success`, `failure`, `denied`, `client_error`, `server_error` or an error code, as a record has it or as clients see it |
//! | `key` | a key's or alias's ARN, a key id, `alias/NAME`, or what the request wrote |
//! | `id` | an event id or request id |
//! | `ctx.NAME` | the value of this name in the request's encryption context |
//! | `grant` | a grant that was made, ended, or that allowed |
//! | `statement` | a Sid, a document, or `DOCUMENT#SID`, that decided |
//! | `agent` | part of the user agent |
//! | `ip` | an address or a network such as `10.0.0.0/8` |
//! | `region`, `account`, `service` or `source`, `readonly` | what they say |
//! | `since`, `until` | RFC 3339, a date, seconds since 1970, or a span back from now: `90s`, `10m`, `6h`, `7d`, `2w` |
//!
//! Field names, operations, results, ids, agents, regions and free text are compared without case;
//! principals, keys and encryption contexts with it, because there it tells things apart.
//!
//! A record that had no room for all of its request (`omitted`) is found by an encryption context that it does not have
//! as it is found by the opposite: it may have been left out.
//!
//! A query is asked of one record at a time ([`Query::matches`]). What an index can find without reading
//! records is in [`Query::narrowing`], and what an index must hold for that in [`index_terms`].
//! It does not know who asks: hand in records after [`crate::withhold`] for readers who may not see policy
//! text, and let them use no index of what [`Query::reads_decisions`] names.
//!
//! INVARIANT: printing a query and reading it again gives the same query.

mod error;
pub mod facets;
mod field;
mod filed;
mod index;
mod matches;
mod moment;
mod parse;
mod pattern;
mod print;
mod read;
#[cfg(test)]
mod tests;

pub use error::QueryError;
pub use field::Field;
pub(crate) use filed::terms;
pub use filed::{filed_as, is_filed, is_filed_as_written, log_term, terms_of};
pub use index::{IndexTerm, Narrowing, each_index_term, index_terms};
pub use matches::is_whole_principal;
pub use moment::{Moment, Window};
pub use parse::{QUERY_BYTES_MAX, TERMS_MAX, VALUES_MAX};
pub use pattern::Pattern;
pub use read::contexts;

use ipnet::IpNet;
use keyward_types::Timestamp;
use std::net::IpAddr;

/// Terms that must all hold, and a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
    since: Option<Moment>,
    until: Option<Moment>,
}

/// One condition, or its opposite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    negated: bool,
    condition: Condition,
}

/// What a term asks of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// One of these patterns matches something that the record says in this field.
    Says(Field, Vec<Pattern>),
    /// The source address is in one of these networks; an address is a network of its own.
    From(Vec<IpNet>),
    ReadOnly(bool),
}

impl Term {
    /// `None` when there is nothing to match, or a field has its own kind of condition: such a term
    /// could not be written down.
    pub fn new(condition: Condition) -> Option<Self> {
        let condition = match condition {
            Condition::Says(Field::Ip | Field::ReadOnly, _) => return None,
            Condition::Says(_, patterns) if patterns.is_empty() => return None,
            Condition::From(networks) if networks.is_empty() => return None,
            Condition::Says(Field::Result, patterns) => parse::results(patterns),
            Condition::From(networks) => {
                Condition::From(networks.iter().map(parse::canonical).collect())
            }
            other => other,
        };
        Some(Self { negated: false, condition })
    }

    /// What finds the records that [`facets`] counted under this value; `None` for an address that is
    /// none, such as `AWS Internal`.
    pub fn counted(field: &Field, value: &str) -> Option<Self> {
        let condition = match field {
            Field::Ip => Condition::From(vec![value.parse::<IpAddr>().ok()?.into()]),
            Field::ReadOnly => Condition::ReadOnly(value.parse().ok()?),
            field => Condition::Says(field.clone(), vec![Pattern::literal(value)]),
        };
        Self::new(condition)
    }

    /// The opposite.
    pub fn negate(mut self) -> Self {
        self.negated = !self.negated;
        self
    }

    pub fn is_negated(&self) -> bool {
        self.negated
    }

    /// The field that it asks about.
    pub fn field(&self) -> Option<&Field> {
        match &self.condition {
            Condition::Says(field, _) => Some(field),
            Condition::From(_) => Some(&Field::Ip),
            Condition::ReadOnly(_) => Some(&Field::ReadOnly),
        }
    }

    pub fn condition(&self) -> &Condition {
        &self.condition
    }
}

impl Query {
    /// Matches every record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the language that the module describes.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        parse::query(text)
    }

    /// This and the term.
    pub fn with(mut self, term: Term) -> Self {
        self.terms.push(term);
        self
    }

    /// From this moment on, which is inside.
    pub fn since(mut self, since: Moment) -> Self {
        self.since = Some(since);
        self
    }

    /// Up to this moment, which is inside.
    pub fn until(mut self, until: Moment) -> Self {
        self.until = Some(until);
        self
    }

    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The span of time, with spans back from now counted from `now`.
    pub fn window(&self, now: Timestamp) -> Window {
        Window {
            since: self.since.map(|since| since.resolve(now)),
            until: self.until.map(|until| until.resolve(now)),
        }
    }

    /// The same query with fixed times, so that its pages do not shift while they are read.
    pub fn pin(mut self, now: Timestamp) -> Self {
        let fixed = |moment: Moment| Moment::at(moment.resolve(now));
        self.since = self.since.map(fixed);
        self.until = self.until.map(fixed);
        self
    }

    /// Whether it asks for what [`crate::withhold`] takes out of a record.
    pub fn reads_decisions(&self) -> bool {
        self.terms.iter().any(|term| match &term.condition {
            Condition::Says(field, _) => field.reads_decisions(),
            Condition::From(_) | Condition::ReadOnly(_) => false,
        })
    }
}
