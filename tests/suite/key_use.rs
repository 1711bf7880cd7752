//! Every cryptographic operation with a key of every spec and usage, and every algorithm that AWS's model knows: what
//! does not go together is refused in the reference's words, through both doors.
//!
//! What goes together is written here once more, from section 3 of the reference, apart from the service's own tables.
//! RSA keys of 3072 and 4096 bits are records with the halves of a smaller key: making real ones takes seconds, and what
//! is refused is refused before a key is used. What such a key can do, `keyward-crypto`'s own tests show.

use super::{
    aws_model::shape,
    requests::{Contents, attempt, expect, key, merged},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_store::Commit;
use keyward_testkit::{
    TestService,
    doors::{Answer, Door},
};
use keyward_types::{Change, KeyId, KeyName, KeyRecord, KeyRef, KeySpec, Record};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Spec, usage, and the algorithms of that use.
const USES: &[(&str, &str, &[&str])] = &[
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", &["SYMMETRIC_DEFAULT"]),
    ("RSA_2048", "ENCRYPT_DECRYPT", OAEP),
    ("RSA_3072", "ENCRYPT_DECRYPT", OAEP),
    ("RSA_4096", "ENCRYPT_DECRYPT", OAEP),
    ("RSA_2048", "SIGN_VERIFY", RSASSA),
    ("RSA_3072", "SIGN_VERIFY", RSASSA),
    ("RSA_4096", "SIGN_VERIFY", RSASSA),
    ("ECC_NIST_P256", "SIGN_VERIFY", &["ECDSA_SHA_256"]),
    ("ECC_NIST_P384", "SIGN_VERIFY", &["ECDSA_SHA_384"]),
    ("ECC_NIST_P521", "SIGN_VERIFY", &["ECDSA_SHA_512"]),
    ("ECC_SECG_P256K1", "SIGN_VERIFY", &["ECDSA_SHA_256"]),
    ("ECC_NIST_P256", "KEY_AGREEMENT", &["ECDH"]),
    ("ECC_NIST_P384", "KEY_AGREEMENT", &["ECDH"]),
    ("ECC_NIST_P521", "KEY_AGREEMENT", &["ECDH"]),
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", &["ED25519_SHA_512", "ED25519_PH_SHA_512"]),
    ("ML_DSA_44", "SIGN_VERIFY", &["ML_DSA_SHAKE_256"]),
    ("ML_DSA_65", "SIGN_VERIFY", &["ML_DSA_SHAKE_256"]),
    ("ML_DSA_87", "SIGN_VERIFY", &["ML_DSA_SHAKE_256"]),
    ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE", &["ML_KEM"]),
    ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", &["ML_KEM"]),
    ("ML_KEM_1024", "ENCAPSULATE_DECAPSULATE", &["ML_KEM"]),
    ("HMAC_224", "GENERATE_VERIFY_MAC", &["HMAC_SHA_224"]),
    ("HMAC_256", "GENERATE_VERIFY_MAC", &["HMAC_SHA_256"]),
    ("HMAC_384", "GENERATE_VERIFY_MAC", &["HMAC_SHA_384"]),
    ("HMAC_512", "GENERATE_VERIFY_MAC", &["HMAC_SHA_512"]),
];

const OAEP: &[&str] = &["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"];
const RSASSA: &[&str] = &[
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
];

/// Spec, usage, and whether the key is a real one.
struct Key {
    spec: &'static str,
    usage: &'static str,
    algorithms: &'static [&'static str],
    arn: String,
    real: bool,
}

/// A service with a key of every use.
fn keys(service: &TestService) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for (spec, usage, algorithms) in USES {
        let real = !["RSA_3072", "RSA_4096"].contains(spec);
        let arn = if real {
            key(service, &json!({"KeySpec": spec, "KeyUsage": usage}))
        } else {
            let small = keys.iter().find(|key| key.spec == "RSA_2048" && key.usage == *usage);
            enlarged(service, &small.unwrap().arn, spec, keys.len())
        };
        keys.push(Key { spec, usage, algorithms, arn, real });
    }
    keys
}

