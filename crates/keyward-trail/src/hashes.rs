//! The hashes of events beside an export: a text that proves itself from a checkpoint, and then says of each event
//! whether it is the one that was signed.
//!
//! The form is Keyward's own: [`FIRST_LINE`]; `first` and the number of the first event; `frontier` and the base64 of the
//! tree's edge before it; `path` and a hash, for each hash that leads from the last event to the checkpoint, none where
//! the checkpoint is of exactly these events; the base64 of each event's leaf hash on a line of its own, oldest first;
//! an empty line, and the signed checkpoint. Version 1 is still read: it has none of the named lines, and begins with
//! the log's first event.
//!
//! A checkpoint alone tells that something before it is wrong; the hashes tell which event is. And they are all that
//! places events whose predecessors are not at hand, because they left the log or were not exported.
//! INVARIANT: hashes count only when they lead to the root of a checkpoint that verified.

use crate::{
    audit::{Audit, Audited, Finding},
    checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, Trust},
    merkle::{
        CONSISTENCY_HASHES_MAX, Frontier, Hash, NodeSource, ProveError, RangeError, RangeProof,
        TreeFull,
    },
    note::{Verifier, form},
};
use std::{borrow::Cow, fmt};

/// What the text opens with.
pub const FIRST_LINE: &str = "keyward-event-hashes/v2";

/// What it opened with when it always began with the log's first event.
const FIRST_LINE_1: &str = "keyward-event-hashes/v1";

/// Why a text is not the hashes of a log's events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashesError {
    #[error("hashes of events open with {FIRST_LINE}, and end with an empty line and a checkpoint")]
    Form,
    #[error("the line `first` does not name the event after the line `frontier`")]
    First,
    /// Counted from 1.
    #[error("line {0} is not the base64 of 32 bytes")]
    Hash(usize),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(
        "the hashes are of the events before {end}, and the checkpoint beside them speaks of {signed} events"
    )]
    Size { end: u64, signed: u64 },
    #[error("the hashes do not lead to the root of the checkpoint beside them")]
    RootDiffers,
    #[error(transparent)]
    Full(#[from] TreeFull),
}

/// Hashes of a run of events, and the checkpoint of a log that has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHashes {
    range: RangeProof,
    leaves: Vec<Hash>,
    head: SignedCheckpoint,
}

impl EventHashes {
    /// Of the events from one number to before another, with the log's tree at hand.
    pub fn new<S: NodeSource>(
        source: &S,
        (from, to): (u64, u64),
        leaves: Vec<Hash>,
        head: SignedCheckpoint,
    ) -> Result<Self, ProveError<S::Error>> {
        let range = RangeProof::new(source, from, to, head.unverified().size)?;
        Ok(Self { range, leaves, head })
    }

    /// Reads the text. It proves nothing: see [`EventHashes::verify`].
    pub fn parse(bytes: &[u8]) -> Result<Self, HashesError> {
        let text = str::from_utf8(bytes).map_err(|_| HashesError::Form)?;
        let (lines, note) = text.split_once("\n\n").ok_or(HashesError::Form)?;
        let mut lines = lines.split('\n').zip(1..).peekable();
        let range = match lines.next() {
            Some((FIRST_LINE, _)) => {
                let mut value = |name: &str| lines.next()?.0.strip_prefix(name);
                let first = value("first ").and_then(form::decimal).ok_or(HashesError::Form)?;
                let frontier = value("frontier ").and_then(form::base64);
                let frontier = Frontier::from_bytes(&frontier.ok_or(HashesError::Form)?);
                let frontier = frontier.map_err(|_| HashesError::Form)?;
                if frontier.size() != first {
                    return Err(HashesError::First);
                }
                let mut path = Vec::new();
                while let Some((line, number)) =
                    lines.next_if(|(line, _)| line.starts_with("path "))
                {
                    let hash = line.strip_prefix("path ").and_then(form::hash);
                    path.push(hash.ok_or(HashesError::Hash(number))?);
                    if CONSISTENCY_HASHES_MAX < path.len() {
                        return Err(HashesError::Form);
                    }
                }
                RangeProof::of(frontier, path)
            }
            Some((FIRST_LINE_1, _)) => RangeProof::of(Frontier::new(), Vec::new()),
            _ => return Err(HashesError::Form),
        };
        let hash = |(line, number)| form::hash(line).ok_or(HashesError::Hash(number));
        let leaves = lines.map(hash).collect::<Result<Vec<Hash>, _>>()?;
        Ok(Self { range, leaves, head: SignedCheckpoint::parse(note.as_bytes())? })
    }

