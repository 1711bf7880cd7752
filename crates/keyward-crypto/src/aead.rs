//! AES-256-GCM with 96-bit nonces and 128-bit tags, by either implementation.
//!
//! It does not choose nonces: each caller says why its nonce is used once under its key.
//! Source: NIST SP 800-38D.

use crate::{CryptoError, provider::Backend};
use aes_gcm::{Aes256Gcm, KeyInit as _, aead::AeadInOut as _};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// Bytes of a key.
pub(crate) const KEY_LEN: usize = 32;
/// Bytes of a nonce.
pub(crate) const NONCE_LEN: usize = 12;
/// Bytes that encryption adds.
pub(crate) const TAG_LEN: usize = 16;

/// An expanded key.
pub(crate) enum Key {
    RustCrypto(Box<Aes256Gcm>),
    AwsLc(LessSafeKey),
}

impl Key {
    pub(crate) fn new(backend: Backend, key: &[u8; KEY_LEN]) -> Result<Self, CryptoError> {
        Ok(match backend {
            Backend::RustCrypto => Self::RustCrypto(Box::new(Aes256Gcm::new(key.into()))),
            Backend::AwsLc => {
                let key = UnboundKey::new(&AES_256_GCM, key)
                    .map_err(|_| CryptoError::Failed("AES-256-GCM"))?;
                Self::AwsLc(LessSafeKey::new(key))
            }
        })
    }

    /// Encrypts `plain` onto the end of `out`, and the tag after it.
    pub(crate) fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        let start = out.len();
        // All at once: a buffer that grew would leave a copy of the plaintext behind.
        out.reserve(plain.len() + TAG_LEN);
        out.extend_from_slice(plain);
        let body = out.get_mut(start..).unwrap_or_default();
        let failed = CryptoError::Failed("AES-256-GCM");
        match self {
            Self::RustCrypto(key) => {
                let tag = key
                    .encrypt_inout_detached(&nonce.into(), aad, body.into())
                    .map_err(|_| failed)?;
                out.extend_from_slice(&tag);
            }
            Self::AwsLc(key) => {
                let nonce = Nonce::assume_unique_for_key(nonce);
                let tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from(aad), body)
                    .map_err(|_| failed)?;
                out.extend_from_slice(tag.as_ref());
            }
        }
        Ok(())
    }

    /// Decrypts what [`Key::seal`] appended.
    pub(crate) fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let (body, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(CryptoError::NotAuthentic)?;
        match self {
            Self::RustCrypto(key) => {
                let mut plain = Zeroizing::new(body.to_vec());
                key.decrypt_inout_detached(
                    &nonce.into(),
                    aad,
                    plain.as_mut_slice().into(),
                    tag.into(),
                )
                .map_err(|_| CryptoError::NotAuthentic)?;
                Ok(plain)
            }
            Self::AwsLc(key) => {
                let mut plain = Zeroizing::new(vec![0; body.len()]);
                let nonce = Nonce::assume_unique_for_key(nonce);
                key.open_separate_gather(nonce, Aad::from(aad), body, tag, &mut plain)
                    .map_err(|_| CryptoError::NotAuthentic)?;
                Ok(plain)
            }
        }
    }
}
