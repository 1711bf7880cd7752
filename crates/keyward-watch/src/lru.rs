//! A bounded table: what was not touched longest goes first, and is counted.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// INVARIANT: `order` holds the key of every entry exactly once, under its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lru<K: Ord, V> {
    entries: BTreeMap<K, Entry<V>>,
    /// By the last touch.
    order: BTreeMap<u64, K>,
    touches: u64,
    max: usize,
    evicted: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry<V> {
    value: V,
    place: u64,
}

impl<K: Ord + Clone, V> Lru<K, V> {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            order: BTreeMap::new(),
            touches: 0,
            max: max.max(1),
            evicted: 0,
        }
    }

    /// The entry, which is made when it is not there, and whether it was; and what had to go for it.
    pub(crate) fn touch(
        &mut self,
        key: &K,
        make: impl FnOnce() -> V,
    ) -> (Option<&mut V>, bool, Option<K>) {
        let known = self.entries.contains_key(key);
        let gone = if known { None } else { self.make_room(self.max - 1) };
        self.touches += 1;
        let place = self.touches;
        if !known {
            self.entries.insert(key.clone(), Entry { value: make(), place });
        }
        let Some(entry) = self.entries.get_mut(key) else { return (None, known, gone) };
        let key = self.order.remove(&entry.place).unwrap_or_else(|| key.clone());
        self.order.insert(place, key);
        entry.place = place;
        (Some(&mut entry.value), known, gone)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// Another bound; what is too much goes. Gives the keys that went.
    pub(crate) fn resize(&mut self, max: usize) -> Vec<K> {
        self.max = max.max(1);
        core::iter::from_fn(|| self.make_room(self.max)).collect()
    }

    fn make_room(&mut self, max: usize) -> Option<K> {
        if self.entries.len() <= max {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.entries.remove(&key);
        self.evicted += 1;
        Some(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_untouched_goes_first() {
        let mut table = Lru::new(2);
        table.touch(&"a", || 1);
        table.touch(&"b", || 2);
        assert_eq!(table.touch(&"a", || 9), (Some(&mut 1), true, None));
        assert_eq!(table.touch(&"c", || 3), (Some(&mut 3), false, Some("b")));
        assert_eq!((table.len(), table.evicted(), table.get_mut(&"b")), (2, 1, None));
        assert_eq!(table.resize(1), ["a"]);
        assert_eq!((table.len(), table.evicted()), (1, 2));
    }

    proptest! {
        #[test]
        fn bookkeeping_holds(steps in prop::collection::vec(0..9_u8, 0..200), max in 0..5_usize) {
            let mut table = Lru::new(max);
            for key in steps {
                let (value, ..) = table.touch(&key, || key);
                prop_assert_eq!(value.copied(), Some(key));
                prop_assert!(table.len() <= max.max(1));
                prop_assert_eq!(table.order.len(), table.len());
                prop_assert!(table.order.iter().all(|(place, key)| table.entries[key].place == *place));
            }
        }
    }
}
