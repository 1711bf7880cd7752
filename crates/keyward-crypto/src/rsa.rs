//! RSA: OAEP, PKCS#1 v1.5 signatures and PSS, by either implementation.
//!
//! There is no PKCS#1 v1.5 encryption: KMS offers none for data, and its unpadding is an oracle.
//!
//! INVARIANT: every private operation is blinded. RustCrypto blinds from the caller's generator, and no
//! call here reaches it without one; aws-lc blinds from its own.
//! INVARIANT: OAEP failures of any kind are one error. Beyond that, aws-lc and `rsa` unpad without
//! branches on the padding's content.
//! Source: RFC 8017 sections 7.1, 8.1, 8.2; RUSTSEC-2023-0071.

use crate::{
    CryptoError, EncryptionAlgorithm,
    algorithm::{Hash, Scheme, modulus_len},
    hash::aws,
    provider::Backend,
};
use ::rsa::{
    Oaep, Pkcs1v15Sign, Pss, RsaPrivateKey, RsaPublicKey,
    pkcs1::{DecodeRsaPublicKey as _, EncodeRsaPublicKey as _},
    pkcs8::{
        DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
    },
    traits::PublicKeyParts as _,
};
use aws_lc_rs::{
    digest,
    encoding::AsDer as _,
    rsa::{
        KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm,
        OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
        PublicEncryptingKey,
    },
    signature as lc,
};
use keyward_types::{Generator, KeySpec};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// A private key that has been parsed and checked.
pub(crate) enum RsaPrivate {
    RustCrypto(Box<RsaPrivateKey>),
    AwsLc(Box<AwsPrivate>),
}

/// aws-lc has one type to sign with and one to decrypt with, and checks the key anew for each. A KMS key
/// does one or the other, so each is made from the PKCS#8 form when it is first asked for.
#[derive(Default)]
pub(crate) struct AwsPrivate {
    signing: OnceLock<Option<KeyPair>>,
    decrypting: OnceLock<Option<OaepPrivateDecryptingKey>>,
}

impl AwsPrivate {
    fn signing(&self, pkcs8: &[u8]) -> Option<&KeyPair> {
        self.signing.get_or_init(|| KeyPair::from_pkcs8(pkcs8).ok()).as_ref()
    }

    fn decrypting(&self, pkcs8: &[u8]) -> Option<&OaepPrivateDecryptingKey> {
        let parse =
            || OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(pkcs8).ok()?).ok();
        self.decrypting.get_or_init(parse).as_ref()
    }
}

/// A public key that has been parsed.
pub(crate) enum RsaPublic {
    RustCrypto(Box<RsaPublicKey>),
    AwsLc(Box<AwsPublic>),
}

pub(crate) struct AwsPublic {
    encrypting: OaepPublicEncryptingKey,
    der: Vec<u8>,
    /// The key once for each way of verifying, parsed when first asked for: aws-lc ties a parsed key to
    /// its parameters.
    verifying: [OnceLock<Option<lc::ParsedPublicKey>>; WAYS.len()],
}

impl AwsPublic {
    fn verifying(&self, way: (Scheme, Hash)) -> Option<&lc::ParsedPublicKey> {
        let (slot, _) = self.verifying.iter().zip(WAYS).find(|(_, known)| *known == way)?;
        slot.get_or_init(|| lc::ParsedPublicKey::new(aws_verifying(way.0, way.1), &self.der).ok())
            .as_ref()
    }
}

/// Every way in which an RSA key signs.
const WAYS: [(Scheme, Hash); 6] = [
    (Scheme::Pkcs1, Hash::Sha256),
    (Scheme::Pkcs1, Hash::Sha384),
    (Scheme::Pkcs1, Hash::Sha512),
    (Scheme::Pss, Hash::Sha256),
    (Scheme::Pss, Hash::Sha384),
    (Scheme::Pss, Hash::Sha512),
];

/// A new private key with e = 65537, as PKCS#8.
///
/// RustCrypto finds the primes with the caller's generator; aws-lc has its own.
pub(crate) fn generate(
    backend: Backend,
    spec: KeySpec,
    rng: &mut dyn Generator,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let failed = CryptoError::Failed("key generation");
    let bytes = modulus_len(spec).ok_or(CryptoError::Unsupported(spec))?;
    match backend {
        Backend::RustCrypto => {
            let key = RsaPrivateKey::new(rng, bytes * 8).map_err(|_| failed)?;
            key.to_pkcs8_der().map(|der| der.to_bytes()).map_err(|_| failed)
        }
        Backend::AwsLc => {
            let size = match spec {
                KeySpec::Rsa2048 => KeySize::Rsa2048,
                KeySpec::Rsa3072 => KeySize::Rsa3072,
                _ => KeySize::Rsa4096,
            };
            let der = PrivateDecryptingKey::generate(size)
                .and_then(|key| key.as_der())
                .map_err(|_| failed)?;
            Ok(Zeroizing::new(der.as_ref().to_vec()))
        }
    }
}

