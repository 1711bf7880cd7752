//! Verifies a stopped store: every frame of the journal, and that sled, the vault and the anchor agree with it.
//!
//! Frames are looked at on all cores and counted in their order (`ahead.rs`). What is derived from the journal is
//! compared in `derived.rs`, from a copy: sled's recovery writes, and nothing of the store is changed.
//!
//! INVARIANT: what the journal says is computed here from the journal alone, without the code that applies it.

mod derived;

use crate::{
    Options, Progress, SealedSegment, Stage, Store, StoreError, StoreHeader, ahead, anchor,
    base::{Base, Item, Nodes},
    block::{self, BlockHead, EventBytes},
    bytes::digest16,
    codec::Vaulting,
    disk::copy_directory,
    journal::{self, Frame, frame::FrameHead},
    ledger::{Kept, Ledger},
    merkle::{Hash, composed, leaf},
    open::{absent, open_guarded, quietly, take_lock},
    payload::RawOp,
    replay::{check_end, since},
};
use derived::{Blocks, Derived};
use keyward_types::Sealer;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::{
    fs::{File, TryLockError},
    io,
    path::PathBuf,
    sync::Arc,
};

/// What hears of every record of the log, with its number.
pub type EachRecord<'e> = dyn FnMut(u64, &[u8]) -> Result<(), StoreError> + 'e;

/// What hears of every event of the log: its number, and the hash that it is a leaf of the log's tree by.
pub type EachLeaf<'e> = dyn FnMut(u64, [u8; 32]) -> Result<(), StoreError> + 'e;

/// What was verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub segments: u64,
    /// Those of them that are sealed, each as it sums its own bytes. Who signed their footers is for the caller to see.
    pub sealed: Vec<SealedSegment>,
    /// Events that left the log, and what was kept of them.
    pub earlier: Earlier,
    pub frames: u64,
    pub commits: u64,
    pub events: u64,
    pub records: u64,
    pub data_encryption_keys: u64,
    pub journal_bytes: u64,
    /// Bytes at the end of the journal that were never acknowledged; the next start cuts them off.
    pub torn_bytes: u64,
    /// Whether sled was compared. After an unclean stop it may be behind the journal; the next start brings
    /// it up, or builds it again.
    pub sled: SledState,
}

/// What is left of events that left the log by retention: their part in its tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// How many they are.
    pub events: u64,
    nodes: Nodes,
}

impl Earlier {
    /// A node of the log's tree over events that left; `None` below what was kept.
    pub fn node(&self, level: u8, index: u64) -> Option<[u8; 32]> {
        let kept = |level, index| Ok(self.nodes.get(&(level, index)).copied());
        composed(level, index, &kept).ok().flatten()
    }
}

/// How much of a store is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The journal, and everything that is derived from it: sled, of which a copy is made in this folder, and the vault.
    Store { scratch: PathBuf },
    /// The journal alone: every event of the log, in its order and as it was written.
    Journal,
}

/// What verifying found of sled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SledState {
    /// Every record, index entry and event block is what the journal says.
    #[default]
    Equal,
    /// It was not asked for.
    NotCompared,
    /// It misses these commits, as it may after an unclean stop.
    Behind { commits: u64 },
}

impl Store {
    /// Verifies a stopped store.
    ///
    /// # Errors
    /// The first thing that is wrong: `Corrupt` names the file and the place in it, `Lost` what is missing.
    pub fn verify(
        options: &Options,
        sealer_for: impl FnOnce(&StoreHeader) -> Result<Arc<dyn Sealer>, String>,
        progress: &dyn Progress,
    ) -> Result<Verified, StoreError> {
        let whole = Extent::Store { scratch: std::env::temp_dir() };
        Self::verify_each(options, &whole, sealer_for, progress, &mut |_, _| Ok(()))
    }