    /// Holds when the checkpoint is to be trusted, and these hashes stand in the tree that it is of.
    pub fn verify(
        &self,
        trust: &Trust<'_>,
        verifier: &impl Verifier,
    ) -> Result<Proven, HashesError> {
        let head = self.head.verify(trust, verifier)?.checkpoint;
        let start = self.range.frontier().clone();
        let mut frontier = start.clone();
        for leaf in &self.leaves {
            frontier.append(*leaf, |_| {})?;
        }
        let end = frontier.size();
        // Without a way to a larger tree it is this one.
        if head.size < end || (self.range.path().is_empty() && head.size != end) {
            return Err(HashesError::Size { end, signed: head.size });
        }
        self.range.verify(self.leaves.iter().copied(), head.size, &head.root).map_err(|error| {
            match error {
                RangeError::Full(full) => HashesError::Full(full),
                RangeError::Consistency(_) => HashesError::RootDiffers,
            }
        })?;
        let end = Checkpoint::new(&head.origin, end, frontier.root());
        Ok(Proven { start, leaves: self.leaves.clone(), end, head })
    }
}

impl fmt::Display for EventHashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { range, leaves, head } = self;
        writeln!(f, "{FIRST_LINE}\nfirst {}", range.start())?;
        writeln!(f, "frontier {}", form::to_base64(&range.frontier().to_bytes()))?;
        range.path().iter().try_for_each(|hash| writeln!(f, "path {}", form::to_base64(hash)))?;
        leaves.iter().try_for_each(|leaf| writeln!(f, "{}", form::to_base64(leaf)))?;
        write!(f, "\n{head}")
    }
}

/// Hashes that a trusted checkpoint vouches for.
#[derive(Clone, Debug)]
pub struct Proven {
    start: Frontier,
    leaves: Vec<Hash>,
    end: Checkpoint,
    head: Checkpoint,
}

impl Proven {
    /// The checkpoint that was signed.
    pub fn head(&self) -> &Checkpoint {
        &self.head
    }

    /// The log up to the last of these events: what the head says, where it is of no later ones.
    pub fn end(&self) -> &Checkpoint {
        &self.end
    }

    /// The number of the first event.
    pub fn first(&self) -> u64 {
        self.start.size()
    }

    /// How many events they are of.
    pub fn count(&self) -> usize {
        self.leaves.len()
    }

    /// Whether the log had gone on when the head was signed.
    pub fn is_part(&self) -> bool {
        self.end.size < self.head.size
    }

    /// The tree's edge before the event with this number; `None` for one that these hashes do not reach.
    pub fn edge(&self, number: u64) -> Option<Frontier> {
        let before = usize::try_from(number.checked_sub(self.first())?).ok()?;
        let mut edge = self.start.clone();
        for leaf in self.leaves.get(..before)? {
            edge.append(*leaf, |_| {}).ok()?;
        }
        Some(edge)
    }
}

/// The edge before so many exported events: before the event that is said to be the first, or as the hashes begin that
/// are of as many events, the newest of them, or of all. Without hashes it is the log's first event.
/// `None` when no hashes reach the event that is said.
pub fn start_of(found: usize, proven: &[Proven], first: Option<u64>) -> Option<Frontier> {
    match first {
        Some(0) => Some(Frontier::new()),
        Some(first) => proven.iter().find_map(|one| one.edge(first)),
        None => {
            let newest = proven.iter().max_by_key(|one| {
                let first = std::cmp::Reverse(one.first());
                (one.leaves.len() == found, one.end.size, first)
            });
            Some(newest.map_or_else(Frontier::new, |one| one.start.clone()))
        }
    }
}

