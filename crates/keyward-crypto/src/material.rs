//! Key material: generated, wrapped, unwrapped and used.
//!
//! It is parsed once, when it is generated or unwrapped, and used as often as wanted from any thread.
//! Which material of a key is current, and who may use it, is not known here.
//!
//! INVARIANT: the bytes leave only wrapped, or through [`KeyMaterial::private_key_der`] for data key
//! pairs. They are wiped on drop; what the implementations keep inside is wiped by them.

use crate::{
    CryptoError, Dek, EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm,
    MacAlgorithm, MessageType, Provider, PublicKey, SigningAlgorithm,
    algorithm::{Family, import_lengths, key_agreement_algorithms, mac_algorithms},
    ciphertext,
    derived::{Secret, keyed},
    ec::{self, EcPrivate},
    ed25519::{self, EdPrivate},
    mac::MacKey,
    ml_dsa::{self, MlDsaPrivate},
    ml_kem::{self, MlKemPrivate},
    public::{Signed, oaep, signed},
    rsa::{self, RsaPrivate},
};
use core::fmt;
use hmac::Mac as _;
use keyward_types::{Generator, KeyName, KeySpec, MaterialId};
use rand_core::Rng as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The secret bytes of one key, ready for use.
pub struct KeyMaterial {
    provider: Provider,
    spec: KeySpec,
    /// As it is wrapped: the key itself for symmetric and HMAC specs, else PKCS#8.
    bytes: Zeroizing<Vec<u8>>,
    engine: Engine,
}

enum Engine {
    Symmetric(Secret),
    Mac(MacKey),
    Rsa(RsaPrivate, PublicKey),
    Ec(EcPrivate, PublicKey),
    Ed(Box<EdPrivate>, PublicKey),
    MlDsa(MlDsaPrivate, PublicKey),
    MlKem(MlKemPrivate, PublicKey),
}

impl KeyMaterial {
    /// New material. RSA keys have the public exponent 65537 and take tens to hundreds of milliseconds;
    /// ML-DSA and ML-KEM keys are kept as their seeds.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] for a spec that is not made here.
    pub fn generate(
        provider: Provider,
        spec: KeySpec,
        rng: &mut dyn Generator,
    ) -> Result<Self, CryptoError> {
        let backend = provider.generation();
        let bytes = match (import_lengths(spec), Family::of(spec)) {
            // What is nothing but random bytes is made no longer than it has to be.
            (Some(lengths), _) => {
                let mut bytes = Zeroizing::new(vec![0; *lengths.start()]);
                rng.fill_bytes(&mut bytes);
                bytes
            }
            (None, Family::Rsa) => rsa::generate(backend, spec, rng)?,
            (None, Family::Ed) => ed25519::generate(backend, rng)?,
            (None, Family::MlDsa) => ml_dsa::generate(backend, spec, rng)?,
            (None, Family::MlKem) => ml_kem::generate(backend, spec, rng)?,
            (None, _) => ec::generate(backend, spec, rng)?,
        };
        Self::import(provider, spec, bytes)
    }

    /// Material from bytes: the key itself for symmetric and HMAC specs, of a length that
    /// [`crate::algorithm::import_lengths`] allows, else PKCS#8 DER. ML-DSA and ML-KEM keys may come as
    /// seed, expanded or both; what is generated is the seed.
    ///
    /// # Errors
    /// [`CryptoError::BadKey`] when they are no key of this spec, [`CryptoError::Unsupported`].
    pub fn import(
        provider: Provider,
        spec: KeySpec,
        bytes: Zeroizing<Vec<u8>>,
    ) -> Result<Self, CryptoError> {
        let material = Self::load(provider, spec, bytes)?;
        match &material.engine {
            Engine::Rsa(private, _) if !private.is_accepted(&material.bytes) => {
                Err(CryptoError::BadKey(spec))
            }
            _ => Ok(material),
        }
    }

