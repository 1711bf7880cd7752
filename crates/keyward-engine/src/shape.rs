//! Input shapes as data: what a member is called, whether it must be there, and what it may hold.
//!
//! One table per operation serves three readers: validation in AWS's own words, the OpenAPI document,
//! and the comparison with AWS's service model.
//! It does not convert: after a body passed, serde makes the typed input from it.
//!
//! INVARIANT: all violated constraints are reported at once, in the table's order.
//! INVARIANT: the value of a blob or a sensitive text is never echoed.
//! Source: <https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html> (ValidationException) and recorded answers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_types::{ErrorCode, KmsError};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// One member of an input or of a structure inside it.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub name: &'static str,
    pub required: bool,
    pub kind: Kind,
}

/// What a member may hold. Lengths of text are in characters, of blobs in bytes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Text {
        min: usize,
        max: usize,
        pattern: Option<Pattern>,
    },
    /// Text that no answer and no event repeats.
    Secret {
        min: usize,
        max: usize,
        pattern: Option<Pattern>,
    },
    Blob {
        min: usize,
        max: usize,
    },
    Integer {
        min: i64,
        max: i64,
    },
    Boolean,
    /// Seconds since 1970, whole or fractional.
    Timestamp,
    Enum(&'static [&'static str]),
    List {
        of: &'static Kind,
        min: usize,
        max: usize,
    },
    /// Text to text.
    Map,
    Structure(&'static [Member]),
}

/// A regular expression as AWS shows it, and the same test in code.
#[derive(Clone, Copy)]
pub struct Pattern {
    pub shown: &'static str,
    pub matches: fn(&str) -> bool,
}

impl core::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.shown)
    }
}

pub const fn required(name: &'static str, kind: Kind) -> Member {
    Member { name, required: true, kind }
}

pub const fn optional(name: &'static str, kind: Kind) -> Member {
    Member { name, required: false, kind }
}

pub const fn text(min: usize, max: usize) -> Kind {
    Kind::Text { min, max, pattern: None }
}

pub const fn patterned(
    min: usize,
    max: usize,
    shown: &'static str,
    matches: fn(&str) -> bool,
) -> Kind {
    Kind::Text { min, max, pattern: Some(Pattern { shown, matches }) }
}

pub const fn secret_text(min: usize, max: usize) -> Kind {
    Kind::Secret { min, max, pattern: None }
}

pub const fn secret(
    min: usize,
    max: usize,
    shown: &'static str,
    matches: fn(&str) -> bool,
) -> Kind {
    Kind::Secret { min, max, pattern: Some(Pattern { shown, matches }) }
}

/// Checks a body against its table. Wrong types answer `SerializationException`; violated constraints
/// answer `ValidationException`, all of them at once. Members that the table does not name are ignored,
/// because clients may be newer than this service.
pub fn check(members: &[Member], body: &Map<String, Value>) -> Result<(), KmsError> {
    check_types(members, body)?;
    let mut violations = Vec::new();
    members.iter().for_each(|member| violate(member, body, "", &mut violations));
    if violations.is_empty() {
        return Ok(());
    }
    let count = violations.len();
    let errors = if count == 1 { "error" } else { "errors" };
    violations.truncate(VIOLATIONS_MAX);
    let more = if VIOLATIONS_MAX < count { "; ..." } else { "" };
    Err(KmsError::validation(format!(
        "{count} validation {errors} detected: {}{more}",
        violations.join("; ")
    )))
}

fn present<'v>(member: &Member, body: &'v Map<String, Value>) -> Option<&'v Value> {
    body.get(member.name).filter(|value| !value.is_null())
}

fn check_types(members: &[Member], body: &Map<String, Value>) -> Result<(), KmsError> {
    members
        .iter()
        .filter_map(|member| present(member, body).map(|value| (member, value)))
        .try_for_each(|(member, value)| check_type(&member.kind, value, member.name))
}

