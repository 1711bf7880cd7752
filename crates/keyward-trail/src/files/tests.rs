//! A small folder in memory, and everything that can be done to it.

use super::*;
use keyward_types::Timestamp;
use std::cell::RefCell;

/// Signs by hashing: a test of what is signed, not of RSA.
fn sign(message: &[u8]) -> Result<Vec<u8>, String> {
    Ok(sha256(message).into_bytes())
}

fn verify(fingerprint: &str, message: &[u8], signature: &[u8]) -> Option<bool> {
    (fingerprint == "f").then(|| sha256(message).as_bytes() == signature)
}

#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, Object>>);

impl Objects for Memory {
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectsError> {
        Ok(self.0.borrow().keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    fn get(&self, key: &str) -> Result<Option<Object>, ObjectsError> {
        Ok(self.0.borrow().get(key).cloned())
    }
}

const HOUR: i64 = 3_600;
const START: i64 = 1_767_225_600;

struct Folder {
    memory: Memory,
    place: Place,
    stream: Stream,
    digests: Vec<String>,
    logs: Vec<String>,
}

impl Folder {
    /// Four hours: two files, none, one, one; and one more in the open hour.
    fn new() -> Self {
        let place = Place {
            bucket: "b".to_owned(),
            prefix: None,
            trail: "keyward".to_owned(),
            home_region: "us-east-1".to_owned(),
        };
        let stream = Stream::parse("111122223333/us-east-1").unwrap();
        let mut folder = Self {
            memory: Memory::default(),
            place,
            stream,
            digests: Vec::new(),
            logs: Vec::new(),
        };
        let mut head = Head::new(&folder.place, "f", 7);
        let mut previous = None;
        for (hour, files) in [2, 0, 1, 1].into_iter().enumerate() {
            let start = START + HOUR * i64::try_from(hour).unwrap();
            let files = (0..files).map(|i| folder.log(start + 300 * (i + 1), "Decrypt")).collect();
            let link = folder.digest(start, previous.as_ref(), files);
            folder.digests.push(link.key.clone());
            previous = Some(link);
        }
        let file = folder.log(START + 4 * HOUR + 300, "Encrypt");
        let pending = vec![Pending { file, first_event: 6, last_event: 6 }];
        let stream = StreamHead { newest: previous, pending };
        head.streams.insert(folder.stream.to_string(), stream);
        let bytes = head.store(sign).unwrap();
        folder.put(&folder.place.head_key(), Object { bytes, ..Object::default() });
        folder
    }

    fn put(&self, key: &str, object: Object) {
        self.memory.0.borrow_mut().insert(key.to_owned(), object);
    }

    fn take(&self, key: &str) -> Object {
        self.memory.0.borrow_mut().remove(key).unwrap()
    }

    fn log(&mut self, time: i64, name: &str) -> LogFile {
        let record = format!(
            r#"{{"eventName":"{name}","eventID":"{time}","awsRegion":"us-east-1","recipientAccountId":"111122223333"}}"#
        );
        let body = log_body([record.as_bytes()]);
        let key = self.place.log_key(&self.stream, Timestamp::from_seconds(time), &unique(&body));
        self.put(&key, Object { bytes: gzip(&body).unwrap(), ..Object::default() });
        self.logs.push(key.clone());
        LogFile {
            s3_bucket: "b".to_owned(),
            s3_object: key,
            hash_value: sha256(&body),
            hash_algorithm: HASH_ALGORITHM.to_owned(),
            newest_event_time: "n".to_owned(),
            oldest_event_time: "o".to_owned(),
        }
    }

    fn digest(&self, start: i64, previous: Option<&Link>, files: Vec<LogFile>) -> Link {
        let (start, end) = (Timestamp::from_seconds(start), Timestamp::from_seconds(start + HOUR));
        let digest = Digest::new(&self.place, &self.stream, (start, end), "f", previous, files);
        let SignedDigest { object, link } = digest.sign(end, sign).unwrap();
        self.put(&link.key, object);
        link
    }

    fn check(&self) -> Checked {
        self.check_until(None)
    }

    fn check_until(&self, until: Option<Timestamp>) -> Checked {
        Verifier { objects: &self.memory, verify: &verify, until }.check().unwrap()
    }

    fn first(&self) -> (String, Problem) {
        let finding = self.check().findings.into_iter().next().expect("something is found");
        (finding.object, finding.problem)
    }

    /// Changes a digest's document and signs it again with the real key.
    fn sign_again(&self, key: &str, change: impl Fn(&mut Digest)) {
        let body = gunzip(&self.memory.get(key).unwrap().unwrap().bytes).unwrap();
        let mut digest: Digest = serde_json::from_slice(&body).unwrap();
        change(&mut digest);
        let signed = digest.sign(Timestamp::from_seconds(0), sign).unwrap();
        self.put(key, signed.object);
    }
}

#[test]
fn an_untouched_folder_holds() {
    let folder = Folder::new();
    let checked = folder.check();
    assert_eq!(checked.findings, []);
    assert_eq!((checked.streams, checked.digests, checked.logs), (1, 4, 4));
    assert_eq!((checked.open_logs, checked.events), (1, 5));
    let at = |seconds| Some(Timestamp::from_seconds(seconds));
    assert_eq!(folder.check_until(at(START + 4 * HOUR)).findings, []);
    let late = folder.check_until(at(START + 4 * HOUR + 1)).findings;
    assert_eq!(late[0].problem, Problem::EndsEarly("2026-01-01T04:00:00Z".to_owned()));
}

#[test]
fn a_first_digest_has_nulls_as_awss_has() {
    let folder = Folder::new();
    let body = gunzip(&folder.take(&folder.digests[0]).bytes).unwrap();
    let digest: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let names: Vec<&String> = digest.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "awsAccountId",
            "digestStartTime",
            "digestEndTime",
            "digestS3Bucket",
            "digestS3Object",
            "digestPublicKeyFingerprint",
            "digestSignatureAlgorithm",
            "newestEventTime",
            "oldestEventTime",
            "previousDigestS3Bucket",
            "previousDigestS3Object",
            "previousDigestHashValue",
            "previousDigestHashAlgorithm",
            "previousDigestSignature",
            "logFiles"
        ]
    );
    let nulls = digest.as_object().unwrap().iter().filter(|(_, value)| value.is_null());
    assert!(nulls.map(|(name, _)| name).all(|name| name.starts_with("previousDigest")));
    assert!(digest["previousDigestSignature"].is_null());
}

