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
    audit::{Audited, Finding},
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
                if 0 < left_before(file).map_err(|error| unusable(file, &error))? {
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
            let demanded = said.iter().map(|one| one.size).max().unwrap_or_default();
            if audited.size < demanded && !options.part {
                let finding = Finding::Truncated { found: audited.size, signed: demanded };
                output::note("an export that ends early on purpose is taken with --part");
                return Ok(changed(common, &finding.to_string()));
            }
            let mut held =
                Held { first, audited, allowed: options.allow_unsigned_tail, absent: Vec::new() };
            if !options.part {
                // What events of the export itself say of the log's beginning was signed with them. They are read once
                // more only where the export begins later.
                let left = match first {
                    0 => 0,
                    _ => left_before(file).map_err(|error| unusable(file, &error))?,
                };
                held.look_for_absent(options.first, left, &proven);
            }
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

/// Up to which event the log's own events say that earlier ones left it; 0 when none says so. While any have left, there
/// is such a one.
fn left_before(file: &Path) -> io::Result<u64> {
    let mut left = 0;
    each_line(file, |event| {
        let next = || {
            let event: Value = serde_json::from_slice(event).ok()?;
            let is_it = event.get("eventName")? == "RetireEvents"
                && event.get("eventSource")? == "keyward.amazonaws.com";
            event.pointer("/serviceEventDetails/nextEvent").filter(|_| is_it)?.as_u64()
        };
        left = left.max(next().unwrap_or_default());
    })?;
    Ok(left)
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
    /// What of the log is not in the export, without a reason.
    absent: Vec<String>,
}

impl Held {
    fn is_intact(&self) -> bool {
        self.absent.is_empty() && (self.allowed || self.audited.signed == self.audited.size)
    }

    /// Who cuts an export can cut its hashes alike, so that a part is whole only for who says that it is one. `left` is
    /// up to where events left the log, as it says itself.
    fn look_for_absent(&mut self, said_first: Option<u64>, left: u64, proven: &[Proven]) {
        let (first, end) = (self.first, self.audited.size);
        if 0 < first && said_first != Some(first) && left != first {
            self.absent.push(format!("events 0 to {} are not in it", first - 1));
        }
        let log = proven.iter().map(|one| one.head().size).max().unwrap_or_default();
        if end < log {
            self.absent.push(format!("events {end} to {} are not in it", log - 1));
        }
    }

    /// Why it is not taken as it is.
    fn problems(&self) -> String {
        let absent = self.absent.iter().map(|what| format!("{what}: take a part with --part"));
        let unsigned = self.unsigned().filter(|_| !self.allowed);
        absent.chain(unsigned).collect::<Vec<_>>().join("; ")
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
                if let (false, Some(told)) = (self.is_intact(), told.as_object_mut()) {
                    told.insert("Problem".to_owned(), self.problems().into());
                }
                output::json(&told);
            }
            Format::Text => {
                let word = if self.is_intact() { "intact" } else { "not vouched for" };
                let but = match self.is_intact() {
                    true => String::new(),
                    false => format!("; {}", self.problems()),
                };
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
