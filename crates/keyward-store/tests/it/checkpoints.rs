//! What is kept of checkpoints, this log's and others'.

use super::{
    faults::copy,
    house::{create, event, open, options, try_open, write},
};
use keyward_store::{KeptCheckpoint, StoreError, read_checkpoints};
use std::fs;

fn kept(size: u64, note: &str) -> KeptCheckpoint {
    KeptCheckpoint { size, note: note.to_owned() }
}

#[test]
fn a_line_of_the_same_size_takes_the_place_of_the_one_before() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    write(&store, vec![], (1..=5).map(|n| event(n, "Sign", 1)).collect());
    for one in [kept(3, "three"), kept(5, "five"), kept(5, "five, cosigned")] {
        store.keep_checkpoint(&one).unwrap();
    }
    assert!(store.keep_checkpoint(&kept(4, "four")).is_err(), "sizes never fall");
    let check = |store: &keyward_store::Store| {
        let newest = Some(kept(5, "five, cosigned"));
        assert_eq!(store.last_checkpoint().unwrap(), newest);
        assert_eq!(store.checkpoint_reaching(4).unwrap(), newest);
        assert_eq!(store.checkpoint_reaching(3).unwrap(), Some(kept(3, "three")));
        assert_eq!(store.checkpoint_reaching(6).unwrap(), None);
        let found = |within, word: &str| {
            store.last_checkpoint_that(within, |one| one.note.contains(word)).unwrap()
        };
        assert_eq!(found(9, "three"), Some(kept(3, "three")));
        assert_eq!(found(1, "three"), None);
        assert_eq!(found(9, "five"), newest);
    };
    check(&store);
    store.close().unwrap();
    // A line that a stop left half-written is none.
    let file = home.path().join("checkpoints");
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{whole}{{\"size\":7")).unwrap();
    let store = open(options(home.path()));
    check(&store);
    store.close().unwrap();
    let lines = read_checkpoints(home.path()).unwrap();
    assert_eq!(lines.iter().map(|one| one.size).collect::<Vec<_>>(), [3, 5, 5]);
    fs::write(&file, whole.replacen("\"size\":3", "\"size\":8", 1)).unwrap();
    assert!(read_checkpoints(home.path()).is_err(), "sizes fall");
}

/// Journal, anchor and sled of yesterday beside the checkpoints of today: whoever served that would fork the log.
#[test]
fn a_log_that_is_shorter_than_was_signed_is_not_served() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    write(&store, vec![], vec![event(1, "Sign", 1)]);
    store.keep_checkpoint(&kept(1, "one")).unwrap();
    store.close().unwrap();
    let old = tempfile::tempdir().unwrap();
    copy(home.path(), old.path());
    let store = open(options(home.path()));
    write(&store, vec![], vec![event(2, "Sign", 1)]);
    store.keep_checkpoint(&kept(2, "two")).unwrap();
    store.close().unwrap();
    open(options(old.path())).close().unwrap();
    fs::copy(home.path().join("checkpoints"), old.path().join("checkpoints")).unwrap();
    match try_open(options(old.path())).err() {
        Some(StoreError::Lost(what)) => {
            assert!(what.contains("1 events") && what.contains("checkpoint of 2"), "{what}");
        }
        other => panic!("{other:?}"),
    }
    // It was not touched: with what was signed of it, it opens.
    fs::write(old.path().join("checkpoints"), "").unwrap();
    open(options(old.path())).close().unwrap();
}

#[test]
fn what_was_witnessed_is_there_after_a_start() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    let origins = ["keyward/00", "../../etc/passwd", "example.com/log"];
    for origin in origins {
        assert_eq!(store.witnessed(origin).unwrap(), None);
        store.keep_witnessed(origin, b"before").unwrap();
        store.keep_witnessed(origin, origin.as_bytes()).unwrap();
    }
    store.close().unwrap();
    let store = open(options(home.path()));
    for origin in origins {
        assert_eq!(store.witnessed(origin).unwrap().as_deref(), Some(origin.as_bytes()));
    }
    assert_eq!(fs::read_dir(home.path().join("witness")).unwrap().count(), origins.len());
    // A file that cannot be read is an error, and not a log that was never seen.
    for file in fs::read_dir(home.path().join("witness")).unwrap() {
        let file = file.unwrap().path();
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
    }
    assert!(store.witnessed("keyward/00").is_err());
}
