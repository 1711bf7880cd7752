//! Roots and proofs, made of stored nodes; at most a few times 64 of them are asked for.
//!
//! Source: <https://www.rfc-editor.org/rfc/rfc6962#section-2.1.1>

use super::{Hash, NodeSource, frontier::root_of_edge, hash::split};

/// Why a proof or root could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E> {
    #[error("leaf {index} is not in a tree of size {size}")]
    IndexBeyondSize { index: u64, size: u64 },
    #[error("a tree of size {old} is not the past of one of size {new}")]
    OldIsLarger { old: u64, new: u64 },
    #[error("stored node {index} of level {level} is missing")]
    Missing { level: u8, index: u64 },
    #[error("stored node {index} of level {level} is not the hash of the two below it")]
    Contradiction { level: u8, index: u64 },
    #[error("stored nodes cannot be read: {0}")]
    Source(E),
}

/// The root that the tree had when it held `size` leaves.
pub fn root_at<S: NodeSource>(source: &S, size: u64) -> Result<Hash, ProveError<S::Error>> {
    Ok(root_of_edge(&edge(source, size)?))
}

/// The hashes that lead from a leaf to the root of the tree of that size, the leaf's sibling first.
pub fn inclusion_proof<S: NodeSource>(
    source: &S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProveError<S::Error>> {
    if index >= size {
        return Err(ProveError::IndexBeyondSize { index, size });
    }
    let mut part = Part { start: 0, leaves: size };
    let mut path = Vec::new();
    while let Some((left, right)) = part.halves() {
        let (inside, beside) =
            if index - part.start < left.leaves { (left, right) } else { (right, left) };
        path.push(beside.root(source)?);
        part = inside;
    }
    path.reverse();
    Ok(path)
}

/// The hashes that show that the tree of size `new` begins with the leaves of the tree of size `old`.
/// Empty when the old tree is empty, or both are the same.
pub fn consistency_proof<S: NodeSource>(
    source: &S,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, ProveError<S::Error>> {
    if old > new {
        return Err(ProveError::OldIsLarger { old, new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut part = Part { start: 0, leaves: new };
    let mut path = Vec::new();
    // Down to the subtree whose last leaf is the old tree's last.
    while part.leaves != old - part.start {
        let Some((left, right)) = part.halves() else { break };
        let (inside, beside) =
            if old - part.start <= left.leaves { (left, right) } else { (right, left) };
        path.push(beside.root(source)?);
        part = inside;
    }
    // When that is the whole old tree, the verifier has its root already.
    if part.start != 0 {
        path.push(part.root(source)?);
    }
    path.reverse();
    Ok(path)
}

/// The roots of the complete subtrees of a tree of that size, the largest first.
pub(super) fn edge<S: NodeSource>(
    source: &S,
    size: u64,
) -> Result<Vec<Hash>, ProveError<S::Error>> {
    Part { start: 0, leaves: size }.edge(source)
}

/// A run of leaves that is a subtree: it starts at a multiple of the power of two that spans it.
#[derive(Clone, Copy)]
struct Part {
    start: u64,
    leaves: u64,
}

impl Part {
    /// `None` for a leaf.
    fn halves(self) -> Option<(Self, Self)> {
        let leaves = split(self.leaves);
        (leaves > 0).then_some((
            Self { start: self.start, leaves },
            Self { start: self.start + leaves, leaves: self.leaves - leaves },
        ))
    }

    fn root<S: NodeSource>(self, source: &S) -> Result<Hash, ProveError<S::Error>> {
        Ok(root_of_edge(&self.edge(source)?))
    }

    fn edge<S: NodeSource>(self, source: &S) -> Result<Vec<Hash>, ProveError<S::Error>> {
        let levels = (0..64_u8).rev().filter(|level| self.leaves & (1 << level) != 0);
        let mut start = self.start;
        levels
            .map(|level| {
                let index = start >> level;
                // The last of them may end where no `u64` counts further; nothing starts there.
                start = start.saturating_add(1 << level);
                let node = source.node(level, index).map_err(ProveError::Source)?;
                node.ok_or(ProveError::Missing { level, index })
            })
            .collect()
    }
}
