//! Series and attacks, the same for the same seed.

use std::f64::consts::TAU;

pub(crate) const DAY: usize = 1_440;
pub(crate) const DAYS: usize = 21;
pub(crate) const MINUTES: usize = DAYS * DAY;
/// An attack has at least this rate times its factor, or nobody could tell.
const BASE_MIN: f64 = 1.0;

/// SplitMix64. Source: <https://prng.di.unimi.it/splitmix64.c>.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (TAU * self.unit()).cos()
    }

    /// Marsaglia and Tsang's method.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * (1.0 - self.unit()).powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if 0.0 < v && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32;
        }
        let limit = (-mean).exp();
        let (mut count, mut product) = (0, 1.0 - self.unit());
        while limit < product {
            count += 1;
            product *= 1.0 - self.unit();
        }
        count
    }

    /// With a variance of `mean + mean² / size`.
    pub(crate) fn count(&mut self, mean: f64, size: f64) -> u32 {
        if mean <= 0.0 {
            return 0;
        }
        let rate = self.gamma(size) * mean / size;
        self.poisson(rate)
    }
}

/// The mean of every minute, and that of what is always there.
type Shape = (Vec<f64>, Vec<f64>);

pub(crate) struct Archetype {
    pub(crate) name: &'static str,
    shape: fn(&mut Random, f64) -> Shape,
    /// Means of a minute between which a series is drawn.
    rates: (f64, f64),
}

pub(crate) const ARCHETYPES: &[Archetype] = &[
    Archetype { name: "flat", shape: flat, rates: (0.5, 60.0) },
    Archetype { name: "diurnal", shape: diurnal, rates: (0.5, 60.0) },
    Archetype { name: "cron", shape: cron, rates: (0.5, 20.0) },
    Archetype { name: "sparse", shape: flat, rates: (0.002, 0.1) },
    Archetype { name: "growing", shape: growing, rates: (0.5, 30.0) },
    Archetype { name: "office", shape: office, rates: (0.5, 60.0) },
    Archetype { name: "jitter", shape: jitter, rates: (0.5, 20.0) },
    Archetype { name: "wander", shape: wander, rates: (0.5, 60.0) },
    Archetype { name: "weekly", shape: weekly, rates: (0.5, 20.0) },
    Archetype { name: "steps", shape: steps, rates: (0.5, 30.0) },
    Archetype { name: "shifts", shape: shifts, rates: (0.5, 30.0) },
    Archetype { name: "outages", shape: outages, rates: (0.5, 30.0) },
    Archetype { name: "sessions", shape: sessions, rates: (0.5, 30.0) },
];

/// Written when the detector was finished, and never used to set anything.
pub(crate) fn is_held_out(archetype: &str) -> bool {
    ["outages", "sessions"].contains(&archetype)
}

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) minutes: usize,
    /// Times the baseline; none is the livelest hour of the day at its quietest.
    factor: Option<f64>,
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack { name: "10x 5 min", minutes: 5, factor: Some(10.0) },
    Attack { name: "4x 30 min", minutes: 30, factor: Some(4.0) },
    Attack { name: "2x 6 h", minutes: 360, factor: Some(2.0) },
    Attack { name: "off-hours 1 h", minutes: 60, factor: None },
];

pub(crate) struct Series {
    pub(crate) means: Vec<f64>,
    base: Vec<f64>,
    /// Of the negative binomial.
    pub(crate) size: f64,
    pub(crate) counts: Vec<u32>,
    random: Random,
}

impl Series {
    pub(crate) fn new(archetype: &Archetype, seed: u64, number: u64) -> Self {
        let name = archetype.name.bytes().fold(7, |sum, byte| sum * 31 + u64::from(byte));
        let mut random = Random::new(seed, name.wrapping_add(number));
        let (low, high) = archetype.rates;
        let rate = random.between(low.ln(), high.ln()).exp();
        let size = random.between(2.0_f64.ln(), 40.0_f64.ln()).exp();
        let (means, base) = (archetype.shape)(&mut random, rate);
        let counts = means.iter().map(|mean| random.count(*mean, size)).collect();
        Self { means, base, size, counts, random }
    }

