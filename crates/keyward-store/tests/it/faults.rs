//! Failing calls: a full disk, errors, torn writes, the wrong root key.

use crate::house::*;
use keyward_store::{
    Commit, DiskCall, DiskHook, Durability, Finding, Options, Silent, Store, StoreError,
    StoreHeader, Verdict,
};
use keyward_types::{Name, Record};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "seg")
}

#[test]
fn a_full_disk_refuses_commits_and_recovers_without_a_restart() {
    let home = tempfile::tempdir().unwrap();
    create(options(home.path())).close().unwrap();
    let verdict = Arc::new(Mutex::new((DiskCall::Write, Verdict::Proceed)));
    let asked = Arc::clone(&verdict);
    let hook: DiskHook = Arc::new(move |call, path| {
        let (which, verdict) = *asked.lock().unwrap();
        let is_it = call == which && (is_segment(path) || which == DiskCall::FreeSpace);
        if is_it { verdict } else { Verdict::Proceed }
    });
    let store =
        open(Options { disk_hook: Some(hook), free_bytes_min: 1 << 20, ..options(home.path()) });
    write(&store, vec![put_key(1, "before")], vec![event(0, "Encrypt", 1)]);
    let secret = b"a data-encryption key of a commit that was refused";
    for (call, verdict_now) in [
        (DiskCall::Write, Verdict::Fail(libc::ENOSPC)),
        (DiskCall::Write, Verdict::Tear(100, libc::ENOSPC)),
        (DiskCall::FreeSpace, Verdict::FreeBytes((1 << 20) - 1)),
    ] {
        *verdict.lock().unwrap() = (call, verdict_now);
        let commit = Commit {
            changes: vec![put_key(1, "refused"), put(Record::Dek(dek(1, secret)))],
            events: vec![event(1, "Encrypt", 1)],
            ..Commit::default()
        };
        assert_eq!(store.commit(commit).wait(), Err(StoreError::NoSpace), "{verdict_now:?}");
        assert_eq!(store.key(&key_name(1)).unwrap().unwrap().description, "before");
        assert!(store.dek(&key_name(1)).unwrap().is_none());
        assert!(!is_anywhere(home.path(), secret));
    }
    *verdict.lock().unwrap() = (DiskCall::Write, Verdict::Proceed);
    write(&store, vec![put_key(1, "after")], vec![event(1, "Encrypt", 1)]);
    store.abandon();
    let store = open(options(home.path()));
    assert_eq!(store.key(&key_name(1)).unwrap().unwrap().description, "after");
    assert_eq!(
        all_events(&store).iter().map(|e| e.record.clone()).collect::<Vec<_>>(),
        [event(0, "Encrypt", 1).record, event(1, "Encrypt", 1).record]
    );
}

/// Lets the n-th call fail and writes on until the store gives up; what was acknowledged must be there afterwards.
#[test]
fn nothing_acknowledged_is_lost_whichever_call_fails() {
    for error in [libc::EIO, libc::ENOSPC] {
        let mut n = 0;
        loop {
            let home = tempfile::tempdir().unwrap();
            create(options(home.path())).close().unwrap();
            let calls = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&calls);
            let hook: DiskHook = Arc::new(move |call, _| match call {
                DiskCall::FreeSpace => Verdict::Proceed,
                _ if counted.fetch_add(1, Ordering::SeqCst) == n => Verdict::Tear(33, error),
                _ => Verdict::Proceed,
            });
            let options_with =
                Options { disk_hook: Some(hook), segment_bytes: 1_500, ..options(home.path()) };
            let acknowledged = match try_open(options_with) {
                Ok(opened) => script(opened.store),
                Err(_) => 0,
            };
            let store = open(options(home.path()));
            let found = store.events_total();
            assert!(found >= acknowledged, "call {n}, error {error}: {found} of {acknowledged}");
            for (number, stored) in all_events(&store).iter().enumerate() {
                assert_eq!(stored.record, event(number as u64, "Sign", 1).record, "call {n}");
            }
            let description = store.key(&key_name(1)).unwrap().map(|key| key.description.clone());
            assert_eq!(description, found.checked_sub(1).map(|last| last.to_string()), "call {n}");
            let dek = store.dek(&key_name(1)).unwrap().map(|dek| dek.wrapped.clone());
            assert_eq!(
                dek,
                found.checked_sub(1).map(|last| format!("dek {last}").into_bytes()),
                "call {n}"
            );
            store.close().unwrap();
            Store::verify(&options(home.path()), |_| Ok(sealer()), &Silent).unwrap();
            if calls.load(Ordering::SeqCst) <= n {
                break;
            }
            n += 1;
        }
        assert!(n > 40, "the script makes {n} calls");
    }
}

