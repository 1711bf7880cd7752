//! `keyward audit verify --export`: a whole log as it was exported, with nothing but the log's public key.
//!
//! A line is an event's bytes as they were committed, so it must come from `events export` without a change of form.

use super::audit::{Trusted, changed, checkpoints, hashes, unusable};
use crate::{
    args::{Common, Verify},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_engine::log::log_verifier;
use keyward_trail::{
    audit::Audited,
    hashes::check,
    merkle::{Hash, leaf_hash},
};
use serde_json::json;
use std::{
    fs::File,
    io::{BufRead as _, BufReader},
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
    let leaves = leaves(file).map_err(|error| unusable(file, &error))?;
    match check(&leaves, &proven, &said) {
        Err(finding) => Ok(changed(common, &finding.to_string())),
        Ok(audited) => {
            report(common.output, &audited);
            Ok(Exit::Ok)
        }
    }
}

/// The hash of each line. The last one may end without a newline, and an event is never empty.
fn leaves(file: &Path) -> std::io::Result<Vec<Hash>> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file)?);
    let (mut leaves, mut line) = (Vec::new(), Vec::new());
    while 0 < reader.read_until(b'\n', &mut line)? {
        leaves.push(leaf_hash(line.strip_suffix(b"\n").unwrap_or(&line)));
        line.clear();
    }
    Ok(leaves)
}

fn report(format: Format, audited: &Audited) {
    let Audited { size, root, signed } = audited;
    match format {
        Format::Json => {
            let root: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
            output::json(
                &json!({"Intact": true, "Events": size, "Signed": signed, "TreeRoot": root}),
            );
        }
        Format::Text => {
            output::line(&format!("intact: {signed} of {size} events are as they were signed"));
            if signed < size {
                output::note(&format!("events from {signed} on are newer than every checkpoint"));
            }
        }
    }
}
