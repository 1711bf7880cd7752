//! The key that signs digest files: RSA-2048, the service's own and no customer's.
//!
//! It is made once and kept beside the store, sealed under the store's root key.
//!
//! INVARIANT: it is replaced by nothing: a file that does not open is an error, never a reason for a new key.

use crate::{replace::replace_private, wiring::StartError};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_crypto::{
    KeyMaterial, MessageType, Provider, PublicKey, SigningAlgorithm, SystemEntropy,
};
use keyward_export::SigningKey;
use keyward_types::{Entropy as _, KeySpec, Sealer, Timestamp};
use std::{fs, io, path::Path};
use zeroize::Zeroizing;

/// The file beside the store.
const FILE: &str = "trail-signing-key";

/// What the file is sealed as.
const IDENTITY: &[u8] = b"keyward trail signing key";

/// Bytes of a fingerprint: CloudTrail's have 32 hexadecimal digits.
const FINGERPRINT_LEN: usize = 16;

pub struct TrailKey {
    material: KeyMaterial,
    pkcs1: Vec<u8>,
    pem: String,
    fingerprint: String,
    /// When it was made.
    created: Timestamp,
}

impl core::fmt::Debug for TrailKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TrailKey").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

impl TrailKey {
    /// The store's key, which is made when there is none.
    pub(crate) fn load(
        store: &Path,
        sealer: &dyn Sealer,
        provider: Provider,
        now: Timestamp,
    ) -> Result<Self, StartError> {
        let path = store.join(FILE);
        let failed = |cause: io::Error| StartError::Io { place: path.display().to_string(), cause };
        let bad = |what: String| StartError::TrailKey(format!("{}: {what}", path.display()));
        match fs::read(&path) {
            Ok(sealed) => {
                let plain = sealer.open(IDENTITY, &sealed).map(Zeroizing::new);
                let plain = plain.ok_or_else(|| {
                    bad("it was not sealed by this store; put back the file that was".to_owned())
                })?;
                Self::read(provider, &plain).map_err(bad)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let material = KeyMaterial::generate(
                    provider,
                    KeySpec::Rsa2048,
                    &mut *SystemEntropy.generator(),
                )
                .map_err(|error| bad(error.to_string()))?;
                let key = Self::of(material, now).map_err(bad)?;
                let plain = key.stored().ok_or_else(|| bad("it has no stored form".to_owned()))?;
                replace_private(&path, &sealer.seal(IDENTITY, &plain)).map_err(failed)?;
                Ok(key)
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn of(material: KeyMaterial, created: Timestamp) -> Result<Self, String> {
        let forms = || {
            let public = material.public_key()?;
            Some((public.pkcs1_der()?, public.pkcs1_pem()?))
        };
        let (pkcs1, pem) = forms().ok_or("it is no RSA key")?;
        Ok(Self { fingerprint: fingerprint(&pkcs1), material, pkcs1, pem, created })
    }

    /// When it was made, and the PKCS#8 form.
    fn stored(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut plain = Zeroizing::new(self.created.0.to_be_bytes().to_vec());
        plain.extend_from_slice(&self.material.private_key_der()?);
        Some(plain)
    }

    fn read(provider: Provider, plain: &[u8]) -> Result<Self, String> {
        let (created, der) = plain.split_first_chunk::<8>().ok_or("it is too short")?;
        let der = Zeroizing::new(der.to_vec());
        let material = KeyMaterial::import(provider, KeySpec::Rsa2048, der)
            .map_err(|error| error.to_string())?;
        Self::of(material, Timestamp(i64::from_be_bytes(*created)))
    }

    /// As ListPublicKeys shows it: PKCS#1 DER in base64.
    pub(crate) fn value(&self) -> String {
        STANDARD.encode(&self.pkcs1)
    }

    pub(crate) fn created(&self) -> Timestamp {
        self.created
    }
}

/// Says which key it is: the beginning of the SHA-256 of its PKCS#1 form.
pub(crate) fn fingerprint(pkcs1: &[u8]) -> String {
    let digest = keyward_trail::files::sha256(pkcs1);
    digest.chars().take(2 * FINGERPRINT_LEN).collect()
}

/// Public keys by which a folder is verified.
#[derive(Default)]
pub struct TrailKeys(Vec<(String, PublicKey)>);

impl TrailKeys {
    /// Adds a key in PKCS#1, as PEM or DER.
    ///
    /// # Errors
    /// When it is none of RSA-2048.
    pub fn add(&mut self, text: &[u8]) -> Result<(), String> {
        let key = PublicKey::from_pkcs1(Provider::Default, text);
        let key = key.map_err(|_| "it is no RSA-2048 public key in PKCS#1".to_owned())?;
        let pkcs1 = key.pkcs1_der().unwrap_or_default();
        self.0.push((fingerprint(&pkcs1), key));
        Ok(())
    }

    /// Whether a signature is SHA256withRSA by the key of this fingerprint; `None` for an unknown key.
    pub fn verify(&self, fingerprint: &str, message: &[u8], signature: &[u8]) -> Option<bool> {
        let (_, key) = self.0.iter().find(|(known, _)| known == fingerprint)?;
        Some(is_signed(key, message, signature))
    }
}

const ALGORITHM: SigningAlgorithm = SigningAlgorithm::RsassaPkcs1V15Sha256;

fn is_signed(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    key.verify(ALGORITHM, MessageType::Raw, message, signature).unwrap_or(false)
}

impl SigningKey for TrailKey {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn public_key_pem(&self) -> &str {
        &self.pem
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        self.material
            .sign(ALGORITHM, MessageType::Raw, message, &mut *SystemEntropy.generator())
            .map_err(|error| error.to_string())
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.material.public_key().is_some_and(|key| is_signed(key, message, signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_crypto::{Keyring, RootKey};

    #[test]
    fn it_is_made_once_and_opens_for_its_store_alone() {
        let home = tempfile::tempdir().unwrap();
        let mut rng = SystemEntropy.generator();
        let root = RootKey::generate(&mut *rng);
        let mut keyring = |store_id: u8, generation| {
            Keyring::new(&root, [store_id; 16], 0, generation, &mut *rng).sealer()
        };
        let load = |sealer: &dyn Sealer, time| {
            TrailKey::load(home.path(), sealer, Provider::Default, Timestamp(time))
        };
        let made = load(&*keyring(1, 1), 7).unwrap();
        let again = load(&*keyring(1, 2), 8).unwrap();
        assert_eq!((again.fingerprint(), again.created()), (made.fingerprint(), Timestamp(7)));
        assert_eq!(made.fingerprint().len(), 32);
        let signature = made.sign(b"message").unwrap();
        assert_eq!(again.sign(b"message").unwrap(), signature);
        assert!(again.verify(b"message", &signature) && !again.verify(b"massage", &signature));
        let mut keys = TrailKeys::default();
        keys.add(made.public_key_pem().as_bytes()).unwrap();
        assert_eq!(keys.verify(made.fingerprint(), b"message", &signature), Some(true));
        assert_eq!(keys.verify(made.fingerprint(), b"massage", &signature), Some(false));
        assert_eq!(keys.verify("other", b"message", &signature), None);
        assert!(matches!(load(&*keyring(2, 1), 9), Err(StartError::TrailKey(_))));
        let file = fs::read(home.path().join(FILE)).unwrap();
        let der = made.material.private_key_der().unwrap();
        assert!(!file.windows(32).any(|part| der.windows(32).any(|secret| part == secret)));
    }
}
