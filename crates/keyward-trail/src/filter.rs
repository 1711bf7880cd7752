//! Which records a reader asks for: what `keyward events list` and the event pages filter by.
//!
//! It reads one record at a time; narrowing by index is the store's business.

use keyward_types::{ErrorCode, Outcome, Timestamp};
use serde_json::Value;

/// All conditions that are set must hold; the default matches every record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The operation's name, in any case.
    pub operation: Option<String>,
    /// `success`, `failure`, `denied`, `client_error`, `server_error`, or an `errorCode`; in any case.
    pub outcome: Option<String>,
    /// Part of the caller's or its role's ARN, or a whole principal id or access key id.
    pub principal: Option<String>,
    /// Part of a key's or alias's ARN, or what the request wrote for it.
    pub key: Option<String>,
    /// A whole event id or request id.
    pub id: Option<String>,
    /// The first moment, inclusive; records have whole seconds.
    pub since: Option<Timestamp>,
    /// The last moment, inclusive.
    pub until: Option<Timestamp>,
    /// Part of any text of the record, in any case.
    pub text: Option<String>,
}

impl Filter {
    pub fn matches(&self, record: &Value) -> bool {
        let holds = |condition: &Option<String>, test: fn(&Value, &str) -> bool| {
            condition.as_deref().is_none_or(|wanted| test(record, wanted))
        };
        holds(&self.operation, operation)
            && holds(&self.id, id)
            && self.in_time(record)
            && holds(&self.outcome, outcome)
            && holds(&self.principal, principal)
            && holds(&self.key, key)
            && self.text.as_ref().is_none_or(|text| contains(record, &text.to_lowercase()))
    }

    fn in_time(&self, record: &Value) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let time = chrono::DateTime::parse_from_rfc3339(text(record, "eventTime"));
        time.is_ok_and(|time| {
            let seconds = time.timestamp();
            self.since.is_none_or(|since| since.seconds() <= seconds)
                && self.until.is_none_or(|until| seconds <= until.seconds())
        })
    }
}

/// `success`, `denied`, `client_error` or `server_error`, as metrics call it.
pub(crate) fn class(record: &Value) -> &'static str {
    outcome_class(record.get("errorCode").and_then(Value::as_str))
}

/// The same of an `errorCode` alone.
pub fn outcome_class(error_code: Option<&str>) -> &'static str {
    let Some(code) = error_code else { return Outcome::Success.class() };
    let known = ErrorCode::ALL.iter().find(|known| known.trail_name() == code);
    // A code that a newer version wrote is at least a failure.
    known.map_or("client_error", |known| Outcome::Failure(*known).class())
}

pub(crate) fn text<'r>(record: &'r Value, member: &str) -> &'r str {
    record.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn operation(record: &Value, wanted: &str) -> bool {
    text(record, "eventName").eq_ignore_ascii_case(wanted)
}

fn id(record: &Value, wanted: &str) -> bool {
    ["eventID", "requestID"].iter().any(|member| text(record, member).eq_ignore_ascii_case(wanted))
}

fn outcome(record: &Value, wanted: &str) -> bool {
    let class = class(record);
    class.eq_ignore_ascii_case(wanted)
        || (wanted.eq_ignore_ascii_case("failure") && class != "success")
        || (class != "success" && text(record, "errorCode").eq_ignore_ascii_case(wanted))
}

fn principal(record: &Value, wanted: &str) -> bool {
    let at = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    [
        "/userIdentity/arn",
        "/userIdentity/sessionContext/sessionIssuer/arn",
        "/userIdentity/invokedBy",
    ]
    .iter()
    .any(|pointer| at(pointer).contains(wanted))
        || ["/userIdentity/principalId", "/userIdentity/accessKeyId"]
            .iter()
            .any(|pointer| at(pointer) == wanted)
}