/// Holds events of a log against everything that was signed of it, and names the first that is wrong: by the hashes
/// exactly, by a checkpoint as narrowly as checkpoints can.
///
/// `found` are the events after those that `start` is the edge of, without a gap. Events after the last that was signed
/// are nobody's finding: see [`Audited::signed`].
/// Where hashes of a part are of these events, what was signed of later ones says nothing of them.
pub fn check_from<'c>(
    start: Frontier,
    found: &[Hash],
    proven: &'c [Proven],
    checkpoints: impl IntoIterator<Item = &'c Checkpoint>,
) -> Result<Audited, Finding> {
    let first = start.size();
    let end = first.saturating_add(found.len() as u64);
    let newest = proven.iter().map(|one| one.end.size).max().unwrap_or_default();
    // Hashes of a part that was taken together with these events say that the log goes on behind them.
    let goes_on = proven.iter().any(|one| {
        let is_end = one.end.size == end || (one.end.size == newest && newest <= end);
        one.is_part() && one.first() <= first && is_end
    });
    for run in runs(proven)? {
        let from = first.max(run.first);
        let mut signed = part(&run.leaves, run.first, from);
        if goes_on {
            signed = signed.get(..part(found, first, from).len()).unwrap_or(signed);
        }
        if end < from && !signed.is_empty() {
            return Err(Finding::Truncated { found: end, signed: from + signed.len() as u64 });
        }
        first_wrong(from, signed, part(found, first, from)).map_or(Ok(()), Err)?;
    }
    let said = checkpoints.into_iter().chain(proven.iter().flat_map(|one| [&one.end, &one.head]));
    let mut audit = Audit::from(start, said)?;
    if goes_on {
        audit.stop_at(end);
    }
    (first..).zip(found).try_for_each(|(number, leaf)| audit.event(number, *leaf))?;
    audit.finish()
}

/// The hashes from an event on, of those that begin with another.
fn part(leaves: &[Hash], first: u64, from: u64) -> &[Hash] {
    let before = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
    leaves.get(before..).unwrap_or_default()
}

/// Hashes without a gap.
struct Run<'c> {
    first: u64,
    leaves: Cow<'c, [Hash]>,
}

/// What several lists say together, when no two of them say different things of an event.
fn runs(proven: &[Proven]) -> Result<Vec<Run<'_>>, Finding> {
    let mut sorted: Vec<&Proven> = proven.iter().collect();
    sorted.sort_by_key(|one| (one.first(), std::cmp::Reverse(one.leaves.len())));
    let mut runs: Vec<Run<'_>> = Vec::new();
    for one in sorted {
        let first = one.first();
        match runs.last_mut() {
            Some(last) if first <= last.first + last.leaves.len() as u64 => {
                let before = part(&last.leaves, last.first, first);
                let same = common(before, &one.leaves);
                if same < before.len().min(one.leaves.len()) {
                    return Err(Finding::TwoStories { event: first + same as u64 });
                }
                if let Some(more) = one.leaves.get(before.len()..).filter(|more| !more.is_empty()) {
                    last.leaves.to_mut().extend_from_slice(more);
                }
            }
            _ => runs.push(Run { first, leaves: Cow::Borrowed(&one.leaves) }),
        }
    }
    Ok(runs)
}

