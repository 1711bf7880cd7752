//! The table of what stands in sled: kinds, their numbers, and how keys are made.
//!
//! One sled tree holds everything, told apart by the first byte of the key, so that one batch is atomic
//! over records, indexes, events and the applied sequence number.
//! Middle fields carry their length, the last stands raw, so that a prefix scan is in the last field's order.
//!
//! INVARIANT: a number is never used again for something else.

use crate::bytes::{Cursor, digest16};
use keyward_types::{
    AccountId, AlertName, AliasName, FreezeTarget, GrantId, KeyName, MaterialId, Name, Region,
};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal,)*) => {
        /// A kind of entry in sled.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Kind { $($(#[$doc])* $kind = $number,)* }

        impl Kind {
            pub(crate) const fn number(self) -> u8 {
                match self { $(Self::$kind => $number,)* }
            }

            /// Whether a sealed record stands under its keys.
            pub(crate) const fn is_record(self) -> bool {
                matches!(self.number(), 2..20) && !matches!(self, Self::DekMark)
            }

            pub(crate) const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$kind),)* _ => None }
            }
        }
    };
}

kinds! {
    /// One entry: applied sequence number, chain, next event, entries, digest, counts. Sealed.
    Meta = 1,
    // Records: account, region, key id, …: a sealed record each.
    Key = 2,
    Material = 3,
    /// Which vault entry holds the key's data-encryption key: the sequence number that put it there.
    DekMark = 4,
    Alias = 5,
    Grant = 6,
    User = 7,
    Role = 8,
    AccessKey = 9,
    LastUsage = 10,
    Group = 11,
    ManagedPolicy = 12,
    /// One entry.
    Organization = 13,
    Endpoint = 14,
    MfaDevice = 15,
    KeyStore = 16,
    Freeze = 17,
    /// One entry an account.
    Observe = 18,
    /// What was stated about alerts.
    Alert = 19,
    // Indexes: everything in the key, nothing in the value.
    /// key, digest of the grantee, grant id
    GrantByGrantee = 20,
    /// digest of the retiring principal, key, grant id
    GrantByRetiring = 21,
    /// key, digest of the grant's name, grant id
    GrantByName = 22,
    /// key: how many grants it has, four bytes
    GrantCount = 23,
    /// key, alias name
    AliasByKey = 24,
    /// account, `u` and user name or `r`, access key id
    AccessKeyByOwner = 25,
    /// account, group, user name
    UserByGroup = 26,
    /// digest of a managed policy's ARN, `a` for attached or `b` for boundary, the identity's key
    IdentityByPolicy = 27,
    /// account, user, device name
    MfaDeviceByUser = 28,
    /// account, Region, custom key store, external key id: a key in a store
    KeyByStore = 29,
    // Events.
    /// first event number, piece number: a piece of a sealed block
    Events = 40,
    /// piece, run, part: which events of the run have the terms of the piece
    EventTerm = 41,
    /// level, index: a node of the log's Merkle tree
    TreeNode = 43,
    /// owner's key, sequence number, piece number: a piece of a sealed record of more than 4 KiB
    Chunk = 50,
}

/// A key under construction.
pub(crate) struct KeyMaker(Vec<u8>);

impl KeyMaker {
    pub(crate) fn new(kind: Kind) -> Self {
        let mut bytes = Vec::with_capacity(96);
        bytes.push(kind.number());
        Self(bytes)
    }

    /// A field that others follow. At most 65,535 bytes; nothing longer gets past the wire's limits, and
    /// what does is told apart by its digest.
    pub(crate) fn field(mut self, text: &str) -> Self {
        match u16::try_from(text.len()) {
            Ok(length) if length < u16::MAX => {
                self.0.extend_from_slice(&length.to_be_bytes());
                self.0.extend_from_slice(text.as_bytes());
            }
            _ => {
                self.0.extend_from_slice(&u16::MAX.to_be_bytes());
                self.0.extend_from_slice(&digest16(text.as_bytes()));
            }
        }
        self
    }

    pub(crate) fn digest(mut self, text: &str) -> Self {
        self.0.extend_from_slice(&digest16(text.as_bytes()));
        self
    }

