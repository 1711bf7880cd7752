//! `keyward audit`: whether the log and the store are what was written.

use super::{offline, verify_files};
use crate::{
    args::{Audit, Common},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_server::StartError;
use keyward_store::{SledState, StoreError, Verified};
use serde_json::json;

/// 0 when all holds, 9 when anything was changed.
pub(super) fn audit(common: &Common, command: &Audit) -> Result<Exit, CliError> {
    let (data, root) = match command {
        Audit::Verify { data, root } => (data, root),
        Audit::VerifyFiles { folder, public_key, until } => {
            return verify_files::verify_files(common, folder, public_key, until.as_deref());
        }
    };
    let progress = offline::Bar::new();
    let verified = keyward_server::verify(&offline::config(data, root), &progress);
    progress.done();
    match verified {
        Ok(verified) => {
            report(common.output, &verified);
            Ok(Exit::Ok)
        }
        Err(StartError::Store(error @ (StoreError::Corrupt { .. } | StoreError::Lost { .. }))) => {
            match common.output {
                Format::Json => {
                    output::json(&json!({"Intact": false, "Problem": error.to_string()}))
                }
                Format::Text => output::line(&format!("changed: {error}")),
            }
            Ok(Exit::Integrity)
        }
        Err(error) => Err(offline::error(&error)),
    }
}

fn report(format: Format, verified: &Verified) {
    let Verified { segments, frames, commits, events, records, journal_bytes, torn_bytes, .. } =
        *verified;
    let behind = match verified.sled {
        SledState::Equal => 0,
        SledState::Behind { commits } => commits,
    };
    match format {
        Format::Json => output::json(&json!({
            "Intact": true,
            "Segments": segments,
            "Frames": frames,
            "Commits": commits,
            "Events": events,
            "Records": records,
            "JournalBytes": journal_bytes,
            "UnacknowledgedBytes": torn_bytes,
            "CommitsToReplay": behind,
        })),
        Format::Text => {
            output::line(&format!(
                "intact: {events} events and {records} records in {commits} commits, {segments} segments"
            ));
            if 0 < torn_bytes || 0 < behind {
                output::note(&format!(
                    "the last run did not stop cleanly: {torn_bytes} unacknowledged bytes, {behind} commits to replay at the next start"
                ));
            }
        }
    }
}
