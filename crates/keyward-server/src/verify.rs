//! Verifies a stopped store without changing it: the store itself, and the log against every checkpoint of it.
//!
//! The store proves that it is what was written; a checkpoint that somebody kept elsewhere proves that it is the log
//! that was, and not one that was made again by who holds the root key.

use crate::{
    config::{Config, ConfigError},
    wiring::{self, StartError, TERM, Told, WRONG_ROOT_KEY},
};
use keyward_crypto::{Keyring, SystemEntropy};
use keyward_engine::log::{log_origin, log_verifier};
use keyward_store::{Progress, Store, StoreError, StoreHeader, Verified, read_checkpoints};
use keyward_trail::{
    checkpoint::{Checkpoint, SignedCheckpoint, Trust},
    merkle::{Frontier, Hash, leaf_hash},
    note::{KeyKind, VerifierKey},
};
use keyward_types::Entropy as _;
use std::cell::RefCell;
use subtle::ConstantTimeEq as _;

/// What was found whole.
#[derive(Clone, Debug)]
pub struct VerifiedLog {
    pub store: Verified,
    /// The root of the tree over all events.
    pub root: Hash,
    /// Checkpoints that the log was held against: those that it kept, and those that were brought along.
    pub checkpoints: usize,
}

/// Verifies a stopped store; see [`Store::verify_each`]. `brought` are checkpoints that were kept elsewhere.
pub fn verify(
    config: &Config,
    progress: &dyn Progress,
    brought: &[SignedCheckpoint],
) -> Result<VerifiedLog, StartError> {
    let directory = config
        .data
        .clone()
        .ok_or(ConfigError::Value { name: "data", wanted: "the directory of a store" })?;
    let header = StoreHeader::read(&directory)?
        .ok_or_else(|| StoreError::Absent(directory.display().to_string()))?;
    let mut generator = SystemEntropy.generator();
    let told = Told::from_json(&header.root);
    let root = wiring::root_key(config, &directory, &told, &mut *generator)?;
    let mut key = None;
    let sealer_for = |header: &StoreHeader| {
        let keyring =
            Keyring::new(&root, header.store_id, TERM, header.generation, &mut *generator);
        if !bool::from(keyring.check_value().ct_eq(&header.root_check)) {
            return Err(WRONG_ROOT_KEY.to_owned());
        }
        key = keyring.log_key().ok().map(|key| key.public());
        Ok(keyring.sealer())
    };
    let log = RefCell::new(Log::default());
    let store = Store::verify_each(
        &wiring::options(config, &directory),
        sealer_for,
        progress,
        &mut |_, record| log.borrow_mut().take(record),
    )?;
    let public = key.ok_or_else(|| StartError::RootKey("the log's key was not made".to_owned()))?;
    let origin = log_origin(&header.store_id);
    let key = VerifierKey::new(&origin, KeyKind::Ed25519, public)
        .map_err(|error| StartError::Log(error.to_string()))?;
    let mut said = Vec::new();
    for kept in read_checkpoints(&directory)? {
        let parsed = SignedCheckpoint::parse(kept.note.as_bytes());
        let parsed = parsed.map_err(|error| {
            StartError::Log(format!("the checkpoint of size {} is none: {error}", kept.size))
        })?;
        said.push(checked(&parsed, &key)?);
    }
    for one in brought {
        said.push(checked(one, &key)?);
    }
    said.sort_by_key(|checkpoint| checkpoint.size);
    let log = log.into_inner();
    log.hold_against(&said)?;
    Ok(VerifiedLog { store, root: log.frontier.root(), checkpoints: said.len() })
}

/// What a checkpoint says, when the log's key signed it.
fn checked(signed: &SignedCheckpoint, key: &VerifierKey) -> Result<Checkpoint, StartError> {
    let trust =
        Trust { origin: key.name(), log: core::slice::from_ref(key), witnesses: &[], quorum: 0 };
    let opened = signed.verify(&trust, &log_verifier).map_err(|error| {
        let size = signed.unverified().size;
        StartError::Log(format!("the checkpoint of size {size} is not this log's: {error}"))
    })?;
    Ok(opened.checkpoint)
}

/// The tree as the journal makes it, and its hashes.
#[derive(Default)]
struct Log {
    frontier: Frontier,
    leaves: Vec<Hash>,
}

impl Log {
    fn take(&mut self, record: &[u8]) -> Result<(), StoreError> {
        let leaf = leaf_hash(record);
        self.leaves.push(leaf);
        self.frontier
            .append(leaf, |_| ())
            .map_err(|_| StoreError::Failed("the log's tree is full".to_owned()))
    }

    /// Names the events among which the first is that was changed, removed or added.
    fn hold_against(&self, said: &[Checkpoint]) -> Result<(), StartError> {
        let mut frontier = Frontier::new();
        let mut leaves = self.leaves.iter();
        let mut whole = 0;
        for checkpoint in said {
            let Checkpoint { size, root, .. } = checkpoint;
            while frontier.size() < *size {
                let Some(leaf) = leaves.next() else {
                    let ends = frontier.size();
                    return Err(StartError::Log(format!(
                        "events are missing from {ends} on: a checkpoint speaks of {size} events, and the log ends after {ends}"
                    )));
                };
                frontier
                    .append(*leaf, |_| ())
                    .map_err(|_| StartError::Log("the log's tree is full".to_owned()))?;
            }
            if frontier.root() != *root {
                return Err(StartError::Log(format!(
                    "an event from {whole} to {} was changed, removed or added: the checkpoint of size {size} is of other events",
                    size.saturating_sub(1)
                )));
            }
            whole = *size;
        }
        Ok(())
    }
}
