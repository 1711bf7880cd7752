//! Sealed segments: a closed segment made small, with a signed footer, never written again.
//!
//! | part | bytes |
//! |---|---|
//! | head | 128, as of every segment, with a mark of its own |
//! | chunks | every frame of the segment: where it stands in the chain, its changes, its events (`chunks.rs`) |
//! | footer | what the caller signed of [`SegmentFacts`] |
//! | trailer | 148: the facts, where the footer stands, a checksum |
//!
//! It does not know what a footer says: that is for whoever holds the log's public key.
//!
//! INVARIANT: a segment is there in one form at least at every moment; when it is there in both, the open form goes.
//! INVARIANT: what a sealed segment replays to is what its frames replayed to.

use super::{
    Body, Frame, Segment,
    chunks::{self, Owner, Writing},
    frame::{FrameHead, SEGMENT_HEAD, SegmentHead},
    sealed_path,
};
use crate::{
    EachRecord, StoreError, StoreHeader,
    block::BlockHead,
    bytes::{Cursor, push_blob},
    codec::Vaulting,
    disk::{Disk, beside},
    payload::{self, Plain},
};
use keyward_types::{Sealer, Timestamp};
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
};
use zeroize::Zeroizing;

const KIND: &str = "segment";
/// Bytes of a sealed segment after its footer.
pub const SEALED_TRAILER: usize = 148;
const TRAILER: usize = SEALED_TRAILER;
const TRAILER_MAGIC: &[u8; 8] = b"KWJT0001";
/// Bytes of a footer at most.
const FOOTER_MAX: u32 = 1 << 20;

/// What a segment holds, as its footer signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// The segment's number; the first of a store is 1.
    pub number: u32,
    /// The sequence numbers of its first and last commit.
    pub commits: (u64, u64),
    /// The journal's chain before its first frame and after its last.
    pub chain: ([u8; 32], [u8; 32]),
    /// The numbers of its first event and of the first after it.
    pub events: (u64, u64),
    /// The earliest and the latest time of its events; both zero where it has none.
    pub times: (Timestamp, Timestamp),
    pub frames: u32,
    /// SHA-256 of the file up to its footer.
    pub digest: [u8; 32],
}

impl SegmentFacts {
    fn of(head: &SegmentHead) -> Self {
        Self {
            number: head.number,
            commits: (head.first, head.first.saturating_sub(1)),
            chain: (head.chain, head.chain),
            events: (0, 0),
            times: (Timestamp(0), Timestamp(0)),
            frames: 0,
            digest: [0; 32],
        }
    }

    fn add(&mut self, frame: &FrameHead, events: &BlockHead) {
        let times = (Timestamp(events.time_min), Timestamp(events.time_max));
        if 0 < events.count {
            let has_some = self.events.0 < self.events.1;
            let (first, earliest, latest) = if has_some {
                (self.events.0, self.times.0.min(times.0), self.times.1.max(times.1))
            } else {
                (events.first, times.0, times.1)
            };
            self.events = (first, events.next());
            self.times = (earliest, latest);
        } else if self.frames == 0 {
            self.events = (events.first, events.first);
        }
        self.commits.1 = frame.last();
        self.chain.1 = frame.chain;
        self.frames += 1;
    }
}

/// The end of a sealed segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) facts: SegmentFacts,
    /// Where the footer begins.
    footer_at: u64,
    footer_bytes: u32,
}

