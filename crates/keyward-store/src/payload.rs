//! What a journal frame carries: the changes of every commit of a group, and its events as one block.
//!
//! Changes are kept at the level of records (their key in sled and their encoded bytes), so that replaying
//! needs no more than applying did. Data-encryption keys are named, never carried (`vault.rs`).
//!
//! INVARIANT: replaying a payload and applying its commits the first time end in the same state.

use crate::{
    StoreError,
    block::{BlockHead, PackedEvent},
    bytes::{Cursor, push_blob},
    codec::{Held, Vaulting, decode_kind, encode, encode_record},
    tree,
};
use keyward_types::{Change, KeyName, LastUsage, Name, Record, key::DekRecord};
use std::sync::Arc;
use zeroize::Zeroizing;

const PAYLOAD_VERSION: u8 = 1;
const PUT: u8 = 1;
const DELETE: u8 = 2;
const TOUCH: u8 = 3;
const DEK: u8 = 4;

/// A change that is ready to be applied.
pub(crate) enum Op {
    Put {
        key: Vec<u8>,
        sealed: Vec<u8>,
        held: Held,
    },
    Delete(Name),
    Touch {
        key: Vec<u8>,
        plain: Vec<u8>,
        usage: Arc<LastUsage>,
    },
    /// `record` is there the first time, and not when the journal is replayed.
    Dek {
        key: KeyName,
        record: Option<Arc<DekRecord>>,
    },
}

