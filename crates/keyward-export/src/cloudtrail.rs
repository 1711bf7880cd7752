//! The export into CloudTrail's files: reads the log in its order, writes log files and digests, and keeps in
//! the destination how far it came.
//!
//! Each step is named in the head before it is done, so that it is finished by the next run when this one is
//! killed: first the head, then the files; first the head, then the digests.

use crate::Destination;
use keyward_store::{EventQuery, Store, StoreError, StoredEvent};
use keyward_trail::files::{
    Digest, HASH_ALGORITHM, Head, LogFile, Object, ObjectsError, Pending, Place, RECORDS_BYTES_MAX,
    Schedule, Stream, StreamHead, gunzip, gzip, log_body, sha256, unique,
};
use keyward_types::Timestamp;
use serde::Deserialize;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// Events read at once.
const PAGE: usize = 1_000;

/// The key that signs digests: SHA256withRSA.
pub trait SigningKey: Send + Sync {
    fn fingerprint(&self) -> &str;

    /// The public key as PEM (PKCS#1), which is laid down beside the files.
    fn public_key_pem(&self) -> &str;

    /// # Errors
    /// Says why it cannot.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String>;

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Destination(String),
    #[error("signing: {0}")]
    Signing(String),
    #[error("{0} is not what this export wrote; it is left as it is")]
    Differs(String),
    #[error("{0} is not signed by this service's key: the destination belongs to another service")]
    Foreign(String),
    #[error("the destination was written with {0}")]
    Elsewhere(String),
    #[error("the destination holds CloudTrail files and no {0}: it cannot be gone on with")]
    NoHead(String),
    #[error("event {0} of the log says no account and Region")]
    Stray(u64),
    /// Digests of a time that may never have been cannot be taken back.
    #[error("{0}")]
    Clock(String),
    #[error(
        "the destination holds events of the log up to number {exported}, and the log has not the last of them: the log is an older one, or lost its end"
    )]
    Ahead { exported: u64 },
    #[error(
        "events from number {next} on left the log by its retention before they were exported; the first that is there is {first}: begin in a new destination"
    )]
    Gone { next: u64, first: u64 },
}

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Files and digests whose time is over by the clock.
    Clock(Timestamp),
    /// All of the log, or what is older than this; the last digest ends where the events do.
    End(Option<Timestamp>),
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    pub events: u64,
    pub logs: u64,
    pub digests: u64,
}

pub struct Exporter {
    destination: Arc<dyn Destination>,
    place: Place,
    schedule: Schedule,
    key: Arc<dyn SigningKey>,
    head: Head,
    done: Exported,
}

impl Exporter {
    /// Goes on with the destination, or begins there with the first event that is not older than `since`, and
    /// finishes what was cut off.
    ///
    /// # Errors
    /// When the destination is somebody else's, or not as it was left.
    pub fn open(
        store: &Store,
        destination: Arc<dyn Destination>,
        key: Arc<dyn SigningKey>,
        place: Place,
        schedule: Schedule,
        since: Option<Timestamp>,
    ) -> Result<Self, ExportError> {
        let head = match destination.get(&place.head_key())? {
            Some(object) => known_head(&object.bytes, &place, &*key)?,
            None if destination.list(&place.root())?.is_empty() => {
                Head::new(&place, key.fingerprint(), first_event(store, since)?)
            }
            None => return Err(ExportError::NoHead(place.head_key())),
        };
        // The last that was exported may have left since, and is then not looked at again.
        let is_last_there = store.first_event() < head.next_event;
        if let Some(hash) = head.last_record.as_ref().filter(|_| is_last_there) {
            let last = page(store, head.next_event.saturating_sub(1), 1)?.pop();
            if last.is_none_or(|event| sha256(&event.record) != *hash) {
                return Err(ExportError::Ahead { exported: head.next_event });
            }
        }
        let mut exporter =
            Self { destination, place, schedule, key, head, done: Exported::default() };
        exporter.recover(store)?;
        Ok(exporter)
    }

