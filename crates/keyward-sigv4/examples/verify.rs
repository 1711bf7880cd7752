//! Measures one verification of a small KMS request with a cached signing key:
//! `cargo run --release -p keyward-sigv4 --example verify`.

use keyward_sigv4::{Credentials, Request, Scope, SigningKey, derive_signing_key, present, sign};
use std::{hint::black_box, time::Instant};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const NOW: i64 = 1_795_000_000;
const ROUNDS: u32 = 200_000;

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement reads the clock, prints, and may stop"
)]
fn main() {
    let body = br#"{"KeyId":"alias/app","Plaintext":"aGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8=","EncryptionContext":{"tenant":"t1"}}"#;
    let base = [
        ("Host", "localhost:8480"),
        ("Accept-Encoding", "identity"),
        ("X-Amz-Target", "TrentService.Encrypt"),
        ("Content-Type", "application/x-amz-json-1.1"),
        ("User-Agent", "Boto3/1.43 md/Botocore#1.43 ua/2.1 os/linux lang/python#3.11"),
        ("amz-sdk-invocation-id", "6b0c7a3e-8d0f-4b0e-9c55-0d1f6d0f6a11"),
        ("amz-sdk-request", "attempt=1; max=3"),
        ("Content-Length", "104"),
    ];
    let request = Request { method: "POST", path: "/", query: "", headers: &base, body };
    let credentials = Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        secret_access_key: SECRET,
        session_token: None,
    };
    let added = sign(&request, &credentials, &Scope { region: "us-east-1", service: "kms" }, NOW);
    let mut headers = base.to_vec();
    headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
    let request = Request { headers: &headers, ..request };

    let verify = |key: Option<&SigningKey>| {
        let presented = present(black_box(&request)).unwrap();
        presented.check_window(NOW).unwrap();
        presented.verify(black_box(&request), SECRET, key).unwrap();
    };
    let date = present(&request).unwrap().date.into_owned();
    let key = derive_signing_key(SECRET, &date, "us-east-1", "kms");
    for (name, key) in [("cached signing key", Some(&key)), ("key derived each time", None)] {
        let best = (0..7)
            .map(|_| {
                let start = Instant::now();
                (0..ROUNDS).for_each(|_| verify(key));
                start.elapsed() / ROUNDS
            })
            .min()
            .unwrap();
        println!("{name}: {best:?} a verification");
    }
}
