//! `keyward principal blast-radius`: what a credential could have opened, and what it did open.
//!
//! What it could is asked of the policies as they stand now (`PrincipalCan`); what it did is read from the log.
//! Data keys and key pairs that it generated count as opened: it has seen them in plaintext.
//! INVARIANT: what could not be asked is said so; silence never stands for "nothing".

use super::{
    ask::{list, pages, survey, text},
    freeze,
    history::{Tally, dash, each_event, keys, only, row, with_tally, written},
};
use crate::{
    args::Common,
    client::{Client, encoded},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_types::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What opens a ciphertext, or makes one that another key opens.
const OPENS: &[&str] = &["kms:Decrypt", "kms:ReEncryptFrom", "kms:DeriveSharedSecret"];
/// What hands the permission to open to anybody, its holder included.
const ESCALATES: &[&str] = &["kms:CreateGrant", "kms:PutKeyPolicy"];
/// Operations that showed their caller a plaintext or a shared secret.
const SHOWED: &[&str] = &[
    "Decrypt",
    "ReEncrypt",
    "DeriveSharedSecret",
    "Decapsulate",
    "GenerateDataKey",
    "GenerateDataKeyPair",
];

pub(super) fn radius(
    common: &Common,
    principal: &str,
    since: Option<&str>,
) -> Result<Exit, CliError> {
    let client = Client::new(common);
    let could = could(&client, principal)?;
    let did = did(&client, principal, since)?;
    // What is frozen opens nothing now, and would after a thaw.
    let frozen = freeze::all(&client).ok();
    match common.output {
        Format::Json => {
            let did = did.iter().map(|((key, context, operation), tally)| {
                let mut row = with_tally(&[("KeyId", key), ("Operation", operation)], tally);
                let context = serde_json::from_str(context).unwrap_or(Value::Null);
                row.insert("EncryptionContext".to_owned(), context);
                Value::Object(row)
            });
            let did: Vec<Value> = did.collect();
            output::json(&json!({
                "Principal": principal, "Could": could, "Did": did, "Frozen": frozen,
            }));
        }
        Format::Text => {
            match &could {
                Some(could) => tell_could(could),
                None => {
                    output::warn("what it could do is not known: there is no such principal now")
                }
            }
            match frozen.as_deref() {
                Some([]) => {}
                Some(frozen) => output::warn(&format!(
                    "what it could leaves out what is frozen now: {} freezes, see keyward incident frozen",
                    frozen.len()
                )),
                None => {
                    output::warn("whether anything is frozen, and so left out, could not be asked")
                }
            }
            output::line("DID");
            let rows: Vec<Vec<String>> = did
                .iter()
                .map(|((key, context, operation), tally)| {
                    row(&[dash(key), operation, context], tally)
                })
                .collect();
            const HEADINGS: &[&str] =
                &["KEY", "OPERATION", "ENCRYPTION CONTEXT", "COUNT", "REFUSED", "FIRST", "LAST"];
            output::table(HEADINGS, &rows);
        }
    }
    Ok(Exit::Ok)
}

/// By key, what it could do; `None` when the principal is no more.
fn could(client: &Client<'_>, principal: &str) -> Result<Option<Vec<Value>>, CliError> {
    let actions = OPENS.iter().chain(ESCALATES);
    let query: Vec<(&str, String)> =
        actions.map(|action| ("Actions", (*action).to_owned())).collect();
    let path = format!("/v1/principals/{}/can", encoded(principal));
    match pages(client, &path, &query, "Keys") {
        Ok(keys) => Ok(Some(keys)),
        Err(CliError { exit: Exit::NotFound, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn tell_could(could: &[Value]) {
    output::line("COULD");
    let mut rows = Vec::new();
    for key in could {
        for action in list(key, "Actions") {
            let mut row = vec![text(key, "KeyId"), text(action, "Action")];
            row.extend(survey(action));
            rows.push(row);
        }
    }
    output::table(&["KEY", "ACTION", "CERTAINTY", "HOW"], &rows);
}

/// By key, encryption context and operation.
type Did = BTreeMap<(String, String, String), Tally>;

fn did(client: &Client<'_>, principal: &str, since: Option<&str>) -> Result<Did, CliError> {
    let query = only(principal)?;
    let mut filter = vec![("principal", principal.to_owned()), ("outcome", "success".to_owned())];
    filter.extend(since.map(|since| ("since", since.to_owned())));
    let mut did = Did::new();
    each_event(client, &filter, |event| {
        let operation = text(event, "eventName");
        if !SHOWED.contains(&operation.as_str()) || !query.matches(event, Timestamp(0)) {
            return;
        }
        let (key, context) = opened(event, &operation);
        did.entry((key, context, operation)).or_default().add(event);
    })?;
    Ok(did)
}

/// With which key and encryption context. ReEncrypt opens with its source; the event names that key first.
fn opened(event: &Value, operation: &str) -> (String, String) {
    let (key, context) = match operation {
        "ReEncrypt" => {
            (event.pointer("/resources/0/ARN").and_then(Value::as_str), "sourceEncryptionContext")
        }
        _ => (keys(event).first().copied(), "encryptionContext"),
    };
    let pairs = event.pointer(&format!("/requestParameters/{context}")).and_then(Value::as_object);
    let none = Map::new();
    (key.unwrap_or_default().to_owned(), written(pairs.unwrap_or(&none)))
}
