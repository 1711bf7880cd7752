//! THE TABLE: what each key spec can do, by AWS's names.
//!
//! It knows names, lengths and which belongs to which; it computes nothing.
//! SM2 can be named and is not made: there is one implementation of it in this language, which nobody has
//! audited and which no second one could be held against, and AWS offers it in its Chinese Regions alone.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>

use core::ops::RangeInclusive;
use keyward_types::{KeySpec, KeyUsage, aws_enum};

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html#KMS-Encrypt-request-EncryptionAlgorithm>
    EncryptionAlgorithm {
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
        RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
        Sm2Pke = "SM2PKE",
    }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html#KMS-Sign-request-SigningAlgorithm>
    SigningAlgorithm {
        RsassaPssSha256 = "RSASSA_PSS_SHA_256",
        RsassaPssSha384 = "RSASSA_PSS_SHA_384",
        RsassaPssSha512 = "RSASSA_PSS_SHA_512",
        RsassaPkcs1V15Sha256 = "RSASSA_PKCS1_V1_5_SHA_256",
        RsassaPkcs1V15Sha384 = "RSASSA_PKCS1_V1_5_SHA_384",
        RsassaPkcs1V15Sha512 = "RSASSA_PKCS1_V1_5_SHA_512",
        EcdsaSha256 = "ECDSA_SHA_256",
        EcdsaSha384 = "ECDSA_SHA_384",
        EcdsaSha512 = "ECDSA_SHA_512",
        Sm2Dsa = "SM2DSA",
        MlDsaShake256 = "ML_DSA_SHAKE_256",
        Ed25519Sha512 = "ED25519_SHA_512",
        Ed25519PhSha512 = "ED25519_PH_SHA_512",
    }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateMac.html#KMS-GenerateMac-request-MacAlgorithm>
    MacAlgorithm {
        HmacSha224 = "HMAC_SHA_224",
        HmacSha256 = "HMAC_SHA_256",
        HmacSha384 = "HMAC_SHA_384",
        HmacSha512 = "HMAC_SHA_512",
    }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html#KMS-Sign-request-MessageType>
    MessageType { Raw = "RAW", Digest = "DIGEST", ExternalMu = "EXTERNAL_MU", }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_DeriveSharedSecret.html#KMS-DeriveSharedSecret-request-KeyAgreementAlgorithm>
    KeyAgreementAlgorithm { Ecdh = "ECDH", }
);

aws_enum!(
    /// What an ML-KEM key encapsulates with. <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>
    EncapsulationAlgorithm { MlKem = "ML_KEM", }
);

aws_enum!(
    /// How imported material travels.
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetParametersForImport.html#KMS-GetParametersForImport-request-WrappingAlgorithm>
    WrappingAlgorithm {
        RsaesPkcs1V15 = "RSAES_PKCS1_V1_5",
        RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
        RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
        RsaAesKeyWrapSha1 = "RSA_AES_KEY_WRAP_SHA_1",
        RsaAesKeyWrapSha256 = "RSA_AES_KEY_WRAP_SHA_256",
        Sm2Pke = "SM2PKE",
    }
);

/// Which module makes and reads keys of a spec. SM2 falls to the curves, where it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Symmetric,
    Mac,
    Rsa,
    Ec,
    Ed,
    MlDsa,
    MlKem,
}

impl Family {
    pub(crate) const fn of(spec: KeySpec) -> Self {
        match spec {
            KeySpec::SymmetricDefault => Self::Symmetric,
            KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => Self::Mac,
            KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => Self::Rsa,
            KeySpec::EccNistP256
            | KeySpec::EccNistP384
            | KeySpec::EccNistP521
            | KeySpec::EccSecgP256k1
            | KeySpec::Sm2 => Self::Ec,
            KeySpec::EccNistEdwards25519 => Self::Ed,
            KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => Self::MlDsa,
            KeySpec::MlKem512 | KeySpec::MlKem768 | KeySpec::MlKem1024 => Self::MlKem,
        }
    }
}

