//! Records of AWS CloudTrail as it delivers them: a folder of gzip files, or one file with `{"Records": […]}`.
//!
//! INVARIANT: a file that is broken is named and ends the command: what is left out in silence would look unused.

use crate::exit::{CliError, Exit};
use keyward_trail::files::gunzip;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The records of everything at a place, each as JSON text, in the order of the files' names.
pub(super) fn read(place: &Path) -> Result<Vec<String>, CliError> {
    let mut files = Vec::new();
    if place.is_dir() {
        find(place, &mut files)?;
        files.sort();
    } else {
        files.push(place.to_owned());
    }
    if files.is_empty() {
        return Err(failed(place, "there is no CloudTrail file (.json or .json.gz)"));
    }
    let mut records = Vec::new();
    for file in &files {
        records.extend(of_file(file)?);
    }
    Ok(records)
}

fn failed(file: &Path, error: impl core::fmt::Display) -> CliError {
    CliError::new(Exit::Usage, format!("{}: {error}", file.display()))
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), CliError> {
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            // Digests stand beside the log and hold no events.
            if !name.starts_with("CloudTrail-") {
                find(&path, found)?;
            }
        } else if name.ends_with(".json.gz") || name.ends_with(".json") {
            found.push(path);
        }
    }
    Ok(())
}

fn of_file(file: &Path) -> Result<Vec<String>, CliError> {
    let bytes = fs::read(file).map_err(|error| failed(file, error))?;
    let is_gzip = bytes.starts_with(&[0x1f, 0x8b]);
    let bytes = match is_gzip {
        true => gunzip(&bytes).map_err(|error| failed(file, format!("bad gzip: {error:?}")))?,
        false => bytes,
    };
    let mut export: Value = serde_json::from_slice(&bytes)
        .map_err(|error| failed(file, format!("no CloudTrail export: {error}")))?;
    match export.get_mut("Records").map(Value::take) {
        Some(Value::Array(records)) => Ok(records.iter().map(Value::to_string).collect()),
        _ => Err(failed(file, "no CloudTrail export: it has no list of Records")),
    }
}
