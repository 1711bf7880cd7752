//! Reading the log: in order, by time, by term, by id.
//!
//! INVARIANT: only events of published commits are answered.

use crate::{
    Store, StoreError,
    block::{BLOCK_HEAD, BlockHead, PackedEvent, unpack},
    bytes::Cursor,
    shared::{Shared, lock},
    terms::{self, Bits, RUN_EVENTS},
    times::{SLACK_MS, Stretch},
    tree,
};
use keyward_types::Timestamp;
use std::sync::atomic::Ordering;

/// An event as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number in the log, from 0, without gaps.
    pub seq: u64,
    pub time: Timestamp,
    pub event_id: uuid::Uuid,
    pub request_id: uuid::Uuid,
    /// The record's bytes, as they were committed.
    pub record: Vec<u8>,
}

/// Which events to read.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    pub newest_first: bool,
    /// Goes on beyond this event number, in the direction of reading.
    pub after: Option<u64>,
    /// Events to answer at most.
    pub limit: usize,
    /// Inclusive.
    pub from: Option<Timestamp>,
    /// Inclusive.
    pub to: Option<Timestamp>,
    /// Digests of terms ([`keyward_types::event::term`]): an event is to be filed under one of each clause.
    pub clauses: Vec<Vec<u64>>,
}

/// Event numbers to look at: from, and up to but without.
#[derive(Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
}

impl EventQuery {
    fn admits(&self, event: &PackedEvent) -> bool {
        let filed = |clause: &Vec<u64>| clause.iter().any(|term| event.terms.contains(term));
        self.from.is_none_or(|from| from <= event.time)
            && self.to.is_none_or(|to| event.time <= to)
            && self.clauses.iter().all(filed)
    }
}

impl Store {
    /// The number of the first event that is still there: those before it left by retention.
    pub fn first_event(&self) -> u64 {
        self.shared.first_event()
    }

    /// The number of events that were ever in the log, which is the number of the next one.
    pub fn events_total(&self) -> u64 {
        self.shared.events.load(Ordering::Acquire)
    }

    /// Events in order of their numbers.
    ///
    /// # Errors
    /// `Corrupt` when a block is not what was written.
    pub fn events(&self, query: &EventQuery) -> Result<Vec<StoredEvent>, StoreError> {
        let _nothing_leaves = self.shared.reading();
        self.events_once(query)
    }

    fn events_once(&self, query: &EventQuery) -> Result<Vec<StoredEvent>, StoreError> {
        let mut span = Span { from: self.first_event(), to: self.events_total() };
        match query.after {
            Some(after) if query.newest_first => span.to = span.to.min(after),
            Some(after) => span.from = span.from.max(after.saturating_add(1)),
            None => {}
        }
        let mut stretches = self.shared.stretches(span);
        if query.newest_first {
            stretches.reverse();
        }
        let mut found: Vec<StoredEvent> = Vec::new();
        for stretch in stretches {
            let span = self.shared.between(stretch, query.from, query.to)?;
            let limit = query.limit - found.len();
            if limit == 0 {
                break;
            }
            if span.to <= span.from {
                continue;
            }
            // Nearly always there is but one stretch.
            let rest = (limit < query.limit).then(|| EventQuery { limit, ..query.clone() });
            let query = rest.as_ref().unwrap_or(query);
            found.extend(if query.clauses.is_empty() {
                self.in_order(query, span)?
            } else {
                self.by_terms(query, span)?
            });
        }
        Ok(found)
    }

