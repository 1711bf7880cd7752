//! The alerts that stand: each is told once when it fires and once when it is resolved.

use crate::{
    Alert, Contributor, Detector, Settings, Severity, State, Subject, minute_of, query::Query,
    settings::fits, start_of,
};
use keyward_types::{Timestamp, event::term};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a detector found.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) detector: Detector,
    pub(crate) severity: Severity,
    pub(crate) subject: Subject,
    pub(crate) since: Timestamp,
    pub(crate) time: Timestamp,
    pub(crate) expected: f64,
    pub(crate) observed: f64,
    pub(crate) window_minutes: u32,
    pub(crate) score: f64,
    pub(crate) contributors: Vec<Contributor>,
    pub(crate) query: Query,
    pub(crate) event_id: Option<Uuid>,
}

/// INVARIANT: at most as many as the settings say; what was told as firing is told as resolved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Standing {
    alerts: BTreeMap<String, Entry>,
    dropped: u64,
    silenced: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    alert: Alert,
    /// The query without its span.
    query: String,
    /// The minute in which it resolves by itself.
    until: Option<i64>,
    told: bool,
}

/// The same for every alert of a detector about a subject.
pub(crate) fn fingerprint(detector: Detector, subject: &Subject) -> String {
    let Subject { account, principal, key, what } = subject;
    let mut text = format!("{}\n{account}", detector.as_str());
    for name in [principal, key, what] {
        text.push('\n');
        text.push_str(name.as_deref().unwrap_or("\n"));
    }
    format!("{:016x}", term("alert", &text))
}

impl Standing {
    /// Raises an alert, which stands until it is cleared or, when it holds for so many minutes, so long
    /// after it was raised last.
    pub(crate) fn raise(
        &mut self,
        finding: Finding,
        hold: Option<i64>,
        settings: &Settings,
    ) -> Option<Alert> {
        let fingerprint = fingerprint(finding.detector, &finding.subject);
        let minute = minute_of(finding.time);
        if let Some(entry) = self.alerts.get_mut(&fingerprint) {
            if let Some(hold) = hold {
                entry.until = Some(minute + hold);
                entry.alert.observed += 1.0;
            }
            return None;
        }
        if settings.tables.alerts <= self.alerts.len()
            || self.has_its_share(&finding.subject.account, settings.tables.alerts)
        {
            self.dropped += 1;
            return None;
        }
        let alert = Alert {
            fingerprint: fingerprint.clone(),
            detector: finding.detector,
            severity: finding.severity,
            state: State::Firing,
            subject: finding.subject,
            since: finding.since,
            time: finding.time,
            expected: finding.expected,
            observed: finding.observed,
            window_minutes: finding.window_minutes,
            score: finding.score,
            contributors: finding.contributors,
            query: finding.query.text(finding.since, finding.time),
            event_id: finding.event_id,
        };
        let told = !is_silenced(&alert, minute, settings);
        self.silenced += u64::from(!told);
        let until = hold.map(|hold| minute + hold);
        let query = finding.query.timeless();
        self.alerts.insert(fingerprint, Entry { alert: alert.clone(), query, until, told });
        told.then_some(alert)
    }

    /// Whether an account's alerts take nine tenths of the table: the rest is for the others, so that nobody can blind
    /// the detectors for all.
    fn has_its_share(&self, account: &str, max: usize) -> bool {
        let share = max - max / 10;
        share <= self.alerts.len()
            && share
                <= self.alerts.values().filter(|one| *one.alert.subject.account == *account).count()
    }

    /// Whether four fifths of a finding are one principal's, whose own alert about the same kind of use stands or was
    /// raised in the same turn: what one principal does with one key is one alert.
    pub(crate) fn covers(&self, finding: &Finding, raised: &[Subject]) -> bool {
        let counts = || finding.contributors.iter().map(|one| u64::from(one.count));
        let Some(most) = finding.contributors.first() else { return false };
        let of_one = 4 * counts().sum::<u64>() <= 5 * u64::from(most.count);
        let same = |Subject { account, principal, what, .. }: &Subject| {
            *account == finding.subject.account
                && principal.as_ref() == Some(&most.name)
                && (finding.subject.what.is_none() || *what == finding.subject.what)
        };
        let of_rates = |entry: &&Entry| entry.alert.event_id.is_none();
        let standing = self.alerts.values().filter(of_rates).map(|entry| &entry.alert.subject);
        of_one && standing.chain(raised).any(same)
    }

    /// Ends an alert with this minute.
    pub(crate) fn clear(&mut self, fingerprint: &str, minute: i64) -> Option<Alert> {
        let Entry { mut alert, query, told, .. } = self.alerts.remove(fingerprint)?;
        alert.state = State::Resolved;
        alert.time = start_of(minute);
        let last = Timestamp(alert.time.0.max(alert.since.0));
        alert.query = Query::of(query).text(alert.since, last);
        told.then_some(alert)
    }

    /// Ends what stood long enough, and tells what a silence no longer holds back.
    pub(crate) fn tick(&mut self, minute: i64, settings: &Settings) -> Vec<Alert> {
        let over = |entry: &Entry| entry.until.filter(|until| *until <= minute);
        let ended: Vec<(String, i64)> = self
            .alerts
            .iter()
            .filter_map(|(fingerprint, entry)| Some((fingerprint.clone(), over(entry)?)))
            .collect();
        let mut told: Vec<Alert> = ended
            .iter()
            .filter_map(|(fingerprint, until)| self.clear(fingerprint, *until))
            .collect();
        for entry in self.alerts.values_mut().filter(|entry| !entry.told) {
            if !is_silenced(&entry.alert, minute, settings) {
                entry.told = true;
                told.push(entry.alert.clone());
            }
        }
        told
    }

    /// What stands and is told.
    pub(crate) fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().filter(|entry| entry.told).map(|entry| &entry.alert)
    }

    pub(crate) fn len(&self) -> usize {
        self.alerts.len()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn silenced(&self) -> u64 {
        self.silenced
    }
}

fn is_silenced(alert: &Alert, minute: i64, settings: &Settings) -> bool {
    let says = |wanted: &Option<String>, name: Option<&str>| {
        wanted.as_ref().is_none_or(|wanted| name.is_some_and(|name| fits(wanted, name)))
    };
    settings.silences.iter().any(|silence| {
        silence.holds_at(minute)
            && silence.detector.is_none_or(|detector| detector == alert.detector)
            && says(&silence.account, Some(&alert.subject.account))
            && says(&silence.principal, alert.subject.principal.as_deref())
            && says(&silence.key, alert.subject.key.as_deref())
    })
}