#[test]
fn what_awss_command_catches() {
    let folder = Folder::new();
    let log = folder.logs[1].clone();
    let body = log_body([b"{}".as_slice()]);
    folder.put(&log, Object { bytes: gzip(&body).unwrap(), ..Object::default() });
    assert_eq!(folder.first(), (log.clone(), Problem::HashDiffers(folder.digests[0].clone())));
    folder.take(&log);
    assert_eq!(folder.first(), (log, Problem::NotFound(folder.digests[0].clone())));

    let folder = Folder::new();
    folder.take(&folder.digests[1]);
    assert_eq!(
        folder.first(),
        (folder.digests[1].clone(), Problem::NotFound(folder.digests[2].clone()))
    );

    let folder = Folder::new();
    let mut object = folder.take(&folder.digests[2]);
    object.metadata.insert(metadata::SIGNATURE.to_owned(), "00".to_owned());
    folder.put(&folder.digests[2], object);
    assert_eq!(folder.first(), (folder.digests[2].clone(), Problem::BadSignature));

    let folder = Folder::new();
    let object = folder.take(&folder.digests[2]);
    folder.put(&folder.digests[1], object);
    assert_eq!(folder.first(), (folder.digests[1].clone(), Problem::Moved));
}

#[test]
fn what_awss_command_lets_pass() {
    let folder = Folder::new();
    folder.take(&folder.digests[3]);
    assert_eq!(folder.first(), (folder.digests[3].clone(), Problem::NewestRemoved));

    let mut folder = Folder::new();
    let added = folder.log(START + 600, "Sign").s3_object;
    assert_eq!(folder.first(), (added, Problem::NotNamed));

    // A log is altered and its digest signed again with the real key.
    for (digest, witness) in [(0, Some(1)), (3, None)] {
        let mut folder = Folder::new();
        let (key, log) = (folder.digests[digest].clone(), folder.logs[digest].clone());
        let body = log_body([
            br#"{"eventID":"e","awsRegion":"us-east-1","recipientAccountId":"111122223333"}"#
                .as_slice(),
        ]);
        folder.put(&log, Object { bytes: gzip(&body).unwrap(), ..Object::default() });
        folder.sign_again(&key, |digest| {
            let file = digest.log_files.iter_mut().find(|file| file.s3_object == log).unwrap();
            file.hash_value = sha256(&body);
        });
        let witness =
            witness.map_or("the head".to_owned(), |next: usize| folder.digests.swap_remove(next));
        assert_eq!(folder.first(), (key, Problem::HashDiffers(witness)));
    }

    let folder = Folder::new();
    let mut object = folder.take(&folder.digests[0]);
    object.metadata.insert(metadata::ALGORITHM.to_owned(), "SHA1withRSA".to_owned());
    folder.put(&folder.digests[0], object);
    let wrong = Problem::WrongAlgorithm("SHA1withRSA".to_owned());
    assert_eq!(folder.first(), (folder.digests[0].clone(), wrong));
}

