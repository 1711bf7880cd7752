//! `keyward events`: the log, listed, followed, shown and exported.

use super::export;
use crate::{
    args::{Common, EventFilter, Events},
    client::{Client, encoded},
    exit::{CliError, Exit},
    output::{self, Format},
};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};

pub(super) fn events(common: &Common, command: &Events) -> Result<Exit, CliError> {
    match command {
        Events::List { filter, limit } => list(common, filter, *limit),
        Events::Tail { filter } => tail(common, filter),
        Events::Show { id } => {
            let event = Client::new(common).read(&format!("/v1/events/{}", encoded(id)), &[])?;
            output::json(&event);
            Ok(Exit::Ok)
        }
        Events::Export(options) => export::export(common, options),
    }
}

fn query(filter: &EventFilter) -> Vec<(&'static str, String)> {
    let EventFilter { operation, principal, key, outcome, since, until } = filter;
    [
        ("operation", operation),
        ("principal", principal),
        ("key", key),
        ("outcome", outcome),
        ("since", since),
        ("until", until),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.clone().map(|value| (name, value)))
    .collect()
}

fn list(common: &Common, filter: &EventFilter, limit: usize) -> Result<Exit, CliError> {
    let mut query = query(filter);
    query.push(("limit", limit.to_string()));
    let answer = Client::new(common).read("/v1/events", &query)?;
    let events = answer.get("Events").and_then(Value::as_array).cloned().unwrap_or_default();
    match common.output {
        Format::Json => events.iter().for_each(output::json_line),
        Format::Text => output::table(HEADINGS, &events.iter().map(row).collect::<Vec<_>>()),
    }
    Ok(Exit::Ok)
}

fn tail(common: &Common, filter: &EventFilter) -> Result<Exit, CliError> {
    let stream = Client::new(common).stream("/v1/events/tail", &query(filter))?;
    for line in BufReader::new(stream).lines() {
        let line = line.map_err(CliError::failure)?;
        let Some(event) =
            line.strip_prefix("data:").and_then(|data| serde_json::from_str::<Value>(data).ok())
        else {
            continue;
        };
        match common.output {
            Format::Json => output::json_line(&event),
            Format::Text => output::line(&row(&event).join("  ")),
        }
    }
    Ok(Exit::Ok)
}

const HEADINGS: &[&str] = &["TIME", "OPERATION", "OUTCOME", "PRINCIPAL", "KEY", "REQUEST ID"];

fn row(event: &Value) -> Vec<String> {
    let text =
        |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
    let outcome = event.get("errorCode").and_then(Value::as_str).unwrap_or("success").to_owned();
    let service = || text("/userIdentity/invokedBy");
    let principal = event
        .pointer("/userIdentity/arn")
        .and_then(Value::as_str)
        .map_or_else(service, str::to_owned);
    vec![
        text("/eventTime"),
        text("/eventName"),
        outcome,
        principal,
        text("/resources/0/ARN"),
        text("/requestID"),
    ]
}
