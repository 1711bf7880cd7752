//! Known answers of Certificate Transparency's own tree, and an independent implementation as oracle.

use super::*;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash, mem_backed_tree::MemoryBackedTree};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::cell::RefCell;

/// The eight leaves of the tree that all implementations of RFC 6962 test with.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// Their roots, for sizes 1 to 8.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(hex.get(i..i + 2).unwrap(), 16).unwrap())
        .collect()
}

fn hash(hex: &str) -> Hash {
    bytes(hex).try_into().unwrap()
}

fn eight() -> Nodes {
    let mut nodes = Nodes::default();
    for leaf in LEAVES {
        nodes.append(leaf_hash(&bytes(leaf))).unwrap();
    }
    nodes
}

/// A tree of numbered leaves.
fn numbered(size: u64) -> Nodes {
    let mut nodes = Nodes::default();
    for i in 0..size {
        nodes.append(leaf_hash(&i.to_be_bytes())).unwrap();
    }
    nodes
}

#[test]
fn known_roots() {
    assert_eq!(EMPTY_ROOT, <Hash>::from(Sha256::digest(b"")));
    assert_eq!(Frontier::new().root(), EMPTY_ROOT);
    let nodes = eight();
    assert_eq!(root_at(&nodes, 0), Ok(EMPTY_ROOT));
    let mut frontier = Frontier::new();
    for ((leaf, root), size) in LEAVES.iter().zip(ROOTS).zip(1..) {
        frontier.append(leaf_hash(&bytes(leaf)), |_| {}).unwrap();
        assert_eq!(frontier.root(), hash(root), "size {size}");
        assert_eq!(root_at(&nodes, size), Ok(hash(root)), "size {size} from stored nodes");
    }
}

