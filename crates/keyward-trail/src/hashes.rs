//! The hashes of a log's events beside an export: a text that proves itself from a checkpoint, and then says of each
//! event whether it is the one that was signed.
//!
//! The form is Keyward's own: [`FIRST_LINE`], the base64 of each event's leaf hash on a line of its own, oldest first, an
//! empty line, and the signed checkpoint of exactly these events. It begins with the log's first event.
//!
//! A checkpoint alone tells that something before it is wrong; the hashes tell which event is.
//! INVARIANT: hashes count only when they lead to the root of a checkpoint that verified.

use crate::{
    audit::{Audit, Audited, Finding},
    checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, Trust},
    merkle::{Frontier, Hash, TreeFull},
    note::{Verifier, form},
};
use std::fmt;

/// What the text opens with.
pub const FIRST_LINE: &str = "keyward-event-hashes/v1";

/// Why a text is not the hashes of a log's events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashesError {
    #[error("hashes of events open with {FIRST_LINE}, and end with an empty line and a checkpoint")]
    Form,
    /// Counted from 1.
    #[error("line {0} is not the base64 of 32 bytes")]
    Hash(usize),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("there are {found} hashes, and the checkpoint beside them speaks of {signed} events")]
    Size { found: usize, signed: u64 },
    #[error("the hashes do not lead to the root of the checkpoint beside them")]
    RootDiffers,
    #[error(transparent)]
    Full(#[from] TreeFull),
}

/// Hashes, and the checkpoint that they are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHashes {
    leaves: Vec<Hash>,
    head: SignedCheckpoint,
}

impl EventHashes {
    pub fn new(leaves: Vec<Hash>, head: SignedCheckpoint) -> Self {
        Self { leaves, head }
    }

    /// Reads the text. It proves nothing: see [`EventHashes::verify`].
    pub fn parse(bytes: &[u8]) -> Result<Self, HashesError> {
        let text = str::from_utf8(bytes).map_err(|_| HashesError::Form)?;
        let (lines, note) = text.split_once("\n\n").ok_or(HashesError::Form)?;
        let mut lines = lines.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(HashesError::Form);
        }
        let hash = |(line, number)| form::hash(line).ok_or(HashesError::Hash(number));
        let leaves = lines.zip(2..).map(hash).collect::<Result<Vec<Hash>, _>>()?;
        Ok(Self { leaves, head: SignedCheckpoint::parse(note.as_bytes())? })
    }

    /// Holds when the checkpoint is to be trusted and is of exactly these hashes.
    pub fn verify(
        &self,
        trust: &Trust<'_>,
        verifier: &impl Verifier,
    ) -> Result<Proven, HashesError> {
        let head = self.head.verify(trust, verifier)?.checkpoint;
        let found = self.leaves.len();
        if head.size != found as u64 {
            return Err(HashesError::Size { found, signed: head.size });
        }
        let mut frontier = Frontier::new();
        for leaf in &self.leaves {
            frontier.append(*leaf, |_| {})?;
        }
        if frontier.root() != head.root {
            return Err(HashesError::RootDiffers);
        }
        Ok(Proven { leaves: self.leaves.clone(), head })
    }
}

impl fmt::Display for EventHashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        self.leaves.iter().try_for_each(|leaf| writeln!(f, "{}", form::to_base64(leaf)))?;
        write!(f, "\n{}", self.head)
    }
}

/// Hashes that a trusted checkpoint vouches for.
#[derive(Clone, Debug)]
pub struct Proven {
    leaves: Vec<Hash>,
    head: Checkpoint,
}

impl Proven {
    pub fn head(&self) -> &Checkpoint {
        &self.head
    }
}

/// Holds the events of a whole log against everything that was signed of it, and names the first that is wrong: by the
/// hashes exactly, by a checkpoint as narrowly as checkpoints can.
///
/// The longest hashes are of all events; shorter ones are of an earlier time.
pub fn check<'c>(
    found: &[Hash],
    proven: &'c [Proven],
    checkpoints: impl IntoIterator<Item = &'c Checkpoint>,
) -> Result<Audited, Finding> {
    check_from(Frontier::new(), found, proven, checkpoints)
}

/// The same of the part of a log that is still there: `found` are the events after those that `start` is the edge of.
pub fn check_from<'c>(
    start: Frontier,
    found: &[Hash],
    proven: &'c [Proven],
    checkpoints: impl IntoIterator<Item = &'c Checkpoint>,
) -> Result<Audited, Finding> {
    let first = start.size();
    let from = usize::try_from(first).unwrap_or(usize::MAX);
    let mut proven: Vec<&'c Proven> = proven.iter().collect();
    proven.sort_by_key(|one| one.leaves.len());
    if let Some((longest, shorter)) = proven.split_last() {
        for one in shorter {
            let same = common(&one.leaves, &longest.leaves);
            if same < one.leaves.len() {
                return Err(Finding::TwoStories { event: same as u64 });
            }
        }
        if let Some(signed) = longest.leaves.get(from..) {
            first_wrong_from(first, signed, found).map_or(Ok(()), Err)?;
        }
    }
    let heads = proven.iter().map(|one| &one.head);
    let mut audit = Audit::from(start, checkpoints.into_iter().chain(heads))?;
    (first..).zip(found).try_for_each(|(number, leaf)| audit.event(number, *leaf))?;
    audit.finish()
}

