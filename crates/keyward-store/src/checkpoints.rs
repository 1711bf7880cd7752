//! Checkpoints of the log, as they were signed: a file of JSON lines beside the journal, append-only.
//!
//! It does not know what a checkpoint says but its size, and signs nothing. Each is public, and stands in clear: who
//! copies the file keeps what later holds the log to its word.
//!
//! INVARIANT: a checkpoint is on disk, after every event that it speaks of, before anybody hears of it.
//! INVARIANT: sizes never fall. A line of the same size as the one before it is the same checkpoint with more
//! signatures, and stands in its place from then on; both stay in the file.

use crate::{Store, StoreError, disk::Disk, shared::lock};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

/// The file's name in the store's directory.
pub(crate) const FILE: &str = "checkpoints";

/// A checkpoint as it was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCheckpoint {
    /// Events that it speaks of.
    pub size: u64,
    /// The signed note.
    pub note: String,
}

/// The file, and where each checkpoint begins in it.
pub(crate) struct Checkpoints {
    disk: Disk,
    path: PathBuf,
    file: File,
    /// By size: where the line begins, and its length.
    places: Vec<Place>,
    end: u64,
}

type Place = (u64, u64, usize);

/// Adds the place of the next line, which stands for the one before it if that has the same size.
fn place(places: &mut Vec<Place>, next: Place) {
    if places.last().is_some_and(|(size, ..)| *size == next.0) {
        places.pop();
    }
    places.push(next);
}

/// The whole lines of a file, each with its place; and where the last of them ends.
fn lines(bytes: &[u8]) -> (Vec<(u64, &[u8])>, u64) {
    let mut found = Vec::new();
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        found.push((at, line));
        at += line.len() as u64;
    }
    (found, at)
}

fn parse(path: &Path, at: u64, line: &[u8]) -> Result<KeptCheckpoint, StoreError> {
    serde_json::from_slice(line)
        .map_err(|_| StoreError::corrupt(path, at, "a line is no checkpoint"))
}

/// Every line of a stopped store's checkpoints, oldest first: of one size there can be more than one.
///
/// # Errors
/// `Corrupt` for a line that is none, or out of order.
pub fn read(directory: &Path) -> Result<Vec<KeptCheckpoint>, StoreError> {
    let path = directory.join(FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(StoreError::io(&path, &error)),
    };
    let mut found: Vec<KeptCheckpoint> = Vec::new();
    for (at, line) in lines(&bytes).0 {
        let one = parse(&path, at, line)?;
        if found.last().is_some_and(|before| one.size < before.size) {
            return Err(StoreError::corrupt(&path, at, "the sizes of checkpoints fall"));
        }
        found.push(one);
    }
    Ok(found)
}

impl Checkpoints {
    /// Opens the file, and cuts off what a stop left half-written.
    pub(crate) fn open(disk: Disk, directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(FILE);
        let is_new = !path.exists();
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = options.map_err(|e| StoreError::io(&path, &e))?;
        if is_new {
            disk.sync_parent(&path)?;
        }
        let bytes = std::fs::read(&path).map_err(|e| StoreError::io(&path, &e))?;
        let (found, end) = lines(&bytes);
        let mut places = Vec::with_capacity(found.len());
        for (at, line) in found {
            place(&mut places, (parse(&path, at, line)?.size, at, line.len()));
        }
        if end < bytes.len() as u64 {
            disk.truncate(&file, &path, end)?;
        }
        Ok(Self { disk, path, file, places, end })
    }

