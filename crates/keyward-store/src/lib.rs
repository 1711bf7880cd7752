//! Journal first, sled as the store that is queried, one writer, group commit.
//!
//! What was acknowledged is in the journal: append-only segment files, chained and sealed, one sync a group.
//! sled holds the same in a form that can be asked, and can always be built again from the journal.
//! Data-encryption keys are in neither, but in a vault of their own, so that deleting one destroys it.
//! The store persists events and does not interpret them; it knows names and revisions, and no policy.
//!
//! | file | what |
//! |---|---|
//! | `store.json` | what must be known before the root key is (`header.rs`) |
//! | `journal/NNNNNNNN.seg` | what was acknowledged (`journal/`) |
//! | `journal/NNNNNNNN.sealed` | the same, closed for good, small and signed (`journal/sealed.rs`) |
//! | `journal/base` | what segments that left came to (`base.rs`) |
//! | `sled/` | what is queried (`tree.rs`, `draft.rs`) |
//! | `checkpoints` | what the log said of itself, signed (`checkpoints.rs`) |
//! | `witness/` | what was cosigned last of each other log (`witnessed.rs`) |
//! | `deks.log` | data-encryption keys (`vault.rs`) |
//! | `anchor` | how far the journal must go (`anchor.rs`) |
//! | `clean` | there after a clean stop, empty |
//! | `sled.before`, `sled.damaged-N`, `sled.suspect` | what an unclean start leaves (`open.rs`) |
//!
//! INVARIANT: nothing that was acknowledged is lost, and nothing half-written is served.
//! INVARIANT: sled's types do not leave this crate.

mod ahead;
mod anchor;
mod base;
mod block;
mod bytes;
mod checkpoints;
mod codec;
mod disk;
mod draft;
mod error;
mod events;
pub mod harden;
mod header;
mod journal;
mod leaving;
mod ledger;
mod merkle;
mod newest;
mod open;
mod options;
mod payload;
mod reads;
mod replay;
mod shared;
mod terms;
mod ticket;
mod times;
mod tree;
mod vault;
mod verify;
mod watch;
mod witnessed;
mod writer;

pub use checkpoints::{KeptCheckpoint, read as read_checkpoints};
pub use disk::{DiskCall, DiskHook, Verdict, directory_bytes};
pub use error::StoreError;
pub use events::{EventQuery, StoredEvent};
pub use header::StoreHeader;
pub use journal::sealed::{SEALED_TRAILER, SealedSegment, SegmentFacts, Sign};
pub use open::{Finding, NewStore, Opened};
pub use options::{Durability, Options, Patience, Progress, Silent, Stage};
pub use reads::Identities;
pub use ticket::{Receipt, Ticket};
pub use verify::{EachLeaf, EachRecord, Earlier, Extent, SledState, Verified};

use anchor::{Anchor, Anchored};
use disk::Disk;
use journal::Appender;
use keyward_types::{Change, Name, event::Event};
use shared::{Shared, lock};
use std::{
    fs::File,
    sync::{Arc, Mutex, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};
use writer::{Alarm, Pending, Queue};

/// What a request proposes, and what it was decided on.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// [`Store::snapshot`] before the first read.
    pub snapshot: u64,
    /// Everything that the decision would be another one without. A set's name stands for its members.
    pub rested_on: Vec<Name>,
    /// In order. Deleting the name of a set deletes every member.
    pub changes: Vec<Change>,
    pub events: Vec<Event>,
}

/// Counts since the start, and sizes now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub groups: u64,
    pub commits: u64,
    /// Commits that were answered with `Stale`.
    pub stale: u64,
    pub group_commits_max: u64,
    pub syncs: u64,
    pub journal_bytes: u64,
    pub queued: u64,
    /// Decoded records in memory.
    pub cached: u64,
}

/// An open store. Dropping it closes it.
pub struct Store {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    options: Options,
    disk: Disk,
    anchor: Arc<Mutex<Anchor>>,
    tail: writer::SharedTail,
    checkpoints: Mutex<checkpoints::Checkpoints>,
    /// Held while segments are sealed or leave.
    segments: Mutex<()>,
    alarm: Arc<Alarm>,
    writer: Option<JoinHandle<Appender>>,
    background: Option<JoinHandle<()>>,
    header: StoreHeader,
    _lock: File,
    home: Option<tempfile::TempDir>,
}

/// Bytes of one commit at most.
const COMMIT_BYTES_MAX: usize = 64 << 20;

