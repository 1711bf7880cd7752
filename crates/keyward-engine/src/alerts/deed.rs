//! What an event of the log says to the detectors and their book: that an alert fired or ended, that silences or settings
//! were stated.
//!
//! INVARIANT: only what succeeded says something.

use super::{FIRED, RESOLVED, book::end_of};
use keyward_types::Timestamp;
use keyward_watch::{Alert, Settings, Silence};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

/// Operations whose events change what is known of alerts.
pub(super) const OPERATIONS: [&str; 3] =
    ["CreateAlertSilence", "ExpireAlertSilence", "PutAlertSettings"];

pub(super) struct Deed {
    pub(super) done: Done,
    /// An ARN; empty for the service.
    pub(super) by: String,
    pub(super) account: String,
    pub(super) time: Timestamp,
}

pub(super) enum Done {
    Fired {
        id: String,
        alert: Alert,
    },
    Resolved {
        id: String,
        alert: Alert,
    },
    Silenced {
        id: String,
        silence: Silence,
    },
    Expired {
        id: String,
    },
    /// `None` goes back to the configuration's.
    Set(Option<Box<Settings>>),
}

#[derive(Deserialize)]
struct Head<'r> {
    #[serde(rename = "eventName", borrow)]
    name: Cow<'r, str>,
    #[serde(rename = "eventSource", borrow)]
    source: Cow<'r, str>,
}

impl Deed {
    /// `None` for what says nothing of alerts.
    pub(super) fn read(record: &[u8]) -> Option<Self> {
        let Head { name, source } = serde_json::from_slice(record).ok()?;
        let known = [FIRED, RESOLVED].contains(&&*name) || OPERATIONS.contains(&&*name);
        if source != "keyward.amazonaws.com" || !known {
            return None;
        }
        let record: Value = serde_json::from_slice(record).ok()?;
        if record.get("errorCode").is_some() {
            return None;
        }
        let time = chrono::DateTime::parse_from_rfc3339(text(&record, "/eventTime")?).ok()?;
        let time = Timestamp(time.timestamp_millis());
        let account = text(&record, "/recipientAccountId")?.to_owned();
        let by = text(&record, "/userIdentity/arn").unwrap_or_default().to_owned();
        let done = match &*name {
            FIRED => {
                let (id, alert) = told(&record)?;
                Done::Fired { id, alert }
            }
            RESOLVED => {
                let (id, alert) = told(&record)?;
                Done::Resolved { id, alert }
            }
            "CreateAlertSilence" => silenced(&record, time)?,
            "ExpireAlertSilence" => Done::Expired { id: asked(&record, "silenceId")? },
            _ => {
                let settings = asked(&record, "settings").filter(|text| !text.is_empty());
                let parsed = settings.map(|text| serde_json::from_str(&text)).transpose();
                Done::Set(parsed.ok()?.map(Box::new))
            }
        };
        Some(Self { done, by, account, time })
    }
}

fn text<'r>(record: &'r Value, pointer: &str) -> Option<&'r str> {
    record.pointer(pointer)?.as_str()
}

fn asked(record: &Value, name: &str) -> Option<String> {
    text(record, &format!("/requestParameters/{name}")).map(str::to_owned)
}

fn told(record: &Value) -> Option<(String, Alert)> {
    let details = record.get("serviceEventDetails")?;
    let alert = Alert::deserialize(details.get("alert")?).ok()?;
    Some((details.get("alertId")?.as_str()?.to_owned(), alert))
}

fn silenced(record: &Value, time: Timestamp) -> Option<Done> {
    let minutes = record.pointer("/requestParameters/minutes")?.as_i64()?;
    let detector = record.pointer("/requestParameters/detector");
    let silence = Silence {
        until: end_of(time, minutes),
        reason: asked(record, "reason")?,
        detector: detector.map(Deserialize::deserialize).transpose().ok()?,
        account: None,
        principal: asked(record, "principal"),
        key: asked(record, "key"),
    };
    let id = text(record, "/additionalEventData/silenceId")?.to_owned();
    Some(Done::Silenced { id, silence })
}
