//! Whether the clock can be believed with what cannot be undone: deleting keys by their date, letting events leave, and
//! signing digests of a time.
//!
//! A clock that is wrong for a moment, ten years ahead, would delete every key that waits for it and end every retention. So a time that is far ahead of
//! what was lived through is believed only when it has stood for a while. It is no clock of its own, and holds nothing
//! else up: requests are answered by the clock as it is.
//!
//! INVARIANT: between two times that were believed at most [`LEAP`] more have passed than was lived through, or the later
//! one stood for as long as was asked.

use keyward_types::Timestamp;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// By how much the clock may be ahead at once: what a service that was off for a few days finds.
pub const LEAP: Duration = Duration::from_hours(7 * 24);

/// What was lived through so far.
pub struct Lived {
    /// How long a time that is far ahead has to stand.
    wait: Duration,
    state: Mutex<Option<State>>,
}

#[derive(Clone, Copy)]
struct State {
    /// The last time that was believed, and the monotonic reading then.
    believed: (Timestamp, u64),
    /// A time that is far ahead, and the monotonic reading when it was seen first.
    ahead: Option<(Timestamp, u64)>,
}

/// A time that is not believed yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Leapt {
    pub ahead: Duration,
    /// How long it still has to stand.
    pub remaining: Duration,
}

impl core::fmt::Display for Leapt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (days, minutes) = (self.ahead.as_secs() / 86_400, self.remaining.as_secs() / 60 + 1);
        write!(
            f,
            "the clock is {days} days ahead of what was lived through; set it right, or leave it: it is believed in \
             {minutes} minutes"
        )
    }
}

impl Lived {
    /// `wait` is how long a time that is far ahead has to stand.
    pub const fn new(wait: Duration) -> Self {
        Self { wait, state: Mutex::new(None) }
    }

    /// Believes `now`, or says why not yet. `before` is the time of the newest event from before this run.
    pub fn believe(
        &self,
        before: Option<Timestamp>,
        now: Timestamp,
        monotonic_nanos: u64,
    ) -> Result<(), Leapt> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = (before.unwrap_or(now), monotonic_nanos);
        let was = state.unwrap_or(State { believed: first, ahead: None });
        let ahead = leap(was.believed, (now, monotonic_nanos));
        let told = if ahead <= LEAP {
            Ok(())
        } else {
            // A clock that leaps once more begins to stand anew.
            let same = was.ahead.filter(|seen| leap(*seen, (now, monotonic_nanos)) <= LEAP);
            let seen = same.unwrap_or((now, monotonic_nanos));
            let stood = Duration::from_nanos(monotonic_nanos.saturating_sub(seen.1));
            match self.wait.checked_sub(stood).filter(|remaining| !remaining.is_zero()) {
                None => Ok(()),
                Some(remaining) => Err((Leapt { ahead, remaining }, seen)),
            }
        };
        *state = Some(match &told {
            Ok(()) => State { believed: (now, monotonic_nanos), ahead: None },
            Err((_, seen)) => State { ahead: Some(*seen), ..was },
        });
        told.map_err(|(leapt, _)| leapt)
    }
}

/// How much more the clock says has passed than has.
fn leap(from: (Timestamp, u64), to: (Timestamp, u64)) -> Duration {
    let said = u64::try_from(to.0.0.saturating_sub(from.0.0)).unwrap_or_default();
    Duration::from_millis(said).saturating_sub(Duration::from_nanos(to.1.saturating_sub(from.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;
    const HOUR_NANOS: u64 = 3_600_000_000_000;

    fn day(n: i64) -> Timestamp {
        Timestamp(n * DAY_MS)
    }

    #[test]
    fn time_that_passes_is_believed_however_much_it_is() {
        let lived = Lived::new(Duration::from_hours(24));
        for n in 0..1_000 {
            assert_eq!(lived.believe(None, day(n), n.unsigned_abs() * 24 * HOUR_NANOS), Ok(()));
        }
        // A service that was off for a few days, and a clock that is set back.
        let lived = Lived::new(Duration::from_hours(24));
        assert_eq!(lived.believe(Some(day(100)), day(106), 0), Ok(()));
        assert_eq!(lived.believe(Some(day(100)), day(1), HOUR_NANOS), Ok(()));
        assert_eq!(lived.believe(Some(day(100)), day(7), 2 * HOUR_NANOS), Ok(()));
    }

    #[test]
    fn a_clock_that_leaps_is_believed_when_it_has_stood() {
        let lived = Lived::new(Duration::from_hours(24));
        let at =
            |day_number, hours| lived.believe(Some(day(100)), day(day_number), hours * HOUR_NANOS);
        let leapt = at(3_750, 0).unwrap_err();
        assert_eq!(leapt.ahead.as_secs() / 86_400, 3_650);
        assert!(leapt.to_string().contains("3650 days ahead"), "{leapt}");
        assert_eq!(at(3_750, 23).unwrap_err().remaining, Duration::from_hours(1));
        // Right again: nothing has happened, and the next leap begins to stand anew.
        assert_eq!(at(101, 23), Ok(()));
        assert!(at(3_750, 24).is_err());
        assert!(at(3_751, 47).is_err());
        // Another leap meanwhile.
        assert!(at(9_000, 47).is_err());
        assert!(at(9_000, 70).is_err());
        assert_eq!(at(9_001, 71), Ok(()));
        assert_eq!(at(9_002, 72), Ok(()));
    }
}
