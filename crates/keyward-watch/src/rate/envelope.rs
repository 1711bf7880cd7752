//! What is usual for one series, learned minute by minute. Pure numbers: no names, no clock.
//!
//! The module above says how it measures.

use super::{
    Lines, WINDOWS,
    tables::{DAY_HOURS, Factors, Peaks, Ring},
    tail,
};
use serde::{Deserialize, Serialize};

const HOUR: i64 = 60;
const DAY: i64 = 1_440;
const QUARTER: i64 = 15;
const QUARTERS: i64 = 96;
const QUARTERS_AN_HOUR: usize = 4;
const WEEK_HOURS: i64 = 168;
const COUNT: usize = WINDOWS.len();
const TWO: usize = 1;
const TEN: usize = 2;
const SIXTY: usize = 3;
/// The share of the level, and of its spread, that is forgotten in 1, 2, 10 and 60 minutes: half in three days.
const FORGOTTEN: [f64; COUNT] = [0.000_160_438, 0.000_320_876, 0.001_603_221, 0.009_580_853];
/// How far the minutes before may draw the mean of a window that is shorter than an hour.
const DRAWN: [(f64, f64); COUNT] = [(0.4, 2.5), (0.4, 2.5), (0.6, 1.6), (1.0, 1.0)];
/// So many events, times the dispersion, must have come before they draw it half the way.
const DRAWN_EVENTS: f64 = 10.0;
/// The share of a peak that is left when its day comes again: a seventh is forgotten in a week, so that a
/// weekly job is still known.
const PEAK_KEPT_WEEKDAY: f64 = 0.968;
const PEAK_KEPT_WEEKEND: f64 = 0.922;
/// How much of a peak counts as usual when an alert is to end.
const PEAK_WEIGHT: f64 = 0.8;
/// What bursts come to is the height that so many of the day's peaks do not reach, of so many at least.
const BURST_PERCENT: usize = 85;
const BURST_QUARTERS_MIN: usize = 24;
/// How far from a usual burst a window must stand: this power of what such bursts are of the median one, and so many
/// times [`Lines::above_peak`] at least and at most.
const BURST_SPREAD_POWER: i32 = 2;
const BURST_SPREAD: (f64, f64) = (0.9, 1.5);
/// A burst is measured by the livelier of the hours that are so many minutes away.
const NEAR: i64 = 30;
/// An hour of the week that has less than this share of its hour of the day takes the peaks with it, but for a tenth,
const QUIET_SHARE: f64 = 0.25;
const QUIET_PEAK_MIN: f64 = 0.1;
/// when it was seen so often.
const QUIET_LEARNED_MIN: i64 = 2;
/// A day raises a peak at most this many times; in the first week, and in the first day over the floor.
const LEARNING_CAP: f64 = 3.0;
const HALF_GROWN_CAP: f64 = 20.0;
const YOUNG_CAP: f64 = 10.0;
/// Young series are measured by the floor.
const YOUNG_MINUTES: i64 = DAY;
/// From then on the hours of the day are known,
const SEASONS_MINUTES: i64 = 2 * DAY;
/// and from then on those of the week.
const GROWN_MINUTES: i64 = 7 * DAY;
/// How much further above the peaks a series must stand until it is grown.
const UNSETTLED: f64 = 1.5;
/// The floor of a young series rises to this many times its own mean, once it has an hour, and its peak.
const YOUNG_MEAN_FACTOR: f64 = 4.0;
const YOUNG_PEAK_FACTOR: f64 = 1.5;
/// A series that rests so long is forgotten.
const FORGOTTEN_MINUTES: i64 = 90 * DAY;
/// A factor that was learned so often is known.
const LEARNED_MAX: i64 = 8;
/// Minutes under the clearing line that end an alert.
const CLEAR_MINUTES: i64 = 10;
/// A mean below this a minute is not told from it.
const MEAN_MIN: f64 = 0.02;

