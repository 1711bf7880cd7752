//! `keyward policy unused`: what is in force and the log does not show in use.

use super::{records, replay};
use crate::{
    args::{Common, Unused, UsedEvents, UsedLevel},
    client::Client,
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_engine::usage::{UsageReport, Use, UseFinding, UseLevel};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(super) fn unused(common: &Common, asked: &Unused) -> Result<Exit, CliError> {
    let records = asked.events.events.as_deref().map(records::read).transpose()?;
    let mut report: UsageReport = match &asked.events.data {
        Some(data) => {
            let (engine, account) = replay::stopped(data, &asked.events)?;
            let mut brought = replay::brought(records);
            let records = brought.as_mut().map(|records| records as &mut replay::Brought<'_>);
            engine
                .unused(&account, asked.events.since.as_deref(), records)
                .map_err(|error| replay::refused(&error))?
        }
        None => of_service(common, "/v1/policies/unused", json!({}), &asked.events, records)?,
    };
    let fits =
        |one: &Use| asked.level.is_empty() || asked.level.iter().any(|of| level(*of) == one.level);
    report.uses.retain(|one| fits(one) && (asked.all || !one.findings.is_empty()));
    report.found = report.uses.iter().filter(|one| !one.findings.is_empty()).count();
    match common.output {
        Format::Json => output::json(&serde_json::to_value(&report).map_err(CliError::failure)?),
        Format::Text => print(&report),
    }
    if report.events == 0 {
        output::warn("there are no events: everything looks unused");
    }
    Ok(if asked.fail && 0 < report.found { Exit::Problems } else { Exit::Ok })
}

const fn level(of: UsedLevel) -> UseLevel {
    match of {
        UsedLevel::Statement => UseLevel::Statement,
        UsedLevel::Action => UseLevel::Action,
        UsedLevel::Principal => UseLevel::Principal,
        UsedLevel::Key => UseLevel::Key,
        UsedLevel::Grant => UseLevel::Grant,
    }
}

/// Asks the service about its log, or about records: these go in one request, since what is unused in a part of them
/// may be used in another.
pub(super) fn of_service<T: DeserializeOwned>(
    common: &Common,
    path: &str,
    mut input: Value,
    asked: &UsedEvents,
    records: Option<Vec<String>>,
) -> Result<T, CliError> {
    if let Some(members) = input.as_object_mut() {
        members.insert("Since".to_owned(), json!(asked.since));
        if let Some(records) = records {
            if 1 < replay::batches(records.clone()).len() {
                return Err(CliError::new(
                    Exit::Usage,
                    "these are more records than the service takes in one request",
                )
                .hint("ask a stopped store with --data"));
            }
            members.insert("Records".to_owned(), json!(records));
        }
    }
    let answer = Client::new(common).post(path, &input)?;
    serde_json::from_value(answer).map_err(CliError::failure)
}

fn print(report: &UsageReport) {
    let rows: Vec<Vec<String>> = report.uses.iter().map(row).collect();
    output::table(&["LEVEL", "WHAT", "ON", "FOUND", "USES", "LAST USED", "MORE"], &rows);
    for left in &report.not_replayed {
        output::note(&format!("not looked at: {} events: {}", left.count, left.why));
    }
    output::note(&format!("{} events, {} found", report.events, report.found));
}

fn row(one: &Use) -> Vec<String> {
    let level = format!("{:?}", one.level).to_lowercase();
    let named = [&one.source, &one.name, &one.action];
    let what: Vec<&str> = named.into_iter().flatten().map(String::as_str).collect();
    let found: Vec<&str> = one.findings.iter().map(|finding| finding.as_str()).collect();
    let found = if found.is_empty() { "used".to_owned() } else { found.join(", ") };
    let last = one.last_used.clone().unwrap_or_else(|| "-".to_owned());
    let what = if what.is_empty() { "-".to_owned() } else { what.join(" ") };
    let on = if one.on.is_empty() { "several principals" } else { &one.on };
    vec![level, what, on.to_owned(), found, one.uses.to_string(), last, more(one)]
}

fn more(one: &Use) -> String {
    const SHOWN: usize = 5;
    match one.actions {
        Some((allowed, used)) if one.findings.contains(&UseFinding::OverBroad) => {
            let unused = one.unused_actions.iter().take(SHOWN).cloned().collect::<Vec<_>>();
            format!("{used} of {allowed} actions used; not used: {}, …", unused.join(", "))
        }
        _ => String::new(),
    }
}
