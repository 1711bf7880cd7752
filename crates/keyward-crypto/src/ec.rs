//! ECDSA and ECDH over P-256, P-384 and P-521, and ECDSA over secp256k1, by either implementation.
//! Signatures are in DER; a shared secret is the x-coordinate alone, as long as the field, and nobody has
//! derived a key from it.
//!
//! RustCrypto signs with a nonce from RFC 6979 into which fresh randomness is mixed; aws-lc draws its
//! nonces from its own generator.
//! Whether a key is there to sign or to agree is not known here.
//!
//! INVARIANT: a peer's key is read by RustCrypto under every provider, so that all take the same keys: on
//! the curve, not the point at infinity, and by the curve's name. These curves have cofactor one, so that
//! no more is to be checked.
//! Source: FIPS 186-5 section 6; RFC 3279 section 2.2.3 (the DER form); RFC 5480 (public keys);
//! NIST SP 800-56A revision 3 section 5.7.1.2 (ECC CDH).

use crate::{CryptoError, algorithm::Hash, hash::aws, provider::Backend};
use aws_lc_rs::{agreement, digest, signature as lc};
use keyward_types::{Generator, KeySpec};
use p256::ecdsa::signature::hazmat::{PrehashVerifier as _, RandomizedPrehashSigner as _};
use p256::elliptic_curve::{Generate as _, ecdh::diffie_hellman, sec1::ToSec1Point as _};
use p256::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
};
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// aws-lc has one type to sign with and one to agree with. A KMS key does one or the other; the second is
/// made from the PKCS#8 form when it is first asked for.
pub(crate) struct AwsPrivate {
    signing: lc::EcdsaKeyPair,
    hash: Hash,
    agreeing: OnceLock<Option<agreement::PrivateKey>>,
}

/// One table for what RustCrypto has a crate a curve for.
macro_rules! curves {
    ($($spec:ident = $curve:ident;)*) => {
        /// A private key that has been parsed.
        pub(crate) enum EcPrivate {
            $($spec(Box<$curve::ecdsa::SigningKey>),)*
            AwsLc(Box<AwsPrivate>),
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

        /// The uncompressed point of a public key, which is checked on the way.
        fn point(spec: KeySpec, der: &[u8]) -> Result<Vec<u8>, CryptoError> {
            match spec {
                $(KeySpec::$spec => $curve::PublicKey::from_public_key_der(der)
                    .map(|key| key.to_sec1_point(false).as_bytes().to_vec())
                    .map_err(|_| CryptoError::BadKey(spec)),)*
                _ => Err(CryptoError::Unsupported(spec)),
            }
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
                        let signing = lc::EcdsaKeyPair::from_pkcs8(signing, pkcs8).map_err(|_| bad)?;
                        Self::AwsLc(Box::new(AwsPrivate { signing, hash, agreeing: OnceLock::new() }))
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
                    Self::AwsLc(key) => {
                        let digest = digest::Digest::import_less_safe(digest, aws(key.hash)).map_err(|_| failed)?;
                        let signature = key.signing.sign_digest(&digest).map_err(|_| failed)?;
                        Ok(signature.as_ref().to_vec())
                    }
                }
            }

            /// The x-coordinate of the product with a peer's key, given as SubjectPublicKeyInfo.
            /// `pkcs8` is what the key was made from.
            pub(crate) fn agree(
                &self,
                spec: KeySpec,
                pkcs8: &[u8],
                peer: &[u8],
            ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
                let bad = CryptoError::BadKey(spec);
                match self {
                    $(Self::$spec(key) => {
                        let peer = $curve::PublicKey::from_public_key_der(peer).map_err(|_| bad)?;
                        let shared = diffie_hellman(key.as_nonzero_scalar(), peer.as_affine());
                        Ok(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
                    })*
                    Self::AwsLc(key) => {
                        let curve = aws_agreement(spec)?;
                        let parse = || agreement::PrivateKey::from_private_key_der(curve, pkcs8).ok();
                        let key = key.agreeing.get_or_init(parse).as_ref();
                        let peer = agreement::UnparsedPublicKey::new(curve, point(spec, peer)?);
                        agreement::agree(key.ok_or(CryptoError::Failed("agreement"))?, peer, bad, |shared| {
                            Ok(Zeroizing::new(shared.to_vec()))
                        })
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

fn aws_agreement(spec: KeySpec) -> Result<&'static agreement::Algorithm, CryptoError> {
    match spec {
        KeySpec::EccNistP256 => Ok(&agreement::ECDH_P256),
        KeySpec::EccNistP384 => Ok(&agreement::ECDH_P384),
        KeySpec::EccNistP521 => Ok(&agreement::ECDH_P521),
        _ => Err(CryptoError::Unsupported(spec)),
    }
}