/// One series of counts. Minutes are counted since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    born: i64,
    /// The minute that is being counted; all before it are closed.
    minute: i64,
    count: u32,
    /// The last sixty closed minutes, by minute of the hour.
    ring: Ring,
    /// Over the last 10 and 60 closed minutes.
    sums: [u64; 2],
    level: f64,
    /// Of the hour that lasts, cut to what is plausible.
    hour_sum: f64,
    hour_minutes: u32,
    /// Factors of the hours of a day, and of a week.
    factors: Factors,
    /// The first hour of which they know nothing yet: how often each was learned follows from it.
    learned_to: i64,
    dispersion: [f64; COUNT],
    /// The largest count of a window in each quarter-hour of a weekday and of a day of the weekend, per
    /// window.
    peaks: Peaks,
    /// Of the quarter that lasts, and of the one before it: a quarter teaches only when it is too late
    /// to excuse what still goes on.
    open_peaks: [[f32; COUNT]; 2],
    /// How far its bursts stand above the mean, per window.
    bursts: [Burst; COUNT],
    /// The windows that a job is known to fill now, one bit each: their peaks are no usual bursts.
    jobs: u8,
    firing: Option<Firing>,
}

/// What a burst of a series usually comes to, at no special time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Burst {
    /// Times the mean; 0 while not known.
    ratio: f32,
    /// Times the median of such bursts.
    spread: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Firing {
    last_over: i64,
}

/// How one window of a series stands out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Excess {
    /// The minute whose end it was.
    pub minute: i64,
    pub window_minutes: u32,
    pub observed: u64,
    pub expected: f64,
    /// −log₁₀ of its probability; 0 when it was measured by the floor alone.
    pub score: f64,
}

impl Excess {
    pub(crate) fn observed_float(&self) -> f64 {
        float(self.observed)
    }
}

/// What a closed minute changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Fires(Excess),
    /// The alert ended with this minute.
    Clears(i64),
}

impl Envelope {
    pub fn new(minute: i64) -> Self {
        Self {
            born: minute,
            minute,
            count: 0,
            ring: Ring::new(),
            sums: [0; 2],
            level: 0.0,
            hour_sum: 0.0,
            hour_minutes: 0,
            factors: Factors::new(),
            learned_to: minute.div_euclid(HOUR),
            dispersion: [1.0; COUNT],
            peaks: Peaks::new(),
            open_peaks: [[0.0; COUNT]; 2],
            bursts: [Burst::default(); COUNT],
            jobs: 0,
            firing: None,
        }
    }

    /// Counts events in the minute that is open; what came late counts there too.
    pub fn count(&mut self, events: u32) {
        self.count = self.count.saturating_add(events);
    }

    /// Closes every minute before this one, and says what that changed, in order.
    ///
    /// A series that nothing was counted in for 90 days starts anew.
    ///
    /// INVARIANT: closing in one step or in many gives the same, but for those 90 days.
    pub fn advance(&mut self, to: i64, lines: &Lines) -> Vec<Change> {
        let mut changes = vec![];
        if FORGOTTEN_MINUTES < to - self.minute {
            changes.extend((0..2 * HOUR).filter_map(|_| self.close(lines)));
            *self = Self::new(to);
        }
        while self.minute < to {
            changes.extend(self.close(lines));
        }
        changes
    }

    /// The minute that is open.
    pub(crate) fn minute(&self) -> i64 {
        self.minute
    }

    pub fn is_firing(&self) -> bool {
        self.firing.is_some()
    }

    /// The mean of a minute at this time.
    pub fn expected(&self) -> f64 {
        self.mean()
    }

    fn age(&self) -> i64 {
        self.minute - self.born
    }

    fn mean(&self) -> f64 {
        self.mean_at(self.minute)
    }

    fn mean_at(&self, minute: i64) -> f64 {
        let hour = minute.div_euclid(HOUR);
        let seasonal = if self.age() < SEASONS_MINUTES { 1.0 } else { self.season(hour) };
        (self.level * seasonal).max(MEAN_MIN)
    }

