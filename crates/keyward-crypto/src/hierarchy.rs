//! From the root key to the keys that wrap, seal and mark.
//!
//! ```text
//! root key (file, environment, passphrase)
//!   └ HKDF-SHA-256, salt = store id, label
//!       ├ wrap | term            wraps the data-encryption key of each KMS key
//!       │   └ Dek                wraps the material of one KMS key; destroyed with it
//!       ├ seal | term, generation, instance    seals stored values, counter nonces
//!       ├ token                  session tokens, grant tokens, page markers
//!       ├ fingerprint            keyed digests
//!       └ check                  tells whether a root key is a store's own
//! ```
//! It holds keys and no store: who records the store id, the term and the generation is somebody else.
//!
//! INVARIANT: the labels differ, so that no two purposes share a key.
//! INVARIANT: a store's generation is new at every start, and durable before its first value is sealed.
//! Should that fail (a backup restored twice, a cloned disk), the instance, drawn at random by
//! [`Keyring::new`], still keeps keys and so nonces apart. Only a copy of a running process repeats them.
//! Source: RFC 5869 (HKDF), RFC 9106 section 4 (Argon2id), NIST SP 800-38D section 8.2.1 (counter nonces).

use crate::{
    CryptoError,
    aead::{Key, NONCE_LEN, TAG_LEN},
    derived::{Secret, keyed},
    provider::Backend,
};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use core::fmt;
use hkdf::Hkdf;
use hmac::Mac as _;
use keyward_types::{Generator, Sealer};
use rand_core::Rng as _;
use sha2::Sha256;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use zeroize::Zeroizing;

/// The hierarchy is the same under every provider, so that a store opens under each.
const BACKEND: Backend = Backend::RustCrypto;

/// 32 bytes from which everything that is stored can be opened.
#[derive(Clone)]
pub struct RootKey(Zeroizing<[u8; 32]>);

impl RootKey {
    pub fn generate(rng: &mut dyn Generator) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self(bytes)
    }

    /// 64 hexadecimal digits, or 32 bytes in base64; white space around them is nothing.
    ///
    /// # Errors
    /// [`CryptoError::BadRootKey`], which says what would fit and repeats nothing of the text.
    pub fn from_text(text: &str) -> Result<Self, CryptoError> {
        let text = text.trim();
        let mut bytes = Zeroizing::new([0; 32]);
        if hex::decode_to_slice(text, bytes.as_mut_slice()).is_ok() {
            return Ok(Self(bytes));
        }
        let decoded = STANDARD.decode(text).map(Zeroizing::new).ok();
        let whole =
            decoded.as_ref().and_then(|decoded| <&[u8; 32]>::try_from(decoded.as_slice()).ok());
        *bytes = *whole.ok_or(CryptoError::BadRootKey(
            "root key is neither 64 hexadecimal digits nor 32 bytes in base64",
        ))?;
        Ok(Self(bytes))
    }

    /// 64 hexadecimal digits, for the file that is written once when a store is initialised.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// Argon2id over a passphrase.
    ///
    /// # Errors
    /// [`CryptoError::BadRootKey`] when the passphrase has under 12 bytes or the parameters are weak.
    pub fn from_passphrase(passphrase: &str, params: &Argon2Params) -> Result<Self, CryptoError> {
        if passphrase.len() < PASSPHRASE_LEN_MIN {
            return Err(CryptoError::BadRootKey("passphrase is shorter than 12 bytes"));
        }
        let weak = params.memory_kib < MEMORY_KIB_MIN || params.passes < PASSES_MIN;
        if weak {
            return Err(CryptoError::BadRootKey(
                "passphrase parameters are below 19456 KiB and 2 passes",
            ));
        }
        let failed = CryptoError::BadRootKey("passphrase parameters are out of range");
        let costs = Params::new(params.memory_kib, params.passes, params.lanes, Some(32));
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, costs.map_err(|_| failed)?);
        let mut bytes = Zeroizing::new([0; 32]);
        argon2
            .hash_password_into(passphrase.as_bytes(), &params.salt, bytes.as_mut_slice())
            .map_err(|_| failed)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey")
    }
}

