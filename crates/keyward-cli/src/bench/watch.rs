//! `keyward bench-watch`: what the detectors cost, without a service: events a second on one core, and bytes of memory a
//! series, with its names and its place in the table.
//!
//! | row | is |
//! |---|---|
//! | observed | events through the detectors, as [`keyward_watch::Watch::observe`] takes them |
//! | read and observed | the same from the log's records, which the service does beside requests |
//! | memory | what this process grew by while the series came into being |
//!
//! What is measured is time on a core, so that it may be read on a busy machine too. Machines differ. Nothing here is a test; `keyward-watch/tests/cost.rs` holds the bytes.

use super::watch_load::{Load, core_seconds, resident_bytes};
use crate::{
    args::{BenchWatch, Common},
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_watch::{Observation, Settings, Tables, Watch};
use serde_json::json;

/// Events of a minute of the load, so that minutes end while it is measured.
const RATE: usize = 30_000;
/// Events that are made at once, so that making them is no part of what is measured.
const AT_ONCE: usize = 50_000;
const HEADINGS: &[&str] = &["WHAT", "VALUE", "UNIT"];

pub(crate) fn run(common: &Common, options: &BenchWatch) -> Result<Exit, CliError> {
    // Each principal has up to five series, each key too.
    let names = (options.series / 10).max(1);
    let tables = Tables {
        series: options.series.max(1),
        principals: names,
        keys: names,
        ..Tables::default()
    };
    let settings = Settings { tables, ..Settings::default() };
    settings.check().map_err(|error| CliError::new(Exit::Usage, error.to_string()))?;
    let mut load = Load::new(names, names, RATE);
    let mut watch = Watch::new(settings);
    let mut part: Vec<Observation> = Vec::with_capacity(AT_ONCE);
    let before = resident_bytes();
    let (mut observed, mut seconds) = (0_usize, 0.0);
    while observed < options.events {
        part.clear();
        part.extend((0..AT_ONCE).map(|_| load.event()));
        let begun = core_seconds();
        part.iter().for_each(|event| drop(watch.observe(event)));
        seconds += core_seconds() - begun;
        observed += part.len();
    }
    let grown = resident_bytes().saturating_sub(before);
    let series = watch.sizes().series.entries;
    let records: Vec<Vec<u8>> = part.iter().map(Load::record).collect();
    let begun = core_seconds();
    let read = records.iter().filter_map(|record| Observation::read(record));
    read.for_each(|event| drop(watch.observe(&event)));
    let read_seconds = core_seconds() - begun;
    let lines = [
        ("observed", float(observed) / seconds, "events/s"),
        ("read and observed", float(records.len()) / read_seconds, "events/s"),
        ("series", float(series), "series"),
        (
            "memory",
            float(usize::try_from(grown).unwrap_or(usize::MAX)) / float(series),
            "bytes/series",
        ),
    ];
    match common.output {
        Format::Json => lines.iter().for_each(|(what, value, unit)| {
            output::json_line(&json!({"what": what, "value": value, "unit": unit}));
        }),
        Format::Text => {
            let cells = lines.map(|(what, value, unit)| {
                vec![what.to_owned(), format!("{value:.0}"), unit.to_owned()]
            });
            output::table(HEADINGS, &cells);
        }
    }
    Ok(Exit::Ok)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn float(count: usize) -> f64 {
    count as f64
}
