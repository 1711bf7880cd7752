//! The Merkle tree over the event log: hashes, the growing edge, proofs and their verification.
//!
//! A leaf is the bytes of one event as they are stored; its index is the event's place in the log, from 0.
//! A *stored node* (level, index) is the root of the complete subtree over the leaves
//! `index << level .. (index + 1) << level`. Such a node never changes once it is there, so a store keeps
//! it forever, and every root and every proof is made of such nodes alone.
//! Nothing is kept here: nodes are handed out when they are complete ([`Frontier::append`]) and asked for
//! through [`NodeSource`].
//!
//! INVARIANT: sizes and indexes are any `u64`; no arithmetic here wraps.
//! Source: <https://www.rfc-editor.org/rfc/rfc6962#section-2.1>,
//! verification by <https://www.rfc-editor.org/rfc/rfc9162#section-2.1>.

mod differ;
mod frontier;
mod hash;
mod prove;
mod range;
mod source;
mod verify;

pub use differ::{Difference, classify, compare, first_difference};
pub use frontier::{Frontier, FrontierError, Node, TreeFull};
pub use hash::{EMPTY_ROOT, Hash, leaf_hash, node_hash};
pub use prove::{ProveError, consistency_proof, inclusion_proof, root_at};
pub use range::{RangeError, RangeProof};
pub use source::{NodeSource, Nodes};
pub use verify::{
    ConsistencyError, InclusionError, root_of_inclusion, verify_consistency, verify_inclusion,
};

/// Hashes of an inclusion proof at most: the tree's height.
pub const INCLUSION_HASHES_MAX: usize = 64;

/// Hashes of a consistency proof at most: one more, because the old tree may end inside the last path.
pub const CONSISTENCY_HASHES_MAX: usize = 65;

#[cfg(test)]
mod tests;
