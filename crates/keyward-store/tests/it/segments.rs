//! Segments that are sealed and leave: what stays, what damage is named, and every place at which it can be interrupted.

use crate::{faults::copy, house::*};
use keyward_store::{
    DiskCall, Finding, KeptCheckpoint, Options, SealedSegment, Silent, Store, StoreError, Verdict,
    Verified,
};
use keyward_types::{Change, FreezeRecord, FreezeTarget, Name, Record, Timestamp};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

fn small_segments(home: &Path) -> Options {
    Options { segment_bytes: 10_000, ..options(home) }
}

fn verify(home: &Path) -> Result<Verified, StoreError> {
    Store::verify(&small_segments(home), |_| Ok(sealer()), &Silent)
}

fn append(store: &Store, more: u64) {
    let first = store.events_total();
    let numbers: Vec<u64> = (first..first + more).collect();
    for group in numbers.chunks(7) {
        let of = |n: &u64| u32::try_from(n % 5).unwrap();
        let changes = group.iter().map(|n| put_key(of(n), &format!("after {n}"))).collect();
        write(store, changes, group.iter().map(|n| event(*n, "Decrypt", of(n))).collect());
    }
}

/// Every event that is there is the one of its number, and the tree over all that ever were is right.
fn check(store: &Store) {
    let events = all_events(store);
    assert_eq!(events.len() as u64, store.events_total() - store.first_event());
    let wanted = |n: u64| event(n, "Decrypt", u32::try_from(n % 5).unwrap()).record;
    for (n, found) in (store.first_event()..).zip(events) {
        assert_eq!((found.seq, found.record), (n, wanted(n)));
    }
    let leaves: Vec<_> = (0..store.events_total()).map(|n| hash(0, &[&wanted(n)])).collect();
    assert_eq!(root_at(store, store.events_total()), root_of(&leaves));
    let last = store.events_total() - 1;
    let key = key_name(u32::try_from(last % 5).unwrap());
    assert_eq!(store.key(&key).unwrap().unwrap().description, format!("after {last}"));
}

fn some_sealed(home: &Path) -> (Store, Vec<SealedSegment>) {
    let store = create(small_segments(home));
    append(&store, 300);
    let sealed = seal_all(&store);
    assert!(4 < sealed.len(), "{}", sealed.len());
    (store, sealed)
}

#[test]
fn a_sealed_segment_says_what_it_holds_and_is_smaller() {
    let home = tempfile::tempdir().unwrap();
    let store = create(small_segments(home.path()));
    append(&store, 300);
    store.close_segment().unwrap();
    let journal = home.path().join("journal");
    let mut before = 0;
    for number in store.closed_segments().unwrap() {
        before += std::fs::metadata(journal.join(format!("{number:08}.seg"))).unwrap().len();
    }
    let sealed = seal_all(&store);
    assert!(sealed.iter().map(|one| one.bytes).sum::<u64>() < before / 3);
    assert_eq!(store.closed_segments().unwrap(), [0_u32; 0]);
    let (mut commit, mut next, mut chain) = (1, 0, [0; 32]);
    for (number, one) in (1..).zip(&sealed) {
        let facts = &one.facts;
        assert_eq!((facts.number, facts.commits.0, facts.events.0), (number, commit, next));
        assert_eq!(facts.chain.0, chain);
        assert_eq!(facts.times.0, event(facts.events.0, "", 0).summary.time);
        assert_eq!(facts.times.1, event(facts.events.1 - 1, "", 0).summary.time);
        assert_eq!(one.footer, format!("signed: {number}"));
        assert!(one.is_as_summed().unwrap());
        assert_eq!(SealedSegment::read(&one.path).unwrap(), *one);
        assert!(!journal.join(format!("{number:08}.seg")).exists());
        (commit, next, chain) = (facts.commits.1 + 1, facts.events.1, facts.chain.1);
    }
    assert_eq!(next, 300);
    let again = store.seal_segment(1, &mut |_| Ok(String::new()));
    assert_eq!(again.err(), Some(StoreError::NoSegment(1)));
    check(&store);
    store.close().unwrap();
    let verified = verify(home.path()).unwrap();
    assert_eq!((verified.events, verified.commits), (300, 43));
    assert_eq!(verified.sealed, sealed);
}

