//! The rate family: which series an event counts in, and what their changes mean.

use crate::{
    Class, Detector, Excess, Observation, Settings, Severity, Subject,
    lru::Lru,
    novelty::concerned,
    observation::CIPHERTEXT_ERRORS,
    query::Query,
    rate::{Change, Envelope},
    standing::{Finding, fingerprint},
    start_of,
    top::Top,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// A score from which on a spike is more than curious.
const HIGH_SCORE: f64 = 20.0;

/// Whose events of which class; a whole account has no class and no name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Id {
    class: Option<Class>,
    kind: Kind,
    account: Arc<str>,
    name: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Kind {
    Account,
    Principal,
    Key,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Series {
    envelope: Envelope,
    /// Of a principal the keys, of a key or an account the principals.
    top: Top,
}

/// INVARIANT: `hot` names the series that were counted in since the last tick or that fire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AllSeries {
    table: Lru<Id, Series>,
    hot: BTreeSet<Id>,
}

/// What the end of a minute brought.
pub(crate) enum Turn {
    Raise(Box<Finding>),
    /// This fingerprint is no more, since this minute.
    Clear(String, i64),
}

impl AllSeries {
    pub(crate) fn new(max: usize) -> Self {
        Self { table: Lru::new(max), hot: BTreeSet::new() }
    }

    /// Counts one event; gives the fingerprints of alerts whose series had to go.
    pub(crate) fn count(
        &mut self,
        event: &Observation,
        minute: i64,
        settings: &Settings,
    ) -> Vec<String> {
        let class = Some(Class::of(event));
        let account: Arc<str> = event.account.as_str().into();
        let principal: Arc<str> = event.principal.as_str().into();
        let keys: Vec<Arc<str>> = event.keys.iter().map(|key| key.as_str().into()).collect();
        let id = |class, kind, name: &Arc<str>| Id {
            class,
            kind,
            account: account.clone(),
            name: name.clone(),
        };
        let mut gone = vec![];
        gone.extend(self.add(
            id(None, Kind::Account, &"".into()),
            minute,
            core::slice::from_ref(&principal),
            settings,
        ));
        gone.extend(self.add(id(class, Kind::Principal, &principal), minute, &keys, settings));
        for key in &keys {
            let owner = concerned(&event.account, Some(key)).into();
            gone.extend(self.add(
                Id { account: owner, ..id(class, Kind::Key, key) },
                minute,
                core::slice::from_ref(&principal),
                settings,
            ));
        }
        gone
    }

    fn add(
        &mut self,
        id: Id,
        minute: i64,
        names: &[Arc<str>],
        settings: &Settings,
    ) -> Option<String> {
        let make = || Series { envelope: Envelope::new(minute), top: Top::default() };
        let (series, _, gone) = self.table.touch(&id, make);
        if let Some(series) = series {
            if series.envelope.minute() < minute {
                // It was quiet, and so nothing fires; it only learns that it was.
                let key = (id.kind == Kind::Key).then_some(&*id.name);
                series.envelope.advance(minute, &settings.lines(id.class, key));
            }
            series.envelope.count(1);
            names.iter().for_each(|name| series.top.count(minute, name));
        }
        self.hot.insert(id);
        let gone = gone?;
        self.hot.remove(&gone).then(|| gone.fingerprint())
    }

    /// Closes every minute before this one: of principals first, whose alerts may tell what is told of others too.
    pub(crate) fn tick(&mut self, minute: i64, settings: &Settings) -> Vec<Turn> {
        let mut turns = vec![];
        let hot = core::mem::take(&mut self.hot).into_iter();
        let (first, rest): (Vec<Id>, Vec<Id>) = hot.partition(|id| id.kind == Kind::Principal);
        for id in first.into_iter().chain(rest) {
            let key = (id.kind == Kind::Key).then_some(&*id.name);
            let Some(series) = self.table.get_mut(&id) else { continue };
            let lines = settings.lines(id.class, key);
            for change in series.envelope.advance(minute, &lines) {
                match change {
                    Change::Fires(excess) if settings.is_on(id.detector(), key) => {
                        turns.push(Turn::Raise(Box::new(id.finding(&excess, &series.top))));
                    }
                    Change::Fires(_) => {}
                    Change::Clears(minute) => turns.push(Turn::Clear(id.fingerprint(), minute)),
                }
            }
            if series.envelope.is_firing() {
                self.hot.insert(id);
            }
        }
        turns
    }

    /// Another bound; gives the fingerprints of alerts whose series had to go.
    pub(crate) fn resize(&mut self, max: usize) -> Vec<String> {
        let gone = self.table.resize(max);
        gone.into_iter().filter(|id| self.hot.remove(id)).map(|id| id.fingerprint()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }
}

impl Id {
    fn detector(&self) -> Detector {
        match self.class {
            Some(Class::Refused) => Detector::Refusals,
            Some(Class::CiphertextError) => Detector::CiphertextErrors,
            Some(Class::DataKeyWithoutPlaintext) => Detector::DataKeysWithoutPlaintext,
            _ => Detector::Rate,
        }
    }

    fn subject(&self) -> Subject {
        let named = |kind| (self.kind == kind).then(|| self.name.clone());
        Subject {
            account: self.account.clone(),
            principal: named(Kind::Principal),
            key: named(Kind::Key),
            what: self.class.map(|class| class.as_str().into()),
        }
    }

    fn fingerprint(&self) -> String {
        fingerprint(self.detector(), &self.subject())
    }

    fn finding(&self, excess: &Excess, top: &Top) -> Finding {
        let severe = excess.score == 0.0 || HIGH_SCORE < excess.score;
        Finding {
            detector: self.detector(),
            severity: if severe { Severity::High } else { Severity::Medium },
            subject: self.subject(),
            since: start_of(excess.minute + 1 - i64::from(excess.window_minutes)),
            time: start_of(excess.minute),
            expected: excess.expected,
            observed: excess.observed_float(),
            window_minutes: excess.window_minutes,
            score: excess.score,
            contributors: top.contributors(),
            query: self.query(),
            event_id: None,
        }
    }

    /// What [`Class::of`] asks, in the query language.
    fn query(&self) -> Query {
        let query = match self.kind {
            Kind::Account => return Query::default().with("account", &self.account),
            Kind::Principal => Query::default().principal(&self.name),
            Kind::Key => Query::default().with("key", &self.name),
        };
        let errors = CIPHERTEXT_ERRORS.map(|code| code.trail_name());
        let [invalid, incorrect] = errors;
        match self.class {
            Some(Class::Refused) => query.with("result", "denied"),
            Some(Class::CiphertextError) => query.any_of("result", &errors),
            Some(Class::Other) | None => {
                let named: Vec<&str> =
                    Class::NAMED.iter().flat_map(|c| c.operations()).copied().collect();
                query.none_of("op", &named).none_of("result", &["denied", invalid, incorrect])
            }
            Some(class) => {
                let query = query.any_of("op", class.operations());
                query.none_of("result", &["denied", invalid, incorrect])
            }
        }
    }
}
