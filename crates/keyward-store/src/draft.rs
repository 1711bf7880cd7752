//! A group under construction: what sled will hold when it is applied, with indexes and counts kept in step.
//!
//! It reads through its own changes, so that commits of one group see each other in order.
//!
//! INVARIANT: nothing is visible before the draft becomes a batch; dropping a draft undoes it.

use crate::{
    StoreError,
    block::BlockHead,
    codec::{Held, encode},
    payload::Op,
    shared::{Entry, Meta, PIECE_BYTES, Shared, entry_digest, key_place, piece_keys, split},
    terms,
    tree::{self, Kind},
};
use keyward_types::{
    AccessKeyOwner, AccessKeyRecord, AlertRecord, GrantRecord, Grantee, KeyManager, KeyName,
    KeyRecord, LastUsage, Name, key::DekRecord,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(crate) struct Draft<'a> {
    shared: &'a Shared,
    pub(crate) meta: Meta,
    /// What becomes of each key; `None` removes it.
    overlay: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    held: BTreeMap<Vec<u8>, Held>,
    touches: BTreeMap<Vec<u8>, (Arc<LastUsage>, Vec<u8>)>,
    /// Cache entries that are no longer right.
    stale: BTreeSet<Vec<u8>>,
    /// Data-encryption keys that go to the vault, with the commit that brings each.
    pub(crate) deks: Vec<(u64, Arc<DekRecord>)>,
    /// Marks that this group set or removed.
    marks: BTreeSet<Vec<u8>>,
    /// Entries that are known to be new.
    appended: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The text by which a grantee is found.
pub(crate) fn grantee_text(grantee: &Grantee) -> &str {
    match grantee {
        Grantee::Principal(text) | Grantee::Service(text) => text,
    }
}

/// The index entries of a record, each leading to its key.
pub(crate) fn index_keys(held: &Held) -> Vec<Vec<u8>> {
    match held {
        Held::Grant(grant) => grant_index_keys(grant),
        Held::Alias(alias) => {
            let mut key = tree::key_aliases_prefix(&alias.target);
            key.extend_from_slice(alias.name.as_str().as_bytes());
            vec![key]
        }
        Held::AccessKey(record) => match &record.owner {
            // A seed's own; nobody lists them.
            AccessKeyOwner::Service(_) => Vec::new(),
            AccessKeyOwner::Root => vec![access_key_index(record, None)],
            AccessKeyOwner::User(name) => vec![access_key_index(record, Some(name))],
        },
        Held::User(user) => {
            let own = tree::principal(Kind::User, &user.account, &user.name);
            let mut keys = attachment_index_keys(&user.attached, user.boundary.as_deref(), &own);
            for group in &user.groups {
                let mut key = tree::members_prefix(&user.account, group);
                key.extend_from_slice(user.name.as_bytes());
                keys.push(key);
            }
            keys
        }
        Held::Role(role) => {
            let own = tree::principal(Kind::Role, &role.account, &role.name);
            attachment_index_keys(&role.attached, role.boundary.as_deref(), &own)
        }
        Held::Group(group) => {
            let own = tree::principal(Kind::Group, &group.account, &group.name);
            attachment_index_keys(&group.attached, None, &own)
        }
        Held::MfaDevice(device) => device
            .user
            .iter()
            .map(|user| {
                let mut key = tree::mfa_devices_prefix(&device.account, user);
                key.extend_from_slice(device.name.as_bytes());
                key
            })
            .collect(),
        Held::Key(key) => {
            let own = &key.name;
            let in_store = key.key_store.iter().map(|place| {
                let mut key = tree::keys_in_store_prefix(&own.account, &own.region, &place.store);
                key.extend_from_slice(place.external_key.as_bytes());
                key
            });
            in_store.collect()
        }
        _ => Vec::new(),
    }
}

fn access_key_index(record: &AccessKeyRecord, user: Option<&str>) -> Vec<u8> {
    let mut key = tree::access_keys_prefix(&record.account, user);
    key.extend_from_slice(record.access_key_id.as_bytes());
    key
}

fn attachment_index_keys(
    attached: &BTreeSet<String>,
    boundary: Option<&str>,
    own: &[u8],
) -> Vec<Vec<u8>> {
    let attached = attached.iter().map(|arn| tree::attachments_prefix(arn));
    let boundary = boundary.map(tree::boundaries_prefix);
    attached
        .chain(boundary)
        .map(|mut key| {
            key.extend_from_slice(own);
            key
        })
        .collect()
}

fn grant_index_keys(grant: &GrantRecord) -> Vec<Vec<u8>> {
    let id = grant.grant_id.as_str().as_bytes();
    let mut keys = vec![tree::grantee_prefix(&grant.key, grantee_text(&grant.grantee))];
    if let Some(retiring) = &grant.retiring {
        let mut key = tree::retiring_prefix(grantee_text(retiring));
        // The key's whole name and the grant's: in order by key, then by grant.
        key.extend_from_slice(&tree::grants_prefix(&grant.key));
        keys.push(key);
    }
    if let Some(name) = &grant.name {
        keys.push(tree::grant_name_prefix(&grant.key, name));
    }
    for key in &mut keys {
        key.extend_from_slice(id);
    }
    keys
}

/// The sets of which a record is a member.
fn sets_of(held: &Held) -> Vec<Name> {
    match held {
        Held::Grant(grant) => vec![Name::Grants(grant.key.clone())],
        Held::Alias(alias) => vec![Name::Aliases(alias.target.clone())],
        Held::AccessKey(record) => match &record.owner {
            AccessKeyOwner::Root => vec![Name::AccessKeys(record.account.clone(), None)],
            AccessKeyOwner::User(name) => {
                vec![Name::AccessKeys(record.account.clone(), Some(name.clone()))]
            }
            AccessKeyOwner::Service(_) => Vec::new(),
        },
        Held::User(user) => {
            let members = user.groups.iter();
            let mut sets: Vec<Name> =
                members.map(|group| Name::Members(user.account.clone(), group.clone())).collect();
            sets.extend(attachments(&user.attached, user.boundary.as_ref()));
            sets
        }
        Held::Role(role) => attachments(&role.attached, role.boundary.as_ref()).collect(),
        Held::Group(group) => attachments(&group.attached, None).collect(),
        Held::MfaDevice(device) => {
            let user = device.user.iter();
            user.map(|user| Name::MfaDevices(device.account.clone(), user.clone())).collect()
        }
        Held::KeyStore(store) => {
            vec![Name::KeyStores(store.account.clone(), store.region.clone())]
        }
        Held::Alert(alert) => match &**alert {
            AlertRecord::Silence(silence) => vec![Name::Silences(silence.account.clone())],
            AlertRecord::Settings(_) | AlertRecord::Acknowledgement(_) => Vec::new(),
        },
        Held::Key(key) if key.key_store.is_some() => {
            vec![Name::KeyStores(key.name.account.clone(), key.name.region.clone())]
        }
        _ => Vec::new(),
    }
}

fn attachments<'a>(
    attached: &'a BTreeSet<String>,
    boundary: Option<&'a String>,
) -> impl Iterator<Item = Name> + 'a {
    attached.iter().chain(boundary).map(|arn| Name::Attachments(arn.clone()))
}

