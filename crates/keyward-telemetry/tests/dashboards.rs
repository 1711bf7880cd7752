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

const BOARDS: &[&str] = &["grafana/overview.json"];
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
    for file in BOARDS.iter().chain(RULES) {
        let text = read(file).replace("\\\"", "\"");
        let mut seen = 0;
        for (name, labels) in selectors(&text) {
            seen += 1;
            if name.contains(':') {
                assert!(recorded.contains(&name), "{file}: {name} is not recorded");
                continue;
            }
            let metric =
                metric(&name).unwrap_or_else(|| panic!("{file}: {name} is not in the table"));
            for label in labels {
                let known = metric.labels.contains(&label.as_str())
                    || ADDED_LABELS.contains(&label.as_str());
                assert!(known, "{file}: {name} has no label {label}");
            }
        }
        assert!(4 < seen, "{file}: too few metrics were found; is the reader broken?");
    }
}

#[test]
fn a_board_is_whole() {
    for file in BOARDS {
        let board: serde_json::Value = serde_json::from_str(&read(file)).unwrap();
        let mut ids = BTreeSet::new();
        for panel in board["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            assert!(ids.insert(panel["id"].as_i64().unwrap()), "{file}: {title}: id stands twice");
            if panel["type"] == "row" {
                continue;
            }
            assert!(!panel["description"].as_str().unwrap().is_empty(), "{file}: {title}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{file}: {title}");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{file}: {title}");
            for target in panel["targets"].as_array().unwrap() {
                let expr = target["expr"].as_str().unwrap();
                assert!(expr.contains("job=~\"$job\""), "{file}: {title}: {expr}");
                let balanced = |open: char, close: char| {
                    expr.matches(open).count() == expr.matches(close).count()
                };
                assert!(
                    balanced('(', ')') && balanced('{', '}') && balanced('[', ']'),
                    "{file}: {title}: {expr}"
                );
            }
        }
        assert!(5 <= ids.len());
    }
}

/// Every alert says what it means and what to do first, and has a test that names it.
#[test]
fn every_alert_is_explained_and_tested() {
    let alerts = read("prometheus/rules/alerts.yml");
    let tests: String = std::fs::read_dir(dashboards().join("prometheus/rules/tests"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let blocks: Vec<&str> = alerts.split("- alert: ").skip(1).collect();
    assert!(4 <= blocks.len());
    for block in blocks {
        let name = block.lines().next().unwrap();
        for part in ["severity:", "summary:", "what_it_means:", "first_steps:"] {
            assert!(block.contains(part), "{name} lacks {part}");
        }
        let asked = |how: &str| tests.matches(&format!("alertname: {name}{how}")).count();
        assert!(
            1 <= asked(
                "
        exp_alerts"
            ),
            "{name}: no test that it fires"
        );
        assert!(1 <= asked(" }"), "{name}: no test that it stays quiet");
    }
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
