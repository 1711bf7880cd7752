//! Sealed journal segments away from their store: whether they are what the log signed, and the events in them.

use super::{
    audit::{changed, unusable, verifier_key},
    offline,
};
use crate::{
    args::{Common, RootKeyArgs},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_engine::{log::log_verifier, segments::footer_of};
use keyward_store::{SealedSegment, StoreError};
use keyward_trail::{
    note::VerifierKey,
    segment::{Footer, SignedFooter},
};
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

/// 0 when all holds, 9 when anything is not as it was signed.
pub(super) fn verify(common: &Common, folder: &Path, key: &str) -> Result<Exit, CliError> {
    let key = verifier_key("--key", key)?;
    let mut found: Vec<Footer> = Vec::new();
    for path in paths(folder)? {
        match check(&path, &key, found.last()) {
            Ok(footer) => found.push(footer),
            Err(problem) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Ok(changed(common, &format!("{name}: {problem}")));
            }
        }
    }
    let (Some(first), Some(last)) = (found.first(), found.last()) else { return Ok(Exit::Ok) };
    let (from, to) = (first.events.0, last.events.1);
    match common.output {
        Format::Json => output::json(&json!({
            "Intact": true,
            "Segments": found.len(),
            "FirstSegment": first.segment,
            "FirstEvent": from,
            "NextEvent": to,
        })),
        Format::Text => output::line(&format!(
            "intact: {} segments, from {}, with the events from {from} to before {to}",
            found.len(),
            first.segment
        )),
    }
    Ok(Exit::Ok)
}

fn check(path: &Path, key: &VerifierKey, before: Option<&Footer>) -> Result<Footer, String> {
    let words = |error: &dyn core::fmt::Display| error.to_string();
    let segment = SealedSegment::read(path).map_err(|error| words(&error))?;
    let signed = SignedFooter::parse(&segment.footer).map_err(|error| words(&error))?;
    let footer = signed.verify(key, &log_verifier).map_err(|error| words(&error))?;
    if *footer != footer_of(key.name(), &segment.facts, footer.root) {
        return Err("the footer was signed of another segment".to_owned());
    }
    if !segment.is_as_summed().map_err(|error| words(&error))? {
        return Err("its bytes are not those that its footer was signed over".to_owned());
    }
    before.map_or(Ok(()), |before| footer.follows(before)).map_err(|error| words(&error))?;
    Ok(footer.clone())
}

/// Every event in them, oldest first.
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
    read.map_err(|error| offline::error(&error))?;
    Ok(Exit::Ok)
}
