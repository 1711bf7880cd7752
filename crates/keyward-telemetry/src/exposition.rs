//! The text that Prometheus scrapes, and the inventory that people read.

use crate::{METRICS, Metric, Metrics};
use prometheus::TextEncoder;

/// The text format's own content type.
/// <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Metrics {
    /// Every series in the text format 0.0.4.
    pub fn exposition(&self) -> String {
        let mut text = String::with_capacity(128 * 1_024);
        // Writing to a string fails only on a family without series, and there is none.
        let written = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text);
        debug_assert!(written.is_ok(), "{written:?}");
        text
    }
}

/// The table as Markdown: `dashboards/metrics.md`.
pub fn inventory() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         Everything that `/metrics` serves.\n\
         This page is written from the table in `crates/keyward-telemetry/src/metrics.rs`; a test compares the two.\n\
         Every label has a closed set of values: no key, principal or address is ever one.\n\n\
         | name | type | labels | what it says |\n|---|---|---|---|\n",
    );
    for Metric { name, kind, help, labels } in METRICS {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        text.push_str(&format!(
            "| `{name}` | {} | {} | {help} |\n",
            kind.as_str(),
            labels.join(", ")
        ));
    }
    text
}
