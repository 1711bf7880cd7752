//! What was put is read, before and after a restart.

use crate::house::*;
use keyward_store::{Commit, EventQuery, Finding, Store, StoreError};
use keyward_types::{
    AcknowledgementRecord, AlertName, AlertRecord, AlertSettingsRecord, Change, FreezeRecord,
    FreezeTarget, KeyState, LastUsage, Name, ObserveEntry, ObserveRecord, ObserveTarget, Record,
    SilenceRecord, Timestamp,
};

fn usage(n: u64) -> LastUsage {
    let time = 1_700_000_000_000 + i64::try_from(n).unwrap();
    LastUsage {
        operation: "Decrypt".to_owned(),
        time: Timestamp(time),
        event_id: uuid_at(time, n),
        request_id: uuid_at(time, n + 1),
    }
}

fn check(store: &Store) {
    assert_eq!(store.key(&key_name(1)).unwrap().unwrap().description, "second");
    assert!(store.key(&key_name(9)).unwrap().is_none());
    let ids: Vec<_> = store.keys(&account(), &region(), None, 10).unwrap();
    assert_eq!(
        ids.iter().map(|k| k.name.clone()).collect::<Vec<_>>(),
        [key_name(1), key_name(2), key_name(3)]
    );
    let next = store.keys(&account(), &region(), Some(&key_name(1).key_id), 1).unwrap();
    assert_eq!(next[0].name, key_name(2));
    assert_eq!(store.keys_everywhere().count(), 3);
    assert_eq!(store.key_states().get(&KeyState::Enabled), Some(&2));
    assert_eq!(store.key_states().get(&KeyState::Disabled), Some(&1));
    assert_eq!(
        store.alias(&account(), &region(), &alias("a", 2).name).unwrap().unwrap().target,
        key_name(2)
    );
    assert!(store.aliases_of_key(&key_name(1)).unwrap().is_empty());
    assert_eq!(store.aliases_of_key(&key_name(2)).unwrap().len(), 1);
    assert_eq!(store.aliases(&account(), &region(), None, 10).unwrap().len(), 1);
    let candidates = store.grant_candidates(&key_name(1), &["arn:x", "arn:none"]).unwrap();
    assert_eq!(
        candidates.iter().map(|g| g.grant_id.as_str().to_owned()).collect::<Vec<_>>(),
        ["g1"]
    );
    assert_eq!(store.grant_count(&key_name(1)).unwrap(), 2);
    assert_eq!(store.grants_of_key(&key_name(1), None, 10).unwrap().len(), 2);
    assert_eq!(store.grants_by_name(&key_name(1), "name-g2").unwrap()[0].grant_id.as_str(), "g2");
    let retirable =
        store.grants_retirable_by("arn:aws:iam::111122223333:user/retirer", None, 10).unwrap();
    assert_eq!(retirable.len(), 2);
    let rest = store
        .grants_retirable_by(
            "arn:aws:iam::111122223333:user/retirer",
            Some((&retirable[0].key, &retirable[0].grant_id)),
            10,
        )
        .unwrap();
    assert_eq!(rest, retirable[1..]);
    assert_eq!(store.dek(&key_name(1)).unwrap().unwrap().wrapped, b"wrapped dek");
    assert_eq!(*store.last_usage(&key_name(1)).unwrap().unwrap(), usage(20));
    assert_eq!(
        store.material(&key_name(1), &material(1, vec![]).id).unwrap().unwrap().wrapped,
        vec![9; 50_000]
    );
}

fn fill(store: &Store) {
    write(store, vec![put_key(1, "first"), put_key(2, ""), put_key(3, "")], vec![]);
    write(
        store,
        vec![
            put_key(1, "second"),
            put(Record::Key(key(3, "", KeyState::Disabled))),
            put(Record::Alias(alias("a", 1))),
            put(Record::Dek(dek(1, b"wrapped dek"))),
            put(Record::Material(material(1, vec![9; 50_000]))),
        ],
        vec![],
    );
    write(store, vec![put(Record::Alias(alias("a", 2)))], vec![]);
    for (id, grantee) in [("g1", "arn:x"), ("g2", "arn:y"), ("g3", "arn:x")] {
        write(store, vec![put(Record::Grant(grant(1, id, grantee)))], vec![]);
    }
    assert_eq!(store.grant_candidates(&key_name(1), &["arn:x"]).unwrap().len(), 2);
    write(
        store,
        vec![Change::Delete(Name::Grant(key_name(1), grant(1, "g3", "").grant_id))],
        vec![],
    );
    write(
        store,
        vec![Change::Touch(key_name(1), usage(20)), Change::Touch(key_name(1), usage(10))],
        vec![],
    );
    write(store, vec![Change::Touch(key_name(1), usage(15))], vec![]);
}

