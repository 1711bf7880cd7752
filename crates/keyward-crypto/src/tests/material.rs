//! What key material promises beyond its algorithms.

use super::*;
use crate::{
    EncryptionAlgorithm, Keyring, MacAlgorithm, RootKey,
    algorithm::{
        encapsulation_algorithms, encryption_algorithms, import_lengths, key_agreement_algorithms,
        mac_algorithms, modulus_len, oaep_limit, signing_algorithms,
    },
};
use ::rsa::{
    RsaPrivateKey,
    pkcs8::DecodePrivateKey as _,
    traits::{PrivateKeyParts as _, PublicKeyParts as _},
};

#[test]
fn wrapped_material_opens_only_as_what_it_is() {
    let rng = &mut *fresh();
    let keyring = Keyring::new(&RootKey::generate(rng), [1; 16], 1, 1, rng);
    let (dek, _) = keyring.new_dek("key", rng).unwrap();
    let (other_dek, _) = keyring.new_dek("key", rng).unwrap();
    for spec in SPECS {
        let material = generated(Provider::Default, *spec, rng);
        let wrapped = material.wrap(&dek, "key", "material", rng).unwrap();
        let open = |spec: KeySpec, dek, key, id, wrapped: &[u8]| {
            KeyMaterial::unwrap(Provider::Default, spec, dek, key, id, wrapped)
                .map(|material| material.spec())
        };
        assert_eq!(open(*spec, &dek, "key", "material", &wrapped), Ok(*spec));
        let wrong_spec = if spec.is_hmac() { KeySpec::SymmetricDefault } else { KeySpec::Hmac256 };
        for refused in [
            open(wrong_spec, &dek, "key", "material", &wrapped),
            open(*spec, &other_dek, "key", "material", &wrapped),
            open(*spec, &dek, "other", "material", &wrapped),
            open(*spec, &dek, "key", "other", &wrapped),
            open(*spec, &dek, "keym", "aterial", &wrapped),
            open(*spec, &dek, "key", "material", &wrapped[1..]),
            open(*spec, &dek, "key", "material", &[]),
        ] {
            assert_eq!(refused, Err(CryptoError::NotAuthentic), "{spec}");
        }
        for at in 0..wrapped.len().min(200) {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert_eq!(
                open(*spec, &dek, "key", "material", &changed),
                Err(CryptoError::NotAuthentic)
            );
        }
    }
}

#[test]
fn one_seed_makes_one_key() {
    for provider in [Provider::Default, Provider::RustCrypto] {
        for spec in SPECS.iter().copied().filter(|s| s.is_asymmetric() && *s != KeySpec::Rsa4096) {
            let make = |seed| {
                generated(provider, spec, &mut *SeededEntropy::from_number(seed).generator())
                    .private_key_der()
                    .unwrap()
            };
            assert_eq!(make(1), make(1), "{spec}");
            assert_ne!(make(1), make(2), "{spec}");
        }
    }
}

#[test]
fn the_pure_provider_replays_signatures() {
    let rng = &mut *fresh();
    for spec in SPECS.iter().copied().filter(|s| s.is_asymmetric() && *s != KeySpec::Rsa4096) {
        let key = generated(Provider::RustCrypto, spec, rng);
        for algorithm in signing_algorithms(spec) {
            for (form, message) in forms(key.public_key().unwrap(), *algorithm, b"message") {
                let sign = |seed| {
                    let rng = &mut *SeededEntropy::from_number(seed).generator();
                    key.sign(*algorithm, form, &message, rng).unwrap()
                };
                assert_eq!(sign(1), sign(1), "{algorithm}");
                let name = algorithm.as_str();
                let deterministic = name.contains("PKCS1") || name.contains("ED25519");
                assert_eq!(sign(1) == sign(2), deterministic, "{algorithm}");
            }
        }
    }
}

/// FIPS 186-5 appendix A.1.1: e, the lengths of n, p and q, |p - q| > 2^(nlen/2 - 100), d > 2^(nlen/2).
#[test]
fn rsa_keys_have_the_shape_that_the_standard_asks_for() {
    let rng = &mut *fresh();
    for provider in Provider::ALL {
        for spec in [KeySpec::Rsa2048, KeySpec::Rsa3072, KeySpec::Rsa4096] {
            let bits = u32::try_from(modulus_len(spec).unwrap() * 8).unwrap();
            let der = generated(*provider, spec, rng).private_key_der().unwrap();
            let key = RsaPrivateKey::from_pkcs8_der(&der).unwrap();
            assert_eq!(key.n().bit_width(), bits, "{spec}");
            assert_eq!(*key.e(), ::rsa::BoxedUint::from(65537u64), "{spec}");
            let primes = key.primes();
            assert_eq!(primes.len(), 2);
            assert!(primes.iter().all(|prime| prime.bit_width() == bits / 2));
            let (p, q) = (primes[0].as_ref(), primes[1].as_ref());
            let apart = if p > q { p - q } else { q - p };
            assert!(apart.bit_width() > bits / 2 - 100, "{spec}");
            assert!(key.d().bit_width() > bits / 2, "{spec}");
        }
    }
}

