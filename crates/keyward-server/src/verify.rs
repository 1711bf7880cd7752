//! Verifies a stopped store without changing it: the store itself, and the log against every checkpoint of it.
//!
//! The store proves that it is what was written; a checkpoint that somebody kept elsewhere proves that it is the log
//! that was, and not one that was made again by who holds the root key. Hashes of events that were kept say which
//! event it is that is wrong.

use crate::{
    config::{Config, ConfigError},
    wiring::{self, StartError, Told},
};
use keyward_crypto::SystemEntropy;
use keyward_engine::log::{log_origin, log_verifier};
use keyward_engine::segments::{checked_footer, footer_of};
use keyward_store::{
    EachRecord, Earlier, Extent, KeptCheckpoint, Progress, SealedSegment, Store, StoreError,
    StoreHeader, Verified, read_checkpoints,
};
use keyward_trail::{
    audit::Finding,
    checkpoint::{Checkpoint, SignedCheckpoint, Trust},
    hashes::{EventHashes, Proven, check_from},
    merkle::{Frontier, Hash, NodeSource, root_at},
    note::{KeyKind, VerifierKey},
    segment::{Footer, SignedFooter},
};
use keyward_types::Entropy as _;
use std::{path::PathBuf, thread};

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

/// Verifies as much as is asked for of a stopped store; see [`Store::verify_each`].
pub fn verify(
    config: &Config,
    extent: &Extent,
    progress: &dyn Progress,
    brought: &Brought,
) -> Result<VerifiedLog, StartError> {
    let (directory, header) = header(config)?;
    let mut generator = SystemEntropy.generator();
    let told = Told::from_json(&header.root);
    let root = wiring::root_key(config, &directory, &told, &mut *generator)?;
    let mut key = None;
    let sealer_for = |header: &StoreHeader| {
        let keyring = wiring::keyring_of(header, &root, &mut *generator)?;
        key = keyring.log_key().ok().map(|key| key.public());
        Ok(keyring.sealer())
    };
    let mut leaves = Vec::new();
    let store = Store::verify_each(
        &wiring::options(config, &directory),
        extent,
        sealer_for,
        progress,
        &mut |_, leaf| {
            leaves.push(leaf);
            Ok(())
        },
    )?;
    let public = key.ok_or_else(|| StartError::RootKey("the log's key was not made".to_owned()))?;
    let origin = log_origin(&header.store_id);
    let key = VerifierKey::new(&origin, KeyKind::Ed25519, public)
        .map_err(|error| StartError::Log(error.to_string()))?;
    let log = Log { earlier: &store.earlier, leaves };
    let kept = read_checkpoints(&directory)?;
    let (root, checkpoints) = thread::scope(|scope| {
        let checkpoints = scope.spawn(|| hold_against(&log, &key, &kept, brought));
        let root = check_footers(&store.sealed, &key, &log)?;
        let panicked = |_| Err(StartError::Log("checking the checkpoints panicked".to_owned()));
        Ok::<_, StartError>((root, checkpoints.join().unwrap_or_else(panicked)?))
    })?;
    Ok(VerifiedLog { root, store, checkpoints })
}

/// Opens sealed segments with the root key of the store that they are of, which may have let them go, and hands on
/// every record in them by its number: nothing, unless each is what the log signed and follows the one before it.
/// Answers the numbers of their first event and of the first after the last.
pub fn read_segments(
    config: &Config,
    segments: &[SealedSegment],
    each: &mut EachRecord<'_>,
) -> Result<(u64, u64), StartError> {
    let (directory, header) = header(config)?;
    let mut generator = SystemEntropy.generator();
    let told = Told::from_json(&header.root);
    let root = wiring::root_key(config, &directory, &told, &mut *generator)?;
    let keyring = wiring::keyring_of(&header, &root, &mut *generator);
    let keyring = keyring.map_err(StoreError::RootKey)?;
    let failed = |error: &dyn core::fmt::Display| StartError::RootKey(error.to_string());
    let public = keyring.log_key().map_err(|error| failed(&error))?.public();
    let key = VerifierKey::new(&log_origin(&header.store_id), KeyKind::Ed25519, public)
        .map_err(|error| failed(&error))?;
    let mut footers: Vec<Footer> = Vec::new();
    for segment in segments {
        let footer = checked_footer(segment, &key, footers.last()).map_err(|problem| {
            let name = segment.path.file_name().unwrap_or_default().to_string_lossy();
            StartError::Log(format!("{name}: {problem}"))
        })?;
        footers.push(footer);
    }
    for segment in segments {
        segment.each_event(&header, keyring.sealer(), each)?;
    }
    let first = footers.first().map_or(0, |footer| footer.events.0);
    Ok((first, footers.last().map_or(0, |footer| footer.events.1)))
}

