//! Aggregates over the records that a query finds: counts by field, a time line, first and last seen, and
//! what is rare for a principal.
//!
//! Records are handed in one at a time, in any order. Memory is bounded by [`Limits`], whatever the log
//! holds, and where that costs exactness the report says by how much.
//! Hand in records after [`crate::withhold`] for readers who may not see policy text.

mod rare;
#[cfg(test)]
mod tests;
mod timeline;
mod top;

pub use rare::{Habit, HabitLimits, Habits};
pub use timeline::{Bucket, Timeline};
pub use top::{Facet, FacetValue};

use super::{Field, Window, matches::seconds, read::counted};
use crate::filter::class;
use keyward_types::Timestamp;
use serde_json::Value;
use timeline::Counts;
use top::Top;

/// How much is kept and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Values of a field that are listed.
    pub listed: usize,
    /// Values of a field that are counted while records come in. As long as a field has no more than
    /// these, its counts are exact.
    pub tracked: usize,
    /// Buckets of the time line.
    pub buckets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { listed: 10, tracked: 1_024, buckets: 120 }
    }
}

/// When something was first and last seen, in the records that came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
}

impl Seen {
    fn add(&mut self, time: Option<Timestamp>) {
        if let Some(time) = time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
    }
}

/// Counts while records come in.
#[derive(Clone, Debug)]
pub struct Facets {
    limits: Limits,
    records: u64,
    fields: Vec<(Field, Top)>,
    timeline: timeline::Growing,
}

/// What the records add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub records: u64,
    pub facets: Vec<Facet>,
    pub timeline: Timeline,
}

impl Facets {
    /// Counts these fields. Free text is no field with values, and is left out.
    pub fn new(fields: impl IntoIterator<Item = Field>, limits: Limits) -> Self {
        let fields = fields.into_iter().filter(|field| *field != Field::Text);
        Self {
            limits,
            records: 0,
            fields: fields.map(|field| (field, Top::new(limits.tracked))).collect(),
            timeline: timeline::Growing::new(limits.buckets),
        }
    }

    /// A time line that shows the whole span that was asked for, also where nothing happened.
    pub fn over(mut self, window: Window) -> Self {
        [window.since, window.until]
            .into_iter()
            .flatten()
            .for_each(|t| self.timeline.reach(t.seconds()));
        self
    }

    pub fn add(&mut self, record: &Value) {
        self.records += 1;
        let time = seconds(record);
        if let Some(time) = time {
            self.timeline.add(time, Counts::of(class(record)));
        }
        for (field, top) in &mut self.fields {
            top.add(&counted(record, field), time.map(Timestamp::from_seconds));
        }
    }

    pub fn report(&self) -> Report {
        let facet = |(field, top): &(Field, Top)| top.facet(field.clone(), self.limits.listed);
        Report {
            records: self.records,
            facets: self.fields.iter().map(facet).collect(),
            timeline: self.timeline.timeline(),
        }
    }
}
