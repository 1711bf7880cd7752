//! What commits come to, computed from the journal alone: the last word on every record, and which were deleted.
//!
//! It is how a store is verified, and how a base takes in the segments that leave. It shares no code with what applies
//! commits to sled ([`crate::draft`]), so that each can be held against the other.
//!
//! INVARIANT: a ledger of commits 1 to n, laid over nothing, says what sled holds after commit n.

use crate::{
    StoreError,
    codec::{Held, decode_kind},
    draft::index_keys,
    payload::RawOp,
    tree::{self, Kind},
};
use keyward_types::{Name, Timestamp};
use std::collections::BTreeMap;

/// What a ledger keeps of a record's bytes: all of them, or their digest.
pub(crate) trait Kept {
    fn of(plain: &[u8]) -> Self;
}

/// A record as the journal last had it.
pub(crate) struct Entry<V> {
    pub(crate) value: V,
    /// Of a last use.
    pub(crate) time: Timestamp,
    /// Whether what stood there before the ledger's commits counts no more: a last use yields to a later one only.
    pub(crate) is_final: bool,
    /// Kept where a set that can be deleted whole leads to the record by an index.
    held: Option<Held>,
}

impl<V: Kept> Entry<V> {
    pub(crate) fn of(key: &[u8], plain: &[u8]) -> Result<Self, StoreError> {
        let kind = key.first().and_then(|number| Kind::from_number(*number));
        let held = match kind {
            Some(Kind::Alias | Kind::AccessKey) => Some(decode_kind(key, plain)?),
            _ => None,
        };
        let time = match kind {
            Some(Kind::LastUsage) => match decode_kind(key, plain)? {
                Held::Usage(usage) => usage.time,
                _ => Timestamp(0),
            },
            _ => Timestamp(0),
        };
        Ok(Self { value: V::of(plain), time, is_final: true, held })
    }

    fn is_led_to(&self, prefix: &[u8]) -> bool {
        let indexes = self.held.as_ref().map(index_keys).unwrap_or_default();
        indexes.iter().any(|index| index.starts_with(prefix))
    }
}

/// The last word on every record that commits changed.
pub(crate) struct Ledger<V> {
    /// By key in sled; `None` for what was deleted.
    pub(crate) records: BTreeMap<Vec<u8>, Option<Entry<V>>>,
    /// Of data-encryption keys: which commit put each into the vault.
    pub(crate) marks: BTreeMap<Vec<u8>, Option<u64>>,
    sets: Vec<Deleted>,
}

/// A set whose members of that time were deleted.
enum Deleted {
    /// Those under a prefix.
    Under(Vec<u8>),
    /// Those to which an index under a prefix leads.
    LedTo(Vec<u8>),
}

impl<V> Default for Ledger<V> {
    fn default() -> Self {
        Self { records: BTreeMap::new(), marks: BTreeMap::new(), sets: Vec::new() }
    }
}

impl<V: Kept> Ledger<V> {
    pub(crate) fn apply(&mut self, op: RawOp, sequence: u64) -> Result<(), StoreError> {
        match op {
            RawOp::Put { key, plain } => self.put(key, &plain)?,
            RawOp::Touch { key, plain, usage } => {
                let known = self.records.get(&key);
                let is_final = known.is_some_and(|known| known.as_ref().is_none_or(|k| k.is_final));
                if known.and_then(Option::as_ref).is_none_or(|known| known.time <= usage.time) {
                    let entry = Entry { is_final, ..Entry::of(&key, &plain)? };
                    self.records.insert(key, Some(entry));
                }
            }
            RawOp::Dek(key) => {
                self.marks.insert(tree::dek_mark(&key), Some(sequence));
            }
            RawOp::Delete(name) => self.delete(&name),
        }
        Ok(())
    }

    pub(crate) fn put(&mut self, key: Vec<u8>, plain: &[u8]) -> Result<(), StoreError> {
        let entry = Entry::of(&key, plain)?;
        self.records.insert(key, Some(entry));
        Ok(())
    }

    fn delete(&mut self, name: &Name) {
        match name {
            Name::Grants(key) => self.delete_set(Deleted::Under(tree::grants_prefix(key))),
            Name::Aliases(key) => self.delete_set(Deleted::LedTo(tree::key_aliases_prefix(key))),
            Name::AccessKeys(account, user) => {
                let prefix = tree::access_keys_prefix(account, user.as_deref());
                self.delete_set(Deleted::LedTo(prefix));
            }
            Name::Dek(key) => {
                self.marks.insert(tree::dek_mark(key), None);
            }
            other => {
                if let Name::Key(key) = other {
                    self.records.insert(tree::last_usage(key), None);
                }
                if let Some(key) = tree::record(other) {
                    self.records.insert(key, None);
                }
            }
        }
    }

    fn delete_set(&mut self, set: Deleted) {
        for (key, entry) in &mut self.records {
            if entry.as_ref().is_some_and(|entry| set.takes(key, entry)) {
                *entry = None;
            }
        }
        self.sets.push(set);
    }

    /// What becomes of a record that is older than every commit of the ledger, and that the ledger does not name.
    pub(crate) fn keeps(&self, key: &[u8], older: &Entry<V>) -> bool {
        !self.sets.iter().any(|set| set.takes(key, older))
    }
}

impl Deleted {
    fn takes<V: Kept>(&self, key: &[u8], entry: &Entry<V>) -> bool {
        match self {
            Self::Under(prefix) => key.starts_with(prefix),
            Self::LedTo(prefix) => entry.is_led_to(prefix),
        }
    }
}