/// Commits numbered events until one fails for good; a refusal for want of space is tried again once.
fn script(store: Store) -> u64 {
    let mut acknowledged = 0;
    for number in 0..8_u64 {
        let commit = || Commit {
            changes: vec![
                put_key(1, &number.to_string()),
                put(Record::Dek(dek(1, format!("dek {number}").as_bytes()))),
            ],
            events: vec![event(number, "Sign", 1)],
            ..Commit::default()
        };
        let mut answer = store.commit(commit()).wait();
        if answer == Err(StoreError::NoSpace) {
            answer = store.commit(commit()).wait();
        }
        if answer.is_err() {
            break;
        }
        acknowledged = number + 1;
    }
    store.abandon();
    acknowledged
}

/// Every file of a directory and its bytes.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(contents(&entry.path()));
        } else {
            found.insert(entry.path(), std::fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn the_wrong_root_key_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    write(&store, vec![put_key(1, "a")], vec![event(0, "Sign", 1)]);
    store.close().unwrap();
    let before = contents(home.path());
    let wrong = Store::open(options(home.path()), |_| Ok(Arc::new(OpenSealer(8))), &Silent);
    assert!(matches!(wrong.err(), Some(StoreError::RootKey(_))));
    let refused = Store::open(
        options(home.path()),
        |header| {
            assert_eq!((header.root_check, header.generation), ([3; 32], 2));
            assert_eq!(header.root, serde_json::json!({"from": "test"}));
            Err("the check value differs".to_owned())
        },
        &Silent,
    );
    assert_eq!(refused.err(), Some(StoreError::RootKey("the check value differs".to_owned())));
    assert_eq!(contents(home.path()), before);
    open(options(home.path()));
}

/// The last frame is cut at every length, as a crash in the middle of its write leaves it.
#[test]
fn a_frame_that_was_not_written_whole_is_cut_off_at_every_length() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    write(&store, vec![put_key(1, "one")], vec![event(0, "Sign", 1)]);
    write(&store, vec![put_key(1, "two")], vec![event(1, "Sign", 1)]);
    store.abandon();
    let path = home.path().join("journal/00000001.seg");
    let two = std::fs::read(&path).unwrap();
    let state = tempfile::tempdir().unwrap();
    copy(home.path(), state.path());
    let store = open(options(home.path()));
    write(&store, vec![put_key(1, "three")], vec![]);
    store.abandon();
    let three = std::fs::read(&path).unwrap();
    assert!(three.len() > two.len() && three.starts_with(&two));

    let path = state.path().join("journal/00000001.seg");
    for length in two.len()..=three.len() {
        std::fs::write(&path, &three[..length]).unwrap();
        let opened = try_open(options(state.path())).unwrap();
        let torn = Finding::TornEnd {
            segment: "00000001.seg".to_owned(),
            offset: two.len() as u64,
            bytes: (length - two.len()) as u64,
        };
        let is_torn = two.len() < length && length < three.len();
        assert_eq!(opened.report.contains(&torn), is_torn, "{length}: {:?}", opened.report);
        let expected = if length == three.len() { "three" } else { "two" };
        assert_eq!(
            opened.store.key(&key_name(1)).unwrap().unwrap().description,
            expected,
            "{length}"
        );
        assert_eq!(opened.store.events_total(), 2);
        opened.store.abandon();
    }
    // Now sled has the third commit, which proves that it was acknowledged.
    for length in [two.len(), two.len() + 1, three.len() - 1] {
        std::fs::write(&path, &three[..length]).unwrap();
        let refused = try_open(options(state.path())).err();
        assert!(
            matches!(refused, Some(StoreError::Corrupt { .. } | StoreError::Lost(_))),
            "{length}: {refused:?}"
        );
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_store_older_than_its_anchor_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let with_anchor =
        |home: &Path| Options { anchor: Some(elsewhere.path().join("anchor")), ..options(home) };
    let store = create(with_anchor(home.path()));
    write(&store, vec![put_key(1, "old")], vec![]);
    store.close().unwrap();
    let old = tempfile::tempdir().unwrap();
    copy(home.path(), old.path());
    let store = open(with_anchor(home.path()));
    write(&store, vec![put_key(1, "new")], vec![]);
    store.close().unwrap();
    assert!(matches!(try_open(with_anchor(old.path())).err(), Some(StoreError::Lost(_))));
    assert_eq!(
        open(with_anchor(home.path())).key(&key_name(1)).unwrap().unwrap().description,
        "new"
    );
    std::fs::remove_file(elsewhere.path().join("anchor")).unwrap();
    assert!(matches!(try_open(with_anchor(home.path())).err(), Some(StoreError::Lost(_))));
}

#[test]
fn an_interrupted_creation_is_begun_again_and_a_lost_header_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    store.close().unwrap();
    std::fs::remove_file(home.path().join("store.json")).unwrap();
    std::fs::remove_dir_all(home.path().join("sled")).unwrap();
    let store = create(options(home.path()));
    write(&store, vec![put_key(1, "a")], vec![]);
    store.close().unwrap();
    let again = Store::create(options(home.path()), new_store(), sealer(), &Silent);
    assert!(matches!(again.err(), Some(StoreError::Occupied(_))));
    std::fs::remove_file(home.path().join("store.json")).unwrap();
    assert!(matches!(try_open(options(home.path())).err(), Some(StoreError::Lost(_))));
    let again = Store::create(options(home.path()), new_store(), sealer(), &Silent);
    assert!(matches!(again.err(), Some(StoreError::Lost(_))));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(try_open(options(empty.path())).err(), Some(StoreError::Absent(_))));
}