    /// The number of the first event that is in no file that was finished.
    pub fn next_event(&self) -> u64 {
        self.head.next_event
    }

    /// What was written since the exporter was opened.
    pub fn exported(&self) -> Exported {
        self.done
    }

    /// Goes as far as it can.
    ///
    /// # Errors
    /// As [`Exporter::advance`].
    pub fn catch_up(self, store: &Store, until: Until) -> Result<Self, ExportError> {
        Ok(self.advance(store, until, usize::MAX)?.0)
    }

    /// Goes on by so many files and digests at most; whether there is more to do.
    ///
    /// # Errors
    /// When something cannot be read or written. What was written stays, and whoever opens the destination again
    /// goes on; this exporter is gone, because it does not know how far it came.
    pub fn advance(
        mut self,
        store: &Store,
        until: Until,
        steps: usize,
    ) -> Result<(Self, bool), ExportError> {
        for _ in 0..steps {
            if !self.step(store, until)? {
                return Ok((self, false));
            }
        }
        Ok((self, true))
    }

    /// One file or one digest; `false` when there is nothing to do.
    fn step(&mut self, store: &Store, until: Until) -> Result<bool, ExportError> {
        let log_time = Timestamp::from_seconds(self.head.log_time);
        let next = page(store, self.head.next_event, 1)?.pop();
        let limit = match until {
            Until::End(limit) => limit,
            Until::Clock(_) => None,
        };
        let next = next.filter(|event| limit.is_none_or(|limit| event.time < limit));
        let time = match (&next, until) {
            (Some(event), _) => whole(event.time).max(log_time),
            (None, Until::Clock(now)) => now.plus_seconds(-i64::from(self.schedule.slack_seconds)),
            (None, Until::End(_)) => return self.finish(),
        };
        let start = match (self.head.digest_start, &next) {
            (Some(start), _) => Timestamp::from_seconds(start),
            (None, Some(_)) => self.schedule.first_start(time),
            (None, None) => return Ok(false),
        };
        self.head.digest_start = Some(start.seconds());
        let digest_end = self.schedule.digest_end(start);
        if digest_end <= time {
            self.close(digest_end)?;
            return Ok(true);
        }
        let end = self.schedule.log_end(start, time);
        let is_over = match until {
            Until::Clock(now) => self.schedule.is_over(end, now),
            Until::End(_) => true,
        };
        if next.is_none() || !is_over {
            return Ok(false);
        }
        self.write_logs(store, end, limit)?;
        Ok(true)
    }

    /// A digest that ends where the events do, when there are files that no digest names.
    fn finish(&mut self) -> Result<bool, ExportError> {
        if self.head.streams.values().any(|stream| !stream.pending.is_empty()) {
            self.close(Timestamp::from_seconds(self.head.log_time + 1))?;
        }
        Ok(false)
    }

