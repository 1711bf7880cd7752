//! The metric table, and the one function that turns a committed event into metrics.
//!
//! [`METRICS`] is the table, [`Metrics`] holds the values, [`inventory`] prints the table as
//! `dashboards/metrics.md`.
//! It reads nothing of the system it runs on: what cannot be counted here is handed over before a scrape.
//!
//! INVARIANT: a label's value comes from a closed set. A key, a principal or an address is never one;
//! those are asked of the event log.
//! Source: <https://prometheus.io/docs/practices/naming/>

mod alerts;
mod exposition;
mod metrics;
mod observe;

pub use alerts::{AlertSeries, TableFill};
pub use exposition::{CONTENT_TYPE, inventory};
pub use metrics::{
    ALERT_TARGETS, DETECTORS, Kind, METRICS, Metric, OTHER, OUTCOMES, RESULTS, SEVERITIES,
    SPEC_CLASSES, TARGETS, UNAUTHENTICATED_REASONS, WATCH_TABLES, spec_class,
};
pub use observe::{InFlight, Metrics, Process, StoreCounts};