    /// The mean of a minute, drawn towards what the rest of the last hour was: an hour livelier than usual is not
    /// a burst, and one in a quiet hour need not reach what is usual. The window itself is not in it.
    fn mean_of_late(&self, window: usize) -> f64 {
        let mean = self.mean();
        let Some((low, high)) = DRAWN.get(window).filter(|(low, high)| low < high) else {
            return mean;
        };
        if self.is_young() {
            return mean;
        }
        let [_, two, ten, sixty] = self.observed();
        let (inside, minutes) = if window < TEN { (two, 2) } else { (ten, 10) };
        let before = float(sixty.saturating_sub(inside));
        let of_this_hour = (self.minute.rem_euclid(HOUR) + 1 - minutes).max(0);
        let expected = float_of(of_this_hour) * mean
            + float_of(HOUR - minutes - of_this_hour) * self.mean_at(self.minute - HOUR);
        let least = DRAWN_EVENTS * self.spread(TWO);
        (mean * ((before + least) / (expected + least)).clamp(*low, *high)).max(MEAN_MIN)
    }

    /// How much wider than Poisson's a window scatters.
    fn spread(&self, window: usize) -> f64 {
        self.dispersion.get(window).copied().unwrap_or(1.0).max(1.0)
    }

    /// The factor of an hour of the week, drawn towards that of the hour of the day, and that towards 1.
    fn season(&self, hour: i64) -> f64 {
        let week = slot(hour, WEEK_HOURS);
        towards(
            self.factors.week(week),
            self.learned_of_week(week),
            self.day_factor(day_slot(hour, 24)),
        )
    }

    /// The factor of an hour of the day, drawn towards 1.
    fn day_factor(&self, place: usize) -> f64 {
        towards(self.factors.day(place), self.learned_of_day(place), 1.0)
    }

    /// How often this hour of the week was learned.
    fn learned_of_week(&self, place: usize) -> i64 {
        let (first, end) = (self.born.div_euclid(HOUR), self.learned_to);
        let until = |hour: i64| -(span(place) - hour).div_euclid(WEEK_HOURS);
        until(end) - until(first)
    }

    /// How often this hour of a weekday, or of a day of the weekend, was learned.
    fn learned_of_day(&self, place: usize) -> i64 {
        let (first, end) = (self.born.div_euclid(HOUR), self.learned_to);
        let hour = span(place % 24);
        let until = |last: i64| -(hour - last).div_euclid(24);
        let (from, to) = (until(first), until(end));
        let weekend = weekend_days_before(to) - weekend_days_before(from);
        if place < 24 { to - from - weekend } else { weekend }
    }

    fn close(&mut self, lines: &Lines) -> Option<Change> {
        let old = self.ring.get(slot(self.minute, 60));
        let tenth = self.ring.get(slot(self.minute - 10, 60));
        let kept = u64::from(self.ring.set(slot(self.minute, 60), self.count));
        let [ten, sixty] = &mut self.sums;
        *ten = (*ten + kept).saturating_sub(u64::from(tenth));
        *sixty = (*sixty + kept).saturating_sub(u64::from(old));
        let change = self.judge(lines);
        self.learn(lines);
        self.count = 0;
        self.minute += 1;
        change
    }

    fn observed(&self) -> [u64; COUNT] {
        let before = u64::from(self.ring.get(slot(self.minute - 1, 60)));
        [self.count.into(), before + u64::from(self.count), self.sums[0], self.sums[1]]
    }

    fn judge(&mut self, lines: &Lines) -> Option<Change> {
        if self.count == 0 && self.firing.is_none() {
            return None;
        }
        let over = if self.count == 0 { None } else { self.over(lines) };
        match (&mut self.firing, over) {
            (None, Some(excess)) => {
                self.firing = Some(Firing { last_over: self.minute });
                Some(Change::Fires(excess))
            }
            (None, None) => None,
            (Some(firing), Some(_)) => {
                firing.last_over = self.minute;
                None
            }
            (Some(_), None) => self.clear(lines),
        }
    }

    fn clear(&mut self, lines: &Lines) -> Option<Change> {
        let stays = !self.is_young() && lines.clear < self.largest_score();
        let firing = self.firing.as_mut()?;
        if stays {
            firing.last_over = self.minute;
        }
        if self.minute - firing.last_over < CLEAR_MINUTES {
            return None;
        }
        self.firing = None;
        Some(Change::Clears(self.minute))
    }