    fn in_order(&self, query: &EventQuery, span: Span) -> Result<Vec<StoredEvent>, StoreError> {
        let mut found = Vec::new();
        let mut at = if query.newest_first { span.to - 1 } else { span.from };
        loop {
            let (head, value) = self.shared.block_of(at)?;
            let outside = query.from.is_some_and(|from| head.time_max < from.0)
                || query.to.is_some_and(|to| to.0 < head.time_min);
            if !outside {
                let events = self.shared.open_block(&head, &value)?;
                let numbered = (head.first..)
                    .zip(events)
                    .filter(|(seq, _)| span.from <= *seq && *seq < span.to);
                let room = query.limit - found.len();
                let fits = |(seq, event): (u64, PackedEvent)| {
                    query.admits(&event).then(|| stored(seq, event))
                };
                if query.newest_first {
                    let mut events: Vec<_> = numbered.collect();
                    events.reverse();
                    found.extend(events.into_iter().filter_map(fits).take(room));
                } else {
                    found.extend(numbered.filter_map(fits).take(room));
                }
            }
            let is_over =
                if query.newest_first { head.first <= span.from } else { head.next() >= span.to };
            if is_over || found.len() >= query.limit {
                return Ok(found);
            }
            at = if query.newest_first { head.first - 1 } else { head.next() };
        }
    }

    fn by_terms(&self, query: &EventQuery, span: Span) -> Result<Vec<StoredEvent>, StoreError> {
        let (open, open_bits) = {
            let newest = lock(&self.shared.newest);
            (newest.run.number, newest.run.matching(&query.clauses))
        };
        let mut search = Search { store: self, query, span, block: None, found: Vec::new() };
        if query.newest_first && search.take(open, &open_bits)? {
            return Ok(search.found);
        }
        let walk = |term: &u64| Walk::new(*term, query.newest_first, span, open);
        let mut walks: Vec<Union> =
            query.clauses.iter().map(|clause| Union(clause.iter().map(walk).collect())).collect();
        while let Some((run, bits)) = common(&self.shared, &mut walks)? {
            if search.take(run, &bits)? {
                return Ok(search.found);
            }
        }
        if !query.newest_first {
            search.take(open, &open_bits)?;
        }
        Ok(search.found)
    }

    /// The event with this id. Ids are UUIDs of version 7: they say about when to look.
    ///
    /// # Errors
    /// `Corrupt` when a block is not what was written.
    pub fn event_by_id(&self, id: uuid::Uuid) -> Result<Option<StoredEvent>, StoreError> {
        Ok(self.by_uuid(id, |event| event.event_id == id)?.pop())
    }

    /// The events of this request, in the order of the log: its own, and the copies for the owners of what it used.
    /// Ids are UUIDs of version 7: they say about when to look.
    ///
    /// # Errors
    /// `Corrupt` when a block is not what was written.
    pub fn events_by_request_id(&self, id: uuid::Uuid) -> Result<Vec<StoredEvent>, StoreError> {
        self.by_uuid(id, |event| event.request_id == id)
    }

    /// Looks near the id's time first, and then a minute to both sides.
    fn by_uuid(
        &self,
        id: uuid::Uuid,
        is_it: impl Fn(&PackedEvent) -> bool,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let _nothing_leaves = self.shared.reading();
        self.by_uuid_once(id, &is_it)
    }

    fn by_uuid_once(
        &self,
        id: uuid::Uuid,
        is_it: &impl Fn(&PackedEvent) -> bool,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let [a, b, c, d, e, f, ..] = *id.as_bytes();
        let time = i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let whole = Span { from: self.first_event(), to: self.events_total() };
        let mut stretches: Vec<(Stretch, Span)> = self
            .shared
            .stretches(whole)
            .into_iter()
            .map(|stretch| (stretch, Span { from: 0, to: 0 }))
            .collect();
        for slack in [50, 1_000, SLACK_MS] {
            for (stretch, seen) in &mut stretches {
                let near = self.shared.near(*stretch, time, slack)?;
                let found = self.among(near, *seen, is_it)?;
                if !found.is_empty() {
                    return Ok(found);
                }
                *seen = near;
            }
        }
        Ok(Vec::new())
    }