#[test]
fn algorithms_of_other_specs_are_refused() {
    let rng = &mut *fresh();
    for provider in Provider::ALL {
        for spec in SPECS.iter().filter(|spec| !matches!(spec, KeySpec::Rsa3072 | KeySpec::Rsa4096))
        {
            let key = generated(*provider, *spec, rng);
            for algorithm in
                SigningAlgorithm::ALL.iter().filter(|a| !signing_algorithms(*spec).contains(a))
            {
                let wrong = CryptoError::Incompatible(algorithm.as_str(), *spec);
                let signed = key.sign(*algorithm, MessageType::Raw, b"m", rng);
                assert_eq!(signed.unwrap_err(), wrong);
                let verified = key.verify(*algorithm, MessageType::Raw, b"m", b"s");
                assert_eq!(verified.unwrap_err(), wrong);
            }
            for algorithm in MacAlgorithm::ALL.iter().filter(|a| !mac_algorithms(*spec).contains(a))
            {
                let wrong = CryptoError::Incompatible(algorithm.as_str(), *spec);
                assert_eq!(key.mac(*algorithm, b"m").unwrap_err(), wrong);
                assert_eq!(key.verify_mac(*algorithm, b"m", b"c").unwrap_err(), wrong);
            }
            for algorithm in EncryptionAlgorithm::ALL {
                let offered = encryption_algorithms(*spec).contains(algorithm) && spec.is_rsa();
                let wrong = CryptoError::Incompatible(algorithm.as_str(), *spec);
                let encrypted = key.encrypt_rsa(*algorithm, b"p", rng);
                assert_eq!(encrypted.err(), (!offered).then_some(wrong));
                let decrypted = key.decrypt_rsa(*algorithm, b"c", rng).unwrap_err();
                assert_eq!(decrypted, if offered { CryptoError::NotAuthentic } else { wrong });
            }
            if !spec.is_symmetric() {
                let wrong = CryptoError::Incompatible("SYMMETRIC_DEFAULT", *spec);
                assert_eq!(key.decrypt_symmetric(b"", b"").unwrap_err(), wrong);
                let (name, id) = (key_name(), material_id());
                let sealed = key.seal_inner(&name, &id, b"", b"p", rng);
                assert_eq!(sealed.unwrap_err(), wrong);
                assert_eq!(key.open_inner(&name, &id, b"", b"").unwrap_err(), wrong);
            }
            if key_agreement_algorithms(*spec).is_empty() {
                let wrong = CryptoError::Incompatible("ECDH", *spec);
                let peer = key.public_key_der().unwrap_or_default();
                assert_eq!(key.derive_shared_secret(&peer).unwrap_err(), wrong);
            }
            if encapsulation_algorithms(*spec).is_empty() {
                let wrong = CryptoError::Incompatible("ML_KEM", *spec);
                assert_eq!(key.decapsulate(&[0; 768]).unwrap_err(), wrong);
                if let Some(public) = key.public_key() {
                    assert_eq!(public.encapsulate(rng).unwrap_err(), wrong);
                }
            }
        }
    }
}

