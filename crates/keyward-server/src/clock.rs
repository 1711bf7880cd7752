//! The only real clock of the service, and one that plays days in minutes for a demonstration.
//!
//! INVARIANT: `now` goes backwards inside one process only when the system's clock is set back by more than [`HELD`]: then
//! it was wrong before, and everybody else's is right.

use keyward_types::{Clock, Timestamp};
use std::{
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// By how much the system's clock may be set back without being followed.
const HELD: Duration = Duration::from_mins(5);

/// The system's wall clock, held where it was when it is set back by little, and its monotonic clock.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    latest_ms: AtomicI64,
}

impl SystemClock {
    #[expect(
        clippy::disallowed_methods,
        clippy::new_without_default,
        reason = "this is the door through which time comes in"
    )]
    pub fn new() -> Self {
        Self { started: Instant::now(), latest_ms: AtomicI64::new(0) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the door through which time comes in"
        )]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let read = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let latest = self.latest_ms.fetch_max(read, Ordering::Relaxed);
        if is_held(latest, read) {
            return Timestamp(latest.max(read));
        }
        // Who read before the change may put the later time back; the next reading ends that.
        self.latest_ms.store(read, Ordering::Relaxed);
        Timestamp(read)
    }

    fn monotonic_nanos(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Whether a reading goes by what was read before it.
fn is_held(latest_ms: i64, read_ms: i64) -> bool {
    u128::from(latest_ms.saturating_sub(read_ms).max(0).unsigned_abs()) <= HELD.as_millis()
}

/// A clock that stands where it was set, until it is let go and follows the system's.
///
/// INVARIANT: it never goes backwards either: an earlier time leaves it where it is.
#[derive(Debug)]
pub struct PlayedClock {
    system: SystemClock,
    set_ms: AtomicI64,
    is_free: AtomicBool,
}

impl PlayedClock {
    /// Stands at `from`.
    pub fn from(from: Timestamp) -> Self {
        Self {
            system: SystemClock::new(),
            set_ms: AtomicI64::new(from.0),
            is_free: AtomicBool::new(false),
        }
    }

    /// Stands at `time` from now on.
    pub fn set(&self, time: Timestamp) {
        self.set_ms.fetch_max(time.0, Ordering::SeqCst);
    }

    /// Follows the system's clock from now on, as soon as that is past what was played.
    pub fn let_go(&self) {
        self.is_free.store(true, Ordering::SeqCst);
    }
}

impl Clock for PlayedClock {
    fn now(&self) -> Timestamp {
        let set = Timestamp(self.set_ms.load(Ordering::SeqCst));
        if self.is_free.load(Ordering::SeqCst) { set.max(self.system.now()) } else { set }
    }

    fn monotonic_nanos(&self) -> u64 {
        self.system.monotonic_nanos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_by_little_is_held_and_by_much_is_followed() {
        let minute = 60_000;
        assert!(is_held(100 * minute, 200 * minute), "time passes");
        assert!(is_held(100 * minute, 95 * minute));
        assert!(!is_held(100 * minute, 94 * minute), "requests are signed by the right time");
        assert!(!is_held(i64::MAX, 0));
    }

    #[test]
    fn a_played_clock_stands_until_it_is_let_go_and_never_goes_back() {
        let clock = PlayedClock::from(Timestamp(1_000));
        assert_eq!(clock.now(), Timestamp(1_000));
        clock.set(Timestamp(5_000));
        clock.set(Timestamp(4_000));
        assert_eq!(clock.now(), Timestamp(5_000));
        clock.let_go();
        assert!(Timestamp(1_000_000_000) < clock.now());
        let ahead = Timestamp(i64::MAX - 1);
        clock.set(ahead);
        assert_eq!(clock.now(), ahead);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_still_for_a_while() {
        let clock = SystemClock::new();
        let ahead = clock.now().0 + 60_000;
        clock.latest_ms.store(ahead, Ordering::Relaxed);
        assert_eq!(clock.now(), Timestamp(ahead));
        clock.latest_ms.store(ahead + 3_600_000, Ordering::Relaxed);
        assert!(clock.now() < Timestamp(ahead), "it was wrong before");
        assert!(clock.monotonic_nanos() <= clock.monotonic_nanos());
    }
}
