//! `keyward bench-log`: what the event log does, without requests: appends from 1 to 256 writers in both durabilities
//! beside bare flushes of the same disk, lookups of 50 events by each field, verification, and what an event costs on
//! disk and in memory.
//!
//! Events are of the form and about the size of those of real requests, by 200 principals with 500 keys.
//! Machines differ and are noisy: read the ratios. Nothing here is a test.

use crate::{
    args::{BenchLog, Common},
    exit::{CliError, Exit},
    output::{self, Format},
};
use indicatif::{ProgressBar, ProgressStyle};
use keyward_server::{Brought, Config, StartError};
use keyward_store::{
    Commit, Durability, EventQuery, Extent, Silent, Statistics, Store, Ticket, directory_bytes,
};
use keyward_trail::query::{Query, filed_as, terms_of};
use keyward_types::{Event, EventSummary, Outcome, Timestamp};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

const WRITERS: &[usize] = &[1, 4, 16, 64, 256];
const PRINCIPALS: u64 = 200;
const KEYS: u64 = 500;
/// Events of one commit when a log is filled: about a group under load.
const GROUP: u64 = 64;
/// Commits under way when a log is filled.
const UNDER_WAY: usize = 8;
const START: i64 = 1_767_225_600_000;
/// Milliseconds between two events.
const APART: i64 = 50;
const ASKED: usize = 50;
/// Different questions of each kind.
const QUESTIONS: u64 = 20;
const HEADINGS: &[&str] = &["WHAT", "VALUE", "UNIT", "BESIDE", "RATIO"];

/// One line of the result.
struct Line {
    what: String,
    value: f64,
    unit: &'static str,
    /// What it is to be read beside, in the same unit.
    beside: Option<f64>,
}

impl Line {
    fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, beside: None }
    }

    fn beside(self, other: f64) -> Self {
        Self { beside: Some(other), ..self }
    }

    fn json(&self) -> Value {
        let ratio = self.beside.map(|beside| self.value / beside);
        json!({"What": self.what, "Value": self.value, "Unit": self.unit, "Beside": self.beside, "Ratio": ratio})
    }

    fn cells(&self) -> Vec<String> {
        let number = |value: f64| {
            if value < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
        };
        let beside = self.beside.map(number).unwrap_or_default();
        let ratio = self.beside.map(|beside| format!("{:.2}", self.value / beside));
        let unit = self.unit.to_owned();
        vec![self.what.clone(), number(self.value), unit, beside, ratio.unwrap_or_default()]
    }
}