/// What is wrong with the first event that is not the one that was signed, of events from `first` on. More events than
/// were signed are not wrong.
fn first_wrong(first: u64, signed: &[Hash], found: &[Hash]) -> Option<Finding> {
    let same = common(signed, found);
    let (signed_rest, found_rest) = (signed.get(same..)?, found.get(same..)?);
    let event = first + same as u64;
    let (wanted, seen) = match (signed_rest.first(), found_rest.first()) {
        (None, _) => return None,
        (Some(_), None) => {
            return Some(Finding::Truncated { found: event, signed: first + signed.len() as u64 });
        }
        (Some(wanted), Some(seen)) => (wanted, seen),
    };
    // Where each of the two stands on the other side. Events have ids of their own, so none is there twice.
    let place = |of: &Hash, among: &[Hash]| {
        among.iter().position(|one| one == of).map(|behind| event + behind as u64)
    };
    Some(match (place(seen, signed_rest), place(wanted, found_rest)) {
        (Some(found), Some(_)) => Finding::OutOfOrder { expected: event, found },
        (Some(next), None) => Finding::Missing { first: event, next },
        (None, Some(next)) => Finding::Added { first: event, next },
        (None, None) => Finding::Wrong { event },
    })
}

/// How many are the same from the start.
fn common(one: &[Hash], other: &[Hash]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        merkle::{Nodes, leaf_hash},
        note::{KeyKind, VerifierKey},
        toy::{Toy, verifier},
    };

    fn leaf(number: u64) -> Hash {
        leaf_hash(&number.to_be_bytes())
    }

    fn log(size: u64) -> Vec<Hash> {
        (0..size).map(leaf).collect()
    }

    /// Of the events from one to before another of this log.
    fn hashes_of(leaves: &[Hash], (from, to): (usize, usize)) -> EventHashes {
        let mut nodes = Nodes::default();
        leaves.iter().for_each(|leaf| nodes.append(*leaf).unwrap());
        let head = Checkpoint::new("log", nodes.size(), nodes.root()).sign(&Toy).unwrap();
        let numbers = (from as u64, to as u64);
        EventHashes::new(&nodes, numbers, leaves[from..to].to_vec(), head).unwrap()
    }

    fn hashes(leaves: &[Hash]) -> EventHashes {
        hashes_of(leaves, (0, leaves.len()))
    }

    fn proven(one: &EventHashes) -> Result<Proven, HashesError> {
        let key = VerifierKey::new("log", KeyKind::Ed25519, [7; 32]).unwrap();
        let log = core::slice::from_ref(&key);
        one.verify(&Trust { origin: "log", log, witnesses: &[], quorum: 0 }, &verifier)
    }

    /// As an export is held.
    fn check<'c>(
        found: &[Hash],
        proven: &'c [Proven],
        checkpoints: impl IntoIterator<Item = &'c Checkpoint>,
    ) -> Result<Audited, Finding> {
        check_from(start_of(found.len(), proven, None).unwrap(), found, proven, checkpoints)
    }

    #[test]
    fn the_text_is_read_as_it_was_written_and_proves_itself() {
        for size in [0, 1, 2, 7, 40] {
            let leaves = log(size);
            for from in 0..=leaves.len() {
                for to in from..=leaves.len() {
                    let one = hashes_of(&leaves, (from, to));
                    let text = one.to_string();
                    let read = EventHashes::parse(text.as_bytes()).unwrap();
                    assert_eq!((&read, read.to_string()), (&one, text));
                    // What comes before the first event of a longer log is empty, and no hash leads on from nothing.
                    let found = proven(&read);
                    if to == 0 && size > 0 {
                        assert_eq!(found.unwrap_err(), HashesError::Size { end: 0, signed: size });
                        continue;
                    }
                    let found = found.unwrap();
                    assert_eq!((found.head().size, found.end().size), (size, to as u64));
                    assert_eq!(found.first(), from as u64);
                }
            }
        }
        let text = hashes(&log(3)).to_string();
        for bad in [
            "",
            FIRST_LINE,
            "other/v1\n\n",
            text.strip_prefix('k').unwrap(),
            &text.replacen('=', "", 1),
            &text.replacen("first 0", "first 00", 1),
            &text.replacen("first 0\n", "", 1),
            &text.replacen("/v2", "/v1", 1),
        ] {
            assert!(EventHashes::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let other = text.replacen("first 0", "first 1", 1);
        assert_eq!(EventHashes::parse(other.as_bytes()), Err(HashesError::First));
        let whole = hashes(&log(3));
        let wrong = EventHashes { leaves: vec![leaf(0), leaf(2), leaf(1)], ..whole.clone() };
        assert_eq!(proven(&wrong).unwrap_err(), HashesError::RootDiffers);
        let short = EventHashes { leaves: log(2), ..whole };
        assert_eq!(proven(&short).unwrap_err(), HashesError::Size { end: 2, signed: 3 });
    }

    #[test]
    fn the_first_version_is_still_read() {
        for size in [0, 1, 7] {
            let one = hashes(&log(size));
            let lines: String = log(size).iter().map(|leaf| form::to_base64(leaf) + "\n").collect();
            let text = format!("keyward-event-hashes/v1\n{lines}\n{}", one.head);
            assert_eq!(EventHashes::parse(text.as_bytes()), Ok(one));
        }
    }

    #[test]
    fn the_first_event_that_is_wrong_is_named() {
        let signed = proven(&hashes(&log(40))).unwrap();
        let check = |found: &[Hash]| check(found, core::slice::from_ref(&signed), []);
        assert_eq!(check(&log(40)).unwrap().signed, 40);
        for at in 0..38_usize {
            let event = at as u64;
            let mut changed = log(40);
            changed[at][0] ^= 1;
            assert_eq!(check(&changed), Err(Finding::Wrong { event }));
            for count in 1..3 {
                let next = event + count as u64;
                let mut removed = log(40);
                removed.drain(at..at + count);
                assert_eq!(check(&removed), Err(Finding::Missing { first: event, next }));
                let mut added = log(40);
                added.splice(at..at, (0..count).map(|one| leaf(100 + one as u64)));
                assert_eq!(check(&added), Err(Finding::Added { first: event, next }));
                let mut moved = log(40);
                if at + count < 40 {
                    moved.swap(at, at + count);
                    assert_eq!(
                        check(&moved),
                        Err(Finding::OutOfOrder { expected: event, found: next })
                    );
                }
            }
            assert_eq!(check(&log(40)[..at]), Err(Finding::Truncated { found: event, signed: 40 }));
        }
    }

    #[test]
    fn what_is_newer_than_the_hashes_is_no_lie_and_nobody_vouches_for_it() {
        let older = [proven(&hashes(&log(40))).unwrap()];
        let longer = check(&log(42), &older, []).unwrap();
        assert_eq!((longer.size, longer.signed), (42, 40));
        let newer = [proven(&hashes(&log(42))).unwrap().head().clone()];
        assert_eq!(check(&log(42), &older, &newer).unwrap().signed, 42);
        let mut changed = log(42);
        changed[41][0] ^= 1;
        assert_eq!(check(&changed, &older, &newer), Err(Finding::Changed { good: 40, size: 42 }));
    }

    #[test]
    fn a_part_of_a_log_is_held_with_the_edge_before_it() {
        let all = log(40);
        for (from, to) in [(0, 40), (0, 15), (13, 40), (13, 29), (16, 32), (39, 40), (40, 40)] {
            let part = [proven(&hashes_of(&all, (from, to))).unwrap()];
            let (first, end) = (from as u64, to as u64);
            let held = check(&all[from..to], &part, []).unwrap();
            assert_eq!((held.size, held.signed), (end, end), "{from} to {to}");
            // Checkpoints inside it count, and those of the whole log say nothing of less.
            let at = |size: usize| proven(&hashes(&all[..size])).unwrap().head().clone();
            let kept = [at(from), at(to), at(40)];
            assert_eq!(check(&all[from..to], &part, &kept).unwrap().signed, end);
            let mut fork = all.clone();
            fork[from / 2][0] ^= 1;
            let forked = [proven(&hashes(&fork)).unwrap().head().clone()];
            let said = check(&all[from..to], &part, &forked);
            assert_eq!(said, Err(Finding::Forked { size: 40 }));
            if 2 < to - from {
                let less = &all[from + 1..to];
                let gone = Finding::Missing { first, next: first + 1 };
                assert_eq!(check(less, &part, []), Err(gone));
                let cut = Finding::Truncated { found: end - 1, signed: end };
                assert_eq!(check(&all[from..to - 1], &part, []), Err(cut));
                let mut changed = all[from..to].to_vec();
                changed[2][0] ^= 1;
                let wrong = Finding::Wrong { event: first + 2 };
                assert_eq!(check(&changed, &part, []), Err(wrong));
            }
        }
        // The hashes of more say nothing against a part, and are not needed to place it.
        let both = [(0, 40), (0, 15)].map(|range| proven(&hashes_of(&all, range)).unwrap());
        assert_eq!(check(&all[..15], &both, []).unwrap().signed, 15);
        let cut = Finding::Truncated { found: 14, signed: 40 };
        assert_eq!(check(&all[..14], &both, []), Err(cut));
        // So is a part of a part, where it is said which; events before it are not vouched for by what is not of them.
        let from = start_of(10, &both[1..], Some(5)).unwrap();
        assert_eq!(check_from(from, &all[5..15], &both[1..], []).unwrap().signed, 15);
        let late = [proven(&hashes_of(&all, (13, 29))).unwrap()];
        let whole = check_from(Frontier::new(), &all[..29], &late, []);
        assert_eq!(whole, Err(Finding::Truncated { found: 29, signed: 40 }));
        // Lists of several parts say what they say together; one that was kept before the first events left says more.
        let lists = [(0, 20), (13, 29), (29, 40)].map(|range| {
            let one = hashes_of(&all, range);
            proven(&one).unwrap()
        });
        let from = |first| start_of(0, &lists, Some(first));
        for first in [0, 13, 17, 29, 40] {
            let found = &all[usize::try_from(first).unwrap()..];
            assert_eq!(check_from(from(first).unwrap(), found, &lists, []).unwrap().signed, 40);
        }
        assert_eq!(from(41), None);
        let mut removed = all.clone();
        removed.remove(19);
        let said = check_from(Frontier::new(), &removed, &lists, []);
        assert_eq!(said, Err(Finding::Missing { first: 19, next: 20 }));
    }

    #[test]
    fn a_part_that_was_put_elsewhere_does_not_hold() {
        let all = log(40);
        let honest = hashes_of(&all, (13, 29));
        for from in 0..40_usize {
            for to in from..=40 {
                let other = hashes_of(&all, (from, to));
                if (from, to) == (13, 29) || other.leaves == honest.leaves {
                    continue;
                }
                let moved = EventHashes { leaves: honest.leaves.clone(), ..other.clone() };
                assert!(proven(&moved).is_err(), "at {from} to {to}");
                let moved = EventHashes { range: honest.range.clone(), ..other };
                assert!(proven(&moved).is_err(), "others at 13, from {from} to {to}");
            }
        }
    }

    #[test]
    fn an_older_list_tells_a_log_that_was_written_anew() {
        let old = proven(&hashes(&log(20))).unwrap();
        let fork: Vec<Hash> =
            (0..40).map(|n| if n < 11 { leaf(n) } else { leaf(n + 99) }).collect();
        let new = proven(&hashes(&fork)).unwrap();
        assert!(check(&fork, core::slice::from_ref(&new), []).is_ok(), "nobody kept anything");
        let both = [new.clone(), old.clone()];
        assert_eq!(check(&fork, &both, []), Err(Finding::TwoStories { event: 11 }));
        let part = [proven(&hashes_of(&fork, (5, 30))).unwrap(), old.clone()];
        let said = check(&fork[5..30], &part, []);
        assert_eq!(said, Err(Finding::TwoStories { event: 11 }));
        let kept = [old.head().clone()];
        assert_eq!(check(&fork, &[new], &kept), Err(Finding::Changed { good: 0, size: 20 }));
        let whole = [proven(&hashes(&log(40))).unwrap(), old];
        assert_eq!(check(&log(40), &whole, &kept).unwrap().signed, 40);
        assert_eq!(check(&log(10), &[], &kept), Err(Finding::Truncated { found: 10, signed: 20 }),);
    }
}
