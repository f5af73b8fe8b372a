//! Roots, and the complete subtrees that any range of leaves is made of.

use super::hash::{Hash, node_hash};

/// A complete subtree: the `index`-th of those with 2^`level` leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Height above the leaves; a leaf is at level 0.
    pub level: u8,
    /// Position among the nodes of that level, from the left.
    pub index: u64,
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "node {} of level {}", self.index, self.level)
    }
}

/// The complete subtrees, left to right, whose leaves together are `start..end`.
///
/// `start` must be a multiple of the largest power of two not above `end - start`, as every
/// range that an RFC 6962 proof names is; the right end may be ragged.
pub fn range_nodes(start: u64, end: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut at = start;
    while at < end {
        let fits = (end - at).ilog2();
        let aligned = if at == 0 { fits } else { at.trailing_zeros() };
        let level = fits.min(aligned);
        #[expect(clippy::cast_possible_truncation, reason = "a level is below 64")]
        let height = level as u8;
        nodes.push(Node {
            level: height,
            index: at >> level,
        });
        at += 1 << level;
    }
    nodes
}

/// The Merkle tree hash of a range, from the hashes of its [`range_nodes`], left to right.
/// `None` when there are none.
pub fn fold_nodes(hashes: impl DoubleEndedIterator<Item = Hash>) -> Option<Hash> {
    hashes.rev().reduce(|right, left| node_hash(&left, &right))
}

/// The root of the tree over these leaf hashes.
pub fn root_of(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut tree = Frontier::default();
    for leaf in leaves {
        tree.push(leaf);
    }
    tree.root()
}

/// A tree that only grows, kept as the roots of its complete subtrees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Largest subtree first: one for each bit set in `size`.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of a tree of `size` leaves from the hashes of `range_nodes(0, size)`.
    /// `None` if their number is not what that size has.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its complete subtrees, in the order of `range_nodes(0, size)`.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        // The leaf completes one subtree for each trailing one of the size; each has its peak.
        let rest = self.peaks.len() - self.size.trailing_ones() as usize;
        let complete = self.peaks.drain(rest..).rev();
        let root = complete.fold(leaf, |right, left| node_hash(&left, &right));
        self.peaks.push(root);
        self.size += 1;
    }

    /// The root; [`Hash::empty_root`] for a tree without leaves.
    pub fn root(&self) -> Hash {
        fold_nodes(self.peaks.iter().copied()).unwrap_or_else(Hash::empty_root)
    }
}