    /// The first such events of a span that stand side by side, outside of what was seen already.
    fn among(
        &self,
        span: Span,
        seen: Span,
        is_it: &impl Fn(&PackedEvent) -> bool,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let total = self.events_total();
        let mut at = span.from;
        while at < span.to {
            let (head, value) = self.shared.block_of(at)?;
            at = head.next();
            if seen.from <= head.first && head.next() <= seen.to {
                continue;
            }
            let events = self.shared.open_block(&head, &value)?;
            let found = (head.first..).zip(events).filter(|(_, event)| is_it(event));
            let mut found: Vec<StoredEvent> =
                found.map(|(seq, event)| stored(seq, event)).collect();
            found.retain(|event| event.seq < total);
            if found.is_empty() {
                continue;
            }
            // Events of one commit stand side by side, and may go on in the next block.
            while found.last().is_some_and(|last| last.seq + 1 == at) && at < total {
                let (head, value) = self.shared.block_of(at)?;
                at = head.next();
                let events = self.shared.open_block(&head, &value)?;
                let more = (head.first..).zip(events).take_while(|(_, event)| is_it(event));
                found.extend(more.map(|(seq, event)| stored(seq, event)));
            }
            found.retain(|event| event.seq < total);
            return Ok(found);
        }
        Ok(Vec::new())
    }
}

fn stored(seq: u64, event: PackedEvent) -> StoredEvent {
    let PackedEvent { event_id, request_id, time, record, .. } = event;
    StoredEvent { seq, time, event_id, request_id, record }
}

/// Collects what candidate numbers turn out to be.
struct Search<'a> {
    store: &'a Store,
    query: &'a EventQuery,
    span: Span,
    block: Option<(BlockHead, Vec<PackedEvent>)>,
    found: Vec<StoredEvent>,
}

