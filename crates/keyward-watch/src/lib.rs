//! Detectors: events and time in, alerts out.
//!
//! One detector so far: a principal, or a key, is used far more in a minute than it ever was.
//! It reads no clock: time is that of the events, so the same log always gives the same alerts, and a
//! log can be played through it again.
//! It does not block anybody, and it does not know seasons: a weekly job looks new in its first weeks.
//!
//! # The envelope
//! A series is one operation class of one principal, or of one key. Of each it keeps
//! - the *level*: the mean count of a minute, as an average that forgets half in 3 days,
//! - the *peak*: the largest count of a minute in the days that ended, which shrinks by half in 7 days.
//!
//! In its first 24 hours a series has no past to be measured by: only [`Limits::floor`] counts.
//! After that a minute is a spike when its count reaches [`Limits::count_min`], twice the peak, and four
//! standard deviations of a Poisson process above the level.
//! A day teaches at most three times the peak, and only when it is over, so that neither a sudden nor a
//! slow attack makes itself usual while it lasts. An alert is raised once, and again only after ten minutes under the line.
//!
//! INVARIANT: the table is bounded; the series that was quiet longest goes first, and one that comes
//! back starts with the floor, never with less.

mod envelope;
mod table;

pub use table::{Alert, Class, Limits, Subject, Watch};
