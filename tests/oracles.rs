//! The tree, its proofs and tiles, and the notes, held against other people's implementations:
//! tlog_tiles (Cloudflare's port of Go's), ct-merkle and signed_note.
//!
//! Every size from 1 to 600 exhaustively, thousands of random trees beyond, and changed proofs
//! and notes, which must fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::{BTreeSet, HashMap};

use arborlog::crypto::{PublicKey, SigningKey};
use arborlog::merkle::{
    Bundle, BundleError, ENTRY_BYTES_MAX, Frontier, HASH_BYTES, Hash, HashTile, Level, Node,
    PROOF_HASHES_MAX, ProofError, TILE_HASHES, TileId, consistency_ranges, fold_nodes,
    inclusion_ranges, leaf_hash, node_hash, range_nodes, root_of, verify_consistency,
    verify_inclusion,
};
use arborlog::note::{
    Checkpoint, CheckpointError, Cosignature, KeyName, NoteError, SignatureType, SignedNote,
    TreeHead, VerifierKey, VkeyError, cosign,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use sha2::Sha256;
use signed_note::{Note, Signer as _, StandardSigner, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::{HashReader, Tile, TileHashReader, TileReader};

const EXHAUSTIVE: u64 = 600;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..Default::default()
    }
}

// ---- Trees ----

/// What a leaf of the test trees says: cheap, and different for every tree and index.
fn content(seed: u64, index: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..].copy_from_slice(&index.to_be_bytes());
    bytes
}

/// All complete subtrees, level by level; the nodes of any smaller tree are among them.
struct Tree {
    seed: u64,
    rows: Vec<Vec<Hash>>,
}

impl Tree {
    fn new(seed: u64, size: u64) -> Self {
        let mut rows = vec![Vec::new()];
        rows[0].extend((0..size).map(|index| leaf_hash(&content(seed, index))));
        while rows.last().unwrap().len() > 1 {
            let (pairs, _) = rows.last().unwrap().as_chunks::<2>();
            rows.push(
                pairs
                    .iter()
                    .map(|[left, right]| node_hash(left, right))
                    .collect(),
            );
        }
        Self { seed, rows }
    }

    fn content(&self, index: u64) -> [u8; 16] {
        content(self.seed, index)
    }
}

/// Anything that knows the hash of every complete subtree.
trait Nodes {
    fn node(&self, node: Node) -> Hash;

    fn range(&self, (start, end): (u64, u64)) -> Hash {
        fold_nodes(
            range_nodes(start, end)
                .into_iter()
                .map(|node| self.node(node)),
        )
        .unwrap()
    }

    fn root(&self, size: u64) -> Hash {
        self.range((0, size))
    }

    fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        let ranges = inclusion_ranges(index, size).unwrap();
        ranges.into_iter().map(|range| self.range(range)).collect()
    }

    fn consistency(&self, from: u64, to: u64) -> Vec<Hash> {
        let ranges = consistency_ranges(from, to).unwrap();
        ranges.into_iter().map(|range| self.range(range)).collect()
    }
}

impl Nodes for Tree {
    fn node(&self, node: Node) -> Hash {
        self.rows[usize::from(node.level)][node.index as usize]
    }
}

/// tlog_tiles asks for nodes by its own numbering.
struct ForTlog<'a, T>(&'a T);

impl<T: Nodes> HashReader for ForTlog<'_, T> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let node = |index: &u64| {
            let (level, index) = tlog_tiles::split_stored_hash_index(*index);
            theirs(&self.0.node(Node { level, index }))
        };
        Ok(indexes.iter().map(node).collect())
    }
}

/// tlog_tiles' own storage, filled by its own functions.
#[derive(Default)]
struct TlogStorage(Vec<tlog_tiles::Hash>);

impl TlogStorage {
    fn push(&mut self, index: u64, leaf: &[u8]) {
        let hashes = tlog_tiles::stored_hashes(index, leaf, self).unwrap();
        self.0.extend(hashes);
    }
}

impl HashReader for TlogStorage {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes
            .iter()
            .map(|index| self.0[*index as usize])
            .collect())
    }
}

fn theirs(hash: &Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*hash.as_bytes())
}

fn from_tlog(hashes: &[tlog_tiles::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash::from_bytes(hash.0)).collect()
}

fn from_ct(bytes: &[u8]) -> Vec<Hash> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    assert!(rest.is_empty());
    hashes.iter().map(|hash| Hash::from_bytes(*hash)).collect()
}

fn concat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn ct_root(root: &Hash, size: u64) -> RootHash<Sha256> {
    RootHash::new((*root.as_bytes()).into(), size)
}

/// The verdicts of tlog_tiles and ct-merkle, which must be one.
fn oracles_on_inclusion(leaf: &[u8], index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    let hashes = proof.iter().map(theirs).collect();
    let leaf_hash = tlog_tiles::record_hash(leaf);
    let tlog = tlog_tiles::check_record(&hashes, size, theirs(root), index, leaf_hash).is_ok();
    let ct = InclusionProof::try_from_bytes(concat(proof)).unwrap();
    let ct = ct_root(root, size)
        .verify_inclusion(&leaf, index, &ct)
        .is_ok();
    assert_eq!(tlog, ct, "the oracles differ on leaf {index} of {size}");
    tlog
}

fn oracles_on_consistency(
    from: u64,
    from_root: &Hash,
    to: u64,
    to_root: &Hash,
    proof: &[Hash],
) -> bool {
    let hashes = proof.iter().map(theirs).collect();
    let tlog =
        tlog_tiles::check_tree(&hashes, to, theirs(to_root), from, theirs(from_root)).is_ok();
    let ct = ConsistencyProof::try_from_bytes(concat(proof)).unwrap();
    let ct = ct_root(to_root, to)
        .verify_consistency(&ct_root(from_root, from), &ct)
        .is_ok();
    assert_eq!(tlog, ct, "the oracles differ on {from} to {to}");
    tlog
}

/// The root as RFC 6962, section 2.1, defines it.
fn by_definition(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::empty_root(),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            node_hash(&by_definition(&leaves[..k]), &by_definition(&leaves[k..]))
        }
    }
}

#[test]
fn roots_of_every_size_to_600() {
    let tree = Tree::new(1, EXHAUSTIVE);
    let mut storage = TlogStorage::default();
    let mut ct = MemoryBackedTree::<Sha256, [u8; 16]>::new();
    let mut frontier = Frontier::default();
    for size in 0..=EXHAUSTIVE {
        let leaves = &tree.rows[0][..size as usize];
        let root = frontier.root();
        assert_eq!(frontier.size(), size);
        assert_eq!(root, by_definition(leaves), "{size}");
        assert_eq!(root, root_of(leaves.iter().copied()), "{size}");
        assert_eq!(
            theirs(&root),
            tlog_tiles::tree_hash(size, &storage).unwrap(),
            "{size}"
        );
        assert_eq!(root.as_bytes()[..], ct.root().as_bytes()[..], "{size}");
        if size > 0 {
            assert_eq!(root, tree.root(size), "{size}");
        }
        // A frontier made from the nodes of a kept tree is the same.
        let peaks: Vec<Hash> = range_nodes(0, size)
            .into_iter()
            .map(|node| tree.node(node))
            .collect();
        assert_eq!(
            Frontier::from_peaks(size, peaks.clone()),
            Some(frontier.clone()),
            "{size}"
        );
        assert_eq!(
            Frontier::from_peaks(size, [&peaks[..], &[root]].concat()),
            None,
            "{size}"
        );
        if let Some((_, fewer)) = peaks.split_last() {
            assert_eq!(Frontier::from_peaks(size, fewer.to_vec()), None, "{size}");
        }
        if size < EXHAUSTIVE {
            frontier.push(tree.rows[0][size as usize]);
            storage.push(size, &tree.content(size));
            ct.push(tree.content(size));
        }
    }
    assert_eq!(theirs(&Hash::empty_root()), tlog_tiles::EMPTY_HASH);
}

#[test]
fn inclusion_proofs_of_every_leaf_of_every_size_to_600() {
    let tree = Tree::new(2, EXHAUSTIVE);
    let mut storage = TlogStorage::default();
    let mut ct = MemoryBackedTree::<Sha256, [u8; 16]>::new();
    for size in 1..=EXHAUSTIVE {
        storage.push(size - 1, &tree.content(size - 1));
        ct.push(tree.content(size - 1));
        let root = tree.root(size);
        for index in 0..size {
            let proof = tree.inclusion(index, size);
            let tlog = tlog_tiles::prove_record(size, index, &storage).unwrap();
            assert_eq!(proof, from_tlog(&tlog), "{index} of {size}");
            let theirs = ct.prove_inclusion(index as usize);
            assert_eq!(concat(&proof), theirs.as_bytes(), "{index} of {size}");
            let leaf = tree.content(index);
            verify_inclusion(leaf_hash(&leaf), index, size, &proof, &root).unwrap();
            assert!(oracles_on_inclusion(&leaf, index, size, &proof, &root));
        }
        for outside in [size, size + 1, u64::MAX] {
            let error = ProofError::OutOfTree {
                index: outside,
                size,
            };
            assert_eq!(inclusion_ranges(outside, size), Err(error));
            assert_eq!(
                verify_inclusion(root, outside, size, &[], &root),
                Err(error)
            );
        }
    }
    let nothing = ProofError::OutOfTree { index: 0, size: 0 };
    assert_eq!(inclusion_ranges(0, 0), Err(nothing));
    let root = Hash::empty_root();
    assert_eq!(verify_inclusion(root, 0, 0, &[], &root), Err(nothing));
}

#[test]
fn consistency_proofs_of_every_two_sizes_to_600() {
    let tree = Tree::new(3, EXHAUSTIVE);
    let roots: Vec<Hash> = (0..=EXHAUSTIVE)
        .map(|size| root_of(tree.rows[0][..size as usize].to_vec()))
        .collect();
    let mut storage = TlogStorage::default();
    let mut ct = MemoryBackedTree::<Sha256, [u8; 16]>::new();
    for to in 1..=EXHAUSTIVE {
        storage.push(to - 1, &tree.content(to - 1));
        ct.push(tree.content(to - 1));
        let to_root = &roots[to as usize];
        for from in 1..=to {
            let from_root = &roots[from as usize];
            let proof = tree.consistency(from, to);
            let tlog = tlog_tiles::prove_tree(to, from, &storage).unwrap();
            assert_eq!(proof, from_tlog(&tlog), "{from} to {to}");
            let theirs = ct.prove_consistency((to - from) as usize);
            assert_eq!(concat(&proof), theirs.as_bytes(), "{from} to {to}");
            verify_consistency(from, from_root, to, to_root, &proof).unwrap();
            assert!(oracles_on_consistency(from, from_root, to, to_root, &proof));
        }
        // An empty tree is the beginning of any, and none of its own proofs has hashes.
        assert_eq!(consistency_ranges(0, to), Ok(Vec::new()));
        verify_consistency(0, &roots[0], to, to_root, &[]).unwrap();
        let root = ProofError::RootMismatch;
        assert_eq!(verify_consistency(0, to_root, to, to_root, &[]), Err(root));
        let length = ProofError::Length { found: 1 };
        assert_eq!(
            verify_consistency(0, &roots[0], to, to_root, &[roots[1]]),
            Err(length)
        );
        assert_eq!(
            verify_consistency(to, to_root, to, to_root, &[*to_root]),
            Err(length)
        );
        let reversed = ProofError::SizesReversed {
            from: to,
            to: to - 1,
        };
        assert_eq!(consistency_ranges(to, to - 1), Err(reversed));
        let before = &roots[to as usize - 1];
        assert_eq!(
            verify_consistency(to, to_root, to - 1, before, &[]),
            Err(reversed)
        );
    }
    verify_consistency(0, &roots[0], 0, &roots[0], &[]).unwrap();
    assert_eq!(
        verify_consistency(0, &roots[1], 0, &roots[0], &[]),
        Err(ProofError::RootMismatch)
    );
}

