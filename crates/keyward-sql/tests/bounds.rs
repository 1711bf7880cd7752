//! What an answer may take: memory, rows, bytes.
//!
//! It is a program of its own, because SQLite's memory is counted for the whole process.

use keyward_sql::{
    Answer, EventSource, Page, Question, Scan, SourceError, SourceEvent, SqlError, ask,
};
use keyward_types::Timestamp;
use serde_json::Map;
use std::sync::Arc;

/// Five hundred events that say nothing.
struct Silence;

const EVENTS: u64 = 500;

impl EventSource for Silence {
    fn total(&self) -> u64 {
        EVENTS
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Page, SourceError> {
        let first = scan.after.map_or(0, |after| after + 1);
        let event = |seq| SourceEvent {
            seq,
            time: Timestamp(0),
            record: b"{}".to_vec(),
            is_withheld: false,
        };
        let events: Vec<SourceEvent> = (first..EVENTS).take(scan.limit).map(event).collect();
        let next = events.last().map(|event| event.seq).filter(|seq| seq + 1 < EVENTS);
        Ok(Page { events, next })
    }
}

fn put(sql: &str, rows_max: usize) -> Result<Answer, SqlError> {
    let parameters = Map::new();
    let question = Question { sql, parameters: &parameters, now: Timestamp(0), rows_max };
    ask(Arc::new(Silence), &question, Arc::new(|| false))
}

#[test]
fn memory_and_answers_are_bounded() {
    for sql in [
        // A text of a gigabyte, a sort of gigabytes, a table of gigabytes.
        "SELECT printf('%.*c', 1000000000, 'x')",
        "SELECT replace(printf('%.*c', 400000, 'x'), 'x', printf('%.*c', 400000, 'y'))",
        "WITH RECURSIVE n(t) AS (SELECT 'x' UNION ALL SELECT t || t FROM n) SELECT max(length(t)) FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT i FROM n ORDER BY printf('%.*c', 100000, 'x') || i",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000), t AS MATERIALIZED (SELECT i, printf('%.*c', 100000, 'x') AS x FROM n) SELECT count(*) FROM t a, t b WHERE a.i = b.i",
    ] {
        let answer = put(sql, 1_000);
        assert!(
            matches!(answer, Err(SqlError::TooLarge)),
            "{sql}: {:?}",
            answer.map(|a| a.rows.len())
        );
    }
    // And what was refused has given its memory back.
    let question = |sql: &str, rows_max| put(sql, rows_max).unwrap();
    let cut = question("SELECT seq FROM events", 10);
    assert!(cut.truncated && cut.rows.len() == 10);
    let whole = question("SELECT seq FROM events", 500);
    assert!(!whole.truncated && whole.rows.len() == 500);
    let wide = question("SELECT printf('%.*c', 400000, 'x') FROM events", 500);
    assert!(wide.truncated && wide.rows.len() < 50, "{} rows", wide.rows.len());
}