fn check_type(kind: &Kind, value: &Value, name: &str) -> Result<(), KmsError> {
    let wrong = || {
        let wanted = match kind {
            Kind::Text { .. } | Kind::Secret { .. } | Kind::Enum(_) => "a string",
            Kind::Blob { .. } => "base64 text",
            Kind::Integer { .. } => "an integer",
            Kind::Boolean => "true or false",
            Kind::Timestamp => "a number of seconds",
            Kind::List { .. } => "a list",
            Kind::Map => "a map of strings",
            Kind::Structure(_) => "an object",
        };
        Err(KmsError::new(ErrorCode::Serialization, format!("{name} must be {wanted}")))
    };
    match (kind, value) {
        (Kind::Text { .. } | Kind::Secret { .. } | Kind::Enum(_), Value::String(_)) => Ok(()),
        (Kind::Boolean, Value::Bool(_)) | (Kind::Timestamp, Value::Number(_)) => Ok(()),
        (Kind::Blob { .. }, Value::String(text)) if decoded_len(text).is_some() => Ok(()),
        (Kind::Integer { .. }, Value::Number(number)) if number.as_i64().is_some() => Ok(()),
        (Kind::List { of, .. }, Value::Array(items)) => {
            items.iter().try_for_each(|item| check_type(of, item, name))
        }
        (Kind::Map, Value::Object(map)) if map.values().all(Value::is_string) => Ok(()),
        (Kind::Structure(members), Value::Object(map)) => check_types(members, map),
        _ => wrong(),
    }
}

fn decoded_len(text: &str) -> Option<usize> {
    STANDARD.decode(text).ok().map(Zeroizing::new).map(|bytes| bytes.len())
}

/// Violations that one answer spells out, and characters of a value that one shows: the answer is also in the
/// event log, and is not to grow with what a client sends.
const VIOLATIONS_MAX: usize = 32;
const SHOWN_CHARS_MAX: usize = 1_024;

/// A value as an answer shows it, in quotes.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("'{}...' ", text.get(..end).unwrap_or_default()),
        None => format!("'{text}' "),
    }
}

fn violate(member: &Member, body: &Map<String, Value>, prefix: &str, violations: &mut Vec<String>) {
    let path = format!("{prefix}{}", keyward_trail::lower_camel(member.name));
    match present(member, body) {
        Some(value) => violate_kind(&member.kind, value, &path, violations),
        None if member.required => {
            violations.push(format!(
                "Value null at '{path}' failed to satisfy constraint: Member must not be null"
            ));
        }
        None => {}
    }
}

fn violate_kind(kind: &Kind, value: &Value, path: &str, violations: &mut Vec<String>) {
    let mut say = |shown: &str, constraint: String| {
        violations
            .push(format!("Value {shown}at '{path}' failed to satisfy constraint: {constraint}"));
    };
    match (kind, value) {
        (
            Kind::Text { min, max, pattern } | Kind::Secret { min, max, pattern },
            Value::String(text),
        ) => {
            let secret = matches!(kind, Kind::Secret { .. });
            let shown = if secret { String::new() } else { shown(text) };
            let len = text.chars().count();
            length_constraint(len, *min, *max).into_iter().for_each(|words| say(&shown, words));
            if let Some(pattern) = pattern.filter(|pattern| !(pattern.matches)(text)) {
                say(
                    &shown,
                    format!("Member must satisfy regular expression pattern: {}", pattern.shown),
                );
            }
        }
        (Kind::Blob { min, max }, Value::String(text)) => {
            let len = decoded_len(text).unwrap_or_default();
            length_constraint(len, *min, *max).into_iter().for_each(|words| say("", words));
        }
        (Kind::Integer { min, max }, Value::Number(number)) => {
            let (shown, given) = (format!("'{number}' "), number.as_i64().unwrap_or_default());
            if given < *min {
                say(&shown, format!("Member must have value greater than or equal to {min}"));
            }
            if *max < given {
                say(&shown, format!("Member must have value less than or equal to {max}"));
            }
        }
        (Kind::Enum(names), Value::String(text)) if !names.contains(&text.as_str()) => {
            say(
                &shown(text),
                format!("Member must satisfy enum value set: [{}]", names.join(", ")),
            );
        }
        (Kind::List { of, min, max }, Value::Array(items)) => {
            let told = |items: &[Value]| match of {
                Kind::Secret { .. } => String::new(),
                _ => shown(&Value::Array(items.to_vec()).to_string()),
            };
            length_constraint(items.len(), *min, *max)
                .into_iter()
                .for_each(|words| say(&told(items), words));
            for (i, item) in items.iter().enumerate() {
                violate_item(of, item, &format!("{path}.{}.member", i + 1), violations);
            }
        }
        (Kind::Structure(members), Value::Object(map)) => {
            members.iter().for_each(|member| violate(member, map, &format!("{path}."), violations));
        }
        _ => {}
    }
}