    /// Verifies as much as is asked for of a stopped store, and hands the hash of every event of the log to `each`, as the journal has it.
    /// Nothing is written to the store's directory, which may be on a medium that cannot be written to.
    ///
    /// # Errors
    /// As [`Store::verify`], `Scratch` when the copy cannot be made, and what `each` says.
    pub fn verify_each(
        options: &Options,
        extent: &Extent,
        sealer_for: impl FnOnce(&StoreHeader) -> Result<Arc<dyn Sealer>, String>,
        progress: &dyn Progress,
        each: &mut EachLeaf<'_>,
    ) -> Result<Verified, StoreError> {
        let header = StoreHeader::read(&options.directory)?.ok_or_else(|| absent(options))?;
        let _lock = hold(options)?;
        let sealer = sealer_for(&header).map_err(StoreError::RootKey)?;
        let vaulting = Vaulting::new(sealer, header.store_id);
        header.check(&vaulting)?;
        let verifying = Verifying { options, header: &header, vaulting: &vaulting, progress };
        let Extent::Store { scratch: place } = extent else { return verifying.run(None, each) };
        let sled = options.directory.join("sled");
        if !sled.is_dir() {
            return Err(StoreError::Lost(
                "the folder sled is not there. The journal has all that was in it: --journal verifies that alone, and the next start makes sled anew"
                    .to_owned(),
            ));
        }
        let failed =
            |cause: String| StoreError::Scratch { place: place.display().to_string(), cause };
        let scratch = tempfile::tempdir_in(place).map_err(|e| failed(e.to_string()))?;
        let copy = scratch.path().join("sled");
        copy_directory(&sled, &copy, &mut |_| ()).map_err(|error| failed(error.to_string()))?;
        let db = open_guarded(options, &copy)?;
        let checked = quietly(|| verifying.run(Some(&db), each));
        checked.unwrap_or_else(|| Err(StoreError::bad_value("a page cannot be read")))
    }
}

/// Holds the store while it is read, so that nobody opens it meanwhile. Where nothing can be written, as on evidence that
/// was mounted for reading, nothing is: there the lock is taken on the file that there is, if there is one.
fn hold(options: &Options) -> Result<Option<File>, StoreError> {
    let path = options.directory.join("lock");
    let kinds = [io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::PermissionDenied];
    match File::options().write(true).create(true).truncate(false).open(&path) {
        Err(error) if kinds.contains(&error.kind()) => {}
        _ => return take_lock(options).map(Some),
    }
    match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io(&path, &error)),
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
            Err(TryLockError::Error(error)) => Err(StoreError::io(&path, &error)),
        },
    }
}

struct Verifying<'a> {
    options: &'a Options,
    header: &'a StoreHeader,
    vaulting: &'a Vaulting,
    progress: &'a dyn Progress,
}

/// What is kept of a record's bytes.
struct Digest([u8; 16]);

impl Kept for Digest {
    fn of(plain: &[u8]) -> Self {
        Self(digest16(plain))
    }
}

/// What the segments that left did: the last word on records, and their part in the log's tree.
fn taken_in(base: &Base, vaulting: &Vaulting) -> Result<(Ledger<Digest>, Earlier), StoreError> {
    let (mut ledger, mut nodes) = (Ledger::default(), Nodes::new());
    base.each(vaulting, &mut |item| {
        match item {
            Item::Record { key, plain } => ledger.put(key, &plain)?,
            Item::Mark { key, sequence } => {
                ledger.marks.insert(key, Some(sequence));
            }
            Item::Node { level, index, hash } => {
                nodes.insert((level, index), hash);
            }
        }
        Ok(())
    })?;
    Ok((ledger, Earlier { events: base.head.first_event, nodes }))
}

