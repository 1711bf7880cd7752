//! Verifies a stopped store: every frame of the journal, and that sled, the vault and the anchor agree with it.
//!
//! sled's recovery writes, so that a copy of it is opened; nothing of the store is changed.
//!
//! INVARIANT: what the journal says is computed here from the journal alone, without the code that applies it.

use crate::{
    Options, Progress, Stage, Store, StoreError, StoreHeader, anchor,
    block::{BLOCK_HEAD, BlockHead},
    bytes::{Cursor, digest16},
    codec::{Held, Vaulting, decode_kind},
    disk::copy_directory,
    draft::index_keys,
    journal::{self, End},
    open::{absent, check_end, open_frame, open_guarded, quietly, take_lock},
    payload::RawOp,
    shared::{join, read_meta, survey},
    terms::OpenBucket,
    tree::{self, Kind},
    vault,
};
use keyward_types::{Name, Sealer, Timestamp};
use std::{collections::BTreeMap, sync::Arc};

/// What hears of every record of the log, with its number.
pub type EachRecord<'e> = dyn FnMut(u64, &[u8]) -> Result<(), StoreError> + 'e;

/// What was verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub segments: u64,
    pub frames: u64,
    pub commits: u64,
    pub events: u64,
    pub records: u64,
    pub data_encryption_keys: u64,
    pub journal_bytes: u64,
    /// Bytes at the end of the journal that were never acknowledged; the next start cuts them off.
    pub torn_bytes: u64,
    /// Whether sled was compared. After an unclean stop it may be behind the journal; the next start brings
    /// it up, or builds it again.
    pub sled: SledState,
}

/// What verifying found of sled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SledState {
    /// Every record, index entry and event block is what the journal says.
    #[default]
    Equal,
    /// It misses these commits, as it may after an unclean stop.
    Behind { commits: u64 },
}

impl Store {
    /// Verifies a stopped store.
    ///
    /// # Errors
    /// The first thing that is wrong: `Corrupt` names the file and the place in it, `Lost` what is missing.
    pub fn verify(
        options: &Options,
        sealer_for: impl FnOnce(&StoreHeader) -> Result<Arc<dyn Sealer>, String>,
        progress: &dyn Progress,
    ) -> Result<Verified, StoreError> {
        Self::verify_each(options, sealer_for, progress, &mut |_, _| Ok(()))
    }

    /// Verifies a stopped store, and hands every record of the log to `each`, by number, as the journal has it.
    ///
    /// # Errors
    /// As [`Store::verify`], and what `each` says.
    pub fn verify_each(
        options: &Options,
        sealer_for: impl FnOnce(&StoreHeader) -> Result<Arc<dyn Sealer>, String>,
        progress: &dyn Progress,
        each: &mut EachRecord<'_>,
    ) -> Result<Verified, StoreError> {
        let header = StoreHeader::read(&options.directory)?.ok_or_else(|| absent(options))?;
        let _lock = take_lock(options)?;
        let sealer = sealer_for(&header).map_err(StoreError::RootKey)?;
        let vaulting = Vaulting::new(sealer, header.store_id);
        if !header.is_proved_by(&vaulting) {
            return Err(StoreError::RootKey("the header does not open".to_owned()));
        }
        let scratch = tempfile::tempdir_in(&options.directory)
            .map_err(|e| StoreError::io(&options.directory, &e))?;
        let copy = scratch.path().join("sled");
        copy_directory(&options.directory.join("sled"), &copy, &mut |_| ())?;
        let db = open_guarded(options, &copy)?;
        let checked = quietly(|| {
            Verifying { options, header: &header, vaulting: &vaulting, tree: &db, progress }
                .run(each)
        });
        checked.unwrap_or_else(|| Err(StoreError::bad_value("a page cannot be read")))
    }
}

struct Verifying<'a> {
    options: &'a Options,
    header: &'a StoreHeader,
    vaulting: &'a Vaulting,
    tree: &'a sled::Tree,
    progress: &'a dyn Progress,
}

/// What the journal says should be there.
#[derive(Default)]
struct Expected {
    records: BTreeMap<Vec<u8>, Wanted>,
    marks: BTreeMap<Vec<u8>, u64>,
    /// Entries of events and of their index.
    event_entries: u64,
    bucket: OpenBucket,
}

/// A record as the journal last had it.
struct Wanted {
    digest: [u8; 16],
    /// Of a last use.
    time: Timestamp,
    /// Kept where an index leads to the record.
    held: Option<Held>,
}