/// Where the store is, and what stands in its header.
fn header(config: &Config) -> Result<(PathBuf, StoreHeader), StartError> {
    let wanted = ConfigError::Value { name: "data", wanted: "the directory of a store" };
    let directory = config.data.clone().ok_or(wanted)?;
    let header = StoreHeader::read(&directory)?
        .ok_or_else(|| StoreError::Absent(directory.display().to_string()))?;
    Ok((directory, header))
}

fn append(frontier: &mut Frontier, leaf: Hash) -> Result<(), StartError> {
    frontier.append(leaf, |_| ()).map_err(|error| StartError::Log(error.to_string()))
}

/// Holds what was signed of each sealed segment against what it is, and against the log's tree. Answers the tree's root.
fn check_footers(
    sealed: &[SealedSegment],
    key: &VerifierKey,
    log: &Log<'_>,
) -> Result<Hash, StartError> {
    let mut frontier = log.start()?;
    let mut leaves = log.leaves.iter();
    for segment in sealed {
        while frontier.size() < segment.facts.events.1
            && let Some(leaf) = leaves.next()
        {
            append(&mut frontier, *leaf)?;
        }
        let number = segment.facts.number;
        let wrong = |what: &dyn core::fmt::Display| {
            StartError::Log(format!("the footer of segment {number} does not hold: {what}"))
        };
        let signed = SignedFooter::parse(&segment.footer).map_err(|error| wrong(&error))?;
        let said = signed.verify(key, &log_verifier).map_err(|error| wrong(&error))?;
        if *said != footer_of(key.name(), &segment.facts, frontier.root()) {
            return Err(wrong(&"it was signed of other events"));
        }
    }
    leaves.try_for_each(|leaf| append(&mut frontier, *leaf))?;
    Ok(frontier.root())
}

/// How many checkpoints the events were held against, when all of them agree.
fn hold_against(
    log: &Log<'_>,
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
    log.hold_earlier(said.iter().chain(proven.iter().map(Proven::head)))?;
    let wrong = |finding: Finding| StartError::Log(finding.to_string());
    if !proven.is_empty() {
        check_from(log.start()?, &log.leaves, &proven, []).map_err(wrong)?;
    }
    // All that was signed, also by a head of hashes that are of a part.
    let heads = proven.iter().map(Proven::head);
    check_from(log.start()?, &log.leaves, &[], said.iter().chain(heads)).map_err(wrong)?;
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

/// What is left of events that left, and the hashes of those that are there.
struct Log<'v> {
    earlier: &'v Earlier,
    leaves: Vec<Hash>,
}

impl NodeSource for Log<'_> {
    type Error = core::convert::Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Option<Hash>, Self::Error> {
        Ok(self.earlier.node(level, index))
    }
}

impl Log<'_> {
    /// The tree's edge before the first event that is there.
    fn start(&self) -> Result<Frontier, StartError> {
        Frontier::at(self, self.earlier.events).map_err(|error| StartError::Log(error.to_string()))
    }

    /// Holds what was kept of events that left against checkpoints of that time.
    fn hold_earlier<'c>(
        &self,
        said: impl Iterator<Item = &'c Checkpoint>,
    ) -> Result<(), StartError> {
        let mut good = 0;
        for Checkpoint { size, root, .. } in said.filter(|one| one.size < self.earlier.events) {
            match root_at(self, *size) {
                Ok(found) if found == *root => good = good.max(*size),
                Ok(_) => {
                    let finding = Finding::Changed { good, size: *size };
                    return Err(StartError::Log(finding.to_string()));
                }
                // Of every checkpoint that a log signs it keeps the root.
                Err(_) => {
                    return Err(StartError::Log(format!(
                        "a checkpoint of size {size} was signed, and this log does not know of it: the events that it speaks of left"
                    )));
                }
            }
        }
        Ok(())
    }
}
