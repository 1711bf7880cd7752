//! Flipped bits, zeroed pages, cut files: reported or put right, never served.

use crate::{faults::copy, house::*};
use keyward_store::{Finding, Options, Silent, SledState, Store, StoreError};
use keyward_types::{Change, Name, Record};
use std::path::Path;

/// Everything that can be read of a store, as text.
fn dump(store: &Store) -> Result<String, StoreError> {
    use std::fmt::Write as _;
    let mut text = String::new();
    for key in store.keys_everywhere() {
        let key = key?;
        writeln!(text, "{key:?}").unwrap();
        writeln!(
            text,
            "{:?} {:?}",
            store.grants_of_key(&key.name, None, 1_000)?,
            store.aliases_of_key(&key.name)?
        )
        .unwrap();
        writeln!(
            text,
            "{:?} {:?}",
            store.dek(&key.name)?,
            store.material(&key.name, &material(1, vec![]).id)?
        )
        .unwrap();
        writeln!(text, "{}", store.grant_count(&key.name)?).unwrap();
        writeln!(text, "{:?}", store.grant_candidates(&key.name, &["arn:a", "arn:b"])?).unwrap();
    }
    let query = keyward_store::EventQuery { limit: 100_000, ..Default::default() };
    for event in store.events(&query)? {
        writeln!(text, "{} {}", event.seq, String::from_utf8_lossy(&event.record)).unwrap();
    }
    Ok(text)
}

fn fill(home: &Path, segment_bytes: u64) -> String {
    let store = create(Options { segment_bytes, ..options(home) });
    for n in 1..=30 {
        let mut changes =
            vec![put_key(n, &format!("key {n}")), put(Record::Dek(dek(n, b"wrapped")))];
        changes.push(put(Record::Alias(alias(&format!("a{n}"), n))));
        changes.push(put(Record::Material(material(
            n,
            vec![7; 100 * usize::try_from(n).unwrap() * 3],
        ))));
        changes.push(put(Record::Grant(grant(n, "g1", "arn:a"))));
        changes.push(put(Record::Grant(grant(n, "g2", "arn:b"))));
        write(&store, changes, (0..20).map(|i| event(u64::from(n) * 20 + i, "Sign", n)).collect());
    }
    write(
        &store,
        vec![Change::Delete(Name::Grant(key_name(3), grant(3, "g2", "").grant_id))],
        vec![],
    );
    write(&store, vec![put_key(5, "changed")], vec![]);
    let text = dump(&store).unwrap();
    store.close().unwrap();
    text
}

/// A small generator, so that a failure can be repeated from the seed that it prints.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip,
    ZeroPage,
    Cut,
}

fn damage(path: &Path, kind: Damage, dice: &mut Dice) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = dice.below(bytes.len());
    match kind {
        Damage::Flip => bytes[at] ^= 1 << dice.below(8),
        Damage::ZeroPage => {
            let end = bytes.len().min(at + 4_096);
            bytes[at..end].fill(0);
        }
        Damage::Cut => bytes.truncate(at),
    }
    std::fs::write(path, bytes).unwrap();
}

/// sled often falls back to an older state that is whole, which the journal brings up.
fn is_mended(finding: &Finding) -> bool {
    matches!(finding, Finding::Rebuilt { .. } | Finding::Replayed { .. })
}

/// Whatever happens to sled's file, the same is served after at most one more start.
#[test]
fn sled_is_built_again_from_the_journal() {
    let home = tempfile::tempdir().unwrap();
    let expected = fill(home.path(), 64 << 20);
    let mut mended = 0;
    for round in 0..60_u64 {
        let seed = 1_000 + round;
        let mut dice = Dice(seed);
        let copied = tempfile::tempdir().unwrap();
        copy(home.path(), copied.path());
        let kind =
            [Damage::Flip, Damage::ZeroPage, Damage::Cut][usize::try_from(round % 3).unwrap()];
        if round % 2 == 0 {
            std::fs::remove_file(copied.path().join("clean")).unwrap();
        }
        damage(&copied.path().join("sled/db"), kind, &mut dice);
        let opened = try_open(options(copied.path())).unwrap();
        mended += usize::from(opened.report.iter().any(is_mended));
        let found = match dump(&opened.store) {
            Ok(found) => {
                opened.store.close().unwrap();
                found
            }
            Err(_) => {
                opened.store.abandon();
                let opened = try_open(options(copied.path())).unwrap();
                assert!(
                    opened.report.iter().any(|f| matches!(f, Finding::Rebuilt { .. })),
                    "seed {seed}"
                );
                dump(&opened.store).unwrap()
            }
        };
        assert!(found == expected, "seed {seed}, {kind:?}");
    }
    assert!(mended > 20, "only {mended} rounds hurt");
}

