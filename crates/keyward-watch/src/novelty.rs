//! What was never there before: of a principal, of a key, and of the two together.
//!
//! The first time is told, and known from then on. Nothing is told of a principal or key that is itself new,
//! but for a new principal with a known key.

use crate::{
    Class, Detector, Observation, Settings, Severity, Subject,
    lru::Lru,
    names::{Name, Named, Names},
    query::Query,
    standing::Finding,
    start_of,
    sweep::{OPERATIONS, Sweep},
};
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, sync::Arc};

/// Networks, Regions and operations of a principal that are remembered, each.
const NAMES_MAX: usize = 64;

/// What a principal did so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profile {
    first: i64,
    /// The last source, and its network.
    source: (String, String),
    networks: Known,
    regions: Known,
    operations: Known,
    sweep: Sweep,
}

/// Names and when each was there last; those that come often move to the front. INVARIANT: at most 64; the oldest goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Known(Vec<(String, i64)>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyLife {
    first: i64,
    last_decrypt: Option<i64>,
}

/// Everything that is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) principals: Lru<Name, Profile>,
    pub(crate) pairs: Lru<(Name, Name), ()>,
    pub(crate) keys: Lru<Name, KeyLife>,
}

impl Memory {
    pub(crate) fn new(settings: &Settings) -> Self {
        let tables = &settings.tables;
        Self {
            principals: Lru::new(tables.principals),
            pairs: Lru::new(tables.pairs),
            keys: Lru::new(tables.keys),
        }
    }

    pub(crate) fn resize(&mut self, settings: &Settings) {
        let tables = &settings.tables;
        self.principals.resize(tables.principals);
        self.pairs.resize(tables.pairs);
        self.keys.resize(tables.keys);
    }

    /// Bears names that others bear too, where it was read with copies.
    pub(crate) fn share(&mut self, names: &mut Names) {
        fn taken<K: core::hash::Hash + Eq + Clone, V>(table: &mut Lru<K, V>) -> Lru<K, V> {
            core::mem::replace(table, Lru::new(1))
        }
        self.principals = taken(&mut self.principals).rekeyed(|name, _| names.share(name));
        self.keys = taken(&mut self.keys).rekeyed(|name, _| names.share(name));
        self.pairs = taken(&mut self.pairs).rekeyed(|(principal, key), ()| {
            names.share(principal);
            names.share(key);
        });
    }

    /// Learns from an event, and gives what is new in it.
    pub(crate) fn observe(
        &mut self,
        event: &Observation,
        named: &Named,
        minute: i64,
        settings: &Settings,
    ) -> Vec<Finding> {
        let mut found = self.of_principal(event, &named.principal, minute, settings);
        // A refusal is no use: what was refused once is new when it is allowed.
        if event.succeeded() {
            for (key, _) in &named.keys {
                found.extend(self.of_key(event, &named.principal, key, minute, settings));
            }
        }
        found
    }

    fn of_principal(
        &mut self,
        event: &Observation,
        principal: &Name,
        minute: i64,
        settings: &Settings,
    ) -> Vec<Finding> {
        let make = || Profile {
            first: minute,
            source: Default::default(),
            networks: Known::default(),
            regions: Known::default(),
            operations: Known::default(),
            sweep: Sweep::default(),
        };
        let (profile, ..) = self.principals.touch(principal.clone(), make);
        let is_known = learned(profile.first, minute, settings);
        if profile.source.0 != event.source {
            profile.source = (event.source.clone(), network(&event.source));
        }
        let network = &profile.source.1;
        let mut found = vec![];
        for (detector, field, known, name) in [
            (Detector::NewNetwork, "ip", &mut profile.networks, network.as_str()),
            (Detector::NewRegion, "region", &mut profile.regions, &event.region),
            (Detector::NewOperation, "op", &mut profile.operations, &event.operation),
        ] {
            if !name.is_empty() && known.is_new(name, minute) && is_known {
                let query = Query::default().principal(&event.principal);
                // A service's name is no address.
                let address = field != "ip" || name.contains('/');
                let query = if address { query.with(field, name) } else { query };
                found.push(single(event, detector, Severity::Medium, None, Some(name), query));
            }
        }
        found.extend(swept(&mut profile.sweep, event, minute, settings));
        found
    }

