//! Verifies a stopped store without changing it: the store itself, and the log against every checkpoint of it.
//!
//! The store proves that it is what was written; a checkpoint that somebody kept elsewhere proves that it is the log
//! that was, and not one that was made again by who holds the root key. Hashes of events that were kept say which
//! event it is that is wrong.

use crate::{
    config::{Config, ConfigError},
    wiring::{self, StartError, TERM, Told, WRONG_ROOT_KEY},
};
use keyward_crypto::{Keyring, SystemEntropy};
use keyward_engine::log::{log_origin, log_verifier};
use keyward_store::{
    KeptCheckpoint, Progress, Store, StoreError, StoreHeader, Verified, read_checkpoints,
};
use keyward_trail::{
    audit::Finding,
    checkpoint::{Checkpoint, SignedCheckpoint, Trust},
    hashes::{EventHashes, Proven, check},
    merkle::{Frontier, Hash, leaf_hash},
    note::{KeyKind, VerifierKey},
};
use keyward_types::Entropy as _;
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

/// What was kept elsewhere to hold a log against, and whose word counts for it.
#[derive(Clone, Debug, Default)]
pub struct Brought {
    pub checkpoints: Vec<SignedCheckpoint>,
    pub hashes: Vec<EventHashes>,
    pub witnesses: Vec<VerifierKey>,
    /// How many of the witnesses must have signed what was brought; where nothing was, one of the log's own.
    pub quorum: usize,
}

/// Verifies a stopped store; see [`Store::verify_each`].
pub fn verify(
    config: &Config,
    progress: &dyn Progress,
    brought: &Brought,
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
    let mut log = Log::default();
    let store = Store::verify_each(
        &wiring::options(config, &directory),
        sealer_for,
        progress,
        &mut |_, record| log.take(record),
    )?;
    let public = key.ok_or_else(|| StartError::RootKey("the log's key was not made".to_owned()))?;
    let origin = log_origin(&header.store_id);
    let key = VerifierKey::new(&origin, KeyKind::Ed25519, public)
        .map_err(|error| StartError::Log(error.to_string()))?;
    let checkpoints = hold_against(&log.leaves, &key, &read_checkpoints(&directory)?, brought)?;
    Ok(VerifiedLog { store, root: log.frontier.root(), checkpoints })
}

/// How many checkpoints the events were held against, when all of them agree.
fn hold_against(
    leaves: &[Hash],
    key: &VerifierKey,
    kept: &[KeptCheckpoint],
    brought: &Brought,
) -> Result<usize, StartError> {
    let alone =
        Trust { origin: key.name(), log: core::slice::from_ref(key), witnesses: &[], quorum: 0 };
    let trust = Trust { witnesses: &brought.witnesses, quorum: brought.quorum, ..alone };
    let mut said = Vec::new();
    let mut cosigned = !brought.checkpoints.is_empty() || !brought.hashes.is_empty();
    for one in kept {
        let parsed = SignedCheckpoint::parse(one.note.as_bytes());
        let parsed = parsed.map_err(|error| {
            StartError::Log(format!("the checkpoint of size {} is none: {error}", one.size))
        })?;
        cosigned |= parsed.verify(&trust, &log_verifier).is_ok();
        said.push(checked(&parsed, &alone)?);
    }
    if !cosigned && 0 < brought.quorum {
        let quorum = brought.quorum;
        return Err(StartError::Log(format!("no checkpoint is cosigned by {quorum} witnesses")));
    }
    for one in &brought.checkpoints {
        said.push(checked(one, &trust)?);
    }
    let proven = brought.hashes.iter().map(|one| one.verify(&trust, &log_verifier));
    let proven = proven.collect::<Result<Vec<Proven>, _>>();
    let proven = proven
        .map_err(|error| StartError::Log(format!("the hashes are not this log's: {error}")))?;
    // The hashes are of an earlier time than the store, which may have gone on since.
    let longest = proven.iter().map(|one| one.head().size).max().unwrap_or_default();
    let longest = usize::try_from(longest).unwrap_or(usize::MAX).min(leaves.len());
    let wrong = |finding: Finding| StartError::Log(finding.to_string());
    if !proven.is_empty() {
        check(leaves.get(..longest).unwrap_or(leaves), &proven, []).map_err(wrong)?;
    }
    check(leaves, &[], &said).map_err(wrong)?;
    Ok(said.len() + proven.len())
}

/// What a checkpoint says, when it is to be trusted.
fn checked(signed: &SignedCheckpoint, trust: &Trust<'_>) -> Result<Checkpoint, StartError> {
    let opened = signed.verify(trust, &log_verifier).map_err(|error| {
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
}