/// Both proofs of one place, against both oracles.
fn check_place(nodes: &impl Nodes, leaf: &[u8], index: u64, from: u64, size: u64) {
    let (root, from_root) = (nodes.root(size), nodes.root(from));
    let proof = nodes.inclusion(index, size);
    assert!(proof.len() <= PROOF_HASHES_MAX);
    let tlog = tlog_tiles::prove_record(size, index, &ForTlog(nodes)).unwrap();
    assert_eq!(proof, from_tlog(&tlog), "{index} of {size}");
    verify_inclusion(leaf_hash(leaf), index, size, &proof, &root).unwrap();
    assert!(
        oracles_on_inclusion(leaf, index, size, &proof, &root),
        "{index} of {size}"
    );

    let proof = nodes.consistency(from, size);
    assert!(proof.len() <= PROOF_HASHES_MAX);
    let tlog = tlog_tiles::prove_tree(size, from, &ForTlog(nodes)).unwrap();
    assert_eq!(proof, from_tlog(&tlog), "{from} to {size}");
    verify_consistency(from, &from_root, size, &root, &proof).unwrap();
    assert!(
        oracles_on_consistency(from, &from_root, size, &root, &proof),
        "{from} to {size}"
    );
}

proptest! {
    #![proptest_config(cases(2500))]

    #[test]
    fn random_trees_agree(
        seed: u64,
        size in 601..2500_u64,
        places in proptest::collection::vec((any::<u64>(), any::<u64>()), 3),
    ) {
        let tree = Tree::new(seed, size);
        let root = root_of(tree.rows[0].iter().copied());
        prop_assert_eq!(root, tree.root(size));
        prop_assert_eq!(theirs(&root), tlog_tiles::tree_hash(size, &ForTlog(&tree)).unwrap());
        for (index, from) in places {
            let (index, from) = (index % size, from % size + 1);
            check_place(&tree, &tree.content(index), index, from, size);
        }
    }
}

#[test]
fn large_trees_agree() {
    let mut sizes = vec![
        65_535, 65_536, 65_537, 70_000, 131_071, 131_072, 199_999, 200_000,
    ];
    sizes.extend((1..12_u64).map(|n| 600 + n * n * 1_600));
    for (number, size) in (1..).zip(sizes) {
        let tree = Tree::new(number, size);
        let root = root_of(tree.rows[0].iter().copied());
        assert_eq!(root, tree.root(size));
        assert_eq!(
            theirs(&root),
            tlog_tiles::tree_hash(size, &ForTlog(&tree)).unwrap()
        );
        for step in 0..60_u64 {
            let index = match step {
                0..6 => step.min(size - 1),
                6..12 => size - 1 - (step - 6),
                _ => step.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size,
            };
            let from = (index + 1) & if step % 2 == 0 { u64::MAX } else { !0xff };
            check_place(&tree, &tree.content(index), index, from.max(1), size);
        }
    }
}

/// ct-merkle's own tree, which is slow to fill, at a few thousand leaves.
#[test]
fn large_trees_of_ct_merkle_agree() {
    let size = 20_000;
    let tree = Tree::new(77, size);
    let mut ct = MemoryBackedTree::<Sha256, [u8; 16]>::new();
    for index in 0..size {
        ct.push(tree.content(index));
    }
    assert_eq!(tree.root(size).as_bytes()[..], ct.root().as_bytes()[..]);
    for index in (0..size).step_by(37).chain([size - 1]) {
        let theirs = ct.prove_inclusion(index as usize);
        assert_eq!(
            tree.inclusion(index, size),
            from_ct(theirs.as_bytes()),
            "{index}"
        );
        let theirs = ct.prove_consistency((size - 1 - index) as usize);
        assert_eq!(
            tree.consistency(index + 1, size),
            from_ct(theirs.as_bytes()),
            "{index}"
        );
    }
}

/// A tree of any size, by halves that are alike: its leaves say 0, then 1 from the first cut on,
/// then 2, and so on. Every node follows from the cuts.
struct Vast {
    cuts: Vec<u64>,
    alike: Vec<Vec<Hash>>,
}

impl Vast {
    fn new(mut cuts: Vec<u64>) -> Self {
        cuts.sort_unstable();
        let alike = (0..=cuts.len() as u8)
            .map(|says| {
                let mut row = vec![leaf_hash(&[says])];
                for level in 0..63 {
                    row.push(node_hash(&row[level], &row[level]));
                }
                row
            })
            .collect();
        Self { cuts, alike }
    }

    fn says(&self, index: u64) -> u8 {
        self.cuts.partition_point(|cut| *cut <= index) as u8
    }
}

impl Nodes for Vast {
    fn node(&self, Node { level, index }: Node) -> Hash {
        let (first, last) = (index << level, ((index + 1) << level) - 1);
        let says = self.says(first);
        if says == self.says(last) {
            return self.alike[usize::from(says)][usize::from(level)];
        }
        let child = |index| {
            self.node(Node {
                level: level - 1,
                index,
            })
        };
        node_hash(&child(2 * index), &child(2 * index + 1))
    }
}

proptest! {
    #![proptest_config(cases(4000))]

    /// Sizes up to 2^62, which no test can fill: ct-merkle ends at 2^63, tlog_tiles' numbering
    /// of nodes before it.
    #[test]
    fn vast_trees_agree(
        bits in 1..=62_u32,
        size: u64,
        index: u64,
        from: u64,
        cuts in proptest::collection::vec(any::<u64>(), 0..4),
        near in 0..4_u8,
    ) {
        let size = size % (1 << bits) + 1;
        let from = from % size + 1;
        // Half the time the places are beside each other, where mistakes by one would show.
        let index = match near {
            0 => from - 1,
            1 => from % size,
            _ => index % size,
        };
        let mut cuts: Vec<u64> = cuts.into_iter().map(|cut| cut % size).collect();
        cuts.extend([index, index + 1]);
        let tree = Vast::new(cuts);
        prop_assert_eq!(
            theirs(&tree.root(size)),
            tlog_tiles::tree_hash(size, &ForTlog(&tree)).unwrap()
        );
        check_place(&tree, &[tree.says(index)], index, from, size);
    }

    /// The ranges up to the last size there is: no panic, and never more hashes than announced.
    #[test]
    fn ranges_of_any_size_are_whole(a: u64, b: u64, shift in 0..64_u32) {
        let size = (a >> shift).max(1);
        let index = b % size;
        let ranges = inclusion_ranges(index, size).unwrap();
        prop_assert!(ranges.len() <= PROOF_HASHES_MAX);
        // With the leaf they part the tree.
        let mut parts: Vec<(u64, u64)> = ranges;
        parts.push((index, index + 1));
        parts.sort_unstable();
        prop_assert_eq!(parts[0].0, 0);
        prop_assert_eq!(parts[parts.len() - 1].1, size);
        prop_assert!(parts.windows(2).all(|two| two[0].1 == two[1].0));

        let from = index + 1;
        let ranges = consistency_ranges(from, size).unwrap();
        prop_assert!(ranges.len() <= PROOF_HASHES_MAX);
        let nodes: Vec<Node> =
            ranges.iter().flat_map(|(start, end)| range_nodes(*start, *end)).collect();
        for (start, end) in &ranges {
            let nodes = range_nodes(*start, *end);
            let leaves: u64 = nodes.iter().map(|node| 1_u64 << node.level).sum();
            prop_assert_eq!(leaves, end - start);
            prop_assert_eq!(nodes[0].index << nodes[0].level, *start);
        }
        // No range of either proof reaches across the old tree's end.
        prop_assert!(ranges.iter().all(|(start, end)| *end <= from || *start >= from));
        for node in nodes {
            let tile = TileId::holding(node, size).expect("every node of a proof is in a tile");
            prop_assert!(tile.is_in_tree(size));
        }
    }
}

#[test]
fn proofs_at_the_last_sizes_there_are() {
    let edges = [
        0,
        1,
        2,
        255,
        256,
        1 << 32,
        (1 << 63) - 1,
        1 << 63,
        (1 << 63) + 1,
        u64::MAX - 1,
    ];
    for size in [
        (1 << 62) + 1,
        (1 << 63) - 1,
        1 << 63,
        (1 << 63) + 1,
        u64::MAX - 1,
        u64::MAX,
    ] {
        for index in edges.into_iter().filter(|index| *index < size) {
            let proof = vec![Hash::default(); inclusion_ranges(index, size).unwrap().len()];
            let root = Hash::default();
            let verdict = verify_inclusion(Hash::default(), index, size, &proof, &root);
            assert_eq!(verdict, Err(ProofError::RootMismatch), "{index} of {size}");
            let longer = vec![Hash::default(); proof.len() + 1];
            let verdict = verify_inclusion(Hash::default(), index, size, &longer, &root);
            assert_eq!(
                verdict,
                Err(ProofError::Length {
                    found: longer.len()
                })
            );

            let from = index + 1;
            let proof = vec![Hash::default(); consistency_ranges(from, size).unwrap().len()];
            let other = leaf_hash(b"");
            let verdict = verify_consistency(from, &other, size, &root, &proof);
            assert_eq!(verdict, Err(ProofError::RootMismatch), "{from} to {size}");
            let longer = vec![Hash::default(); proof.len() + 1];
            let verdict = verify_consistency(from, &other, size, &root, &longer);
            assert_eq!(
                verdict,
                Err(ProofError::Length {
                    found: longer.len()
                })
            );
        }
    }
}

// ---- Changed proofs ----

/// A change to a list of hashes. Each gives another list, or none where there is nothing to
/// change.
#[derive(Clone, Copy, Debug)]
enum Change {
    Flip { place: usize, bit: usize },
    Drop { place: usize },
    Add { place: usize, copy: bool },
    Swap { a: usize, b: usize },
    Reverse,
    Replace { place: usize },
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (any::<usize>(), 0..256_usize).prop_map(|(place, bit)| Change::Flip { place, bit }),
        2 => any::<usize>().prop_map(|place| Change::Drop { place }),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(place, copy)| Change::Add { place, copy }),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Change::Swap { a, b }),
        1 => Just(Change::Reverse),
        1 => any::<usize>().prop_map(|place| Change::Replace { place }),
    ]
}

