//! The bounded table of series, and what is counted into which.

use crate::envelope::Envelope;
use core::fmt;
use keyward_types::{EventSummary, Timestamp};
use std::{collections::BTreeMap, sync::Arc};
use uuid::Uuid;

/// What kind of use an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Opens what was sealed: Decrypt, ReEncrypt, and secrets agreed on or decapsulated.
    Decrypt,
    /// Makes what others trust: Sign, GenerateMac.
    Sign,
    /// Makes data keys.
    DataKey,
    Encrypt,
    /// Anything that a policy refused.
    Denied,
    /// Everything else: reading and changing keys, verifying, random bytes, identities.
    Other,
}

impl Class {
    /// The class of an event. A refusal is one whatever was asked.
    pub fn of(event: &EventSummary) -> Self {
        if event.outcome.class() == "denied" {
            return Self::Denied;
        }
        match event.operation {
            "Decrypt" | "ReEncrypt" | "DeriveSharedSecret" | "Decapsulate" => Self::Decrypt,
            "Sign" | "GenerateMac" => Self::Sign,
            operation if operation.starts_with("GenerateDataKey") => Self::DataKey,
            "Encrypt" | "Encapsulate" => Self::Encrypt,
            _ => Self::Other,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decrypt => "decrypt",
            Self::Sign => "sign",
            Self::DataKey => "data_key",
            Self::Encrypt => "encrypt",
            Self::Denied => "denied",
            Self::Other => "other",
        }
    }
}

/// Whose use it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An ARN; every session of a role is a subject of its own.
    Principal(Arc<str>),
    /// A key's ARN.
    Key(Arc<str>),
}

/// Where the lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events a minute that are a spike in a series' first 24 hours.
    pub floor: u32,
    /// Events a minute below which nothing is a spike later.
    pub count_min: u32,
    /// Series that are kept.
    pub series_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { floor: 100, count_min: 10, series_max: 10_000 }
    }
}

/// A minute in which a series was used far more than it ever was.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub class: Class,
    pub subject: Subject,
    /// When the line was crossed, and by which event.
    pub time: Timestamp,
    pub event_id: Uuid,
    /// Events in that minute so far.
    pub count: u32,
    /// The mean of a minute until then.
    pub expected: f64,
    /// The count that was the line.
    pub line: f64,
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, who) = match &self.subject {
            Subject::Principal(arn) => ("by", arn),
            Subject::Key(arn) => ("with", arn),
        };
        let Self { class, count, expected, line, .. } = self;
        write!(
            f,
            "{count} {} events a minute {what} {who}; usual are {expected:.1}, the line is {line:.0}",
            class.as_str()
        )
    }
}

/// The detector: feed it every committed event, in the log's order.
#[derive(Debug, Default)]
pub struct Watch {
    limits: Limits,
    series: BTreeMap<(Class, Kind), BTreeMap<Arc<str>, Entry>>,
    /// Every series by the minute it was last seen in, then by age: the first goes first.
    order: BTreeMap<(i64, u64), (Class, Kind, Arc<str>)>,
    made: u64,
    evicted: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Principal,
    Key,
}

#[derive(Debug)]
struct Entry {
    envelope: Envelope,
    /// Its place in `Watch::order`.
    place: (i64, u64),
}

impl Watch {
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Counts one event, and gives the alerts it raised: at most one for its principal and one for
    /// each of its keys.
    pub fn observe(&mut self, event: &EventSummary) -> Vec<Alert> {
        let class = Class::of(event);
        let mut alerts = vec![];
        alerts.extend(self.count(event, class, Kind::Principal, &event.principal_arn));
        for key in &event.keys {
            alerts.extend(self.count(event, class, Kind::Key, key));
        }
        alerts
    }

    /// The series that are over their line, or were in the last ten minutes.
    pub fn active(&self, now: Timestamp) -> Vec<(Class, Subject)> {
        let minute = minute(now);
        let of = |(&(class, kind), table): (&(Class, Kind), &BTreeMap<Arc<str>, Entry>)| {
            let over = table.iter().filter(|(_, entry)| entry.envelope.alerts_at(minute));
            over.map(|(name, _)| (class, kind.subject(name))).collect::<Vec<_>>()
        };
        self.series.iter().flat_map(of).collect()
    }

    /// Series that are kept now.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Series that had to go since the start.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn count(
        &mut self,
        event: &EventSummary,
        class: Class,
        kind: Kind,
        name: &str,
    ) -> Option<Alert> {
        let now = minute(event.time);
        if !self.series.get(&(class, kind)).is_some_and(|table| table.contains_key(name)) {
            self.insert(class, kind, name, now);
        }
        let (stored, _) = self.series.get(&(class, kind))?.get_key_value(name)?;
        let subject = kind.subject(stored);
        let entry = self.series.get_mut(&(class, kind))?.get_mut(name)?;
        let crossed = entry.envelope.count(now, &self.limits);
        let moved = (entry.envelope.minute, entry.place.1);
        if entry.place != moved
            && let Some(series) = self.order.remove(&entry.place)
        {
            self.order.insert(moved, series);
            entry.place = moved;
        }
        crossed.then(|| Alert {
            class,
            subject,
            time: event.time,
            event_id: event.event_id,
            count: entry.envelope.count,
            expected: entry.envelope.expected(),
            line: entry.envelope.line(&self.limits),
        })
    }

    fn insert(&mut self, class: Class, kind: Kind, name: &str, minute: i64) {
        while self.limits.series_max.max(1) <= self.order.len() {
            if let Some((_, (class, kind, name))) = self.order.pop_first() {
                self.series.get_mut(&(class, kind)).map(|table| table.remove(&name));
                self.evicted += 1;
            }
        }
        let (name, place): (Arc<str>, _) = (name.into(), (minute, self.made));
        self.made += 1;
        self.order.insert(place, (class, kind, name.clone()));
        self.series
            .entry((class, kind))
            .or_default()
            .insert(name, Entry { envelope: Envelope::new(minute), place });
    }
}

