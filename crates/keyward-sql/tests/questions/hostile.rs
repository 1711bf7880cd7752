//! Statements that mean harm: each is refused, or ends when its time is over, and the next one is answered.

use crate::{log, put};
use keyward_sql::{
    EventSource, Page, Question, SQL_BYTES_MAX, Scan, SourceError, SourceEvent, SqlError, ask,
};
use serde_json::{Map, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

fn source() -> Arc<log::Memory> {
    Arc::new(log::Memory::new(log::log(7, 500), false))
}

#[test]
fn nothing_but_reading_is_done() {
    let source = source();
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join("stolen.db");
    let file = file.display();
    for sql in [
        &format!("ATTACH '{file}' AS stolen"),
        &format!("VACUUM INTO '{file}'"),
        &format!("SELECT load_extension('{file}')"),
        &format!("SELECT writefile('{file}', 'x')"),
        &format!("SELECT readfile('{file}')"),
        "DETACH main",
        "CREATE TABLE t(a)",
        "CREATE TEMP TABLE t AS SELECT * FROM events",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TEMP VIEW v AS SELECT 1",
        "CREATE TEMP TRIGGER t AFTER INSERT ON events BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE f USING fts5(a)",
        "CREATE VIRTUAL TABLE e USING events",
        "CREATE INDEX i ON events(seq)",
        "INSERT INTO events(seq) VALUES (1)",
        "INSERT INTO events(seq) VALUES (1) RETURNING seq",
        "UPDATE events SET seq = 1",
        "DELETE FROM events RETURNING seq",
        "DROP TABLE events",
        "ALTER TABLE events RENAME TO e",
        "REINDEX",
        "ANALYZE",
        "VACUUM",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT a",
        "PRAGMA query_only = 0",
        "PRAGMA writable_schema = 1",
        "PRAGMA trusted_schema = 1",
        "PRAGMA hard_heap_limit = 0",
        "PRAGMA temp_store_directory = '/'",
        "PRAGMA temp_store = 1",
        "PRAGMA database_list",
        "PRAGMA journal_mode = WAL",
        "PRAGMA module_list",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM dbstat",
        "SELECT * FROM sqlite_dbpage",
        "SELECT fts3_tokenizer('simple')",
        "SELECT sqlite_version()",
        "SELECT randomblob(8)",
        "SELECT zeroblob(1000000)",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE events",
        "",
        "-- nothing",
        ";",
        "SELECT",
        "SELECT 1 FROM nowhere",
        "SELECT '\0'",
        "SELECT 1\0; DROP TABLE events",
    ] {
        let refused = put(&source, sql, &json!({}));
        assert!(matches!(refused, Err(SqlError::Invalid(_))), "{sql:?}: {refused:?}");
    }
    assert_eq!(std::fs::read_dir(here.path()).unwrap().count(), 0, "something was written");
    let seen =
        put(&source, "SELECT name FROM pragma_table_info('events') LIMIT 1", &json!({})).unwrap();
    assert_eq!(seen.rows, [[json!("seq")]]);
    assert_eq!(
        put(&source, "SELECT count(*) FROM events;", &json!({})).unwrap().rows,
        [[json!(500)]]
    );
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let source = source();
    let deep = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let sum = format!("SELECT {}1", "1+".repeat(5_000));
    let nested = (0..60)
        .fold("SELECT 1 AS a".to_owned(), |sql, _| format!("SELECT a FROM ({sql}) GROUP BY a"));
    let unions = vec!["SELECT 1"; 200].join(" UNION ALL ");
    let joins = format!("SELECT 1 FROM {}", vec!["events"; 100].join(", "));
    let columns = format!("SELECT {}", vec!["1"; 1_000].join(", "));
    let arguments = format!("SELECT max({})", vec!["1"; 1_000].join(", "));
    let long = format!("SELECT '{}'", "x".repeat(SQL_BYTES_MAX));
    for sql in [deep, sum, unions, joins, columns, arguments, long] {
        let refused = put(&source, &sql, &json!({}));
        let shown: String = sql.chars().take(40).collect();
        assert!(matches!(refused, Err(SqlError::Invalid(_))), "{shown}: {refused:?}");
    }
    // Deep, and harmless: an answer or a refusal.
    drop(put(&source, &nested, &json!({})));
    let many: Map<String, _> = (0..1_000).map(|i| (format!("p{i}"), json!(1))).collect();
    let sql = format!(
        "SELECT {}",
        many.keys().map(|name| format!(":{name}")).collect::<Vec<_>>().join("+")
    );
    assert!(matches!(put(&source, &sql, &json!(many)), Err(SqlError::Invalid(_))));
}

/// Asks with so many looks at the clock, and says how many were taken.
fn bounded(sql: &str, looks: u64) -> (Result<keyward_sql::Answer, SqlError>, u64) {
    let taken = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&taken);
    let parameters = Map::new();
    let question = Question { sql, parameters: &parameters, now: log::NOW, rows_max: 1_000 };
    let over = move || looks < counted.fetch_add(1, Ordering::Relaxed);
    let answer = ask(source(), &question, Arc::new(over));
    (answer, taken.load(Ordering::Relaxed))
}

#[test]
fn what_does_not_end_is_ended() {
    for sql in [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0",
        "WITH RECURSIVE n(a, b) AS (SELECT 1, 1 UNION SELECT a + 1, b FROM n UNION SELECT a, b + 1 FROM n) SELECT max(a) FROM n",
        "SELECT count(*) FROM events a, events b, events c, events d, events e, events f",
        "SELECT count(*) FROM events a JOIN events b ON a.record < b.record JOIN events c ON b.record < c.record JOIN events d",
        "SELECT (SELECT count(*) FROM events b WHERE b.record LIKE '%' || a.name || '%' AND (SELECT count(*) FROM events c, events d WHERE c.seq + d.seq + b.seq > a.seq) > 0) FROM events a",
    ] {
        let (answer, looks) = bounded(sql, 300);
        assert!(matches!(answer, Err(SqlError::Expired)), "{sql}: {answer:?}");
        assert!(looks <= 310, "{sql} went on for {looks} looks");
    }
}

