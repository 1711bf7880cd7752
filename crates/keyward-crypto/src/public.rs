//! The public half of an asymmetric key: what anybody may do with it.
//!
//! It holds no secret, so that verifying and encrypting need no material unwrapped.

use crate::{
    CryptoError, EncapsulationAlgorithm, EncryptionAlgorithm, MessageType, Provider,
    SigningAlgorithm,
    algorithm::{
        Family, Hash, Scheme, digest_len, encryption_algorithms, message_types, oaep_limit,
        signing_algorithms,
    },
    ec::EcPublic,
    ed25519::EdPublic,
    hash::hash,
    ml_dsa::{MU_LEN, MlDsaPublic},
    ml_kem::MlKemPublic,
    provider::Backend,
    rsa::{self, RsaPublic},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use core::fmt;
use keyward_types::{Generator, KeySpec};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// A public key that has been parsed.
pub struct PublicKey {
    spec: KeySpec,
    der: Vec<u8>,
    symmetric: Backend,
    engine: Engine,
}

enum Engine {
    Rsa(RsaPublic),
    Ec(EcPublic),
    Ed(Box<EdPublic>),
    MlDsa(MlDsaPublic),
    MlKem(MlKemPublic),
}

impl PublicKey {
    /// Parses a DER SubjectPublicKeyInfo of this spec (RFC 5280 section 4.1).
    ///
    /// # Errors
    /// [`CryptoError::BadKey`], or [`CryptoError::Unsupported`] for a spec without a public half.
    pub fn from_der(provider: Provider, spec: KeySpec, der: &[u8]) -> Result<Self, CryptoError> {
        let backend = provider.asymmetric(spec);
        let engine = match Family::of(spec) {
            Family::Rsa => Engine::Rsa(RsaPublic::from_der(backend, spec, der)?),
            Family::Ec => Engine::Ec(EcPublic::from_der(backend, spec, der)?),
            Family::Ed => Engine::Ed(Box::new(EdPublic::from_der(backend, der)?)),
            Family::MlDsa => Engine::MlDsa(MlDsaPublic::from_der(backend, spec, der)?),
            Family::MlKem => Engine::MlKem(MlKemPublic::from_der(backend, spec, der)?),
            Family::Symmetric | Family::Mac => return Err(CryptoError::Unsupported(spec)),
        };
        Ok(Self { spec, der: der.to_vec(), symmetric: provider.symmetric(), engine })
    }

    /// Parses an RSA-2048 key in the form of RFC 8017 appendix A.1.1 (PKCS#1), as PEM or as DER: the form in
    /// which CloudTrail shows its public keys.
    ///
    /// # Errors
    /// [`CryptoError::BadKey`].
    pub fn from_pkcs1(provider: Provider, text: &[u8]) -> Result<Self, CryptoError> {
        let bad = CryptoError::BadKey(KeySpec::Rsa2048);
        let der = match pem_body(text) {
            Some(body) => STANDARD.decode(body).map_err(|_| bad)?,
            None => text.to_vec(),
        };
        let spki = rsa::spki_of_pkcs1(&der).ok_or(bad)?;
        Self::from_der(provider, KeySpec::Rsa2048, &spki)
    }

    /// The PKCS#1 DER form of an RSA key.
    pub fn pkcs1_der(&self) -> Option<Vec<u8>> {
        rsa::pkcs1_of_spki(&self.der)
    }

    /// The PKCS#1 form of an RSA key as PEM.
    pub fn pkcs1_pem(&self) -> Option<String> {
        let text = STANDARD.encode(self.pkcs1_der()?);
        let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
        let body: Vec<_> = lines.collect();
        Some(format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", body.join("\n")))
    }

    pub const fn spec(&self) -> KeySpec {
        self.spec
    }

    /// The DER SubjectPublicKeyInfo.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether `signature` is this key's over `message`.
    ///
    /// # Errors
    /// As [`crate::KeyMaterial::sign`]; a signature that is merely wrong, however malformed, is `false`.
    pub fn verify(
        &self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, CryptoError> {
        let message = signed(self.symmetric, self.spec, algorithm, message_type, message)?;
        Ok(match (&self.engine, message) {
            (Engine::Rsa(key), Signed::Digest(way, digest)) => key.verify(way, &digest, signature),
            (Engine::Ec(key), Signed::Digest(_, digest)) => key.verify(&digest, signature),
            (Engine::Ed(key), Signed::Message(message)) => key.verify(message, signature),
            (Engine::Ed(key), Signed::Prehashed(message)) => {
                key.verify_prehashed(message, signature)
            }
            (Engine::MlDsa(key), Signed::Message(message)) => key.verify(message, signature),
            (Engine::MlDsa(key), Signed::Mu(mu)) => key.verify_mu(mu, signature),
            _ => return Err(CryptoError::Incompatible(algorithm.as_str(), self.spec)),
        })
    }

    /// Encrypts with OAEP; the result has the modulus's length.
    ///
    /// # Errors
    /// [`CryptoError::Incompatible`], or [`CryptoError::TooLong`] with the limit.
    pub fn encrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        plaintext: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<Vec<u8>, CryptoError> {
        let limit = oaep(self.spec, algorithm)?;
        if plaintext.len() > limit {
            return Err(CryptoError::TooLong(limit));
        }
        match &self.engine {
            Engine::Rsa(key) => key.encrypt(algorithm, plaintext, rng),
            _ => Err(CryptoError::Incompatible(algorithm.as_str(), self.spec)),
        }
    }

    /// A new shared secret of 32 bytes, and the ciphertext that carries it to the holder of the key: 768,
    /// 1088 or 1568 bytes for ML_KEM_512, 768 and 1024.
    ///
    /// # Errors
    /// [`CryptoError::Incompatible`].
    pub fn encapsulate(
        &self,
        rng: &mut dyn Generator,
    ) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), CryptoError> {
        match &self.engine {
            Engine::MlKem(key) => key.encapsulate(rng),
            _ => Err(CryptoError::Incompatible(EncapsulationAlgorithm::MlKem.as_str(), self.spec)),
        }
    }

    pub(crate) const fn symmetric(&self) -> Backend {
        self.symmetric
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("spec", &self.spec).finish_non_exhaustive()
    }
}

const PEM_BEGIN: &str = "-----BEGIN RSA PUBLIC KEY-----";
const PEM_END: &str = "-----END RSA PUBLIC KEY-----";

/// The base64 between the lines of a PEM file (RFC 7468), without line breaks.
fn pem_body(text: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(text).ok()?;
    let (body, _) = text.split_once(PEM_BEGIN)?.1.split_once(PEM_END)?;
    Some(body.split_ascii_whitespace().collect())
}

/// The OAEP limit, if a key of this spec encrypts so.
pub(crate) fn oaep(spec: KeySpec, algorithm: EncryptionAlgorithm) -> Result<usize, CryptoError> {
    oaep_limit(spec, algorithm)
        .filter(|_| encryption_algorithms(spec).contains(&algorithm))
        .ok_or(CryptoError::Incompatible(algorithm.as_str(), spec))
}

/// What goes into a signature.
pub(crate) enum Signed<'a> {
    /// The digest of a raw message, or the one that the caller made.
    Digest((Scheme, Hash), Cow<'a, [u8]>),
    /// A message that the scheme hashes itself.
    Message(&'a [u8]),
    /// A message of which the scheme signs the digest: the 64 bytes that were sent as one, which KMS hashes
    /// once more.
    Prehashed(&'a [u8]),
    /// ML-DSA's digest of the public key and the message.
    Mu(&'a [u8; MU_LEN]),
}

/// Whether `algorithm` signs a message of this form with a key of this spec, and as what.
pub(crate) fn signed<'a>(
    backend: Backend,
    spec: KeySpec,
    algorithm: SigningAlgorithm,
    message_type: MessageType,
    message: &'a [u8],
) -> Result<Signed<'a>, CryptoError> {
    if !signing_algorithms(spec).contains(&algorithm) {
        return Err(CryptoError::Incompatible(algorithm.as_str(), spec));
    }
    if !message_types(algorithm).contains(&message_type) {
        return Err(CryptoError::WrongMessageType(message_type, spec));
    }
    let wrong_length = CryptoError::WrongDigestLength(algorithm);
    match (message_type, algorithm.scheme()) {
        (MessageType::Raw, Some((scheme, function))) => {
            let digest = hash(backend, function, message);
            Ok(Signed::Digest((scheme, function), Cow::Owned(digest)))
        }
        (MessageType::Raw, None) => Ok(Signed::Message(message)),
        (MessageType::Digest, Some((_, function))) if message.len() != function.len() => {
            Err(wrong_length)
        }
        (MessageType::Digest, Some(way)) => Ok(Signed::Digest(way, Cow::Borrowed(message))),
        (MessageType::Digest, None) if Some(message.len()) != digest_len(algorithm) => {
            Err(wrong_length)
        }
        (MessageType::Digest, None) => Ok(Signed::Prehashed(message)),
        (MessageType::ExternalMu, _) => {
            message.try_into().map(Signed::Mu).map_err(|_| wrong_length)
        }
    }
}
