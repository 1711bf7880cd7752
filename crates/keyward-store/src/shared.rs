//! What readers and the writer share: sled's one tree, the cache of decoded records, the vault and the counters.
//!
//! INVARIANT: a cache entry is never older than sled for longer than one apply. The writer changes sled first and
//! the cache after; a reader fills the cache through a placeholder that the writer's change removes.
//! INVARIANT: the published sequence number is the last thing that moves.

use crate::{
    StoreError,
    bytes::Cursor,
    codec::{Held, Vaulting, decode_kind},
    times::Times,
    tree::{self, Kind},
    vault::Vault,
    watch::Watch,
};
use keyward_types::{AccountId, AlertRecord, KeyName, KeyState, Region};
use quick_cache::{Weighter, sync::Cache, sync::GuardResult};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Bytes of a value in sled at most; larger ones are cut.
pub(crate) const PIECE_BYTES: usize = 4_000;
const WHOLE: u8 = 0;
const CUT: u8 = 1;

/// The sealed entry that says how far sled has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// The newest commit whose changes are in sled.
    pub(crate) sequence: u64,
    pub(crate) chain: [u8; 32],
    /// The number of the next event.
    pub(crate) events: u64,
    /// The number of the first event that is still there.
    #[serde(default)]
    pub(crate) first_event: u64,
    /// Entries in the tree, without this one.
    pub(crate) entries: u64,
    /// The sum of a checksum of every entry, without this one: missing and rolled back entries show.
    pub(crate) digest: u64,
    /// Keys in each state.
    pub(crate) key_states: BTreeMap<KeyState, u64>,
    /// Customer managed keys by account and Region.
    #[serde(default)]
    pub(crate) customer_keys: BTreeMap<String, u64>,
    /// Which entries there are: [`LAYOUT`].
    #[serde(default)]
    pub(crate) layout: u32,
    /// How the times of events rise.
    #[serde(default)]
    pub(crate) times: Times,
}

/// What is derived from the journal, and how. A store of another layout is built again.
pub(crate) const LAYOUT: u32 = 5;

impl Meta {
    pub(crate) fn empty() -> Self {
        Self {
            sequence: 0,
            chain: crate::journal::frame::CHAIN_START,
            events: 0,
            first_event: 0,
            entries: 0,
            digest: 0,
            key_states: BTreeMap::new(),
            customer_keys: BTreeMap::new(),
            layout: LAYOUT,
            times: Times::default(),
        }
    }
}

/// Under which customer managed keys of an account and Region are counted.
pub(crate) fn key_place(account: &AccountId, region: &Region) -> String {
    format!("{account}/{region}")
}

/// The checksum of one entry, as it is summed in [`Meta::digest`].
pub(crate) fn entry_digest(key: &[u8], value: &[u8]) -> u64 {
    let low = crc32c::crc32c_append(crc32c::crc32c(key), value);
    let high = crc32c::crc32c_append(crc32c::crc32c(value), key);
    (u64::from(high) << 32) | u64::from(low)
}

/// Counts for metrics, since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) groups: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) stale: AtomicU64,
    pub(crate) group_commits_max: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) journal_bytes: AtomicU64,
}

#[derive(Clone)]
pub(crate) struct ByWeight;

impl Weighter<Vec<u8>, Held> for ByWeight {
    fn weight(&self, key: &Vec<u8>, held: &Held) -> u64 {
        let body = match held {
            Held::Absent => 0,
            Held::Key(r) => {
                600 + r.policy.text().len()
                    + r.description.len()
                    + 160 * (r.tags.len() + r.materials.len())
            }
            Held::Material(r) => 300 + r.wrapped.len(),
            Held::Dek(r) => 300 + r.wrapped.len(),
            Held::Alias(_) | Held::Usage(_) | Held::AccessKey(_) => 400,
            Held::Grant(_) => 700,
            Held::User(r) => 600 + documents(r.policies.values()),
            Held::Role(r) => 600 + r.trust.text().len() + documents(r.policies.values()),
            Held::Group(r) => 600 + documents(r.policies.values()),
            Held::ManagedPolicy(r) => 600 + documents(r.versions.iter().map(|v| &v.document)),
            Held::Organization(r) => {
                600 + 200 * (r.units.len() + r.accounts.len() + r.attachments.len())
                    + documents(r.policies.values().map(|policy| &policy.document))
            }
            Held::Endpoint(r) => 400 + documents(core::iter::once(&r.document)),
            Held::MfaDevice(_) => 500,
            Held::KeyStore(_) => 1_000,
            Held::Freeze(r) => 400 + r.reason.len(),
            Held::Observe(r) => 400 + 600 * r.entries.len(),
            Held::Alert(r) => match &**r {
                AlertRecord::Settings(r) => 200 + r.text.len(),
                AlertRecord::Silence(r) => 500 + r.reason.len(),
                AlertRecord::Acknowledgement(r) => 400 + r.comment.as_ref().map_or(0, String::len),
            },
            Held::Grants(list) => 64 + 700 * list.len(),
            Held::Aliases(list) => 64 + 300 * list.len(),
        };
        (key.len() + body + 96) as u64
    }
}

