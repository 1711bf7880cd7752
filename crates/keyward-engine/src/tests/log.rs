//! Checkpoints and proofs of the log, by the public key alone.

use super::world::TestWorld;
use crate::log::log_verifier;
use keyward_store::EventQuery;
use keyward_trail::{
    checkpoint::{SignedCheckpoint, Trust},
    merkle::{leaf_hash, verify_consistency},
    proof::Proof,
};
use serde_json::json;

#[test]
fn every_event_is_proved_under_a_checkpoint_and_each_checkpoint_continues_the_last() {
    let world = TestWorld::new();
    let key = world.engine.log_key().unwrap();
    let trust =
        Trust { origin: key.name(), log: core::slice::from_ref(&key), witnesses: &[], quorum: 0 };
    let id = world.symmetric();
    let first = world.engine.checkpoint().unwrap();
    assert_eq!(world.engine.checkpoint().unwrap(), first, "nothing has happened since");
    for _ in 0..40 {
        world.ok("Encrypt", json!({"KeyId": id, "Plaintext": "aGk="}));
    }
    let second = world.engine.checkpoint().unwrap();
    let (old, new) = (first.unverified(), second.unverified());
    assert!(old.size < new.size);
    let path = world.engine.prove_consistency(old.size, new.size).unwrap().unwrap();
    verify_consistency(old.size, &old.root, new.size, &new.root, &path).unwrap();
    assert!(world.engine.prove_consistency(new.size, new.size + 1).unwrap().is_none());
    world.ok("Encrypt", json!({"KeyId": id, "Plaintext": "aGk="}));

    let query = EventQuery { limit: 100, ..EventQuery::default() };
    let events = world.engine.store().events(&query).unwrap();
    for event in &events {
        let text = world.engine.prove(event).unwrap().to_string();
        let proof = Proof::parse(text.as_bytes()).unwrap();
        assert_eq!(proof.extra(), event.record);
        proof.verify(&leaf_hash(&event.record), &trust, &log_verifier).unwrap();
        let mut other = event.record.clone();
        other[10] ^= 1;
        assert!(proof.verify(&leaf_hash(&other), &trust, &log_verifier).is_err());
    }
    // The first events are proved under the first checkpoint, the last under one made for it.
    let of = |n: usize| world.engine.prove(&events[n]).unwrap().checkpoint().unverified().size;
    assert_eq!((of(0), of(events.len() - 1)), (old.size, events.len() as u64));

    let kept = world.engine.store().last_checkpoint().unwrap().unwrap();
    let parsed = SignedCheckpoint::parse(kept.note.as_bytes()).unwrap();
    parsed.verify(&trust, &log_verifier).unwrap();
    let forged = kept.note.replacen(&format!("\n{}\n", kept.size), "\n1\n", 1);
    assert!(
        SignedCheckpoint::parse(forged.as_bytes()).unwrap().verify(&trust, &log_verifier).is_err()
    );
}
