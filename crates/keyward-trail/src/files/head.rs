//! How far an export came, kept in its destination and signed: where it goes on, what it was about to write,
//! and which digest of each stream is the newest.
//!
//! It is what AWS has not: with it a newest digest that was removed is missed.
//!
//! INVARIANT: a file is named here before it is written, so that a process that is killed leaves nothing that
//! the next one does not know.

use super::{
    digest::LogFile,
    key::{Place, Stream},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const VERSION: u32 = 1;

/// What keeps the signature of a head from being one of a digest.
const LABEL: &str = "keyward export head";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    version: u32,
    pub bucket: String,
    pub prefix: Option<String>,
    pub trail: String,
    pub home_region: String,
    pub public_key_fingerprint: String,
    /// The number in the log of the first event that is in no file.
    pub next_event: u64,
    /// The hash of the record before that, so that a log that lost its end in a power cut and grew again is
    /// noticed.
    pub last_record: Option<String>,
    /// Seconds since 1970 at which the digests that are open began. `None` before the first event.
    pub digest_start: Option<i64>,
    /// Where digests end that are being written, in seconds since 1970.
    pub closing: Option<i64>,
    /// The newest event time that was seen, in seconds since 1970.
    pub log_time: i64,
    /// By `ACCOUNT/REGION`.
    pub streams: BTreeMap<String, StreamHead>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamHead {
    pub newest: Option<Link>,
    /// Files for the digest that is open.
    pub pending: Vec<Pending>,
}

/// A log file that is written or about to be, and of which events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub file: LogFile,
    /// Numbers in the log, both inclusive; those of other streams between them are not meant.
    pub first_event: u64,
    pub last_event: u64,
}

/// A digest as the next one refers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub key: String,
    /// Seconds since 1970.
    pub end: i64,
    pub hash: String,
    /// In hex.
    pub signature: String,
}

/// The stored form: the head as text, so that its bytes are what was signed.
#[derive(Serialize, Deserialize)]
struct Stored {
    head: String,
    signature: String,
}

impl Head {
    pub fn new(place: &Place, fingerprint: &str, next_event: u64) -> Self {
        Self {
            version: VERSION,
            bucket: place.bucket.clone(),
            prefix: place.prefix.clone(),
            trail: place.trail.clone(),
            home_region: place.home_region.clone(),
            public_key_fingerprint: fingerprint.to_owned(),
            next_event,
            last_record: None,
            digest_start: None,
            closing: None,
            log_time: 0,
            streams: BTreeMap::new(),
        }
    }

    pub fn place(&self) -> Place {
        Place {
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            trail: self.trail.clone(),
            home_region: self.home_region.clone(),
        }
    }

    /// Streams with names that can be read.
    pub fn streams(&self) -> impl Iterator<Item = (Stream, &StreamHead)> {
        self.streams.iter().filter_map(|(name, head)| Some((Stream::parse(name)?, head)))
    }

    /// # Errors
    /// When the signer fails.
    pub fn store(
        &self,
        sign: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<Vec<u8>, String> {
        let head = serde_json::to_string(self).map_err(|error| error.to_string())?;
        let signature = hex::encode(sign(string_to_sign(&head).as_bytes())?);
        serde_json::to_vec(&Stored { head, signature }).map_err(|error| error.to_string())
    }

    /// `None` when it is not what was stored, or not signed by whom `verify` knows; it is told the fingerprint,
    /// what was signed and the signature.
    pub fn load(bytes: &[u8], verify: impl Fn(&str, &[u8], &[u8]) -> bool) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        let head: Self = serde_json::from_str(&stored.head).ok()?;
        let signature = hex::decode(&stored.signature).ok()?;
        let is_ours = head.version == VERSION
            && verify(
                &head.public_key_fingerprint,
                string_to_sign(&stored.head).as_bytes(),
                &signature,
            );
        is_ours.then_some(head)
    }
}

fn string_to_sign(head: &str) -> String {
    format!("{LABEL}\n{head}")
}
