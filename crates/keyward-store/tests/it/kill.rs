//! `kill -9` at random moments: a child writes and says what was acknowledged, the parent kills it and looks.

use crate::house::*;
use keyward_store::{Commit, Options, Silent, Store};
use keyward_types::Record;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

const HOME: &str = "KEYWARD_STORE_TEST_HOME";
const IN_FLIGHT: u64 = 8;

/// The commit that brings event `n`: one of ten keys gets `n` as its description, and a new data-encryption key.
fn nth(n: u64) -> Commit {
    let key = u32::try_from(n % 10).unwrap();
    let mut changes = vec![put_key(key, &n.to_string())];
    if n.is_multiple_of(7) {
        changes.push(put(Record::Dek(dek(key, n.to_string().as_bytes()))));
    }
    Commit { changes, events: vec![event(n, "Sign", key)], ..Commit::default() }
}

/// Not a test of its own: what the parent below starts and kills.
#[test]
#[ignore = "the child of the next test"]
fn writing_child() {
    #[expect(clippy::disallowed_methods, reason = "the parent says where by the environment")]
    let Ok(home) = std::env::var(HOME) else { return };
    let store = open(Options {
        segment_bytes: 200_000,
        tick: std::time::Duration::from_millis(20),
        ..options(home.as_ref())
    });
    let mut out = std::io::stdout();
    let mut n = store.events_total();
    loop {
        let tickets: Vec<_> = (n..n + IN_FLIGHT).map(|n| store.commit(nth(n))).collect();
        for ticket in tickets {
            ticket.wait().unwrap();
            n += 1;
            writeln!(out, "acknowledged {n}").unwrap();
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let home = tempfile::tempdir().unwrap();
    create(options(home.path())).close().unwrap();
    let mut total = 0;
    for round in 0..20_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "kill::writing_child",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(HOME, home.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = total;
        let mut hear = |line: String| {
            if let Some((_, n)) = line.split_once("acknowledged ") {
                acknowledged = n.parse().unwrap();
            }
        };
        for _ in 0..30 + round * 37 % 400 {
            hear(lines.next().unwrap().unwrap());
        }
        child.kill().unwrap();
        lines.map_while(Result::ok).for_each(&mut hear);
        child.wait().unwrap();

        let store = open(options(home.path()));
        total = store.events_total();
        assert!(total >= acknowledged, "round {round}: {total} of {acknowledged}");
        check(&store, total);
        store.abandon();
    }
    let store = open(options(home.path()));
    check(&store, total);
    store.close().unwrap();
    let verified = Store::verify(&options(home.path()), |_| Ok(sealer()), &Silent).unwrap();
    assert_eq!(verified.events, total);
}

/// Events and keys must tell the same story: neither half of a commit without the other.
fn check(store: &Store, total: u64) {
    let events = all_events(store);
    assert_eq!(events.len() as u64, total);
    for (n, stored) in (0..).zip(&events) {
        assert_eq!(stored.record, nth(n).events[0].record);
    }
    for key in 0..10_u32 {
        let last = (0..total).rev().find(|n| n % 10 == u64::from(key));
        let found = store.key(&key_name(key)).unwrap().map(|key| key.description.clone());
        assert_eq!(found, last.map(|n| n.to_string()));
        let last = (0..total).rev().find(|n| n % 10 == u64::from(key) && n % 7 == 0);
        let found = store.dek(&key_name(key)).unwrap().map(|dek| dek.wrapped.clone());
        assert_eq!(found, last.map(|n| n.to_string().into_bytes()));
    }
}
