//! Boards, rules and the inventory against the metric table: a renamed metric fails here, not on call.
//! `BLESS=1` writes `dashboards/metrics.md` anew.

#![expect(clippy::string_slice, reason = "a test stops at what it does not expect")]

use keyward_telemetry::{Kind, METRICS, Metric, inventory};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

fn dashboards() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboards")
}

#[expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]
fn read(path: &str) -> String {
    std::fs::read_to_string(dashboards().join(path)).unwrap()
}

/// The boards, from the folder of the repository.
#[expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]
fn boards() -> Vec<String> {
    let entries = std::fs::read_dir(dashboards().join("grafana")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut boards: Vec<String> = names
        .filter(|name| name.ends_with(".json"))
        .map(|name| format!("grafana/{name}"))
        .collect();
    boards.sort();
    boards
}

const RULES: &[&str] = &["prometheus/rules/recording.yml", "prometheus/rules/alerts.yml"];

/// Labels that Prometheus or its configuration adds.
const ADDED_LABELS: &[&str] = &["job", "instance", "le", "alertname", "alertstate"];

#[test]
fn the_inventory_is_the_table() {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(dashboards().join("metrics.md"), inventory()).unwrap();
    }
    assert_eq!(read("metrics.md"), inventory(), "run with BLESS=1 if this is meant");
}

#[test]
fn what_boards_and_rules_ask_for_exists() {
    let recorded = recorded();
    for file in boards().iter().map(String::as_str).chain(RULES.iter().copied()) {
        let text = read(file).replace("\\\"", "\"");
        let mut seen = 0;
        for (name, labels) in selectors(&text) {
            seen += 1;
            if name.contains(':') {
                assert!(recorded.contains(&name), "{file}: {name} is not recorded");
                continue;
            }
            let metric = metric(&name);
            let metric = metric.unwrap_or_else(|| panic!("{file}: {name} is not in the table"));
            for label in labels {
                let known = metric.labels.contains(&label.as_str())
                    || ADDED_LABELS.contains(&label.as_str());
                assert!(known, "{file}: {name} has no label {label}");
            }
        }
        assert!(4 < seen, "{file}: too few metrics were found; is the reader broken?");
    }
}

/// Every alert says what it means, links to what to do, and has a test that it fires and one that it stays quiet.
#[test]
fn every_alert_is_explained_and_tested() {
    let alerts = read("prometheus/rules/alerts.yml");
    let runbooks = read("runbooks.md");
    let tests: String = std::fs::read_dir(dashboards().join("prometheus/rules/tests"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let blocks: Vec<&str> = alerts.split("- alert: ").skip(1).collect();
    assert!(20 <= blocks.len());
    let mut names = BTreeSet::new();
    for block in blocks {
        let name = block.lines().next().unwrap();
        assert!(names.insert(name.to_owned()), "{name} stands twice");
        for part in ["severity:", "summary:", "description:"] {
            assert!(block.contains(part), "{name} lacks {part}");
        }
        let anchor = format!("runbook_url: dashboards/runbooks.md#{}\n", name.to_lowercase());
        assert!(block.contains(&anchor), "{name} links to its own section");
        let fires = format!("alertname: {name}\n        exp_alerts:\n          - exp_labels");
        assert!(tests.contains(&fires), "{name}: no test that it fires");
        let quiet = format!("alertname: {name} }}");
        assert!(tests.contains(&quiet) || name == "Watchdog", "{name}: no test that it is quiet");
    }
    let sections: BTreeSet<String> =
        runbooks.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    assert_eq!(sections, names, "one section an alert, and none for others");
}

fn metric(name: &str) -> Option<&'static Metric> {
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
    METRICS.iter().find(|m| m.name == name || (Some(m.name) == base && m.kind == Kind::Histogram))
}

fn recorded() -> BTreeSet<String> {
    let rules = read("prometheus/rules/recording.yml");
    rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .map(str::to_owned)
        .collect()
}

/// Every name that begins as ours do, with the labels of the selector behind it.
fn selectors(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = vec![];
    let mut start = 0;
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    while let Some(at) =
        ["kms_", "kms:", "process_"].iter().filter_map(|p| text[start..].find(p)).min()
    {
        let from = start + at;
        let name: String = text[from..].chars().take_while(|c| part(*c)).collect();
        let inside_a_word = text[..from].chars().next_back().is_some_and(part);
        start = from + name.len();
        if inside_a_word {
            continue;
        }
        let labels = text[start..]
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            .map_or("", |(inner, _)| inner);
        found.push((name, labels.split(',').filter_map(label).collect()));
    }
    found
}

fn label(matcher: &str) -> Option<String> {
    let (name, _) = matcher.split_once(['=', '!'])?;
    let name = name.trim();
    name.chars().all(|c| c.is_ascii_lowercase() || c == '_').then(|| name.to_owned())
}