pub(crate) fn run(common: &Common, options: &BenchLog) -> Result<Exit, CliError> {
    let home = match &options.at {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let home = home.map_err(CliError::failure)?;
    let mut lines = Vec::new();
    let mut say = |line: Line| {
        if common.output == Format::Json {
            output::json_line(&line.json());
        }
        lines.push(line);
    };
    if 0 < options.seconds {
        appends(home.path(), options.seconds, &mut say)?;
    }
    whole_log(&home.path().join("log"), options.events, &mut say)?;
    if common.output == Format::Text {
        let cells: Vec<Vec<String>> = lines.iter().map(Line::cells).collect();
        output::table(HEADINGS, &cells);
        let cores = thread::available_parallelism().map_or(0, usize::from);
        output::note(&format!("{cores} cores, {} events", options.events));
    }
    Ok(Exit::Ok)
}

fn failed(error: &StartError) -> CliError {
    CliError::failure(error)
}

fn config(data: &Path, durability: Durability) -> Config {
    Config { data: Some(data.to_owned()), durability, ..Config::dev() }
}

/// The next of a sequence that looks random and is always the same.
fn mixed(number: u64) -> u64 {
    let one = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let two = (one ^ (one >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    two ^ (two >> 31)
}

fn principal(number: u64) -> String {
    format!(
        "arn:aws:sts::111122223333:assumed-role/service-{:03}/i-0{:012x}",
        number % PRINCIPALS,
        mixed(number % PRINCIPALS) >> 16
    )
}

fn key(number: u64) -> String {
    format!(
        "arn:aws:kms:us-east-1:111122223333:key/{:08x}-1234-4234-8234-123456789012",
        number % KEYS
    )
}

/// A time-ordered id, as requests and events have them.
fn id(number: u64, salt: u64) -> uuid::Uuid {
    let time = u128::from(START.unsigned_abs() + number * APART.unsigned_abs());
    let low = u128::from(mixed(number ^ salt) >> 2);
    uuid::Uuid::from_u128(time << 80 | 7 << 76 | 2 << 62 | low)
}

fn event(number: u64) -> Event {
    let luck = mixed(number);
    let (principal, key) = (principal(luck), key(luck >> 20));
    let denied = (luck >> 40).is_multiple_of(100);
    let operation = match (luck >> 48) % 10 {
        0 => "Encrypt",
        1 | 2 => "GenerateDataKey",
        3 => "Sign",
        _ => "Decrypt",
    };
    let time = Timestamp(START + i64::try_from(number).unwrap_or(0) * APART);
    let (event_id, request_id) = (id(number, 1), id(number, 2));
    let when = chrono::DateTime::from_timestamp_millis(time.0).unwrap_or_default();
    let address = format!("10.{}.{}.7", luck % 4, (luck >> 8) % 64);
    let layers = json!([{"layer": "KeyPolicy", "effect": "Allow", "matched": [{"source": "key policy", "sid": format!("Allow{}", luck % 5), "index": luck % 5, "allow": true, "kind": "Principal"}]}]);
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": {"type": "AssumedRole", "principalId": format!("AROAEXAMPLE{:05}:session", luck % PRINCIPALS), "arn": principal, "accountId": "111122223333", "accessKeyId": format!("ASIAEXAMPLE{:09}", luck % 5_000)},
        "eventTime": when.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "eventSource": "kms.amazonaws.com", "eventName": operation, "awsRegion": "us-east-1",
        "sourceIPAddress": address, "userAgent": "aws-sdk-rust/1.3.9 os/linux lang/rust/1.91",
        "requestParameters": {"keyId": key, "encryptionContext": {"tenant": format!("t{}", luck % 1_000), "order": luck % 1_000_000}, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
        "responseElements": null,
        "additionalEventData": {"policyDecision": [{"effect": if denied { "Deny" } else { "Allow" }, "reason": "KeyPolicy", "rule": 9, "action": format!("kms:{operation}"), "resource": key, "checks": [{"checkType": "RESOURCE", "evaluatedEffect": "ALLOW"}], "layers": layers}]},
        "requestID": request_id, "eventID": event_id, "readOnly": true,
        "resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": key}],
        "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": "111122223333", "eventCategory": "Management",
    });
    if denied && let Some(members) = record.as_object_mut() {
        members.insert("errorCode".to_owned(), json!("AccessDenied"));
    }
    let summary = EventSummary {
        event_id,
        request_id,
        time,
        service: "kms",
        operation,
        outcome: Outcome::Success,
        account: "111122223333".to_owned(),
        principal_arn: principal,
        keys: vec![key],
    };
    let terms = terms_of(&record);
    Event { summary, record: record.to_string().into_bytes(), terms }
}