    fn of_key(
        &mut self,
        event: &Observation,
        principal: &Name,
        key: &Name,
        minute: i64,
        settings: &Settings,
    ) -> Vec<Finding> {
        let make = || KeyLife { first: minute, last_decrypt: None };
        let (life, ..) = self.keys.touch(key.clone(), make);
        let is_known = learned(life.first, minute, settings);
        let mut found = vec![];
        if Class::of(event) == Class::Decrypt {
            let before = life.last_decrypt.replace(minute);
            let silence = settings.silence_minutes(key);
            if before.is_some_and(|before| silence <= minute - before) {
                let query =
                    Query::default().with("key", key).any_of("op", Class::Decrypt.operations());
                let detector = Detector::DecryptAfterSilence;
                found.push(single(event, detector, Severity::Medium, Some(key), None, query));
            }
        }
        let pair = (principal.clone(), key.clone());
        let (_, was_there, _) = self.pairs.touch(pair, || ());
        if !was_there && is_known {
            let query = Query::default().principal(&event.principal).with("key", key);
            let detector = Detector::FirstUseOfKey;
            found.push(single(event, detector, Severity::Medium, Some(key), None, query));
        }
        found
    }
}

impl Known {
    fn is_new(&mut self, name: &str, minute: i64) -> bool {
        let place = self.0.iter().position(|(known, _)| known == name);
        if let Some((place, (_, last))) =
            place.and_then(|place| Some((place, self.0.get_mut(place)?)))
        {
            *last = minute;
            if let Some(before) = place.checked_sub(1) {
                self.0.swap(place, before);
            }
            return false;
        }
        if NAMES_MAX <= self.0.len() {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, (_, last))| *last);
            let oldest = oldest.map(|(place, _)| place);
            oldest.map(|place| self.0.remove(place));
        }
        self.0.push((name.to_owned(), minute));
        true
    }
}

fn learned(first: i64, minute: i64, settings: &Settings) -> bool {
    i64::from(settings.novelty.learn_hours) * 60 <= minute - first
}

fn swept(
    sweep: &mut Sweep,
    event: &Observation,
    minute: i64,
    settings: &Settings,
) -> Option<Finding> {
    if !OPERATIONS.contains(&event.operation.as_str()) {
        return None;
    }
    let name = event.keys.first().or(event.named.as_ref())?;
    let swept = sweep.count(name, &event.operation, minute, settings)?;
    let query = Query::default().principal(&event.principal).any_of("op", &OPERATIONS);
    let finding = single(event, Detector::Enumeration, Severity::High, None, None, query);
    Some(Finding {
        since: start_of(swept.since),
        expected: swept.expected,
        observed: swept.keys,
        window_minutes: 60,
        contributors: sweep.top.contributors(),
        ..finding
    })
}

/// What one event shows.
pub(crate) fn single(
    event: &Observation,
    detector: Detector,
    severity: Severity,
    key: Option<&str>,
    what: Option<&str>,
    query: Query,
) -> Finding {
    Finding {
        detector,
        severity,
        subject: Subject {
            account: concerned(&event.account, key).into(),
            principal: Some(event.principal.as_str().into()),
            key: key.map(Arc::from),
            what: what.map(Arc::from),
        },
        since: event.time,
        time: event.time,
        expected: 0.0,
        observed: 1.0,
        window_minutes: 0,
        score: 0.0,
        contributors: vec![],
        query,
        event_id: Some(event.event_id),
    }
}

/// Whose alert it is: what happens to a key is for the account that owns it to hear of and to silence, whoever did it.
pub(crate) fn concerned<'n>(caller: &'n str, key: Option<&'n str>) -> &'n str {
    let owner = key.filter(|key| key.starts_with("arn:")).and_then(|key| key.split(':').nth(4));
    owner.filter(|account| !account.is_empty()).unwrap_or(caller)
}

/// The /24 or /48 of an address; a service's name stands for itself.
fn network(source: &str) -> String {
    match source.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, ..] = address.segments();
            format!("{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
        Err(_) => source.to_owned(),
    }
}