#[test]
fn names_that_were_forgotten_make_old_snapshots_stale() {
    let home = tempfile::tempdir().unwrap();
    let store = create(Options { recent_names_max: 3, ..options(home.path()) });
    let old = store.snapshot();
    for n in 1..=4 {
        write(&store, vec![put_key(n, "")], vec![]);
    }
    let resting = |snapshot, rested_on| {
        store.commit(Commit { snapshot, rested_on, ..Commit::default() }).wait()
    };
    assert!(matches!(resting(old, vec![Name::Key(key_name(77))]), Err(StoreError::Stale(_))));
    assert!(resting(old, vec![]).is_ok());
    assert!(resting(store.snapshot(), vec![Name::Key(key_name(1))]).is_ok());
}

/// What was promised decides what a start believes, so nobody else may say it.
#[test]
fn a_promise_that_was_edited_does_not_open() {
    let home = tempfile::tempdir().unwrap();
    create(options(home.path())).close().unwrap();
    let path = home.path().join("store.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"commit\"", "\"relaxed\"")).unwrap();
    match try_open(options(home.path())).err() {
        Some(StoreError::RootKey(what)) => assert!(what.contains("was changed"), "{what}"),
        other => panic!("{other:?}"),
    }
    std::fs::write(&path, text).unwrap();
    // A run that promises something else says so, and so does the next that does not.
    for durability in [Durability::Relaxed, Durability::Commit] {
        let store = open(Options { durability, ..options(home.path()) });
        assert_eq!(store.header().durability, durability);
        store.close().unwrap();
        let header = StoreHeader::read(home.path()).unwrap().unwrap();
        assert_eq!(header.durability, durability);
    }
}

/// What is written to a file without a name is lost with the process.
#[test]
fn a_journal_that_is_taken_away_stops_the_writing() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("journal/00000001.seg");
    for replace in [false, true] {
        let store =
            if path.exists() { open(options(home.path())) } else { create(options(home.path())) };
        write(&store, vec![put_key(1, "before")], vec![]);
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        if replace {
            std::fs::write(&path, &whole).unwrap();
        }
        let commit = Commit { changes: vec![put_key(1, "after")], ..Commit::default() };
        match store.commit(commit).wait() {
            Err(StoreError::Failed(what)) => {
                assert!(what.contains("was removed or replaced"), "{what}");
                // The way out that it names works.
                let from = what.split_whitespace().find(|word| word.starts_with("/proc/")).unwrap();
                assert_eq!(std::fs::read(from).unwrap(), whole);
                std::fs::copy(from, home.path().join("saved")).unwrap();
            }
            other => panic!("{other:?}"),
        }
        store.abandon();
        std::fs::rename(home.path().join("saved"), &path).unwrap();
        let store = open(options(home.path()));
        assert_eq!(store.key(&key_name(1)).unwrap().unwrap().description, "before");
        store.close().unwrap();
    }
}

/// A disk that takes no further file is full, and not broken.
#[test]
fn a_segment_that_finds_no_room_is_begun_when_there_is_some() {
    let home = tempfile::tempdir().unwrap();
    let is_full = Arc::new(AtomicU64::new(0));
    let asked = Arc::clone(&is_full);
    let hook: DiskHook = Arc::new(move |call, path| {
        let it = call == DiskCall::Create && is_segment(path) && asked.load(Ordering::SeqCst) == 1;
        if it { Verdict::Fail(libc::ENOSPC) } else { Verdict::Proceed }
    });
    let full = Options { segment_bytes: 400, disk_hook: Some(hook), ..options(home.path()) };
    let store = create(full);
    let commit = |n: u32| {
        let changes = vec![put_key(n, &format!("{n}").repeat(1_500))];
        store.commit(Commit { changes, ..Commit::default() }).wait()
    };
    commit(1).unwrap();
    is_full.store(1, Ordering::SeqCst);
    for _ in 0..2 {
        assert!(matches!(commit(2), Err(StoreError::NoSpace)));
    }
    is_full.store(0, Ordering::SeqCst);
    commit(3).unwrap();
    assert!(home.path().join("journal/00000002.seg").exists());
    store.close().unwrap();
    let store = open(Options { segment_bytes: 400, ..options(home.path()) });
    let is_there = |n| store.key(&key_name(n)).unwrap().is_some();
    assert_eq!([1, 2, 3].map(is_there), [true, false, true]);
}
