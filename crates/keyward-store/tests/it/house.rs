//! What the tests share: a sealer that seals without hiding, so that a search of the files can find what should be
//! gone, and records to put.

use keyward_store::{
    Commit, Durability, EventQuery, Extent, NewStore, Opened, Options, SealedSegment, SegmentFacts,
    Silent, Store, StoreError, Verified, harden,
};
use keyward_types::{
    AccountId, AliasName, AliasRecord, Change, GrantId, GrantOperation, GrantRecord, Grantee,
    KeyId, KeyName, KeyRecord, KeySpec, KeyState, KeyUsage, MaterialId, MaterialOrigin,
    MaterialRecord, Outcome, Record, Region, Sealer, Timestamp,
    caller::Document,
    event::{Event, EventSummary, term},
    key::DekRecord,
};
use sha2::{Digest as _, Sha256};
use std::{path::Path, sync::Arc, time::Duration};

/// Seals with a tag and leaves the value readable.
pub(crate) struct OpenSealer(pub(crate) u8);

impl OpenSealer {
    fn tag(&self, identity: &[u8], plain: &[u8]) -> [u8; 16] {
        let hash: [u8; 32] = Sha256::new()
            .chain_update([self.0])
            .chain_update(identity.len().to_be_bytes())
            .chain_update(identity)
            .chain_update(plain)
            .finalize()
            .into();
        hash[..16].try_into().unwrap()
    }
}

impl Sealer for OpenSealer {
    fn seal(&self, identity: &[u8], plain: &[u8]) -> Vec<u8> {
        [&self.tag(identity, plain), plain].concat()
    }

    fn open(&self, identity: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (tag, plain) = sealed.split_at_checked(16)?;
        (self.tag(identity, plain) == tag).then(|| plain.to_vec())
    }
}

pub(crate) fn sealer() -> Arc<dyn Sealer> {
    Arc::new(OpenSealer(7))
}

pub(crate) fn options(directory: &Path) -> Options {
    harden::make_sync_real().unwrap();
    Options {
        durability: Durability::Commit,
        cache_bytes: 1 << 20,
        sled_cache_bytes: 8 << 20,
        free_bytes_min: 0,
        tick: Duration::ZERO,
        ..Options::at(directory)
    }
    .patient_seconds(30)
}

pub(crate) fn new_store() -> NewStore {
    NewStore {
        store_id: *b"0123456789abcdef",
        root_check: [3; 32],
        root: serde_json::json!({"from": "test"}),
    }
}

pub(crate) fn create(options: Options) -> Store {
    Store::create(options, new_store(), sealer(), &Silent).unwrap().store
}

pub(crate) fn try_open(options: Options) -> Result<Opened, StoreError> {
    Store::open(options, |_| Ok(sealer()), &Silent)
}

pub(crate) fn open(options: Options) -> Store {
    try_open(options).unwrap().store
}

pub(crate) fn account() -> AccountId {
    AccountId::parse("111122223333").unwrap()
}

pub(crate) fn region() -> Region {
    Region::parse("eu-central-1").unwrap()
}

pub(crate) fn key_name(n: u32) -> KeyName {
    let key_id = KeyId::parse(&format!("{n:08x}-0000-4000-8000-000000000000")).unwrap();
    KeyName { account: account(), region: region(), key_id }
}

pub(crate) fn key(n: u32, description: &str, state: KeyState) -> KeyRecord {
    KeyRecord {
        name: key_name(n),
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        origin: MaterialOrigin::AwsKms,
        state,
        description: description.to_owned(),
        created: Timestamp(n.into()),
        deletion_date: None,
        policy: Document::new("{}"),
        policy_principals: Default::default(),
        tags: Default::default(),
        rotation: Default::default(),
        current_material: None,
        materials: Vec::new(),
        public_key: Some(vec![1, 200, 3]),
        multi_region: None,
        pending_window_days: None,
        key_store: None,
        manager: Default::default(),
    }
}

pub(crate) fn put_key(n: u32, description: &str) -> Change {
    put(Record::Key(key(n, description, KeyState::Enabled)))
}

pub(crate) fn put(record: Record) -> Change {
    Change::Put(Box::new(record))
}

pub(crate) fn alias(name: &str, target: u32) -> AliasRecord {
    AliasRecord {
        account: account(),
        region: region(),
        name: AliasName::parse(&format!("alias/{name}")).unwrap(),
        target: key_name(target),
        created: Timestamp(1),
        updated: Timestamp(2),
    }
}

