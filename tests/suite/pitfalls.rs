//! Mistakes that other implementations of the API made, as their issue trackers tell, and for each what shows
//! that it is not made here: a transcript, a client's story, or a test.
//!
//! It says where to look; what is shown is in those places. A place that is renamed fails this test.

use keyward_testkit::{TestService, doors, doors::Door, golden};
use std::fs;

/// Where something is shown. Paths are from the repository's root.
enum Shown {
    /// A transcript below `tests/scenarios`.
    Scenario(&'static str),
    /// A story of a program below `tests/clients`.
    Story(&'static str, &'static str),
    /// A test of a source file.
    Test(&'static str, &'static str),
}

use Shown::{Scenario, Story, Test};

/// One mistake: its number, what must hold instead, and where that is shown.
type Row = (u8, &'static str, &'static [Shown]);

const PITFALLS: &[Row] = &[
    (
        1,
        "data keys of every kind open with their encryption context alone",
        &[Scenario("crypto/data_keys.kms"), Scenario("crypto/context.kms")],
    ),
    (2, "the same plaintext never gives the same ciphertext", &[Story("use.py", "messages")]),
    (
        3,
        "the pair that the Encryption SDK adds counts like any other",
        &[Scenario("crypto/data_keys.kms")],
    ),
    (
        4,
        "a KeyId beside a ciphertext is compared with the key that made it",
        &[Scenario("crypto/claimed_key.kms")],
    ),
    (
        5,
        "what no key made is an invalid ciphertext, with a KeyId or without, and no more is said",
        &[Scenario("crypto/claimed_key.kms"), Story("limits.py", "broken_ciphertexts")],
    ),
    (
        6,
        "an RSA ciphertext is the bare block, so that it can be made with the public key alone",
        &[Story("node_crypto.mjs", "envelopes"), Story("use.py", "rsa_offline")],
    ),
    (
        7,
        "a digest is signed as it is, and must have its algorithm's length",
        &[Scenario("crypto/signing.kms"), Story("node_crypto.mjs", "signatures")],
    ),
    (
        8,
        "a PKCS#1 signature of a digest names the hash function",
        &[Story("node_crypto.mjs", "signatures")],
    ),
    (
        9,
        "the message that is signed is the decoded one",
        &[Scenario("crypto/signing.kms"), Story("node_crypto.mjs", "signatures")],
    ),
    (10, "a public key is a SubjectPublicKeyInfo", &[Story("node_crypto.mjs", "own_signers")]),
    (
        11,
        "a PSS salt is as long as the digest, and no other length verifies",
        &[Story("node_crypto.mjs", "signatures"), Story("node_crypto.mjs", "own_signers")],
    ),
    (
        12,
        "each curve is the one that its spec names, secp256k1 among them",
        &[Story("node_crypto.mjs", "signatures")],
    ),
    (
        13,
        "Ed25519 keys are Ed25519, with one message type for each of their algorithms",
        &[Story("materials.py", "edwards_and_lattice"), Story("node_crypto.mjs", "signatures")],
    ),
    (
        14,
        "ML-DSA keys sign, in FIPS 204's sizes, and take no digest",
        &[Story("materials.py", "edwards_and_lattice")],
    ),
    (15, "HMAC keys of all four specs make codes", &[Story("node_crypto.mjs", "codes")]),
    (16, "SM2 is unsupported in the Region, and not unknown", &[Scenario("keys/specs.kms")]),
    (17, "a spec goes with its own usages alone", &[Scenario("keys/specs.kms")]),
    (18, "an HMAC key's usage must be stated", &[Scenario("keys/specs.kms")]),
    (
        19,
        "both sides of an agreement get the same bare x-coordinate",
        &[Story("node_crypto.mjs", "agreements"), Story("materials.py", "key_agreement")],
    ),
    (20, "an answer names its key by ARN", &[Scenario("keys/forms.kms")]),
    (21, "cryptography takes all four forms of a key's name", &[Scenario("keys/forms.kms")]),
    (
        22,
        "an alias takes its target as id or ARN, and lists the id",
        &[Scenario("aliases/move.kms"), Story("use.py", "alias_moves")],
    ),
    (23, "ListAliases lists those of the key that it names", &[Story("use.py", "alias_moves")]),
    (24, "a bad alias is refused in AWS's words", &[Scenario("aliases/move.kms")]),
    (
        25,
        "an ARN of another Region names nothing here",
        &[Scenario("keys/identifiers.kms"), Story("use.py", "regions")],
    ),
    (
        26,
        "a key is made in the Region that the request is signed for",
        &[Story("use.py", "regions")],
    ),
    (27, "a disabled key is disabled by every name", &[Scenario("keys/disabled.kms")]),
    (28, "EnableKey revives no key that is pending deletion", &[Scenario("keys/deletion.kms")]),
    (29, "a key whose deletion is cancelled is disabled", &[Scenario("keys/deletion.kms")]),
    (30, "a deletion is scheduled once", &[Scenario("keys/deletion.kms")]),
    (31, "NotFoundException is HTTP 400", &[Story("stories.mjs", "errors")]),
    (32, "malformed JSON is the client's mistake", &[Story("limits.py", "malformed_bodies")]),
    (
        33,
        "times are seconds since 1970, wherever the service runs",
        &[Test("tests/suite/pitfalls.rs", "times_are_seconds_since_1970")],
    ),
    (34, "a description that nobody gave is empty, and there", &[Scenario("keys/metadata.kms")]),
    (35, "a key's description lists the algorithms of its usage", &[Scenario("keys/specs.kms")]),
    (36, "a key of one Region has no configuration for many", &[Scenario("keys/metadata.kms")]),
    (
        37,
        "a multi-Region key's id is mrk- and 32 hexadecimal digits",
        &[Story("materials.py", "multi_region")],
    ),
    (
        38,
        "a replica describes itself as one in its own Region, and cannot be replicated",
        &[Story("materials.py", "multi_region")],
    ),
    (39, "keys of every usage are described and listed", &[Scenario("keys/listed.kms")]),
    (
        40,
        "every key has a policy, AWS's default one if no other was given",
        &[Scenario("keys/listed.kms"), Story("limits.py", "bad_policies")],
    ),
    (
        41,
        "PutKeyPolicy needs no PolicyName",
        &[Scenario("policies/principals.kms"), Scenario("policies/lockout.kms")],
    ),
    (
        42,
        "a principal that can exist is taken in a policy, one that does not exist is refused",
        &[Scenario("policies/principals.kms")],
    ),
    (
        43,
        "a last page has no NextMarker, not even null; ListKeyPolicies has no error for a marker",
        &[Scenario("policies/pages.kms"), Story("use.py", "pages")],
    ),
    (
        44,
        "grants are listed, also where there are none",
        &[Scenario("grants/lifecycle.kms"), Scenario("keys/listed.kms")],
    ),
    (45, "a grant's name counts within its key", &[Scenario("grants/names.kms")]),
    (
        46,
        "all terms of a grant are kept, and senseless operations refused",
        &[Scenario("grants/names.kms")],
    ),
    (47, "a grant that is not the key's cannot be revoked", &[Scenario("grants/names.kms")]),
    (
        48,
        "a grant is retired by token alone or by id and key, by whom the grant allows",
        &[Scenario("grants/retire.kms")],
    ),
    (
        49,
        "Decrypt is decided about the key that made the ciphertext",
        &[Scenario("authorization/decrypt_resource.kms")],
    ),
    (
        50,
        "the caller's account is known to policies, and no service for a direct call",
        &[Scenario("authorization/via_service.kms"), Scenario("aliases/aws_managed.kms")],
    ),
    (
        51,
        "another account's key is found by its ARN, for the operations that AWS offers across accounts",
        &[Scenario("authorization/cross_account.kms"), Story("enforcement.py", "two_accounts")],
    ),
    (
        52,
        "rotation of a key that cannot rotate is unsupported",
        &[Scenario("rotation/not_for_all.kms")],
    ),
    (53, "a key that cannot rotate says that it does not", &[Scenario("rotation/not_for_all.kms")]),
    (
        54,
        "what was encrypted before a rotation opens after it",
        &[Scenario("rotation/rotation.kms")],
    ),
    (55, "a key rotates on demand 25 times", &[Story("use.py", "rotation")]),
    (56, "imported material rotates when it is asked to", &[Story("materials.py", "imported")]),
    (
        57,
        "material of every kind is imported, wrapped as it was agreed",
        &[
            Story("node_crypto.mjs", "own_signers"),
            Story("node_crypto.mjs", "envelopes"),
            Story("materials.py", "imported_pairs"),
        ],
    ),
    (
        58,
        "an imported HMAC key may be longer than its code",
        &[Story("materials.py", "imported_pairs")],
    ),
    (
        59,
        "plaintext has a least and a greatest length, for RSA by key and algorithm",
        &[Story("limits.py", "sizes"), Scenario("crypto/limits.kms")],
    ),
    (
        60,
        "a public key is given for every asymmetric usage",
        &[Scenario("crypto/limits.kms"), Story("materials.py", "key_agreement")],
    ),
    (61, "a refusal names the operation that was asked for", &[Scenario("crypto/wrong_usage.kms")]),
    (
        62,
        "tags are held to all of AWS's rules",
        &[Scenario("tags/tags.kms"), Story("use.py", "tags")],
    ),
    (
        63,
        "no plaintext leaves where the answer was to be for an attested environment alone: Recipient is refused by name",
        &[Scenario("crypto/recipient.kms")],
    ),
    (
        64,
        "AccessDeniedException is HTTP 400, and its text is in Message",
        &[
            Test("crates/keyward-server/src/answer.rs", "error_bodies_are_awss"),
            Story("stories.mjs", "roles"),
        ],
    ),
    (
        65,
        "a request for a service that is not here is told so, and goes nowhere else",
        &[Story("attacks.py", "senseless")],
    ),
    (
        66,
        "an answer's Date lets a client set its clock right; a browser is no client, so that no header is exposed to one",
        &[Story("stories.mjs", "wrong_clock")],
    ),
];

/// Why a place does not show anything.
fn missing(place: &Shown) -> Option<String> {
    let read = |path: &str| {
        fs::read_to_string(golden::tests_folder().join("..").join(path))
            .map_err(|error| format!("{path}: {error}"))
    };
    let (path, beginning) = match place {
        Scenario(path) => return read(&format!("tests/scenarios/{path}")).err(),
        Story(file, name) => {
            let beginning = match file.ends_with(".py") {
                true => format!("\ndef {name}(world):"),
                false => format!("\nasync function {name}()"),
            };
            (format!("tests/clients/{file}"), beginning)
        }
        Test(path, name) => ((*path).to_owned(), format!("fn {name}() {{")),
    };
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) => return Some(error),
    };
    let Some((before, _)) = text.split_once(&beginning) else {
        return Some(format!("{path} has no {}", beginning.trim()));
    };
    let idle = match place {
        Test(..) => !before.trim_end().ends_with("#[test]"),
        Story(_, name) => !told().contains(&format!(" {name}")),
        Scenario(_) => false,
    };
    idle.then(|| format!("{path}: nothing runs {}", beginning.trim()))
}

