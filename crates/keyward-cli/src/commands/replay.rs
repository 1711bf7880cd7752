//! `keyward policy replay`: what would have been decided of past requests, asked of the service or a stopped store.

use super::{offline, policy::read, records};
use crate::{
    args::{Common, FailOn, Replay, UsedEvents},
    client::Client,
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_engine::{
    Engine,
    usage::{Change, ChangeKind, ReplayReport, With},
};
use keyward_types::{AccountId, ErrorCode, KmsError};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};

/// Bytes of records in one request: the service takes no larger body than a mebibyte.
const BATCH_BYTES: usize = 256 * 1_024;
/// Records in one request.
const BATCH_RECORDS: usize = 1_000;

pub(super) fn replay(common: &Common, asked: &Replay) -> Result<Exit, CliError> {
    let with = supposed(&asked.with)?;
    let records = asked.events.events.as_deref().map(records::read).transpose()?;
    let report = match &asked.events.data {
        Some(data) => {
            let (engine, account) = stopped(data, &asked.events)?;
            let with = serde_json::from_value(with).map_err(CliError::failure)?;
            of_store(&engine, &account, &with, &asked.events, records)?
        }
        None => of_service(common, &with, &asked.events, records)?,
    };
    match common.output {
        Format::Json => output::json(&serde_json::to_value(&report).map_err(CliError::failure)?),
        Format::Text => print(&report),
    }
    let hit = asked.fail_on.iter().any(|on| report.count(kind(*on)) != 0);
    Ok(if hit { Exit::Problems } else { Exit::Ok })
}

const fn kind(on: FailOn) -> ChangeKind {
    match on {
        FailOn::NewlyDenied => ChangeKind::NewlyDenied,
        FailOn::NewlyAllowed => ChangeKind::NewlyAllowed,
        FailOn::OtherReason => ChangeKind::OtherReason,
    }
}

/// What `--with` says, as the service takes it.
fn supposed(given: &[String]) -> Result<Value, CliError> {
    let usage = |text: String| CliError::new(Exit::Usage, text);
    let (mut keys, mut identities, mut grants) =
        (Vec::new(), Vec::<(String, Vec<String>)>::new(), Vec::new());
    for text in given {
        let wrong = || {
            usage(format!(
                "write --with key:KEY=FILE, identity:PRINCIPAL=FILE or grant:KEY=FILE, not {text}"
            ))
        };
        // A file's name may hold "=", a key's and a principal's path does not begin one.
        let (what, file) = text.split_once('=').ok_or_else(wrong)?;
        let (kind, name) = what.split_once(':').ok_or_else(wrong)?;
        let document = read(Path::new(file))?;
        match kind {
            "key" => keys.push(json!({"KeyId": name, "Policy": document})),
            "identity" => match identities.iter_mut().find(|(known, _)| known == name) {
                Some((_, documents)) => documents.push(document),
                None => identities.push((name.to_owned(), vec![document])),
            },
            "grant" => {
                let list: Value = serde_json::from_str(&document)
                    .map_err(|error| usage(format!("{file}: {error}")))?;
                grants.push(json!({"KeyId": name, "Grants": list}));
            }
            _ => return Err(wrong()),
        }
    }
    let identities: Vec<Value> = identities
        .into_iter()
        .map(|(principal, policies)| json!({"Principal": principal, "Policies": policies}))
        .collect();
    let value = json!({"KeyPolicies": keys, "IdentityPolicies": identities, "Grants": grants});
    // What does not have the form is told here, with the file's name at hand.
    let _with: With = serde_json::from_value(value.clone())
        .map_err(|error| usage(format!("what is supposed does not fit: {error}")))?;
    Ok(value)
}

/// Opens a stopped store, and chooses the account.
pub(super) fn stopped(
    data: &Path,
    asked: &UsedEvents,
) -> Result<(Arc<Engine>, AccountId), CliError> {
    let progress = offline::Bar::new();
    let opened = offline::open(&offline::config(data, &asked.root), &progress)?;
    progress.done();
    let account = match &asked.account {
        Some(text) => AccountId::parse(text)
            .ok_or_else(|| CliError::new(Exit::Usage, format!("{text} is no account")))?,
        None => opened.engine.settings().account.clone(),
    };
    Ok((opened.engine, account))
}

/// What the engine says, with the exit code that an answer of the service would have.
pub(super) fn refused(error: &KmsError) -> CliError {
    let message = error.message.clone().unwrap_or_default();
    let exit = match error.code {
        ErrorCode::NotFound => Exit::NotFound,
        ErrorCode::AccessDenied => Exit::Denied,
        _ => Exit::Failure,
    };
    CliError::new(exit, format!("{}: {message}", error.code.wire()))
}

/// Records in the place of the log's own.
pub(super) type Brought<'r> = dyn Iterator<Item = Result<Vec<u8>, KmsError>> + 'r;

