//! All detectors behind one door, and their state as bytes.

use crate::{
    Alert, Observation, Settings, minute_of,
    names::Names,
    novelty::Memory,
    rules,
    series::{AllSeries, Turn},
    standing::{Finding, Standing},
};
use core::fmt;
use keyward_types::Timestamp;
use serde::{Deserialize, Serialize};

/// The form of the saved state.
const VERSION: u8 = 4;

/// Feed it every committed event, in the log's order, and the time now and then.
#[derive(Clone, Debug)]
pub struct Watch {
    settings: Settings,
    names: Names,
    state: All,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct All {
    /// The minute that is open.
    minute: Option<i64>,
    series: AllSeries,
    memory: Memory,
    standing: Standing,
}

/// Two are the same when they are saved as the same, under the same settings.
impl PartialEq for Watch {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings && self.save(0) == other.save(0)
    }
}

/// How full one table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub entries: usize,
    /// Entries that had to go since the state began.
    pub evicted: u64,
}

/// How full the tables are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub series: Table,
    pub principals: Table,
    pub pairs: Table,
    pub keys: Table,
    /// Alerts that stand; those for which there was no room were not told.
    pub alerts: Table,
    /// Alerts that a silence held back when they fired.
    pub silenced: u64,
}

/// Why saved state cannot be used: rebuild it from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError {
    /// Of another form than this code writes.
    Version,
    Malformed,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "the detectors' state was saved in another version's form",
            Self::Malformed => "the detectors' state is damaged",
        })
    }
}

impl std::error::Error for StateError {}

impl Watch {
    pub fn new(settings: Settings) -> Self {
        let state = All {
            minute: None,
            series: AllSeries::new(settings.tables.series),
            memory: Memory::new(&settings),
            standing: Standing::default(),
        };
        Self { settings, names: Names::default(), state }
    }

    /// One event, and what it and the minutes before it tell.
    pub fn observe(&mut self, event: &Observation) -> Vec<Alert> {
        let mut alerts = self.advance(event.time);
        let minute = self.state.minute.unwrap_or_else(|| minute_of(event.time));
        let named = self.names.of(event);
        let gone = self.state.series.count(event, &named, minute, &self.settings);
        alerts.extend(self.end(&gone, minute));
        let memory = &mut self.state.memory;
        let mut found = memory.observe(event, &named, minute, &self.settings);
        found.extend(rules::judge(event, &self.settings));
        let hold = i64::from(self.settings.novelty.hold_minutes);
        for finding in found {
            alerts.extend(self.raise(finding, Some(hold)));
        }
        alerts
    }

    /// Lets time pass: closes the minutes before this one. Call it some seconds into each minute, when all
    /// events of the one before are there.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Alert> {
        let minute = minute_of(now);
        if self.state.minute.is_some_and(|open| minute <= open) {
            return vec![];
        }
        self.state.minute = Some(minute);
        let mut alerts = vec![];
        let mut of_principals = vec![];
        for turn in self.state.series.tick(minute, &self.settings) {
            match turn {
                Turn::Raise(finding) => {
                    // Of a key or an account only what no principal's own alert tells already.
                    if finding.subject.principal.is_some() {
                        of_principals.push(finding.subject.clone());
                    } else if self.state.standing.covers(&finding, &of_principals) {
                        continue;
                    }
                    alerts.extend(self.raise(*finding, None));
                }
                Turn::Clear(fingerprint, minute) => {
                    alerts.extend(self.state.standing.clear(&fingerprint, minute));
                }
            }
        }
        alerts.extend(self.state.standing.tick(minute, &self.settings));
        alerts
    }

    /// The alerts that stand, but for silenced ones.
    pub fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.state.standing.firing()
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Other settings from now on, with what was learned. Tables that became smaller lose what was touched
    /// longest ago; the alerts of series that go so are resolved.
    pub fn set(&mut self, settings: Settings) -> Vec<Alert> {
        self.settings = settings;
        self.state.memory.resize(&self.settings);
        let gone = self.state.series.resize(self.settings.tables.series);
        let minute = self.state.minute.unwrap_or_default();
        self.end(&gone, minute)
    }

    pub fn sizes(&self) -> Sizes {
        let All { series, memory, standing, .. } = &self.state;
        let table = |entries, evicted| Table { entries, evicted };
        Sizes {
            series: table(series.len(), series.evicted()),
            principals: table(memory.principals.len(), memory.principals.evicted()),
            pairs: table(memory.pairs.len(), memory.pairs.evicted()),
            keys: table(memory.keys.len(), memory.keys.evicted()),
            alerts: table(standing.len(), standing.dropped()),
            silenced: standing.silenced(),
        }
    }

    /// What was learned, with the place in the log up to which it was. Settings are not in it.
    pub fn save(&self, position: u64) -> Result<Vec<u8>, StateError> {
        let mut bytes = vec![VERSION];
        rmp_serde::encode::write(&mut bytes, &(position, &self.state))
            .map_err(|_| StateError::Malformed)?;
        Ok(bytes)
    }

    /// What [`Self::save`] gave, under other settings perhaps, and the place from which to go on. Tables
    /// that became smaller lose what was touched longest ago; alerts of series that go so end untold.
    pub fn restore(settings: Settings, bytes: &[u8]) -> Result<(Self, u64), StateError> {
        let (version, rest) = bytes.split_first().ok_or(StateError::Malformed)?;
        if *version != VERSION {
            return Err(StateError::Version);
        }
        let (position, state): (u64, All) =
            rmp_serde::from_slice(rest).map_err(|_| StateError::Malformed)?;
        let mut watch = Self { settings: Settings::default(), names: Names::default(), state };
        let All { series, memory, .. } = &mut watch.state;
        series.share(&mut watch.names);
        memory.share(&mut watch.names);
        watch.set(settings);
        Ok((watch, position))
    }

    fn raise(&mut self, finding: Finding, hold: Option<i64>) -> Option<Alert> {
        let key = finding.subject.key.as_deref();
        if !self.settings.is_on(finding.detector, key) {
            return None;
        }
        self.state.standing.raise(finding, hold, &self.settings)
    }

    /// Ends the alerts of series that are no longer counted.
    fn end(&mut self, gone: &[String], minute: i64) -> Vec<Alert> {
        let standing = &mut self.state.standing;
        gone.iter().filter_map(|fingerprint| standing.clear(fingerprint, minute)).collect()
    }
}
