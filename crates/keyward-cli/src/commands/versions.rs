//! `keyward key versions` and `key inspect-ciphertext`: a key's materials, and which one a ciphertext is of.

use super::input;
use crate::{
    args::Common,
    client::{Client, encoded},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_types::Blob;
use serde_json::{Value, json};
use std::path::Path;

/// A date of an answer, as people write it.
pub(super) fn date(value: Option<&Value>) -> String {
    let seconds = value.and_then(Value::as_f64).unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "dates are far from the edge")]
    let date = chrono::DateTime::from_timestamp(seconds as i64, 0);
    date.filter(|_| value.is_some()).map(|date| date.to_rfc3339()).unwrap_or_default()
}

pub(super) fn list(common: &Common, client: &Client<'_>, key: &str) -> Result<Exit, CliError> {
    let described = client.call("DescribeKey", &json!({"KeyId": key}))?;
    let key = described.pointer("/KeyMetadata/Arn").and_then(Value::as_str).unwrap_or(key);
    let path = format!("/v1/keys/{}/versions", encoded(key));
    let (mut rows, mut query) = (Vec::new(), Vec::new());
    loop {
        let answer = client.read(&path, &query)?;
        let listed = answer.get("Versions").and_then(Value::as_array);
        for version in listed.into_iter().flatten() {
            let text = |name: &str| version.get(name).and_then(Value::as_str).unwrap_or("");
            let present = version.get("Present").and_then(Value::as_bool) == Some(true);
            match common.output {
                Format::Json => output::json_line(version),
                Format::Text => rows.push(vec![
                    version.get("Version").map(ToString::to_string).unwrap_or_default(),
                    text("State").to_owned(),
                    date(version.get("CreationDate")),
                    date(version.get("RotationDate")),
                    if present { "yes" } else { "no" }.to_owned(),
                    text("KeyMaterialId").to_owned(),
                ]),
            }
        }
        match answer.get("NextMarker").and_then(Value::as_str) {
            Some(marker) => query = vec![("Marker", marker.to_owned())],
            None => break,
        }
    }
    if common.output == Format::Text {
        let head = ["VERSION", "STATE", "CREATED", "ROTATED", "PRESENT", "KEY MATERIAL ID"];
        output::table(&head, &rows);
    }
    Ok(Exit::Ok)
}

pub(super) fn inspect(common: &Common, client: &Client<'_>, file: &Path) -> Result<Exit, CliError> {
    // A ciphertext is no text, so that its base64 is never mistaken for it.
    let bytes = input::bytes(file)?;
    let text = String::from_utf8(bytes.clone()).ok();
    let text = text.map(|text| text.split_ascii_whitespace().collect::<String>());
    let decoded = text.and_then(|text| serde_json::from_value(Value::String(text)).ok());
    let blob: Blob = decoded.unwrap_or(Blob(bytes));
    let input = json!({"CiphertextBlob": blob});
    let answer = client.post("/v1/inspect-ciphertext", &input)?;
    if common.output == Format::Json {
        output::json(&answer);
        return Ok(Exit::Ok);
    }
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let version = answer.pointer("/Version/Version");
    let state = answer.pointer("/Version/State").and_then(Value::as_str).unwrap_or("");
    output::line(&format!("key          {}", text("KeyId")));
    match version {
        Some(number) => output::line(&format!("version      {number} ({state})")),
        None => output::line("version      none of this key's: it was not made by it"),
    }
    output::line(&format!("key material {}", text("KeyMaterialId")));
    output::note("The header says so; only Decrypt proves it.");
    Ok(Exit::Ok)
}