pub(super) fn brought(
    records: Option<Vec<String>>,
) -> Option<impl Iterator<Item = Result<Vec<u8>, KmsError>>> {
    records.map(|records| records.into_iter().map(|text| Ok(text.into_bytes())))
}

fn of_store(
    engine: &Engine,
    account: &AccountId,
    with: &With,
    asked: &UsedEvents,
    records: Option<Vec<String>>,
) -> Result<ReplayReport, CliError> {
    let mut brought = brought(records);
    let records = brought.as_mut().map(|records| records as &mut Brought<'_>);
    let report = engine.replay(account, with, asked.since.as_deref(), records);
    report.map_err(|error| refused(&error))
}

fn of_service(
    common: &Common,
    with: &Value,
    asked: &UsedEvents,
    records: Option<Vec<String>>,
) -> Result<ReplayReport, CliError> {
    let client = Client::new(common);
    let ask = |members: Value| -> Result<ReplayReport, CliError> {
        let mut input = with.clone();
        if let (Some(input), Value::Object(members)) = (input.as_object_mut(), members) {
            input.extend(members);
        }
        let answer = client.post("/v1/policies/replay", &input)?;
        serde_json::from_value(answer).map_err(CliError::failure)
    };
    let Some(records) = records else { return ask(json!({"Since": asked.since})) };
    let mut report = ReplayReport::default();
    for batch in batches(records) {
        report.join(ask(json!({"Records": batch}))?);
    }
    Ok(report)
}

/// Records in parts that the service takes; at least one part, so that what is supposed is looked at.
pub(super) fn batches(records: Vec<String>) -> Vec<Vec<String>> {
    let mut batches = vec![Vec::new()];
    let mut bytes = 0;
    for record in records {
        bytes += record.len();
        match batches.last_mut() {
            Some(batch)
                if batch.len() < BATCH_RECORDS && (bytes <= BATCH_BYTES || batch.is_empty()) =>
            {
                batch.push(record);
            }
            _ => {
                bytes = record.len();
                batches.push(vec![record]);
            }
        }
    }
    batches
}

fn print(report: &ReplayReport) {
    for kind in ChangeKind::ALL {
        let changes: Vec<&Change> =
            report.changes.iter().filter(|change| change.change == *kind).collect();
        if changes.is_empty() {
            continue;
        }
        output::line(&format!("{}: {} events", kind.as_str(), report.count(*kind)));
        for change in changes {
            let Change { principal, action, resource, count, first, last, .. } = change;
            output::line(&format!("  {count} x {action} on {resource} by {principal}"));
            output::line(&format!("      was: {}", change.was));
            output::line(&format!("      now: {}", change.now));
            if change.already_in_force {
                output::line("      the documents in force decide so already");
            }
            output::line(&format!(
                "      {first} to {last}, such as {}",
                change.samples.join(", ")
            ));
        }
    }
    for left in &report.not_replayed {
        let sample = left.samples.first().map(String::as_str).unwrap_or_default();
        output::line(&format!(
            "not replayed: {} events: {} (such as {sample})",
            left.count, left.why
        ));
    }
    output::line(&format!(
        "{} events, {} decisions, {} of them distinct: {} unchanged, {} newly denied, {} newly allowed, {} for another reason",
        report.events,
        report.questions,
        report.distinct,
        report.unchanged,
        report.newly_denied,
        report.newly_allowed,
        report.other_reason,
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_record_once_and_none_is_too_large() {
        let records: Vec<String> = (0..3_000).map(|n| "x".repeat(100 + n % 300)).collect();
        let large = "y".repeat(2 * BATCH_BYTES);
        let all: Vec<String> =
            records.iter().cloned().chain([large]).chain(records.clone()).collect();
        let parts = batches(all.clone());
        assert_eq!(parts.concat(), all);
        for part in &parts {
            let bytes: usize = part.iter().map(String::len).sum();
            assert!(part.len() <= BATCH_RECORDS && (bytes <= BATCH_BYTES || part.len() == 1));
        }
        assert_eq!(batches(Vec::new()), [Vec::<String>::new()]);
    }

    #[test]
    fn what_is_supposed_says_what_and_where() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("a=b.json");
        std::fs::write(&file, "{}").unwrap();
        let with = |text: &str| supposed(&[format!("{text}={}", file.display())]);
        let key = with("key:alias/data").unwrap();
        assert_eq!(key["KeyPolicies"][0], json!({"KeyId": "alias/data", "Policy": "{}"}));
        let both = supposed(&[
            format!("identity:role/app={}", file.display()),
            format!("identity:role/app={}", file.display()),
        ]);
        assert_eq!(both.unwrap()["IdentityPolicies"][0]["Policies"], json!(["{}", "{}"]));
        for wrong in ["key", "policy:x", "grant:alias/data"] {
            assert_eq!(with(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
        assert_eq!(supposed(&["key:a=/nowhere/x".to_owned()]).unwrap_err().exit, Exit::Usage);
    }
}
