//! The base: what the segments that left the journal came to, so that sled can be built again without them.
//!
//! One file, `journal/base`, replaced whole: a head in a chunk of its own kind, and chunks of items in order: records,
//! marks of data-encryption keys, nodes of the log's tree. Events are not in it; what is left of those that left with
//! their segment is their part in the tree.
//! A base is made from the base before it and the segments that leave, and never from sled.
//!
//! Of the tree it holds the root of every full bucket and what stands above, the leaves of the bucket that the first
//! event that is still there falls into, and, where a checkpoint was signed inside a bucket, as many nodes as lead
//! from that checkpoint to any other.
//!
//! INVARIANT: base and remaining segments replay to what all segments replayed to, but for events.
//! INVARIANT: of every checkpoint that was kept, the root can be computed.

use crate::{
    StoreError,
    block::PackedEvent,
    bytes::{Cursor, push_blob},
    codec::Vaulting,
    disk::{Disk, beside},
    journal::{
        self, Segment,
        chunks::{self, Owner, Writing},
        frame::CHAIN_START,
    },
    ledger::{Entry, Kept, Ledger},
    merkle::{self, BUCKET_EVENTS, BUCKET_LEVEL, Edge, Hash},
};
use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const KIND: &str = "base";
const MAGIC: &[u8; 8] = b"KWJB0001";
const HEAD: usize = 64;
const RECORD: u8 = 1;
const MARK: u8 = 2;
const NODE: u8 = 3;

/// Up to where a base goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BaseHead {
    /// The last segment that it has taken in; 0 where no segment ever left.
    pub(crate) segment: u32,
    /// The last commit.
    pub(crate) sequence: u64,
    pub(crate) chain: [u8; 32],
    /// The number of the first event that is still there.
    pub(crate) first_event: u64,
}

impl BaseHead {
    /// Before the first segment.
    pub(crate) const START: Self =
        Self { segment: 0, sequence: 0, chain: CHAIN_START, first_event: 0 };

    fn bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&self.segment.to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.chain);
        out.extend_from_slice(&self.first_event.to_be_bytes());
        out.resize(HEAD - 4, 0);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let crc = Cursor(bytes.get(HEAD - 4..)?).u32()?;
        if crc != crc32c::crc32c(bytes.get(..HEAD - 4)?) || cursor.take(8)? != MAGIC {
            return None;
        }
        Some(Self {
            segment: cursor.u32()?,
            sequence: cursor.u64()?,
            chain: cursor.array()?,
            first_event: cursor.u64()?,
        })
    }
}

/// Nodes of the log's tree, by level and index.
pub(crate) type Nodes = BTreeMap<(u8, u64), Hash>;

/// What a base holds, one after the other.
pub(crate) enum Item {
    Record { key: Vec<u8>, plain: Zeroizing<Vec<u8>> },
    Mark { key: Vec<u8>, sequence: u64 },
    Node { level: u8, index: u64, hash: Hash },
}

impl Item {
    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::new());
        match self {
            Self::Record { key, plain } => {
                out.push(RECORD);
                push_blob(&mut out, key);
                push_blob(&mut out, plain);
            }
            Self::Mark { key, sequence } => {
                out.push(MARK);
                push_blob(&mut out, key);
                out.extend_from_slice(&sequence.to_be_bytes());
            }
            Self::Node { level, index, hash } => {
                out.extend_from_slice(&[NODE, *level]);
                out.extend_from_slice(&index.to_be_bytes());
                out.extend_from_slice(hash);
            }
        }
        out
    }

    fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(match cursor.u8()? {
            RECORD => {
                let key = cursor.blob()?.to_vec();
                Self::Record { key, plain: Zeroizing::new(cursor.blob()?.to_vec()) }
            }
            MARK => Self::Mark { key: cursor.blob()?.to_vec(), sequence: cursor.u64()? },
            NODE => Self::Node { level: cursor.u8()?, index: cursor.u64()?, hash: cursor.array()? },
            _ => return None,
        })
    }
}

/// The base of one journal.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    path: PathBuf,
    pub(crate) head: BaseHead,
}