/// What is wrong with the first event that is not the one that was signed.
pub fn first_wrong(signed: &[Hash], found: &[Hash]) -> Option<Finding> {
    first_wrong_from(0, signed, found)
}

fn first_wrong_from(first: u64, signed: &[Hash], found: &[Hash]) -> Option<Finding> {
    let same = common(signed, found);
    let (signed_rest, found_rest) = (signed.get(same..)?, found.get(same..)?);
    let event = first + same as u64;
    let end = |list: &[Hash]| first + list.len() as u64;
    let (wanted, seen) = match (signed_rest.first(), found_rest.first()) {
        (None, None) => return None,
        (Some(_), None) => {
            return Some(Finding::Truncated { found: event, signed: end(signed) });
        }
        (None, Some(_)) => return Some(Finding::Added { first: event, next: end(found) }),
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
        merkle::leaf_hash,
        note::{KeyKind, VerifierKey},
        toy::{Toy, verifier},
    };

    fn leaf(number: u64) -> Hash {
        leaf_hash(&number.to_be_bytes())
    }

    fn log(size: u64) -> Vec<Hash> {
        (0..size).map(leaf).collect()
    }

    fn hashes(leaves: Vec<Hash>) -> EventHashes {
        let mut frontier = Frontier::new();
        leaves.iter().for_each(|leaf| frontier.append(*leaf, |_| {}).unwrap());
        let head = Checkpoint::new("log", frontier.size(), frontier.root()).sign(&Toy).unwrap();
        EventHashes::new(leaves, head)
    }

    fn proven(one: &EventHashes) -> Result<Proven, HashesError> {
        let key = VerifierKey::new("log", KeyKind::Ed25519, [7; 32]).unwrap();
        let log = core::slice::from_ref(&key);
        one.verify(&Trust { origin: "log", log, witnesses: &[], quorum: 0 }, &verifier)
    }

    #[test]
    fn the_text_is_read_as_it_was_written_and_proves_itself() {
        for size in [0, 1, 2, 7, 40] {
            let one = hashes(log(size));
            let text = one.to_string();
            let read = EventHashes::parse(text.as_bytes()).unwrap();
            assert_eq!((&read, read.to_string()), (&one, text));
            assert_eq!(proven(&read).unwrap().head().size, size);
        }
        let text = hashes(log(3)).to_string();
        for bad in [
            "",
            FIRST_LINE,
            "other/v1\n\n",
            text.strip_prefix('k').unwrap(),
            &text.replacen('=', "", 1),
        ] {
            assert!(EventHashes::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let head = hashes(log(3)).head;
        let wrong = EventHashes::new(vec![leaf(0), leaf(2), leaf(1)], head.clone());
        assert_eq!(proven(&wrong).unwrap_err(), HashesError::RootDiffers);
        let short = EventHashes::new(log(2), head);
        assert_eq!(proven(&short).unwrap_err(), HashesError::Size { found: 2, signed: 3 });
    }

    #[test]
    fn the_first_event_that_is_wrong_is_named() {
        let signed = proven(&hashes(log(40))).unwrap();
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
        let longer = log(42);
        assert_eq!(check(&longer), Err(Finding::Added { first: 40, next: 42 }));
    }

    #[test]
    fn an_older_list_tells_a_log_that_was_written_anew() {
        let old = proven(&hashes(log(20))).unwrap();
        let fork: Vec<Hash> =
            (0..40).map(|n| if n < 11 { leaf(n) } else { leaf(n + 99) }).collect();
        let new = proven(&hashes(fork.clone())).unwrap();
        assert!(check(&fork, core::slice::from_ref(&new), []).is_ok(), "nobody kept anything");
        let both = [new.clone(), old.clone()];
        assert_eq!(check(&fork, &both, []), Err(Finding::TwoStories { event: 11 }));
        let kept = [old.head().clone()];
        assert_eq!(check(&fork, &[new], &kept), Err(Finding::Changed { good: 0, size: 20 }));
        let whole = [proven(&hashes(log(40))).unwrap(), old];
        assert_eq!(check(&log(40), &whole, &kept).unwrap().signed, 40);
        assert_eq!(check(&log(10), &[], &kept), Err(Finding::Truncated { found: 10, signed: 20 }),);
    }
}
