//! Whether a folder of CloudTrail files is what was written.
//!
//! It catches what `aws cloudtrail validate-logs` does, and what that lets pass: a newest digest that was
//! removed, a log file that was removed before a digest named it, one that no digest names, a digest that was signed
//! again over an altered log, and a signature by a weaker digest function.
//! What it cannot see: a folder that was put back as a whole to what it was earlier, unless it is told until
//! when the digests reach; and what somebody wrote who holds the signing key and rewrote everything behind it.

use super::{
    Object, Objects, ObjectsError,
    body::{BadGzip, gunzip, sha256},
    digest::{Digest, HASH_ALGORITHM, LogFile, SIGNATURE_ALGORITHM, metadata},
    head::{Head, Link, StreamHead},
    key::{Named, Stream},
};
use crate::record::iso_seconds;
use keyward_types::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("there is no signed head: whether newest digests were removed cannot be known")]
    HeadMissing,
    #[error("it is not a head that was signed by a known key")]
    HeadForged,
    #[error("no digest names this log file")]
    NotNamed,
    #[error("two digests name this log file")]
    NamedTwice,
    #[error("its name is neither a log file's nor a digest's")]
    StrangeName,
    #[error("not found; {0} names it")]
    NotFound(String),
    #[error(
        "not found; the head names it: it was deleted, or its writer was stopped before it wrote it, and writes it when it is started again"
    )]
    NotWritten,
    #[error(
        "it is no plain file with a plain name, and so nothing that is written here: a reader may take it for a log file or a digest"
    )]
    NoObject,
    #[error("it is not a gzip file")]
    NotGzip,
    #[error("something follows the end of the compressed stream")]
    Trailing,
    #[error("it is larger than any file that is written")]
    TooLarge,
    #[error("it is not a digest: {0}")]
    NotADigest(String),
    #[error("it was moved from its original place")]
    Moved,
    #[error("it carries no signature")]
    NoSignature,
    #[error("its signature is said to be {0}, not SHA256withRSA")]
    WrongAlgorithm(String),
    #[error("it is signed with a key that is not known: {0}")]
    UnknownKey(String),
    #[error("its signature is not one of SHA256withRSA by this key over this digest")]
    BadSignature,
    #[error("it names no digest before it, but there is one")]
    BeginsAnew,
    #[error("its hash is not the one that {0} names")]
    HashDiffers(String),
    #[error("its signature is not the one that {0} names")]
    SignatureDiffers(String),
    #[error("it begins at {start}, and the digest before it ends at {end}")]
    Gap { start: String, end: String },
    #[error("it is the newest digest that was written, and is not there")]
    NewestRemoved,
    #[error("the digests end at {0}, too early")]
    EndsEarly(String),
    #[error("it is no list of records: {0}")]
    NotRecords(String),
    #[error("record {index} is not of this account and Region: event {id}")]
    ForeignRecord { index: usize, id: String },
}

/// An object, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub object: String,
    pub problem: Problem,
}

/// What was looked at, and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub streams: usize,
    pub digests: usize,
    pub logs: usize,
    /// Log files of digests that are open.
    pub open_logs: usize,
    pub events: usize,
    /// By stream and time; the first is the first that is wrong.
    pub findings: Vec<Finding>,
}

/// Whether a signature is SHA256withRSA by the key of a fingerprint; `None` for a key that is not known. It is told
/// the fingerprint, what was signed, and the signature.
pub type Verify<'a> = dyn Fn(&str, &[u8], &[u8]) -> Option<bool> + 'a;

/// A folder, and what is believed.
pub struct Verifier<'a> {
    pub objects: &'a dyn Objects,
    pub verify: &'a Verify<'a>,
    /// Digests of every stream must reach until then.
    pub until: Option<Timestamp>,
}

/// A digest that could be read.
struct Read {
    key: String,
    body: Vec<u8>,
    digest: Digest,
    signature: String,
}

#[derive(Default)]
struct Listed {
    /// The end of each digest, and its key: two of one time are both looked at.
    digests: BTreeSet<(Timestamp, String)>,
    logs: BTreeSet<String>,
}

