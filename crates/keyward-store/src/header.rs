//! `store.json`: what must be known of a store before its root key is.
//!
//! INVARIANT: it is written last when a store is made; a directory without it holds no store.

use crate::{Durability, StoreError, codec::Vaulting, disk::Disk};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::Path};

/// The format of the store that this version writes.
pub(crate) const FORMAT: u32 = 1;
pub(crate) const FILE: &str = "store.json";

/// What is known of a store before its root key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreHeader {
    pub format: u32,
    #[serde(with = "hex::serde")]
    pub store_id: [u8; 16],
    /// The root key's check value. The caller compares it before it hands out a sealer.
    #[serde(with = "hex::serde")]
    pub root_check: [u8; 32],
    /// The caller's own: where the root key comes from, salt and cost of a passphrase.
    #[serde(default)]
    pub root: serde_json::Value,
    /// One more at every start, durably, before anything is sealed. The sealer is asked for with the new one.
    pub generation: u64,
    /// What the last run promised: it says what may be missing after a power cut.
    pub durability: Durability,
    /// The store's id, sealed to what was promised: a sealer that does not open it is the wrong one, or the promise is
    /// another than was made. Of a store from before that, sealed to nothing.
    #[serde(default)]
    pub(crate) proof: String,
}

impl StoreHeader {
    /// Reads the header of a directory; `None` when it holds no store.
    ///
    /// # Errors
    /// `Corrupt`, `Format` or `Io`.
    pub fn read(directory: &Path) -> Result<Option<Self>, StoreError> {
        let path = directory.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StoreError::io(&path, &e)),
        };
        let header: Self = serde_json::from_slice(&text)
            .map_err(|e| StoreError::corrupt(&path, 0, e.to_string()))?;
        if header.format != FORMAT {
            return Err(StoreError::Format {
                place: FILE.to_owned(),
                found: header.format,
                known: FORMAT,
            });
        }
        Ok(Some(header))
    }

    pub(crate) fn write(&self, disk: &Disk, directory: &Path) -> Result<(), StoreError> {
        let path = directory.join(FILE);
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|e| StoreError::corrupt(&path, 0, e.to_string()))?;
        text.push(b'\n');
        disk.replace(&path, &text)
    }

    /// Only in a generation that is on disk, or is a new store's.
    pub(crate) fn prove(&mut self, vaulting: &Vaulting) {
        self.proof = hex::encode(vaulting.seal("header", self.promise(), &self.store_id));
    }

    /// # Errors
    /// `RootKey` for the wrong sealer, and for a header that was changed.
    pub(crate) fn check(&self, vaulting: &Vaulting) -> Result<(), StoreError> {
        if self.proves_promise(vaulting) || self.opens(vaulting, b"") {
            return Ok(());
        }
        Err(StoreError::RootKey(format!("{FILE} does not open under it, or was changed")))
    }

    pub(crate) fn proves_promise(&self, vaulting: &Vaulting) -> bool {
        self.opens(vaulting, self.promise())
    }

    const fn promise(&self) -> &'static [u8] {
        match self.durability {
            Durability::Commit => b"commit",
            Durability::Relaxed => b"relaxed",
        }
    }

    fn opens(&self, vaulting: &Vaulting, place: &[u8]) -> bool {
        let proof = hex::decode(&self.proof).ok();
        let opened = proof.and_then(|proof| vaulting.open("header", place, &proof));
        opened.is_some_and(|plain| plain == self.store_id)
    }
}
