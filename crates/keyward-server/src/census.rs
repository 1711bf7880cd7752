//! How many keys there are in each state and of each class: the `kms_keys` gauge.
//!
//! It reads every key, so it rests 50 times as long as it took: at most 2 % of one core goes into it.

use keyward_engine::Engine;
use keyward_types::{KeySpec, KeyState};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

const REST_FACTOR: u64 = 50;

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
        let mut counts: BTreeMap<(KeyState, KeySpec), u64> = BTreeMap::new();
        for key in engine.store().keys_everywhere().flatten() {
            *counts.entry((key.state, key.spec)).or_default() += 1;
        }
        engine
            .metrics()
            .keys(counts.into_iter().map(|((state, spec), count)| (state, spec, count)));
        let end = engine.monotonic_nanos();
        *last = Last {
            counted: newest,
            rests_until_nanos: end
                .saturating_add(end.saturating_sub(begin).saturating_mul(REST_FACTOR)),
        };
    }
}