impl Kind {
    fn subject(self, name: &Arc<str>) -> Subject {
        match self {
            Self::Principal => Subject::Principal(name.clone()),
            Self::Key => Subject::Key(name.clone()),
        }
    }
}

fn minute(time: Timestamp) -> i64 {
    time.0.div_euclid(60_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_types::{ErrorCode, Outcome};
    use proptest::prelude::*;

    fn event(operation: &'static str, principal: &str, key: &str, minute: i64) -> EventSummary {
        EventSummary {
            event_id: Uuid::from_u128(7),
            request_id: Uuid::nil(),
            time: Timestamp(minute * 60_000 + 1),
            service: "kms",
            operation,
            outcome: Outcome::Success,
            account: "111122223333".to_owned(),
            principal_arn: principal.to_owned(),
            keys: vec![key.to_owned()],
        }
    }

    /// A new principal that takes out a hundred secrets in a minute is seen before it has a history.
    #[test]
    fn the_floor_holds_from_the_first_minute() {
        let mut watch = Watch::default();
        let alerts: Vec<Alert> =
            (0..250).flat_map(|_| watch.observe(&event("Decrypt", "eve", "k", 0))).collect();
        let subjects: Vec<&Subject> = alerts.iter().map(|alert| &alert.subject).collect();
        assert_eq!(subjects, [&Subject::Principal("eve".into()), &Subject::Key("k".into())]);
        assert!(alerts.iter().all(|alert| alert.count == 100 && alert.class == Class::Decrypt));
        assert_eq!(
            alerts.first().unwrap().to_string(),
            "100 decrypt events a minute by eve; usual are 0.0, the line is 100"
        );
        assert_eq!(watch.active(Timestamp(60_000)).len(), 2);
        assert!(watch.active(Timestamp(11 * 60_000)).is_empty());
    }

    /// One principal's spike does not hide behind others, and others do not alert with it.
    #[test]
    fn a_spike_names_its_principal_and_key() {
        let mut watch = Watch::default();
        let names = ["a", "b", "c"];
        for minute in 0..2_000 {
            for name in names {
                for _ in 0..3 {
                    assert!(watch.observe(&event("Sign", name, name, minute)).is_empty());
                }
            }
        }
        let mut alerts = vec![];
        for _ in 0..40 {
            names.iter().take(2).for_each(|name| {
                alerts.extend(watch.observe(&event("Decrypt", name, name, 2_000)))
            });
            alerts.extend(watch.observe(&event("Sign", "c", "c", 2_000)));
        }
        assert!(alerts.iter().all(|a| a.class == Class::Sign && a.count == 10), "{alerts:?}");
        assert_eq!(alerts.len(), 2);
        assert!(alerts.iter().any(|alert| alert.subject == Subject::Principal("c".into())));
    }

    #[test]
    fn classes_are_counted_apart() {
        let of = |operation| Class::of(&event(operation, "p", "k", 0));
        let classes =
            ["Decrypt", "Sign", "GenerateDataKeyPair", "Encrypt", "Verify", "GenerateRandom"]
                .map(of);
        assert_eq!(
            classes,
            [
                Class::Decrypt,
                Class::Sign,
                Class::DataKey,
                Class::Encrypt,
                Class::Other,
                Class::Other
            ]
        );
        let mut denied = event("Decrypt", "p", "k", 0);
        denied.outcome = Outcome::Failure(ErrorCode::AccessDenied);
        assert_eq!(Class::of(&denied), Class::Denied);
    }

    /// A flood of new names does not grow the table, and what was pushed out starts with the floor.
    #[test]
    fn the_table_is_bounded() {
        let mut watch = Watch::new(Limits { series_max: 8, ..Limits::default() });
        for i in 0..1_000 {
            watch.observe(&event("Decrypt", &format!("p{i}"), "always the same", i));
            assert!(watch.len() <= 8);
        }
        assert_eq!(watch.evicted(), 1_001 - 8);
        let alerts: Vec<Alert> =
            (0..99).flat_map(|_| watch.observe(&event("Decrypt", "p0", "other", 1_000))).collect();
        assert!(alerts.is_empty());
        assert_eq!(watch.observe(&event("Decrypt", "p0", "other", 1_000)).len(), 2);
    }

    proptest! {
        /// The same log gives the same alerts, bookkeeping holds, and no order of times breaks it.
        #[test]
        fn a_log_can_be_played_again(log in prop::collection::vec((0..4_u8, 0..4_u8, -5_i64..4_000), 0..600)) {
            let limits = Limits { floor: 5, count_min: 2, series_max: 5 };
            let play = || {
                let mut watch = Watch::new(limits);
                let alerts: Vec<Alert> = log
                    .iter()
                    .flat_map(|(p, k, minute)| watch.observe(&event("Decrypt", &p.to_string(), &k.to_string(), *minute)))
                    .collect();
                (alerts, watch)
            };
            let ((first, watch), (second, _)) = (play(), play());
            prop_assert_eq!(&first, &second);
            prop_assert!(watch.len() <= limits.series_max);
            prop_assert_eq!(watch.series.values().map(BTreeMap::len).sum::<usize>(), watch.len());
            prop_assert!(first.iter().all(|alert| alert.line.is_finite() && alert.line <= f64::from(alert.count)));
        }
    }
}
