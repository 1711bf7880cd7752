//! Many threads, one writer.

use crate::house::*;
use keyward_store::{Commit, DiskCall, Durability, Options, Store, StoreError, Verdict};
use keyward_types::Name;
use std::{
    pin::pin,
    sync::{Arc, Barrier, Mutex, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

/// Each thread adds one to a number that stands in a description; a lost update would show in the sum.
#[test]
fn no_update_is_lost_between_threads() {
    let home = tempfile::tempdir().unwrap();
    let store = create(Options { durability: Durability::Relaxed, ..options(home.path()) });
    write(&store, vec![put_key(1, "0")], vec![]);
    let barrier = Barrier::new(8);
    let stale = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..50 {
                    while let Err(StoreError::Stale(_)) = add_one(&store) {
                        *stale.lock().unwrap() += 1;
                    }
                }
            });
        }
    });
    assert_eq!(store.key(&key_name(1)).unwrap().unwrap().description, "400");
    assert_eq!(store.events_total(), 400);
    assert_eq!(store.statistics().stale, *stale.lock().unwrap());
    store.close().unwrap();
    assert_eq!(open(options(home.path())).key(&key_name(1)).unwrap().unwrap().description, "400");
}

fn add_one(store: &Store) -> Result<(), StoreError> {
    let snapshot = store.snapshot();
    let number: u64 = store.key(&key_name(1)).unwrap().unwrap().description.parse().unwrap();
    let commit = Commit {
        snapshot,
        rested_on: vec![Name::Key(key_name(1))],
        changes: vec![put_key(1, &(number + 1).to_string())],
        events: vec![event(number, "Encrypt", 1)],
    };
    store.commit(commit).wait().map(drop)
}

/// The writer is held inside its first write, so that what comes after stands in one group.
#[test]
fn a_commit_is_stale_by_what_stands_earlier_in_its_group_and_a_full_queue_says_so() {
    let home = tempfile::tempdir().unwrap();
    create(options(home.path())).close().unwrap();
    let (entered, has_entered) = mpsc::channel();
    let (let_go, released) = mpsc::channel::<()>();
    let (entered, released) = (Mutex::new(Some(entered)), Mutex::new(released));
    let hook = Arc::new(move |call: DiskCall, path: &std::path::Path| {
        let is_frame = call == DiskCall::Write && path.extension().is_some_and(|e| e == "seg");
        if let Some(entered) = is_frame.then(|| entered.lock().unwrap().take()).flatten() {
            entered.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
        }
        Verdict::Proceed
    });
    let store =
        open(Options { queue_commits_max: 2, disk_hook: Some(hook), ..options(home.path()) });
    let commit = |n: u64, rests: bool| {
        let rested_on = if rests { vec![Name::Key(key_name(1))] } else { vec![] };
        let changes = vec![put_key(1, &n.to_string())];
        store.commit(Commit {
            snapshot: store.snapshot(),
            rested_on,
            changes,
            events: vec![event(n, "Sign", 1)],
        })
    };
    let first = commit(0, false);
    has_entered.recv().unwrap();
    let (second, third, fourth) = (commit(1, false), commit(2, true), commit(3, false));
    let_go.send(()).unwrap();
    assert_eq!(fourth.wait(), Err(StoreError::Busy));
    assert_eq!(first.wait().unwrap().seq, 1);
    assert_eq!(second.wait().unwrap().seq, 2);
    assert_eq!(third.wait(), Err(StoreError::Stale(Box::new(Name::Key(key_name(1))))));
    assert_eq!(store.key(&key_name(1)).unwrap().unwrap().description, "1");
    assert_eq!(store.events_total(), 2);
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn a_ticket_can_be_awaited_and_followers_hear_of_it() {
    let store = Store::temporary(sealer(), Durability::Relaxed).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    store.on_events(move |next| listener.lock().unwrap().push(next));
    let ticket = store.commit(Commit {
        events: vec![event(1, "Sign", 1), event(2, "Sign", 1)],
        ..Commit::default()
    });
    let mut ticket = pin!(ticket);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let receipt = loop {
        match ticket.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => break answer.unwrap(),
            Poll::Pending => thread::park(),
        }
    };
    assert_eq!((receipt.seq, receipt.event_first), (1, 0));
    assert_eq!(store.wait_for_events(0, std::time::Duration::from_secs(60)), 2);
    assert_eq!(*heard.lock().unwrap(), [2]);
}

#[test]
fn a_store_that_is_open_is_locked() {
    let home = tempfile::tempdir().unwrap();
    let _store = create(options(home.path()));
    let refused =
        try_open(Options { patience: Arc::new(|attempts| attempts < 3), ..options(home.path()) });
    assert_eq!(refused.err(), Some(StoreError::Locked));
}
