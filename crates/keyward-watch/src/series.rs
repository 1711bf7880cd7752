//! The rate family: which series an event counts in, and what their changes mean.

use crate::{
    Class, Detector, Excess, Observation, Settings, Severity, Subject,
    lru::Lru,
    names::{Name, Named, Names},
    observation::CIPHERTEXT_ERRORS,
    query::Query,
    rate::{Change, Envelope},
    standing::{Finding, fingerprint},
    start_of,
    top::Top,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A score from which on a spike is more than curious.
const HIGH_SCORE: f64 = 20.0;

/// Whose events of which class; a whole account has no class and no name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Id {
    class: Option<Class>,
    kind: Kind,
    account: Name,
    name: Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Kind {
    Account,
    Principal,
    Key,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Series {
    envelope: Envelope,
    /// Whether it was counted in since the last tick, or fires.
    hot: bool,
    /// Of a principal the keys, of a key or an account the principals.
    top: Top,
}

/// INVARIANT: `hot` names every series that is hot, and perhaps some that are no more.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Table", into = "Table")]
pub(crate) struct AllSeries {
    table: Table,
    hot: Vec<Id>,
}

/// Boxed, so that the table's spare room is small.
type Table = Lru<Id, Box<Series>>;

impl From<Table> for AllSeries {
    fn from(table: Table) -> Self {
        let hot = table.iter().filter(|(_, series)| series.hot);
        Self { hot: hot.map(|(id, _)| id.clone()).collect(), table }
    }
}

impl From<AllSeries> for Table {
    fn from(all: AllSeries) -> Self {
        all.table
    }
}

/// What the end of a minute brought.
pub(crate) enum Turn {
    Raise(Box<Finding>),
    /// This fingerprint is no more, since this minute.
    Clear(String, i64),
}

impl AllSeries {
    pub(crate) fn new(max: usize) -> Self {
        Self { table: Lru::new(max), hot: Vec::new() }
    }

    /// Bears names that others bear too, where it was read with copies.
    pub(crate) fn share(&mut self, names: &mut Names) {
        let table = core::mem::replace(&mut self.table, Lru::new(1));
        *self = Self::from(table.rekeyed(|id, series| {
            names.share(&mut id.account);
            names.share(&mut id.name);
            series.top.share(names);
        }));
    }

    /// Counts one event; gives the fingerprints of alerts whose series had to go.
    pub(crate) fn count(
        &mut self,
        event: &Observation,
        named: &Named,
        minute: i64,
        settings: &Settings,
    ) -> Vec<String> {
        let class = Some(Class::of(event));
        let Named { account, principal, keys } = named;
        let id = |class, kind, account: &Name, name: &Name| {
            let (account, name) = (account.clone(), name.clone());
            Id { class, kind, account, name }
        };
        let mut gone = vec![];
        // A whole account needs no name but its own.
        let whole = id(None, Kind::Account, account, account);
        gone.extend(self.add(whole, minute, [principal], settings));
        let of_principal = id(class, Kind::Principal, account, principal);
        let used = keys.iter().map(|(key, _)| key);
        gone.extend(self.add(of_principal, minute, used, settings));
        for (key, owner) in keys {
            gone.extend(self.add(id(class, Kind::Key, owner, key), minute, [principal], settings));
        }
        gone
    }

    fn add<'n>(
        &mut self,
        id: Id,
        minute: i64,
        names: impl IntoIterator<Item = &'n Name>,
        settings: &Settings,
    ) -> Option<String> {
        let make = || {
            let (envelope, top) = (Envelope::new(minute), Top::default());
            Box::new(Series { envelope, hot: false, top })
        };
        let (series, _, gone) = self.table.touch(id.clone(), make);
        if series.envelope.minute() < minute {
            // It was quiet, and so nothing fires; it only learns that it was.
            let key = (id.kind == Kind::Key).then_some(&*id.name);
            series.envelope.advance(minute, &settings.lines(id.class, key));
        }
        series.envelope.count(1);
        names.into_iter().for_each(|name| series.top.count(minute, name));
        if !core::mem::replace(&mut series.hot, true) {
            self.hot.push(id);
        }
        let (gone, series) = gone?;
        series.hot.then(|| gone.fingerprint())
    }

    /// Closes every minute before this one: of principals first, whose alerts may tell what is told of others too.
    pub(crate) fn tick(&mut self, minute: i64, settings: &Settings) -> Vec<Turn> {
        let mut turns = vec![];
        let mut hot = core::mem::take(&mut self.hot);
        hot.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        // One that had to go may have come again meanwhile.
        hot.dedup();
        let (first, rest): (Vec<Id>, Vec<Id>) =
            hot.into_iter().partition(|id| id.kind == Kind::Principal);
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
            series.hot = series.envelope.is_firing();
            if series.hot {
                self.hot.push(id);
            }
        }
        turns
    }

    /// Another bound; gives the fingerprints of alerts whose series had to go.
    pub(crate) fn resize(&mut self, max: usize) -> Vec<String> {
        let gone = self.table.resize(max);
        let hot = gone.into_iter().filter(|(_, series)| series.hot);
        hot.map(|(id, _)| id.fingerprint()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }
}

impl Id {
    /// By what it says, which is the same in every process.
    fn order(&self) -> (Option<Class>, Kind, &str, &str) {
        (self.class, self.kind, &self.account, &self.name)
    }

    fn detector(&self) -> Detector {
        match self.class {
            Some(Class::Refused) => Detector::Refusals,
            Some(Class::CiphertextError) => Detector::CiphertextErrors,
            Some(Class::DataKeyWithoutPlaintext) => Detector::DataKeysWithoutPlaintext,
            _ => Detector::Rate,
        }
    }

    fn subject(&self) -> Subject {
        let named = |kind| (self.kind == kind).then(|| Arc::clone(self.name.shared()));
        Subject {
            account: Arc::clone(self.account.shared()),
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
