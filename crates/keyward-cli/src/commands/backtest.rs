//! `keyward alert backtest`: a log through the detectors, with settings to be tried.
//!
//! The log is the service's, a stopped store's or an export. Unless `--config` says otherwise, the settings are those that
//! a request stated last, as far as the store or the export has it. What is older than `--since` only teaches, and so do events
//! of other services in an export nothing. An export is read whole and put in the order of its times; the others
//! are read page by page.

use super::offline;
use crate::{
    args::{Common, alert::Backtest},
    client::Client,
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_server::{Config, alerts::told::facts};
use keyward_store::EventQuery;
use keyward_trail::{files::gunzip, query::Query};
use keyward_types::Timestamp;
use keyward_watch::{Alert, Observation, Settings, State, Watch};
use serde::Deserialize as _;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What the detectors know: events of these services.
const SOURCES: [&str; 4] =
    ["kms.amazonaws.com", "iam.amazonaws.com", "sts.amazonaws.com", "keyward.amazonaws.com"];
/// After the last event the clock goes on so far, so that its minute is over.
const AFTERWARDS_SECONDS: i64 = 120;
const PAGE: usize = 1_000;

/// A log at play.
struct Play {
    watch: Watch,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    events: u64,
    unread: u64,
    last: Option<Timestamp>,
    /// What fired, and when it ended.
    fired: Vec<(Alert, Option<Timestamp>)>,
}

pub(super) fn backtest(common: &Common, options: &Backtest) -> Result<Exit, CliError> {
    let now = Timestamp::from_seconds(crate::client::now_seconds());
    let (since, until) =
        (time(options.since.as_deref(), now)?, time(options.until.as_deref(), now)?);
    let given = options.config.as_deref().map(configured).transpose()?;
    let play = |settings: Option<Settings>| Play {
        watch: Watch::new(given.clone().or(settings).unwrap_or_default()),
        since,
        until,
        events: 0,
        unread: 0,
        last: None,
        fired: Vec::new(),
    };
    let mut play = match (&options.data, &options.from) {
        (Some(data), _) => stopped(play, data, options)?,
        (None, Some(from)) => exported(play, from)?,
        (None, None) => {
            let client = Client::new(common);
            let answer = client.read("/v1/alerts/settings", &[])?;
            let settings = answer.get("Settings").and_then(|one| Settings::deserialize(one).ok());
            running(play(settings), &client, options.learn)?
        }
    };
    play.finish();
    play.report(common.output);
    Ok(Exit::Ok)
}

/// As `keyward events` reads times.
fn time(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, CliError> {
    let read = |text: &str| {
        let query = Query::parse(&format!("since:\"{}\"", text.replace(['\\', '"'], ""))).ok()?;
        query.window(now).since
    };
    let wanted =
        "write a time such as 2026-01-31T12:00:00Z, seconds since 1970, or a span such as 7d";
    text.map(|text| read(text).ok_or_else(|| CliError::new(Exit::Usage, wanted))).transpose()
}

fn configured(path: &Path) -> Result<Settings, CliError> {
    let failed = |error: String| CliError::new(Exit::Usage, format!("{}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let config = Config::from_toml(&text).map_err(|error| failed(error.to_string()))?;
    Ok(config.alerts.settings)
}

fn stopped(
    play: impl Fn(Option<Settings>) -> Play,
    data: &Path,
    options: &Backtest,
) -> Result<Play, CliError> {
    let progress = offline::Bar::new();
    let opened = offline::open(&offline::config(data, &options.root), &progress)?;
    progress.done();
    let stated = opened.engine.stated_alert_settings();
    let mut play = play(stated.map_err(CliError::failure)?);
    let mut after = None;
    loop {
        let query = EventQuery { after, limit: PAGE, to: play.until, ..EventQuery::default() };
        let page = opened.engine.store().events(&query).map_err(CliError::failure)?;
        let Some(last) = page.last() else { return Ok(play) };
        after = Some(last.seq);
        for event in &page {
            play.see(Observation::read(&event.record));
        }
    }
}

fn running(mut play: Play, client: &Client<'_>, learn: i64) -> Result<Play, CliError> {
    let from = play.since.map(|since| since.plus_seconds(-60 * learn).seconds().to_string());
    let until = play.until.map(|until| until.seconds().to_string());
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("order", "oldest".to_owned()), ("limit", PAGE.to_string())];
        let given = [("since", &from), ("until", &until), ("after", &after)];
        query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        let answer = client.read("/v1/events", &query)?;
        let events = answer.get("Events").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        events.iter().for_each(|record| play.see(Observation::from_record(record)));
        let next = answer.get("Next").and_then(Value::as_str).map(str::to_owned);
        if next.is_none() || next == after {
            return Ok(play);
        }
        after = next;
    }
}

/// In the order of their times; events of one second stay in that of the files.
fn exported(play: impl Fn(Option<Settings>) -> Play, from: &Path) -> Result<Play, CliError> {
    let mut files = Vec::new();
    find(from, &mut files)?;
    if files.is_empty() {
        let message = format!("{} holds no .json, .jsonl or .gz", from.display());
        return Err(CliError::new(Exit::NotFound, message));
    }
    files.sort();
    let (mut observations, mut unread) = (Vec::new(), 0);
    let mut stated: Option<(Timestamp, Option<Settings>)> = None;
    for file in files {
        let failed = |error: String| CliError::failure(format!("{}: {error}", file.display()));
        let mut bytes = fs::read(&file).map_err(|error| failed(error.to_string()))?;
        if bytes.starts_with(&[0x1f, 0x8b]) {
            bytes = gunzip(&bytes).map_err(|_| failed("it is no whole gzip".to_owned()))?;
        }
        for record in records(&bytes).ok_or_else(|| failed("it is no JSON".to_owned()))? {
            let source = record.get("eventSource").and_then(Value::as_str).unwrap_or_default();
            if SOURCES.contains(&source) {
                match Observation::from_record(&record) {
                    Some(observation) => {
                        let is_newer =
                            stated.as_ref().is_none_or(|(time, _)| *time <= observation.time);
                        if let Some(settings) = put_settings(&record).filter(|_| is_newer) {
                            stated = Some((observation.time, settings));
                        }
                        observations.push(observation);
                    }
                    None => unread += 1,
                }
            }
        }
    }
    let mut play = play(stated.and_then(|(_, settings)| settings));
    play.unread = unread;
    observations.sort_by_key(|observation| observation.time);
    for observation in observations {
        let wanted = play.until.is_none_or(|until| observation.time <= until);
        if wanted {
            play.see(Some(observation));
        }
    }
    Ok(play)
}

/// Settings that a request stated; `Some(None)` where it went back to those of the configuration.
fn put_settings(record: &Value) -> Option<Option<Settings>> {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    let is_one = text("/eventSource") == Some("keyward.amazonaws.com")
        && text("/eventName") == Some("PutAlertSettings")
        && record.get("errorCode").is_none();
    let stated = text("/requestParameters/settings").unwrap_or_default();
    is_one.then(|| serde_json::from_str(stated).ok())
}

/// Files with records, at any depth. Digests have none.
fn find(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound {
            Exit::NotFound
        } else {
            Exit::Failure
        };
        CliError::new(exit, format!("{}: {error}", path.display()))
    };
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(failed)? {
            find(&entry.map_err(failed)?.path(), files)?;
        }
        return Ok(());
    }
    fs::metadata(path).map_err(failed)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let digest = path.components().any(|part| part.as_os_str() == "CloudTrail-Digest");
    if ["json", "jsonl", "gz"].contains(&extension) && !digest {
        files.push(path.to_owned());
    }
    Ok(())
}

