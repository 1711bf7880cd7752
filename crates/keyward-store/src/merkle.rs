//! The event log's Merkle tree, as far as it is kept: the roots of full buckets of 1,024 events, and what stands above
//! them. What is below is made from the events when it is asked for.
//!
//! So a bucket costs two nodes of 32 bytes, and a proof reads two buckets at most. Of events that left the log there is
//! what `base.rs` keeps. Proofs themselves, and what a root is worth, are not this crate's business: it answers single
//! nodes.
//!
//! INVARIANT: a node is written once, in the batch that fills its last bucket.
//! Source: <https://www.rfc-editor.org/rfc/rfc6962#section-2.1>

use crate::{
    Store, StoreError,
    block::PackedEvent,
    shared::{Entry, Shared, lock},
    tree,
};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

pub(crate) type Hash = [u8; 32];

/// Events in a bucket.
pub(crate) const BUCKET_EVENTS: u64 = 1_024;

/// The level of a full bucket's root; events are leaves, at level 0.
pub(crate) const BUCKET_LEVEL: u8 = 10;
const _: () = assert!(1 << BUCKET_LEVEL == BUCKET_EVENTS, "a bucket is a whole subtree");

/// The leaves of the buckets that were read last, so that the many nodes of one proof read a bucket once.
pub(crate) type Leaves = quick_cache::sync::Cache<u64, Arc<[Hash]>>;
pub(crate) const LEAVES_CACHED: usize = 64;

pub(crate) fn leaf(record: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(record).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root above hashes whose number is a power of two; `None` when it is not.
pub(crate) fn root(hashes: &[Hash]) -> Option<Hash> {
    if !hashes.len().is_power_of_two() {
        return None;
    }
    let mut level = hashes.to_vec();
    while 1 < level.len() {
        level = level.as_chunks().0.iter().map(|[left, right]| node(left, right)).collect();
    }
    level.first().copied()
}

/// The roots of the full subtrees that stand beside each other at the tree's right edge, the largest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge(Vec<Hash>);

impl Edge {
    /// Takes in the root of the next bucket; answers the nodes that it completes, by level and index.
    pub(crate) fn take_in(&mut self, bucket: u64, root: Hash) -> Vec<((u8, u64), Hash)> {
        let (mut level, mut index, mut hash) = (BUCKET_LEVEL, bucket, root);
        let mut nodes = vec![((level, index), hash)];
        while index % 2 == 1
            && let Some(left) = self.0.pop()
        {
            hash = node(&left, &hash);
            (level, index) = (level + 1, index / 2);
            nodes.push(((level, index), hash));
        }
        self.0.push(hash);
        nodes
    }

    /// The same, as entries of sled.
    pub(crate) fn push(&mut self, bucket: u64, root: Hash) -> Vec<Entry> {
        let nodes = self.take_in(bucket, root).into_iter();
        nodes.map(|((level, index), hash)| (tree::tree_node(level, index), hash.to_vec())).collect()
    }

    /// The edge when so many buckets were full, of the nodes that `kept` answers.
    pub(crate) fn of(
        buckets: u64,
        kept: impl Fn(u8, u64) -> Result<Option<Hash>, StoreError>,
    ) -> Result<Self, StoreError> {
        let mut edge = Vec::new();
        let mut done = 0;
        for bit in (0..u64::BITS).rev().filter(|bit| buckets >> bit & 1 == 1) {
            let level = BUCKET_LEVEL + u8::try_from(bit).unwrap_or(u8::MAX - BUCKET_LEVEL);
            let missing = || StoreError::bad_value("a node of the log's tree is missing");
            edge.push(kept(level, done >> bit)?.ok_or_else(missing)?);
            done += 1 << bit;
        }
        Ok(Self(edge))
    }
}

/// The bucket that is not yet full.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenBucket {
    pub(crate) number: u64,
    /// The hashes of its events.
    pub(crate) leaves: Vec<Hash>,
    /// The tree's right edge without this bucket.
    pub(crate) edge: Edge,
}

impl OpenBucket {
    /// The bucket that the event with this number goes to, empty.
    pub(crate) fn at(event: u64) -> Self {
        Self { number: event / BUCKET_EVENTS, ..Self::default() }
    }

