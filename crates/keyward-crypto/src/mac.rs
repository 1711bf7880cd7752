//! HMAC keys, by either implementation.
//!
//! Source: FIPS 198-1; <https://docs.aws.amazon.com/kms/latest/developerguide/hmac.html>

use crate::provider::Backend;
use aws_lc_rs::hmac as aws;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keyward_types::KeySpec;
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// An HMAC key that has been taken in.
pub(crate) enum MacKey {
    Sha224(Box<Hmac<Sha224>>),
    Sha256(Box<Hmac<Sha256>>),
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
    AwsLc(Box<aws::Key>),
}

impl MacKey {
    /// `None` when `spec` is no HMAC spec.
    pub(crate) fn new(backend: Backend, spec: KeySpec, key: &[u8]) -> Option<Self> {
        Some(match (backend, spec) {
            (Backend::RustCrypto, KeySpec::Hmac224) => {
                Self::Sha224(Box::new(Hmac::new_from_slice(key).ok()?))
            }
            (Backend::RustCrypto, KeySpec::Hmac256) => {
                Self::Sha256(Box::new(Hmac::new_from_slice(key).ok()?))
            }
            (Backend::RustCrypto, KeySpec::Hmac384) => {
                Self::Sha384(Box::new(Hmac::new_from_slice(key).ok()?))
            }
            (Backend::RustCrypto, KeySpec::Hmac512) => {
                Self::Sha512(Box::new(Hmac::new_from_slice(key).ok()?))
            }
            (Backend::AwsLc, KeySpec::Hmac224) => {
                Self::AwsLc(Box::new(aws::Key::new(aws::HMAC_SHA224, key)))
            }
            (Backend::AwsLc, KeySpec::Hmac256) => {
                Self::AwsLc(Box::new(aws::Key::new(aws::HMAC_SHA256, key)))
            }
            (Backend::AwsLc, KeySpec::Hmac384) => {
                Self::AwsLc(Box::new(aws::Key::new(aws::HMAC_SHA384, key)))
            }
            (Backend::AwsLc, KeySpec::Hmac512) => {
                Self::AwsLc(Box::new(aws::Key::new(aws::HMAC_SHA512, key)))
            }
            _ => return None,
        })
    }

    pub(crate) fn mac(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha224(key) => key.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Self::Sha256(key) => key.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Self::Sha384(key) => key.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Self::Sha512(key) => key.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Self::AwsLc(key) => aws::sign(key, message).as_ref().to_vec(),
        }
    }
}
