//! Counts over time, in buckets of a size that people read easily.
//!
//! The span need not be known before: when it outgrows the number of buckets, neighbours are put
//! together, and the next larger size goes on. Buckets start at multiples of their size since 1970, so
//! days are days of UTC.

use keyward_types::Timestamp;
use std::{collections::BTreeMap, ops::AddAssign};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Each divides the next.
const SIZES: &[i64] = &[
    10,
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    7 * DAY,
    28 * DAY,
    364 * DAY,
];

/// How requests ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    success: u64,
    denied: u64,
    failed: u64,
}

impl Counts {
    pub(super) fn of(class: &str) -> Self {
        match class {
            "success" => Self { success: 1, ..Self::default() },
            "denied" => Self { denied: 1, ..Self::default() },
            _ => Self { failed: 1, ..Self::default() },
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.success += other.success;
        self.denied += other.denied;
        self.failed += other.failed;
    }
}

/// What happened from a time on, until the next bucket starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub start: Timestamp,
    pub success: u64,
    pub denied: u64,
    /// Neither; the caller's fault or the service's.
    pub failed: u64,
}

/// Buckets without gaps, the earliest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    pub bucket_seconds: i64,
    pub buckets: Vec<Bucket>,
}

#[derive(Clone, Debug)]
pub(super) struct Growing {
    buckets_max: i64,
    size: i64,
    /// By start; empty ones stand only where they mark an end of the span.
    buckets: BTreeMap<i64, Counts>,
}

impl Growing {
    pub(super) fn new(buckets_max: usize) -> Self {
        let buckets_max = i64::try_from(buckets_max.max(1)).unwrap_or(i64::MAX);
        Self { buckets_max, size: larger(0), buckets: BTreeMap::new() }
    }

    /// Makes the span reach this time.
    pub(super) fn reach(&mut self, seconds: i64) {
        self.add(seconds, Counts::default());
    }

    pub(super) fn add(&mut self, seconds: i64, counts: Counts) {
        let start = start_of(seconds, self.size);
        *self.buckets.entry(start).or_default() += counts;
        while self.span() > self.buckets_max && self.size < i64::MAX / 4 {
            self.coarsen();
        }
    }

    /// Buckets from the first to the last.
    fn span(&self) -> i64 {
        let (first, last) = (self.buckets.first_key_value(), self.buckets.last_key_value());
        let span = first.zip(last).map(|((first, _), (last, _))| last.saturating_sub(*first));
        span.map_or(0, |span| span / self.size + 1)
    }

    fn coarsen(&mut self) {
        self.size = larger(self.size);
        for (start, counts) in std::mem::take(&mut self.buckets) {
            *self.buckets.entry(start_of(start, self.size)).or_default() += counts;
        }
    }

    pub(super) fn timeline(&self) -> Timeline {
        let first = self.buckets.keys().next().copied().unwrap_or_default();
        let starts = (0..self.span()).map(|place| first + place * self.size);
        let bucket = |start: i64| {
            let Counts { success, denied, failed } =
                self.buckets.get(&start).copied().unwrap_or_default();
            let start = Timestamp(start.saturating_mul(1_000));
            Bucket { start, success, denied, failed }
        };
        Timeline { bucket_seconds: self.size, buckets: starts.map(bucket).collect() }
    }
}

/// The next larger size; beyond the table, twice as much.
fn larger(size: i64) -> i64 {
    SIZES.iter().copied().find(|next| *next > size).unwrap_or(size.saturating_mul(2))
}

fn start_of(seconds: i64, size: i64) -> i64 {
    seconds.div_euclid(size).saturating_mul(size)
}