fn flip(hash: &Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8 % HASH_BYTES] ^= 1 << (bit % 8);
    Hash::from_bytes(bytes)
}

impl Change {
    fn apply(self, proof: &[Hash], root: &Hash) -> Option<Vec<Hash>> {
        let mut changed = proof.to_vec();
        let length = proof.len();
        match self {
            Self::Flip { place, bit } if length > 0 => {
                changed[place % length] = flip(&proof[place % length], bit);
            }
            Self::Drop { place } if length > 0 => {
                changed.remove(place % length);
            }
            Self::Add { place, copy } => {
                let hash = if copy && length > 0 {
                    proof[place % length]
                } else {
                    *root
                };
                changed.insert(place % (length + 1), hash);
            }
            Self::Swap { a, b } if length > 0 => changed.swap(a % length, b % length),
            Self::Reverse => changed.reverse(),
            Self::Replace { place } if length > 0 => changed[place % length] = *root,
            _ => return None,
        }
        (changed != proof).then_some(changed)
    }
}

/// On which side of the path each hash of an inclusion proof stands.
fn sides(index: u64, size: u64) -> Vec<bool> {
    inclusion_ranges(index, size)
        .unwrap()
        .iter()
        .map(|(start, _)| *start < index)
        .collect()
}

proptest! {
    #![proptest_config(cases(6000))]

    #[test]
    fn changed_inclusion_proofs_fail(
        seed: u64,
        size in 1..400_u64,
        index: u64,
        other: u64,
        bit in 0..256_usize,
        change in change(),
    ) {
        let tree = Tree::new(seed, 400);
        let (index, leaf) = (index % size, tree.content(index % size));
        let (proof, root) = (tree.inclusion(index, size), tree.root(size));
        let ours = |leaf: &[u8], index, size, proof: &[Hash], root: &Hash| {
            let verdict = verify_inclusion(leaf_hash(leaf), index, size, proof, root).is_ok();
            assert_eq!(verdict, oracles_on_inclusion(leaf, index, size, proof, root));
            verdict
        };
        prop_assert!(ours(&leaf, index, size, &proof, &root));

        if let Some(changed) = change.apply(&proof, &root) {
            prop_assert!(!ours(&leaf, index, size, &changed, &root), "{change:?}");
        }
        prop_assert!(!ours(&leaf, index, size, &proof, &flip(&root, bit)));
        prop_assert!(!ours(&leaf[1..], index, size, &proof, &root));
        // Another leaf in its place, and it in another's place.
        let another = other % size;
        if another != index {
            prop_assert!(!ours(&tree.content(another), index, size, &proof, &root));
            prop_assert!(!ours(&leaf, another, size, &proof, &root));
        }
        prop_assert!(!ours(&leaf, size, size, &proof, &root));
        prop_assert!(!ours(&leaf, index + size, size, &proof, &root));
        // Another size: with that size's root it fails. With the same root it fails wherever the
        // path has another shape; where it has not, the checkpoint says which size is meant.
        let another = other % 400 + 1;
        if another != size {
            prop_assert!(!ours(&leaf, index, another, &proof, &tree.root(another)));
            if index < another {
                let alike = sides(index, size) == sides(index, another);
                prop_assert_eq!(ours(&leaf, index, another, &proof, &root), alike);
            }
        }
    }

    #[test]
    fn changed_consistency_proofs_fail(
        seed: u64,
        to in 1..400_u64,
        from: u64,
        other: u64,
        bit in 0..256_usize,
        change in change(),
    ) {
        let tree = Tree::new(seed, 400);
        let from = from % to + 1;
        let (from_root, to_root) = (tree.root(from), tree.root(to));
        let proof = tree.consistency(from, to);
        let ours = |from, from_root: &Hash, to, to_root: &Hash, proof: &[Hash]| {
            let verdict = verify_consistency(from, from_root, to, to_root, proof).is_ok();
            assert_eq!(verdict, oracles_on_consistency(from, from_root, to, to_root, proof));
            verdict
        };
        prop_assert!(ours(from, &from_root, to, &to_root, &proof));

        if let Some(changed) = change.apply(&proof, &to_root) {
            prop_assert!(!ours(from, &from_root, to, &to_root, &changed), "{change:?}");
        }
        prop_assert!(!ours(from, &flip(&from_root, bit), to, &to_root, &proof));
        prop_assert!(!ours(from, &from_root, to, &flip(&to_root, bit), &proof));
        if from != to {
            prop_assert!(!ours(from, &to_root, to, &from_root, &proof));
            prop_assert!(!ours(to, &to_root, from, &from_root, &proof));
            prop_assert!(!ours(from, &from_root, from, &to_root, &proof));
        }
        let another = other % 400 + 1;
        if another != from && another <= to {
            prop_assert!(!ours(another, &tree.root(another), to, &to_root, &proof));
            // With the same root it need not fail for every size, but must as the oracles say.
            ours(another, &from_root, to, &to_root, &proof);
        }
        if another != to && another >= from {
            prop_assert!(!ours(from, &from_root, another, &tree.root(another), &proof));
            ours(from, &from_root, another, &to_root, &proof);
        }
    }

    /// A log that changed one leaf, or hid one, can't prove the old tree a beginning of the new.
    #[test]
    fn a_rewritten_log_proves_nothing(
        seed: u64,
        to in 2..300_u64,
        from: u64,
        changed: u64,
    ) {
        let honest = Tree::new(seed, to);
        let from = from % to + 1;
        let mut leaves = honest.rows[0].clone();
        let place = (changed % from) as usize;
        leaves[place] = flip(&leaves[place], changed as usize % 256);
        let rewritten = by_definition(&leaves);
        let proof = honest.consistency(from, to);
        prop_assert_eq!(
            verify_consistency(from, &honest.root(from), to, &rewritten, &proof).is_ok(),
            false
        );
    }
}

// ---- Tiles ----

/// The tiles of a tree of `size`, by the standard's formula, from a tree's leaves.
struct Tiles<'a> {
    tree: &'a Tree,
    size: u64,
}

impl Tiles<'_> {
    fn bytes(&self, id: TileId) -> Vec<u8> {
        let Level::Hashes(level) = id.level() else {
            panic!("{id} is a bundle")
        };
        assert!(id.is_in_tree(self.size), "{id} in a tree of {}", self.size);
        let first = (id.number() * TILE_HASHES) as usize;
        // MTH(D[(n·256 + i)·256^l : (n·256 + i + 1)·256^l])
        concat(&self.tree.rows[usize::from(level) * 8][first..first + usize::from(id.width())])
    }

    /// As the log's reader does.
    fn hashes(&self, ranges: &[(u64, u64)]) -> Vec<Hash> {
        let mut tiles: HashMap<TileId, HashTile> = HashMap::new();
        let mut node = |node: Node| {
            let id = TileId::holding(node, self.size).unwrap();
            let tile = tiles
                .entry(id)
                .or_insert_with(|| HashTile::parse(&id, &self.bytes(id)).unwrap());
            tile.node(node).unwrap()
        };
        ranges
            .iter()
            .map(|(start, end)| {
                let hashes: Vec<Hash> = range_nodes(*start, *end)
                    .into_iter()
                    .map(&mut node)
                    .collect();
                fold_nodes(hashes.into_iter()).unwrap()
            })
            .collect()
    }
}

/// The path as tlog_tiles writes it: with the height, and "data" for entries.
fn tlog_path(path: &str) -> String {
    match path.strip_prefix("tile/entries/") {
        Some(rest) => format!("tile/8/data/{rest}"),
        None => path.replacen("tile/", "tile/8/", 1),
    }
}

/// Our name of one of tlog_tiles' tiles.
fn our_tile(tile: &Tile) -> TileId {
    let path = tile.path();
    let path = path
        .replacen("tile/8/data/", "tile/entries/", 1)
        .replacen("tile/8/", "tile/", 1);
    path.parse().unwrap()
}

impl TileReader for Tiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles
            .iter()
            .map(|tile| self.bytes(our_tile(tile)))
            .collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// All hash tiles that a tree of this size has.
fn all_tiles(size: u64) -> BTreeSet<TileId> {
    (0..8)
        .flat_map(|level| {
            (0..).map_while(move |number| TileId::in_tree(Level::Hashes(level), number, size))
        })
        .collect()
}

fn check_tiles(tree: &Tree, size: u64, places: &[(u64, u64)]) {
    let tiles = Tiles { tree, size };
    let root = tree.root(size);
    let reader = TileHashReader::new(size, theirs(&root), &tiles);
    for (index, from) in places {
        let ranges = inclusion_ranges(*index, size).unwrap();
        let proof = tiles.hashes(&ranges);
        assert_eq!(proof, tree.inclusion(*index, size), "{index} of {size}");
        let tlog = tlog_tiles::prove_record(size, *index, &reader).unwrap();
        assert_eq!(proof, from_tlog(&tlog), "{index} of {size}");

        let ranges = consistency_ranges(*from, size).unwrap();
        let proof = tiles.hashes(&ranges);
        assert_eq!(proof, tree.consistency(*from, size), "{from} to {size}");
        let tlog = tlog_tiles::prove_tree(size, *from, &reader).unwrap();
        assert_eq!(proof, from_tlog(&tlog), "{from} to {size}");
    }
    assert_eq!(tiles.hashes(&[(0, size)]), [root], "{size}");
}

#[test]
fn proofs_from_tiles_at_every_size_to_600() {
    let tree = Tree::new(4, EXHAUSTIVE);
    for size in 1..=EXHAUSTIVE {
        let mut places: Vec<(u64, u64)> = [0, 1, 2, 127, 254, 255, 256, 257, 511, 512, 513]
            .into_iter()
            .chain([size / 2, size - 1])
            .filter(|index| *index < size)
            .map(|index| (index, index + 1))
            .collect();
        places.push((
            size - 1,
            size.next_power_of_two() / 2 + u64::from(size == 1),
        ));
        check_tiles(&tree, size, &places);
    }
}

