//! What no single proof tells: that nothing lies between two paths. It proves the greatest leaf below a
//! path (the latest survey of a plot, the newest version of a method) to a reader who holds only a root.
//!
//! Let both paths part at bit d, the lower one to the left. What is between them is, below that branch,
//! right of the lower path's way or left of the higher path's way: the siblings that the two proofs show
//! there must be empty, and no other leaf at a proof's end may lie between.

use super::node::{Domain, Leaf, Node};
use super::path::Path;
use super::proof::{End, ProofError, TrieProof};

impl TrieProof {
    /// Verifies two proofs against one root, and that the trie has no leaf between their paths. Gives what
    /// is at each path.
    ///
    /// # Errors
    /// [`ProofError`], if one of the proofs does not hold; [`ProofError::NotNeighbours`], if both do, and a
    /// leaf is between the paths, or `low` is not below `high`.
    pub fn verify_neighbours<'a>(
        domain: Domain,
        root: &Node,
        low: (&Path, &'a Self),
        high: (&Path, &'a Self),
    ) -> Result<[Option<&'a Leaf>; 2], ProofError> {
        let leaves = [
            low.1.verify(domain, low.0, root)?,
            high.1.verify(domain, high.0, root)?,
        ];
        if nothing_between(low, high) {
            Ok(leaves)
        } else {
            Err(ProofError::NotNeighbours)
        }
    }
}

/// Whether two proofs that hold show that no leaf is between their paths.
pub(super) fn nothing_between(low: (&Path, &TrieProof), high: (&Path, &TrieProof)) -> bool {
    if low.0 >= high.0 {
        return false;
    }
    let parted_at = low.0.shared_bits(high.0);
    // Right of the lower way, and left of the higher one.
    let empty_beside = |(path, proof): (&Path, &TrieProof), goes_right: bool| {
        let siblings = proof.siblings();
        let below = (0..siblings.len()).rev().zip(siblings);
        below
            .filter(|(depth, _)| *depth > parted_at && path.bit(*depth) == goes_right)
            .all(|(_, sibling)| sibling.n == 0)
    };
    let ends_outside = |proof: &TrieProof| match proof.end() {
        End::Nothing | End::This(_) => true,
        End::Other(other, _) => other <= low.0 || other >= high.0,
    };
    empty_beside(low, false)
        && empty_beside(high, true)
        && ends_outside(low.1)
        && ends_outside(high.1)
}
