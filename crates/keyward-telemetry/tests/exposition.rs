//! What a scrape sees: text that parses, nothing outside of the table, no label outside of its set.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use keyward_telemetry::{
    ALERT_TARGETS, DECISIONS, DETECTORS, DIRECTIONS, Format, KeyCounts, Kind, METRICS, Metrics,
    OBSERVE_SCOPES, OTHER, OUTCOMES, Observed, PriceClass, Process, RANKS, RESULTS, ROTATION_TYPES,
    SEVERITIES, SINKS, SOURCES, SPEC_CLASSES, STEPS, StoreCounts, TARGETS, TableFill,
    UNAUTHENTICATED_REASONS, UNCOMMITTED_CAUSES, Verdict, WATCH_TABLES, spec_class,
};
use keyward_types::{
    Decision, Effect, ErrorCode, EventSummary, KeySpec, KeyState, KeyUsage, Layer, LayerEffect,
    LayerOutcome, MaterialOrigin, Outcome, Reason, Timestamp,
};
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

/// Everything that can be known of a request.
fn told(summary: &EventSummary) -> Observed<'_> {
    const VERDICTS: usize = 2;
    static LIST: std::sync::OnceLock<[Verdict; VERDICTS]> = std::sync::OnceLock::new();
    let decisions = LIST.get_or_init(|| {
        [
            Verdict::of(&decision(Effect::Allow, Reason::NamesCaller, &[Layer::Grant])),
            Verdict::of(&decision(Effect::ExplicitDeny, Reason::Denied(Layer::Guardrail), &[])),
        ]
    });
    Observed {
        summary,
        total_seconds: 0.003,
        decision_seconds: Some(0.000_02),
        run: Some((KeySpec::SymmetricDefault, 0.000_01)),
        commit_seconds: 0.001,
        verdicts: decisions,
        price: Some(PriceClass::Standard),
    }
}

fn decision(effect: Effect, reason: Reason, allowed_by: &[Layer]) -> Decision {
    let layers = allowed_by.iter().map(|layer| LayerOutcome {
        layer: *layer,
        effect: LayerEffect::Allow,
        matched: vec![],
        near: vec![],
    });
    Decision {
        effect,
        reason,
        rule: 1,
        action: "kms:Decrypt".to_owned(),
        resource: "*".to_owned(),
        layers: layers.collect(),
        remedies: vec![],
        observed: vec![],
    }
}

