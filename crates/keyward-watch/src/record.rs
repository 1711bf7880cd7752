//! Reads what detectors need from a CloudTrail record.
//!
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>.

use crate::{GrantMade, Observation, observation::acting};
use keyward_types::{ErrorCode, Outcome, Timestamp};
use serde_json::{Map, Value};

impl Observation {
    /// Fills in what only the record says.
    pub fn with_record(mut self, record: &Value) -> Self {
        if let Some(issuer) = string(record, "/userIdentity/sessionContext/sessionIssuer/arn") {
            self.principal = issuer.to_owned();
        }
        self.region = string(record, "/awsRegion").unwrap_or_default().to_owned();
        self.source = string(record, "/sourceIPAddress").unwrap_or_default().to_owned();
        self.named = string(record, "/requestParameters/keyId").map(str::to_owned);
        self.key_pending_deletion = is_pending_deletion(&self.outcome, record);
        if self.succeeded() {
            self.grant = (self.operation == "CreateGrant").then(|| grant(record));
            let policy = string(record, "/requestParameters/policy");
            self.opened_to_everyone = policy.is_some_and(is_open_to_everyone);
        }
        self
    }

    /// From a record alone; `None` when it is no event of a caller.
    pub fn from_record(record: &Value) -> Option<Self> {
        let time = chrono::DateTime::parse_from_rfc3339(string(record, "/eventTime")?).ok()?;
        let error = string(record, "/errorCode");
        let caller = string(record, "/userIdentity/arn")
            .or_else(|| string(record, "/userIdentity/invokedBy"))?;
        let resources = record.get("resources").and_then(Value::as_array);
        let arns = resources.into_iter().flatten().filter_map(|resource| string(resource, "/ARN"));
        let observation = Self {
            event_id: string(record, "/eventID")?.parse().ok()?,
            time: Timestamp(time.timestamp_millis()),
            operation: string(record, "/eventName")?.to_owned(),
            outcome: error.map_or(Outcome::Success, |name| Outcome::Failure(code(name))),
            account: string(record, "/userIdentity/accountId").unwrap_or_default().to_owned(),
            principal: acting(caller).to_owned(),
            keys: arns.filter(|arn| arn.contains(":key/")).map(str::to_owned).collect(),
            named: None,
            region: String::new(),
            source: String::new(),
            grant: None,
            opened_to_everyone: false,
            key_pending_deletion: false,
        };
        Some(observation.with_record(record))
    }
}

fn string<'r>(record: &'r Value, pointer: &str) -> Option<&'r str> {
    record.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// What a record cannot name is an error inside.
fn code(name: &str) -> ErrorCode {
    let known = ErrorCode::ALL.iter().find(|code| code.trail_name() == name || code.wire() == name);
    known.copied().unwrap_or(ErrorCode::Internal)
}

fn is_pending_deletion(outcome: &Outcome, record: &Value) -> bool {
    let message = string(record, "/errorMessage").unwrap_or_default();
    *outcome == Outcome::Failure(ErrorCode::InvalidState)
        && message.contains("pending deletion")
        && !message.contains("not pending deletion")
}

fn grant(record: &Value) -> GrantMade {
    let operations = record.pointer("/requestParameters/operations").and_then(Value::as_array);
    let names = operations.into_iter().flatten().filter_map(Value::as_str);
    let grantee = string(record, "/requestParameters/granteePrincipal").unwrap_or_default();
    GrantMade { grantee: grantee.to_owned(), operations: names.map(str::to_owned).collect() }
}

/// Whether a policy allows everyone something without any condition. What is no policy does not.
fn is_open_to_everyone(policy: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let statements = match policy.get("Statement") {
        Some(Value::Array(all)) => all.as_slice(),
        Some(one) => core::slice::from_ref(one),
        None => &[],
    };
    statements.iter().any(|statement| {
        let conditions = statement.get("Condition").and_then(Value::as_object);
        let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
        // All but some are everyone, too.
        let everyone = statement.get("NotPrincipal").is_some()
            || statement.get("Principal").is_some_and(is_everyone);
        allows && everyone && conditions.is_none_or(Map::is_empty)
    })
}

