//! The query that an alert carries finds the events that it is about, and no others of the log.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at what it does not expect"
)]

use keyward_trail::query::Query;
use keyward_types::Timestamp;
use keyward_watch::{Alert, Approval, Detector, Observation, Settings, Watch};
use serde_json::{Value, json};

/// A Monday, in minutes.
const START: i64 = 29_459_520;
const APP: &str = "arn:aws:sts::111122223333:assumed-role/App/";

/// One record: when, who, what, with which key, and how it ended.
fn record(minute: i64, session: &str, operation: &str, key: &str, error: Option<&str>) -> Value {
    let time = chrono::DateTime::from_timestamp((START + minute) * 60 + 30, 0).unwrap();
    let mut record = json!({
        "eventTime": time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "eventID": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "eventName": operation,
        "eventSource": "kms.amazonaws.com",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "10.1.2.3",
        "userIdentity": {"arn": format!("{APP}{session}"), "accountId": "111122223333"},
        "requestParameters": {"keyId": key},
        "resources": [{"ARN": format!("arn:aws:kms:eu-west-1:111122223333:key/{key}")}],
    });
    if let Some(error) = error {
        record["errorCode"] = error.into();
    }
    record
}

/// Two quiet days, and then each of what is to be seen; together with what is near to it and is not.
fn log() -> Vec<Value> {
    let mut log: Vec<Value> =
        (0..48).map(|hour| record(hour * 60, "one", "Decrypt", "k", None)).collect();
    let more = |minute, count, operation, error| {
        (0..count).map(move |i| record(minute, ["one", "two"][i % 2], operation, "k", error))
    };
    log.extend(more(2_900, 40, "Decrypt", None));
    log.extend(more(2_900, 30, "Decrypt", Some("AccessDenied")));
    log.extend(more(2_900, 30, "Decrypt", Some("InvalidCiphertextException")));
    log.extend(more(2_900, 70, "GenerateDataKeyWithoutPlaintext", None));
    log.push(record(2_901, "one", "Decrypt", "k", None));
    log.extend((0..25).map(|i| record(2_902, "one", "DescribeKey", &format!("d{i}"), None)));
    let mut moved = record(2_903, "one", "Decrypt", "k", None);
    moved["sourceIPAddress"] = "192.0.2.9".into();
    moved["awsRegion"] = "us-east-1".into();
    log.push(moved);
    let mut grant = record(2_904, "one", "CreateGrant", "k", None);
    grant["requestParameters"] = json!({"granteePrincipal": "eve", "operations": ["Decrypt"]});
    log.push(grant);
    let mut policy = record(2_905, "one", "PutKeyPolicy", "k", None);
    policy["requestParameters"]["policy"] =
        json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*"}})
            .to_string()
            .into();
    log.push(policy);
    let mut late = record(2_906, "one", "Sign", "gone", Some("KMSInvalidStateException"));
    late["errorMessage"] =
        "arn:aws:kms:eu-west-1:111122223333:key/gone is pending deletion.".into();
    log.push(late);
    log.push(record(2_907, "one", "Encrypt", "bait", None));
    let mut other = record(2_908, "one", "Decrypt", "k", None);
    other["userIdentity"]["arn"] = "arn:aws:iam::111122223333:user/eve, \"the\" other*".into();
    log.push(other);
    log.push(record(60 * 1_440, "one", "Decrypt", "k", None));
    log
}

fn play(log: &[Value]) -> Vec<Alert> {
    let none = Approval { grantee: "nobody".to_owned(), key: "*".to_owned(), operations: vec![] };
    let mut watch = Watch::new(Settings {
        canaries: vec!["bait".to_owned()],
        approvals: Some(vec![none]),
        ..Settings::default()
    });
    log.iter()
        .flat_map(|record| watch.observe(&Observation::from_record(record).unwrap()))
        .collect()
}

fn found<'r>(log: &'r [Value], alert: &Alert) -> Vec<&'r Value> {
    let query = Query::parse(&alert.query).unwrap_or_else(|e| panic!("{}: {e}", alert.query));
    log.iter().filter(|record| query.matches(record, Timestamp(0))).collect()
}

#[test]
fn every_query_finds_what_was_counted() {
    let log = log();
    let alerts = play(&log);
    let fired: Vec<&Alert> =
        alerts.iter().filter(|alert| alert.state == keyward_watch::State::Firing).collect();
    for detector in [
        Detector::Rate,
        Detector::Refusals,
        Detector::CiphertextErrors,
        Detector::DataKeysWithoutPlaintext,
        Detector::FirstUseOfKey,
        Detector::NewNetwork,
        Detector::NewRegion,
        Detector::NewOperation,
        Detector::DecryptAfterSilence,
        Detector::Enumeration,
        Detector::GrantWithoutApproval,
        Detector::PendingDeletion,
        Detector::PolicyOpened,
        Detector::Canary,
    ] {
        assert!(fired.iter().any(|alert| alert.detector == detector), "{detector:?} is not there");
    }
    for alert in &fired {
        let found = found(&log, alert);
        let rates = [
            Detector::Rate,
            Detector::Refusals,
            Detector::CiphertextErrors,
            Detector::DataKeysWithoutPlaintext,
        ];
        if rates.contains(&alert.detector) {
            assert_eq!(
                u32::try_from(found.len()).map(f64::from),
                Ok(alert.observed),
                "{alert}: {}",
                alert.query
            );
        }
        assert!(!found.is_empty(), "{alert}: {}", alert.query);
        if alert.detector == Detector::Enumeration {
            assert_eq!(found.len(), 20 + 5, "its minute is shown whole");
        }
        if [Detector::Canary, Detector::NewRegion, Detector::PolicyOpened].contains(&alert.detector)
        {
            assert_eq!(found.len(), 1, "{alert}: {}", alert.query);
        }
    }
    let strange = fired.iter().find(|alert| alert.query.contains("eve")).unwrap();
    assert_eq!(found(&log, strange).len(), 1, "{}", strange.query);
}

/// Once an alert is resolved, its query reaches to its end.
#[test]
fn a_resolved_alert_shows_all_of_it() {
    let log = log();
    for alert in play(&log).iter().filter(|alert| alert.state == keyward_watch::State::Resolved) {
        assert!(!found(&log, alert).is_empty(), "{alert}: {}", alert.query);
    }
}
