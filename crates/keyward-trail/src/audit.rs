//! A walk through a log, or a part of it, that holds it against the checkpoints that somebody kept.
//!
//! Events come in one after another, with the numbers that they are stored under. At every size of which
//! there is a checkpoint the roots must agree. The first thing that is wrong ends the walk, and is named as
//! narrowly as checkpoints can: up to where all is as it was signed, and by where it is not. Which event
//! it is, [`crate::hashes`] finds with the hashes of all events, and [`crate::merkle::first_difference`] when the tree's
//! stored nodes are at hand.
//!
//! Checkpoints are taken as true: verify them first ([`crate::checkpoint::SignedCheckpoint::verify`]).
//! A log that was cut, or written anew by whoever holds its key, is found by a checkpoint that the log's
//! owner cannot take back, and by nothing else.

use crate::{
    checkpoint::Checkpoint,
    merkle::{Frontier, Hash, TreeFull},
};
use std::collections::BTreeMap;

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    #[error("two checkpoints of size {size} have different roots: the log told two stories")]
    Forked { size: u64 },
    #[error("{} removed", events(*first, *next))]
    Missing { first: u64, next: u64 },
    #[error("event {found} stands where event {expected} belongs")]
    OutOfOrder { expected: u64, found: u64 },
    #[error("{} added: nobody signed that", events(*first, *next))]
    Added { first: u64, next: u64 },
    #[error("event {event} is not what was signed: it was changed")]
    Wrong { event: u64 },
    /// A byte, an event or the order of events; or the whole log is another one.
    #[error(
        "an event from {good} to {} was changed, removed or added: the checkpoint of size {size} is of other events",
        size.saturating_sub(1)
    )]
    Changed {
        /// The events before this one are as they were signed.
        good: u64,
        /// With this many events the log's root is not the checkpoint's.
        size: u64,
    },
    #[error(
        "events are missing from {found} on: a checkpoint speaks of {signed} events, and the log ends after {found}"
    )]
    Truncated { found: u64, signed: u64 },
    #[error(
        "event {event} is one thing in one signed list and another in the other: the log told two stories"
    )]
    TwoStories { event: u64 },
    #[error(transparent)]
    Full(#[from] TreeFull),
}

/// The events from one to before another, and the verb.
fn events(first: u64, next: u64) -> String {
    let last = next.saturating_sub(1);
    if first == last {
        format!("event {first} was")
    } else {
        format!("events {first} to {last} were")
    }
}

/// What holds of a log that was walked to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Events up to here.
    pub size: u64,
    pub root: Hash,
    /// The events before this one are vouched for; those from here on are newer than every checkpoint.
    pub signed: u64,
}

/// The walk.
#[derive(Clone, Debug)]
pub struct Audit {
    frontier: Frontier,
    checkpoints: BTreeMap<u64, Hash>,
    good: u64,
}

