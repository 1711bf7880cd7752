//! The signing key: a day's, region's and service's key made from a secret.
//!
//! INVARIANT: key bytes are wiped when dropped and never printed.

use crate::TERMINATOR;
use core::fmt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A derived key and the scope it is for, so that a cache cannot hand out the wrong one.
///
/// It stands for one secret: whoever caches it keys the cache by access key and drops it when the
/// secret changes.
#[derive(Clone)]
pub struct SigningKey {
    bytes: Zeroizing<[u8; 32]>,
    date: String,
    region: String,
    service: String,
}

impl SigningKey {
    pub fn is_for(&self, date: &str, region: &str, service: &str) -> bool {
        self.date == date && self.region == region && self.service == service
    }

    /// HMAC-SHA-256 over the concatenation of `parts`.
    pub(crate) fn mac(&self, parts: &[&str]) -> Zeroizing<[u8; 32]> {
        hmac(&self.bytes[..], parts)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}/{}/{})", self.date, self.region, self.service)
    }
}

/// Derives the key of `date` (`YYYYMMDD`), `region` and `service` from a secret access key.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html#derive-signing-key>
pub fn derive_signing_key(secret: &str, date: &str, region: &str, service: &str) -> SigningKey {
    let mut seed = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
    seed.extend_from_slice(b"AWS4");
    seed.extend_from_slice(secret.as_bytes());
    let mut bytes = hmac(&seed, &[date]);
    for part in [region, service, TERMINATOR] {
        bytes = hmac(&bytes[..], &[part]);
    }
    SigningKey {
        bytes,
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
    }
}

fn hmac(key: &[u8], parts: &[&str]) -> Zeroizing<[u8; 32]> {
    #[expect(clippy::expect_used, reason = "INVARIANT: HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    for part in parts {
        mac.update(part.as_bytes());
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}