    /// The events up to `end` as one file for each stream, or as many as one file takes.
    fn write_logs(
        &mut self,
        store: &Store,
        end: Timestamp,
        limit: Option<Timestamp>,
    ) -> Result<(), ExportError> {
        let mut streams: BTreeMap<Stream, Vec<StoredEvent>> = BTreeMap::new();
        let (mut bytes, mut next, mut log_time) =
            (0, self.head.next_event, Timestamp::from_seconds(self.head.log_time));
        'reading: loop {
            let events = page(store, next, PAGE)?;
            if events.is_empty() {
                break;
            }
            for event in events {
                let time = whole(event.time).max(log_time);
                let is_later = end <= time || limit.is_some_and(|limit| limit <= event.time);
                if is_later || RECORDS_BYTES_MAX <= bytes {
                    break 'reading;
                }
                (bytes, next, log_time) = (bytes + event.record.len(), event.seq + 1, time);
                let stream = stream_of(&event).ok_or(ExportError::Stray(event.seq))?;
                streams.entry(stream).or_default().push(event);
            }
        }
        let mut files = Vec::new();
        for (stream, events) in &streams {
            let (pending, object) = log_file(&self.place, stream, log_time, events)?;
            files.push((pending.file.s3_object.clone(), object));
            self.head.streams.entry(stream.to_string()).or_default().pending.push(pending);
            self.done.events += events.len() as u64;
        }
        self.head.next_event = next;
        let last = streams.values().flatten().max_by_key(|event| event.seq);
        self.head.last_record = last.map(|event| sha256(&event.record));
        self.head.log_time = log_time.seconds();
        self.put_head()?;
        for (key, object) in files {
            self.put_once(&key, &object)?;
            self.done.logs += 1;
        }
        Ok(())
    }

    /// A digest for each stream, whether or not something happened in it.
    fn close(&mut self, end: Timestamp) -> Result<(), ExportError> {
        self.head.closing = Some(end.seconds());
        self.put_head()?;
        let start = Timestamp::from_seconds(self.head.digest_start.unwrap_or(end.seconds()));
        let mut streams = BTreeMap::new();
        for (stream, head) in self.head.streams() {
            let files = head.pending.iter().map(|pending| pending.file.clone()).collect();
            let fingerprint = self.key.fingerprint();
            let previous = head.newest.as_ref();
            let digest =
                Digest::new(&self.place, &stream, (start, end), fingerprint, previous, files);
            let signed =
                digest.sign(end, |message| self.key.sign(message)).map_err(ExportError::Signing)?;
            self.put_once(&signed.link.key, &signed.object)?;
            let head = StreamHead { newest: Some(signed.link), pending: Vec::new() };
            streams.insert(stream.to_string(), head);
        }
        self.done.digests += streams.len() as u64;
        self.head.streams = streams;
        self.head.digest_start = Some(end.seconds());
        self.head.log_time = self.head.log_time.max(end.seconds());
        self.head.closing = None;
        self.put_head()
    }

    /// Writes what the head names and is not there.
    fn recover(&mut self, store: &Store) -> Result<(), ExportError> {
        let pem = self.place.public_key_key(self.key.fingerprint());
        let object =
            Object { bytes: self.key.public_key_pem().as_bytes().to_vec(), ..Object::default() };
        self.put_once(&pem, &object)?;
        for (stream, head) in self.head.streams() {
            for pending in &head.pending {
                self.recover_log(store, &stream, pending)?;
            }
        }
        match self.head.closing {
            Some(end) => self.close(Timestamp::from_seconds(end)),
            None => Ok(()),
        }
    }

    fn recover_log(
        &self,
        store: &Store,
        stream: &Stream,
        pending: &Pending,
    ) -> Result<(), ExportError> {
        let Pending { file, first_event, last_event } = pending;
        let key = &file.s3_object;
        let differs = || ExportError::Differs(key.clone());
        let body = match self.destination.get(key)? {
            Some(object) => gunzip(&object.bytes).map_err(|_| differs())?,
            None => {
                let events = range(store, *first_event, *last_event)?;
                let own = events.iter().filter(|event| stream_of(event).as_ref() == Some(stream));
                let body = log_body(own.map(|event| event.record.as_slice()));
                if sha256(&body) == file.hash_value {
                    self.destination.put(key, &packed(&body)?)?;
                }
                body
            }
        };
        if sha256(&body) == file.hash_value { Ok(()) } else { Err(differs()) }
    }

    fn put_head(&self) -> Result<(), ExportError> {
        let bytes =
            self.head.store(|message| self.key.sign(message)).map_err(ExportError::Signing)?;
        let object = Object { bytes, ..Object::default() };
        Ok(self.destination.put(&self.place.head_key(), &object)?)
    }

    /// Stores what is not there; what is there must be the same.
    fn put_once(&self, key: &str, object: &Object) -> Result<(), ExportError> {
        let Some(there) = self.destination.get(key)? else {
            return Ok(self.destination.put(key, object)?);
        };
        // What was compressed by another version is the same when it opens to the same.
        let open = |bytes: &[u8]| gunzip(bytes).unwrap_or_else(|_| bytes.to_vec());
        let is_same =
            there.metadata == object.metadata && open(&there.bytes) == open(&object.bytes);
        if is_same { Ok(()) } else { Err(ExportError::Differs(key.to_owned())) }
    }
}

