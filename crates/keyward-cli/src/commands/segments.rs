//! Sealed journal segments away from their store: whether they are what the log signed, and the events in them.

use super::{
    audit::{Trusted, changed, checkpoints, unusable},
    offline,
};
use crate::{
    args::{Common, RootKeyArgs, WitnessArgs},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_engine::{log::log_verifier, segments::checked_footer};
use keyward_server::StartError;
use keyward_store::{SealedSegment, StoreError};
use keyward_trail::segment::Footer;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The sealed segments in a folder, by number.
fn paths(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let listed = fs::read_dir(folder).map_err(|error| unusable(folder, &error))?;
    let mut paths: Vec<PathBuf> = listed
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sealed"))
        .collect();
    paths.sort();
    if paths.is_empty() {
        let message = format!("{} holds no sealed segments", folder.display());
        return Err(CliError::new(Exit::NotFound, message));
    }
    Ok(paths)
}

/// What segments are to be, beside what was signed.
pub(super) struct Wanted<'w> {
    pub(super) key: &'w str,
    /// The number of the first event.
    pub(super) from: Option<u64>,
    pub(super) checkpoint: &'w [PathBuf],
    pub(super) witnesses: &'w WitnessArgs,
}

/// 0 when all holds, 6 when events before a checkpoint are not in them, 9 when anything is not as it was signed.
pub(super) fn verify(
    common: &Common,
    folder: &Path,
    wanted: &Wanted<'_>,
) -> Result<Exit, CliError> {
    let trusted = Trusted::new(wanted.key, wanted.witnesses)?;
    let kept = checkpoints(wanted.checkpoint)?;
    let mut found: Vec<Footer> = Vec::new();
    for path in paths(folder)? {
        let read = SealedSegment::read(&path).map_err(|error| error.to_string());
        match read.and_then(|segment| checked_footer(&segment, &trusted.key, found.last())) {
            Ok(footer) => found.push(footer),
            Err(problem) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Ok(changed(common, &format!("{name}: {problem}")));
            }
        }
    }
    let (Some(first), Some(last)) = (found.first(), found.last()) else { return Ok(Exit::Ok) };
    let (from, to) = (first.events.0, last.events.1);
    if let Some(wanted) = wanted.from.filter(|wanted| *wanted != from) {
        let words = format!(
            "the first event is {from}, not {wanted}: segments before {} are missing, or too many are here",
            first.segment
        );
        return Ok(changed(common, &words));
    }
    let mut compared = 0;
    let mut beyond: Option<u64> = None;
    for (one, name) in kept.iter().zip(wanted.checkpoint) {
        let said = match one.verify(&trusted.trust(), &log_verifier) {
            Ok(opened) => opened.checkpoint,
            Err(error) => return Ok(changed(common, &format!("{}: {error}", name.display()))),
        };
        beyond = beyond.max(Some(said.size).filter(|size| to < *size));
        if let Some(footer) = found.iter().find(|footer| footer.events.1 == said.size) {
            if footer.root != said.root {
                let words = format!(
                    "the checkpoint of size {} is of other events than segment {} ends with",
                    said.size, footer.segment
                );
                return Ok(changed(common, &words));
            }
            compared += 1;
        }
    }
    let missing = beyond.map(|size| {
        format!("events from {to} to {} are not here: their segments were removed, or have not been archived yet", size - 1)
    });
    match common.output {
        Format::Json => output::json(&json!({
            "Intact": missing.is_none(),
            "Problem": missing,
            "Segments": found.len(),
            "FirstSegment": first.segment,
            "FirstEvent": from,
            "NextEvent": to,
            "CheckpointsCompared": compared,
        })),
        Format::Text => {
            let word = if missing.is_some() { "incomplete" } else { "intact" };
            output::line(&format!(
                "{word}: {} segments, from {}, with the events from {from} to before {to}",
                found.len(),
                first.segment
            ));
            if let Some(missing) = &missing {
                output::line(missing);
            }
            told_from(from);
            if kept.is_empty() {
                output::note(
                    "whether segments at the end were removed, a --checkpoint tells that was kept elsewhere",
                );
            }
        }
    }
    Ok(if missing.is_some() { Exit::Problems } else { Exit::Ok })
}

/// Says that there were events before.
fn told_from(from: u64) {
    if 0 < from {
        output::note(&format!("it begins with event {from}: the {from} before it are not here"));
    }
}

/// Every event in them, oldest first; none, when a segment is not what the log signed, or one is missing between.
pub(super) fn events(folder: &Path, data: &Path, root: &RootKeyArgs) -> Result<Exit, CliError> {
    let read = |path: &PathBuf| SealedSegment::read(path);
    let segments: Result<Vec<SealedSegment>, StoreError> =
        paths(folder)?.iter().map(read).collect();
    let segments = segments.map_err(|error| offline::error(&error.into()))?;
    let config = offline::config(data, root);
    let read = keyward_server::read_segments(&config, &segments, &mut |_, record| {
        output::exact_line(&String::from_utf8_lossy(record));
        Ok(())
    });
    let (from, _) = read.map_err(|error| match error {
        StartError::Log(problem) => CliError::new(Exit::Integrity, problem),
        error => offline::error(&error),
    })?;
    told_from(from);
    Ok(Exit::Ok)
}
