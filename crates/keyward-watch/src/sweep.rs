//! Enumeration: one principal asks after many keys.
//!
//! What counts is the last hour, wherever the clock's hours begin. What is usual is learned by the clock's hours.
//!
//! INVARIANT: a sweep does not raise its own line: an hour that was not told of is learned an hour after it ended.

use crate::{Settings, settings::Sweeps, top::Top};
use keyward_types::event::term;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
/// Minutes that are looked back on.
const WINDOW: i64 = 60;
/// Keys that are told apart in an hour.
const KEYS_MAX: usize = 1_024;
/// The share of the largest hour that is left after an hour: half is forgotten in a week.
const PEAK_KEPT: f64 = 0.995_882_610;
/// An hour raises the largest at most this many times.
const LEARNING_CAP: f64 = 3.0;

/// What one principal asked after.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sweep {
    hour: i64,
    /// Digests of names, each with the minute in which it was asked after last.
    keys: BTreeMap<u64, i64>,
    /// The minute in which the keys were last looked through for what is too old.
    swept: i64,
    /// The most keys within an hour that this hour of the clock has seen, and whether they were told of.
    most: f64,
    was_told: bool,
    /// The most that the hour before has seen, if that is still to be learned.
    before: f64,
    /// What is usual.
    peak: f64,
    pub(crate) top: Top,
}

/// An hour in which too many keys were asked after.
pub(crate) struct Swept {
    /// The minute in which it begins.
    pub(crate) since: i64,
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
        if self.swept != minute {
            self.keys.retain(|_, last| minute - *last < WINDOW);
            self.swept = minute;
        }
        self.top.count_text(minute, operation);
        let key = term("key", name);
        if self.keys.len() < KEYS_MAX || self.keys.contains_key(&key) {
            self.keys.insert(key, minute);
        }
        let keys = u32::try_from(self.keys.len()).map_or(f64::MAX, f64::from);
        self.most = self.most.max(keys);
        let line = f64::from(limits.keys_min).max(limits.ratio * self.peak);
        if keys < line {
            return None;
        }
        self.was_told = true;
        let since = self.keys.values().min().copied().unwrap_or(minute);
        Some(Swept { since, keys, expected: self.peak })
    }

    fn close(&mut self, hour: i64, limits: &Sweeps) {
        self.learn(self.before, 1, limits);
        self.before = 0.0;
        let passed = hour - self.hour;
        if self.was_told || 1 < passed {
            self.learn(self.most, passed.saturating_sub(1), limits);
        } else {
            self.before = self.most;
        }
        self.most = 0.0;
        self.was_told = false;
        self.hour = hour;
    }

    /// An hour joins what is usual, which so many hours have made fade.
    fn learn(&mut self, keys: f64, hours: i64, limits: &Sweeps) {
        let cap = LEARNING_CAP * self.peak.max(f64::from(limits.keys_min));
        let kept = PEAK_KEPT.powf(f64::from(u32::try_from(hours).unwrap_or(u32::MAX)));
        self.peak = (self.peak * kept).max(keys.min(cap));
    }
}