    pub(crate) fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(crate) fn small(mut self, number: u16) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Account and Region of a key, then its id as a field that others follow.
    pub(crate) fn key(self, key: &KeyName) -> Self {
        self.field(key.account.as_str()).field(key.region.as_str()).field(key.key_id.as_str())
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

pub(crate) fn meta() -> Vec<u8> {
    KeyMaker::new(Kind::Meta).done()
}

/// The prefix of all keys of an account and Region.
pub(crate) fn keys_prefix(account: &AccountId, region: &Region) -> Vec<u8> {
    KeyMaker::new(Kind::Key).field(account.as_str()).field(region.as_str()).done()
}

pub(crate) fn key(name: &KeyName) -> Vec<u8> {
    KeyMaker(keys_prefix(&name.account, &name.region)).raw(name.key_id.as_str().as_bytes()).done()
}

pub(crate) fn material(key: &KeyName, id: &MaterialId) -> Vec<u8> {
    KeyMaker::new(Kind::Material).key(key).raw(id.0.as_bytes()).done()
}

pub(crate) fn dek_mark(key: &KeyName) -> Vec<u8> {
    KeyMaker::new(Kind::DekMark).key(key).done()
}

pub(crate) fn aliases_prefix(account: &AccountId, region: &Region) -> Vec<u8> {
    KeyMaker::new(Kind::Alias).field(account.as_str()).field(region.as_str()).done()
}

pub(crate) fn alias(account: &AccountId, region: &Region, name: &AliasName) -> Vec<u8> {
    KeyMaker(aliases_prefix(account, region)).raw(name.as_str().as_bytes()).done()
}

pub(crate) fn grants_prefix(key: &KeyName) -> Vec<u8> {
    KeyMaker::new(Kind::Grant).key(key).done()
}

pub(crate) fn grant(key: &KeyName, id: &GrantId) -> Vec<u8> {
    KeyMaker(grants_prefix(key)).raw(id.as_str().as_bytes()).done()
}

pub(crate) fn grantee_prefix(key: &KeyName, grantee: &str) -> Vec<u8> {
    KeyMaker::new(Kind::GrantByGrantee).key(key).digest(grantee).done()
}

pub(crate) fn retiring_prefix(principal: &str) -> Vec<u8> {
    KeyMaker::new(Kind::GrantByRetiring).digest(principal).done()
}

pub(crate) fn grant_name_prefix(key: &KeyName, name: &str) -> Vec<u8> {
    KeyMaker::new(Kind::GrantByName).key(key).digest(name).done()
}

pub(crate) fn grant_count(key: &KeyName) -> Vec<u8> {
    KeyMaker::new(Kind::GrantCount).key(key).done()
}

pub(crate) fn key_aliases_prefix(key: &KeyName) -> Vec<u8> {
    KeyMaker::new(Kind::AliasByKey).key(key).done()
}

/// The prefix of all users, groups, roles, managed policies or MFA devices of an account.
pub(crate) fn principals_prefix(kind: Kind, account: &AccountId) -> Vec<u8> {
    KeyMaker::new(kind).field(account.as_str()).done()
}

pub(crate) fn principal(kind: Kind, account: &AccountId, name: &str) -> Vec<u8> {
    KeyMaker(principals_prefix(kind, account)).raw(name.as_bytes()).done()
}

pub(crate) fn access_key(id: &str) -> Vec<u8> {
    KeyMaker::new(Kind::AccessKey).raw(id.as_bytes()).done()
}

pub(crate) fn access_keys_prefix(account: &AccountId, user: Option<&str>) -> Vec<u8> {
    let maker = KeyMaker::new(Kind::AccessKeyByOwner).field(account.as_str());
    match user {
        Some(user) => maker.raw(b"u").field(user).done(),
        None => maker.raw(b"r").done(),
    }
}

pub(crate) fn members_prefix(account: &AccountId, group: &str) -> Vec<u8> {
    KeyMaker::new(Kind::UserByGroup).field(account.as_str()).field(group).done()
}

/// What attaches a managed policy.
pub(crate) fn attachments_prefix(policy_arn: &str) -> Vec<u8> {
    KeyMaker::new(Kind::IdentityByPolicy).digest(policy_arn).raw(b"a").done()
}

/// What has a managed policy as its permissions boundary.
pub(crate) fn boundaries_prefix(policy_arn: &str) -> Vec<u8> {
    KeyMaker::new(Kind::IdentityByPolicy).digest(policy_arn).raw(b"b").done()
}

pub(crate) fn mfa_devices_prefix(account: &AccountId, user: &str) -> Vec<u8> {
    KeyMaker::new(Kind::MfaDeviceByUser).field(account.as_str()).field(user).done()
}

pub(crate) fn organization() -> Vec<u8> {
    KeyMaker::new(Kind::Organization).done()
}

pub(crate) fn endpoint(id: &str) -> Vec<u8> {
    KeyMaker::new(Kind::Endpoint).raw(id.as_bytes()).done()
}

/// All custom key stores of an account and Region.
pub(crate) fn key_stores_prefix(account: &AccountId, region: &Region) -> Vec<u8> {
    KeyMaker::new(Kind::KeyStore).field(account.as_str()).field(region.as_str()).done()
}

pub(crate) fn key_store(account: &AccountId, region: &Region, id: &str) -> Vec<u8> {
    KeyMaker(key_stores_prefix(account, region)).raw(id.as_bytes()).done()
}

pub(crate) fn keys_in_store_prefix(account: &AccountId, region: &Region, store: &str) -> Vec<u8> {
    let own = KeyMaker::new(Kind::KeyByStore).field(account.as_str()).field(region.as_str());
    own.field(store).done()
}

/// All freezes of an account.
pub(crate) fn freezes_prefix(account: &AccountId) -> Vec<u8> {
    KeyMaker::new(Kind::Freeze).field(account.as_str()).done()
}

pub(crate) fn freeze(target: &FreezeTarget) -> Vec<u8> {
    let of = |kind: &[u8]| KeyMaker(freezes_prefix(target.account())).raw(kind);
    match target {
        FreezeTarget::Key(name) => of(b"k").key(name).done(),
        FreezeTarget::User(_, name) => of(b"u").raw(name.as_bytes()).done(),
        FreezeTarget::Role(_, name) => of(b"r").raw(name.as_bytes()).done(),
        FreezeTarget::Grant(name, id) => of(b"g").key(name).raw(id.as_str().as_bytes()).done(),
    }
}

/// What is in observe, of every account.
pub(crate) fn observes_prefix() -> Vec<u8> {
    KeyMaker::new(Kind::Observe).done()
}

pub(crate) fn observe(account: &AccountId) -> Vec<u8> {
    KeyMaker::new(Kind::Observe).field(account.as_str()).done()
}

/// What was stated of an account's alerts; without an account, of all.
fn alerts_prefix(account: Option<&AccountId>, kind: u8) -> Vec<u8> {
    let of = KeyMaker::new(Kind::Alert).field(account.map_or("", AccountId::as_str));
    of.raw(&[kind]).done()
}

pub(crate) fn silences_prefix(account: &AccountId) -> Vec<u8> {
    alerts_prefix(Some(account), b's')
}

pub(crate) fn acknowledgements_prefix(account: &AccountId) -> Vec<u8> {
    alerts_prefix(Some(account), b'a')
}

pub(crate) fn alert(name: &AlertName) -> Vec<u8> {
    match name {
        AlertName::Settings => alerts_prefix(None, b't'),
        AlertName::Silence(account, id) => {
            KeyMaker(silences_prefix(account)).raw(id.as_bytes()).done()
        }
        AlertName::Acknowledgement(account, id) => {
            KeyMaker(acknowledgements_prefix(account)).raw(id.as_bytes()).done()
        }
    }
}

pub(crate) fn last_usage(key: &KeyName) -> Vec<u8> {
    KeyMaker::new(Kind::LastUsage).key(key).done()
}

pub(crate) fn event_piece(first: u64, piece: u16) -> Vec<u8> {
    KeyMaker::new(Kind::Events).number(first).small(piece).done()
}

/// The first event number in an [`event_piece`] key, and the piece.
pub(crate) fn parse_event_piece(key: &[u8]) -> Option<(u64, u16)> {
    let mut cursor = Cursor(key);
    let (_kind, first, piece) = (cursor.u8()?, cursor.u64()?, cursor.u16()?);
    Some((first, piece))
}

pub(crate) fn term_piece(piece: u16, run: u64, part: u16) -> Vec<u8> {
    KeyMaker::new(Kind::EventTerm).small(piece).number(run).small(part).done()
}

/// The run in a [`term_piece`] key.
pub(crate) fn parse_term_piece(key: &[u8]) -> Option<u64> {
    let mut cursor = Cursor(key);
    let (_kind, _piece) = (cursor.u8()?, cursor.u16()?);
    cursor.u64()
}

pub(crate) fn tree_node(level: u8, index: u64) -> Vec<u8> {
    KeyMaker::new(Kind::TreeNode).raw(&[level]).number(index).done()
}

/// The level and index in a [`tree_node`] key.
pub(crate) fn parse_tree_node(key: &[u8]) -> Option<(u8, u64)> {
    let mut cursor = Cursor(key);
    let (_kind, level, index) = (cursor.u8()?, cursor.u8()?, cursor.u64()?);
    Some((level, index))
}

pub(crate) fn chunk_prefix(owner: &[u8], sequence: u64) -> Vec<u8> {
    KeyMaker::new(Kind::Chunk).raw(owner).number(sequence).done()
}

pub(crate) fn chunk(owner: &[u8], sequence: u64, piece: u16) -> Vec<u8> {
    KeyMaker(chunk_prefix(owner, sequence)).small(piece).done()
}

/// The key of the one record of this name; `None` for names of sets.
/// A data-encryption key's is that of its mark.
pub(crate) fn record(name: &Name) -> Option<Vec<u8>> {
    Some(match name {
        Name::Key(name) => key(name),
        Name::Material(key, id) => material(key, id),
        Name::Dek(key) => dek_mark(key),
        Name::Alias(account, region, name) => alias(account, region, name),
        Name::Grant(key, id) => grant(key, id),
        Name::User(account, name) => principal(Kind::User, account, name),
        Name::Role(account, name) => principal(Kind::Role, account, name),
        Name::AccessKey(id) => access_key(id),
        Name::Group(account, name) => principal(Kind::Group, account, name),
        Name::ManagedPolicy(account, name) => principal(Kind::ManagedPolicy, account, name),
        Name::Organization => organization(),
        Name::Endpoint(id) => endpoint(id),
        Name::MfaDevice(account, name) => principal(Kind::MfaDevice, account, name),
        Name::KeyStore(account, region, id) => key_store(account, region, id),
        Name::Freeze(target) => freeze(target),
        Name::Observe(account) => observe(account),
        Name::Alert(name) => alert(name),
        Name::Grants(_)
        | Name::Aliases(_)
        | Name::AccessKeys(..)
        | Name::Members(..)
        | Name::Attachments(_)
        | Name::MfaDevices(..)
        | Name::KeyStores(..)
        | Name::Silences(_) => return None,
    })
}

/// The first key after every key with this prefix; `None` when there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_types::KeyId;

    fn key_name(account: &str, id: &str) -> KeyName {
        KeyName {
            account: AccountId::parse(account).unwrap(),
            region: Region::parse("us-east-1").unwrap(),
            key_id: KeyId::parse(id).unwrap(),
        }
    }

    #[test]
    fn numbers_survive_a_round_trip_and_are_distinct() {
        let known: Vec<u8> = (0..=u8::MAX).filter(|n| Kind::from_number(*n).is_some()).collect();
        assert_eq!(
            known,
            [
                1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
                24, 25, 26, 27, 28, 29, 40, 41, 43, 50
            ]
        );
        assert!(known.iter().all(|n| Kind::from_number(*n).unwrap().number() == *n));
    }

    #[test]
    fn keys_sort_by_id_and_prefixes_do_not_leak_into_each_other() {
        let (low, high) = (
            key_name("111122223333", "00000000-0000-0000-0000-000000000001"),
            key_name("111122223333", "00000000-0000-0000-0000-000000000002"),
        );
        assert!(key(&low) < key(&high));
        let prefix = grants_prefix(&low);
        assert!(grant(&low, &GrantId::new("x")).starts_with(&prefix));
        assert!(!grant(&high, &GrantId::new("x")).starts_with(&prefix));
        assert!(after_prefix(&prefix).unwrap() > grant(&low, &GrantId::new("\u{10ffff}")));
        assert_eq!(after_prefix(&[255, 255]), None);
    }

    #[test]
    fn fields_of_any_length_are_told_apart() {
        let long = "a".repeat(70_000);
        let other = format!("{long}b");
        let make = |text: &str| KeyMaker::new(Kind::AccessKeyByOwner).field(text).done();
        assert_ne!(make(&long), make(&other));
        assert!(make(&long).len() < 64);
    }
}
