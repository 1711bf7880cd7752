//! A signature for tests of what is signed: it says which message it is of, and is worth nothing.

use crate::{merkle::leaf_hash, note::Signer};

pub(crate) struct Toy;

impl Signer for Toy {
    fn public(&self) -> [u8; 32] {
        [7; 32]
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&leaf_hash(message));
        bytes
    }
}

pub(crate) fn verifier(_: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    *signature == Toy.sign(message)
}