/// A digest function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// Bytes of its digest.
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// How a digest becomes a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Pkcs1,
    Pss,
    Ecdsa,
}

impl SigningAlgorithm {
    /// `None` for the algorithms that do their own hashing, and for the one that no supported spec has.
    pub(crate) const fn scheme(self) -> Option<(Scheme, Hash)> {
        Some(match self {
            Self::RsassaPssSha256 => (Scheme::Pss, Hash::Sha256),
            Self::RsassaPssSha384 => (Scheme::Pss, Hash::Sha384),
            Self::RsassaPssSha512 => (Scheme::Pss, Hash::Sha512),
            Self::RsassaPkcs1V15Sha256 => (Scheme::Pkcs1, Hash::Sha256),
            Self::RsassaPkcs1V15Sha384 => (Scheme::Pkcs1, Hash::Sha384),
            Self::RsassaPkcs1V15Sha512 => (Scheme::Pkcs1, Hash::Sha512),
            Self::EcdsaSha256 => (Scheme::Ecdsa, Hash::Sha256),
            Self::EcdsaSha384 => (Scheme::Ecdsa, Hash::Sha384),
            Self::EcdsaSha512 => (Scheme::Ecdsa, Hash::Sha512),
            Self::Sm2Dsa | Self::MlDsaShake256 | Self::Ed25519Sha512 | Self::Ed25519PhSha512 => {
                return None;
            }
        })
    }
}

/// What a key of this spec encrypts with, in the order in which AWS lists it.
pub const fn encryption_algorithms(spec: KeySpec) -> &'static [EncryptionAlgorithm] {
    match spec {
        KeySpec::SymmetricDefault => &[EncryptionAlgorithm::SymmetricDefault],
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => {
            &[EncryptionAlgorithm::RsaesOaepSha1, EncryptionAlgorithm::RsaesOaepSha256]
        }
        _ => &[],
    }
}

/// What a key of this spec signs with, in the order in which AWS lists it.
pub const fn signing_algorithms(spec: KeySpec) -> &'static [SigningAlgorithm] {
    match spec {
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => &[
            SigningAlgorithm::RsassaPkcs1V15Sha256,
            SigningAlgorithm::RsassaPkcs1V15Sha384,
            SigningAlgorithm::RsassaPkcs1V15Sha512,
            SigningAlgorithm::RsassaPssSha256,
            SigningAlgorithm::RsassaPssSha384,
            SigningAlgorithm::RsassaPssSha512,
        ],
        KeySpec::EccNistP256 | KeySpec::EccSecgP256k1 => &[SigningAlgorithm::EcdsaSha256],
        KeySpec::EccNistP384 => &[SigningAlgorithm::EcdsaSha384],
        KeySpec::EccNistP521 => &[SigningAlgorithm::EcdsaSha512],
        KeySpec::EccNistEdwards25519 => {
            &[SigningAlgorithm::Ed25519Sha512, SigningAlgorithm::Ed25519PhSha512]
        }
        KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => {
            &[SigningAlgorithm::MlDsaShake256]
        }
        _ => &[],
    }
}

/// The forms in which an algorithm takes its message, in the order in which AWS lists them.
///
/// Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html#KMS-Sign-request-MessageType>
pub const fn message_types(algorithm: SigningAlgorithm) -> &'static [MessageType] {
    match algorithm {
        SigningAlgorithm::Ed25519Sha512 => &[MessageType::Raw],
        SigningAlgorithm::Ed25519PhSha512 => &[MessageType::Digest],
        SigningAlgorithm::MlDsaShake256 => &[MessageType::Raw, MessageType::ExternalMu],
        _ => &[MessageType::Raw, MessageType::Digest],
    }
}

/// What a key of this spec agrees with.
pub const fn key_agreement_algorithms(spec: KeySpec) -> &'static [KeyAgreementAlgorithm] {
    match spec {
        KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistP521 => {
            &[KeyAgreementAlgorithm::Ecdh]
        }
        _ => &[],
    }
}

