//! Events as one compressed block a group, and the terms by which they are found.
//!
//! A record's bytes are kept as they came. Beside them stand the ids, the time, and the digests of the few
//! fields that are searched by, so that an index can be made again without understanding the record.

use crate::{
    StoreError,
    bytes::{Cursor, push_blob},
};
use keyward_types::{EventSummary, Timestamp, event::Event};

/// An event as it stands in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PackedEvent {
    pub(crate) event_id: uuid::Uuid,
    pub(crate) request_id: uuid::Uuid,
    pub(crate) time: Timestamp,
    pub(crate) terms: Vec<u64>,
    pub(crate) record: Vec<u8>,
}

impl From<Event> for PackedEvent {
    fn from(event: Event) -> Self {
        let Event { summary, record, terms } = event;
        let EventSummary { event_id, request_id, time, .. } = summary;
        Self { event_id, request_id, time, terms, record }
    }
}

impl PackedEvent {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.event_id.as_bytes());
        out.extend_from_slice(self.request_id.as_bytes());
        out.extend_from_slice(&self.time.0.to_be_bytes());
        out.push(u8::try_from(self.terms.len()).unwrap_or(u8::MAX));
        for term in self.terms.iter().take(usize::from(u8::MAX)) {
            out.extend_from_slice(&term.to_be_bytes());
        }
        push_blob(out, &self.record);
    }
}

impl From<EventBytes<'_>> for PackedEvent {
    fn from(event: EventBytes<'_>) -> Self {
        Self {
            event_id: uuid::Uuid::from_bytes(event.event_id),
            request_id: uuid::Uuid::from_bytes(event.request_id),
            time: event.time,
            terms: event.terms().collect(),
            record: event.record.to_vec(),
        }
    }
}

/// An event in the bytes of its block.
pub(crate) struct EventBytes<'b> {
    event_id: [u8; 16],
    request_id: [u8; 16],
    time: Timestamp,
    terms: &'b [[u8; 8]],
    pub(crate) record: &'b [u8],
}

impl<'b> EventBytes<'b> {
    fn parse(cursor: &mut Cursor<'b>) -> Option<Self> {
        let (event_id, request_id) = (cursor.array()?, cursor.array()?);
        let time = Timestamp(cursor.i64()?);
        let count = usize::from(cursor.u8()?);
        let (terms, _) = cursor.take(count * 8)?.as_chunks();
        Some(Self { event_id, request_id, time, terms, record: cursor.blob()? })
    }

    pub(crate) fn terms(&self) -> impl Iterator<Item = u64> + use<'b> {
        self.terms.iter().copied().map(u64::from_be_bytes)
    }
}

/// What is known of a block without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHead {
    /// The number of the first event; the first of all is 0.
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) time_min: i64,
    pub(crate) time_max: i64,
}

pub(crate) const BLOCK_HEAD: usize = 28;

impl BlockHead {
    pub(crate) fn of(first: u64, events: &[PackedEvent]) -> Self {
        let times = events.iter().map(|event| event.time.0);
        Self {
            first,
            count: u32::try_from(events.len()).unwrap_or(u32::MAX),
            time_min: times.clone().min().unwrap_or(0),
            time_max: times.max().unwrap_or(0),
        }
    }

    pub(crate) fn next(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.first.to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.time_min.to_be_bytes());
        out.extend_from_slice(&self.time_max.to_be_bytes());
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            first: cursor.u64()?,
            count: cursor.u32()?,
            time_min: cursor.i64()?,
            time_max: cursor.i64()?,
        })
    }
}

fn damaged() -> StoreError {
    StoreError::bad_value("an event block does not decode")
}

/// Compresses the events of one group.
pub(crate) fn pack(events: &[PackedEvent]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(events.iter().map(|event| event.record.len() + 128).sum());
    for event in events {
        event.write(&mut raw);
    }
    compress(&raw)
}

/// Compresses the bytes of events.
pub(crate) fn compress(raw: &[u8]) -> Vec<u8> {
    lz4_flex::compress_prepend_size(raw)
}

/// The inverse of [`compress`].
pub(crate) fn decompress(packed: &[u8]) -> Result<Vec<u8>, StoreError> {
    lz4_flex::decompress_size_prepended(packed).map_err(|_| damaged())
}

/// The inverse of [`pack`].
pub(crate) fn unpack(packed: &[u8], count: u32) -> Result<Vec<PackedEvent>, StoreError> {
    parse(&decompress(packed)?, count)
}

/// The events that so many bytes are.
pub(crate) fn parse(raw: &[u8], count: u32) -> Result<Vec<PackedEvent>, StoreError> {
    views(raw, count).map(|events| events.into_iter().map(PackedEvent::from).collect())
}

/// The same, where they stand.
pub(crate) fn views(raw: &[u8], count: u32) -> Result<Vec<EventBytes<'_>>, StoreError> {
    let mut cursor = Cursor(raw);
    let events: Vec<_> = (0..count)
        .map(|_| EventBytes::parse(&mut cursor))
        .collect::<Option<_>>()
        .ok_or_else(damaged)?;
    if cursor.is_empty() { Ok(events) } else { Err(damaged()) }
}
