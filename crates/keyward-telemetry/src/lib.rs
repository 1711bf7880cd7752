//! The metric table, and the one function that turns a committed event into metrics.
//!
//! [`METRICS`] is the table, [`Metrics`] holds the values, [`inventory`] prints the table as
//! `dashboards/metrics.md`.
//! It reads nothing of the system it runs on: what cannot be counted here is handed over before a scrape.
//!
//! INVARIANT: a label's value comes from a closed set. A key, a principal or an address is never one;
//! those are asked of the event log.
//! Source: <https://prometheus.io/docs/practices/naming/>

mod exposition;
mod metrics;
mod observe;

pub use exposition::{CONTENT_TYPE, inventory};
pub use metrics::{
    Kind, METRICS, Metric, OTHER, OUTCOMES, RESULTS, SPEC_CLASSES, TARGETS,
    UNAUTHENTICATED_REASONS, spec_class,
};
pub use observe::{InFlight, Metrics, Process, StoreCounts};
