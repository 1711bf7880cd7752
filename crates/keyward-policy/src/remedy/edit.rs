//! IAM documents as JSON that is changed. Members keep their order, so that a person sees the difference.

use crate::condition::operators::{self, Shape};
use keyward_types::{Clause, caller::Document};
use serde_json::{Map, Value, json};

/// The statements of a document; one that stands alone is a list of one.
pub(super) fn statements(document: &Document) -> Option<Vec<Value>> {
    let json: Value = serde_json::from_str(document.text()).ok()?;
    Some(match json.get("Statement")? {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    })
}

/// The document with its statements changed.
pub(super) fn edited(
    document: &Document,
    change: impl FnOnce(&mut Vec<Value>) -> Option<()>,
) -> Option<Document> {
    let mut list = statements(document)?;
    change(&mut list)?;
    let mut json: Value = serde_json::from_str(document.text()).ok()?;
    json.as_object_mut()?.insert("Statement".to_owned(), list.into());
    Some(Document::new(json.to_string()))
}

/// A new document with one statement.
pub(super) fn document(statement: &Value) -> Document {
    Document::new(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
}

/// A statement with one element widened by `value`, and what that adds: the same statement with `value`
/// alone in the element.
pub(super) fn widened(statement: &Value, failed: &Clause, value: &Value) -> Option<(Value, Value)> {
    let (mut wide, mut delta) = (statement.clone(), statement.clone());
    match failed.clause.as_str() {
        "Action" | "Resource" => {
            push(wide.get_mut(&failed.clause)?, value);
            *delta.get_mut(&failed.clause)? = value.clone();
        }
        "Principal" => {
            let (kind, name) = value.as_object()?.iter().next()?;
            push(
                wide.get_mut("Principal")?.as_object_mut()?.entry(kind).or_insert(json!([])),
                name,
            );
            *delta.get_mut("Principal")? = value.clone();
        }
        condition => {
            let (operator, key) = tested(condition)?;
            push(values(&mut wide, operator, key)?, value);
            *values(&mut delta, operator, key)? = value.clone();
        }
    }
    Some((wide, delta))
}

/// The operator and the key of a clause such as `Condition StringEquals kms:EncryptionContext:Project`.
pub(super) fn tested(clause: &str) -> Option<(&str, &str)> {
    clause.strip_prefix("Condition ")?.split_once(' ')
}

/// The values that a statement compares a key with.
pub(super) fn values<'v>(
    statement: &'v mut Value,
    operator: &str,
    key: &str,
) -> Option<&'v mut Value> {
    statement.get_mut("Condition")?.get_mut(operator)?.get_mut(key)
}

/// Whether one more value in the list of this operator can only match more, and is compared as a text.
pub(super) fn widens(operator: &str) -> bool {
    use crate::condition::Quantifier;
    operators::parse(operator).is_ok_and(|(operator, quantifier, _)| {
        !operator.negated
            && quantifier != Some(Quantifier::All)
            && matches!(operator.shape, Shape::Text(_) | Shape::Arn | Shape::Ip)
    })
}

/// Whether a text means itself wherever it stands in a policy: no wildcard, no variable, nothing cut.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text != "(absent)" && !text.contains(['*', '?', '$', '…'])
}

/// Adds to a list, or makes one of a single value.
fn push(list: &mut Value, value: &Value) {
    match list {
        Value::Array(items) => items.push(value.clone()),
        one => *one = json!([one.take(), value]),
    }
}

/// The statement under one condition more: the caller's own principal is not meant.
pub(super) fn exempting(statement: &Value, principal_arn: &str) -> Option<Value> {
    let mut statement = statement.clone();
    let members = statement.as_object_mut()?;
    let condition = members.entry("Condition").or_insert_with(|| Map::new().into());
    let tests =
        condition.as_object_mut()?.entry("ArnNotEquals").or_insert_with(|| Map::new().into());
    let tests = tests.as_object_mut()?;
    let spelled = tests.keys().find(|key| key.eq_ignore_ascii_case("aws:PrincipalArn")).cloned();
    match spelled.and_then(|key| tests.get_mut(&key)) {
        Some(list) => push(list, &json!(principal_arn)),
        None => drop(tests.insert("aws:PrincipalArn".to_owned(), json!(principal_arn))),
    }
    Some(statement)
}

/// The statement without an action that it names by itself, if it names others too.
pub(super) fn without_action(statement: &Value, action: &str) -> Option<Value> {
    let mut statement = statement.clone();
    let actions = statement.get_mut("Action")?.as_array_mut()?;
    actions.retain(|one| !one.as_str().is_some_and(|one| one.eq_ignore_ascii_case(action)));
    (!actions.is_empty()).then_some(())?;
    Some(statement)
}

/// The statement as if it were not there. Others keep their places, by which changes name them.
pub(super) fn silence(statement: &mut Value) -> Option<()> {
    let members = statement.as_object_mut()?;
    members.shift_remove("NotAction");
    members.insert("Action".to_owned(), json!("removed:statement"));
    Some(())
}
