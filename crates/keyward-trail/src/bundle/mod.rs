//! An incident bundle: events of the log in one file, which somebody who has the log's public key alone can check.
//!
//! A bundle is a list of named texts and a manifest of their SHA-256 digests, in the form of `sha256sum`:
//!
//! | part | what it is | why it can be believed |
//! |---|---|---|
//! | `about.json` | who asked for what, when | it can't: the maker says so |
//! | `checkpoint` | the log's signed checkpoint | its signature |
//! | `consistency/SIZE` | hashes, one a line in base64 | a checkpoint of that size, kept elsewhere |
//! | `events/NUMBER/record.json` | the event's bytes | the proof beside it |
//! | `events/NUMBER/proof.tlog-proof` | its place under the checkpoint | the checkpoint |
//! | `events/NUMBER/explanation.txt` | why it was allowed or refused | it follows from the record |
//! | `policies/history.json` | the key policies that these events set | it follows from the records |
//! | `policies/in-force.json` | policies as they stood then | it can't: the maker says so |
//!
//! It proves of each event that it is in the log, byte by byte; it can't prove that no other event belongs here. Who
//! notes the manifest's digest elsewhere ([`Bundle::digest`]) can tell any change.
//! It asks nobody for anything, and reads no clock.
//!
//! What follows from other parts is made again and compared. Where it differs, an older or newer version may have said
//! the same in other words, or somebody has put others in: which, nobody can tell, and so it is named ([`Held::derived`]).
//!
//! INVARIANT: what is proven never rests on what is only derived.
//! Source: <https://c2sp.org/tlog-proof>

use crate::{
    checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, Trust},
    explain,
    merkle::{Hash, leaf_hash, verify_consistency},
    note::{Verifier, form},
    proof::Proof,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, fmt::Write as _};
use thiserror::Error;

const FORMAT: &str = "keyward-incident-bundle/1";
/// Digits of an event's number in the names of its parts, so that names sort as numbers do.
const NUMBER_DIGITS: usize = 20;

const ABOUT: &str = "about.json";
const CHECKPOINT: &str = "checkpoint";
const HISTORY: &str = "policies/history.json";
const IN_FORCE: &str = "policies/in-force.json";
const CONSISTENCY: &str = "consistency/";
const RECORD: &str = "record.json";
const PROOF: &str = "proof.tlog-proof";
const EXPLANATION: &str = "explanation.txt";

/// Why something is no bundle, or does not hold. `part` names the first part that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BundleError {
    #[error("this is not a {FORMAT}: {0}")]
    Form(String),
    #[error("{part} is not what the manifest says")]
    Digest { part: String },
    #[error("{part} is missing")]
    Missing { part: String },
    #[error("{part} is not in its place, or is no part of a bundle")]
    Place { part: String },
    #[error("the checkpoint does not hold: {0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("event {number} is not proven: {why}")]
    Event { number: u64, why: String },
    #[error("the log did not grow from the {size} events of the checkpoint: {why}")]
    Growth { size: u64, why: String },
    /// It may be so; the bundle was made without that checkpoint.
    #[error("the bundle does not show whether the log grew from {size} events")]
    NotShown { size: u64 },
}

/// A named text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Part {
    pub name: String,
    pub text: String,
}

impl Part {
    fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// What a bundle is made of.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Who asked for what, when; nobody vouches for it.
    pub about: Value,
    pub checkpoint: SignedCheckpoint,
    /// Sizes of earlier checkpoints, each with the hashes that lead from it to this one.
    pub consistency: Vec<(u64, Vec<Hash>)>,
    /// Records as they stand in the log, and their proofs under the checkpoint.
    pub events: Vec<(String, Proof)>,
    /// Policies as they stand now; nobody vouches for them.
    pub in_force: Value,
}

/// Parts and their manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Bundle {
    format: String,
    /// Lines of `DIGEST  NAME`.
    manifest: String,
    parts: Vec<Part>,
}

/// A bundle that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub checkpoint: Checkpoint,
    /// The numbers of its events.
    pub events: Vec<u64>,
    /// Parts that nobody vouches for but the maker.
    pub unproven: Vec<String>,
    /// Parts that say what follows from the events, and in other words than this version does.
    pub derived: Vec<String>,
}

