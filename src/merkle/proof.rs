//! Inclusion and consistency proofs (RFC 6962, section 2.1; verification as in RFC 9162,
//! sections 2.1.3.2 and 2.1.4.2).

use super::hash::{Hash, node_hash};

/// No proof of a tree with `u64` leaves holds more hashes than this: a consistency proof has at
/// most one a level and one more.
pub const PROOF_HASHES_MAX: usize = 65;

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The leaf lies outside the tree.
    #[error("index {index} is not in a tree of {size} leaves")]
    OutOfTree {
        /// Index asked for.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The older tree is larger than the newer.
    #[error("a tree of {from} leaves can't be the beginning of one of {to}")]
    SizesReversed {
        /// Size of the older tree.
        from: u64,
        /// Size of the newer tree.
        to: u64,
    },
    /// There are too many or too few hashes.
    #[error("the proof has {found} hashes, which is not the number that this place needs")]
    Length {
        /// Hashes in the proof.
        found: usize,
    },
    /// The hashes lead to another root.
    #[error("the proof leads to another root than the checkpoint's")]
    RootMismatch,
}

/// The ranges of leaves whose hashes prove that leaf `index` is in a tree of `size`, from the
/// leaf's sibling up (RFC 6962, section 2.1.1).
///
/// # Errors
/// [`ProofError::OutOfTree`].
pub fn inclusion_ranges(index: u64, size: u64) -> Result<Vec<(u64, u64)>, ProofError> {
    if index >= size {
        return Err(ProofError::OutOfTree { index, size });
    }
    let (mut start, mut end) = (0, size);
    let mut ranges = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    ranges.reverse();
    Ok(ranges)
}

/// The ranges of leaves whose hashes prove that a tree of `to` begins with the one of `from`
/// (RFC 6962, section 2.1.2). None for equal sizes, and none for `from` = 0.
///
/// # Errors
/// [`ProofError::SizesReversed`].
pub fn consistency_ranges(from: u64, to: u64) -> Result<Vec<(u64, u64)>, ProofError> {
    if from > to {
        return Err(ProofError::SizesReversed { from, to });
    }
    let mut ranges = Vec::new();
    if from == 0 || from == to {
        return Ok(ranges);
    }
    let (mut start, mut end) = (0, to);
    // Leaves of the old tree in this subtree end at `from`; descend until it ends there too.
    while from != end {
        let middle = start + split(end - start);
        if from <= middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    if start != 0 {
        ranges.push((start, end));
    }
    ranges.reverse();
    Ok(ranges)
}

/// The largest power of two below `count`, which is at least 2.
pub(super) fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// Checks that `leaf` is the leaf at `index` of the tree with this size and root.
///
/// # Errors
/// [`ProofError`] says what is wrong with the proof.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfTree { index, size });
    }
    let length = ProofError::Length { found: proof.len() };
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in proof {
        if last == 0 {
            return Err(length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(length);
    }
    if hash == *root {
        Ok(())
    } else {
        Err(ProofError::RootMismatch)
    }
}

/// Checks that the tree of `to` leaves begins with the tree of `from` leaves.
///
/// An older tree of size 0 is the beginning of any, with an empty proof; its root must be the
/// empty root.
///
/// # Errors
/// [`ProofError`] says what is wrong with the proof.
pub fn verify_consistency(
    from: u64,
    from_root: &Hash,
    to: u64,
    to_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if from > to {
        return Err(ProofError::SizesReversed { from, to });
    }
    let length = ProofError::Length { found: proof.len() };
    if from == to || from == 0 {
        let expected = if from == to {
            *to_root
        } else {
            Hash::empty_root()
        };
        return match (proof.is_empty(), *from_root == expected) {
            (false, _) => Err(length),
            (true, false) => Err(ProofError::RootMismatch),
            (true, true) => Ok(()),
        };
    }
    let mut hashes = proof.iter();
    // A complete old tree is a node of the new one: its root begins the walk.
    let first = if from.is_power_of_two() {
        *from_root
    } else {
        *hashes.next().ok_or(length)?
    };
    let (mut old, mut new) = (first, first);
    let (mut node, mut last) = (from - 1, to - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    for hash in hashes {
        if last == 0 {
            return Err(length);
        }
        if node & 1 == 1 || node == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(length);
    }
    if old == *from_root && new == *to_root {
        Ok(())
    } else {
        Err(ProofError::RootMismatch)
    }
}
