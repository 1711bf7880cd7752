//! Where stored nodes come from.

use super::{Frontier, Hash, Node, TreeFull};
use std::convert::Infallible;

/// Gives stored nodes; a store implements it over what it kept.
pub trait NodeSource {
    type Error;

    /// The root of the complete subtree over the leaves `index << level .. (index + 1) << level`;
    /// `None` when it is not there.
    fn node(&self, level: u8, index: u64) -> Result<Option<Hash>, Self::Error>;
}

impl<S: NodeSource + ?Sized> NodeSource for &S {
    type Error = S::Error;

    fn node(&self, level: u8, index: u64) -> Result<Option<Hash>, Self::Error> {
        (**self).node(level, index)
    }
}

/// All stored nodes of a tree in memory: 64 bytes a leaf. For exports and tests, not for a whole log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    frontier: Frontier,
    levels: Vec<Vec<Hash>>,
}

impl Nodes {
    /// Appends the hash of a leaf.
    pub fn append(&mut self, leaf: Hash) -> Result<(), TreeFull> {
        let levels = &mut self.levels;
        self.frontier.append(leaf, |Node { level, hash, .. }| {
            let level = usize::from(level);
            if levels.len() <= level {
                levels.resize_with(level + 1, Vec::new);
            }
            if let Some(row) = levels.get_mut(level) {
                row.push(hash);
            }
        })
    }

    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The right edge at this size.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }
}

impl NodeSource for Nodes {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Option<Hash>, Infallible> {
        let row = self.levels.get(usize::from(level));
        Ok(row.and_then(|row| row.get(usize::try_from(index).ok()?)).copied())
    }
}
