//! What is usual for one series, learned minute by minute. Pure numbers.

use crate::Limits;

const MINUTES_PER_DAY: i64 = 1_440;
const LEVEL_HALF_LIFE_MINUTES: f64 = 3.0 * 1_440.0;
const PEAK_HALF_LIFE_MINUTES: f64 = 7.0 * 1_440.0;
/// Before this a series is measured by the floor alone.
const YOUTH_MINUTES: i64 = MINUTES_PER_DAY;
/// A closed minute teaches at most this many times the peak.
const LEARNING_CAP: f64 = 3.0;
/// Minutes under the line that end an alert.
const CLEAR_MINUTES: i64 = 10;

/// One series. Minutes are counted since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    first_minute: i64,
    pub(crate) minute: i64,
    pub(crate) count: u32,
    level: f64,
    /// Of the days that ended.
    peak: f64,
    /// Of the day that lasts.
    peak_today: f64,
    /// The last minute over the line, while an alert lasts.
    over: Option<i64>,
}

impl Envelope {
    pub(crate) fn new(minute: i64) -> Self {
        Self {
            first_minute: minute,
            minute,
            count: 0,
            level: 0.0,
            peak: 0.0,
            peak_today: 0.0,
            over: None,
        }
    }

    /// Counts one event; true when it is the one that crosses the line.
    ///
    /// Times do not run backwards: an older minute counts as the current one.
    pub(crate) fn count(&mut self, minute: i64, limits: &Limits) -> bool {
        if self.minute < minute {
            self.close(minute, limits);
        }
        self.count = self.count.saturating_add(1);
        if f64::from(self.count) < self.line(limits) {
            return false;
        }
        self.over.replace(self.minute).is_none()
    }

    /// The count at which a minute is a spike.
    pub(crate) fn line(&self, limits: &Limits) -> f64 {
        if self.is_young() {
            return f64::from(limits.floor);
        }
        f64::from(limits.count_min).max(2.0 * self.peak).max(self.level + 4.0 * self.level.sqrt())
    }

    /// The mean count of a minute.
    pub(crate) fn expected(&self) -> f64 {
        self.level
    }

    pub(crate) fn alerts_at(&self, minute: i64) -> bool {
        self.over.is_some_and(|over| minute - over <= CLEAR_MINUTES)
    }

    fn is_young(&self) -> bool {
        self.minute - self.first_minute < YOUTH_MINUTES
    }

    /// Learns from the minute that ended and from the empty ones after it.
    fn close(&mut self, minute: i64, limits: &Limits) {
        let smallest = if self.is_young() { limits.floor } else { limits.count_min };
        let learned =
            f64::from(self.count).min((LEARNING_CAP * self.peak).max(f64::from(smallest)));
        let empty = minutes(minute - self.minute - 1);
        // A young series averages over its whole life, or its first minutes would weigh for days.
        let age = minutes(self.minute - self.first_minute + 1);
        let weight = (1.0 / age).max(1.0 - keep(1.0, LEVEL_HALF_LIFE_MINUTES));
        self.level += weight * (learned - self.level);
        self.level *= if self.is_young() {
            age / (age + empty)
        } else {
            keep(empty, LEVEL_HALF_LIFE_MINUTES)
        };
        self.peak_today = self.peak_today.max(learned);
        // Days are the series' own. The peak of a day counts from the next one on: a slow climb within
        // a day is measured by where it began.
        let days = self.day(minute) - self.day(self.minute);
        if 0 < days {
            let faded = keep(minutes(days * MINUTES_PER_DAY), PEAK_HALF_LIFE_MINUTES);
            self.peak = self.peak.max(self.peak_today) * faded;
            self.peak_today = 0.0;
        }
        self.over = self.over.filter(|over| minute - over <= CLEAR_MINUTES);
        self.minute = minute;
        self.count = 0;
    }

    fn day(&self, minute: i64) -> i64 {
        (minute - self.first_minute) / MINUTES_PER_DAY
    }
}

/// The share that stays after so many minutes.
fn keep(minutes: f64, half_life_minutes: f64) -> f64 {
    (-minutes / half_life_minutes).exp2()
}

#[expect(clippy::cast_precision_loss, reason = "spans of minutes are far below 2^53")]
fn minutes(span: i64) -> f64 {
    span as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { floor: 100, count_min: 10, series_max: 10 };

    /// Plays so many events into each minute, and gives the minutes that alerted.
    fn play(
        envelope: &mut Envelope,
        start: i64,
        counts: impl IntoIterator<Item = u32>,
    ) -> Vec<i64> {
        let mut alerts = vec![];
        for (minute, count) in (start..).zip(counts) {
            for _ in 0..count {
                if envelope.count(minute, &LIMITS) {
                    alerts.push(minute);
                }
            }
        }
        alerts
    }

    #[test]
    fn the_level_is_the_mean_and_forgets() {
        let mut envelope = Envelope::new(0);
        assert!(play(&mut envelope, 0, (0..3_000).map(|m| 4 + m % 3)).is_empty());
        assert!((envelope.expected() - 5.0).abs() < 0.1, "{}", envelope.expected());
        envelope.count(3_000 + 3 * 1_440, &LIMITS);
        assert!((envelope.expected() - 2.5).abs() < 0.1, "{}", envelope.expected());
    }

    #[test]
    fn a_seldom_used_series_has_a_low_level_from_the_start() {
        let mut envelope = Envelope::new(0);
        for hour in 0..20 {
            envelope.count(hour * 60, &LIMITS);
        }
        assert!(envelope.expected() < 1.0 / 40.0, "{}", envelope.expected());
        assert_eq!(envelope.line(&LIMITS), 100.0, "young");
        envelope.count(1_440, &LIMITS);
        assert_eq!(envelope.line(&LIMITS), 10.0, "grown up: the smallest count that matters");
    }

    #[test]
    fn a_spike_alerts_once_and_again_after_ten_quiet_minutes() {
        let mut envelope = Envelope::new(0);
        assert!(play(&mut envelope, 0, (0..1_440).map(|_| 20)).is_empty());
        // Twice the peak, which a day's age has made a little less than 40; four deviations are 38.
        assert_eq!(play(&mut envelope, 1_440, [36, 37, 60, 90]), [1_442]);
        assert!(envelope.alerts_at(1_453) && !envelope.alerts_at(1_454));
        assert!(play(&mut envelope, 1_444, (0..10).map(|_| 20)).is_empty());
        assert_eq!(play(&mut envelope, 1_460, [2_000]), [1_460]);
    }

    /// A climb by two a minute is seen where a sudden step would be: 20 + 4 √20 is 37.9.
    #[test]
    fn a_slow_climb_is_seen() {
        let mut envelope = Envelope::new(0);
        play(&mut envelope, 0, (0..2_900).map(|_| 20));
        assert_eq!(play(&mut envelope, 2_900, (0..30).map(|i| 20 + 2 * i)), [2_909]);
    }

    /// What is learned from a day of attack is at most three times the old peak.
    #[test]
    fn an_attack_cannot_make_itself_usual() {
        let mut envelope = Envelope::new(0);
        play(&mut envelope, 0, (0..1_500).map(|_| 20));
        play(&mut envelope, 1_500, [100_000, 20]);
        assert!(envelope.line(&LIMITS) <= 2.0 * 20.0, "not on the same day");
        play(&mut envelope, 2_900, [20]);
        assert!(envelope.line(&LIMITS) <= 2.0 * 3.0 * 20.0);
    }
}
