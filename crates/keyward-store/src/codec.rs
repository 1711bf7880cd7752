//! Records as bytes, and bytes as sealed values.
//!
//! A record is a version byte and MessagePack with named fields, so that a field can be added with a default.
//! A sealed value has its key as identity: moved to another key, or into another store, it does not open.
//!
//! INVARIANT: a version that is not known is refused, never skipped.

use crate::{StoreError, bytes::Cursor, tree::Kind};
use keyward_types::{
    AccessKeyRecord, AlertRecord, AliasRecord, EndpointRecord, FreezeRecord, GrantRecord,
    GroupRecord, KeyName, KeyRecord, KeyStoreRecord, LastUsage, ManagedPolicyRecord,
    MaterialRecord, MfaDeviceRecord, Name, ObserveRecord, OrganizationRecord, Record, RoleRecord,
    Sealer, UserRecord, key::DekRecord,
};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The version of every record kind that is written now.
const RECORD_VERSION: u8 = 1;

/// A decoded record as it is shared with readers.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    Absent,
    Key(Arc<KeyRecord>),
    Material(Arc<MaterialRecord>),
    Dek(Arc<DekRecord>),
    Alias(Arc<AliasRecord>),
    Grant(Arc<GrantRecord>),
    User(Arc<UserRecord>),
    Role(Arc<RoleRecord>),
    AccessKey(Arc<AccessKeyRecord>),
    Group(Arc<GroupRecord>),
    ManagedPolicy(Arc<ManagedPolicyRecord>),
    Organization(Arc<OrganizationRecord>),
    Endpoint(Arc<EndpointRecord>),
    MfaDevice(Arc<MfaDeviceRecord>),
    KeyStore(Arc<KeyStoreRecord>),
    Freeze(Arc<FreezeRecord>),
    Observe(Arc<ObserveRecord>),
    Alert(Arc<AlertRecord>),
    Usage(Arc<LastUsage>),
    /// Grants found through one index prefix.
    Grants(Arc<[Arc<GrantRecord>]>),
    /// Aliases of one key.
    Aliases(Arc<[Arc<AliasRecord>]>),
}

impl From<Record> for Held {
    fn from(record: Record) -> Self {
        match record {
            Record::Key(r) => Self::Key(Arc::new(r)),
            Record::Material(r) => Self::Material(Arc::new(r)),
            Record::Dek(r) => Self::Dek(Arc::new(r)),
            Record::Alias(r) => Self::Alias(Arc::new(r)),
            Record::Grant(r) => Self::Grant(Arc::new(r)),
            Record::User(r) => Self::User(Arc::new(r)),
            Record::Role(r) => Self::Role(Arc::new(r)),
            Record::AccessKey(r) => Self::AccessKey(Arc::new(r)),
            Record::Group(r) => Self::Group(Arc::new(r)),
            Record::ManagedPolicy(r) => Self::ManagedPolicy(Arc::new(r)),
            Record::Organization(r) => Self::Organization(Arc::new(r)),
            Record::Endpoint(r) => Self::Endpoint(Arc::new(r)),
            Record::MfaDevice(r) => Self::MfaDevice(Arc::new(r)),
            Record::KeyStore(r) => Self::KeyStore(Arc::new(r)),
            Record::Freeze(r) => Self::Freeze(Arc::new(r)),
            Record::Observe(r) => Self::Observe(Arc::new(r)),
            Record::Alert(r) => Self::Alert(Arc::new(r)),
        }
    }
}

impl Held {
    /// The name that the record itself bears; `None` for what is no record.
    pub(crate) fn name(&self) -> Option<Name> {
        Some(match self {
            Self::Key(r) => Name::Key(r.name.clone()),
            Self::Material(r) => Name::Material(r.key.clone(), r.id.clone()),
            Self::Dek(r) => Name::Dek(r.key.clone()),
            Self::Alias(r) => Name::Alias(r.account.clone(), r.region.clone(), r.name.clone()),
            Self::Grant(r) => Name::Grant(r.key.clone(), r.grant_id.clone()),
            Self::User(r) => Name::User(r.account.clone(), r.name.clone()),
            Self::Role(r) => Name::Role(r.account.clone(), r.name.clone()),
            Self::AccessKey(r) => Name::AccessKey(r.access_key_id.clone()),
            Self::Group(r) => Name::Group(r.account.clone(), r.name.clone()),
            Self::ManagedPolicy(r) => Name::ManagedPolicy(r.account.clone(), r.name.clone()),
            Self::Organization(_) => Name::Organization,
            Self::Endpoint(r) => Name::Endpoint(r.id.clone()),
            Self::MfaDevice(r) => Name::MfaDevice(r.account.clone(), r.name.clone()),
            Self::KeyStore(r) => Name::KeyStore(r.account.clone(), r.region.clone(), r.id.clone()),
            Self::Freeze(r) => Name::Freeze(r.target.clone()),
            Self::Observe(r) => Name::Observe(r.account.clone()),
            Self::Alert(r) => Name::Alert(r.name()),
            Self::Absent | Self::Usage(_) | Self::Grants(_) | Self::Aliases(_) => return None,
        })
    }
}