/// Encodes the changes of one commit, for the journal and for sled.
pub(crate) fn prepare(
    vaulting: &Vaulting,
    changes: Vec<Change>,
) -> Result<(Vec<Op>, Zeroizing<Vec<u8>>), StoreError> {
    let mut bytes =
        Zeroizing::new(u32::try_from(changes.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec());
    let mut ops = Vec::with_capacity(changes.len());
    for change in changes {
        ops.push(prepare_one(vaulting, change, &mut bytes)?);
    }
    Ok((ops, bytes))
}

fn prepare_one(vaulting: &Vaulting, change: Change, bytes: &mut Vec<u8>) -> Result<Op, StoreError> {
    Ok(match change {
        Change::Put(record) => match *record {
            Record::Dek(record) => {
                bytes.push(DEK);
                push_blob(bytes, &encode(&record.key)?);
                Op::Dek { key: record.key.clone(), record: Some(Arc::new(record)) }
            }
            record => {
                let key = tree::record(&record.name())
                    .ok_or_else(|| StoreError::bad_value("a record without a name of its own"))?;
                let plain = encode_record(&record)?;
                bytes.push(PUT);
                push_blob(bytes, &key);
                push_blob(bytes, &plain);
                let sealed = vaulting.seal_record(&key, &plain);
                Op::Put { key, sealed, held: record.into() }
            }
        },
        Change::Delete(name) => {
            bytes.push(DELETE);
            push_blob(bytes, &encode(&name)?);
            Op::Delete(name)
        }
        Change::Touch(name, usage) => {
            let key = tree::last_usage(&name);
            let plain = encode(&usage)?.to_vec();
            bytes.push(TOUCH);
            push_blob(bytes, &key);
            push_blob(bytes, &plain);
            Op::Touch { key, plain, usage: Arc::new(usage) }
        }
    })
}

/// A change as the journal has it.
pub(crate) enum RawOp {
    Put { key: Vec<u8>, plain: Zeroizing<Vec<u8>> },
    Delete(Name),
    Touch { key: Vec<u8>, plain: Vec<u8>, usage: LastUsage },
    Dek(KeyName),
}

impl RawOp {
    /// Makes the change ready to be applied again.
    pub(crate) fn ready(self, vaulting: &Vaulting) -> Result<Op, StoreError> {
        Ok(match self {
            Self::Put { key, plain } => {
                let held = decode_kind(&key, &plain)?;
                Op::Put { sealed: vaulting.seal_record(&key, &plain), key, held }
            }
            Self::Delete(name) => Op::Delete(name),
            Self::Touch { key, plain, usage } => Op::Touch { key, plain, usage: Arc::new(usage) },
            Self::Dek(key) => Op::Dek { key, record: None },
        })
    }
}

/// The inverse of [`prepare`] for one commit.
fn parse_ops(cursor: &mut Cursor<'_>) -> Result<Vec<RawOp>, StoreError> {
    let count = cursor.u32().ok_or_else(damaged)?;
    (0..count).map(|_| parse_op(cursor)).collect()
}

fn parse_op(cursor: &mut Cursor<'_>) -> Result<RawOp, StoreError> {
    let tag = cursor.u8().ok_or_else(damaged)?;
    let first = cursor.blob().ok_or_else(damaged)?;
    match tag {
        PUT => {
            let plain = cursor.blob().ok_or_else(damaged)?;
            Ok(RawOp::Put { key: first.to_vec(), plain: Zeroizing::new(plain.to_vec()) })
        }
        DELETE => Ok(RawOp::Delete(crate::codec::decode(first)?)),
        TOUCH => {
            let plain = cursor.blob().ok_or_else(damaged)?;
            Ok(RawOp::Touch {
                key: first.to_vec(),
                plain: plain.to_vec(),
                usage: crate::codec::decode(plain)?,
            })
        }
        DEK => Ok(RawOp::Dek(crate::codec::decode(first)?)),
        _ => Err(damaged()),
    }
}

fn damaged() -> StoreError {
    StoreError::Corrupt {
        place: "journal".to_owned(),
        offset: 0,
        what: "a payload does not decode".to_owned(),
    }
}

/// Where a frame stands, as its payload is sealed to it.
pub(crate) fn place(first: u64, count: u32) -> Vec<u8> {
    let mut place = first.to_be_bytes().to_vec();
    place.extend_from_slice(&count.to_be_bytes());
    place
}

/// Seals the payload of a frame. `changes` are the bytes of each commit in order, joined.
pub(crate) fn seal(
    vaulting: &Vaulting,
    first: u64,
    count: u32,
    changes: &[u8],
    head: BlockHead,
    packed_events: &[u8],
) -> Vec<u8> {
    let packed_changes = Zeroizing::new(lz4_flex::compress_prepend_size(changes));
    let mut plain =
        Zeroizing::new(Vec::with_capacity(packed_changes.len() + packed_events.len() + 64));
    plain.push(PAYLOAD_VERSION);
    head.write(&mut plain);
    push_blob(&mut plain, &packed_changes);
    push_blob(&mut plain, packed_events);
    vaulting.seal("journal", &place(first, count), &plain)
}

/// What a payload says, in bytes that are neither sealed nor compressed.
pub(crate) struct Plain {
    pub(crate) head: BlockHead,
    pub(crate) changes: Zeroizing<Vec<u8>>,
    events: Vec<u8>,
}

/// A payload taken apart.
pub(crate) struct Payload {
    pub(crate) commits: Vec<Vec<RawOp>>,
    pub(crate) head: BlockHead,
    pub(crate) events: Vec<PackedEvent>,
}

impl Plain {
    pub(crate) fn raw(head: BlockHead, changes: Zeroizing<Vec<u8>>, events: Vec<u8>) -> Self {
        Self { head, changes, events }
    }

    /// The bytes of its events.
    pub(crate) fn events(&self) -> &[u8] {
        &self.events
    }

    /// Takes apart the payload of a frame of `count` commits.
    ///
    /// # Errors
    /// `Corrupt` when it does not decode.
    pub(crate) fn parse(&self, count: u32) -> Result<Payload, StoreError> {
        let commits = self.commits(count)?;
        let events = crate::block::parse(&self.events, self.head.count)?;
        Ok(Payload { commits, head: self.head, events })
    }

    /// The changes of the frame's `count` commits alone.
    ///
    /// # Errors
    /// `Corrupt` when they do not decode.
    pub(crate) fn commits(&self, count: u32) -> Result<Vec<Vec<RawOp>>, StoreError> {
        let mut inner = Cursor(&self.changes);
        let commits = (0..count).map(|_| parse_ops(&mut inner)).collect::<Result<_, _>>()?;
        if inner.is_empty() { Ok(commits) } else { Err(damaged()) }
    }
}

/// Opens the payload of a frame.
///
/// # Errors
/// `Corrupt` when it is not authentic for its place or does not decompress.
pub(crate) fn unseal(
    vaulting: &Vaulting,
    first: u64,
    count: u32,
    sealed: &[u8],
) -> Result<Plain, StoreError> {
    let plain = vaulting
        .open("journal", &place(first, count), sealed)
        .map(Zeroizing::new)
        .ok_or_else(|| StoreError::Corrupt {
            place: "journal".to_owned(),
            offset: 0,
            what: "a payload is not authentic for its place".to_owned(),
        })?;
    let mut cursor = Cursor(&plain);
    match cursor.u8() {
        Some(PAYLOAD_VERSION) => {}
        Some(found) => {
            let known = PAYLOAD_VERSION.into();
            return Err(StoreError::Format {
                place: "journal".to_owned(),
                found: found.into(),
                known,
            });
        }
        None => return Err(damaged()),
    }
    let head = BlockHead::parse(&mut cursor).ok_or_else(damaged)?;
    let changes = cursor.blob().ok_or_else(damaged)?;
    let packed = cursor.blob().ok_or_else(damaged)?;
    let changes =
        Zeroizing::new(lz4_flex::decompress_size_prepended(changes).map_err(|_| damaged())?);
    if !cursor.is_empty() {
        return Err(damaged());
    }
    let events = if head.count == 0 { Vec::new() } else { crate::block::decompress(packed)? };
    Ok(Plain { head, changes, events })
}
