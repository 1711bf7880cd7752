//! The decision vectors of `tests/vectors/policy-vectors.json`, every one of them.

use keyward_policy::{PolicyEngine, vectors::judge};
use serde_json::Value;

const VECTORS: &str = include_str!("../../../../tests/vectors/policy-vectors.json");

#[test]
fn every_vector_is_decided_as_it_says() {
    let engine = PolicyEngine::new();
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).expect("the vectors");
    assert_eq!(vectors.len(), 105);
    // Each says what it expects; without that, to be decided would be to pass.
    assert!(vectors.iter().all(|vector| vector["expect"].is_string()));
    let judged = vectors.iter().map(|vector| judge(&engine, vector));
    let wrong: Vec<_> = judged.filter(|judged| !judged.pass).collect();
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
}