/// What a key of this spec encapsulates with.
pub const fn encapsulation_algorithms(spec: KeySpec) -> &'static [EncapsulationAlgorithm] {
    match spec {
        KeySpec::MlKem512 | KeySpec::MlKem768 | KeySpec::MlKem1024 => {
            &[EncapsulationAlgorithm::MlKem]
        }
        _ => &[],
    }
}

/// What a key of this spec makes codes with: one algorithm a spec.
pub const fn mac_algorithms(spec: KeySpec) -> &'static [MacAlgorithm] {
    match spec {
        KeySpec::Hmac224 => &[MacAlgorithm::HmacSha224],
        KeySpec::Hmac256 => &[MacAlgorithm::HmacSha256],
        KeySpec::Hmac384 => &[MacAlgorithm::HmacSha384],
        KeySpec::Hmac512 => &[MacAlgorithm::HmacSha512],
        _ => &[],
    }
}

/// The usages that AWS offers for a key of this spec, the default first where there is one.
///
/// Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html#KMS-CreateKey-request-KeyUsage>
pub const fn usages(spec: KeySpec) -> &'static [KeyUsage] {
    match spec {
        KeySpec::SymmetricDefault => &[KeyUsage::EncryptDecrypt],
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => {
            &[KeyUsage::EncryptDecrypt, KeyUsage::SignVerify]
        }
        KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistP521 => {
            &[KeyUsage::SignVerify, KeyUsage::KeyAgreement]
        }
        KeySpec::EccSecgP256k1
        | KeySpec::EccNistEdwards25519
        | KeySpec::MlDsa44
        | KeySpec::MlDsa65
        | KeySpec::MlDsa87 => &[KeyUsage::SignVerify],
        KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => {
            &[KeyUsage::GenerateVerifyMac]
        }
        KeySpec::Sm2 => &[KeyUsage::EncryptDecrypt, KeyUsage::SignVerify, KeyUsage::KeyAgreement],
        KeySpec::MlKem512 | KeySpec::MlKem768 | KeySpec::MlKem1024 => {
            &[KeyUsage::EncapsulateDecapsulate]
        }
    }
}

/// How many bytes material of this spec may have that is imported raw; `None` for asymmetric specs, whose
/// material is PKCS#8.
///
/// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-conceptual.html>; the
/// ranges of HMAC keys are those that AWS was observed to accept.
pub const fn import_lengths(spec: KeySpec) -> Option<RangeInclusive<usize>> {
    match spec {
        KeySpec::SymmetricDefault => Some(32..=32),
        KeySpec::Hmac224 => Some(28..=64),
        KeySpec::Hmac256 => Some(32..=64),
        KeySpec::Hmac384 => Some(48..=128),
        KeySpec::Hmac512 => Some(64..=128),
        _ => None,
    }
}

/// Bytes of the modulus of an RSA spec.
pub const fn modulus_len(spec: KeySpec) -> Option<usize> {
    match spec {
        KeySpec::Rsa2048 => Some(256),
        KeySpec::Rsa3072 => Some(384),
        KeySpec::Rsa4096 => Some(512),
        _ => None,
    }
}

/// The most bytes that OAEP takes: the modulus less two digests and two bytes.
///
/// Source: RFC 8017 section 7.1.1, step 1.
pub const fn oaep_limit(spec: KeySpec, algorithm: EncryptionAlgorithm) -> Option<usize> {
    let digest = match algorithm {
        EncryptionAlgorithm::RsaesOaepSha1 => 20,
        EncryptionAlgorithm::RsaesOaepSha256 => 32,
        EncryptionAlgorithm::SymmetricDefault | EncryptionAlgorithm::Sm2Pke => return None,
    };
    match modulus_len(spec) {
        Some(modulus) => Some(modulus - 2 * digest - 2),
        None => None,
    }
}

