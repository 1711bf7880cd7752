//! A run of events in a larger tree: what an export of part of the log needs beside its events.
//!
//! The edge of the tree before the run, the run's own leaves, and a consistency proof from there to the
//! checkpoint lead to one root; so no leaf can be changed, left out, added or moved, and none before it.

use super::{
    ConsistencyError, Frontier, Hash, NodeSource, ProveError, TreeFull, consistency_proof,
    verify_consistency,
};

/// Shows that a run of leaves stands in a tree, from [`RangeProof::start`] on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeProof {
    frontier: Frontier,
    path: Vec<Hash>,
}

/// Why a run of leaves is not shown to be in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    #[error(transparent)]
    Full(#[from] TreeFull),
    #[error(transparent)]
    Consistency(#[from] ConsistencyError),
}

impl RangeProof {
    /// For the leaves from `start` on, before `end`, in the tree of that size.
    pub fn new<S: NodeSource>(
        source: &S,
        start: u64,
        end: u64,
        size: u64,
    ) -> Result<Self, ProveError<S::Error>> {
        if start > end {
            return Err(ProveError::OldIsLarger { old: start, new: end });
        }
        let path = consistency_proof(source, end, size)?;
        Ok(Self { frontier: Frontier::at(source, start)?, path })
    }

    /// Of its parts, as they were read.
    pub fn of(frontier: Frontier, path: Vec<Hash>) -> Self {
        Self { frontier, path }
    }

    /// The index of the first leaf.
    pub fn start(&self) -> u64 {
        self.frontier.size()
    }

    /// The edge of the tree before the first leaf.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// From the end of the run to the tree.
    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    /// Holds when exactly these leaves stand there in the tree with this size and root.
    pub fn verify(
        &self,
        leaves: impl IntoIterator<Item = Hash>,
        size: u64,
        root: &Hash,
    ) -> Result<(), RangeError> {
        let mut frontier = self.frontier.clone();
        for leaf in leaves {
            frontier.append(leaf, |_| {})?;
        }
        verify_consistency(frontier.size(), &frontier.root(), size, root, &self.path)?;
        Ok(())
    }
}