/// Flips all over the journal of a store that was closed: the anchor says how far it must go.
#[test]
fn a_damaged_journal_is_refused_and_named() {
    let home = tempfile::tempdir().unwrap();
    fill(home.path(), 64 << 20);
    let path = home.path().join("journal/00000001.seg");
    let whole = std::fs::read(&path).unwrap();
    let mut dice = Dice(5);
    for round in 0..150 {
        let kind = if round % 5 == 0 { Damage::Cut } else { Damage::Flip };
        damage(&path, kind, &mut dice);
        // The reserved end of the segment's head is covered by its checksum as well.
        let refused = try_open(options(home.path())).err();
        assert!(
            matches!(refused, Some(StoreError::Corrupt { .. } | StoreError::Lost(_))),
            "{round}: {refused:?}"
        );
        let verified = Store::verify(&options(home.path()), |_| Ok(sealer()), &Silent);
        assert!(
            matches!(verified, Err(StoreError::Corrupt { .. } | StoreError::Lost(_))),
            "{round}: {verified:?}"
        );
        let alone = verify_journal(&options(home.path()));
        assert_eq!(format!("{alone:?}"), format!("{verified:?}"), "{round}");
        std::fs::write(&path, &whole).unwrap();
    }
    let verified = Store::verify(&options(home.path()), |_| Ok(sealer()), &Silent).unwrap();
    assert_eq!((verified.commits, verified.events, verified.sled), (32, 600, SledState::Equal));
    assert_eq!(verified.data_encryption_keys, 30);
}

#[test]
fn damage_in_an_older_segment_is_named_by_verifying_and_stops_a_rebuild() {
    let home = tempfile::tempdir().unwrap();
    let expected = fill(home.path(), 10_000);
    assert!(home.path().join("journal/00000004.seg").exists());
    let path = home.path().join("journal/00000002.seg");
    let whole = std::fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    match Store::verify(&options(home.path()), |_| Ok(sealer()), &Silent) {
        Err(StoreError::Corrupt { place, offset, .. }) => {
            assert_eq!(place, "00000002.seg");
            assert!(offset <= at as u64);
        }
        other => panic!("{other:?}"),
    }
    let store = open(options(home.path()));
    assert!(dump(&store).unwrap() == expected, "sled is whole, and serves");
    store.close().unwrap();
    std::fs::rename(home.path().join("sled"), home.path().join("elsewhere")).unwrap();
    assert!(matches!(try_open(options(home.path())).err(), Some(StoreError::Corrupt { .. })));
    std::fs::write(&path, &whole).unwrap();
    assert!(dump(&open(options(home.path()))).unwrap() == expected);
}

#[test]
fn a_missing_segment_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    fill(home.path(), 10_000);
    for number in [1, 2] {
        let path = home.path().join(format!("journal/0000000{number}.seg"));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(try_open(options(home.path())).err(), Some(StoreError::Corrupt { .. })));
        std::fs::write(&path, bytes).unwrap();
    }
}

/// Two sealed values change places in sled, each whole in itself.
#[test]
fn swapped_and_old_values_are_noticed() {
    let home = tempfile::tempdir().unwrap();
    let expected = fill(home.path(), 64 << 20);
    let tamper = |change: &dyn Fn(&sled::Db)| {
        let db = sled::open(home.path().join("sled")).unwrap();
        change(&db);
        db.flush().unwrap();
    };
    let keys = |db: &sled::Db| db.scan_prefix([2]).map(|entry| entry.unwrap()).collect::<Vec<_>>();
    let swap = |db: &sled::Db| {
        let found = keys(db);
        db.insert(&found[0].0, &found[1].1).unwrap();
        db.insert(&found[1].0, &found[0].1).unwrap();
    };
    let lose = |db: &sled::Db| drop(db.remove(&keys(db)[4].0).unwrap());
    for change in [&swap as &dyn Fn(&sled::Db), &lose] {
        tamper(change);
        let verified = Store::verify(&options(home.path()), |_| Ok(sealer()), &Silent);
        assert!(matches!(verified, Err(StoreError::Corrupt { .. })), "{verified:?}");
        let alone = verify_journal(&options(home.path())).unwrap();
        assert_eq!((alone.events, alone.sled), (600, SledState::NotCompared), "the log is whole");
        let opened = try_open(options(home.path())).unwrap();
        assert!(matches!(opened.report[..], [Finding::Rebuilt { .. }]), "{:?}", opened.report);
        assert!(dump(&opened.store).unwrap() == expected);
        opened.store.close().unwrap();
    }
}
