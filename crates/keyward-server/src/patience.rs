//! When somebody who failed may be tried again: later and later, up to five minutes.

/// After the first failure; each further one doubles it.
const BACK_OFF_MILLIS: u64 = 1_000;
const BACK_OFF_MAX_MILLIS: u64 = 300_000;

/// Times are milliseconds of the monotonic clock.
#[derive(Default)]
pub(crate) struct Patience {
    pub(crate) failures: u32,
    pub(crate) not_before: u64,
}

impl Patience {
    pub(crate) fn failed(&mut self, now: u64) {
        let wait = BACK_OFF_MILLIS.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.saturating_add(wait.min(BACK_OFF_MAX_MILLIS));
    }

    pub(crate) fn allows(&self, now: u64) -> bool {
        self.not_before <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_doubles_and_ends() {
        let mut patience = Patience::default();
        let mut waits = Vec::new();
        for _ in 0..40 {
            patience.failed(10);
            waits.push(patience.not_before - 10);
            assert!(!patience.allows(10) && patience.allows(patience.not_before));
        }
        assert_eq!(waits[..4], [1_000, 2_000, 4_000, 8_000]);
        assert_eq!(waits.last(), Some(&BACK_OFF_MAX_MILLIS));
    }
}
