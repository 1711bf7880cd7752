//! The pack against a plain computation of the same, plans against their absence, and hostile statements.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it does not expect"
)]

mod hostile;
mod log;
mod naive;

use keyward_sql::{Answer, Question, SqlError, ask, named, pack};
use log::{ACCOUNT, Memory, NOW};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

/// `KEYWARD_SEED=0x…` gives another; a failure prints the one that it had.
fn seed() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test is asked for a seed so")]
    let given = std::env::var("KEYWARD_SEED").ok();
    let read = |text: String| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    given.map_or(0x6b65_7977_6172_6421, read)
}

pub(crate) fn put(source: &Arc<Memory>, sql: &str, parameters: &Value) -> Result<Answer, SqlError> {
    let parameters = parameters.as_object().unwrap();
    let question = Question { sql, parameters, now: NOW, rows_max: 100_000 };
    ask(Arc::<Memory>::clone(source), &question, Arc::new(|| false))
}

fn asked(source: &Arc<Memory>, sql: &str) -> Vec<Vec<Value>> {
    put(source, sql, &json!({})).unwrap_or_else(|error| panic!("{sql}: {error}")).rows
}

#[test]
fn every_question_of_the_pack_answers_what_a_plain_computation_does() {
    const EVENTS: u64 = 1_500;
    let mut answered = BTreeSet::new();
    for (first, seed) in [(true, seed()), (false, 1), (false, 2)] {
        let mut events = log::log(seed, EVENTS);
        events.iter_mut().skip(1).step_by(97).for_each(|event| event.is_hidden = true);
        let seen: Vec<log::Ev> = events.iter().filter(|event| !event.is_hidden).cloned().collect();
        let cases = naive::cases(&seen);
        assert_eq!(
            cases.iter().map(|(name, ..)| *name).collect::<Vec<_>>(),
            pack().map(|named| named.name).collect::<Vec<_>>()
        );
        for is_generous in [false, true] {
            if is_generous && !first {
                continue;
            }
            let source = Arc::new(Memory::new(events.clone(), is_generous));
            for (name, with, expected) in &cases {
                let named = named(name).unwrap();
                let values = Value::Object(named.values(with, NOW).unwrap());
                let answer = put(&source, named.sql, &values)
                    .unwrap_or_else(|error| panic!("{name}, seed {seed:#x}: {error}"));
                if !expected.is_empty() {
                    answered.insert(*name);
                }
                for (i, (row, wanted)) in answer.rows.iter().zip(expected).enumerate() {
                    assert_eq!(
                        row, wanted,
                        "{name}, row {i}, seed {seed:#x}, {:?}",
                        answer.columns
                    );
                }
                assert_eq!(answer.rows.len(), expected.len(), "{name}, seed {seed:#x}");
                assert!(!answer.truncated);
            }
        }
    }
    assert_eq!(answered.len(), pack().count(), "a question found nothing in any log: {answered:?}");
}

