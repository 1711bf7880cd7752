//! Segments leave: their facts go into the base, their files go, and then sled forgets their events.
//!
//! It does not decide which ones, nor whether a copy is kept elsewhere: that is retention, and the caller's business.
//!
//! The order, each step durable before the next: the new base; the segment files; the tree's nodes that the base keeps;
//! blocks and index entries, a bucket of events at a time. A stop in between is finished by the next start.
//!
//! INVARIANT: from the moment when the first event is named anew, nobody looks for one before it.
//! INVARIANT: what sled holds after events left is what it holds when it is built again from base and journal.

use crate::{
    Store, StoreError,
    base::{Base, Nodes},
    draft::Draft,
    journal::{
        self, Segment,
        sealed::{self, SealedSegment, Sign},
    },
    merkle::{BUCKET_EVENTS, BUCKET_LEVEL},
    newest::Newest,
    shared::{Shared, lock},
    terms::{PIECES, RUN_EVENTS},
    tree,
    writer::Chore,
};
use std::{
    fs,
    path::Path,
    sync::{Arc, PoisonError, atomic::Ordering},
};

/// Events that leave sled.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// The number of the first that stays.
    pub(crate) first_event: u64,
    /// What the base keeps of the tree below the roots of buckets: all of it, or what it did not keep before.
    pub(crate) nodes: Nodes,
    /// Nodes that the base kept before and keeps no more; `None` where that is to be found out.
    gone: Option<Vec<(u8, u64)>>,
}

impl Leaving {
    /// What sled does not hold any more when it is as the base says.
    pub(crate) fn up_to(
        base: &Base,
        vaulting: &crate::codec::Vaulting,
    ) -> Result<Self, StoreError> {
        let mut nodes = base.nodes(vaulting)?;
        nodes.retain(|(level, _), _| *level < BUCKET_LEVEL);
        Ok(Self { first_event: base.head.first_event, nodes, gone: None })
    }

    /// The same, when sled is as an older base said: only what is different.
    fn after(mut self, older: &Self) -> Self {
        let is_gone = |place: &(u8, u64)| !self.nodes.contains_key(place);
        self.gone = Some(older.nodes.keys().copied().filter(is_gone).collect());
        self.nodes.retain(|place, _| !older.nodes.contains_key(place));
        self
    }

    /// Keeps the nodes, and names the first event anew. On the writer's thread, as all that follows.
    pub(crate) fn begin(&self, shared: &Shared) -> Result<(), StoreError> {
        let mut draft = Draft::new(shared);
        for ((level, index), hash) in &self.nodes {
            draft.set(tree::tree_node(*level, *index), hash.to_vec())?;
        }
        let finished = draft.finish_as_it_is()?;
        let _nobody_reads = shared.leaving.write().unwrap_or_else(PoisonError::into_inner);
        finished.apply(shared)?;
        shared.first_event.fetch_max(self.first_event, Ordering::AcqRel);
        Ok(())
    }

    /// Takes about a bucket of events out of sled; whether there are more.
    pub(crate) fn step(&self, shared: &Shared) -> Result<bool, StoreError> {
        let mut draft = Draft::new(shared);
        let start = draft.meta.first_event;
        if self.first_event <= start {
            return Ok(false);
        }
        let end = (start / BUCKET_EVENTS + 1) * BUCKET_EVENTS;
        let mut at = start;
        while at < end.min(self.first_event) {
            let (head, _) = shared.find_block(at)?;
            draft.remove_block(head.first)?;
            at = head.next();
        }
        for run in start / RUN_EVENTS..at / RUN_EVENTS {
            (0..PIECES).try_for_each(|piece| draft.cut_terms(piece, run, None))?;
        }
        draft.meta.first_event = at;
        let is_over = self.first_event <= at;
        if is_over {
            let before = u16::try_from(at % RUN_EVENTS).unwrap_or(0);
            let cut = |piece| draft.cut_terms(piece, at / RUN_EVENTS, Some(before));
            (0..PIECES).try_for_each(cut)?;
            self.forget_nodes(shared, &mut draft)?;
        }
        let finished = draft.finish_as_it_is()?;
        let _nobody_reads = shared.leaving.write().unwrap_or_else(PoisonError::into_inner);
        finished.apply(shared)?;
        shared.leaves.clear();
        if is_over && lock(&shared.newest).run.number <= at / RUN_EVENTS {
            Newest::fill(shared)?;
        }
        Ok(!is_over)
    }

    /// Removes the nodes that an earlier leaving kept and this one does not.
    fn forget_nodes(&self, shared: &Shared, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        if let Some(gone) = &self.gone {
            let mut gone = gone.iter();
            return gone
                .try_for_each(|(level, index)| draft.unset(&tree::tree_node(*level, *index)));
        }
        let below = tree::tree_node(0, 0)..tree::tree_node(BUCKET_LEVEL, 0);
        let keys = shared.sled(|tree| tree.range(below).keys().collect::<Result<Vec<_>, _>>())?;
        for key in keys {
            if tree::parse_tree_node(&key).is_none_or(|node| !self.nodes.contains_key(&node)) {
                draft.unset(&key)?;
            }
        }
        Ok(())
    }
}

