//! Detectors: events and time in, alerts out.
//!
//! [`Watch`] is fed with one [`Observation`] an event and with the time; it gives [`Alert`]s that fire and
//! resolve. It blocks nobody, sends nothing, and does not know where alerts go.
//!
//! | family | alerts on |
//! |---|---|
//! | [`rate`](crate::Lines) | more of a kind of operation than a principal, key or account usually has in 1, 2, 10 or 60 minutes; so also bursts of refusals and ciphertext errors, and data keys without plaintext |
//! | novelty | the first use of a known key by a principal; a source network, Region or operation that a known principal never had; Decrypt after a long silence |
//! | sweep | one principal asking after many keys within an hour |
//! | rules | grants that no approval rule allows, use of keys that are pending deletion, key policies opened to everyone, any use of a canary key |
//!
//! Rates are judged when a minute ends, the rest with the event. How good the rates are stands in
//! `tests/quality.rs` and its table.
//!
//! INVARIANT: it reads no clock and draws no randomness. The same settings, events and times give the same
//! alerts; so a log can be played again, to rebuild lost state or to try other settings. (Logarithms are
//! the platform's: another one may differ in the last digit of a score.)
//! INVARIANT: every table is bounded. What was not touched longest goes first, and is counted
//! ([`Watch::sizes`]).
//! INVARIANT: time does not run backwards: an older event counts in the minute that is open.

mod alert;
mod limits;
mod lru;
mod names;
mod novelty;
mod observation;
mod query;
mod rate;
mod record;
mod rules;
mod series;
mod settings;
mod standing;
mod sweep;
#[cfg(test)]
mod tests;
mod top;
mod watch;

pub use alert::{Alert, Contributor, Detector, Severity, State, Subject};
pub use limits::SettingsError;
pub use observation::{Class, GrantMade, Observation};
pub use rate::{Change, Envelope, Excess, Lines, WINDOWS};
pub use settings::{
    Approval, Floors, KeySettings, Novelty, Rates, Settings, Silence, Sweeps, Tables,
};
pub use watch::{Sizes, StateError, Table, Watch};

/// The minute of a time, counted since 1970.
fn minute_of(time: keyward_types::Timestamp) -> i64 {
    time.0.div_euclid(60_000)
}

/// When a minute begins.
fn start_of(minute: i64) -> keyward_types::Timestamp {
    keyward_types::Timestamp(minute.saturating_mul(60_000))
}
