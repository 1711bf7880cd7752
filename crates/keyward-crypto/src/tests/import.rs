//! What material travels in: every algorithm under every provider, and nothing that was touched opens.

use super::*;
use crate::{
    WrappingAlgorithm,
    algorithm::modulus_len,
    import::{unwrap_material, wrap_material},
};

const WRAPS: [WrappingAlgorithm; 4] = [
    WrappingAlgorithm::RsaesOaepSha1,
    WrappingAlgorithm::RsaesOaepSha256,
    WrappingAlgorithm::RsaAesKeyWrapSha1,
    WrappingAlgorithm::RsaAesKeyWrapSha256,
];

/// One wrapping key in every provider's hands.
fn wrapping(spec: KeySpec, rng: &mut dyn Generator) -> Vec<KeyMaterial> {
    let der = generated(Provider::Default, spec, rng).private_key_der().unwrap();
    let import = |provider: &Provider| KeyMaterial::import(*provider, spec, der.clone()).unwrap();
    Provider::ALL.iter().map(import).collect()
}

#[test]
fn material_arrives_as_it_left() {
    let rng = &mut *fresh();
    for spec in [KeySpec::Rsa2048, KeySpec::Rsa3072, KeySpec::Rsa4096] {
        let keys = wrapping(spec, rng);
        for algorithm in WRAPS {
            let two_parts = algorithm.as_str().contains("KEY_WRAP");
            for len in [1, 7, 8, 9, 32, up_to(rng, 180) + 1] {
                let material = random(rng, len);
                for sender in &keys {
                    let public = sender.public_key().unwrap();
                    let blob = wrap_material(public, algorithm, &material, rng).unwrap();
                    let modulus = modulus_len(spec).unwrap();
                    let second = if two_parts { (len.div_ceil(8) + 1) * 8 } else { 0 };
                    assert_eq!(blob.len(), modulus + second, "{algorithm} {len}");
                    for receiver in &keys {
                        let opened = unwrap_material(receiver, algorithm, &blob, rng).unwrap();
                        assert_eq!(*opened, material, "{algorithm} {len}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_private_key_travels_in_two_parts() {
    let rng = &mut *fresh();
    let keys = wrapping(KeySpec::Rsa2048, rng);
    let der = generated(Provider::Default, KeySpec::Rsa3072, rng).private_key_der().unwrap();
    let public = keys[0].public_key().unwrap();
    for (algorithm, limit) in
        [(WrappingAlgorithm::RsaesOaepSha1, 214), (WrappingAlgorithm::RsaesOaepSha256, 190)]
    {
        let refused = wrap_material(public, algorithm, &der, rng).unwrap_err();
        assert_eq!(refused, CryptoError::TooLong(limit));
    }
    let algorithm = WrappingAlgorithm::RsaAesKeyWrapSha256;
    let blob = wrap_material(public, algorithm, &der, rng).unwrap();
    let opened = unwrap_material(&keys[0], algorithm, &blob, rng).unwrap();
    assert!(KeyMaterial::import(Provider::Default, KeySpec::Rsa3072, opened).is_ok());
    let refused = wrap_material(public, algorithm, b"", rng).unwrap_err();
    assert_eq!(refused, CryptoError::Failed("AES-KWP"));
}

#[test]
fn whatever_is_wrong_is_not_authentic() {
    let rng = &mut *fresh();
    let keys = wrapping(KeySpec::Rsa2048, rng);
    let public = keys[0].public_key().unwrap();
    for algorithm in WRAPS {
        let good = wrap_material(public, algorithm, &[7; 32], rng).unwrap();
        let mut bad = vec![vec![], vec![0; 255], vec![0; 256], vec![0; 296], vec![255; 400]];
        bad.extend((0..good.len()).step_by(31).map(|len| good[..len].to_vec()));
        bad.push(good[..good.len() - 1].to_vec());
        bad.push([&good[..], &[0]].concat());
        bad.push([&good[..], &[0; 8]].concat());
        for _ in 0..24 {
            let mut changed = good.clone();
            let at = up_to(rng, good.len() - 1);
            changed[at] ^= 1 << up_to(rng, 7);
            bad.push(changed);
        }
        // The second part alone, which is what KWP authenticates.
        for at in 256..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 1;
            bad.push(changed);
        }
        for other in WRAPS.iter().filter(|other| **other != algorithm) {
            bad.push(wrap_material(public, *other, &[7; 32], rng).unwrap());
        }
        for blob in bad {
            for key in &keys {
                let refused = unwrap_material(key, algorithm, &blob, rng).unwrap_err();
                assert_eq!(refused, CryptoError::NotAuthentic, "{algorithm}");
            }
        }
    }
    // A first part that opens, to something that is no AES-256 key.
    let short = public.encrypt(crate::EncryptionAlgorithm::RsaesOaepSha256, &[7; 16], rng).unwrap();
    let blob = [&short[..], &[0; 40]].concat();
    for key in &keys {
        let refused = unwrap_material(key, WrappingAlgorithm::RsaAesKeyWrapSha256, &blob, rng);
        assert_eq!(refused.unwrap_err(), CryptoError::NotAuthentic);
    }
}

#[test]
fn what_does_not_wrap_is_incompatible() {
    let rng = &mut *fresh();
    for spec in [KeySpec::Rsa2048, KeySpec::EccNistP256, KeySpec::MlKem768] {
        let key = generated(Provider::Default, spec, rng);
        for algorithm in WrappingAlgorithm::ALL {
            let wrong = CryptoError::Incompatible(algorithm.as_str(), spec);
            if spec.is_rsa() && WRAPS.contains(algorithm) {
                continue;
            }
            assert_eq!(unwrap_material(&key, *algorithm, &[0; 256], rng).unwrap_err(), wrong);
            let wrapped = wrap_material(key.public_key().unwrap(), *algorithm, &[0; 32], rng);
            assert_eq!(wrapped.unwrap_err(), wrong);
        }
    }
    let symmetric = generated(Provider::Default, KeySpec::SymmetricDefault, rng);
    let algorithm = WrappingAlgorithm::RsaesOaepSha256;
    let wrong = CryptoError::Incompatible(algorithm.as_str(), KeySpec::SymmetricDefault);
    assert_eq!(unwrap_material(&symmetric, algorithm, &[0; 256], rng).unwrap_err(), wrong);
}