/// The lowest costs that are accepted: OWASP's first choice for Argon2id.
/// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>
const MEMORY_KIB_MIN: u32 = 19_456;
const PASSES_MIN: u32 = 2;
const PASSPHRASE_LEN_MIN: usize = 12;

/// How a passphrase becomes a root key. The store keeps these in clear beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Params {
    /// Random, made once for a store.
    pub salt: [u8; 16],
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Argon2Params {
    /// RFC 9106 section 4, the second recommended option: 64 MiB, 3 passes, 4 lanes.
    pub const fn new(salt: [u8; 16]) -> Self {
        Self { salt, memory_kib: 65_536, passes: 3, lanes: 4 }
    }
}

/// The data-encryption key of one KMS key. When its wrapped form is destroyed, nothing opens what it
/// wrapped.
pub struct Dek(Secret);

impl Dek {
    pub(crate) const fn secret(&self) -> &Secret {
        &self.0
    }
}

impl fmt::Debug for Dek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dek")
    }
}

/// What one process derives from the root key for one store.
pub struct Keyring {
    root: Arc<Expander>,
    term: u32,
    token: Secret,
    fingerprint: Zeroizing<[u8; 32]>,
    sealer: Arc<StoreSealer>,
}

impl Keyring {
    /// Made once for each opening of a store. `term` counts root-level re-wraps, `generation` counts
    /// openings. The generator gives the instance that keeps a repeated generation harmless.
    pub fn new(
        root: &RootKey,
        store_id: [u8; 16],
        term: u32,
        generation: u64,
        rng: &mut dyn Generator,
    ) -> Self {
        let root = Arc::new(Expander(Hkdf::new(Some(&store_id), root.0.as_slice())));
        let mut instance = [0; INSTANCE_LEN];
        rng.fill_bytes(&mut instance);
        let sealer = StoreSealer::new(root.clone(), Epoch { term, generation, instance });
        Self {
            token: Secret::new(BACKEND, &root.expand(b"token", &[])),
            fingerprint: root.expand(b"fingerprint", &[]),
            sealer: Arc::new(sealer),
            term,
            root,
        }
    }

    /// Tells root keys and stores apart without revealing anything: the same for every term and
    /// generation of one store under one root key, and for nothing else.
    pub fn check_value(&self) -> [u8; 32] {
        *self.root.expand(b"check", &[])
    }

    /// The sealer of this opening; each call returns the same one.
    pub fn sealer(&self) -> Arc<dyn Sealer> {
        self.sealer.clone()
    }