#[test]
fn what_was_put_is_read_also_after_restarts() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    fill(&store);
    check(&store);
    assert_eq!(store.header().generation, 1);
    store.close().unwrap();

    let opened = try_open(options(home.path())).unwrap();
    assert_eq!(opened.report, []);
    assert_eq!(opened.store.header().generation, 2);
    check(&opened.store);
    opened.store.abandon();

    let opened = try_open(options(home.path())).unwrap();
    assert!(opened.report.contains(&Finding::UncleanStop), "{:?}", opened.report);
    check(&opened.store);
    opened.store.close().unwrap();

    std::fs::remove_dir_all(home.path().join("sled")).unwrap();
    let opened = try_open(options(home.path())).unwrap();
    assert!(matches!(opened.report[..], [Finding::Rebuilt { .. }]), "{:?}", opened.report);
    check(&opened.store);
}

#[test]
fn deleting_a_set_deletes_its_members_and_their_indexes() {
    let store = Store::temporary(sealer(), keyward_store::Durability::Relaxed).unwrap();
    fill(&store);
    write(
        &store,
        vec![
            put(Record::Grant(grant(1, "g9", "arn:x"))),
            Change::Delete(Name::Grants(key_name(1))),
            Change::Delete(Name::Aliases(key_name(2))),
            Change::Delete(Name::Key(key_name(1))),
        ],
        vec![],
    );
    assert_eq!(store.grant_count(&key_name(1)).unwrap(), 0);
    assert!(store.grants_of_key(&key_name(1), None, 10).unwrap().is_empty());
    assert!(store.grant_candidates(&key_name(1), &["arn:x", "arn:y"]).unwrap().is_empty());
    assert!(store.aliases(&account(), &region(), None, 10).unwrap().is_empty());
    assert!(store.last_usage(&key_name(1)).unwrap().is_none());
    assert_eq!(store.key_states().get(&KeyState::Enabled), Some(&1));
}

#[test]
fn events_keep_their_order_and_are_found_by_time_term_and_id() {
    let home = tempfile::tempdir().unwrap();
    let mut store = create(options(home.path()));
    let operations = ["Encrypt", "Decrypt", "Sign"];
    let expected: Vec<_> = (0..3_000_u64)
        .map(|n| {
            event(n, operations[usize::try_from(n % 3).unwrap()], u32::try_from(n % 50).unwrap())
        })
        .collect();
    for chunk in expected.chunks(37) {
        write(&store, vec![], chunk.to_vec());
    }
    for pass in 0..3 {
        let all = all_events(&store);
        assert_eq!(all.len(), expected.len(), "pass {pass}");
        for (n, (stored, event)) in all.iter().zip(&expected).enumerate() {
            assert_eq!((stored.seq, &stored.record), (n as u64, &event.record));
        }
        let rare = key_name(7).to_string();
        let query = EventQuery {
            newest_first: true,
            limit: 10,
            clauses: vec![filed(&[("key", &rare)]), filed(&[("op", "Sign")])],
            ..EventQuery::default()
        };
        let wanted: Vec<u64> =
            (0..3_000).rev().filter(|n| n % 50 == 7 && n % 3 == 2).take(10).collect();
        let found: Vec<u64> = store.events(&query).unwrap().iter().map(|e| e.seq).collect();
        assert_eq!(found, wanted);
        let wanted: Vec<u64> = (0..3_000).filter(|n| n % 50 == 7 && n % 3 == 2).collect();
        let query = EventQuery { newest_first: false, limit: 1_000, ..query };
        assert_eq!(store.events(&query).unwrap().iter().map(|e| e.seq).collect::<Vec<_>>(), wanted);
        // One of several terms will do, in either direction.
        let other = key_name(11).to_string();
        let either = filed(&[("key", &rare), ("key", &other), ("key", "absent")]);
        for newest_first in [true, false] {
            let query = EventQuery {
                newest_first,
                limit: 1_000,
                clauses: vec![either.clone(), filed(&[("op", "Sign")])],
                ..EventQuery::default()
            };
            let mut wanted: Vec<u64> =
                (0..3_000).filter(|n| (n % 50 == 7 || n % 50 == 11) && n % 3 == 2).collect();
            if newest_first {
                wanted.reverse();
            }
            let found: Vec<u64> = store.events(&query).unwrap().iter().map(|e| e.seq).collect();
            assert_eq!(found, wanted);
        }
        let (from, to) = (expected[100].summary.time, expected[2_900].summary.time);
        for newest_first in [true, false] {
            let query = EventQuery {
                newest_first,
                limit: 5_000,
                from: Some(from),
                to: Some(to),
                ..EventQuery::default()
            };
            let mut found: Vec<u64> = store.events(&query).unwrap().iter().map(|e| e.seq).collect();
            if newest_first {
                found.reverse();
            }
            assert_eq!(found, (100..=2_900).collect::<Vec<u64>>());
        }
        for n in [0, 1, 1_500, 2_999] {
            assert_eq!(
                store.event_by_id(expected[n].summary.event_id).unwrap().unwrap().seq,
                n as u64
            );
            assert_eq!(
                store.events_by_request_id(expected[n].summary.request_id).unwrap()[0].seq,
                n as u64
            );
        }
        assert!(store.event_by_id(uuid_at(1_700_000_000_000, 77)).unwrap().is_none());
        store = match pass {
            0 => {
                store.close().unwrap();
                open(options(home.path()))
            }
            _ => {
                store.abandon();
                std::fs::remove_dir_all(home.path().join("sled")).unwrap();
                open(options(home.path()))
            }
        };
    }
}