fn commit(store: &Store, events: Vec<Event>) -> Ticket {
    store.commit(Commit { snapshot: store.snapshot(), events, ..Commit::default() })
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per_second(count: u64, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other as f64
}

/// Writes of 4 KiB with a flush each, in a bare file.
fn flushes(folder: &Path, seconds: u64) -> Result<f64, CliError> {
    let path = folder.join("flushes");
    let file = File::create(&path).map_err(CliError::failure)?;
    let (started, mut count) = (now(), 0);
    while started.elapsed() < Duration::from_secs(seconds) {
        let written = file.write_all_at(&[7; 4_096], count * 4_096);
        written.and_then(|()| file.sync_data()).map_err(CliError::failure)?;
        count += 1;
    }
    let rate = per_second(count, started);
    fs::remove_file(&path).map_err(CliError::failure)?;
    Ok(rate)
}

fn appends(home: &Path, seconds: u64, say: &mut dyn FnMut(Line)) -> Result<(), CliError> {
    let events: Vec<Event> = (0..1_000).map(event).collect();
    let mut bare = flushes(home, seconds)?;
    say(Line::new("flushes of a bare file", bare, "flushes/s"));
    for durability in [Durability::Commit, Durability::Relaxed] {
        for writers in WRITERS {
            let data = home.join("appends");
            let opened = keyward_server::open(&config(&data, durability), &Silent);
            let opened = opened.map_err(|error| failed(&error))?;
            let store = opened.engine.store();
            let before = store.statistics();
            let appended = append(store, &events, *writers, seconds);
            let Statistics { groups, .. } = store.statistics();
            let groups = per_second(groups - before.groups, appended.1);
            let name = match durability {
                Durability::Commit => "commit",
                Durability::Relaxed => "relaxed",
            };
            say(Line::new(format!("appends, {name}, {writers} writers"), appended.0, "events/s"));
            if durability == Durability::Commit {
                // The disk is not the same from one minute to the next.
                bare = f64::midpoint(bare, flushes(home, 1)?);
                say(Line::new(format!("  its groups, {writers} writers"), groups, "flushes/s")
                    .beside(bare));
            }
            drop(opened);
            fs::remove_dir_all(&data).map_err(CliError::failure)?;
        }
    }
    Ok(())
}

/// Events a second, and when it began.
fn append(store: &Store, events: &[Event], writers: usize, seconds: u64) -> (f64, Instant) {
    let (stop, total) = (AtomicBool::new(false), AtomicU64::new(0));
    let started = now();
    thread::scope(|scope| {
        for writer in 0..writers {
            let (stop, total) = (&stop, &total);
            scope.spawn(move || {
                for event in events.iter().cycle().skip(writer * 17) {
                    let done = commit(store, vec![event.clone()]).wait();
                    if done.is_err() || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    total.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::park_timeout(Duration::from_secs(seconds));
        stop.store(true, Ordering::Relaxed);
    });
    (per_second(total.load(Ordering::Relaxed), started), started)
}

fn whole_log(data: &Path, events: u64, say: &mut dyn FnMut(Line)) -> Result<(), CliError> {
    let config = config(data, Durability::Relaxed);
    let opened = keyward_server::open(&config, &Silent).map_err(|error| failed(&error))?;
    let engine = &opened.engine;
    let store = engine.store();
    let started = now();
    fill(store, events)?;
    say(Line::new("filling, one writer", per_second(events, started), "events/s"));
    let first: u64 = (0..1_000).map(|number| event(number).record.len() as u64).sum();
    say(Line::new("an event's record", ratio(first, 1_000), "bytes"));
    say(Line::new(
        "journal, as written",
        ratio(directory_bytes(&data.join("journal")), events),
        "bytes/event",
    ));
    say(Line::new("memory while it was filled", resident("VmHWM")?, "MiB"));
    let started = now();
    store.close_segment().map_err(CliError::failure)?;
    let sealed = engine.seal_segments().map_err(CliError::failure)?;
    say(Line::new(
        format!("sealing of {sealed} segments"),
        per_second(events, started),
        "events/s",
    ));
    say(Line::new(
        "journal, sealed",
        ratio(directory_bytes(&data.join("journal")), events),
        "bytes/event",
    ));
    drop(opened);
    say(Line::new(
        "sled: blocks, index, tree",
        ratio(directory_bytes(&data.join("sled")), events),
        "bytes/event",
    ));

    let started = now();
    let opened = keyward_server::open(&config, &Silent).map_err(|error| failed(&error))?;
    say(Line::new("start", started.elapsed().as_secs_f64() * 1_000.0, "ms"));
    lookups(opened.engine.store(), events, say)?;
    say(Line::new("memory after lookups", resident("VmRSS")?, "MiB"));
    drop(opened);

    // The copy is made on the disk that is measured.
    let scratch = data.parent().unwrap_or(data).to_owned();
    let extents = [
        (Extent::Journal, "verifying the journal, its tree and checkpoints"),
        (Extent::Store { scratch }, "the same, and sled and the vault with it"),
    ];
    for (extent, what) in extents {
        let started = now();
        let verified = keyward_server::verify(&config, &extent, &Silent, &Brought::default());
        let verified = verified.map_err(|error| failed(&error))?;
        say(Line::new(what, per_second(verified.store.events, started), "events/s"));
    }
    Ok(())
}

fn fill(store: &Store, events: u64) -> Result<(), CliError> {
    let bar = ProgressBar::new(events);
    if let Ok(style) = ProgressStyle::with_template("filling {wide_bar} {percent}%") {
        bar.set_style(style);
    }
    let mut under_way: VecDeque<Ticket> = VecDeque::new();
    let mut first = 0;
    while first < events {
        let next = (first + GROUP).min(events);
        under_way.push_back(commit(store, (first..next).map(event).collect()));
        if UNDER_WAY <= under_way.len()
            && let Some(oldest) = under_way.pop_front()
        {
            oldest.wait().map_err(CliError::failure)?;
        }
        first = next;
        bar.set_position(first);
    }
    for ticket in under_way {
        ticket.wait().map_err(CliError::failure)?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// What is asked by each field, of one of many values.
fn question(field: &str, luck: u64, events: u64) -> String {
    let some = event(luck % events);
    match field {
        "principal" => format!("principal:{}", some.summary.principal_arn),
        "key" => format!("key:{}", some.summary.keys.concat()),
        "op" => format!("op:{}", some.summary.operation),
        "result" => "result:denied".to_owned(),
        "ctx.tenant" => format!("ctx.tenant:t{}", luck % 1_000),
        "ip" => format!("ip:10.{}.{}.7", luck % 4, (luck >> 8) % 64),
        "statement" => format!("statement:Allow{}", luck % 5),
        _ => format!("principal:{} result:denied op:Sign", some.summary.principal_arn),
    }
}

fn lookups(store: &Store, events: u64, say: &mut dyn FnMut(Line)) -> Result<(), CliError> {
    let ask = |query: EventQuery| {
        let started = now();
        let found = store.events(&query).map_err(CliError::failure)?;
        Ok::<_, CliError>((started.elapsed().as_secs_f64() * 1_000.0, found.len()))
    };
    for field in
        ["principal", "key", "op", "result", "ctx.tenant", "ip", "statement", "three of them"]
    {
        let mut times = Vec::new();
        for number in 0..QUESTIONS {
            let text = question(field, mixed(number), events);
            let query =
                Query::parse(&text).map_err(|error| CliError::failure(error.to_string()))?;
            let narrowing = query.narrowing(Timestamp(START));
            let clauses: Vec<Vec<u64>> =
                narrowing.clauses.iter().map(|clause| filed_as(clause)).collect();
            for newest_first in [true, false] {
                let query = EventQuery {
                    newest_first,
                    limit: ASKED,
                    clauses: clauses.clone(),
                    ..EventQuery::default()
                };
                times.push(ask(query)?.0);
            }
        }
        say_times(say, field, times);
    }
    let mut times = Vec::new();
    for number in 0..QUESTIONS {
        let at = i64::try_from(mixed(number) % events).unwrap_or(0);
        let from = Some(Timestamp(START + at * APART));
        times.push(ask(EventQuery { limit: ASKED, from, ..EventQuery::default() })?.0);
    }
    say_times(say, "time", times);
    let mut times = Vec::new();
    for number in 0..QUESTIONS {
        let started = now();
        let found = store.event_by_id(id(mixed(number) % events, 1)).map_err(CliError::failure)?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        if found.is_none() {
            return Err(CliError::failure("an event is not found by its id"));
        }
    }
    say_times(say, "id", times);
    Ok(())
}

fn say_times(say: &mut dyn FnMut(Line), field: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |place: usize| times.get(place).copied().unwrap_or_default();
    say(Line::new(format!("lookup of {ASKED} by {field}, median"), at(times.len() / 2), "ms"));
    say(Line::new(format!("lookup of {ASKED} by {field}, slowest"), at(times.len() - 1), "ms"));
}

/// Memory of this process, by the kernel's name for it, in MiB.
fn resident(name: &str) -> Result<f64, CliError> {
    let status = fs::read_to_string("/proc/self/status").map_err(CliError::failure)?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.map(|kib| kib / 1_024.0).ok_or_else(|| CliError::failure("the kernel does not say"))
}