#[test]
fn what_an_index_knows_is_not_read_in_full() {
    let source = Arc::new(Memory::new(log::log(seed(), 3_000), false));
    let events = &source.events;
    let keys = format!("key = '{}'", log::key(2));
    let day = NOW.0 - 86_400_000;
    let text = chrono::DateTime::from_timestamp_millis(day).unwrap().format("%Y-%m-%d").to_string();
    let with_key = events.iter().filter(|e| e.keys[0] == log::key(2)).count();
    let with_any = events.iter().filter(|e| e.keys.contains(&log::key(2))).count();
    let midnight = day - day.rem_euclid(86_400_000);
    let count = |test: &dyn Fn(&log::Ev) -> bool| events.iter().filter(|e| test(e)).count();
    for (table, condition, expected, most) in [
        ("events", keys.as_str(), with_key, with_any),
        ("event_keys", keys.as_str(), with_any, with_any),
        (
            "events",
            "principal = 'arn:aws:iam::111122223333:user/ann'",
            count(&|e| e.who.principal.ends_with("/ann")),
            900,
        ),
        (
            "events",
            "name = 'Sign' AND outcome = 'denied'",
            count(&|e| e.name == "Sign" && e.outcome() == "denied"),
            100,
        ),
        (
            "events",
            "name IN ('Sign', 'ListGrants')",
            count(&|e| ["Sign", "ListGrants"].contains(&e.name)),
            900,
        ),
        (
            "events",
            "error_code = 'IncorrectKeyException'",
            count(&|e| e.error == Some("IncorrectKeyException")),
            300,
        ),
        (
            "events",
            &format!("account = '{ACCOUNT}' AND time_ms > {day}"),
            count(&|e| day < e.ms),
            200,
        ),
        ("events", &format!("time >= '{text}'"), count(&|e| midnight <= e.ms), 300),
        (
            "events",
            &format!("time < '{text}' AND name = 'Sign'"),
            count(&|e| e.ms < midnight && e.name == "Sign"),
            600,
        ),
        ("events", "access_key_id = 'AKIAann'", count(&|e| e.who.principal.ends_with("/ann")), 900),
        ("events", "event_id = '0193aaaa-0000-7000-8000-00000000004d'", 1, 1),
        ("events", "request_id = '0193bbbb-0000-7000-8000-00000000004d'", 1, 1),
        ("events", "request_id = 'nothing'", 0, 0),
        ("events", "seq = 77", 1, 1),
        ("events", "rowid = 77", 1, 1),
        ("events", "seq BETWEEN 100 AND 109", 10, 64),
        ("events", "seq > 2990", 9, 64),
        ("events", "seq < 0", 0, 1),
        ("events", "seq = 3000", 0, 0),
        // What no index knows, or knows otherwise, is filtered by SQLite.
        ("events", "name = 'sign' COLLATE NOCASE", count(&|e| e.name == "Sign"), 3_000),
        (
            "events",
            "principal = 'backup.amazonaws.com'",
            count(&|e| e.who.kind == "AWSService"),
            3_000,
        ),
        ("events", "seq > 2990.5", 9, 3_000),
        ("events", "seq = '77'", 1, 3_000),
        (
            "event_keys",
            &format!("{keys} OR seq < 50"),
            count(&|e| e.keys.contains(&log::key(2)) && 50 <= e.seq)
                + events.iter().take(50).map(|e| e.keys.len()).sum::<usize>(),
            6_000,
        ),
    ] {
        source.handed_over.store(0, Ordering::Relaxed);
        let rows = asked(&source, &format!("SELECT count(*) FROM {table} WHERE {condition}"));
        let read = source.handed_over.load(Ordering::Relaxed);
        assert_eq!(rows, [[json!(expected)]], "{condition}, seed {:#x}", seed());
        assert!(read <= most, "{condition} read {read} events");
    }
}

/// One comparison of a column with a value that some event has, or nearly.
fn comparison(luck: &mut log::Luck, events: &[log::Ev], table: &str) -> String {
    let event = luck.pick(events).clone();
    let op = *luck.pick(&["=", "=", "=", "<", "<=", ">", ">=", "<>", "IS NOT"]);
    let near = i64::try_from(luck.below(3)).unwrap() - 1;
    let of_both = luck.below(4);
    let text = |column: &str, value: &str| format!("{column} {op} '{value}'");
    match (table, of_both) {
        (_, 0) => format!("seq {op} {}", i64::try_from(event.seq).unwrap() + near),
        (_, 1) => format!("time_ms {op} {}", event.ms + near),
        ("event_keys", _) => text("key", &event.keys[0]),
        ("contexts", 2) => text("name", "tenant"),
        ("contexts", _) => text("value", "t1"),
        _ => match luck.below(9) {
            0 => text("key", &event.keys[0]),
            1 => text("principal", &event.who.principal),
            2 => text("name", event.name),
            3 => text("outcome", event.outcome()),
            4 => text("error_code", event.error.unwrap_or("AccessDenied")),
            5 => text("account", ACCOUNT),
            6 => text("time", event.time().get(..*luck.pick(&[4, 10, 13, 19, 20])).unwrap()),
            7 => format!("name IN ('{}', '{}')", event.name, luck.pick(events).name),
            _ => format!("rowid {op} {}", event.seq),
        },
    }
}

