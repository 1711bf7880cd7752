//! What is counted of alerts and of the detectors that raise them.
//!
//! INVARIANT: every series exists from the start at zero; a value outside of a label's set is not counted.

use crate::{
    make::Maker,
    metrics::{self, ALERT_TARGETS, DETECTORS, RESULTS, SEVERITIES, WATCH_TABLES},
};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// How full one of the detectors' tables is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableFill {
    /// One of [`WATCH_TABLES`].
    pub table: &'static str,
    pub entries: u64,
    /// Since the detectors' state began.
    pub evicted: u64,
}

/// The values of the rows about alerts.
pub struct AlertSeries {
    firing: IntGaugeVec,
    fired: IntCounterVec,
    deliveries: IntCounterVec,
    failing: IntGaugeVec,
    silences: IntGauge,
    silenced: IntCounter,
    evictions: IntCounterVec,
    entries: IntGaugeVec,
    lag: IntGauge,
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl AlertSeries {
    pub(crate) fn new(make: &Maker<'_>) -> Self {
        let series = Self {
            firing: make.int_gauges(&metrics::ALERTS_FIRING),
            fired: make.counters(&metrics::ALERTS),
            deliveries: make.counters(&metrics::ALERT_DELIVERIES),
            failing: make.int_gauges(&metrics::ALERT_TARGETS_FAILING),
            silences: make.int_gauge(&metrics::ALERT_SILENCES),
            silenced: make.counter(&metrics::ALERTS_SILENCED),
            evictions: make.counters(&metrics::WATCH_EVICTIONS),
            entries: make.int_gauges(&metrics::WATCH_SERIES),
            lag: make.int_gauge(&metrics::WATCH_LAG),
        };
        for detector in DETECTORS {
            for severity in SEVERITIES {
                series.firing.with_label_values(&[detector, severity]).set(0);
                series.fired.with_label_values(&[detector, severity]).inc_by(0);
            }
        }
        for target in ALERT_TARGETS {
            for result in RESULTS {
                series.deliveries.with_label_values(&[target, result]).inc_by(0);
            }
            series.failing.with_label_values(&[target]).set(0);
        }
        for table in WATCH_TABLES {
            series.evictions.with_label_values(&[table]).inc_by(0);
            series.entries.with_label_values(&[table]).set(0);
        }
        series
    }

    /// Counts an alert that began to fire.
    pub fn fired(&self, detector: &str, severity: &str) {
        if DETECTORS.contains(&detector) && SEVERITIES.contains(&severity) {
            self.fired.with_label_values(&[detector, severity]).inc();
        }
    }

    /// How many alerts fire now; `count` says it of each detector and severity.
    pub fn firing(&self, count: impl Fn(&str, &str) -> u64) {
        for detector in DETECTORS {
            for severity in SEVERITIES {
                let now = signed(count(detector, severity));
                self.firing.with_label_values(&[detector, severity]).set(now);
            }
        }
    }

    /// Counts a try to tell an alert.
    pub fn delivered(&self, target: &str, success: bool) {
        let [told, failed] = RESULTS;
        if ALERT_TARGETS.contains(&target) {
            let result = if success { told } else { failed };
            self.deliveries.with_label_values(&[target, result]).inc();
        }
    }

    /// A target could not be told, or could be again.
    pub fn target_failing(&self, target: &str, is_failing: bool) {
        if ALERT_TARGETS.contains(&target) {
            self.failing.with_label_values(&[target]).add(if is_failing { 1 } else { -1 });
        }
    }

    /// Silences that hold now, and alerts that one held back since the detectors' state began.
    pub fn silences(&self, holding: u64, held_back: u64) {
        self.silences.set(signed(holding));
        self.silenced.inc_by(held_back.saturating_sub(self.silenced.get()));
    }

    /// How full the detectors' tables are.
    pub fn tables(&self, fills: &[TableFill]) {
        for fill in fills.iter().filter(|fill| WATCH_TABLES.contains(&fill.table)) {
            self.entries.with_label_values(&[fill.table]).set(signed(fill.entries));
            let evictions = self.evictions.with_label_values(&[fill.table]);
            evictions.inc_by(fill.evicted.saturating_sub(evictions.get()));
        }
    }

    /// Events that the detectors have not seen yet.
    pub fn lag(&self, events: u64) {
        self.lag.set(signed(events));
    }
}
