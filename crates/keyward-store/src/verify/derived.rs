//! Compares what is derived from the journal with it: sled's blocks of events, its index and tree, its records, and
//! the vault.
//!
//! It does not read the journal: it is told of its frames.
//!
//! INVARIANT: what is compared with sled was computed from what the journal says, never from sled.

use super::{Digest, Earlier, Seen, SledState, Verified, Verifying};
use crate::{
    Progress, Stage, StoreError,
    base::BaseHead,
    block::{self, BLOCK_HEAD, BlockHead},
    bytes::{Cursor, digest16},
    codec::{Held, Vaulting, decode_kind},
    draft::index_keys,
    journal::End,
    ledger::Ledger,
    merkle::{BUCKET_EVENTS, BUCKET_LEVEL, Edge, Hash, OpenBucket},
    newest::Newest,
    payload::Plain,
    shared::{Meta, add_to_survey, join, read_meta, survey},
    terms::{OpenRun, RUN_EVENTS},
    tree::{self, Kind},
    vault,
};
use std::collections::BTreeMap;

/// Compares blocks of events, in any order.
pub(super) struct Blocks<'a> {
    tree: &'a sled::Tree,
    vaulting: &'a Vaulting,
    /// How far sled has come.
    pub(super) meta: Meta,
}

impl<'a> Blocks<'a> {
    pub(super) fn of(tree: &'a sled::Tree, vaulting: &'a Vaulting) -> Result<Self, StoreError> {
        let meta = read_meta(tree, vaulting)?;
        let meta = meta.ok_or_else(|| StoreError::Lost("sled is empty".to_owned()))?;
        Ok(Self { tree, vaulting, meta })
    }

    /// In how many pieces sled has a block of the journal.
    pub(super) fn compare(&self, plain: &Plain) -> Result<u16, StoreError> {
        let head = &plain.head;
        if head.count == 0 {
            return Ok(0);
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
        Ok(pieces)
    }
}

/// What the base and the journal say should be there.
pub(super) struct Derived<'a> {
    blocks: &'a Blocks<'a>,
    ledger: Ledger<Digest>,
    /// Entries of events and of their index.
    event_entries: u64,
    newest: Newest,
    /// The run of which sled may not yet have forgotten the first events.
    half_forgotten: Option<u64>,
    /// The journal's chain after the last commit that sled knows of.
    chain: Option<[u8; 32]>,
}

impl<'a> Derived<'a> {
    /// After the segments that left.
    pub(super) fn after(
        blocks: &'a Blocks<'a>,
        base: &BaseHead,
        ledger: Ledger<Digest>,
        Earlier { events: first, nodes }: &Earlier,
    ) -> Result<Self, StoreError> {
        let mut newest = Newest { run: OpenRun::at(*first), bucket: OpenBucket::at(*first) };
        let bucket = &mut newest.bucket;
        let kept = |level, index| Ok(nodes.get(&(level, index)).copied());
        bucket.edge = Edge::of(bucket.number, kept)?;
        let leaves = bucket.number * BUCKET_EVENTS..*first;
        bucket.leaves = leaves.filter_map(|event| nodes.get(&(0, event))).copied().collect();
        let has_forgotten = blocks.meta.first_event == base.first_event;
        Ok(Self {
            blocks,
            ledger,
            event_entries: nodes.len() as u64,
            newest,
            half_forgotten: (!has_forgotten).then_some(base.first_event / RUN_EVENTS),
            chain: (base.sequence == blocks.meta.sequence).then_some(base.chain),
        })
    }

    /// The next frame.
    pub(super) fn take_in(&mut self, seen: Seen) -> Result<(), StoreError> {
        let (head, sled) = (seen.head, self.blocks.meta.sequence);
        for (ops, sequence) in seen.commits.into_iter().zip(head.first..) {
            ops.into_iter().try_for_each(|op| self.ledger.apply(op, sequence))?;
        }
        if head.last() <= sled {
            self.event_entries += u64::from(seen.pieces?);
            self.compare_index(&seen.block, seen.events)?;
        }
        if head.last() == sled {
            self.chain = Some(head.chain);
        }
        Ok(())
    }

    /// Compares the index entries that the events of a block complete.
    fn compare_index(
        &mut self,
        block: &BlockHead,
        events: Vec<(Vec<u64>, Hash)>,
    ) -> Result<(), StoreError> {
        let run = self.newest.run.number;
        for (key, value) in self.newest.add_filed(block, events) {
            self.event_entries += 1;
            let is_half = self.half_forgotten == Some(run);
            if is_half && key.first() == Some(&Kind::EventTerm.number()) {
                continue;
            }
            if self.blocks.tree.get(key)?.as_deref() != Some(&value) {
                let what =
                    format!("the index of events about {} differs from the journal", block.first);
                return Err(StoreError::bad_value(what));
            }
        }
        Ok(())
    }