#[test]
fn tiles_are_those_of_tlog_tiles() {
    let tree = Tree::new(5, 70_000);
    let sizes = (1..=EXHAUSTIVE).chain([65_535, 65_536, 65_537, 65_792, 66_047, 69_999, 70_000]);
    for size in sizes {
        let theirs = Tile::new_tiles(8, 0, size);
        let ours = all_tiles(size);
        let named: BTreeSet<TileId> = theirs.iter().map(our_tile).collect();
        assert_eq!(ours, named, "{size}");
        let tiles = Tiles { tree: &tree, size };
        // Their bytes of them all, at a few sizes; of the partial ones, at each.
        for tile in theirs
            .iter()
            .filter(|tile| size % 97 == 0 || tile.width() < 256)
        {
            let bytes = tile.read_data(&ForTlog(&tree)).unwrap();
            assert_eq!(tiles.bytes(our_tile(tile)), bytes, "{}", tile.path());
        }
    }
    // The standard's own example.
    let tiles: Vec<String> = all_tiles(70_000).iter().map(ToString::to_string).collect();
    assert_eq!(tiles.len(), 273 + 1 + 1 + 1 + 1);
    for path in [
        "tile/0/272",
        "tile/0/273.p/112",
        "tile/1/000",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ] {
        assert!(tiles.iter().any(|tile| tile == path), "{path}");
    }
    let small: Vec<String> = all_tiles(256).iter().map(ToString::to_string).collect();
    assert_eq!(small, ["tile/0/000", "tile/1/000.p/1"]);
}

#[test]
fn a_full_tile_s_root_is_a_hash_of_the_level_above() {
    let tree = Tree::new(6, 200_000);
    let tiles = Tiles {
        tree: &tree,
        size: 200_000,
    };
    for id in all_tiles(200_000) {
        let Level::Hashes(level) = id.level() else {
            panic!("{id}")
        };
        let tile = HashTile::parse(&id, &tiles.bytes(id)).unwrap();
        let root = tile.root().unwrap();
        assert_eq!(root, by_definition(tile.hashes()), "{id}");
        if id.is_full() {
            assert_eq!(
                root,
                tree.rows[usize::from(level) * 8 + 8][id.number() as usize],
                "{id}"
            );
        }
        // Every node within it, and none beyond its width.
        for inner in 0..8_u8 {
            let within = u64::from(id.width()) >> inner;
            let first = id.number() << (8 - inner);
            let places = [
                0,
                within / 2,
                within.saturating_sub(1),
                within,
                (256 >> inner) - 1,
            ];
            for index in places.into_iter().filter(|index| *index < 256 >> inner) {
                let node = Node {
                    level: level * 8 + inner,
                    index: first + index,
                };
                let expected = (index < within).then(|| tree.node(node));
                assert_eq!(tile.node(node), expected, "{node:?} in {id}");
            }
        }
    }
}

#[test]
fn tiles_of_another_length_are_refused() {
    let tree = Tree::new(7, 600);
    for size in [1, 2, 255, 256, 257, 600] {
        let tiles = Tiles { tree: &tree, size };
        for id in all_tiles(size) {
            let bytes = tiles.bytes(id);
            assert_eq!(
                concat(HashTile::parse(&id, &bytes).unwrap().hashes()),
                bytes
            );
            let length = bytes.len();
            for cut in [0, 1, length - 32, length - 31, length - 1] {
                let error = HashTile::parse(&id, &bytes[..cut]).unwrap_err();
                assert_eq!((error.found, error.expected), (cut, length), "{id}");
                assert_eq!(error.tile, id.to_string());
            }
            for more in [1, 31, 32] {
                let longer = [&bytes[..], &vec![0; more]].concat();
                assert!(HashTile::parse(&id, &longer).is_err(), "{id}");
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn proofs_from_tiles_of_random_trees(
        seed: u64,
        size in 1..4000_u64,
        places in proptest::collection::vec((any::<u64>(), any::<u64>()), 2),
    ) {
        let tree = Tree::new(seed, size);
        let places: Vec<(u64, u64)> =
            places.into_iter().map(|(index, from)| (index % size, from % size + 1)).collect();
        check_tiles(&tree, size, &places);
    }
}

#[test]
fn proofs_from_tiles_of_large_trees() {
    let tree = Tree::new(8, 200_000);
    let edges = [
        65_535, 65_536, 65_537, 65_791, 65_792, 70_000, 131_072, 131_329, 200_000,
    ];
    let spread = (1..250_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 200_000 + 1);
    for size in edges.into_iter().chain(spread) {
        let place = size.wrapping_mul(0xd134_2543_de82_ef95) % size;
        let places = [
            (0, 1),
            (size - 1, size),
            (place, place + 1),
            (place / 2, place / 256 + 1),
        ];
        check_tiles(&tree, size, &places);
    }
}

// ---- Tile names ----

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Entries), (0..=7_u8).prop_map(Level::Hashes)]
}

proptest! {
    #![proptest_config(cases(5000))]

    #[test]
    fn tile_paths_are_those_of_tlog_tiles(
        level in level(),
        number: u64,
        shift in 0..64_u32,
        width in 1..=256_u32,
    ) {
        let number = number >> shift;
        let (their_level, is_data) = match level {
            Level::Entries => (0, true),
            Level::Hashes(level) => (level, false),
        };
        let theirs = Tile::new(8, their_level, number, width, is_data);
        let ours = our_tile(&theirs);
        prop_assert_eq!(
            (ours.level(), ours.number(), u32::from(ours.width()), ours.is_full()),
            (level, number, width, width == 256)
        );
        prop_assert_eq!(tlog_path(&ours.to_string()), theirs.path());
        if width == 256 {
            prop_assert_eq!(TileId::full(level, number), ours);
        }
        let back = Tile::from_path(&tlog_path(&ours.to_string())).unwrap();
        prop_assert_eq!(back, theirs);
        // The tile of the tree that ends with it is the same, where there can be such a tree.
        let items = (u128::from(number) * 256 + u128::from(width)) << (8 * u32::from(their_level));
        if let Ok(size) = u64::try_from(items) {
            prop_assert_eq!(TileId::in_tree(level, number, size), Some(ours));
        }
    }

    /// Anything that looks a bit like a path is read by us exactly if tlog_tiles reads it.
    #[test]
    fn strange_tile_paths_are_refused_as_by_tlog_tiles(
        level in "entries|data|[0-9]|[0-9]{1,3}|\\+1|-0|",
        groups in "(x?[0-9]{1,4}/|/){0,3}x?[0-9]{0,4}",
        suffix in "(\\.p/[0-9]{1,3}|\\.p|\\.p/|/|\\.P/1|\\.p/\\+1)?",
    ) {
        let path = format!("tile/{level}/{groups}{suffix}");
        let ours = path.parse::<TileId>();
        if let Ok(tile) = &ours {
            prop_assert_eq!(tile.to_string(), path.clone());
        }
        // It panics at a width of 0 and at levels above 63; it knows "data" where we say
        // "entries", and levels above 7, which no tree of u64 leaves has.
        let width_0 = suffix.strip_prefix(".p/").is_some_and(|w| w.parse() == Ok(0_u32));
        let no_level = level.parse().is_ok_and(|level: u32| level > 7);
        if width_0 || no_level || level == "data" {
            prop_assert!(ours.is_err(), "{path}");
        } else {
            prop_assert_eq!(ours.is_ok(), Tile::from_path(&tlog_path(&path)).is_ok(), "{}", path);
        }
    }

    #[test]
    fn no_text_makes_a_tile_path_of_its_own(text in "\\PC{0,60}", tail in "[tile/0-9xp.+ -]{0,30}") {
        for path in [text, format!("tile/{tail}"), format!("tile/0/{tail}")] {
            if let Ok(tile) = path.parse::<TileId>() {
                prop_assert_eq!(tile.to_string(), path);
            }
        }
    }

    /// "The partial tile at level l for a tree of size s has floor(s / 256^l) mod 256 entries."
    #[test]
    fn tiles_in_a_tree_follow_the_formula(
        level in level(),
        size: u64,
        shift in 0..64_u32,
        number: u64,
        how in 0..4_u8,
    ) {
        let size = size >> shift;
        let below = match level {
            Level::Entries => 1_u128,
            Level::Hashes(level) => 256_u128.pow(level.into()),
        };
        let items = u128::from(size) / below;
        let (full, partial) = ((items / 256) as u64, (items % 256) as u16);
        let number = match how {
            0 => full,
            1 => full.saturating_sub(1),
            2 => full.saturating_add(1),
            _ => number,
        };
        let width = match number.cmp(&full) {
            std::cmp::Ordering::Less => 256,
            std::cmp::Ordering::Equal => partial,
            std::cmp::Ordering::Greater => 0,
        };
        let tile = TileId::in_tree(level, number, size);
        prop_assert_eq!(tile.map_or(0, |tile| tile.width()), width);
        prop_assert_eq!(TileId::full(level, number).is_in_tree(size), width == 256);
        if let Some(tile) = tile {
            prop_assert_eq!((tile.level(), tile.number()), (level, number));
            prop_assert!(tile.is_in_tree(size));
            prop_assert!(size == u64::MAX || tile.is_in_tree(size + 1));
            // Before the leaf that completes its last item, there is less of it.
            let needed = ((u128::from(number) * 256 + u128::from(width)) * below) as u64;
            prop_assert!(tile.is_in_tree(needed));
            prop_assert!(!tile.is_in_tree(needed - 1));
        }
    }
}

#[test]
fn no_tree_has_levels_above_7() {
    for level in 8..=u8::MAX {
        assert_eq!(
            TileId::in_tree(Level::Hashes(level), 0, u64::MAX),
            None,
            "{level}"
        );
    }
    let last = TileId::in_tree(Level::Hashes(7), 0, u64::MAX).unwrap();
    assert_eq!(last.to_string(), "tile/7/000.p/255");
    for level in [Level::Entries, Level::Hashes(0), Level::Hashes(7)] {
        assert_eq!(TileId::in_tree(level, 0, 0), None);
        assert_eq!(TileId::in_tree(level, u64::MAX, u64::MAX), None);
    }
}