    fn load(
        provider: Provider,
        spec: KeySpec,
        bytes: Zeroizing<Vec<u8>>,
    ) -> Result<Self, CryptoError> {
        let bad = CryptoError::BadKey(spec);
        if import_lengths(spec).is_some_and(|lengths| !lengths.contains(&bytes.len())) {
            return Err(bad);
        }
        let backend = provider.asymmetric(spec);
        let public = |der: Vec<u8>| PublicKey::from_der(provider, spec, &der);
        let engine = match Family::of(spec) {
            Family::Symmetric => {
                let key = bytes.as_slice().try_into().map_err(|_| bad)?;
                Engine::Symmetric(Secret::new(provider.symmetric(), key))
            }
            Family::Mac => Engine::Mac(MacKey::new(provider.symmetric(), spec, &bytes).ok_or(bad)?),
            Family::Rsa => {
                let public = public(rsa::public_der(spec, &bytes)?)?;
                Engine::Rsa(RsaPrivate::from_pkcs8(backend, spec, &bytes)?, public)
            }
            Family::Ec => {
                let public = public(ec::public_der(spec, &bytes)?)?;
                Engine::Ec(EcPrivate::from_pkcs8(backend, spec, &bytes)?, public)
            }
            Family::Ed => {
                let private = EdPrivate::from_pkcs8(backend, &bytes)?;
                let public = public(private.public_der()?)?;
                Engine::Ed(Box::new(private), public)
            }
            Family::MlDsa => {
                let (private, der) = MlDsaPrivate::from_pkcs8(backend, spec, &bytes)?;
                Engine::MlDsa(private, public(der)?)
            }
            Family::MlKem => {
                let (private, der) = MlKemPrivate::from_pkcs8(backend, spec, &bytes)?;
                Engine::MlKem(private, public(der)?)
            }
        };
        Ok(Self { provider, spec, bytes, engine })
    }

    pub const fn spec(&self) -> KeySpec {
        self.spec
    }

    /// The public half of an asymmetric key.
    pub const fn public_key(&self) -> Option<&PublicKey> {
        match &self.engine {
            Engine::Rsa(_, public)
            | Engine::Ec(_, public)
            | Engine::Ed(_, public)
            | Engine::MlDsa(_, public)
            | Engine::MlKem(_, public) => Some(public),
            Engine::Symmetric(_) | Engine::Mac(_) => None,
        }
    }

    /// The DER SubjectPublicKeyInfo of an asymmetric key.
    pub fn public_key_der(&self) -> Option<Vec<u8>> {
        self.public_key().map(|public| public.der().to_vec())
    }

    /// The DER PKCS#8 form of an asymmetric key, for data key pairs.
    pub fn private_key_der(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.spec.is_asymmetric().then(|| self.bytes.clone())
    }