pub(crate) fn grant(key: u32, id: &str, grantee: &str) -> GrantRecord {
    GrantRecord {
        grant_id: GrantId::new(id),
        key: key_name(key),
        name: Some(format!("name-{id}")),
        created: Timestamp(5),
        grantee: Grantee::Principal(grantee.to_owned()),
        grantee_id: None,
        retiring: Some(Grantee::Principal("arn:aws:iam::111122223333:user/retirer".to_owned())),
        issuing_account: account(),
        operations: [GrantOperation::Decrypt].into(),
        constraints: Default::default(),
    }
}

pub(crate) fn dek(n: u32, wrapped: &[u8]) -> DekRecord {
    DekRecord { key: key_name(n), wrapped: wrapped.to_vec() }
}

pub(crate) fn material(n: u32, wrapped: Vec<u8>) -> MaterialRecord {
    MaterialRecord { key: key_name(n), id: MaterialId("m".repeat(64)), wrapped }
}

/// A UUID whose first 48 bits are a time.
pub(crate) fn uuid_at(time: i64, n: u64) -> uuid::Uuid {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&time.to_be_bytes()[2..]);
    bytes[6] = 0x70;
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    uuid::Uuid::from_bytes(bytes)
}

pub(crate) fn event(n: u64, operation: &'static str, key: u32) -> Event {
    let time = Timestamp(1_700_000_000_000 + i64::try_from(n).unwrap() * 10);
    Event {
        summary: EventSummary {
            event_id: uuid_at(time.0, n * 2),
            request_id: uuid_at(time.0, n * 2 + 1),
            time,
            service: "kms",
            operation,
            outcome: Outcome::Success,
            account: account().to_string(),
            principal_arn: format!("arn:aws:iam::111122223333:user/u{}", n % 7),
            keys: vec![key_name(key).to_string()],
        },
        record: format!(
            "{{\"n\":{n},\"operation\":\"{operation}\",\"padding\":\"{}\"}}",
            "x".repeat(300)
        )
        .into_bytes(),
        terms: filed(&[("op", operation), ("key", &key_name(key).to_string())]),
    }
}

/// Digests of terms, as events are filed.
pub(crate) fn filed(terms: &[(&str, &str)]) -> Vec<u64> {
    let mut terms: Vec<u64> = terms.iter().map(|(field, value)| term(field, value)).collect();
    terms.sort_unstable();
    terms
}

/// Commits changes and events that rest on nothing, and waits.
pub(crate) fn write(store: &Store, changes: Vec<Change>, events: Vec<Event>) -> u64 {
    let commit = Commit { snapshot: store.snapshot(), rested_on: Vec::new(), changes, events };
    store.commit(commit).wait().unwrap().seq
}

/// All events, oldest first, read in pages.
pub(crate) fn all_events(store: &Store) -> Vec<keyward_store::StoredEvent> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map(|event: &keyward_store::StoredEvent| event.seq);
        let page =
            store.events(&EventQuery { after, limit: 100, ..EventQuery::default() }).unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub(crate) fn hash(prefix: u8, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new().chain_update([prefix]);
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// The root of the tree over these leaves, as RFC 6962 defines it.
pub(crate) fn root_of(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest(b"").into(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            hash(1, &[&root_of(left), &root_of(right)])
        }
    }
}

/// The root of the tree over the first so many events, of the nodes that the store answers.
pub(crate) fn root_at(store: &Store, size: u64) -> [u8; 32] {
    let mut edge = Vec::new();
    let mut done = 0;
    for level in (0..63_u8).rev().filter(|level| size >> level & 1 == 1) {
        edge.push(store.tree_node(level, done >> level).unwrap().unwrap());
        done += 1 << level;
    }
    let joined = edge.into_iter().rev().reduce(|right, left| hash(1, &[&left, &right]));
    joined.unwrap_or_else(|| Sha256::digest(b"").into())
}

/// Closes the segment and seals all that are closed; answers all that are sealed.
pub(crate) fn seal_all(store: &Store) -> Vec<SealedSegment> {
    store.close_segment().unwrap();
    for number in store.closed_segments().unwrap() {
        let mut sign = |facts: &SegmentFacts| Ok(format!("signed: {}", facts.number));
        store.seal_segment(number, &mut sign).unwrap();
    }
    store.sealed_segments().unwrap()
}

/// Whether any file below a directory contains the bytes.
pub(crate) fn is_anywhere(directory: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return is_anywhere(&path, needle);
        }
        std::fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle)
    })
}

/// What verifying the journal alone says.
pub(crate) fn verify_journal(options: &Options) -> Result<Verified, StoreError> {
    Store::verify_each(options, &Extent::Journal, |_| Ok(sealer()), &Silent, &mut |_, _| Ok(()))
}
