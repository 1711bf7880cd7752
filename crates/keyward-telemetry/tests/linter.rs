//! The rules of Grafana's dashboard linter that apply to boards of Prometheus, one function a rule, under its names.
//!
//! Rules on other query languages do not apply. Exclusions are read from the linter's own file, `grafana/.lint`; one
//! that excludes nothing fails.
//! Source: <https://github.com/grafana/dashboard-linter/blob/main/docs/index.md>

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at what it does not expect"
)]

use promql_parser::{
    label::MatchOp,
    parser::{Expr, VectorSelector},
    util::{ExprVisitor, walk_expr},
};
use serde_json::Value;
use std::{collections::BTreeSet, path::Path};

/// A breach of a rule: the board's title, the panel's, and what is wrong.
type Breach = (String, String, String);

struct Board {
    title: String,
    json: Value,
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboards/grafana")
}

fn boards() -> Vec<Board> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    let boards: Vec<Board> = files
        .map(|path| {
            let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            Board { title: text(&json["title"]), json }
        })
        .collect();
    assert_eq!(boards.len(), 6);
    boards
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Board {
    fn list(&self, pointer: &str) -> Vec<&Value> {
        self.json.pointer(pointer).and_then(Value::as_array).into_iter().flatten().collect()
    }

    /// Every panel that is no row.
    fn panels(&self) -> Vec<&Value> {
        self.list("/panels").into_iter().filter(|panel| panel["type"] != "row").collect()
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        self.list("/templating/list").into_iter().find(|variable| variable["name"] == name)
    }

    /// Panels and queries of Prometheus.
    fn queries(&self) -> Vec<(String, String)> {
        let of_panel = |panel: &&Value| {
            let targets = panel["targets"].as_array().cloned().unwrap_or_default();
            let title = text(&panel["title"]);
            targets.into_iter().map(move |target| (title.clone(), text(&target["expr"])))
        };
        self.panels().iter().flat_map(of_panel).collect()
    }

    fn breach(&self, panel: impl Into<String>, what: impl Into<String>) -> Breach {
        (self.title.clone(), panel.into(), what.into())
    }
}

/// A time that no board writes by itself stands for the variable.
const RATE_INTERVAL_SECONDS: u64 = 4_711;

fn parsed(query: &str) -> Result<Expr, String> {
    let interval = format!("{RATE_INTERVAL_SECONDS}s");
    let query = query.replace("$__rate_interval", &interval).replace("$__range", "3600s");
    promql_parser::parser::parse(&query)
}

/// Every selector with the function and the range in which it stands.
struct Selectors {
    functions: Vec<String>,
    found: Vec<(VectorSelector, Option<u64>, String)>,
}

impl ExprVisitor for Selectors {
    type Error = ();

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, ()> {
        let function = self.functions.last().cloned().unwrap_or_default();
        match expr {
            Expr::Call(call) => self.functions.push(call.func.name.to_owned()),
            Expr::VectorSelector(one) => self.found.push((one.clone(), None, function)),
            Expr::MatrixSelector(one) => {
                self.found.push((one.vs.clone(), Some(one.range.as_secs()), function));
            }
            _ => {}
        }
        Ok(true)
    }

    fn post_visit(&mut self, expr: &Expr) -> Result<bool, ()> {
        if let Expr::Call(_) = expr {
            self.functions.pop();
        }
        Ok(true)
    }
}

fn selectors(query: &str) -> Vec<(VectorSelector, Option<u64>, String)> {
    let Ok(expr) = parsed(query) else { return vec![] };
    let mut seen = Selectors { functions: vec![], found: vec![] };
    walk_expr(&mut seen, &expr).unwrap();
    seen.found
}

/// Exclusions of a rule as the linter's own file has them: board and panel.
fn excluded(rule: &str) -> BTreeSet<(String, String)> {
    let file: Value =
        serde_norway::from_str(&std::fs::read_to_string(folder().join(".lint")).unwrap()).unwrap();
    let Some(of_rule) = file["exclusions"].get(rule) else { return BTreeSet::new() };
    assert!(!text(&of_rule["reason"]).is_empty(), "{rule} is excluded without a reason");
    let entries = of_rule["entries"].as_array().unwrap();
    entries.iter().map(|entry| (text(&entry["dashboard"]), text(&entry["panel"]))).collect()
}

