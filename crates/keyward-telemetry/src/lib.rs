//! The metric table, and the one function that turns a committed event into metrics.
//!
//! [`METRICS`] is the table, [`Metrics`] holds the values, [`inventory`] prints the table as
//! `dashboards/metrics.md`.
//! It reads nothing of the system it runs on: what cannot be counted here is handed over before a scrape.
//!
//! INVARIANT: a label's value comes from a closed set. A key, a principal or an address is never one; those are asked
//! of the event log. The one exception is what an operator turns on: `kms_top_key_info` and `kms_top_principal_info`
//! name at most ten each.
//! Source: <https://prometheus.io/docs/practices/naming/>

mod alerts;
mod exemplars;
mod exposition;
mod inventory;
mod make;
mod metrics;
mod observe;
mod observed;
mod price;
mod top;

pub use alerts::{AlertSeries, TableFill};
pub use exposition::Format;
pub use inventory::inventory;
pub use metrics::{
    ALERT_TARGETS, DETECTORS, DIRECTIONS, Kind, METRICS, Metric, OBSERVE_SCOPES, OTHER, OUTCOMES,
    RANKS, RESULTS, ROTATION_TYPES, SEVERITIES, SINKS, SPEC_CLASSES, TARGETS,
    UNAUTHENTICATED_REASONS, UNCOMMITTED_CAUSES, WATCH_TABLES, spec_class,
};
pub use observe::{InFlight, KeyCounts, Metrics, Process, StoreCounts};
pub use observed::{DECISIONS, Observed, SOURCES, STEPS, Verdict};
pub use price::PriceClass;
