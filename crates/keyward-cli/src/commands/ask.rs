//! `keyward policy can-i`, `who-can` and `simulate`, and `keyward principal can`: asking without doing.

use super::{policy::read, simulate};
use crate::{
    args::{AskedFacts, Common},
    client::{Client, encoded},
    exit::{CliError, Exit},
    output::{self, Format},
    policy_args::Simulate,
};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

pub(super) fn can_i(
    common: &Common,
    action: &str,
    key: Option<&str>,
    facts: &AskedFacts,
) -> Result<Exit, CliError> {
    let input = json!({
        "Action": action,
        "KeyId": key,
        "EncryptionContext": encryption_context(facts)?,
        "Context": context(facts)?,
    });
    let answer = Client::new(common).post("/v1/can-i", &input)?;
    match common.output {
        Format::Json => output::json(&answer),
        Format::Text => output::line(&verdict(&answer)),
    }
    Ok(yes_or_no(is_allowed(&answer)))
}

pub(super) fn simulate(common: &Common, asked: &Simulate) -> Result<Exit, CliError> {
    if let Some(request) = &asked.request {
        return simulate::offline(common.output, request, asked);
    }
    if !asked.grant.is_empty() && asked.key.is_none() {
        return Err(CliError::new(
            Exit::Usage,
            "--grant needs --key: the key that the grants are on",
        ));
    }
    let texts = |files: &[PathBuf]| -> Result<Option<Vec<String>>, CliError> {
        let texts: Vec<String> = files.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
        Ok(Some(texts).filter(|texts| !texts.is_empty()))
    };
    let levels = texts(&asked.service_control_policy)?;
    let levels: Option<Vec<[String; 1]>> =
        levels.map(|levels| levels.into_iter().map(|level| [level]).collect());
    let input = json!({
        "Principal": asked.principal,
        "Actions": asked.actions,
        "KeyId": asked.key,
        "Resource": asked.resource,
        "EncryptionContext": encryption_context(&asked.facts)?,
        "Context": context(&asked.facts)?,
        "Grants": grants(&asked.grant)?,
        "KeyPolicy": asked.key_policy.as_deref().map(read).transpose()?,
        "IdentityPolicies": texts(&asked.identity_policy)?,
        "PermissionsBoundary": asked.boundary.as_deref().map(read).transpose()?,
        "SessionPolicies": texts(&asked.session_policy)?,
        "ServiceControlPolicies": levels,
    });
    let answer = Client::new(common).post("/v1/simulate", &input)?;
    let results = list(&answer, "Results");
    match common.output {
        Format::Json => output::json(&answer),
        Format::Text => {
            let rows: Vec<Vec<String>> = results
                .iter()
                .map(|result| vec![text(result, "Action"), verdict(result)])
                .collect();
            output::table(&["ACTION", "DECISION"], &rows);
        }
    }
    Ok(yes_or_no(results.iter().all(is_allowed)))
}

/// Grants of files, each an object or a list of them; `None` leaves the key's own in force.
pub(super) fn grants(files: &[PathBuf]) -> Result<Option<Vec<Value>>, CliError> {
    let mut grants = Vec::new();
    for file in files {
        let text = read(file)?;
        let wrong = |error| CliError::new(Exit::Usage, format!("{}: {error}", file.display()));
        match serde_json::from_str(&text).map_err(wrong)? {
            Value::Array(several) => grants.extend(several),
            // As ListGrants answers.
            Value::Object(mut answer) if matches!(answer.get("Grants"), Some(Value::Array(_))) => {
                let listed = answer.remove("Grants").and_then(|list| list.as_array().cloned());
                grants.extend(listed.into_iter().flatten());
            }
            one => grants.push(one),
        }
    }
    Ok(Some(grants).filter(|_| !files.is_empty()))
}

pub(super) fn who_can(
    common: &Common,
    action: &str,
    key: &str,
    facts: &AskedFacts,
) -> Result<Exit, CliError> {
    let mut query = query(facts)?;
    query.push(("Action", action.to_owned()));
    query.push(("Limit", "1000".to_owned()));
    let path = format!("/v1/keys/{}/who-can", encoded(key));
    let found = pages(&Client::new(common), &path, &query, "Principals")?;
    match common.output {
        Format::Json => found.iter().for_each(output::json_line),
        Format::Text => {
            let rows: Vec<Vec<String>> = found
                .iter()
                .map(|who| {
                    let mut row = vec![text(who, "Principal"), text(who, "Type")];
                    row.extend(survey(who));
                    row
                })
                .collect();
            output::table(&["PRINCIPAL", "TYPE", "CERTAINTY", "HOW"], &rows);
        }
    }
    Ok(yes_or_no(!found.is_empty()))
}