/// Another key with the record of this one, but for its name and spec.
fn enlarged(service: &TestService, arn: &str, spec: &str, number: usize) -> String {
    let store = service.engine.store();
    let KeyRef::Arn(small) = KeyRef::parse(arn) else { panic!("{arn} is no ARN") };
    let id = uuid::Uuid::from_u128(number as u128);
    let name = KeyName { key_id: KeyId::from_uuid(id), ..small.clone() };
    let record = KeyRecord {
        name: name.clone(),
        spec: KeySpec::parse(spec).unwrap(),
        ..KeyRecord::clone(&store.key(&small).unwrap().unwrap())
    };
    let changes = vec![Change::Put(Box::new(Record::Key(record)))];
    let commit = Commit { snapshot: store.snapshot(), changes, ..Commit::default() };
    store.commit(commit).wait().unwrap();
    name.to_string()
}

/// Code and words; `None` for words that are not fixed.
type Expected = (&'static str, Option<String>);

const USAGE: &str = "InvalidKeyUsageException";

fn bare(code: &'static str) -> Expected {
    (code, Some(String::new()))
}

/// An operation that takes an algorithm.
struct Use {
    operation: &'static str,
    usage: &'static str,
    member: &'static str,
    /// The enum of the algorithms in the model.
    algorithms: &'static str,
    /// What it answers to the bodies below when key and algorithm go together.
    fitting: &'static str,
}

const BY_ALGORITHM: &[Use] = &[
    Use {
        operation: "Encrypt",
        usage: "ENCRYPT_DECRYPT",
        member: "EncryptionAlgorithm",
        algorithms: "EncryptionAlgorithmSpec",
        fitting: "200",
    },
    Use {
        operation: "Decrypt",
        usage: "ENCRYPT_DECRYPT",
        member: "EncryptionAlgorithm",
        algorithms: "EncryptionAlgorithmSpec",
        fitting: "InvalidCiphertextException",
    },
    Use {
        operation: "Sign",
        usage: "SIGN_VERIFY",
        member: "SigningAlgorithm",
        algorithms: "SigningAlgorithmSpec",
        fitting: "200",
    },
    Use {
        operation: "Verify",
        usage: "SIGN_VERIFY",
        member: "SigningAlgorithm",
        algorithms: "SigningAlgorithmSpec",
        fitting: "KMSInvalidSignatureException",
    },
    Use {
        operation: "GenerateMac",
        usage: "GENERATE_VERIFY_MAC",
        member: "MacAlgorithm",
        algorithms: "MacAlgorithmSpec",
        fitting: "200",
    },
    Use {
        operation: "VerifyMac",
        usage: "GENERATE_VERIFY_MAC",
        member: "MacAlgorithm",
        algorithms: "MacAlgorithmSpec",
        fitting: "KMSInvalidMacException",
    },
    Use {
        operation: "DeriveSharedSecret",
        usage: "KEY_AGREEMENT",
        member: "KeyAgreementAlgorithm",
        algorithms: "KeyAgreementAlgorithmSpec",
        // Bytes that are no public key; AWS has no words for it.
        fitting: "ValidationException",
    },
    Use {
        operation: "Encapsulate",
        usage: "ENCAPSULATE_DECAPSULATE",
        member: "EncapsulationAlgorithm",
        algorithms: "EncapsulationAlgorithmSpec",
        fitting: "200",
    },
    Use {
        operation: "Decapsulate",
        usage: "ENCAPSULATE_DECAPSULATE",
        member: "EncapsulationAlgorithm",
        algorithms: "EncapsulationAlgorithmSpec",
        fitting: "InvalidCiphertextException",
    },
];

impl Use {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        shape(self.algorithms)["enum"].as_array().unwrap().iter().filter_map(Value::as_str)
    }

    fn body(&self, key: &Key, algorithm: &str) -> Value {
        // Digests as long as Ed25519ph wants them; other algorithms sign the message itself.
        let prehashed = algorithm == "ED25519_PH_SHA_512";
        let message = STANDARD.encode([7; 64]);
        let more = match self.operation {
            "Encrypt" => json!({"Plaintext": "aGk="}),
            "Decrypt" => json!({"CiphertextBlob": STANDARD.encode([7; 256])}),
            "Sign" => json!({"Message": message}),
            "Verify" => json!({"Message": message, "Signature": "aGk="}),
            "GenerateMac" => json!({"Message": message}),
            "VerifyMac" => json!({"Message": message, "Mac": "aGk="}),
            "DeriveSharedSecret" => json!({"PublicKey": "aGk="}),
            "Decapsulate" => json!({"SharedSecretCiphertextBlob": "aGk="}),
            _ => json!({}),
        };
        let mut body = merged(&json!({"KeyId": key.arn, self.member: algorithm}), &more);
        if prehashed {
            body["MessageType"] = json!("DIGEST");
        }
        body
    }

    fn expected(&self, key: &Key, algorithm: &str) -> Expected {
        // A symmetric ciphertext names its key, so that it is looked at before any key is.
        if self.operation == "Decrypt" && algorithm == "SYMMETRIC_DEFAULT" {
            return bare("InvalidCiphertextException");
        }
        if key.usage != self.usage {
            return wrong_usage(key, self.operation);
        }
        if !key.algorithms.contains(&algorithm) {
            return wrong_algorithm(key, algorithm);
        }
        if self.fitting == "200" { ("200", None) } else { bare(self.fitting) }
    }
}

