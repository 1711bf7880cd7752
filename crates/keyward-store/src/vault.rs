//! The vault: data-encryption keys, one for each KMS key, in a file of their own.
//!
//! They never enter the journal or sled. sled keeps old pages for as long as it likes and the journal keeps
//! everything, so that a key deleted there would not be gone; here deletion writes the file anew.
//! sled holds only a mark: which commit put the entry there. An entry without its mark is an orphan of a
//! commit that never was, or of one that was undone by a later one; it is dropped at the next start.
//!
//! INVARIANT: an entry is durable before the journal frame that needs it; a deleted entry is gone from the
//! file before the deletion is acknowledged.
//!
//! What this cannot promise: that the blocks of the old file are gone from the medium. They are overwritten
//! once, which a copy-on-write file system or a flash controller may not honour.

use crate::{
    StoreError,
    bytes::{Cursor, digest16, push_blob},
    codec::{Vaulting, decode, encode, marked_place, vault_place},
    disk::{Disk, beside},
    tree,
};
use keyward_types::{KeyName, key::DekRecord};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

const MAGIC: &[u8; 8] = b"KWDEKS01";
const HEAD: u64 = 24;
const NOT_AUTHENTIC: &str = "an entry is not authentic for its key";

/// Where an entry stands in the file.
#[derive(Clone, Copy, Debug)]
struct Place {
    sequence: u64,
    offset: u64,
    /// Of the whole entry.
    bytes: usize,
}

/// The vault file. Entries are found by a digest of the key's name, which keeps 100,000 of them small in memory.
pub(crate) struct Vault {
    disk: Disk,
    vaulting: Vaulting,
    path: PathBuf,
    file: File,
    bytes: u64,
    places: BTreeMap<[u8; 16], Place>,
    /// What the file held when it was opened, until it is reconciled.
    found: Option<Found>,
}

/// The digest by which the vault knows a key: of its mark's place in sled.
fn digest(mark: &[u8]) -> [u8; 16] {
    digest16(mark)
}

fn entry(vaulting: &Vaulting, sequence: u64, record: &DekRecord) -> Result<Vec<u8>, StoreError> {
    let plain = encode(record)?;
    let mut body = sequence.to_be_bytes().to_vec();
    body.extend_from_slice(&digest(&tree::dek_mark(&record.key)));
    body.extend_from_slice(&vaulting.seal("dek", &vault_place(&record.key, sequence), &plain));
    let mut entry = Vec::with_capacity(body.len() + 8);
    push_blob(&mut entry, &body);
    entry.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
    Ok(entry)
}

/// One entry: its sequence number, digest, sealed bytes and whole length.
fn parse_entry(bytes: &[u8]) -> Option<(u64, [u8; 16], &[u8], usize)> {
    let mut cursor = Cursor(bytes);
    let body = cursor.blob()?;
    (cursor.u32()? == crc32c::crc32c(body)).then_some(())?;
    let mut inner = Cursor(body);
    let (sequence, digest) = (inner.u64()?, inner.array()?);
    Some((sequence, digest, inner.0, body.len() + 8))
}

impl Vault {
    pub(crate) fn create(
        disk: Disk,
        vaulting: Vaulting,
        path: &Path,
        store_id: &[u8; 16],
    ) -> Result<Self, StoreError> {
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(store_id);
        disk.replace(path, &head)?;
        let file = open_file(path)?;
        Ok(Self {
            disk,
            vaulting,
            path: path.to_owned(),
            file,
            bytes: HEAD,
            places: BTreeMap::new(),
            found: None,
        })
    }

    /// Reads the vault of a store that exists. Nothing is visible before [`Vault::reconcile`].
    pub(crate) fn open(
        disk: Disk,
        vaulting: Vaulting,
        path: &Path,
        store_id: &[u8; 16],
    ) -> Result<Self, StoreError> {
        let found = read(path, store_id)?;
        let file = open_file(path)?;
        let bytes = found.bytes;
        Ok(Self {
            disk,
            vaulting,
            path: path.to_owned(),
            file,
            bytes,
            places: BTreeMap::new(),
            found: Some(found),
        })
    }