fn is_everyone(principal: &Value) -> bool {
    match principal {
        Value::String(text) => text == "*",
        Value::Array(all) => all.iter().any(is_everyone),
        Value::Object(kinds) => kinds.get("AWS").is_some_and(is_everyone),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(name: &str, parameters: &Value, error: Option<(&str, &str)>) -> Value {
        let mut record = json!({
            "eventTime": "2026-01-31T12:00:05Z", "eventName": name, "awsRegion": "eu-west-1",
            "eventID": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "sourceIPAddress": "10.1.2.3",
            "userIdentity": {"arn": "arn:aws:sts::111122223333:assumed-role/App/one",
                "accountId": "111122223333"},
            "requestParameters": parameters,
            "resources": [{"ARN": "arn:aws:kms:eu-west-1:111122223333:key/k"},
                {"ARN": "arn:aws:kms:eu-west-1:111122223333:alias/a"}],
        });
        if let Some((code, message)) = error {
            record["errorCode"] = code.into();
            record["errorMessage"] = message.into();
        }
        record
    }

    #[test]
    fn a_record_says_who_and_what() {
        let parameters = json!({"keyId": "k", "granteePrincipal": "g", "operations": ["Decrypt"]});
        let mut written = record("CreateGrant", &parameters, None);
        let read = Observation::from_record(&written).unwrap();
        assert_eq!(read.principal, "arn:aws:sts::111122223333:assumed-role/App");
        assert_eq!(read.keys, ["arn:aws:kms:eu-west-1:111122223333:key/k"]);
        let grant = GrantMade { grantee: "g".to_owned(), operations: vec!["Decrypt".to_owned()] };
        assert_eq!(read.grant, Some(grant));
        assert_eq!((&*read.region, &*read.source), ("eu-west-1", "10.1.2.3"));
        written["userIdentity"]["sessionContext"] = json!({"sessionIssuer": {"arn": "role"}});
        assert_eq!(Observation::from_record(&written).unwrap().principal, "role");
        let refused = record("CreateGrant", &parameters, Some(("AccessDenied", "no")));
        let refused = Observation::from_record(&refused).unwrap();
        assert_eq!((refused.outcome.class(), refused.grant), ("denied", None));
        assert_eq!(Observation::from_record(&json!({"eventName": "Decrypt"})), None);
    }

    #[test]
    fn use_of_a_key_that_is_pending_deletion() {
        for (message, pending) in [
            ("arn:aws:kms:r:a:key/k is pending deletion.", true),
            ("arn:aws:kms:r:a:key/k is not pending deletion.", false),
            ("", false),
        ] {
            let written =
                record("Decrypt", &json!({}), Some(("KMSInvalidStateException", message)));
            let read = Observation::from_record(&written).unwrap();
            assert_eq!(read.key_pending_deletion, pending, "{message}");
        }
    }

    #[test]
    fn policies_that_are_open() {
        let all = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:*"});
        let with = |name: &str, value: Value| {
            let mut statement = all.clone();
            statement[name] = value;
            json!({"Statement": [statement]}).to_string()
        };
        for (policy, open) in [
            (with("Effect", "Allow".into()), true),
            (json!({"Statement": all}).to_string(), true),
            (with("Principal", json!({"AWS": "*"})), true),
            (with("Principal", json!({"AWS": ["arn:aws:iam::1:root", "*"]})), true),
            (with("Principal", json!({"AWS": "arn:aws:iam::1:root"})), false),
            (with("Principal", json!({"Service": "*"})), false),
            (with("Effect", "Deny".into()), false),
            (with("Condition", json!({})), true),
            (with("Condition", json!({"StringEquals": {"aws:PrincipalOrgID": "o"}})), false),
            ("no policy".to_owned(), false),
        ] {
            assert_eq!(is_open_to_everyone(&policy), open, "{policy}");
        }
    }
}
