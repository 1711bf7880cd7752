//! What is known of alerts: those that fire and those that ended, who acknowledged them, silences and settings.
//!
//! It is made of the log's events alone: [`AlertBook::apply`] takes them one by one, and nothing else changes it. So the
//! log and the book cannot disagree, and a lost book is made again.
//!
//! INVARIANT: it is bounded: at most [`ALERTS_MAX`] alerts, of which the oldest that ended goes first, and
//! [`SILENCES_MAX`] silences.

use super::deed::{Deed, Done};
use chrono::{DateTime, Utc};
use keyward_types::Timestamp;
use keyward_watch::{Alert, Settings, Silence, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Alerts that are remembered.
pub const ALERTS_MAX: usize = 2_000;
/// Silences that hold at once.
pub const SILENCES_MAX: usize = 1_000;

/// An alert, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertEntry {
    pub id: String,
    /// As it was told when it began; when it ended, so are its time and query.
    pub alert: Alert,
    /// When it began to be told.
    pub fired: Timestamp,
    pub resolved: Option<Timestamp>,
    pub acknowledged: Option<Acknowledgement>,
}

/// Who looks after an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// An ARN.
    pub by: String,
    pub at: Timestamp,
    pub comment: Option<String>,
}

/// A silence that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceEntry {
    pub id: String,
    pub silence: Silence,
    /// An ARN.
    pub by: String,
    pub since: Timestamp,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertBook {
    alerts: BTreeMap<String, AlertEntry>,
    silences: BTreeMap<String, SilenceEntry>,
    settings: Option<Settings>,
    /// Alerts that had to go.
    pub forgotten: u64,
}

/// The name of an alert: the same wherever and whenever the same log is read.
pub(super) fn alert_id(alert: &Alert) -> String {
    format!("alert-{}-{:x}", alert.fingerprint, alert.time.seconds())
}

impl AlertBook {
    /// Takes in what an event says. True when silences or settings are others now.
    pub(super) fn apply(&mut self, deed: Deed) -> bool {
        let Deed { done, by, account, time } = deed;
        match done {
            Done::Fired { id, alert } => {
                self.make_room();
                let entry =
                    AlertEntry { id, alert, fired: time, resolved: None, acknowledged: None };
                self.alerts.entry(entry.id.clone()).or_insert(entry);
                false
            }
            Done::Resolved { id, alert } => {
                if let Some(entry) = self.alerts.get_mut(&id) {
                    entry.resolved = Some(alert.time);
                    entry.alert = Alert { time: entry.alert.time, ..alert };
                }
                false
            }
            Done::Acknowledged { id, comment } => {
                let entry = self.alerts.get_mut(&id);
                if let Some(entry) = entry.filter(|entry| *entry.alert.subject.account == *account)
                {
                    let first = Acknowledgement { by, at: time, comment };
                    entry.acknowledged.get_or_insert(first);
                }
                false
            }
            Done::Silenced { id, silence } => {
                self.silences.retain(|_, entry| time < until(&entry.silence));
                if self.silences.len() < SILENCES_MAX {
                    let silence = Silence { account: Some(account), ..silence };
                    self.silences.insert(id.clone(), SilenceEntry { id, silence, by, since: time });
                }
                true
            }
            Done::Expired { id } => {
                let own = |entry: &SilenceEntry| entry.silence.account.as_deref() == Some(&account);
                self.silences.get(&id).is_some_and(own) && self.silences.remove(&id).is_some()
            }
            Done::Set(settings) => {
                self.settings = settings.map(|settings| *settings);
                true
            }
        }
    }

    /// Lets the oldest go that ended; where none did, the oldest.
    fn make_room(&mut self) {
        while ALERTS_MAX <= self.alerts.len() {
            let age = |entry: &&AlertEntry| (entry.resolved.is_none(), entry.fired);
            let Some(oldest) = self.alerts.values().min_by_key(age).map(|entry| entry.id.clone())
            else {
                return;
            };
            self.alerts.remove(&oldest);
            self.forgotten += 1;
        }
    }

    /// The alerts, in no order that means anything.
    pub fn alerts(&self) -> impl Iterator<Item = &AlertEntry> {
        self.alerts.values()
    }

    pub fn alert(&self, id: &str) -> Option<&AlertEntry> {
        self.alerts.get(id)
    }

    /// The alert of this fingerprint that fires.
    pub(super) fn firing(&self, fingerprint: &str) -> Option<&AlertEntry> {
        let fires =
            |entry: &&AlertEntry| entry.alert.fingerprint == fingerprint && entry.is_firing();
        self.alerts.values().find(fires)
    }

    /// Silences that hold at a time.
    pub fn silences(&self, now: Timestamp) -> impl Iterator<Item = &SilenceEntry> {
        self.silences.values().filter(move |entry| now < until(&entry.silence))
    }

    pub fn silence(&self, id: &str) -> Option<&SilenceEntry> {
        self.silences.get(id)
    }

    /// Settings that were put in by a request; where there are none, those of the configuration hold.
    pub fn settings(&self) -> Option<&Settings> {
        self.settings.as_ref()
    }

    /// What the detectors work by.
    pub(super) fn effective(&self, base: &Settings) -> Settings {
        let mut settings = self.settings.as_ref().unwrap_or(base).clone();
        settings.silences.extend(self.silences.values().map(|entry| entry.silence.clone()));
        settings
    }
}

impl AlertEntry {
    pub fn is_firing(&self) -> bool {
        self.resolved.is_none()
    }

    pub fn state(&self) -> State {
        if self.is_firing() { State::Firing } else { State::Resolved }
    }
}

fn until(silence: &Silence) -> Timestamp {
    Timestamp(silence.until.timestamp_millis())
}

/// When a silence ends that begins now and lasts so long.
pub(super) fn end_of(since: Timestamp, minutes: i64) -> DateTime<Utc> {
    let end = since.seconds().saturating_add(minutes.saturating_mul(60));
    DateTime::from_timestamp(end, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
