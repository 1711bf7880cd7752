//! What a record keeps of request parameters or response elements that are too large for their field.
//!
//! The largest values are left out first, so that somebody who pads a request hides the padding, and not the key and the
//! encryption context beside it. It knows no field's meaning, and shortens no value: what stands there is whole.
//!
//! INVARIANT: what is kept is a part of what was there, with [`OMITTED`] beside it where anything was left out.
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>
//! (`omitted`)

use serde_json::{Map, Value};

/// CloudTrail's member that says so.
pub(crate) const OMITTED: &str = "omitted";

/// What a member costs beside its name in quotes and its value: a colon and a comma.
const FRAME_BYTES: usize = 2;

/// What can be left out: a member, or one pair of a member that is an object, such as an encryption context.
struct Part {
    bytes: usize,
    member: String,
    pair: Option<String>,
}

fn bytes(name: &str, value: &Value) -> usize {
    // Names can need escapes too.
    let name = Value::String(name.to_owned()).to_string().len();
    name + value.to_string().len() + FRAME_BYTES
}

fn parts(members: &Map<String, Value>) -> Vec<Part> {
    let mut parts = Vec::new();
    for (member, value) in members {
        let part = |pair: Option<&String>, bytes| Part {
            bytes,
            member: member.clone(),
            pair: pair.cloned(),
        };
        match value {
            Value::Object(pairs) if !pairs.is_empty() => {
                parts
                    .extend(pairs.iter().map(|(pair, value)| part(Some(pair), bytes(pair, value))));
            }
            other => parts.push(part(None, bytes(member, other))),
        }
    }
    parts
}

/// The members without the largest of them, in at most so many bytes of JSON.
pub(crate) fn fitting(mut members: Map<String, Value>, bytes_max: usize) -> Map<String, Value> {
    let mut total = Value::Object(members.clone()).to_string().len();
    if total <= bytes_max {
        return members;
    }
    members.insert(OMITTED.to_owned(), true.into());
    total += OMITTED.len() + 8;
    let mut parts = parts(&members);
    // Of equals the last goes first.
    parts.reverse();
    parts.sort_by_key(|part| core::cmp::Reverse(part.bytes));
    for Part { bytes, member, pair } in parts {
        if total <= bytes_max || member == OMITTED {
            break;
        }
        match (members.get_mut(&member), pair) {
            (Some(Value::Object(pairs)), Some(pair)) => {
                pairs.shift_remove(&pair);
                // An empty encryption context would say that there was none.
                if pairs.is_empty() {
                    members.shift_remove(&member);
                }
            }
            _ => drop(members.shift_remove(&member)),
        }
        total = total.saturating_sub(bytes);
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fitted(value: Value, bytes_max: usize) -> Value {
        let Value::Object(members) = value else { panic!("an object is fitted") };
        let fitted = Value::Object(fitting(members, bytes_max));
        assert!(fitted.to_string().len() <= bytes_max, "{fitted}");
        fitted
    }

    #[test]
    fn padding_hides_itself_alone() {
        let asked = json!({
            "keyId": "alias/books", "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "encryptionContext": {"tenant": "acme", "pad": "x".repeat(5_000), "more": "\n".repeat(600)},
        });
        let mut kept = asked.clone();
        kept["encryptionContext"].as_object_mut().unwrap().remove("pad");
        kept["omitted"] = true.into();
        assert_eq!(fitted(asked.clone(), 2_000), kept);
        kept["encryptionContext"].as_object_mut().unwrap().remove("more");
        assert_eq!(fitted(asked.clone(), 1_000), kept);
        assert_eq!(fitted(asked.clone(), 10_000), asked, "what fits is left alone");
    }

    #[test]
    fn many_pairs_leave_as_many_as_there_is_room_for() {
        let pairs: Map<String, Value> =
            (0..2_000).map(|n| (format!("name{n:04}"), json!("value"))).collect();
        let kept = fitted(json!({"keyId": "k", "encryptionContext": pairs}), 10_000);
        let left = kept["encryptionContext"].as_object().unwrap();
        assert!((500..527).contains(&left.len()), "{}", left.len());
        assert!(left.contains_key("name0000") && !left.contains_key("name1999"));
        assert_eq!((&kept["keyId"], &kept["omitted"]), (&json!("k"), &json!(true)));
    }

    #[test]
    fn a_context_of_which_nothing_is_left_is_not_an_empty_one() {
        let asked = json!({"encryptionContext": {"a": "x".repeat(900)}, "policy": "p".repeat(800)});
        let kept = fitted(asked, 500);
        assert_eq!(kept, json!({"omitted": true}));
    }
}
