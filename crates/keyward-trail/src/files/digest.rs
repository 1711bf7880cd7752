//! The digest file: which log files an hour made, their hashes, and the digest before.
//!
//! What is signed is `END \n BUCKET/KEY \n HEX(SHA-256(body)) \n PREVIOUS`, where the signature of the digest
//! before stands in hex, or `null`.
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html>

use super::{
    Object,
    body::{gzip, sha256},
    head::Link,
    key::{Place, Stream},
};
use crate::record::iso_seconds;
use keyward_types::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, io};

pub const HASH_ALGORITHM: &str = "SHA-256";
pub const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";

/// Names of a digest's metadata.
pub mod metadata {
    pub const SIGNATURE: &str = "signature";
    pub const ALGORITHM: &str = "signature-algorithm";
}

/// A log file as a digest names it. Hashes are over what gzip holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogFile {
    pub s3_bucket: String,
    pub s3_object: String,
    pub hash_value: String,
    pub hash_algorithm: String,
    pub newest_event_time: String,
    pub oldest_event_time: String,
}

/// The body, with its members in AWS's order; those of a digest before are null in the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Digest {
    pub aws_account_id: String,
    pub digest_start_time: String,
    pub digest_end_time: String,
    pub digest_s3_bucket: String,
    pub digest_s3_object: String,
    pub digest_public_key_fingerprint: String,
    pub digest_signature_algorithm: String,
    pub newest_event_time: Option<String>,
    pub oldest_event_time: Option<String>,
    pub previous_digest_s3_bucket: Option<String>,
    pub previous_digest_s3_object: Option<String>,
    pub previous_digest_hash_value: Option<String>,
    pub previous_digest_hash_algorithm: Option<String>,
    pub previous_digest_signature: Option<String>,
    pub log_files: Vec<LogFile>,
}

impl Digest {
    /// The digest of a stream from `start` to `end`.
    pub fn new(
        place: &Place,
        stream: &Stream,
        (start, end): (Timestamp, Timestamp),
        fingerprint: &str,
        previous: Option<&Link>,
        log_files: Vec<LogFile>,
    ) -> Self {
        let previous = |member: fn(&Link) -> &str| previous.map(|link| member(link).to_owned());
        Self {
            aws_account_id: stream.account.clone(),
            digest_start_time: iso_seconds(start),
            digest_end_time: iso_seconds(end),
            digest_s3_bucket: place.bucket.clone(),
            digest_s3_object: place.digest_key(stream, end),
            digest_public_key_fingerprint: fingerprint.to_owned(),
            digest_signature_algorithm: SIGNATURE_ALGORITHM.to_owned(),
            newest_event_time: log_files.iter().map(|file| &file.newest_event_time).max().cloned(),
            oldest_event_time: log_files.iter().map(|file| &file.oldest_event_time).min().cloned(),
            previous_digest_s3_bucket: previous(|_| "").map(|_| place.bucket.clone()),
            previous_digest_s3_object: previous(|link| &link.key),
            previous_digest_hash_value: previous(|link| &link.hash),
            previous_digest_hash_algorithm: previous(|_| HASH_ALGORITHM),
            previous_digest_signature: previous(|link| &link.signature),
            log_files,
        }
    }

    /// What is signed, for the body as it stands in the file.
    pub fn string_to_sign(&self, body: &[u8]) -> String {
        format!(
            "{}\n{}/{}\n{}\n{}",
            self.digest_end_time,
            self.digest_s3_bucket,
            self.digest_s3_object,
            sha256(body),
            self.previous_digest_signature.as_deref().unwrap_or("null")
        )
    }

    /// The object, and how the next digest refers to it.
    ///
    /// # Errors
    /// When the signer fails.
    pub fn sign(
        &self,
        end: Timestamp,
        sign: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<SignedDigest, String> {
        let body = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        let signature = hex::encode(sign(self.string_to_sign(&body).as_bytes())?);
        let failed = |error: io::Error| error.to_string();
        let metadata = BTreeMap::from([
            (metadata::SIGNATURE.to_owned(), signature.clone()),
            (metadata::ALGORITHM.to_owned(), SIGNATURE_ALGORITHM.to_owned()),
        ]);
        Ok(SignedDigest {
            object: Object { bytes: gzip(&body).map_err(failed)?, metadata },
            link: Link {
                key: self.digest_s3_object.clone(),
                end: end.seconds(),
                hash: sha256(&body),
                signature,
            },
        })
    }
}

/// A digest ready to be stored.
pub struct SignedDigest {
    pub object: Object,
    pub link: Link,
}
