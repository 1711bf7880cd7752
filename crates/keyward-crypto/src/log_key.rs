//! The key that signs what the event log says of itself: Ed25519, derived from the root key for one store, so that
//! nothing of it is stored and a restored store signs as before. It is no customer's key.
//!
//! The witness's key is its sibling: derived beside it, for what this service cosigns of other logs, so that neither
//! can be taken for the other.
//! They sign bytes; what those say is not known here.

use crate::{
    CryptoError, Keyring,
    ed25519::{EdPrivate, EdPublic},
    provider::Backend,
};
use core::fmt;

/// aws-lc signs faster, and either signs the same.
const BACKEND: Backend = Backend::AwsLc;

/// The private key.
pub struct LogKey(EdPrivate);

impl LogKey {
    /// The 32 bytes of RFC 8032.
    pub fn public(&self) -> [u8; 32] {
        self.0.public()
    }

    /// # Errors
    /// [`CryptoError::Failed`] alone.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], CryptoError> {
        let signature = self.0.sign(message)?;
        signature.try_into().map_err(|_| CryptoError::Failed("signing"))
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogKey")
    }
}

impl Keyring {
    /// The log's key: the same for every opening of one store under one root key.
    ///
    /// # Errors
    /// [`CryptoError::BadKey`], though every seed is a key.
    pub fn log_key(&self) -> Result<LogKey, CryptoError> {
        EdPrivate::from_seed(BACKEND, &self.expand(b"log")).map(LogKey)
    }

    /// The key with which this store cosigns checkpoints of other logs.
    ///
    /// # Errors
    /// [`CryptoError::BadKey`], though every seed is a key.
    pub fn witness_key(&self) -> Result<LogKey, CryptoError> {
        EdPrivate::from_seed(BACKEND, &self.expand(b"witness")).map(LogKey)
    }
}

/// Whether a signature is that of this public key. A key that is none has no signatures.
pub fn verify_log_signature(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    EdPublic::from_raw(BACKEND, public).is_ok_and(|key| key.verify(message, signature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RootKey, SeededEntropy};
    use keyward_types::Entropy as _;

    #[test]
    fn the_key_is_the_stores_own_and_the_same_at_every_opening() {
        let entropy = SeededEntropy::from_number(3);
        let root = RootKey::generate(&mut *entropy.generator());
        let key = |id: u8, generation| {
            let keyring = Keyring::new(&root, [id; 16], 0, generation, &mut *entropy.generator());
            keyring.log_key().unwrap()
        };
        let (one, again, other) = (key(1, 1), key(1, 2), key(2, 1));
        assert_eq!(one.public(), again.public());
        assert_ne!(one.public(), other.public());
        let signature = one.sign(b"message").unwrap();
        assert!(verify_log_signature(&again.public(), b"message", &signature));
        assert!(!verify_log_signature(&one.public(), b"massage", &signature));
        assert!(!verify_log_signature(&other.public(), b"message", &signature));
        assert!(!verify_log_signature(&[0; 32], b"message", &signature));
    }

    #[test]
    fn the_witness_has_a_key_of_its_own() {
        let entropy = SeededEntropy::from_number(3);
        let root = RootKey::generate(&mut *entropy.generator());
        let keyring = |id: u8| Keyring::new(&root, [id; 16], 0, 1, &mut *entropy.generator());
        let witness = |id| keyring(id).witness_key().unwrap().public();
        assert_eq!(witness(1), witness(1));
        assert_ne!(witness(1), witness(2));
        assert_ne!(witness(1), keyring(1).log_key().unwrap().public());
    }
}