    /// Takes in the hash of an event; answers the entries of the nodes that it completes.
    pub(crate) fn add(&mut self, number: u64, leaf: Hash) -> Vec<Entry> {
        self.leaves.push(leaf);
        if !(number + 1).is_multiple_of(BUCKET_EVENTS) {
            return Vec::new();
        }
        let leaves = std::mem::take(&mut self.leaves);
        self.number += 1;
        root(&leaves).map_or_else(Vec::new, |root| self.edge.push(number / BUCKET_EVENTS, root))
    }
}

/// A node of which perhaps only parts were kept: itself, or what stands below it.
pub(crate) fn composed(
    level: u8,
    index: u64,
    kept: &impl Fn(u8, u64) -> Result<Option<Hash>, StoreError>,
) -> Result<Option<Hash>, StoreError> {
    if let Some(hash) = kept(level, index)? {
        return Ok(Some(hash));
    }
    let Some(below) = level.checked_sub(1) else { return Ok(None) };
    let Some(left) = composed(below, 2 * index, kept)? else { return Ok(None) };
    Ok(composed(below, 2 * index + 1, kept)?.map(|right| node(&left, &right)))
}

impl Shared {
    /// A node that was kept: at or above a bucket's root, or of events that left.
    pub(crate) fn kept_node(&self, level: u8, index: u64) -> Result<Option<Hash>, StoreError> {
        let Some(value) = self.raw(&tree::tree_node(level, index))? else { return Ok(None) };
        let hash = value.as_ref().try_into();
        hash.map(Some)
            .map_err(|_| StoreError::bad_value("a node of the log's tree has no 32 bytes"))
    }

    /// The leaves of events of one bucket that left.
    pub(crate) fn kept_leaves(&self, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        let mut leaves = Vec::with_capacity(1 << BUCKET_LEVEL);
        for event in from..to {
            leaves.push(self.kept_node(0, event)?.ok_or(StoreError::Gone { event })?);
        }
        Ok(leaves)
    }

    /// The leaves of a full bucket.
    fn leaves(&self, bucket: u64) -> Result<Arc<[Hash]>, StoreError> {
        if let Some(leaves) = self.leaves.get(&bucket) {
            return Ok(leaves);
        }
        let (first, end) = (bucket * BUCKET_EVENTS, (bucket + 1) * BUCKET_EVENTS);
        let mut at = self.first_event().clamp(first, end);
        let mut leaves = self.kept_leaves(first, at)?;
        while at < end {
            let (head, sealed) = self.block_of(at)?;
            let events = self.open_block(&head, &sealed)?;
            let inside = (head.first..).zip(&events).filter(|(n, _)| at <= *n && *n < end);
            leaves.extend(inside.map(|(_, event): (u64, &PackedEvent)| leaf(&event.record)));
            at = head.next();
        }
        let leaves: Arc<[Hash]> = leaves.into();
        self.leaves.insert(bucket, Arc::clone(&leaves));
        Ok(leaves)
    }
}

impl Store {
    /// A node of the log's Merkle tree: at level 0 the hash of an event, at level n that of 2^n of them. `None`
    /// where the log does not hold all of them yet.
    ///
    /// # Errors
    /// `Corrupt` when a node or a block is not what was written; `Gone` for one below what is kept of events that left.
    pub fn tree_node(&self, level: u8, index: u64) -> Result<Option<[u8; 32]>, StoreError> {
        let end = index
            .checked_add(1)
            .and_then(|next| next.checked_mul(1_u64.checked_shl(level.into())?));
        if end.is_none_or(|end| self.events_total() < end) {
            return Ok(None);
        }
        let _nothing_leaves = self.shared.reading();
        if BUCKET_LEVEL <= level {
            let node = self.shared.kept_node(level, index)?;
            return node.map(Some).ok_or_else(|| {
                StoreError::bad_value(format!(
                    "node {index} of level {level} of the log's tree is missing"
                ))
            });
        }
        let (first, count) = (index << level, 1_usize << level);
        if first / BUCKET_EVENTS < self.shared.first_event() / BUCKET_EVENTS {
            let kept = |level, index| self.shared.kept_node(level, index);
            let node = composed(level, index, &kept)?;
            return node.map(Some).ok_or(StoreError::Gone { event: first });
        }
        let (bucket, place) = (first / BUCKET_EVENTS, first % BUCKET_EVENTS);
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let within = |leaves: &[Hash]| leaves.get(place..place + count).and_then(root);
        {
            let newest = lock(&self.shared.newest);
            if newest.bucket.number == bucket {
                return Ok(within(&newest.bucket.leaves));
            }
        }
        self.shared.leaves(bucket).map(|leaves| within(&leaves))
    }
}
