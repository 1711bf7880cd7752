//! Rates: how many events of a kind a principal, a key or an account has, against what is usual.
//!
//! Of each series an [`Envelope`] learns, minute by minute,
//! - the *level*, the mean of a minute, which forgets half in three days,
//! - the *seasons*, factors of the hour of the day (of weekdays and weekends apart) and of the hour of the
//!   week, drawn towards what is known while little was learned,
//! - the *dispersion* of 1, 2, 10 and 60 minutes: how much wider than Poisson's they scatter. Times at which a
//!   job is known to run teach it nothing, or a nightly job would widen the whole day;
//! - the *peaks*: the largest count of each window in each quarter-hour of a weekday and of a day of the
//!   weekend, of which a week forgets a seventh;
//! - the *bursts*: how far most of the day's peaks stand above the mean, and how far that is above the median
//!   one.
//!
//! The windows that are shorter than an hour are measured by the mean *of late*: the seasonal one, drawn towards
//! what the rest of the last hour was (a minute at most to 0.4 and 2.5 times, ten minutes to 0.6 and 1.6 times).
//! So a level that wandered, or fell for good, is known within the hour.
//!
//! A window is a spike when all of this holds: it has [`Lines::count_min`] events; it has
//! [`Lines::ratio`] times its mean of late; its probability under a negative binomial with that mean and the
//! learned dispersion is below ten to the minus [`Lines::score`]; it has [`Lines::above_peak`] times the peak
//! of this time of day (the quarter-hours before and after count too; an hour of the week that is known to be
//! quiet, as where the weekend begins when UTC's does not, takes the peaks with it); and it has as many times what
//! a burst of the series usually comes to, by the mean of the livelier of the half hours around. The last two are
//! what silences nightly jobs, bursts at no fixed time, and days that begin early.
//! For 1 and 2 minutes, how many times that burst is what the series says itself: the square of how far its usual
//! bursts stand above the median one, from 0.9 to 1.5 times [`Lines::above_peak`].
//!
//! Two minutes are a window because two in a row, neither of which is proof, are: in quiet series the first minute
//! of a burst of ten times is seldom rarer than what noise comes to in a week.
//!
//! In its first 24 hours a series has no past: only [`Lines::floor`] counts, or four times its own mean, or
//! one and a half times its own peak. Until its seventh day scores are raised by [`Lines::young_extra`] and
//! the distance from peaks by half. What a minute teaches is cut at four standard deviations, a quarter-hour
//! raises a peak at most three times (twenty times in the first week), and only when it is too late to
//! excuse what still goes on, so that an attack does not make itself usual.
//! Whole weeks of an attack do.
//!
//! An alert ends when for ten minutes no window was improbable any more ([`Lines::clear`]).
//!
//! Where this differs from the plain form (one score under a mean of 0.8 peaks): that form counts what
//! scatters widely twice, once in the peak and once in the tail, and found less at more false alerts in
//! `tests/quality.rs`.
//! Tried there, and not kept: leaving a job's minutes out of the level too (more false alerts at the edges of a
//! working day), drawing the usual bursts by the mean of late (the same), and a smaller distance from peaks that are
//! no job's (a job that comes four times a day is taken for noise).
//! A series takes 1.99 kB of memory, with its place in the table and who contributes most (`tests/cost.rs`); names are
//! there once for all tables.

mod envelope;
mod tables;
mod tail;

pub use envelope::{Change, Envelope, Excess};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// Minutes of the windows that are measured.
pub const WINDOWS: [u32; 4] = [1, 2, 10, 60];

/// Where the lines of a series are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lines {
    /// Scores (−log₁₀ of the probability) above which 1, 2, 10 and 60 minutes are a spike.
    #[serde(deserialize_with = "of_windows")]
    pub score: [f64; 4],
    /// How many times the usual 1, 2, 10 and 60 minutes must hold.
    #[serde(deserialize_with = "of_windows")]
    pub ratio: [f64; 4],
    /// How many times the known peak of this time of day 1, 2, 10 and 60 minutes must hold.
    #[serde(deserialize_with = "of_windows")]
    pub above_peak: [f64; 4],
    /// What the scores are raised by while a series is younger than seven days.
    pub young_extra: f64,
    /// The score under which ten minutes end an alert.
    pub clear: f64,
    /// Events below which no window is a spike.
    pub count_min: u32,
    /// Events a minute that are a spike in a series' first 24 hours. Not read with the rest: it differs
    /// between kinds of series.
    #[serde(skip)]
    pub floor: u32,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            score: [5.5, 5.2, 4.8, 4.4],
            ratio: [2.0, 2.0, 1.7, 1.5],
            above_peak: [2.0, 1.7, 1.6, 1.4],
            young_extra: 2.0,
            clear: 1.0,
            count_min: 8,
            floor: 100,
        }
    }
}

/// A number for each window. Three are of settings that were written before there was a window of 2 minutes, which then
/// has the number of 1 minute.
fn of_windows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[f64; 4], D::Error> {
    match Vec::<f64>::deserialize(deserializer)?.as_slice() {
        &[one, ten, sixty] => Ok([one, one, ten, sixty]),
        &[one, two, ten, sixty] => Ok([one, two, ten, sixty]),
        other => {
            Err(D::Error::invalid_length(other.len(), &"a number for 1, 2, 10 and 60 minutes"))
        }
    }
}
