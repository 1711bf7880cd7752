//! A bundle of a small log, and everything that somebody could change in it.

use super::*;
use crate::{
    merkle::{Nodes, consistency_proof, inclusion_proof},
    note::{KeyKind, Signer, VerifierKey, cosign},
};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

const ORIGIN: &str = "keyward/test";

struct Key(SigningKey);

impl Signer for Key {
    fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

fn key(seed: u8) -> Key {
    Key(SigningKey::from_bytes(&[seed; 32]))
}

fn public(key: &Key) -> VerifierKey {
    VerifierKey::new(ORIGIN, KeyKind::Ed25519, key.public()).unwrap()
}

fn ed25519(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let key = VerifyingKey::from_bytes(public).unwrap();
    key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
}

fn record(number: u64) -> String {
    let (name, parameters) = match number {
        2 => ("CreateKey", json!({"description": "first"})),
        5 => ("PutKeyPolicy", json!({"policy": "{\"Statement\":[]}"})),
        _ => ("Decrypt", json!({"encryptionContext": {"tenant": number.to_string()}})),
    };
    json!({
        "eventName": name, "eventTime": "2026-01-01T00:00:00Z", "eventID": number.to_string(),
        "resources": [{"ARN": "arn:aws:kms:us-east-1:000000000000:key/k"}],
        "requestParameters": parameters,
        "userIdentity": {"arn": "arn:aws:iam::000000000000:root"},
    })
    .to_string()
}

fn checkpoint(nodes: &Nodes, key: &Key) -> SignedCheckpoint {
    Checkpoint::new(ORIGIN, nodes.size(), nodes.root()).sign(key).unwrap()
}

/// A bundle of events 2, 5 and 7 of a log of nine, and a checkpoint that was kept when it had four.
fn bundle(key: &Key) -> (Bundle, SignedCheckpoint) {
    let mut nodes = Nodes::default();
    let mut old = None;
    for number in 0..9 {
        nodes.append(leaf_hash(record(number).as_bytes())).unwrap();
        if nodes.size() == 4 {
            old = Some(checkpoint(&nodes, key));
        }
    }
    let signed = checkpoint(&nodes, key);
    let proof = |number| {
        let path = inclusion_proof(&nodes, number, 9).unwrap();
        let proof = Proof::new(number, path, signed.clone()).unwrap();
        (record(number), proof.with_extra(record(number).into_bytes()).unwrap())
    };
    let bundle = Bundle::new(Contents {
        about: json!({"Query": "key:k"}),
        consistency: vec![(4, consistency_proof(&nodes, 4, 9).unwrap())],
        // In any order, and one of them twice.
        events: [7, 2, 5, 2].into_iter().map(proof).collect(),
        in_force: json!({"Keys": []}),
        checkpoint: signed.clone(),
    });
    (bundle, old.unwrap())
}

fn verify(bundle: &Bundle) -> Result<Held, BundleError> {
    against(bundle, &public(&key(1)), &[])
}

/// With the log's word alone.
fn against(
    bundle: &Bundle,
    key: &VerifierKey,
    old: &[SignedCheckpoint],
) -> Result<Held, BundleError> {
    let log = core::slice::from_ref(key);
    let trust = Trust { origin: key.name(), log, witnesses: &[], quorum: 0 };
    bundle.verify(&trust, old, &ed25519)
}

/// What somebody does who also corrects the manifest.
fn corrected(mut bundle: Bundle) -> Bundle {
    bundle.manifest = manifest(&bundle.parts);
    bundle
}

fn place(bundle: &Bundle, name: &str) -> usize {
    bundle.parts.iter().position(|part| part.name == name).unwrap()
}

#[test]
fn a_bundle_holds_after_it_was_written_and_read() {
    let (made, old) = bundle(&key(1));
    let read = Bundle::parse(made.to_text().as_bytes()).unwrap();
    assert_eq!(read, made);
    assert_eq!(read.digest(), made.digest());
    let held = against(&read, &public(&key(1)), &[old]).unwrap();
    assert_eq!((held.checkpoint.size, held.events), (9, vec![2, 5, 7]));
    assert_eq!(held.derived, Vec::<String>::new());
    let history: Value = serde_json::from_str(&read.parts[place(&read, HISTORY)].text).unwrap();
    assert_eq!(history[0]["Policy"], Value::Null);
    assert_eq!(history[1]["Policy"], "{\"Statement\":[]}");
}

#[test]
fn a_changed_byte_of_any_part_is_named() {
    let (made, _) = bundle(&key(1));
    for place in 0..made.parts.len() {
        let mut changed = made.clone();
        let text = &mut changed.parts[place].text;
        // Some byte in the middle, for another letter.
        let at = text.len() / 2;
        let old = text.as_bytes()[at];
        text.replace_range(at..=at, if old == b'x' { "y" } else { "x" });
        let part = made.parts[place].name.clone();
        assert_eq!(verify(&changed), Err(BundleError::Digest { part }));
    }
}

#[test]
fn correcting_the_manifest_helps_nobody_with_what_is_proven() {
    let (made, _) = bundle(&key(1));
    for place in 0..made.parts.len() {
        let name = &made.parts[place].name;
        if [ABOUT, IN_FORCE].contains(&name.as_str()) || name.starts_with(CONSISTENCY) {
            continue;
        }
        for at in 0..made.parts[place].text.len() {
            let mut changed = made.clone();
            let text = &mut changed.parts[place].text;
            let old = text.as_bytes()[at];
            if !text.is_char_boundary(at) || !text.is_char_boundary(at + 1) {
                continue;
            }
            text.replace_range(at..=at, if old == b'x' { "y" } else { "x" });
            let changed = corrected(changed);
            let found = verify(&changed);
            // What is only derived may be said in other words: it is named, and nothing rests on it.
            if name == HISTORY || name.ends_with(EXPLANATION) {
                assert_eq!(found.unwrap().derived, [name.as_str()], "{at}");
            } else {
                assert!(found.is_err(), "{name} {at}");
            }
            assert_ne!(changed.digest(), made.digest());
        }
    }
    // What nobody vouches for is said to be so, and the digest tells the change.
    let mut changed = made.clone();
    let place = place(&made, IN_FORCE);
    changed.parts[place].text = "{}".to_owned();
    let changed = corrected(changed);
    assert_eq!(verify(&changed).unwrap().unproven, [ABOUT, IN_FORCE]);
    assert_ne!(changed.digest(), made.digest());
}

#[test]
fn events_cannot_be_removed_swapped_or_proven_by_others() {
    let (made, _) = bundle(&key(1));
    let first = place(&made, &of_event(2, RECORD));
    let second = place(&made, &of_event(5, RECORD));

    let mut removed = made.clone();
    removed.parts.drain(second..second + 3);
    let part = of_event(5, RECORD);
    assert_eq!(verify(&removed), Err(BundleError::Missing { part }));
    // With the manifest corrected the others still hold; only what follows from the events tells.
    let held = verify(&corrected(removed)).unwrap();
    assert_eq!((held.events, held.derived), (vec![2, 7], vec![HISTORY.to_owned()]));

    let mut swapped = made.clone();
    let text = swapped.parts[first].text.clone();
    swapped.parts[first].text = core::mem::replace(&mut swapped.parts[second].text, text);
    let part = of_event(2, RECORD);
    assert_eq!(verify(&swapped), Err(BundleError::Digest { part }));
    let wrong = verify(&corrected(swapped));
    assert!(matches!(wrong, Err(BundleError::Event { number: 2, .. })), "{wrong:?}");

    let mut moved = made.clone();
    let parts: Vec<Part> = moved.parts.drain(second..second + 3).collect();
    moved.parts.splice(first..first, parts);
    let wrong = verify(&corrected(moved));
    assert_eq!(wrong, Err(BundleError::Place { part: of_event(2, RECORD) }));

    let mut lent = made.clone();
    lent.parts[first + 1].text = made.parts[second + 1].text.clone();
    let wrong = verify(&corrected(lent));
    assert!(matches!(wrong, Err(BundleError::Event { number: 2, .. })), "{wrong:?}");

    let mut added = made.clone();
    added.parts.push(Part::new("events/2/more", "x"));
    let part = "events/2/more".to_owned();
    assert_eq!(verify(&added), Err(BundleError::Place { part: part.clone() }));
    assert_eq!(verify(&corrected(added)), Err(BundleError::Place { part }));
}

#[test]
fn another_key_or_another_log_is_not_believed() {
    let (made, _) = bundle(&key(1));
    let wrong = against(&made, &public(&key(2)), &[]);
    assert!(matches!(wrong, Err(BundleError::Checkpoint(_))), "{wrong:?}");
    // A log that somebody made up whole, with a key of his own.
    let (forged, _) = bundle(&key(2));
    assert!(matches!(verify(&forged), Err(BundleError::Checkpoint(_))));
    // A checkpoint of another log of the same key: the proofs are under the bundle's.
    let mut mixed = made.clone();
    let mut nodes = Nodes::default();
    nodes.append(leaf_hash(b"other")).unwrap();
    let at = place(&made, CHECKPOINT);
    mixed.parts[at].text = checkpoint(&nodes, &key(1)).to_string();
    let wrong = verify(&corrected(mixed));
    assert!(matches!(wrong, Err(BundleError::Event { number: 2, .. })), "{wrong:?}");
}

#[test]
fn a_witness_that_is_demanded_must_have_signed_what_is_brought() {
    let (made, old) = bundle(&key(1));
    let (log, witness) = (public(&key(1)), key(3));
    let own = VerifierKey::new("witness", KeyKind::CosignatureV1, witness.public()).unwrap();
    let trust = Trust {
        origin: ORIGIN,
        log: core::slice::from_ref(&log),
        witnesses: core::slice::from_ref(&own),
        quorum: 1,
    };
    for old in [&[][..], core::slice::from_ref(&old)] {
        let wrong = made.verify(&trust, old, &ed25519);
        assert!(matches!(wrong, Err(BundleError::Checkpoint(_))), "{wrong:?}");
    }
    let mut cosigned = old;
    let text = cosigned.note().unverified_text().to_owned();
    cosigned.note_mut().push(cosign(&text, "witness", &witness, 1).unwrap()).unwrap();
    assert!(made.verify(&trust, &[cosigned], &ed25519).is_ok());
}

#[test]
fn an_old_checkpoint_is_continued_or_not() {
    let (made, old) = bundle(&key(1));
    let verify = |old: SignedCheckpoint| against(&made, &public(&key(1)), &[old]);
    assert!(verify(old).is_ok());
    // The same sizes of a log that went another way.
    for size in [4, 9, 12, 3] {
        let mut nodes = Nodes::default();
        for number in 0..size {
            nodes.append(leaf_hash(format!("other {number}").as_bytes())).unwrap();
        }
        let wrong = verify(checkpoint(&nodes, &key(1)));
        match size {
            4 | 9 => assert!(matches!(wrong, Err(BundleError::Growth { .. })), "{wrong:?}"),
            _ => assert_eq!(wrong, Err(BundleError::NotShown { size })),
        }
    }
    let mut none = Nodes::default();
    none.append(leaf_hash(record(0).as_bytes())).unwrap();
    let signed = checkpoint(&none, &key(2));
    assert!(matches!(verify(signed), Err(BundleError::Checkpoint(_))));
}

#[test]
fn what_is_no_bundle_is_said_to_be_none() {
    let (made, _) = bundle(&key(1));
    for text in ["", "{}", "[]", &made.to_text().replace("bundle/1", "bundle/2")] {
        assert!(matches!(Bundle::parse(text.as_bytes()), Err(BundleError::Form(_))), "{text}");
    }
}
