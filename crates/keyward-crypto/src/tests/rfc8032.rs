//! Known answers of RFC 8032: sections 7.1 (Ed25519) and 7.3 (Ed25519ph).

use super::*;
use crate::ed25519::{EdPrivate, EdPublic};
use sha2::{Digest as _, Sha512};

const SPEC: KeySpec = KeySpec::EccNistEdwards25519;
const BACKENDS: [Backend; 2] = [Backend::RustCrypto, Backend::AwsLc];

/// Section 7.1, tests 1 to 3: secret key, public key, message, signature.
const PURE: [[&str; 4]; 3] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
];

/// The key of section 7.1's test SHA(abc) and of section 7.3, whose message is "abc" in both.
const ABC_SECRET: &str = "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42";
const ABC_PURE: &str = "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704";
const ABC_PREHASHED: &str = "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406";

/// RFC 8410 section 7.
fn pkcs8(secret: &str) -> Vec<u8> {
    hex::decode(format!("302e020100300506032b657004220420{secret}")).unwrap()
}

#[test]
fn ed25519_signs_as_known() {
    let rng = &mut *fresh();
    let abc = hex::encode(Sha512::digest(b"abc"));
    let abc = [ABC_SECRET, "", abc.as_str(), ABC_PURE];
    for [secret, public, message, signature] in PURE.into_iter().chain([abc]) {
        let (message, signature) = (hex::decode(message).unwrap(), hex::decode(signature).unwrap());
        for key in import_all(SPEC, &pkcs8(secret)).unwrap() {
            assert!(hex::encode(key.public_key_der().unwrap()).ends_with(public));
            let algorithm = SigningAlgorithm::Ed25519Sha512;
            let made = key.sign(algorithm, MessageType::Raw, &message, rng).unwrap();
            assert_eq!(made, signature);
            assert!(key.verify(algorithm, MessageType::Raw, &message, &made).unwrap());
            // A prehashed signature is another, in the words of the standard's own prefix.
            if message.len() == 64 {
                let algorithm = SigningAlgorithm::Ed25519PhSha512;
                assert!(!key.verify(algorithm, MessageType::Digest, &message, &made).unwrap());
            }
        }
    }
}

#[test]
fn ed25519ph_signs_as_known() {
    let signature = hex::decode(ABC_PREHASHED).unwrap();
    for backend in BACKENDS {
        let key = EdPrivate::from_pkcs8(backend, &pkcs8(ABC_SECRET)).unwrap();
        let public = EdPublic::from_der(backend, &key.public_der().unwrap()).unwrap();
        assert_eq!(key.sign_prehashed(b"abc").unwrap(), signature);
        assert!(public.verify_prehashed(b"abc", &signature));
        assert!(!public.verify_prehashed(b"abd", &signature));
        assert!(!public.verify(b"abc", &signature));
    }
}

/// KMS takes 64 bytes for the digest, and hashes them once more.
#[test]
fn what_is_sent_as_digest_is_the_message() {
    let rng = &mut *fresh();
    let digest: [u8; 64] = Sha512::digest(b"abc").into();
    for key in import_all(SPEC, &pkcs8(ABC_SECRET)).unwrap() {
        let algorithm = SigningAlgorithm::Ed25519PhSha512;
        let made = key.sign(algorithm, MessageType::Digest, &digest, rng).unwrap();
        let own = EdPrivate::from_pkcs8(Backend::RustCrypto, &pkcs8(ABC_SECRET)).unwrap();
        assert_eq!(made, own.sign_prehashed(&digest).unwrap());
        assert_ne!(made, hex::decode(ABC_PREHASHED).unwrap());
    }
}

#[test]
fn public_keys_have_one_form_and_a_large_order() {
    // y of 0, 1 and -1; y of 1 with the sign of a zero x; y of p and p + 1; a point of order 8.
    let bad = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        // y of p + 3, whose other form is a good point's; and no point at all.
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0200000000000000000000000000000000000000000000000000000000000000",
    ];
    for key in bad {
        let der = hex::decode(format!("302a300506032b6570032100{key}")).unwrap();
        for provider in Provider::ALL {
            let refused = PublicKey::from_der(*provider, SPEC, &der).map(|_| ());
            assert_eq!(refused, Err(CryptoError::BadKey(SPEC)), "{key}");
        }
    }
}

/// S and S plus the group's order are one scalar; only the first is a signature (section 5.1.7, step 1).
#[test]
fn a_signature_has_one_form() {
    const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let order = hex::decode(ORDER).unwrap();
    for [secret, _, message, signature] in PURE {
        let (message, mut signature) =
            (hex::decode(message).unwrap(), hex::decode(signature).unwrap());
        let mut carry = 0;
        for (byte, add) in signature[32..].iter_mut().zip(&order) {
            let sum = u16::from(*byte) + u16::from(*add) + carry;
            (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
        }
        for key in import_all(SPEC, &pkcs8(secret)).unwrap() {
            let algorithm = SigningAlgorithm::Ed25519Sha512;
            assert!(!key.verify(algorithm, MessageType::Raw, &message, &signature).unwrap());
        }
    }
}

#[test]
fn private_keys_of_both_versions_are_read() {
    let [secret, public, ..] = PURE[0];
    let version_2 = |public: &str| {
        let text = format!("3051020101300506032b657004220420{secret}812100{public}");
        hex::decode(text).unwrap()
    };
    let one = import_all(SPEC, &pkcs8(secret)).unwrap();
    let two = import_all(SPEC, &version_2(public)).unwrap();
    assert_eq!(one[0].imported_id("key"), two[0].imported_id("key"));
    // Another's public key is no part of this one.
    let refused = import_all(SPEC, &version_2(PURE[1][1])).unwrap_err();
    assert_eq!(refused, CryptoError::BadKey(SPEC));
    for bad in [
        pkcs8(secret.trim_start_matches("9d")),
        pkcs8(secret)[1..].to_vec(),
        [pkcs8(secret), vec![0]].concat(),
    ] {
        assert_eq!(import_all(SPEC, &bad).unwrap_err(), CryptoError::BadKey(SPEC));
    }
}
