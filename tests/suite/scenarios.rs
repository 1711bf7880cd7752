//! Every transcript in `scenarios/` through every door: the same answers each time.

use keyward_testkit::{TestService, doors::Door, golden, scenario};
use std::{fs, path::PathBuf};

fn transcripts() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for family in fs::read_dir(golden::tests_folder().join("scenarios")).unwrap() {
        for file in fs::read_dir(family.unwrap().path()).unwrap() {
            found.push(file.unwrap().path());
        }
    }
    found.sort();
    found
}

fn run_all(door: Door) {
    let files = transcripts();
    assert!(!files.is_empty());
    let mut failures = Vec::new();
    for path in &files {
        let steps = scenario::parse(&fs::read_to_string(path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let service = TestService::start();
        if let Err(error) = service.play(door, &steps) {
            failures.push(format!("{}: {error}", path.display()));
        }
    }
    assert!(failures.is_empty(), "through {door:?}:\n{}", failures.join("\n"));
}

#[test]
fn through_the_engine() {
    run_all(Door::Engine);
}

#[test]
fn through_aws_json() {
    run_all(Door::AwsJson);
}

#[test]
fn through_rest() {
    run_all(Door::Rest);
}