    /// Shows exactly the entries that `marks` names (mark key to sequence number) and destroys all others.
    /// Answers how many were destroyed.
    ///
    /// # Errors
    /// `Corrupt` when a marked entry is missing or was damaged.
    pub(crate) fn reconcile(
        &mut self,
        marks: impl Iterator<Item = Result<(Vec<u8>, u64), StoreError>>,
    ) -> Result<u64, StoreError> {
        let Some(mut found) = self.found.take() else { return Ok(0) };
        for mark in marks {
            let (mark, sequence) = mark?;
            let digest = digest(&mark);
            let place = found.places.remove(&(digest, sequence)).ok_or_else(|| {
                StoreError::corrupt(
                    &self.path,
                    found.whole_to,
                    "the data-encryption key of a key is missing or damaged",
                )
            })?;
            self.places.insert(digest, place);
        }
        let orphans = found.count.saturating_sub(self.places.len() as u64);
        if orphans > 0 || found.whole_to < found.bytes {
            self.rewrite()?;
        }
        Ok(orphans)
    }

    /// Appends entries durably, without making them visible.
    ///
    /// # Errors
    /// `NoSpace` when the disk is full; then nothing was left behind.
    pub(crate) fn append(
        &mut self,
        records: &[(u64, Arc<DekRecord>)],
    ) -> Result<Appended, StoreError> {
        let mut bytes = Vec::new();
        let mut places = Vec::new();
        for (sequence, record) in records {
            let entry = entry(&self.vaulting, *sequence, record)?;
            let place = Place {
                sequence: *sequence,
                offset: self.bytes + bytes.len() as u64,
                bytes: entry.len(),
            };
            places.push((digest(&tree::dek_mark(&record.key)), place));
            bytes.extend_from_slice(&entry);
        }
        let before = self.bytes;
        if let Err(error) = self.disk.write_at(&self.file, &self.path, &bytes, before) {
            self.undo(before)?;
            return Err(error.or_no_space());
        }
        self.disk.sync(&self.file, &self.path)?;
        self.bytes += bytes.len() as u64;
        Ok(Appended { before, places })
    }

    /// Takes back what was appended since: the commit that needed it did not happen.
    pub(crate) fn undo(&mut self, to_bytes: u64) -> Result<(), StoreError> {
        self.disk.truncate(&self.file, &self.path, to_bytes)?;
        self.disk.sync(&self.file, &self.path)?;
        self.bytes = to_bytes;
        Ok(())
    }

    /// Makes appended entries visible. Answers whether one of them replaced another.
    pub(crate) fn show(&mut self, appended: &Appended) -> bool {
        appended.places.iter().fold(false, |replaced, (digest, place)| {
            self.places.insert(*digest, *place).is_some() || replaced
        })
    }

    /// Forgets the entry of a mark. [`Vault::rewrite`] then removes it from the file.
    pub(crate) fn forget(&mut self, mark: &[u8]) -> bool {
        self.places.remove(&digest(mark)).is_some()
    }

    /// Writes the file anew with the visible entries alone, and overwrites the old one.
    pub(crate) fn rewrite(&mut self) -> Result<(), StoreError> {
        let mut bytes = vec![0; usize::try_from(HEAD).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, 0).map_err(|e| StoreError::io(&self.path, &e))?;
        let mut places = BTreeMap::new();
        for (digest, place) in &self.places {
            let offset = bytes.len() as u64;
            bytes.extend_from_slice(&self.raw(place)?);
            places.insert(*digest, Place { offset, ..*place });
        }
        self.disk.replace(&self.path, &bytes)?;
        let old = std::mem::replace(&mut self.file, open_file(&self.path)?);
        // A courtesy to the medium: the old file has no name any more, and a failure changes nothing.
        let zeros = vec![0; usize::try_from(self.bytes).unwrap_or(0)];
        let _ = old.write_all_at(&zeros, 0).and_then(|()| old.sync_data());
        self.bytes = bytes.len() as u64;
        self.places = places;
        Ok(())
    }