#[test]
fn known_inclusion_proofs() {
    let nodes = eight();
    for (index, size, path) in [
        (0, 1, &[][..]),
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
        (
            1,
            5,
            &[
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ] {
        let path: Vec<Hash> = path.iter().map(|h| hash(h)).collect();
        assert_eq!(inclusion_proof(&nodes, index, size), Ok(path.clone()), "{index} of {size}");
        let leaf = leaf_hash(&bytes(LEAVES[usize::try_from(index).unwrap()]));
        let root = hash(ROOTS[usize::try_from(size).unwrap() - 1]);
        assert_eq!(verify_inclusion(&leaf, index, size, &path, &root), Ok(()));
    }
}

#[test]
fn known_consistency_proofs() {
    let nodes = eight();
    for (old, new, path) in [
        (1, 1, &[][..]),
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ] {
        let path: Vec<Hash> = path.iter().map(|h| hash(h)).collect();
        assert_eq!(consistency_proof(&nodes, old, new), Ok(path.clone()), "{old} to {new}");
        let root = |size: u64| hash(ROOTS[usize::try_from(size).unwrap() - 1]);
        assert_eq!(verify_consistency(old, &root(old), new, &root(new), &path), Ok(()));
    }
}

/// Everything between small sizes holds, and any change to it is noticed.
#[test]
fn every_proof_of_small_trees_holds_and_every_change_is_noticed() {
    let nodes = numbered(34);
    for new in 0..=34 {
        let new_root = root_at(&nodes, new).unwrap();
        for old in 0..=new {
            let path = consistency_proof(&nodes, old, new).unwrap();
            let old_root = root_at(&nodes, old).unwrap();
            assert_eq!(verify_consistency(old, &old_root, new, &new_root, &path), Ok(()));
            if old > 0 {
                consistency_noticed(old, &old_root, new, &new_root, &path);
            }
        }
        for index in 0..new {
            let path = inclusion_proof(&nodes, index, new).unwrap();
            let leaf = leaf_hash(&index.to_be_bytes());
            assert_eq!(verify_inclusion(&leaf, index, new, &path, &new_root), Ok(()));
            inclusion_noticed(&leaf, index, new, &path, &new_root);
        }
    }
}

fn flipped(hash: &Hash) -> Hash {
    let mut other = *hash;
    other[31] ^= 1;
    other
}

fn with_flip(path: &[Hash], place: usize) -> Vec<Hash> {
    let mut other = path.to_vec();
    other[place] = flipped(&other[place]);
    other
}

fn inclusion_noticed(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) {
    use InclusionError::{IndexBeyondSize, RootDiffers, TooLong, TooShort};
    let check = |leaf: &Hash, index, path: &[Hash], root: &Hash| {
        verify_inclusion(leaf, index, size, path, root)
    };
    assert_eq!(check(&flipped(leaf), index, path, root), Err(RootDiffers));
    assert_eq!(check(leaf, index, path, &flipped(root)), Err(RootDiffers));
    assert_eq!(check(leaf, size, path, root), Err(IndexBeyondSize { index: size, size }));
    assert_eq!(check(leaf, index, &[path, &[*leaf]].concat(), root), Err(TooLong));
    if let Some((_, shorter)) = path.split_last() {
        assert_eq!(check(leaf, index, shorter, root), Err(TooShort));
    }
    for place in 0..path.len() {
        assert_eq!(check(leaf, index, &with_flip(path, place), root), Err(RootDiffers));
    }
    for other in (0..size).filter(|other| *other != index) {
        assert!(check(leaf, other, path, root).is_err(), "{index} passes as {other} of {size}");
    }
}

fn consistency_noticed(old: u64, old_root: &Hash, new: u64, new_root: &Hash, path: &[Hash]) {
    let check = |old_root: &Hash, new_root: &Hash, path: &[Hash]| {
        verify_consistency(old, old_root, new, new_root, path)
    };
    assert!(check(&flipped(old_root), new_root, path).is_err());
    assert!(check(old_root, &flipped(new_root), path).is_err());
    let longer = [path, &[*new_root]].concat();
    assert_eq!(check(old_root, new_root, &longer), Err(ConsistencyError::TooLong));
    if let Some((_, shorter)) = path.split_last() {
        assert_eq!(check(old_root, new_root, shorter), Err(ConsistencyError::TooShort));
    }
    for place in 0..path.len() {
        assert!(check(old_root, new_root, &with_flip(path, place)).is_err());
    }
    for other in (1..new).filter(|other| *other != old) {
        let passes = verify_consistency(other, old_root, new, new_root, path).is_ok();
        assert!(!passes, "the root of {old} passes for {other} in {new}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let nodes = numbered(5);
    let root = |size| root_at(&nodes, size).unwrap();
    assert_eq!(
        inclusion_proof(&nodes, 5, 5),
        Err(ProveError::IndexBeyondSize { index: 5, size: 5 })
    );
    assert_eq!(consistency_proof(&nodes, 5, 4), Err(ProveError::OldIsLarger { old: 5, new: 4 }));
    assert_eq!(inclusion_proof(&nodes, 0, 6), Err(ProveError::Missing { level: 1, index: 2 }));
    assert_eq!(root_at(&nodes, 6), Err(ProveError::Missing { level: 1, index: 2 }));
    let check =
        |old, old_root, new, new_root| verify_consistency(old, &old_root, new, &new_root, &[]);
    assert_eq!(
        check(5, root(5), 4, root(4)),
        Err(ConsistencyError::OldIsLarger { old: 5, new: 4 })
    );
    assert_eq!(check(4, root(4), 4, root(5)), Err(ConsistencyError::SameSizeDiffers));
    assert_eq!(check(0, root(1), 4, root(4)), Err(ConsistencyError::NotEmptyRoot));
    assert_eq!(check(0, root(1), 0, root(1)), Err(ConsistencyError::NotEmptyRoot));
    assert_eq!(check(3, root(3), 5, root(5)), Err(ConsistencyError::TooShort));
    let path = consistency_proof(&nodes, 3, 5).unwrap();
    assert_eq!(
        verify_consistency(3, &root(2), 5, &root(5), &path),
        Err(ConsistencyError::OldRootDiffers)
    );
    assert_eq!(
        verify_consistency(3, &root(3), 5, &root(4), &path),
        Err(ConsistencyError::NewRootDiffers)
    );
}

#[test]
fn a_frontier_survives_its_bytes_and_goes_on() {
    for size in 0..70 {
        let nodes = numbered(size);
        let mut read = Frontier::from_bytes(&nodes.frontier().to_bytes()).unwrap();
        assert_eq!(&read, nodes.frontier());
        assert_eq!(Frontier::at(&numbered(size + 3), size), Ok(read.clone()));
        let next = leaf_hash(&size.to_be_bytes());
        let mut more = nodes.clone();
        more.append(next).unwrap();
        read.append(next, |_| {}).unwrap();
        assert_eq!(read.root(), more.root());
    }
    let whole = numbered(3).frontier().to_bytes();
    assert_eq!(Frontier::from_bytes(&whole[..7]), Err(FrontierError::NoSize));
    for wrong in [&whole[..whole.len() - 1], &[&whole[..], &[0; 32]].concat(), &whole[..8]] {
        assert!(matches!(Frontier::from_bytes(wrong), Err(FrontierError::Length { .. })));
    }
}

/// Each stored node is handed over once, and together they are all that there are.
#[test]
fn completed_nodes_are_all_stored_nodes() {
    let mut frontier = Frontier::new();
    let mut seen = std::collections::BTreeMap::new();
    for size in 1..=100_u64 {
        frontier
            .append(leaf_hash(&(size - 1).to_be_bytes()), |node| {
                assert_eq!(seen.insert((node.level, node.index), node.hash), None);
            })
            .unwrap();
        let complete: u64 = (0..64).map(|level| size >> level).sum();
        assert_eq!(seen.len() as u64, complete);
    }
    assert_eq!(seen[&(0, 7)], leaf_hash(&7_u64.to_be_bytes()));
    assert_eq!(seen[&(2, 1)], {
        let leaf = |i: u64| leaf_hash(&i.to_be_bytes());
        node_hash(&node_hash(&leaf(4), &leaf(5)), &node_hash(&leaf(6), &leaf(7)))
    });
}

#[test]
fn a_run_of_leaves_is_shown_to_stand_where_it_does() {
    let nodes = numbered(21);
    let leaves: Vec<Hash> = (0..21_u64).map(|i| leaf_hash(&i.to_be_bytes())).collect();
    for (start, end) in (0..=21_u64).flat_map(|end| (0..=end).map(move |start| (start, end))) {
        let proof = RangeProof::new(&nodes, start, end, 21).unwrap();
        assert_eq!(proof.start(), start);
        let run = &leaves[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()];
        let check = |run: &[Hash]| proof.verify(run.iter().copied(), 21, &nodes.root());
        assert_eq!(check(run), Ok(()), "{start} to {end}");
        if end == 0 {
            // Nothing is said of the empty run at the start.
            continue;
        }
        for at in 0..run.len() {
            let mut other = run.to_vec();
            other[at] = flipped(&other[at]);
            assert!(check(&other).is_err(), "changed");
            other.remove(at);
            assert!(check(&other).is_err(), "removed");
            let mut other = run.to_vec();
            other.insert(at, [7; 32]);
            assert!(check(&other).is_err(), "added");
            if at > 0 {
                let mut other = run.to_vec();
                other.swap(at - 1, at);
                assert!(check(&other).is_err(), "swapped");
            }
        }
        // The same leaves do not pass for a run elsewhere.
        if start > 0 {
            let moved = Frontier::at(&nodes, start - 1).unwrap();
            let moved = RangeProof::of(moved, proof.path().to_vec());
            assert!(moved.verify(run.iter().copied(), 21, &nodes.root()).is_err());
        }
    }
    assert!(matches!(RangeProof::new(&nodes, 3, 2, 21), Err(ProveError::OldIsLarger { .. })));
    assert!(matches!(RangeProof::new(&nodes, 3, 22, 21), Err(ProveError::OldIsLarger { .. })));
}

/// A tree of any size whose leaves are all the same: each level has one hash.
struct Uniform {
    asked: RefCell<Vec<(u8, u64)>>,
    levels: Vec<Hash>,
    size: u64,
}

impl Uniform {
    fn new(size: u64) -> Self {
        let mut levels = vec![leaf_hash(b"same")];
        for level in 1..64 {
            levels.push(node_hash(&levels[level - 1], &levels[level - 1]));
        }
        Self { asked: RefCell::default(), levels, size }
    }
}

impl NodeSource for Uniform {
    type Error = std::convert::Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Option<Hash>, Self::Error> {
        let last = (u128::from(index) + 1) << level;
        assert!(last <= u128::from(self.size), "only complete subtrees are asked for");
        self.asked.borrow_mut().push((level, index));
        Ok(Some(self.levels[usize::from(level)]))
    }
}

#[test]
fn the_largest_sizes_do_not_overflow() {
    for size in [u64::MAX, u64::MAX - 1, (1 << 63) + 1, 1 << 63, (1 << 63) - 1, (1 << 32) + 5] {
        let tree = Uniform::new(size);
        let root = root_at(&tree, size).unwrap();
        for index in [0, 1, size / 2, size - 2, size - 1] {
            let path = inclusion_proof(&tree, index, size).unwrap();
            assert!(path.len() <= INCLUSION_HASHES_MAX);
            assert_eq!(verify_inclusion(&tree.levels[0], index, size, &path, &root), Ok(()));
        }
        for old in [1, 2, 3, size / 3, size / 2, size - 1, size] {
            let path = consistency_proof(&tree, old, size).unwrap();
            assert!(path.len() <= CONSISTENCY_HASHES_MAX);
            let old_root = root_at(&tree, old).unwrap();
            assert_eq!(verify_consistency(old, &old_root, size, &root, &path), Ok(()));
        }
        let asked = tree.asked.borrow().len();
        assert!(asked < 5 * 64 * 2 + 14 * 64 * 2, "{asked} nodes for 10 proofs and 8 roots");
    }
    let bytes = [u64::MAX.to_be_bytes().to_vec(), vec![7; 64 * 32]].concat();
    let mut full = Frontier::from_bytes(&bytes).unwrap();
    let before = full.clone();
    assert_eq!(full.append([0; 32], |_| panic!("nothing is completed")), Err(TreeFull));
    assert_eq!(full, before);
}

/// A tree in whose store one node was overwritten.
struct Forged {
    nodes: Nodes,
    at: (u8, u64),
    hash: Hash,
}

impl NodeSource for Forged {
    type Error = std::convert::Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Option<Hash>, Self::Error> {
        if self.at == (level, index) { Ok(Some(self.hash)) } else { self.nodes.node(level, index) }
    }
}

#[test]
fn the_first_difference_is_found_and_named() {
    use Difference::{Added, Appended, Changed, Removed, Swapped, Truncated};
    let leaves: Vec<Hash> = (0..23_u64).map(|i| leaf_hash(&i.to_be_bytes())).collect();
    let tree = |leaves: &[Hash]| {
        let mut nodes = Nodes::default();
        leaves.iter().for_each(|leaf| nodes.append(*leaf).unwrap());
        nodes
    };
    let told = |found: &[Hash]| {
        let size = found.len().min(leaves.len());
        let at = first_difference(&tree(&leaves), &tree(found), size as u64).unwrap();
        let at = at.map_or(size, |at| usize::try_from(at).unwrap());
        let next = |of: &[Hash]| of.get(at..(at + 2).min(of.len())).unwrap().to_vec();
        let what = classify(&next(&leaves), &next(found));
        assert_eq!(compare(&leaves, found), what.map(|what| (at, what)));
        (at, what)
    };
    assert_eq!(told(&leaves), (23, None));
    for at in 0..22 {
        let mut changed = leaves.clone();
        changed[at] = flipped(&changed[at]);
        assert_eq!(told(&changed), (at, Some(Changed)));
        let mut removed = leaves.clone();
        removed.remove(at);
        assert_eq!(told(&removed), (at, Some(Removed)));
        let mut added = leaves.clone();
        added.insert(at, [9; 32]);
        assert_eq!(told(&added), (at, Some(Added)));
        let mut swapped = leaves.clone();
        swapped.swap(at, at + 1);
        assert_eq!(told(&swapped), (at, Some(Swapped)));
        assert_eq!(told(&leaves[..at]), (at, Some(Truncated)));
    }
    let more = [&leaves[..], &[[9; 32]]].concat();
    assert_eq!(told(&more), (23, Some(Appended)));
    let mut other = leaves.clone();
    other[9] = [9; 32];
    let forged = Forged { nodes: tree(&leaves), at: (1, 4), hash: [1; 32] };
    let trusted = first_difference(&forged, &tree(&other), 23);
    assert_eq!(trusted, Err(ProveError::Contradiction { level: 2, index: 2 }));
    let forged = Forged { nodes: tree(&leaves), at: (0, 9), hash: [1; 32] };
    let trusted = first_difference(&forged, &tree(&other), 23);
    assert_eq!(trusted, Err(ProveError::Contradiction { level: 1, index: 4 }));
    let short = first_difference(&tree(&leaves), &tree(&leaves[..4]), 5);
    assert_eq!(short, Err(ProveError::Missing { level: 0, index: 4 }));
}

fn both(sizes: &[u8]) -> (Nodes, MemoryBackedTree<Sha256, Vec<u8>>) {
    let (mut ours, mut theirs) = (Nodes::default(), MemoryBackedTree::new());
    for (i, len) in sizes.iter().enumerate() {
        let leaf = vec![u8::try_from(i % 251).unwrap(); usize::from(*len)];
        ours.append(leaf_hash(&leaf)).unwrap();
        theirs.push(leaf);
    }
    (ours, theirs)
}

proptest! {
    #[test]
    fn the_same_as_an_independent_tree(
        sizes in prop::collection::vec(any::<u8>(), 1..300), index: prop::sample::Index, old: prop::sample::Index,
    ) {
        let (ours, theirs) = both(&sizes);
        let (size, index) = (sizes.len(), index.index(sizes.len()));
        prop_assert_eq!(ours.root().to_vec(), theirs.root().as_bytes().to_vec());
        let proof = theirs.prove_inclusion(index);
        let path = inclusion_proof(&ours, index as u64, size as u64).unwrap();
        prop_assert_eq!(path.concat(), proof.as_bytes());
        let again = InclusionProof::<Sha256>::from_bytes(path.concat());
        let leaf = theirs.get(index).unwrap();
        theirs.root().verify_inclusion(leaf, index as u64, &again).unwrap();

        let old = old.index(size) + 1;
        let path = consistency_proof(&ours, old as u64, size as u64).unwrap();
        prop_assert_eq!(path.concat(), theirs.prove_consistency(size - old).as_bytes().to_vec());
        let old_root = root_at(&ours, old as u64).unwrap();
        let again = ConsistencyProof::<Sha256>::try_from_bytes(path.concat()).unwrap();
        let old_theirs = RootHash::<Sha256>::new(old_root.into(), old as u64);
        theirs.root().verify_consistency(&old_theirs, &again).unwrap();
        prop_assert_eq!(verify_consistency(old as u64, &old_root, size as u64, &ours.root(), &path), Ok(()));
    }

    #[test]
    fn hostile_proofs_and_frontiers_do_no_harm(
        index: u64, size: u64, old: u64, path in prop::collection::vec(any::<[u8; 32]>(), 0..70), bytes: Vec<u8>,
    ) {
        let hash = [1; 32];
        prop_assert!(verify_inclusion(&hash, index, size, &path, &hash).is_err() || path.is_empty());
        let root = if old == 0 { EMPTY_ROOT } else { hash };
        let _ = verify_consistency(old, &root, size, &hash, &path);
        let read = Frontier::from_bytes(&bytes);
        prop_assert!(read.is_err() || read.unwrap().to_bytes() == bytes);
    }
}