fn holds(rule: &str, breaches: Vec<Breach>) {
    let mut unused = excluded(rule);
    let mut left = vec![];
    for breach in breaches {
        let place = (breach.0.clone(), breach.1.clone());
        if unused.remove(&place) || excluded(rule).contains(&place) {
            continue;
        }
        left.push(breach);
    }
    assert_eq!(left, [], "{rule}");
    assert_eq!(unused, BTreeSet::new(), "{rule}: exclusions of what is no breach");
}

/// A rule over boards.
fn of_boards(rule: &str, check: impl Fn(&Board) -> Option<String>) {
    let breaches =
        boards().iter().filter_map(|board| Some(board.breach("", check(board)?))).collect();
    holds(rule, breaches);
}

/// A rule over panels.
fn of_panels(rule: &str, check: impl Fn(&Value) -> bool) {
    let mut breaches = vec![];
    for board in boards() {
        let bad = board.panels().into_iter().filter(|panel| !check(panel));
        breaches.extend(bad.map(|panel| board.breach(text(&panel["title"]), panel.to_string())));
    }
    holds(rule, breaches);
}

/// A rule over queries.
fn of_queries(rule: &str, check: impl Fn(&str) -> bool) {
    let mut breaches = vec![];
    for board in boards() {
        let bad = board.queries().into_iter().filter(|(_, query)| !check(query));
        breaches.extend(bad.map(|(panel, query)| board.breach(panel, query)));
    }
    holds(rule, breaches);
}

#[test]
fn template_datasource_rule() {
    of_boards("template-datasource-rule", |board| {
        let list = board.list("/templating/list");
        let sources: Vec<_> = list.iter().filter(|one| one["type"] == "datasource").collect();
        let right = |one: &&&Value| {
            let names = ["datasource", "prometheus_datasource"];
            names.contains(&text(&one["name"]).as_str())
                && ["Data source", "Prometheus data source"].contains(&text(&one["label"]).as_str())
                && one["query"] == "prometheus"
        };
        let fits = sources.len() == 1 && sources.iter().all(right);
        (!fits).then(|| format!("{sources:?}"))
    });
}

fn template_variable(rule: &str, name: &str, label: &str) {
    of_boards(rule, |board| {
        let Some(variable) = board.variable(name) else { return Some("it is missing".to_owned()) };
        let fits = variable["datasource"]["uid"] == "${datasource}"
            && variable["type"] == "query"
            && variable["label"] == label
            && variable["multi"] == true
            && variable["includeAll"] == true
            && variable["allValue"] == ".+";
        (!fits).then(|| variable.to_string())
    });
}

#[test]
fn template_job_rule() {
    template_variable("template-job-rule", "job", "Job");
}

#[test]
fn template_instance_rule() {
    template_variable("template-instance-rule", "instance", "Instance");
}

#[test]
fn template_label_promql_rule() {
    of_boards("template-label-promql-rule", |board| {
        let list = board.list("/templating/list");
        list.into_iter().filter(|one| one["type"] == "query").find_map(|variable| {
            let query = text(&variable["query"]);
            let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let selector = inner.and_then(|inner| inner.rsplit_once(", "));
            let fits = selector.is_some_and(|(selector, _)| parsed(selector).is_ok());
            (!fits).then_some(query)
        })
    });
}

#[test]
fn template_on_time_change_reload_rule() {
    of_boards("template-on-time-change-reload-rule", |board| {
        let list = board.list("/templating/list");
        let stale = list.into_iter().find(|one| one["type"] == "query" && one["refresh"] != 2);
        stale.map(Value::to_string)
    });
}

#[test]
fn panel_datasource_rule() {
    of_panels("panel-datasource-rule", |panel| {
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        let used = |one: &Value| one["datasource"]["uid"] == "${datasource}";
        panel["type"] == "text" || used(panel) && targets.iter().all(used)
    });
}

