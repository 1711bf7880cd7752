//! `keyward audit verify --export`: events as they were exported, with nothing but the log's public key.
//!
//! A line is an event's bytes as they were committed, so it must come from `events export` without a change of form.
//! Which events of the log they are, the hashes that were written with them say; a checkpoint alone holds an export
//! that begins with the log's first event.

use super::audit::{Trusted, changed, checkpoints, hashes, unusable};
use crate::{
    args::{Common, Verify},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_engine::log::log_verifier;
use keyward_trail::{
    audit::Audited,
    checkpoint::Checkpoint,
    hashes::{Proven, check_from, start_of},
    merkle::{Hash, leaf_hash},
};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
};

pub(super) fn verify(common: &Common, file: &Path, options: &Verify) -> Result<Exit, CliError> {
    if options.checkpoint.is_empty() && options.hashes.is_empty() {
        let words = "an export proves nothing by itself: name --hashes or --checkpoint";
        return Err(CliError::new(Exit::Usage, words));
    }
    let trusted = Trusted::new(options.key.as_deref().unwrap_or_default(), &options.witnesses)?;
    let (kept, listed) = (checkpoints(&options.checkpoint)?, hashes(&options.hashes)?);
    let mut said = Vec::new();
    for (one, name) in kept.iter().zip(&options.checkpoint) {
        match one.verify(&trusted.trust(), &log_verifier) {
            Ok(opened) => said.push(opened.checkpoint),
            Err(error) => return Ok(changed(common, &format!("{}: {error}", name.display()))),
        }
    }
    let mut proven = Vec::new();
    for (one, name) in listed.iter().zip(&options.hashes) {
        match one.verify(&trusted.trust(), &log_verifier) {
            Ok(one) => proven.push(one),
            Err(error) => return Ok(changed(common, &format!("{}: {error}", name.display()))),
        }
    }
    let found = leaves(file).map_err(|error| unusable(file, &error))?;
    let Some(start) = start_of(found.len(), &proven, options.first) else {
        let words = "--first: no --hashes reach from before this event to it";
        return Err(CliError::new(Exit::Usage, words));
    };
    let first = start.size();
    match check_from(start, &found, &proven, &said) {
        Err(finding) => {
            if proven.is_empty() {
                if says_that_events_left(file).map_err(|error| unusable(file, &error))? {
                    let words = "the export says that the log's first events left it by retention, and a checkpoint alone holds only an export that begins with the first";
                    return Err(CliError::new(Exit::Usage, words)
                        .hint("bring what `events export --hashes FILE` writes with the export"));
                }
                output::note(
                    "a checkpoint alone holds an export that begins with the log's first event; to hold a part, bring --hashes that were written with it",
                );
            } else if options.first.is_none() {
                output::note(&format!(
                    "the export was taken to begin with event {first}, as the hashes do; --first says otherwise"
                ));
            }
            Ok(changed(common, &finding.to_string()))
        }
        Ok(audited) => {
            let held = Held { first, audited, allowed: options.allow_unsigned_tail };
            held.report(common.output, &proven, &said);
            Ok(if held.is_intact() { Exit::Ok } else { Exit::Problems })
        }
    }
}

/// The hash of each line. The last one may end without a newline, and an event is never empty.
fn leaves(file: &Path) -> io::Result<Vec<Hash>> {
    let mut leaves = Vec::new();
    each_line(file, |event| leaves.push(leaf_hash(event)))?;
    Ok(leaves)
}

/// Whether one of the events says that earlier ones left the log. While any have, there is such a one.
fn says_that_events_left(file: &Path) -> io::Result<bool> {
    let mut found = false;
    each_line(file, |event| {
        let name = serde_json::from_slice::<Value>(event)
            .ok()
            .and_then(|event| Some(event.get("eventName")? == "RetireEvents"));
        found |= name == Some(true);
    })?;
    Ok(found)
}

fn each_line(file: &Path, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file)?);
    let mut line = Vec::new();
    while 0 < reader.read_until(b'\n', &mut line)? {
        each(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    Ok(())
}

/// What was found whole.
struct Held {
    /// The number of the export's first event.
    first: u64,
    audited: Audited,
    /// Whether events that nobody signed may follow the last that somebody did.
    allowed: bool,
}

impl Held {
    fn is_intact(&self) -> bool {
        self.allowed || self.audited.signed == self.audited.size
    }

    /// What nobody vouches for.
    fn unsigned(&self) -> Option<String> {
        let Audited { size, signed, .. } = self.audited;
        let (what, are) = match size - signed {
            0 => return None,
            1 => (format!("event {signed} is"), "it"),
            _ => (format!("events {signed} to {} are", size - 1), "them"),
        };
        Some(format!("{what} newer than every checkpoint: nobody has signed {are}"))
    }

    fn report(&self, format: Format, proven: &[Proven], said: &[Checkpoint]) {
        let Audited { size, root, signed } = &self.audited;
        let first = self.first;
        // The largest log that anything which was brought speaks of.
        let log = proven.iter().map(Proven::head).chain(said).map(|one| one.size).max();
        let log = log.unwrap_or_default().max(*size);
        match format {
            Format::Json => {
                let root: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
                let mut told = json!({
                    "Intact": self.is_intact(), "Events": size - first, "FirstEvent": first,
                    "NextEvent": size, "Signed": signed - first, "LogSize": log, "TreeRoot": root,
                });
                let unsigned = self.unsigned().filter(|_| !self.is_intact());
                if let (Some(unsigned), Some(told)) = (unsigned, told.as_object_mut()) {
                    told.insert("Problem".to_owned(), unsigned.into());
                }
                output::json(&told);
            }
            Format::Text => {
                let word = if self.is_intact() { "intact" } else { "not vouched for" };
                let unsigned = self.unsigned().filter(|_| !self.is_intact());
                let but = unsigned.map_or_else(String::new, |unsigned| format!("; {unsigned}"));
                output::line(&format!(
                    "{word}: {} of {} events are as they were signed{but}",
                    signed - first,
                    size - first
                ));
                if 0 < first || *size < log {
                    output::note(&format!(
                        "these are the events from {first} to before {size} of a log that had {log}; the others are not here to be held against anything"
                    ));
                }
                if let Some(unsigned) = self.unsigned().filter(|_| self.allowed) {
                    output::note(&unsigned);
                }
            }
        }
    }
}
