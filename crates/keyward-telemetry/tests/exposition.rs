//! What a scrape sees: text that parses, nothing outside of the table, no label outside of its set.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use keyward_telemetry::{
    ALERT_TARGETS, DETECTORS, Kind, METRICS, Metrics, OTHER, OUTCOMES, Process, RESULTS,
    SEVERITIES, SPEC_CLASSES, StoreCounts, TARGETS, TableFill, UNAUTHENTICATED_REASONS,
    WATCH_TABLES, spec_class,
};
use keyward_types::{ErrorCode, EventSummary, KeySpec, KeyState, Outcome, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const OPERATIONS: &[&str] = &["Encrypt", "Decrypt", "Sign"];

fn summary(operation: &'static str, outcome: Outcome) -> EventSummary {
    EventSummary {
        event_id: uuid::Uuid::nil(),
        request_id: uuid::Uuid::nil(),
        time: Timestamp::from_seconds(1_795_426_867),
        service: "kms",
        operation,
        outcome,
        account: "111122223333".to_owned(),
        principal_arn: "arn:aws:iam::111122223333:user/Alice".to_owned(),
        keys: vec![
            "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
                .to_owned(),
        ],
    }
}

/// Metrics on which everything has happened, some of it by names that nobody knows.
fn busy() -> Metrics {
    let metrics = Metrics::new(OPERATIONS);
    for operation in ["Encrypt", "Decrypt", "MadeUp"] {
        for outcome in
            ErrorCode::ALL.iter().map(|code| Outcome::Failure(*code)).chain([Outcome::Success])
        {
            metrics.observe(&summary(operation, outcome), 0.003, 0.000_02);
        }
    }
    for reason in ["mismatch", "a reason that nobody knows", "AKIAIOSFODNN7EXAMPLE"] {
        metrics.unauthenticated(reason);
    }
    metrics.panicked();
    for target in ["file", "webhook", "witness", "https://hooks.example.com/secret"] {
        metrics.published(target, true);
        metrics.published(target, false);
    }
    metrics.uncommitted();
    let alerts = metrics.alerts();
    for (detector, severity) in [("canary", "critical"), ("canary", "huge"), ("guess", "low")] {
        alerts.fired(detector, severity);
    }
    alerts.firing(|detector, _| u64::from(detector == "rate"));
    for target in ["file", "webhook", "alertmanager", "https://hooks.example.com/secret"] {
        alerts.delivered(target, true);
        alerts.delivered(target, false);
    }
    for (table, evicted) in [("series", 3), ("series", 5), ("arn:aws:iam::1:user/a", 1)] {
        alerts.tables(&[TableFill { table, entries: 7, evicted }]);
    }
    alerts.lag(9);
    metrics.build_info("1.2.3");
    metrics.keys(
        KeySpec::ALL.iter().flat_map(|spec| KeyState::ALL.iter().map(|state| (*state, *spec, 1))),
    );
    metrics.store(&StoreCounts { commits: 7, queue_depth: 3, ..StoreCounts::default() });
    metrics.process(&Process { resident_bytes: 1_048_576, cpu_seconds: 1.5, ..Process::default() });
    metrics
}

/// Name, labels and value of a line of the text format.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}').unwrap()),
        None => (series, ""),
    };
    let labels = labels
        .split(',')
        .filter(|label| !label.is_empty())
        .map(|label| {
            let (name, value) = label.split_once('=').unwrap();
            (
                name.to_owned(),
                value.strip_prefix('"').unwrap().strip_suffix('"').unwrap().to_owned(),
            )
        })
        .collect();
    (name.to_owned(), labels, value.parse().unwrap())
}

fn samples(text: &str) -> impl Iterator<Item = (String, BTreeMap<String, String>, f64)> {
    text.lines().filter(|line| !line.starts_with('#')).map(sample)
}