impl Verifier<'_> {
    /// # Errors
    /// When the objects cannot be read. What is wrong with them is a finding.
    pub fn check(&self) -> Result<Checked, ObjectsError> {
        let mut checked = Checked::default();
        let mut streams: BTreeMap<Stream, Listed> = BTreeMap::new();
        let mut heads = Vec::new();
        for key in self.objects.list("")? {
            match Named::parse(&key) {
                Some(Named::Log { stream, .. }) => {
                    streams.entry(stream).or_default().logs.insert(key);
                }
                Some(Named::Digest { stream, end, .. }) => {
                    streams.entry(stream).or_default().digests.insert((end, key));
                }
                None if key == "keyward/head.json" || key.ends_with("/keyward/head.json") => {
                    heads.push(key);
                }
                None if key.split('/').any(|segment| segment == "AWSLogs") => {
                    checked.find(&key, Problem::StrangeName);
                }
                None => {}
            }
        }
        for key in self.objects.strangers()? {
            checked.find(&key, Problem::NoObject);
        }
        let head = self.head(&heads, &mut checked)?;
        let known: BTreeMap<Stream, &StreamHead> =
            head.iter().flat_map(|head| head.streams()).collect();
        for stream in known.keys() {
            streams.entry(stream.clone()).or_default();
        }
        checked.streams = streams.len();
        for (stream, listed) in &streams {
            self.stream(stream, listed, known.get(stream).copied(), &mut checked)?;
        }
        Ok(checked)
    }

    fn head(&self, keys: &[String], checked: &mut Checked) -> Result<Option<Head>, ObjectsError> {
        let [key] = keys else {
            let key = keys.first().map_or("keyward/head.json", String::as_str);
            checked.find(
                key,
                if keys.is_empty() { Problem::HeadMissing } else { Problem::HeadForged },
            );
            return Ok(None);
        };
        let bytes = self.objects.get(key)?.unwrap_or_default().bytes;
        let is_right = |fingerprint: &str, message: &[u8], signature: &[u8]| {
            (self.verify)(fingerprint, message, signature) == Some(true)
        };
        let head = Head::load(&bytes, is_right);
        if head.is_none() {
            checked.find(key, Problem::HeadForged);
        }
        Ok(head)
    }

    fn stream(
        &self,
        stream: &Stream,
        listed: &Listed,
        head: Option<&StreamHead>,
        checked: &mut Checked,
    ) -> Result<(), ObjectsError> {
        let mut named: BTreeSet<String> = BTreeSet::new();
        let mut before: Option<Read> = None;
        let mut unread: BTreeSet<&str> = BTreeSet::new();
        for (_, key) in &listed.digests {
            let read = self.digest(key, checked)?;
            checked.digests += 1;
            if let Some(read) = read {
                let previous = read.digest.previous_digest_s3_object.as_deref();
                // What could not be read was found already.
                if !previous.is_some_and(|previous| unread.contains(previous)) {
                    link(&read, before.as_ref(), checked);
                }
                for file in &read.digest.log_files {
                    if !named.insert(file.s3_object.clone()) {
                        checked.find(&file.s3_object, Problem::NamedTwice);
                    }
                    checked.logs += 1;
                    self.log(stream, file, key, checked)?;
                }
                before = Some(read);
            } else {
                unread.insert(key);
            }
        }
        if let Some(newest) = head.and_then(|head| head.newest.as_ref()) {
            self.newest(newest, listed, checked)?;
        }
        self.end(stream, listed, checked);
        let pending = head.map(|head| head.pending.as_slice()).unwrap_or_default();
        let open = pending.iter().map(|pending| &pending.file);
        for file in open.filter(|file| !named.contains(&file.s3_object)) {
            if self.objects.get(&file.s3_object)?.is_none() {
                checked.find(&file.s3_object, Problem::NotWritten);
                continue;
            }
            checked.open_logs += 1;
            self.log(stream, file, "the head", checked)?;
        }
        named.extend(pending.iter().map(|pending| pending.file.s3_object.clone()));
        for key in listed.logs.iter().filter(|key| !named.contains(*key)) {
            checked.find(key, Problem::NotNamed);
        }
        Ok(())
    }

    /// The newest digest, as the head knows it.
    fn newest(
        &self,
        newest: &Link,
        listed: &Listed,
        checked: &mut Checked,
    ) -> Result<(), ObjectsError> {
        if !listed.digests.iter().any(|(_, key)| *key == newest.key) {
            checked.find(&newest.key, Problem::NewestRemoved);
            return Ok(());
        }
        let object = self.objects.get(&newest.key)?.unwrap_or_default();
        let hash = gunzip(&object.bytes).map(|body| sha256(&body));
        if hash.is_ok_and(|hash| hash != newest.hash) {
            checked.find(&newest.key, Problem::HashDiffers("the head".to_owned()));
        }
        Ok(())
    }

    fn end(&self, stream: &Stream, listed: &Listed, checked: &mut Checked) {
        let Some(until) = self.until else { return };
        let last = listed.digests.last();
        if last.is_none_or(|(end, _)| *end < until) {
            let end = last.map_or_else(|| "no time".to_owned(), |(end, _)| iso_seconds(*end));
            let object = last.map_or_else(|| stream.to_string(), |(_, key)| key.clone());
            checked.find(&object, Problem::EndsEarly(end));
        }
    }

    fn digest(&self, key: &str, checked: &mut Checked) -> Result<Option<Read>, ObjectsError> {
        let Some(object) = self.objects.get(key)? else {
            checked.find(key, Problem::NotFound("the listing".to_owned()));
            return Ok(None);
        };
        match self.read(key, &object) {
            Ok(read) => Ok(Some(read)),
            Err(problem) => {
                checked.find(key, problem);
                Ok(None)
            }
        }
    }

    fn read(&self, key: &str, object: &Object) -> Result<Read, Problem> {
        let body = gunzip(&object.bytes).map_err(Problem::from)?;
        let digest: Digest = serde_json::from_slice(&body)
            .map_err(|error| Problem::NotADigest(error.to_string()))?;
        let of_metadata = |name: &str| object.metadata.get(name).map(String::as_str);
        let signature = of_metadata(metadata::SIGNATURE).ok_or(Problem::NoSignature)?;
        let algorithms = [
            of_metadata(metadata::ALGORITHM).ok_or(Problem::NoSignature)?,
            digest.digest_signature_algorithm.as_str(),
        ];
        if let Some(other) = algorithms.iter().find(|name| **name != SIGNATURE_ALGORITHM) {
            return Err(Problem::WrongAlgorithm((*other).to_owned()));
        }
        if digest.digest_s3_object != key {
            return Err(Problem::Moved);
        }
        let Some(Named::Digest { stream, end, .. }) = Named::parse(key) else {
            return Err(Problem::StrangeName);
        };
        if digest.digest_end_time != iso_seconds(end) || digest.aws_account_id != stream.account {
            return Err(Problem::Moved);
        }
        let fingerprint = &digest.digest_public_key_fingerprint;
        let bytes = hex::decode(signature).map_err(|_| Problem::BadSignature)?;
        match (self.verify)(fingerprint, digest.string_to_sign(&body).as_bytes(), &bytes) {
            None => Err(Problem::UnknownKey(fingerprint.clone())),
            Some(false) => Err(Problem::BadSignature),
            Some(true) => {
                Ok(Read { key: key.to_owned(), signature: signature.to_owned(), body, digest })
            }
        }
    }

    fn log(
        &self,
        stream: &Stream,
        file: &LogFile,
        named_by: &str,
        checked: &mut Checked,
    ) -> Result<(), ObjectsError> {
        let Some(object) = self.objects.get(&file.s3_object)? else {
            checked.find(&file.s3_object, Problem::NotFound(named_by.to_owned()));
            return Ok(());
        };
        match records(stream, file, named_by, &object) {
            Ok(events) => checked.events += events,
            Err(problem) => checked.find(&file.s3_object, problem),
        }
        Ok(())
    }
}

