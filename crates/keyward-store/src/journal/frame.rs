//! The forms of the journal: segment heads and frames.
//!
//! A frame is a head of 64 bytes and a sealed payload:
//! magic 4, payload length 4, CRC-32C 4, commits 4, first sequence number 8, chain 32, zero 8.
//! The chain is SHA-256 of the chain before, the two numbers and the payload.
//!
//! INVARIANT: a frame is whole or it is not a frame; CRC and chain cover every byte but the magic.

use crate::bytes::Cursor;
use sha2::{Digest as _, Sha256};

pub(crate) const FRAME_HEAD: usize = 64;
pub(crate) const SEGMENT_HEAD: usize = 128;
pub(crate) const FRAME_MAGIC: &[u8; 4] = b"KWF1";
const SEGMENT_MAGIC: &[u8; 8] = b"KWJS0001";
/// Of a sealed segment.
const SEALED_MAGIC: &[u8; 8] = b"KWJZ0001";
/// Bytes of payload at most.
pub(crate) const PAYLOAD_MAX: usize = 256 << 20;

/// Where a chain starts.
pub(crate) const CHAIN_START: [u8; 32] = [0; 32];

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub(crate) length: u32,
    pub(crate) crc: u32,
    pub(crate) count: u32,
    pub(crate) first: u64,
    pub(crate) chain: [u8; 32],
}

impl FrameHead {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        if cursor.take(4)? != FRAME_MAGIC {
            return None;
        }
        let head = Self {
            length: cursor.u32()?,
            crc: cursor.u32()?,
            count: cursor.u32()?,
            first: cursor.u64()?,
            chain: cursor.array()?,
        };
        let sane = cursor.u64()? == 0
            && head.count > 0
            && usize::try_from(head.length).ok()? <= PAYLOAD_MAX;
        sane.then_some(head)
    }

    /// The sequence number of the last commit.
    pub(crate) fn last(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count)).saturating_sub(1)
    }

    fn bytes(&self) -> [u8; FRAME_HEAD] {
        let mut out = Vec::with_capacity(FRAME_HEAD);
        out.extend_from_slice(FRAME_MAGIC);
        out.extend_from_slice(&self.length.to_be_bytes());
        out.extend_from_slice(&self.crc.to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        out.extend_from_slice(&self.chain);
        out.resize(FRAME_HEAD, 0);
        out.try_into().unwrap_or([0; FRAME_HEAD])
    }

    fn checksum(&self, payload: &[u8]) -> u32 {
        let crc = crc32c::crc32c(&Self { crc: 0, ..*self }.bytes());
        crc32c::crc32c_append(crc, payload)
    }

    pub(crate) fn fits(&self, payload: &[u8]) -> bool {
        self.crc == self.checksum(payload)
    }
}

/// The chain after a frame.
pub(crate) fn chain(before: &[u8; 32], first: u64, count: u32, payload: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(first.to_be_bytes());
    hash.update(count.to_be_bytes());
    hash.update(payload);
    hash.finalize().into()
}

/// A whole frame, and the chain after it.
pub(crate) fn frame(
    before: &[u8; 32],
    first: u64,
    count: u32,
    payload: &[u8],
) -> (Vec<u8>, [u8; 32]) {
    let chain = chain(before, first, count, payload);
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut head = FrameHead { length, crc: 0, count, first, chain };
    head.crc = head.checksum(payload);
    let mut bytes = Vec::with_capacity(FRAME_HEAD + payload.len());
    bytes.extend_from_slice(&head.bytes());
    bytes.extend_from_slice(payload);
    (bytes, chain)
}

/// What a segment begins with: it names its place in the chain, so that reading can start at any segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHead {
    pub(crate) store_id: [u8; 16],
    pub(crate) number: u32,
    /// The sequence number of the first commit that goes here.
    pub(crate) first: u64,
    /// The chain before that commit.
    pub(crate) chain: [u8; 32],
}

impl SegmentHead {
    const fn magic(is_sealed: bool) -> &'static [u8; 8] {
        if is_sealed { SEALED_MAGIC } else { SEGMENT_MAGIC }
    }

    pub(crate) fn bytes(&self, is_sealed: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEAD);
        out.extend_from_slice(Self::magic(is_sealed));
        out.extend_from_slice(&self.store_id);
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        out.extend_from_slice(&self.chain);
        out.resize(SEGMENT_HEAD - 4, 0);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    pub(crate) fn parse(bytes: &[u8], is_sealed: bool) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let covered = bytes.get(..SEGMENT_HEAD - 4)?;
        if cursor.take(8)? != Self::magic(is_sealed) {
            return None;
        }
        let head = Self {
            store_id: cursor.array()?,
            number: cursor.u32()?,
            first: cursor.u64()?,
            chain: cursor.array()?,
        };
        let crc = Cursor(bytes.get(SEGMENT_HEAD - 4..)?).u32()?;
        (crc == crc32c::crc32c(covered)).then_some(head)
    }
}
