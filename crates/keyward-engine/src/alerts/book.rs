//! What the detectors work by and what they told: alerts that fire and that ended, silences and settings as of the last
//! event that was read.
//!
//! [`AlertBook::apply`] takes the log's events one by one. Silences and settings have records in the store beside
//! (`stated.rs`), which stand in for events that are no more; who acknowledged an alert stands there alone.
//!
//! INVARIANT: it is bounded: at most [`ALERTS_MAX`] alerts, of which the oldest that ended goes first, and silences that
//! the store's bound.

use super::deed::{Deed, Done};
use chrono::{DateTime, Utc};
use keyward_types::Timestamp;
use keyward_watch::{Alert, Settings, Silence, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Alerts that are remembered.
pub const ALERTS_MAX: usize = 2_000;

/// An alert, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertEntry {
    pub id: String,
    /// As it was told when it began; when it ended, so are its time and query.
    pub alert: Alert,
    /// When it began to be told.
    pub fired: Timestamp,
    pub resolved: Option<Timestamp>,
    /// Of the store, where it is asked for; not known to the book.
    #[serde(skip)]
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
            Done::Silenced { id, silence } => {
                self.silences.retain(|_, entry| time < until(&entry.silence));
                let silence = Silence { account: Some(account), ..silence };
                self.silences.insert(id.clone(), SilenceEntry { id, silence, by, since: time });
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

    /// Takes what stands in the store and was stated before a time, whose events may be no more.
    pub(super) fn recall(
        &mut self,
        silences: Vec<SilenceEntry>,
        settings: Option<Settings>,
        before: Timestamp,
    ) {
        let older = silences.into_iter().filter(|entry| entry.since < before);
        self.silences.extend(older.map(|entry| (entry.id.clone(), entry)));
        self.settings = settings.or(self.settings.take());
    }

    /// Everything was read: what stands in the store is what holds. True when that is something else.
    pub(super) fn settle(
        &mut self,
        silences: Vec<SilenceEntry>,
        settings: Option<Settings>,
    ) -> bool {
        let by_id = silences.into_iter().map(|entry| (entry.id.clone(), entry));
        let silences: BTreeMap<String, SilenceEntry> = by_id.collect();
        let moved = silences != self.silences || settings != self.settings;
        (self.silences, self.settings) = (silences, settings);
        moved
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

    /// How many silences hold at a time.
    pub(super) fn silences(&self, now: Timestamp) -> usize {
        self.silences.values().filter(|entry| now < until(&entry.silence)).count()
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