/// The SubjectPublicKeyInfo around a public key in PKCS#1.
pub(crate) fn spki_of_pkcs1(der: &[u8]) -> Option<Vec<u8>> {
    let key = RsaPublicKey::from_pkcs1_der(der).ok()?;
    Some(key.to_public_key_der().ok()?.into_vec())
}

/// The PKCS#1 form of a public key in a SubjectPublicKeyInfo.
pub(crate) fn pkcs1_of_spki(der: &[u8]) -> Option<Vec<u8>> {
    let key = RsaPublicKey::from_public_key_der(der).ok()?;
    Some(key.to_pkcs1_der().ok()?.into_vec())
}

/// The SubjectPublicKeyInfo of a private key in PKCS#8, which is checked on the way.
pub(crate) fn public_der(spec: KeySpec, pkcs8: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let bad = CryptoError::BadKey(spec);
    let key = RsaPrivateKey::from_pkcs8_der(pkcs8).map_err(|_| bad)?;
    if Some(key.size()) != modulus_len(spec) {
        return Err(bad);
    }
    key.as_public_key().to_public_key_der().map(|der| der.as_bytes().to_vec()).map_err(|_| bad)
}

impl RsaPrivate {
    /// `pkcs8` has been through [`public_der`]; the same bytes go with every call.
    pub(crate) fn from_pkcs8(
        backend: Backend,
        spec: KeySpec,
        pkcs8: &[u8],
    ) -> Result<Self, CryptoError> {
        match backend {
            Backend::RustCrypto => RsaPrivateKey::from_pkcs8_der(pkcs8)
                .map(|key| Self::RustCrypto(Box::new(key)))
                .map_err(|_| CryptoError::BadKey(spec)),
            Backend::AwsLc => Ok(Self::AwsLc(Box::default())),
        }
    }

    /// Whether the implementation takes the key for everything; costs what was put off.
    pub(crate) fn is_accepted(&self, pkcs8: &[u8]) -> bool {
        match self {
            Self::RustCrypto(_) => true,
            Self::AwsLc(key) => key.signing(pkcs8).is_some() && key.decrypting(pkcs8).is_some(),
        }
    }

    pub(crate) fn sign(
        &self,
        pkcs8: &[u8],
        (scheme, hash): (Scheme, Hash),
        digest: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<Vec<u8>, CryptoError> {
        let failed = CryptoError::Failed("signing");
        match self {
            Self::RustCrypto(key) => match (scheme, hash) {
                (Scheme::Pss, Hash::Sha256) => key.sign_with_rng(rng, Pss::<Sha256>::new(), digest),
                (Scheme::Pss, Hash::Sha384) => key.sign_with_rng(rng, Pss::<Sha384>::new(), digest),
                (Scheme::Pss, Hash::Sha512) => key.sign_with_rng(rng, Pss::<Sha512>::new(), digest),
                (_, hash) => key.sign_with_rng(rng, pkcs1(hash), digest),
            }
            .map_err(|_| failed),
            Self::AwsLc(key) => {
                let digest =
                    digest::Digest::import_less_safe(digest, aws(hash)).map_err(|_| failed)?;
                let key = key.signing(pkcs8).ok_or(failed)?;
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign_digest(aws_signing(scheme, hash), &digest, &mut signature)
                    .map_err(|_| failed)?;
                Ok(signature)
            }
        }
    }

    pub(crate) fn decrypt(
        &self,
        pkcs8: &[u8],
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let sha1 = algorithm == EncryptionAlgorithm::RsaesOaepSha1;
        match self {
            Self::RustCrypto(key) => {
                let plain = if sha1 {
                    key.decrypt_blinded(rng, Oaep::<Sha1>::new(), ciphertext)
                } else {
                    key.decrypt_blinded(rng, Oaep::<Sha256>::new(), ciphertext)
                };
                plain.map(Zeroizing::new).map_err(|_| CryptoError::NotAuthentic)
            }
            Self::AwsLc(key) => {
                let key = key.decrypting(pkcs8).ok_or(CryptoError::Failed("decryption"))?;
                let mut plain = Zeroizing::new(vec![0; key.min_output_size()]);
                let len = key
                    .decrypt(aws_oaep(sha1), ciphertext, &mut plain, None)
                    .map(|plain| plain.len())
                    .map_err(|_| CryptoError::NotAuthentic)?;
                plain.truncate(len);
                Ok(plain)
            }
        }
    }
}

impl RsaPublic {
    pub(crate) fn from_der(
        backend: Backend,
        spec: KeySpec,
        der: &[u8],
    ) -> Result<Self, CryptoError> {
        let bad = CryptoError::BadKey(spec);
        let key = RsaPublicKey::from_public_key_der(der).map_err(|_| bad)?;
        if Some(key.size()) != modulus_len(spec) {
            return Err(bad);
        }
        match backend {
            Backend::RustCrypto => Ok(Self::RustCrypto(Box::new(key))),
            Backend::AwsLc => {
                let encrypting = PublicEncryptingKey::from_der(der).map_err(|_| bad)?;
                let encrypting = OaepPublicEncryptingKey::new(encrypting).map_err(|_| bad)?;
                let public =
                    AwsPublic { encrypting, der: der.to_vec(), verifying: Default::default() };
                Ok(Self::AwsLc(Box::new(public)))
            }
        }
    }

