//! Reads a Condition operator by operator, key by key and value by value, and says what cannot be read.

use super::{
    Findings,
    checks::*,
    nearest::nearest,
    read::{Item, wrong_type},
    spelling,
};
use crate::{
    condition::{
        ConditionValue, Quantifier, Test,
        operators::{self, OPERATORS, Shape},
    },
    document::Reader,
    json::Json,
    keys::{ConditionKey, Family, Place},
};
use std::collections::BTreeMap;

/// One key under one operator, with the values that could be read.
pub(super) struct Condition {
    pub(super) at: String,
    pub(super) test: Test,
    pub(super) values: Vec<Item<()>>,
}

pub(super) fn conditions(
    reader: &Reader,
    json: &Json,
    at: &str,
    findings: &mut Findings<'_>,
) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let operators = members(json, at, findings);
    spelt_twice(operators, at, findings);
    for (operator, keys) in operators {
        let at = format!("{at}.{operator}");
        let known = is_operator(operator, &at, findings);
        let keys = members(keys, &at, findings);
        spelt_twice(keys, &at, findings);
        for (key, values) in keys {
            let at = format!("{at}.{key}");
            if is_key(key, &at, findings) && known {
                conditions.extend(condition(reader, (operator, key), values, &at, findings));
            }
        }
    }
    conditions
}

fn members<'j>(json: &'j Json, at: &str, findings: &mut Findings<'_>) -> &'j [(String, Json)] {
    let Some(members) = json.members() else {
        wrong_type(at, "an object", findings);
        return &[];
    };
    if members.is_empty() {
        let message = format!("{at} asks nothing");
        findings.add(&EMPTY_CONDITION, at, message, "leave it out, or say what is asked");
    }
    members
}

/// Names that differ in case alone are one.
fn spelt_twice(members: &[(String, Json)], at: &str, findings: &mut Findings<'_>) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (name, _) in members {
        match seen.insert(name.to_lowercase(), name) {
            Some(before) if before != name => {
                let path = format!("{at}.{name}");
                let message = format!("{before} and {name} are one");
                let advice = "write their values in one list";
                findings.add(&DUPLICATE_KEYS_WITH_DIFFERENT_CASE, &path, message, advice);
            }
            _ => {}
        }
    }
}

fn is_operator(text: &str, at: &str, findings: &mut Findings<'_>) -> bool {
    let Err(why) = operators::parse(text) else { return true };
    let (prefix, name) = text.split_once(':').map_or(("", text), |(prefix, name)| (prefix, name));
    let suffix = "ifexists";
    let folded = name.to_lowercase();
    let base = folded.strip_suffix(suffix).unwrap_or(&folded);
    if base == "null" {
        let advice = "write Null alone: it asks whether the key is there";
        findings.add(&NULL_WITH_IF_EXISTS, at, why, advice);
        return false;
    }
    let advice = match nearest(base, OPERATORS.iter().map(|row| row.name)) {
        Some(meant) if base != folded => format!("write {meant}IfExists"),
        Some(meant) => format!("write {meant}"),
        None if prefix.is_empty() => "write an operator such as StringEquals".to_owned(),
        None => "a set prefix is ForAllValues: or ForAnyValue:".to_owned(),
    };
    findings.add(&INVALID_OPERATOR, at, why, advice);
    false
}

fn is_key(text: &str, at: &str, findings: &mut Findings<'_>) -> bool {
    if ConditionKey::parse(text).is_some() {
        return true;
    }
    if text.contains("${") {
        let message = format!("{text}: a variable in the name of a key is not replaced");
        let advice = "write the key out, or compare values with the variable";
        findings.add(&VARIABLE_IN_CONDITION_KEY, at, message, advice);
        return false;
    }
    let advice = match spelling::meant(text) {
        Some(meant) => format!("write {meant}"),
        None => "write a key such as kms:ViaService or aws:PrincipalArn".to_owned(),
    };
    findings.add(&INVALID_CONDITION_KEY, at, format!("unknown condition key {text}"), advice);
    false
}

fn condition(
    reader: &Reader,
    (operator, key): (&str, &str),
    json: &Json,
    at: &str,
    findings: &mut Findings<'_>,
) -> Option<Condition> {
    let list = json.list();
    if list.is_empty() {
        let message = format!("{at} has no values");
        findings.add(&EMPTY_CONDITION, at, message, "write the values, or leave the key out");
    }
    let (mut values, mut items) = (Vec::new(), Vec::new());
    for (index, value) in list.into_iter().enumerate() {
        let path = format!("{at}[{index}]");
        let Ok(value) = value.scalar(&path) else {
            wrong_type(&path, "a text, a number, true or false", findings);
            continue;
        };
        match Test::parse(operator, key, std::slice::from_ref(&value), reader.variables) {
            Ok(_) => {
                items.push(Item { at: path, text: value.text.clone(), what: () });
                values.push(value);
            }
            Err(why) => invalid_value(operator, &value, reader.variables, &path, why, findings),
        }
    }
    let test = match Test::parse(operator, key, &values, reader.variables) {
        Ok(test) => test,
        Err(why) => {
            if values.len() > 1 {
                findings.add(&INVALID_BOOLEAN, at, why, "write \"true\" or \"false\"");
            }
            return None;
        }
    };
    let of_one =
        matches!(test.key.place, Place::Tag(Family::EncryptionContext | Family::RequestTag));
    if test.quantifier == Some(Quantifier::All) && of_one {
        let advice = "leave ForAllValues: out";
        findings.add(&OVERLY_PERMISSIVE_CONDITION, at, crate::OVERLY_PERMISSIVE, advice);
    }
    Some(Condition { at: at.to_owned(), test, values: items })
}

fn invalid_value(
    operator: &str,
    value: &ConditionValue,
    variables: bool,
    at: &str,
    why: String,
    findings: &mut Findings<'_>,
) {
    let Ok((row, ..)) = operators::parse(operator) else { return };
    let takes_variables = matches!(row.shape, Shape::Text(_) | Shape::Bool | Shape::Arn);
    let (check, advice) = match row.shape {
        _ if value.inexact && !matches!(row.shape, Shape::Number(_)) => {
            (&UNQUOTED_DECIMAL, "put the number in quotes")
        }
        _ if variables && value.text.contains("${") && !takes_variables => (
            &VARIABLE_IN_UNSUPPORTED_OPERATOR,
            "write the value; variables go with String and ARN operators",
        ),
        Shape::Bool if why.ends_with("true or false") => {
            (&INVALID_BOOLEAN, "write \"true\" or \"false\"")
        }
        Shape::Arn if why.ends_with("is not an ARN") => (
            &INVALID_CONDITION_ARN,
            "write an ARN with its six parts, such as arn:aws:iam::*:role/x",
        ),
        Shape::Text(_) | Shape::Bool | Shape::Arn => {
            (&INVALID_VARIABLE, "write ${KEY} or ${KEY, 'default'} with a key of one value")
        }
        Shape::Number(_) => (&INVALID_NUMBER, "write digits, such as \"30\""),
        Shape::Time(_) => (&INVALID_DATE, "write \"2026-12-31T00:00:00Z\" or seconds since 1970"),
        Shape::Ip => (&INVALID_IP_RANGE, "write an address or a range such as 203.0.113.0/24"),
        Shape::Binary => (&INVALID_BASE64, "write the bytes in base64"),
        Shape::Null => (&INVALID_BOOLEAN, "write \"true\" (is absent) or \"false\" (is there)"),
    };
    findings.add(check, at, why, advice);
}