impl Bundle {
    /// Puts everything in its place. An event that is given twice stands once.
    pub fn new(contents: Contents) -> Self {
        let Contents { about, checkpoint, consistency, events, in_force } = contents;
        let events: BTreeMap<u64, (String, Proof)> =
            events.into_iter().map(|event| (event.1.index(), event)).collect();
        let mut parts =
            vec![Part::new(ABOUT, pretty(&about)), Part::new(CHECKPOINT, checkpoint.to_string())];
        let consistency: BTreeMap<u64, Vec<Hash>> = consistency.into_iter().collect();
        for (size, hashes) in consistency {
            let lines: String =
                hashes.iter().map(|hash| format!("{}\n", form::to_base64(hash))).collect();
            parts.push(Part::new(format!("{CONSISTENCY}{size}"), lines));
        }
        let history = history(events.values().map(|(record, _)| record.as_str()));
        for (number, (record, proof)) in events {
            let explanation = explanation(&record);
            parts.push(Part::new(of_event(number, RECORD), record));
            parts.push(Part::new(of_event(number, PROOF), proof.without_extra().to_string()));
            parts.push(Part::new(of_event(number, EXPLANATION), explanation));
        }
        parts.push(Part::new(HISTORY, history));
        parts.push(Part::new(IN_FORCE, pretty(&in_force)));
        let manifest = manifest(&parts);
        Self { format: FORMAT.to_owned(), manifest, parts }
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let bundle: Self = serde_json::from_slice(bytes)
            .map_err(|error| BundleError::Form(format!("line {}", error.line())))?;
        if bundle.format != FORMAT {
            return Err(BundleError::Form("it names another format".to_owned()));
        }
        Ok(bundle)
    }

    /// One JSON document.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The SHA-256 of the manifest, in hexadecimal digits. It stands for the whole bundle.
    pub fn digest(&self) -> String {
        digest(&self.manifest)
    }

    /// Checks everything, in the order of the parts, and names the first that is wrong. `old` are checkpoints of the
    /// same log that were kept elsewhere. Witnesses that `trust` demands must have signed those; where there are none, the
    /// bundle's own, which nobody has when it is made.
    pub fn verify(
        &self,
        trust: &Trust<'_>,
        old: &[SignedCheckpoint],
        verifier: &impl Verifier,
    ) -> Result<Held, BundleError> {
        self.check_manifest()?;
        let log = Trust { witnesses: &[], quorum: 0, ..*trust };
        let own = if old.is_empty() { trust } else { &log };
        let mut parts = self.parts.iter().peekable();
        take(&mut parts, ABOUT)?;
        let note = take(&mut parts, CHECKPOINT)?;
        let checkpoint = SignedCheckpoint::parse(note.as_bytes())?.verify(own, verifier)?;
        let checkpoint = checkpoint.checkpoint;
        let mut grown = BTreeMap::new();
        while let Some(part) = parts.next_if(|part| part.name.starts_with(CONSISTENCY)) {
            grown.insert(part.name.as_str(), part.text.as_str());
        }
        let mut events = Vec::new();
        let mut records = Vec::new();
        let mut derived = Vec::new();
        while let Some(number) = parts.peek().and_then(|part| number(&part.name)) {
            if events.last().is_some_and(|last| number <= *last) {
                return Err(BundleError::Place { part: of_event(number, RECORD) });
            }
            let record = take(&mut parts, &of_event(number, RECORD))?;
            let proof = take(&mut parts, &of_event(number, PROOF))?;
            check_event(number, record, proof, note, &log, verifier)?;
            let name = of_event(number, EXPLANATION);
            if take(&mut parts, &name)? != explanation(record) {
                derived.push(name);
            }
            events.push(number);
            records.push(record);
        }
        if take(&mut parts, HISTORY)? != history(records.into_iter()) {
            derived.push(HISTORY.to_owned());
        }
        take(&mut parts, IN_FORCE)?;
        if let Some(part) = parts.next() {
            return Err(BundleError::Place { part: part.name.clone() });
        }
        for old in old {
            check_growth(&old.verify(trust, verifier)?.checkpoint, &checkpoint, &grown)?;
        }
        let unproven = vec![ABOUT.to_owned(), IN_FORCE.to_owned()];
        Ok(Held { checkpoint, events, unproven, derived })
    }