impl Search<'_> {
    /// Looks at the marked events of a run; whether enough were found.
    fn take(&mut self, run: u64, bits: &Bits) -> Result<bool, StoreError> {
        let first = run * RUN_EVENTS;
        let mut numbers: Vec<u64> = bits
            .positions()
            .into_iter()
            .map(|position| first + u64::from(position))
            .filter(|seq| self.span.from <= *seq && *seq < self.span.to)
            .collect();
        if self.query.newest_first {
            numbers.reverse();
        }
        for seq in numbers {
            let Some(event) = self.event(seq)? else { continue };
            if self.query.admits(&event) {
                self.found.push(stored(seq, event));
            }
            if self.found.len() >= self.query.limit {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn event(&mut self, seq: u64) -> Result<Option<PackedEvent>, StoreError> {
        let at_hand =
            self.block.as_ref().is_some_and(|(head, _)| head.first <= seq && seq < head.next());
        if !at_hand {
            let (head, value) = self.store.shared.block_of(seq)?;
            self.block = Some((head, self.store.shared.open_block(&head, &value)?));
        }
        Ok(self.block.as_ref().and_then(|(head, events)| {
            usize::try_from(seq - head.first).ok().and_then(|index| events.get(index)).cloned()
        }))
    }
}

/// A walk over the full runs that have a term.
struct Walk {
    term: u64,
    newest_first: bool,
    /// The runs still to walk, both inclusive; `None` when it is over.
    rest: Option<(u64, u64)>,
    here: Option<(u64, Bits)>,
}

impl Walk {
    fn new(term: u64, newest_first: bool, span: Span, open: u64) -> Self {
        let (low, high) =
            (span.from / RUN_EVENTS, ((span.to - 1) / RUN_EVENTS).min(open.saturating_sub(1)));
        let rest = (open > 0 && low <= high).then_some((low, high));
        Self { term, newest_first, rest, here: None }
    }

    /// The first run at or beyond `bound`, in the direction of the walk.
    fn seek(&mut self, shared: &Shared, bound: u64) -> Result<Option<u64>, StoreError> {
        let is_beyond = |run: u64| if self.newest_first { run <= bound } else { run >= bound };
        if let Some((run, _)) = self.here.as_ref().filter(|(run, _)| is_beyond(*run)) {
            return Ok(Some(*run));
        }
        self.here = None;
        let Some((low, high)) = self.rest.take() else { return Ok(None) };
        let (mut low, mut high) =
            if self.newest_first { (low, high.min(bound)) } else { (low.max(bound), high) };
        let piece = terms::piece_of(self.term);
        while low <= high {
            let range = tree::term_piece(piece, low, 0)..=tree::term_piece(piece, high, u16::MAX);
            let key = shared.sled(|tree| {
                let mut keys = tree.range(range).keys();
                (if self.newest_first { keys.next_back() } else { keys.next() }).transpose()
            })?;
            let Some(key) = key else { return Ok(None) };
            let run = tree::parse_term_piece(&key)
                .ok_or_else(|| StoreError::bad_value("a key of the index of events"))?;
            let mut get = |key: &[u8]| Ok(shared.raw(key)?.map(|value| value.to_vec()));
            let bytes = terms::read_piece(piece, run, &mut get)?;
            let found = bytes.map_or(Ok(None), |bytes| terms::find(&bytes, self.term))?;
            let is_last = if self.newest_first { run <= low } else { high <= run };
            if !is_last {
                (low, high) = if self.newest_first { (low, run - 1) } else { (run + 1, high) };
            }
            if let Some(bits) = found {
                self.rest = (!is_last).then_some((low, high));
                self.here = Some((run, bits));
                return Ok(Some(run));
            }
            if is_last {
                break;
            }
        }
        Ok(None)
    }
}

/// A walk over the full runs that have any of some terms.
struct Union(Vec<Walk>);

impl Union {
    fn is_newest_first(&self) -> bool {
        self.0.first().is_some_and(|walk| walk.newest_first)
    }

    /// The first run at or beyond `bound`, in the direction of the walk.
    fn seek(&mut self, shared: &Shared, bound: u64) -> Result<Option<u64>, StoreError> {
        let newest_first = self.is_newest_first();
        let mut first: Option<u64> = None;
        for walk in &mut self.0 {
            let found = walk.seek(shared, bound)?;
            first = match (first, found) {
                (Some(one), Some(other)) if newest_first => Some(one.max(other)),
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        Ok(first)
    }

    fn is_at(&self, run: u64) -> bool {
        self.0.iter().any(|walk| walk.here.as_ref().is_some_and(|(here, _)| *here == run))
    }

    /// Which events of the run have any of the terms.
    fn bits(&self, run: u64) -> Bits {
        let mut bits = Bits::none();
        let here = self.0.iter().filter_map(|walk| walk.here.as_ref());
        here.filter(|(here, _)| *here == run).for_each(|(_, other)| bits.or(other));
        bits
    }

    /// Leaves a run behind.
    fn leave(&mut self, run: u64) {
        let is_here = |walk: &&mut Walk| walk.here.as_ref().is_some_and(|(here, _)| *here == run);
        for walk in self.0.iter_mut().filter(is_here) {
            walk.here = None;
        }
    }
}

/// The next run in which some event has a term of every clause.
fn common(shared: &Shared, walks: &mut [Union]) -> Result<Option<(u64, Bits)>, StoreError> {
    let newest_first = walks.first().is_some_and(Union::is_newest_first);
    let mut bound = if newest_first { u64::MAX } else { 0 };
    loop {
        for walk in walks.iter_mut() {
            let Some(run) = walk.seek(shared, bound)? else { return Ok(None) };
            bound = run;
        }
        if !walks.iter().all(|walk| walk.is_at(bound)) {
            continue;
        }
        let mut bits = Bits::all();
        walks.iter().for_each(|walk| bits.and(&walk.bits(bound)));
        let next = if newest_first { bound.checked_sub(1) } else { bound.checked_add(1) };
        if !bits.is_empty() {
            walks.iter_mut().for_each(|walk| walk.leave(bound));
            return Ok(Some((bound, bits)));
        }
        match next {
            Some(next) => bound = next,
            None => return Ok(None),
        }
    }
}

impl Shared {
    /// The head and the sealed bytes of the block that holds an event.
    pub(crate) fn block_of(&self, event: u64) -> Result<(BlockHead, Vec<u8>), StoreError> {
        let found = self.find_block(event);
        if matches!(found, Err(StoreError::Corrupt { .. })) {
            self.suspect();
        }
        found
    }

    pub(crate) fn find_block(&self, event: u64) -> Result<(BlockHead, Vec<u8>), StoreError> {
        let missing = || StoreError::bad_value(format!("event {event} is missing"));
        let up_to = tree::event_piece(event, u16::MAX);
        let last =
            self.sled(|tree| tree.range(tree::event_piece(0, 0)..=up_to).next_back().transpose())?;
        let (key, _) = last.ok_or_else(missing)?;
        let (first, _) = tree::parse_event_piece(&key).ok_or_else(missing)?;
        let piece = self.raw(&tree::event_piece(first, 0))?.ok_or_else(missing)?;
        let mut cursor = Cursor(&piece);
        let head = BlockHead::parse(&mut cursor).ok_or_else(missing)?;
        let pieces = cursor.u16().ok_or_else(missing)?;
        if head.first != first || event < head.first || head.next() <= event {
            return Err(missing());
        }
        let mut sealed = cursor.0.to_vec();
        for number in 1..pieces {
            sealed.extend_from_slice(
                &self.raw(&tree::event_piece(first, number))?.ok_or_else(missing)?,
            );
        }
        Ok((head, sealed))
    }

    pub(crate) fn open_block(
        &self,
        head: &BlockHead,
        sealed: &[u8],
    ) -> Result<Vec<PackedEvent>, StoreError> {
        let opened = self.unseal_block(head, sealed).and_then(|packed| unpack(&packed, head.count));
        if opened.is_err() {
            self.suspect();
        }
        opened
    }

    pub(crate) fn unseal_block(
        &self,
        head: &BlockHead,
        sealed: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let mut place = Vec::with_capacity(BLOCK_HEAD);
        head.write(&mut place);
        self.vaulting.open("events", &place, sealed).ok_or_else(|| {
            StoreError::bad_value(format!("the block of event {} is not authentic", head.first))
        })
    }

    /// The stretches of a span in which times rise, in their order.
    fn stretches(&self, span: Span) -> Vec<Stretch> {
        lock(&self.meta).times.stretches(span.from, span.to)
    }

    /// Where in a stretch the events of these times are.
    fn between(
        &self,
        stretch: Stretch,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Span, StoreError> {
        let mut span = Span { from: stretch.from, to: stretch.to };
        if !stretch.rises {
            return Ok(span);
        }
        if let Some(from) = from {
            span.from = self.first_not_before(from.0.saturating_sub(SLACK_MS), span)?;
        }
        if let Some(to) = to {
            span.to = self.first_after(to.0.saturating_add(SLACK_MS), span)?;
        }
        Ok(span)
    }

    /// Where in a stretch the events near a time are.
    fn near(&self, stretch: Stretch, time: i64, slack: i64) -> Result<Span, StoreError> {
        let whole = Span { from: stretch.from, to: stretch.to };
        if !stretch.rises {
            return Ok(whole);
        }
        let from = self.first_not_before(time.saturating_sub(slack), whole)?;
        let to = self.first_after(time.saturating_add(slack), whole)?;
        Ok(Span { from, to })
    }

    /// The number of the first event of the first block of a span that ends at or after this time.
    fn first_not_before(&self, time: i64, span: Span) -> Result<u64, StoreError> {
        self.first_that(span, |head| time <= head.time_max)
    }

    /// The number of the first event of the first block of a span that begins after this time.
    fn first_after(&self, time: i64, span: Span) -> Result<u64, StoreError> {
        self.first_that(span, |head| time < head.time_min)
    }

    /// The number of the first event of the first block of a span that is `beyond`, as all that stand behind it are:
    /// found by halving. The span's end when there is none.
    fn first_that(
        &self,
        span: Span,
        beyond: impl Fn(&BlockHead) -> bool,
    ) -> Result<u64, StoreError> {
        let Span { from: mut low, to: mut high } = span;
        while low < high {
            let middle = low + (high - low) / 2;
            let (head, _) = self.block_of(middle)?;
            if beyond(&head) {
                high = head.first.max(low);
            } else {
                low = head.next().min(high);
            }
        }
        Ok(low)
    }
}
