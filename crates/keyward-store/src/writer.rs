//! The one writer: takes what is queued, makes it one group, and answers every commit of it.
//!
//! The order of a group: check what each commit rested on; vault; journal; vault again for deletions; sled;
//! cache; publish; answer.
//!
//! INVARIANT: an answer leaves only after the journal frame is written (and synced, in `commit` durability).
//! INVARIANT: after a failure whose outcome is not known nothing more is written.

use crate::{
    Durability, Options, StoreError,
    anchor::{Anchor, Anchored},
    block::{self, BlockHead, PackedEvent},
    disk::Disk,
    draft::Draft,
    journal::{Appender, Tail},
    leaving::Leaving,
    payload::{self, Op},
    shared::{Shared, lock},
    ticket::{Answerer, Receipt},
};
use keyward_types::Name;
use std::{
    collections::{BTreeMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    time::Duration,
};
use zeroize::Zeroizing;

/// From this many commits in a group on, callers come in crowds.
const CROWD_COMMITS: usize = 4;
/// How long the writer waits for one more of a crowd, and how often. Measured with 16 to 256 connections on
/// two cores.
const LINGER_STEP: Duration = Duration::from_micros(100);
const LINGER_STEPS: u32 = 7;

/// A commit that waits for the writer.
pub(crate) struct Pending {
    pub(crate) snapshot: u64,
    pub(crate) rested_on: Vec<Name>,
    pub(crate) ops: Vec<Op>,
    pub(crate) changes: Zeroizing<Vec<u8>>,
    pub(crate) events: Vec<PackedEvent>,
    pub(crate) answerer: Answerer,
}

impl Pending {
    pub(crate) fn bytes(&self) -> usize {
        self.changes.len() + self.events.iter().map(|event| event.record.len() + 128).sum::<usize>()
    }
}

/// What only the writer may do, and is no commit.
pub(crate) enum Chore {
    CloseSegment,
    /// Answers whether there is more to do.
    BeginLeaving(Arc<Leaving>),
    Leave(Arc<Leaving>),
}

type ChoreAnswer = Result<bool, StoreError>;

/// What the writer takes.
enum Work {
    Group(Vec<Pending>),
    Chore(Chore, SyncSender<ChoreAnswer>),
}

/// What waits for the writer.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    commits: VecDeque<Pending>,
    chores: VecDeque<(Chore, SyncSender<ChoreAnswer>)>,
    is_closing: bool,
    /// How many commits wake a writer that lingers.
    enough: usize,
}

impl Queue {
    /// Queues a commit, or answers why not.
    pub(crate) fn push(&self, pending: Pending, most: usize) {
        let mut waiting = lock(&self.waiting);
        let refusal = if waiting.is_closing {
            StoreError::Closed
        } else if waiting.commits.len() >= most {
            StoreError::Busy
        } else {
            waiting.commits.push_back(pending);
            if waiting.commits.len() == 1 || waiting.commits.len() == waiting.enough {
                self.more.notify_one();
            }
            return;
        };
        drop(waiting);
        pending.answerer.answer(Err(refusal));
    }

    /// Has a chore done between two groups, and waits for it.
    ///
    /// # Errors
    /// `Closed`, and what the chore says.
    pub(crate) fn chore(&self, chore: Chore) -> ChoreAnswer {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        {
            let mut waiting = lock(&self.waiting);
            if waiting.is_closing {
                return Err(StoreError::Closed);
            }
            waiting.chores.push_back((chore, answer));
        }
        self.more.notify_one();
        answered.recv().unwrap_or(Err(StoreError::Closed))
    }

    pub(crate) fn close(&self) {
        lock(&self.waiting).is_closing = true;
        self.more.notify_all();
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.waiting).commits.len()
    }

    /// The next group, or chore; `None` when the queue is closed and empty. A group goes before a chore, but no
    /// two of them.
    ///
    /// Once a first commit is there it waits for company, until there are `enough` or nobody comes any
    /// more: a group costs much the same whether it holds four commits or forty, and callers that come in crowds
    /// gain more than they wait.
    fn take(
        &self,
        commits_max: usize,
        bytes_max: usize,
        enough: usize,
        chore_is_due: bool,
    ) -> Option<Work> {
        let mut waiting = lock(&self.waiting);
        while waiting.commits.is_empty() || chore_is_due {
            if let Some((chore, answer)) = waiting.chores.pop_front() {
                return Some(Work::Chore(chore, answer));
            }
            if !waiting.commits.is_empty() {
                break;
            }
            if waiting.is_closing {
                return None;
            }
            waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.enough = enough;
        for _ in 0..LINGER_STEPS {
            let before = waiting.commits.len();
            if waiting.is_closing || enough <= before {
                break;
            }
            let waited = self.more.wait_timeout(waiting, LINGER_STEP);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
            if waiting.commits.len() == before {
                break;
            }
        }
        waiting.enough = 0;
        let mut bytes = 0;
        let mut count = 0;
        for pending in waiting.commits.iter().take(commits_max) {
            bytes += pending.bytes();
            if count > 0 && bytes > bytes_max {
                break;
            }
            count += 1;
        }
        Some(Work::Group(waiting.commits.drain(..count).collect()))
    }
}