    /// A new data-encryption key and its wrapped form, bound to the key's name.
    ///
    /// # Errors
    /// [`CryptoError::Failed`] alone.
    pub fn new_dek(
        &self,
        key_name: &str,
        rng: &mut dyn Generator,
    ) -> Result<(Dek, Vec<u8>), CryptoError> {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut_slice());
        let mut wrapped = vec![DEK_VERSION];
        wrapped.extend_from_slice(&self.term.to_be_bytes());
        self.wrapping(self.term).seal(
            DEK_LABEL,
            &mut wrapped,
            key_name.as_bytes(),
            bytes.as_slice(),
            rng,
        )?;
        Ok((Dek(Secret::new(BACKEND, &bytes)), wrapped))
    }

    /// Opens a wrapped data-encryption key, of this term or another.
    ///
    /// # Errors
    /// [`CryptoError::NotAuthentic`], whatever the reason.
    pub fn open_dek(&self, key_name: &str, wrapped: &[u8]) -> Result<Dek, CryptoError> {
        let (header, sealed) = wrapped.split_first_chunk::<5>().ok_or(CryptoError::NotAuthentic)?;
        let [DEK_VERSION, term @ ..] = header else {
            return Err(CryptoError::NotAuthentic);
        };
        let secret = self.wrapping(u32::from_be_bytes(*term));
        let bytes = secret.open(DEK_LABEL, header, key_name.as_bytes(), sealed)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| CryptoError::NotAuthentic)?;
        Ok(Dek(Secret::new(BACKEND, bytes)))
    }

    /// Seals what a client carries for us: session and grant tokens, page markers. It opens under every
    /// generation of this store, for the same purpose only.
    ///
    /// # Errors
    /// [`CryptoError::Failed`] alone.
    pub fn seal_token(
        &self,
        purpose: &str,
        plain: &[u8],
        rng: &mut dyn Generator,
    ) -> Result<Vec<u8>, CryptoError> {
        let mut token = vec![TOKEN_VERSION];
        self.token.seal(TOKEN_LABEL, &mut token, purpose.as_bytes(), plain, rng)?;
        Ok(token)
    }

    /// Opens what [`Keyring::seal_token`] sealed for this purpose.
    ///
    /// # Errors
    /// [`CryptoError::NotAuthentic`], whatever the reason.
    pub fn open_token(
        &self,
        purpose: &str,
        token: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let (version, sealed) = token.split_first_chunk::<1>().ok_or(CryptoError::NotAuthentic)?;
        if version != &[TOKEN_VERSION] {
            return Err(CryptoError::NotAuthentic);
        }
        self.token.open(TOKEN_LABEL, version, purpose.as_bytes(), sealed)
    }

    /// A keyed digest that only this store can make: for looking up what must not be stored in clear.
    pub fn fingerprint(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        let mut mac = keyed(&self.fingerprint);
        mac.update(&(purpose.len() as u64).to_be_bytes());
        mac.update(purpose.as_bytes());
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// What the root key makes for one purpose of this store.
    pub(crate) fn expand(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        self.root.expand(purpose, &[])
    }

    fn wrapping(&self, term: u32) -> Secret {
        Secret::new(BACKEND, &self.root.expand(b"wrap", &term.to_be_bytes()))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("term", &self.term).finish_non_exhaustive()
    }
}

const DEK_VERSION: u8 = 1;
const DEK_LABEL: &[u8] = b"keyward data-encryption key";
const TOKEN_VERSION: u8 = 1;
const TOKEN_LABEL: &[u8] = b"keyward token";

/// HKDF with the root key taken in.
struct Expander(Hkdf<Sha256>);

impl Expander {
    fn expand(&self, label: &[u8], data: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let expanded =
            self.0.expand_multi_info(&[b"keyward ", label, &[0], data], key.as_mut_slice());
        #[expect(clippy::expect_used, reason = "INVARIANT: 32 bytes are within HKDF's 8,160")]
        expanded.expect("HKDF makes 32 bytes");
        key
    }
}

const SEALED_VERSION: u8 = 1;
const INSTANCE_LEN: usize = 8;
const EPOCH_LEN: usize = 4 + 8 + INSTANCE_LEN;
const SEALED_HEADER_LEN: usize = 1 + EPOCH_LEN + 8;

/// What a sealing key is derived for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Epoch {
    term: u32,
    generation: u64,
    instance: [u8; INSTANCE_LEN],
}

impl Epoch {
    fn bytes(&self) -> [u8; EPOCH_LEN] {
        let mut bytes = [0; EPOCH_LEN];
        let parts = self
            .term
            .to_be_bytes()
            .into_iter()
            .chain(self.generation.to_be_bytes())
            .chain(self.instance);
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = from;
        }
        bytes
    }

    fn parse(bytes: &[u8; EPOCH_LEN]) -> Option<Self> {
        let (term, rest) = bytes.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        Some(Self {
            term: u32::from_be_bytes(*term),
            generation: u64::from_be_bytes(*generation),
            instance: rest.try_into().ok()?,
        })
    }
}

