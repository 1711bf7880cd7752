//! NIST's known answers for FIPS 203 and 204; `tests/vectors/nist/README.md` says where from.
//!
//! They drive the internal functions of the standards, which take mu and the random bytes. aws-lc-rs has no
//! call for either, so that its own answers are checked as far as they carry no randomness, and what it
//! makes is verified and decapsulated in `agreement.rs`.

use super::*;
use serde_json::Value;

fn file(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn ml_dsa() -> Value {
    file(include_str!("../../../../tests/vectors/nist/ml-dsa.json"))
}

fn ml_kem() -> Value {
    file(include_str!("../../../../tests/vectors/nist/ml-kem.json"))
}

fn cases(file: &Value, mode: &str, count: usize) -> Vec<Value> {
    let cases = file[mode].as_array().unwrap().clone();
    assert_eq!(cases.len(), count, "{mode}");
    cases
}

fn bytes(case: &Value, name: &str) -> Vec<u8> {
    hex::decode(case[name].as_str().unwrap()).unwrap()
}

fn spec(case: &Value) -> KeySpec {
    KeySpec::parse(&case["set"].as_str().unwrap().replace('-', "_")).unwrap()
}

const MU: MessageType = MessageType::ExternalMu;
const ML_DSA: SigningAlgorithm = SigningAlgorithm::MlDsaShake256;

#[test]
fn ml_dsa_keys_are_generated_as_known_and_read_in_every_form() {
    for case in cases(&ml_dsa(), "keyGen", 3) {
        let spec = spec(&case);
        let (seed, expanded) = (bytes(&case, "seed"), bytes(&case, "sk"));
        forms_are_one_key(spec, &seed, &expanded, &bytes(&case, "pk"));
        // The 32 bytes after rho are K, which nothing can be held against; every other part is.
        for at in [0, 31, 64, 127, 128, expanded.len() - 1] {
            changed_expanded_is_refused(spec, &seed, &expanded, at);
        }
    }
}

#[test]
fn ml_kem_keys_are_generated_as_known_and_read_in_every_form() {
    for case in cases(&ml_kem(), "keyGen", 3) {
        let spec = spec(&case);
        let seed = [bytes(&case, "d"), bytes(&case, "z")].concat();
        let (expanded, public) = (bytes(&case, "dk"), bytes(&case, "ek"));
        forms_are_one_key(spec, &seed, &expanded, &public);
        // The last 32 bytes are z, which nothing can be held against; every other part is.
        let secret_len = expanded.len() - public.len() - 64;
        for at in [0, secret_len - 1, secret_len, expanded.len() - 65, expanded.len() - 33] {
            changed_expanded_is_refused(spec, &seed, &expanded, at);
        }
        // The same coefficient with the modulus added is another form, which not everybody reads alike.
        let first = u16::from(expanded[0]) | u16::from(expanded[1] & 0x0f) << 8;
        if first + 3329 < 4096 {
            let mut unreduced = expanded.clone();
            let [low, high] = (first + 3329).to_le_bytes();
            (unreduced[0], unreduced[1]) = (low, unreduced[1] & 0xf0 | high);
            let pkcs8 = lattice_pkcs8(spec, &der(0x04, &unreduced));
            assert_eq!(import_all(spec, &pkcs8).unwrap_err(), CryptoError::BadKey(spec));
        }
    }
}

fn forms_are_one_key(spec: KeySpec, seed: &[u8], expanded: &[u8], public: &[u8]) {
    let mut ids = Vec::new();
    for form in lattice_forms(seed, expanded) {
        for key in import_all(spec, &lattice_pkcs8(spec, &form)).unwrap() {
            assert_eq!(key.public_key_der().unwrap(), lattice_spki(spec, public), "{spec}");
            ids.push(key.imported_id("key"));
        }
    }
    assert_eq!(ids.len(), 9);
    assert!(ids.iter().all(|id| *id == ids[0]), "{spec}");
    // What is generated has the first form.
    let [form, ..] = lattice_forms(seed, expanded);
    for provider in [Provider::Default, Provider::RustCrypto] {
        let made = KeyMaterial::generate(provider, spec, &mut Fixed(seed.to_vec())).unwrap();
        assert_eq!(made.private_key_der().unwrap(), lattice_pkcs8(spec, &form), "{spec}");
    }
    for bad in [
        der(0x80, &seed[1..]),
        der(0x04, &expanded[1..]),
        der(0x04, seed),
        [der(0x80, seed), vec![0]].concat(),
        der(0x30, &[der(0x04, seed), der(0x04, &expanded[1..])].concat()),
        der(0x30, &[der(0x04, seed), der(0x04, expanded), der(0x04, expanded)].concat()),
        der(0x30, &der(0x04, seed)),
        der(0x81, seed),
        vec![],
    ] {
        let refused = import_all(spec, &lattice_pkcs8(spec, &bad)).unwrap_err();
        assert_eq!(refused, CryptoError::BadKey(spec), "{}", hex::encode(bad));
    }
}

fn changed_expanded_is_refused(spec: KeySpec, seed: &[u8], expanded: &[u8], at: usize) {
    let mut changed = expanded.to_vec();
    changed[at] ^= 1;
    let [_, alone, both] = lattice_forms(seed, &changed);
    for form in [alone, both] {
        let refused = import_all(spec, &lattice_pkcs8(spec, &form)).map(|_| ());
        assert_eq!(refused, Err(CryptoError::BadKey(spec)), "{at}");
    }
}

#[test]
fn a_private_key_that_carries_a_public_one_carries_its_own() {
    let rng = &mut *fresh();
    for spec in [KeySpec::MlDsa44, KeySpec::MlKem512] {
        let key = generated(Provider::Default, spec, rng);
        let other = generated(Provider::Default, spec, rng);
        let seed = &key.private_key_der().unwrap()[22..];
        let with = |key: &KeyMaterial| {
            let raw = &key.public_key_der().unwrap()[22..];
            let parts = [
                vec![2, 1, 1],
                algorithm_identifier(spec),
                der(0x04, &der(0x80, seed)),
                der(0x81, &[&[0], raw].concat()),
            ];
            der(0x30, &parts.concat())
        };
        let public = import_all(spec, &with(&key)).unwrap()[0].public_key_der();
        assert_eq!(public, key.public_key_der());
        assert_eq!(import_all(spec, &with(&other)).unwrap_err(), CryptoError::BadKey(spec));
    }
}

#[test]
fn ml_dsa_signs_as_known() {
    for case in cases(&ml_dsa(), "sigGen", 4) {
        let spec = spec(&case);
        let (mu, signature) = (bytes(&case, "mu"), bytes(&case, "signature"));
        let keys = import_all(spec, &lattice_pkcs8(spec, &der(0x04, &bytes(&case, "sk")))).unwrap();
        for key in &keys {
            let made = key.sign(ML_DSA, MU, &mu, &mut Fixed(bytes(&case, "rnd"))).unwrap();
            assert_eq!(made, signature, "{spec}");
            assert!(key.verify(ML_DSA, MU, &mu, &signature).unwrap());
            // The message of this mu is not known, and mu is not the message.
            assert!(!key.verify(ML_DSA, MessageType::Raw, &mu, &signature).unwrap());
        }
    }
}

#[test]
fn ml_dsa_verifies_as_known() {
    for case in cases(&ml_dsa(), "sigVer", 8) {
        let spec = spec(&case);
        for provider in Provider::ALL {
            let spki = lattice_spki(spec, &bytes(&case, "pk"));
            let key = PublicKey::from_der(*provider, spec, &spki).unwrap();
            let said = key.verify(ML_DSA, MU, &bytes(&case, "mu"), &bytes(&case, "signature"));
            assert_eq!(said.ok(), case["passed"].as_bool(), "{spec} {}", case["reason"]);
        }
    }
}

#[test]
fn ml_kem_encapsulates_as_known() {
    for case in cases(&ml_kem(), "encapsulation", 3) {
        let spec = spec(&case);
        let (secret, ciphertext) = (bytes(&case, "k"), bytes(&case, "c"));
        let spki = lattice_spki(spec, &bytes(&case, "ek"));
        let key = PublicKey::from_der(Provider::RustCrypto, spec, &spki).unwrap();
        let made = key.encapsulate(&mut Fixed(bytes(&case, "m"))).unwrap();
        assert_eq!((&*made.0, &made.1), (&secret, &ciphertext), "{spec}");
        for key in import_all(spec, &lattice_pkcs8(spec, &der(0x04, &bytes(&case, "dk")))).unwrap()
        {
            assert_eq!(key.public_key_der().unwrap(), spki);
            assert_eq!(*key.decapsulate(&ciphertext).unwrap(), secret, "{spec}");
        }
    }
}

/// Half of the ciphertexts were changed, and have a secret that is wrong in a known way.
#[test]
fn ml_kem_decapsulates_as_known() {
    for case in cases(&ml_kem(), "decapsulation", 6) {
        let spec = spec(&case);
        for key in import_all(spec, &lattice_pkcs8(spec, &der(0x04, &bytes(&case, "dk")))).unwrap()
        {
            let secret = key.decapsulate(&bytes(&case, "c")).unwrap();
            assert_eq!(*secret, bytes(&case, "k"), "{spec} {}", case["reason"]);
        }
    }
}