impl Verifying<'_> {
    fn run(&self, each: &mut EachRecord<'_>) -> Result<Verified, StoreError> {
        let directory = &self.options.directory;
        let (segments, half) =
            journal::segments(&directory.join("journal"), &self.header.store_id)?;
        let (_, anchored, _) = anchor::read(self.vaulting, &self.options.anchor_path())?;
        let meta = read_meta(self.tree, self.vaulting)?
            .ok_or_else(|| StoreError::Lost("sled is empty".to_owned()))?;
        let mut verified = Verified { segments: segments.len() as u64, ..Verified::default() };
        let mut expected = Expected::default();
        let total = segments.iter().map(|segment| segment.bytes).sum();
        let mut chain_at_meta = None;
        let end = journal::scan(&segments, &mut |frame| {
            let payload = open_frame(self.vaulting, &frame)?;
            verified.frames += 1;
            verified.commits += u64::from(frame.head.count);
            verified.journal_bytes += frame.payload.len() as u64;
            if payload.head.count > 0 && payload.head.first != verified.events {
                return Err(StoreError::corrupt(
                    &frame.segment,
                    frame.offset,
                    "events are not numbered on",
                ));
            }
            for (number, event) in (payload.head.first..).zip(&payload.events) {
                each(number, &event.record)?;
            }
            verified.events += u64::from(payload.head.count);
            for (ops, sequence) in payload.commits.into_iter().zip(frame.head.first..) {
                ops.into_iter().try_for_each(|op| expected.apply(op, sequence))?;
            }
            if frame.head.last() <= meta.sequence {
                self.compare_events(
                    &payload.head,
                    &payload.packed,
                    &payload.events,
                    &mut expected,
                )?;
            }
            if frame.head.last() == meta.sequence {
                chain_at_meta = Some(frame.head.chain);
            }
            self.progress.advance(Stage::VerifyJournal, verified.journal_bytes, total);
            Ok(())
        })?;
        // Only now is it known that the anchor is not ahead: reading the journal names the damage more exactly.
        check_end(&segments, &anchored)?;
        verified.torn_bytes = end.torn_bytes + u64::from(half.is_some());
        self.compare_with_sled(&end, &meta, chain_at_meta, &expected, &mut verified)?;
        Ok(verified)
    }

    fn compare_with_sled(
        &self,
        end: &End,
        meta: &crate::shared::Meta,
        chain_at_meta: Option<[u8; 32]>,
        expected: &Expected,
        verified: &mut Verified,
    ) -> Result<(), StoreError> {
        if survey(self.tree)? != (meta.entries, meta.digest) {
            return Err(StoreError::bad_value("entries are missing, old or too many"));
        }
        if meta.sequence > end.sequence || (meta.sequence > 0 && chain_at_meta != Some(meta.chain))
        {
            return Err(StoreError::bad_value("it does not follow this journal"));
        }
        if meta.sequence < end.sequence {
            verified.sled = SledState::Behind { commits: end.sequence - meta.sequence };
            return Ok(());
        }
        verified.records = self.compare_records(expected)?;
        let path = self.options.directory.join("deks.log");
        verified.data_encryption_keys =
            vault::verify(&path, &self.header.store_id, &expected.marks)?;
        Ok(())
    }

    /// Compares one block, and the index entries of the bucket that it fills.
    fn compare_events(
        &self,
        head: &BlockHead,
        packed: &[u8],
        events: &[crate::block::PackedEvent],
        expected: &mut Expected,
    ) -> Result<(), StoreError> {
        if head.count == 0 {
            return Ok(());
        }
        let differs = || {
            StoreError::bad_value(format!(
                "the block of event {} differs from the journal",
                head.first
            ))
        };
        let piece = self.tree.get(tree::event_piece(head.first, 0))?.ok_or_else(differs)?;
        let mut cursor = Cursor(&piece);
        let found = BlockHead::parse(&mut cursor).ok_or_else(differs)?;
        let pieces = cursor.u16().ok_or_else(differs)?;
        let mut sealed = cursor.0.to_vec();
        for number in 1..pieces {
            sealed.extend_from_slice(
                &self.tree.get(tree::event_piece(head.first, number))?.ok_or_else(differs)?,
            );
        }
        let mut place = Vec::with_capacity(BLOCK_HEAD);
        head.write(&mut place);
        if found != *head
            || self.vaulting.open("events", &place, &sealed).as_deref() != Some(packed)
        {
            return Err(differs());
        }
        expected.event_entries += u64::from(pieces);
        for (key, value) in expected.bucket.add(head, events) {
            expected.event_entries += 1;
            if self.tree.get(key)?.as_deref() != Some(&value) {
                let what =
                    format!("the index of events about {} differs from the journal", head.first);
                return Err(StoreError::bad_value(what));
            }
        }
        Ok(())
    }

    /// Compares every record, and every index entry with what the records say.
    fn compare_records(&self, expected: &Expected) -> Result<u64, StoreError> {
        let (mut records, mut event_entries, mut done) = (0, 0, 0_u64);
        let mut indexes = BTreeMap::new();
        let mut grants = BTreeMap::new();
        let mut found_indexes = BTreeMap::new();
        for entry in self.tree.iter() {
            let (key, value) = entry?;
            done += 1;
            self.progress.advance(Stage::VerifyRecords, done, 0);
            match key.first().and_then(|number| Kind::from_number(*number)) {
                Some(Kind::Meta | Kind::Chunk) => {}
                Some(Kind::DekMark) => {
                    let sequence = value.as_ref().try_into().map(u64::from_be_bytes).ok();
                    if sequence.is_none() || sequence != expected.marks.get(key.as_ref()).copied() {
                        return Err(differs(&key));
                    }
                    records += 1;
                }
                Some(kind) if kind <= Kind::LastUsage => {
                    let held = self.compare_record(&key, &value, expected)?;
                    for index in index_keys(&held) {
                        indexes.insert(index, key.to_vec());
                    }
                    if let Held::Grant(grant) = &held {
                        *grants.entry(tree::grant_count(&grant.key)).or_insert(0_u32) += 1;
                    }
                    records += 1;
                }
                Some(Kind::Events | Kind::EventTerm | Kind::EventBucket | Kind::TreeNode) => {
                    event_entries += 1
                }
                Some(_) => {
                    found_indexes.insert(key.to_vec(), value.to_vec());
                }
                None => return Err(differs(&key)),
            }
        }
        indexes.extend(grants.into_iter().map(|(key, count)| (key, count.to_be_bytes().to_vec())));
        if records != (expected.records.len() + expected.marks.len()) as u64 {
            return Err(StoreError::bad_value("records are missing"));
        }
        if indexes != found_indexes {
            return Err(StoreError::bad_value("an index differs from its records"));
        }
        if event_entries != expected.event_entries {
            return Err(StoreError::bad_value("entries of events are missing or too many"));
        }
        Ok(records)
    }

    fn compare_record(
        &self,
        key: &[u8],
        value: &[u8],
        expected: &Expected,
    ) -> Result<Held, StoreError> {
        let sealed =
            join(key, value, &mut |piece| Ok(self.tree.get(piece)?.map(|bytes| bytes.to_vec())))?
                .ok_or_else(|| differs(key))?;
        let plain = self.vaulting.open_record(key, &sealed)?;
        let wanted = expected.records.get(key).ok_or_else(|| differs(key))?;
        if wanted.digest == digest16(&plain) { decode_kind(key, &plain) } else { Err(differs(key)) }
    }
}

