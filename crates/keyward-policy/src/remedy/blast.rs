//! What a change opens beside the request that it is for.
//!
//! A widened statement says what it said, plus the statement with the new value alone in the widened
//! element; so the blast of any change is that of one statement.

use crate::{
    principal::{self, Named},
    question::Question,
};
use keyward_types::{Blast, Extent, Layer, Reach};
use serde_json::Value;

/// What a statement says, in a document of `layer` whose name is `source`; `None` for a new document.
pub(super) fn of(
    question: &Question<'_>,
    layer: Layer,
    source: Option<&str>,
    statement: &Value,
) -> Blast {
    let principals = match who(statement) {
        Some(reach) => reach,
        None => holders(question, layer, source),
    };
    let resources = extent(question, layer, statement);
    let (actions, conditions) = (actions(statement), conditions(statement));
    let denies = statement.get("Effect").and_then(Value::as_str) == Some("Deny");
    let words = words(&principals, &actions, &resources, &conditions, denies);
    Blast { principals, actions, resources, conditions, words }
}

/// The same for one principal alone, as an exemption from a Deny is.
pub(super) fn narrowed(blast: Blast, principal: &str) -> Blast {
    let principals = Reach::Principal(principal.to_owned());
    let words = words(&principals, &blast.actions, &blast.resources, &blast.conditions, true);
    Blast { principals, words, ..blast }
}

/// No permission changes.
pub(super) fn nothing(words: &str) -> Blast {
    Blast {
        principals: Reach::Nobody,
        actions: Vec::new(),
        resources: Extent::Nothing,
        conditions: Vec::new(),
        words: words.to_owned(),
    }
}

/// What a grant to one principal on the key of the question opens.
pub(super) fn grant(
    question: &Question<'_>,
    grantee: &str,
    operations: &[String],
    equals: Option<String>,
) -> Blast {
    let principals = match principal::parse_arn(grantee) {
        Some(Named::Account(id)) => Reach::Account(id),
        _ => Reach::Principal(grantee.to_owned()),
    };
    let actions: Vec<String> = operations.iter().map(|one| format!("kms:{one}")).collect();
    let resources = Extent::One(question.resource.arn().to_owned());
    let conditions: Vec<String> =
        equals.map(|pairs| format!("EncryptionContextEquals {pairs}")).into_iter().collect();
    let words = words(&principals, &actions, &resources, &conditions, false);
    Blast { principals, actions, resources, conditions, words }
}

/// Whom the statement names; `None` where it has no principals.
fn who(statement: &Value) -> Option<Reach> {
    if statement.get("NotPrincipal").is_some() {
        return Some(Reach::Everyone);
    }
    let named = match statement.get("Principal")? {
        Value::String(text) => vec![text.clone()],
        listed => listed.as_object()?.values().flat_map(texts).collect(),
    };
    if named.iter().any(|name| name == "*") {
        return Some(Reach::Everyone);
    }
    let account = named.iter().find_map(|name| match principal::parse_arn(name) {
        Some(Named::Account(id)) => Some(id),
        _ => None,
    });
    Some(match (account, named.as_slice()) {
        (Some(id), _) => Reach::Account(id),
        (None, [one]) => Reach::Principal(one.clone()),
        (None, _) => Reach::Principals(named),
    })
}

/// Who has a document without principals.
fn holders(question: &Question<'_>, layer: Layer, source: Option<&str>) -> Reach {
    let caller = question.caller;
    match (layer, source) {
        (Layer::SessionPolicy, _) => Reach::Principal(caller.arn.clone()),
        (Layer::ServiceControlPolicy | Layer::ResourceControlPolicy, _) => {
            Reach::Account(caller.account.to_string())
        }
        (Layer::IdentityPolicy, None) => Reach::Principal(caller.principal_arn.clone()),
        (Layer::IdentityPolicy, Some(name))
            if name.starts_with("inline policy ") && !name.contains(" group ") =>
        {
            Reach::Principal(caller.principal_arn.clone())
        }
        (_, source) => Reach::Holders(source.unwrap_or("the new policy").to_owned()),
    }
}

fn actions(statement: &Value) -> Vec<String> {
    match (statement.get("Action"), statement.get("NotAction")) {
        (Some(listed), _) => texts(listed),
        (None, Some(listed)) => vec![format!("* but {}", texts(listed).join(", "))],
        (None, None) => Vec::new(),
    }
}

fn extent(question: &Question<'_>, layer: Layer, statement: &Value) -> Extent {
    let own = || Extent::One(question.resource.arn().to_owned());
    // A key's and a role's own policy speaks of that key or role alone, whatever its patterns are.
    if layer == Layer::KeyPolicy {
        return own();
    }
    let listed = statement.get("Resource").map(texts).unwrap_or_default();
    match listed.as_slice() {
        _ if listed.is_empty() || listed.iter().any(|one| one == "*") => Extent::All,
        [one] if !one.contains(['*', '?', '$']) => Extent::One(one.clone()),
        _ => Extent::Matching(listed),
    }
}

fn conditions(statement: &Value) -> Vec<String> {
    let operators = statement.get("Condition").and_then(Value::as_object);
    operators
        .into_iter()
        .flatten()
        .flat_map(|(operator, keys)| {
            let keys = keys.as_object().into_iter().flatten();
            keys.map(move |(key, values)| format!("{operator} {key}={}", texts(values).join("|")))
        })
        .collect()
}

fn texts(value: &Value) -> Vec<String> {
    let text = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
    value.as_array().map_or_else(|| vec![text(value)], |list| list.iter().map(text).collect())
}

fn words(
    who: &Reach,
    actions: &[String],
    what: &Extent,
    conditions: &[String],
    denies: bool,
) -> String {
    let who = match who {
        Reach::Nobody => "nobody".to_owned(),
        Reach::Principal(arn) => arn.clone(),
        Reach::Principals(arns) => arns.join(", "),
        Reach::Holders(name) => format!("whoever {name} is attached to"),
        Reach::Account(id) => format!("account {id}, as far as its own policies hand it on"),
        Reach::Everyone => "everyone".to_owned(),
    };
    let what = match what {
        Extent::Nothing => "nothing".to_owned(),
        Extent::One(arn) => arn.clone(),
        Extent::Matching(patterns) => patterns.join(", "),
        Extent::All => "every resource".to_owned(),
    };
    let (verb, actions) =
        (if denies { "no longer denied to" } else { "open to" }, actions.join(", "));
    let only = if conditions.is_empty() {
        String::new()
    } else {
        format!(", where {}", conditions.join(" and "))
    };
    format!("{actions} on {what} would be {verb} {who}{only}")
}
