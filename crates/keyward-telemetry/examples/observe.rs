//! Measures one `observe`: `cargo run --release -p keyward-telemetry --example observe`.

use keyward_telemetry::{Format, Metrics, Observed};
use keyward_types::{EventSummary, Outcome, Timestamp};
use std::{hint::black_box, time::Instant};

const ROUNDS: u32 = 2_000_000;

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock and prints"
)]
fn main() {
    let names = [
        "CreateKey",
        "Decrypt",
        "DescribeKey",
        "Encrypt",
        "GenerateDataKey",
        "ListKeys",
        "Sign",
        "Verify",
    ];
    let metrics = Metrics::new(&names);
    let event = EventSummary {
        event_id: uuid::Uuid::nil(),
        request_id: uuid::Uuid::nil(),
        time: Timestamp::from_seconds(1_795_426_867),
        service: "kms",
        operation: "GenerateDataKey",
        outcome: Outcome::Success,
        account: String::new(),
        principal_arn: String::new(),
        keys: vec![],
    };
    let start = Instant::now();
    (0..ROUNDS).for_each(|_| metrics.observe(black_box(&Observed::of(black_box(&event)))));
    println!("observe: {:?} an event", start.elapsed() / ROUNDS);
    let start = Instant::now();
    println!(
        "exposition: {} bytes in {:?}",
        metrics.exposition(Format::Text).len(),
        start.elapsed()
    );
}