    /// Where an attack begins, and the counts of its minutes and of ten more.
    pub(crate) fn attack(&self, attack: &Attack, number: usize) -> (usize, Vec<u32>) {
        let mut random = Random::new(self.random.0, number as u64 + 1);
        let start = match attack.factor {
            Some(_) => 14 * DAY + random.below(7 * DAY - attack.minutes - 10),
            None => (14 + random.below(7)) * DAY + self.quietest_hour() * 60,
        };
        let minutes = start..start + attack.minutes + 10;
        let liveliest = self.hours().iter().copied().fold(BASE_MIN, f64::max);
        let counts = minutes.map(|minute| {
            let extra = match attack.factor {
                _ if start + attack.minutes <= minute => 0.0,
                Some(factor) => (factor - 1.0) * self.base[minute].max(BASE_MIN),
                None => liveliest,
            };
            self.counts[minute] + random.poisson(extra)
        });
        (start, counts.collect())
    }

    /// The means that somebody could know beforehand: nobody knows the minute of a batch that has none.
    pub(crate) fn knowable(&self, archetype: &Archetype) -> &[f64] {
        if archetype.name == "jitter" { &self.base } else { &self.means }
    }

    /// The means of the hours of a day, without jobs.
    fn hours(&self) -> [f64; 24] {
        let mut hours = [0.0; 24];
        for (minute, mean) in self.base.iter().enumerate() {
            hours[minute / 60 % 24] += mean / (DAYS * 60) as f64;
        }
        hours
    }

    /// The first of the hours of the day with the smallest mean, but for the last, whose attack would not end in time.
    fn quietest_hour(&self) -> usize {
        let hours = self.hours();
        (0..23).min_by(|a, b| hours[*a].total_cmp(&hours[*b])).unwrap_or_default()
    }
}

fn each(mean: impl FnMut(usize) -> f64) -> Vec<f64> {
    (0..MINUTES).map(mean).collect()
}

fn same(means: Vec<f64>) -> Shape {
    (means.clone(), means)
}

fn flat(_: &mut Random, rate: f64) -> Shape {
    same(each(|_| rate))
}

fn is_weekend(minute: usize) -> bool {
    minute / DAY % 7 >= 5
}

/// A sine over the day, and less at weekends.
fn diurnal(random: &mut Random, rate: f64) -> Shape {
    let (depth, phase) = (random.between(0.5, 0.95), random.unit());
    let weekend = random.between(0.2, 0.8);
    same(each(|minute| {
        let angle = TAU * ((minute % DAY) as f64 / DAY as f64 + phase);
        rate * (1.0 + depth * angle.sin()) * if is_weekend(minute) { weekend } else { 1.0 }
    }))
}

/// Every night a job, a few minutes early or late.
fn cron(random: &mut Random, rate: f64) -> Shape {
    let (at, long) = (random.below(DAY - 60), 5 + random.below(25));
    let height = random.between(5.0, 30.0);
    let mut means = each(|_| rate);
    for day in 0..DAYS {
        let start = day * DAY + at + random.below(6);
        means[start..start + long].iter_mut().for_each(|mean| *mean += height * rate.max(1.0));
    }
    (means, each(|_| rate))
}

/// Up to four times as much after three weeks, with a day's rhythm.
fn growing(random: &mut Random, rate: f64) -> Shape {
    let (factor, depth) = (random.between(1.5, 4.0), random.between(0.0, 0.5));
    same(each(|minute| {
        let angle = TAU * (minute % DAY) as f64 / DAY as f64;
        rate * factor.powf(minute as f64 / MINUTES as f64) * (1.0 + depth * angle.sin())
    }))
}

/// Hard edges: nothing at night and at weekends, a dip at noon, and days that begin when people come.
fn office(random: &mut Random, rate: f64) -> Shape {
    let zone = random.below(DAY);
    let mut edges = vec![];
    for _ in 0..=DAYS {
        edges.push((480 + random.below(30), 1_050 + random.below(45)));
    }
    same(each(|minute| {
        let local = minute + zone;
        let (open, close) = edges[local / DAY % edges.len()];
        let of_day = local % DAY;
        let lunch = if (720..765).contains(&of_day) { 0.5 } else { 1.0 };
        if is_weekend(local) || !(open..close).contains(&of_day) { 0.0 } else { rate * lunch }
    }))
}