fn known_head(bytes: &[u8], place: &Place, key: &dyn SigningKey) -> Result<Head, ExportError> {
    let is_ours = |fingerprint: &str, message: &[u8], signature: &[u8]| {
        fingerprint == key.fingerprint() && key.verify(message, signature)
    };
    let head = Head::load(bytes, is_ours).ok_or_else(|| ExportError::Foreign(place.head_key()))?;
    let Place { bucket, trail, home_region, .. } = head.place();
    if head.place() == *place {
        Ok(head)
    } else {
        Err(ExportError::Elsewhere(format!(
            "bucket {bucket}, trail {trail} and home Region {home_region}"
        )))
    }
}

fn first_event(store: &Store, since: Option<Timestamp>) -> Result<u64, ExportError> {
    let Some(since) = since else { return Ok(store.first_event()) };
    let query = EventQuery { from: Some(since), limit: 1, ..EventQuery::default() };
    Ok(store.events(&query)?.first().map_or_else(|| store.events_total(), |event| event.seq))
}

/// Events from a number on.
fn page(store: &Store, from: u64, limit: usize) -> Result<Vec<StoredEvent>, ExportError> {
    let first = store.first_event();
    if from < first {
        return Err(ExportError::Gone { next: from, first });
    }
    let query = EventQuery { after: from.checked_sub(1), limit, ..EventQuery::default() };
    Ok(store.events(&query)?)
}

fn range(store: &Store, first: u64, last: u64) -> Result<Vec<StoredEvent>, ExportError> {
    let (mut found, mut next) = (Vec::new(), first);
    while next <= last {
        let events = page(store, next, PAGE)?;
        let Some(newest) = events.last().map(|event| event.seq) else { break };
        found.extend(events.into_iter().filter(|event| event.seq <= last));
        next = newest + 1;
    }
    Ok(found)
}

fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_seconds(time.seconds())
}

/// Whose event it is. Every record says so.
fn stream_of(event: &StoredEvent) -> Option<Stream> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Record<'r> {
        recipient_account_id: Cow<'r, str>,
        aws_region: Cow<'r, str>,
    }
    let record: Record<'_> = serde_json::from_slice(&event.record).ok()?;
    Stream::parse(&format!("{}/{}", record.recipient_account_id, record.aws_region))
}

fn packed(body: &[u8]) -> Result<Object, ExportError> {
    let bytes = gzip(body).map_err(|error| ObjectsError(error.to_string()))?;
    Ok(Object { bytes, ..Object::default() })
}

fn log_file(
    place: &Place,
    stream: &Stream,
    time: Timestamp,
    events: &[StoredEvent],
) -> Result<(Pending, Object), ExportError> {
    let body = log_body(events.iter().map(|event| event.record.as_slice()));
    let times = || events.iter().map(|event| event.time);
    let numbers = || events.iter().map(|event| event.seq);
    let file = LogFile {
        s3_bucket: place.bucket.clone(),
        s3_object: place.log_key(stream, time, &unique(&body)),
        hash_value: sha256(&body),
        hash_algorithm: HASH_ALGORITHM.to_owned(),
        newest_event_time: keyward_trail::iso_seconds(times().max().unwrap_or(time)),
        oldest_event_time: keyward_trail::iso_seconds(times().min().unwrap_or(time)),
    };
    let pending = Pending {
        file,
        first_event: numbers().min().unwrap_or_default(),
        last_event: numbers().max().unwrap_or_default(),
    };
    Ok((pending, packed(&body)?))
}
