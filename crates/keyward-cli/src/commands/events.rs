//! `keyward events`: the log, listed, followed, shown and exported.

use super::{
    export,
    history::{page, words},
    segments,
    versions::date,
};
use crate::{
    args::{Common, EventFilter, Events},
    client::{Client, encoded},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_trail::caller_name;
use serde_json::Value;
use std::{
    borrow::Cow,
    io::{BufRead, BufReader},
    time::Duration,
};

pub(super) fn events(common: &Common, command: &Events) -> Result<Exit, CliError> {
    match command {
        Events::List { filter, limit, after } => list(common, filter, *limit, after.clone()),
        Events::Stats { filter, by, limit } => stats(common, filter, by.as_deref(), *limit),
        Events::Rare { filter, by, share, least, new, limit } => {
            let mut query = query(filter);
            query.push(("share", share.clone()));
            query.push(("least", least.to_string()));
            query.push(("limit", limit.to_string()));
            query.extend(by.clone().map(|by| ("by", by)));
            query.extend(new.clone().map(|new| ("new", new)));
            rare(common, &query)
        }
        Events::Tail { filter } => tail(common, filter),
        Events::Show { id } => {
            let event = Client::new(common).read(&format!("/v1/events/{}", encoded(id)), &[])?;
            output::json(&event);
            Ok(Exit::Ok)
        }
        Events::Sql(asked) => super::sql::sql(common, asked),
        Events::Export(options) => export::export(common, options),
        Events::Archived { folder, data, root } => segments::events(folder, data, root),
    }
}

fn query(filter: &EventFilter) -> Vec<(&'static str, String)> {
    let EventFilter { query, operation, principal, key, outcome, since, until } = filter;
    let given = [
        ("operation", operation),
        ("principal", principal),
        ("key", key),
        ("outcome", outcome),
        ("since", since),
        ("until", until),
    ];
    let given = given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
    words(query).into_iter().chain(given).collect()
}

/// Pages are followed: one may hold little or nothing where the service had to read records to tell.
fn list(
    common: &Common,
    filter: &EventFilter,
    limit: usize,
    mut after: Option<String>,
) -> Result<Exit, CliError> {
    if limit == 0 {
        return Err(CliError::new(Exit::Usage, "--limit must be 1 or more"));
    }
    let (client, query) = (Client::new(common), query(filter));
    let (mut left, mut rows) = (limit, Vec::new());
    while 0 < left {
        let (events, next) = page(&client, &query, left, after.take())?;
        left = left.saturating_sub(events.len());
        match common.output {
            Format::Json => events.iter().for_each(output::json_line),
            Format::Text => rows.extend(events.iter().map(row)),
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    if common.output == Format::Text {
        output::table(HEADINGS, &rows);
    }
    if let Some(place) = after {
        // That a page ended does not say that something comes after it.
        let (more, beyond) = page(&client, &query, 1, Some(place.clone()))?;
        let is_more = if more.is_empty() { "may be" } else { "are" };
        if !more.is_empty() || beyond.is_some() {
            output::note(&format!(
                "there {is_more} more than these {limit}: --limit takes more, --after {place} goes on, events export takes all"
            ));
        }
    }
    Ok(Exit::Ok)
}

fn stats(
    common: &Common,
    filter: &EventFilter,
    by: Option<&str>,
    limit: usize,
) -> Result<Exit, CliError> {
    let mut query = query(filter);
    query.push(("limit", limit.to_string()));
    query.extend(by.map(|by| ("by", by.to_owned())));
    let answer = Client::new(common).read("/v1/events/stats", &query)?;
    if common.output == Format::Json {
        output::json(&answer);
        return Ok(Exit::Ok);
    }
    let mut rows = Vec::new();
    for facet in list_of(&answer, "Facets") {
        let field = facet.get("Field").and_then(Value::as_str).unwrap_or_default().to_owned();
        let exact = facet.get("Exact").and_then(Value::as_bool) == Some(true);
        for value in list_of(&facet, "Values") {
            let count = number(&value, "Count");
            rows.push(vec![
                field.clone(),
                value.get("Value").and_then(Value::as_str).unwrap_or_default().to_owned(),
                if exact { count.to_string() } else { format!("<={count}") },
                date(value.get("First")),
                date(value.get("Last")),
            ]);
        }
        let (other, without) = (number(&facet, "OtherAtMost"), number(&facet, "Without"));
        for (name, count) in [("(others)", other), ("(none)", without)] {
            if 0 < count {
                let dash = || "-".to_owned();
                rows.push(vec![field.clone(), name.to_owned(), count.to_string(), dash(), dash()]);
            }
        }
    }
    output::table(&["FIELD", "VALUE", "EVENTS", "FIRST", "LAST"], &rows);
    looked_at(&answer);
    Ok(Exit::Ok)
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn list_of(value: &Value, name: &str) -> Vec<Value> {
    value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// On how much an answer rests.
fn looked_at(answer: &Value) {
    let complete = answer.get("Complete").and_then(Value::as_bool) == Some(true);
    output::note(&format!(
        "{} events{}",
        number(answer, "Records"),
        if complete { "" } else { ", the newest; there are more" }
    ));
}

fn rare(common: &Common, query: &[(&str, String)]) -> Result<Exit, CliError> {
    let answer = Client::new(common).read("/v1/events/rare", query)?;
    if common.output == Format::Json {
        output::json(&answer);
        return Ok(Exit::Ok);
    }
    let mut rows = Vec::new();
    for (why, name) in [("rare", "Rare"), ("new", "New")] {
        for habit in list_of(&answer, name) {
            let text =
                |name: &str| habit.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
            rows.push(vec![
                why.to_owned(),
                text("Principal"),
                text("Field"),
                text("Value"),
                format!("{} of {}", number(&habit, "Count"), number(&habit, "Of")),
                date(habit.get("First")),
                date(habit.get("Last")),
            ]);
        }
        let more = number(&answer, &format!("{name}Total"));
        let shown = list_of(&answer, name).len();
        if u64::try_from(shown).is_ok_and(|shown| shown < more) {
            output::note(&format!("{shown} of {more} that are {why}; --limit shows more"));
        }
    }
    output::table(&["WHY", "PRINCIPAL", "FIELD", "VALUE", "EVENTS", "FIRST", "LAST"], &rows);
    for varied in list_of(&answer, "Varied") {
        let text = |name: &str| varied.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        output::note(&format!(
            "{} has too many values of {} to tell which are rare",
            text("Principal"),
            text("Field")
        ));
    }
    let left_out = number(&answer, "LeftOut");
    if 0 < left_out {
        output::note(&format!("{left_out} events of further principals were not looked at"));
    }
    looked_at(&answer);
    Ok(Exit::Ok)
}

/// A stream that breaks off is taken up behind the last event that came, until the service refuses, or cannot be
/// reached for a while.
#[expect(
    clippy::disallowed_methods,
    reason = "a service that went away does not say when it is back"
)]
fn tail(common: &Common, filter: &EventFilter) -> Result<Exit, CliError> {
    let (client, query) = (Client::new(common), query(filter));
    let mut seen: Option<String> = None;
    let mut tries = 0;
    loop {
        match client.stream("/v1/events/tail", &query, seen.as_deref()) {
            Ok(stream) => {
                tries = 0;
                follow(common.output, BufReader::new(stream), &mut seen);
            }
            // The first time it is the endpoint that is wrong.
            Err(error) if seen.is_none() || error.exit != Exit::Unreachable => return Err(error),
            Err(error) if TRIES_MAX <= tries => return Err(error),
            Err(_) => tries += 1,
        }
        std::thread::sleep(PAUSE);
    }
}

/// Tries to reach the service again, and how long one rests: as long as a restart may take.
const TRIES_MAX: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// Shows what a stream brings to its end, and keeps the last id in `seen`.
/// <https://html.spec.whatwg.org/multipage/server-sent-events.html>
fn follow(format: Format, stream: impl BufRead, seen: &mut Option<String>) {
    let (mut id, mut kind) = (None, String::new());
    for line in stream.lines().map_while(Result::ok) {
        match line.split_once(':').map(|(name, value)| (name, value.trim_start())) {
            None if line.is_empty() => {
                // An event counts as seen once it is whole.
                *seen = id.take().or_else(|| seen.take());
                kind.clear();
            }
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("event", value)) => value.clone_into(&mut kind),
            Some(("data", value)) => told(format, &kind, value),
            _ => {}
        }
    }
}

fn told(format: Format, kind: &str, data: &str) {
    let Ok(event) = serde_json::from_str::<Value>(data) else { return };
    match (kind, format) {
        ("", Format::Json) => output::json_line(&event),
        ("", Format::Text) => output::line(&row(&event).join("  ")),
        ("left-out", _) => output::warn(&format!(
            "too much was written while nothing came: events {} to {} are left out here; `events list` has them",
            number(&event, "From"),
            number(&event, "To").saturating_sub(1)
        )),
        _ => {}
    }
}

const HEADINGS: &[&str] = &["TIME", "OPERATION", "OUTCOME", "PRINCIPAL", "KEY", "REQUEST ID"];

fn row(event: &Value) -> Vec<String> {
    let text =
        |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
    let outcome = event.get("errorCode").and_then(Value::as_str).unwrap_or("success").to_owned();
    let principal = caller_name(event).map_or_else(|| "-".to_owned(), Cow::into_owned);
    vec![
        text("/eventTime"),
        text("/eventName"),
        outcome,
        principal,
        text("/resources/0/ARN"),
        text("/requestID"),
    ]
}