fn violate_item(of: &Kind, item: &Value, path: &str, violations: &mut Vec<String>) {
    match (of, item) {
        (Kind::Structure(members), Value::Object(map)) => {
            members.iter().for_each(|member| violate(member, map, &format!("{path}."), violations));
        }
        _ => violate_kind(of, item, path, violations),
    }
}

fn length_constraint(len: usize, min: usize, max: usize) -> Option<String> {
    if len < min {
        Some(format!("Member must have length greater than or equal to {min}"))
    } else if max < len {
        Some(format!("Member must have length less than or equal to {max}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TAG: &[Member] = &[required("TagKey", text(1, 3)), required("TagValue", text(0, 3))];
    const TABLE: &[Member] = &[
        required("KeyId", text(1, 8)),
        optional("Plaintext", Kind::Blob { min: 1, max: 4 }),
        optional("Limit", Kind::Integer { min: 1, max: 10 }),
        optional("Spec", Kind::Enum(&["A", "B"])),
        optional("Tags", Kind::List { of: &Kind::Structure(TAG), min: 0, max: 2 }),
        optional("Tokens", Kind::List { of: &secret_text(1, 8), min: 0, max: 1 }),
    ];

    fn refused(body: Value) -> String {
        check(TABLE, body.as_object().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn every_violation_is_named_and_secrets_are_not_echoed() {
        assert_eq!(
            refused(json!({"Plaintext": "AAAAAAAA", "Limit": 11, "Spec": "C"})),
            "ValidationException: 4 validation errors detected: \
             Value null at 'keyId' failed to satisfy constraint: Member must not be null; \
             Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4; \
             Value '11' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10; \
             Value 'C' at 'spec' failed to satisfy constraint: Member must satisfy enum value set: [A, B]"
        );
        assert_eq!(
            refused(json!({"KeyId": "k", "Tokens": ["short", "far too long"]})),
            "ValidationException: 2 validation errors detected: \
             Value at 'tokens' failed to satisfy constraint: Member must have length less than or equal to 1; \
             Value at 'tokens.2.member' failed to satisfy constraint: Member must have length less than or equal to 8"
        );
        assert_eq!(
            refused(json!({"KeyId": "k", "Tags": [{"TagKey": "", "TagValue": "v"}]})),
            "ValidationException: 1 validation error detected: Value '' at 'tags.1.member.tagKey' \
             failed to satisfy constraint: Member must have length greater than or equal to 1"
        );
    }

    #[test]
    fn an_answer_does_not_grow_with_the_request() {
        let long = "\u{e9}".repeat(100_000);
        let said = refused(json!({"KeyId": long, "Spec": long}));
        assert!(said.len() < 8 * SHOWN_CHARS_MAX && said.contains("\u{e9}...' at 'keyId'"));
        let tags = vec![json!({"TagKey": "", "TagValue": "v"}); 10_000];
        let said = refused(json!({"KeyId": "k", "Tags": tags}));
        assert!(said.starts_with("ValidationException: 10001 validation errors detected"));
        assert!(said.ends_with("; ...") && said.len() < 256 * VIOLATIONS_MAX, "{}", said.len());
    }

    #[test]
    fn wrong_types_are_a_serialization_error() {
        for body in [
            json!({"KeyId": 1}),
            json!({"KeyId": "k", "Plaintext": "?"}),
            json!({"KeyId": "k", "Limit": 1.5}),
        ] {
            assert!(refused(body).starts_with("SerializationException"));
        }
    }
}