fn documents<'a>(documents: impl Iterator<Item = &'a keyward_types::caller::Document>) -> usize {
    documents.map(|document| document.text().len() + 200).sum()
}

/// What readers and the writer share.
pub(crate) struct Shared {
    /// Kept open; everything goes through its one tree.
    pub(crate) _db: sled::Db,
    pub(crate) tree: sled::Tree,
    pub(crate) vaulting: Vaulting,
    pub(crate) cache: Cache<Vec<u8>, Held, ByWeight>,
    pub(crate) vault: Mutex<Vault>,
    pub(crate) meta: Mutex<Meta>,
    pub(crate) newest: Mutex<crate::newest::Newest>,
    pub(crate) leaves: crate::merkle::Leaves,
    /// Bytes that were free when the disk was last asked.
    pub(crate) free_bytes: AtomicU64,
    pub(crate) published: AtomicU64,
    pub(crate) events: AtomicU64,
    /// Events before this one have left, or are leaving: nobody looks for them any more.
    pub(crate) first_event: AtomicU64,
    /// Held for reading while events are looked for, and for writing while some leave sled.
    pub(crate) leaving: RwLock<()>,
    pub(crate) counters: Counters,
    pub(crate) failed: OnceLock<String>,
    pub(crate) watch: Watch,
    /// Written when sled turned out to be damaged while serving: the next start rebuilds it.
    pub(crate) suspect: PathBuf,
    pub(crate) is_suspect: AtomicBool,
}

/// A poisoned lock only says that some thread panicked; what it guards is replaced whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Calls sled, which may panic on a damaged page.
    pub(crate) fn sled<T>(
        &self,
        call: impl FnOnce(&sled::Tree) -> sled::Result<T>,
    ) -> Result<T, StoreError> {
        let error = match catch_unwind(AssertUnwindSafe(|| call(&self.tree))) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => StoreError::from(error),
            Err(_) => StoreError::Sled("a page cannot be read".to_owned()),
        };
        self.suspect();
        Err(error)
    }

    /// Leaves word that sled is to be rebuilt at the next start.
    pub(crate) fn suspect(&self) {
        if !self.is_suspect.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "sled is damaged and will be rebuilt from the journal at the next start"
            );
            let _ = std::fs::write(&self.suspect, b"");
        }
    }

    /// Nothing leaves while this is held.
    pub(crate) fn reading(&self) -> RwLockReadGuard<'_, ()> {
        self.leaving.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the first event that may be read.
    pub(crate) fn first_event(&self) -> u64 {
        self.first_event.load(Ordering::Acquire)
    }

    pub(crate) fn raw(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        self.sled(|tree| tree.get(key))
    }

    /// The record under a key, from the cache or from sled.
    pub(crate) fn held(&self, key: &[u8]) -> Result<Held, StoreError> {
        match self.cache.get_value_or_guard(key, None) {
            GuardResult::Value(held) => Ok(held),
            GuardResult::Guard(guard) => {
                let held = self.load(key)?;
                let _ = guard.insert(held.clone());
                Ok(held)
            }
            GuardResult::Timeout => self.load(key),
        }
    }

    /// The record under a key, from sled (or the vault).
    pub(crate) fn load(&self, key: &[u8]) -> Result<Held, StoreError> {
        let Some(value) = self.raw(key)? else { return Ok(Held::Absent) };
        let loaded = self.sealed(key, value).and_then(|sealed| match sealed {
            Some(sealed) => self.decode(key, &sealed),
            None => Ok(Held::Absent),
        });
        if loaded.is_err() {
            self.suspect();
        }
        loaded
    }

    fn decode(&self, key: &[u8], sealed: &[u8]) -> Result<Held, StoreError> {
        let held = decode_kind(key, &self.vaulting.open_record(key, sealed)?)?;
        let is_own = match held.name() {
            Some(name) => tree::record(&name).as_deref() == Some(key),
            None => true,
        };
        if is_own {
            Ok(held)
        } else {
            Err(StoreError::bad_value("a record that bears another name than its place"))
        }
    }

    /// The sealed bytes of a record, joined when they were cut. Pieces bear the sequence number of their
    /// commit, so that none of another version is taken; when they went meanwhile the newer value is read.
    fn sealed(&self, key: &[u8], value: sled::IVec) -> Result<Option<Vec<u8>>, StoreError> {
        let mut value = value;
        loop {
            if let Some(sealed) =
                join(key, &value, &mut |piece| Ok(self.raw(piece)?.map(|v| v.to_vec())))?
            {
                return Ok(Some(sealed));
            }
            match self.raw(key)? {
                Some(newer) if newer != value => value = newer,
                Some(_) => return Err(StoreError::bad_value("a record misses a piece")),
                None => return Ok(None),
            }
        }
    }

    pub(crate) fn dek(&self, key: &KeyName) -> Result<Held, StoreError> {
        let mark = tree::dek_mark(key);
        let load = || -> Result<Held, StoreError> {
            Ok(lock(&self.vault)
                .read(key)?
                .map_or(Held::Absent, |record| Held::Dek(Arc::new(record))))
        };
        match self.cache.get_value_or_guard(mark.as_slice(), None) {
            GuardResult::Value(held) => Ok(held),
            GuardResult::Guard(guard) => {
                let held = load()?;
                let _ = guard.insert(held.clone());
                Ok(held)
            }
            GuardResult::Timeout => load(),
        }
    }

    /// Stops all further commits.
    pub(crate) fn fail(&self, reason: &StoreError) -> StoreError {
        let reason = match reason {
            StoreError::Failed(text) => text.clone(),
            other => other.to_string(),
        };
        tracing::error!(%reason, "the store stopped writing; it must be opened again");
        StoreError::Failed(self.failed.get_or_init(|| reason).clone())
    }

    pub(crate) fn failure(&self) -> Option<StoreError> {
        self.failed.get().map(|reason| StoreError::Failed(reason.clone()))
    }
}

