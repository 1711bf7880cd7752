//! Detectors: events and time in, alerts out.

mod rate;

pub use rate::{Change, Envelope, Excess, Lines, WINDOWS};