#[test]
fn messages_of_the_wrong_form_are_refused() {
    let rng = &mut *fresh();
    for provider in Provider::ALL {
        for spec in SPECS.iter().filter(|spec| !matches!(spec, KeySpec::Rsa3072 | KeySpec::Rsa4096))
        {
            if signing_algorithms(*spec).is_empty() {
                continue;
            }
            let key = generated(*provider, *spec, rng);
            for algorithm in signing_algorithms(*spec) {
                for message_type in MessageType::ALL {
                    let good = match message_type {
                        MessageType::Raw => None,
                        MessageType::Digest => digest_len(*algorithm),
                        MessageType::ExternalMu => Some(64),
                    };
                    let wrong_type = CryptoError::WrongMessageType(*message_type, *spec);
                    let wrong_length = CryptoError::WrongDigestLength(*algorithm);
                    for len in [0, 31, 32, 33, 48, 63, 64, 65] {
                        let expected = if !message_types(*algorithm).contains(message_type) {
                            Some(wrong_type)
                        } else {
                            good.filter(|good| *good != len).map(|_| wrong_length)
                        };
                        let message = vec![1; len];
                        let signed = key.sign(*algorithm, *message_type, &message, rng).err();
                        assert_eq!(signed, expected, "{algorithm} {message_type} {len}");
                        let verified = key.verify(*algorithm, *message_type, &message, b"").err();
                        assert_eq!(verified, expected, "{algorithm} {message_type} {len}");
                    }
                }
                let (message_type, message) =
                    forms(key.public_key().unwrap(), *algorithm, b"message").remove(0);
                for signature in
                    [&[][..], &[0; 64], &[255; 2420], &[0x30, 0x80], &[0x30, 6, 2, 1, 0, 2, 1, 0]]
                {
                    assert_eq!(
                        key.verify(*algorithm, message_type, &message, signature),
                        Ok(false)
                    );
                }
            }
        }
    }
}

#[test]
fn oaep_takes_its_limit_and_no_more() {
    let rng = &mut *fresh();
    for provider in Provider::ALL {
        let key = generated(*provider, KeySpec::Rsa2048, rng);
        for algorithm in encryption_algorithms(KeySpec::Rsa2048) {
            let limit = oaep_limit(KeySpec::Rsa2048, *algorithm).unwrap();
            assert_eq!(key.encrypt_rsa(*algorithm, &vec![1; limit], rng).unwrap().len(), 256);
            let refused = key.encrypt_rsa(*algorithm, &vec![1; limit + 1], rng).unwrap_err();
            assert_eq!(refused, CryptoError::TooLong(limit));
        }
    }
}

#[test]
fn what_is_no_key_of_the_spec_is_refused() {
    let rng = &mut *fresh();
    for provider in Provider::ALL {
        let p256 = generated(*provider, KeySpec::EccNistP256, rng);
        let rsa = generated(*provider, KeySpec::Rsa2048, rng);
        let ml_dsa = generated(*provider, KeySpec::MlDsa44, rng);
        let ml_kem = generated(*provider, KeySpec::MlKem768, rng);
        for (spec, bytes) in [
            (KeySpec::SymmetricDefault, Zeroizing::new(vec![0; 31])),
            (KeySpec::Hmac512, Zeroizing::new(vec![0; 63])),
            (KeySpec::EccNistEdwards25519, p256.private_key_der().unwrap()),
            (KeySpec::MlDsa44, p256.private_key_der().unwrap()),
            (KeySpec::MlKem512, p256.private_key_der().unwrap()),
            (KeySpec::MlDsa65, ml_dsa.private_key_der().unwrap()),
            (KeySpec::MlKem1024, ml_kem.private_key_der().unwrap()),
            (KeySpec::EccNistP384, p256.private_key_der().unwrap()),
            (KeySpec::Rsa3072, rsa.private_key_der().unwrap()),
            (KeySpec::Rsa2048, p256.private_key_der().unwrap()),
            (KeySpec::EccNistP256, rsa.private_key_der().unwrap()),
            (KeySpec::EccNistP256, Zeroizing::new(vec![])),
        ] {
            let refused = KeyMaterial::import(*provider, spec, bytes).unwrap_err();
            assert_eq!(refused, CryptoError::BadKey(spec));
        }
        let public = rsa.public_key_der().unwrap();
        assert!(PublicKey::from_der(*provider, KeySpec::Rsa2048, &public).is_ok());
        let others = SPECS.iter().filter(|spec| spec.is_asymmetric() && **spec != KeySpec::Rsa2048);
        for spec in others.copied() {
            let refused = PublicKey::from_der(*provider, spec, &public).unwrap_err();
            assert_eq!(refused, CryptoError::BadKey(spec));
        }
    }
}