impl Checked {
    fn find(&mut self, object: &str, problem: Problem) {
        self.findings.push(Finding { object: object.to_owned(), problem });
    }
}

impl From<BadGzip> for Problem {
    fn from(bad: BadGzip) -> Self {
        match bad {
            BadGzip::NotGzip => Self::NotGzip,
            BadGzip::Trailing => Self::Trailing,
            BadGzip::TooLarge => Self::TooLarge,
        }
    }
}

/// Whether a digest names the one before it as it is.
fn link(read: &Read, before: Option<&Read>, checked: &mut Checked) {
    let Read { key, digest, .. } = read;
    let Some(previous) = before else {
        if let Some(missing) = &digest.previous_digest_s3_object {
            checked.find(missing, Problem::NotFound(key.clone()));
        }
        return;
    };
    match &digest.previous_digest_s3_object {
        None => return checked.find(key, Problem::BeginsAnew),
        Some(named) if *named != previous.key => {
            return checked.find(named, Problem::NotFound(key.clone()));
        }
        Some(_) => {}
    }
    let previous_key = &previous.key;
    let is_hash = digest.previous_digest_hash_algorithm.as_deref() == Some(HASH_ALGORITHM)
        && digest.previous_digest_hash_value.as_deref() == Some(&sha256(&previous.body));
    if !is_hash {
        checked.find(previous_key, Problem::HashDiffers(key.clone()));
    } else if digest.previous_digest_signature.as_deref() != Some(&previous.signature) {
        checked.find(previous_key, Problem::SignatureDiffers(key.clone()));
    } else if digest.digest_start_time != previous.digest.digest_end_time {
        let (start, end) =
            (digest.digest_start_time.clone(), previous.digest.digest_end_time.clone());
        checked.find(key, Problem::Gap { start, end });
    }
}

/// The number of records, when the file is the one that was named.
fn records(
    stream: &Stream,
    file: &LogFile,
    named_by: &str,
    object: &Object,
) -> Result<usize, Problem> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Records<'a> {
        #[serde(borrow)]
        records: Vec<Place<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Place<'a> {
        recipient_account_id: std::borrow::Cow<'a, str>,
        aws_region: std::borrow::Cow<'a, str>,
        #[serde(rename = "eventID")]
        event_id: std::borrow::Cow<'a, str>,
    }
    let body = gunzip(&object.bytes)?;
    if file.hash_algorithm != HASH_ALGORITHM || file.hash_value != sha256(&body) {
        return Err(Problem::HashDiffers(named_by.to_owned()));
    }
    let read: Records<'_> =
        serde_json::from_slice(&body).map_err(|error| Problem::NotRecords(error.to_string()))?;
    let is_foreign = |record: &Place<'_>| {
        record.recipient_account_id != stream.account || record.aws_region != stream.region
    };
    match read.records.iter().position(is_foreign) {
        None => Ok(read.records.len()),
        Some(index) => {
            let id = read.records.get(index).map(|record| record.event_id.to_string());
            Err(Problem::ForeignRecord { index, id: id.unwrap_or_default() })
        }
    }
}
