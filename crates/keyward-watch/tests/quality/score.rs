//! Plays series into the detector, and counts what it said.

use crate::{
    bound::stands_out,
    generator::{ARCHETYPES, ATTACKS, Archetype, DAYS, MINUTES, Series, is_held_out},
};
use keyward_watch::{Change, Envelope, Lines};
use std::{collections::BTreeMap, fmt::Write};

/// A Monday in 2026, in minutes since 1970.
const START: i64 = 29_459_520;

#[derive(Default)]
pub(crate) struct Scores {
    /// Minutes to detection of every attack; none where it was missed.
    attacks: BTreeMap<(&'static str, &'static str), Vec<Option<usize>>>,
    /// By archetype: which of the bursts somebody could tell in two minutes.
    could: BTreeMap<&'static str, Vec<bool>>,
    /// By archetype: series, and false alerts in the first day, the first week and after.
    quiet: BTreeMap<&'static str, (usize, [usize; 3])>,
}

impl Scores {
    pub(crate) fn play(&mut self, archetype: &Archetype, series: &Series) {
        let lines = Lines::default();
        let attacks: Vec<_> =
            ATTACKS.iter().enumerate().map(|(i, attack)| series.attack(attack, i)).collect();
        let (start, attacked) = &attacks[0];
        let could = stands_out(series, series.knowable(archetype), *start, attacked);
        self.could.entry(archetype.name).or_default().push(could);
        let mut envelope = Envelope::new(START);
        let (count, alerts) = self.quiet.entry(archetype.name).or_default();
        *count += 1;
        for minute in 0..MINUTES {
            for ((start, counts), attack) in attacks.iter().zip(ATTACKS) {
                if *start == minute {
                    let found = detect(envelope.clone(), minute, counts, &lines);
                    let all = self.attacks.entry((archetype.name, attack.name)).or_default();
                    all.push(found);
                }
            }
            envelope.count(series.counts[minute]);
            for change in envelope.advance(time(minute + 1), &lines) {
                if let Change::Fires(_) = change {
                    let age = usize::from(minute >= 1_440) + usize::from(minute >= 7 * 1_440);
                    alerts[age] += 1;
                }
            }
        }
    }

    pub(crate) fn recall(&self, which: impl Fn(&str, &str) -> bool) -> f64 {
        self.within(which, usize::MAX)
    }

    /// The share of attacks that were found after so many minutes at most.
    pub(crate) fn within(&self, which: impl Fn(&str, &str) -> bool, minutes: usize) -> f64 {
        let all: Vec<_> = self.chosen(which).collect();
        share(
            all.iter().filter(|found| found.is_some_and(|took| took <= minutes)).count(),
            all.len(),
        )
    }

    /// The share of bursts that somebody could tell in two minutes.
    pub(crate) fn could(&self, which: impl Fn(&str) -> bool) -> f64 {
        let chosen = self.could.iter().filter(|(name, _)| which(name));
        let all: Vec<bool> = chosen.flat_map(|(_, could)| could).copied().collect();
        share(all.iter().filter(|could| **could).count(), all.len())
    }

    pub(crate) fn false_alerts(&self, which: impl Fn(&str) -> bool) -> f64 {
        let chosen = self.quiet.iter().filter(|(name, _)| which(name));
        let (series, alerts) = chosen.fold((0, 0), |(series, alerts), (_, (more, by_age))| {
            (series + more, alerts + by_age.iter().sum::<usize>())
        });
        share(alerts, series * DAYS)
    }

    pub(crate) fn median(&self, which: impl Fn(&str, &str) -> bool) -> Option<usize> {
        let mut times: Vec<usize> = self.chosen(which).flatten().collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    fn chosen(&self, which: impl Fn(&str, &str) -> bool) -> impl Iterator<Item = Option<usize>> {
        self.attacks
            .iter()
            .filter(move |((archetype, attack), _)| which(archetype, attack))
            .flat_map(|(_, found)| found.iter().copied())
    }

    fn row(&self, table: &mut String, name: &str, which: impl Fn(&str, &str) -> bool + Copy) {
        let mut times: Vec<usize> = self.chosen(which).flatten().collect();
        times.sort_unstable();
        let at = |share: usize| {
            times.get(times.len() * share / 100).map_or("-".to_owned(), usize::to_string)
        };
        let (median, p90) = (at(50), at(90));
        let (recall, quick) = (self.recall(which), self.within(which, 2));
        // Only of rows that are bursts alone.
        let of_bursts = |name: &str| {
            ATTACKS.iter().all(|one| which(name, one.name) == (one.name == ATTACKS[0].name))
        };
        let could = if self.could.keys().any(|name| of_bursts(name)) {
            format!("{:.3}", self.could(of_bursts))
        } else {
            "-".to_owned()
        };
        write!(table, "{name:<26} {recall:>6.3} {quick:>6.3} {could:>6} {median:>7} {p90:>5}")
            .unwrap();
    }
}

/// Minutes from the start of an attack to the end of the minute that told of it.
fn detect(mut envelope: Envelope, start: usize, counts: &[u32], lines: &Lines) -> Option<usize> {
    counts.iter().enumerate().find_map(|(i, count)| {
        envelope.count(*count);
        let changes = envelope.advance(time(start + i + 1), lines);
        changes.iter().any(|change| matches!(change, Change::Fires(_))).then_some(i + 1)
    })
}

fn time(minute: usize) -> i64 {
    START + i64::try_from(minute).unwrap()
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

pub(crate) fn print(scores: &Scores) -> String {
    let mut table = format!(
        "{:<26} {:>6} {:>6} {:>6} {:>7} {:>5}\n",
        "archetype, attack", "recall", "in 2 m", "could", "median", "p90"
    );
    for archetype in ARCHETYPES {
        for attack in ATTACKS {
            let name = format!("{}, {}", archetype.name, attack.name);
            scores.row(&mut table, &name, |a, b| a == archetype.name && b == attack.name);
            table.push('\n');
        }
    }
    table.push_str("\nby attack\n");
    for attack in ATTACKS {
        scores.row(&mut table, attack.name, |_, b| b == attack.name);
        table.push('\n');
    }
    table.push_str("\nby archetype, with false alerts per series and day, and how many in the first day, the first week, later\n");
    for archetype in ARCHETYPES {
        scores.row(&mut table, archetype.name, |a, _| a == archetype.name);
        let (series, by_age) = scores.quiet[archetype.name];
        let [day, week, later] = by_age;
        let rate = scores.false_alerts(|name| name == archetype.name);
        writeln!(table, "  {rate:.4}  {day:>3} {week:>3} {later:>3} of {series} series").unwrap();
    }
    table.push('\n');
    for (name, held_out) in [
        ("all but the held out", [false, false]),
        ("held out", [true, true]),
        ("all", [false, true]),
    ] {
        let which = |archetype: &str| held_out.contains(&is_held_out(archetype));
        scores.row(&mut table, name, |archetype, _| which(archetype));
        writeln!(table, "  {:.4}", scores.false_alerts(which)).unwrap();
    }
    table
}