#[test]
fn every_other_spelling_of_a_tile_path_is_refused() {
    for path in [
        "tile/0/000",
        "tile/0/255.p/1",
        "tile/0/x001/x234/067",
        "tile/0/x001/x234/067.p/8",
        "tile/7/000.p/255",
        "tile/entries/000",
        "tile/entries/x001/000.p/255",
        "tile/0/x018/x446/x744/x073/x709/x551/615",
    ] {
        assert_eq!(path.parse::<TileId>().unwrap().to_string(), path);
    }
    for path in [
        // Not a tile at all.
        "",
        "/",
        "tile",
        "tile/",
        "tile//",
        "tile/0",
        "tile/0/",
        "tile//000",
        "checkpoint",
        "/tile/0/000",
        "tile/0/000/",
        "tile//0/000",
        "./tile/0/000",
        "tile/0/../0/000",
        "Tile/0/000",
        "tile/0/000?",
        "tile/0/000#",
        "tile/0/000\n",
        "tile/0/000 ",
        " tile/0/000",
        "tile/0/000\0",
        "tile\\0\\000",
        "tile/0/000.gz",
        // Levels.
        "tile/00/000",
        "tile/01/000",
        "tile/+0/000",
        "tile/-0/000",
        "tile/-1/000",
        "tile/8/000",
        "tile/63/000",
        "tile/64/000",
        "tile/255/000",
        "tile/256/000",
        "tile/0x0/000",
        "tile/data/000",
        "tile/Entries/000",
        "tile/entries /000",
        "tile/%30/000",
        "tile/٠/000",
        "tile/0/0/000",
        "tile/8/0/000",
        // Numbers.
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/1",
        "tile/0/67",
        "tile/0/1000",
        "tile/0/001/000",
        "tile/0/x000/000",
        "tile/0/x000/001",
        "tile/0/x000/x001/000",
        "tile/0/x001",
        "tile/0/x001/x000",
        "tile/0/x1/000",
        "tile/0/x01/000",
        "tile/0/x0001/000",
        "tile/0/X001/000",
        "tile/0/xx001/000",
        "tile/0/x/000",
        "tile/0/x001//000",
        "tile/0/x001/00",
        "tile/0/x001/1000",
        "tile/0/+01",
        "tile/0/-01",
        "tile/0/x+01/000",
        "tile/0/x-01/000",
        "tile/0/x001/+00",
        "tile/0/ 01",
        "tile/0/0 1",
        "tile/0/1e2",
        "tile/0/0x1",
        "tile/0/00a",
        "tile/0/%30%30%30",
        "tile/0/٠٠٠",
        "tile/0/００１",
        "tile/0/²³¹",
        "tile/0/x٠٠١/000",
        // One more than the last number, and far more.
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/x000/000",
        // Widths.
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/00",
        "tile/0/000.p/01",
        "tile/0/000.p/001",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/999",
        "tile/0/000.p/65537",
        "tile/0/000.p/+1",
        "tile/0/000.p/-1",
        "tile/0/000.p/ 1",
        "tile/0/000.p/1 ",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/000.p/x1",
        "tile/0/000.p/0x1",
        "tile/0/000.p/%31",
        "tile/0/000.p/١",
        "tile/0/000.p/1.0",
        "tile/0/000.P/1",
        "tile/0/000/p/1",
        "tile/0/000p/1",
        "tile/0/000.p1",
        "tile/0/.p/1",
        "tile/0/x001.p/1",
        "tile/0/000.p//1",
        "tile/entries/000.p/256",
        "tile/entries/000.p/01",
    ] {
        assert!(path.parse::<TileId>().is_err(), "{path:?}");
    }
}

// ---- Bundles ----

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn bundles_round_trip_and_nothing_else_is_one(
        lengths in proptest::collection::vec(0..40_usize, 1..=256),
        fill: u8,
        other in 0..=256_u16,
    ) {
        let entries: Vec<Vec<u8>> = lengths
            .iter()
            .enumerate()
            .map(|(place, length)| vec![fill.wrapping_add(place as u8); *length])
            .collect();
        let width = entries.len() as u16;
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        let mut ends = BTreeSet::from([0]);
        for entry in &entries {
            Bundle::append(&mut bytes, entry).unwrap();
            expected.extend([(entry.len() >> 8) as u8, entry.len() as u8]);
            expected.extend(entry);
            ends.insert(bytes.len());
        }
        prop_assert_eq!(&bytes, &expected, "big-endian u16 before each");
        let bundle = Bundle::parse(&bytes, width).unwrap();
        prop_assert_eq!(bundle.entries(), &entries.iter().map(Vec::as_slice).collect::<Vec<_>>());

        for cut in 0..bytes.len() {
            let error = Bundle::parse(&bytes[..cut], width).unwrap_err();
            match error {
                BundleError::Cut { .. } => prop_assert!(!ends.contains(&cut)),
                BundleError::Count { found, expected } => {
                    prop_assert!(ends.contains(&cut));
                    prop_assert!(found < expected && expected == entries.len());
                }
            }
        }
        for padding in [&[0][..], &[0, 0], &[0, 1], &[0, 1, 7], &[0xff; 3], b"\n"] {
            prop_assert!(Bundle::parse(&[&bytes[..], padding].concat(), width).is_err());
        }
        if other != width {
            let error = BundleError::Count { found: entries.len(), expected: usize::from(other) };
            prop_assert_eq!(Bundle::parse(&bytes, other), Err(error));
        }
    }
}

#[test]
fn entries_as_long_as_a_bundle_can_say() {
    let longest = vec![7; ENTRY_BYTES_MAX];
    let mut bytes = b"before".to_vec();
    assert_eq!(
        Bundle::append(&mut bytes, &vec![7; ENTRY_BYTES_MAX + 1]),
        None
    );
    assert_eq!(bytes, b"before");
    let mut bytes = Vec::new();
    Bundle::append(&mut bytes, &longest).unwrap();
    Bundle::append(&mut bytes, b"").unwrap();
    assert_eq!(
        Bundle::parse(&bytes, 2).unwrap().entries(),
        [&longest[..], b""]
    );
    assert!(Bundle::parse(&[], 0).unwrap().entries().is_empty());
    assert_eq!(
        Bundle::parse(&[], 1),
        Err(BundleError::Count {
            found: 0,
            expected: 1
        })
    );
    assert_eq!(
        Bundle::parse(&[0, 0], 0),
        Err(BundleError::Count {
            found: 1,
            expected: 0
        })
    );
}

// ---- Notes ----

/// One key in both implementations.
struct Both {
    name: KeyName,
    key: SigningKey,
    vkey: VerifierKey,
    their_signer: StandardSigner,
    their_verifier: StandardVerifier,
}

impl Both {
    fn new(name: &str, seed: [u8; 32]) -> Self {
        let name: KeyName = name.parse().unwrap();
        let key = SigningKey::from_seed(&seed);
        let vkey = VerifierKey::new(name.clone(), SignatureType::Ed25519, key.public());
        let material = [&[1], &seed[..]].concat();
        let signer = format!(
            "PRIVATE+KEY+{name}+{:08x}+{}",
            vkey.id(),
            STANDARD.encode(material)
        );
        Self {
            key,
            their_signer: StandardSigner::new(&signer).unwrap(),
            their_verifier: StandardVerifier::new(&vkey.to_string()).unwrap(),
            name,
            vkey,
        }
    }

    fn knows(keys: &[&Self]) -> VerifierList {
        let verifiers = keys
            .iter()
            .map(|key| Box::new(key.their_verifier.clone()) as Box<_>);
        VerifierList::new(verifiers.collect())
    }

    /// A note of any text, signed in signed_note.
    fn their_note(&self, text: &str) -> Vec<u8> {
        let mut note = Note::new(text.as_bytes(), &[]).unwrap();
        note.add_sigs(&[&self.their_signer]).unwrap();
        note.to_bytes()
    }
}

fn name() -> impl Strategy<Value = String> {
    "[a-z]{1,10}(\\.[a-z]{1,8}){1,3}(/[a-zA-Z0-9_é-]{1,12}){0,2}"
}

/// Text of one line or more, some of them empty, some with spaces of all kinds.
fn text() -> impl Strategy<Value = String> {
    "(\\PC{0,40}\n|\n|— [a-z]{1,5} [A-Za-z0-9+/]{8}\n){0,6}\\PC{1,20}\n"
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn verifier_keys_are_those_of_signed_note(name in name(), seed: [u8; 32]) {
        let both = Both::new(&name, seed);
        let text = both.vkey.to_string();
        let material = [&[1], &both.key.public().as_bytes()[..]].concat();
        prop_assert_eq!(both.vkey.id(), signed_note::key_id(&name, &material));
        prop_assert_eq!(both.their_verifier.name(), &name);
        prop_assert_eq!(both.their_verifier.key_id(), both.vkey.id());
        prop_assert_eq!(both.their_signer.key_id(), both.vkey.id());
        let theirs = format!(
            "{name}+{:08x}+{}",
            signed_note::key_id(&name, &material),
            STANDARD.encode(&material)
        );
        prop_assert_eq!(&theirs, &text);
        prop_assert_eq!(text.parse::<VerifierKey>().unwrap(), both.vkey);

        // A witness's key of the same name and bytes has another id.
        let kind = SignatureType::CosignatureV1;
        let witness = VerifierKey::new(both.name.clone(), kind, both.key.public());
        let material = [&[4], &both.key.public().as_bytes()[..]].concat();
        prop_assert_eq!(witness.id(), signed_note::key_id(&name, &material));
        prop_assert_eq!(&witness.to_string().parse::<VerifierKey>().unwrap(), &witness);
        prop_assert_eq!(witness.kind(), Some(kind));
    }

    /// Any character lost or changed is noticed, as in signed_note.
    #[test]
    fn damaged_verifier_keys_are_refused(seed: [u8; 32], place: usize, with in "[ -~]?") {
        let text = Both::new("example.org/log", seed).vkey.to_string();
        let place = place % text.len();
        let damaged = format!("{}{with}{}", &text[..place], &text[place + 1..]);
        if damaged != text && damaged.trim() != text {
            // signed_note reads the id in either case; the standard says lower-case.
            if !damaged.eq_ignore_ascii_case(&text) {
                prop_assert!(StandardVerifier::new(&damaged).is_err(), "{damaged}");
            }
            prop_assert!(damaged.parse::<VerifierKey>().is_err(), "{damaged}");
        }
    }

    #[test]
    fn their_notes_verify_here_and_ours_there(
        text in text(),
        seeds: [[u8; 32]; 3],
    ) {
        let [first, second, stranger] = seeds;
        prop_assume!(first != second && second != stranger && stranger != first);
        let first = Both::new("example.org/first", first);
        let second = Both::new("example.org/second", second);
        // The stranger has the first's name, and another id.
        let stranger = Both::new("example.org/first", stranger);

        let bytes = first.their_note(&text);
        let mut note = SignedNote::parse(&bytes).unwrap();
        prop_assert_eq!(note.text(), &text);
        prop_assert_eq!(note.to_string().into_bytes(), bytes);
        note.verify(&first.vkey).unwrap();
        let unsigned = |key: &Both| NoteError::NotSignedBy(key.name.to_string());
        prop_assert_eq!(note.verify(&second.vkey), Err(unsigned(&second)));
        prop_assert_eq!(note.verify(&stranger.vkey), Err(unsigned(&stranger)));

        // Ours is added beside theirs, and theirs beside ours, and the bytes are the same.
        note.sign(&second.name, &second.key);
        note.sign(&stranger.name, &stranger.key);
        let bytes = note.to_string();
        let mut theirs = Note::new(text.as_bytes(), &[]).unwrap();
        theirs
            .add_sigs(&[&first.their_signer, &second.their_signer, &stranger.their_signer])
            .unwrap();
        prop_assert_eq!(theirs.to_bytes(), bytes.as_bytes());
        let theirs = Note::from_bytes(bytes.as_bytes()).unwrap();
        for (known, count) in [(vec![&first], 1), (vec![&second, &first], 2), (vec![&stranger], 1)] {
            let (verified, unknown) = theirs.verify(&Both::knows(&known)).unwrap();
            prop_assert_eq!((verified.len(), unknown.len()), (count, 3 - count));
        }
        let note = SignedNote::parse(bytes.as_bytes()).unwrap();
        prop_assert_eq!(note.signatures().len(), 3);
        for key in [&first, &second, &stranger] {
            note.verify(&key.vkey).unwrap();
        }
    }

    /// Of any damage to a note we think as signed_note does: it is no note, it is not signed by
    /// the key, or it still is.
    #[test]
    fn damaged_notes_are_judged_as_by_signed_note(
        text in text(),
        seed: [u8; 32],
        place: usize,
        with in proptest::collection::vec(any::<u8>(), 0..3),
        cut in 0..3_usize,
        blank in 0..4_u8,
    ) {
        let key = Both::new("example.org/first", seed);
        let good = key.their_note(&text);
        let place = place % (good.len() + 1);
        let end = (place + cut).min(good.len());
        let with = match blank {
            0 => b"\n".to_vec(),
            1 => b" ".to_vec(),
            _ => with,
        };
        let damaged = [&good[..place], &with[..], &good[end..]].concat();
        let ours = SignedNote::parse(&damaged);
        let theirs = Note::from_bytes(&damaged);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}", String::from_utf8_lossy(&damaged));
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours.text().as_bytes(), theirs.text());
            prop_assert_eq!(ours.to_string().into_bytes(), theirs.to_bytes());
            let verdict = ours.verify(&key.vkey).is_ok();
            prop_assert_eq!(verdict, theirs.verify(&Both::knows(&[&key])).is_ok());
            prop_assert!(!verdict || ours.text() == text);
        }
    }
}