fn value(metrics: &Metrics, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
    let text = metrics.exposition();
    let found: Vec<f64> = samples(&text)
        .filter(|(n, l, _)| n == name && *l == labels)
        .map(|(_, _, value)| value)
        .collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}");
    found.first().copied().unwrap()
}

#[test]
fn every_row_is_served_with_its_help_and_type() {
    let metrics = Metrics::new(OPERATIONS);
    metrics.build_info("1.2.3");
    let text = metrics.exposition();
    for metric in METRICS {
        assert!(
            text.contains(&format!("# HELP {} {}\n", metric.name, metric.help)),
            "{}",
            metric.name
        );
        assert!(
            text.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind.as_str())),
            "{}",
            metric.name
        );
        assert_eq!(
            metric.kind == Kind::Counter,
            metric.name.ends_with("_total"),
            "{}",
            metric.name
        );
        assert!(
            metric.name.starts_with("kms_") || metric.name.starts_with("process_"),
            "{}",
            metric.name
        );
    }
    let families = text.lines().filter(|line| line.starts_with("# TYPE")).count();
    assert_eq!(families, METRICS.len());
    assert_eq!(
        METRICS.iter().map(|metric| metric.name).collect::<BTreeSet<_>>().len(),
        METRICS.len()
    );
}

#[test]
fn no_label_leaves_its_set() {
    let operations: Vec<&str> = OPERATIONS.iter().copied().chain([OTHER]).collect();
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.wire()).collect();
    for (name, labels, _) in samples(&busy().exposition()) {
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(&name);
        let metric = METRICS
            .iter()
            .find(|m| m.name == name || (m.name == base && m.kind == Kind::Histogram))
            .unwrap();
        let names: BTreeSet<&str> =
            labels.keys().map(String::as_str).filter(|label| *label != "le").collect();
        assert_eq!(names, metric.labels.iter().copied().collect(), "{name}");
        for (label, value) in &labels {
            let known = match label.as_str() {
                "operation" => operations.contains(&value.as_str()),
                "outcome" => OUTCOMES.contains(&value.as_str()),
                "code" => codes.contains(&value.as_str()),
                "reason" => UNAUTHENTICATED_REASONS.contains(&value.as_str()),
                "state" => KeyState::NAMES.contains(&value.as_str()),
                "spec_class" => SPEC_CLASSES.contains(&value.as_str()),
                "target" if name == "kms_alert_deliveries_total" => {
                    ALERT_TARGETS.contains(&value.as_str())
                }
                "target" => TARGETS.contains(&value.as_str()),
                "detector" => DETECTORS.contains(&value.as_str()),
                "severity" => SEVERITIES.contains(&value.as_str()),
                "table" => WATCH_TABLES.contains(&value.as_str()),
                "result" => RESULTS.contains(&value.as_str()),
                "version" => value == "1.2.3",
                "le" => value == "+Inf" || value.parse::<f64>().is_ok(),
                _ => false,
            };
            assert!(known, "{name} {label}={value}");
        }
    }
}

#[test]
fn alerts_are_counted_and_tables_are_as_they_stand() {
    let metrics = busy();
    let counted = |name, labels: &[(&str, &str)]| value(&metrics, name, labels);
    let canary = [("detector", "canary"), ("severity", "critical")];
    assert_eq!(counted("kms_alerts_total", &canary), 1.0);
    assert_eq!(counted("kms_alerts_firing", &canary), 0.0);
    assert_eq!(counted("kms_alerts_firing", &[("detector", "rate"), ("severity", "low")]), 1.0);
    let told = [("target", "webhook"), ("result", "failure")];
    assert_eq!(counted("kms_alert_deliveries_total", &told), 1.0);
    // A total, however often it is told.
    assert_eq!(counted("kms_watch_evictions_total", &[("table", "series")]), 5.0);
    assert_eq!(counted("kms_watch_series", &[("table", "series")]), 7.0);
    assert_eq!(counted("kms_watch_lag_events", &[]), 9.0);
}

