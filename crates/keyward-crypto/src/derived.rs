//! Encryption under a key that is derived for one message, with a commitment to that key.
//!
//! From a secret and 16 random bytes N, the counter-mode KDF makes 64 bytes: an AES-256-GCM key and a
//! commitment. There is no nonce budget to run out of, and a ciphertext opens under one key only.
//! KMS itself derives a key for each message in this way.
//!
//! Layout: N (16) | commitment (32) | ciphertext | tag (16).
//!
//! Source: NIST SP 800-108r1 section 4.1 (counter mode, HMAC-SHA-256, 32-bit counter and length);
//! <https://docs.aws.amazon.com/kms/latest/cryptographic-details/crypto-primitives.html> (key derivation).

use crate::{
    CryptoError,
    aead::{self, KEY_LEN, TAG_LEN},
    provider::Backend,
};
use aws_lc_rs::kdf::{KbkdfCtrHmacAlgorithmId, get_kbkdf_ctr_hmac_algorithm, kbkdf_ctr_hmac};
use hmac::{Hmac, KeyInit as _, Mac as _};
use keyward_types::Generator;
use rand_core::Rng as _;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Bytes of N.
pub(crate) const SALT_LEN: usize = 16;
/// Bytes of the commitment.
pub(crate) const COMMITMENT_LEN: usize = 32;
/// Bytes that sealing adds to a plaintext.
pub(crate) const OVERHEAD: usize = SALT_LEN + COMMITMENT_LEN + TAG_LEN;

const DERIVED_LEN: usize = KEY_LEN + COMMITMENT_LEN;
/// What the KDF is told about the length of its output, in bits.
const DERIVED_BITS: u32 = 512;

/// A secret from which message keys are derived.
pub(crate) enum Secret {
    /// HMAC-SHA-256 that has already taken the key in.
    RustCrypto(Box<Hmac<Sha256>>),
    AwsLc(Zeroizing<[u8; 32]>),
}

impl Secret {
    pub(crate) fn new(backend: Backend, secret: &[u8; 32]) -> Self {
        match backend {
            Backend::RustCrypto => Self::RustCrypto(Box::new(keyed(secret))),
            Backend::AwsLc => Self::AwsLc(Zeroizing::new(*secret)),
        }
    }

    const fn backend(&self) -> Backend {
        match self {
            Self::RustCrypto(_) => Backend::RustCrypto,
            Self::AwsLc(_) => Backend::AwsLc,
        }
    }

    /// Appends the sealed `plain` to `out`. What `out` already holds is authenticated as its header,
    /// and so is `associated`; `label` says what is being sealed and keeps purposes apart.
    pub(crate) fn seal(
        &self,
        label: &[u8],
        out: &mut Vec<u8>,
        associated: &[u8],
        plain: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<(), CryptoError> {
        let mut salt = [0; SALT_LEN];
        rng.fill_bytes(&mut salt);
        let aad = [out.as_slice(), associated].concat();
        let derived = self.derive(label, &salt)?;
        out.reserve(plain.len() + OVERHEAD);
        out.extend_from_slice(&salt);
        out.extend_from_slice(derived.commitment());
        // NONCE: constant, because this key encrypts this one message. N is fresh and has 128 bits, so
        // that two messages under one secret share a key with probability 2^-32 after 2^48 messages.
        derived.cipher(self.backend())?.seal([0; aead::NONCE_LEN], &aad, plain, out)
    }

    /// Opens what [`Secret::seal`] appended to `header`.
    pub(crate) fn open(
        &self,
        label: &[u8],
        header: &[u8],
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let (salt, rest) =
            sealed.split_first_chunk::<SALT_LEN>().ok_or(CryptoError::NotAuthentic)?;
        let (commitment, body) =
            rest.split_first_chunk::<COMMITMENT_LEN>().ok_or(CryptoError::NotAuthentic)?;
        let derived = self.derive(label, salt)?;
        if !bool::from(derived.commitment().ct_eq(commitment)) {
            return Err(CryptoError::NotAuthentic);
        }
        let aad = [header, associated].concat();
        derived.cipher(self.backend())?.open([0; aead::NONCE_LEN], &aad, body)
    }

    fn derive(&self, label: &[u8], salt: &[u8; SALT_LEN]) -> Result<Derived, CryptoError> {
        let mut bytes = Zeroizing::new([0; DERIVED_LEN]);
        let info = [label, &[0], salt, &DERIVED_BITS.to_be_bytes()].concat();
        self.kdf(&info, bytes.as_mut_slice())?;
        Ok(Derived(bytes))
    }

    /// Counter-mode KDF over a fixed `info`, which the caller composes: label, 0, context, length.
    pub(crate) fn kdf(&self, info: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Self::RustCrypto(prf) => {
                for (counter, block) in (1u32..).zip(out.chunks_mut(32)) {
                    let mut prf = prf.clone();
                    prf.update(&counter.to_be_bytes());
                    prf.update(info);
                    let full = Zeroizing::new(<[u8; 32]>::from(prf.finalize().into_bytes()));
                    for (to, from) in block.iter_mut().zip(full.iter()) {
                        *to = *from;
                    }
                }
                Ok(())
            }
            Self::AwsLc(secret) => get_kbkdf_ctr_hmac_algorithm(KbkdfCtrHmacAlgorithmId::Sha256)
                .and_then(|algorithm| kbkdf_ctr_hmac(algorithm, secret.as_slice(), info, out).ok())
                .ok_or(CryptoError::Failed("key derivation")),
        }
    }
}

/// HMAC-SHA-256 under a 32-byte key.
pub(crate) fn keyed(secret: &[u8; 32]) -> Hmac<Sha256> {
    // A key of block length, padded with zeros as HMAC itself does, needs no fallible constructor.
    let mut block = Zeroizing::new([0u8; 64]);
    for (to, from) in block.iter_mut().zip(secret) {
        *to = *from;
    }
    Hmac::new((&*block).into())
}

/// Key and commitment of one message.
struct Derived(Zeroizing<[u8; DERIVED_LEN]>);

impl Derived {
    fn commitment(&self) -> &[u8; COMMITMENT_LEN] {
        self.0.last_chunk().unwrap_or(&[0; COMMITMENT_LEN])
    }

    fn cipher(&self, backend: Backend) -> Result<aead::Key, CryptoError> {
        let key = self.0.first_chunk().ok_or(CryptoError::Failed("key derivation"))?;
        aead::Key::new(backend, key)
    }
}