#[test]
fn what_is_no_verifier_key_is_refused() {
    let both = Both::new("example.org/log", [1; 32]);
    let good = both.vkey.to_string();
    let (id, public) = (both.vkey.id(), both.key.public());
    let key = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
    let vkey = |name: &str, material: &[u8]| {
        let id = signed_note::key_id(name, material);
        format!("{name}+{id:08x}+{}", STANDARD.encode(material))
    };
    let ed25519 = key(1, public.as_bytes());
    assert_eq!(vkey("example.org/log", &ed25519), good);
    let refused = |text: &str| text.parse::<VerifierKey>().unwrap_err();

    for name in ["", "a b", "a\u{a0}b", "a\u{3000}b", "a\tb", "a\nb", "a+b"] {
        assert_eq!(name.parse::<KeyName>().ok(), None, "{name:?}");
        let text = vkey(name, &ed25519);
        refused(&text);
        assert!(StandardVerifier::new(&text).is_err(), "{name:?}");
    }
    for kind in [0, 2, 3, 5, 7, 0xfa, 0xff] {
        let text = vkey("example.org/log", &key(kind, public.as_bytes()));
        assert_eq!(refused(&text), VkeyError::Type(kind));
        assert!(StandardVerifier::new(&text).is_err());
    }
    for bytes in [
        &[][..],
        &public.as_bytes()[..31],
        &[&public.as_bytes()[..], &[0]].concat(),
    ] {
        let text = vkey("example.org/log", &key(1, bytes));
        let (expected, found) = (32, bytes.len());
        assert_eq!(refused(&text), VkeyError::Length { expected, found });
        assert!(StandardVerifier::new(&text).is_err());
    }
    assert_eq!(refused(&vkey("example.org/log", &[])), VkeyError::Shape);
    // A key of ML-DSA-44, which the oracle has not, is of 1,312 bytes and no others.
    for found in [0, 32, 1311, 1313] {
        let text = vkey("example.org/log", &key(6, &vec![0; found]));
        let expected = 1312;
        assert_eq!(refused(&text), VkeyError::Length { expected, found });
    }
    let other = format!("{id:08x}");
    for wrong in [
        format!("{:08x}", id ^ 1),
        format!("{id:08X}0"),
        format!("0{id:08x}"),
    ] {
        refused(&good.replacen(&other, &wrong, 1));
    }
    let encoded = STANDARD.encode(&ed25519);
    for wrong in [
        STANDARD_NO_PAD.encode(&ed25519) + "A",
        format!("{encoded}="),
        encoded.replacen(['A', 'a'], "_", 1),
        format!("{encoded} "),
        format!(" {encoded}"),
        encoded.to_lowercase(),
        hex::encode(&ed25519),
        String::new(),
    ] {
        let text = good.replacen(&encoded, &format!("{wrong}."), 1);
        refused(&text);
        if wrong.trim() != encoded {
            refused(&good.replacen(&encoded, &wrong, 1));
        }
    }
    for text in [
        "",
        "+",
        "++",
        "example.org/log",
        &good[..20],
        &format!("{good}+{good}"),
    ] {
        refused(text);
    }
}

const EXAMPLE_VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const EXAMPLE_NOTE: &str = "This is an example message.\n\n\
    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

#[test]
fn the_examples_of_the_standards_are_read() {
    // c2sp.org/signed-note
    let vkey: VerifierKey = EXAMPLE_VKEY.parse().unwrap();
    assert_eq!(vkey.to_string(), EXAMPLE_VKEY);
    assert_eq!(vkey.name().as_str(), "example.com/foo");
    assert_eq!(vkey.id(), 0x530d_903a);
    assert_eq!(vkey.kind(), Some(SignatureType::Ed25519));
    let note = SignedNote::parse(EXAMPLE_NOTE.as_bytes()).unwrap();
    note.verify(&vkey).unwrap();
    assert_eq!(note.text(), "This is an example message.\n");
    assert_eq!(note.to_string(), EXAMPLE_NOTE);
    let changed = EXAMPLE_NOTE.replacen("This is", "This was", 1);
    let lie = NoteError::FalseSignature("example.com/foo".into());
    assert_eq!(
        SignedNote::parse(changed.as_bytes()).unwrap().verify(&vkey),
        Err(lie)
    );

    let poem = "Ognuno sta solo sul cuor della terra\n\
        trafitto da un raggio di sole:\n\
        \n\
        ed è subito sera.\n\
        \n\
        — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
    let note = SignedNote::parse(poem.as_bytes()).unwrap();
    assert!(
        note.text().ends_with("sole:\n\ned è subito sera.\n"),
        "{}",
        note.text()
    );
    assert_eq!(note.to_string(), poem);
    assert_eq!(note.signatures()[0].key_id, 0x367b_a04b);

    // The documentation of Go's sumdb/note, which signed_note repeats.
    let neumann = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let note = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\
        \n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    SignedNote::parse(note.as_bytes())
        .unwrap()
        .verify(&neumann.parse().unwrap())
        .unwrap();

    // c2sp.org/tlog-checkpoint and c2sp.org/tlog-cosignature; their keys are not published.
    let checkpoint =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let cosigned = format!(
        "{checkpoint}\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    );
    let note = SignedNote::parse(cosigned.as_bytes()).unwrap();
    assert_eq!(note.text(), checkpoint);
    assert_eq!(note.to_string(), cosigned);
    assert_eq!(note.signatures()[1].bytes.len(), 72);
    assert_eq!(
        note.signatures()[1].bytes[..8],
        1_679_315_147_u64.to_be_bytes()
    );
    // The same text, signed by a key of ours, opens and says what the page's prose says.
    let key = Both::new("example.com/behind-the-sofa", [1; 32]);
    let head = Checkpoint::open(&key.their_note(checkpoint), &key.vkey)
        .unwrap()
        .head();
    assert_eq!(head.size, 20_852_163);
    assert_eq!(
        head.root.to_string(),
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    );
}

/// A signature line of anyone's, with any bytes.
fn line(name: &str, id: u32, bytes: &[u8]) -> String {
    format!(
        "— {name} {}\n",
        STANDARD.encode([&id.to_be_bytes(), bytes].concat())
    )
}

#[test]
fn unknown_signatures_are_passed_over_and_a_known_one_must_hold() {
    let key = Both::new("example.org/log", [1; 32]);
    let id = key.vkey.id();
    let good = String::from_utf8(key.their_note("a text\n")).unwrap();
    let verify = |bytes: &str| {
        let ours = SignedNote::parse(bytes.as_bytes())
            .unwrap()
            .verify(&key.vkey);
        let theirs = Note::from_bytes(bytes.as_bytes()).unwrap();
        assert_eq!(
            ours.is_ok(),
            theirs.verify(&Both::knows(&[&key])).is_ok(),
            "{bytes}"
        );
        ours
    };
    verify(&good).unwrap();
    // The name with another id, the id with another name, and a shorter or longer name.
    let strangers = [
        line("example.org/log", id ^ 1, &[7; 64]),
        line("example.org/other", id, &[7; 64]),
        line("example.org/lo", id, b"x"),
        line("example.org/logs", id, &[0; 5000]),
        line("日本/ログ", 0, &[0; 72]),
    ];
    for stranger in &strangers {
        verify(&format!("{good}{stranger}")).unwrap();
        verify(&good.replacen("\n\n", &format!("\n\n{stranger}"), 1)).unwrap();
        let alone = format!("a text\n\n{stranger}");
        assert_eq!(
            verify(&alone),
            Err(NoteError::NotSignedBy("example.org/log".into()))
        );
    }
    // A false line of the known key, whatever else is true.
    let lie = Err(NoteError::FalseSignature("example.org/log".into()));
    let elsewhere = key.key.sign(b"another text\n");
    for bytes in [
        &[7; 64][..],
        &[7; 63],
        &[7; 65],
        b"x",
        elsewhere.as_bytes(),
        &[0; 64],
    ] {
        let false_line = line("example.org/log", id, bytes);
        assert_eq!(verify(&format!("a text\n\n{false_line}")), lie);
        assert_eq!(
            verify(&good.replacen("\n\n", &format!("\n\n{false_line}"), 1)),
            lie
        );
        // Behind a true one signed_note does not look; we do.
        let behind = format!("{good}{false_line}");
        assert_eq!(
            SignedNote::parse(behind.as_bytes())
                .unwrap()
                .verify(&key.vkey),
            lie
        );
    }
}

/// "Verifiers […] MUST accept at least up to 16 signatures. Remember that post-quantum signatures
/// can be up to nearly 5kB in size."
#[test]
fn sixteen_post_quantum_signatures_are_accepted() {
    let key = Both::new("example.org/log", [1; 32]);
    let mut note = String::from_utf8(key.their_note("a text\n")).unwrap();
    for number in 1..16 {
        note.push_str(&line(
            &format!("witness{number}.example.org"),
            number,
            &[7; 8 + 4627],
        ));
    }
    let note = SignedNote::parse(note.as_bytes()).unwrap();
    assert_eq!(note.signatures().len(), 16);
    note.verify(&key.vkey).unwrap();
}

/// Names of strangers are theirs to choose: "verifiers MUST ignore signatures from unknown keys".
#[test]
fn a_stranger_s_odd_name_does_not_spoil_a_note() {
    let key = Both::new("example.org/log", [1; 32]);
    let good = String::from_utf8(key.their_note("a text\n")).unwrap();
    for name in ["w".repeat(300), "a\u{7f}b".to_owned(), "\u{80}b".to_owned()] {
        let note = format!("{good}{}", line(&name, 1, &[7; 72]));
        Note::from_bytes(note.as_bytes())
            .unwrap()
            .verify(&Both::knows(&[&key]))
            .unwrap();
        let note = SignedNote::parse(note.as_bytes()).unwrap();
        note.verify(&key.vkey).unwrap();
    }
}

#[test]
fn notes_are_bounded() {
    let key = Both::new("example.org/log", [1; 32]);
    let good = String::from_utf8(key.their_note("a text\n")).unwrap();
    let mut many = good.clone();
    for number in 0..1000 {
        many.push_str(&line("w", number, &[7; 5]));
    }
    assert_eq!(
        SignedNote::parse(many.as_bytes()),
        Err(NoteError::TooManySignatures)
    );
    let long = format!("{}{good}", "a".repeat(2_000_000));
    assert_eq!(SignedNote::parse(long.as_bytes()), Err(NoteError::TooLong));
    for control in ["\0", "\t", "\r", "\u{1b}", "\u{1f}"] {
        let note = good.replacen("text", &format!("te{control}xt"), 1);
        assert_eq!(
            SignedNote::parse(note.as_bytes()),
            Err(NoteError::NotText),
            "{control:?}"
        );
        assert!(Note::from_bytes(note.as_bytes()).is_err());
    }
    assert_eq!(SignedNote::parse(b"a\xff\n\n"), Err(NoteError::NotText));
    for note in [
        "",
        "\n",
        "\n\n",
        "a\n",
        "a\n\n",
        "a",
        "— w AAAAAAAA\n",
        "\n— w AAAAAAAA\n",
    ] {
        assert!(SignedNote::parse(note.as_bytes()).is_err(), "{note:?}");
        assert!(Note::from_bytes(note.as_bytes()).is_err(), "{note:?}");
    }
}

// ---- Checkpoints ----

fn head() -> impl Strategy<Value = TreeHead> {
    (any::<u64>(), 0..64_u32, any::<[u8; 32]>()).prop_map(|(size, shift, root)| TreeHead {
        size: size >> shift,
        root: Hash::from_bytes(root),
    })
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn checkpoints_are_those_of_the_oracles(origin in name(), seed: [u8; 32], head in head()) {
        let key = Both::new(&origin, seed);
        let ours = Checkpoint::sign(&key.name, head, &key.key);

        let note = Note::from_bytes(ours.to_string().as_bytes()).unwrap();
        let (verified, unknown) = note.verify(&Both::knows(&[&key])).unwrap();
        prop_assert_eq!((verified.len(), unknown.len()), (1, 0));
        let read = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        prop_assert_eq!(read.origin(), &origin);
        prop_assert_eq!((read.size(), *read.hash()), (head.size, theirs(&head.root)));
        prop_assert_eq!(read.extension(), "");

        let made = tlog_tiles::Checkpoint::new(&origin, head.size, theirs(&head.root), "").unwrap();
        let text = String::from_utf8(made.to_bytes()).unwrap();
        let bytes = key.their_note(&text);
        prop_assert_eq!(ours.to_string().into_bytes(), bytes.clone());
        let opened = Checkpoint::open(&bytes, &key.vkey).unwrap();
        prop_assert_eq!(&opened, &ours);
        prop_assert_eq!((opened.origin(), opened.head()), (&key.name, head));
    }

    #[test]
    fn checkpoints_with_extension_lines_are_refused(
        seed: [u8; 32],
        head in head(),
        extension in "(\\PC{1,30}\n){1,3}",
    ) {
        let key = Both::new("example.org/log", seed);
        let hash = theirs(&head.root);
        let made = tlog_tiles::Checkpoint::new("example.org/log", head.size, hash, &extension);
        let text = String::from_utf8(made.unwrap().to_bytes()).unwrap();
        let refused = Checkpoint::open(&key.their_note(&text), &key.vkey);
        prop_assert_eq!(refused, Err(CheckpointError::Extension));
    }

    /// What is read of any three lines is what tlog_tiles reads of them.
    #[test]
    fn three_lines_are_read_as_by_tlog_tiles(
        size in "[0-9]{1,21}|0|[0-9 +-]{0,4}",
        root in "[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/=_ -]{40,48}",
    ) {
        let key = Both::new("example.org/log", [1; 32]);
        let text = format!("example.org/log\n{size}\n{root}\n");
        let ours = Checkpoint::open(&key.their_note(&text), &key.vkey);
        let theirs = tlog_tiles::Checkpoint::from_bytes(text.as_bytes());
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text);
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours.head().size, theirs.size());
            prop_assert_eq!(ours.head().root, Hash::from_bytes(theirs.hash().0));
        }
    }
}

