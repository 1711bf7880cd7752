//! The inventory that people read: `dashboards/metrics.md`.

use crate::{METRICS, Metric, PriceClass};

/// The table as Markdown.
pub fn inventory() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         Everything that `/metrics` serves, in Prometheus's text format or as OpenMetrics, by what `Accept` asks for.\n\
         This page is written from the table in `crates/keyward-telemetry/src/metrics.rs`; a test compares the two.\n\
         Every label has a closed set of values: no key, principal or address is ever one.\n\
         The one exception is the operator's to make: `metrics_names = true` (`keyward dev --metrics-names`) serves\n\
         `kms_top_key_info` and `kms_top_principal_info`, which name at most ten keys and ten principals.\n\
         `/metrics` asks for no signature, so let only Prometheus reach it then.\n\
         In OpenMetrics each bucket of `kms_request_duration_seconds` has the id of its newest event as an exemplar:\n\
         `keyward events show ID` says what it was, to who may read events.\n\n\
         | name | type | unit | labels | what it says |\n|---|---|---|---|---|\n",
    );
    for metric in METRICS {
        let Metric { name, kind, help, labels } = metric;
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        text.push_str(&format!(
            "| `{name}` | {} | {} | {} | {help} |\n",
            kind.as_str(),
            metric.unit().unwrap_or_default(),
            labels.join(", ")
        ));
    }
    text.push_str(
        "\n## Prices\n\n\
         `kms_estimated_aws_cost_dollars_total` adds what each request would cost by the list price of us-east-1\n\
         (<https://aws.amazon.com/kms/pricing/>). Requests whose key was found count; the free tier of 20,000 requests a\n\
         month does not. Keys cost a dollar a month each beside it, which `sum(kms_keys{state!=\"PendingDeletion\"})` counts.\n\n\
         | class | dollars for 10,000 requests | which requests |\n|---|---|---|\n",
    );
    for class in PriceClass::ALL {
        text.push_str(&format!(
            "| `{}` | {:.2} | {} |\n",
            class.as_str(),
            class.dollars_for_10_000(),
            class.words()
        ));
    }
    text
}