    fn is_young(&self) -> bool {
        self.age() < YOUNG_MINUTES
    }

    /// The window that stands out most, of those over their line.
    fn over(&self, lines: &Lines) -> Option<Excess> {
        if self.is_young() {
            return self.over_the_floor(lines);
        }
        let half_grown = self.age() < GROWN_MINUTES;
        let extra = if half_grown { lines.young_extra } else { 0.0 };
        let unsettled = if half_grown { UNSETTLED } else { 1.0 };
        let mut worst: Option<Excess> = None;
        for (window, observed) in self.observed().into_iter().enumerate() {
            let (Some(line), Some(ratio)) = (lines.score.get(window), lines.ratio.get(window))
            else {
                continue;
            };
            let count = float(observed);
            if count < f64::from(lines.count_min) {
                continue;
            }
            let expected = width(window) * self.mean_of_late(window);
            let above = lines.above_peak.get(window).copied().unwrap_or(1.0);
            if count < (ratio * expected).max(unsettled * above * self.peak(window)) {
                continue;
            }
            let score = tail::score(count, expected, self.size(window));
            let margin = score - line - extra;
            let known = worst.map_or(0.0, |worst: Excess| worst.score - line);
            if 0.0 < margin
                && known < score - line
                && unsettled * self.burst(window, above) <= count
            {
                worst = Some(self.excess(window, observed, expected, score));
            }
        }
        worst
    }

    fn over_the_floor(&self, lines: &Lines) -> Option<Excess> {
        let known = if self.age() < HOUR { 0.0 } else { YOUNG_MEAN_FACTOR * self.young_mean() };
        let line = f64::from(lines.floor).max(known).max(YOUNG_PEAK_FACTOR * self.peak_ever());
        let expected = self.level;
        (line <= f64::from(self.count)).then(|| self.excess(0, self.count.into(), expected, 0.0))
    }

    /// The largest minute that was learned at any time of day.
    fn peak_ever(&self) -> f64 {
        self.peaks.of(0).fold(0.0, f64::max)
    }

    /// Of the hours that ended, or of the last sixty minutes if they were livelier.
    fn young_mean(&self) -> f64 {
        self.level.max(float(self.sums[1]) / 60.0)
    }

    fn excess(&self, window: usize, observed: u64, expected: f64, score: f64) -> Excess {
        let window_minutes = WINDOWS.get(window).copied().unwrap_or(1);
        Excess { minute: self.minute, window_minutes, observed, expected, score }
    }

    fn largest_score(&self) -> f64 {
        let scores = self.observed().into_iter().enumerate().map(|(window, observed)| {
            let usual = (width(window) * self.mean()).max(PEAK_WEIGHT * self.peak(window));
            tail::score(float(observed), usual, self.size(window))
        });
        scores.fold(0.0, f64::max)
    }

    /// What a burst of this series must come to if it is to be more than they usually are; `above` is how many times
    /// the peak a window must hold.
    fn burst(&self, window: usize, above: f64) -> f64 {
        let Some(burst) = self.bursts.get(window) else { return 0.0 };
        let (mut mean, mut factor) = (self.mean(), above);
        if SEASONS_MINUTES <= self.age() {
            let (before, after) = (self.minute - NEAR, self.minute + NEAR);
            mean = mean.max(self.mean_at(before)).max(self.mean_at(after));
        }
        if window < TEN {
            let (least, most) = BURST_SPREAD;
            let spread = f64::from(burst.spread).powi(BURST_SPREAD_POWER);
            factor = spread.clamp(least * above, most * above);
        }
        f64::from(burst.ratio) * factor * width(window) * mean
    }