/// A signed checkpoint whose text is `text`, which only a log that errs would sign.
fn signed_text(text: &str) -> Result<Checkpoint, CheckpointError> {
    let key = Both::new("example.org/log", [1; 32]);
    Checkpoint::open(&key.their_note(text), &key.vkey)
}

#[test]
fn malformed_checkpoints_are_refused_though_signed() {
    let root = Hash::empty_root().to_string();
    signed_text(&format!("example.org/log\n5\n{root}\n")).unwrap();
    signed_text(&format!("example.org/log\n0\n{root}\n")).unwrap();
    signed_text(&format!("example.org/log\n18446744073709551615\n{root}\n")).unwrap();
    for size in [
        "",
        "00",
        "05",
        "005",
        "+5",
        "-5",
        "-0",
        "5 ",
        " 5",
        "5.0",
        "5e0",
        "0x5",
        "٥",
        "５",
        "5_0",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        let text = format!("example.org/log\n{size}\n{root}\n");
        assert_eq!(signed_text(&text), Err(CheckpointError::Shape), "{size:?}");
        assert!(
            tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).is_err(),
            "{size:?}"
        );
    }
    let bytes = [0xfb; 32];
    let good = STANDARD.encode(bytes);
    signed_text(&format!("example.org/log\n5\n{good}\n")).unwrap();
    // The last character before the padding has two bits that must be zero.
    let (start, last) = good.split_at(42);
    let trailing = format!("{start}{}=", char::from(last.as_bytes()[0] + 1));
    for root in [
        String::new(),
        trailing,
        STANDARD_NO_PAD.encode(bytes),
        format!("{good}="),
        format!("{good} "),
        format!(" {good}"),
        URL_SAFE.encode(bytes),
        hex::encode(bytes),
        STANDARD.encode([7; 31]),
        STANDARD.encode([7; 33]),
        STANDARD.encode([7; 64]),
    ] {
        let text = format!("example.org/log\n5\n{root}\n");
        assert_eq!(signed_text(&text), Err(CheckpointError::Shape), "{root:?}");
        assert!(
            tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).is_err(),
            "{root:?}"
        );
    }
    for text in [
        "\n".to_owned(),
        "example.org/log\n".to_owned(),
        "example.org/log\n5\n".to_owned(),
        format!("\n5\n{root}\n"),
        format!("example.org/log\n\n5\n{root}\n"),
        format!("example.org/log\n{root}\n5\n"),
        format!("5\n{root}\n"),
    ] {
        let shape = [Err(CheckpointError::Shape), Err(CheckpointError::Extension)];
        assert!(shape.contains(&signed_text(&text)), "{text:?}");
    }
    for extension in ["x\n", "\n", " \n", "\n\n", "one\ntwo\n"] {
        let text = format!("example.org/log\n5\n{root}\n{extension}");
        assert_eq!(
            signed_text(&text),
            Err(CheckpointError::Extension),
            "{extension:?}"
        );
    }
    for origin in ["example.org/other", "example.org/log2", "Example.org/log"] {
        let expected = "example.org/log".to_owned();
        let error = CheckpointError::Origin {
            found: origin.to_owned(),
            expected,
        };
        assert_eq!(signed_text(&format!("{origin}\n5\n{root}\n")), Err(error));
    }
}

#[test]
fn no_bit_of_a_checkpoint_can_be_changed() {
    let key = Both::new("example.org/log", [1; 32]);
    let head = TreeHead {
        size: 70_000,
        root: leaf_hash(b"a"),
    };
    let good = Checkpoint::sign(&key.name, head, &key.key)
        .to_string()
        .into_bytes();
    for place in 0..good.len() {
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[place] ^= 1 << bit;
            let opened = Checkpoint::open(&changed, &key.vkey);
            assert!(opened.is_err(), "{:?}", String::from_utf8_lossy(&changed));
        }
        assert!(
            Checkpoint::open(&good[..place], &key.vkey).is_err(),
            "cut at {place}"
        );
        let dropped = [&good[..place], &good[place + 1..]].concat();
        assert!(
            Checkpoint::open(&dropped, &key.vkey).is_err(),
            "{place} dropped"
        );
        for more in [b'\n', b' ', b'0', b'A'] {
            let added = [&good[..place], &[more], &good[place..]].concat();
            assert!(
                Checkpoint::open(&added, &key.vkey).is_err(),
                "{place}: {more} added"
            );
        }
    }
    for more in ["\n", " ", "x", "\r\n", "\0"] {
        let added = [&good[..], more.as_bytes()].concat();
        assert!(Checkpoint::open(&added, &key.vkey).is_err(), "{more:?}");
    }
}

#[test]
fn a_checkpoint_is_of_the_log_asked_for() {
    let log = Both::new("example.org/log", [1; 32]);
    let other = Both::new("example.org/other", [2; 32]);
    let head = TreeHead {
        size: 5,
        root: leaf_hash(b"a"),
    };
    let checkpoint = Checkpoint::sign(&log.name, head, &log.key).to_string();
    let error = CheckpointError::Origin {
        found: "example.org/log".into(),
        expected: "example.org/other".into(),
    };
    assert_eq!(
        Checkpoint::open(checkpoint.as_bytes(), &other.vkey),
        Err(error)
    );
    // Its key under another name does not open it, nor another key under its name.
    let renamed = Both::new("example.org/other", [1; 32]);
    assert!(Checkpoint::open(checkpoint.as_bytes(), &renamed.vkey).is_err());
    let rekeyed = Both::new("example.org/log", [2; 32]);
    let unsigned = NoteError::NotSignedBy("example.org/log".into());
    assert_eq!(
        Checkpoint::open(checkpoint.as_bytes(), &rekeyed.vkey),
        Err(CheckpointError::Note(unsigned))
    );
    // While its key changes, both open it, and signed_note takes either.
    let mut checkpoint = Checkpoint::sign(&log.name, head, &log.key);
    checkpoint.also_sign(&rekeyed.key);
    let bytes = checkpoint.to_string();
    for key in [&log, &rekeyed] {
        assert_eq!(
            Checkpoint::open(bytes.as_bytes(), &key.vkey)
                .unwrap()
                .head(),
            head
        );
        let note = Note::from_bytes(bytes.as_bytes()).unwrap();
        let (verified, unknown) = note.verify(&Both::knows(&[key])).unwrap();
        assert_eq!((verified.len(), unknown.len()), (1, 1));
    }
}