fn key(record: &Value, wanted: &str) -> bool {
    let resources = record.get("resources").and_then(Value::as_array);
    let named = record.get("requestParameters").and_then(Value::as_object);
    let names_key =
        |member: &str| member.to_ascii_lowercase().ends_with("keyid") || member == "aliasName";
    resources.into_iter().flatten().any(|resource| text(resource, "ARN").contains(wanted))
        || named
            .into_iter()
            .flatten()
            .any(|(member, value)| names_key(member) && value.as_str() == Some(wanted))
}

fn contains(value: &Value, lower: &str) -> bool {
    match value {
        Value::String(text) => text.to_lowercase().contains(lower),
        Value::Array(items) => items.iter().any(|item| contains(item, lower)),
        Value::Object(map) => {
            map.iter().any(|(k, v)| k.to_lowercase().contains(lower) || contains(v, lower))
        }
        Value::Number(number) => number.to_string().contains(lower),
        Value::Null | Value::Bool(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record() -> Value {
        json!({
            "eventName": "Decrypt", "eventTime": "2026-11-23T09:41:07Z", "errorCode": "AccessDenied",
            "eventID": "0193AAAA-0000-0000-0000-000000000001", "requestID": "0193bbbb-0000-0000-0000-000000000002",
            "userIdentity": {
                "arn": "arn:aws:sts::111122223333:assumed-role/App/worker", "accessKeyId": "ASIA1",
                "principalId": "AROA1:worker",
                "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/team/App"}},
            },
            "requestParameters": {"keyId": "alias/app", "encryptionContext": {"Tenant": "Acme"}},
            "resources": [{"ARN": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}],
        })
    }

    #[test]
    fn each_condition_holds_and_fails() {
        let some = |text: &str| Some(text.to_owned());
        let time = |text: &str| {
            Some(Timestamp(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()))
        };
        let all = Filter::default;
        for (wanted, filter) in [
            (true, all()),
            (true, Filter { operation: some("decrypt"), ..all() }),
            (false, Filter { operation: some("Encrypt"), ..all() }),
            (true, Filter { outcome: some("denied"), ..all() }),
            (true, Filter { outcome: some("failure"), ..all() }),
            (true, Filter { outcome: some("accessdenied"), ..all() }),
            (false, Filter { outcome: some("success"), ..all() }),
            (false, Filter { outcome: some("server_error"), ..all() }),
            (true, Filter { principal: some("role/team/App"), ..all() }),
            (true, Filter { principal: some("ASIA1"), ..all() }),
            (false, Filter { principal: some("ASIA"), ..all() }),
            (true, Filter { key: some("alias/app"), ..all() }),
            (true, Filter { key: some("1234abcd"), ..all() }),
            (false, Filter { key: some("Acme"), ..all() }),
            (true, Filter { id: some("0193aaaa-0000-0000-0000-000000000001"), ..all() }),
            (true, Filter { id: some("0193bbbb-0000-0000-0000-000000000002"), ..all() }),
            (false, Filter { id: some("0193"), ..all() }),
            (true, Filter { since: time("2026-11-23T09:41:07.9Z"), ..all() }),
            (false, Filter { since: time("2026-11-23T09:41:08Z"), ..all() }),
            (true, Filter { until: time("2026-11-23T09:41:07Z"), ..all() }),
            (false, Filter { until: time("2026-11-23T09:41:06Z"), ..all() }),
            (true, Filter { text: some("ACME"), ..all() }),
            (true, Filter { text: some("tenant"), ..all() }),
            (false, Filter { text: some("absent"), ..all() }),
            (false, Filter { text: some("acme"), operation: some("Sign"), ..all() }),
        ] {
            assert_eq!(filter.matches(&record()), wanted, "{filter:?}");
        }
    }

    #[test]
    fn a_record_without_error_is_a_success() {
        let mut record = record();
        record.as_object_mut().unwrap().remove("errorCode");
        assert!(Filter { outcome: Some("success".into()), ..Filter::default() }.matches(&record));
        assert!(!Filter { outcome: Some("".into()), ..Filter::default() }.matches(&record));
    }
}
