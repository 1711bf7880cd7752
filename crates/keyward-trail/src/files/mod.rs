//! CloudTrail's files: logs of a few minutes, the hourly digests that name and chain them, and whether a folder
//! of them is still what was written.
//!
//! Names, bytes and checks alone. Who stores objects comes in as [`Objects`], who signs and who verifies as
//! functions; `keyward-export` drives it.
//!
//! INVARIANT: the same events give the same bytes under the same name, so that an export that was cut off is
//! finished, never rewritten.
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html>

mod body;
mod digest;
mod head;
mod key;
mod schedule;
#[cfg(test)]
mod tests;
mod verify;

pub use body::{BadGzip, RECORDS_BYTES_MAX, gunzip, gzip, log_body, sha256, unique};
pub use digest::{Digest, HASH_ALGORITHM, LogFile, SIGNATURE_ALGORITHM, SignedDigest, metadata};
pub use head::{Head, Link, Pending, StreamHead};
pub use key::{Named, Place, Stream, is_plain_key};
pub use schedule::Schedule;
pub use verify::{Checked, Finding, Problem, Verifier, Verify};

use std::collections::BTreeMap;

/// A stored object: its bytes, and what S3 calls user-defined metadata, by names without `x-amz-meta-`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    pub bytes: Vec<u8>,
    pub metadata: BTreeMap<String, String>,
}

/// A folder or a bucket could not be asked; says what and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectsError(pub String);

impl core::fmt::Display for ObjectsError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for ObjectsError {}

/// Something that keeps objects by key, as a bucket does.
pub trait Objects {
    /// Keys that begin with `prefix`, in the order of their bytes.
    ///
    /// # Errors
    /// When it cannot be listed.
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectsError>;

    /// What lies among the files of CloudTrail, below a folder `AWSLogs`, and is no object: links, and names that are
    /// never written here. Where everything that lies there is an object there is none.
    ///
    /// # Errors
    /// When it cannot be listed.
    fn strangers(&self) -> Result<Vec<String>, ObjectsError> {
        Ok(Vec::new())
    }

    /// `None` when there is no such object.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn get(&self, key: &str) -> Result<Option<Object>, ObjectsError>;
}