fn wrong_usage(key: &Key, operation: &str) -> Expected {
    (
        USAGE,
        Some(format!("{} key usage is {} which is not valid for {operation}.", key.arn, key.usage)),
    )
}

fn wrong_algorithm(key: &Key, algorithm: &str) -> Expected {
    (USAGE, Some(format!("Algorithm {algorithm} is incompatible with key spec {}.", key.spec)))
}

/// Every request of the matrix with what is expected of it.
fn matrix(service: &TestService, keys: &[Key]) -> Vec<(&'static str, Value, Expected)> {
    let mut cells = Vec::new();
    for key in keys {
        for one in BY_ALGORITHM {
            for algorithm in one.names() {
                let expected = one.expected(key, algorithm);
                let fits = key.usage == one.usage && key.algorithms.contains(&algorithm);
                if key.real || !fits {
                    cells.push((one.operation, one.body(key, algorithm), expected));
                }
            }
        }
        for (operation, more) in [
            ("GenerateDataKey", json!({"KeySpec": "AES_256"})),
            ("GenerateDataKeyWithoutPlaintext", json!({"KeySpec": "AES_256"})),
            ("GenerateDataKeyPair", json!({"KeyPairSpec": "ECC_NIST_P256"})),
            ("GenerateDataKeyPairWithoutPlaintext", json!({"KeyPairSpec": "ECC_NIST_P256"})),
        ] {
            let expected = match (key.usage, key.spec) {
                (_, "SYMMETRIC_DEFAULT") => ("200", None),
                ("ENCRYPT_DECRYPT", _) => {
                    let words = "You cannot generate a data key with an asymmetric CMK";
                    (USAGE, Some(words.to_owned()))
                }
                _ => wrong_usage(key, operation),
            };
            cells.push((operation, merged(&json!({"KeyId": key.arn}), &more), expected));
        }
        let has_no_public_half =
            key.spec == "SYMMETRIC_DEFAULT" || key.usage == "GENERATE_VERIFY_MAC";
        let expected =
            if has_no_public_half { bare("UnsupportedOperationException") } else { ("200", None) };
        cells.push(("GetPublicKey", json!({"KeyId": key.arn}), expected));
    }
    cells.extend(re_encryptions(service, keys));
    cells
}

/// ReEncrypt to every key with every algorithm, and from every key.
fn re_encryptions(service: &TestService, keys: &[Key]) -> Vec<(&'static str, Value, Expected)> {
    let plain = &keys[0].arn;
    let sealed = expect(service, "Encrypt", &json!({"KeyId": plain, "Plaintext": "aGk="}));
    let sealed = sealed.text("/CiphertextBlob");
    let names = &BY_ALGORITHM[0];
    let mut cells = Vec::new();
    for key in keys {
        for algorithm in names.names() {
            let fits = key.usage == "ENCRYPT_DECRYPT" && key.algorithms.contains(&algorithm);
            let refused = if key.usage == "ENCRYPT_DECRYPT" {
                wrong_algorithm(key, algorithm)
            } else {
                wrong_usage(key, "ReEncrypt")
            };
            if key.real || !fits {
                let body = json!({"CiphertextBlob": sealed, "DestinationKeyId": key.arn, "DestinationEncryptionAlgorithm": algorithm});
                cells.push(("ReEncrypt", body, if fits { ("200", None) } else { refused.clone() }));
            }
            if algorithm != "SYMMETRIC_DEFAULT" && (key.real || !fits) {
                let body = json!({"CiphertextBlob": STANDARD.encode([7; 256]), "SourceKeyId": key.arn, "SourceEncryptionAlgorithm": algorithm, "DestinationKeyId": plain});
                let expected = if fits { bare("InvalidCiphertextException") } else { refused };
                cells.push(("ReEncrypt", body, expected));
            }
        }
    }
    cells
}

