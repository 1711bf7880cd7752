//! What there is of keys and grants: the `kms_keys` gauges and their neighbours.
//!
//! It reads every key, so it rests 50 times as long as it took: at most 2 % of one core goes into it.

use keyward_engine::Engine;
use keyward_telemetry::KeyCounts;
use keyward_types::{KeyRecord, KeyState, Timestamp, key::MaterialInfo};
use std::sync::{Mutex, PoisonError};

const REST_FACTOR: u64 = 50;

/// Housekeeping looks once a minute; what it did not do in an hour it cannot do.
const OVERDUE_SECONDS: i64 = 3_600;

#[derive(Default)]
pub(crate) struct Census(Mutex<Last>);

#[derive(Default)]
struct Last {
    /// The store's newest commit that was counted, plus one.
    counted: u64,
    rests_until_nanos: u64,
}

impl Census {
    /// Counts anew, unless nothing was written since or it is too early.
    pub(crate) fn take(&self, engine: &Engine) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (begin, newest) = (engine.monotonic_nanos(), engine.store().snapshot() + 1);
        if last.counted == newest || begin < last.rests_until_nanos {
            return;
        }
        let (now, mut counts) = (engine.now(), KeyCounts::default());
        for key in engine.store().keys_everywhere().flatten() {
            count(&key, now, &mut counts);
            // A count that cannot be read now is counted next time.
            counts.grants += u64::from(engine.store().grant_count(&key.name).unwrap_or_default());
        }
        engine.metrics().keys(&counts);
        let end = engine.monotonic_nanos();
        *last = Last {
            counted: newest,
            rests_until_nanos: end
                .saturating_add(end.saturating_sub(begin).saturating_mul(REST_FACTOR)),
        };
    }
}

fn count(key: &KeyRecord, now: Timestamp, counts: &mut KeyCounts) {
    *counts.by_state.entry((key.state, key.spec)).or_default() += 1;
    *counts.by_use.entry((key.usage, key.origin)).or_default() += 1;
    let expiries = key.materials.iter().filter_map(MaterialInfo::valid_to);
    counts.next_material_expiry = first(counts.next_material_expiry, expiries.min());
    if key.state == KeyState::PendingDeletion {
        counts.next_deletion = first(counts.next_deletion, key.deletion_date);
    }
    let overdue = |next: Timestamp| next.plus_seconds(OVERDUE_SECONDS) < now;
    let rotates = key.state == KeyState::Enabled && key.rotation.enabled && !key.is_replica();
    counts.rotations_overdue += u64::from(rotates && key.rotation.next.is_some_and(overdue));
}

fn first(known: Option<i64>, other: Option<Timestamp>) -> Option<i64> {
    known.into_iter().chain(other.map(Timestamp::seconds)).min()
}

#[cfg(test)]
mod tests {
    use super::first;
    use keyward_types::Timestamp;

    #[test]
    fn the_first_of_two_counts() {
        let at = Timestamp::from_seconds;
        assert_eq!(first(None, None), None);
        assert_eq!(first(None, Some(at(7))), Some(7));
        assert_eq!(first(Some(3), Some(at(7))), Some(3));
        assert_eq!(first(Some(9), Some(at(7))), Some(7));
        assert_eq!(first(Some(9), None), Some(9));
    }
}