#[test]
fn what_left_stays_in_records_and_tree_also_when_sled_is_built_again() {
    let home = tempfile::tempdir().unwrap();
    let store = create(small_segments(home.path()));
    write(
        &store,
        vec![put(Record::Dek(dek(3, b"wrapped"))), put(Record::Alias(alias("one", 3)))],
        vec![],
    );
    let frozen = FreezeRecord {
        target: FreezeTarget::User(account(), "alice".to_owned()),
        reason: "test".to_owned(),
        by: "arn:aws:iam::111122223333:root".to_owned(),
        id: "frz-0011223344556677".to_owned(),
        since: Timestamp(1),
    };
    write(&store, vec![put(Record::Freeze(frozen))], vec![]);
    append(&store, 1_000);
    for size in [77, 512, 999] {
        let kept = KeptCheckpoint { size, note: String::new() };
        store.keep_checkpoint(&kept).unwrap();
    }
    append(&store, 2_000);
    let roots = [77, 512, 999, 1_024, 3_000].map(|size| root_at(&store, size));
    let sealed = seal_all(&store);
    // In steps that end inside a bucket, the second inside the same one as the first.
    for at in [sealed.len() / 3, sealed.len() / 3 + 1, sealed.len() * 2 / 3] {
        let up_to = &sealed[at];
        let first = store.drop_segments(up_to.facts.number).unwrap();
        assert_eq!(first, up_to.facts.events.1);
        check(&store);
        assert_eq!([77, 512, 999, 1_024, 3_000].map(|size| root_at(&store, size)), roots);
    }
    let first = store.first_event();
    assert!(1_024 < first && !first.is_multiple_of(1_024), "{first}");
    assert_eq!(store.tree_node(0, 70).err(), Some(StoreError::Gone { event: 70 }));
    assert_eq!(store.event_by_id(event(5, "", 0).summary.event_id).unwrap(), None);
    append(&store, 700);
    store.close().unwrap();
    let verified = verify(home.path()).unwrap();
    assert_eq!((verified.earlier.events, verified.events), (first, 3_700));
    let left = hash(0, &[&event(64, "Decrypt", 4).record]);
    assert_eq!((verified.earlier.node(0, 64), verified.earlier.node(12, 0)), (None, None));
    assert_ne!(Some(left), verified.earlier.node(6, 0));
    assert!(verified.earlier.node(6, 0).is_some());

    std::fs::remove_dir_all(home.path().join("sled")).unwrap();
    let opened = try_open(small_segments(home.path())).unwrap();
    assert!(opened.report.iter().any(|finding| matches!(finding, Finding::Rebuilt { .. })));
    let store = opened.store;
    check(&store);
    assert_eq!([77, 512, 999, 1_024, 3_000].map(|size| root_at(&store, size)), roots);
    assert_eq!(store.dek(&key_name(3)).unwrap().unwrap().wrapped, b"wrapped");
    assert_eq!(store.aliases_of_key(&key_name(3)).unwrap().len(), 1);
    // What a base holds can be deleted by what follows it.
    write(
        &store,
        vec![Change::Delete(Name::Aliases(key_name(3))), Change::Delete(Name::Dek(key_name(3)))],
        vec![],
    );
    append(&store, 300);
    let sealed = seal_all(&store);
    store.drop_segments(sealed.last().unwrap().facts.number).unwrap();
    store.close().unwrap();
    std::fs::remove_dir_all(home.path().join("sled")).unwrap();
    let store = open(small_segments(home.path()));
    assert_eq!(store.first_event(), store.events_total());
    assert_eq!(store.aliases_of_key(&key_name(3)).unwrap().len(), 0);
    assert!(store.dek(&key_name(3)).unwrap().is_none());
    append(&store, 10);
    check(&store);
    store.close().unwrap();
    verify(home.path()).unwrap();
}

