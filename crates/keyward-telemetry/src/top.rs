//! Which keys were used most in this hour, and which principals asked most.
//!
//! INVARIANT: at most so many names are held as Space-Saving counts, and at most ten of each are served.

use crate::{metrics, metrics::RANKS};
use keyward_types::{EventSummary, Top};
use prometheus::{GaugeVec, IntGaugeVec};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// Names that are counted at once: several times what is served, so that what is served is nearly right.
const NAMES: usize = 40;

#[derive(Default)]
struct Counts {
    keys: Top<NAMES>,
    principals: Top<NAMES>,
}

/// The counts and their series.
pub(crate) struct TopSeries {
    counts: Mutex<Counts>,
    keys: IntGaugeVec,
    principals: IntGaugeVec,
    key_info: GaugeVec,
    principal_info: GaugeVec,
    named: AtomicBool,
}

impl TopSeries {
    pub(crate) fn new(make: &crate::make::Maker<'_>) -> Self {
        let made = Self {
            counts: Mutex::default(),
            keys: make.int_gauges(&metrics::TOP_KEYS),
            principals: make.int_gauges(&metrics::TOP_PRINCIPALS),
            key_info: make.gauges(&metrics::TOP_KEY_INFO),
            principal_info: make.gauges(&metrics::TOP_PRINCIPAL_INFO),
            named: AtomicBool::new(false),
        };
        made.refresh(0);
        made
    }

    /// Lets the two `_info` metrics name keys and principals.
    pub(crate) fn name(&self) {
        self.named.store(true, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, event: &EventSummary) {
        let hour = hour(event.time.seconds());
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        event.keys.iter().for_each(|key| counts.keys.count(hour, key));
        counts.principals.count(hour, &event.principal_arn);
    }

    /// Brings the series up to date.
    pub(crate) fn refresh(&self, now_seconds: i64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.keys.turn(hour(now_seconds));
        counts.principals.turn(hour(now_seconds));
        let named = self.named.load(Ordering::Relaxed);
        for (top, requests, info) in [
            (&counts.keys, &self.keys, &self.key_info),
            (&counts.principals, &self.principals, &self.principal_info),
        ] {
            info.reset();
            let largest = top.largest();
            let mut largest = largest.iter();
            for rank in RANKS {
                let (name, count) = match largest.next() {
                    Some((name, count)) => (Some(name), *count),
                    None => (None, 0),
                };
                requests.with_label_values(&[rank]).set(i64::from(count));
                if let Some(name) = name.filter(|_| named) {
                    info.with_label_values(&[rank, name.as_ref()]).set(1.0);
                }
            }
        }
    }
}

const fn hour(seconds: i64) -> i64 {
    seconds.div_euclid(3_600)
}