impl Base {
    /// The base of the journal in a directory, of which the head is read.
    ///
    /// # Errors
    /// `Corrupt` when there is a file and it is none.
    pub(crate) fn read(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join("base");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { path, head: BaseHead::START });
            }
            Err(e) => return Err(StoreError::io(&path, &e)),
        };
        let mut bytes = [0; HEAD];
        let head = file.read_exact_at(&mut bytes, 0).ok().and_then(|()| BaseHead::parse(&bytes));
        let head = head.ok_or_else(|| StoreError::corrupt(&path, 0, "the base has no head"))?;
        Ok(Self { path, head })
    }

    /// Whether the head is the one that was sealed with the base: files are removed by what it says.
    ///
    /// # Errors
    /// `Corrupt` when it is not.
    pub(crate) fn authenticate(&self, vaulting: &Vaulting) -> Result<(), StoreError> {
        if self.is_start() {
            return Ok(());
        }
        let file = File::open(&self.path).map_err(|e| StoreError::io(&self.path, &e))?;
        let owner = self.head.owner(vaulting);
        let mut items = Zeroizing::new(Vec::new());
        chunks::read_one(&file, &self.path, HEAD as u64, owner, 0, &mut items)?;
        if *items == self.head.bytes() {
            return Ok(());
        }
        Err(StoreError::corrupt(&self.path, 0, "the base is not what its head says"))
    }

    /// Whether any segment ever left.
    pub(crate) fn is_start(&self) -> bool {
        self.head == BaseHead::START
    }

    /// Hands on what the base holds, in order.
    pub(crate) fn each(
        &self,
        vaulting: &Vaulting,
        each: &mut dyn FnMut(Item) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if self.is_start() {
            return Ok(());
        }
        let file = File::open(&self.path).map_err(|e| StoreError::io(&self.path, &e))?;
        let mut head = None;
        let owner = self.head.owner(vaulting);
        let end = chunks::read(&file, &self.path, HEAD as u64, owner, &mut |at, cursor| {
            let damaged = || StoreError::corrupt(&self.path, at, "an item does not decode");
            if head.is_none() {
                head = Some(cursor.array::<HEAD>().ok_or_else(damaged)?);
            }
            while !cursor.is_empty() {
                each(Item::parse(cursor).ok_or_else(damaged)?)?;
            }
            Ok(())
        })?;
        let length = file.metadata().map_err(|e| StoreError::io(&self.path, &e))?.len();
        // The head stands in clear in front, and once more where it is sealed.
        if head.map(|head| head.to_vec()) != Some(self.head.bytes()) || end != length {
            return Err(StoreError::corrupt(&self.path, end, "the base is not what its head says"));
        }
        Ok(())
    }

    /// The nodes alone.
    pub(crate) fn nodes(&self, vaulting: &Vaulting) -> Result<Nodes, StoreError> {
        let mut nodes = Nodes::new();
        self.each(vaulting, &mut |item| {
            if let Item::Node { level, index, hash } = item {
                nodes.insert((level, index), hash);
            }
            Ok(())
        })?;
        Ok(nodes)
    }

    /// Makes the base that has also taken in the given segments, which follow this one, and puts it in this one's
    /// place, durably. `checkpoints` are the sizes of those that were kept, rising.
    pub(crate) fn take_in(
        &self,
        disk: &Disk,
        vaulting: &Vaulting,
        segments: &[Segment],
        checkpoints: &[u64],
    ) -> Result<Self, StoreError> {
        let mut ledger = Ledger::<All>::default();
        let mut growing =
            Growing::after(self.head.first_event, self.nodes(vaulting)?, checkpoints)?;
        let end = journal::scan(vaulting, segments, &mut |frame| {
            let head = frame.head;
            let payload = frame.open(vaulting)?.parse(head.count)?;
            for (ops, sequence) in payload.commits.into_iter().zip(head.first..) {
                ops.into_iter().try_for_each(|op| ledger.apply(op, sequence))?;
            }
            growing.add(&payload.events);
            Ok(())
        })?;
        let head = BaseHead {
            segment: end.number,
            sequence: end.sequence,
            chain: end.chain,
            first_event: growing.events,
        };
        let owner = head.owner(vaulting);
        let mut writing = Writing::new(disk, &beside(&self.path, "new"), owner)?;
        writing.plain(&head.bytes())?;
        writing.item(&head.bytes())?;
        writing.end_chunk()?;
        self.merge(vaulting, ledger, &mut writing)?;
        for ((level, index), hash) in growing.finish() {
            writing.item(&Item::Node { level, index, hash }.bytes())?;
        }
        writing.last_chunk()?;
        writing.finish(&self.path)?;
        Ok(Self { path: self.path.clone(), head })
    }

    /// Writes what becomes of this base's records and marks under a ledger, and what the ledger adds, in order.
    fn merge(
        &self,
        vaulting: &Vaulting,
        mut ledger: Ledger<All>,
        writing: &mut Writing<'_>,
    ) -> Result<(), StoreError> {
        let mut records = std::mem::take(&mut ledger.records).into_iter().peekable();
        let mut marks = std::mem::take(&mut ledger.marks);
        let mut older_marks = BTreeMap::new();
        let mut write = |key: Vec<u8>, plain| writing.item(&Item::Record { key, plain }.bytes());
        self.each(vaulting, &mut |item| match item {
            Item::Record { key, plain } => {
                while let Some((key, entry)) = records.next_if(|(newer, _)| *newer < key) {
                    entry.map_or(Ok(()), |entry| write(key, entry.value.0))?;
                }
                let older = Entry::<All>::of(&key, &plain)?;
                match records.next_if(|(newer, _)| *newer == key) {
                    Some((_, None)) => Ok(()),
                    // A last use that was committed later may be an earlier one.
                    Some((_, Some(newer))) if newer.is_final || older.time <= newer.time => {
                        write(key, newer.value.0)
                    }
                    Some(_) => write(key, plain),
                    None if ledger.keeps(&key, &older) => write(key, plain),
                    None => Ok(()),
                }
            }
            Item::Mark { key, sequence } => {
                older_marks.insert(key, Some(sequence));
                Ok(())
            }
            Item::Node { .. } => Ok(()),
        })?;
        for (key, entry) in records {
            entry.map_or(Ok(()), |entry| write(key, entry.value.0))?;
        }
        for (key, sequence) in older_marks {
            marks.entry(key).or_insert(sequence);
        }
        for (key, sequence) in marks {
            if let Some(sequence) = sequence {
                writing.item(&Item::Mark { key, sequence }.bytes())?;
            }
        }
        Ok(())
    }
}

