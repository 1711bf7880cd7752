//! `keyward call`: any operation of the table, with members from the command line.

use crate::{
    args::{Call, Common},
    client::Client,
    exit::{CliError, Exit},
    output,
};
use keyward_engine::{OPERATIONS, Service, find, shape::Kind};
use serde_json::{Map, Value};

pub(super) fn call(common: &Common, call: &Call) -> Result<Exit, CliError> {
    let operation = find(Service::Kms, &call.operation).ok_or_else(|| unknown(&call.operation))?;
    let mut input = Map::new();
    for member in &call.members {
        let (name, value) = parse(member, |name| {
            operation.spec().members.iter().find(|m| m.name == name).map(|m| m.kind)
        })?;
        input.insert(name, value);
    }
    let answer = Client::new(common).call(&call.operation, &Value::Object(input))?;
    output::json(&answer);
    Ok(Exit::Ok)
}

fn unknown(name: &str) -> CliError {
    let lower = name.to_ascii_lowercase();
    let near: Vec<&str> = OPERATIONS
        .iter()
        .map(|operation| operation.spec())
        .filter(|spec| {
            spec.service == Service::Kms && spec.name.to_ascii_lowercase().contains(&lower)
        })
        .map(|spec| spec.name)
        .collect();
    let error = CliError::new(Exit::Usage, format!("there is no operation {name}"));
    if near.is_empty() {
        error.hint("names are AWS's, such as Encrypt or ListKeys")
    } else {
        error.hint(format!("did you mean {}?", near.join(", ")))
    }
}

/// `Name=value`, `Name=@file` or `Name:=json`.
fn parse(member: &str, kind: impl Fn(&str) -> Option<Kind>) -> Result<(String, Value), CliError> {
    let usage = |words: String| {
        CliError::new(Exit::Usage, words).hint("members are Name=value, Name=@file or Name:=json")
    };
    let (name, text) =
        member.split_once('=').ok_or_else(|| usage(format!("{member} is no member")))?;
    if let Some(name) = name.strip_suffix(':') {
        let value =
            serde_json::from_str(text).map_err(|error| usage(format!("{name}: {error}")))?;
        return Ok((name.to_owned(), value));
    }
    let kind = kind(name);
    let value = match (text.strip_prefix('@'), kind) {
        (Some(path), kind) => {
            let bytes = std::fs::read(path).map_err(|error| usage(format!("{path}: {error}")))?;
            match kind {
                Some(Kind::Blob { .. }) => {
                    serde_json::to_value(keyward_types::Blob(bytes)).map_err(CliError::failure)?
                }
                _ => Value::from(
                    String::from_utf8(bytes).map_err(|_| usage(format!("{path} is not text")))?,
                ),
            }
        }
        (None, Some(Kind::Integer { .. } | Kind::Timestamp | Kind::Boolean)) => {
            serde_json::from_str(text).map_err(|error| usage(format!("{name}: {error}")))?
        }
        (None, Some(Kind::List { .. })) => text.split(',').map(Value::from).collect(),
        (None, Some(Kind::Map)) => {
            pairs(text).ok_or_else(|| usage(format!("{name} is name=value,name=value")))?
        }
        (None, _) => Value::from(text),
    };
    Ok((name.to_owned(), value))
}

fn pairs(text: &str) -> Option<Value> {
    let pair = |pair: &str| {
        pair.split_once('=').map(|(name, value)| (name.to_owned(), Value::from(value)))
    };
    text.split(',').map(pair).collect::<Option<Map<_, _>>>().map(Value::Object)
}
