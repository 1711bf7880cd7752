//! Every provider understands what every other one made.

use super::*;
use crate::{
    EncryptionAlgorithm, MessageType,
    algorithm::{
        Hash, digest_len, encryption_algorithms, mac_algorithms, oaep_limit, signing_algorithms,
    },
    hash::hash,
    provider::Backend,
};

/// The same key under every provider, made by one of them.
fn copies(maker: Provider, spec: KeySpec, rng: &mut dyn Generator) -> Vec<KeyMaterial> {
    let dek = crate::RootKey::generate(rng);
    let keyring = crate::Keyring::new(&dek, [7; 16], 1, 1, rng);
    let (dek, _) = keyring.new_dek("key", rng).unwrap();
    let wrapped = generated(maker, spec, rng).wrap(&dek, "key", "material", rng).unwrap();
    let open = |provider: &Provider| {
        KeyMaterial::unwrap(*provider, spec, &dek, "key", "material", &wrapped).unwrap()
    };
    Provider::ALL.iter().map(open).collect()
}

/// Keys of each provider's making, in every provider's hands.
fn all_copies(spec: KeySpec, rng: &mut dyn Generator) -> Vec<Vec<KeyMaterial>> {
    Provider::ALL.iter().map(|maker| copies(*maker, spec, rng)).collect()
}

#[test]
fn public_halves_agree() {
    let rng = &mut *fresh();
    for spec in SPECS.iter().filter(|spec| spec.is_asymmetric()) {
        for copies in all_copies(*spec, rng) {
            let first = copies[0].public_key_der().unwrap();
            assert!(copies.iter().all(|copy| copy.public_key_der().unwrap() == first), "{spec}");
            assert!(copies.iter().all(|copy| copy.spec() == *spec));
        }
    }
}

#[test]
fn signatures_verify_everywhere() {
    let rng = &mut *fresh();
    for spec in SPECS.iter().filter(|spec| !signing_algorithms(**spec).is_empty()) {
        for copies in all_copies(*spec, rng) {
            for algorithm in signing_algorithms(*spec) {
                let len = up_to(rng, 4096);
                let message = random(rng, len);
                let digest = match digest_len(*algorithm) {
                    Some(32) => hash(Backend::RustCrypto, Hash::Sha256, &message),
                    Some(48) => hash(Backend::RustCrypto, Hash::Sha384, &message),
                    _ => hash(Backend::RustCrypto, Hash::Sha512, &message),
                };
                for signer in &copies {
                    let raw = signer.sign(*algorithm, MessageType::Raw, &message, rng).unwrap();
                    let pre = signer.sign(*algorithm, MessageType::Digest, &digest, rng).unwrap();
                    for verifier in &copies {
                        // Raw and digest are two ways of saying one thing, so each verifies the other.
                        for signature in [&raw, &pre] {
                            let verify = |message_type, message: &[u8]| {
                                verifier
                                    .verify(*algorithm, message_type, message, signature)
                                    .unwrap()
                            };
                            assert!(verify(MessageType::Raw, &message), "{spec} {algorithm}");
                            assert!(verify(MessageType::Digest, &digest), "{spec} {algorithm}");
                            assert!(!verify(MessageType::Raw, b"another"), "{spec} {algorithm}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn oaep_decrypts_everywhere() {
    let rng = &mut *fresh();
    for spec in SPECS.iter().filter(|spec| spec.is_rsa()) {
        for copies in all_copies(*spec, rng) {
            for algorithm in encryption_algorithms(*spec) {
                let limit = oaep_limit(*spec, *algorithm).unwrap();
                for len in [0, 1, up_to(rng, limit), limit] {
                    let plaintext = random(rng, len);
                    for encrypter in &copies {
                        let ciphertext =
                            encrypter.encrypt_rsa(*algorithm, &plaintext, rng).unwrap();
                        for decrypter in &copies {
                            let opened =
                                decrypter.decrypt_rsa(*algorithm, &ciphertext, rng).unwrap();
                            assert_eq!(*opened, plaintext, "{spec} {algorithm} {len}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn codes_are_equal() {
    let rng = &mut *fresh();
    for spec in SPECS.iter().filter(|spec| spec.is_hmac()) {
        for copies in all_copies(*spec, rng) {
            let algorithm = mac_algorithms(*spec)[0];
            for _ in 0..20 {
                let len = up_to(rng, 4096);
                let message = random(rng, len);
                let code = copies[0].mac(algorithm, &message).unwrap();
                for copy in &copies {
                    assert_eq!(copy.mac(algorithm, &message).unwrap(), code, "{spec}");
                    assert!(copy.verify_mac(algorithm, &message, &code).unwrap());
                    assert!(!copy.verify_mac(algorithm, &message, &code[1..]).unwrap());
                    assert!(!copy.verify_mac(algorithm, b"another", &code).unwrap());
                }
            }
        }
    }
}

#[test]
fn blobs_open_everywhere() {
    let rng = &mut *fresh();
    for copies in all_copies(KeySpec::SymmetricDefault, rng) {
        for len in [0, 1, 15, 16, 17, up_to(rng, 4096), 4096] {
            let plaintext = random(rng, len);
            let context_len = up_to(rng, 300);
            let context = random(rng, context_len);
            for encrypter in &copies {
                let blob = encrypter
                    .encrypt_symmetric(&key_name(), &material_id(), &context, &plaintext, rng)
                    .unwrap();
                for decrypter in &copies {
                    assert_eq!(*decrypter.decrypt_symmetric(&context, &blob).unwrap(), plaintext);
                }
            }
        }
    }
}

#[test]
fn providers_refuse_alike() {
    let rng = &mut *fresh();
    let copies = copies(Provider::Default, KeySpec::Rsa2048, rng);
    for algorithm in encryption_algorithms(KeySpec::Rsa2048) {
        let good = copies[0].encrypt_rsa(*algorithm, b"plain", rng).unwrap();
        let mut bad = vec![
            vec![],
            vec![0; 256],
            vec![255; 256],
            good[1..].to_vec(),
            [&[0], &good[..]].concat(),
        ];
        for _ in 0..32 {
            let mut flipped = good.clone();
            let at = up_to(rng, flipped.len() - 1);
            flipped[at] ^= 1 << up_to(rng, 7);
            bad.push(flipped);
        }
        // Made for the other algorithm: the padding is wrong, the arithmetic is right.
        let other = match algorithm {
            EncryptionAlgorithm::RsaesOaepSha1 => EncryptionAlgorithm::RsaesOaepSha256,
            _ => EncryptionAlgorithm::RsaesOaepSha1,
        };
        bad.push(copies[0].encrypt_rsa(other, b"plain", rng).unwrap());
        for ciphertext in bad {
            for copy in &copies {
                let refused = copy.decrypt_rsa(*algorithm, &ciphertext, rng).unwrap_err();
                assert_eq!(refused, crate::CryptoError::NotAuthentic);
            }
        }
    }
}