    /// The sizes of all that were kept, rising.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        self.places.iter().map(|(size, ..)| *size).collect()
    }

    fn append(&mut self, checkpoint: &KeptCheckpoint) -> Result<(), StoreError> {
        if self.places.last().is_some_and(|(size, ..)| checkpoint.size < *size) {
            return Err(StoreError::bad_value("a checkpoint is smaller than the one before"));
        }
        let mut line = serde_json::to_vec(checkpoint)
            .map_err(|_| StoreError::bad_value("a checkpoint does not encode"))?;
        line.push(b'\n');
        let written = self.disk.write_at(&self.file, &self.path, &line, self.end);
        let synced = written.and_then(|()| self.disk.sync(&self.file, &self.path));
        if let Err(error) = synced {
            // Whatever of it is there is cut off; the next one is written to the same place.
            let _ = self.disk.truncate(&self.file, &self.path, self.end);
            return Err(error);
        }
        place(&mut self.places, (checkpoint.size, self.end, line.len()));
        self.end += line.len() as u64;
        Ok(())
    }

    fn at(&self, (_, at, length): Place) -> Result<KeptCheckpoint, StoreError> {
        let mut line = vec![0; length];
        let read = self.file.read_exact_at(&mut line, at);
        read.map_err(|e| StoreError::io(&self.path, &e))?;
        parse(&self.path, at, &line)
    }

    /// The first checkpoint of at least this size.
    fn reaching(&self, size: u64) -> Option<Place> {
        self.places.get(self.places.partition_point(|(one, ..)| *one < size)).copied()
    }
}

impl Store {
    /// Makes every event that can be read durable, also where answers do not wait for that.
    ///
    /// # Errors
    /// What the disk says.
    pub fn sync_events(&self) -> Result<(), StoreError> {
        let tail = lock(&self.tail).clone();
        self.disk.sync(&tail.file, &tail.path)
    }

    /// Keeps a checkpoint. Its events are durable already: see [`Store::sync_events`]. One of the last's size takes
    /// its place.
    ///
    /// # Errors
    /// What the disk says, and `Corrupt` for one that is smaller than the last.
    pub fn keep_checkpoint(&self, checkpoint: &KeptCheckpoint) -> Result<(), StoreError> {
        lock(&self.checkpoints).append(checkpoint)
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// `Corrupt` when the file was changed.
    pub fn last_checkpoint(&self) -> Result<Option<KeptCheckpoint>, StoreError> {
        let kept = lock(&self.checkpoints);
        kept.places.last().map(|place| kept.at(*place)).transpose()
    }

    /// The newest of the last so many checkpoints that `wanted` takes.
    ///
    /// # Errors
    /// `Corrupt` when the file was changed.
    pub fn last_checkpoint_that(
        &self,
        within: usize,
        wanted: impl Fn(&KeptCheckpoint) -> bool,
    ) -> Result<Option<KeptCheckpoint>, StoreError> {
        let kept = lock(&self.checkpoints);
        for place in kept.places.iter().rev().take(within) {
            let one = kept.at(*place)?;
            if wanted(&one) {
                return Ok(Some(one));
            }
        }
        Ok(None)
    }

    /// The first checkpoint that speaks of at least so many events and that `wanted` takes, if it is one of so many.
    ///
    /// # Errors
    /// `Corrupt` when the file was changed.
    pub fn checkpoint_reaching_that(
        &self,
        size: u64,
        within: usize,
        wanted: impl Fn(&KeptCheckpoint) -> bool,
    ) -> Result<Option<KeptCheckpoint>, StoreError> {
        let kept = lock(&self.checkpoints);
        let first = kept.places.partition_point(|(one, ..)| *one < size);
        for place in kept.places.iter().skip(first).take(within) {
            let one = kept.at(*place)?;
            if wanted(&one) {
                return Ok(Some(one));
            }
        }
        Ok(None)
    }

    /// The first checkpoint that speaks of at least so many events.
    ///
    /// # Errors
    /// `Corrupt` when the file was changed.
    pub fn checkpoint_reaching(&self, size: u64) -> Result<Option<KeptCheckpoint>, StoreError> {
        let kept = lock(&self.checkpoints);
        kept.reaching(size).map(|place| kept.at(place)).transpose()
    }
}
