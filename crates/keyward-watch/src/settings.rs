//! What an operator sets. Every field has a default, and what is not known is refused.

use crate::{Class, Detector, Lines, minute_of};
use chrono::{DateTime, Utc};
use keyward_types::Timestamp;
use serde::{Deserialize, Serialize};

/// All settings; the defaults are meant to be lived with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub rates: Rates,
    pub novelty: Novelty,
    pub sweeps: Sweeps,
    pub tables: Tables,
    /// Detectors that are off.
    pub off: Vec<Detector>,
    /// Keys that nothing should use: patterns of ARNs, key ids or `alias/NAME`, in which `*` stands for any text.
    pub canaries: Vec<String>,
    /// Which grants are in order. Without this, grants are not looked at; with an empty list none is in order.
    pub approvals: Option<Vec<Approval>>,
    /// Of single keys; the first that fits holds.
    pub keys: Vec<KeySettings>,
    pub silences: Vec<Silence>,
}

/// Of the rate detectors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    pub lines: Lines,
    pub floors: Floors,
}

/// Events a minute that are a spike in a series' first 24 hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Floors {
    /// Of a class of use, by a principal or with a key: 100.
    pub operations: u32,
    /// 60.
    pub without_plaintext: u32,
    /// 20.
    pub refusals: u32,
    /// 10.
    pub ciphertext_errors: u32,
    /// Of all that an account does: 1000.
    pub account: u32,
}

/// Of what is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Novelty {
    /// How long a principal or key must be known before something new about it is told: 24.
    pub learn_hours: u32,
    /// How long an alert about a single event stands: 60. What comes again meanwhile prolongs it.
    pub hold_minutes: u32,
    /// After so many days without it, Decrypt with a key is told: 30.
    pub silence_days: u32,
}

/// Of enumeration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sweeps {
    /// Keys asked after in an hour below which nothing is a sweep: 20.
    pub keys_min: u32,
    /// How many times the principal's own largest hour: 3.
    pub ratio: f64,
}

/// Entries of each table at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tables {
    /// Rate series, of some 1.65 kB each: 10000.
    pub series: usize,
    /// Principals, with their networks, Regions and operations: 10000.
    pub principals: usize,
    /// Which principal used which key: 100000.
    pub pairs: usize,
    /// 50000.
    pub keys: usize,
    /// Alerts that stand at once: 1000. More are not told, and counted.
    pub alerts: usize,
}

/// A grant that is in order: all of this fits. Patterns may hold `*`; an empty list of operations is any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    pub grantee: String,
    #[serde(default = "anything")]
    pub key: String,
    #[serde(default)]
    pub operations: Vec<String>,
}

/// What differs for some keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// A pattern of ARNs or key ids.
    pub key: String,
    /// Detectors that do not tell about this key.
    #[serde(default)]
    pub off: Vec<Detector>,
    #[serde(default)]
    pub floor: Option<u32>,
    #[serde(default)]
    pub count_min: Option<u32>,
    /// Added to the scores that are a spike; below 0 is stricter.
    #[serde(default)]
    pub score_extra: f64,
    #[serde(default)]
    pub silence_days: Option<u32>,
}

/// Alerts that are not told for a while. What still stands when it ends is told then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// RFC 3339; this minute is the first that is told again.
    pub until: DateTime<Utc>,
    pub reason: String,
    /// Every one that is there must fit; patterns may hold `*`.
    #[serde(default)]
    pub detector: Option<Detector>,
    #[serde(default)]
    pub account: Option<String>,
    #[serde(default)]
    pub principal: Option<String>,
    #[serde(default)]
    pub key: Option<String>,
}

impl Default for Floors {
    fn default() -> Self {
        Self {
            operations: 100,
            without_plaintext: 60,
            refusals: 20,
            ciphertext_errors: 10,
            account: 1_000,
        }
    }
}

impl Default for Novelty {
    fn default() -> Self {
        Self { learn_hours: 24, hold_minutes: 60, silence_days: 30 }
    }
}

