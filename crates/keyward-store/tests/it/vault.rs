//! Data-encryption keys: in the vault alone, and gone when deleted.

use crate::house::*;
use keyward_store::{Commit, DiskCall, Finding, Options, Silent, Store, StoreError, Verdict};
use keyward_types::{Change, Name, Record};
use std::{path::Path, sync::Arc};

const SECRET: &[u8] = b"the-wrapped-data-encryption-key-of-one";

/// How a record's bytes stand in MessagePack: small numbers as they are, in an array.
fn with_dek(n: u32, secret: &[u8]) -> Vec<Change> {
    vec![
        put_key(n, "k"),
        put(Record::Dek(dek(n, secret))),
        put(Record::Material(material(n, vec![4; 40]))),
    ]
}

#[test]
fn a_deleted_key_leaves_no_trace_of_its_data_encryption_key() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    write(&store, with_dek(1, SECRET), vec![]);
    write(&store, with_dek(2, b"another key that stays where it is"), vec![]);
    assert_eq!(store.dek(&key_name(1)).unwrap().unwrap().wrapped, SECRET);
    assert!(is_anywhere(home.path(), SECRET), "the search must be able to find it");
    for part in ["journal", "sled"] {
        assert!(!is_anywhere(&home.path().join(part), SECRET), "{part}");
    }
    write(
        &store,
        vec![Change::Delete(Name::Dek(key_name(1))), Change::Delete(Name::Key(key_name(1)))],
        vec![],
    );
    assert!(store.dek(&key_name(1)).unwrap().is_none());
    assert!(!is_anywhere(home.path(), SECRET));
    store.close().unwrap();
    assert!(!is_anywhere(home.path(), SECRET));
    std::fs::remove_dir_all(home.path().join("sled")).unwrap();
    let store = open(options(home.path()));
    assert!(store.dek(&key_name(1)).unwrap().is_none());
    assert_eq!(
        store.dek(&key_name(2)).unwrap().unwrap().wrapped,
        b"another key that stays where it is"
    );
}

#[test]
fn a_replaced_key_is_gone_too_and_put_and_delete_in_one_commit_leave_nothing() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    write(&store, with_dek(1, SECRET), vec![]);
    write(&store, vec![put(Record::Dek(dek(1, b"a newer one")))], vec![]);
    assert!(!is_anywhere(home.path(), SECRET));
    assert_eq!(store.dek(&key_name(1)).unwrap().unwrap().wrapped, b"a newer one");
    write(
        &store,
        vec![put(Record::Dek(dek(2, SECRET))), Change::Delete(Name::Dek(key_name(2)))],
        vec![],
    );
    assert!(!is_anywhere(home.path(), SECRET));
    assert!(store.dek(&key_name(2)).unwrap().is_none());
    store.abandon();
    let store = open(options(home.path()));
    assert_eq!(store.dek(&key_name(1)).unwrap().unwrap().wrapped, b"a newer one");
}

/// A crash between vault and journal leaves an orphan, which the next start destroys.
#[test]
fn an_orphan_is_destroyed_and_does_not_replace_what_it_would_have() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    write(&store, with_dek(1, b"the one that counts"), vec![]);
    store.close().unwrap();
    let hook = Arc::new(|call: DiskCall, path: &Path| match path.extension() {
        Some(e) if e == "seg" && call == DiskCall::Write => Verdict::Fail(libc::EIO),
        _ => Verdict::Proceed,
    });
    let store = open(Options { disk_hook: Some(hook), ..options(home.path()) });
    let commit = Commit { changes: vec![put(Record::Dek(dek(1, SECRET)))], ..Commit::default() };
    assert!(matches!(store.commit(commit).wait(), Err(StoreError::Failed(_))));
    store.abandon();
    assert!(is_anywhere(home.path(), SECRET));
    let opened = try_open(options(home.path())).unwrap();
    assert!(opened.report.contains(&Finding::OrphansDestroyed { count: 1 }), "{:?}", opened.report);
    assert!(!is_anywhere(home.path(), SECRET));
    assert_eq!(opened.store.dek(&key_name(1)).unwrap().unwrap().wrapped, b"the one that counts");
}

/// An absence that was cached while the journal is replayed must not outlive the frame that ends it.
#[test]
fn a_key_that_was_deleted_before_it_was_put_is_there_after_a_rebuild() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    write(&store, vec![Change::Delete(Name::Dek(key_name(1)))], vec![]);
    write(&store, with_dek(1, SECRET), vec![]);
    store.abandon();
    std::fs::remove_dir_all(home.path().join("sled")).unwrap();
    assert_eq!(open(options(home.path())).dek(&key_name(1)).unwrap().unwrap().wrapped, SECRET);
}

/// An entry whose sum was made right again after the change: a start believes the sum, and verifying opens it.
#[test]
fn a_key_that_was_changed_with_its_sum_is_named_whatever_sled_says() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    write(&store, with_dek(1, SECRET), vec![]);
    write(&store, with_dek(2, SECRET), vec![]);
    store.close().unwrap();
    let verify = || Store::verify(&options(home.path()), |_| Ok(sealer()), &Silent);
    assert_eq!(verify().unwrap().data_encryption_keys, 2);
    let path = home.path().join("deks.log");
    let mut bytes = std::fs::read(&path).unwrap();
    // Behind the file's head: a length of four bytes, so many bytes, and their sum.
    let length = usize::try_from(u32::from_be_bytes(bytes[24..28].try_into().unwrap())).unwrap();
    let (body, sum) = (28..28 + length, 28 + length..32 + length);
    bytes[body.end - 1] ^= 1;
    let right = crc32c::crc32c(&bytes[body]).to_be_bytes();
    bytes[sum].copy_from_slice(&right);
    std::fs::write(&path, bytes).unwrap();
    for is_behind in [false, true] {
        if is_behind {
            // As after an unclean stop: sled knows less than the journal.
            std::fs::remove_file(home.path().join("clean")).unwrap();
            let db = home.path().join("sled/db");
            let whole = std::fs::read(&db).unwrap();
            std::fs::write(&db, &whole[..whole.len() - 1_000]).unwrap();
        }
        match verify() {
            Err(StoreError::Corrupt { place, offset: 24, what }) => {
                assert_eq!(place, "deks.log");
                assert!(what.contains("not authentic"), "{what}");
            }
            other => panic!("sled is behind: {is_behind}: {other:?}"),
        }
    }
}

#[test]
fn a_damaged_vault_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let store = create(options(home.path()));
    write(&store, with_dek(1, SECRET), vec![]);
    store.close().unwrap();
    let path = home.path().join("deks.log");
    let whole = std::fs::read(&path).unwrap();
    for at in (24..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 16;
        std::fs::write(&path, &bytes).unwrap();
        let refused = try_open(options(home.path())).err();
        assert!(matches!(refused, Some(StoreError::Corrupt { .. })), "byte {at}: {refused:?}");
        let refused = Store::verify(&options(home.path()), |_| Ok(sealer()), &Silent);
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "byte {at}: {refused:?}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(try_open(options(home.path())).err(), Some(StoreError::Lost(_))));
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(open(options(home.path())).dek(&key_name(1)).unwrap().unwrap().wrapped, SECRET);
}