impl Verifying<'_> {
    fn run(
        &self,
        tree: Option<&sled::Tree>,
        each: &mut EachLeaf<'_>,
    ) -> Result<Verified, StoreError> {
        let journal = self.options.directory.join("journal");
        let base = Base::read(&journal)?;
        let journal::Found { segments, half, .. } =
            journal::segments(&journal, &self.header.store_id, &base.head)?;
        let (_, anchored, _) = anchor::read(self.vaulting, &self.options.anchor_path())?;
        let blocks = tree.map(|tree| Blocks::of(tree, self.vaulting)).transpose()?;
        let (ledger, earlier) = taken_in(&base, self.vaulting)?;
        let mut derived = blocks
            .as_ref()
            .map(|blocks| Derived::after(blocks, &base.head, ledger, &earlier))
            .transpose()?;
        let mut verified = Verified {
            segments: segments.len() as u64,
            sealed: sealed(&segments)?,
            commits: base.head.sequence,
            events: earlier.events,
            earlier,
            sled: SledState::NotCompared,
            ..Verified::default()
        };
        let total = segments.iter().map(|segment| segment.bytes).sum();
        let look = |frame| Seen::of(frame, self.vaulting, blocks.as_ref());
        let end = ahead::scan(self.vaulting, &segments, look, &mut |seen| {
            verified.frames += 1;
            verified.commits += u64::from(seen.head.count);
            verified.journal_bytes += seen.bytes;
            let block = seen.block;
            if block.count > 0 && block.first != verified.events {
                let what = "events are not numbered on";
                return Err(StoreError::corrupt(&seen.place.0, seen.place.1, what));
            }
            for (number, (_, leaf)) in (block.first..).zip(&seen.events) {
                each(number, *leaf)?;
            }
            verified.events += u64::from(block.count);
            derived.as_mut().map_or(Ok(()), |derived| derived.take_in(seen))?;
            self.progress.advance(Stage::VerifyJournal, verified.journal_bytes, total);
            Ok(())
        })?;
        // Only now is it known that the anchor is not ahead: reading the journal names the damage more exactly.
        let newest = since(&segments, anchored.sequence);
        check_end(self.vaulting, newest, &anchored)?;
        verified.torn_bytes = end.torn_bytes + u64::from(half.is_some());
        if let Some(derived) = derived {
            derived.finish(self, &end, &mut verified)?;
        }
        Ok(verified)
    }
}

/// What looking at a frame found, apart from what came before it.
struct Seen {
    head: FrameHead,
    bytes: u64,
    /// The file and the offset in it.
    place: (PathBuf, u64),
    block: BlockHead,
    commits: Vec<Vec<RawOp>>,
    /// The terms of each event, where they are compared, and its hash.
    events: Vec<(Vec<u64>, Hash)>,
    /// In how many pieces sled has the same block.
    pieces: Result<u16, StoreError>,
}

impl Seen {
    fn of(
        frame: Frame,
        vaulting: &Vaulting,
        blocks: Option<&Blocks<'_>>,
    ) -> Result<Self, StoreError> {
        let (head, bytes) = (frame.head, frame.bytes());
        let place = (frame.segment.clone(), frame.offset);
        let plain = frame.open(vaulting)?;
        let commits = plain.commits(head.count)?;
        let events = block::views(plain.events(), plain.head.count)?;
        let blocks = blocks.filter(|blocks| head.last() <= blocks.meta.sequence);
        let terms =
            |event: &EventBytes<'_>| blocks.map_or_else(Vec::new, |_| event.terms().collect());
        let events = events.iter().map(|event| (terms(event), leaf(event.record))).collect();
        let pieces = blocks.map_or(Ok(0), |blocks| blocks.compare(&plain));
        Ok(Self { head, block: plain.head, bytes, place, commits, events, pieces })
    }
}

/// The sealed ones, each held against its own sum.
fn sealed(segments: &[journal::Segment]) -> Result<Vec<SealedSegment>, StoreError> {
    let check = |segment: &journal::Segment| {
        let sealed = SealedSegment::read(&segment.path)?;
        if sealed.is_as_summed()? {
            return Ok(sealed);
        }
        let what = "its bytes are not those that its footer was signed over";
        Err(StoreError::corrupt(&segment.path, 0, what))
    };
    let sealed = segments.par_iter().filter(|segment| segment.trailer.is_some());
    let checked: Vec<_> = sealed.map(check).collect();
    checked.into_iter().collect()
}
