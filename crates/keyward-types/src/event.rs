//! An event of the log: the CloudTrail record as bytes, and the few fields that metrics, detectors and
//! indexes read without parsing it.
//!
//! The record's form is made in `keyward-trail`; the log stores its bytes and does not interpret them.
//! It never holds plaintext, ciphertext, messages, signatures, tokens or key bytes.

use crate::{ErrorCode, Timestamp};
use sha2::{Digest as _, Sha256};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Success,
    Failure(ErrorCode),
}

impl Outcome {
    /// `success`, `denied`, `client_error` or `server_error`: a closed set, fit for a label.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure(ErrorCode::AccessDenied | ErrorCode::NotAuthorized) => "denied",
            Self::Failure(code) => match code.fault() {
                crate::Fault::Client => "client_error",
                crate::Fault::Server => "server_error",
            },
        }
    }
}

/// What everyone but a reader of the record needs to know of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSummary {
    pub event_id: uuid::Uuid,
    pub request_id: uuid::Uuid,
    pub time: Timestamp,
    /// `kms`, `iam` or `sts`.
    pub service: &'static str,
    pub operation: &'static str,
    pub outcome: Outcome,
    pub account: String,
    pub principal_arn: String,
    /// ARNs of the keys concerned.
    pub keys: Vec<String>,
}

/// An event ready to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub summary: EventSummary,
    /// The CloudTrail record as JSON.
    pub record: Vec<u8>,
    /// Digests of the terms under which it is filed ([`term`]), in rising order.
    pub terms: Vec<u64>,
}

/// The digest of one term: what the record says in a field. Two terms that share one are told apart by reading the
/// record.
pub fn term(field: &str, value: &str) -> u64 {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(field.as_bytes())
        .chain_update([0])
        .chain_update(value.as_bytes())
        .finalize()
        .into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