/// A request's own event and its copies are found by its id wherever blocks part them.
#[test]
fn all_events_of_a_request_are_found_by_its_id() {
    const COPIES: u64 = 3;
    let home = tempfile::tempdir().unwrap();
    let mut store = create(options(home.path()));
    let of_request = |n: u64| event(n * COPIES, "", 0).summary.request_id;
    for n in 0..700 {
        let copy = |copy: u64| {
            let mut event = event(n * COPIES + copy, "Decrypt", 1);
            event.summary.request_id = of_request(n);
            event
        };
        write(&store, vec![], (0..COPIES).map(copy).collect());
    }
    for _ in 0..2 {
        for n in 0..700 {
            let found = store.events_by_request_id(of_request(n)).unwrap();
            let numbers: Vec<u64> = found.iter().map(|event| event.seq).collect();
            assert_eq!(numbers, (n * COPIES..(n + 1) * COPIES).collect::<Vec<_>>());
        }
        assert!(store.events_by_request_id(of_request(700)).unwrap().is_empty());
        store.close().unwrap();
        store = open(options(home.path()));
    }
}

#[test]
fn a_commit_that_rested_on_what_moved_is_stale_and_writes_nothing() {
    let store = Store::temporary(sealer(), keyward_store::Durability::Relaxed).unwrap();
    write(&store, vec![put_key(1, "a"), put(Record::Alias(alias("x", 1)))], vec![]);
    let snapshot = store.snapshot();
    write(&store, vec![put_key(1, "b")], vec![]);
    let total = store.events_total();
    let commit = |snapshot, rested_on| Commit {
        snapshot,
        rested_on,
        changes: vec![put_key(2, "never")],
        events: vec![event(1, "Decrypt", 1)],
    };
    let stale = store.commit(commit(snapshot, vec![Name::Key(key_name(1))])).wait();
    assert_eq!(stale, Err(StoreError::Stale(Box::new(Name::Key(key_name(1))))));
    assert_eq!(store.events_total(), total);
    assert!(store.key(&key_name(2)).unwrap().is_none());
    // An alias that moves moves the sets of both its targets.
    let snapshot = store.snapshot();
    write(&store, vec![put(Record::Alias(alias("x", 3)))], vec![]);
    for n in [1, 3] {
        let stale = store.commit(commit(snapshot, vec![Name::Aliases(key_name(n))])).wait();
        assert!(matches!(stale, Err(StoreError::Stale(_))));
    }
    // Touching moves nothing.
    let snapshot = store.snapshot();
    write(&store, vec![Change::Touch(key_name(1), usage(1))], vec![]);
    assert!(store.commit(commit(snapshot, vec![Name::Key(key_name(1))])).wait().is_ok());
}