/// Bytes of the digest that this algorithm signs; `None` where it signs no plain digest.
pub const fn digest_len(algorithm: SigningAlgorithm) -> Option<usize> {
    match algorithm.scheme() {
        Some((_, hash)) => Some(hash.len()),
        // Ed25519ph takes the 64 bytes of SHA-512, by the name of DIGEST.
        None if matches!(algorithm, SigningAlgorithm::Ed25519PhSha512) => Some(64),
        None => None,
    }
}

/// Bytes of the code, which are also the bytes of the key that AWS generates for it.
pub const fn mac_len(algorithm: MacAlgorithm) -> usize {
    match algorithm {
        MacAlgorithm::HmacSha224 => 28,
        MacAlgorithm::HmacSha256 => 32,
        MacAlgorithm::HmacSha384 => 48,
        MacAlgorithm::HmacSha512 => 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oaep_limits_are_those_that_aws_documents() {
        let limits: Vec<_> = [KeySpec::Rsa2048, KeySpec::Rsa3072, KeySpec::Rsa4096]
            .into_iter()
            .flat_map(|spec| encryption_algorithms(spec).iter().map(move |a| oaep_limit(spec, *a)))
            .collect();
        assert_eq!(limits, [214, 190, 342, 318, 470, 446].map(Some));
        assert_eq!(oaep_limit(KeySpec::Rsa2048, EncryptionAlgorithm::SymmetricDefault), None);
        assert_eq!(oaep_limit(KeySpec::EccNistP256, EncryptionAlgorithm::RsaesOaepSha1), None);
    }

    #[test]
    fn what_a_spec_can_do_agrees_with_its_usages() {
        for spec in KeySpec::ALL {
            let usages = usages(*spec);
            assert!(!usages.is_empty(), "{spec}");
            for (usage, offered) in [
                (KeyUsage::EncryptDecrypt, !encryption_algorithms(*spec).is_empty()),
                (KeyUsage::SignVerify, !signing_algorithms(*spec).is_empty()),
                (KeyUsage::GenerateVerifyMac, !mac_algorithms(*spec).is_empty()),
                (KeyUsage::KeyAgreement, !key_agreement_algorithms(*spec).is_empty()),
                (KeyUsage::EncapsulateDecapsulate, !encapsulation_algorithms(*spec).is_empty()),
            ] {
                // Every usage has its algorithms, and none has any that the spec is not used for.
                let missing = *spec == KeySpec::Sm2;
                assert_eq!(offered, usages.contains(&usage) && !missing, "{spec} {usage}");
            }
            assert_eq!(import_lengths(*spec).is_none(), spec.is_asymmetric(), "{spec}");
            for algorithm in mac_algorithms(*spec) {
                let range = import_lengths(*spec).unwrap();
                assert_eq!(
                    *range.start(),
                    mac_len(*algorithm),
                    "what is generated could be imported"
                );
            }
        }
    }

    #[test]
    fn names_parse_to_what_they_name() {
        for name in SigningAlgorithm::NAMES {
            assert_eq!(SigningAlgorithm::parse(name).map(SigningAlgorithm::as_str), Some(*name));
        }
        assert_eq!(SigningAlgorithm::NAMES.len(), 13);
        assert_eq!(SigningAlgorithm::parse("RSASSA_PSS_SHA_1"), None);
        assert_eq!(MessageType::NAMES, ["RAW", "DIGEST", "EXTERNAL_MU"]);
        assert_eq!(
            WrappingAlgorithm::NAMES,
            [
                "RSAES_PKCS1_V1_5",
                "RSAES_OAEP_SHA_1",
                "RSAES_OAEP_SHA_256",
                "RSA_AES_KEY_WRAP_SHA_1",
                "RSA_AES_KEY_WRAP_SHA_256",
                "SM2PKE",
            ]
        );
        assert_eq!(digest_len(SigningAlgorithm::EcdsaSha384), Some(48));
        assert_eq!(digest_len(SigningAlgorithm::Ed25519Sha512), None);
    }
}
