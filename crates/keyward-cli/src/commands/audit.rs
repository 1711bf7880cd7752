//! `keyward audit`: whether the log and the store are what was written.

use super::{exported, offline, segments, verify_files};
use crate::{
    args::{Audit, Common, Verify, WitnessArgs},
    client::{Client, encoded},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_engine::log::log_verifier;
use keyward_server::{Brought, StartError, VerifiedLog};
use keyward_store::{Extent, SledState, StoreError, Verified};
use keyward_trail::{
    checkpoint::{SignedCheckpoint, Trust},
    hashes::EventHashes,
    iso_seconds,
    merkle::{leaf_hash, verify_consistency},
    note::{KeyKind, VerifierKey},
    proof::Proof,
};
use keyward_types::{Blob, Timestamp};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// 0 when all holds, 9 when anything was changed.
pub(super) fn audit(common: &Common, command: &Audit) -> Result<Exit, CliError> {
    match command {
        Audit::Verify(options) => match &options.export {
            Some(export) => exported::verify(common, export, options),
            None => verify(common, options),
        },
        Audit::Key => key(common, "/v1/log/key"),
        Audit::WitnessKey => key(common, "/v1/log/witness-key"),
        Audit::Checkpoint => {
            let query = [("new", "true".to_owned())];
            output::text(&Client::new(common).read_text("/v1/log/checkpoint", &query)?);
            Ok(Exit::Ok)
        }
        Audit::Prove { id } => {
            let client = Client::new(common);
            let proof = client.read_text(&format!("/v1/log/proof/{}", encoded(id)), &[]);
            output::text(&proof.map_err(|error| perhaps_left(error, &client, id))?);
            Ok(Exit::Ok)
        }
        Audit::CheckProof { file, key, record, witnesses } => {
            check_proof(common, file, &Trusted::new(key, witnesses)?, record.as_deref())
        }
        Audit::Consistent { file, key, witnesses } => {
            consistent(common, file, &Trusted::new(key, witnesses)?)
        }
        Audit::VerifySegments { folder, key, from, checkpoint, witnesses } => {
            let wanted = segments::Wanted { key, from: *from, checkpoint, witnesses };
            segments::verify(common, folder, &wanted)
        }
        Audit::VerifyFiles { folder, public_key, until } => {
            verify_files::verify_files(common, folder, public_key, until.as_deref())
        }
    }
}

/// An event that is not there may have left the log: its id says when it was written.
fn perhaps_left(error: CliError, client: &Client<'_>, id: &str) -> CliError {
    if error.exit != Exit::NotFound {
        return error;
    }
    let oldest = [("order", "oldest".to_owned()), ("limit", "1".to_owned())];
    let oldest = client.read("/v1/events", &oldest).ok();
    let oldest = oldest.as_ref().and_then(|answer| answer.pointer("/Events/0/eventID")?.as_str());
    let (Some(written), Some(oldest)) = (written(id), oldest.and_then(written)) else {
        return error;
    };
    if oldest <= written {
        return error;
    }
    let date = |seconds: i64| iso_seconds(Timestamp::from_seconds(seconds));
    let words = format!(
        "the id is of {}, and the oldest event that is still here of {}: if there was such an event, it left the log by its retention; `events archived` reads what was archived",
        date(written),
        date(oldest)
    );
    error.hint(words)
}

/// When an event with this id was written, in seconds since 1970: ids are UUIDs of version 7.
fn written(id: &str) -> Option<i64> {
    let id = uuid::Uuid::parse_str(id).ok()?;
    i64::try_from(id.get_timestamp()?.to_unix().0).ok()
}

fn key(common: &Common, path: &str) -> Result<Exit, CliError> {
    let answer = Client::new(common).read(path, &[])?;
    match common.output {
        Format::Json => output::json(&answer),
        Format::Text => output::line(text(&answer, "VerifierKey")),
    }
    Ok(Exit::Ok)
}

fn verify(common: &Common, options: &Verify) -> Result<Exit, CliError> {
    let data = options.data.as_deref().unwrap_or(Path::new(""));
    let (witnesses, quorum) = demanded(&options.witnesses)?;
    let brought = Brought {
        checkpoints: checkpoints(&options.checkpoint)?,
        hashes: hashes(&options.hashes)?,
        witnesses,
        quorum,
    };
    let scratch = options.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let extent = if options.journal { Extent::Journal } else { Extent::Store { scratch } };
    let progress = offline::Bar::new();
    let config = offline::config(data, &options.root);
    let verified = keyward_server::verify(&config, &extent, &progress, &brought);
    progress.done();
    match verified {
        Ok(verified) => {
            report(common.output, &verified);
            Ok(Exit::Ok)
        }
        Err(
            error @ (StartError::Log(_)
            | StartError::Store(StoreError::Corrupt { .. } | StoreError::Lost { .. })),
        ) => Ok(changed(common, &error.to_string())),
        Err(error @ StartError::Store(StoreError::Scratch { .. })) => {
            Err(offline::error(&error).hint(
                "name another folder with --scratch, or leave out what is derived from the log, with --journal, which needs no copy",
            ))
        }
        Err(error) => Err(offline::error(&error)),
    }
}

/// Checkpoints as they were kept; what they are worth is seen later.
pub(super) fn checkpoints(files: &[PathBuf]) -> Result<Vec<SignedCheckpoint>, CliError> {
    let parse = |file: &PathBuf| {
        SignedCheckpoint::parse(&read(file)?).map_err(|error| unusable(file, &error))
    };
    files.iter().map(parse).collect()
}

/// Hashes of events as they were kept.
pub(super) fn hashes(files: &[PathBuf]) -> Result<Vec<EventHashes>, CliError> {
    let parse =
        |file: &PathBuf| EventHashes::parse(&read(file)?).map_err(|error| unusable(file, &error));
    files.iter().map(parse).collect()
}

/// Says what does not hold.
pub(super) fn changed(common: &Common, problem: &str) -> Exit {
    match common.output {
        Format::Json => output::json(&json!({"Intact": false, "Problem": problem})),
        Format::Text => output::line(&format!("changed: {problem}")),
    }
    Exit::Integrity
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(file).map_err(|error| unusable(file, &error))
}

pub(super) fn unusable(file: &Path, error: &dyn std::fmt::Display) -> CliError {
    CliError::new(Exit::Usage, format!("{}: {error}", file.display()))
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn verifier_key(name: &str, text: &str) -> Result<VerifierKey, CliError> {
    text.trim().parse().map_err(|error| CliError::new(Exit::Usage, format!("{name}: {error}")))
}

/// The witnesses that are asked for, and how many of them must have signed.
fn demanded(args: &WitnessArgs) -> Result<(Vec<VerifierKey>, usize), CliError> {
    let keys = args.witness.iter().map(|text| verifier_key("--witness", text));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    if keys.iter().any(|key| key.kind() != KeyKind::CosignatureV1) {
        let words =
            "--witness: this is a log's key; a witness's is what `audit witness-key` prints";
        return Err(CliError::new(Exit::Usage, words));
    }
    let quorum = args.quorum.unwrap_or(keys.len());
    Ok((keys, quorum))
}

/// A log's key and those of its witnesses.
pub(super) struct Trusted {
    pub(super) key: VerifierKey,
    witnesses: Vec<VerifierKey>,
    quorum: usize,
}

impl Trusted {
    pub(super) fn new(key: &str, witnesses: &WitnessArgs) -> Result<Self, CliError> {
        let key = verifier_key("--key", key)?;
        let (witnesses, quorum) = demanded(witnesses)?;
        Ok(Self { key, witnesses, quorum })
    }

    pub(super) fn trust(&self) -> Trust<'_> {
        Trust {
            origin: self.key.name(),
            log: core::slice::from_ref(&self.key),
            witnesses: &self.witnesses,
            quorum: self.quorum,
        }
    }
}

fn check_proof(
    common: &Common,
    file: &Path,
    trusted: &Trusted,
    record: Option<&Path>,
) -> Result<Exit, CliError> {
    let proof = Proof::parse(&read(file)?).map_err(|error| unusable(file, &error))?;
    let record = match record {
        Some(record) => read(record)?,
        None if proof.extra().is_empty() => {
            let words = "the proof does not bring the event along; name it with --record";
            return Err(CliError::new(Exit::Usage, words));
        }
        None => proof.extra().to_vec(),
    };
    match proof.verify(&leaf_hash(&record), &trusted.trust(), &log_verifier) {
        Err(error) => Ok(changed(common, &error.to_string())),
        Ok(opened) => {
            let event: Value = serde_json::from_slice(&record).map_err(CliError::failure)?;
            let size = opened.checkpoint.size;
            match common.output {
                Format::Json => output::json(
                    &json!({"Intact": true, "Number": proof.index(), "Size": size, "Event": event}),
                ),
                Format::Text => {
                    output::note(&format!(
                        "event {} of {size} of {}",
                        proof.index(),
                        trusted.key.name()
                    ));
                    output::json(&event);
                }
            }
            Ok(Exit::Ok)
        }
    }
}

/// The running log's own newest checkpoint, held against an older one.
fn consistent(common: &Common, file: &Path, trusted: &Trusted) -> Result<Exit, CliError> {
    let verified = |bytes: &[u8]| {
        let parsed = SignedCheckpoint::parse(bytes).map_err(|error| error.to_string())?;
        let opened = parsed.verify(&trusted.trust(), &log_verifier);
        opened.map(|opened| opened.checkpoint).map_err(|error| error.to_string())
    };
    let old = match verified(&read(file)?) {
        Ok(old) => old,
        Err(error) => return Err(unusable(file, &error)),
    };
    let client = Client::new(common);
    // A new one has no cosignatures yet.
    let wanted = match trusted.quorum {
        0 => ("new", "true".to_owned()),
        quorum => ("cosigned", quorum.to_string()),
    };
    let note = client.read_text("/v1/log/checkpoint", &[wanted])?;
    let new = match verified(note.as_bytes()) {
        Ok(new) => new,
        Err(error) => return Ok(changed(common, &error)),
    };
    if new.size < old.size {
        let words = format!("the log had {} events, and has {} now", old.size, new.size);
        return Ok(changed(common, &words));
    }
    let path = growth(&client, old.size, new.size)?;
    match verify_consistency(old.size, &old.root, new.size, &new.root, &path) {
        Err(error) => Ok(changed(common, &error.to_string())),
        Ok(()) => {
            let (from, to) = (old.size, new.size);
            match common.output {
                Format::Json => output::json(&json!({"Intact": true, "From": from, "To": to})),
                Format::Text => output::line(&format!(
                    "intact: the log of {to} events begins with the {from} of the checkpoint"
                )),
            }
            Ok(Exit::Ok)
        }
    }
}

/// The hashes that show that the log only grew from one size to another.
pub(super) fn growth(client: &Client<'_>, from: u64, to: u64) -> Result<Vec<[u8; 32]>, CliError> {
    let query = [("from", from.to_string()), ("to", to.to_string())];
    let answer = client.read("/v1/log/consistency", &query)?;
    let path = answer.get("Hashes").cloned().and_then(|hashes| {
        let blobs: Vec<Blob> = serde_json::from_value(hashes).ok()?;
        blobs.iter().map(|blob| blob.0.as_slice().try_into().ok()).collect()
    });
    path.ok_or_else(|| CliError::failure("the answer holds no hashes"))
}

fn report(format: Format, verified: &VerifiedLog) {
    let VerifiedLog { store, root, checkpoints } = verified;
    let root: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
    let Verified { segments, frames, commits, events, records, journal_bytes, torn_bytes, .. } =
        *store;
    let behind = match store.sled {
        SledState::Equal | SledState::NotCompared => 0,
        SledState::Behind { commits } => commits,
    };
    let is_whole = store.sled != SledState::NotCompared;
    match format {
        Format::Json => output::json(&json!({
            "Intact": true,
            "Segments": segments,
            "Frames": frames,
            "Commits": commits,
            "Events": events,
            "Compared": if is_whole { "Store" } else { "Journal" },
            "Records": is_whole.then_some(records),
            "JournalBytes": journal_bytes,
            "UnacknowledgedBytes": torn_bytes,
            "CommitsToReplay": behind,
            "TreeRoot": root,
            "Checkpoints": checkpoints,
        })),
        Format::Text => {
            let records = if is_whole { format!(" and {records} records") } else { String::new() };
            output::line(&format!(
                "intact: {events} events{records} in {commits} commits, {segments} segments; {checkpoints} checkpoints hold"
            ));
            if 0 < torn_bytes || 0 < behind {
                output::note(&format!(
                    "the last run did not stop cleanly: {torn_bytes} unacknowledged bytes, {behind} commits to replay at the next start"
                ));
            }
        }
    }
}
