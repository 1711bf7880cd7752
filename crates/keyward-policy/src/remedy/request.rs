//! Another encryption context, where the context that the client chose is all that is in the way.

use super::{blast, edit, scene::Scene};
use crate::grant;
use keyward_types::{ChangeKind, EncryptionContext, NearMiss, PolicyChange};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PREFIX: &str = "kms:encryptioncontext:";

type Pairs = BTreeMap<String, String>;

/// The request as a statement that did not match would have it.
pub(super) fn fitting<'q>(
    scene: &Scene<'q>,
    miss: &NearMiss,
    statement: &Value,
) -> Option<(PolicyChange, Scene<'q>)> {
    let mut pairs = present(scene)?;
    for failed in &miss.failed {
        let (operator, key) = edit::tested(&failed.clause)?;
        matches!(plain(operator), "StringEquals" | "StringEqualsIgnoreCase" | "StringLike")
            .then_some(())?;
        let wanted = edit::values(&mut statement.clone(), operator, key)?.clone();
        set(&mut pairs, name_of(key)?, first_plain(&wanted)?);
    }
    changed(scene, pairs)
}

/// The request as a grant that did not apply would have it.
pub(super) fn fitting_grant<'q>(
    scene: &Scene<'q>,
    miss: &NearMiss,
) -> Option<(PolicyChange, Scene<'q>)> {
    let on_context = ["Constraint EncryptionContextEquals", "Constraint EncryptionContextSubset"];
    miss.failed.iter().all(|failed| on_context.contains(&failed.clause.as_str())).then_some(())?;
    let wanted =
        scene.question.grants.iter().find(|g| Some(g.grant_id.as_str()) == miss.sid.as_deref())?;
    let mut pairs = present(scene)?;
    if let Some(subset) = &wanted.constraints.encryption_context_subset {
        for (name, value) in subset {
            set(&mut pairs, name, value.clone());
        }
    }
    if let Some(equals) = &wanted.constraints.encryption_context_equals {
        pairs.clone_from(equals);
    }
    changed(scene, pairs)
}

/// The request as it would escape a statement that denies because of its encryption context.
pub(super) fn escaping<'q>(
    scene: &Scene<'q>,
    statement: &Value,
) -> Option<(PolicyChange, Scene<'q>)> {
    let mut pairs = present(scene)?;
    let operators = statement.get("Condition")?.as_object()?;
    let mut tests = operators.iter().flat_map(|(operator, keys)| {
        keys.as_object().into_iter().flatten().map(move |(key, values)| (operator, key, values))
    });
    tests.find_map(|(operator, key, values)| {
        let name = name_of(key)?;
        match plain(operator) {
            "StringNotEquals" | "StringNotEqualsIgnoreCase" | "StringNotLike" => {
                set(&mut pairs, name, first_plain(values)?);
            }
            "StringEquals" | "StringEqualsIgnoreCase" | "StringLike" => {
                pairs.retain(|old, _| !old.eq_ignore_ascii_case(name));
            }
            _ => return None,
        }
        Some(())
    })?;
    changed(scene, pairs)
}

fn changed<'q>(scene: &Scene<'q>, pairs: Pairs) -> Option<(PolicyChange, Scene<'q>)> {
    let listed: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let listed = if listed.is_empty() { "(none)".to_owned() } else { listed.join(", ") };
    let made =
        if scene.question.action == "kms:Decrypt" || scene.question.action == "kms:ReEncryptFrom" {
            " It must be the one that the data was encrypted under."
        } else {
            ""
        };
    let change = PolicyChange {
        kind: ChangeKind::ChangeRequest,
        layer: None,
        source: None,
        level: None,
        sid: None,
        index: None,
        body: Some(json!(pairs)),
        text: format!("Send the request with the encryption context {listed}.{made}"),
        blast: blast::nothing("no policy changes"),
    };
    Some((change, scene.with_context(EncryptionContext(pairs))))
}

/// The context of the request; `None` for an operation that takes none.
fn present(scene: &Scene<'_>) -> Option<Pairs> {
    let question = &scene.question;
    let operation = question.action.strip_prefix("kms:")?;
    grant::CARRY_CONTEXT.contains(&operation).then_some(())?;
    Some(question.facts.context().cloned().unwrap_or_default())
}

/// One pair, in place of any other spelling of its name.
fn set(pairs: &mut Pairs, name: &str, value: String) {
    pairs.retain(|old, _| !old.eq_ignore_ascii_case(name));
    pairs.insert(name.to_owned(), value);
}

fn plain(operator: &str) -> &str {
    let operator = operator.strip_prefix("ForAnyValue:").unwrap_or(operator);
    operator.strip_suffix("IfExists").unwrap_or(operator)
}

/// The pair's name, as the policy spells it.
fn name_of(key: &str) -> Option<&str> {
    let (prefix, name) = (key.get(..PREFIX.len())?, key.get(PREFIX.len()..)?);
    (prefix.eq_ignore_ascii_case(PREFIX) && !name.is_empty()).then_some(name)
}

fn first_plain(values: &Value) -> Option<String> {
    let first = values.as_array().map_or(Some(values), |list| list.first())?.as_str()?;
    edit::is_plain(first).then(|| first.to_owned())
}
