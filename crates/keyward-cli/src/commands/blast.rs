//! `keyward principal blast-radius`: what a credential could have opened, and what it did open.
//!
//! What it could is asked of the policies as they stand now (`PrincipalCan`), in every Region that the log speaks of, and
//! of keys that can do it; what it did is read from the log. Data keys, key pairs and shared secrets that were made for
//! it count as opened: it has seen them in plaintext. Roles that it may assume are principals of their own.
//! INVARIANT: what could not be asked is said so; silence never stands for "nothing".

use super::{
    ask::{list, pages, survey, text},
    freeze,
    history::{Tally, dash, each_event, keys, only, row, who, with_tally, written},
};
use crate::{
    args::Common,
    client::{Client, encoded},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_types::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What opens a ciphertext, or makes one that another key opens; and the usage of keys that can.
const OPENS: &[(&str, &str)] = &[
    ("kms:Decrypt", "ENCRYPT_DECRYPT"),
    ("kms:ReEncryptFrom", "ENCRYPT_DECRYPT"),
    ("kms:DeriveSharedSecret", "KEY_AGREEMENT"),
    ("kms:Decapsulate", "ENCAPSULATE_DECAPSULATE"),
];
/// What hands the permission to open to anybody, its holder included.
const ESCALATES: &[&str] = &["kms:CreateGrant", "kms:PutKeyPolicy"];
/// Operations that showed their caller a plaintext or a shared secret.
const SHOWED: &[&str] = &[
    "Decrypt",
    "ReEncrypt",
    "DeriveSharedSecret",
    "Decapsulate",
    "Encapsulate",
    "GenerateDataKey",
    "GenerateDataKeyPair",
];

pub(super) fn radius(
    common: &Common,
    principal: &str,
    since: Option<&str>,
) -> Result<Exit, CliError> {
    let client = Client::new(common);
    let holder = credential(&client, principal)?;
    let could = could_everywhere(common, &client, &holder)?;
    // Of one access key what that did, of a principal all of it.
    let did = did(&client, if is_access_key(principal) { principal } else { &holder }, since)?;
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
                "Principal": holder, "Asked": principal, "Could": could, "Did": did, "Frozen": frozen,
            }));
        }
        Format::Text => {
            match &could {
                Some(could) => {
                    tell_could(could);
                    output::note("roles that it may assume could more; ask for each of them");
                }
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

fn is_access_key(text: &str) -> bool {
    ["AKIA", "ASIA"].iter().any(|prefix| text.starts_with(prefix))
}

/// The ARN of whom a credential is of: as it was given, of the caller's account where it is `user/NAME` or `role/NAME`,
/// and of an access key the user, or the role of the session, that used it last.
fn credential(client: &Client<'_>, text: &str) -> Result<String, CliError> {
    if ["user/", "role/"].iter().any(|kind| text.starts_with(kind)) {
        let caller = client.post("/v1/caller-identity", &json!({}))?;
        return Ok(format!("arn:aws:iam::{}:{text}", self::text(&caller, "Account")));
    }
    if !is_access_key(text) {
        return Ok(text.to_owned());
    }
    let query = [("principal", text.to_owned()), ("limit", "1".to_owned())];
    let page = client.read("/v1/events", &query)?;
    list(&page, "Events").first().map(who).ok_or_else(|| {
        CliError::new(Exit::NotFound, format!("the log has no event by the access key {text}"))
            .hint("name the user or role that it is of")
    })
}

/// By key, what it could do in the Regions that the log speaks of; `None` when the principal is no more.
fn could_everywhere(
    common: &Common,
    client: &Client<'_>,
    principal: &str,
) -> Result<Option<Vec<Value>>, CliError> {
    let counted = client.read("/v1/events/stats", &[("by", "region".to_owned())])?;
    let mut regions = BTreeSet::from([client.region().to_owned()]);
    let values = list(&counted, "Facets").iter().flat_map(|facet| list(facet, "Values"));
    regions.extend(values.map(|value| text(value, "Value")));
    let mut all: Option<Vec<Value>> = None;
    for region in regions {
        let there = Common { region: Some(region), ..common.clone() };
        if let Some(keys) = could(&Client::new(&there), principal)? {
            all.get_or_insert_default().extend(keys);
        }
    }
    Ok(all)
}

/// The same in the Region of the client.
fn could(client: &Client<'_>, principal: &str) -> Result<Option<Vec<Value>>, CliError> {
    let actions = OPENS.iter().map(|(action, _)| action).chain(ESCALATES);
    let query: Vec<(&str, String)> =
        actions.map(|action| ("Actions", (*action).to_owned())).collect();
    let path = format!("/v1/principals/{}/can", encoded(principal));
    match pages(client, &path, &query, "Keys") {
        Ok(keys) => Ok(Some(keys.into_iter().filter_map(able).collect())),
        Err(CliError { exit: Exit::NotFound, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A key with the actions that it can do, if there are any: a policy may well allow to decrypt with a key that signs.
fn able(mut key: Value) -> Option<Value> {
    let usage = text(&key, "KeyUsage");
    let actions = key.get_mut("Actions")?.as_array_mut()?;
    actions.retain(|action| {
        let name = text(action, "Action");
        let opens = OPENS.iter().find(|(action, _)| *action == name);
        opens.is_none_or(|(_, wanted)| *wanted == usage)
    });
    (!actions.is_empty()).then_some(key)
}

fn tell_could(could: &[Value]) {
    output::line("COULD");
    let mut rows = Vec::new();
    for key in could {
        for action in list(key, "Actions") {
            let mut row = vec![text(key, "KeyId"), text(key, "KeyState"), text(action, "Action")];
            row.extend(survey(action));
            rows.push(row);
        }
    }
    output::table(&["KEY", "STATE", "ACTION", "CERTAINTY", "HOW"], &rows);
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
    let was_cut = event.pointer("/requestParameters/omitted").is_some();
    let mut pairs = pairs.cloned().unwrap_or_default();
    if was_cut {
        // Not what it said, and so not to be read as a pair of it.
        pairs.insert("(omitted)".to_owned(), "too large for the record".into());
    }
    (key.unwrap_or_default().to_owned(), written(&pairs))
}
