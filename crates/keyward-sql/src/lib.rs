//! SQL over the event log: SQLite with the log as a read-only virtual table, and a pack of questions.
//!
//! Events are not copied into a database: conditions on key, principal, operation, outcome, error, time and
//! number go to the log's own indexes, and SQLite does the rest. It is for questions that need joins, windows
//! and aggregates over an incident; a listing is cheaper by the log's own filters.
//! It does not know where events are kept or who may read them: [`EventSource`] does.
//!
//! INVARIANT: a question reads, and does nothing else: `guard.rs`.
//! INVARIANT: a question ends soon after `expired` says so, and its answer is bounded.
//! Source: <https://www.sqlite.org/vtab.html>

mod ask;
mod guard;
mod pack;
mod plan;
mod row;
mod source;
mod table;

pub use ask::{Answer, Question, SqlError, ask};
pub use guard::SQL_BYTES_MAX;
pub use pack::{Kind, Named, Parameter, named, pack};
pub use source::{EventSource, Page, Scan, SourceError, SourceEvent, Term};

/// The columns of `events` with their types and what they say, for those who write SQL.
pub fn columns() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    row::COLUMNS.iter().map(|(_, name, kind, about)| (*name, *kind, *about))
}
