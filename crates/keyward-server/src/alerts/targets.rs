//! Who is told, and in which form.
//!
//! A webhook gets one POST a notice, signed as Standard Webhooks has it: HMAC-SHA-256 over id, time and body.
//! The file gets a line a notice. An Alertmanager gets what fires, again and again, and what ended.
//!
//! INVARIANT: a secret is in no error and no log line; nor is more of a URL than its host.
//! Sources: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>,
//! <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>

use super::{notices::Notice, settings::AlertmanagerSettings};
use crate::{config::Secret, target_url::TargetUrl, wiring::StartError};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use keyward_engine::alerts::AlertEntry;
use keyward_outbound::{Answer, Outbound, Plaintext};
use keyward_types::Timestamp;
use serde_json::{Map, Value, json};
use sha2::Sha256;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};
use zeroize::Zeroizing;

const JSON: &str = "application/json";
/// How much of a file's end is looked at for what was written before.
const TAIL_BYTES: u64 = 256 * 1_024;
/// How long an Alertmanager is told that an alert ended.
const ENDED_MILLIS: i64 = 900_000;
/// After so many times untold an Alertmanager is to take an alert for ended.
const TIMES_UNTOLD: u64 = 4;
/// Alerts of one POST to an Alertmanager.
const ALERTS_AT_ONCE: usize = 500;

/// How telling went.
pub(super) enum Told {
    Yes,
    /// It may be tried again.
    Not(String),
    /// It will not take this one.
    Refused(String),
}

/// The key under which notices to a webhook are signed.
pub(super) struct WebhookSecret(Zeroizing<Vec<u8>>);

impl WebhookSecret {
    /// Of a file that holds it: `whsec_` and base64, or any text.
    ///
    /// # Errors
    /// When it cannot be read, or says nothing.
    pub(super) fn read(path: &Path) -> Result<Self, StartError> {
        let failed = |cause| StartError::Io { place: path.display().to_string(), cause };
        let text = Secret::new(fs::read_to_string(path).map_err(failed)?);
        Self::of(&text).map_err(|why| failed(io::Error::other(why)))
    }

    fn of(text: &Secret) -> Result<Self, &'static str> {
        let text = text.expose().trim();
        let key = match text.strip_prefix("whsec_") {
            None => text.as_bytes().to_vec(),
            Some(coded) => {
                STANDARD.decode(coded).map_err(|_| "what stands behind whsec_ is no base64")?
            }
        };
        if key.is_empty() { Err("it holds no secret") } else { Ok(Self(Zeroizing::new(key))) }
    }
}

/// Posts a notice to a webhook.
pub(super) fn post(
    outbound: &Outbound,
    url: &TargetUrl,
    secret: Option<&WebhookSecret>,
    notice: &Notice,
    now: Timestamp,
) -> Told {
    let time = now.seconds().to_string();
    let signature = secret.map(|secret| signature(secret, &notice.id, &time, &notice.body));
    let mut headers = vec![
        ("content-type", JSON),
        ("webhook-id", notice.id.as_str()),
        ("webhook-timestamp", &time),
    ];
    headers.extend(signature.as_ref().map(|signature| ("webhook-signature", signature.as_str())));
    match outbound.post_with(url.expose(), &headers, &notice.body, Plaintext::ThisMachine) {
        Ok(Answer { status: 200..300, .. }) => Told::Yes,
        // The notice itself is what is wrong; a refusal of who asks, or of the place, may be over the next time.
        Ok(Answer { status: status @ (400 | 413 | 422), .. }) => Told::Refused(answered(status)),
        Ok(Answer { status, .. }) => Told::Not(answered(status)),
        Err(error) => Told::Not(error.to_string()),
    }
}

fn answered(status: u16) -> String {
    format!("it answered {status}")
}

