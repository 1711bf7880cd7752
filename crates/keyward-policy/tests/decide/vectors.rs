//! The decision vectors of `tests/vectors/policy-vectors.json`, every one of them.

use crate::world::decide_vector;
use keyward_policy::PolicyEngine;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../../tests/vectors/policy-vectors.json");

/// The vector's words for a refusal, in the words of AWS's message.
fn says(reason: &str) -> &str {
    match reason {
        "operation not available cross-account" => "not available to principals of other accounts",
        "reserved alias" => "reserved",
        other => other,
    }
}

#[test]
fn every_vector_is_decided_as_it_says() {
    let engine = PolicyEngine::new();
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).expect("the vectors");
    assert_eq!(vectors.len(), 105);
    let mut wrong = Vec::new();
    for vector in &vectors {
        let decision = decide_vector(&engine, vector);
        let because = decision.because();
        let effect_ok = format!("{:?}", decision.effect) == vector["expect"];
        let reason_ok =
            vector["reason"].as_str().is_none_or(|reason| because.contains(says(reason)));
        if !effect_ok || !reason_ok {
            wrong.push(format!("{} {}: {:#?}", vector["id"], vector["name"], decision));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