/// Encodes a record.
///
/// # Errors
/// `Corrupt`, though no record of ours fails to encode.
pub(crate) fn encode<T: Serialize>(record: &T) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(512));
    bytes.push(RECORD_VERSION);
    rmp_serde::encode::write_named(&mut *bytes, record)
        .map_err(|e| StoreError::bad_value(format!("a record does not encode: {e}")))?;
    Ok(bytes)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    let mut cursor = Cursor(bytes);
    match cursor.u8() {
        Some(RECORD_VERSION) => {}
        Some(found) => {
            return Err(StoreError::Format {
                place: "a record".to_owned(),
                found: found.into(),
                known: RECORD_VERSION.into(),
            });
        }
        None => return Err(StoreError::bad_value("an empty record")),
    }
    // The error may quote the value, so that it is not passed on.
    rmp_serde::from_slice(cursor.0)
        .map_err(|_| StoreError::bad_value("a record that does not decode"))
}

pub(crate) fn encode_record(record: &Record) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    match record {
        Record::Key(r) => encode(r),
        Record::Material(r) => encode(r),
        Record::Dek(r) => encode(r),
        Record::Alias(r) => encode(r),
        Record::Grant(r) => encode(r),
        Record::User(r) => encode(r),
        Record::Role(r) => encode(r),
        Record::AccessKey(r) => encode(r),
        Record::Group(r) => encode(r),
        Record::ManagedPolicy(r) => encode(r),
        Record::Organization(r) => encode(r),
        Record::Endpoint(r) => encode(r),
        Record::MfaDevice(r) => encode(r),
        Record::KeyStore(r) => encode(r),
        Record::Freeze(r) => encode(r),
        Record::Observe(r) => encode(r),
        Record::Alert(r) => encode(r),
    }
}

/// Decodes what stands under a key of this kind.
pub(crate) fn decode_kind(key: &[u8], plain: &[u8]) -> Result<Held, StoreError> {
    let kind = key.first().and_then(|number| Kind::from_number(*number));
    Ok(match kind {
        Some(Kind::Key) => Held::Key(Arc::new(decode(plain)?)),
        Some(Kind::Material) => Held::Material(Arc::new(decode(plain)?)),
        Some(Kind::Alias) => Held::Alias(Arc::new(decode(plain)?)),
        Some(Kind::Grant) => Held::Grant(Arc::new(decode(plain)?)),
        Some(Kind::User) => Held::User(Arc::new(decode(plain)?)),
        Some(Kind::Role) => Held::Role(Arc::new(decode(plain)?)),
        Some(Kind::AccessKey) => Held::AccessKey(Arc::new(decode(plain)?)),
        Some(Kind::Group) => Held::Group(Arc::new(decode(plain)?)),
        Some(Kind::ManagedPolicy) => Held::ManagedPolicy(Arc::new(decode(plain)?)),
        Some(Kind::Organization) => Held::Organization(Arc::new(decode(plain)?)),
        Some(Kind::Endpoint) => Held::Endpoint(Arc::new(decode(plain)?)),
        Some(Kind::MfaDevice) => Held::MfaDevice(Arc::new(decode(plain)?)),
        Some(Kind::KeyStore) => Held::KeyStore(Arc::new(decode(plain)?)),
        Some(Kind::Freeze) => Held::Freeze(Arc::new(decode(plain)?)),
        Some(Kind::Observe) => Held::Observe(Arc::new(decode(plain)?)),
        Some(Kind::Alert) => Held::Alert(Arc::new(decode(plain)?)),
        Some(Kind::LastUsage) => Held::Usage(Arc::new(decode(plain)?)),
        _ => return Err(StoreError::bad_value("a kind of record that is not known")),
    })
}

/// Seals and opens values of one store.
#[derive(Clone)]
pub(crate) struct Vaulting {
    sealer: Arc<dyn Sealer>,
    store_id: [u8; 16],
}

impl Vaulting {
    pub(crate) fn new(sealer: Arc<dyn Sealer>, store_id: [u8; 16]) -> Self {
        Self { sealer, store_id }
    }

    /// `use_` keeps values of sled, journal, vault, anchor and header apart.
    fn identity(&self, use_: &str, place: &[u8]) -> Vec<u8> {
        let mut identity = Vec::with_capacity(16 + 1 + use_.len() + place.len());
        identity.extend_from_slice(&self.store_id);
        identity.extend_from_slice(use_.as_bytes());
        identity.push(0);
        identity.extend_from_slice(place);
        identity
    }

    pub(crate) fn seal(&self, use_: &str, place: &[u8], plain: &[u8]) -> Vec<u8> {
        self.sealer.seal(&self.identity(use_, place), plain)
    }

    pub(crate) fn open(&self, use_: &str, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        self.sealer.open(&self.identity(use_, place), sealed)
    }

    pub(crate) fn seal_record(&self, key: &[u8], plain: &[u8]) -> Vec<u8> {
        self.seal("record", key, plain)
    }

    pub(crate) fn open_record(
        &self,
        key: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.open("record", key, sealed)
            .map(Zeroizing::new)
            .ok_or_else(|| StoreError::bad_value("a record that is not authentic for its place"))
    }
}

/// What the vault's entries are sealed to: the key, and the commit that put the entry there.
pub(crate) fn vault_place(key: &KeyName, sequence: u64) -> Vec<u8> {
    marked_place(&crate::tree::dek_mark(key), sequence)
}

/// The same, of the mark that sled and the journal have for the key.
pub(crate) fn marked_place(mark: &[u8], sequence: u64) -> Vec<u8> {
    let mut place = sequence.to_be_bytes().to_vec();
    place.extend_from_slice(mark);
    place
}
