//! The end of the log that is not yet in sled's index and tree: the run of terms and the bucket of leaves that are
//! still open.
//!
//! INVARIANT: it is what the events from the start of each say; a start makes it from them.

use crate::{
    StoreError,
    block::{BlockHead, PackedEvent},
    merkle::{BUCKET_EVENTS, Edge, Hash, OpenBucket, leaf},
    shared::{Entry, Shared, lock},
    terms::{OpenRun, RUN_EVENTS},
};
use std::sync::atomic::Ordering;

#[derive(Clone, Debug, Default)]
pub(crate) struct Newest {
    pub(crate) run: OpenRun,
    pub(crate) bucket: OpenBucket,
}

impl Newest {
    /// Takes in the events of a block; answers the entries of runs and buckets that they filled.
    pub(crate) fn add(&mut self, head: &BlockHead, events: &[PackedEvent]) -> Vec<Entry> {
        let filed = events.iter().map(|event| (event.terms.iter().copied(), leaf(&event.record)));
        self.add_filed(head, filed)
    }

    /// The same of events of which the terms are at hand and the hash.
    pub(crate) fn add_filed<T: IntoIterator<Item = u64>>(
        &mut self,
        head: &BlockHead,
        events: impl IntoIterator<Item = (T, Hash)>,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (number, (terms, leaf)) in (head.first..).zip(events) {
            entries.extend(self.run.add(number, terms));
            entries.extend(self.bucket.add(number, leaf));
        }
        entries
    }

    /// Makes it from the log, and puts it in place.
    pub(crate) fn fill(shared: &Shared) -> Result<(), StoreError> {
        let next = shared.events.load(Ordering::Acquire);
        let first_event = shared.first_event();
        let mut newest = Self { run: OpenRun::at(next), bucket: OpenBucket::at(next) };
        let number = newest.bucket.number;
        newest.bucket.edge = Edge::of(number, |level, index| shared.kept_node(level, index))?;
        let first = number * BUCKET_EVENTS;
        let present = first_event.clamp(first, next);
        newest.bucket.leaves = shared.kept_leaves(first, present)?;
        let mut at = first_event.clamp(newest.run.number * RUN_EVENTS, next);
        while at < next {
            let (head, sealed) = shared.block_of(at)?;
            let events = shared.open_block(&head, &sealed)?;
            for (number, event) in (head.first..).zip(&events).filter(|(number, _)| at <= *number) {
                newest.run.add(number, event.terms.iter().copied());
                if present <= number {
                    newest.bucket.add(number, leaf(&event.record));
                }
            }
            at = head.next();
        }
        *lock(&shared.newest) = newest;
        Ok(())
    }
}
