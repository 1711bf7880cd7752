//! Ed25519 and Ed25519ph, by either implementation. Signatures have 64 bytes and no randomness.
//!
//! aws-lc has no public call for Ed25519ph, so that `ed25519-dalek` does it under every provider.
//!
//! INVARIANT: a public key has its one canonical form and is not of small order, which is checked once,
//! when it is taken in. All that is left to decide of a signature, both implementations decide alike: S is
//! below the order of the group, and R is, byte for byte, what the equation without the cofactor yields.
//! Source: RFC 8032 section 5.1; RFC 8410 sections 4 and 7 (the forms of keys).

use crate::{
    CryptoError,
    pkcs8::{self, Form},
    provider::Backend,
};
use aws_lc_rs::signature as lc;
use ed25519_dalek::{
    Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey,
    pkcs8::{DecodePublicKey as _, EncodePublicKey as _},
};
use keyward_types::{Generator, KeySpec};
use p256::pkcs8::ObjectIdentifier;
use rand_core::Rng as _;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

const SPEC: KeySpec = KeySpec::EccNistEdwards25519;

const OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// What stands before the seed in PKCS#8 of version 1: SEQUENCE of version 0, the algorithm 1.3.101.112, and
/// an OCTET STRING around an OCTET STRING of 32 bytes. Version 2 would take the public key along, and many
/// readers do not know it.
const PKCS8_START: [u8; 16] =
    [0x30, 46, 0x02, 1, 0, 0x30, 5, 0x06, 3, 0x2b, 0x65, 0x70, 0x04, 34, 0x04, 32];

/// A private key that has been parsed.
pub(crate) struct EdPrivate {
    key: SigningKey,
    /// The same key where aws-lc signs.
    aws: Option<lc::Ed25519KeyPair>,
}

/// A public key that has been parsed.
pub(crate) struct EdPublic {
    key: VerifyingKey,
    /// The same key where aws-lc verifies.
    aws: Option<lc::ParsedPublicKey>,
}

/// A new private key as PKCS#8 of version 1, without the public key.
pub(crate) fn generate(
    backend: Backend,
    rng: &mut dyn Generator,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let failed = CryptoError::Failed("key generation");
    match backend {
        Backend::RustCrypto => {
            let mut seed = Zeroizing::new([0; 32]);
            rng.fill_bytes(&mut *seed);
            Ok(Zeroizing::new([&PKCS8_START[..], seed.as_slice()].concat()))
        }
        Backend::AwsLc => lc::Ed25519KeyPair::generate()
            .and_then(|pair| pair.to_pkcs8v1())
            .map(|der| Zeroizing::new(der.as_ref().to_vec()))
            .map_err(|_| failed),
    }
}

impl EdPrivate {
    /// Versions 1 and 2 of PKCS#8; a public key that is given has to be the private key's own.
    pub(crate) fn from_pkcs8(backend: Backend, pkcs8: &[u8]) -> Result<Self, CryptoError> {
        let bad = CryptoError::BadKey(SPEC);
        let parsed = pkcs8::private_key(OID, pkcs8).ok_or(bad)?;
        // RFC 8410 has one form, which looks as the second one of the lattices does.
        let Form::Expanded(seed) = parsed.form else { return Err(bad) };
        let private = Self::from_seed(backend, seed.try_into().map_err(|_| bad)?)?;
        match parsed.public {
            Some(public) if public != private.public() => Err(bad),
            _ => Ok(private),
        }
    }

    pub(crate) fn from_seed(backend: Backend, seed: &[u8; 32]) -> Result<Self, CryptoError> {
        let bad = CryptoError::BadKey(SPEC);
        let key = SigningKey::from_bytes(seed);
        let aws = match backend {
            Backend::RustCrypto => None,
            Backend::AwsLc => Some(
                lc::Ed25519KeyPair::from_seed_and_public_key(
                    key.as_bytes(),
                    key.verifying_key().as_bytes(),
                )
                .map_err(|_| bad)?,
            ),
        };
        Ok(Self { key, aws })
    }

    /// The 32 bytes of RFC 8032.
    pub(crate) fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    pub(crate) fn public_der(&self) -> Result<Vec<u8>, CryptoError> {
        let der = self.key.verifying_key().to_public_key_der();
        der.map(|der| der.as_bytes().to_vec()).map_err(|_| CryptoError::BadKey(SPEC))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let failed = CryptoError::Failed("signing");
        match &self.aws {
            None => self.key.try_sign(message).map(|s| s.to_bytes().to_vec()).map_err(|_| failed),
            Some(pair) => pair.try_sign(message).map(|s| s.as_ref().to_vec()).map_err(|_| failed),
        }
    }

    /// Ed25519ph with the empty context: PH is SHA-512 of `message`.
    pub(crate) fn sign_prehashed(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.key
            .sign_prehashed(Sha512::new().chain_update(message), None)
            .map(|signature| signature.to_bytes().to_vec())
            .map_err(|_| CryptoError::Failed("signing"))
    }
}

impl EdPublic {
    pub(crate) fn from_der(backend: Backend, der: &[u8]) -> Result<Self, CryptoError> {
        let bad = CryptoError::BadKey(SPEC);
        Self::of(backend, VerifyingKey::from_public_key_der(der).map_err(|_| bad)?)
    }

    /// Of the 32 bytes of RFC 8032.
    pub(crate) fn from_raw(backend: Backend, raw: &[u8; 32]) -> Result<Self, CryptoError> {
        let key = VerifyingKey::from_bytes(raw).map_err(|_| CryptoError::BadKey(SPEC))?;
        Self::of(backend, key)
    }

    fn of(backend: Backend, key: VerifyingKey) -> Result<Self, CryptoError> {
        let bad = CryptoError::BadKey(SPEC);
        // Another form of the same point would hash to another challenge, and not in every
        // implementation; under a point of small order one signature fits many messages.
        if key.to_edwards().compress().to_bytes() != key.to_bytes() || key.is_weak() {
            return Err(bad);
        }
        let aws = match backend {
            Backend::RustCrypto => None,
            Backend::AwsLc => {
                Some(lc::ParsedPublicKey::new(&lc::ED25519, key.as_bytes()).map_err(|_| bad)?)
            }
        };
        Ok(Self { key, aws })
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.aws {
            None => Signature::from_slice(signature)
                .is_ok_and(|signature| self.key.verify(message, &signature).is_ok()),
            Some(key) => key.verify_sig(message, signature).is_ok(),
        }
    }

    pub(crate) fn verify_prehashed(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| {
            let message = Sha512::new().chain_update(message);
            self.key.verify_prehashed(message, None, &signature).is_ok()
        })
    }
}