/// Which names were changed lately, and by which commit.
pub(crate) struct Recent {
    changed: BTreeMap<Name, u64>,
    order: VecDeque<(u64, Name)>,
    names_max: usize,
    /// Changes up to here may have been forgotten: an older snapshot cannot be judged.
    horizon: u64,
}

impl Recent {
    pub(crate) fn new(names_max: usize, horizon: u64) -> Self {
        Self { changed: BTreeMap::new(), order: VecDeque::new(), names_max, horizon }
    }

    /// The first name that was changed after the snapshot.
    fn stale(
        &self,
        snapshot: u64,
        rested_on: &[Name],
        in_group: &BTreeMap<Name, u64>,
    ) -> Option<Name> {
        if snapshot < self.horizon {
            return rested_on.first().cloned();
        }
        let moved = |name: &&Name| {
            in_group.contains_key(*name)
                || self.changed.get(*name).is_some_and(|seq| *seq > snapshot)
        };
        rested_on.iter().find(moved).cloned()
    }

    fn note(&mut self, moved: BTreeMap<Name, u64>) {
        for (name, sequence) in moved {
            self.changed.insert(name.clone(), sequence);
            self.order.push_back((sequence, name));
        }
        while self.order.len() > self.names_max {
            if let Some((sequence, name)) = self.order.pop_front() {
                self.horizon = self.horizon.max(sequence);
                if self.changed.get(&name) == Some(&sequence) {
                    self.changed.remove(&name);
                }
            }
        }
    }
}

/// The file that is synced in the background, and how far it was when it was named.
pub(crate) type SharedTail = Arc<Mutex<Tail>>;

/// The one writer.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) journal: Appender,
    pub(crate) tail: SharedTail,
    pub(crate) recent: Recent,
    pub(crate) disk: Disk,
    pub(crate) options: Options,
    /// How many commits came together lately.
    pub(crate) crowd: usize,
}

/// The commits of a group that are not stale, and what they come to.
struct Group {
    /// Each with its first event number.
    accepted: Vec<(Answerer, u64)>,
    changes: Zeroizing<Vec<u8>>,
    events: Vec<PackedEvent>,
    moved: BTreeMap<Name, u64>,
}

impl Writer {
    /// Runs until the queue is closed and empty. Gives the journal back to be closed.
    pub(crate) fn run(mut self) -> Appender {
        let (mut enough, mut chore_is_due) = (0, false);
        let (commits_max, bytes_max) =
            (self.options.group_commits_max, self.options.group_bytes_max);
        while let Some(work) = self.queue.take(commits_max, bytes_max, enough, chore_is_due) {
            let done = match work {
                Work::Group(group) => {
                    (enough, chore_is_due) = (self.enough_after(group.len()), true);
                    catch_unwind(AssertUnwindSafe(|| self.group(group)))
                }
                Work::Chore(chore, answer) => {
                    chore_is_due = false;
                    let done = catch_unwind(AssertUnwindSafe(|| self.chore(&chore)));
                    done.map(|done| {
                        // Who asked may have gone.
                        let _ = answer.send(done);
                    })
                }
            };
            if done.is_err() {
                self.shared.fail(&StoreError::Failed("the writer panicked".to_owned()));
            }
        }
        self.journal
    }

    fn chore(&mut self, chore: &Chore) -> ChoreAnswer {
        if let Some(error) = self.shared.failure() {
            return Err(error);
        }
        let done = match chore {
            Chore::CloseSegment => match self.journal.roll() {
                Err(error @ StoreError::NoSpace) => return Err(error),
                rolled => rolled.map(|()| {
                    *lock(&self.tail) = self.journal.tail().clone();
                    false
                }),
            },
            Chore::BeginLeaving(leaving) => leaving.begin(&self.shared).map(|()| true),
            Chore::Leave(leaving) => leaving.step(&self.shared),
        };
        done.map_err(|error| self.shared.fail(&error))
    }

