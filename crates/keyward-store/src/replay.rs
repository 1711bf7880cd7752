//! From the journal to sled: where a commit stands, whether the journal goes as far as it must, and applying again what
//! it and its base hold.
//!
//! INVARIANT: replaying ends in what applying the first time ended in.

use crate::{
    StoreError,
    anchor::Anchored,
    base::{Base, Item},
    block,
    codec::Vaulting,
    draft::Draft,
    journal::{self, End, Frame, Segment, frame::FrameHead},
    newest::Newest,
    payload::RawOp,
    shared::{Shared, lock},
    tree,
};
use std::sync::atomic::Ordering;

/// Items of a base that go to sled in one batch.
const BASE_BATCH: u64 = 1_000;

/// The segments from the one that the commit after `sequence` stands in, or would.
pub(crate) fn since(segments: &[Segment], sequence: u64) -> &[Segment] {
    let first =
        segments.iter().rposition(|segment| segment.head.first <= sequence.saturating_add(1));
    segments.get(first.unwrap_or(0)..).unwrap_or(segments)
}

pub(crate) fn missing(end: &End, sequence: u64) -> StoreError {
    if end.torn_bytes > 0 {
        return StoreError::corrupt(
            &end.segment,
            end.offset,
            "a frame that was acknowledged is damaged",
        );
    }
    let found = end.sequence;
    StoreError::Lost(format!(
        "the journal ends at commit {found}, and commit {sequence} was acknowledged"
    ))
}

/// Finds the end of the journal, and that it goes through the anchor.
pub(crate) fn check_end(
    vaulting: &Vaulting,
    segments: &[Segment],
    anchored: &Anchored,
) -> Result<End, StoreError> {
    let mut chain = segments
        .first()
        .filter(|segment| segment.head.first == anchored.sequence + 1)
        .map(|segment| segment.head.chain);
    let end = journal::scan(vaulting, segments, &mut |frame| {
        if frame.head.last() == anchored.sequence {
            chain = Some(frame.head.chain);
        }
        Ok(())
    })?;
    if end.sequence < anchored.sequence {
        return Err(missing(&end, anchored.sequence));
    }
    if chain != Some(anchored.chain) {
        return Err(StoreError::Lost("this is not the journal that was anchored".to_owned()));
    }
    Ok(end)
}

/// The chain after a commit; `None` when no group ends there.
pub(crate) fn chain_at(
    vaulting: &Vaulting,
    segments: &[Segment],
    sequence: u64,
) -> Result<Option<[u8; 32]>, StoreError> {
    let mut chain = segments
        .first()
        .filter(|segment| segment.head.first == sequence + 1)
        .map(|segment| segment.head.chain);
    journal::scan(vaulting, segments, &mut |frame: Frame| {
        if frame.head.last() == sequence {
            chain = Some(frame.head.chain);
        }
        Ok(())
    })?;
    Ok(chain)
}

/// Applies the commits of a frame again.
pub(crate) fn replay_frame(shared: &Shared, frame: Frame) -> Result<(), StoreError> {
    let FrameHead { first, count, chain, .. } = frame.head;
    let last = frame.head.last();
    let plain = frame.open(&shared.vaulting)?;
    let payload = plain.parse(count)?;
    let mut draft = Draft::new(shared);
    for (ops, sequence) in payload.commits.into_iter().zip(first..) {
        let ops = ops.into_iter().map(|op| op.ready(&shared.vaulting)).collect::<Result<_, _>>()?;
        draft.stage(sequence, ops)?;
    }
    draft.append_block(&payload.head, &block::compress(plain.events()));
    draft.append_entries(lock(&shared.newest).add(&payload.head, &payload.events));
    draft.finish(last, chain)?.apply(shared)
}

/// Brings what a base holds into an empty sled. Only the last batch says how far sled has come.
pub(crate) fn apply_base(shared: &Shared, base: &Base) -> Result<(), StoreError> {
    let vaulting = &shared.vaulting;
    let mut draft = Draft::new(shared);
    let mut items = 0;
    base.each(vaulting, &mut |item| {
        match item {
            Item::Record { key, plain } => {
                let op = RawOp::Put { key, plain }.ready(vaulting)?;
                draft.stage(base.head.sequence, vec![op])?;
            }
            Item::Mark { key, sequence } => draft.set(key, sequence.to_be_bytes().to_vec())?,
            Item::Node { level, index, hash } => {
                draft.set(tree::tree_node(level, index), hash.to_vec())?;
            }
        }
        items += 1;
        if items % BASE_BATCH == 0 {
            let full = std::mem::replace(&mut draft, Draft::new(shared));
            full.finish_as_it_is()?.apply(shared)?;
            draft = Draft::new(shared);
        }
        Ok(())
    })?;
    let head = base.head;
    (draft.meta.events, draft.meta.first_event) = (head.first_event, head.first_event);
    draft.finish(head.sequence, head.chain)?.apply(shared)?;
    shared.published.store(head.sequence, Ordering::Release);
    shared.events.store(head.first_event, Ordering::Release);
    shared.first_event.store(head.first_event, Ordering::Release);
    Newest::fill(shared)
}