/// The label set does not grow, whatever happens.
#[test]
fn series_exist_from_the_start() {
    let (fresh, busy) = (Metrics::new(OPERATIONS), busy());
    fresh.build_info("1.2.3");
    let series = |metrics: &Metrics| {
        samples(&metrics.exposition())
            .map(|(name, labels, _)| format!("{name}{labels:?}"))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(series(&fresh), series(&busy));
    assert_eq!(
        value(&fresh, "kms_requests_total", &[("operation", "Sign"), ("outcome", "denied")]),
        0.0
    );
}

#[test]
fn an_event_is_counted_once_in_each_family() {
    let metrics = Metrics::new(OPERATIONS);
    metrics.observe(
        &summary("Decrypt", Outcome::Failure(ErrorCode::AccessDenied)),
        0.000_3,
        0.000_015,
    );
    metrics.observe(&summary("Decrypt", Outcome::Success), 0.04, 0.000_015);
    let requests = |outcome| {
        value(&metrics, "kms_requests_total", &[("operation", "Decrypt"), ("outcome", outcome)])
    };
    assert_eq!(
        OUTCOMES.iter().map(|outcome| requests(outcome)).collect::<Vec<_>>(),
        [1.0, 1.0, 0.0, 0.0]
    );
    assert_eq!(value(&metrics, "kms_errors_total", &[("code", "AccessDeniedException")]), 1.0);
    let bucket = |le| {
        value(
            &metrics,
            "kms_request_duration_seconds_bucket",
            &[("operation", "Decrypt"), ("le", le)],
        )
    };
    assert_eq!(
        [bucket("0.00025"), bucket("0.0005"), bucket("0.05"), bucket("+Inf")],
        [0.0, 1.0, 2.0, 2.0]
    );
    assert_eq!(value(&metrics, "kms_decision_duration_seconds_count", &[]), 2.0);
    assert_eq!(value(&metrics, "kms_last_event_timestamp_seconds", &[]), 1_795_426_867.0);
    metrics.unauthenticated("what nobody knows");
    assert_eq!(value(&metrics, "kms_unauthenticated_requests_total", &[("reason", OTHER)]), 1.0);
}

/// Totals are handed over, never backwards, and never counted twice.
#[test]
fn totals_of_others_are_taken_as_they_are() {
    let metrics = Metrics::new(OPERATIONS);
    for commits in [5, 5, 9, 3] {
        metrics.store(&StoreCounts { commits, queue_depth: commits, ..StoreCounts::default() });
    }
    assert_eq!(value(&metrics, "kms_commits_total", &[]), 9.0);
    assert_eq!(value(&metrics, "kms_commit_queue_depth", &[]), 3.0);
    for cpu_seconds in [1.5, 1.5, 2.25] {
        metrics.process(&Process { cpu_seconds, ..Process::default() });
    }
    assert_eq!(value(&metrics, "process_cpu_seconds_total", &[]), 2.25);
    let keys = |n| {
        metrics.keys([
            (KeyState::Enabled, KeySpec::Rsa2048, n),
            (KeyState::Enabled, KeySpec::Rsa4096, 1),
        ])
    };
    keys(4);
    assert_eq!(value(&metrics, "kms_keys", &[("state", "Enabled"), ("spec_class", "rsa")]), 5.0);
    metrics.keys([]);
    assert_eq!(value(&metrics, "kms_keys", &[("state", "Enabled"), ("spec_class", "rsa")]), 0.0);
    {
        let _one = metrics.in_flight();
        assert_eq!(value(&metrics, "kms_requests_in_flight", &[]), 1.0);
    }
    assert_eq!(value(&metrics, "kms_requests_in_flight", &[]), 0.0);
}

#[test]
fn every_key_spec_has_a_class() {
    let classes: BTreeSet<&str> = KeySpec::ALL.iter().map(|spec| spec_class(*spec)).collect();
    assert_eq!(classes, SPEC_CLASSES.iter().copied().collect());
}