impl Default for Sweeps {
    fn default() -> Self {
        Self { keys_min: 20, ratio: 3.0 }
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self { series: 10_000, principals: 10_000, pairs: 100_000, keys: 50_000, alerts: 1_000 }
    }
}

fn anything() -> String {
    "*".to_owned()
}

impl Settings {
    /// Whether a detector tells about this key.
    pub(crate) fn is_on(&self, detector: Detector, key: Option<&str>) -> bool {
        let of_key = key.and_then(|key| self.of_key(key));
        !self.off.contains(&detector) && of_key.is_none_or(|key| !key.off.contains(&detector))
    }

    pub(crate) fn of_key(&self, arn: &str) -> Option<&KeySettings> {
        self.keys.iter().find(|settings| names_key(&settings.key, arn))
    }

    /// The lines of a series; `None` for a class is a whole account.
    pub(crate) fn lines(&self, class: Option<Class>, key: Option<&str>) -> Lines {
        let floors = &self.rates.floors;
        let floor = match class {
            None => floors.account,
            Some(Class::Refused) => floors.refusals,
            Some(Class::CiphertextError) => floors.ciphertext_errors,
            Some(Class::DataKeyWithoutPlaintext) => floors.without_plaintext,
            Some(_) => floors.operations,
        };
        let mut lines = Lines { floor, ..self.rates.lines.clone() };
        if let Some(settings) = key.and_then(|key| self.of_key(key)) {
            lines.floor = settings.floor.unwrap_or(lines.floor);
            lines.count_min = settings.count_min.unwrap_or(lines.count_min);
            lines.score.iter_mut().for_each(|score| *score += settings.score_extra);
        }
        lines
    }

    pub(crate) fn silence_minutes(&self, key: &str) -> i64 {
        let of_key = self.of_key(key).and_then(|key| key.silence_days);
        i64::from(of_key.unwrap_or(self.novelty.silence_days)) * 1_440
    }

    pub(crate) fn is_canary(&self, name: &str) -> bool {
        self.canaries.iter().any(|canary| names_key(canary, name))
    }
}

impl Silence {
    pub(crate) fn holds_at(&self, minute: i64) -> bool {
        minute < minute_of(Timestamp(self.until.timestamp_millis()))
    }
}

/// Whether a pattern fits a key's ARN, or what stands behind its account, or its id.
fn names_key(pattern: &str, name: &str) -> bool {
    let resource = name.splitn(6, ':').nth(5).unwrap_or(name);
    let id = resource.strip_prefix("key/").unwrap_or(resource);
    [name, resource, id].iter().any(|name| fits(pattern, name))
}

/// Whether a pattern is the text; a star stands for any part of it.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(first) else { return false };
    let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut text) = text.strip_suffix(last) else { return false };
    for piece in between.split('*') {
        // Found as early as possible: if the pieces are there at all, then so.
        match text.split_once(piece) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, fit) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c", false),
            ("**", "x", true),
        ] {
            assert_eq!(fits(pattern, text), fit, "{pattern} {text}");
        }
        let arn = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1";
        assert!(["mrk-*", "key/mrk-1", arn].iter().all(|pattern| names_key(pattern, arn)));
        assert!(names_key("alias/bait", "alias/bait") && !names_key("alias/bait", arn));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let read = |text: &str| serde_json::from_str::<Settings>(text);
        assert_eq!(read("{}").unwrap(), Settings::default());
        let partly = read(r#"{"rates":{"lines":{"count_min":5}},"keys":[{"key":"k","floor":7}]}"#);
        let partly = partly.unwrap();
        assert_eq!(partly.lines(None, None).floor, 1_000);
        let lines = partly.lines(Some(Class::Decrypt), Some("k"));
        assert_eq!((lines.floor, lines.count_min), (7, 5));
        for bad in [r#"{"rate":{}}"#, r#"{"rates":{"lines":{"floor":5}}}"#, r#"{"off":["rates"]}"#]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        let silence = r#"{"silences":[{"until":"2026-01-31T12:00:00Z","reason":"a test"}]}"#;
        let silence = &read(silence).unwrap().silences[0];
        assert!(silence.holds_at(29_497_679) && !silence.holds_at(29_497_680));
    }
}