#[test]
fn a_log_that_no_digest_names_yet_is_missed_too() {
    let folder = Folder::new();
    let open = folder.logs.last().unwrap().clone();
    folder.take(&open);
    assert_eq!(folder.first(), (open, Problem::NotWritten));
    // In its first hour a trail has no digest at all.
    let head = folder.place.head_key();
    let mut first = Head::load(&folder.take(&head).bytes, |f, m, s| verify(f, m, s) == Some(true));
    let first = first.as_mut().unwrap();
    first.streams.values_mut().for_each(|stream| stream.newest = None);
    let bytes = first.store(sign).unwrap();
    folder.memory.0.borrow_mut().clear();
    folder.put(&head, Object { bytes, ..Object::default() });
    assert_eq!(folder.first().1, Problem::NotWritten);
}

#[test]
fn a_digest_that_is_none_hides_no_other_and_is_named() {
    for (name, at) in [("aaa", 1), ("zzz", 1), ("aaa", 3), ("zzz", 3)] {
        let folder = Folder::new();
        let real = &folder.digests[at];
        let beside = real.replace("_keyward_", &format!("_{name}_"));
        assert_ne!(*real, beside);
        folder.put(&beside, Object { bytes: b"garbage".to_vec(), ..Object::default() });
        let findings = folder.check().findings;
        assert_eq!(findings, [Finding { object: beside, problem: Problem::NotGzip }]);
        // The real one is still looked at.
        let log = folder.logs[if at == 1 { 2 } else { 3 }].clone();
        if at == 3 {
            folder.take(&log);
            let lost = Finding { object: log, problem: Problem::NotFound(real.clone()) };
            assert!(folder.check().findings.contains(&lost));
        }
    }
}

#[test]
fn the_head_is_needed_and_signed() {
    let folder = Folder::new();
    let key = folder.place.head_key();
    let object = folder.take(&key);
    assert_eq!(folder.first(), (key.clone(), Problem::HeadMissing));
    let text = String::from_utf8(object.bytes).unwrap();
    let forged = text.replace(r#"\"next_event\":7"#, r#"\"next_event\":8"#);
    assert_ne!(text, forged);
    folder.put(&key, Object { bytes: forged.into_bytes(), ..Object::default() });
    assert_eq!(folder.first(), (key, Problem::HeadForged));
}

#[test]
fn a_stream_that_vanished_and_a_chain_that_begins_anew_are_found() {
    let folder = Folder::new();
    for key in folder.digests.iter().chain(&folder.logs) {
        folder.take(key);
    }
    assert_eq!(folder.first(), (folder.digests[3].clone(), Problem::NewestRemoved));

    let folder = Folder::new();
    folder.sign_again(&folder.digests[1], |digest| {
        digest.previous_digest_s3_object = None;
        digest.previous_digest_signature = None;
    });
    assert_eq!(folder.first(), (folder.digests[1].clone(), Problem::BeginsAnew));

    let folder = Folder::new();
    folder.sign_again(&folder.digests[3], |digest| {
        digest.digest_start_time = "2026-01-01T03:30:00Z".to_owned();
    });
    assert!(matches!(folder.first(), (_, Problem::Gap { .. })));
}

#[test]
fn a_record_of_somebody_else_is_named() {
    let mut folder = Folder::new();
    folder.stream = Stream::parse("111122223333/eu-west-1").unwrap();
    let start = START;
    let file = folder.log(start + 300, "Decrypt");
    let key = file.s3_object.clone();
    folder.digest(start, None, vec![file]);
    let found = Problem::ForeignRecord { index: 0, id: (start + 300).to_string() };
    assert_eq!(folder.first(), (key, found));
}

#[test]
fn a_changed_byte_anywhere_is_found() {
    let folder = Folder::new();
    for key in folder.memory.list("").unwrap() {
        let whole = folder.memory.get(&key).unwrap().unwrap();
        let opens_to = |bytes: &[u8]| gunzip(bytes).unwrap_or_else(|_| bytes.to_vec());
        for at in 0..whole.bytes.len() {
            let mut changed = whole.clone();
            changed.bytes[at] ^= 1;
            // Time and system in the header of gzip are nobody's content.
            let is_same = opens_to(&changed.bytes) == opens_to(&whole.bytes);
            folder.put(&key, changed);
            let found = folder.check().findings;
            assert_eq!(found.is_empty(), is_same, "byte {at} of {key}: {found:?}");
        }
        for name in whole.metadata.keys() {
            let mut changed = whole.clone();
            changed.metadata.get_mut(name).unwrap().push('0');
            folder.put(&key, changed);
            assert_ne!(folder.check().findings, [], "{name} of {key}");
        }
        folder.put(&key, whole);
    }
    assert_eq!(folder.check().findings, []);
}
