//! Every provider understands what every other one made.

use super::*;
use crate::{
    EncryptionAlgorithm,
    algorithm::{
        encapsulation_algorithms, encryption_algorithms, key_agreement_algorithms, mac_algorithms,
        oaep_limit, signing_algorithms,
    },
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
                let forms = forms(copies[0].public_key().unwrap(), *algorithm, &message);
                for (signer, (signed_as, signed)) in
                    copies.iter().flat_map(|copy| forms.iter().map(move |form| (copy, form)))
                {
                    let signature = signer.sign(*algorithm, *signed_as, signed, rng).unwrap();
                    for (verifier, (form, message)) in
                        copies.iter().flat_map(|copy| forms.iter().map(move |form| (copy, form)))
                    {
                        // They are ways of saying one thing, so each verifies what another signed.
                        let verify = |message: &[u8], signature: &[u8]| {
                            verifier.verify(*algorithm, *form, message, signature).unwrap()
                        };
                        assert!(verify(message, &signature), "{spec} {algorithm} {form}");
                        let mut other = message.clone();
                        other.push(0);
                        other.remove(0);
                        assert!(!verify(&other, &signature), "{spec} {algorithm} {form}");
                        let mut changed = signature.clone();
                        let at = up_to(rng, changed.len() - 1);
                        changed[at] ^= 1 << up_to(rng, 7);
                        assert!(!verify(message, &changed), "{spec} {algorithm} {form} {at}");
                    }
                }
            }
        }
    }
}

#[test]
fn secrets_are_agreed_everywhere() {
    let rng = &mut *fresh();
    let mut ran = 0;
    for spec in SPECS.iter().filter(|spec| !key_agreement_algorithms(**spec).is_empty()) {
        let (ours, theirs) = (all_copies(*spec, rng), all_copies(*spec, rng));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let (our_public, their_public) =
                (ours[0].public_key_der().unwrap(), theirs[0].public_key_der().unwrap());
            let secret = ours[0].derive_shared_secret(&their_public).unwrap();
            let len = match spec {
                KeySpec::EccNistP256 => 32,
                KeySpec::EccNistP384 => 48,
                _ => 66,
            };
            assert_eq!(secret.len(), len, "{spec}");
            for copy in ours {
                assert_eq!(copy.derive_shared_secret(&their_public).unwrap(), secret, "{spec}");
                // Made to agree, and able to sign all the same: what it is for is said elsewhere.
                let algorithm = signing_algorithms(*spec)[0];
                assert!(copy.sign(algorithm, MessageType::Raw, b"message", rng).is_ok());
            }
            for copy in theirs {
                assert_eq!(copy.derive_shared_secret(&our_public).unwrap(), secret, "{spec}");
                ran += 1;
            }
        }
    }
    assert_eq!(ran, 27);
}

#[test]
fn peers_that_are_no_key_of_the_curve_are_refused() {
    let rng = &mut *fresh();
    for spec in SPECS.iter().filter(|spec| !key_agreement_algorithms(**spec).is_empty()) {
        let copies = copies(Provider::Default, *spec, rng);
        let good = copies[0].public_key_der().unwrap();
        let other = match spec {
            KeySpec::EccNistP256 => KeySpec::EccNistP384,
            _ => KeySpec::EccNistP256,
        };
        let mut bad = vec![
            vec![],
            good[1..].to_vec(),
            [&good[..], &[0]].concat(),
            generated(Provider::Default, other, rng).public_key_der().unwrap(),
            generated(Provider::Default, KeySpec::EccNistEdwards25519, rng)
                .public_key_der()
                .unwrap(),
            // The bare point is no SubjectPublicKeyInfo, though aws-lc would take it.
            good[good.len() - 1 - 2 * copies[0].derive_shared_secret(&good).unwrap().len()..]
                .to_vec(),
            copies[0].private_key_der().unwrap().to_vec(),
        ];
        // Off the curve: the last byte is of y.
        let mut off = good.clone();
        *off.last_mut().unwrap() ^= 1;
        bad.push(off);
        for peer in bad {
            for copy in &copies {
                let refused = copy.derive_shared_secret(&peer).unwrap_err();
                assert_eq!(refused, CryptoError::BadKey(*spec), "{}", hex::encode(&peer));
            }
        }
    }
}

#[test]
fn encapsulated_secrets_come_out_everywhere() {
    let rng = &mut *fresh();
    let mut ran = 0;
    for spec in SPECS.iter().filter(|spec| !encapsulation_algorithms(**spec).is_empty()) {
        let other = copies(Provider::Default, *spec, rng);
        for copies in all_copies(*spec, rng) {
            for sender in &copies {
                let (secret, ciphertext) = sender.public_key().unwrap().encapsulate(rng).unwrap();
                assert_eq!(secret.len(), 32);
                let mut changed = ciphertext.clone();
                let at = up_to(rng, changed.len() - 1);
                changed[at] ^= 1 << up_to(rng, 7);
                let rejected = copies[0].decapsulate(&changed).unwrap();
                let elsewhere = other[0].decapsulate(&ciphertext).unwrap();
                assert_ne!(rejected, secret, "{spec}");
                assert_ne!(elsewhere, secret, "{spec}");
                for (receiver, other) in copies.iter().zip(&other) {
                    assert_eq!(receiver.decapsulate(&ciphertext).unwrap(), secret, "{spec}");
                    // A wrong secret is the same wrong secret every time.
                    assert_eq!(receiver.decapsulate(&changed).unwrap(), rejected, "{spec}");
                    assert_eq!(other.decapsulate(&ciphertext).unwrap(), elsewhere, "{spec}");
                    for wrong in [&[][..], &ciphertext[1..], &[&ciphertext[..], &[0]].concat()] {
                        let refused = receiver.decapsulate(wrong).unwrap_err();
                        assert_eq!(refused, CryptoError::NotAuthentic, "{spec}");
                    }
                    ran += 1;
                }
            }
        }
    }
    assert_eq!(ran, 81);
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
                assert_eq!(refused, CryptoError::NotAuthentic);
            }
        }
    }
}