#[test]
fn a_plan_finds_what_a_full_reading_finds() {
    let source = Arc::new(Memory::new(log::log(seed(), 300), false));
    let mut luck = log::Luck(seed() | 1);
    for _ in 0..200 {
        let table = *luck.pick(&["events", "events", "event_keys", "contexts"]);
        let mut condition = comparison(&mut luck, &source.events, table);
        for _ in 0..luck.below(4) {
            let joint = if luck.one_in(3) { "OR" } else { "AND" };
            let more = comparison(&mut luck, &source.events, table);
            condition = format!("({condition}) {joint} {more}");
        }
        let order = *luck.pick(&["seq", "seq DESC", "time_ms, seq", "seq, time_ms DESC"]);
        // Rows of one event come in no order of their own: of them only how many there are is asked.
        let more = if table == "events" { "" } else { ", count(*) OVER (PARTITION BY seq)" };
        let columns = format!("seq, time_ms{more}");
        let planned = format!("SELECT {columns} FROM {table} WHERE {condition} ORDER BY {order}");
        let of_table = match table {
            "events" => "seq, time_ms, time, key, principal, name, outcome, error_code, account",
            "event_keys" => "seq, time_ms, key",
            _ => "seq, time_ms, name, value",
        };
        // A row id is none outside of the table.
        let full = format!(
            "WITH whole AS MATERIALIZED (SELECT {of_table}, rowid AS rowid FROM {table}) \
             SELECT {columns} FROM whole WHERE {condition} ORDER BY {order}"
        );
        assert_eq!(
            asked(&source, &planned),
            asked(&source, &full),
            "{planned}, seed {:#x}",
            seed()
        );
    }
}

#[test]
fn order_comes_from_the_log_and_a_limit_ends_the_reading() {
    let source = Arc::new(Memory::new(log::log(seed(), 3_000), false));
    let newest = asked(&source, "SELECT seq FROM events ORDER BY seq DESC LIMIT 3");
    assert_eq!(newest, [[json!(2999)], [json!(2998)], [json!(2997)]]);
    assert!(source.handed_over.load(Ordering::Relaxed) <= 64);
    assert_eq!(asked(&source, "SELECT seq FROM events LIMIT 2"), [[json!(0)], [json!(1)]]);
    let both = asked(
        &source,
        "SELECT seq FROM events WHERE name IN ('Sign', 'Decrypt') ORDER BY seq DESC",
    );
    assert!(both.windows(2).all(|pair| pair[1][0].as_i64() < pair[0][0].as_i64()));
    assert!(100 < both.len());
}

#[test]
fn a_join_by_number_reads_the_log_once_or_ahead() {
    let source = Arc::new(Memory::new(log::log(seed(), 3_000), false));
    let keys: usize = source.events.iter().map(|e| e.keys.len()).sum();
    let last = source.events[2_999].keys.len();
    for (sql, expected, most) in [
        // The event looked up is the one at hand.
        ("SELECT count(*) FROM event_keys AS k JOIN events AS e ON e.seq = k.seq", keys, 3_000),
        // The next one is read ahead.
        (
            "SELECT count(*) FROM event_keys AS k JOIN events AS e ON e.seq = k.seq + 1",
            keys - last,
            6_300,
        ),
    ] {
        source.handed_over.store(0, Ordering::Relaxed);
        assert_eq!(asked(&source, sql), [[json!(expected)]]);
        let read = source.handed_over.load(Ordering::Relaxed);
        assert!(read <= most, "{sql} read {read} events");
    }
}

