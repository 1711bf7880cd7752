//! What imported material travels in: wrapped for an RSA key that was made for it.
//!
//! Which material is taken, for which key and how long, is not known here; nor is a wrapping key any
//! different from other RSA material.
//!
//! RSAES_OAEP wraps the material itself. RSA_AES_KEY_WRAP is two parts: OAEP of an AES-256 key, as long as
//! the modulus, and the material under that key by AES-KWP.
//! PKCS#1 v1.5 is refused as AWS refuses it, and SM2PKE because there is no SM2 here.
//!
//! INVARIANT: opening fails in one way, whichever part was wrong.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-encrypt-key-material.html>;
//! RFC 8017 section 7.1; RFC 5649.

use crate::{
    CryptoError, EncryptionAlgorithm, KeyMaterial, PublicKey, WrappingAlgorithm,
    algorithm::modulus_len, key_wrap,
};
use keyward_types::{Generator, KeySpec};
use rand_core::Rng as _;
use zeroize::Zeroizing;

/// Opens material that was wrapped for `wrapping`. The generator feeds the blinding.
///
/// # Errors
/// [`CryptoError::Incompatible`] for an algorithm or a wrapping key that does not do this; for the blob,
/// [`CryptoError::NotAuthentic`] and nothing else.
pub fn unwrap_material(
    wrapping: &KeyMaterial,
    algorithm: WrappingAlgorithm,
    blob: &[u8],
    rng: &mut dyn Generator,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let way = way(wrapping.spec(), algorithm)?;
    let refused = |_| CryptoError::NotAuthentic;
    if !way.two_parts {
        return wrapping.decrypt_rsa(way.oaep, blob, rng).map_err(refused);
    }
    let (first, second) = blob.split_at_checked(way.modulus).ok_or(CryptoError::NotAuthentic)?;
    let key = wrapping.decrypt_rsa(way.oaep, first, rng).map_err(refused)?;
    let key = key.as_slice().try_into().map_err(|_| CryptoError::NotAuthentic)?;
    key_wrap::unwrap(wrapping.provider().symmetric(), key, second)
}

/// Wraps material for the holder of `public`; what [`unwrap_material`] opens.
///
/// # Errors
/// [`CryptoError::Incompatible`] as there, [`CryptoError::TooLong`] for material that OAEP alone does not
/// hold, [`CryptoError::Failed`] for material of no bytes where there are two parts.
pub fn wrap_material(
    public: &PublicKey,
    algorithm: WrappingAlgorithm,
    material: &[u8],
    rng: &mut dyn Generator,
) -> Result<Vec<u8>, CryptoError> {
    let way = way(public.spec(), algorithm)?;
    if !way.two_parts {
        return public.encrypt(way.oaep, material, rng);
    }
    let mut key = Zeroizing::new([0; key_wrap::KEY_LEN]);
    rng.fill_bytes(&mut *key);
    let mut blob = public.encrypt(way.oaep, key.as_slice(), rng)?;
    blob.extend_from_slice(&key_wrap::wrap(public.symmetric(), &key, material)?);
    Ok(blob)
}

/// How one algorithm wraps under one RSA key.
struct Way {
    oaep: EncryptionAlgorithm,
    two_parts: bool,
    /// Bytes of the first part.
    modulus: usize,
}

fn way(spec: KeySpec, algorithm: WrappingAlgorithm) -> Result<Way, CryptoError> {
    let incompatible = CryptoError::Incompatible(algorithm.as_str(), spec);
    let (oaep, two_parts) = match algorithm {
        WrappingAlgorithm::RsaesOaepSha1 => (EncryptionAlgorithm::RsaesOaepSha1, false),
        WrappingAlgorithm::RsaesOaepSha256 => (EncryptionAlgorithm::RsaesOaepSha256, false),
        WrappingAlgorithm::RsaAesKeyWrapSha1 => (EncryptionAlgorithm::RsaesOaepSha1, true),
        WrappingAlgorithm::RsaAesKeyWrapSha256 => (EncryptionAlgorithm::RsaesOaepSha256, true),
        WrappingAlgorithm::RsaesPkcs1V15 | WrappingAlgorithm::Sm2Pke => return Err(incompatible),
    };
    let modulus = modulus_len(spec).ok_or(incompatible)?;
    Ok(Way { oaep, two_parts, modulus })
}
