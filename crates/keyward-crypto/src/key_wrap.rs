//! AES-256 key wrap with padding (KWP), by either implementation.
//!
//! It adds 8 to 15 bytes. It wraps nothing of our own: material at rest is sealed, and this is for material
//! that comes from elsewhere.
//! Source: RFC 5649; NIST SP 800-38F section 6.3.

use crate::{CryptoError, provider::Backend};
use aes_kw::{KeyInit as _, KwpAes256};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use zeroize::Zeroizing;

/// Bytes of a key-encryption key.
pub(crate) const KEY_LEN: usize = 32;

/// Bytes of a semi-block, in which the standard counts.
const UNIT: usize = 8;

pub(crate) fn wrap(
    backend: Backend,
    key: &[u8; KEY_LEN],
    plain: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let failed = CryptoError::Failed("AES-KWP");
    if plain.is_empty() {
        return Err(failed);
    }
    let mut out = vec![0; (plain.len().div_ceil(UNIT) + 1) * UNIT];
    match backend {
        Backend::RustCrypto => {
            KwpAes256::new(key.into()).wrap_key(plain, &mut out).map_err(|_| failed)?;
        }
        Backend::AwsLc => {
            // aws-lc asks for more room than it fills.
            out.resize(plain.len() + 2 * UNIT, 0);
            let kek = AesKek::new(&AES_256, key).map_err(|_| failed)?;
            let len =
                kek.wrap_with_padding(plain, &mut out).map(|out| out.len()).map_err(|_| failed)?;
            out.truncate(len);
        }
    }
    Ok(out)
}

/// Opens what [`wrap`] made; every failure is [`CryptoError::NotAuthentic`].
pub(crate) fn unwrap(
    backend: Backend,
    key: &[u8; KEY_LEN],
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let refused = CryptoError::NotAuthentic;
    if wrapped.len() < 2 * UNIT || !wrapped.len().is_multiple_of(UNIT) {
        return Err(refused);
    }
    let mut plain = Zeroizing::new(vec![0; wrapped.len()]);
    let len = match backend {
        Backend::RustCrypto => KwpAes256::new(key.into())
            .unwrap_key(wrapped, &mut plain)
            .map(<[u8]>::len)
            .map_err(|_| refused)?,
        Backend::AwsLc => AesKek::new(&AES_256, key)
            .and_then(|kek| kek.unwrap_with_padding(wrapped, &mut plain).map(|out| out.len()))
            .map_err(|_| refused)?,
    };
    plain.truncate(len);
    Ok(plain)
}
