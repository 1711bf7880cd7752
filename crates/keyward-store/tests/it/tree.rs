//! The nodes of the log's Merkle tree, against a tree made anew from all events.

use crate::house::*;
use keyward_store::{EventQuery, Finding, Store};

/// Every node of every level that the log holds, and the first that it does not.
fn check(store: &Store, total: u64) {
    let query = EventQuery { limit: usize::MAX, ..EventQuery::default() };
    let leaves: Vec<[u8; 32]> =
        store.events(&query).unwrap().iter().map(|event| hash(0, &[&event.record])).collect();
    assert_eq!(leaves.len() as u64, total);
    for level in 0..14_u8 {
        let width = 1_usize << level;
        let full = leaves.len() / width;
        // All of the upper levels; of the lower ones those about the edges of buckets and of the log.
        let near = |index: usize| {
            let first = index * width;
            let edge = |at: usize| first.abs_diff(at) <= 2 * width;
            5 < level || edge(0) || edge(1_024) || edge(2_048) || edge(leaves.len())
        };
        for index in (0..full).filter(|index| near(*index)) {
            let wanted = root_of(&leaves[index * width..][..width]);
            let found = store.tree_node(level, index as u64).unwrap();
            assert_eq!(found, Some(wanted), "level {level}, index {index} of {total}");
        }
        assert_eq!(store.tree_node(level, full as u64).unwrap(), None);
    }
    assert_eq!(store.tree_node(70, 0).unwrap(), None);
    assert_eq!(store.tree_node(63, u64::MAX).unwrap(), None);
}

fn append(store: &Store, total: &mut u64, more: u64) {
    let events = (*total..*total + more).map(|n| event(n, "Decrypt", 1)).collect();
    write(store, vec![], events);
    *total += more;
}

#[test]
fn nodes_are_those_of_the_events_after_every_kind_of_start() {
    let home = tempfile::tempdir().unwrap();
    let mut total = 0;
    let store = create(options(home.path()));
    check(&store, 0);
    // Groups that end before, at and beyond the ends of buckets, and one that fills two.
    for more in [1, 1_022, 1, 5, 1_500, 2_600] {
        append(&store, &mut total, more);
        check(&store, total);
    }
    store.close().unwrap();
    let store = open(options(home.path()));
    check(&store, total);
    append(&store, &mut total, 900);
    check(&store, total);
    store.abandon();
    // Built again from the journal.
    std::fs::remove_dir_all(home.path().join("sled")).unwrap();
    let opened = try_open(options(home.path())).unwrap();
    assert!(opened.report.iter().any(|finding| matches!(finding, Finding::Rebuilt { .. })));
    check(&opened.store, total);
    append(&opened.store, &mut total, 1_200);
    check(&opened.store, total);
}