    pub(crate) fn verify(&self, way: (Scheme, Hash), digest: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::RustCrypto(key) => match way {
                (Scheme::Pss, Hash::Sha256) => key.verify(Pss::<Sha256>::new(), digest, signature),
                (Scheme::Pss, Hash::Sha384) => key.verify(Pss::<Sha384>::new(), digest, signature),
                (Scheme::Pss, Hash::Sha512) => key.verify(Pss::<Sha512>::new(), digest, signature),
                (_, hash) => key.verify(pkcs1(hash), digest, signature),
            }
            .is_ok(),
            Self::AwsLc(key) => {
                let digest = digest::Digest::import_less_safe(digest, aws(way.1));
                let key = key.verifying(way);
                key.zip(digest.ok())
                    .is_some_and(|(key, digest)| key.verify_digest_sig(&digest, signature).is_ok())
            }
        }
    }

    /// The caller has checked the length of `plain`.
    pub(crate) fn encrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        plain: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<Vec<u8>, CryptoError> {
        let failed = CryptoError::Failed("encryption");
        let sha1 = algorithm == EncryptionAlgorithm::RsaesOaepSha1;
        match self {
            Self::RustCrypto(key) => {
                if sha1 {
                    key.encrypt(rng, Oaep::<Sha1>::new(), plain)
                } else {
                    key.encrypt(rng, Oaep::<Sha256>::new(), plain)
                }
            }
            .map_err(|_| failed),
            Self::AwsLc(key) => {
                let mut ciphertext = vec![0; key.encrypting.ciphertext_size()];
                let len = key
                    .encrypting
                    .encrypt(aws_oaep(sha1), plain, &mut ciphertext, None)
                    .map(|ciphertext| ciphertext.len())
                    .map_err(|_| failed)?;
                ciphertext.truncate(len);
                Ok(ciphertext)
            }
        }
    }
}

/// PKCS#1 v1.5 with the DigestInfo of this digest function.
fn pkcs1(hash: Hash) -> Pkcs1v15Sign {
    match hash {
        Hash::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
        Hash::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
        Hash::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
    }
}

const fn aws_oaep(sha1: bool) -> &'static OaepAlgorithm {
    if sha1 { &OAEP_SHA1_MGF1SHA1 } else { &OAEP_SHA256_MGF1SHA256 }
}

fn aws_signing(scheme: Scheme, hash: Hash) -> &'static lc::RsaSignatureEncoding {
    match (scheme, hash) {
        (Scheme::Pss, Hash::Sha256) => &lc::RSA_PSS_SHA256,
        (Scheme::Pss, Hash::Sha384) => &lc::RSA_PSS_SHA384,
        (Scheme::Pss, Hash::Sha512) => &lc::RSA_PSS_SHA512,
        (_, Hash::Sha256) => &lc::RSA_PKCS1_SHA256,
        (_, Hash::Sha384) => &lc::RSA_PKCS1_SHA384,
        (_, Hash::Sha512) => &lc::RSA_PKCS1_SHA512,
    }
}

/// aws-lc's parameters; for PSS they demand a salt of the digest's length.
fn aws_verifying(scheme: Scheme, hash: Hash) -> &'static lc::RsaParameters {
    match (scheme, hash) {
        (Scheme::Pss, Hash::Sha256) => &lc::RSA_PSS_2048_8192_SHA256,
        (Scheme::Pss, Hash::Sha384) => &lc::RSA_PSS_2048_8192_SHA384,
        (Scheme::Pss, Hash::Sha512) => &lc::RSA_PSS_2048_8192_SHA512,
        (_, Hash::Sha256) => &lc::RSA_PKCS1_2048_8192_SHA256,
        (_, Hash::Sha384) => &lc::RSA_PKCS1_2048_8192_SHA384,
        (_, Hash::Sha512) => &lc::RSA_PKCS1_2048_8192_SHA512,
    }
}
