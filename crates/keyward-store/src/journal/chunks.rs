//! Chunks: how much that is never written again is kept small. Items are gathered, compressed together and sealed.
//!
//! A chunk is its sealed length in 4 bytes, a byte that says whether it is the last, and the sealed bytes. It is sealed
//! to its file, its number and that byte, so that none can be moved, left out or be the last before its time. What
//! is sealed is the length of the items in 4 bytes, and the items compressed by Zstandard.
//! It does not know what an item says.
//!
//! INVARIANT: an item is in one chunk, whole.
//! Source: <https://www.rfc-editor.org/rfc/rfc8878>

use crate::{StoreError, bytes::Cursor, codec::Vaulting, disk::Disk, journal::frame::PAYLOAD_MAX};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Bytes of items in a chunk, about: enough to compress well, and little to hold in memory.
const CHUNK_BYTES: usize = 1 << 20;
/// What a larger level gains is not worth its time here.
const LEVEL: i32 = 6;
const CHUNK_HEAD: usize = 5;

/// Whose chunks they are: what they are sealed to, beside their number.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'o> {
    pub(crate) vaulting: &'o Vaulting,
    /// Keeps kinds of files apart.
    pub(crate) kind: &'static str,
    /// Which file of its kind.
    pub(crate) number: u64,
}

impl Owner<'_> {
    fn place(&self, chunk: u32, is_last: bool) -> Vec<u8> {
        let mut place = self.number.to_be_bytes().to_vec();
        place.extend_from_slice(&chunk.to_be_bytes());
        place.push(is_last.into());
        place
    }
}

/// Writes a new file from its first byte on, and sums what it wrote.
pub(crate) struct Writing<'w> {
    disk: &'w Disk,
    file: File,
    path: PathBuf,
    offset: u64,
    hash: Sha256,
    owner: Owner<'w>,
    chunk: u32,
    items: Zeroizing<Vec<u8>>,
    is_finished: bool,
}

/// What was not finished is worth nothing, and on a full disk it would be in the way.
impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl<'w> Writing<'w> {
    pub(crate) fn new(disk: &'w Disk, path: &Path, owner: Owner<'w>) -> Result<Self, StoreError> {
        let file = File::create(path).map_err(|e| StoreError::io(path, &e))?;
        Ok(Self {
            disk,
            file,
            path: path.to_owned(),
            offset: 0,
            hash: Sha256::new(),
            owner,
            chunk: 0,
            items: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4)),
            is_finished: false,
        })
    }

    /// Bytes as they are.
    pub(crate) fn plain(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.disk.write_at(&self.file, &self.path, bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        self.hash.update(bytes);
        Ok(())
    }

    /// One item of a chunk.
    pub(crate) fn item(&mut self, item: &[u8]) -> Result<(), StoreError> {
        if !self.items.is_empty() && CHUNK_BYTES < self.items.len() + item.len() {
            self.close_chunk(false)?;
        }
        self.items.extend_from_slice(item);
        Ok(())
    }

    /// Ends a chunk, so that what is in it can be read alone.
    pub(crate) fn end_chunk(&mut self) -> Result<(), StoreError> {
        self.close_chunk(false)
    }

    /// The last chunk, which may be empty.
    pub(crate) fn last_chunk(&mut self) -> Result<(), StoreError> {
        self.close_chunk(true)
    }

    fn close_chunk(&mut self, is_last: bool) -> Result<(), StoreError> {
        let full = |_| StoreError::bad_value("a chunk does not compress");
        let packed = Zeroizing::new(zstd::bulk::compress(&self.items, LEVEL).map_err(full)?);
        let mut plain = Zeroizing::new(Vec::with_capacity(packed.len() + 4));
        let length = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        plain.extend_from_slice(&length.to_be_bytes());
        plain.extend_from_slice(&packed);
        let place = self.owner.place(self.chunk, is_last);
        let sealed = self.owner.vaulting.seal(self.owner.kind, &place, &plain);
        let mut bytes = u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
        bytes.push(is_last.into());
        bytes.extend_from_slice(&sealed);
        self.plain(&bytes)?;
        self.chunk += 1;
        self.items.clear();
        Ok(())
    }

    /// SHA-256 of what was written so far, and how many bytes that is.
    pub(crate) fn sum(&self) -> ([u8; 32], u64) {
        (self.hash.clone().finalize().into(), self.offset)
    }

    /// Makes the file durable and gives it its name.
    pub(crate) fn finish(mut self, name: &Path) -> Result<u64, StoreError> {
        self.disk.sync(&self.file, &self.path)?;
        self.disk.rename(&self.path, name)?;
        self.is_finished = true;
        Ok(self.offset)
    }
}

/// Reads the chunks of a file, from `offset` up to the last of them. Answers where that ends.
///
/// # Errors
/// `Corrupt` names the place of a chunk that is not what was written there; and what `each` says.
pub(crate) fn read(
    file: &File,
    path: &Path,
    offset: u64,
    owner: Owner<'_>,
    each: &mut dyn FnMut(u64, &mut Cursor<'_>) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let mut at = offset;
    let mut items = Zeroizing::new(Vec::new());
    for chunk in 0..u32::MAX {
        let (is_last, next) = read_one(file, path, at, owner, chunk, &mut items)?;
        each(at, &mut Cursor(&items))?;
        at = next;
        if is_last {
            return Ok(at);
        }
    }
    Err(StoreError::corrupt(path, at, "there are too many chunks"))
}

/// Reads the items of one chunk into a buffer; answers whether it is the last, and where it ends.
pub(crate) fn read_one(
    file: &File,
    path: &Path,
    at: u64,
    owner: Owner<'_>,
    chunk: u32,
    items: &mut Zeroizing<Vec<u8>>,
) -> Result<(bool, u64), StoreError> {
    let damaged = |what: &str| StoreError::corrupt(path, at, what);
    let mut head = [0; CHUNK_HEAD];
    file.read_exact_at(&mut head, at).map_err(|_| damaged("a chunk is missing"))?;
    let [a, b, c, d, last] = head;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if PAYLOAD_MAX < length {
        return Err(damaged("a chunk is too large"));
    }
    let mut sealed = vec![0; length];
    file.read_exact_at(&mut sealed, at + CHUNK_HEAD as u64)
        .map_err(|_| damaged("a chunk is cut short"))?;
    let is_last = last == 1;
    let opened = owner.vaulting.open(owner.kind, &owner.place(chunk, is_last), &sealed);
    opened
        .map(Zeroizing::new)
        .and_then(|plain| inflate(&plain, items))
        .ok_or_else(|| damaged("a chunk is not authentic for its place"))?;
    Ok((is_last, at + (CHUNK_HEAD + length) as u64))
}

fn inflate(plain: &[u8], items: &mut Vec<u8>) -> Option<()> {
    let mut cursor = Cursor(plain);
    let length = usize::try_from(cursor.u32()?).ok()?;
    items.resize(length, 0);
    let written = zstd::bulk::decompress_to_buffer(cursor.0, items.as_mut_slice()).ok()?;
    (written == length).then_some(())
}
