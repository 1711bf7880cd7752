//! The first leaf in which two trees differ, found by their nodes, and what happened there.

use super::{Hash, NodeSource, ProveError, node_hash};

/// What became of an event, seen from the log that is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Another event, or changed bytes, stands in its place.
    Changed,
    /// It is gone, and what follows moved up.
    Removed,
    /// Something that was never logged stands before it.
    Added,
    /// It and the next one changed places.
    Swapped,
    /// The log that was found ends before it.
    Truncated,
    /// The log that is trusted ends before it.
    Appended,
}

/// The first leaf in which two trees of at least this size differ; `None` when their leaves are the same.
/// Asks each side for some 192 nodes at most.
///
/// Fails with [`ProveError::Contradiction`] when the nodes of the trusted side do not hash to each other on
/// the way down. So when [`super::root_at`] of that side is a checkpoint's root, the answer rests on that
/// checkpoint alone, whoever could write the nodes.
pub fn first_difference<A: NodeSource, B: NodeSource<Error = A::Error>>(
    trusted: &A,
    found: &B,
    size: u64,
) -> Result<Option<u64>, ProveError<A::Error>> {
    let mut start = 0_u64;
    for level in (0..64_u8).rev().filter(|level| size & (1 << level) != 0) {
        let index = start >> level;
        let parent = node(trusted, level, index)?;
        if parent != node(found, level, index)? {
            return descend(trusted, found, level, index, parent).map(Some);
        }
        start = start.saturating_add(1 << level);
    }
    Ok(None)
}

/// The first leaf below a node that differs.
fn descend<A: NodeSource, B: NodeSource<Error = A::Error>>(
    trusted: &A,
    found: &B,
    level: u8,
    mut index: u64,
    mut parent: Hash,
) -> Result<u64, ProveError<A::Error>> {
    for below in (0..level).rev() {
        let (left, right) =
            (node(trusted, below, index << 1)?, node(trusted, below, (index << 1) + 1)?);
        if node_hash(&left, &right) != parent {
            return Err(ProveError::Contradiction { level: below + 1, index });
        }
        index <<= 1;
        parent = left;
        if left == node(found, below, index)? {
            index += 1;
            parent = right;
        }
    }
    Ok(index)
}

/// The first place in which two runs of leaves differ, and what happened there; `None` when they are the
/// same.
pub fn compare(trusted: &[Hash], found: &[Hash]) -> Option<(usize, Difference)> {
    let same = trusted.iter().zip(found).take_while(|(trusted, found)| trusted == found).count();
    let (trusted, found) = (trusted.get(same..)?, found.get(same..)?);
    Some((same, classify(trusted, found)?))
}

/// What happened at the first difference, from the hashes of the leaves that stand there on both sides:
/// the one that differs and the next. A log that ends there has none.
///
/// `None` when the first two are the same.
pub fn classify(trusted: &[Hash], found: &[Hash]) -> Option<Difference> {
    let (wanted, seen) = (trusted.first(), found.first());
    if wanted == seen {
        return None;
    }
    let (wanted_next, seen_next) = (trusted.get(1), found.get(1));
    let moved_up = wanted_next.is_some() && wanted_next == seen;
    let moved_down = seen_next.is_some() && seen_next == wanted;
    Some(match (wanted, seen) {
        (_, None) => Difference::Truncated,
        (None, _) => Difference::Appended,
        _ if moved_up && moved_down => Difference::Swapped,
        _ if moved_up => Difference::Removed,
        _ if moved_down => Difference::Added,
        _ => Difference::Changed,
    })
}

fn node<S: NodeSource>(source: &S, level: u8, index: u64) -> Result<Hash, ProveError<S::Error>> {
    let node = source.node(level, index).map_err(ProveError::Source)?;
    node.ok_or(ProveError::Missing { level, index })
}
