//! What can go wrong with the store, small enough to be handled.
//!
//! INVARIANT: no variant carries stored values; names, places and the operating system's words only.

use keyward_types::Name;
use std::{io, path::Path};

/// An error of the store. It is cloned to every caller of a group, so that causes are kept as text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A record that the commit rested on was changed after its snapshot. Nothing was written; decide again.
    #[error("a record that the request rested on was changed meanwhile: {0:?}")]
    Stale(Box<Name>),
    /// The queue of commits is full. Nothing was written.
    #[error("too many commits are waiting")]
    Busy,
    /// Free space is below the floor, or a write found the disk full. Nothing was written; it goes on by
    /// itself when space returns.
    #[error("the disk is full, or nearly so")]
    NoSpace,
    /// One commit is larger than a frame may be.
    #[error("one commit takes {0} bytes, which is more than a frame may hold")]
    TooLarge(usize),
    /// The store is closing or closed.
    #[error("the store is closed")]
    Closed,
    /// A write or sync failed, and what is on disk is not known until the store is opened again.
    /// The commit may or may not stand. Every later commit fails likewise.
    #[error("the store stopped writing: {0}")]
    Failed(String),
    /// Something on disk is not what was written.
    #[error("{place} is damaged at byte {offset}: {what}")]
    Corrupt { place: String, offset: u64, what: String },
    /// An event that left the log with its segment.
    #[error("event {event} left the log by its retention")]
    Gone { event: u64 },
    /// Acknowledged data is missing. The store is not served.
    #[error("acknowledged data is missing: {0}")]
    Lost(String),
    /// The directory holds no store.
    #[error("there is no store in {0}")]
    Absent(String),
    /// No such segment is in the journal, or it is not closed, or not sealed.
    #[error("segment {0} is not in the journal in that form")]
    NoSegment(u32),
    /// The directory holds a store already, or something else.
    #[error("{0} is not empty")]
    Occupied(String),
    /// Another process has the store open.
    #[error("another process has the store open")]
    Locked,
    /// The root key is not the one that the store was made with. Nothing was changed.
    #[error("the root key does not open this store: {0}")]
    RootKey(String),
    /// The store was written by a newer version.
    #[error("{place} has format {found}, and this version reads up to {known}")]
    Format { place: String, found: u32, known: u32 },
    /// `sync_file_range` still answers, so that sled's flushes are not syncs.
    #[error(
        "sync_file_range is not switched off in this process; call harden::make_sync_real first"
    )]
    SyncNotReal,
    /// What is read through a copy could not be copied. The store was not touched.
    #[error("a copy of sled cannot be made in {place}: {cause}")]
    Scratch { place: String, cause: String },
    #[error("{place}: {cause}")]
    Io { place: String, cause: String, full: bool },
    #[error("sled: {0}")]
    Sled(String),
}

impl StoreError {
    pub(crate) fn io(place: &Path, error: &io::Error) -> Self {
        let full = error.raw_os_error() == Some(libc::ENOSPC)
            || error.kind() == io::ErrorKind::StorageFull;
        Self::Io { place: file_name(place), cause: error.to_string(), full }
    }

    pub(crate) fn corrupt(place: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self::Corrupt { place: file_name(place), offset, what: what.into() }
    }

    /// A value in sled that does not decode or is not authentic.
    pub(crate) fn bad_value(what: impl Into<String>) -> Self {
        Self::Corrupt { place: "sled".to_owned(), offset: 0, what: what.into() }
    }

    /// The same error, or `NoSpace` where the disk is full: nothing was written, and it can be tried again.
    pub(crate) fn or_no_space(self) -> Self {
        if self.is_full() { Self::NoSpace } else { self }
    }

    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::NoSpace | Self::Io { full: true, .. })
    }
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        Self::Sled(error.to_string())
    }
}

/// The last part of a path: directories are the operator's business, not the reader's of an error.
fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
