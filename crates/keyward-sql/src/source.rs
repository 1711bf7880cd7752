//! Where events come from: a port that the server and the command line fill with their store.
//!
//! INVARIANT: what a source hands over may be shown to whoever asks: it keeps to one account where it must, and
//! says of each record whether its policy text is to be withheld.

use keyward_types::Timestamp;

/// A log that can be read in both directions and narrowed by its indexes.
pub trait EventSource: Send + Sync {
    /// The number of events, which is the number of the next one.
    fn total(&self) -> u64;

    /// Some events. More than was asked for may come, such as events without one of the terms;
    /// fewer may not.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn scan(&self, scan: &Scan<'_>) -> Result<Page, SourceError>;
}

/// Which events to read.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'s> {
    pub newest_first: bool,
    /// Goes on beyond this event number, in the direction of reading.
    pub after: Option<u64>,
    /// Events to look at before answering.
    pub limit: usize,
    /// Inclusive.
    pub from: Option<Timestamp>,
    /// Inclusive.
    pub to: Option<Timestamp>,
    /// All must hold.
    pub terms: &'s [Term],
}

/// Something an event is found by, exactly as its record says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// A key's ARN, any of the event's.
    Key(String),
    /// A principal's ARN, or `ACCOUNT:ID` of another account's.
    Principal(String),
    /// The id of the access key that signed the request.
    AccessKey(String),
    /// An event's id.
    Event(String),
    /// A request's id.
    Request(String),
    /// Whose log the event stands in.
    Account(String),
    /// Such as `kms`.
    Service(String),
    Operation(String),
    /// `success`, `denied`, `client_error` or `server_error`.
    Outcome(String),
    /// Such as `AccessDenied`.
    Error(String),
}

/// Events in the order that was asked for.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub events: Vec<SourceEvent>,
    /// Where to go on; `None` when there is no more.
    pub next: Option<u64>,
}

/// One event.
#[derive(Clone, Debug)]
pub struct SourceEvent {
    pub seq: u64,
    /// In milliseconds, where the record has whole seconds.
    pub time: Timestamp,
    /// The record as JSON.
    pub record: Vec<u8>,
    /// Whether who asks may not read policy text.
    pub is_withheld: bool,
}

/// Why a log cannot be read; the text is for the operator.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);
