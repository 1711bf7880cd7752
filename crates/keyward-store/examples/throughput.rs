//! Prints how many commits of one event a second the store takes from many threads.
//!
//! `cargo run --release -p keyward-store --example throughput -- [relaxed|commit] [threads] [events] [keys]`
//! Sealing is a copy here: what is measured is the store, not AES.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints and reads the clock"
)]
#![expect(
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a benchmark may stop, and rounds"
)]

use keyward_store::{Commit, Durability, NewStore, Options, Silent, Store, harden};
use keyward_types::{
    AccountId, Change, KeyId, KeyName, LastUsage, Name, Outcome, Region, Sealer, Timestamp,
    event::{Event, EventSummary, term},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

struct Copying;

impl Sealer for Copying {
    fn seal(&self, _identity: &[u8], plain: &[u8]) -> Vec<u8> {
        plain.to_vec()
    }

    fn open(&self, _identity: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.to_vec())
    }
}

fn key_name(n: u64) -> KeyName {
    KeyName {
        account: AccountId::parse("111122223333").expect("twelve digits"),
        region: Region::parse("eu-central-1").expect("a region"),
        key_id: KeyId::parse(&format!("{n:08x}-0000-4000-8000-000000000000")).expect("a key id"),
    }
}

fn one(n: u64, keys: u64, snapshot: u64) -> Commit {
    let key = key_name(n % keys);
    let time = Timestamp(1_700_000_000_000 + i64::try_from(n / 40).unwrap_or(0));
    let (event_id, request_id) =
        (uuid::Uuid::from_u128(u128::from(n) << 3), uuid::Uuid::from_u128(u128::from(n)));
    let record = format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","principalId":"AIDAEXAMPLE{:06}","arn":"arn:aws:iam::111122223333:user/app","accountId":"111122223333","accessKeyId":"AKIAEXAMPLE","userName":"app"}},"eventTime":"2026-11-24T22:10:46Z","eventSource":"kms.amazonaws.com","eventName":"Encrypt","awsRegion":"eu-central-1","sourceIPAddress":"10.0.0.1","userAgent":"aws-sdk-rust/1.3 os/linux lang/rust","requestParameters":{{"keyId":"{key}","encryptionContext":{{"tenant":"{}","purpose":"orders"}},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}},"responseElements":null,"requestID":"{request_id}","eventID":"{event_id}","readOnly":true,"resources":[{{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":"{key}"}}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}}"#,
        n % 1_000,
        n % 97,
    );
    let summary = EventSummary {
        event_id,
        request_id,
        time,
        service: "kms",
        operation: "Encrypt",
        outcome: Outcome::Success,
        account: "111122223333".to_owned(),
        principal_arn: "arn:aws:iam::111122223333:user/app".to_owned(),
        keys: vec![key.to_string()],
    };
    let usage = LastUsage { operation: "Encrypt".to_owned(), time, event_id, request_id };
    Commit {
        snapshot,
        rested_on: vec![
            Name::Key(key.clone()),
            Name::Grants(key.clone()),
            Name::User(key.account.clone(), "app".to_owned()),
        ],
        changes: vec![Change::Touch(key, usage)],
        events: vec![Event { terms: terms(&summary), summary, record: record.into_bytes() }],
    }
}

/// The terms of a usual event: about twenty, of which one is its own.
fn terms(summary: &EventSummary) -> Vec<u64> {
    let key = summary.keys.first().map(String::as_str).unwrap_or_default();
    let mut terms: Vec<u64> = (0..16).map(|n| term("statement", &n.to_string())).collect();
    terms.extend([
        term("op", summary.operation),
        term("principal", &summary.principal_arn),
        term("key", key),
        term("ctx.request", &summary.request_id.to_string()),
    ]);
    terms.sort_unstable();
    terms
}

fn main() {
    harden::make_sync_real().expect("seccomp");
    let mut args = std::env::args().skip(1);
    let durability = if args.next().as_deref() == Some("commit") {
        Durability::Commit
    } else {
        Durability::Relaxed
    };
    let mut number =
        |default: u64| args.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (threads, events, keys) = (number(64), number(500_000), number(100));
    let home = tempfile::tempdir().expect("a directory");
    let options = Options { durability, ..Options::at(home.path()) };
    let new = NewStore { store_id: [1; 16], root_check: [0; 32], root: serde_json::Value::Null };
    let store = Store::create(options, new, Arc::new(Copying), &Silent).expect("a store").store;
    let next = AtomicU64::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= events {
                        return;
                    }
                    store.commit(one(n, keys, store.snapshot())).wait().expect("a receipt");
                }
            });
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let statistics = store.statistics();
    println!(
        "{durability:?} {threads} threads {keys} keys: {:.0} events/s, {:.1} commits a group, {:.0} groups/s, {:.0} journal bytes an event",
        events as f64 / seconds,
        statistics.commits as f64 / statistics.groups as f64,
        statistics.groups as f64 / seconds,
        statistics.journal_bytes as f64 / events as f64,
    );
    let started = Instant::now();
    store.close().expect("closed");
    println!("closed in {:.3} s", started.elapsed().as_secs_f64());
}