/// Removes files of a journal, durably.
pub(crate) fn remove<'p>(
    disk: &crate::disk::Disk,
    directory: &Path,
    paths: impl IntoIterator<Item = &'p Path>,
) -> Result<(), StoreError> {
    let mut some = false;
    for path in paths {
        fs::remove_file(path).map_err(|e| StoreError::io(path, &e))?;
        some = true;
    }
    if some { disk.sync_directory(directory) } else { Ok(()) }
}

impl Store {
    /// Closes the segment that is written to, unless it is empty, so that it can be sealed.
    ///
    /// # Errors
    /// As a commit's.
    pub fn close_segment(&self) -> Result<(), StoreError> {
        self.queue.chore(Chore::CloseSegment).map(drop)
    }

    /// The numbers of the segments that are closed and not yet sealed, oldest first.
    ///
    /// # Errors
    /// What the disk says.
    pub fn closed_segments(&self) -> Result<Vec<u32>, StoreError> {
        Ok(self.closed()?.iter().map(|segment| segment.head.number).collect())
    }

    fn closed(&self) -> Result<Vec<Segment>, StoreError> {
        let mut segments = self.journal()?.1;
        segments.pop();
        segments.retain(|segment| segment.trailer.is_none());
        Ok(segments)
    }

    /// The base, and the segments that follow it.
    fn journal(&self) -> Result<(Base, Vec<Segment>), StoreError> {
        let directory = self.options.directory.join("journal");
        let base = Base::read(&directory)?;
        let found = journal::segments(&directory, &self.header.store_id, &base.head)?;
        Ok((base, found.segments))
    }

    /// Seals a closed segment: it becomes small, and carries what `sign` answers as its footer.
    ///
    /// # Errors
    /// `NoSegment` when no such segment is closed, what `sign` says, and what the disk says. The segment is then as it was.
    pub fn seal_segment(
        &self,
        number: u32,
        sign: &mut Sign<'_>,
    ) -> Result<SealedSegment, StoreError> {
        let _one_at_a_time = lock(&self.segments);
        let (_, segments) = self.journal()?;
        let is_it = |pair: &&[Segment]| pair.first().is_some_and(|one| one.head.number == number);
        let Some([segment, next]) = segments.windows(2).find(is_it) else {
            return Err(StoreError::NoSegment(number));
        };
        if segment.trailer.is_some() {
            return Err(StoreError::NoSegment(number));
        }
        let sealed = sealed::seal(&self.disk, &self.shared.vaulting, segment, &next.head, sign)?;
        // Its commits were durable when it was closed; the anchor need not read it again.
        let (sequence, chain) = (sealed.facts.commits.1, sealed.facts.chain.1);
        lock(&self.anchor).advance(crate::anchor::Anchored { sequence, chain })?;
        Ok(sealed)
    }

    /// The sealed segments that are here, oldest first.
    ///
    /// # Errors
    /// `Corrupt` when one is damaged.
    pub fn sealed_segments(&self) -> Result<Vec<SealedSegment>, StoreError> {
        let (_, segments) = self.journal()?;
        let sealed = segments.iter().filter(|segment| segment.trailer.is_some());
        sealed.map(|segment| SealedSegment::read(&segment.path)).collect()
    }

    /// Lets sealed segments leave, the oldest up to and with this one: their events are gone, and everything else that
    /// they did stays. Answers the number of the first event that is still there.
    ///
    /// # Errors
    /// `NoSegment` when that segment is not here or not sealed; what the disk says. What was begun is finished by the
    /// next call, or the next start.
    pub fn drop_segments(&self, up_to: u32) -> Result<u64, StoreError> {
        let _one_at_a_time = lock(&self.segments);
        let (base, segments) = self.journal()?;
        let is_leaving = |segment: &&Segment| segment.head.number <= up_to;
        let leaving: Vec<Segment> = segments.iter().take_while(is_leaving).cloned().collect();
        let last = leaving.last().map(|segment| segment.head.number);
        if last != Some(up_to) || leaving.iter().any(|segment| segment.trailer.is_none()) {
            return Err(StoreError::NoSegment(up_to));
        }
        let checkpoints = lock(&self.checkpoints).sizes();
        let vaulting = &self.shared.vaulting;
        let older = Leaving::up_to(&base, vaulting)?;
        let base = base.take_in(&self.disk, vaulting, &leaving, &checkpoints)?;
        let directory = self.options.directory.join("journal");
        remove(&self.disk, &directory, leaving.iter().map(|segment| segment.path.as_path()))?;
        let is_as_before = lock(&self.shared.meta).first_event == older.first_event;
        let leaving = Leaving::up_to(&base, vaulting)?;
        let leaving = Arc::new(if is_as_before { leaving.after(&older) } else { leaving });
        self.queue.chore(Chore::BeginLeaving(Arc::clone(&leaving)))?;
        while self.queue.chore(Chore::Leave(Arc::clone(&leaving)))? {}
        Ok(leaving.first_event)
    }
}