fn differs(key: &[u8]) -> StoreError {
    let shown: String =
        key.iter().skip(1).filter(|b| b.is_ascii_graphic()).map(|b| char::from(*b)).collect();
    StoreError::bad_value(format!("the record {shown} differs from the journal"))
}

impl Expected {
    fn apply(&mut self, op: RawOp, sequence: u64) -> Result<(), StoreError> {
        match op {
            RawOp::Put { key, plain } => {
                let leads = matches!(key.first(), Some(n) if *n == Kind::Alias.number() || *n == Kind::AccessKey.number());
                let held = if leads { Some(decode_kind(&key, &plain)?) } else { None };
                let digest = digest16(&plain);
                self.records.insert(key, Wanted { digest, time: Timestamp(0), held });
            }
            RawOp::Touch { key, plain, usage } => {
                let is_newest = self.records.get(&key).is_none_or(|known| known.time <= usage.time);
                if is_newest {
                    let wanted = Wanted { digest: digest16(&plain), time: usage.time, held: None };
                    self.records.insert(key, wanted);
                }
            }
            RawOp::Dek(key) => {
                self.marks.insert(tree::dek_mark(&key), sequence);
            }
            RawOp::Delete(name) => self.delete(&name),
        }
        Ok(())
    }

    fn delete(&mut self, name: &Name) {
        match name {
            Name::Grants(key) => {
                let prefix = tree::grants_prefix(key);
                self.records.retain(|key, _| !key.starts_with(&prefix));
            }
            Name::Aliases(key) => self.delete_led_to(&tree::key_aliases_prefix(key)),
            Name::AccessKeys(account, user) => {
                self.delete_led_to(&tree::access_keys_prefix(account, user.as_deref()));
            }
            Name::Dek(key) => {
                self.marks.remove(&tree::dek_mark(key));
            }
            other => {
                if let Name::Key(key) = other {
                    self.records.remove(&tree::last_usage(key));
                }
                if let Some(key) = tree::record(other) {
                    self.records.remove(&key);
                }
            }
        }
    }

    fn delete_led_to(&mut self, prefix: &[u8]) {
        self.records.retain(|_, wanted| {
            let indexes = wanted.held.as_ref().map(index_keys).unwrap_or_default();
            !indexes.iter().any(|index| index.starts_with(prefix))
        });
    }
}
