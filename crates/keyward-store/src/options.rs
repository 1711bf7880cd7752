//! How a store is opened, and what is told while it opens.

use crate::disk::DiskHook;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// After `fdatasync`: a power cut loses nothing that was acknowledged.
    Commit,
    /// After the operating system has it: a crash of the process loses nothing, a power cut the last moments.
    Relaxed,
}

/// Called after each failed attempt to lock, with the number of attempts so far; it waits a little and
/// says whether to try again.
pub type Patience = Arc<dyn Fn(u32) -> bool + Send + Sync>;

/// How a store is opened. Start with [`Options::at`] and change what differs.
#[derive(Clone)]
pub struct Options {
    pub directory: PathBuf,
    pub durability: Durability,
    /// Decoded records kept for reads; an estimate of their size in memory.
    pub cache_bytes: u64,
    /// sled's own page cache, which counts bytes on disk; memory is more.
    pub sled_cache_bytes: u64,
    /// A journal segment is closed when it would grow beyond this.
    pub segment_bytes: u64,
    /// Commits that may wait; one more is answered with `Busy`.
    pub queue_commits_max: usize,
    /// Commits in one group at most.
    pub group_commits_max: usize,
    /// Bytes of events and changes in one group, about.
    pub group_bytes_max: usize,
    /// Below this much free space commits are refused, and reads go on.
    pub free_bytes_min: u64,
    /// Where the newest sequence number is anchored; `anchor` in the directory unless named.
    /// On another disk it also notices that the whole directory was put back to an older state.
    pub anchor: Option<PathBuf>,
    /// Between background syncs and anchors; zero switches them off, for tests.
    pub tick: Duration,
    /// Names whose last change is remembered; an older snapshot than they reach back to is stale.
    pub recent_names_max: usize,
    pub patience: Patience,
    /// Judges every file call. For tests.
    pub disk_hook: Option<DiskHook>,
}

impl Options {
    /// The defaults, for a store in `directory`.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            durability: Durability::Commit,
            cache_bytes: 64 << 20,
            sled_cache_bytes: 64 << 20,
            segment_bytes: 64 << 20,
            queue_commits_max: 16_384,
            group_commits_max: 1_024,
            group_bytes_max: 4 << 20,
            free_bytes_min: 64 << 20,
            anchor: None,
            tick: Duration::from_millis(500),
            recent_names_max: 100_000,
            patience: Arc::new(|_| false),
            disk_hook: None,
        }
    }

    /// Waits up to about this many seconds for a process that holds the store to end.
    /// After `kill -9` the kernel may take some seconds to let go.
    #[must_use]
    pub fn patient_seconds(mut self, seconds: u32) -> Self {
        self.patience = Arc::new(move |attempts| {
            std::thread::park_timeout(Duration::from_millis(100));
            attempts < seconds.saturating_mul(10)
        });
        self
    }

    pub(crate) fn anchor_path(&self) -> PathBuf {
        self.anchor.clone().unwrap_or_else(|| self.directory.join("anchor"))
    }
}

/// What takes long while a store opens or is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    CopyAside,
    Replay,
    Rebuild,
    VerifyJournal,
    VerifyRecords,
}

impl Stage {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CopyAside => "copying the store aside",
            Self::Replay => "replaying the journal",
            Self::Rebuild => "rebuilding from the journal",
            Self::VerifyJournal => "verifying the journal",
            Self::VerifyRecords => "verifying the records",
        }
    }
}

/// Hears how far long work has come. `done` and `total` are bytes or entries of that stage;
/// a `total` of 0 is unknown.
pub trait Progress: Sync {
    fn advance(&self, stage: Stage, done: u64, total: u64);
}

/// Nobody listens.
pub struct Silent;

impl Progress for Silent {
    fn advance(&self, _stage: Stage, _done: u64, _total: u64) {}
}