#[test]
fn columns_say_what_the_record_says() {
    let source = Arc::new(Memory::new(log::log(seed(), 3_000), false));
    let columns: Vec<&str> = keyward_sql::columns().map(|(name, ..)| name).collect();
    let sql = format!("SELECT {} FROM events", columns.join(", "));
    for (row, event) in asked(&source, &sql).iter().zip(&source.events) {
        let said: Map<String, Value> =
            columns.iter().map(|name| (*name).to_owned()).zip(row.iter().cloned()).collect();
        let record = event.record();
        let json = |value: &Value| (!value.is_null()).then(|| value.to_string());
        let is_session = matches!(event.who.kind, "AssumedRole" | "AWSAccount");
        let matched = &record["additionalEventData"]["policyDecision"][0]["layers"][0];
        let denied = event.outcome() == "denied";
        let expected = json!({
            "seq": event.seq, "time": event.time(), "time_ms": event.ms,
            "event_id": record["eventID"], "request_id": record["requestID"],
            "source": "kms.amazonaws.com", "name": event.name, "region": "eu-west-1",
            "account": ACCOUNT, "principal_account": event.who.account,
            "principal_type": event.who.kind, "principal": event.who.principal,
            "principal_id": record["userIdentity"]["principalId"], "role": event.who.role,
            "session": is_session.then(|| event.who.principal.rsplit(['/', ':']).next().unwrap()),
            "mfa": event.who.mfa.map(i64::from), "access_key_id": event.who.access_key,
            "source_ip": event.ip, "user_agent": "aws-cli/2", "read_only": i64::from(event.read_only),
            "error_code": event.error, "error_message": event.error.map(|_| "it was not to be"),
            "outcome": event.outcome(), "key": event.keys[0], "keys": json!(event.keys).to_string(),
            "grant_id": event.grant_id, "used_grant": event.used_grant,
            "statements": json!([{
                "layer": matched["layer"], "source": matched["matched"][0]["source"],
                "sid": matched["matched"][0]["sid"], "index": 0, "allow": true,
            }]).to_string(),
            "reason": if denied { "NotAllowed KeyPolicy" } else { "DelegatedToIam" },
            "encryption_context": event.context_json(), "parameters": json(&record["requestParameters"]),
            "response": json(&record["responseElements"]), "record": record.to_string(),
        });
        assert_eq!(Value::Object(said), expected, "seed {:#x}", seed());
    }
    let pairs: Vec<Vec<Value>> = source
        .events
        .iter()
        .flat_map(|e| {
            e.context.iter().map(|(name, value)| vec![json!(e.seq), json!(name), json!(value)])
        })
        .collect();
    assert_eq!(asked(&source, "SELECT seq, name, value FROM contexts"), pairs);
    assert!(100 < pairs.len());
}

#[test]
fn policy_text_is_withheld_from_every_column() {
    let mut source = Memory::new(log::log(seed(), 500), false);
    source.is_withheld = true;
    let source = Arc::new(source);
    let rows = asked(&source, "SELECT used_grant, statements, reason, record FROM events");
    assert!(rows.iter().all(|row| row[0].is_null() && row[1].is_null()));
    assert!(rows.iter().all(|row| row[2].is_string()), "that it was refused, and why, is told");
    let record = |row: &Vec<Value>| row[3].as_str().unwrap().to_owned();
    assert!(rows.iter().all(|row| !record(row).contains("\"sid\"")));
    assert!(rows.iter().all(|row| record(row).contains("withheld")));
    let search = "SELECT count(*) FROM events WHERE record LIKE '%\"sid\"%'";
    assert_eq!(asked(&source, search), [[json!(0)]]);
    let tree = "SELECT count(*) FROM events, json_tree(record) AS t WHERE t.key = 'sid'";
    assert_eq!(asked(&source, tree), [[json!(0)]]);
}

#[test]
fn parameters_are_all_given_and_all_used() {
    let source = Arc::new(Memory::new(log::log(seed(), 100), false));
    let rows = put(
        &source,
        "SELECT :a, :b, :c, :d, :now",
        &json!({"a": "x' OR 1", "b": 7, "c": null, "d": 1.5}),
    );
    assert_eq!(
        rows.unwrap().rows,
        [[json!("x' OR 1"), json!(7), Value::Null, json!(1.5), json!(NOW.0)]]
    );
    for (sql, with) in [
        ("SELECT :a", json!({})),
        ("SELECT 1", json!({"a": 1})),
        ("SELECT ?", json!({})),
        ("SELECT ?1", json!({"1": 1})),
        ("SELECT :a", json!({"a": [1]})),
    ] {
        assert!(matches!(put(&source, sql, &with), Err(SqlError::Invalid(_))), "{sql} {with}");
    }
    let timeline = named("key-timeline").unwrap();
    for bad in [
        json!({}),
        json!({"key": 1, "color": "red"}),
        json!({"key": "k", "since": "soon"}),
        json!({"key": []}),
    ] {
        assert!(timeline.values(bad.as_object().unwrap(), NOW).is_err(), "{bad}");
    }
    assert!(named("no-such").is_none());
}