    /// How far the peaks stand above the mean, of which most of the day's are lower.
    fn usual_burst(&self, window: usize) -> Burst {
        let level = width(window) * self.level.max(MEAN_MIN);
        let hours: [f64; DAY_HOURS] = core::array::from_fn(|place| self.day_factor(place));
        let liveliest = |place: usize| {
            let (kind, hour) = (place / 24 * 24, place % 24);
            let factors = [hour + 23, hour, hour + 1]
                .map(|hour| hours.get(kind + hour % 24).copied().unwrap_or(1.0));
            factors.into_iter().fold(0.0, f64::max)
        };
        let peaks = self.peaks.of(window).enumerate().filter(|(_, peak)| 0.0 < *peak);
        let ratios = peaks.map(|(place, peak)| {
            peak / (level * liveliest(place / QUARTERS_AN_HOUR)).max(MEAN_MIN)
        });
        let mut ratios: Vec<f64> = ratios.collect();
        if ratios.len() < BURST_QUARTERS_MIN {
            return Burst::default();
        }
        let place = ratios.len() * BURST_PERCENT / 100;
        let (lower, ratio, _) = ratios.select_nth_unstable_by(place, f64::total_cmp);
        let (ratio, place) = (*ratio, (place * 50 / BURST_PERCENT).min(lower.len() - 1));
        let (_, median, _) = lower.select_nth_unstable_by(place, f64::total_cmp);
        Burst { ratio: single(ratio), spread: single(ratio / *median) }
    }

    /// The windows whose peaks of now are no usual bursts.
    fn windows_of_jobs(&self, lines: &Lines) -> u8 {
        if self.age() < SEASONS_MINUTES {
            return 0;
        }
        let above = lines.above_peak.iter().enumerate();
        above.fold(0, |jobs, (window, above)| {
            let burst = self.burst(window, *above);
            let is_job = 0.0 < burst && burst < self.peak(window);
            jobs | (u8::from(is_job) << window)
        })
    }

    /// The largest count that is known of this time of day.
    fn peak(&self, window: usize) -> f64 {
        let quarter = self.minute.div_euclid(QUARTER);
        // Until both kinds of day were there, either may say what to expect.
        let both = self.age() < GROWN_MINUTES;
        (quarter - 1..=quarter + 1)
            .flat_map(|quarter| {
                let place = day_slot(quarter, QUARTERS);
                [Some(place), both.then_some((place + 96) % 192)]
            })
            .map(|place| place.map_or(0.0, |place| self.peaks.get(window, place)))
            .fold(0.0, f64::max)
            * self.share_of_peaks()
    }

    /// The share of the peaks of this time of day that this day of the week is known to reach: where a day is
    /// elsewhere not over, or a weekday is a holiday every week, the hour is quiet and its peaks are another day's.
    fn share_of_peaks(&self) -> f64 {
        if self.age() < GROWN_MINUTES {
            return 1.0;
        }
        let hour = self.minute.div_euclid(HOUR);
        let shares = (hour - 1..=hour + 1).map(|hour| {
            let week = slot(hour, WEEK_HOURS);
            let (of_week, of_day) = (self.factors.week(week), self.factors.day(day_slot(hour, 24)));
            let is_known = QUIET_LEARNED_MIN <= self.learned_of_week(week) && 0.0 < of_day;
            if is_known { of_week / of_day / QUIET_SHARE } else { 1.0 }
        });
        shares.fold(0.0, f64::max).clamp(QUIET_PEAK_MIN, 1.0)
    }

    /// The size parameter of the negative binomial that has the series' dispersion at its level.
    fn size(&self, window: usize) -> f64 {
        let dispersion = self.dispersion.get(window).copied().unwrap_or(1.0);
        (width(window) * self.level.max(MEAN_MIN) / (dispersion - 1.0).max(1e-6)).max(1e-3)
    }

    fn learn(&mut self, lines: &Lines) {
        let mean = self.mean();
        // Cut to what is plausible.
        let most = mean + 4.0 * (self.spread(0) * mean).sqrt() + 3.0;
        self.hour_sum += f64::from(self.count).min(most);
        self.hour_minutes += 1;
        for (window, observed) in self.observed().into_iter().enumerate() {
            if let Some(peak) = self.open_peaks[0].get_mut(window) {
                *peak = peak.max(single(float(observed)));
            }
        }
        let of_hour = self.minute.rem_euclid(HOUR);
        if of_hour % QUARTER == 0 {
            self.jobs = self.windows_of_jobs(lines);
        }
        self.learn_dispersion(0);
        if of_hour % 2 == 1 {
            self.learn_dispersion(TWO);
        }
        if of_hour % 10 == 9 {
            self.learn_dispersion(TEN);
        }
        if of_hour == HOUR - 1 {
            self.learn_dispersion(SIXTY);
            self.close_hour();
        }
        if of_hour % QUARTER == QUARTER - 1 {
            self.close_quarter(lines);
        }
    }

