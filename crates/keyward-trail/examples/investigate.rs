//! Measures the tree, its proofs, and queries over records:
//! `cargo run --release -p keyward-trail --example investigate`.

use keyward_trail::{
    merkle::{Frontier, Nodes, consistency_proof, inclusion_proof, leaf_hash, verify_inclusion},
    query::{Field, Query, each_index_term, facets::Facets, facets::Limits},
};
use keyward_types::Timestamp;
use serde_json::Value;
use std::{hint::black_box, time::Instant};

const LEAVES: u64 = 1_000_000;
const ROUNDS: u64 = 200_000;
const NOW: Timestamp = Timestamp(1_795_430_000_000);

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement reads the clock, prints, and needs no exact ratio"
)]
fn measure(name: &str, rounds: u64, mut run: impl FnMut(u64)) {
    let start = Instant::now();
    (0..rounds).for_each(&mut run);
    let each = start.elapsed().as_secs_f64() * 1e9 / rounds as f64;
    println!("{name:<44} {each:>9.0} ns  {:>11.0} /s", 1e9 / each);
}

#[expect(clippy::unwrap_used, reason = "a measurement may stop")]
fn main() {
    let text = include_str!("../tests/golden/encrypt.txt").lines().next().unwrap();
    let record: Value = serde_json::from_str(text).unwrap();
    let bytes = text.as_bytes();

    let mut frontier = Frontier::new();
    measure("hash a record and append it", LEAVES, |_| {
        frontier.append(leaf_hash(bytes), |node| _ = black_box(node)).unwrap();
    });
    let mut nodes = Nodes::default();
    (0..LEAVES).for_each(|i| nodes.append(leaf_hash(&i.to_be_bytes())).unwrap());
    let root = nodes.root();
    measure("prove that an event is in a log of 1,000,000", ROUNDS, |i| {
        black_box(inclusion_proof(&nodes, i, LEAVES).unwrap());
    });
    let path = inclusion_proof(&nodes, 7, LEAVES).unwrap();
    let leaf = leaf_hash(&7_u64.to_be_bytes());
    measure("verify that proof", ROUNDS, |_| {
        verify_inclusion(&leaf, 7, LEAVES, black_box(&path), &root).unwrap();
    });
    measure("prove that the log only grew", ROUNDS, |i| {
        black_box(consistency_proof(&nodes, i + 1, LEAVES).unwrap());
    });

    measure("read a record from JSON", ROUNDS, |_| {
        black_box(serde_json::from_slice::<Value>(bytes).unwrap());
    });
    for text in [
        "op:Encrypt result:success since:6h",
        "principal:user/Alice op:Encrypt,Decrypt ctx.Tenant:acme -key:alias/demo ip:192.0.0.0/8",
        "absent",
    ] {
        let query = Query::parse(text).unwrap();
        measure(&text.chars().take(44).collect::<String>(), ROUNDS, |_| {
            black_box(query.matches(black_box(&record), NOW));
        });
    }
    measure("read a query", ROUNDS, |_| {
        black_box(
            Query::parse("principal:user/Alice op:Encrypt -key:alias/demo since:6h").unwrap(),
        );
    });
    measure("terms to file a record under", ROUNDS, |_| {
        each_index_term(&record, &mut |field, value| _ = black_box((field, value)));
    });
    let fields = [Field::Principal, Field::Operation, Field::Result, Field::Key, Field::Ip];
    let mut facets = Facets::new(fields, Limits::default());
    measure("count a record in five fields and over time", ROUNDS, |_| facets.add(&record));
    black_box(facets.report());
}
