//! What a principal usually does, and what of that is rare or new for it.
//!
//! Frequent-value counters are no help here: the rare is what they are wrong about. So counts are exact,
//! of a bounded number of principals and values; what goes beyond is named in the report and not guessed.
//! A field of which a principal uses too many values, such as the addresses of a fleet, has no rare ones.

use super::{Seen, seconds};
use crate::query::{Field, read::counted};
use keyward_types::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HabitLimits {
    /// Principals, those that come first.
    pub principals: usize,
    /// Values of a field of one principal.
    pub values: usize,
}

impl Default for HabitLimits {
    fn default() -> Self {
        Self { principals: 1_000, values: 256 }
    }
}

/// Counts by principal, field and value while records come in.
#[derive(Clone, Debug)]
pub struct Habits {
    fields: Vec<Field>,
    limits: HabitLimits,
    principals: BTreeMap<String, Principal>,
    left_out: u64,
}

#[derive(Clone, Debug, Default)]
struct Principal {
    seen: Seen,
    /// As many as there are fields.
    fields: Vec<Usage>,
}

#[derive(Clone, Debug, Default)]
struct Usage {
    /// Records that say something in the field.
    records: u64,
    values: BTreeMap<String, (u64, Seen)>,
    /// There were more values than are kept, and none is kept now.
    varied: bool,
}

/// One value among what a principal did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Habit {
    pub principal: String,
    pub field: Field,
    pub value: String,
    /// Records of this principal with this value.
    pub count: u64,
    /// Records of this principal that say something in this field.
    pub of: u64,
    pub seen: Seen,
}

impl Habits {
    /// Follows these fields, for each principal by itself.
    pub fn new(fields: impl IntoIterator<Item = Field>, limits: HabitLimits) -> Self {
        let unfit = |field: &Field| matches!(field, Field::Text | Field::Principal | Field::Id);
        let fields = fields.into_iter().filter(|field| !unfit(field)).collect();
        Self { fields, limits, principals: BTreeMap::new(), left_out: 0 }
    }

    pub fn add(&mut self, record: &Value) {
        let time = seconds(record).map(Timestamp::from_seconds);
        for name in counted(record, &Field::Principal) {
            if !self.principals.contains_key(&name)
                && self.principals.len() >= self.limits.principals
            {
                self.left_out += 1;
                continue;
            }
            let principal = self.principals.entry(name).or_default();
            principal.seen.add(time);
            principal.fields.resize_with(self.fields.len(), Usage::default);
            for (field, usage) in self.fields.iter().zip(&mut principal.fields) {
                usage.add(counted(record, field), time, self.limits.values);
            }
        }
    }

    /// Records of principals that came when there was no more room.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Principals and fields of which there were too many values to tell what is rare.
    pub fn varied(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.usages().filter(|(_, _, usage)| usage.varied).map(|(name, field, _)| (name, field))
    }

    /// Values that make up at most this many in a thousand of a principal's records, of principals with
    /// at least so many records; the rarest first.
    pub fn rare(&self, share_max_thousandths: u64, records_min: u64) -> Vec<Habit> {
        let mut rare: Vec<Habit> = self
            .habits()
            .filter(|habit| {
                let share = u128::from(habit.count) * 1_000;
                let limit = u128::from(habit.of) * u128::from(share_max_thousandths);
                habit.of >= records_min && share <= limit
            })
            .collect();
        rare.sort_by(|a, b| {
            // count/of compared without division.
            let share = |one: &Habit, other: &Habit| u128::from(one.count) * u128::from(other.of);
            share(a, b).cmp(&share(b, a)).then_with(|| b.seen.last.cmp(&a.seen.last))
        });
        rare
    }

    /// Values that a principal first used at that time or later, of principals that were there before;
    /// the newest first.
    pub fn new_since(&self, time: Timestamp) -> Vec<Habit> {
        let was_there = |habit: &Habit| {
            let principal = self.principals.get(&habit.principal);
            principal.and_then(|principal| principal.seen.first).is_some_and(|first| first < time)
        };
        let is_new = |habit: &Habit| habit.seen.first.is_some_and(|first| first >= time);
        let mut new: Vec<Habit> =
            self.habits().filter(|habit| is_new(habit) && was_there(habit)).collect();
        new.sort_by_key(|habit| std::cmp::Reverse(habit.seen.first));
        new
    }

    fn usages(&self) -> impl Iterator<Item = (&str, &Field, &Usage)> {
        self.principals.iter().flat_map(|(name, principal)| {
            let usages = self.fields.iter().zip(&principal.fields);
            usages.map(move |(field, usage)| (name.as_str(), field, usage))
        })
    }

    fn habits(&self) -> impl Iterator<Item = Habit> + '_ {
        self.usages().flat_map(|(principal, field, usage)| {
            usage.values.iter().map(move |(value, (count, seen))| Habit {
                principal: principal.to_owned(),
                field: field.clone(),
                value: value.clone(),
                count: *count,
                of: usage.records,
                seen: *seen,
            })
        })
    }
}

impl Usage {
    fn add(&mut self, values: Vec<String>, time: Option<Timestamp>, values_max: usize) {
        if values.is_empty() {
            return;
        }
        self.records += 1;
        if self.varied {
            return;
        }
        for value in values {
            let (count, seen) = self.values.entry(value).or_default();
            *count += 1;
            seen.add(time);
        }
        if self.values.len() > values_max {
            self.varied = true;
            self.values.clear();
        }
    }
}