impl BaseHead {
    fn owner<'v>(&self, vaulting: &'v Vaulting) -> Owner<'v> {
        Owner { vaulting, kind: KIND, number: self.sequence }
    }
}

/// All bytes of a record.
struct All(Zeroizing<Vec<u8>>);

impl Kept for All {
    fn of(plain: &[u8]) -> Self {
        Self(Zeroizing::new(plain.to_vec()))
    }
}

/// What is kept of the tree, as events leave.
struct Growing<'c> {
    checkpoints: &'c [u64],
    events: u64,
    /// Of the bucket that is not yet full.
    leaves: Vec<Hash>,
    edge: Edge,
    nodes: Nodes,
}

impl<'c> Growing<'c> {
    /// After the events before `events`, of which these nodes were kept.
    fn after(events: u64, mut nodes: Nodes, checkpoints: &'c [u64]) -> Result<Self, StoreError> {
        let bucket = events / BUCKET_EVENTS;
        let edge = Edge::of(bucket, |level, index| Ok(nodes.get(&(level, index)).copied()))?;
        let open = nodes.split_off(&(0, bucket * BUCKET_EVENTS));
        let (leaves, higher) =
            open.into_iter().partition::<Nodes, _>(|((level, _), _)| *level == 0);
        nodes.extend(higher);
        Ok(Self { checkpoints, events, leaves: leaves.into_values().collect(), edge, nodes })
    }

    fn add(&mut self, events: &[PackedEvent]) {
        for event in events {
            self.leaves.push(merkle::leaf(&event.record));
            self.events += 1;
            if self.events.is_multiple_of(BUCKET_EVENTS) {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        let leaves = std::mem::take(&mut self.leaves);
        let bucket = self.events / BUCKET_EVENTS - 1;
        if let Some(root) = merkle::root(&leaves) {
            self.nodes.extend(self.edge.take_in(bucket, root));
        }
        let first = bucket * BUCKET_EVENTS;
        let inside = |size: &&u64| first < **size && **size < self.events;
        let cuts = self.checkpoints.iter().filter(inside).map(|size| size - first);
        let mut from = 0;
        for to in cuts.chain([BUCKET_EVENTS]) {
            // The largest whole subtrees, one beside the other, from cut to cut.
            while from < to {
                let room = (to - from).ilog2();
                let level = from.trailing_zeros().min(room).min(BUCKET_LEVEL.into());
                let next = from + (1 << level);
                let place = |at| usize::try_from(at).unwrap_or(usize::MAX);
                let root = leaves.get(place(from)..place(next)).and_then(merkle::root);
                let level = u8::try_from(level).unwrap_or(BUCKET_LEVEL);
                if let Some(root) = root {
                    self.nodes.insert((level, (first + from) >> level), root);
                }
                from = next;
            }
        }
    }

    fn finish(mut self) -> Nodes {
        let first = self.events - self.leaves.len() as u64;
        let leaves = (first..).zip(std::mem::take(&mut self.leaves));
        self.nodes.extend(leaves.map(|(index, leaf)| ((0, index), leaf)));
        self.nodes
    }
}
