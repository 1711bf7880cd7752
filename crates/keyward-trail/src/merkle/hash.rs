//! Leaf and node hashes. A leaf can never be taken for a node: they start with different bytes.
//!
//! Source: <https://www.rfc-editor.org/rfc/rfc6962#section-2.1>

use sha2::{Digest, Sha256};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

const LEAF: [u8; 1] = [0x00];
const NODE: [u8; 1] = [0x01];

/// The root of the tree without leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Sha256::new().chain_update(LEAF).chain_update(bytes).finalize().into()
}

pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update(NODE).chain_update(left).chain_update(right).finalize().into()
}

/// The largest power of two that is smaller than `leaves`, where a tree of that size parts; 0 below 2.
pub(super) fn split(leaves: u64) -> u64 {
    match leaves {
        0 | 1 => 0,
        _ => 1 << (leaves - 1).ilog2(),
    }
}