    /// How large the next group should be. A sync already makes the writer wait, and the next group grows
    /// meanwhile. Without one it waits of itself, as long as there is a crowd, for as many as came lately: callers
    /// that wait for their answers come again, and more than all of them would be waited for in vain.
    fn enough_after(&mut self, commits: usize) -> usize {
        // Who comes late once is waited for a while; who stays away is forgotten.
        self.crowd = commits.max(self.crowd.saturating_sub(1 + self.crowd / 8));
        match self.options.durability {
            Durability::Relaxed if CROWD_COMMITS <= self.crowd => {
                self.crowd.min(self.options.group_commits_max)
            }
            Durability::Relaxed | Durability::Commit => 0,
        }
    }

    fn group(&mut self, pending: Vec<Pending>) {
        if let Some(error) = self.refusal() {
            for commit in pending {
                commit.answerer.answer(Err(error.clone()));
            }
            return;
        }
        let shared = Arc::clone(&self.shared);
        let mut draft = Draft::new(&shared);
        let first = draft.meta.sequence + 1;
        let event_first = draft.meta.events;
        let (group, error) = self.stage(&mut draft, pending);
        let count = u32::try_from(group.accepted.len()).unwrap_or(u32::MAX);
        let outcome = match error {
            Some(error) => Err(self.shared.fail(&error)),
            None if count == 0 => return,
            None => self.write(draft, first, count, event_first, &group),
        };
        match outcome {
            Ok(()) => {
                self.recent.note(group.moved);
                for ((answerer, event_first), seq) in group.accepted.into_iter().zip(first..) {
                    answerer.answer(Ok(Receipt { seq, event_first }));
                }
            }
            Err(error) => {
                for (answerer, _) in group.accepted {
                    answerer.answer(Err(error.clone()));
                }
            }
        }
    }

    /// Why nothing can be written now.
    fn refusal(&self) -> Option<StoreError> {
        if let Some(error) = self.shared.failure() {
            return Some(error);
        }
        if let Err(error) = self.journal.check_place() {
            return Some(self.shared.fail(&error));
        }
        match self.disk.free_bytes(&self.options.directory) {
            Ok(free) => {
                self.shared.free_bytes.store(free, Ordering::Relaxed);
                (free < self.options.free_bytes_min).then_some(StoreError::NoSpace)
            }
            Err(error) => Some(error),
        }
    }

    /// Takes commits in one after the other; a stale one is answered and left out.
    fn stage(&self, draft: &mut Draft<'_>, pending: Vec<Pending>) -> (Group, Option<StoreError>) {
        let mut group = Group {
            accepted: Vec::with_capacity(pending.len()),
            changes: Zeroizing::new(Vec::new()),
            events: Vec::new(),
            moved: BTreeMap::new(),
        };
        let (first, event_first) = (draft.meta.sequence + 1, draft.meta.events);
        let mut error = None;
        for commit in pending {
            if let Some(name) = self.recent.stale(commit.snapshot, &commit.rested_on, &group.moved)
            {
                self.shared.counters.stale.fetch_add(1, Ordering::Relaxed);
                commit.answerer.answer(Err(StoreError::Stale(Box::new(name))));
                continue;
            }
            let sequence = first + group.accepted.len() as u64;
            group.accepted.push((commit.answerer, event_first + group.events.len() as u64));
            match draft.stage(sequence, commit.ops) {
                Ok(moved) => group.moved.extend(moved.into_iter().map(|name| (name, sequence))),
                Err(e) => error = Some(e),
            }
            group.changes.extend_from_slice(&commit.changes);
            group.events.extend(commit.events);
        }
        (group, error)
    }

    fn write(
        &mut self,
        draft: Draft<'_>,
        first: u64,
        count: u32,
        event_first: u64,
        group: &Group,
    ) -> Result<(), StoreError> {
        let head = BlockHead::of(event_first, &group.events);
        let packed = if group.events.is_empty() { Vec::new() } else { block::pack(&group.events) };
        let sealed =
            payload::seal(&self.shared.vaulting, first, count, &group.changes, head, &packed);
        let vaulted = self.put_deks(&draft)?;
        let journaled =
            self.journal.append(count, &sealed, self.options.durability == Durability::Commit);
        let bytes = match journaled {
            Ok(bytes) => bytes,
            Err(StoreError::NoSpace) => {
                if let Some(vaulted) = vaulted {
                    let undone = lock(&self.shared.vault).undo(vaulted.before);
                    undone.map_err(|error| self.shared.fail(&error))?;
                }
                return Err(StoreError::NoSpace);
            }
            Err(error) => return Err(self.shared.fail(&error)),
        };
        // From here on the group stands: whatever fails is put right by the next start.
        *lock(&self.tail) = self.journal.tail().clone();
        self.apply(draft, head, &packed, group, vaulted)
            .map_err(|error| self.shared.fail(&error))?;
        self.count(count, bytes);
        Ok(())
    }

