//! Which documents are refused: the grammar of sections 2.1 to 2.6.
//!
//! `is_refused` is about evaluation: such a document means nothing certain. `is_unsaveable` is about saving,
//! which refuses a few more.

use super::{keys::MANY, text};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, net::IpAddr};

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Key policies, resource control policies and endpoint policies: statements have principals.
    Resource,
    /// Identity, boundary, session and service control policies: statements have none.
    Identity,
    /// Trust policies: principals, and the role itself as the resource.
    Trust,
}

/// A single value and a list of one are the same.
pub(crate) fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

pub(super) fn texts(value: &Value) -> Vec<String> {
    list(value).into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A condition's value: numbers and truths compare as their text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

pub(crate) fn is_refused(document: &Value, kind: Kind) -> bool {
    !is_document(document, kind).unwrap_or(false)
}

/// Whether saving it is refused.
pub(crate) fn is_unsaveable(document: &Value, kind: Kind) -> bool {
    is_refused(document, kind)
        || statements(document).iter().any(|statement| {
            let named =
                statement.contains_key("Principal") || statement.contains_key("NotPrincipal");
            kind != Kind::Identity && !named
                || is_key_policy_misuse(statement, kind)
                || actions(statement).iter().any(|action| is_unknown_action(action))
        })
        || kind != Kind::Resource && has_bad_sids(document)
}

fn statements(document: &Value) -> Vec<&Map<String, Value>> {
    list(&document["Statement"]).into_iter().filter_map(Value::as_object).collect()
}

fn actions(statement: &Map<String, Value>) -> Vec<String> {
    ["Action", "NotAction"].iter().filter_map(|name| statement.get(*name)).flat_map(texts).collect()
}

/// `ForAllValues` with a pair of the encryption context or a tag of the request, in a key policy.
fn is_key_policy_misuse(statement: &Map<String, Value>, kind: Kind) -> bool {
    kind == Kind::Resource
        && conditions(statement).iter().any(|(operator, key, _)| {
            let key = key.to_lowercase();
            operator.to_lowercase().starts_with("forallvalues:")
                && (key.starts_with("kms:encryptioncontext:") || key.starts_with("aws:requesttag/"))
        })
}

/// An action that KMS does not have, or that can match nothing.
fn is_unknown_action(action: &str) -> bool {
    is_idle_action(action) || action == "kms:Decrpyt"
}

/// Spaces at the ends and commas are not trimmed and not cut at: such a text matches nothing.
fn is_idle_action(action: &str) -> bool {
    action.trim() != action || action.contains(',')
}

fn has_bad_sids(document: &Value) -> bool {
    let sids: Vec<&str> = statements(document)
        .iter()
        .filter_map(|statement| statement.get("Sid")?.as_str())
        .filter(|sid| !sid.is_empty())
        .collect();
    let unique: BTreeSet<&&str> = sids.iter().collect();
    unique.len() != sids.len()
        || sids.iter().any(|sid| !sid.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// `None` and `false` are refusals; `?` keeps the rules short.
fn is_document(document: &Value, kind: Kind) -> Option<bool> {
    let members = document.as_object()?;
    let known = ["Version", "Id", "Statement"];
    let version = members.get("Version").map_or(Some("2008-10-17"), Value::as_str)?;
    let id_ok = members.get("Id").is_none_or(|id| kind != Kind::Identity && id.is_string());
    let statements = list(members.get("Statement")?);
    let variables = version == "2012-10-17";
    let all_ok = statements.iter().all(|statement| {
        statement.as_object().is_some_and(|s| is_statement(s, kind, variables).unwrap_or(false))
    });
    Some(
        members.keys().all(|name| known.contains(&name.as_str()))
            && matches!(version, "2012-10-17" | "2008-10-17")
            && id_ok
            && !statements.is_empty()
            && all_ok,
    )
}

fn is_statement(statement: &Map<String, Value>, kind: Kind, variables: bool) -> Option<bool> {
    let known = [
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    let has = |name: &str| statement.contains_key(name);
    let effect = statement.get("Effect")?.as_str()?;
    let allow_not_principal = effect == "Allow" && has("NotPrincipal");
    let twice =
        [("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")];
    let shape = match kind {
        // Without Action or Resource a key policy's statement is kept and has no effect.
        Kind::Resource => true,
        Kind::Identity => {
            !has("Principal")
                && !has("NotPrincipal")
                && (has("Action") || has("NotAction"))
                && (has("Resource") || has("NotResource"))
        }
        Kind::Trust => {
            !has("Resource") && !has("NotResource") && (has("Action") || has("NotAction"))
        }
    };
    let each = |names: [&str; 2], ok: &dyn Fn(&str, &Value) -> bool| {
        names.iter().all(|name| statement.get(*name).is_none_or(|value| ok(name, value)))
    };
    let nonempty_texts = |value: &Value, ok: &dyn Fn(&str) -> bool| {
        let values = list(value);
        !values.is_empty() && values.iter().all(|one| one.as_str().is_some_and(ok))
    };
    Some(
        statement.keys().all(|name| known.contains(&name.as_str()))
            && matches!(effect, "Allow" | "Deny")
            && statement.get("Sid").is_none_or(Value::is_string)
            && !allow_not_principal
            && !twice.iter().any(|(one, other)| has(one) && has(other))
            && shape
            && each(["Principal", "NotPrincipal"], &|name, value| {
                is_principal(value, name == "NotPrincipal", kind)
            })
            && each(["Action", "NotAction"], &|_, value| nonempty_texts(value, &is_action))
            && each(["Resource", "NotResource"], &|_, value| {
                nonempty_texts(value, &|text| is_resource(text, variables))
            })
            && statement
                .get("Condition")
                .is_none_or(|c| is_condition(c, variables).unwrap_or(false)),
    )
}

fn is_principal(value: &Value, not: bool, kind: Kind) -> bool {
    if value.is_string() {
        return value == "*" && !not;
    }
    let mut count = 0;
    let all_ok = value.as_object().is_some_and(|kinds| {
        kinds.iter().all(|(of, names)| {
            list(names).iter().all(|name| {
                count += 1;
                let name = name.as_str().unwrap_or_default();
                match of.as_str() {
                    "AWS" if name == "*" => !not,
                    "AWS" => is_aws_principal(name),
                    "Service" => name.contains('.') && !name.contains(['*', ':', ' ']),
                    "Federated" => kind == Kind::Trust && !name.is_empty(),
                    _ => false,
                }
            })
        })
    });
    all_ok && count > 0
}

/// An account, user, role, session or federated user; no groups, no wildcards inside.
fn is_aws_principal(name: &str) -> bool {
    let is_account = |text: &str| text.len() == 12 && text.chars().all(|c| c.is_ascii_digit());
    if is_account(name) {
        return true;
    }
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    let ["arn", "aws", service, "", account, resource] = parts.as_slice() else { return false };
    let named = |prefix: &str| {
        resource.strip_prefix(prefix).is_some_and(|rest| {
            !rest.is_empty() && !rest.ends_with('/') && !rest.contains(['*', '?', ' '])
        })
    };
    is_account(account)
        && match *service {
            "iam" => *resource == "root" || named("user/") || named("role/"),
            "sts" => {
                named("federated-user/")
                    || named("assumed-role/") && resource.split('/').count() == 3
            }
            _ => false,
        }
}

fn is_action(action: &str) -> bool {
    if action == "*" || is_idle_action(action) {
        return true;
    }
    let plain = |text: &str, also: &[char]| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(&c))
    };
    action
        .split_once(':')
        .is_some_and(|(vendor, name)| plain(vendor, &['-']) && plain(name, &['*', '?', '_', '-']))
}

/// `*`, or an ARN whose service is written out and whose variables stand in its last part.
fn is_resource(pattern: &str, variables: bool) -> bool {
    if pattern == "*" {
        return true;
    }
    let head = pattern.split("${").next().unwrap_or_default();
    let cut = if variables { head } else { pattern };
    let parts: Vec<&str> = cut.splitn(6, ':').collect();
    parts.len() == 6
        && parts[0] == "arn"
        && !parts[2].is_empty()
        && !parts[2].contains(['*', '?'])
        && (!variables || are_variables(pattern))
}

fn conditions(statement: &Map<String, Value>) -> Vec<(String, String, Vec<Value>)> {
    let operators = statement.get("Condition").and_then(Value::as_object).into_iter().flatten();
    operators
        .flat_map(|(operator, keys)| {
            keys.as_object().into_iter().flatten().map(move |(key, values)| {
                (operator.clone(), key.clone(), list(values).into_iter().cloned().collect())
            })
        })
        .collect()
}

fn is_condition(condition: &Value, variables: bool) -> Option<bool> {
    for (name, keys) in condition.as_object()? {
        let (_, base, _) = operator(name)?;
        for (key, values) in keys.as_object()? {
            let values: Vec<String> =
                list(values).into_iter().map(scalar).collect::<Option<_>>()?;
            let values_ok = values.iter().all(|value| is_value(&base, value, variables));
            if !is_key(key) || !values_ok || base == "null" && values.len() != 1 {
                return Some(false);
            }
        }
    }
    Some(true)
}

/// The set prefix, the operator without its suffix, and whether it had the suffix; all in lower case.
pub(super) fn operator(text: &str) -> Option<(String, String, bool)> {
    let text = text.to_lowercase();
    let (quantifier, rest) = text.split_once(':').unwrap_or(("", &text));
    let (base, if_exists) =
        rest.strip_suffix("ifexists").map_or((rest, false), |base| (base, true));
    let known = OPERATORS.iter().any(|operator| operator.to_lowercase() == base);
    let prefix_ok = matches!(quantifier, "" | "forallvalues" | "foranyvalue");
    let plain = quantifier.is_empty() && !if_exists && !text.contains(':');
    (known && prefix_ok && (base != "null" || plain))
        .then(|| (quantifier.to_owned(), base.to_owned(), if_exists))
}

/// Section 2.4.
pub(crate) const OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnNotEquals",
    "ArnLike",
    "ArnNotLike",
    "Null",
];

fn is_value(base: &str, value: &str, variables: bool) -> bool {
    let variables_ok = !variables || are_variables(value);
    let has_variable = variables && value.contains("${");
    let is_truth = value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
    match base {
        "null" => is_truth,
        "bool" => variables_ok && (has_variable || is_truth),
        "ipaddress" | "notipaddress" => is_network(value),
        "binaryequals" => STANDARD.decode(value).is_ok(),
        _ if base.starts_with("numeric") => text::Number::parse(value).is_some(),
        _ if base.starts_with("date") => text::time(value).is_some(),
        _ if base.starts_with("arn") => {
            let lone =
                has_variable && value.starts_with("${") && value.find('}') == Some(value.len() - 1);
            variables_ok && (value == "*" || lone || value.split(':').count() >= 6)
        }
        _ => variables_ok,
    }
}

fn is_network(value: &str) -> bool {
    let (base, bits) = value.split_once('/').unwrap_or((value, "0"));
    let Ok(base) = base.parse::<IpAddr>() else { return false };
    bits.parse::<u32>().is_ok_and(|bits| bits <= if base.is_ipv4() { 32 } else { 128 })
}

/// Whether every `${` closes, and names a key of one value, its default in single quotes.
fn are_variables(text: &str) -> bool {
    text.split("${").skip(1).all(|rest| {
        let Some((inside, _)) = rest.split_once('}') else { return false };
        if matches!(inside, "*" | "?" | "$") {
            return true;
        }
        let (name, default) = match inside.split_once(',') {
            Some((name, default)) => (name, Some(default.trim())),
            None => (inside, None),
        };
        let quoted =
            default.is_none_or(|d| d.len() > 1 && d.starts_with('\'') && d.ends_with('\''));
        is_key(name) && quoted && !MANY.contains(&name.to_lowercase().as_str())
    })
}

/// A key of section 2.7, or of another service.
fn is_key(name: &str) -> bool {
    let name = name.to_lowercase();
    let free =
        ["kms:encryptioncontext:", "aws:principaltag/", "aws:resourcetag/", "aws:requesttag/"];
    match name.split_once(':') {
        None => false,
        Some((_, "")) => false,
        Some(("aws" | "kms", _)) => {
            free.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()))
                || MANY.contains(&name.as_str())
                || SINGLE.contains(&name.as_str())
        }
        Some((vendor, _)) => !vendor.is_empty(),
    }
}

/// Keys of one value that the tests use.
const SINGLE: &[&str] = &[
    "aws:currenttime",
    "aws:epochtime",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalservicename",
    "aws:principaltype",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourcevpce",
    "aws:tokenissuetime",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "aws:viaawsservice",
    "aws:vpcsourceip",
    "kms:bypasspolicylockoutsafetycheck",
    "kms:calleraccount",
    "kms:customermasterkeyspec",
    "kms:encryptionalgorithm",
    "kms:grantisforawsresource",
    "kms:granteeprincipal",
    "kms:keyorigin",
    "kms:keyspec",
    "kms:keyusage",
    "kms:multiregion",
    "kms:requestalias",
    "kms:rotationperiodindays",
    "kms:validto",
    "kms:viaservice",
];