impl Store {
    /// Hands a commit to the writer. It stands when its ticket says so, and not before.
    pub fn commit(&self, commit: Commit) -> Ticket {
        if let Some(error) = self.shared.failure() {
            return Ticket::answered(Err(error));
        }
        let Commit { snapshot, rested_on, changes, events } = commit;
        let (ops, changes) = match payload::prepare(&self.shared.vaulting, changes) {
            Ok(prepared) => prepared,
            Err(error) => return Ticket::answered(Err(error)),
        };
        let (ticket, answerer) = Ticket::pair();
        let events = events.into_iter().map(Into::into).collect();
        let pending = Pending { snapshot, rested_on, ops, changes, events, answerer };
        if pending.bytes() > COMMIT_BYTES_MAX {
            let bytes = pending.bytes();
            pending.answerer.answer(Err(StoreError::TooLarge(bytes)));
            return ticket;
        }
        self.queue.push(pending, self.options.queue_commits_max);
        ticket
    }

    /// Refuses what the disk has no room for, so that nothing is done that could not be remembered. A ticket that is
    /// answered already; `None` while there is room for what is under way and a group more. It asks the disk anew
    /// only while there is none, so that it costs nothing else, and ends by itself when space returns.
    pub fn without_room(&self) -> Option<Ticket> {
        if self.room() <= self.shared.free_bytes.load(Ordering::Relaxed) {
            return None;
        }
        self.lacks_room().map(|error| Ticket::answered(Err(error)))
    }

    /// Why requests are refused for want of room, if they are; the disk is asked.
    pub fn lacks_room(&self) -> Option<StoreError> {
        match self.disk.free_bytes(&self.options.directory) {
            Ok(free) => {
                self.shared.free_bytes.store(free, Ordering::Relaxed);
                (free < self.room()).then_some(StoreError::NoSpace)
            }
            Err(error) => Some(error),
        }
    }

    /// Bytes that must be free: for what is under way, and a group more.
    fn room(&self) -> u64 {
        self.options.free_bytes_min.saturating_add(self.options.group_bytes_max as u64)
    }

    /// The header of this run, with its generation.
    pub fn header(&self) -> &StoreHeader {
        &self.header
    }

    /// Calls back, on the writer's thread, whenever the log grew, with the number of the next event.
    /// It must be quick and must not commit.
    pub fn on_events(&self, listener: impl Fn(u64) + Send + Sync + 'static) {
        self.shared.watch.listen(Box::new(listener));
    }

    /// Waits until the log has more than `beyond` events, or the time is up. Answers how many it has.
    pub fn wait_for_events(&self, beyond: u64, at_most: Duration) -> u64 {
        self.shared.watch.wait(beyond, at_most)
    }

    pub fn statistics(&self) -> Statistics {
        let counters = &self.shared.counters;
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            groups: read(&counters.groups),
            commits: read(&counters.commits),
            stale: read(&counters.stale),
            group_commits_max: read(&counters.group_commits_max),
            syncs: read(&counters.syncs),
            journal_bytes: read(&counters.journal_bytes),
            queued: self.queue.len() as u64,
            cached: self.shared.cache.len() as u64,
        }
    }

    /// Why the store stopped writing, if it did. It is then to be opened again.
    pub fn failure(&self) -> Option<StoreError> {
        self.shared.failure()
    }

    /// Commits what is queued, makes everything durable, and leaves word of a clean stop.
    ///
    /// # Errors
    /// What the disk says; the next start then treats it as an unclean stop.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.shut(true)
    }

    /// Ends without draining, syncing or leaving word, as a kill would. For tests.
    #[doc(hidden)]
    pub fn abandon(mut self) {
        self.shared.failed.get_or_init(|| "abandoned".to_owned());
        let _ = self.shut(false);
    }

    fn shut(&mut self, cleanly: bool) -> Result<(), StoreError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        self.queue.close();
        let journal =
            writer.join().map_err(|_| StoreError::Failed("the writer panicked".to_owned()));
        self.alarm.end();
        if let Some(background) = self.background.take() {
            let _ = background.join();
        }
        if !cleanly {
            return Ok(());
        }
        if let Some(error) = self.shared.failure() {
            return Err(error);
        }
        let journal = journal?;
        journal.sync()?;
        let tail = journal.tail();
        lock(&self.anchor).advance(Anchored { sequence: tail.sequence, chain: tail.chain })?;
        self.shared.sled(|tree| tree.flush())?;
        if self.shared.is_suspect.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.disk.replace(&self.options.directory.join("clean"), b"")
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.shut(true) {
            tracing::error!(%error, "the store was not closed cleanly");
        }
    }
}
