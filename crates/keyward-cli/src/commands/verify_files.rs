//! `keyward audit verify-files`: whether a folder of CloudTrail files is what was written, without a service.

use crate::{
    args::Common,
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_export::Folder;
use keyward_server::files::TrailKeys;
use keyward_trail::files::{Checked, Objects as _, Verifier};
use keyward_types::Timestamp;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// 0 when all holds, 9 when anything is not as it was written.
pub(super) fn verify_files(
    common: &Common,
    path: &Path,
    public_keys: &[PathBuf],
    until: Option<&str>,
) -> Result<Exit, CliError> {
    if !path.is_dir() {
        let message = format!("{} is no folder", path.display());
        return Err(CliError::new(Exit::NotFound, message));
    }
    let until = until.map(time).transpose()?;
    let folder = Folder::new(path);
    let keys =
        if public_keys.is_empty() { keys_within(&folder)? } else { keys_given(public_keys)? };
    let verify = |fingerprint: &str, message: &[u8], signature: &[u8]| {
        keys.verify(fingerprint, message, signature)
    };
    let checked = Verifier { objects: &folder, verify: &verify, until }.check();
    let checked = checked.map_err(CliError::failure)?;
    report(common.output, &checked);
    Ok(if checked.findings.is_empty() { Exit::Ok } else { Exit::Integrity })
}

fn time(text: &str) -> Result<Timestamp, CliError> {
    let wanted = format!("{text} is no time such as 2026-01-31T12:00:00Z");
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|time| Timestamp(time.timestamp_millis()))
        .map_err(|_| CliError::new(Exit::Usage, wanted))
}

fn keys_given(paths: &[PathBuf]) -> Result<TrailKeys, CliError> {
    let mut keys = TrailKeys::default();
    for path in paths {
        let failed =
            |error: String| CliError::new(Exit::Usage, format!("{}: {error}", path.display()));
        let text = fs::read(path).map_err(|error| failed(error.to_string()))?;
        keys.add(&text).map_err(failed)?;
    }
    Ok(keys)
}

/// The keys that lie in the folder itself.
fn keys_within(folder: &Folder) -> Result<TrailKeys, CliError> {
    let mut keys = TrailKeys::default();
    for key in folder.list("").map_err(CliError::failure)? {
        let is_key = key.ends_with(".pem") && key.rsplit('/').nth(1) == Some("public-keys");
        let object = if is_key { folder.get(&key).map_err(CliError::failure)? } else { None };
        if let Some(object) = object {
            // What is no key leaves its digests without one, which is found.
            drop(keys.add(&object.bytes));
        }
    }
    output::warn(
        "the public key is the one in the folder: whoever can write there can put another; give --public-key",
    );
    Ok(keys)
}

fn report(format: Format, checked: &Checked) {
    let Checked { streams, digests, logs, open_logs, events, findings } = checked;
    match format {
        Format::Json => {
            let findings: Vec<_> = findings
                .iter()
                .map(|finding| {
                    json!({"Object": finding.object, "Problem": finding.problem.to_string()})
                })
                .collect();
            output::json(&json!({
                "Intact": findings.is_empty(),
                "Trails": streams,
                "DigestFiles": digests,
                "LogFiles": logs,
                "LogFilesWithoutDigestYet": open_logs,
                "Events": events,
                "Findings": findings,
            }));
        }
        Format::Text => {
            for finding in findings {
                output::line(&format!("changed: {}: {}", finding.object, finding.problem));
            }
            let verdict = if findings.is_empty() { "intact" } else { "not intact" };
            output::line(&format!(
                "{verdict}: {events} events in {logs} log files and {open_logs} without a digest yet, {digests} digests, {streams} accounts and Regions"
            ));
        }
    }
}
