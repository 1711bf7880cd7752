//! The most frequent values of a field, with a bounded number of counters.
//!
//! While there are counters for all values, counts are exact. After that a new value takes the smallest
//! counter over, count and all, and what it took over is kept as its possible error.
//!
//! INVARIANT: a value's true count lies between its count less its error and its count; a value without
//! a counter occurred at most as often as the smallest counter says.
//! Source: Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data
//! Streams", 2005 (Space-Saving).

use super::Seen;
use crate::query::Field;
use keyward_types::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

#[derive(Clone, Debug)]
pub(super) struct Top {
    tracked_max: usize,
    counters: BTreeMap<Arc<str>, Counter>,
    /// The same, the smallest first.
    order: BTreeSet<(u64, Arc<str>)>,
    /// Occurrences of any value.
    total: u64,
    /// Records that say nothing in this field.
    without: u64,
    /// Whether any counter was taken over.
    crowded: bool,
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    count: u64,
    error: u64,
    seen: Seen,
}

/// One value and how often it occurred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetValue {
    pub value: String,
    /// At most; exact when equal to `at_least`.
    pub count: u64,
    pub at_least: u64,
    /// The first may be earlier when the count is not exact.
    pub seen: Seen,
}

/// The values of a field, the most frequent first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    pub field: Field,
    pub values: Vec<FacetValue>,
    /// Occurrences of values that are not listed, at least and at most.
    pub other: (u64, u64),
    /// How often any one value that is not listed occurred, at most.
    pub unlisted_max: u64,
    /// How many values there are; at least, when the counts are not exact.
    pub distinct: usize,
    /// Records that say nothing in this field.
    pub without: u64,
    /// Whether every number here is exact.
    pub exact: bool,
}

impl Facet {
    /// Listed values that certainly did not occur before that time.
    pub fn new_since(&self, time: Timestamp) -> impl Iterator<Item = &FacetValue> {
        self.values.iter().filter(move |value| {
            value.count == value.at_least && value.seen.first.is_some_and(|first| first >= time)
        })
    }
}

impl Top {
    pub(super) fn new(tracked_max: usize) -> Self {
        Self {
            tracked_max: tracked_max.max(1),
            counters: BTreeMap::new(),
            order: BTreeSet::new(),
            total: 0,
            without: 0,
            crowded: false,
        }
    }

    /// The values of one record.
    pub(super) fn add(&mut self, values: &[String], time: Option<Timestamp>) {
        if values.is_empty() {
            self.without += 1;
        }
        for value in values {
            self.add_one(value, time);
        }
    }

    fn add_one(&mut self, value: &str, time: Option<Timestamp>) {
        self.total += 1;
        let (name, mut counter) = self.take(value);
        counter.count += 1;
        counter.seen.add(time);
        self.order.insert((counter.count, name.clone()));
        self.counters.insert(name, counter);
    }

    /// The value's counter, a new one, or the smallest of another value.
    fn take(&mut self, value: &str) -> (Arc<str>, Counter) {
        if let Some((name, counter)) = self.counters.remove_entry(value) {
            self.order.remove(&(counter.count, name.clone()));
            return (name, counter);
        }
        let full = self.counters.len() >= self.tracked_max;
        let smallest = if full { self.order.pop_first() } else { None };
        let error = smallest.map_or(0, |(count, name)| {
            self.counters.remove(&name);
            self.crowded = true;
            count
        });
        (value.into(), Counter { count: error, error, seen: Seen::default() })
    }

    pub(super) fn facet(&self, field: Field, listed_max: usize) -> Facet {
        let mut all: Vec<(&Arc<str>, &Counter)> = self.counters.iter().collect();
        all.sort_by(|(name, a), (other, b)| b.count.cmp(&a.count).then(name.cmp(other)));
        let smallest =
            if self.crowded { self.order.first().map_or(0, |(count, _)| *count) } else { 0 };
        let unlisted = all.get(listed_max).map_or(0, |(_, counter)| counter.count);
        let values: Vec<FacetValue> = all
            .iter()
            .take(listed_max)
            .map(|(name, counter)| FacetValue {
                value: name.to_string(),
                count: counter.count,
                at_least: counter.count - counter.error,
                seen: counter.seen,
            })
            .collect();
        let sum = |of: fn(&FacetValue) -> u64| values.iter().map(of).sum::<u64>();
        let other = (self.total.saturating_sub(sum(|v| v.count)), self.total - sum(|v| v.at_least));
        Facet {
            field,
            values,
            other,
            unlisted_max: unlisted.max(smallest),
            distinct: self.counters.len(),
            without: self.without,
            exact: !self.crowded,
        }
    }
}
