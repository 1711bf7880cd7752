//! The right edge of the tree: what must be remembered to go on appending, and no more.
//!
//! INVARIANT: there is one hash for each bit that is set in the size, the largest subtree first.

use super::{EMPTY_ROOT, Hash, NodeSource, ProveError, node_hash, prove};

const HASH_BYTES: usize = 32;

/// A stored node that an append completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    pub level: u8,
    pub index: u64,
    pub hash: Hash,
}

/// The tree holds as many leaves as a `u64` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tree is full")]
pub struct TreeFull;

/// Why bytes are not a frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    #[error("a frontier starts with a size of 8 bytes")]
    NoSize,
    #[error("a frontier of size {size} has {expected} bytes of hashes, not {found}")]
    Length { size: u64, expected: usize, found: usize },
}

/// The roots of the complete subtrees that the tree consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    edge: Vec<Hash>,
}

impl Frontier {
    /// The empty tree's.
    pub fn new() -> Self {
        Self::default()
    }

    /// The edge that the tree had when it held `size` leaves. Events from there on, appended to it, must
    /// lead to the root of a later checkpoint: so a part of the log is checked without what stands before.
    pub fn at<S: NodeSource>(source: &S, size: u64) -> Result<Self, ProveError<S::Error>> {
        Ok(Self { size, edge: prove::edge(source, size)? })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree as it is now.
    pub fn root(&self) -> Hash {
        root_of_edge(&self.edge)
    }

    /// Appends the hash of a leaf; each stored node that this completes is handed over, leaf first.
    pub fn append(&mut self, leaf: Hash, mut completed: impl FnMut(Node)) -> Result<(), TreeFull> {
        let size = self.size.checked_add(1).ok_or(TreeFull)?;
        let (mut hash, mut index) = (leaf, self.size);
        completed(Node { level: 0, index, hash });
        // Each trailing one of the old size is a subtree of that height, which now has its sibling.
        for level in 1..=self.size.trailing_ones() {
            let Some(left) = self.edge.pop() else { break };
            hash = node_hash(&left, &hash);
            index >>= 1;
            completed(Node { level: u8::try_from(level).unwrap_or(u8::MAX), index, hash });
        }
        self.edge.push(hash);
        self.size = size;
        Ok(())
    }

    /// The size as 8 bytes, big-endian, and the hashes, largest subtree first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.edge.len() * HASH_BYTES);
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes.extend(self.edge.iter().flatten());
        bytes
    }

    /// Fails unless the bytes are exactly those of one frontier.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let (size, hashes) = bytes.split_first_chunk().ok_or(FrontierError::NoSize)?;
        let size = u64::from_be_bytes(*size);
        let expected = usize::try_from(size.count_ones()).unwrap_or(64) * HASH_BYTES;
        let (edge, rest) = hashes.as_chunks::<HASH_BYTES>();
        if hashes.len() != expected || !rest.is_empty() {
            return Err(FrontierError::Length { size, expected, found: hashes.len() });
        }
        Ok(Self { size, edge: edge.to_vec() })
    }
}

/// Folds the subtrees of an edge from the right.
pub(super) fn root_of_edge(edge: &[Hash]) -> Hash {
    let folded = edge.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
    folded.unwrap_or(EMPTY_ROOT)
}