/// Where the chunks of a sealed segment begin and end.
fn chunks(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut at, mut found) = (128, Vec::new());
    loop {
        let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        found.push(at..at + 5 + length);
        at += 5 + length;
        if bytes[found.last().unwrap().start + 4] == 1 {
            return found;
        }
    }
}

#[test]
fn tampering_with_what_is_sealed_is_named() {
    let home = tempfile::tempdir().unwrap();
    // Segments of several chunks.
    let store = create(Options { segment_bytes: 300_000, ..options(home.path()) });
    let mut first = 0;
    while store.closed_segments().unwrap().len() < 3 {
        let events = (first..first + 500).map(|n| event(n, "Decrypt", 1)).collect();
        first += 500;
        write(&store, vec![], events);
    }
    let sealed = seal_all(&store);
    store.close().unwrap();
    let name = |n: u32| format!("{n:08}.sealed");
    let path = |state: &Path, n: u32| state.join("journal").join(name(n));
    type Tamper<'t> = (&'t str, &'t dyn Fn(&Path), &'t str);
    let change = |state: &Path, n: u32, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(path(state, n)).unwrap();
        change(&mut bytes);
        std::fs::write(path(state, n), bytes).unwrap();
    };
    let cases: [Tamper<'_>; 9] = [
        ("a changed byte", &|s| change(s, 2, &|b| b[900] ^= 1), &name(2)),
        ("a removed chunk", &|s| change(s, 2, &|b| drop(b.drain(chunks(b)[0].clone()))), &name(2)),
        (
            "two chunks that changed places",
            &|s| {
                change(s, 2, &|b| {
                    let found = chunks(b);
                    let (one, two) = (b[found[0].clone()].to_vec(), b[found[1].clone()].to_vec());
                    b.splice(found[0].start..found[1].end, [two, one].concat());
                });
            },
            &name(2),
        ),
        (
            "a changed footer's place",
            &|s| {
                change(s, 2, &|b| {
                    let n = b.len();
                    b[n - 20] ^= 1;
                })
            },
            &name(2),
        ),
        ("a cut end", &|s| change(s, 2, &|b| b.truncate(b.len() - 9)), &name(2)),
        (
            "two segments that changed places",
            &|s| {
                std::fs::rename(path(s, 1), path(s, 99)).unwrap();
                std::fs::rename(path(s, 2), path(s, 1)).unwrap();
                std::fs::rename(path(s, 99), path(s, 2)).unwrap();
            },
            &name(1),
        ),
        ("a removed segment", &|s| std::fs::remove_file(path(s, 2)).unwrap(), &name(3)),
        ("the first segment removed", &|s| std::fs::remove_file(path(s, 1)).unwrap(), &name(2)),
        (
            "a segment of another journal",
            &|s| {
                let other = tempfile::tempdir().unwrap();
                let (store, _) = some_sealed(other.path());
                store.close().unwrap();
                std::fs::copy(path(other.path(), 2), path(s, 2)).unwrap();
            },
            &name(2),
        ),
    ];
    for (what, tamper, place) in cases {
        let state = tempfile::tempdir().unwrap();
        copy(home.path(), state.path());
        tamper(state.path());
        let found = Store::verify(&options(state.path()), |_| Ok(sealer()), &Silent).err();
        let is_named = matches!(&found, Some(StoreError::Corrupt { place: at, .. }) if at == place);
        assert!(is_named, "{what}: {found:?}");
        let alone = verify_journal(&options(state.path())).err();
        assert_eq!(format!("{alone:?}"), format!("{found:?}"), "{what}");
        // Sled cannot be built from it either.
        std::fs::remove_dir_all(state.path().join("sled")).unwrap();
        assert!(try_open(options(state.path())).is_err(), "{what}");
    }
    // The footer is not the store's to judge, and stands where it was put.
    let state = tempfile::tempdir().unwrap();
    copy(home.path(), state.path());
    change(state.path(), 2, &|b| {
        let at = b.len() - 148 - 1;
        b[at] ^= 1;
    });
    let verified = Store::verify(&options(state.path()), |_| Ok(sealer()), &Silent).unwrap();
    assert_ne!(verified.sealed[1].footer, sealed[1].footer);
}