impl Trailer {
    fn bytes(&self) -> Vec<u8> {
        let SegmentFacts { commits, chain, events, times, frames, digest, .. } = &self.facts;
        let mut out = TRAILER_MAGIC.to_vec();
        out.extend_from_slice(&commits.1.to_be_bytes());
        out.extend_from_slice(&chain.1);
        for number in [events.0, events.1] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        for time in [times.0, times.1] {
            out.extend_from_slice(&time.0.to_be_bytes());
        }
        out.extend_from_slice(&frames.to_be_bytes());
        out.extend_from_slice(digest);
        out.extend_from_slice(&self.footer_at.to_be_bytes());
        out.extend_from_slice(&self.footer_bytes.to_be_bytes());
        out.resize(TRAILER - 4, 0);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    fn parse(head: &SegmentHead, bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let crc = Cursor(bytes.get(TRAILER - 4..)?).u32()?;
        if crc != crc32c::crc32c(bytes.get(..TRAILER - 4)?) || cursor.take(8)? != TRAILER_MAGIC {
            return None;
        }
        let mut facts = SegmentFacts::of(head);
        facts.commits.1 = cursor.u64()?;
        facts.chain.1 = cursor.array()?;
        facts.events = (cursor.u64()?, cursor.u64()?);
        facts.times = (Timestamp(cursor.i64()?), Timestamp(cursor.i64()?));
        facts.frames = cursor.u32()?;
        facts.digest = cursor.array()?;
        let (footer_at, footer_bytes) = (cursor.u64()?, cursor.u32()?);
        (footer_bytes <= FOOTER_MAX).then_some(Self { facts, footer_at, footer_bytes })
    }
}

/// The head and the end of a sealed segment; `None` when the file is not one that was written whole.
pub(crate) fn read_ends(path: &Path) -> Result<Option<(SegmentHead, Trailer)>, StoreError> {
    let file = File::open(path).map_err(|e| StoreError::io(path, &e))?;
    let bytes = file.metadata().map_err(|e| StoreError::io(path, &e))?.len();
    let Some(at) = bytes.checked_sub(TRAILER as u64) else { return Ok(None) };
    let (mut head, mut end) = ([0; SEGMENT_HEAD], [0; TRAILER]);
    let read = file.read_exact_at(&mut head, 0).and_then(|()| file.read_exact_at(&mut end, at));
    match read {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(StoreError::io(path, &e)),
    }
    let head = SegmentHead::parse(&head, true);
    let ends = head.and_then(|head| Some((head, Trailer::parse(&head, &end)?)));
    Ok(ends.filter(|(_, end)| end.footer_at.checked_add(end.footer_bytes.into()) == Some(at)))
}

/// A sealed segment as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSegment {
    pub path: std::path::PathBuf,
    /// Of the file.
    pub bytes: u64,
    pub facts: SegmentFacts,
    /// What was signed, as it was given.
    pub footer: String,
}

impl SealedSegment {
    /// Reads what a file says of itself, without what opens it. Whether it is true is another question: see
    /// [`SealedSegment::is_as_summed`], and the signature of the footer.
    ///
    /// # Errors
    /// `Corrupt` when the file is no sealed segment, or was not written whole.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let none = || StoreError::corrupt(path, 0, "this is no sealed segment");
        let (_, trailer) = read_ends(path)?.ok_or_else(none)?;
        let file = File::open(path).map_err(|e| StoreError::io(path, &e))?;
        let mut footer = vec![0; usize::try_from(trailer.footer_bytes).unwrap_or(0)];
        file.read_exact_at(&mut footer, trailer.footer_at).map_err(|e| StoreError::io(path, &e))?;
        let footer = String::from_utf8(footer)
            .map_err(|_| StoreError::corrupt(path, trailer.footer_at, "the footer is no text"))?;
        let bytes = file.metadata().map_err(|e| StoreError::io(path, &e))?.len();
        Ok(Self { path: path.to_owned(), bytes, facts: trailer.facts, footer })
    }

    /// Whether the bytes before the footer have the sum that the facts say.
    ///
    /// # Errors
    /// What the disk says.
    pub fn is_as_summed(&self) -> Result<bool, StoreError> {
        let io = |e: io::Error| StoreError::io(&self.path, &e);
        let rest = (TRAILER + self.footer.len()) as u64;
        let file = File::open(&self.path).map_err(io)?;
        let mut body = file.take(self.bytes.saturating_sub(rest));
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            let count = body.read(&mut buffer).map_err(io)?;
            if count == 0 {
                return Ok(<[u8; 32]>::from(hash.finalize()) == self.facts.digest);
            }
            hash.update(buffer.get(..count).unwrap_or_default());
        }
    }
}

impl SealedSegment {
    /// Opens the segment with what opens the store that it is of, and hands on every record in it by its number.
    ///
    /// # Errors
    /// `Corrupt` when it is not that store's or not what was written, and what `each` says.
    pub fn each_event(
        &self,
        header: &StoreHeader,
        sealer: Arc<dyn Sealer>,
        each: &mut EachRecord<'_>,
    ) -> Result<(), StoreError> {
        let vaulting = Vaulting::new(sealer, header.store_id);
        let none = || StoreError::corrupt(&self.path, 0, "this is no segment of that store");
        let (head, trailer) = read_ends(&self.path)?.ok_or_else(none)?;
        if head.store_id != header.store_id {
            return Err(none());
        }
        let segment = Segment { path: self.path.clone(), head, bytes: self.bytes, trailer: None };
        scan(&vaulting, &segment, &trailer, &mut |frame| {
            let count = frame.head.count;
            let payload = frame.open(&vaulting)?.parse(count)?;
            let mut events = (payload.head.first..).zip(&payload.events);
            events.try_for_each(|(number, event)| each(number, &event.record))
        })
    }
}

