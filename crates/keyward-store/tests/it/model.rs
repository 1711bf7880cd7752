//! Random commits and restarts, compared with a map.

use crate::house::*;
use keyward_store::{Commit, Durability, EventQuery, KeptCheckpoint, Options, Silent, Store};
use keyward_types::{Change, LastUsage, Name, Record, Timestamp};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Commit {
        changes: Vec<Small>,
        events: u8,
    },
    Close,
    Kill,
    LoseSled,
    /// Closes the segment, seals all that are closed, and lets this many of them leave.
    Seal(u8),
    Checkpoint,
}

/// A change over few names, so that they meet.
#[derive(Clone, Debug)]
enum Small {
    PutKey(u8, u16),
    DeleteKey(u8),
    PutAlias(u8, u8),
    DeleteAlias(u8),
    PutGrant(u8, u8, u8),
    DeleteGrant(u8, u8),
    DeleteGrants(u8),
    DeleteAliases(u8),
    PutDek(u8, u16),
    DeleteDek(u8),
    Touch(u8, u8),
}

fn small() -> impl Strategy<Value = Small> {
    let (key, other) = (0..4_u8, 0..5_u8);
    prop_oneof![
        4 => (key.clone(), any::<u16>()).prop_map(|(k, v)| Small::PutKey(k, v)),
        1 => key.clone().prop_map(Small::DeleteKey),
        3 => (other.clone(), key.clone()).prop_map(|(a, k)| Small::PutAlias(a, k)),
        1 => other.clone().prop_map(Small::DeleteAlias),
        4 => (key.clone(), other.clone(), 0..3_u8).prop_map(|(k, g, to)| Small::PutGrant(k, g, to)),
        1 => (key.clone(), other).prop_map(|(k, g)| Small::DeleteGrant(k, g)),
        1 => key.clone().prop_map(Small::DeleteGrants),
        1 => key.clone().prop_map(Small::DeleteAliases),
        2 => (key.clone(), any::<u16>()).prop_map(|(k, v)| Small::PutDek(k, v)),
        1 => key.clone().prop_map(Small::DeleteDek),
        3 => (key, any::<u8>()).prop_map(|(k, t)| Small::Touch(k, t)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (vec(small(), 0..6), 0..4_u8).prop_map(|(changes, events)| Step::Commit { changes, events }),
        1 => Just(Step::Close),
        2 => Just(Step::Kill),
        1 => Just(Step::LoseSled),
        2 => (0..4_u8).prop_map(Step::Seal),
        2 => Just(Step::Checkpoint),
    ]
}

#[derive(Default)]
struct Model {
    keys: BTreeMap<u8, u16>,
    aliases: BTreeMap<u8, u8>,
    grants: BTreeMap<(u8, u8), u8>,
    deks: BTreeMap<u8, u16>,
    usage: BTreeMap<u8, u8>,
    events: u64,
    /// Events before this one have left.
    first_event: u64,
    /// Sizes at which a checkpoint was kept.
    checkpoints: Vec<u64>,
}

fn usage(time: u8) -> LastUsage {
    let id = uuid_at(time.into(), 0);
    LastUsage {
        operation: "Sign".to_owned(),
        time: Timestamp(time.into()),
        event_id: id,
        request_id: id,
    }
}

fn description(value: u16) -> String {
    // Some are larger than what sled holds in one value.
    if value.is_multiple_of(5) { value.to_string().repeat(3_000) } else { value.to_string() }
}

impl Model {
    fn apply(&mut self, change: &Small) -> Change {
        match *change {
            Small::PutKey(k, v) => {
                self.keys.insert(k, v);
                put_key(k.into(), &description(v))
            }
            Small::DeleteKey(k) => {
                self.keys.remove(&k);
                self.usage.remove(&k);
                Change::Delete(Name::Key(key_name(k.into())))
            }
            Small::PutAlias(a, k) => {
                self.aliases.insert(a, k);
                put(Record::Alias(alias(&a.to_string(), k.into())))
            }
            Small::DeleteAlias(a) => {
                self.aliases.remove(&a);
                Change::Delete(Name::Alias(account(), region(), alias(&a.to_string(), 0).name))
            }
            Small::PutGrant(k, g, to) => {
                self.grants.insert((k, g), to);
                put(Record::Grant(grant(k.into(), &g.to_string(), &format!("arn:{to}"))))
            }
            Small::DeleteGrant(k, g) => {
                self.grants.remove(&(k, g));
                Change::Delete(Name::Grant(
                    key_name(k.into()),
                    grant(0, &g.to_string(), "").grant_id,
                ))
            }
            Small::DeleteGrants(k) => {
                self.grants.retain(|(key, _), _| *key != k);
                Change::Delete(Name::Grants(key_name(k.into())))
            }
            Small::DeleteAliases(k) => {
                self.aliases.retain(|_, key| *key != k);
                Change::Delete(Name::Aliases(key_name(k.into())))
            }
            Small::PutDek(k, v) => {
                self.deks.insert(k, v);
                put(Record::Dek(dek(k.into(), &v.to_be_bytes())))
            }
            Small::DeleteDek(k) => {
                self.deks.remove(&k);
                Change::Delete(Name::Dek(key_name(k.into())))
            }
            Small::Touch(k, time) => {
                let newest = self.usage.entry(k).or_default();
                *newest = (*newest).max(time);
                Change::Touch(key_name(k.into()), usage(time))
            }
        }
    }

    fn compare(&self, store: &Store) {
        for k in 0..4_u8 {
            let name = key_name(k.into());
            let found = store.key(&name).unwrap().map(|key| key.description.clone());
            assert_eq!(found, self.keys.get(&k).map(|v| description(*v)));
            let found = store.dek(&name).unwrap().map(|dek| dek.wrapped.clone());
            assert_eq!(found, self.deks.get(&k).map(|v| v.to_be_bytes().to_vec()));
            assert_eq!(
                store.last_usage(&name).unwrap().map(|u| u.time.0),
                self.usage.get(&k).map(|t| i64::from(*t))
            );
            let mine: Vec<_> =
                self.grants.range((k, 0)..=(k, u8::MAX)).map(|((_, g), _)| g.to_string()).collect();
            let found: Vec<_> = store.grants_of_key(&name, None, 99).unwrap();
            assert_eq!(found.iter().map(|g| g.grant_id.to_string()).collect::<Vec<_>>(), mine);
            assert_eq!(store.grant_count(&name).unwrap() as usize, mine.len());
            for to in 0..3_u8 {
                let found = store.grant_candidates(&name, &[&format!("arn:{to}")]).unwrap();
                let wanted: Vec<_> = self
                    .grants
                    .iter()
                    .filter(|((key, _), t)| *key == k && **t == to)
                    .map(|((_, g), _)| g.to_string())
                    .collect();
                assert_eq!(
                    found.iter().map(|g| g.grant_id.to_string()).collect::<Vec<_>>(),
                    wanted
                );
            }
            let found = store.aliases_of_key(&name).unwrap().len();
            assert_eq!(found, self.aliases.values().filter(|key| **key == k).count());
        }
        assert_eq!(store.key_states().values().sum::<u64>(), self.keys.len() as u64);
        let events = all_events(store);
        assert_eq!(store.first_event(), self.first_event);
        assert_eq!(events.len() as u64, self.events - self.first_event);
        for (n, found) in (self.first_event..).zip(events) {
            assert_eq!((found.seq, found.record), (n, event(n, "Sign", 1).record));
        }
        let clauses = vec![filed(&[("op", "Sign")])];
        let query = EventQuery { clauses, limit: usize::MAX, ..EventQuery::default() };
        let filed = store.events(&query).unwrap().len() as u64;
        assert_eq!(filed, self.events - self.first_event);
        for size in self.checkpoints.iter().chain([&self.events]) {
            let leaf = |n| hash(0, &[&event(n, "Sign", 1).record]);
            let leaves: Vec<_> = (0..*size).map(leaf).collect();
            assert_eq!(root_at(store, *size), root_of(&leaves), "of {size} events");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_a_map_that_remembers(steps in vec(step(), 1..40)) {
        let home = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes: 20_000, durability: Durability::Relaxed, ..options(home.path()) };
        let mut store = create(options.clone());
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Commit { changes, events } => {
                    let first = model.events;
                    model.events += u64::from(events);
                    let commit = Commit {
                        changes: changes.iter().map(|change| model.apply(change)).collect(),
                        events: (first..model.events).map(|n| event(n, "Sign", 1)).collect(),
                        ..Commit::default()
                    };
                    store.commit(commit).wait().unwrap();
                    model.compare(&store);
                    continue;
                }
                Step::Checkpoint => {
                    model.checkpoints.push(model.events);
                    let note = "as it was signed".to_owned();
                    store.keep_checkpoint(&KeptCheckpoint { size: model.events, note }).unwrap();
                    continue;
                }
                Step::Seal(leaving) => {
                    let sealed = seal_all(&store);
                    if let Some(last) = sealed.get(..leaving.into()).and_then(<[_]>::last) {
                        model.first_event = store.drop_segments(last.facts.number).unwrap();
                        prop_assert_eq!(model.first_event, last.facts.events.1);
                    }
                    model.compare(&store);
                    continue;
                }
                Step::Close => store.close().unwrap(),
                Step::Kill => store.abandon(),
                Step::LoseSled => {
                    store.abandon();
                    std::fs::remove_dir_all(home.path().join("sled")).unwrap();
                }
            }
            store = open(options.clone());
            model.compare(&store);
        }
        store.close().unwrap();
        let verified = Store::verify(&options, |_| Ok(sealer()), &Silent).unwrap();
        prop_assert_eq!(verified.events, model.events);
        prop_assert_eq!(verified.earlier.events, model.first_event);
    }
}