/// SQLite looks at the clock between instructions only, so that none of them may take long: here ten in a row,
/// each over texts as long as they get. With SQLite's own functions some of these take minutes.
#[test]
fn no_single_step_takes_long() {
    let source = source();
    let needle = "substr(t, 1, 200000) || 'b'";
    let wild = format!("'{}b'", "%a".repeat(120));
    let glob = format!("'{}b'", "*a".repeat(120));
    for step in [
        &format!("instr(t, {needle})"),
        &format!("replace(t, {needle}, 'c')"),
        "replace(t, 'a', t)",
        "trim(t || 'b', t)",
        "ltrim(t, 'b' || t)",
        "rtrim(t, 'b' || t)",
        &format!("t LIKE {wild}"),
        &format!("t GLOB {glob}"),
        "json_valid('[' || t)",
        "length(hex(substr(t, 1, 200000)))",
        "upper(t) = lower(t)",
    ] {
        let sql = format!(
            "WITH s AS MATERIALIZED (SELECT printf('%.*c', 450000, 'a') || value AS t \
             FROM json_each('[0,1,2,3,4,5,6,7,8,9]')) SELECT count({step}) FROM s"
        );
        #[expect(clippy::disallowed_methods, reason = "a test of how long something takes")]
        let begun = std::time::Instant::now();
        let answer = put(&source, &sql, &json!({}));
        let took = begun.elapsed();
        assert!(matches!(&answer, Ok(_) | Err(SqlError::TooLarge)), "{step}: {answer:?}");
        assert!(took < Duration::from_secs(5), "{step} took {took:?}");
    }
}

/// A log that cannot be read.
struct Broken;

impl EventSource for Broken {
    fn total(&self) -> u64 {
        3
    }

    fn scan(&self, _scan: &Scan<'_>) -> Result<Page, SourceError> {
        Err(SourceError("a block is damaged".to_owned()))
    }
}

/// A log with records that are none.
struct Strange;

impl EventSource for Strange {
    fn total(&self) -> u64 {
        3
    }

    fn scan(&self, _scan: &Scan<'_>) -> Result<Page, SourceError> {
        let records: [&[u8]; 3] =
            [b"\xff", b"{\"eventName\": 7}", b"{\"eventName\":\"Sign\",\"resources\":null}"];
        let event = |(seq, record): (u64, &&[u8])| SourceEvent {
            seq,
            time: log::NOW,
            record: record.to_vec(),
            is_withheld: false,
        };
        Ok(Page { events: (0..).zip(&records).map(event).collect(), next: None })
    }
}

#[test]
fn a_log_that_is_damaged_is_said_to_be() {
    let parameters = Map::new();
    let sql = "SELECT seq, name, keys, reason FROM events";
    let question = Question { sql, parameters: &parameters, now: log::NOW, rows_max: 10 };
    let broken = ask(Arc::new(Broken), &question, Arc::new(|| false));
    assert!(
        matches!(&broken, Err(SqlError::Source(error)) if error.0.contains("damaged")),
        "{broken:?}"
    );
    let strange = ask(Arc::new(Strange), &question, Arc::new(|| false)).unwrap();
    assert_eq!(
        strange.rows.iter().map(|row| row[1].clone()).collect::<Vec<_>>(),
        [json!(null), json!(null), json!("Sign")]
    );
}

/// Statements that are short, and double with each of their levels or tables while they are prepared.
#[test]
fn what_expands_is_ended_too() {
    let levels = |levels: usize, part: &str| {
        let part = |level: usize| {
            part.replace("HERE", &format!("a{level}")).replace("BELOW", &format!("a{}", level - 1))
        };
        let parts: Vec<String> = (1..levels).map(part).collect();
        format!("WITH a0(x) AS (SELECT 1), {} SELECT x FROM a{}", parts.join(", "), levels - 1)
    };
    let tables: Vec<String> = (0..60).map(|i| format!("events e{i}")).collect();
    let pair = |i: usize| format!("e{i}.seq = e{}.seq AND e{i}.name = e{}.name", i + 1, i * 7 % 60);
    let pairs: Vec<String> = (0..45).map(pair).collect();
    let mut statements =
        vec![format!("SELECT 1 FROM {} WHERE {}", tables.join(", "), pairs.join(" AND "))];
    for part in [
        "HERE(x) AS (SELECT max(p.x) FROM BELOW p JOIN BELOW q ON p.x = q.x GROUP BY q.x)",
        "HERE(x) AS (SELECT x FROM BELOW UNION SELECT x + 1 FROM BELOW)",
        "HERE(x) AS (SELECT (SELECT x FROM BELOW) + (SELECT x FROM BELOW))",
    ] {
        statements.extend([4, 8, 16, 32].map(|number| levels(number, part)));
    }
    for sql in statements {
        #[expect(clippy::disallowed_methods, reason = "a test of how long something takes")]
        let begun = std::time::Instant::now();
        let (answer, _) = bounded(&sql, 300);
        let took = begun.elapsed();
        let is_fine = matches!(&answer, Ok(_) | Err(SqlError::Expired | SqlError::Invalid(_)));
        assert!(is_fine, "{sql}: {answer:?}");
        assert!(took < Duration::from_secs(5), "{sql} took {took:?}");
    }
}