/// Seals stored values.
///
/// Layout: version (1) | term (4) | generation (8) | instance (8) | counter (8) | ciphertext | tag (16).
/// Header and identity are authenticated; the identity's place after a header of fixed length keeps
/// them apart.
struct StoreSealer {
    root: Arc<Expander>,
    epoch: Epoch,
    key: Arc<Key>,
    counter: AtomicU64,
    /// Keys of earlier openings, kept after the first value that they opened.
    earlier: RwLock<BTreeMap<Epoch, Arc<Key>>>,
}

/// Keys of earlier openings that are kept; more are derived again when they are needed.
const EARLIER_MAX: usize = 256;

impl StoreSealer {
    fn new(root: Arc<Expander>, epoch: Epoch) -> Self {
        let key = Self::derive(&root, epoch);
        Self { root, epoch, key, counter: AtomicU64::new(0), earlier: RwLock::default() }
    }

    fn derive(root: &Expander, epoch: Epoch) -> Arc<Key> {
        let key = Key::new(BACKEND, &root.expand(b"seal", &epoch.bytes()));
        #[expect(clippy::expect_used, reason = "INVARIANT: every 32 bytes are an AES-256 key")]
        Arc::new(key.expect("AES-256 takes 32 bytes"))
    }

    fn key_of(&self, epoch: Epoch) -> Arc<Key> {
        if epoch == self.epoch {
            return self.key.clone();
        }
        let earlier = self.earlier.read().unwrap_or_else(PoisonError::into_inner);
        earlier.get(&epoch).cloned().unwrap_or_else(|| Self::derive(&self.root, epoch))
    }

    /// Only a key that opened something is kept, so that forged headers cannot fill the map.
    fn keep(&self, epoch: Epoch, key: Arc<Key>) {
        if epoch == self.epoch {
            return;
        }
        if self.earlier.read().unwrap_or_else(PoisonError::into_inner).contains_key(&epoch) {
            return;
        }
        let mut earlier = self.earlier.write().unwrap_or_else(PoisonError::into_inner);
        if earlier.len() >= EARLIER_MAX {
            earlier.pop_first();
        }
        earlier.insert(epoch, key);
    }
}

impl Sealer for StoreSealer {
    fn seal(&self, identity: &[u8], plain: &[u8]) -> Vec<u8> {
        let counter = self.counter.fetch_add(1, Ordering::Relaxed);
        let mut sealed = Vec::with_capacity(SEALED_HEADER_LEN + plain.len() + TAG_LEN);
        sealed.push(SEALED_VERSION);
        sealed.extend_from_slice(&self.epoch.bytes());
        sealed.extend_from_slice(&counter.to_be_bytes());
        let aad = [sealed.as_slice(), identity].concat();
        // NONCE: a counter that one process increments and never resets, under a key that is derived for
        // this opening of the store (generation) and this process (instance).
        let done = self.key.seal(nonce(counter), &aad, plain, &mut sealed);
        #[expect(
            clippy::expect_used,
            reason = "INVARIANT: a stored value is far below GCM's 64 GiB"
        )]
        done.expect("AES-256-GCM seals a stored value");
        sealed
    }

    fn open(&self, identity: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (header, body) = sealed.split_first_chunk::<SEALED_HEADER_LEN>()?;
        let ([SEALED_VERSION], rest) = header.split_first_chunk::<1>()? else { return None };
        let (epoch, counter) = rest.split_first_chunk::<EPOCH_LEN>()?;
        let epoch = Epoch::parse(epoch)?;
        let counter = u64::from_be_bytes(counter.try_into().ok()?);
        let aad = [header.as_slice(), identity].concat();
        let key = self.key_of(epoch);
        let mut plain = key.open(nonce(counter), &aad, body).ok()?;
        self.keep(epoch, key);
        Some(core::mem::take(&mut *plain))
    }
}

/// Four zero bytes and the counter.
fn nonce(counter: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    for (to, from) in nonce.iter_mut().skip(NONCE_LEN - 8).zip(counter.to_be_bytes()) {
        *to = from;
    }
    nonce
}
