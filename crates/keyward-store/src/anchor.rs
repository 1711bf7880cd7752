//! The anchor: the newest durable sequence number and chain, kept apart from sled and the journal.
//!
//! Two slots are written in turn, so that a torn write leaves the other one.
//!
//! INVARIANT: what is anchored is durable in the journal; a journal that ends before its anchor has lost
//! acknowledged commits, or was put back.

use crate::{StoreError, bytes::Cursor, codec::Vaulting, disk::Disk};
use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
};

const SLOT_BYTES: u64 = 512;

/// What is anchored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anchored {
    pub(crate) sequence: u64,
    pub(crate) chain: [u8; 32],
}

/// The anchor file.
pub(crate) struct Anchor {
    disk: Disk,
    vaulting: Vaulting,
    path: PathBuf,
    file: File,
    /// Writes so far; says which slot is next.
    turn: u64,
    newest: Anchored,
}

impl Anchor {
    /// Makes the anchor of an empty store.
    pub(crate) fn create(disk: Disk, vaulting: Vaulting, path: &Path) -> Result<Self, StoreError> {
        let file = open_file(path, true)?;
        let newest = Anchored { sequence: 0, chain: crate::journal::frame::CHAIN_START };
        let mut anchor = Self { disk, vaulting, path: path.to_owned(), file, turn: 0, newest };
        anchor.write(newest)?;
        anchor.disk.sync_parent(path)?;
        Ok(anchor)
    }

    /// Opens the anchor of a store that exists. Says also whether both slots were whole.
    pub(crate) fn open(
        disk: Disk,
        vaulting: Vaulting,
        path: &Path,
    ) -> Result<(Self, bool), StoreError> {
        let (turn, newest, whole) = read(&vaulting, path)?;
        let file = open_file(path, false)?;
        Ok((Self { disk, vaulting, path: path.to_owned(), file, turn, newest }, whole))
    }

    pub(crate) fn newest(&self) -> Anchored {
        self.newest
    }

    /// Moves the anchor on, durably. Does nothing when it stands there already.
    pub(crate) fn advance(&mut self, to: Anchored) -> Result<(), StoreError> {
        if to.sequence <= self.newest.sequence { Ok(()) } else { self.write(to) }
    }

    fn write(&mut self, to: Anchored) -> Result<(), StoreError> {
        let turn = self.turn + 1;
        let mut plain = turn.to_be_bytes().to_vec();
        plain.extend_from_slice(&to.sequence.to_be_bytes());
        plain.extend_from_slice(&to.chain);
        let sealed = self.vaulting.seal("anchor", b"", &plain);
        let mut slot = Vec::new();
        crate::bytes::push_blob(&mut slot, &sealed);
        slot.extend_from_slice(&crc32c::crc32c(&sealed).to_be_bytes());
        self.disk.write_at(&self.file, &self.path, &slot, (turn % 2) * SLOT_BYTES)?;
        self.disk.sync(&self.file, &self.path)?;
        self.turn = turn;
        self.newest = to;
        Ok(())
    }
}

/// Reads the anchor without opening it for writing.
///
/// # Errors
/// `Lost` when there is none that can be read.
pub(crate) fn read(vaulting: &Vaulting, path: &Path) -> Result<(u64, Anchored, bool), StoreError> {
    let bytes = fs::read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => StoreError::Lost("the anchor is missing".to_owned()),
        _ => StoreError::io(path, &e),
    })?;
    let slots = [0, 1].map(|slot| {
        let start = usize::try_from(slot * SLOT_BYTES).unwrap_or(0);
        bytes
            .get(start..)
            .filter(|rest| rest.iter().take(64).any(|b| *b != 0))
            .map(|rest| parse(vaulting, rest))
    });
    let whole = slots.iter().flatten().all(Option::is_some);
    let newest = slots.into_iter().flatten().flatten().max_by_key(|(turn, _)| *turn);
    let (turn, newest) =
        newest.ok_or_else(|| StoreError::Lost("the anchor cannot be read".to_owned()))?;
    Ok((turn, newest, whole))
}

fn parse(vaulting: &Vaulting, slot: &[u8]) -> Option<(u64, Anchored)> {
    let mut cursor = Cursor(slot);
    let sealed = cursor.blob()?;
    (cursor.u32()? == crc32c::crc32c(sealed)).then_some(())?;
    let plain = vaulting.open("anchor", b"", sealed)?;
    let mut cursor = Cursor(&plain);
    let (turn, sequence, chain) = (cursor.u64()?, cursor.u64()?, cursor.array()?);
    Some((turn, Anchored { sequence, chain }))
}

fn open_file(path: &Path, create: bool) -> Result<File, StoreError> {
    OpenOptions::new()
        .write(true)
        .create(create)
        .truncate(create)
        .open(path)
        .map_err(|e| StoreError::io(path, &e))
}