    /// After the last frame: whether sled and the vault are what the journal came to.
    pub(super) fn finish(
        self,
        verifying: &Verifying<'_>,
        end: &End,
        verified: &mut Verified,
    ) -> Result<(), StoreError> {
        let meta = &self.blocks.meta;
        let follows =
            meta.sequence <= end.sequence && (meta.sequence == 0 || self.chain == Some(meta.chain));
        let mut sums = (0, 0);
        let is_level = follows && meta.sequence == end.sequence;
        let compared = is_level.then(|| self.compare_records(verifying.progress, &mut sums));
        if !matches!(compared, Some(Ok(_))) {
            sums = survey(self.blocks.tree)?;
        }
        if sums != (meta.entries, meta.digest) {
            return Err(StoreError::bad_value("entries are missing, old or too many"));
        }
        if !follows {
            return Err(StoreError::bad_value("it does not follow this journal"));
        }
        // The marks are the journal's, so that the vault is looked at whatever has become of sled.
        let directory = &verifying.options.directory;
        let marks = &self.ledger.marks;
        let marks = marks.iter().filter_map(|(mark, sequence)| Some((mark.clone(), (*sequence)?)));
        verified.data_encryption_keys = vault::verify(
            &directory.join("deks.log"),
            &verifying.header.store_id,
            verifying.vaulting,
            &marks.collect(),
        )?;
        let Some(records) = compared else {
            let commits = end.sequence - meta.sequence;
            if directory.join("clean").exists() {
                let what = format!(
                    "it misses {commits} commits, although the store was closed; the next start makes them again"
                );
                return Err(StoreError::bad_value(what));
            }
            verified.sled = SledState::Behind { commits };
            return Ok(());
        };
        self.compare_nodes(&verified.earlier)?;
        verified.records = records?;
        verified.sled = SledState::Equal;
        Ok(())
    }

    /// Compares what is left of events that left with what the base keeps of it.
    fn compare_nodes(&self, earlier: &Earlier) -> Result<(), StoreError> {
        let meta = &self.blocks.meta;
        let is_there = |level: u8| BUCKET_LEVEL <= level || meta.first_event == earlier.events;
        for ((level, index), hash) in
            earlier.nodes.iter().filter(|((level, _), _)| is_there(*level))
        {
            if self.blocks.tree.get(tree::tree_node(*level, *index))?.as_deref() != Some(hash) {
                let what = format!(
                    "node {index} of level {level} of the log's tree differs from the base"
                );
                return Err(StoreError::bad_value(what));
            }
        }
        Ok(())
    }

    /// Compares every record, and every index entry with what the records say; sums the entries on the way.
    fn compare_records(
        &self,
        progress: &dyn Progress,
        sums: &mut (u64, u64),
    ) -> Result<u64, StoreError> {
        let (mut records, mut event_entries, mut done) = (0, 0, 0_u64);
        let mut indexes = BTreeMap::new();
        let mut grants = BTreeMap::new();
        let mut found_indexes = BTreeMap::new();
        for entry in self.blocks.tree.iter() {
            let (key, value) = entry?;
            add_to_survey(sums, &key, &value);
            done += 1;
            progress.advance(Stage::VerifyRecords, done, 0);
            match key.first().and_then(|number| Kind::from_number(*number)) {
                Some(Kind::Meta | Kind::Chunk) => {}
                Some(Kind::DekMark) => {
                    let sequence = value.as_ref().try_into().map(u64::from_be_bytes).ok();
                    let marked = self.ledger.marks.get(key.as_ref()).copied().flatten();
                    if sequence.is_none() || sequence != marked {
                        return Err(differs(&key));
                    }
                    records += 1;
                }
                Some(kind) if kind.is_record() => {
                    let held = self.compare_record(&key, &value)?;
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
        let ledger = &self.ledger;
        let wanted =
            ledger.records.values().flatten().count() + ledger.marks.values().flatten().count();
        if records != wanted as u64 {
            return Err(StoreError::bad_value("records are missing"));
        }
        if indexes != found_indexes {
            return Err(StoreError::bad_value("an index differs from its records"));
        }
        if event_entries != self.event_entries && self.half_forgotten.is_none() {
            return Err(StoreError::bad_value("entries of events are missing or too many"));
        }
        Ok(records)
    }

    fn compare_record(&self, key: &[u8], value: &[u8]) -> Result<Held, StoreError> {
        let sealed = join(key, value, &mut |piece| {
            Ok(self.blocks.tree.get(piece)?.map(|bytes| bytes.to_vec()))
        })?
        .ok_or_else(|| differs(key))?;
        let plain = self.blocks.vaulting.open_record(key, &sealed)?;
        let wanted = self.ledger.records.get(key).and_then(Option::as_ref);
        let wanted = wanted.ok_or_else(|| differs(key))?;
        if wanted.value.0 == digest16(&plain) {
            decode_kind(key, &plain)
        } else {
            Err(differs(key))
        }
    }
}

fn differs(key: &[u8]) -> StoreError {
    let shown: String =
        key.iter().skip(1).filter(|b| b.is_ascii_graphic()).map(|b| char::from(*b)).collect();
    StoreError::bad_value(format!("the record {shown} differs from the journal"))
}
