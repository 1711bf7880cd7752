//! Enumeration: one principal asks after many keys.

use crate::{Settings, settings::Sweeps, top::Top};
use keyward_types::event::term;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What tells about a key without using it.
pub(crate) const OPERATIONS: [&str; 8] = [
    "DescribeKey",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "GetPublicKey",
    "ListGrants",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListResourceTags",
];
/// Keys that are told apart in an hour.
const KEYS_MAX: usize = 1_024;
/// The share of the largest hour that is left after an hour: half is forgotten in a week.
const PEAK_KEPT: f64 = 0.995_882_610;
/// An hour raises the largest at most this many times.
const LEARNING_CAP: f64 = 3.0;

/// The hour that lasts, and the largest before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sweep {
    hour: i64,
    /// Digests of names.
    keys: BTreeSet<u64>,
    peak: f64,
    pub(crate) top: Top,
}

/// An hour in which too many keys were asked after.
pub(crate) struct Swept {
    pub(crate) hour: i64,
    pub(crate) keys: f64,
    pub(crate) expected: f64,
}

impl Sweep {
    /// Counts a question about a key.
    pub(crate) fn count(
        &mut self,
        name: &str,
        operation: &str,
        minute: i64,
        settings: &Settings,
    ) -> Option<Swept> {
        let limits = &settings.sweeps;
        let hour = minute.div_euclid(60);
        if self.hour < hour {
            self.close(hour, limits);
        }
        self.top.count_text(minute, operation);
        if self.keys.len() < KEYS_MAX {
            self.keys.insert(term("key", name));
        }
        let keys = size(&self.keys);
        let line = f64::from(limits.keys_min).max(limits.ratio * self.peak);
        (line <= keys).then_some(Swept { hour, keys, expected: self.peak })
    }

    fn close(&mut self, hour: i64, limits: &Sweeps) {
        let cap = LEARNING_CAP * self.peak.max(f64::from(limits.keys_min));
        let hours = u32::try_from(hour - self.hour).unwrap_or(u32::MAX);
        let kept = PEAK_KEPT.powf(f64::from(hours));
        self.peak = (self.peak * kept).max(size(&self.keys).min(cap));
        self.keys.clear();
        self.hour = hour;
    }
}

fn size(keys: &BTreeSet<u64>) -> f64 {
    u32::try_from(keys.len()).map_or(f64::MAX, f64::from)
}