/// Every hour a batch of some minutes, at no fixed minute.
fn jitter(random: &mut Random, rate: f64) -> Shape {
    let height = random.between(3.0, 8.0);
    let mut means = each(|_| rate);
    for hour in 0..DAYS * 24 {
        let start = hour * 60 + random.below(56);
        means[start..start + 3].iter_mut().for_each(|mean| *mean += height * rate.max(1.0));
    }
    (means, each(|_| rate))
}

/// The logarithm of the rate walks about and comes back within an hour or two.
fn wander(random: &mut Random, rate: f64) -> Shape {
    let (keeps, spread) = (random.between(0.98, 0.995), random.between(0.2, 0.4));
    let mut at = 0.0;
    same(each(|_| {
        at = keeps * at + (1.0 - keeps * keeps).sqrt() * spread * random.normal();
        rate * at.exp()
    }))
}

/// A long job once a week.
fn weekly(random: &mut Random, rate: f64) -> Shape {
    let (day, at, long) = (random.below(7), random.below(DAY - 120), 20 + random.below(90));
    let height = random.between(5.0, 20.0);
    let mut means = each(|_| rate);
    for week in 0..DAYS / 7 {
        let start = (week * 7 + day) * DAY + at + random.below(6);
        means[start..start + long].iter_mut().for_each(|mean| *mean += height * rate.max(1.0));
    }
    (means, each(|_| rate))
}

/// A level that holds for days, and is another one from one minute to the next.
fn steps(random: &mut Random, rate: f64) -> Shape {
    let (mut level, mut until) = (rate, 0);
    same(each(|minute| {
        if until <= minute {
            level = rate * random.between(0.5, 1.8);
            until = minute + random.between(3.0, 8.0) as usize * DAY + random.below(DAY);
        }
        level
    }))
}

/// Two teams in two time zones over a base load, and a job every six hours.
fn shifts(random: &mut Random, rate: f64) -> Shape {
    let zones = [random.below(DAY), random.below(DAY)];
    let (share, height, at) =
        (random.between(0.1, 0.5), random.between(2.0, 6.0), random.below(340));
    let base = each(|minute| {
        let teams = zones.map(|zone| {
            let angle = TAU * ((minute + zone) % DAY) as f64 / DAY as f64;
            if is_weekend(minute + zone) { 0.0 } else { angle.sin().max(0.0) }
        });
        rate * (share + teams[0] + 0.7 * teams[1])
    });
    let mut means = base.clone();
    for start in (at..MINUTES - 20).step_by(360) {
        let start = start + random.below(4);
        means[start..start + 8].iter_mut().for_each(|mean| *mean += height * rate.max(1.0));
    }
    (means, base)
}

/// Every day or three nothing comes for up to an hour, and what was missed comes after it, twice to three times as
/// much a minute.
fn outages(random: &mut Random, rate: f64) -> Shape {
    let mut means = each(|_| rate);
    let mut start = random.below(2 * DAY);
    while start + 180 < MINUTES {
        let long = 10 + random.below(50);
        let times = random.between(2.0, 3.0);
        let drain = (long as f64 / (times - 1.0)) as usize;
        means[start..start + long].fill(0.0);
        means[start + long..start + long + drain].fill(times * rate);
        start += DAY + random.below(2 * DAY);
    }
    (means, each(|_| rate))
}

/// Eight clients, each there for some hours and away for some, fewer of them at night.
fn sessions(random: &mut Random, rate: f64) -> Shape {
    let night = random.between(0.2, 0.8);
    let mut means = each(|_| 0.1 * rate);
    for _ in 0..8 {
        let share = random.between(0.1, 0.4);
        let mut minute = random.below(6 * 60);
        while minute < MINUTES {
            let end = (minute + 60 + random.below(7 * 60)).min(MINUTES);
            let is_night = minute % DAY < 7 * 60;
            if !is_night || random.unit() < night {
                means[minute..end].iter_mut().for_each(|mean| *mean += share * rate);
            }
            minute = end + 30 + random.below(8 * 60);
        }
    }
    same(means)
}