    /// Learns how widely a window spreads.
    fn learn_dispersion(&mut self, window: usize) {
        // A young series' level is not known yet, and everything would seem to scatter; a job does.
        if self.is_young() || self.jobs & (1 << window) != 0 {
            return;
        }
        let minutes = width(window);
        let observed = self.observed().get(window).copied().map_or(0.0, float);
        let mean = minutes * self.mean_of_late(window);
        let cut = observed.min(mean + 4.0 * (self.spread(window) * mean).sqrt() + 3.0);
        let residual = (cut - mean) * (cut - mean) / mean;
        // What was learned before the seasons were known is not worth keeping.
        let since = if self.age() < SEASONS_MINUTES { YOUNG_MINUTES } else { SEASONS_MINUTES };
        let seen = float_of(self.age() - since + 1) / minutes;
        let weight = (1.0 / (seen + 1.0)).max(FORGOTTEN.get(window).copied().unwrap_or_default());
        if let Some(dispersion) = self.dispersion.get_mut(window) {
            *dispersion += weight * (residual - *dispersion);
        }
    }

    fn close_hour(&mut self) {
        let rate = self.hour_sum / f64::from(self.hour_minutes.max(1));
        let hours = float_of(self.age() / HOUR + 1);
        let share = f64::from(self.hour_minutes) / 60.0;
        self.level += share * (1.0 / hours).max(FORGOTTEN[SIXTY]) * (rate - self.level);
        let factor = rate / self.level.max(MEAN_MIN);
        let hour = self.minute.div_euclid(HOUR);
        let (day, week) = (day_slot(hour, 24), slot(hour, WEEK_HOURS));
        let of_day = learned(self.factors.day(day), self.learned_of_day(day), factor);
        self.factors.set_day(day, of_day);
        let of_week = learned(self.factors.week(week), self.learned_of_week(week), factor);
        self.factors.set_week(week, of_week);
        self.learned_to = hour + 1;
        (self.hour_sum, self.hour_minutes) = (0.0, 0);
    }

    /// The quarter before the one that ends now is learned.
    fn close_quarter(&mut self, lines: &Lines) {
        let quarter = self.minute.div_euclid(QUARTER) - 1;
        let (young, half_grown) = (self.is_young(), self.age() < GROWN_MINUTES);
        let mean = self.mean();
        // What is forgotten in a week is spread over the days of a kind.
        let weekend = is_weekend(quarter.div_euclid(QUARTERS));
        let kept = if weekend { PEAK_KEPT_WEEKEND } else { PEAK_KEPT_WEEKDAY };
        let [open, closed] = self.open_peaks;
        let place = day_slot(quarter, QUARTERS);
        for (window, largest) in closed.into_iter().enumerate() {
            let known = self.peaks.get(window, place) * kept;
            let usual = known.max(width(window) * mean).max(f64::from(lines.count_min));
            let cap = if young {
                YOUNG_CAP * f64::from(lines.floor) * width(window)
            } else if half_grown {
                HALF_GROWN_CAP * usual
            } else {
                LEARNING_CAP * usual
            };
            self.peaks.set(window, place, known.max(f64::from(largest).min(cap)));
        }
        self.open_peaks = [[0.0; COUNT], open];
        // One window in each quarter of an hour, so that all are known when a series is no longer young.
        if self.age() < YOUNG_MINUTES - HOUR {
            return;
        }
        let window = slot(quarter, 4);
        let burst = self.usual_burst(window);
        if let Some(known) = self.bursts.get_mut(window) {
            *known = burst;
        }
    }
}

/// The mean of what was learned so often before, and of one more; after eight times it follows as an average that
/// forgets.
fn learned(mean: f64, times: i64, one: f64) -> f64 {
    mean + (one - mean) / float_of((times + 1).min(LEARNED_MAX))
}

