//! Searches over several runs of the index, against a look at every event; also after events left, and after every kind
//! of start.

use crate::house::*;
use keyward_store::{EventQuery, Options, Silent, Store};
use keyward_types::event::Event;

const TOTAL: u64 = 40_000;

/// What an event is filed under: some terms that many have, some that few have, and one of its own.
fn terms(n: u64) -> Vec<(&'static str, String)> {
    let mut terms = vec![
        ("all", "yes".to_owned()),
        ("op", (n % 7).to_string()),
        ("key", (n % 331).to_string()),
        ("own", n.to_string()),
    ];
    if n.is_multiple_of(9_001) {
        terms.push(("rare", "yes".to_owned()));
    }
    terms
}

fn filed_event(n: u64) -> Event {
    let terms = terms(n);
    let named: Vec<(&str, &str)> = terms.iter().map(|(f, v)| (*f, v.as_str())).collect();
    Event { terms: filed(&named), ..event(n, "Decrypt", 1) }
}

type Asked = Vec<Vec<(&'static str, String)>>;

fn questions() -> Vec<Asked> {
    let one = |field, value: &str| vec![(field, value.to_owned())];
    vec![
        vec![one("all", "yes")],
        vec![one("op", "3")],
        vec![one("key", "17"), one("op", "5")],
        vec![[one("key", "3"), one("key", "300")].concat(), one("all", "yes")],
        vec![one("own", "16383")],
        vec![one("own", "16384")],
        vec![[one("own", "5"), one("own", "39999"), one("own", "20000")].concat()],
        vec![one("rare", "yes")],
        vec![one("rare", "yes"), one("op", "1")],
        vec![one("nothing", "yes")],
        vec![one("rare", "no"), one("all", "yes")],
    ]
}

/// Pages of a query, joined.
fn found(store: &Store, asked: &Asked, newest_first: bool, limit: usize) -> Vec<u64> {
    let digests = |clause: &Vec<(&str, String)>| {
        filed(&clause.iter().map(|(f, v)| (*f, v.as_str())).collect::<Vec<_>>())
    };
    let clauses: Vec<Vec<u64>> = asked.iter().map(digests).collect();
    let mut found: Vec<u64> = Vec::new();
    loop {
        let after = found.last().copied();
        let query = EventQuery {
            newest_first,
            after,
            limit,
            clauses: clauses.clone(),
            ..EventQuery::default()
        };
        let page = store.events(&query).unwrap();
        found.extend(page.iter().map(|event| event.seq));
        if page.len() < limit {
            return found;
        }
    }
}

fn check(store: &Store) {
    for asked in questions() {
        let is_it = |n: &u64| {
            let terms = terms(*n);
            asked.iter().all(|clause| clause.iter().any(|term| terms.contains(term)))
        };
        let mut wanted: Vec<u64> =
            (store.first_event()..store.events_total()).filter(is_it).collect();
        let limit = if wanted.len() < 1_000 { 7 } else { 9_999 };
        assert_eq!(found(store, &asked, false, limit), wanted, "{asked:?}");
        wanted.reverse();
        assert_eq!(found(store, &asked, true, limit), wanted, "{asked:?}");
    }
}

fn append(store: &Store, more: u64) {
    let numbers: Vec<u64> = (store.events_total()..store.events_total() + more).collect();
    for group in numbers.chunks(700) {
        write(store, vec![], group.iter().map(|n| filed_event(*n)).collect());
    }
}

#[test]
fn every_search_finds_what_a_look_at_each_event_finds() {
    let home = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 150_000, ..options(home.path()) };
    let verify = || Store::verify(&options, |_| Ok(sealer()), &Silent).unwrap();
    let store = create(options.clone());
    append(&store, 10_000);
    check(&store);
    append(&store, TOTAL - 10_000);
    check(&store);
    store.close().unwrap();
    assert_eq!(verify().events, TOTAL);
    let store = open(options.clone());
    check(&store);
    // Events leave, up to inside a run, and then up to inside the one that is open.
    let sealed = seal_all(&store);
    let last_before = |limit: u64| {
        let before = sealed.iter().rfind(|one| one.facts.events.1 <= limit);
        before.unwrap().facts.clone()
    };
    for limit in [5_000, 17_500, 30_000, 38_000] {
        let facts = last_before(limit);
        assert_eq!(store.drop_segments(facts.number).unwrap(), facts.events.1);
        check(&store);
    }
    assert!(32_768 < store.first_event());
    store.close().unwrap();
    verify();
    let store = open(options.clone());
    check(&store);
    append(&store, 12_000);
    check(&store);
    store.abandon();
    std::fs::remove_dir_all(home.path().join("sled")).unwrap();
    let store = open(options.clone());
    check(&store);
    store.close().unwrap();
    verify();
}