    fn check_manifest(&self) -> Result<(), BundleError> {
        let form = || BundleError::Form("its manifest is not of this form".to_owned());
        let mut parts = self.parts.iter();
        for line in form::lines(&self.manifest).ok_or_else(form)? {
            let (sum, name) = line.split_once("  ").ok_or_else(form)?;
            let part = parts.next().filter(|part| part.name == name);
            let part = part.ok_or_else(|| BundleError::Missing { part: name.to_owned() })?;
            if digest(&part.text) != sum {
                return Err(BundleError::Digest { part: name.to_owned() });
            }
        }
        match parts.next() {
            None => Ok(()),
            Some(part) => Err(BundleError::Place { part: part.name.clone() }),
        }
    }
}

/// The text of the next part, which must have this name.
fn take<'p>(
    parts: &mut impl Iterator<Item = &'p Part>,
    name: &str,
) -> Result<&'p str, BundleError> {
    let missing = || BundleError::Missing { part: name.to_owned() };
    let part = parts.next().filter(|part| part.name == name).ok_or_else(missing)?;
    Ok(&part.text)
}

fn check_event(
    number: u64,
    record: &str,
    proof: &str,
    checkpoint: &str,
    trust: &Trust<'_>,
    verifier: &impl Verifier,
) -> Result<(), BundleError> {
    let wrong = |why: String| BundleError::Event { number, why };
    let proof = Proof::parse(proof.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    if proof.index() != number {
        return Err(wrong(format!("its proof is that of event {}", proof.index())));
    }
    if proof.checkpoint().to_string() != checkpoint {
        return Err(wrong("its proof is under another checkpoint".to_owned()));
    }
    let verified = proof.verify(&leaf_hash(record.as_bytes()), trust, verifier);
    verified.map(drop).map_err(|error| wrong(error.to_string()))
}

fn check_growth(
    old: &Checkpoint,
    new: &Checkpoint,
    grown: &BTreeMap<&str, &str>,
) -> Result<(), BundleError> {
    let wrong = |why: String| BundleError::Growth { size: old.size, why };
    let hashes: Vec<Hash> = match grown.get(format!("{CONSISTENCY}{}", old.size).as_str()) {
        Some(lines) => {
            let hashes = lines.lines().map(form::hash).collect::<Option<_>>();
            hashes.ok_or_else(|| wrong("its hashes cannot be read".to_owned()))?
        }
        // The same size needs none.
        None if old.size == new.size => Vec::new(),
        None => return Err(BundleError::NotShown { size: old.size }),
    };
    let verified = verify_consistency(old.size, &old.root, new.size, &new.root, &hashes);
    verified.map_err(|error| wrong(error.to_string()))
}

fn of_event(number: u64, what: &str) -> String {
    format!("events/{number:0NUMBER_DIGITS$}/{what}")
}

/// The number in the name of an event's part.
fn number(name: &str) -> Option<u64> {
    let (number, _) = name.strip_prefix("events/")?.split_once('/')?;
    number.parse().ok()
}

fn explanation(record: &str) -> String {
    serde_json::from_str(record).map(|record| explain(&record, false)).unwrap_or_default()
}

/// The key policies that the events set, oldest first, each with the event that set it.
fn history<'r>(records: impl Iterator<Item = &'r str>) -> String {
    let versions = records.filter_map(|record| {
        let record: Value = serde_json::from_str(record).ok()?;
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let sets = matches!(text("/eventName")?, "PutKeyPolicy" | "CreateKey");
        if !sets || record.get("errorCode").is_some() {
            return None;
        }
        Some(json!({
            "Key": text("/resources/0/ARN"),
            "Time": text("/eventTime"),
            "Operation": text("/eventName"),
            "EventId": text("/eventID"),
            "By": text("/userIdentity/arn"),
            // Null where a key was made with the default policy.
            "Policy": text("/requestParameters/policy"),
        }))
    });
    pretty(&versions.collect())
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn manifest(parts: &[Part]) -> String {
    let mut manifest = String::new();
    for Part { name, text } in parts {
        // Writing to a string does not fail.
        let _ = writeln!(manifest, "{}  {name}", digest(text));
    }
    manifest
}

fn digest(text: &str) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests;
