//! Where in the log a time stands: its events by their numbers fall into stretches in which times rise, so that a time is
//! found by halving each. A new stretch begins where the clock was set back.
//!
//! It reads no event: blocks say from when to when their events are.
//!
//! INVARIANT: but for [`SLACK_MS`], which requests take to be committed, no block of a stretch ends before one that stands
//! before it; unless the stretch is said to be out of order, and is looked through.

use crate::block::BlockHead;
use serde::{Deserialize, Serialize};

/// Milliseconds by which times may fall without anybody having set the clock.
pub(crate) const SLACK_MS: i64 = 60_000;

/// Turns that are kept. A clock that is set back more often than that makes time searches slow, and no start or commit.
const TURNS_MAX: usize = 64;

/// How the times of the log's events rise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Times {
    /// The numbers of the events with which stretches begin, but for the first.
    turns: Vec<u64>,
    /// The latest time in the stretch that goes on.
    latest: i64,
    /// Events before this one are in no order.
    disordered: u64,
}

/// A part of the log, from an event up to but without another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Whether a time can be found in it by halving.
    pub(crate) rises: bool,
}

impl Times {
    /// Notes the log's next block; events before `first_event` have left.
    pub(crate) fn note(&mut self, head: &BlockHead, first_event: u64) {
        self.turns.retain(|turn| first_event < *turn);
        if head.time_min.saturating_add(SLACK_MS) < self.latest {
            self.turns.push(head.first);
            self.latest = head.time_max;
            if TURNS_MAX < self.turns.len() {
                self.turns.remove(0);
                self.disordered = self.turns.first().copied().unwrap_or_default();
            }
        } else {
            self.latest = self.latest.max(head.time_max);
        }
    }

    /// The stretches of a part of the log, in their order.
    pub(crate) fn stretches(&self, from: u64, to: u64) -> Vec<Stretch> {
        let ends = self.turns.iter().copied().chain([u64::MAX]);
        let begins = core::iter::once(0).chain(self.turns.iter().copied());
        let all = begins.zip(ends).map(|(begin, end)| Stretch {
            from: begin.max(from),
            to: end.min(to),
            rises: self.disordered <= begin,
        });
        all.filter(|stretch| stretch.from < stretch.to).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(times: &mut Times, first: u64, time_min: i64, time_max: i64) {
        times.note(&BlockHead { first, count: 1, time_min, time_max }, 0);
    }

    fn of(times: &Times) -> Vec<(u64, u64)> {
        times.stretches(0, 1_000).iter().map(|stretch| (stretch.from, stretch.to)).collect()
    }

    #[test]
    fn a_stretch_begins_where_time_falls_by_more_than_the_slack() {
        let mut times = Times::default();
        noted(&mut times, 0, 100_000, 100_000);
        noted(&mut times, 1, 90_000, 200_000);
        assert_eq!(of(&times), [(0, 1_000)]);
        // A block that holds both the last wrong times and the first right ones stands alone.
        noted(&mut times, 2, 9_000_000, 9_000_000);
        noted(&mut times, 3, 300_000, 9_000_100);
        noted(&mut times, 4, 310_000, 310_000);
        assert_eq!(of(&times), [(0, 3), (3, 4), (4, 1_000)]);
        assert_eq!(times.stretches(1, 3), [Stretch { from: 1, to: 3, rises: true }]);
        // What left is no stretch any more.
        times.note(&BlockHead { first: 5, count: 1, time_min: 320_000, time_max: 320_000 }, 3);
        assert_eq!(times.stretches(3, 6).len(), 2);
    }

    #[test]
    fn a_clock_that_is_set_back_again_and_again_makes_no_list_without_end() {
        let mut times = Times::default();
        for n in 0..1_000_u64 {
            noted(&mut times, n, if n % 2 == 0 { 1_000_000 } else { 0 }, 1_000_000);
        }
        let stretches = times.stretches(0, 1_000);
        assert_eq!(stretches.len(), TURNS_MAX + 1);
        assert!(!stretches[0].rises && stretches.iter().skip(1).all(|stretch| stretch.rises));
    }
}