    /// The data-encryption key of a key.
    ///
    /// # Errors
    /// `Corrupt` when the entry is not authentic for this key.
    pub(crate) fn read(&self, key: &KeyName) -> Result<Option<DekRecord>, StoreError> {
        let Some(place) = self.places.get(&digest(&tree::dek_mark(key))) else { return Ok(None) };
        let raw = self.raw(place)?;
        let damaged = || StoreError::corrupt(&self.path, place.offset, NOT_AUTHENTIC);
        let (sequence, _, sealed, _) = parse_entry(&raw).ok_or_else(damaged)?;
        let plain =
            self.vaulting.open("dek", &vault_place(key, sequence), sealed).ok_or_else(damaged)?;
        let record: DekRecord = decode(&plain)?;
        if record.key == *key { Ok(Some(record)) } else { Err(damaged()) }
    }

    fn raw(&self, place: &Place) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; place.bytes];
        self.file
            .read_exact_at(&mut bytes, place.offset)
            .map_err(|e| StoreError::io(&self.path, &e))?;
        match parse_entry(&bytes) {
            Some((sequence, ..)) if sequence == place.sequence => Ok(bytes),
            _ => Err(StoreError::corrupt(&self.path, place.offset, "an entry is damaged")),
        }
    }
}

/// Entries that are in the file and not yet visible.
pub(crate) struct Appended {
    /// Bytes of the file before them.
    pub(crate) before: u64,
    places: Vec<([u8; 16], Place)>,
}

/// What a vault file holds.
struct Found {
    /// Whole entries from the front, by digest and sequence number.
    places: BTreeMap<([u8; 16], u64), Place>,
    count: u64,
    /// Where they end.
    whole_to: u64,
    bytes: u64,
}

fn read(path: &Path, store_id: &[u8; 16]) -> Result<Found, StoreError> {
    let bytes = fs::read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            StoreError::Lost("the vault of data-encryption keys is missing".to_owned())
        }
        _ => StoreError::io(path, &e),
    })?;
    let mut cursor = Cursor(&bytes);
    if cursor.take(8) != Some(MAGIC) || cursor.array() != Some(*store_id) {
        return Err(StoreError::corrupt(path, 0, "this is not the vault of this store"));
    }
    let mut found =
        Found { places: BTreeMap::new(), count: 0, whole_to: HEAD, bytes: bytes.len() as u64 };
    while let Some((sequence, digest, _, length)) = parse_entry(cursor.0) {
        found
            .places
            .insert((digest, sequence), Place { sequence, offset: found.whole_to, bytes: length });
        found.count += 1;
        found.whole_to += length as u64;
        cursor.take(length);
    }
    Ok(found)
}

/// Checks the vault of a stopped store against its marks, and opens the entry of each. Answers how many entries it has.
pub(crate) fn verify(
    path: &Path,
    store_id: &[u8; 16],
    vaulting: &Vaulting,
    marks: &BTreeMap<Vec<u8>, u64>,
) -> Result<u64, StoreError> {
    let found = read(path, store_id)?;
    let file = File::open(path).map_err(|e| StoreError::io(path, &e))?;
    for (mark, sequence) in marks {
        let place = found.places.get(&(digest(mark), *sequence)).ok_or_else(|| {
            let what = "the data-encryption key of a key is missing or damaged";
            StoreError::corrupt(path, found.whole_to, what)
        })?;
        let mut bytes = vec![0; place.bytes];
        file.read_exact_at(&mut bytes, place.offset).map_err(|e| StoreError::io(path, &e))?;
        // The sum of an entry shows an accident; only that it opens shows that it is this key's.
        let opens = parse_entry(&bytes).is_some_and(|(_, _, sealed, _)| {
            vaulting.open("dek", &marked_place(mark, *sequence), sealed).is_some()
        });
        if !opens {
            return Err(StoreError::corrupt(path, place.offset, NOT_AUTHENTIC));
        }
    }
    Ok(found.count)
}

fn open_file(path: &Path) -> Result<File, StoreError> {
    // What a rewrite left unfinished is worth nothing.
    let _ = fs::remove_file(beside(path, "new"));
    OpenOptions::new().read(true).write(true).open(path).map_err(|e| StoreError::io(path, &e))
}
