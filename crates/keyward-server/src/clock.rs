//! The only real clock of the service.
//!
//! INVARIANT: `now` never goes backwards inside one process, whatever is done to the system's clock.

use keyward_types::{Clock, Timestamp};
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// The system's wall clock, held where it was when it is set back, and its monotonic clock.
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
        Timestamp(self.latest_ms.fetch_max(read, Ordering::Relaxed).max(read))
    }

    fn monotonic_nanos(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_holds_still() {
        let clock = SystemClock::new();
        let ahead = clock.now().0 + 3_600_000;
        clock.latest_ms.store(ahead, Ordering::Relaxed);
        assert_eq!(clock.now(), Timestamp(ahead));
        assert!(clock.monotonic_nanos() <= clock.monotonic_nanos());
    }
}
