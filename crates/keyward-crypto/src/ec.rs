//! ECDSA over P-256 and P-384, by either implementation. Signatures are in DER.
//!
//! RustCrypto signs with a nonce from RFC 6979 into which fresh randomness is mixed; aws-lc draws its
//! nonces from its own generator.
//! Source: FIPS 186-5 section 6; RFC 3279 section 2.2.3 (the DER form); RFC 5480 (public keys).

use crate::{CryptoError, algorithm::Hash, hash::aws, provider::Backend};
use aws_lc_rs::{digest, signature as lc};
use keyward_types::{Generator, KeySpec};
use p256::ecdsa::signature::hazmat::{PrehashVerifier as _, RandomizedPrehashSigner as _};
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
};
use zeroize::Zeroizing;

/// A private key that has been parsed.
pub(crate) enum EcPrivate {
    P256(Box<p256::ecdsa::SigningKey>),
    P384(Box<p384::ecdsa::SigningKey>),
    AwsLc(Box<lc::EcdsaKeyPair>, Hash),
}

/// A public key that has been parsed.
pub(crate) enum EcPublic {
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    AwsLc(Box<lc::ParsedPublicKey>, Hash),
}

/// A new private key as PKCS#8.
pub(crate) fn generate(
    backend: Backend,
    spec: KeySpec,
    rng: &mut dyn Generator,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let failed = CryptoError::Failed("key generation");
    match (backend, spec) {
        (Backend::RustCrypto, KeySpec::EccNistP256) => p256::SecretKey::generate_from_rng(rng)
            .to_pkcs8_der()
            .map(|der| der.to_bytes())
            .map_err(|_| failed),
        (Backend::RustCrypto, KeySpec::EccNistP384) => p384::SecretKey::generate_from_rng(rng)
            .to_pkcs8_der()
            .map(|der| der.to_bytes())
            .map_err(|_| failed),
        (Backend::AwsLc, _) => {
            let (signing, _, _) = aws_curve(spec)?;
            let pair = lc::EcdsaKeyPair::generate(signing).map_err(|_| failed)?;
            pair.to_pkcs8v1().map(|der| Zeroizing::new(der.as_ref().to_vec())).map_err(|_| failed)
        }
        (Backend::RustCrypto, _) => Err(CryptoError::Unsupported(spec)),
    }
}

/// The SubjectPublicKeyInfo of a private key in PKCS#8, which is checked on the way.
pub(crate) fn public_der(spec: KeySpec, pkcs8: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let bad = CryptoError::BadKey(spec);
    let der = match spec {
        KeySpec::EccNistP256 => p256::SecretKey::from_pkcs8_der(pkcs8)
            .map_err(|_| bad)?
            .public_key()
            .to_public_key_der(),
        KeySpec::EccNistP384 => p384::SecretKey::from_pkcs8_der(pkcs8)
            .map_err(|_| bad)?
            .public_key()
            .to_public_key_der(),
        _ => return Err(CryptoError::Unsupported(spec)),
    };
    der.map(|der| der.as_bytes().to_vec()).map_err(|_| bad)
}

impl EcPrivate {
    pub(crate) fn from_pkcs8(
        backend: Backend,
        spec: KeySpec,
        pkcs8: &[u8],
    ) -> Result<Self, CryptoError> {
        let bad = CryptoError::BadKey(spec);
        Ok(match (backend, spec) {
            (Backend::RustCrypto, KeySpec::EccNistP256) => {
                let secret = p256::SecretKey::from_pkcs8_der(pkcs8).map_err(|_| bad)?;
                Self::P256(Box::new(secret.into()))
            }
            (Backend::RustCrypto, KeySpec::EccNistP384) => {
                let secret = p384::SecretKey::from_pkcs8_der(pkcs8).map_err(|_| bad)?;
                Self::P384(Box::new(secret.into()))
            }
            (Backend::AwsLc, _) => {
                let (signing, _, hash) = aws_curve(spec)?;
                let pair = lc::EcdsaKeyPair::from_pkcs8(signing, pkcs8).map_err(|_| bad)?;
                Self::AwsLc(Box::new(pair), hash)
            }
            (Backend::RustCrypto, _) => return Err(CryptoError::Unsupported(spec)),
        })
    }

    pub(crate) fn sign(
        &self,
        digest: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<Vec<u8>, CryptoError> {
        let failed = CryptoError::Failed("signing");
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature =
                    key.sign_prehash_with_rng(rng, digest).map_err(|_| failed)?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature =
                    key.sign_prehash_with_rng(rng, digest).map_err(|_| failed)?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Self::AwsLc(key, hash) => {
                let digest =
                    digest::Digest::import_less_safe(digest, aws(*hash)).map_err(|_| failed)?;
                key.sign_digest(&digest)
                    .map(|signature| signature.as_ref().to_vec())
                    .map_err(|_| failed)
            }
        }
    }
}

impl EcPublic {
    pub(crate) fn from_der(
        backend: Backend,
        spec: KeySpec,
        der: &[u8],
    ) -> Result<Self, CryptoError> {
        let bad = CryptoError::BadKey(spec);
        Ok(match (backend, spec) {
            (Backend::RustCrypto, KeySpec::EccNistP256) => {
                let key = p256::PublicKey::from_public_key_der(der).map_err(|_| bad)?;
                Self::P256(Box::new(key.into()))
            }
            (Backend::RustCrypto, KeySpec::EccNistP384) => {
                let key = p384::PublicKey::from_public_key_der(der).map_err(|_| bad)?;
                Self::P384(Box::new(key.into()))
            }
            (Backend::AwsLc, _) => {
                let (_, verifying, hash) = aws_curve(spec)?;
                let key = lc::ParsedPublicKey::new(verifying, der).map_err(|_| bad)?;
                Self::AwsLc(Box::new(key), hash)
            }
            (Backend::RustCrypto, _) => return Err(CryptoError::Unsupported(spec)),
        })
    }

    pub(crate) fn verify(&self, digest: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok()),
            Self::P384(key) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok()),
            Self::AwsLc(key, hash) => digest::Digest::import_less_safe(digest, aws(*hash))
                .is_ok_and(|digest| key.verify_digest_sig(&digest, signature).is_ok()),
        }
    }
}

type AwsCurve = (&'static lc::EcdsaSigningAlgorithm, &'static lc::EcdsaVerificationAlgorithm, Hash);

/// aws-lc's names of a curve, with the one digest that KMS signs on it.
fn aws_curve(spec: KeySpec) -> Result<AwsCurve, CryptoError> {
    match spec {
        KeySpec::EccNistP256 => {
            Ok((&lc::ECDSA_P256_SHA256_ASN1_SIGNING, &lc::ECDSA_P256_SHA256_ASN1, Hash::Sha256))
        }
        KeySpec::EccNistP384 => {
            Ok((&lc::ECDSA_P384_SHA384_ASN1_SIGNING, &lc::ECDSA_P384_SHA384_ASN1, Hash::Sha384))
        }
        _ => Err(CryptoError::Unsupported(spec)),
    }
}
