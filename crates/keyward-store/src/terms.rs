//! The index of events by term: which events of each bucket of 1,024 have a term.
//!
//! The newest bucket is in memory and is made again from the log at start; a bucket is written once, when it
//! is full, in the batch that fills it. So an event costs about one index entry per term and bucket.
//! Index entries are not sealed: what they lead to is, and verifying compares them with the log.

use crate::{
    StoreError,
    block::{BlockHead, PackedEvent},
    bytes::Cursor,
    merkle::{self, Edge, Hash},
    shared::{Shared, lock},
    tree,
};
use std::{collections::BTreeMap, sync::atomic::Ordering};

/// Events in a bucket.
pub(crate) const BUCKET_EVENTS: u64 = 1_024;
const WORDS: usize = 16;
const LISTED: u8 = 0;
const MAPPED: u8 = 1;
const LISTED_MAX: u32 = 60;

/// Which events of a bucket have a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits([u64; WORDS]);

impl Bits {
    pub(crate) const ALL: Self = Self([u64::MAX; WORDS]);

    pub(crate) fn set(&mut self, position: u64) {
        let word = usize::try_from(position / 64).unwrap_or(WORDS);
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (position % 64);
        }
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut both = *self;
        for (mine, theirs) in both.0.iter_mut().zip(other.0) {
            *mine &= theirs;
        }
        both
    }

    pub(crate) fn or(&self, other: &Self) -> Self {
        let mut either = *self;
        for (mine, theirs) in either.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
        either
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Positions in rising order.
    pub(crate) fn positions(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        (0..BUCKET_EVENTS).filter(|position| {
            let word = usize::try_from(position / 64).ok().and_then(|word| self.0.get(word));
            word.is_some_and(|word| word & (1 << (position % 64)) != 0)
        })
    }

    /// Those that are not in the other.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut rest = *self;
        for (mine, theirs) in rest.0.iter_mut().zip(other.0) {
            *mine &= !theirs;
        }
        rest
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let count: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        if count <= LISTED_MAX {
            let mut out = vec![LISTED];
            for position in self.positions() {
                out.extend_from_slice(&u16::try_from(position).unwrap_or(u16::MAX).to_be_bytes());
            }
            return out;
        }
        let mut out = vec![MAPPED];
        for word in self.0 {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let mut bits = Self::default();
        match cursor.u8()? {
            LISTED => {
                while let Some(position) = cursor.u16() {
                    bits.set(position.into());
                }
            }
            MAPPED => {
                for word in &mut bits.0 {
                    *word = cursor.u64()?;
                }
            }
            _ => return None,
        }
        Some(bits)
    }
}

/// The bucket that is not yet full.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenBucket {
    pub(crate) number: u64,
    terms: BTreeMap<u64, Bits>,
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

    /// Reads the events of the bucket that is not yet full, and puts it in place.
    pub(crate) fn fill(shared: &Shared) -> Result<(), StoreError> {
        let next = shared.events.load(Ordering::Acquire);
        let mut bucket = Self::at(next);
        bucket.edge = Edge::of(bucket.number, |level, index| shared.kept_node(level, index))?;
        let first = bucket.number * BUCKET_EVENTS;
        let mut at = shared.first_event().clamp(first, next);
        bucket.leaves = shared.kept_leaves(first, at)?;
        while at < next {
            let (head, sealed) = shared.block_of(at)?;
            let events = shared.open_block(&head, &sealed)?;
            let skipped = usize::try_from(at - head.first).unwrap_or(0);
            let rest = events.get(skipped..).unwrap_or_default();
            bucket.add(&BlockHead { first: at, ..head }, rest);
            at = head.next();
        }
        *lock(&shared.bucket) = bucket;
        Ok(())
    }

    /// Adds the events of a block; answers the entries of buckets that it filled.
    pub(crate) fn add(
        &mut self,
        head: &BlockHead,
        events: &[PackedEvent],
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut entries = Vec::new();
        for (number, event) in (head.first..).zip(events) {
            self.add_one(number, event);
            if (number + 1) % BUCKET_EVENTS == 0 {
                entries.extend(self.close());
            }
        }
        entries
    }

    fn add_one(&mut self, number: u64, event: &PackedEvent) {
        for term in &event.terms {
            self.terms.entry(*term).or_default().set(number % BUCKET_EVENTS);
        }
        self.leaves.push(merkle::leaf(&event.record));
    }

    fn close(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut full = std::mem::take(self);
        let mut nodes = Vec::new();
        if let Some(root) = merkle::root(&full.leaves) {
            nodes = full.edge.push(full.number, root);
        }
        self.number = full.number + 1;
        self.edge = full.edge;
        let terms = full
            .terms
            .iter()
            .map(|(term, bits)| (tree::event_term(*term, full.number), bits.bytes()));
        terms.chain(nodes).collect()
    }

    /// Which events of this bucket have a term of every clause.
    pub(crate) fn matching(&self, clauses: &[Vec<u64>]) -> Bits {
        clauses.iter().fold(Bits::ALL, |bits, clause| {
            let found = clause.iter().filter_map(|term| self.terms.get(term));
            bits.and(&found.fold(Bits::default(), |either, other| either.or(other)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_survive_both_forms() {
        for step in [1, 7, 200, 1_023] {
            let mut bits = Bits::default();
            (0..BUCKET_EVENTS).step_by(step).for_each(|position| bits.set(position));
            assert_eq!(Bits::parse(&bits.bytes()), Some(bits), "{step}");
            let expected: Vec<u64> = (0..BUCKET_EVENTS).step_by(step).collect();
            assert_eq!(bits.positions().collect::<Vec<_>>(), expected);
        }
    }
}
