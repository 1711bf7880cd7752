//! Which records a reader asks for: what `keyward events list` and the event pages filter by.
//!
//! It is a small form of a [`Query`], and is evaluated as one.

use crate::query::{Condition, Field, Moment, Pattern, Query, Term};
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
    /// Whether all conditions hold. For many records, make the query once.
    pub fn matches(&self, record: &Value) -> bool {
        // A filter has no spans back from now, so that any time will do.
        Query::from(self).matches(record, Timestamp(0))
    }
}

/// A filter is a query of a few fields, of which a principal and a key may be named in part.
impl From<&Filter> for Query {
    fn from(filter: &Filter) -> Self {
        let literal = |text: &String| Pattern::literal(text);
        let part = |text: &String| Pattern::part(text);
        // The start of an ARN, or `role/`, would be compared whole in a query.
        let of_arn = |text: &String| text.starts_with("arn:") || text.contains('/');
        let principal = |text: &String| if of_arn(text) { part(text) } else { literal(text) };
        let conditions = [
            (Field::Operation, filter.operation.as_ref().map(literal)),
            (Field::Id, filter.id.as_ref().map(literal)),
            (Field::Result, filter.outcome.as_ref().map(literal)),
            (Field::Principal, filter.principal.as_ref().map(principal)),
            (Field::Key, filter.key.as_ref().map(part)),
            (Field::Text, filter.text.as_ref().map(literal)),
        ];
        let terms = conditions
            .into_iter()
            .filter_map(|(field, pattern)| Term::new(Condition::Says(field, vec![pattern?])));
        let mut query = terms.fold(Self::new(), Self::with);
        if let Some(since) = filter.since {
            query = query.since(Moment::at(since));
        }
        if let Some(until) = filter.until {
            query = query.until(Moment::at(until));
        }
        query
    }
}

/// `success`, `denied`, `client_error` or `server_error`, as metrics call it.
pub(crate) fn class(record: &Value) -> &'static str {
    let Some(code) = record.get("errorCode").and_then(Value::as_str) else {
        return Outcome::Success.class();
    };
    let known = ErrorCode::ALL.iter().find(|known| known.trail_name() == code);
    // A code that a newer version wrote is at least a failure.
    known.map_or("client_error", |known| Outcome::Failure(*known).class())
}

pub(crate) fn text<'r>(record: &'r Value, member: &str) -> &'r str {
    record.get(member).and_then(Value::as_str).unwrap_or_default()
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
            (true, Filter { principal: some("arn:aws:sts::111122223333:"), ..all() }),
            (true, Filter { principal: some("role/team/A"), ..all() }),
            (true, Filter { principal: some("AROA1:worker"), ..all() }),
            (false, Filter { principal: some("AROA1:wor"), ..all() }),
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
