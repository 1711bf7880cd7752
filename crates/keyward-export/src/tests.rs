//! Exports of a real store into a destination that fails at every possible moment.

use crate::{Destination, ExportError, Exported, Exporter, Folder, SigningKey, Until};
use keyward_store::{Commit, NewStore, Options, Silent, Store, harden};
use keyward_trail::files::{
    Checked, Object, Objects, ObjectsError, Place, Schedule, Verifier, gunzip, sha256,
};
use keyward_types::{Event, EventSummary, Outcome, Sealer, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

struct Plain;

impl Sealer for Plain {
    fn seal(&self, _: &[u8], plain: &[u8]) -> Vec<u8> {
        plain.to_vec()
    }

    fn open(&self, _: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.to_vec())
    }
}

/// Signs by hashing.
struct Key(&'static str);

impl SigningKey for Key {
    fn fingerprint(&self) -> &str {
        self.0
    }

    fn public_key_pem(&self) -> &str {
        "a public key"
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        Ok(sha256(&[self.0.as_bytes(), message].concat()).into_bytes())
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.sign(message).as_deref() == Ok(signature)
    }
}

/// Objects in memory, which refuse when they were told so, and notice what is written differently.
#[derive(Default)]
struct Memory {
    objects: Mutex<BTreeMap<String, Object>>,
    /// Puts that still succeed.
    left: AtomicUsize,
}

impl Objects for Memory {
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectsError> {
        let objects = self.objects.lock().unwrap();
        Ok(objects.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    fn get(&self, key: &str) -> Result<Option<Object>, ObjectsError> {
        Ok(self.objects.lock().unwrap().get(key).cloned())
    }
}

impl Destination for Memory {
    fn put(&self, key: &str, object: &Object) -> Result<(), ObjectsError> {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(
            left.checked_sub(1).ok_or(ObjectsError("killed".to_owned()))?,
            Ordering::Relaxed,
        );
        let before = self.objects.lock().unwrap().insert(key.to_owned(), object.clone());
        assert!(before.is_none() || key.ends_with("head.json"), "{key} is written twice");
        Ok(())
    }
}

const HOUR: i64 = 3_600;
const START: i64 = 1_767_225_600;

struct Log {
    store: Store,
    records: Vec<String>,
    _home: tempfile::TempDir,
}

impl Log {
    fn new() -> Self {
        harden::make_sync_real().unwrap();
        let home = tempfile::tempdir().unwrap();
        let new = NewStore { store_id: [1; 16], root_check: [0; 32], root: Default::default() };
        let options = Options::at(home.path());
        let store = Store::create(options, new, Arc::new(Plain), &Silent).unwrap().store;
        Self { store, records: Vec::new(), _home: home }
    }

    fn event(&mut self, seconds: i64, account: &str, region: &str) {
        let number = self.records.len();
        let record = format!(
            r#"{{"eventName":"Decrypt","eventID":"{number}","awsRegion":"{region}","recipientAccountId":"{account}"}}"#
        );
        let id = uuid::Uuid::from_u128(number as u128 + 1);
        let summary = EventSummary {
            event_id: id,
            request_id: id,
            time: Timestamp::from_seconds(seconds),
            service: "kms",
            operation: "Decrypt",
            outcome: Outcome::Success,
            account: account.to_owned(),
            principal_arn: "p".to_owned(),
            keys: Vec::new(),
        };
        let event = Event { summary, record: record.clone().into_bytes(), terms: Vec::new() };
        let commit = Commit {
            snapshot: self.store.snapshot(),
            rested_on: Vec::new(),
            changes: Vec::new(),
            events: vec![event],
        };
        self.store.commit(commit).wait().unwrap();
        self.records.push(record);
    }

    /// Two accounts, two Regions, an event that comes late, an hour without any, and a second account that begins later.
    fn busy() -> Self {
        let mut log = Self::new();
        for (seconds, account, region) in [
            (10, "111122223333", "us-east-1"),
            (20, "111122223333", "eu-west-1"),
            (400, "111122223333", "us-east-1"),
            (290, "111122223333", "us-east-1"),
            (HOUR + 5, "444455556666", "us-east-1"),
            (HOUR - 5, "111122223333", "us-east-1"),
            (3 * HOUR + 100, "111122223333", "us-east-1"),
        ] {
            log.event(START + seconds, account, region);
        }
        log
    }
}

fn place() -> Place {
    Place {
        bucket: "b".to_owned(),
        prefix: Some("p".to_owned()),
        trail: "t".to_owned(),
        home_region: "us-east-1".to_owned(),
    }
}

fn run(log: &Log, to: &Arc<Memory>, until: Until) -> Result<Exported, ExportError> {
    let destination: Arc<dyn Destination> = to.clone();
    let key = Arc::new(Key("f"));
    let exporter =
        Exporter::open(&log.store, destination, key, place(), Schedule::default(), None)?;
    Ok(exporter.catch_up(&log.store, until)?.exported())
}

fn check(to: &Memory) -> Checked {
    let verify = |fingerprint: &str, message: &[u8], signature: &[u8]| -> Option<bool> {
        (fingerprint == "f").then(|| Key("f").verify(message, signature))
    };
    let checked = Verifier { objects: to, verify: &verify, until: None }.check().unwrap();
    assert_eq!(checked.findings, []);
    checked
}

/// Every record in the log files, in the order of the log.
fn records(to: &Memory) -> Vec<String> {
    let mut found = Vec::new();
    for key in to.list("").unwrap().iter().filter(|key| key.contains("/CloudTrail/")) {
        let body = gunzip(&to.get(key).unwrap().unwrap().bytes).unwrap();
        let body = String::from_utf8(body).unwrap();
        let inner = body.strip_prefix(r#"{"Records":["#).unwrap().strip_suffix("]}").unwrap();
        found.extend(inner.replace("},{", "}\n{").lines().map(str::to_owned));
    }
    found.sort_by_key(|record| record.split("eventID\":\"").nth(1).unwrap().to_owned());
    found
}

fn patient() -> Arc<Memory> {
    let memory = Memory::default();
    memory.left.store(usize::MAX, Ordering::Relaxed);
    Arc::new(memory)
}

#[test]
fn everything_is_exported_once() {
    let log = Log::busy();
    let to = patient();
    let done = run(&log, &to, Until::End(None)).unwrap();
    // Two streams from the first hour on, three from the second; the third hour is empty.
    assert_eq!((done.events, done.logs, done.digests), (7, 6, 2 + 3 + 3 + 3));
    let checked = check(&to);
    assert_eq!((checked.streams, checked.digests, checked.logs, checked.events), (3, 11, 6, 7));
    assert_eq!(records(&to), log.records);
    let again = run(&log, &to, Until::End(None)).unwrap();
    assert_eq!(again, Exported::default());
}

#[test]
fn killed_at_any_moment_the_next_run_finishes() {
    let log = Log::busy();
    let whole = patient();
    run(&log, &whole, Until::End(None)).unwrap();
    for kill in 1.. {
        let to = patient();
        to.left.store(kill, Ordering::Relaxed);
        match run(&log, &to, Until::End(None)) {
            Ok(_) => {
                // The public key; four times a head and six files; four times two heads, and eleven digests.
                assert_eq!(kill, 1 + 4 + 6 + 4 * 2 + 11);
                return;
            }
            Err(ExportError::Objects(_)) => {}
            Err(other) => panic!("after {kill} puts: {other}"),
        }
        to.left.store(usize::MAX, Ordering::Relaxed);
        run(&log, &to, Until::End(None))
            .unwrap_or_else(|error| panic!("after {kill} puts: {error}"));
        check(&to);
        assert!(*to.objects.lock().unwrap() == *whole.objects.lock().unwrap(), "after {kill} puts");
    }
}

#[test]
fn by_the_clock_only_what_is_over_is_written() {
    let mut log = Log::new();
    let to = patient();
    let at = |seconds| Until::Clock(Timestamp::from_seconds(START + seconds));
    let digests =
        |to: &Memory| to.list("").unwrap().iter().filter(|key| key.contains("Digest")).count();
    assert_eq!(run(&log, &to, at(0)).unwrap(), Exported::default());
    log.event(START + 10, "111122223333", "us-east-1");
    assert_eq!(run(&log, &to, at(359)).unwrap().logs, 0);
    assert_eq!(run(&log, &to, at(360)).unwrap().logs, 1);
    check(&to);
    assert_eq!(run(&log, &to, at(HOUR + 59)).unwrap().digests, 0);
    assert_eq!(run(&log, &to, at(HOUR + 60)).unwrap().digests, 1);
    // Hours without events have digests too.
    assert_eq!(run(&log, &to, at(4 * HOUR)).unwrap().digests, 2);
    // What comes late stands in the file that is open.
    log.event(START + 20, "111122223333", "us-east-1");
    run(&log, &to, at(5 * HOUR)).unwrap();
    assert_eq!((check(&to).events, digests(&to)), (2, 4));
    // A stop in the middle of an hour, and on from there.
    log.event(START + 5 * HOUR + 10, "111122223333", "us-east-1");
    assert_eq!(run(&log, &to, Until::End(None)).unwrap().digests, 2);
    log.event(START + 5 * HOUR + 11, "111122223333", "us-east-1");
    assert_eq!(run(&log, &to, Until::End(None)).unwrap().digests, 1);
    assert_eq!((check(&to).events, digests(&to)), (4, 7));
    assert_eq!(records(&to), log.records);
}

#[test]
fn a_range_is_exported_and_gone_on_with() {
    let log = Log::busy();
    let to = patient();
    let until = Until::End(Some(Timestamp::from_seconds(START + HOUR)));
    assert_eq!(run(&log, &to, until).unwrap().events, 4);
    check(&to);
    assert_eq!(run(&log, &to, Until::End(None)).unwrap().events, 3);
    assert_eq!(check(&to).events, 7);

    let to = patient();
    let since = Some(Timestamp::from_seconds(START + 3 * HOUR));
    let exporter = Exporter::open(
        &log.store,
        to.clone(),
        Arc::new(Key("f")),
        place(),
        Schedule::default(),
        since,
    )
    .unwrap();
    let done = exporter.catch_up(&log.store, Until::End(None)).unwrap().exported();
    assert_eq!((done.events, done.digests), (1, 1));
    check(&to);
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let log = Log::busy();
    let to = patient();
    run(&log, &to, Until::End(None)).unwrap();
    let open = |log: &Log, to: &Arc<Memory>, key, place: Place| {
        Exporter::open(&log.store, to.clone(), Arc::new(Key(key)), place, Schedule::default(), None)
            .map(drop)
            .unwrap_err()
    };
    assert!(matches!(open(&log, &to, "g", place()), ExportError::Foreign(_)));
    let other = Place { trail: "other".to_owned(), ..place() };
    assert!(matches!(open(&log, &to, "f", other), ExportError::Elsewhere(_)));
    assert!(matches!(open(&Log::new(), &to, "f", place()), ExportError::Ahead { .. }));
    // As long as the log that was exported, and another one: what a power cut can leave in relaxed mode.
    let mut another = Log::new();
    for number in 0..9 {
        another.event(START + number, "111122223333", "eu-west-1");
    }
    assert!(matches!(open(&another, &to, "f", place()), ExportError::Ahead { .. }));
    let head = to.objects.lock().unwrap().remove(&place().head_key());
    assert!(head.is_some());
    assert!(matches!(open(&log, &to, "f", place()), ExportError::NoHead(_)));
}

#[test]
fn a_file_that_was_changed_meanwhile_stops_the_export() {
    let mut log = Log::new();
    log.event(START + 10, "111122223333", "us-east-1");
    let to = patient();
    run(&log, &to, Until::Clock(Timestamp::from_seconds(START + 400))).unwrap();
    let key = to.list("p/AWSLogs/").unwrap().pop().unwrap();
    to.objects.lock().unwrap().insert(key.clone(), Object::default());
    let error = run(&log, &to, Until::End(None)).unwrap_err();
    assert!(matches!(error, ExportError::Differs(found) if found == key));
}

#[test]
fn a_folder_holds_an_export() {
    let log = Log::busy();
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::new(home.path());
    let exporter = Exporter::open(
        &log.store,
        Arc::new(folder.clone()),
        Arc::new(Key("f")),
        place(),
        Schedule::default(),
        None,
    );
    exporter.unwrap().catch_up(&log.store, Until::End(None)).unwrap();
    let verify =
        |_: &str, message: &[u8], signature: &[u8]| Some(Key("f").verify(message, signature));
    let checked = Verifier { objects: &folder, verify: &verify, until: None }.check().unwrap();
    assert_eq!((checked.findings, checked.events), (vec![], 7));
}

#[cfg(feature = "s3")]
#[test]
fn a_bucket_holds_an_export() {
    let log = Log::busy();
    let store: Arc<dyn object_store::ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    let bucket = Arc::new(crate::Bucket::of(store).unwrap());
    let open = || {
        let destination: Arc<dyn Destination> = bucket.clone();
        let key = Arc::new(Key("f"));
        Exporter::open(&log.store, destination, key, place(), Schedule::default(), None).unwrap()
    };
    let done = open().catch_up(&log.store, Until::End(None)).unwrap().exported();
    assert_eq!((done.events, done.digests), (7, 11));
    let again = open().catch_up(&log.store, Until::End(None)).unwrap().exported();
    assert_eq!(again, Exported::default());
    let verify =
        |_: &str, message: &[u8], signature: &[u8]| Some(Key("f").verify(message, signature));
    let checked = Verifier { objects: &*bucket, verify: &verify, until: None }.check().unwrap();
    assert_eq!((checked.findings, checked.events), (vec![], 7));
    let keys = bucket.list("p/AWSLogs/111122223333/CloudTrail-D").unwrap();
    assert!(keys.iter().all(|key| key.contains("/CloudTrail-Digest/")) && !keys.is_empty());
    assert_eq!(bucket.get("p/nothing").unwrap(), None);
}