/// `v1,` and the code in base64.
fn signature(secret: &WebhookSecret, id: &str, time: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&secret.0) else { return String::new() };
    for part in [id.as_bytes(), b".", time.as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// Appends notices to a file, but for those that are there: the process may have died before it noted so.
pub(super) fn append(path: &Path, notices: &[Notice]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().append(true).read(true).create(true).mode(0o600).open(path)?;
    let written = tail(&mut file)?;
    let mut lines = Vec::new();
    // A line that was cut off by a crash stands alone.
    if !written.is_empty() && !written.ends_with('\n') {
        lines.push(b'\n');
    }
    for notice in notices {
        if !written.contains(&format!("\"NoticeId\":\"{}\"", notice.id)) {
            lines.extend_from_slice(&notice.body);
            lines.push(b'\n');
        }
    }
    file.write_all(&lines)?;
    file.sync_data()
}

fn tail(file: &mut File) -> io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Tells an Alertmanager what fires and what ended lately, which may be nothing.
pub(super) fn tell_alertmanager(
    outbound: &Outbound,
    settings: &AlertmanagerSettings,
    alerts: &[Value],
) -> Result<(), String> {
    let url = format!("{}/api/v2/alerts", settings.url.expose().trim_end_matches('/'));
    let parts = alerts.chunks(ALERTS_AT_ONCE).chain(alerts.is_empty().then_some(alerts));
    for part in parts {
        let body = Value::from(part.to_vec()).to_string();
        let headers = [("content-type", JSON)];
        match outbound.post_with(&url, &headers, body.as_bytes(), settings.plaintext()) {
            Ok(Answer { status: 200..300, .. }) => {}
            Ok(Answer { status, .. }) => return Err(answered(status)),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// An alert as an Alertmanager takes it; `None` for one that ended long ago.
pub(super) fn of_alertmanager(
    entry: &AlertEntry,
    external_url: Option<&str>,
    now: Timestamp,
    resend_seconds: u64,
) -> Option<Value> {
    let alert = &entry.alert;
    let ends = match entry.resolved {
        Some(resolved) if now.0 - ENDED_MILLIS < resolved.0 => resolved,
        Some(_) => return None,
        None => {
            let seconds = resend_seconds.saturating_mul(TIMES_UNTOLD);
            now.plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1_000_000))
        }
    };
    let subject = &alert.subject;
    let labels = [
        ("alertname", Some(name(alert.detector.as_str()))),
        ("detector", Some(alert.detector.as_str().to_owned())),
        ("severity", Some(alert.severity.as_str().to_owned())),
        ("account", Some(subject.account.to_string())),
        ("principal", subject.principal.as_deref().map(str::to_owned)),
        ("key", subject.key.as_deref().map(str::to_owned)),
        ("what", subject.what.as_deref().map(str::to_owned)),
    ];
    let labels: Map<String, Value> = labels
        .into_iter()
        .filter_map(|(name, value)| {
            Some((name.to_owned(), value.filter(|v| !v.is_empty())?.into()))
        })
        .collect();
    let mut told = json!({
        "labels": labels,
        "annotations": {
            "summary": alert.to_string(),
            "query": alert.query,
            "alert_id": entry.id,
            "expected": format!("{:.1}", alert.expected),
            "observed": format!("{}", alert.observed),
        },
        "startsAt": rfc3339(alert.since),
        "endsAt": rfc3339(ends),
    });
    if let (Some(url), Some(members)) = (external_url, told.as_object_mut()) {
        let url = format!("{}/v1/alerts/{}", url.trim_end_matches('/'), entry.id);
        members.insert("generatorURL".to_owned(), url.into());
    }
    Some(told)
}

/// Such as `KeywardFirstUseOfKey`.
fn name(detector: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    format!("Keyward{}", detector.split('_').map(word).collect::<String>())
}

fn rfc3339(time: Timestamp) -> String {
    let time = chrono::DateTime::from_timestamp_millis(time.0).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
        let secret = WebhookSecret::of(&secret).unwrap_or_else(|why| panic!("{why}"));
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// What would sign with a key that everybody knows is refused at the start.
    #[test]
    fn a_secret_is_one() {
        for none in ["", " \n", "whsec_", "whsec_\n", "whsec_not base64", "whsec_ "] {
            assert!(WebhookSecret::of(&Secret::new(none)).is_err(), "{none:?}");
        }
        let text =
            WebhookSecret::of(&Secret::new(" any text\n")).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(&**text.0, b"any text");
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("secret");
        fs::write(&path, "whsec_\n").unwrap();
        let refused = WebhookSecret::read(&path).err().unwrap().to_string();
        assert!(refused.contains("secret") && refused.contains("holds no secret"), "{refused}");
    }

    #[test]
    fn lines_are_written_once_and_whole() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("alerts.jsonl");
        let notice = |id: &str| Notice {
            seq: 0,
            id: id.to_owned(),
            body: format!("{{\"NoticeId\":\"{id}\"}}").into_bytes(),
        };
        append(&path, &[notice("a")]).unwrap();
        append(&path, &[notice("a"), notice("b")]).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"Notice").unwrap();
        append(&path, &[notice("c")]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines =
            ["{\"NoticeId\":\"a\"}", "{\"NoticeId\":\"b\"}", "{\"Notice", "{\"NoticeId\":\"c\"}"];
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn alertmanagers_know_detectors_by_name() {
        assert_eq!(name("first_use_of_key"), "KeywardFirstUseOfKey");
        assert_eq!(name("rate"), "KeywardRate");
    }
}
