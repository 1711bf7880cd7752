//! What the detectors cost, measured with the load of `keyward bench-watch`: memory of a series, and events a second.
//!
//! The memory is held to 2 KiB here. How fast they are depends on the machine and the profile; it is printed, and held to
//! half a million events a second where the code is optimized and `COST` is set.

#![expect(
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    reason = "a test stops at what it does not expect; its numbers are small"
)]

#[path = "../../keyward-cli/src/bench/watch_load.rs"]
mod load;

use keyward_types::Timestamp;
use keyward_watch::{Observation, Settings, Tables, Watch};
use load::{Load, core_seconds, resident_bytes};

const SERIES: usize = 10_000;
/// A Monday in 2026, in milliseconds.
const START: i64 = 1_767_571_200_000;

/// An event of a principal, and of one of its five keys.
fn of(principal: usize, key: usize, minute: i64) -> Observation {
    let base = Load::new(1, 1, 1).event();
    Observation {
        time: Timestamp(START + minute * 60_000),
        principal: format!("arn:aws:sts::111122223333:assumed-role/service-{principal:06}"),
        keys: vec![format!(
            "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-4000-8000-{key:012}"
        )],
        ..base
    }
}

/// One after the other, because memory is that of the whole process.
#[test]
fn memory_and_speed() {
    a_series_takes_two_kilobytes();
    events_a_second();
}

/// Everything that grows with the number of series is counted: what they learned, their places in the table, and who
/// contributes most. Names are those of the other tables, which are made before.
fn a_series_takes_two_kilobytes() {
    let tables = Tables { series: 1, ..Tables::default() };
    let mut watch = Watch::new(Settings { tables, ..Settings::default() });
    let fill = |watch: &mut Watch, minute: i64| {
        // Half the series are principals, half are keys, and each has five of the other kind.
        for principal in 0..SERIES / 2 {
            for key in 0..5 {
                let key = (principal + key * 7) % (SERIES / 2);
                watch.observe(&of(principal, key, minute));
            }
        }
    };
    fill(&mut watch, 0);
    let before = resident_bytes();
    assert_ne!(before, 0, "the system does not say how much memory there is");
    let tables = Tables { series: SERIES + 1, ..Tables::default() };
    watch.set(Settings { tables, ..Settings::default() });
    for minute in 60..63 {
        fill(&mut watch, minute);
    }
    let series = watch.sizes().series.entries;
    assert_eq!(series, SERIES + 1, "and that of the account");
    let each = (resident_bytes() - before) as f64 / series as f64;
    let saved = watch.save(0).unwrap().len() as f64 / series as f64;
    println!("{each:.0} bytes a series in memory, {saved:.0} saved with the other tables");
    assert!(each <= 2_048.0, "{each:.0} bytes a series");
}

fn events_a_second() {
    let count = if cfg!(debug_assertions) { 20_000 } else { 2_000_000 };
    let mut load = Load::new(1_000, 1_000, 30_000);
    let events: Vec<Observation> = (0..count).map(|_| load.event()).collect();
    let mut watch = Watch::new(Settings::default());
    let begun = core_seconds();
    let told = events.iter().map(|event| watch.observe(event).len()).sum::<usize>();
    let rate = count as f64 / (core_seconds() - begun);
    let series = watch.sizes().series.entries;
    println!("{rate:.0} events a second, {series} series, {told} notices");
    assert!(5_000 < series && watch.sizes().series.evicted == 0);
    if !cfg!(debug_assertions) && std::env::var_os("COST").is_some() {
        assert!(500_000.0 <= rate, "{rate:.0} events a second");
    }
    // A record of the log is read as what the load says.
    let event = load.event();
    let read = Observation::read(&Load::record(&event)).unwrap();
    assert_eq!((&read.principal, &read.keys), (&event.principal, &event.keys));
}
