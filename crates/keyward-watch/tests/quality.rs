//! How good the rate detector is, as an experiment that can be repeated: synthetic series with known
//! attacks, and a table of what was found, how quickly, and how often nothing was there.
//!
//! Every series is 21 days of counts a minute, drawn from a negative binomial around a mean that its
//! archetype gives. The detector starts with the series, so its first day and first week are in the
//! figures. False alerts are those of the whole 21 days without attack. Each attack begins at a moment of
//! the last seven days and is played into a copy of the detector; it is found when an alert begins between
//! its first minute and ten minutes after its last.
//!
//! The lines were set while looking at the seeds 1, 2 and 3 of the first eleven archetypes; the table and the
//! assertions are of [`SEEDS`]. One choice was made with those in sight: of two settings, which told 0.860 and
//! 0.867 of the bursts in two minutes on 1, 2 and 3, the first, which gave fewer false alerts, when the other gave
//! 0.0198 and, of the nine alone, 0.0201 of them on [`SEEDS`]. `office`, `jitter`, `wander`
//! and `weekly` are archetypes that the algorithm was not made for, though it was changed for all of them since;
//! `steps` and `shifts` were held out until a window of two minutes and the mean of late were made, and were looked
//! at then. `outages` and `sessions` were written when that was finished, and nothing was changed for them. Of ten
//! attacks on these two it finds seven. What comes after an outage, twice to three times the usual for up to an
//! hour, it tells in half the cases: it is what an attack looks like, and is counted as false. On `sessions` it is
//! as quiet as on the others.
//!
//! The column `could` is an upper bound: the share of bursts that one who knows the mean of every minute, how it
//! scatters, and all that the series will ever do could tell in two minutes without one false alert
//! (`quality/bound.rs`). On `jitter` it is an eighth: its own batches, at no fixed minute, are nearly as large. On
//! `wander` it is all of them, because the bound knows where the level has wandered to.
//! Attacks that fall into the hour of a job (`cron`, `weekly`, `shifts`) or of opening (`office`) are most of what
//! takes longer.
//! It is still synthetic traffic, written by those who wrote the detector: quote the figures as such.
//!
//! `BLESS=1` writes the table anew; `QUALITY=1,2,3` prints that of other seeds.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test stops at what it does not expect; its numbers are small"
)]

#[path = "quality/bound.rs"]
mod bound;
#[path = "quality/generator.rs"]
mod generator;
#[path = "quality/score.rs"]
mod score;
/// The detector's own, to ask what could be done with it at best.
#[path = "../src/rate/tail.rs"]
mod tail;

use generator::{ARCHETYPES, ATTACKS, Archetype, Series, is_held_out};
use score::{Scores, print};
use std::{env, fs, path::Path};

/// What is asserted.
const SEEDS: &[u64] = &[0x6b65_7977, 0x7761_7463];
/// Of an archetype and a seed.
const SERIES: u64 = 20;

fn run(seeds: &[u64]) -> Scores {
    let mut scores = Scores::default();
    for archetype in ARCHETYPES {
        for seed in seeds {
            for number in 0..SERIES {
                let series = Series::new(archetype, *seed, number);
                scores.play(archetype, &series);
            }
        }
    }
    scores
}

#[test]
fn quality_is_as_it_was_and_as_it_must_be() {
    if let Some(seeds) = env::var_os("QUALITY") {
        let seeds = seeds.into_string().unwrap();
        let seeds: Vec<u64> = seeds.split(',').map(|seed| seed.parse().unwrap()).collect();
        println!("{}", print(&run(&seeds)));
        return;
    }
    let scores = run(SEEDS);
    let table = print(&scores);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/quality/table.txt");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let recall = scores.recall(|name, _| !is_held_out(name));
    assert!(0.85 <= recall, "recall is {recall:.3}\n{table}");
    let false_alerts = scores.false_alerts(|name| !is_held_out(name));
    assert!(false_alerts <= 0.02, "{false_alerts:.4} false alerts per series and day\n{table}");
    // Traffic of another kind: it may not get worse than it is. What comes after an outage is told as often as not.
    let recall = scores.recall(|name, _| is_held_out(name));
    let told = ["sessions", "outages"].map(|one| scores.false_alerts(|name| name == one));
    assert!(
        0.7 <= recall && told[0] <= 0.02 && told[1] <= 0.3,
        "held out: {recall:.3} {told:?}\n{table}"
    );
    let burst = ATTACKS[0].name;
    let median = scores.median(|_, attack| attack == burst);
    assert!(median.is_some_and(|minutes| minutes <= 1), "bursts take {median:?}\n{table}");
    // Series without batches or hard edges, and with a job once a week at most.
    let steady = ["flat", "diurnal", "sparse", "growing", "weekly", "wander", "steps"];
    let quick = scores.within(|name, attack| attack == burst && steady.contains(&name), 2);
    assert!(0.95 <= quick, "{quick:.3} of bursts on steady series in two minutes\n{table}");
    let quick = scores.within(|name, attack| attack == burst && !is_held_out(name), 2);
    let could = scores.could(|name| !is_held_out(name));
    assert!(
        0.9 * could <= quick,
        "{quick:.3} of all bursts in two minutes, of {could:.3}\n{table}"
    );
    for archetype in ARCHETYPES {
        let quick = scores.within(|name, attack| attack == burst && name == archetype.name, 2);
        let could = scores.could(|name| name == archetype.name);
        assert!(0.75 * could <= quick, "{}: {quick:.3} of {could:.3}\n{table}", archetype.name);
    }
    assert_eq!(table, fs::read_to_string(&path).unwrap_or_default(), "BLESS=1 writes it anew");
}

/// The generator is what the table rests on.
#[test]
fn the_generator_gives_the_means_it_says() {
    for archetype in ARCHETYPES.iter().filter(|a: &&Archetype| a.name == "flat") {
        for number in 0..4 {
            let series = Series::new(archetype, 9, number);
            let sum: f64 = series.counts.iter().map(|count| f64::from(*count)).sum();
            let expected: f64 = series.means.iter().sum();
            assert!((sum / expected - 1.0).abs() < 0.05, "{number}: {sum} for {expected}");
        }
    }
}
