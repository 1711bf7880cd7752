//! What this service, as a witness, cosigned last of each other log: one small file a log, replaced whole.
//!
//! It does not know what a checkpoint says. Who judges and then keeps does both under one lock of its own.
//!
//! INVARIANT: when `keep` has returned, a power cut does not bring back what was there before.

use crate::{Store, StoreError};
use sha2::{Digest as _, Sha256};
use std::{fmt::Write as _, io, path::PathBuf};

/// The folder's name in the store's directory.
const FOLDER: &str = "witness";

impl Store {
    /// The checkpoint of a log that was kept last.
    ///
    /// # Errors
    /// What the disk says. A file that cannot be read is not the same as none: a witness that forgets signs forks.
    pub fn witnessed(&self, origin: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.witnessed_file(origin);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io(&path, &error)),
        }
    }

    /// Keeps the checkpoint of a log in place of the one before.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keep_witnessed(&self, origin: &str, note: &[u8]) -> Result<(), StoreError> {
        let folder = self.options.directory.join(FOLDER);
        if !folder.exists() {
            std::fs::create_dir_all(&folder).map_err(|error| StoreError::io(&folder, &error))?;
            self.disk.sync_parent(&folder)?;
        }
        self.disk.replace(&self.witnessed_file(origin), note)
    }

    /// Named by a hash: an origin can hold anything.
    fn witnessed_file(&self, origin: &str) -> PathBuf {
        let mut name = String::new();
        for byte in Sha256::digest(origin.as_bytes()) {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        self.options.directory.join(FOLDER).join(name)
    }
}
