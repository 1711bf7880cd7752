//! SHA-2, by either implementation.

use crate::{algorithm::Hash, provider::Backend};
use aws_lc_rs::digest;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// The digest of `message`.
pub(crate) fn hash(backend: Backend, hash: Hash, message: &[u8]) -> Vec<u8> {
    match (backend, hash) {
        (Backend::RustCrypto, Hash::Sha256) => Sha256::digest(message).to_vec(),
        (Backend::RustCrypto, Hash::Sha384) => Sha384::digest(message).to_vec(),
        (Backend::RustCrypto, Hash::Sha512) => Sha512::digest(message).to_vec(),
        (Backend::AwsLc, hash) => digest::digest(aws(hash), message).as_ref().to_vec(),
    }
}

/// aws-lc's name of a digest function.
pub(crate) fn aws(hash: Hash) -> &'static digest::Algorithm {
    match hash {
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    }
}
