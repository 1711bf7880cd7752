//! When a log file and a digest end.
//!
//! Time here is the log's: the newest event time that was seen, so that an event that was committed late falls
//! into the file that is open, as it does at AWS, and no file is opened again.

use keyward_types::Timestamp;

/// Seconds of a log file and of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub log_seconds: u32,
    pub digest_seconds: u32,
    /// How long after its end a period is closed by the clock, for what is being committed meanwhile.
    pub slack_seconds: u32,
}

impl Default for Schedule {
    /// AWS's: about five minutes, and an hour.
    fn default() -> Self {
        Self { log_seconds: 300, digest_seconds: 3_600, slack_seconds: 60 }
    }
}

impl Schedule {
    /// Where the digest that begins at `start` ends, unless it is closed before: at the next full hour.
    pub fn digest_end(&self, start: Timestamp) -> Timestamp {
        end_after(start, self.digest_seconds)
    }

    /// Where the log file that holds an event of `time` ends, in the digest that begins at `digest_start`.
    pub fn log_end(&self, digest_start: Timestamp, time: Timestamp) -> Timestamp {
        end_after(time, self.log_seconds).min(self.digest_end(digest_start))
    }

    /// Where the first digest of a trail begins, whose first event is of `time`.
    pub fn first_start(&self, time: Timestamp) -> Timestamp {
        let length = i64::from(self.digest_seconds.max(1));
        Timestamp::from_seconds(time.seconds().div_euclid(length).saturating_mul(length))
    }

    /// Whether what ends at `end` is over, by the clock.
    pub fn is_over(&self, end: Timestamp, now: Timestamp) -> bool {
        end.plus_seconds(i64::from(self.slack_seconds)) <= now
    }
}

fn end_after(time: Timestamp, seconds: u32) -> Timestamp {
    let length = i64::from(seconds.max(1));
    Timestamp::from_seconds(
        time.seconds().div_euclid(length).saturating_add(1).saturating_mul(length),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_file_does_not_reach_beyond_its_digest() {
        let schedule = Schedule { log_seconds: 300, digest_seconds: 400, slack_seconds: 60 };
        let at = Timestamp::from_seconds;
        assert_eq!(schedule.first_start(at(950)), at(800));
        assert_eq!(schedule.digest_end(at(800)), at(1_200));
        assert_eq!(schedule.digest_end(at(1_000)), at(1_200));
        assert_eq!(schedule.log_end(at(800), at(890)), at(900));
        assert_eq!(schedule.log_end(at(800), at(900)), at(1_200));
        assert_eq!(schedule.log_end(at(400), at(700)), at(800));
        assert!(!schedule.is_over(at(900), at(959)) && schedule.is_over(at(900), at(960)));
    }
}
