//! The public half of an asymmetric key: what anybody may do with it.
//!
//! It holds no secret, so that verifying and encrypting need no material unwrapped.

use crate::{
    CryptoError, EncryptionAlgorithm, MessageType, Provider, SigningAlgorithm,
    algorithm::{encryption_algorithms, oaep_limit, signing_algorithms},
    ec::EcPublic,
    hash::hash,
    provider::Backend,
    rsa::RsaPublic,
};
use core::fmt;
use keyward_types::{Generator, KeySpec};
use std::borrow::Cow;

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
}

impl PublicKey {
    /// Parses a DER SubjectPublicKeyInfo of this spec (RFC 5280 section 4.1).
    ///
    /// # Errors
    /// [`CryptoError::BadKey`], or [`CryptoError::Unsupported`] for a spec without a public half.
    pub fn from_der(provider: Provider, spec: KeySpec, der: &[u8]) -> Result<Self, CryptoError> {
        let engine = if spec.is_rsa() {
            Engine::Rsa(RsaPublic::from_der(provider.asymmetric(spec), spec, der)?)
        } else {
            Engine::Ec(EcPublic::from_der(provider.asymmetric(spec), spec, der)?)
        };
        Ok(Self { spec, der: der.to_vec(), symmetric: provider.symmetric(), engine })
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
        let digest = digest(self.symmetric, self.spec, algorithm, message_type, message)?;
        Ok(match (&self.engine, algorithm.scheme()) {
            (Engine::Rsa(key), Some(way)) => key.verify(way, &digest, signature),
            (Engine::Ec(key), Some(_)) => key.verify(&digest, signature),
            (_, None) => return Err(CryptoError::Incompatible(algorithm.as_str(), self.spec)),
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
            Engine::Ec(_) => Err(CryptoError::Incompatible(algorithm.as_str(), self.spec)),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("spec", &self.spec).finish_non_exhaustive()
    }
}

/// The OAEP limit, if a key of this spec encrypts so.
pub(crate) fn oaep(spec: KeySpec, algorithm: EncryptionAlgorithm) -> Result<usize, CryptoError> {
    oaep_limit(spec, algorithm)
        .filter(|_| encryption_algorithms(spec).contains(&algorithm))
        .ok_or(CryptoError::Incompatible(algorithm.as_str(), spec))
}

/// What is signed: the digest of a raw message, or the digest that the caller made.
pub(crate) fn digest<'a>(
    backend: Backend,
    spec: KeySpec,
    algorithm: SigningAlgorithm,
    message_type: MessageType,
    message: &'a [u8],
) -> Result<Cow<'a, [u8]>, CryptoError> {
    let (_, function) = algorithm
        .scheme()
        .filter(|_| signing_algorithms(spec).contains(&algorithm))
        .ok_or(CryptoError::Incompatible(algorithm.as_str(), spec))?;
    match message_type {
        MessageType::Raw => Ok(Cow::Owned(hash(backend, function, message))),
        MessageType::Digest if message.len() == function.len() => Ok(Cow::Borrowed(message)),
        MessageType::Digest => Err(CryptoError::WrongDigestLength(algorithm)),
        MessageType::ExternalMu => Err(CryptoError::WrongMessageType(message_type, spec)),
    }
}
