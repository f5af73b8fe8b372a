//! Joint inclusion: that several leaves are in one tree, by one list of hashes. What two paths to the root
//! share stands once, and a node that follows from the leaves not at all.

use super::hash::{Hash, node_hash};
use super::proof::{ProofError, split};

/// The ranges of leaves whose hashes prove, together, that the leaves at `indexes`, which ascend, are in
/// a tree of `size`: from left to right.
///
/// # Errors
/// [`ProofError::OutOfTree`].
pub fn joint_ranges(indexes: &[u64], size: u64) -> Result<Vec<(u64, u64)>, ProofError> {
    if let Some(index) = indexes.iter().copied().find(|index| *index >= size) {
        return Err(ProofError::OutOfTree { index, size });
    }
    let mut ranges = Vec::new();
    if size > 0 {
        descend(indexes, (0, size), &mut ranges);
    }
    Ok(ranges)
}

/// It goes as deep as a tree: at most 64 levels.
fn descend(indexes: &[u64], (start, end): (u64, u64), ranges: &mut Vec<(u64, u64)>) {
    if indexes.is_empty() {
        ranges.push((start, end));
    } else if end - start > 1 {
        let middle = start + split(end - start);
        let (left, right) = indexes.split_at(indexes.partition_point(|index| *index < middle));
        descend(left, (start, middle), ranges);
        descend(right, (middle, end), ranges);
    }
}

/// Checks that `leaves`, by their indexes, which ascend strictly, are in the tree with this size and root.
///
/// # Errors
/// [`ProofError`] says what is wrong with the proof.
pub fn verify_joint(
    leaves: &[(u64, Hash)],
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if let Some((index, _)) = leaves.iter().find(|(index, _)| *index >= size) {
        let index = *index;
        return Err(ProofError::OutOfTree { index, size });
    }
    let mut hashes = proof.iter();
    let found = match size {
        0 => Some(Hash::empty_root()),
        _ => fold(leaves, (0, size), &mut hashes),
    };
    match (found, hashes.next()) {
        (Some(found), None) if found == *root => Ok(()),
        (Some(_), None) => Err(ProofError::RootMismatch),
        (None, _) | (_, Some(_)) => Err(ProofError::Length { found: proof.len() }),
    }
}

/// The root over a range; `None` when there are too few hashes, or the leaves are not in order.
fn fold<'a>(
    leaves: &[(u64, Hash)],
    (start, end): (u64, u64),
    hashes: &mut impl Iterator<Item = &'a Hash>,
) -> Option<Hash> {
    match leaves {
        [] => hashes.next().copied(),
        [(index, leaf)] if end - start == 1 && *index == start => Some(*leaf),
        _ if end - start == 1 => None,
        _ => {
            let middle = start + split(end - start);
            let (left, right) =
                leaves.split_at(leaves.partition_point(|(index, _)| *index < middle));
            let left = fold(left, (start, middle), hashes)?;
            let right = fold(right, (middle, end), hashes)?;
            Some(node_hash(&left, &right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{leaf_hash, root_of};
    use super::*;

    /// Every set of leaves of every small tree, against the definition; and each proof with a hash more,
    /// less, or changed.
    #[test]
    fn every_set_of_leaves_is_proven_and_nothing_else() {
        for size in 1..=9_u64 {
            let all: Vec<Hash> = (0..size).map(|leaf| leaf_hash(&[leaf as u8])).collect();
            let root = root_of(all.iter().copied());
            for set in 1..1_u64 << size {
                let indexes: Vec<u64> = (0..size).filter(|leaf| set >> leaf & 1 == 1).collect();
                let leaves: Vec<_> = indexes
                    .iter()
                    .map(|leaf| (*leaf, all[*leaf as usize]))
                    .collect();
                let ranges = joint_ranges(&indexes, size).unwrap();
                let of = |(start, end): &(u64, u64)| {
                    root_of(all[*start as usize..*end as usize].iter().copied())
                };
                let proof: Vec<Hash> = ranges.iter().map(of).collect();
                verify_joint(&leaves, size, &proof, &root).unwrap();
                let longer = [proof.as_slice(), &[root]].concat();
                let length = |found| Err(ProofError::Length { found });
                assert_eq!(
                    verify_joint(&leaves, size, &longer, &root),
                    length(longer.len())
                );
                if let Some((_, shorter)) = proof.split_last() {
                    assert_eq!(
                        verify_joint(&leaves, size, shorter, &root),
                        length(shorter.len())
                    );
                }
                for at in 0..proof.len() {
                    let mut wrong = proof.clone();
                    wrong[at] = leaf_hash(b"another");
                    let held = verify_joint(&leaves, size, &wrong, &root);
                    assert_eq!(held, Err(ProofError::RootMismatch));
                }
                for at in 0..leaves.len() {
                    let mut wrong = leaves.clone();
                    wrong[at].1 = leaf_hash(b"another");
                    let held = verify_joint(&wrong, size, &proof, &root);
                    assert_eq!(held, Err(ProofError::RootMismatch));
                }
            }
        }
    }

    #[test]
    fn what_is_outside_the_tree_or_twice_at_a_place_is_not_proven() {
        let leaf = leaf_hash(b"leaf");
        let outside = ProofError::OutOfTree { index: 4, size: 4 };
        assert_eq!(joint_ranges(&[0, 4], 4), Err(outside));
        assert_eq!(verify_joint(&[(4, leaf)], 4, &[], &leaf), Err(outside));
        assert_eq!(
            verify_joint(&[(0, leaf), (0, leaf)], 1, &[], &leaf),
            Err(ProofError::Length { found: 0 })
        );
    }
}