#[test]
fn tampering_with_the_base_is_named() {
    let home = tempfile::tempdir().unwrap();
    let (store, sealed) = some_sealed(home.path());
    store.drop_segments(sealed[1].facts.number).unwrap();
    let older = std::fs::read(home.path().join("journal/base")).unwrap();
    store.drop_segments(sealed[2].facts.number).unwrap();
    store.close().unwrap();
    let whole = std::fs::read(home.path().join("journal/base")).unwrap();
    for at in [0, 9, 20, 61, 64, 70, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        refused(home.path(), Some(&bytes), &format!("byte {at}"));
    }
    refused(home.path(), Some(&whole[..whole.len() - 1]), "cut");
    refused(home.path(), Some(&[&whole[..], b"x"].concat()), "longer");
    refused(home.path(), Some(&older), "an older base");
    refused(home.path(), None, "removed");
}

fn refused(home: &Path, base: Option<&[u8]>, what: &str) {
    let state = tempfile::tempdir().unwrap();
    copy(home, state.path());
    match base {
        Some(base) => std::fs::write(state.path().join("journal/base"), base).unwrap(),
        None => std::fs::remove_file(state.path().join("journal/base")).unwrap(),
    }
    let found = verify(state.path()).err();
    let is_named = matches!(&found, Some(StoreError::Corrupt { .. } | StoreError::Lost(_)));
    assert!(is_named, "{what}: {found:?}");
    std::fs::remove_dir_all(state.path().join("sled")).unwrap();
    assert!(try_open(small_segments(state.path())).is_err(), "{what}");
}

/// Each file call fails in turn, and the process ends there. The next start finishes or forgets what was begun.
#[test]
fn sealing_and_leaving_may_end_at_any_call() {
    let large = |home: &Path| Options { segment_bytes: 40_000, ..options(home) };
    let whole = tempfile::tempdir().unwrap();
    let store = create(large(whole.path()));
    append(&store, 1_100);
    store.keep_checkpoint(&KeptCheckpoint { size: 500, note: String::new() }).unwrap();
    let root = root_at(&store, 500);
    store.close().unwrap();
    let mut failures = 0;
    for call in 0.. {
        let home = tempfile::tempdir().unwrap();
        copy(whole.path(), home.path());
        let (count, armed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (counting, arming) = (Arc::clone(&count), Arc::clone(&armed));
        let hook = move |kind: DiskCall, _: &Path| {
            if arming.load(Ordering::SeqCst) == 0 || kind == DiskCall::FreeSpace {
                return Verdict::Proceed;
            }
            let now = counting.fetch_add(1, Ordering::SeqCst);
            // After the first failure nothing succeeds any more: the process is gone.
            match now.cmp(&call) {
                std::cmp::Ordering::Less => Verdict::Proceed,
                _ if kind == DiskCall::Write => Verdict::Tear(7, 5),
                _ => Verdict::Fail(5),
            }
        };
        let hooked = Options { disk_hook: Some(Arc::new(hook)), ..large(home.path()) };
        let store = open(hooked);
        armed.store(1, Ordering::SeqCst);
        let done = (|| -> Result<(), StoreError> {
            store.close_segment()?;
            for number in store.closed_segments()? {
                store.seal_segment(number, &mut |_| Ok("signed".to_owned()))?;
            }
            let sealed = store.sealed_segments()?;
            let middle = &sealed[sealed.len() / 2];
            store.drop_segments(middle.facts.number).map(drop)
        })();
        store.abandon();
        failures += u64::from(done.is_err());
        let opened = try_open(large(home.path()));
        let store = opened.unwrap_or_else(|error| panic!("call {call}: {error}")).store;
        check(&store);
        assert_eq!(root_at(&store, 500), root);
        append(&store, 3);
        check(&store);
        let sealed = seal_all(&store);
        store.drop_segments(sealed.last().unwrap().facts.number).unwrap();
        store.close().unwrap();
        verify(home.path()).unwrap_or_else(|error| panic!("call {call}: {error}"));
        if done.is_ok() {
            break;
        }
    }
    assert!(20 < failures, "{failures}");
}