// ---- Cosignatures ----

/// A witness's key for signed_note, by c2sp.org/tlog-cosignature.
struct Witness {
    name: String,
    key: ed25519_dalek::VerifyingKey,
}

impl Verifier for Witness {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        signed_note::key_id(&self.name, &[&[4], &self.key.as_bytes()[..]].concat())
    }

    fn verify(&self, text: &[u8], line: &[u8]) -> bool {
        let Some((time, signature)) = line.split_first_chunk::<8>() else {
            return false;
        };
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else {
            return false;
        };
        let time = u64::from_be_bytes(*time);
        let message = [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat();
        self.key.verify_strict(&message, &signature).is_ok()
    }
}

fn witness(name: &str, key: &SigningKey) -> VerifierKey {
    VerifierKey::new(
        name.parse().unwrap(),
        SignatureType::CosignatureV1,
        key.public(),
    )
}

/// A checkpoint with other bytes in its last line.
fn with_last_line(checkpoint: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let (start, encoded) = checkpoint.trim_end().rsplit_once(' ').unwrap();
    let mut bytes = STANDARD.decode(encoded).unwrap();
    change(&mut bytes);
    format!("{start} {}\n", STANDARD.encode(bytes))
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn cosignatures_hold_and_no_bit_of_them_can_be_changed(
        head in head(),
        log in any::<[u8; 32]>(),
        witness_seed in any::<[u8; 32]>(),
        seen_at_s in 0..1_u64 << 63,
        bit in 0..(72_usize * 8),
        later in 1..1_u64 << 62,
    ) {
        prop_assume!(log != witness_seed);
        let log = Both::new("example.org/log", log);
        let key = SigningKey::from_seed(&witness_seed);
        let vkey = witness("witness.example.org/w1", &key);
        let mut checkpoint = Checkpoint::sign(&log.name, head, &log.key);
        let unsigned = Err(NoteError::NotSignedBy("witness.example.org/w1".into()));
        prop_assert_eq!(Cosignature::verify(&checkpoint, &vkey), unsigned);
        cosign(&mut checkpoint, vkey.name(), &key, seen_at_s);
        let bytes = checkpoint.to_string();

        // The log's own signature stands, here and in signed_note, and the witness's too.
        let opened = Checkpoint::open(bytes.as_bytes(), &log.vkey).unwrap();
        prop_assert_eq!(opened.head(), head);
        let seen = Cosignature::verify(&opened, &vkey).unwrap();
        prop_assert_eq!(&seen, &Cosignature { witness: vkey.name().clone(), seen_at_s });
        let theirs = Witness {
            name: "witness.example.org/w1".to_owned(),
            key: ed25519_dalek::VerifyingKey::from_bytes(key.public().as_bytes()).unwrap(),
        };
        prop_assert_eq!(theirs.key_id(), vkey.id());
        let known: Vec<Box<dyn Verifier>> =
            vec![Box::new(theirs), Box::new(log.their_verifier.clone())];
        let known = VerifierList::new(known);
        let note = Note::from_bytes(bytes.as_bytes()).unwrap();
        let (verified, unknown) = note.verify(&known).unwrap();
        prop_assert_eq!((verified.len(), unknown.len()), (2, 0));
        let (_, unknown) = note.verify(&Both::knows(&[&log])).unwrap();
        prop_assert_eq!(unknown.len(), 1);

        // Any other bit, and another time in particular.
        let lie = Err(NoteError::FalseSignature("witness.example.org/w1".into()));
        let changed = with_last_line(&bytes, |line| line[4 + bit / 8] ^= 1 << (bit % 8));
        let at_another_time = with_last_line(&bytes, |line| {
            line[4..12].copy_from_slice(&((seen_at_s ^ later) & !(1 << 63)).to_be_bytes());
        });
        for changed in [changed, at_another_time] {
            let opened = Checkpoint::open(changed.as_bytes(), &log.vkey).unwrap();
            prop_assert_eq!(Cosignature::verify(&opened, &vkey), lie.clone());
            let note = Note::from_bytes(changed.as_bytes()).unwrap();
            prop_assert!(note.verify(&known).is_err());
        }
    }
}

#[test]
fn a_cosignature_belongs_to_its_witness_its_checkpoint_and_its_type() {
    let log = Both::new("example.org/log", [1; 32]);
    let key = SigningKey::from_seed(&[2; 32]);
    let vkey = witness("w1.example.org", &key);
    let head = TreeHead {
        size: 5,
        root: leaf_hash(b"a"),
    };
    let mut checkpoint = Checkpoint::sign(&log.name, head, &log.key);
    cosign(&mut checkpoint, vkey.name(), &key, 1_700_000_000);
    let bytes = checkpoint.to_string();
    let unsigned = |name: &str| Err(NoteError::NotSignedBy(name.into()));
    let lie = Err(NoteError::FalseSignature("w1.example.org".into()));

    // Another witness's name or key.
    let renamed = witness("w2.example.org", &key);
    assert_eq!(
        Cosignature::verify(&checkpoint, &renamed),
        unsigned("w2.example.org")
    );
    let rekeyed = witness("w1.example.org", &SigningKey::from_seed(&[3; 32]));
    assert_eq!(
        Cosignature::verify(&checkpoint, &rekeyed),
        unsigned("w1.example.org")
    );

    // Its line on another checkpoint of the same log.
    let line = bytes.lines().last().unwrap();
    let other = TreeHead {
        size: 6,
        root: leaf_hash(b"b"),
    };
    let other = Checkpoint::sign(&log.name, other, &log.key);
    let moved = format!("{other}{line}\n");
    let moved = Checkpoint::open(moved.as_bytes(), &log.vkey).unwrap();
    assert_eq!(Cosignature::verify(&moved, &vkey), lie);

    // A line that is cut, longer, or a plain signature of the text.
    for length in [0, 1, 7, 8, 63, 64, 71, 73, 80] {
        let changed = with_last_line(&bytes, |line| line.resize(4 + length, 0));
        // A line of an id alone may be refused as malformed, as signed_note does.
        if let Ok(opened) = Checkpoint::open(changed.as_bytes(), &log.vkey) {
            assert_eq!(Cosignature::verify(&opened, &vkey), lie, "{length}");
        }
    }
    let plain = key.sign(checkpoint.note().text().as_bytes());
    let changed = with_last_line(&bytes, |line| {
        line.truncate(4);
        line.extend_from_slice(plain.as_bytes());
    });
    let opened = Checkpoint::open(changed.as_bytes(), &log.vkey).unwrap();
    assert_eq!(Cosignature::verify(&opened, &vkey), lie);

    // Several witnesses, one line each.
    let second = SigningKey::from_seed(&[4; 32]);
    cosign(
        &mut checkpoint,
        &"w2.example.org".parse().unwrap(),
        &second,
        1_700_000_001,
    );
    let opened = Checkpoint::open(checkpoint.to_string().as_bytes(), &log.vkey).unwrap();
    assert_eq!(
        Cosignature::verify(&opened, &vkey).unwrap().seen_at_s,
        1_700_000_000
    );
    let second = witness("w2.example.org", &second);
    assert_eq!(
        Cosignature::verify(&opened, &second).unwrap().seen_at_s,
        1_700_000_001
    );
}

/// A plain signature under a cosignature's id is not what that id says.
#[test]
fn a_witness_s_key_verifies_no_plain_signature() {
    let key = SigningKey::from_seed(&[2; 32]);
    let vkey = witness("example.org/log", &key);
    let text = format!("example.org/log\n5\n{}\n", Hash::empty_root());
    let plain = line(
        "example.org/log",
        vkey.id(),
        key.sign(text.as_bytes()).as_bytes(),
    );
    let bytes = format!("{text}\n{plain}");
    assert!(
        SignedNote::parse(bytes.as_bytes())
            .unwrap()
            .verify(&vkey)
            .is_err()
    );
    assert!(Checkpoint::open(bytes.as_bytes(), &vkey).is_err());
}

/// "It MUST NOT exceed 2^63 - 1."
#[test]
fn a_cosignature_s_time_has_63_bits() {
    let log = Both::new("example.org/log", [1; 32]);
    let key = SigningKey::from_seed(&[2; 32]);
    let vkey = witness("w1.example.org", &key);
    let head = TreeHead {
        size: 5,
        root: leaf_hash(b"a"),
    };
    for (time, fine) in [
        (0, true),
        ((1 << 63) - 1, true),
        (1 << 63, false),
        (u64::MAX, false),
    ] {
        let base = Checkpoint::sign(&log.name, head, &log.key);
        let message = format!("cosignature/v1\ntime {time}\n{}", base.note().text());
        let signature = key.sign(message.as_bytes());
        let stamped = [&u64::to_be_bytes(time)[..], signature.as_bytes()].concat();
        let bytes = format!("{base}{}", line("w1.example.org", vkey.id(), &stamped));
        let opened = Checkpoint::open(bytes.as_bytes(), &log.vkey).unwrap();
        assert_eq!(Cosignature::verify(&opened, &vkey).is_ok(), fine, "{time}");
    }
}

/// "If a signature from a known key fails to verify, clients SHOULD reject the whole note."
#[test]
fn a_second_false_cosignature_is_not_passed_over() {
    let log = Both::new("example.org/log", [1; 32]);
    let key = SigningKey::from_seed(&[2; 32]);
    let vkey = witness("w1.example.org", &key);
    let head = TreeHead {
        size: 5,
        root: leaf_hash(b"a"),
    };
    let mut checkpoint = Checkpoint::sign(&log.name, head, &log.key);
    cosign(&mut checkpoint, vkey.name(), &key, 1_700_000_000);
    let bytes = format!(
        "{checkpoint}{}",
        line("w1.example.org", vkey.id(), &[7; 72])
    );
    let opened = Checkpoint::open(bytes.as_bytes(), &log.vkey).unwrap();
    let lie = NoteError::FalseSignature("w1.example.org".into());
    assert_eq!(Cosignature::verify(&opened, &vkey), Err(lie));
}

/// A key that the strict verdict refuses signs no note, though signed_note takes it.
#[test]
fn a_key_of_small_order_signs_no_note() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let public = PublicKey::from_bytes(identity);
    let name: KeyName = "example.org/log".parse().unwrap();
    let vkey = VerifierKey::new(name, SignatureType::Ed25519, public);
    // R = identity, s = 0: true of any text, for a verifier that is not strict.
    let forged = [&identity[..], &[0; 32]].concat();
    let text = format!("example.org/log\n5\n{}\n", Hash::empty_root());
    let bytes = format!("{text}\n{}", line("example.org/log", vkey.id(), &forged));
    let theirs = StandardVerifier::new(&vkey.to_string()).unwrap();
    assert!(
        theirs.verify(text.as_bytes(), &forged),
        "signed_note is not strict"
    );
    assert!(Checkpoint::open(bytes.as_bytes(), &vkey).is_err());
}
