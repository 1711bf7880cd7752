//! Checkpoints and proofs of the log, by the public key alone.

use super::world::TestWorld;
use crate::{log::log_verifier, witness::Uncosigned};
use keyward_store::EventQuery;
use keyward_trail::{
    checkpoint::{SignedCheckpoint, Trust},
    hashes::{check_from, start_of},
    merkle::{leaf_hash, verify_consistency},
    note::{NoteSignature, VerifierKey},
    proof::Proof,
    witness::{AddCheckpoint, Refusal},
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

/// What a log asks of a witness that has seen `old` of it.
fn asking(log: &TestWorld, old: u64) -> (SignedCheckpoint, String) {
    let checkpoint = log.engine.checkpoint().unwrap();
    let size = checkpoint.unverified().size;
    let path = log.engine.prove_consistency(old, size).unwrap().unwrap();
    let request = AddCheckpoint { old, path, checkpoint: checkpoint.clone() };
    (checkpoint, request.to_string())
}

fn refusal(witness: &TestWorld, request: &str, known: &[VerifierKey]) -> Refusal {
    match witness.engine.cosign(request.as_bytes(), known) {
        Err(Uncosigned::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_witness_cosigns_what_continues_and_the_log_keeps_it() {
    let (log, witness) = (TestWorld::new(), TestWorld::new());
    let key = log.engine.log_key().unwrap();
    let known = [key.clone()];
    let cosigner = witness.engine.witness_key().unwrap();
    log.symmetric();
    let (checkpoint, request) = asking(&log, 0);
    assert_eq!(refusal(&witness, &request, &[]), Refusal::UnknownOrigin);
    assert_eq!(refusal(&witness, "old 0\n", &known), Refusal::Malformed);
    let line = witness.engine.cosign(request.as_bytes(), &known).unwrap();
    let cosignatures = NoteSignature::parse_lines(&line).unwrap();

    let keep = |of: &SignedCheckpoint, cosignatures: &[NoteSignature]| {
        log.engine.keep_cosigned(of, cosignatures.to_vec(), core::slice::from_ref(&cosigner))
    };
    assert!(log.engine.last_cosigned(1).unwrap().is_none());
    let cosigned = keep(&checkpoint, &cosignatures).unwrap().unwrap();
    let trust = Trust {
        origin: key.name(),
        log: &known,
        witnesses: core::slice::from_ref(&cosigner),
        quorum: 1,
    };
    cosigned.verify(&trust, &log_verifier).unwrap();
    assert_eq!(log.engine.last_cosigned(1).unwrap(), Some(cosigned.clone()));
    assert_eq!(log.engine.checkpoint().unwrap(), cosigned, "it stands in the first one's place");
    assert_eq!(keep(&checkpoint, &cosignatures).unwrap(), Some(cosigned), "once is enough");

    // The log goes on: a cosignature of the past is no longer kept, and one of other words never.
    log.symmetric();
    let (newer, request) = asking(&log, checkpoint.unverified().size);
    assert_eq!(keep(&checkpoint, &cosignatures).unwrap(), None);
    assert!(keep(&newer, &cosignatures).is_err());
    assert_eq!(log.engine.checkpoint().unwrap(), newer);
    assert_eq!(log.engine.last_cosigned(1).unwrap().unwrap().unverified(), checkpoint.unverified());

    // What was seen once is seen for good.
    let size = checkpoint.unverified().size;
    let (_, again) = asking(&log, 0);
    assert_eq!(refusal(&witness, &again, &known), Refusal::Conflict(size));
    witness.engine.cosign(request.as_bytes(), &known).unwrap();
    let seen = newer.unverified().size;
    assert_eq!(refusal(&witness, &request, &known), Refusal::Conflict(seen));
    // Two requests at a time: one is first, and the other hears of it.
    log.symmetric();
    let (_, request) = asking(&log, seen);
    let answers = std::thread::scope(|scope| {
        let ask = || witness.engine.cosign(request.as_bytes(), &known).is_ok();
        [scope.spawn(ask), scope.spawn(ask)].map(|one| one.join().unwrap())
    });
    assert_eq!(answers.iter().filter(|cosigned| **cosigned).count(), 1);
    // The witness's own log tells of the first time, and of no other.
    let events = witness.events(100);
    assert_eq!(events.iter().filter(|event| event["eventName"] == "BeginWitness").count(), 1);
}

#[test]
fn the_hashes_of_events_are_those_that_the_checkpoint_is_of() {
    let world = TestWorld::new();
    for _ in 0..5 {
        world.symmetric();
    }
    let key = world.engine.log_key().unwrap();
    let trust =
        Trust { origin: key.name(), log: core::slice::from_ref(&key), witnesses: &[], quorum: 0 };
    let head = world.engine.checkpoint().unwrap();
    let size = head.unverified().size;
    let hashes = |from, to| world.engine.event_hashes((from, to), head.clone()).unwrap();
    let events =
        world.engine.store().events(&EventQuery { limit: 100, ..EventQuery::default() }).unwrap();
    let mut found: Vec<_> =
        events.iter().map(|event| (event.seq, leaf_hash(&event.record))).collect();
    found.sort_unstable();
    let found: Vec<_> = found.into_iter().map(|(_, leaf)| leaf).collect();
    for (from, to) in [(0, size), (2, size), (1, 4), (3, 3)] {
        let proven = hashes(from, to).verify(&trust, &log_verifier).unwrap();
        let part = &found[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()];
        let start = start_of(part.len(), core::slice::from_ref(&proven), None).unwrap();
        let held = check_from(start, part, &[proven], []).unwrap();
        assert_eq!((held.size, held.signed), (to, to));
    }
}