#[test]
fn raw_material_may_have_any_length_in_its_range() {
    let rng = &mut *fresh();
    let keyring = Keyring::new(&RootKey::generate(rng), [1; 16], 1, 1, rng);
    let (dek, _) = keyring.new_dek("key", rng).unwrap();
    for spec in SPECS.iter().filter(|spec| import_lengths(**spec).is_some()) {
        let lengths = import_lengths(*spec).unwrap();
        for len in 0..=*lengths.end() + 1 {
            let bytes = Zeroizing::new(random(rng, len));
            let imported = Provider::ALL
                .iter()
                .map(|provider| KeyMaterial::import(*provider, *spec, bytes.clone()));
            let Ok(imported) = imported.collect::<Result<Vec<_>, _>>() else {
                assert!(!lengths.contains(&len), "{spec} {len}");
                continue;
            };
            assert!(lengths.contains(&len), "{spec} {len}");
            let wrapped = imported[0].wrap(&dek, "key", "material", rng).unwrap();
            let again =
                KeyMaterial::unwrap(Provider::Default, *spec, &dek, "key", "material", &wrapped)
                    .unwrap();
            for algorithm in mac_algorithms(*spec) {
                let code = again.mac(*algorithm, b"message").unwrap();
                assert!(
                    imported.iter().all(|key| key.mac(*algorithm, b"message") == Ok(code.clone()))
                );
            }
        }
    }
}

#[test]
fn halves_have_the_lengths_that_are_documented() {
    let rng = &mut *fresh();
    for provider in Provider::ALL {
        for (spec, public, private) in [
            (KeySpec::EccNistEdwards25519, 44, 48),
            (KeySpec::MlDsa44, 1312 + 22, 54),
            (KeySpec::MlDsa65, 1952 + 22, 54),
            (KeySpec::MlDsa87, 2592 + 22, 54),
            (KeySpec::MlKem512, 800 + 22, 86),
            (KeySpec::MlKem768, 1184 + 22, 86),
            (KeySpec::MlKem1024, 1568 + 22, 86),
        ] {
            let key = generated(*provider, spec, rng);
            assert_eq!(key.public_key_der().unwrap().len(), public, "{spec}");
            assert_eq!(key.private_key_der().unwrap().len(), private, "{spec}");
            let public = PublicKey::from_der(*provider, spec, &key.public_key_der().unwrap());
            assert_eq!(public.unwrap().der(), key.public_key_der().unwrap());
        }
    }
}

#[test]
fn imported_material_is_named_by_what_it_is() {
    let rng = &mut *fresh();
    for spec in SPECS.iter().filter(|spec| **spec != KeySpec::Rsa4096) {
        let bytes = |key: &KeyMaterial| key.private_key_der();
        let key = generated(Provider::Default, *spec, rng);
        let id = key.imported_id("1234");
        assert_eq!(id.0.len(), 64);
        assert!(id.0.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')));
        assert_eq!(key.imported_id("1234"), id);
        assert_ne!(key.imported_id("1235"), id);
        assert_ne!(generated(Provider::Default, *spec, rng).imported_id("1234"), id);
        for provider in Provider::ALL {
            if let Some(bytes) = bytes(&key) {
                let again = KeyMaterial::import(*provider, *spec, bytes).unwrap();
                assert_eq!(again.imported_id("1234"), id, "{spec}");
            }
        }
    }
    // A key and the same key with a zero more are one key to HMAC, and two materials.
    let import = |bytes: &[u8]| {
        let bytes = Zeroizing::new(bytes.to_vec());
        KeyMaterial::import(Provider::Default, KeySpec::Hmac256, bytes).unwrap().imported_id("1234")
    };
    assert_ne!(import(&[1; 32]), import(&[&[1; 32][..], &[0]].concat()));
    // What a store holds today is found tomorrow.
    assert_eq!(import(&[1; 32]).0, IMPORTED_ID);
}

/// HMAC-SHA-256 under SHA-256 of 32 bytes 0x01, over "keyward imported material1234", by Python's `hmac`.
const IMPORTED_ID: &str = "6bb9bb86e9067b60ee1d29049be38265680d2d9ae620549a1378e796259285d5";

#[test]
fn specs_without_an_implementation_are_named() {
    let rng = &mut *fresh();
    for spec in KeySpec::ALL.iter().filter(|spec| !SPECS.contains(spec)) {
        for provider in Provider::ALL {
            let refused = KeyMaterial::generate(*provider, *spec, rng).unwrap_err();
            assert_eq!(refused, CryptoError::Unsupported(*spec));
        }
    }
}

#[test]
fn only_asymmetric_material_shows_halves_and_none_prints_bytes() {
    let rng = &mut *fresh();
    for spec in SPECS {
        let key = generated(Provider::Default, *spec, rng);
        assert_eq!(key.public_key_der().is_some(), spec.is_asymmetric());
        assert_eq!(key.private_key_der().is_some(), spec.is_asymmetric());
        assert_eq!(format!("{key:?}"), format!("KeyMaterial {{ spec: {spec:?}, .. }}"));
    }
}

#[test]
fn material_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<KeyMaterial>();
    shared::<PublicKey>();
    shared::<Keyring>();
}