/// Metrics on which everything has happened, some of it by names that nobody knows.
fn busy() -> Metrics {
    let metrics = Metrics::new(OPERATIONS);
    for operation in ["Encrypt", "Decrypt", "MadeUp"] {
        for outcome in
            ErrorCode::ALL.iter().map(|code| Outcome::Failure(*code)).chain([Outcome::Success])
        {
            metrics.observe(&told(&summary(operation, outcome)));
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
    for cause in ["busy", "no_space", "a cause that nobody knows"] {
        metrics.uncommitted(cause);
    }
    for rotation in ["automatic", "on_demand", "sideways"] {
        metrics.rotated(rotation, true);
    }
    metrics.bytes(10, 20);
    metrics.checkpoint(3, 1_795_426_000);
    metrics.top(1_795_426_867);
    let alerts = metrics.alerts();
    for (detector, severity) in [("canary", "critical"), ("canary", "huge"), ("guess", "low")] {
        alerts.fired(detector, severity);
    }
    alerts.firing(|detector, _| u64::from(detector == "rate"));
    for target in ["file", "webhook", "alertmanager", "https://hooks.example.com/secret"] {
        alerts.delivered(target, true);
        alerts.delivered(target, false);
        alerts.target_failing(target, true);
    }
    alerts.target_failing("file", false);
    for held_back in [2, 1, 4] {
        alerts.silences(3, held_back);
    }
    for (table, evicted) in [("series", 3), ("series", 5), ("arn:aws:iam::1:user/a", 1)] {
        alerts.tables(&[TableFill { table, entries: 7, evicted }]);
    }
    alerts.lag(9);
    metrics.build_info("1.2.3");
    let of_spec =
        |spec: &'static KeySpec| KeyState::ALL.iter().map(move |state| ((*state, *spec), 1));
    let of_usage = |usage: &'static KeyUsage| {
        MaterialOrigin::ALL.iter().map(move |origin| ((*usage, *origin), 1))
    };
    metrics.keys(&KeyCounts {
        by_state: KeySpec::ALL.iter().flat_map(of_spec).collect(),
        by_use: KeyUsage::ALL.iter().flat_map(of_usage).collect(),
        grants: 3,
        next_deletion: Some(1_795_500_000),
        ..KeyCounts::default()
    });
    metrics.store(&StoreCounts { commits: 7, queue_depth: 3, ..StoreCounts::default() });
    metrics.process(&Process { resident_bytes: 1_048_576, cpu_seconds: 1.5, ..Process::default() });
    metrics
}

/// Name, labels and value of a line of the text format.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    // An exemplar is no part of its sample.
    let line = line.split(" # ").next().unwrap();
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
    let text = metrics.exposition(Format::Text);
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
    let text = metrics.exposition(Format::Text);
    for metric in METRICS.iter().filter(|metric| !names_someone(metric.name)) {
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
    assert_eq!(families, METRICS.len() - 2, "all but the two that name someone");
    assert_eq!(
        METRICS.iter().map(|metric| metric.name).collect::<BTreeSet<_>>().len(),
        METRICS.len()
    );
}

#[test]
fn no_label_leaves_its_set() {
    let operations: Vec<&str> = OPERATIONS.iter().copied().chain([OTHER]).collect();
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.wire()).collect();
    for (name, labels, _) in samples(&busy().exposition(Format::Text)) {
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
                "decision" => DECISIONS.contains(&value.as_str()),
                "source" => SOURCES.contains(&value.as_str()),
                "scope" => OBSERVE_SCOPES.contains(&value.as_str()),
                "step" => STEPS.iter().any(|(step, _)| step == value),
                "direction" => DIRECTIONS.contains(&value.as_str()),
                "class" => PriceClass::ALL.iter().any(|class| class.as_str() == value),
                "rank" => RANKS.contains(&value.as_str()),
                "cause" => UNCOMMITTED_CAUSES.contains(&value.as_str()),
                "usage" => KeyUsage::NAMES.contains(&value.as_str()),
                "origin" => MaterialOrigin::NAMES.contains(&value.as_str()),
                "type" => ROTATION_TYPES.contains(&value.as_str()),
                "sink" => SINKS.contains(&value.as_str()),
                "outcome" => OUTCOMES.contains(&value.as_str()),
                "code" => codes.contains(&value.as_str()),
                "reason" => UNAUTHENTICATED_REASONS.contains(&value.as_str()),
                "state" => KeyState::NAMES.contains(&value.as_str()),
                "spec_class" => SPEC_CLASSES.contains(&value.as_str()),
                "target" if name.starts_with("kms_alert_") => {
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

fn names_someone(name: &str) -> bool {
    ["kms_top_key_info", "kms_top_principal_info"].contains(&name)
}

/// Nobody is named unless the operator says so, and then the ten largest are and no more.
#[test]
fn the_largest_are_ranked_and_named_only_on_request() {
    let metrics = Metrics::new(OPERATIONS);
    let ask = |principal: &str, times: usize| {
        let asked = EventSummary {
            principal_arn: principal.to_owned(),
            ..summary("Decrypt", Outcome::Success)
        };
        (0..times).for_each(|_| metrics.observe(&Observed::of(&asked)));
    };
    ask("often", 30);
    (0..20).for_each(|i| ask(&format!("seldom {i}"), 1));
    let now = 1_795_426_867;
    metrics.top(now);
    let top = |rank| value(&metrics, "kms_top_principal_requests", &[("rank", rank)]);
    assert_eq!([top("1"), top("2"), top("10")], [30.0, 1.0, 1.0]);
    assert_eq!(value(&metrics, "kms_top_key_requests", &[("rank", "1")]), 50.0);
    for form in [Format::Text, Format::OpenMetrics] {
        let text = metrics.exposition(form);
        assert!(!text.contains("often") && !text.contains("arn:aws"), "{text}");
    }
    metrics.name_top();
    metrics.top(now);
    let named = [("rank", "1"), ("principal", "often")];
    assert_eq!(value(&metrics, "kms_top_principal_info", &named), 1.0);
    let text = metrics.exposition(Format::Text);
    let names = samples(&text).filter(|(name, _, _)| name == "kms_top_principal_info").count();
    assert_eq!(names, RANKS.len());
    metrics.top(now + 3_600);
    assert_eq!(top("1"), 0.0, "another hour");
    assert!(!metrics.exposition(Format::Text).contains("often"));
}

#[test]
fn a_decision_counts_for_the_layer_that_made_it() {
    use Layer as L;
    for (effect, reason, allowed_by, labels) in [
        (Effect::Allow, Reason::NamesCaller, &[L::KeyPolicy][..], ("allow", "key_policy")),
        (Effect::Allow, Reason::NamesEntity, &[L::Grant], ("allow", "grant")),
        (Effect::Allow, Reason::CrossAccount, &[L::KeyPolicy, L::Grant], ("allow", "key_policy")),
        (Effect::Allow, Reason::DelegatedToIam, &[], ("allow", "identity_policy")),
        (Effect::ExplicitDeny, Reason::Denied(L::Freeze), &[], ("explicit_deny", "freeze")),
        (
            Effect::ImplicitDeny,
            Reason::NotAllowed(L::SessionPolicy),
            &[],
            ("implicit_deny", "session_policy"),
        ),
        (Effect::ImplicitDeny, Reason::ReservedAlias, &[], ("implicit_deny", "service_rule")),
        (
            Effect::ExplicitDeny,
            Reason::EvaluationFailed,
            &[],
            ("explicit_deny", "evaluation_error"),
        ),
    ] {
        let metrics = Metrics::new(OPERATIONS);
        let verdicts = [Verdict::of(&decision(effect, reason, allowed_by))];
        let event = summary("Decrypt", Outcome::Success);
        metrics.observe(&Observed { verdicts: &verdicts, ..Observed::of(&event) });
        let (decided, source) = labels;
        let labels = [("decision", decided), ("source", source)];
        assert_eq!(value(&metrics, "kms_decisions_total", &labels), 1.0, "{reason:?}");
    }
}

#[test]
fn what_observe_mode_lets_through_counts_as_the_refusal_that_it_is() {
    let metrics = Metrics::new(OPERATIONS);
    let refused = |observed| Decision {
        observed,
        ..decision(Effect::ImplicitDeny, Reason::NotAllowed(Layer::IdentityPolicy), &[])
    };
    let verdicts =
        [Verdict::of(&refused(vec!["obs-1".to_owned()])), Verdict::of(&refused(Vec::new()))];
    let event = summary("Decrypt", Outcome::Success);
    metrics.observe(&Observed { verdicts: &verdicts, ..Observed::of(&event) });
    let source = ("source", "identity_policy");
    let refusals = [("decision", "implicit_deny"), source];
    assert_eq!(value(&metrics, "kms_decisions_total", &refusals), 2.0);
    assert_eq!(value(&metrics, "kms_let_through_total", &[source]), 1.0);
    metrics.observed(&BTreeMap::from([("key", 3)]));
    metrics.observed(&BTreeMap::from([("policy", 1)]));
    let targets = |scope| value(&metrics, "kms_observe_targets", &[("scope", scope)]);
    assert_eq!([targets("key"), targets("policy")], [0.0, 1.0]);
}

#[test]
fn a_request_adds_what_it_would_cost() {
    let metrics = Metrics::new(OPERATIONS);
    let event = summary("Sign", Outcome::Success);
    for class in [PriceClass::Asymmetric, PriceClass::Asymmetric, PriceClass::RsaDataKeyPair] {
        metrics.observe(&Observed { price: Some(class), ..Observed::of(&event) });
    }
    let cost = |class| value(&metrics, "kms_estimated_aws_cost_dollars_total", &[("class", class)]);
    assert!((cost("asymmetric") - 0.000_03).abs() < 1e-12);
    assert!((cost("rsa_data_key_pair") - 0.001_2).abs() < 1e-12);
    assert_eq!(cost("standard"), 0.0);
}

/// The same families, series and values, by the other format's rules.
#[test]
fn open_metrics_says_the_same() {
    let metrics = busy();
    let (text, open) = (metrics.exposition(Format::Text), metrics.exposition(Format::OpenMetrics));
    assert!(open.ends_with("\n# EOF\n") && open.matches("# EOF").count() == 1);
    let sorted = |text: &str| {
        let mut all: Vec<_> = samples(text)
            .map(|(name, mut labels, value)| {
                let bound = labels.get("le").and_then(|le| le.parse::<f64>().ok());
                bound
                    .into_iter()
                    .for_each(|le| drop(labels.insert("le".to_owned(), le.to_string())));
                (name, labels, value.to_string())
            })
            .collect();
        all.sort();
        all
    };
    assert_eq!(sorted(&text), sorted(&open));
    for line in [
        "# TYPE kms_requests counter",
        "# TYPE kms_journal_bytes counter",
        "# UNIT kms_journal_bytes bytes",
        "# TYPE kms_request_duration_seconds histogram",
        "# UNIT kms_request_duration_seconds seconds",
        "# UNIT kms_estimated_aws_cost_dollars dollars",
        "# TYPE kms_build_info gauge",
    ] {
        assert!(open.lines().any(|known| known == line), "{line}");
    }
    assert!(!open.contains("# TYPE kms_requests_total"), "a counter's family has no _total");
    assert!(open.contains("le=\"1.0\"") && open.contains("le=\"+Inf\""));
}

/// The newest event of each bucket stands behind it, in the format that has a place for it.
#[test]
fn a_bucket_names_its_newest_event() {
    let metrics = Metrics::new(OPERATIONS);
    for (number, total_seconds) in [(1, 0.000_3), (2, 0.000_4), (3, 0.25), (4, 99.0)] {
        let event_id = uuid::Uuid::from_u128(number);
        let event = EventSummary { event_id, ..summary("Decrypt", Outcome::Success) };
        metrics.observe(&Observed { total_seconds, ..Observed::of(&event) });
    }
    let open = metrics.exposition(Format::OpenMetrics);
    let exemplars: Vec<&str> = open.lines().filter(|line| line.contains(" # ")).collect();
    let bucket = "kms_request_duration_seconds_bucket{operation=\"Decrypt\",le=";
    let id = "event_id=\"00000000-0000-0000-0000-00000000000";
    assert_eq!(
        exemplars,
        [
            format!("{bucket}\"0.0005\"}} 2.0 # {{{id}2\"}} 0.0004 1795426867.000"),
            format!("{bucket}\"0.25\"}} 3.0 # {{{id}3\"}} 0.25 1795426867.000"),
            format!("{bucket}\"+Inf\"}} 4.0 # {{{id}4\"}} 99 1795426867.000"),
        ]
    );
    assert!(!metrics.exposition(Format::Text).contains("event_id"));
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
    let failing = |target| counted("kms_alert_targets_failing", &[("target", target)]);
    assert_eq!((failing("webhook"), failing("file")), (1.0, 0.0));
    assert_eq!(counted("kms_alert_silences", &[]), 3.0);
    // A total, however often it is told.
    assert_eq!(counted("kms_alerts_silenced_total", &[]), 4.0);
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
        samples(&metrics.exposition(Format::Text))
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
    let denied = summary("Decrypt", Outcome::Failure(ErrorCode::AccessDenied));
    metrics.observe(&Observed { total_seconds: 0.000_3, run: None, ..told(&denied) });
    let allowed = summary("Decrypt", Outcome::Success);
    metrics.observe(&Observed { total_seconds: 0.04, ..told(&allowed) });
    let requests = |outcome| {
        value(&metrics, "kms_requests_total", &[("operation", "Decrypt"), ("outcome", outcome)])
    };
    assert_eq!(
        OUTCOMES.iter().map(|outcome| requests(outcome)).collect::<Vec<_>>(),
        [1.0, 1.0, 0.0, 0.0, 0.0]
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
    assert_eq!(value(&metrics, "kms_commit_duration_seconds_count", &[]), 2.0);
    let decrypted = [("spec_class", "symmetric"), ("step", "decrypt")];
    let count = value(&metrics, "kms_cryptography_duration_seconds_count", &decrypted);
    assert_eq!(count, 1.0, "what was refused did not run");
    assert_eq!(value(&metrics, "kms_last_event_timestamp_seconds", &[]), 1_795_426_867.0);
    metrics.unauthenticated("what nobody knows");
    assert_eq!(value(&metrics, "kms_unauthenticated_requests_total", &[("reason", OTHER)]), 1.0);
    let throttled = summary("Decrypt", Outcome::Failure(ErrorCode::Throttling));
    metrics.observe(&Observed { run: None, ..told(&throttled) });
    assert_eq!((requests("throttled"), requests("client_error")), (1.0, 0.0));
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
        metrics.keys(&KeyCounts {
            by_state: BTreeMap::from([
                ((KeyState::Enabled, KeySpec::Rsa2048), n),
                ((KeyState::Enabled, KeySpec::Rsa4096), 1),
            ]),
            ..KeyCounts::default()
        });
    };
    keys(4);
    assert_eq!(value(&metrics, "kms_keys", &[("state", "Enabled"), ("spec_class", "rsa")]), 5.0);
    metrics.keys(&KeyCounts::default());
    assert_eq!(value(&metrics, "kms_keys", &[("state", "Enabled"), ("spec_class", "rsa")]), 0.0);
    metrics.checkpoint(40, 7);
    metrics.store(&StoreCounts { log_events: 100, ..StoreCounts::default() });
    assert_eq!(value(&metrics, "kms_log_sink_lag_events", &[("sink", "checkpoint")]), 60.0);
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