/// The list of the stories that are told.
fn told() -> String {
    fs::read_to_string(golden::tests_folder().join("suite/clients.rs")).unwrap()
}

#[test]
fn each_mistake_is_answered_somewhere() {
    let numbers: Vec<u8> = PITFALLS.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=66).collect::<Vec<_>>());
    let mut wrong = Vec::new();
    for (number, _, places) in PITFALLS {
        assert!(!places.is_empty(), "{number} is shown nowhere");
        let missing = places.iter().filter_map(missing);
        wrong.extend(missing.map(|why| format!("{number}: {why}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn places_that_are_not_there_are_noticed() {
    for place in [
        Scenario("keys/none.kms"),
        Story("use.py", "none"),
        Story("stories.mjs", "none"),
        Test("tests/suite/none.rs", "each_mistake_is_answered_somewhere"),
        Test("tests/suite/pitfalls.rs", "none"),
        // It is there, and no test.
        Test("crates/keyward-policy/examples/schema.rs", "main"),
    ] {
        assert!(missing(&place).is_some());
    }
}

#[test]
fn times_are_seconds_since_1970() {
    const START: f64 = 1_767_225_600.0;
    const WEEK: f64 = 604_800.0;
    let service = TestService::start();
    let ask = |operation, body: &str| {
        doors::call(&service, Door::AwsJson, &service.root(), operation, body)
    };
    let seconds =
        |answer: &doors::Answer, member: &str| answer.text(member).parse::<f64>().unwrap();
    let made = ask("CreateKey", "{}");
    let key = made.text("/KeyMetadata/KeyId");
    let created = seconds(&made, "/KeyMetadata/CreationDate");
    assert!((START..START + 60.0).contains(&created), "{created}");
    let body = format!(r#"{{"KeyId": "{key}", "PendingWindowInDays": 7}}"#);
    let gone = seconds(&ask("ScheduleKeyDeletion", &body), "/DeletionDate");
    assert!((created + WEEK..created + WEEK + 60.0).contains(&gone), "{created} {gone}");
}