#[test]
fn freezes_are_read_apart_after_a_restart_and_an_absent_one_is_rested_on() {
    let directory = tempfile::tempdir().unwrap();
    let grant = grant(1, "g1", "arn:x").grant_id;
    let targets = [
        FreezeTarget::Grant(key_name(1), grant),
        FreezeTarget::Key(key_name(1)),
        FreezeTarget::Role(account(), "app".to_owned()),
        FreezeTarget::User(account(), "app".to_owned()),
    ];
    let record = |target: &FreezeTarget| FreezeRecord {
        target: target.clone(),
        id: format!("frz {target}"),
        reason: "why".to_owned(),
        by: "arn:x".to_owned(),
        since: Timestamp(7),
    };
    let store = create(options(directory.path()));
    for target in &targets {
        assert!(store.freeze(target).unwrap().is_none());
    }
    let snapshot = store.snapshot();
    for target in &targets {
        write(&store, vec![put(Record::Freeze(record(target)))], vec![]);
        let commit = Commit {
            snapshot,
            rested_on: vec![Name::Freeze(target.clone())],
            changes: Vec::new(),
            events: vec![event(1, "Decrypt", 1)],
        };
        let stale = store.commit(commit).wait();
        assert!(matches!(stale, Err(StoreError::Stale(_))), "{stale:?}");
    }
    drop(store);
    let store = open(options(directory.path()));
    for target in &targets {
        assert_eq!(*store.freeze(target).unwrap().unwrap(), record(target));
    }
    let listed = store.freezes(&account()).unwrap();
    let listed: Vec<&FreezeTarget> = listed.iter().map(|freeze| &freeze.target).collect();
    assert_eq!(listed, targets.iter().collect::<Vec<_>>());
    let [gone, ..] = &targets;
    write(&store, vec![Change::Delete(Name::Freeze(gone.clone()))], vec![]);
    assert!(store.freeze(gone).unwrap().is_none());
    assert_eq!(store.freezes(&account()).unwrap().len(), 3);
}

#[test]
fn what_is_in_observe_is_read_after_a_restart_and_its_absence_is_rested_on() {
    let directory = tempfile::tempdir().unwrap();
    let entry = |target| ObserveEntry {
        target,
        id: "obs-1".to_owned(),
        reason: "why".to_owned(),
        by: "arn:x".to_owned(),
        since: Timestamp(7),
        until: Timestamp(9),
    };
    let record = ObserveRecord {
        account: account(),
        entries: vec![
            entry(ObserveTarget::Key(key_name(1))),
            entry(ObserveTarget::Role(account(), "app".to_owned())),
            entry(ObserveTarget::Policy("arn:aws:iam::1:policy/p".to_owned())),
        ],
    };
    let store = create(options(directory.path()));
    assert!(store.observe(&account()).unwrap().is_none());
    let snapshot = store.snapshot();
    write(&store, vec![put(Record::Observe(record.clone()))], vec![]);
    let commit = Commit {
        snapshot,
        rested_on: vec![Name::Observe(account())],
        changes: Vec::new(),
        events: vec![event(1, "Decrypt", 1)],
    };
    let stale = store.commit(commit).wait();
    assert!(matches!(stale, Err(StoreError::Stale(_))), "{stale:?}");
    drop(store);
    let store = open(options(directory.path()));
    assert_eq!(*store.observe(&account()).unwrap().unwrap(), record);
    assert_eq!(store.observes().unwrap().len(), 1);
    write(&store, vec![Change::Delete(Name::Observe(account()))], vec![]);
    assert!(store.observe(&account()).unwrap().is_none());
    assert!(store.observes().unwrap().is_empty());
}

