//! Events become cases that hold: what was recorded under the file's policies is decided again as it was.

use super::{HEAD, ran, read, run};
use crate::{Status, record};
use keyward_policy::PolicyEngine;
use serde_json::{Value, json};

/// The event of a decision of the usual policies.
fn event(rest: &str, caller: Value, time: &str) -> Value {
    let tests = format!(
        "tests:\n  - {{ name: x, caller: app, action: kms:Decrypt, key: data, expect: deny, {rest} }}\n"
    );
    let decision = ran(&tests).outcomes.remove(0).decision.unwrap();
    json!({
        "eventTime": time,
        "userIdentity": caller,
        "sourceIPAddress": "203.0.113.7",
        "vpcEndpointId": if rest.contains("vpce-1") { json!("vpce-1") } else { Value::Null },
        "requestParameters": if rest.contains("App") { json!({"encryptionContext": {"App": "a"}}) } else { Value::Null },
        "additionalEventData": {"policyDecision": [decision]},
    })
}

fn app() -> Value {
    json!({
        "type": "AssumedRole",
        "arn": "arn:aws:sts::111122223333:assumed-role/app/i-1",
        "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/app"}},
    })
}

#[test]
fn what_was_decided_is_what_must_be_decided() {
    let stranger = json!({"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/bob"});
    let events = [
        event("encryption_context: { App: a }", app(), "2026-01-02T00:00:00Z"),
        event("encryption_context: { App: a }", app(), "2026-01-01T00:00:00Z"),
        event("context: { aws:SourceVpce: vpce-1 }", app(), "2026-01-01T00:00:00Z"),
        event("encryption_context: null", app(), "2026-01-01T00:00:00Z"),
        event("encryption_context: { App: a }", stranger, "2026-01-01T00:00:00Z"),
    ];
    let events: Vec<Value> = events.into();
    let recorded =
        record(&PolicyEngine::new(), "t", &format!("{HEAD}{DUMMY}"), &read, &events).unwrap();
    assert_eq!(recorded.cases, 3, "{}", recorded.tests);
    let left: Vec<(&str, usize)> =
        recorded.left_out.iter().map(|(why, count)| (why.as_str(), *count)).collect();
    assert_eq!(left, [("no principal of the file is arn:aws:iam::111122223333:user/bob", 1)]);
    assert!(
        recorded.tests.contains("# 2 times, last 2026-01-02T00:00:00Z\n"),
        "{}",
        recorded.tests
    );
    assert!(!recorded.tests.contains("203.0.113.7"), "no policy looks at the address");
    let report = run(&format!("{HEAD}{}", recorded.tests)).ran.unwrap();
    assert_eq!(report.outcomes.len(), 3);
    let wrong: Vec<_> =
        report.outcomes.iter().filter(|outcome| outcome.status != Status::Passed).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let mut got: Vec<&str> = report.outcomes.iter().map(|outcome| outcome.got.as_str()).collect();
    got.sort_unstable();
    assert_eq!(got, ["allow", "explicit_deny", "implicit_deny"]);
}

const DUMMY: &str =
    "tests:\n  - { name: x, caller: app, action: kms:Decrypt, key: data, expect: deny }\n";
