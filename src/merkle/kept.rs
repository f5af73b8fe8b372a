//! A tree of which every complete subtree is kept, so that many proofs of it are made for one pass over its
//! leaves.

use super::hash::{Hash, node_hash};
use super::proof::{ProofError, inclusion_ranges};
use super::tree::{Node, fold_nodes, range_nodes};

/// A tree with the hashes of all its complete subtrees.
#[derive(Clone, Debug)]
pub struct KeptTree {
    /// By level: the leaves, then what each two of the level below make.
    levels: Vec<Vec<Hash>>,
}

impl KeptTree {
    /// The tree over these leaf hashes. Hashes as many nodes as there are leaves, less one at the most.
    pub fn of(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last()
            && below.len() > 1
        {
            let (pairs, _) = below.as_chunks::<2>();
            levels.push(
                pairs
                    .iter()
                    .map(|[left, right]| node_hash(left, right))
                    .collect(),
            );
        }
        Self { levels }
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// The inclusion proof of a leaf (RFC 6962, section 2.1.1).
    ///
    /// # Errors
    /// [`ProofError::OutOfTree`].
    pub fn inclusion(&self, index: u64) -> Result<Vec<Hash>, ProofError> {
        let size = self.size();
        let ranges = inclusion_ranges(index, size)?;
        let hashes = ranges.into_iter().map(|(start, end)| {
            let nodes = range_nodes(start, end).into_iter();
            let nodes: Option<Vec<Hash>> = nodes.map(|node| self.node(node)).collect();
            fold_nodes(nodes?.into_iter())
        });
        let hashes: Option<Vec<Hash>> = hashes.collect();
        hashes.ok_or(ProofError::OutOfTree { index, size })
    }

    /// The root; [`Hash::empty_root`] of a tree without leaves.
    pub fn root(&self) -> Hash {
        let nodes = range_nodes(0, self.size()).into_iter();
        let nodes: Option<Vec<Hash>> = nodes.map(|node| self.node(node)).collect();
        let root = nodes.and_then(|nodes| fold_nodes(nodes.into_iter()));
        root.unwrap_or_else(Hash::empty_root)
    }

    /// Bytes of memory that its hashes take.
    pub fn hash_bytes(&self) -> usize {
        let hashes = self.levels.iter().map(Vec::len).sum::<usize>();
        hashes * size_of::<Hash>()
    }

    fn node(&self, node: Node) -> Option<Hash> {
        let level = self.levels.get(usize::from(node.level))?;
        level.get(usize::try_from(node.index).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{leaf_hash, root_of, verify_inclusion};

    #[test]
    fn every_leaf_of_every_size_is_proven() {
        let leaves: Vec<Hash> = (0..200_u8).map(|leaf| leaf_hash(&[leaf])).collect();
        for size in 0..=leaves.len() {
            let kept = KeptTree::of(leaves[..size].to_vec());
            let root = root_of(leaves[..size].iter().copied());
            assert_eq!(kept.root(), root);
            for (index, leaf) in (0..).zip(&leaves[..size]) {
                let path = kept.inclusion(index).unwrap();
                verify_inclusion(*leaf, index, size as u64, &path, &root).unwrap();
            }
            let outside = kept.inclusion(size as u64).unwrap_err();
            assert!(matches!(outside, ProofError::OutOfTree { .. }));
        }
    }
}