/// A key of sled and its value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// Finds a piece by its key.
pub(crate) type FindPiece<'a> = dyn FnMut(&[u8]) -> Result<Option<Vec<u8>>, StoreError> + 'a;

/// How a sealed record stands in sled: the value, and its pieces when it was cut.
pub(crate) fn split(key: &[u8], sequence: u64, sealed: &[u8]) -> (Vec<u8>, Vec<Entry>) {
    if sealed.len() <= PIECE_BYTES {
        let mut value = Vec::with_capacity(sealed.len() + 1);
        value.push(WHOLE);
        value.extend_from_slice(sealed);
        return (value, Vec::new());
    }
    let pieces: Vec<_> = sealed
        .chunks(PIECE_BYTES)
        .zip(0_u16..=u16::MAX)
        .map(|(piece, number)| (tree::chunk(key, sequence, number), piece.to_vec()))
        .collect();
    let mut value = vec![CUT];
    value.extend_from_slice(&sequence.to_be_bytes());
    value.extend_from_slice(&u16::try_from(pieces.len()).unwrap_or(u16::MAX).to_be_bytes());
    (value, pieces)
}

/// The keys of a value's pieces; none when it stands whole.
pub(crate) fn piece_keys(key: &[u8], value: &[u8]) -> Vec<Vec<u8>> {
    let mut cursor = Cursor(value);
    let parsed = (cursor.u8(), cursor.u64(), cursor.u16());
    match parsed {
        (Some(CUT), Some(sequence), Some(count)) => {
            (0..count).map(|number| tree::chunk(key, sequence, number)).collect()
        }
        _ => Vec::new(),
    }
}

/// The inverse of [`split`]; `None` when a piece is missing.
pub(crate) fn join(
    key: &[u8],
    value: &[u8],
    piece: &mut FindPiece<'_>,
) -> Result<Option<Vec<u8>>, StoreError> {
    match value.split_first() {
        Some((&WHOLE, sealed)) => Ok(Some(sealed.to_vec())),
        Some((&CUT, _)) => {
            let mut sealed = Vec::new();
            for key in piece_keys(key, value) {
                match piece(&key)? {
                    Some(bytes) => sealed.extend_from_slice(&bytes),
                    None => return Ok(None),
                }
            }
            Ok(Some(sealed))
        }
        _ => Err(StoreError::bad_value("a value of a form that is not known")),
    }
}

/// Reads the entry that says how far sled has come; `None` when sled is empty.
pub(crate) fn read_meta(
    tree: &sled::Tree,
    vaulting: &Vaulting,
) -> Result<Option<Meta>, StoreError> {
    let key = tree::meta();
    let Some(sealed) = tree.get(&key)? else { return Ok(None) };
    crate::codec::decode(&vaulting.open_record(&key, &sealed)?).map(Some)
}

/// Counts and sums every entry, to be compared with [`Meta`].
pub(crate) fn survey(tree: &sled::Tree) -> Result<(u64, u64), StoreError> {
    let mut sums = (0, 0);
    for entry in tree.iter() {
        let (key, value) = entry?;
        add_to_survey(&mut sums, &key, &value);
    }
    Ok(sums)
}

/// Takes one entry into the count and the sum.
pub(crate) fn add_to_survey((entries, digest): &mut (u64, u64), key: &[u8], value: &[u8]) {
    if key.first() != Some(&Kind::Meta.number()) {
        *entries += 1;
        *digest = digest.wrapping_add(entry_digest(key, value));
    }
}
