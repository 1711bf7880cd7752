//! A journal that is looked at by every core: one thread reads ahead, many look at frames, and what they found is
//! handed on in the journal's order.
//!
//! It does not know what is looked for.
//!
//! INVARIANT: what is handed on, and the error that ends it, are those of a reader of one frame after the other.

use crate::{
    StoreError,
    codec::Vaulting,
    journal::{self, End, Frame, Segment},
};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use std::{sync::mpsc, thread};

/// Bytes of frames that are looked at together, about.
const BATCH_BYTES: u64 = 4 << 20;
/// Batches that wait to be looked at.
const BATCHES_AHEAD: usize = 2;

/// Reads every frame as [`journal::scan`] does, lets `look` see them on all cores, and hands on what it answers.
///
/// # Errors
/// The first in the journal's order: of reading, of `look` and of `each`.
pub(crate) fn scan<T: Send>(
    vaulting: &Vaulting,
    segments: &[Segment],
    look: impl Fn(Frame) -> Result<T, StoreError> + Sync,
    each: &mut dyn FnMut(T) -> Result<(), StoreError>,
) -> Result<End, StoreError> {
    let (send, batches) = mpsc::sync_channel::<Vec<Frame>>(BATCHES_AHEAD);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            let end = journal::scan(vaulting, segments, &mut |frame| {
                bytes += frame.bytes();
                batch.push(frame);
                if BATCH_BYTES <= bytes {
                    bytes = 0;
                    // Nobody listens any more after an error, which is the one that counts.
                    let full = std::mem::take(&mut batch);
                    send.send(full).map_err(|_| StoreError::Failed(String::new()))?;
                }
                Ok(())
            });
            // Also what stands before the place where reading failed is looked at, and counts first.
            let _ = send.send(batch);
            end
        });
        for batch in batches {
            let looked: Vec<_> = batch.into_par_iter().map(&look).collect();
            looked.into_iter().try_for_each(|one| each(one?))?;
        }
        let panicked = |_| Err(StoreError::Failed("reading the journal panicked".to_owned()));
        reader.join().unwrap_or_else(panicked)
    })
}
