//! Signatures made by others: AWS's published examples, and what botocore sends.
//!
//! Where the vectors come from: `tests/vectors/sigv4/README.md` at the top of the repository.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at what it does not expect"
)]

use keyward_sigv4::{
    Credentials, Form, Request, Scope, SignatureError, derive_signing_key, present, sign,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    now_seconds: i64,
    access_key_id: String,
    secret_access_key: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default = "service")]
    service: String,
    #[serde(default = "region")]
    region: String,
    token: Option<String>,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    body_hex: String,
    #[serde(default)]
    signature: String,
    expires_seconds: Option<i64>,
}

fn service() -> String {
    "service".to_owned()
}

fn region() -> String {
    "us-east-1".to_owned()
}

fn documented() -> Vectors {
    serde_json::from_str(include_str!("../../../tests/vectors/sigv4/documented.json")).unwrap()
}

fn botocore() -> Vectors {
    serde_json::from_str(include_str!("../../../tests/vectors/sigv4/botocore.json")).unwrap()
}

/// A request that owns its parts, so that a test can change one.
#[derive(Clone)]
struct Wire {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Wire {
    fn of(case: &Case) -> Self {
        let body = if case.body_hex.is_empty() {
            case.body.clone().into_bytes()
        } else {
            hex::decode(&case.body_hex).unwrap()
        };
        Self {
            method: case.method.clone(),
            path: case.path.clone(),
            query: case.query.clone(),
            headers: case.headers.clone(),
            body,
        }
    }

    fn with<T>(&self, then: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let Self { method, path, query, body, .. } = self;
        then(&Request { method, path, query, headers: &headers, body })
    }

    /// As a door does it: the secret is looked up by the access key id, which is not itself signed.
    fn verify(&self, vectors: &Vectors) -> Result<(), SignatureError> {
        self.with(|request| {
            let presented = present(request)?;
            presented.check_window(vectors.now_seconds)?;
            let known = presented.access_key_id == vectors.access_key_id;
            presented.verify(
                request,
                if known { &vectors.secret_access_key } else { "a stand-in" },
                None,
            )
        })
    }
}

#[test]
fn published_signatures_are_made_and_accepted() {
    let vectors = documented();
    for case in &vectors.cases {
        let mut wire = Wire::of(case);
        if !wire.headers.iter().any(|(name, _)| name == "Host") {
            wire.headers.push(("Host".to_owned(), "example.amazonaws.com".to_owned()));
        }
        let credentials = Credentials {
            access_key_id: &vectors.access_key_id,
            secret_access_key: &vectors.secret_access_key,
            session_token: None,
        };
        let scope = Scope { region: &case.region, service: &case.service };
        let added = wire.with(|request| sign(request, &credentials, &scope, vectors.now_seconds));
        let authorization = &added.iter().find(|(name, _)| *name == "Authorization").unwrap().1;
        assert!(
            authorization.ends_with(&format!("Signature={}", case.signature)),
            "{}: {authorization}",
            case.name
        );
        wire.headers.extend(added.into_iter().map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(wire.verify(&vectors), Ok(()), "{}", case.name);
    }
}

#[test]
fn botocore_is_understood() {
    let vectors = botocore();
    for case in &vectors.cases {
        let wire = Wire::of(case);
        wire.with(|request| {
            let presented = present(request).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            assert_eq!(presented.access_key_id, vectors.access_key_id, "{}", case.name);
            assert_eq!(presented.region, case.region, "{}", case.name);
            assert_eq!(presented.service, case.service, "{}", case.name);
            assert_eq!(presented.session_token.as_deref(), case.token.as_deref(), "{}", case.name);
            assert_eq!(presented.time_seconds, vectors.now_seconds, "{}", case.name);
            assert_eq!(presented.expires_seconds, case.expires_seconds, "{}", case.name);
            assert_eq!(
                presented.form == Form::Query,
                case.expires_seconds.is_some(),
                "{}",
                case.name
            );
            let key = derive_signing_key(
                &vectors.secret_access_key,
                &presented.date,
                &presented.region,
                &presented.service,
            );
            let canonical = presented.canonical_request(request);
            assert_eq!(
                presented.verify(request, "not the secret", Some(&key)),
                Ok(()),
                "{}\n{canonical}",
                case.name
            );
            assert_eq!(
                presented.verify(request, &vectors.secret_access_key, None),
                Ok(()),
                "{}",
                case.name
            );
            assert_eq!(
                presented.verify(request, "another", None),
                Err(SignatureError::Mismatch),
                "{}",
                case.name
            );
            let elsewhere =
                derive_signing_key("another", &presented.date, "eu-west-9", &presented.service);
            assert_eq!(
                presented.verify(request, &vectors.secret_access_key, Some(&elsewhere)),
                Ok(()),
                "{}",
                case.name
            );
        });
    }
}

/// One bit of anything that is signed, in every place, is refused.
#[test]
fn every_changed_byte_is_refused() {
    let vectors = botocore();
    for case in &vectors.cases {
        let wire = Wire::of(case);
        let refused = |changed: &Wire, what: &str| {
            assert!(changed.verify(&vectors).is_err(), "{}: {what} changed", case.name);
        };
        for i in 0..wire.body.len() {
            let mut changed = wire.clone();
            changed.body[i] ^= 1;
            refused(&changed, "body");
        }
        let mut longer = wire.clone();
        longer.body.push(b' ');
        refused(&longer, "body");
        for (h, (name, value)) in wire.headers.iter().enumerate() {
            // These are not signed by botocore, and mean nothing to a key service.
            if ["user-agent"].contains(&name.to_ascii_lowercase().as_str()) {
                continue;
            }
            for i in (0..value.len()).filter(|&i| {
                !value.as_bytes()[i].is_ascii_whitespace() && value.as_bytes()[i] != b'('
            }) {
                let mut changed = wire.clone();
                changed.headers[h].1 = flip(value, i);
                refused(&changed, &format!("{name} at {i}"));
            }
        }
        for i in 0..wire.query.len() {
            let mut changed = wire.clone();
            changed.query = flip(&wire.query, i);
            refused(&changed, &format!("query at {i}"));
        }
        for (field, text) in [("method", &wire.method), ("path", &wire.path)] {
            let mut changed = wire.clone();
            let other = format!("{text}x");
            if field == "method" {
                changed.method = other
            } else {
                changed.path = other
            }
            refused(&changed, field);
        }
    }
}

/// The lowest bit of one character flipped, which keeps ASCII ASCII.
fn flip(text: &str, i: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[i] ^= 1;
    String::from_utf8(bytes).unwrap()
}