    /// The id of imported material: the same whenever the same material is imported for the same key, and
    /// nothing else. It tells neither the material nor, of two keys, whether they share it.
    ///
    /// Another PKCS#8 form of an asymmetric key is the same material, so that its public key stands for it.
    pub fn imported_id(&self, key_id: &str) -> MaterialId {
        let material = self.public_key().map_or(self.bytes.as_slice(), PublicKey::der);
        let secret = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(material)));
        let code =
            keyed(&secret).chain_update(IMPORTED_LABEL).chain_update(key_id.as_bytes()).finalize();
        MaterialId(hex::encode(code.into_bytes()))
    }

    /// Wraps the material under its key's data-encryption key, bound to the names.
    ///
    /// # Errors
    /// [`CryptoError::Failed`] alone.
    pub fn wrap(
        &self,
        dek: &Dek,
        key_name: &str,
        material_id: &str,
        rng: &mut dyn Generator,
    ) -> Result<Vec<u8>, CryptoError> {
        let associated = wrapping_data(self.spec, key_name, material_id);
        let mut wrapped = vec![WRAPPING_VERSION];
        dek.secret().seal(WRAPPING_LABEL, &mut wrapped, &associated, &self.bytes, rng)?;
        Ok(wrapped)
    }

    /// Opens what [`KeyMaterial::wrap`] made for these names and this spec.
    ///
    /// # Errors
    /// [`CryptoError::NotAuthentic`], whatever the reason.
    pub fn unwrap(
        provider: Provider,
        spec: KeySpec,
        dek: &Dek,
        key_name: &str,
        material_id: &str,
        wrapped: &[u8],
    ) -> Result<Self, CryptoError> {
        let associated = wrapping_data(spec, key_name, material_id);
        let (version, sealed) =
            wrapped.split_first_chunk::<1>().ok_or(CryptoError::NotAuthentic)?;
        if version != &[WRAPPING_VERSION] {
            return Err(CryptoError::NotAuthentic);
        }
        let bytes = dek.secret().open(WRAPPING_LABEL, version, &associated, sealed)?;
        // What authenticates was checked when it was made or imported.
        Self::load(provider, spec, bytes).map_err(|_| CryptoError::NotAuthentic)
    }

    /// A CiphertextBlob that names its key and material and binds the encryption context, given as
    /// `EncryptionContext::canonical()`.
    ///
    /// # Errors
    /// [`CryptoError::Incompatible`], or [`CryptoError::BadName`] for names that a blob cannot hold.
    pub fn encrypt_symmetric(
        &self,
        key: &KeyName,
        material: &MaterialId,
        context: &[u8],
        plaintext: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<Vec<u8>, CryptoError> {
        ciphertext::seal(self.secret()?, key, material, context, plaintext, rng)
    }

    /// Opens a CiphertextBlob of this material under the same encryption context.
    ///
    /// # Errors
    /// [`CryptoError::NotAuthentic`], whatever the reason.
    pub fn decrypt_symmetric(
        &self,
        context: &[u8],
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        ciphertext::open(self.secret()?, context, blob)
    }

    /// The inner layer of a ciphertext whose outer layer an external key makes: N, commitment, ciphertext
    /// and tag, bound to the names and the encryption context. [`ciphertext::write_external`] writes what
    /// comes of it.
    ///
    /// # Errors
    /// As [`KeyMaterial::encrypt_symmetric`].
    pub fn seal_inner(
        &self,
        key: &KeyName,
        material: &MaterialId,
        context: &[u8],
        plaintext: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<Vec<u8>, CryptoError> {
        ciphertext::seal_inner(self.secret()?, key, material, context, plaintext, rng)
    }

    /// Opens what [`KeyMaterial::seal_inner`] made for the same names and encryption context.
    ///
    /// # Errors
    /// [`CryptoError::Incompatible`]; otherwise [`CryptoError::NotAuthentic`], whatever the reason.
    pub fn open_inner(
        &self,
        key: &KeyName,
        material: &MaterialId,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        ciphertext::open_inner(self.secret()?, key, material, context, sealed)
    }

    /// Encrypts with the public half; see [`PublicKey::encrypt`].
    ///
    /// # Errors
    /// [`CryptoError::Incompatible`], [`CryptoError::TooLong`].
    pub fn encrypt_rsa(
        &self,
        algorithm: EncryptionAlgorithm,
        plaintext: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<Vec<u8>, CryptoError> {
        self.public_key()
            .ok_or(CryptoError::Incompatible(algorithm.as_str(), self.spec))?
            .encrypt(algorithm, plaintext, rng)
    }

    /// Decrypts OAEP with an empty label. The generator feeds the blinding.
    ///
    /// # Errors
    /// [`CryptoError::Incompatible`]; for the ciphertext, [`CryptoError::NotAuthentic`] and nothing else.
    pub fn decrypt_rsa(
        &self,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        oaep(self.spec, algorithm)?;
        match &self.engine {
            Engine::Rsa(private, _) => private.decrypt(&self.bytes, algorithm, ciphertext, rng),
            _ => Err(CryptoError::Incompatible(algorithm.as_str(), self.spec)),
        }
    }

    /// Signs a message, or a digest or mu that the caller made;
    /// [`crate::algorithm::message_types`] says which. RSA signatures have the modulus's length, ECDSA ones
    /// are DER, Ed25519 ones have 64 bytes and ML-DSA ones 2420, 3309 or 4627. PSS salts have the digest's
    /// length.
    ///
    /// # Errors
    /// [`CryptoError::Incompatible`], [`CryptoError::WrongDigestLength`], [`CryptoError::WrongMessageType`].
    pub fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<Vec<u8>, CryptoError> {
        let message =
            signed(self.provider.symmetric(), self.spec, algorithm, message_type, message)?;
        match (&self.engine, message) {
            (Engine::Rsa(private, _), Signed::Digest(way, digest)) => {
                private.sign(&self.bytes, way, &digest, rng)
            }
            (Engine::Ec(private, _), Signed::Digest(_, digest)) => private.sign(&digest, rng),
            (Engine::Ed(private, _), Signed::Message(message)) => private.sign(message),
            (Engine::Ed(private, _), Signed::Prehashed(message)) => private.sign_prehashed(message),
            (Engine::MlDsa(private, _), Signed::Message(message)) => private.sign(message, rng),
            (Engine::MlDsa(private, _), Signed::Mu(mu)) => {
                private.sign_mu(self.spec, &self.bytes, mu, rng)
            }
            _ => Err(CryptoError::Incompatible(algorithm.as_str(), self.spec)),
        }
    }

    /// Whether `signature` is this key's over `message`; see [`PublicKey::verify`].
    ///
    /// # Errors
    /// As [`KeyMaterial::sign`].
    pub fn verify(
        &self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, CryptoError> {
        self.public_key().ok_or(CryptoError::Incompatible(algorithm.as_str(), self.spec))?.verify(
            algorithm,
            message_type,
            message,
            signature,
        )
    }

    /// The secret that this key and a peer's make: the raw x-coordinate, 32, 48 or 66 bytes, which is not
    /// yet a key. The peer's is a DER SubjectPublicKeyInfo on the same curve.
    ///
    /// # Errors
    /// [`CryptoError::Incompatible`]; [`CryptoError::BadKey`] for whatever is no such public key.
    pub fn derive_shared_secret(
        &self,
        peer_spki_der: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let algorithm = KeyAgreementAlgorithm::Ecdh;
        match &self.engine {
            Engine::Ec(private, _) if key_agreement_algorithms(self.spec).contains(&algorithm) => {
                private.agree(self.spec, &self.bytes, peer_spki_der)
            }
            _ => Err(CryptoError::Incompatible(algorithm.as_str(), self.spec)),
        }
    }

    /// The shared secret of 32 bytes that a ciphertext carries; see [`PublicKey::encapsulate`]. Any
    /// ciphertext of the right length has one: the wrong one, where it was made for another key.
    ///
    /// # Errors
    /// [`CryptoError::Incompatible`]; [`CryptoError::NotAuthentic`] for a ciphertext of another length.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        match &self.engine {
            Engine::MlKem(private, _) => private.decapsulate(ciphertext),
            _ => Err(CryptoError::Incompatible(EncapsulationAlgorithm::MlKem.as_str(), self.spec)),
        }
    }

    /// The authentication code of `message`, 28 to 64 bytes.
    ///
    /// # Errors
    /// [`CryptoError::Incompatible`].
    pub fn mac(&self, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match &self.engine {
            Engine::Mac(key) if mac_algorithms(self.spec).contains(&algorithm) => {
                Ok(key.mac(message))
            }
            _ => Err(CryptoError::Incompatible(algorithm.as_str(), self.spec)),
        }
    }

    /// Whether `code` is the whole authentication code of `message`; compared in constant time.
    ///
    /// # Errors
    /// [`CryptoError::Incompatible`].
    pub fn verify_mac(
        &self,
        algorithm: MacAlgorithm,
        message: &[u8],
        code: &[u8],
    ) -> Result<bool, CryptoError> {
        Ok(self.mac(algorithm, message)?.ct_eq(code).into())
    }

    pub(crate) const fn provider(&self) -> Provider {
        self.provider
    }

    fn secret(&self) -> Result<&Secret, CryptoError> {
        match &self.engine {
            Engine::Symmetric(secret) => Ok(secret),
            _ => Err(CryptoError::Incompatible(
                EncryptionAlgorithm::SymmetricDefault.as_str(),
                self.spec,
            )),
        }
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyMaterial").field("spec", &self.spec).finish_non_exhaustive()
    }
}

const WRAPPING_VERSION: u8 = 1;
const WRAPPING_LABEL: &[u8] = b"keyward wrapped material";

const IMPORTED_LABEL: &[u8] = b"keyward imported material";

/// What a wrapped material is bound to. Each text is preceded by its length, so that no two names
/// share a form.
fn wrapping_data(spec: KeySpec, key_name: &str, material_id: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for text in [spec.as_str(), key_name, material_id] {
        data.extend_from_slice(&(text.len() as u64).to_be_bytes());
        data.extend_from_slice(text.as_bytes());
    }
    data
}