#[test]
fn panel_title_description_rule() {
    of_panels("panel-title-description-rule", |panel| {
        !text(&panel["title"]).is_empty() && !text(&panel["description"]).is_empty()
    });
}

/// Those of Grafana's units that these boards use.
const UNITS: &[&str] = &[
    "none",
    "short",
    "percentunit",
    "currencyUSD",
    "bytes",
    "Bps",
    "dateTimeFromNow",
    "s",
    "cps",
    "ops",
    "reqps",
];

#[test]
fn panel_units_rule() {
    of_panels("panel-units-rule", |panel| {
        let unit = text(&panel["fieldConfig"]["defaults"]["unit"]);
        panel["type"] == "text" || UNITS.contains(&unit.as_str())
    });
}

#[test]
fn panel_no_targets_rule() {
    of_panels("panel-no-targets-rule", |panel| {
        panel["type"] == "text" || panel["targets"].as_array().is_some_and(|list| !list.is_empty())
    });
}

#[test]
fn target_promql_rule() {
    of_queries("target-promql-rule", |query| parsed(query).is_ok());
}

#[test]
fn target_rate_interval_rule() {
    of_queries("target-rate-interval-rule", |query| {
        selectors(query).iter().all(|(_, range, function)| {
            !["rate", "irate"].contains(&function.as_str()) || *range == Some(RATE_INTERVAL_SECONDS)
        })
    });
}

fn target_matcher(rule: &str, label: &str, variable: &str) {
    of_queries(rule, |query| {
        selectors(query).iter().all(|(selector, _, _)| {
            selector.matchers.matchers.iter().any(|matcher| {
                matcher.name == label
                    && matches!(matcher.op, MatchOp::Re(_))
                    && matcher.value == variable
            })
        })
    });
}

#[test]
fn target_job_rule() {
    target_matcher("target-job-rule", "job", "$job");
}

#[test]
fn target_instance_rule() {
    target_matcher("target-instance-rule", "instance", "$instance");
}

#[test]
fn target_counter_agg_rule() {
    of_queries("target-counter-agg-rule", |query| {
        selectors(query).iter().all(|(selector, range, function)| {
            let counts = selector.name.as_deref().is_some_and(|name| name.ends_with("_total"));
            !counts || range.is_some() && ["rate", "irate", "increase"].contains(&function.as_str())
        })
    });
}

#[test]
fn uneditable_rule() {
    of_boards("uneditable-dashboard", |board| {
        (board.json["editable"] != false).then(|| "it can be edited".to_owned())
    });
}

/// What the linter does not look at: ids, places, links and annotations.
#[test]
fn boards_fit_together() {
    let mut uids = BTreeSet::new();
    for board in boards() {
        assert!(uids.insert(text(&board.json["uid"])), "{}", board.title);
        let mut ids = BTreeSet::new();
        let mut taken: BTreeSet<(u64, u64)> = BTreeSet::new();
        for panel in board.list("/panels") {
            let title = &panel["title"];
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: an id stands twice");
            let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{title} is outside of the board");
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(taken.insert((x, y)), "{}: {title} lies on another", board.title);
                }
            }
        }
        let annotations: Vec<String> =
            board.list("/annotations/list").iter().map(|one| text(&one["expr"])).collect();
        assert!(annotations.iter().any(|expr| expr.contains("ALERTS{")), "{}", board.title);
        assert!(annotations.iter().all(|expr| parsed(expr).is_ok()), "{annotations:?}");
        let links = board.json.to_string();
        assert!(links.contains("${keyward}/v1/events?q="), "{}: no way to events", board.title);
    }
}

/// The rules find what they are for.
#[test]
fn the_rules_see() {
    let rates = selectors("sum(rate(a_total{job=~\"$job\"}[$__rate_interval])) / b{x=\"y\"}");
    let seen: Vec<_> = rates
        .iter()
        .map(|(selector, range, function)| {
            (selector.name.as_deref().unwrap(), *range, function.as_str())
        })
        .collect();
    assert_eq!(seen, [("a_total", Some(RATE_INTERVAL_SECONDS), "rate"), ("b", None, "")]);
    assert!(parsed("sum(rate(a[5m])").is_err());
}