/// The sets whose membership a record's change touches: joined, left, or come and gone with it.
fn moved_sets(old: &Held, new: &Held) -> Vec<Name> {
    let (before, after) = (sets_of(old), sets_of(new));
    // An identity that stays where it is moves none of its sets; that of a key's grants or aliases moves
    // with every change of a member, because its members are read with it.
    let stays = |set: &Name| {
        matches!(set, Name::Members(..) | Name::Attachments(_) | Name::KeyStores(..))
            && before.contains(set)
            && after.contains(set)
    };
    before.iter().chain(&after).filter(|set| !stays(set)).cloned().collect()
}

impl<'a> Draft<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            meta: crate::shared::lock(&shared.meta).clone(),
            overlay: BTreeMap::new(),
            held: BTreeMap::new(),
            touches: BTreeMap::new(),
            stale: BTreeSet::new(),
            deks: Vec::new(),
            marks: BTreeSet::new(),
            appended: Vec::new(),
        }
    }

    /// Takes in the changes of one commit. Answers the names that it moves.
    ///
    /// # Errors
    /// What sled says when it is read; the draft is then worth nothing.
    pub(crate) fn stage(&mut self, sequence: u64, ops: Vec<Op>) -> Result<Vec<Name>, StoreError> {
        let mut moved = Vec::new();
        for op in ops {
            match op {
                Op::Put { key, sealed, held } => {
                    self.put(sequence, key, &sealed, held, &mut moved)?
                }
                Op::Delete(name) => self.delete(name, &mut moved)?,
                Op::Touch { key, plain, usage } => self.touch(key, plain, usage)?,
                Op::Dek { key, record } => {
                    let mark = tree::dek_mark(&key);
                    self.set(mark.clone(), sequence.to_be_bytes().to_vec())?;
                    match record {
                        Some(record) => {
                            self.held.insert(mark.clone(), Held::Dek(Arc::clone(&record)));
                            self.deks.push((sequence, record));
                        }
                        // Replayed: what an earlier frame left in the cache is no longer right.
                        None => {
                            self.held.remove(&mark);
                            self.stale.insert(mark.clone());
                        }
                    }
                    self.marks.insert(mark);
                    moved.push(Name::Dek(key));
                }
            }
        }
        Ok(moved)
    }

    fn put(
        &mut self,
        sequence: u64,
        key: Vec<u8>,
        sealed: &[u8],
        held: Held,
        moved: &mut Vec<Name>,
    ) -> Result<(), StoreError> {
        let old = self.old(&key)?;
        self.account_for(&old, &held)?;
        let (before, after) = (index_keys(&old), index_keys(&held));
        for gone in before.iter().filter(|entry| !after.contains(entry)) {
            self.unset(gone)?;
        }
        for come in after.into_iter().filter(|entry| !before.contains(entry)) {
            self.set(come, key.clone())?;
        }
        self.unset_pieces(&key)?;
        let (value, pieces) = split(&key, sequence, sealed);
        self.set(key.clone(), value)?;
        for (piece, bytes) in pieces {
            self.set(piece, bytes)?;
        }
        moved.extend(held.name());
        moved.extend(moved_sets(&old, &held));
        self.held.insert(key, held);
        Ok(())
    }

    /// Deletes a record, or every member of a set.
    fn delete(&mut self, name: Name, moved: &mut Vec<Name>) -> Result<(), StoreError> {
        match &name {
            Name::Grants(key) => self.delete_all(&tree::grants_prefix(key), false, moved)?,
            Name::Aliases(key) => self.delete_all(&tree::key_aliases_prefix(key), true, moved)?,
            Name::AccessKeys(account, user) => {
                self.delete_all(&tree::access_keys_prefix(account, user.as_deref()), true, moved)?;
            }
            // Leaving a set is a change of the member; nothing deletes users or roles by their sets.
            Name::Members(..)
            | Name::Attachments(_)
            | Name::MfaDevices(..)
            | Name::KeyStores(..)
            | Name::Silences(_) => {}
            Name::Dek(key) => {
                let mark = tree::dek_mark(key);
                self.unset(&mark)?;
                self.held.insert(mark.clone(), Held::Absent);
                self.marks.insert(mark);
            }
            Name::Key(key) => {
                let usage = tree::last_usage(key);
                self.touches.remove(&usage);
                self.unset_pieces(&usage)?;
                self.unset(&usage)?;
                self.held.insert(usage, Held::Absent);
                self.delete_one(tree::key(key), moved)?;
            }
            other => {
                if let Some(key) = tree::record(other) {
                    self.delete_one(key, moved)?;
                }
            }
        }
        moved.push(name);
        Ok(())
    }

    fn delete_one(&mut self, key: Vec<u8>, moved: &mut Vec<Name>) -> Result<(), StoreError> {
        let old = self.old(&key)?;
        self.account_for(&old, &Held::Absent)?;
        for entry in index_keys(&old) {
            self.unset(&entry)?;
        }
        self.unset_pieces(&key)?;
        self.unset(&key)?;
        moved.extend(old.name());
        moved.extend(sets_of(&old));
        self.held.insert(key, Held::Absent);
        Ok(())
    }

    /// Deletes all records under a prefix, or those that the index entries under it lead to.
    fn delete_all(
        &mut self,
        prefix: &[u8],
        leads: bool,
        moved: &mut Vec<Name>,
    ) -> Result<(), StoreError> {
        let mut keys = BTreeMap::new();
        for (key, value) in
            self.shared.sled(|tree| tree.scan_prefix(prefix).collect::<Result<Vec<_>, _>>())?
        {
            keys.insert(key.to_vec(), value.to_vec());
        }
        for (key, value) in
            self.overlay.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix))
        {
            match value {
                Some(value) => keys.insert(key.clone(), value.clone()),
                None => keys.remove(key),
            };
        }
        for (key, value) in keys {
            self.delete_one(if leads { value } else { key }, moved)?;
        }
        Ok(())
    }

    fn touch(
        &mut self,
        key: Vec<u8>,
        plain: Vec<u8>,
        usage: Arc<LastUsage>,
    ) -> Result<(), StoreError> {
        let newest = match self.touches.get(&key) {
            Some((newest, _)) => Some(newest.time),
            None => match self.old(&key)? {
                Held::Usage(newest) => Some(newest.time),
                _ => None,
            },
        };
        if newest.is_none_or(|newest| newest <= usage.time) {
            self.touches.insert(key, (usage, plain));
        }
        Ok(())
    }

    /// The count that a key belongs to. Keys that AWS manages are not counted.
    fn customer_keys(&mut self, key: &KeyRecord) -> Option<&mut u64> {
        let place = key_place(&key.name.account, &key.name.region);
        let counted = key.manager == KeyManager::Customer;
        counted.then(|| self.meta.customer_keys.entry(place).or_default())
    }

    /// Keeps counts and cached lists in step with one record's change.
    fn account_for(&mut self, old: &Held, new: &Held) -> Result<(), StoreError> {
        if let Held::Key(key) = old {
            let count = self.meta.key_states.entry(key.state).or_default();
            *count = count.saturating_sub(1);
            if let Some(count) = self.customer_keys(key) {
                *count = count.saturating_sub(1);
            }
        }
        if let Held::Key(key) = new {
            *self.meta.key_states.entry(key.state).or_default() += 1;
            if let Some(count) = self.customer_keys(key) {
                *count += 1;
            }
        }
        for held in [old, new] {
            match held {
                Held::Grant(grant) => {
                    let grantee = grantee_text(&grant.grantee);
                    self.stale.insert(tree::grantee_prefix(&grant.key, grantee));
                }
                Held::Alias(alias) => {
                    self.stale.insert(tree::key_aliases_prefix(&alias.target));
                }
                _ => {}
            }
        }
        match (old, new) {
            (Held::Absent, Held::Grant(grant)) => self.count_grant(&grant.key, true),
            (Held::Grant(grant), Held::Absent) => self.count_grant(&grant.key, false),
            _ => Ok(()),
        }
    }

    fn count_grant(&mut self, key: &KeyName, one_more: bool) -> Result<(), StoreError> {
        let entry = tree::grant_count(key);
        let now =
            self.raw(&entry)?.and_then(|value| value.try_into().ok()).map_or(0, u32::from_be_bytes);
        let then = if one_more { now.saturating_add(1) } else { now.saturating_sub(1) };
        if then == 0 { self.unset(&entry) } else { self.set(entry, then.to_be_bytes().to_vec()) }
    }

    fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.overlay.get(key) {
            Some(value) => Ok(value.clone()),
            None => Ok(self.shared.raw(key)?.map(|value| value.to_vec())),
        }
    }

    /// The record that stands under a key before the next change.
    fn old(&self, key: &[u8]) -> Result<Held, StoreError> {
        if let Some(held) = self.held.get(key) {
            return Ok(held.clone());
        }
        match self.shared.cache.get(key) {
            Some(held) => Ok(held),
            None => self.shared.load(key),
        }
    }

    pub(crate) fn set(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StoreError> {
        self.subtract(&key)?;
        self.meta.entries += 1;
        self.meta.digest = self.meta.digest.wrapping_add(entry_digest(&key, &value));
        self.overlay.insert(key, Some(value));
        Ok(())
    }

    pub(crate) fn unset(&mut self, key: &[u8]) -> Result<(), StoreError> {
        if self.subtract(key)? {
            self.overlay.insert(key.to_vec(), None);
        }
        Ok(())
    }

    /// Takes what stands under a key out of the sums.
    fn subtract(&mut self, key: &[u8]) -> Result<bool, StoreError> {
        let Some(old) = self.raw(key)? else { return Ok(false) };
        self.meta.entries = self.meta.entries.saturating_sub(1);
        self.meta.digest = self.meta.digest.wrapping_sub(entry_digest(key, &old));
        Ok(true)
    }

    fn unset_pieces(&mut self, key: &[u8]) -> Result<(), StoreError> {
        let Some(value) = self.raw(key)? else { return Ok(()) };
        for piece in piece_keys(key, &value) {
            self.unset(&piece)?;
        }
        Ok(())
    }

    fn append(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.meta.entries += 1;
        self.meta.digest = self.meta.digest.wrapping_add(entry_digest(&key, &value));
        self.appended.push((key, value));
    }

    /// Takes in the events of the group as one sealed block in pieces.
    pub(crate) fn append_block(&mut self, head: &BlockHead, packed: &[u8]) {
        if head.count == 0 {
            return;
        }
        let mut value = Vec::with_capacity(crate::block::BLOCK_HEAD + 2 + packed.len() + 64);
        head.write(&mut value);
        let sealed = self.shared.vaulting.seal("events", &value, packed);
        let whole = crate::block::BLOCK_HEAD + 2 + sealed.len();
        value.extend_from_slice(
            &u16::try_from(whole.div_ceil(PIECE_BYTES)).unwrap_or(u16::MAX).to_be_bytes(),
        );
        value.extend_from_slice(&sealed);
        for (piece, number) in value.chunks(PIECE_BYTES).zip(0_u16..) {
            self.append(tree::event_piece(head.first, number), piece.to_vec());
        }
        self.meta.events = head.next();
        self.meta.times.note(head, self.meta.first_event);
    }

    /// Takes out the block whose first event has this number.
    pub(crate) fn remove_block(&mut self, first: u64) -> Result<(), StoreError> {
        let mut piece = 0;
        loop {
            let key = tree::event_piece(first, piece);
            if self.raw(&key)?.is_none() {
                return Ok(());
            }
            self.unset(&key)?;
            piece = piece.saturating_add(1);
        }
    }

    /// Takes a piece of the index out, or what it says of events before a position of its run.
    pub(crate) fn cut_terms(
        &mut self,
        piece: u16,
        run: u64,
        before: Option<u16>,
    ) -> Result<(), StoreError> {
        let found = terms::read_piece(piece, run, &mut |key| self.raw(key))?;
        let Some(bytes) = found else { return Ok(()) };
        for (key, _) in terms::entries(piece, run, &bytes) {
            self.unset(&key)?;
        }
        let Some(before) = before else { return Ok(()) };
        let rest = terms::without_before(&bytes, before)?;
        terms::entries(piece, run, &rest)
            .into_iter()
            .try_for_each(|(key, value)| self.set(key, value))
    }

    /// The batch of a draft that is no commit's.
    pub(crate) fn finish_as_it_is(self) -> Result<Finished, StoreError> {
        let (sequence, chain) = (self.meta.sequence, self.meta.chain);
        self.finish(sequence, chain)
    }

    /// Takes in entries that are new, such as those of a bucket that was filled.
    pub(crate) fn append_entries(&mut self, entries: Vec<Entry>) {
        for (key, value) in entries {
            self.append(key, value);
        }
    }

    /// The sequence and chain that the group ends with, and the batch that makes it so.
    pub(crate) fn finish(mut self, sequence: u64, chain: [u8; 32]) -> Result<Finished, StoreError> {
        for (key, (usage, plain)) in std::mem::take(&mut self.touches) {
            let sealed = self.shared.vaulting.seal_record(&key, &plain);
            self.set(key.clone(), split(&key, sequence, &sealed).0)?;
            self.held.insert(key, Held::Usage(usage));
        }
        self.meta.sequence = sequence;
        self.meta.chain = chain;
        let mut batch = sled::Batch::default();
        for (key, value) in self.overlay.iter().filter(|(key, _)| !is_meta(key)) {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        for (key, value) in &self.appended {
            batch.insert(key.as_slice(), value.as_slice());
        }
        let key = tree::meta();
        batch.insert(key.as_slice(), self.shared.vaulting.seal_record(&key, &encode(&self.meta)?));
        let gone_marks = self
            .marks
            .iter()
            .filter(|mark| matches!(self.overlay.get(*mark), None | Some(None)))
            .cloned()
            .collect();
        Ok(Finished { batch, meta: self.meta, held: self.held, stale: self.stale, gone_marks })
    }
}

fn is_meta(key: &[u8]) -> bool {
    key.first() == Some(&Kind::Meta.number())
}

/// A draft that is ready to be applied.
pub(crate) struct Finished {
    batch: sled::Batch,
    meta: Meta,
    held: BTreeMap<Vec<u8>, Held>,
    stale: BTreeSet<Vec<u8>>,
    /// Marks whose vault entries are to be destroyed.
    pub(crate) gone_marks: Vec<Vec<u8>>,
}

impl Finished {
    /// Applies the group: sled, then the cache, then the counters; publishing is left to the caller.
    pub(crate) fn apply(self, shared: &Shared) -> Result<(), StoreError> {
        shared.sled(|tree| tree.apply_batch(self.batch))?;
        for (key, held) in self.held {
            // Removed first: an entry that the cache does not admit must not leave the older one.
            shared.cache.remove(key.as_slice());
            shared.cache.insert(key, held);
        }
        for key in self.stale {
            shared.cache.remove(key.as_slice());
        }
        *crate::shared::lock(&shared.meta) = self.meta;
        Ok(())
    }
}
