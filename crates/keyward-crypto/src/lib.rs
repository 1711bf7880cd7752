//! Primitives behind KMS algorithm names, key material, the key hierarchy and the ciphertext format.
//!
//! What is here: [`algorithm`] is the table of what each key spec can do; [`KeyMaterial`] does it;
//! [`ciphertext`] lays out the blob that a symmetric key makes; [`import`] opens what material travels
//! in; [`hierarchy`] leads from the root key to the wrapped material.
//! What is not here: who may do it, which material is current, and every number that AWS fixes for a
//! request (those are `keyward-types::limits`).
//!
//! Two complete providers stand behind one seam, and [`Provider`] says which one does what.
//!
//! INVARIANT: each failure to authenticate, unpad or decrypt is [`CryptoError::NotAuthentic`], by one
//! path and without detail.
//! INVARIANT: nothing here prints, logs or compares secret bytes except in constant time.
//! Source: <https://docs.aws.amazon.com/kms/latest/cryptographic-details/intro.html>

mod aead;
pub mod algorithm;
pub mod ciphertext;
mod derived;
mod ec;
mod ed25519;
mod entropy;
mod hash;
pub mod hierarchy;
pub mod import;
mod key_wrap;
mod log_key;
mod mac;
mod material;
mod ml_dsa;
mod ml_kem;
mod pkcs8;
mod provider;
mod public;
mod rsa;
#[cfg(test)]
mod tests;
pub mod totp;

pub use algorithm::{
    EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, MacAlgorithm, MessageType,
    SigningAlgorithm, WrappingAlgorithm,
};
pub use ciphertext::Header;
pub use entropy::{SeededEntropy, SystemEntropy};
pub use hierarchy::{Argon2Params, Dek, Keyring, RootKey};
pub use log_key::{LogKey, verify_log_signature};
pub use material::KeyMaterial;
pub use provider::Provider;
pub use public::PublicKey;

use keyward_types::KeySpec;

/// What can go wrong. It never carries bytes of a key, a plaintext or a ciphertext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The one answer to everything that does not decrypt, unpad, unwrap or authenticate.
    #[error("not authentic")]
    NotAuthentic,
    /// This build makes no keys of this spec.
    #[error("key spec {0} is not supported")]
    Unsupported(KeySpec),
    /// The algorithm is not one of the spec's; the first field is the algorithm's AWS name.
    #[error("algorithm {0} is incompatible with key spec {1}")]
    Incompatible(&'static str, KeySpec),
    /// The message type is not one of the algorithm's.
    #[error("message type {0} is incompatible with key spec {1}")]
    WrongMessageType(MessageType, KeySpec),
    /// The digest, or the external mu, has not the length that the algorithm signs.
    #[error("digest is invalid length for algorithm {0}")]
    WrongDigestLength(SigningAlgorithm),
    /// More plaintext than the algorithm takes; the limit is in bytes.
    #[error("plaintext is longer than {0} bytes")]
    TooLong(usize),
    /// A name or a part that does not fit the form of a ciphertext; says which.
    #[error("{0}")]
    BadName(&'static str),
    /// Bytes that are no key of this spec.
    #[error("not a key of spec {0}")]
    BadKey(KeySpec),
    /// A root key text or a passphrase that cannot be used; says what would fit.
    #[error("{0}")]
    BadRootKey(&'static str),
    /// A primitive failed for a reason that no input explains.
    #[error("{0} failed")]
    Failed(&'static str),
}