/// `{"Records": […]}`, or a record a line.
fn records(bytes: &[u8]) -> Option<Vec<Value>> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(mut whole)) if whole.contains_key("Records") => {
            match whole.remove("Records") {
                Some(Value::Array(records)) => Some(records),
                _ => None,
            }
        }
        Ok(Value::Array(records)) => Some(records),
        _ => {
            let lines =
                bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            lines.map(|line| serde_json::from_slice(line).ok()).collect()
        }
    }
}

impl Play {
    fn see(&mut self, observation: Option<Observation>) {
        let Some(observation) = observation else {
            self.unread += 1;
            return;
        };
        self.events += 1;
        self.last = self.last.max(Some(observation.time));
        let alerts = self.watch.observe(&observation);
        self.take(alerts);
    }

    fn take(&mut self, alerts: Vec<Alert>) {
        for alert in alerts {
            match alert.state {
                State::Firing => self.fired.push((alert, None)),
                State::Resolved => {
                    let begun = self.fired.iter_mut().rev();
                    let begun = begun
                        .filter(|(one, _)| one.fingerprint == alert.fingerprint)
                        .find(|(_, ended)| ended.is_none());
                    if let Some((one, ended)) = begun {
                        *ended = Some(alert.time);
                        *one = Alert { time: one.time, ..alert };
                    }
                }
            }
        }
    }

    fn finish(&mut self) {
        if let Some(last) = self.last {
            let alerts = self.watch.advance(last.plus_seconds(AFTERWARDS_SECONDS));
            self.take(alerts);
        }
        let since = self.since;
        self.fired.retain(|(alert, _)| since.is_none_or(|since| since <= alert.time));
    }

    fn report(&self, format: Format) {
        for (alert, ended) in &self.fired {
            match format {
                Format::Json => {
                    let mut told = facts(alert);
                    if let Some(told) = told.as_object_mut() {
                        let ended = ended.map(|ended| Value::Number(ended.wire()));
                        told.insert("Resolved".to_owned(), ended.unwrap_or_default());
                    }
                    output::json_line(&told);
                }
                Format::Text => {
                    let ended = ended.map_or_else(|| "-".to_owned(), written);
                    output::line(&format!(
                        "{}\t{ended}\t{}\t{alert}",
                        written(alert.time),
                        alert.severity.as_str()
                    ));
                }
            }
        }
        output::note(&format!(
            "{} alerts in {} events; {} records are no calls, or copies",
            self.fired.len(),
            self.events,
            self.unread
        ));
    }
}

fn written(time: Timestamp) -> String {
    let time = chrono::DateTime::from_timestamp(time.seconds(), 0).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