#[test]
fn keys_do_what_their_spec_and_usage_allow_and_nothing_else() {
    let service = TestService::seeded(6);
    let keys = keys(&service);
    let cells = matrix(&service, &keys);
    let mut failures = Vec::new();
    for (operation, body, (code, words)) in &cells {
        for door in [Door::AwsJson, Door::Rest] {
            let outcome = attempt(&service, door, operation, body);
            let differs = outcome.differs(code, words.as_deref());
            failures.extend(differs.map(|how| format!("{operation} {body} {door:?}: {how}")));
        }
    }
    println!("{} cells", cells.len());
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

/// The model's key specs and usages are all in the table but SM2, which other Regions than China's do not have.
#[test]
fn the_table_has_every_spec_usage_and_algorithm() {
    let names = |name: &str| -> BTreeSet<&str> {
        shape(name)["enum"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
    };
    let without_sm2 = |names: BTreeSet<&'static str>| -> BTreeSet<&'static str> {
        names.into_iter().filter(|name| !name.starts_with("SM2")).collect()
    };
    assert_eq!(
        USES.iter().map(|row| row.0).collect::<BTreeSet<_>>(),
        without_sm2(names("KeySpec"))
    );
    assert_eq!(USES.iter().map(|row| row.1).collect::<BTreeSet<_>>(), names("KeyUsageType"));
    let used: BTreeSet<&str> = USES.iter().flat_map(|row| row.2).copied().collect();
    let all = BY_ALGORITHM.iter().flat_map(Use::names).collect();
    assert_eq!(used, without_sm2(all));
}

/// What a key cannot be is refused when it is made.
#[test]
fn keys_are_made_for_the_uses_of_their_spec_alone() {
    let service = TestService::seeded(7);
    let root = service.root();
    let specs = shape("KeySpec")["enum"].as_array().unwrap();
    for spec in specs.iter().filter_map(Value::as_str) {
        for usage in shape("KeyUsageType")["enum"].as_array().unwrap() {
            let usage = usage.as_str().unwrap();
            if USES.iter().any(|row| (row.0, row.1) == (spec, usage)) {
                continue;
            }
            let before = Contents::of(&service);
            let answer =
                service.kms(&root, "CreateKey", &json!({"KeySpec": spec, "KeyUsage": usage}));
            let (code, words) = if spec == "SM2" {
                (
                    "UnsupportedOperationException",
                    "KeySpec SM2 is not supported in this Region".to_owned(),
                )
            } else {
                (
                    "ValidationException",
                    format!("KeyUsage {usage} is not compatible with KeySpec {spec}"),
                )
            };
            let expected = Answer::Refusal { code: code.to_owned(), message: Some(words) };
            assert_eq!(answer, expected, "{spec} {usage}");
            assert_eq!(Contents::of(&service), before);
        }
    }
}

/// A grant names only operations that its key can do.
#[test]
fn grants_are_for_what_the_key_can_do() {
    let service = TestService::seeded(8);
    let root = service.root();
    for key in keys(&service) {
        let of_usage: &[&str] = match (key.usage, key.spec) {
            ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT") => &[
                "Encrypt",
                "Decrypt",
                "ReEncryptFrom",
                "ReEncryptTo",
                "GenerateDataKey",
                "GenerateDataKeyWithoutPlaintext",
                "GenerateDataKeyPair",
                "GenerateDataKeyPairWithoutPlaintext",
            ],
            ("ENCRYPT_DECRYPT", _) => {
                &["Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey"]
            }
            ("SIGN_VERIFY", _) => &["Sign", "Verify", "GetPublicKey"],
            ("GENERATE_VERIFY_MAC", _) => &["GenerateMac", "VerifyMac"],
            ("KEY_AGREEMENT", _) => &["DeriveSharedSecret", "GetPublicKey"],
            ("ENCAPSULATE_DECAPSULATE", _) => &["Encapsulate", "Decapsulate", "GetPublicKey"],
            other => panic!("{other:?}"),
        };
        for operation in shape("GrantOperation")["enum"].as_array().unwrap() {
            let name = operation.as_str().unwrap();
            let fits = of_usage.contains(&name)
                || ["CreateGrant", "RetireGrant", "DescribeKey"].contains(&name);
            let body = json!({"KeyId": key.arn, "GranteePrincipal": "arn:aws:iam::000000000000:root", "Operations": [operation]});
            let answer = service.kms(&root, "CreateGrant", &body);
            let expected = if fits { "200" } else { "ValidationException" };
            assert_eq!(answer.code(), expected, "{} {} {name}", key.spec, key.usage);
        }
    }
}
