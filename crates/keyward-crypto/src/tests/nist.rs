//! Known answers of NIST and of RFC 6979; `tests/vectors/nist/README.md` says where from.

use super::*;
use crate::{aead::Key, derived::Secret};
use p256::pkcs8::EncodePublicKey as _;
use serde_json::Value;

const BACKENDS: [Backend; 2] = [Backend::RustCrypto, Backend::AwsLc];

fn vectors(json: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(json).unwrap();
    let vectors = file["vectors"].as_array().unwrap().clone();
    assert!(!vectors.is_empty());
    vectors
}

fn bytes(vector: &Value, name: &str) -> Vec<u8> {
    hex::decode(vector[name].as_str().unwrap()).unwrap()
}

#[test]
fn aes_gcm_answers_as_known() {
    for vector in vectors(include_str!("../../../../tests/vectors/nist/aes-256-gcm.json")) {
        let nonce = bytes(&vector, "nonce").try_into().unwrap();
        let (plain, aad) = (bytes(&vector, "plaintext"), bytes(&vector, "aad"));
        let expected = [bytes(&vector, "ciphertext"), bytes(&vector, "tag")].concat();
        for backend in BACKENDS {
            let key = Key::new(backend, &bytes(&vector, "key").try_into().unwrap()).unwrap();
            let mut sealed = Vec::new();
            key.seal(nonce, &aad, &plain, &mut sealed).unwrap();
            assert_eq!(sealed, expected);
            assert_eq!(*key.open(nonce, &aad, &sealed).unwrap(), plain);
            *sealed.last_mut().unwrap() ^= 1;
            assert_eq!(key.open(nonce, &aad, &sealed).unwrap_err(), CryptoError::NotAuthentic);
        }
    }
}

#[test]
fn the_counter_mode_kdf_answers_as_known() {
    for vector in
        vectors(include_str!("../../../../tests/vectors/nist/sp800-108-counter-hmac-sha256.json"))
    {
        let expected = bytes(&vector, "ko");
        for backend in BACKENDS {
            let secret = Secret::new(backend, &bytes(&vector, "ki").try_into().unwrap());
            let mut out = vec![0; expected.len()];
            secret.kdf(&bytes(&vector, "fixed"), &mut out).unwrap();
            assert_eq!(out, expected, "{backend:?}");
        }
    }
}

/// RFC 6979 appendices A.2.5 and A.2.6: private key, then r and s over "sample".
const RFC6979: [(KeySpec, SigningAlgorithm, &str, &str, &str); 2] = [
    (
        KeySpec::EccNistP256,
        SigningAlgorithm::EcdsaSha256,
        "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ),
    (
        KeySpec::EccNistP384,
        SigningAlgorithm::EcdsaSha384,
        "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5",
        "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46",
        "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8",
    ),
];

#[test]
fn ecdsa_accepts_known_signatures() {
    for (spec, algorithm, secret, r, s) in RFC6979 {
        let secret = hex::decode(secret).unwrap();
        let (r, s) = (hex::decode(r).unwrap(), hex::decode(s).unwrap());
        let (public, signature) = if spec == KeySpec::EccNistP256 {
            let public = p256::SecretKey::from_slice(&secret).unwrap().public_key();
            let signature = p256::ecdsa::Signature::from_slice(&[r, s].concat()).unwrap();
            (public.to_public_key_der().unwrap(), signature.to_der().as_bytes().to_vec())
        } else {
            let public = p384::SecretKey::from_slice(&secret).unwrap().public_key();
            let signature = p384::ecdsa::Signature::from_slice(&[r, s].concat()).unwrap();
            (public.to_public_key_der().unwrap(), signature.to_der().as_bytes().to_vec())
        };
        for provider in Provider::ALL {
            let key = PublicKey::from_der(*provider, spec, public.as_bytes()).unwrap();
            let verify = |message: &[u8]| {
                key.verify(algorithm, MessageType::Raw, message, &signature).unwrap()
            };
            assert!(verify(b"sample"), "{spec}");
            assert!(!verify(b"test"), "{spec}");
        }
    }
}
