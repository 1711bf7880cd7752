//! An alert as it is told: by REST, in a webhook and in the file the same object.

use keyward_engine::alerts::{AlertEntry, SilenceEntry};
use keyward_types::Timestamp;
use keyward_watch::{Alert, Contributor, State};
use serde_json::{Value, json};

/// One alert.
pub fn alert(entry: &AlertEntry) -> Value {
    let AlertEntry { id, alert, fired, resolved, acknowledged } = entry;
    let mut told = facts(alert);
    let more = json!({
        "AlertId": id,
        "State": if entry.is_firing() { "firing" } else { "resolved" },
        "Fired": fired.wire(),
        "Resolved": resolved.map(Timestamp::wire),
        "Acknowledged": acknowledged.as_ref().map(|one| json!({
            "By": one.by,
            "At": one.at.wire(),
            "Comment": one.comment,
        })),
    });
    if let (Value::Object(told), Value::Object(more)) = (&mut told, more) {
        told.extend(more);
    }
    told
}

/// What the detectors say.
pub fn facts(alert: &Alert) -> Value {
    let subject = &alert.subject;
    let contributor =
        |Contributor { name, count }: &Contributor| json!({"Name": &**name, "Count": count});
    json!({
        "Detector": alert.detector.as_str(),
        "Severity": alert.severity.as_str(),
        "State": if alert.state == State::Firing { "firing" } else { "resolved" },
        "Summary": alert.to_string(),
        "Account": &*subject.account,
        "Principal": subject.principal.as_deref(),
        "Key": subject.key.as_deref(),
        "What": subject.what.as_deref(),
        "Since": alert.since.wire(),
        "Noticed": alert.time.wire(),
        "Expected": alert.expected,
        "Observed": alert.observed,
        "WindowMinutes": alert.window_minutes,
        "Score": alert.score,
        "Contributors": alert.contributors.iter().map(contributor).collect::<Vec<_>>(),
        "Query": alert.query,
        "EventId": alert.event_id.map(|id| id.to_string()),
        "Fingerprint": alert.fingerprint,
    })
}

/// One silence.
pub(super) fn silence(entry: &SilenceEntry) -> Value {
    let SilenceEntry { id, silence, by, since } = entry;
    json!({
        "SilenceId": id,
        "Detector": silence.detector.map(|detector| detector.as_str()),
        "Principal": silence.principal,
        "Key": silence.key,
        "Reason": silence.reason,
        "By": by,
        "Since": since.wire(),
        "Until": Timestamp(silence.until.timestamp_millis()).wire(),
    })
}
