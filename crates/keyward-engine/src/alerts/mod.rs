//! Alerts: the log's events go through the detectors, and what these tell is written to the log.
//!
//! [`Engine::detect`] reads on from where it was; a thread of the server calls it, and so may whoever wants to know now.
//! An alert that begins is an `AwsServiceEvent` AlertFired, one that ends AlertResolved; the book of alerts is made of
//! these. What callers state (AckAlert, CreateAlertSilence, ExpireAlertSilence, PutAlertSettings) are records in the
//! store, written with their events: answers are made of the records, and the detectors take them in at their events,
//! so that each event is judged by what held then.
//!
//! A minute is closed some seconds after it ended, when all its events are committed. What is saved
//! ([`Engine::saved_alerts`]) is what the detectors learned, the book, and the event number up to which they have read.
//! Where it is lost or damaged, the detectors learn anew from a bounded part of the log: they then know nothing older,
//! an alert that both began and ended in the meantime is not told, and one that they no longer see ends.
//!
//! INVARIANT: an alert is told once, also when the process dies between two steps: what the log tells already is not
//! told again, and what the detectors tell again from the same events has the same id.
//! INVARIANT: detectors see of an event in two accounts' logs the caller's, and nothing that the service did by itself.
//! INVARIANT: no request waits for it.

mod book;
mod deed;
mod stated;

pub use book::{ALERTS_MAX, Acknowledgement, AlertBook, AlertEntry, SilenceEntry};
pub use stated::SILENCES_MAX;

pub(crate) use stated::acknowledged;

use crate::{Engine, own_event::OwnDeed};
use book::alert_id;
use deed::{Deed, Done};
use keyward_store::{EventQuery, StoreError, StoredEvent};
use keyward_telemetry::TableFill;
use keyward_types::{AccountId, KmsError, Timestamp};
use keyward_watch::{Alert, Observation, Settings, State, Table, Watch};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Events that say that an alert began, and that it ended.
pub const FIRED: &str = "AlertFired";
pub const RESOLVED: &str = "AlertResolved";

/// How long after its end a minute is closed: by then its events are committed.
const GRACE_MILLIS: i64 = 5_000;
/// Events read at once.
const READ_MAX: usize = 512;
/// The form of what is saved.
const VERSION: u8 = 1;

/// The alerts of an [`Engine`]. The two locks are taken in the order of their fields.
#[derive(Default)]
pub(crate) struct Alerts {
    detecting: Mutex<Detecting>,
    book: Mutex<AlertBook>,
    /// The number of the next event to read.
    position: AtomicU64,
    /// Events written by this process.
    written: AtomicU64,
    /// Whether lost state is being learned again.
    relearning: AtomicBool,
}

/// The detectors at work.
struct Detecting {
    watch: Watch,
    /// Of the configuration.
    base: Settings,
    position: u64,
    /// What the detectors told and the log does not tell yet, in their order.
    pending: Vec<Pending>,
    /// Up to this event the detectors only learn what they have lost.
    rebuilding_to: Option<u64>,
    /// How far the log went when this process first read it: what an earlier one told stands before it.
    found: Option<u64>,
    /// Whether alerts that the log tells of are still to be held against what the detectors know.
    is_restored: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    id: String,
    alert: Alert,
    /// Whether its event is committed; it leaves when that is read.
    #[serde(skip)]
    written: bool,
}

impl Default for Detecting {
    fn default() -> Self {
        Self::new(Settings::default(), 0)
    }
}

impl Detecting {
    fn new(base: Settings, position: u64) -> Self {
        let watch = Watch::new(base.clone());
        Self {
            watch,
            base,
            position,
            pending: Vec::new(),
            rebuilding_to: None,
            found: None,
            is_restored: false,
        }
    }
}

/// What is saved beside what [`Watch::save`] gives.
#[derive(Serialize, Deserialize)]
struct Saved {
    book: AlertBook,
    pending: Vec<Pending>,
    rebuilding_to: Option<u64>,
}

