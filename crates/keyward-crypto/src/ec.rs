//! ECDSA over P-256, P-384, P-521 and secp256k1, by either implementation. Signatures are in DER.
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

/// One table for what RustCrypto has a crate a curve for.
macro_rules! curves {
    ($($spec:ident = $curve:ident;)*) => {
        /// A private key that has been parsed.
        pub(crate) enum EcPrivate {
            $($spec(Box<$curve::ecdsa::SigningKey>),)*
            AwsLc(Box<lc::EcdsaKeyPair>, Hash),
        }

        /// A public key that has been parsed.
        pub(crate) enum EcPublic {
            $($spec(Box<$curve::ecdsa::VerifyingKey>),)*
            AwsLc(Box<lc::ParsedPublicKey>, Hash),
        }

        /// A new private key as PKCS#8.
        pub(crate) fn generate(
            backend: Backend,
            spec: KeySpec,
            rng: &mut dyn Generator,
        ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
            let der = match (backend, spec) {
                $((Backend::RustCrypto, KeySpec::$spec) => {
                    $curve::SecretKey::generate_from_rng(rng).to_pkcs8_der().map(|der| der.to_bytes())
                })*
                (Backend::AwsLc, _) => return aws_generate(spec),
                (Backend::RustCrypto, _) => return Err(CryptoError::Unsupported(spec)),
            };
            der.map_err(|_| CryptoError::Failed("key generation"))
        }

        /// The SubjectPublicKeyInfo of a private key in PKCS#8, which is checked on the way.
        pub(crate) fn public_der(spec: KeySpec, pkcs8: &[u8]) -> Result<Vec<u8>, CryptoError> {
            let bad = CryptoError::BadKey(spec);
            let der = match spec {
                $(KeySpec::$spec => {
                    let secret = $curve::SecretKey::from_pkcs8_der(pkcs8).map_err(|_| bad)?;
                    secret.public_key().to_public_key_der()
                })*
                _ => return Err(CryptoError::Unsupported(spec)),
            };
            der.map(|der| der.as_bytes().to_vec()).map_err(|_| bad)
        }

        impl EcPrivate {
            pub(crate) fn from_pkcs8(backend: Backend, spec: KeySpec, pkcs8: &[u8]) -> Result<Self, CryptoError> {
                let bad = CryptoError::BadKey(spec);
                Ok(match (backend, spec) {
                    $((Backend::RustCrypto, KeySpec::$spec) => {
                        let secret = $curve::SecretKey::from_pkcs8_der(pkcs8).map_err(|_| bad)?;
                        Self::$spec(Box::new(secret.into()))
                    })*
                    (Backend::AwsLc, _) => {
                        let (signing, _, hash) = aws_curve(spec)?;
                        let pair = lc::EcdsaKeyPair::from_pkcs8(signing, pkcs8).map_err(|_| bad)?;
                        Self::AwsLc(Box::new(pair), hash)
                    }
                    (Backend::RustCrypto, _) => return Err(CryptoError::Unsupported(spec)),
                })
            }

            pub(crate) fn sign(&self, digest: &[u8], rng: &mut dyn Generator) -> Result<Vec<u8>, CryptoError> {
                let failed = CryptoError::Failed("signing");
                match self {
                    $(Self::$spec(key) => {
                        let signature: $curve::ecdsa::Signature =
                            key.sign_prehash_with_rng(rng, digest).map_err(|_| failed)?;
                        Ok(signature.to_der().as_bytes().to_vec())
                    })*
                    Self::AwsLc(key, hash) => {
                        let digest = digest::Digest::import_less_safe(digest, aws(*hash)).map_err(|_| failed)?;
                        key.sign_digest(&digest).map(|signature| signature.as_ref().to_vec()).map_err(|_| failed)
                    }
                }
            }
        }

        impl EcPublic {
            pub(crate) fn from_der(backend: Backend, spec: KeySpec, der: &[u8]) -> Result<Self, CryptoError> {
                let bad = CryptoError::BadKey(spec);
                Ok(match (backend, spec) {
                    $((Backend::RustCrypto, KeySpec::$spec) => {
                        let key = $curve::PublicKey::from_public_key_der(der).map_err(|_| bad)?;
                        Self::$spec(Box::new(key.into()))
                    })*
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
                    // (r, s) and (r, -s) are both signatures. `k256` takes the lower one only, as Bitcoin
                    // does; KMS and aws-lc take either, so the lower one is what is asked about.
                    $(Self::$spec(key) => $curve::ecdsa::Signature::from_der(signature)
                        .is_ok_and(|signature| key.verify_prehash(digest, &signature.normalize_s()).is_ok()),)*
                    Self::AwsLc(key, hash) => digest::Digest::import_less_safe(digest, aws(*hash))
                        .is_ok_and(|digest| key.verify_digest_sig(&digest, signature).is_ok()),
                }
            }
        }
    };
}

curves! {
    EccNistP256 = p256;
    EccNistP384 = p384;
    EccNistP521 = p521;
    EccSecgP256k1 = k256;
}

fn aws_generate(spec: KeySpec) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let (signing, _, _) = aws_curve(spec)?;
    lc::EcdsaKeyPair::generate(signing)
        .and_then(|pair| pair.to_pkcs8v1())
        .map(|der| Zeroizing::new(der.as_ref().to_vec()))
        .map_err(|_| CryptoError::Failed("key generation"))
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
        KeySpec::EccNistP521 => {
            Ok((&lc::ECDSA_P521_SHA512_ASN1_SIGNING, &lc::ECDSA_P521_SHA512_ASN1, Hash::Sha512))
        }
        KeySpec::EccSecgP256k1 => {
            Ok((&lc::ECDSA_P256K1_SHA256_ASN1_SIGNING, &lc::ECDSA_P256K1_SHA256_ASN1, Hash::Sha256))
        }
        _ => Err(CryptoError::Unsupported(spec)),
    }
}