/// What signs the facts of a segment: it answers the footer.
pub type Sign<'s> = dyn FnMut(&SegmentFacts) -> Result<String, StoreError> + 's;

/// Seals a segment that was closed, and removes its open form. It must end where the next one begins.
pub(crate) fn seal(
    disk: &Disk,
    vaulting: &Vaulting,
    segment: &Segment,
    next: &SegmentHead,
    sign: &mut Sign<'_>,
) -> Result<SealedSegment, StoreError> {
    let path = sealed_path(&segment.path);
    let owner = Owner { vaulting, kind: KIND, number: segment.head.number.into() };
    let mut writing = Writing::new(disk, &beside(&path, "new"), owner)?;
    writing.plain(&segment.head.bytes(true))?;
    let mut facts = SegmentFacts::of(&segment.head);
    let end = super::scan(vaulting, core::slice::from_ref(segment), &mut |frame| {
        let head = frame.head;
        let plain = frame.open(vaulting)?;
        facts.add(&head, &plain.head);
        writing.item(&item(&head, &plain))
    })?;
    let continues = end.chain == next.chain && end.sequence.checked_add(1) == Some(next.first);
    if end.torn_bytes > 0 || !continues {
        let what = "a closed segment does not end where the next one begins";
        return Err(StoreError::corrupt(&segment.path, end.offset, what));
    }
    writing.last_chunk()?;
    let (digest, footer_at) = writing.sum();
    facts.digest = digest;
    let footer = sign(&facts)?;
    let footer_bytes = u32::try_from(footer.len()).ok().filter(|bytes| *bytes <= FOOTER_MAX);
    let footer_bytes = footer_bytes.ok_or(StoreError::TooLarge(footer.len()))?;
    let trailer = Trailer { facts: facts.clone(), footer_at, footer_bytes };
    writing.plain(footer.as_bytes())?;
    writing.plain(&trailer.bytes())?;
    let bytes = writing.finish(&path)?;
    fs::remove_file(&segment.path).map_err(|e| StoreError::io(&segment.path, &e))?;
    disk.sync_parent(&segment.path)?;
    Ok(SealedSegment { path, bytes, facts, footer })
}

/// A frame as it stands in a chunk.
fn item(head: &FrameHead, plain: &Plain) -> Zeroizing<Vec<u8>> {
    let events = plain.events();
    let mut out = Zeroizing::new(Vec::with_capacity(96 + plain.changes.len() + events.len()));
    out.extend_from_slice(&head.first.to_be_bytes());
    out.extend_from_slice(&head.count.to_be_bytes());
    out.extend_from_slice(&head.chain);
    plain.head.write(&mut out);
    push_blob(&mut out, &plain.changes);
    push_blob(&mut out, events);
    out
}

fn parse_item(cursor: &mut Cursor<'_>) -> Option<(FrameHead, Plain)> {
    let (first, count, chain) = (cursor.u64()?, cursor.u32()?, cursor.array()?);
    let head = BlockHead::parse(cursor)?;
    let changes = Zeroizing::new(cursor.blob()?.to_vec());
    let events = cursor.blob()?.to_vec();
    let frame = FrameHead { length: 0, crc: 0, count, first, chain };
    (0 < count).then(|| (frame, payload::Plain::raw(head, changes, events)))
}

/// Hands every frame of a sealed segment on, and checks that they are those of its trailer.
pub(crate) fn scan(
    vaulting: &Vaulting,
    segment: &Segment,
    trailer: &Trailer,
    each: &mut dyn FnMut(Frame) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let path = &segment.path;
    let file = File::open(path).map_err(|e| StoreError::io(path, &e))?;
    let owner = Owner { vaulting, kind: KIND, number: segment.head.number.into() };
    let mut facts = SegmentFacts::of(&segment.head);
    let end = chunks::read(&file, path, SEGMENT_HEAD as u64, owner, &mut |at, cursor| {
        while !cursor.is_empty() {
            let damaged = || StoreError::corrupt(path, at, "a frame of a chunk does not decode");
            let (head, plain) = parse_item(cursor).ok_or_else(damaged)?;
            if Some(head.first) != facts.commits.1.checked_add(1) {
                return Err(StoreError::corrupt(path, at, "commits are not numbered on"));
            }
            facts.add(&head, &plain.head);
            let (segment, body) = (path.clone(), Body::Plain(Box::new(plain)));
            each(Frame { head, body, segment, offset: at })?;
        }
        Ok(())
    })?;
    facts.digest = trailer.facts.digest;
    if facts != trailer.facts || end != trailer.footer_at {
        return Err(StoreError::corrupt(path, end, "the segment is not what its trailer says"));
    }
    Ok(())
}