impl Audit {
    /// From the first event on.
    pub fn new<'c>(checkpoints: impl IntoIterator<Item = &'c Checkpoint>) -> Result<Self, Finding> {
        Self::from(Frontier::new(), checkpoints)
    }

    /// From the event with the number of the frontier's size on. The frontier needs no trust of its own:
    /// with a wrong one no later root agrees. Checkpoints of smaller sizes say nothing here.
    pub fn from<'c>(
        frontier: Frontier,
        checkpoints: impl IntoIterator<Item = &'c Checkpoint>,
    ) -> Result<Self, Finding> {
        let start = frontier.size();
        let mut roots = BTreeMap::new();
        for Checkpoint { size, root, .. } in checkpoints {
            if roots.insert(*size, *root).is_some_and(|other| other != *root) {
                return Err(Finding::Forked { size: *size });
            }
        }
        let mut audit = Self { frontier, checkpoints: roots.split_off(&start), good: start };
        audit.compare()?;
        Ok(audit)
    }

    /// The next event: the number that it is stored under, and the hash of its bytes.
    pub fn event(&mut self, number: u64, leaf: Hash) -> Result<(), Finding> {
        let expected = self.frontier.size();
        if number > expected {
            return Err(Finding::Missing { first: expected, next: number });
        }
        if number < expected {
            return Err(Finding::OutOfOrder { expected, found: number });
        }
        self.frontier.append(leaf, |_| {})?;
        self.compare()
    }

    /// What is walked is a part that ends before this event, so that checkpoints of more say nothing of it.
    pub fn stop_at(&mut self, end: u64) {
        self.checkpoints.retain(|size, _| *size <= end);
    }

    /// The end of the log.
    pub fn finish(self) -> Result<Audited, Finding> {
        let found = self.frontier.size();
        match self.checkpoints.last_key_value() {
            Some((signed, _)) if *signed > found => {
                Err(Finding::Truncated { found, signed: *signed })
            }
            _ => Ok(Audited { size: found, root: self.frontier.root(), signed: self.good }),
        }
    }

    fn compare(&mut self) -> Result<(), Finding> {
        let size = self.frontier.size();
        match self.checkpoints.get(&size) {
            Some(root) if *root != self.frontier.root() => {
                Err(Finding::Changed { good: self.good, size })
            }
            Some(_) => {
                self.good = size;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{Nodes, leaf_hash, root_at};

    fn leaf(number: u64) -> Hash {
        leaf_hash(&number.to_be_bytes())
    }

    fn tree(leaves: impl IntoIterator<Item = Hash>) -> Nodes {
        let mut nodes = Nodes::default();
        leaves.into_iter().for_each(|leaf| nodes.append(leaf).unwrap());
        nodes
    }

    /// Checkpoints of a log of 40 numbered events.
    fn kept(sizes: &[u64]) -> Vec<Checkpoint> {
        let nodes = tree((0..40).map(leaf));
        let at = |size: &u64| Checkpoint::new("log", *size, root_at(&nodes, *size).unwrap());
        sizes.iter().map(at).collect()
    }

    type Events = Vec<(u64, Hash)>;

    fn walk(checkpoints: &[Checkpoint], events: &Events) -> Result<Audited, Finding> {
        let mut audit = Audit::new(checkpoints)?;
        events.iter().try_for_each(|(number, leaf)| audit.event(*number, *leaf))?;
        audit.finish()
    }

    fn whole() -> Events {
        (0..40).map(|number| (number, leaf(number))).collect()
    }

    /// Stored anew, so that the numbers are in order again.
    fn renumbered(leaves: impl IntoIterator<Item = Hash>) -> Events {
        (0..).zip(leaves).collect()
    }

    #[test]
    fn a_log_as_it_was_signed_passes() {
        let root = tree((0..40).map(leaf)).root();
        for (sizes, signed) in [(&[][..], 0), (&[0], 0), (&[16, 7], 16), (&[40], 40), (&[7, 7], 7)]
        {
            assert_eq!(walk(&kept(sizes), &whole()), Ok(Audited { size: 40, root, signed }));
        }
    }

    #[test]
    fn each_kind_of_tampering_is_found() {
        let checkpoints = kept(&[8, 16, 32]);
        let (good, size) = (8, 16);
        let check = |events: &Events| walk(&checkpoints, events).unwrap_err();
        for at in 8..16_usize {
            let mut changed = whole();
            changed[at].1[0] ^= 1;
            assert_eq!(check(&changed), Finding::Changed { good, size }, "changed {at}");

            let mut removed = whole();
            removed.remove(at);
            let (first, next) = (at as u64, at as u64 + 1);
            assert_eq!(check(&removed), Finding::Missing { first, next });
            let removed = renumbered(removed.into_iter().map(|(_, leaf)| leaf));
            assert_eq!(check(&removed), Finding::Changed { good, size }, "removed {at}");

            let mut added = whole();
            added.insert(at, (at as u64, [1; 32]));
            let added_anew = renumbered(added.iter().map(|(_, leaf)| *leaf));
            assert_eq!(check(&added_anew), Finding::Changed { good, size }, "added {at}");
            let out = Finding::OutOfOrder { expected: at as u64 + 1, found: at as u64 };
            let told = if at == 15 { Finding::Changed { good, size } } else { out };
            assert_eq!(check(&added), told, "added {at} under a number that is taken");

            let mut swapped = whole();
            swapped.swap(at, at + 1);
            let (first, next) = (at as u64, at as u64 + 1);
            assert_eq!(check(&swapped), Finding::Missing { first, next });
            let swapped = renumbered(swapped.into_iter().map(|(_, leaf)| leaf));
            assert_eq!(check(&swapped), Finding::Changed { good, size }, "swapped {at}");
        }
        for len in 0..32 {
            let cut = Finding::Truncated { found: len, signed: 32 };
            assert_eq!(check(&whole()[..usize::try_from(len).unwrap()].to_vec()), cut);
        }
        let rebuilt = renumbered((0..40).map(|number| leaf(number + 1)));
        assert_eq!(check(&rebuilt), Finding::Changed { good: 0, size: 8 });
        // The same past, another future.
        let forked = renumbered((0..40).map(|n| if n < 20 { leaf(n) } else { leaf(n + 100) }));
        assert_eq!(check(&forked), Finding::Changed { good: 16, size: 32 });
        let other =
            Checkpoint::new("log", 32, tree(forked.iter().map(|(_, l)| *l).take(32)).root());
        let both = [checkpoints.clone(), vec![other]].concat();
        assert_eq!(walk(&both, &whole()), Err(Finding::Forked { size: 32 }));
    }

    #[test]
    fn a_tail_beyond_all_checkpoints_is_not_vouched_for() {
        let mut changed = whole();
        changed[39].1[0] ^= 1;
        assert_eq!(walk(&kept(&[32]), &changed).map(|audited| audited.signed), Ok(32));
        assert_eq!(walk(&kept(&[40]), &changed), Err(Finding::Changed { good: 0, size: 40 }));
    }

    #[test]
    fn a_part_of_a_log_starts_at_its_edge() {
        let nodes = tree((0..40).map(leaf));
        let part = |edge: Frontier, sizes: &[u64]| {
            let start = edge.size();
            let mut audit = Audit::from(edge, &kept(sizes))?;
            (start..40).try_for_each(|number| audit.event(number, leaf(number)))?;
            audit.finish().map(|audited| audited.signed)
        };
        let edge = |start| Frontier::at(&nodes, start).unwrap();
        assert_eq!(part(edge(10), &[4, 10, 32]), Ok(32));
        assert_eq!(part(edge(10), &[4]), Ok(10));
        let mut bytes = edge(10).to_bytes();
        bytes[20] ^= 1;
        let wrong = Frontier::from_bytes(&bytes).unwrap();
        assert_eq!(part(wrong.clone(), &[32]), Err(Finding::Changed { good: 10, size: 32 }));
        assert_eq!(part(wrong, &[10]), Err(Finding::Changed { good: 10, size: 10 }));
    }
}