/// A factor that was learned so often, drawn towards what is known without it.
fn towards(factor: f64, times: i64, other: f64) -> f64 {
    let times = float_of(times.min(LEARNED_MAX));
    (times * factor + other) / (times + 1.0)
}

/// Days of a weekend before this day, counted since 1970.
fn weekend_days_before(day: i64) -> i64 {
    let since_monday = day + 3;
    2 * since_monday.div_euclid(7) + (since_monday.rem_euclid(7) - 5).max(0)
}

/// The place of a part of the day among those of weekdays, or of days of the weekend behind them.
fn day_slot(number: i64, of_day: i64) -> usize {
    slot(number, of_day)
        + if is_weekend(number.div_euclid(of_day)) { slot(of_day, i64::MAX) } else { 0 }
}

/// 1970 began on a Thursday.
fn is_weekend(day: i64) -> bool {
    4 < (day + 3).rem_euclid(7)
}

fn width(window: usize) -> f64 {
    WINDOWS.get(window).copied().map_or(1.0, f64::from)
}

fn span(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

/// The place of a number in a table that repeats.
fn slot(number: i64, len: i64) -> usize {
    usize::try_from(number.rem_euclid(len)).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "counts of an hour are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "spans of minutes are far below 2^53")]
fn float_of(span: i64) -> f64 {
    span as f64
}

#[expect(clippy::cast_possible_truncation, reason = "peaks and factors need no more than 24 bits")]
fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday.
    const START: i64 = 4 * DAY;

    /// Plays so many events into each minute, and gives what changed.
    fn play(envelope: &mut Envelope, counts: impl IntoIterator<Item = u32>) -> Vec<Change> {
        let lines = Lines::default();
        let mut changes = vec![];
        for count in counts {
            envelope.count(count);
            changes.extend(envelope.advance(envelope.minute + 1, &lines));
        }
        changes
    }

    fn usual(minutes: i64) -> impl Iterator<Item = u32> {
        (0..minutes).map(|minute| [17, 20, 23, 19, 21][slot(minute, 5)])
    }

    fn grown() -> Envelope {
        let mut envelope = Envelope::new(START);
        assert_eq!(play(&mut envelope, usual(8 * DAY)), []);
        envelope
    }

    #[test]
    fn a_spike_fires_once_and_clears_after_ten_quiet_minutes() {
        let mut envelope = grown();
        assert!((envelope.expected() - 20.0).abs() < 1.0, "{}", envelope.expected());
        let changes = play(&mut envelope, [20, 100, 120, 100]);
        let [Change::Fires(excess)] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!((excess.observed, excess.window_minutes), (100, 1));
        assert_eq!(excess.minute, START + 8 * DAY + 1);
        assert!(5.0 < excess.score && (excess.expected - 20.0).abs() < 1.0, "{excess:?}");
        let changes = play(&mut envelope, usual(90));
        assert!(matches!(changes.as_slice(), [Change::Clears(_)]), "{changes:?}");
    }

    #[test]
    fn longer_windows_see_what_no_minute_shows() {
        for (count, minutes, windows) in [(38, 60, [10, 60]), (33, 360, [60, 60])] {
            let mut envelope = grown();
            let changes = play(&mut envelope, (0..minutes).map(|_| count));
            let Some(Change::Fires(excess)) = changes.first() else { panic!("{count}") };
            assert!(windows.contains(&excess.window_minutes), "{count}: {excess:?}");
        }
    }

    #[test]
    fn two_minutes_tell_what_neither_tells_alone() {
        let mut envelope = Envelope::new(START);
        let quiet =
            |minutes: i64| (0..minutes).map(|minute| [1, 0, 2, 1, 1, 3, 0][slot(minute, 7)]);
        assert_eq!(play(&mut envelope, quiet(8 * DAY)), []);
        assert_eq!(play(&mut envelope.clone(), [8, 1, 1]), []);
        let changes = play(&mut envelope, [8, 8]);
        let [Change::Fires(excess)] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!((excess.observed, excess.window_minutes), (16, 2));
    }

    #[test]
    fn what_is_usual_follows_the_hour_before() {
        let mut envelope = grown();
        assert_eq!(play(&mut envelope, usual(55).map(|count| count / 3)), []);
        assert!((7.0..9.0).contains(&envelope.mean_of_late(0)), "{}", envelope.mean_of_late(0));
        assert!((envelope.mean_of_late(SIXTY) - 20.0).abs() < 1.0);
        assert_eq!(play(&mut envelope, usual(60)), []);
    }

    #[test]
    fn a_job_does_not_widen_the_day() {
        let mut envelope = grown();
        for _ in 0..14 {
            play(&mut envelope, usual(120));
            play(&mut envelope, [180; 20]);
            play(&mut envelope, usual(DAY - 140));
        }
        assert!(envelope.spread(0) < 1.5, "{:?}", envelope.dispersion);
    }

    #[test]
    fn a_young_series_has_only_the_floor() {
        let mut envelope = Envelope::new(START);
        assert_eq!(play(&mut envelope, [1, 0, 99, 0]), []);
        let changes = play(&mut envelope, [100]);
        assert!(matches!(changes.as_slice(), [Change::Fires(Excess { observed: 100, .. })]));
    }

    /// Every night at the same time, a little early or late: news for two weekdays and a weekend at most.
    #[test]
    fn a_nightly_job_becomes_usual() {
        let mut envelope = grown();
        let mut nights = vec![];
        for night in 0..14 {
            play(&mut envelope, usual(120 + night % 5));
            nights.push(play(&mut envelope, [180; 20]).len());
            play(&mut envelope, usual(DAY - 140 - night % 5));
        }
        assert_eq!(nights.first(), Some(&1));
        assert!(nights.iter().sum::<usize>() <= 4, "{nights:?}");
        assert_eq!(nights[7..], [0; 7], "{nights:?}");
    }

    /// A day under attack leaves the line where a second attack is still found.
    #[test]
    fn an_attack_does_not_make_itself_usual() {
        let mut envelope = grown();
        assert!(!play(&mut envelope, (0..DAY).map(|_| 2_000)).is_empty());
        assert!(envelope.expected() < 40.0, "{}", envelope.expected());
        play(&mut envelope, usual(120));
        assert!(!envelope.is_firing());
        assert_eq!(play(&mut envelope, [2_000]).len(), 1);
    }

    /// Counted by going through every hour.
    #[test]
    fn how_often_an_hour_was_learned_follows_from_its_age() {
        for (born, hours) in [(START, 0), (START + 7 * HOUR + 13, 1), (START + 5 * DAY + 1, 500)] {
            let mut envelope = Envelope::new(born);
            envelope.advance((born.div_euclid(HOUR) + hours) * HOUR, &Lines::default());
            let first = born.div_euclid(HOUR);
            let mut of_day = vec![0; 48];
            let mut of_week = vec![0; 168];
            for hour in first..first + hours {
                of_day[day_slot(hour, 24)] += 1;
                of_week[slot(hour, WEEK_HOURS)] += 1;
            }
            let day: Vec<i64> = (0..48).map(|place| envelope.learned_of_day(place)).collect();
            let week: Vec<i64> = (0..168).map(|place| envelope.learned_of_week(place)).collect();
            assert_eq!((day, week), (of_day, of_week), "{born} {hours}");
        }
    }

    #[test]
    fn closing_at_once_or_one_by_one_is_the_same() {
        let (lines, mut slow) = (Lines::default(), grown());
        slow.count(500);
        let mut quick = slow.clone();
        let end = slow.minute + 5 * DAY + 7;
        let changes = quick.advance(end, &lines);
        let mut others = vec![];
        while slow.minute < end {
            others.extend(slow.advance(slow.minute + 1, &lines));
        }
        assert_eq!((&changes, &quick), (&others, &slow));
        assert!(matches!(changes.as_slice(), [Change::Fires(_), Change::Clears(_)]));
        quick.count(1);
        quick.advance(end + 91 * DAY, &lines);
        assert_eq!(quick, Envelope::new(end + 91 * DAY), "forgotten");
    }
}
