//! `keyward incident freeze`, `thaw` and `frozen`: one call each, recorded, reversible.

use super::ask::{pages, text};
use crate::{
    args::{Common, Frozen},
    client::Client,
    exit::{CliError, Exit},
    output::{self, Format},
};
use serde_json::{Value, json};

pub(super) fn freeze(common: &Common, target: &Frozen, reason: &str) -> Result<Exit, CliError> {
    let input = json!({"Target": target.target, "GrantId": target.grant, "Reason": reason});
    let answer = Client::new(common).post("/v1/incident/freeze", &input)?;
    match common.output {
        Format::Json => output::json(&answer),
        Format::Text => {
            output::line(&text(&answer, "FreezeId"));
            output::note(&format!("frozen: {}", told(&answer)));
        }
    }
    Ok(Exit::Ok)
}

pub(super) fn thaw(
    common: &Common,
    target: &Frozen,
    reason: Option<&str>,
) -> Result<Exit, CliError> {
    let input = json!({"Target": target.target, "GrantId": target.grant, "Reason": reason});
    let answer = Client::new(common).post("/v1/incident/thaw", &input)?;
    match (common.output, answer.get("Thawed")) {
        (Format::Json, _) => output::json(&answer),
        (Format::Text, Some(thawed)) => {
            output::line(&text(thawed, "FreezeId"));
            output::note(&format!("thawed: {}", told(thawed)));
        }
        (Format::Text, None) => output::note("it was not frozen"),
    }
    Ok(Exit::Ok)
}

/// Everything that is frozen.
pub(super) fn all(client: &Client<'_>) -> Result<Vec<Value>, CliError> {
    pages(client, "/v1/incident/frozen", &[], "Frozen")
}

pub(super) fn frozen(common: &Common) -> Result<Exit, CliError> {
    let frozen = all(&Client::new(common))?;
    match common.output {
        Format::Json => frozen.iter().for_each(output::json_line),
        Format::Text => {
            let row = |one: &Value| {
                let since = one.get("Since").and_then(Value::as_f64).map(seconds);
                vec![
                    text(one, "FreezeId"),
                    told(one),
                    since.unwrap_or_default(),
                    text(one, "By"),
                    text(one, "Reason"),
                ]
            };
            let rows: Vec<Vec<String>> = frozen.iter().map(row).collect();
            output::table(&["FREEZE ID", "WHAT", "SINCE", "BY", "REASON"], &rows);
        }
    }
    Ok(Exit::Ok)
}

/// Such as `key ARN`, `role job` or `grant ID on ARN`.
fn told(frozen: &Value) -> String {
    let (kind, target) = (text(frozen, "Type").to_lowercase(), text(frozen, "Target"));
    match frozen.get("GrantId").and_then(Value::as_str) {
        Some(grant) => format!("{kind} {grant} on {target}"),
        None => format!("{kind} {target}"),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a time of a record is a number of this size")]
fn seconds(time: f64) -> String {
    let time = chrono::DateTime::from_timestamp(time as i64, 0);
    time.map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}