#[test]
fn what_is_stated_about_alerts_is_kept_by_account() {
    let directory = tempfile::tempdir().unwrap();
    let silence = |id: &str| {
        AlertRecord::Silence(SilenceRecord {
            account: account(),
            id: id.to_owned(),
            detector: Some("rate".to_owned()),
            principal: None,
            key: None,
            reason: "a drill".to_owned(),
            by: "arn:x".to_owned(),
            since: Timestamp(7),
            until: Timestamp(9),
        })
    };
    let settings = AlertRecord::Settings(AlertSettingsRecord {
        // More than a value of sled's holds.
        text: "x".repeat(60_000),
        by: "arn:x".to_owned(),
        since: Timestamp(7),
    });
    let acknowledged = AlertRecord::Acknowledgement(AcknowledgementRecord {
        account: account(),
        alert_id: "alert-1".to_owned(),
        by: "arn:x".to_owned(),
        at: Timestamp(8),
        comment: None,
    });
    let all = [acknowledged.clone(), silence("one"), silence("two"), settings.clone()];
    let store = create(options(directory.path()));
    let snapshot = store.snapshot();
    for record in &all {
        write(&store, vec![put(Record::Alert(record.clone()))], vec![]);
    }
    // Who counted an account's silences learns that there is one more.
    let counted = || Commit {
        snapshot,
        rested_on: vec![Name::Silences(account())],
        changes: Vec::new(),
        events: vec![event(1, "CreateAlertSilence", 1)],
    };
    assert!(matches!(store.commit(counted()).wait(), Err(StoreError::Stale(_))));
    drop(store);
    let store = open(options(directory.path()));
    for record in &all {
        assert_eq!(*store.alert(&record.name()).unwrap().unwrap(), *record);
    }
    let found = |records: Vec<std::sync::Arc<AlertRecord>>| -> Vec<AlertRecord> {
        records.iter().map(|record| AlertRecord::clone(record)).collect()
    };
    assert_eq!(found(store.silences(&account()).unwrap()), [silence("one"), silence("two")]);
    assert_eq!(found(store.acknowledgements(&account()).unwrap()), [acknowledged]);
    let everywhere = store.alerts_everywhere().map(|record| record.unwrap()).collect();
    assert_eq!(found(everywhere).len(), 4);
    let gone = AlertName::Silence(account(), "one".to_owned());
    let snapshot = store.snapshot();
    write(&store, vec![Change::Delete(Name::Alert(gone.clone()))], vec![]);
    assert!(store.alert(&gone).unwrap().is_none());
    let stale = store.commit(Commit { snapshot, ..counted() }).wait();
    assert!(matches!(stale, Err(StoreError::Stale(_))), "{stale:?}");
    write(&store, vec![Change::Delete(Name::Alert(AlertName::Settings))], vec![]);
    assert!(store.alert(&AlertName::Settings).unwrap().is_none());
}

/// The clock was a month ahead for a while, and an hour back later: whatever a time leads to is found all the same.
#[test]
fn a_clock_that_was_set_back_hides_no_event() {
    const HOUR: u64 = 3_600_000 / 10;
    let home = tempfile::tempdir().unwrap();
    let mut store = create(options(home.path()));
    // An event's number is its time, in hundredths of a second.
    let steps = [
        (HOUR, 40),
        (24 * 30 * HOUR, 20),
        (HOUR + 50, 3),
        (24 * 31 * HOUR, 1),
        (HOUR + 60, 40),
        (HOUR / 2, 40),
    ];
    let mut expected = Vec::new();
    for (n, (start, count)) in steps.into_iter().enumerate() {
        for i in 0..count {
            let one = event(start + i, "Sign", 1);
            expected.push(one.clone());
            // Some in one block with the first of the next step, as requests that were under way.
            let with = (i + 1 == count && n == 1).then(|| event(HOUR + 49, "Sign", 1));
            expected.extend(with.clone());
            write(&store, vec![], core::iter::once(one).chain(with).collect());
        }
        if n == 2 {
            store.close().unwrap();
            store = open(options(home.path()));
        }
    }
    let check = |store: &Store| {
        for (seq, one) in (0..).zip(&expected) {
            let found = store.event_by_id(one.summary.event_id).unwrap();
            assert_eq!(found.map(|found| found.seq), Some(seq), "by id");
        }
        let hundredths = |n: u64| Timestamp(1_700_000_000_000 + i64::try_from(n).unwrap() * 10);
        let moments =
            [0, HOUR, HOUR + 45, HOUR + 70, 24 * 30 * HOUR, 24 * 31 * HOUR, 24 * 32 * HOUR];
        for (from, to) in moments.iter().flat_map(|from| moments.map(|to| (*from, to))) {
            let (from, to) = (hundredths(from), hundredths(to));
            let wanted: Vec<u64> = (0..)
                .zip(&expected)
                .filter(|(_, one)| from <= one.summary.time && one.summary.time <= to)
                .map(|(seq, _)| seq)
                .collect();
            for (newest_first, clauses) in
                [(false, vec![]), (true, vec![]), (false, vec![filed(&[("op", "Sign")])])]
            {
                let (from, to) = (Some(from), Some(to));
                let mut after = None;
                let mut found = Vec::new();
                loop {
                    let clauses = clauses.clone();
                    let query = EventQuery { newest_first, after, limit: 7, from, to, clauses };
                    let page = store.events(&query).unwrap();
                    let Some(last) = page.last() else { break };
                    after = Some(last.seq);
                    found.extend(page.iter().map(|one| one.seq));
                }
                if newest_first {
                    found.reverse();
                }
                assert_eq!(found, wanted, "{from:?} to {to:?}, {newest_first}");
            }
        }
    };
    check(&store);
    store.close().unwrap();
    // As well when all of it was made again from the journal.
    std::fs::remove_dir_all(home.path().join("sled")).unwrap();
    let store = open(options(home.path()));
    check(&store);
}
