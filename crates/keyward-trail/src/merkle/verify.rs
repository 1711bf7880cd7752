//! Verification of proofs, with nothing but the proof, the roots and the sizes.
//!
//! Source: <https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.2> and
//! <https://www.rfc-editor.org/rfc/rfc9162#section-2.1.4.2>

use super::{EMPTY_ROOT, Hash, node_hash};

/// Why a leaf is not shown to be in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InclusionError {
    #[error("leaf {index} is not in a tree of size {size}")]
    IndexBeyondSize { index: u64, size: u64 },
    #[error("the proof has too few hashes for this leaf and size")]
    TooShort,
    #[error("the proof has too many hashes for this leaf and size")]
    TooLong,
    #[error("the proof leads to another root")]
    RootDiffers,
}

/// Why a tree is not shown to be the past of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsistencyError {
    #[error("a tree of size {old} is not the past of one of size {new}")]
    OldIsLarger { old: u64, new: u64 },
    #[error("two trees of one size have different roots")]
    SameSizeDiffers,
    #[error("the root of the empty tree is wrong")]
    NotEmptyRoot,
    #[error("the proof has too few hashes for these sizes")]
    TooShort,
    #[error("the proof has too many hashes for these sizes")]
    TooLong,
    #[error("the proof does not lead to the root of the old tree")]
    OldRootDiffers,
    #[error("the proof does not lead to the root of the new tree")]
    NewRootDiffers,
}

/// Holds when the leaf with this hash stands at `index` in the tree with this size and root.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), InclusionError> {
    let found = root_of_inclusion(leaf, index, size, path)?;
    if found == *root { Ok(()) } else { Err(InclusionError::RootDiffers) }
}

/// The root that a proof leads to.
pub fn root_of_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
) -> Result<Hash, InclusionError> {
    if index >= size {
        return Err(InclusionError::IndexBeyondSize { index, size });
    }
    let mut walk = Walk { inside: index, last: size - 1 };
    let mut root = *leaf;
    for beside in path {
        match walk.up().ok_or(InclusionError::TooLong)? {
            Side::Left => root = node_hash(beside, &root),
            Side::Right => root = node_hash(&root, beside),
        }
    }
    if walk.last == 0 { Ok(root) } else { Err(InclusionError::TooShort) }
}

/// Holds when the tree of size `new` begins with exactly the leaves of the tree of size `old`.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    path: &[Hash],
) -> Result<(), ConsistencyError> {
    if old > new {
        return Err(ConsistencyError::OldIsLarger { old, new });
    }
    if [(old, old_root), (new, new_root)].iter().any(|(size, r)| *size == 0 && **r != EMPTY_ROOT) {
        return Err(ConsistencyError::NotEmptyRoot);
    }
    if old == 0 || old == new {
        return trivial(old, old_root, new, new_root, path);
    }
    // A complete old tree is a stored node of the new one, and its root needs no repeating.
    let (first, rest) = match path.split_first() {
        _ if old.is_power_of_two() => (old_root, path),
        Some(parts) => parts,
        None => return Err(ConsistencyError::TooShort),
    };
    let complete = (old - 1).trailing_ones();
    let mut walk = Walk { inside: (old - 1) >> complete, last: (new - 1) >> complete };
    let (mut old_found, mut new_found) = (*first, *first);
    for beside in rest {
        match walk.up().ok_or(ConsistencyError::TooLong)? {
            Side::Left => {
                old_found = node_hash(beside, &old_found);
                new_found = node_hash(beside, &new_found);
            }
            Side::Right => new_found = node_hash(&new_found, beside),
        }
    }
    if walk.last != 0 {
        return Err(ConsistencyError::TooShort);
    }
    if old_found != *old_root {
        return Err(ConsistencyError::OldRootDiffers);
    }
    if new_found == *new_root { Ok(()) } else { Err(ConsistencyError::NewRootDiffers) }
}

fn trivial(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    path: &[Hash],
) -> Result<(), ConsistencyError> {
    if !path.is_empty() {
        return Err(ConsistencyError::TooLong);
    }
    if old == new && old_root != new_root {
        return Err(ConsistencyError::SameSizeDiffers);
    }
    Ok(())
}

/// Where the next hash of a proof stands, seen from what is proved.
enum Side {
    Left,
    Right,
}

/// The way from a node to the root, on the right edge shorter than elsewhere.
struct Walk {
    /// Index of the node on its level.
    inside: u64,
    /// Index of the last node on that level.
    last: u64,
}

impl Walk {
    /// `None` at the root.
    fn up(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.inside & 1 == 1 || self.inside == self.last {
            // A last node without sibling stands for its parents too, up to where it is a right child.
            let alone = self.inside.trailing_zeros();
            self.shift(alone);
            Side::Left
        } else {
            Side::Right
        };
        self.shift(1);
        Some(side)
    }

    fn shift(&mut self, levels: u32) {
        self.inside = self.inside.checked_shr(levels).unwrap_or(0);
        self.last = self.last.checked_shr(levels).unwrap_or(0);
    }
}
