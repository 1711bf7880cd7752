//! Verifies a stopped store: every frame of the journal, and that sled, the vault and the anchor agree with it.
//!
//! sled's recovery writes, so that a copy of it is opened; nothing of the store is changed.
//!
//! INVARIANT: what the journal says is computed here from the journal alone, without the code that applies it.

use crate::{
    Options, Progress, SealedSegment, Stage, Store, StoreError, StoreHeader, anchor,
    base::{Base, Item, Nodes},
    block::{self, BLOCK_HEAD, BlockHead},
    bytes::{Cursor, digest16},
    codec::{Held, Vaulting, decode_kind},
    disk::copy_directory,
    draft::index_keys,
    journal::{self, End},
    ledger::{Kept, Ledger},
    merkle::{BUCKET_EVENTS, BUCKET_LEVEL, Edge, OpenBucket, composed},
    newest::Newest,
    open::{absent, open_guarded, quietly, take_lock},
    payload::Plain,
    replay::{check_end, since},
    shared::{join, read_meta, survey},
    terms::{OpenRun, RUN_EVENTS},
    tree::{self, Kind},
    vault,
};
use keyward_types::Sealer;
use std::{collections::BTreeMap, sync::Arc};

/// What hears of every record of the log, with its number.
pub type EachRecord<'e> = dyn FnMut(u64, &[u8]) -> Result<(), StoreError> + 'e;

/// What was verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub segments: u64,
    /// Those of them that are sealed, each as it sums its own bytes. Who signed their footers is for the caller to see.
    pub sealed: Vec<SealedSegment>,
    /// Events that left the log, and what was kept of them.
    pub earlier: Earlier,
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

/// What is left of events that left the log by retention: their part in its tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// How many they are.
    pub events: u64,
    nodes: Nodes,
}

impl Earlier {
    /// A node of the log's tree over events that left; `None` below what was kept.
    pub fn node(&self, level: u8, index: u64) -> Option<[u8; 32]> {
        let kept = |level, index| Ok(self.nodes.get(&(level, index)).copied());
        composed(level, index, &kept).ok().flatten()
    }
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

/// What the base and the journal say should be there.
struct Expected {
    ledger: Ledger<Digest>,
    /// Entries of events and of their index.
    event_entries: u64,
    newest: Newest,
    /// The run of which sled may not yet have forgotten the first events.
    half_forgotten: Option<u64>,
}

/// What is kept of a record's bytes.
struct Digest([u8; 16]);

impl Kept for Digest {
    fn of(plain: &[u8]) -> Self {
        Self(digest16(plain))
    }
}

impl Expected {
    /// After the segments that left.
    fn after(base: &Base, vaulting: &Vaulting) -> Result<(Self, Earlier), StoreError> {
        let first = base.head.first_event;
        let (mut ledger, mut nodes) = (Ledger::default(), Nodes::new());
        base.each(vaulting, &mut |item| {
            match item {
                Item::Record { key, plain } => ledger.put(key, &plain)?,
                Item::Mark { key, sequence } => {
                    ledger.marks.insert(key, Some(sequence));
                }
                Item::Node { level, index, hash } => {
                    nodes.insert((level, index), hash);
                }
            }
            Ok(())
        })?;
        let mut newest = Newest { run: OpenRun::at(first), bucket: OpenBucket::at(first) };
        let bucket = &mut newest.bucket;
        let kept = |level, index| Ok(nodes.get(&(level, index)).copied());
        bucket.edge = Edge::of(bucket.number, kept)?;
        let leaves = bucket.number * BUCKET_EVENTS..first;
        bucket.leaves = leaves.filter_map(|event| nodes.get(&(0, event))).copied().collect();
        let expected =
            Self { ledger, event_entries: nodes.len() as u64, newest, half_forgotten: None };
        Ok((expected, Earlier { events: first, nodes }))
    }
}

impl Verifying<'_> {
    fn run(&self, each: &mut EachRecord<'_>) -> Result<Verified, StoreError> {
        let directory = &self.options.directory;
        let journal = directory.join("journal");
        let base = Base::read(&journal)?;
        let journal::Found { segments, half, .. } =
            journal::segments(&journal, &self.header.store_id, &base.head)?;
        let (_, anchored, _) = anchor::read(self.vaulting, &self.options.anchor_path())?;
        let meta = read_meta(self.tree, self.vaulting)?
            .ok_or_else(|| StoreError::Lost("sled is empty".to_owned()))?;
        let (mut expected, earlier) = Expected::after(&base, self.vaulting)?;
        let mut verified = Verified {
            segments: segments.len() as u64,
            sealed: sealed(&segments)?,
            commits: base.head.sequence,
            events: earlier.events,
            earlier,
            ..Verified::default()
        };
        let total = segments.iter().map(|segment| segment.bytes).sum();
        if meta.first_event != base.head.first_event {
            expected.half_forgotten = Some(base.head.first_event / RUN_EVENTS);
        }
        let mut chain_at_meta = (base.head.sequence == meta.sequence).then_some(base.head.chain);
        let end = journal::scan(self.vaulting, &segments, &mut |frame| {
            let head = frame.head;
            verified.frames += 1;
            verified.commits += u64::from(head.count);
            verified.journal_bytes += frame.bytes();
            let misnumbered =
                StoreError::corrupt(&frame.segment, frame.offset, "events are not numbered on");
            let plain = frame.open(self.vaulting)?;
            let payload = plain.parse(head.count)?;
            if payload.head.count > 0 && payload.head.first != verified.events {
                return Err(misnumbered);
            }
            for (number, event) in (payload.head.first..).zip(&payload.events) {
                each(number, &event.record)?;
            }
            verified.events += u64::from(payload.head.count);
            for (ops, sequence) in payload.commits.into_iter().zip(head.first..) {
                ops.into_iter().try_for_each(|op| expected.ledger.apply(op, sequence))?;
            }
            if head.last() <= meta.sequence {
                self.compare_events(&plain, &payload.events, &mut expected)?;
            }
            if head.last() == meta.sequence {
                chain_at_meta = Some(head.chain);
            }
            self.progress.advance(Stage::VerifyJournal, verified.journal_bytes, total);
            Ok(())
        })?;
        // Only now is it known that the anchor is not ahead: reading the journal names the damage more exactly.
        let newest = since(&segments, anchored.sequence);
        check_end(self.vaulting, newest, &anchored)?;
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
        self.compare_nodes(&verified.earlier, meta)?;
        // Sled forgets events after their segments left; the next start finishes what a stop interrupted.
        let has_forgotten = meta.first_event == verified.earlier.events;
        verified.records = self.compare_records(expected, has_forgotten)?;
        let path = self.options.directory.join("deks.log");
        let marks = &expected.ledger.marks;
        let marks = marks.iter().filter_map(|(mark, sequence)| Some((mark.clone(), (*sequence)?)));
        verified.data_encryption_keys =
            vault::verify(&path, &self.header.store_id, &marks.collect())?;
        Ok(())
    }

