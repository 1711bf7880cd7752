//! How fast a log becomes CloudTrail's files, and how fast those are verified.
//!
//! `cargo run --release -p keyward-export --example files -- [EVENTS]`; the signature is a hash, so that
//! reading, packing and syncing are what is measured. One RSA signature a digest comes on top.

use keyward_export::{Exporter, Folder, SigningKey, Until};
use keyward_store::{Commit, NewStore, Options, Silent, Store, harden};
use keyward_trail::files::{Place, Schedule, Verifier, sha256};
use keyward_types::{Event, EventSummary, Outcome, Sealer, Timestamp};
use std::{error::Error, sync::Arc, time::Instant};

struct Plain;

impl Sealer for Plain {
    fn seal(&self, _: &[u8], plain: &[u8]) -> Vec<u8> {
        plain.to_vec()
    }

    fn open(&self, _: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.to_vec())
    }
}

struct Key;

impl SigningKey for Key {
    fn fingerprint(&self) -> &str {
        "f"
    }

    fn public_key_pem(&self) -> &str {
        "none"
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        Ok(sha256(message).into_bytes())
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.sign(message).as_deref() == Ok(signature)
    }
}

const START: i64 = 1_767_225_600;
const EVENTS: u64 = 200_000;
/// Events of a second.
const RATE: u64 = 100;

fn event(number: u64) -> Event {
    let id = uuid::Uuid::from_u128(u128::from(number) + 1);
    let seconds = START + i64::try_from(number / RATE).unwrap_or(0);
    let arn = "arn:aws:iam::111122223333:user/somebody";
    let record = serde_json::json!({
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": arn, "accountId": "111122223333", "accessKeyId": "AKIAIOSFODNN7EXAMPLE"},
        "eventTime": seconds, "eventSource": "kms.amazonaws.com", "eventName": "Decrypt",
        "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.1", "userAgent": "aws-sdk-rust/1.3.0",
        "requestParameters": {"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"order": number.to_string()}},
        "requestID": id, "eventID": id, "readOnly": true, "recipientAccountId": "111122223333",
        "resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "arn:aws:kms:us-east-1:111122223333:key/12345678-1234-4234-8234-123456789012"}],
        "additionalEventData": {"policyDecision": [{"effect": "Allow", "reason": "KeyPolicy", "layers": "x".repeat(300)}]},
        "eventType": "AwsApiCall", "managementEvent": true, "eventCategory": "Management",
    });
    let summary = EventSummary {
        event_id: id,
        request_id: id,
        time: Timestamp::from_seconds(seconds),
        service: "kms",
        operation: "Decrypt",
        outcome: Outcome::Success,
        account: "111122223333".to_owned(),
        principal_arn: arn.to_owned(),
        keys: Vec::new(),
    };
    Event { summary, record: record.to_string().into_bytes(), terms: Vec::new() }
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a measurement")]
fn main() -> Result<(), Box<dyn Error>> {
    harden::make_sync_real()?;
    let events = std::env::args().nth(1).map_or(Ok(EVENTS), |text| text.parse())?;
    let home = tempfile::tempdir()?;
    let new = NewStore { store_id: [1; 16], root_check: [0; 32], root: serde_json::Value::Null };
    let options = Options::at(home.path().join("store"));
    let store = Store::create(options, new, Arc::new(Plain), &Silent)?.store;
    let numbers: Vec<u64> = (0..events).collect();
    for numbers in numbers.chunks(256) {
        let commit = Commit {
            snapshot: store.snapshot(),
            rested_on: Vec::new(),
            changes: Vec::new(),
            events: numbers.iter().map(|number| event(*number)).collect(),
        };
        store.commit(commit).wait()?;
    }
    let folder = Folder::new(home.path().join("files"));
    let place = Place {
        bucket: "b".to_owned(),
        prefix: None,
        trail: "keyward".to_owned(),
        home_region: "us-east-1".to_owned(),
    };
    let started = now();
    let destination = Arc::new(folder.clone());
    let exporter =
        Exporter::open(&store, destination, Arc::new(Key), place, Schedule::default(), None)?;
    let done = exporter.catch_up(&store, Until::End(None))?.exported();
    let seconds = started.elapsed().as_secs_f64();
    println!("{done:?}: {:.0} events/s", events as f64 / seconds);
    let started = now();
    let verify = |_: &str, message: &[u8], signature: &[u8]| Some(Key.verify(message, signature));
    let checked = Verifier { objects: &folder, verify: &verify, until: None }.check()?;
    let seconds = started.elapsed().as_secs_f64();
    println!("verified {}: {:.0} events/s", checked.events, checked.events as f64 / seconds);
    if checked.findings.is_empty() { Ok(()) } else { Err("something is found".into()) }
}
