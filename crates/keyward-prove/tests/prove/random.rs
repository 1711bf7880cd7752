//! Proofs and counterexamples compared with what the policy engine decides of random requests.

use crate::{
    samples::{self, KEY, Luck},
    solver,
};
use keyward_policy::{PolicyEngine, vectors::Vector};
use keyward_prove::{Prover, Surroundings, Use, Verdict};
use proptest::prelude::*;
use serde_json::Value;

/// Requests that a proof has to survive.
const REQUESTS: usize = 400;

fn allows(engine: &PolicyEngine, request: &Value, policy: &Value) -> bool {
    let mut vector = request.clone();
    vector["keyPolicy"] = policy.clone();
    let vector = Vector::read(&vector).unwrap_or_else(|why| panic!("{why}: {vector}"));
    vector.put(|question| engine.decide_tersely(question)).allowed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// The seed is what a failure prints.
    #[test]
    fn what_is_proved_holds_of_random_requests(seed in any::<u64>()) {
        let mut luck = Luck::new(seed);
        let engine = PolicyEngine::new();
        let Some(solver) = solver() else { return Ok(()) };
        let key = luck.chance(50).then_some(KEY);
        let prover = Prover::new(&solver, key);
        let old = samples::policy(&mut luck);
        let new = samples::changed(&mut luck, &old);
        let verdict = prover
            .no_new_access(&old.to_string(), &new.to_string(), None, Surroundings::Any)
            .unwrap();
        let difference = (0..REQUESTS).map(|_| samples::request(&mut luck)).find(|request| {
            allows(&engine, request, &new) && !allows(&engine, request, &old)
        });
        match (&verdict, difference) {
            (Verdict::Proved, Some(request)) => {
                prop_assert!(false, "proved, but {request}\nold {old}\nnew {new}");
            }
            (Verdict::Refuted(found), _) => {
                prop_assert!(allows(&engine, &found.vector, &new), "{} {new}", found.vector);
                prop_assert!(!allows(&engine, &found.vector, &old), "{} {old}", found.vector);
            }
            _ => {}
        }
    }

    #[test]
    fn statements_without_use_can_go(seed in any::<u64>()) {
        let mut luck = Luck::new(seed);
        let engine = PolicyEngine::new();
        let Some(solver) = solver() else { return Ok(()) };
        let prover = Prover::new(&solver, Some(KEY));
        let policy = samples::policy(&mut luck);
        for statement in prover.statements(&policy.to_string()).unwrap() {
            if !matches!(statement.used, Ok(Use::Dead | Use::Redundant)) {
                continue;
            }
            let mut less = policy.clone();
            let members = less["Statement"][statement.index].as_object_mut().unwrap();
            members.remove("Action");
            members.remove("NotAction");
            for _ in 0..REQUESTS / 4 {
                let request = samples::request(&mut luck);
                prop_assert_eq!(
                    allows(&engine, &request, &policy),
                    allows(&engine, &request, &less),
                    "{:?} {} {}", statement, request, policy
                );
            }
        }
    }
}

/// The model is exact enough to be of use: of small changes, nearly all are decided one way or the other.
#[test]
fn few_changes_are_undecided() {
    let Some(solver) = solver() else { return };
    let prover = Prover::new(&solver, Some(KEY));
    let mut unknown = Vec::new();
    let mut counts = [0_usize; 2];
    for seed in 0..60 {
        let mut luck = Luck::new(seed);
        let old = samples::policy(&mut luck);
        let new = samples::changed(&mut luck, &old);
        match prover.no_new_access(&old.to_string(), &new.to_string(), None, Surroundings::Any) {
            Ok(Verdict::Proved) => counts[0] += 1,
            Ok(Verdict::Refuted(_)) => counts[1] += 1,
            Ok(Verdict::Unknown(why)) => unknown.push((seed, why)),
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    println!("{counts:?} {unknown:#?}");
    assert!(unknown.len() <= 6, "{unknown:#?}");
    assert!(10 < counts[0] && 10 < counts[1], "{counts:?}");
}