/// How alerts come back after a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// From what was saved, at this event.
    Saved(u64),
    /// It is learned again from the log, from this event on.
    Rebuilt(u64),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Puts back what was saved, or begins to learn anew from the last `days` of the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn restore_alerts(
        &self,
        base: Settings,
        saved: Option<&[u8]>,
        days: u32,
    ) -> Result<Restored, KmsError> {
        let total = self.store().events_total();
        let mut detecting = lock(&self.alerts.detecting);
        let read = saved.and_then(|bytes| read_saved(bytes, &base));
        // What has seen more than the log has is another log's.
        if let Some((found, book)) = read.filter(|(found, _)| found.position <= total) {
            let position = found.position;
            *detecting = found;
            let mut book = book;
            self.recall(&mut book, position).map_err(KmsError::internal)?;
            let settings = book.effective(&detecting.base);
            // What ends by other settings is told when it is read why.
            detecting.watch.set(settings);
            *lock(&self.alerts.book) = book;
            self.alerts.position.store(position, Ordering::Relaxed);
            self.alerts.relearning.store(detecting.rebuilding_to.is_some(), Ordering::Relaxed);
            self.count_firing();
            return Ok(Restored::Saved(position));
        }
        let from = self.now().plus_days(-i64::from(days));
        let first = EventQuery { limit: 1, from: Some(from), ..EventQuery::default() };
        let first = self.store().events(&first).map_err(KmsError::internal)?;
        let position = first.first().map_or(total, |event| event.seq);
        *detecting = Detecting::new(base, position);
        detecting.rebuilding_to = Some(total);
        self.alerts.relearning.store(true, Ordering::Relaxed);
        detecting.is_restored = true;
        let mut book = AlertBook::default();
        self.recall(&mut book, position).map_err(KmsError::internal)?;
        let settings = book.effective(&detecting.base);
        detecting.watch.set(settings);
        *lock(&self.alerts.book) = book;
        self.alerts.position.store(position, Ordering::Relaxed);
        Ok(Restored::Rebuilt(position))
    }

    /// What was stated before the first event from a position on, and holds.
    fn recall(&self, book: &mut AlertBook, position: u64) -> Result<(), StoreError> {
        let query =
            EventQuery { after: position.checked_sub(1), limit: 1, ..EventQuery::default() };
        let events = self.store().events(&query)?;
        let before = events.first().map_or(Timestamp(i64::MAX), |event| event.time);
        let (silences, settings) = self.all_stated()?;
        book.recall(silences, settings, before);
        Ok(())
    }

    /// Reads on, at most so many events, and tells what there is to tell. True when nothing is left to read.
    ///
    /// # Errors
    /// When the log cannot be read, or an alert cannot be written to it; then it is tried again the next time.
    pub fn detect(&self, events_max: usize) -> Result<bool, KmsError> {
        let mut detecting = lock(&self.alerts.detecting);
        let found = *detecting.found.get_or_insert_with(|| self.store().events_total());
        let mut left = events_max.max(1);
        loop {
            let query = EventQuery {
                after: detecting.position.checked_sub(1),
                limit: left.min(READ_MAX),
                ..EventQuery::default()
            };
            let events = self.store().events(&query).map_err(KmsError::internal)?;
            events.iter().for_each(|event| self.see(&mut detecting, event));
            self.alerts.position.store(detecting.position, Ordering::Relaxed);
            left = left.saturating_sub(events.len());
            if events.is_empty() {
                self.close_minutes(&mut detecting);
            }
            let written = found <= detecting.position && self.write_pending(&mut detecting)?;
            if events.is_empty() && !written {
                self.count_firing();
                self.count_tables(&detecting.watch);
                return Ok(true);
            }
            if left == 0 {
                return Ok(false);
            }
        }
    }

    fn see(&self, detecting: &mut Detecting, event: &StoredEvent) {
        detecting.position = event.seq + 1;
        let observation = Observation::read(&event.record);
        let says = match &observation {
            Some(call) => deed::OPERATIONS.contains(&call.operation.as_str()),
            None => true,
        };
        if let Some(deed) = says.then(|| Deed::read(&event.record)).flatten() {
            self.apply(detecting, deed, event.time);
        }
        if let Some(observation) = observation {
            let alerts = detecting.watch.observe(&observation);
            self.note(detecting, alerts);
        }
    }

    fn apply(&self, detecting: &mut Detecting, deed: Deed, time: Timestamp) {
        if let Done::Fired { id, alert } | Done::Resolved { id, alert } = &deed.done {
            // When this was written, the minutes before were closed: what the detectors have to say of them is
            // what the log says here.
            let alerts = detecting.watch.advance(Timestamp(time.0 - GRACE_MILLIS));
            self.note(detecting, alerts);
            let same = |one: &Pending| {
                one.alert.state == alert.state && one.alert.fingerprint == alert.fingerprint
            };
            if let Some(place) = detecting.pending.iter().position(same) {
                detecting.pending.remove(place);
            }
            // Its end is told under the name under which its beginning was.
            let own = detecting.pending.iter_mut();
            own.filter(|one| one.alert.fingerprint == alert.fingerprint && !one.written)
                .filter(|one| one.alert.state == State::Resolved)
                .for_each(|one| one.id.clone_from(id));
        }
        let mut book = lock(&self.alerts.book);
        if book.apply(deed) {
            let settings = book.effective(&detecting.base);
            drop(book);
            let alerts = detecting.watch.set(settings);
            self.note(detecting, alerts);
        }
    }

    /// Takes what the detectors told, unless the log tells it already.
    fn note(&self, detecting: &mut Detecting, alerts: Vec<Alert>) {
        for alert in alerts {
            let book = lock(&self.alerts.book);
            let pending = &mut detecting.pending;
            let place = pending.iter().rposition(|one| one.alert.fingerprint == alert.fingerprint);
            let last = place.and_then(|place| pending.get(place));
            let firing = match last {
                Some(last) => (last.alert.state == State::Firing).then(|| last.id.clone()),
                None => book.firing(&alert.fingerprint).map(|entry| entry.id.clone()),
            };
            let begun_here = last.is_some() && firing.is_some();
            match (alert.state, firing) {
                (State::Firing, None) => {
                    let id = alert_id(&alert);
                    if book.alert(&id).is_none() {
                        pending.push(Pending { id, alert, written: false });
                    }
                }
                // What began and ended while lost state is learned again is long over.
                (State::Resolved, Some(_)) if begun_here && detecting.rebuilding_to.is_some() => {
                    place.into_iter().for_each(|place| drop(pending.remove(place)));
                }
                (State::Resolved, Some(id)) => {
                    pending.push(Pending { id, alert, written: false });
                }
                (State::Firing, Some(_)) | (State::Resolved, None) => {}
            }
        }
    }

    /// Everything was read: closes the minutes that are over.
    fn close_minutes(&self, detecting: &mut Detecting) {
        let now = self.now();
        let alerts = detecting.watch.advance(Timestamp(now.0 - GRACE_MILLIS));
        self.note(detecting, alerts);
        detecting.rebuilding_to = None;
        self.alerts.relearning.store(false, Ordering::Relaxed);
        if std::mem::take(&mut detecting.is_restored) {
            self.settle(detecting);
            self.end_unseen(detecting, now);
        }
    }

    /// After a start, when everything was read: what events that are no more would have said is taken from the store.
    fn settle(&self, detecting: &mut Detecting) {
        let (silences, settings) = match self.all_stated() {
            Ok(stated) => stated,
            Err(error) => {
                tracing::error!(%error, "silences and settings of alerts cannot be read");
                return;
            }
        };
        let mut book = lock(&self.alerts.book);
        if book.settle(silences, settings) {
            let settings = book.effective(&detecting.base);
            drop(book);
            let alerts = detecting.watch.set(settings);
            self.note(detecting, alerts);
        }
    }

    /// Writes to the log what was told. True when there was something, which is to be read.
    fn write_pending(&self, detecting: &mut Detecting) -> Result<bool, KmsError> {
        if detecting.rebuilding_to.is_some() {
            return Ok(false);
        }
        let mut written = false;
        for one in detecting.pending.iter_mut().filter(|one| !one.written) {
            self.append(&one.id, &one.alert)?;
            one.written = true;
            self.alerts.written.fetch_add(1, Ordering::Relaxed);
            written = true;
            if one.alert.state == State::Firing {
                let Alert { detector, severity, .. } = &one.alert;
                self.metrics().alerts().fired(detector.as_str(), severity.as_str());
            }
        }
        Ok(written)
    }

    /// Alerts that fire by the log, and that the detectors know nothing of any more.
    fn end_unseen(&self, detecting: &mut Detecting, now: Timestamp) {
        let book = lock(&self.alerts.book);
        let stands = |entry: &AlertEntry| {
            detecting.watch.firing().any(|one| one.fingerprint == entry.alert.fingerprint)
        };
        let ended = |entry: &AlertEntry| Pending {
            id: entry.id.clone(),
            alert: Alert { state: State::Resolved, time: now, ..entry.alert.clone() },
            written: false,
        };
        let is_ending = |entry: &AlertEntry| detecting.pending.iter().any(|one| one.id == entry.id);
        let unseen = book.alerts().filter(|entry| entry.is_firing() && !stands(entry));
        let unseen: Vec<Pending> = unseen.filter(|entry| !is_ending(entry)).map(ended).collect();
        detecting.pending.extend(unseen);
    }

    fn append(&self, id: &str, alert: &Alert) -> Result<(), KmsError> {
        let operation = if alert.state == State::Firing { FIRED } else { RESOLVED };
        let account = AccountId::parse(&alert.subject.account);
        let alert = serde_json::to_value(alert).map_err(KmsError::internal)?;
        let details = json!({"alertId": id, "alert": alert});
        self.tell(OwnDeed { operation, account, read_only: true, details: &details })
    }

    /// What is known of alerts, as of the last event that was read.
    pub fn alert_book<T>(&self, ask: impl FnOnce(&AlertBook) -> T) -> T {
        ask(&lock(&self.alerts.book))
    }

    /// The settings that hold where no request put in others.
    pub fn configured_alert_settings(&self) -> Settings {
        lock(&self.alerts.detecting).base.clone()
    }

    /// Whether the detectors learn again what was lost, so that alerts of before are not all known yet.
    pub fn alerts_are_relearned(&self) -> bool {
        self.alerts.relearning.load(Ordering::Relaxed)
    }

    /// The number of the next event that the detectors read.
    pub fn alerts_position(&self) -> u64 {
        self.alerts.position.load(Ordering::Relaxed)
    }

    /// How many events about alerts this process has written to the log.
    pub fn alerts_written(&self) -> u64 {
        self.alerts.written.load(Ordering::Relaxed)
    }

    /// What to give to [`Engine::restore_alerts`] at the next start.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn saved_alerts(&self) -> Result<Vec<u8>, KmsError> {
        let detecting = lock(&self.alerts.detecting);
        let watch = detecting.watch.save(detecting.position).map_err(KmsError::internal)?;
        let saved = Saved {
            book: lock(&self.alerts.book).clone(),
            pending: detecting.pending.clone(),
            rebuilding_to: detecting.rebuilding_to,
        };
        drop(detecting);
        let length = u32::try_from(watch.len()).map_err(KmsError::internal)?;
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&watch);
        serde_json::to_writer(&mut bytes, &saved).map_err(KmsError::internal)?;
        Ok(bytes)
    }

    fn count_firing(&self) {
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for entry in lock(&self.alerts.book).alerts().filter(|entry| entry.is_firing()) {
            let Alert { detector, severity, .. } = &entry.alert;
            *counts.entry((detector.as_str(), severity.as_str())).or_default() += 1;
        }
        let count = |detector: &str, severity: &str| {
            counts.get(&(detector, severity)).copied().unwrap_or_default()
        };
        self.metrics().alerts().firing(count);
    }

    fn count_tables(&self, watch: &Watch) {
        let sizes = watch.sizes();
        let fill = |(table, Table { entries, evicted }): (&'static str, Table)| TableFill {
            table,
            entries: entries as u64,
            evicted,
        };
        let tables = [
            ("series", sizes.series),
            ("principals", sizes.principals),
            ("pairs", sizes.pairs),
            ("keys", sizes.keys),
            ("alerts", sizes.alerts),
        ];
        let holding = lock(&self.alerts.book).silences(self.now());
        self.metrics().alerts().silences(holding as u64, sizes.silenced);
        self.metrics().alerts().tables(&tables.map(fill));
    }
}

fn read_saved(bytes: &[u8], base: &Settings) -> Option<(Detecting, AlertBook)> {
    let (version, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (watch, rest) = rest.split_at_checked(length)?;
    let Saved { book, pending, rebuilding_to } =
        serde_json::from_slice(rest).ok().filter(|_| *version == VERSION)?;
    let (watch, position) = Watch::restore(book.effective(base), watch).ok()?;
    let base = base.clone();
    let found = None;
    let detecting =
        Detecting { watch, base, position, pending, rebuilding_to, found, is_restored: true };
    Some((detecting, book))
}
