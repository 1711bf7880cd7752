//! The text that is scraped: Prometheus's own format, or OpenMetrics where that is asked for.
//!
//! No `_created` samples: every series begins with the process, which `process_start_time_seconds` says once instead
//! of a thousand times.
//! Sources: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>,
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>

use crate::{METRICS, Metric, Metrics, exemplars::Exemplars};
use prometheus::{
    TextEncoder,
    proto::{LabelPair, MetricFamily, MetricType},
};

/// A form of the exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

const OPEN_METRICS: &str = "application/openmetrics-text";

impl Format {
    /// What the client likes best by its `Accept` header; text, where it says nothing that is served.
    pub fn accepted(header: &str) -> Self {
        let (mut open, mut text) = (0, 0);
        for range in header.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut weight, mut version) = (1_000, "");
            for part in parts {
                match part.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
                    Some(("q", value)) => weight = thousandths(value),
                    Some(("version", value)) => version = value.trim_matches('"'),
                    _ => {}
                }
            }
            match media.as_str() {
                OPEN_METRICS if ["", "0.0.1", "1.0.0"].contains(&version) => {
                    open = open.max(weight)
                }
                "text/plain" if ["", "0.0.4"].contains(&version) => text = text.max(weight),
                "text/*" | "*/*" => text = text.max(weight),
                _ => {}
            }
        }
        if 0 < open && text <= open { Self::OpenMetrics } else { Self::Text }
    }

    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A weight such as `0.75`; what is none counts as nothing.
fn thousandths(weight: &str) -> u32 {
    let number = weight.parse::<f64>().unwrap_or_default().clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and 1000"
    )]
    let whole = (number * 1_000.0) as u32;
    whole
}

impl Metrics {
    /// Every series in a form.
    pub fn exposition(&self, format: Format) -> String {
        let mut text = String::with_capacity(256 * 1_024);
        let families = self.registry.gather();
        match format {
            Format::Text => {
                // Writing to a string fails only on a family without series, and none is gathered.
                let written = TextEncoder::new().encode_utf8(&families, &mut text);
                debug_assert!(written.is_ok(), "{written:?}");
            }
            Format::OpenMetrics => {
                families.iter().for_each(|family| self.open_metrics(family, &mut text));
                text.push_str("# EOF\n");
            }
        }
        text
    }

    fn open_metrics(&self, family: &MetricFamily, text: &mut String) {
        let kind = family.get_field_type();
        let name = family.name();
        // A counter's family is named without what its samples end in.
        let base = match kind {
            MetricType::COUNTER => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        let word = match kind {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            MetricType::HISTOGRAM => "histogram",
            MetricType::SUMMARY | MetricType::UNTYPED => "unknown",
        };
        text.push_str(&format!("# TYPE {base} {word}\n"));
        let unit = METRICS.iter().find(|metric| metric.name == name).and_then(Metric::unit);
        if let Some(unit) = unit {
            text.push_str(&format!("# UNIT {base} {unit}\n"));
        }
        text.push_str(&format!("# HELP {base} {}\n", escaped(family.help())));
        for series in family.get_metric() {
            let labels = series.get_label();
            match kind {
                MetricType::COUNTER => {
                    sample(text, base, "_total", labels, series.get_counter().get_value());
                }
                MetricType::HISTOGRAM => {
                    let operation = labels.first().map_or("", LabelPair::value);
                    let exemplars = self.exemplars(name, operation);
                    histogram(text, base, labels, series.get_histogram(), exemplars);
                }
                _ => sample(text, base, "", labels, series.get_gauge().get_value()),
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests fit 53 bits")]
fn histogram(
    text: &mut String,
    base: &str,
    labels: &[LabelPair],
    histogram: &prometheus::proto::Histogram,
    exemplars: Option<&Exemplars>,
) {
    let total = histogram.get_sample_count() as f64;
    let bounds = histogram
        .get_bucket()
        .iter()
        .map(|bucket| (number(bucket.upper_bound()), bucket.cumulative_count() as f64));
    for (place, (bound, count)) in bounds.chain([("+Inf".to_owned(), total)]).enumerate() {
        value_of(text, base, "_bucket", labels, Some(&bound), count);
        exemplars.into_iter().for_each(|exemplars| text.push_str(&exemplars.shown(place)));
        text.push('\n');
    }
    sample(text, base, "_sum", labels, histogram.get_sample_sum());
    sample(text, base, "_count", labels, total);
}

/// A whole line.
fn sample(text: &mut String, base: &str, suffix: &str, labels: &[LabelPair], value: f64) {
    value_of(text, base, suffix, labels, None, value);
    text.push('\n');
}

/// A sample without its line's end.
fn value_of(
    text: &mut String,
    base: &str,
    suffix: &str,
    labels: &[LabelPair],
    bound: Option<&str>,
    value: f64,
) {
    text.push_str(base);
    text.push_str(suffix);
    let pairs = labels.iter().map(|label| (label.name(), label.value()));
    for (index, (name, value)) in pairs.chain(bound.map(|bound| ("le", bound))).enumerate() {
        text.push(if index == 0 { '{' } else { ',' });
        text.push_str(&format!("{name}=\"{}\"", escaped(value)));
    }
    if !labels.is_empty() || bound.is_some() {
        text.push('}');
    }
    text.push_str(&format!(" {}", number(value)));
}

/// A number as OpenMetrics writes bounds: with a point, and not by powers of ten where that is short.
fn number(value: f64) -> String {
    let shown = value.to_string();
    if shown.contains('.') { shown } else { format!("{shown}.0") }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn the_best_form_that_is_served_is_chosen() {
        let debian = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (header, format) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/plain", Format::Text),
            ("application/json", Format::Text),
            (debian, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; version=1.0.0", Format::OpenMetrics),
            (
                "application/openmetrics-text; version=\"1.0.0\"; q=0.9, */*; q=0.1",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=0.2, text/plain;q=0.3", Format::Text),
        ] {
            assert_eq!(Format::accepted(header), format, "{header}");
        }
    }
}
