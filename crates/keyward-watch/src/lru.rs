//! A bounded table: what was not touched longest goes first, and is counted.

use crate::names::Places;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    collections::{HashMap, VecDeque, hash_map},
    hash::{BuildHasherDefault, Hash},
};

/// Each entry bears the number of its last touch. Who must go is looked for when somebody must: then all are put in
/// order at once, and those that were touched since are passed over.
///
/// INVARIANT: the order of the map is never seen: it decides nothing.
/// INVARIANT: keys are made of [`crate::names::Name`]s and small numbers, or somebody could choose them so that they
/// all fall into one place.
#[derive(Clone, Debug)]
pub(crate) struct Lru<K, V> {
    entries: HashMap<K, Entry<V>, BuildHasherDefault<Places>>,
    /// Entries in the order of their last touch, as of when it was made.
    oldest: VecDeque<(u64, K)>,
    touches: u64,
    max: usize,
    evicted: u64,
}

#[derive(Clone, Debug)]
struct Entry<V> {
    value: V,
    place: u64,
}

impl<K: Hash + Eq + Clone, V> Lru<K, V> {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            entries: HashMap::default(),
            oldest: VecDeque::new(),
            touches: 0,
            max: max.max(1),
            evicted: 0,
        }
    }

    /// The entry, which is made when it is not there, and whether it was; and what had to go for it.
    pub(crate) fn touch(
        &mut self,
        key: K,
        make: impl FnOnce() -> V,
    ) -> (&mut V, bool, Option<(K, V)>) {
        let full = self.max <= self.entries.len();
        let gone = if full && !self.entries.contains_key(&key) {
            self.make_room(self.max - 1)
        } else {
            None
        };
        self.touches += 1;
        let place = self.touches;
        match self.entries.entry(key) {
            hash_map::Entry::Occupied(entry) => {
                let entry = entry.into_mut();
                entry.place = place;
                (&mut entry.value, true, gone)
            }
            hash_map::Entry::Vacant(entry) => {
                (&mut entry.insert(Entry { value: make(), place }).value, false, gone)
            }
        }
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// Another bound; what is too much goes. Gives what went.
    pub(crate) fn resize(&mut self, max: usize) -> Vec<(K, V)> {
        self.max = max.max(1);
        let gone = core::iter::from_fn(|| self.make_room(self.max)).collect();
        self.entries.shrink_to_fit();
        gone
    }

    fn make_room(&mut self, max: usize) -> Option<(K, V)> {
        if self.entries.len() <= max {
            return None;
        }
        loop {
            let Some((place, key)) = self.oldest.pop_front() else {
                let order = self.in_order().into_iter();
                self.oldest = order.map(|(key, entry)| (entry.place, key.clone())).collect();
                continue;
            };
            if self.entries.get(&key).is_some_and(|entry| entry.place == place) {
                self.evicted += 1;
                return self.entries.remove(&key).map(|entry| (key, entry.value));
            }
        }
    }

    /// What was not touched longest first.
    fn in_order(&self) -> Vec<(&K, &Entry<V>)> {
        let mut all: Vec<_> = self.entries.iter().collect();
        all.sort_unstable_by_key(|(_, entry)| entry.place);
        all
    }

    /// The same.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.in_order().into_iter().map(|(key, entry)| (key, &entry.value))
    }

    /// The same table with keys that are equal to those before, and values that may be others.
    pub(crate) fn rekeyed(self, mut change: impl FnMut(&mut K, &mut V)) -> Self {
        let mut all: Vec<_> = self.entries.into_iter().collect();
        all.sort_unstable_by_key(|(_, entry)| entry.place);
        let mut table = Self { evicted: self.evicted, ..Self::new(self.max) };
        for (mut key, mut entry) in all {
            change(&mut key, &mut entry.value);
            table.touch(key, || entry.value);
        }
        table
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }
}

impl<K: Hash + Eq + Clone + Serialize, V: Serialize> Serialize for Lru<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries: Vec<(&K, &V)> = self.iter().collect();
        (self.max, self.evicted, entries).serialize(serializer)
    }
}

impl<'de, K, V> Deserialize<'de> for Lru<K, V>
where
    K: Hash + Eq + Clone + Deserialize<'de>,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (max, evicted, entries): (usize, u64, Vec<(K, V)>) =
            Deserialize::deserialize(deserializer)?;
        let mut table = Self { evicted, ..Self::new(max) };
        for (key, value) in entries.into_iter().take(table.max) {
            table.touch(key, || value);
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_untouched_goes_first() {
        let mut table = Lru::new(2);
        table.touch(10_u8, || 1);
        table.touch(11, || 2);
        assert_eq!(table.touch(10, || 9), (&mut 1, true, None));
        assert_eq!(table.touch(12, || 3), (&mut 3, false, Some((11, 2))));
        assert_eq!((table.len(), table.evicted(), table.get_mut(&11)), (2, 1, None));
        assert_eq!(table.resize(1), [(10, 1)]);
        assert_eq!((table.len(), table.evicted()), (1, 2));
    }

    proptest! {
        /// Against a list that is kept in order, with saving on the way.
        #[test]
        fn it_does_what_a_list_does(
            steps in prop::collection::vec((0..9_u8, any::<bool>()), 0..200),
            max in 0..5_usize,
        ) {
            let mut table = Lru::new(max);
            let mut list: Vec<u8> = Vec::new();
            for (key, save) in steps {
                let (value, known, gone) = table.touch(key, || key);
                prop_assert_eq!(*value, key);
                let place = list.iter().position(|one| *one == key);
                prop_assert_eq!(known, place.is_some());
                place.map(|place| list.remove(place));
                let full = list.len() == max.max(1);
                let first = full.then(|| list.remove(0));
                prop_assert_eq!(gone, first.map(|first| (first, first)));
                list.push(key);
                prop_assert_eq!(table.iter().map(|(key, _)| *key).collect::<Vec<_>>(), list.clone());
                if save {
                    let bytes = rmp_serde::to_vec(&table).unwrap();
                    let restored: Lru<u8, u8> = rmp_serde::from_slice(&bytes).unwrap();
                    prop_assert_eq!(rmp_serde::to_vec(&restored).unwrap(), bytes);
                    table = restored;
                }
            }
        }
    }
}
