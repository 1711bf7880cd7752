//! `keyward whoami`, `key` and `grant`: what AWS's own commands need several calls for.

use super::{history, versions};
use crate::{
    args::{Common, Grant, Key},
    client::Client,
    exit::{CliError, Exit},
    output::{self, Format},
};
use serde_json::{Value, json};

pub(super) fn whoami(common: &Common) -> Result<Exit, CliError> {
    let answer = Client::new(common).query("sts", "Action=GetCallerIdentity&Version=2011-06-15")?;
    let xml = answer.text();
    let element = |name: &str| {
        let start = xml.find(&format!("<{name}>"))? + name.len() + 2;
        let rest = xml.get(start..)?;
        rest.find("</").and_then(|end| rest.get(..end)).map(str::to_owned)
    };
    if answer.status != 200 {
        let text = |name| element(name).unwrap_or_default();
        return Err(CliError::new(
            Exit::NotAuthenticated,
            format!("{}: {}", text("Code"), text("Message")),
        ));
    }
    let value =
        json!({"Arn": element("Arn"), "UserId": element("UserId"), "Account": element("Account")});
    match common.output {
        Format::Json => output::json(&value),
        Format::Text => output::line(value.get("Arn").and_then(Value::as_str).unwrap_or("")),
    }
    Ok(Exit::Ok)
}

pub(super) fn key(common: &Common, command: &Key) -> Result<Exit, CliError> {
    let client = Client::new(common);
    match command {
        Key::List => list_keys(common, &client),
        Key::Show { key } => {
            let id = json!({"KeyId": key});
            let metadata = client.call("DescribeKey", &id)?;
            let id = json!({"KeyId": metadata.pointer("/KeyMetadata/Arn")});
            let or_null = |answer: Result<Value, CliError>| answer.unwrap_or(Value::Null);
            let policy = or_null(client.call("GetKeyPolicy", &id));
            output::json(&json!({
                "KeyMetadata": metadata.get("KeyMetadata"),
                "Policy": policy.get("Policy").and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok()),
                "Rotation": or_null(client.call("GetKeyRotationStatus", &id)),
                "LastUsage": or_null(client.call("GetKeyLastUsage", &id)).get("KeyLastUsage"),
            }));
            Ok(Exit::Ok)
        }
        Key::Versions { key } => versions::list(common, &client, key),
        Key::UsedBy { key, query, since } => {
            history::used_by(common, &client, key, query, since.as_deref())
        }
        Key::InspectCiphertext { file } => versions::inspect(common, &client, file),
    }
}

fn list_keys(common: &Common, client: &Client<'_>) -> Result<Exit, CliError> {
    let aliases = all(client, "ListAliases", "Aliases", json!({}))?;
    let mut rows = Vec::new();
    for key in all(client, "ListKeys", "Keys", json!({}))? {
        let metadata = client.call("DescribeKey", &json!({"KeyId": key.get("KeyArn")}))?;
        let text = |name: &str| {
            metadata
                .pointer(&format!("/KeyMetadata/{name}"))
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        let names: Vec<&str> = aliases
            .iter()
            .filter(|alias| alias.get("TargetKeyId") == key.get("KeyId"))
            .filter_map(|alias| alias.get("AliasName").and_then(Value::as_str))
            .collect();
        match common.output {
            Format::Json => output::json_line(
                &json!({"KeyMetadata": metadata.get("KeyMetadata"), "Aliases": names}),
            ),
            Format::Text => rows.push(vec![
                text("KeyId"),
                text("KeySpec"),
                text("KeyUsage"),
                text("KeyState"),
                names.join(","),
            ]),
        }
    }
    if common.output == Format::Text {
        output::table(&["KEY ID", "SPEC", "USAGE", "STATE", "ALIASES"], &rows);
    }
    Ok(Exit::Ok)
}

pub(super) fn grant(common: &Common, command: &Grant) -> Result<Exit, CliError> {
    let client = Client::new(common);
    let Grant::List { key } = command;
    let metadata = client.call("DescribeKey", &json!({"KeyId": key}))?;
    let grants = all(
        &client,
        "ListGrants",
        "Grants",
        json!({"KeyId": metadata.pointer("/KeyMetadata/Arn")}),
    )?;
    let mut rows = Vec::new();
    for grant in &grants {
        let text = |name: &str| grant.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        let operations = grant.get("Operations").and_then(Value::as_array).into_iter().flatten();
        let operations: Vec<&str> = operations.filter_map(Value::as_str).collect();
        match common.output {
            Format::Json => output::json_line(grant),
            Format::Text => rows.push(vec![
                text("GrantId"),
                text("Name"),
                text("GranteePrincipal"),
                operations.join(","),
            ]),
        }
    }
    if common.output == Format::Text {
        output::table(&["GRANT ID", "NAME", "GRANTEE", "OPERATIONS"], &rows);
    }
    Ok(Exit::Ok)
}

/// Every page of a list.
fn all(
    client: &Client<'_>,
    operation: &str,
    items: &str,
    mut input: Value,
) -> Result<Vec<Value>, CliError> {
    let mut found = Vec::new();
    loop {
        let mut answer = client.call(operation, &input)?;
        if let Some(Value::Array(page)) = answer.get_mut(items).map(Value::take) {
            found.extend(page);
        }
        match (answer.get("NextMarker"), input.as_object_mut()) {
            (Some(marker), Some(input)) => drop(input.insert("Marker".to_owned(), marker.clone())),
            _ => return Ok(found),
        }
    }
}
