//! Reads what detectors need from a CloudTrail record.
//!
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>.

use crate::{GrantMade, Observation, observation::acting};
use keyward_types::{ErrorCode, Outcome, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

impl Observation {
    /// Fills in what only the record says.
    pub fn with_record(mut self, record: &Value) -> Self {
        if let Some(issuer) = string(record, "/userIdentity/sessionContext/sessionIssuer/arn") {
            self.principal = issuer.to_owned();
        }
        self.region = string(record, "/awsRegion").unwrap_or_default().to_owned();
        self.source = string(record, "/sourceIPAddress").unwrap_or_default().to_owned();
        self.named = string(record, "/requestParameters/keyId").map(str::to_owned);
        self.key_pending_deletion =
            is_pending_deletion(&self.outcome, string(record, "/errorMessage"));
        if self.succeeded() {
            self.grant = (self.operation == "CreateGrant").then(|| grant(record));
            let policy = string(record, "/requestParameters/policy");
            self.opened_to_everyone = policy.is_some_and(is_open_to_everyone);
        }
        self
    }

    /// From a record as it was written; `None` when it is no event of a caller that could be read: what a service
    /// did by itself, and the copy that a key's owner gets of what another account did.
    pub fn read(record: &[u8]) -> Option<Self> {
        Self::of_form(serde_json::from_slice(record).ok()?)
    }

    /// The same of a record that was parsed.
    pub fn from_record(record: &Value) -> Option<Self> {
        Self::of_form(Form::deserialize(record).ok()?)
    }

    fn of_form(form: Form<'_>) -> Option<Self> {
        let identity = &form.identity;
        let recipient = form.recipient.as_deref();
        let account = identity.account.as_deref().filter(|text| !text.is_empty()).or(recipient);
        if form.kind.as_deref() == Some("AwsServiceEvent")
            || recipient.is_some() && recipient != account
        {
            return None;
        }
        let caller = identity.arn.as_deref().filter(|text| !text.is_empty());
        let caller = caller.or(identity.invoked_by.as_deref())?;
        let issuer = identity.session.as_ref().and_then(|session| session.issuer.as_ref());
        let issuer = issuer.and_then(|issuer| issuer.arn.as_deref());
        let time = chrono::DateTime::parse_from_rfc3339(&form.time).ok()?;
        let outcome =
            form.error.as_deref().map_or(Outcome::Success, |name| Outcome::Failure(code(name)));
        let succeeded = outcome == Outcome::Success;
        let parameters = form.parameters.as_ref();
        let named = parameters.and_then(|parameters| parameters.key.as_deref());
        let policy = parameters.and_then(|parameters| parameters.policy.as_deref());
        let is_grant = succeeded && form.name == "CreateGrant";
        let resources = form.resources.iter().flatten();
        let arns = resources.filter_map(|resource| resource.arn.as_deref());
        Some(Self {
            event_id: form.id.parse().ok()?,
            time: Timestamp(time.timestamp_millis()),
            key_pending_deletion: is_pending_deletion(&outcome, form.message.as_deref()),
            outcome,
            account: account.unwrap_or_default().to_owned(),
            principal: issuer.unwrap_or_else(|| acting(caller)).to_owned(),
            keys: arns.filter(|arn| arn.contains(":key/")).map(str::to_owned).collect(),
            named: named.filter(|name| !name.is_empty()).map(str::to_owned),
            region: form.region.unwrap_or_default(),
            source: form.source.unwrap_or_default(),
            grant: is_grant.then(|| parameters.map_or_else(GrantMade::default, Parameters::grant)),
            opened_to_everyone: succeeded && policy.is_some_and(is_open_to_everyone),
            operation: form.name.into_owned(),
        })
    }
}

/// What of a record detectors look at.
#[derive(Deserialize)]
struct Form<'r> {
    #[serde(rename = "eventTime", borrow)]
    time: Cow<'r, str>,
    #[serde(rename = "eventName", borrow)]
    name: Cow<'r, str>,
    #[serde(rename = "eventID", borrow)]
    id: Cow<'r, str>,
    #[serde(rename = "eventType")]
    kind: Option<String>,
    #[serde(rename = "userIdentity")]
    identity: Identity,
    #[serde(rename = "errorCode")]
    error: Option<String>,
    #[serde(rename = "errorMessage")]
    message: Option<String>,
    #[serde(rename = "awsRegion")]
    region: Option<String>,
    #[serde(rename = "sourceIPAddress")]
    source: Option<String>,
    #[serde(rename = "requestParameters")]
    parameters: Option<Parameters>,
    resources: Option<Vec<Resource>>,
    #[serde(rename = "recipientAccountId")]
    recipient: Option<String>,
}

#[derive(Deserialize)]
struct Identity {
    arn: Option<String>,
    #[serde(rename = "accountId")]
    account: Option<String>,
    #[serde(rename = "invokedBy")]
    invoked_by: Option<String>,
    #[serde(rename = "sessionContext")]
    session: Option<Session>,
}

#[derive(Deserialize)]
struct Session {
    #[serde(rename = "sessionIssuer")]
    issuer: Option<Issuer>,
}

#[derive(Deserialize)]
struct Issuer {
    arn: Option<String>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(rename = "ARN")]
    arn: Option<String>,
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(rename = "keyId")]
    key: Option<String>,
    policy: Option<String>,
    #[serde(rename = "granteePrincipal")]
    grantee: Option<String>,
    operations: Option<Vec<String>>,
}

impl Parameters {
    fn grant(&self) -> GrantMade {
        GrantMade {
            grantee: self.grantee.clone().unwrap_or_default(),
            operations: self.operations.clone().unwrap_or_default(),
        }
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

fn is_pending_deletion(outcome: &Outcome, message: Option<&str>) -> bool {
    let message = message.unwrap_or_default();
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
        assert_eq!(Observation::read(written.to_string().as_bytes()).unwrap().principal, "role");
        // The owner's copy, and what the service did by itself.
        for (name, value) in
            [("recipientAccountId", "444455556666"), ("eventType", "AwsServiceEvent")]
        {
            let mut other = written.clone();
            other[name] = value.into();
            assert_eq!(Observation::from_record(&other), None, "{name}");
        }
        written["recipientAccountId"] = "111122223333".into();
        assert!(Observation::from_record(&written).is_some());
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