    /// Compares one block, and the index entries of the bucket that it fills.
    fn compare_events(
        &self,
        plain: &Plain,
        events: &[block::PackedEvent],
        expected: &mut Expected,
    ) -> Result<(), StoreError> {
        let head = &plain.head;
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
        let packed = self.vaulting.open("events", &place, &sealed).ok_or_else(differs)?;
        if found != *head || block::decompress(&packed)? != plain.events() {
            return Err(differs());
        }
        expected.event_entries += u64::from(pieces);
        let run = expected.newest.run.number;
        for (key, value) in expected.newest.add(head, events) {
            expected.event_entries += 1;
            let is_half = expected.half_forgotten == Some(run);
            if is_half && key.first() == Some(&Kind::EventTerm.number()) {
                continue;
            }
            if self.tree.get(key)?.as_deref() != Some(&value) {
                let what =
                    format!("the index of events about {} differs from the journal", head.first);
                return Err(StoreError::bad_value(what));
            }
        }
        Ok(())
    }

    /// Compares what is left of events that left with what the base keeps of it.
    fn compare_nodes(
        &self,
        earlier: &Earlier,
        meta: &crate::shared::Meta,
    ) -> Result<(), StoreError> {
        let is_there = |level: u8| BUCKET_LEVEL <= level || meta.first_event == earlier.events;
        for ((level, index), hash) in
            earlier.nodes.iter().filter(|((level, _), _)| is_there(*level))
        {
            if self.tree.get(tree::tree_node(*level, *index))?.as_deref() != Some(hash) {
                let what = format!(
                    "node {index} of level {level} of the log's tree differs from the base"
                );
                return Err(StoreError::bad_value(what));
            }
        }
        Ok(())
    }

    /// Compares every record, and every index entry with what the records say.
    fn compare_records(&self, expected: &Expected, has_forgotten: bool) -> Result<u64, StoreError> {
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
                    let marked = expected.ledger.marks.get(key.as_ref()).copied().flatten();
                    if sequence.is_none() || sequence != marked {
                        return Err(differs(&key));
                    }
                    records += 1;
                }
                Some(kind) if kind.is_record() => {
                    let held = self.compare_record(&key, &value, expected)?;
                    for index in index_keys(&held) {
                        indexes.insert(index, key.to_vec());
                    }
                    if let Held::Grant(grant) = &held {
                        *grants.entry(tree::grant_count(&grant.key)).or_insert(0_u32) += 1;
                    }
                    records += 1;
                }
                Some(Kind::Events | Kind::EventTerm | Kind::TreeNode) => event_entries += 1,
                Some(_) => {
                    found_indexes.insert(key.to_vec(), value.to_vec());
                }
                None => return Err(differs(&key)),
            }
        }
        indexes.extend(grants.into_iter().map(|(key, count)| (key, count.to_be_bytes().to_vec())));
        let ledger = &expected.ledger;
        let wanted =
            ledger.records.values().flatten().count() + ledger.marks.values().flatten().count();
        if records != wanted as u64 {
            return Err(StoreError::bad_value("records are missing"));
        }
        if indexes != found_indexes {
            return Err(StoreError::bad_value("an index differs from its records"));
        }
        if event_entries != expected.event_entries && has_forgotten {
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
        let wanted = expected.ledger.records.get(key).and_then(Option::as_ref);
        let wanted = wanted.ok_or_else(|| differs(key))?;
        if wanted.value.0 == digest16(&plain) {
            decode_kind(key, &plain)
        } else {
            Err(differs(key))
        }
    }
}

/// The sealed ones, each held against its own sum.
fn sealed(segments: &[journal::Segment]) -> Result<Vec<SealedSegment>, StoreError> {
    let mut found = Vec::new();
    for segment in segments.iter().filter(|segment| segment.trailer.is_some()) {
        let sealed = SealedSegment::read(&segment.path)?;
        if !sealed.is_as_summed()? {
            let what = "its bytes are not those that its footer was signed over";
            return Err(StoreError::corrupt(&segment.path, 0, what));
        }
        found.push(sealed);
    }
    Ok(found)
}

fn differs(key: &[u8]) -> StoreError {
    let shown: String =
        key.iter().skip(1).filter(|b| b.is_ascii_graphic()).map(|b| char::from(*b)).collect();
    StoreError::bad_value(format!("the record {shown} differs from the journal"))
}