pub(super) fn principal_can(
    common: &Common,
    principal: &str,
    key: Option<&str>,
    actions: &[String],
    facts: &AskedFacts,
) -> Result<Exit, CliError> {
    let mut query = query(facts)?;
    query.extend(key.map(|key| ("KeyId", key.to_owned())));
    query.extend(actions.iter().map(|action| ("Actions", action.clone())));
    let path = format!("/v1/principals/{}/can", encoded(principal));
    let keys = pages(&Client::new(common), &path, &query, "Keys")?;
    match common.output {
        Format::Json => keys.iter().for_each(output::json_line),
        Format::Text => {
            let mut rows = Vec::new();
            for key in &keys {
                for action in list(key, "Actions") {
                    let mut row = vec![text(key, "KeyId"), text(action, "Action")];
                    row.extend(survey(action));
                    rows.push(row);
                }
            }
            output::table(&["KEY", "ACTION", "CERTAINTY", "HOW"], &rows);
        }
    }
    Ok(yes_or_no(!keys.is_empty()))
}

/// Every page of a list.
pub(super) fn pages(
    client: &Client<'_>,
    path: &str,
    query: &[(&str, String)],
    items: &str,
) -> Result<Vec<Value>, CliError> {
    let mut found = Vec::new();
    let mut query = query.to_vec();
    loop {
        let mut answer = client.read(path, &query)?;
        if let Some(Value::Array(page)) = answer.get_mut(items).map(Value::take) {
            found.extend(page);
        }
        let Some(marker) = answer.get("NextMarker").and_then(Value::as_str) else {
            return Ok(found);
        };
        query.retain(|(name, _)| *name != "Marker");
        query.push(("Marker", marker.to_owned()));
    }
}

fn query(facts: &AskedFacts) -> Result<Vec<(&'static str, String)>, CliError> {
    let mut query = Vec::new();
    query.extend(encryption_context(facts)?.map(|pairs| ("EncryptionContext", pairs.to_string())));
    query.extend(context(facts)?.iter().map(|entry| ("Context", entry.to_string())));
    Ok(query)
}

/// `None` when nothing is said of it.
pub(super) fn encryption_context(facts: &AskedFacts) -> Result<Option<Value>, CliError> {
    if facts.encryption_context.is_empty() {
        return Ok(None);
    }
    let mut pairs = Map::new();
    for (name, value) in named(&facts.encryption_context)? {
        pairs.insert(name, Value::from(value));
    }
    Ok(Some(Value::Object(pairs)))
}

/// Condition keys with their values; a key that is named again has more of them.
pub(super) fn context(facts: &AskedFacts) -> Result<Vec<Value>, CliError> {
    let mut entries: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in named(&facts.context)? {
        match entries.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some((_, values)) => values.push(value),
            None => entries.push((name, vec![value])),
        }
    }
    let entry = |(name, values)| json!({"Name": name, "Values": values});
    Ok(entries.into_iter().map(entry).collect())
}

fn named(texts: &[String]) -> Result<Vec<(String, String)>, CliError> {
    let named = |text: &String| {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| CliError::new(Exit::Usage, format!("{text} is not NAME=VALUE")))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    texts.iter().map(named).collect()
}

/// `yes: because …`.
fn verdict(answer: &Value) -> String {
    let word = if is_allowed(answer) { "yes" } else { "no" };
    format!("{word}: {}", text(answer, "Because"))
}

/// Certainty, and how in one line: what allows with its conditions, and what may deny.
pub(super) fn survey(found: &Value) -> [String; 2] {
    let way = |way: &Value| {
        let of = text(way, "Source");
        let name =
            way.get("Sid").and_then(Value::as_str).map_or(of.clone(), |sid| format!("{of} {sid}"));
        let conditions: Vec<&str> =
            list(way, "Conditions").iter().filter_map(Value::as_str).collect();
        if conditions.is_empty() { name } else { format!("{name} if {}", conditions.join(" and ")) }
    };
    let mut parts: Vec<String> = list(found, "Through").iter().map(way).collect();
    parts.extend(list(found, "Blockers").iter().map(|blocker| format!("not by {}", way(blocker))));
    parts.extend(list(found, "Unknown").iter().filter_map(Value::as_str).map(str::to_owned));
    [text(found, "Certainty").to_lowercase(), parts.join("; ")]
}

fn is_allowed(answer: &Value) -> bool {
    answer.get("Allowed").and_then(Value::as_bool).unwrap_or(false)
}

pub(super) const fn yes_or_no(yes: bool) -> Exit {
    if yes { Exit::Ok } else { Exit::Denied }
}

pub(super) fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