    fn put_deks(&self, draft: &Draft<'_>) -> Result<Option<crate::vault::Appended>, StoreError> {
        if draft.deks.is_empty() {
            return Ok(None);
        }
        match lock(&self.shared.vault).append(&draft.deks) {
            Ok(appended) => Ok(Some(appended)),
            Err(StoreError::NoSpace) => Err(StoreError::NoSpace),
            Err(error) => Err(self.shared.fail(&error)),
        }
    }

    fn apply(
        &self,
        mut draft: Draft<'_>,
        head: BlockHead,
        packed: &[u8],
        group: &Group,
        vaulted: Option<crate::vault::Appended>,
    ) -> Result<(), StoreError> {
        let tail = self.journal.tail();
        draft.append_block(&head, packed);
        let next_event = draft.meta.events;
        {
            // Held until sled has the filled buckets, so that a search sees each event's terms in one place.
            let mut newest = lock(&self.shared.newest);
            draft.append_entries(newest.add(&head, &group.events));
            let finished = draft.finish(tail.sequence, tail.chain)?;
            self.settle_vault(&finished.gone_marks, vaulted)?;
            finished.apply(&self.shared)?;
        }
        self.shared.events.store(next_event, Ordering::Release);
        self.shared.published.store(tail.sequence, Ordering::Release);
        self.shared.watch.publish(next_event);
        Ok(())
    }

    /// Shows new data-encryption keys, and destroys those that were deleted or replaced.
    fn settle_vault(
        &self,
        gone: &[Vec<u8>],
        vaulted: Option<crate::vault::Appended>,
    ) -> Result<(), StoreError> {
        if gone.is_empty() && vaulted.is_none() {
            return Ok(());
        }
        let mut vault = lock(&self.shared.vault);
        let replaced = vaulted.is_some_and(|appended| vault.show(&appended));
        let forgotten = gone.iter().filter(|mark| vault.forget(mark)).count();
        if replaced || forgotten > 0 { vault.rewrite() } else { Ok(()) }
    }

    fn count(&self, count: u32, bytes: u64) {
        let counters = &self.shared.counters;
        counters.groups.fetch_add(1, Ordering::Relaxed);
        counters.commits.fetch_add(count.into(), Ordering::Relaxed);
        counters.group_commits_max.fetch_max(count.into(), Ordering::Relaxed);
        counters.journal_bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.options.durability == Durability::Commit {
            counters.syncs.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Wakes the background, or ends it.
#[derive(Default)]
pub(crate) struct Alarm {
    is_over: Mutex<bool>,
    rung: Condvar,
}

impl Alarm {
    pub(crate) fn end(&self) {
        *lock(&self.is_over) = true;
        self.rung.notify_all();
    }

    /// Waits one tick; whether to go on.
    fn tick(&self, tick: Duration) -> bool {
        let over = lock(&self.is_over);
        let waited = self.rung.wait_timeout_while(over, tick, |over| !*over);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// What happens beside commits: syncing in `relaxed` durability, and moving the anchor on.
pub(crate) struct Background {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tail: SharedTail,
    pub(crate) anchor: Arc<Mutex<Anchor>>,
    pub(crate) disk: Disk,
    pub(crate) durability: Durability,
    pub(crate) alarm: Arc<Alarm>,
    pub(crate) is_anchor_due: AtomicBool,
}

impl Background {
    pub(crate) fn run(&self, tick: Duration) {
        while self.alarm.tick(tick) {
            if let Err(error) = self.step() {
                self.shared.fail(&error);
                return;
            }
        }
    }

    fn step(&self) -> Result<(), StoreError> {
        let tail = lock(&self.tail).clone();
        if tail.sequence == lock(&self.anchor).newest().sequence {
            return Ok(());
        }
        if self.durability == Durability::Relaxed {
            // Segments before this one were synced when they were closed.
            self.disk.sync(&tail.file, &tail.path)?;
            self.shared.counters.syncs.fetch_add(1, Ordering::Relaxed);
        }
        // Every second tick: about once a second.
        if self.is_anchor_due.fetch_xor(true, Ordering::Relaxed) {
            let moved =
                lock(&self.anchor).advance(Anchored { sequence: tail.sequence, chain: tail.chain });
            // A full disk is no reason to stop: the anchor is moved when space returns.
            if let Err(error) = moved
                && !error.is_full()
            {
                return Err(error);
            }
        }
        Ok(())
    }
}
