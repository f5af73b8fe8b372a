//! The branching of a part of the trie that has a page: where its children part from each other, and
//! what was hashed of them.

use std::ops::RangeInclusive;

use super::memo::{MEMOS_MAX, Memos, bit};
use super::node::{Node, TrieError};
use super::path::{PATH_BITS, Path};

/// A page with more children is split in two. With one more it still has places for all nodes.
pub(super) const CHILDREN_MAX: usize = 31;
const _: () = assert!(
    2 * (CHILDREN_MAX + 1) - 1 == MEMOS_MAX,
    "a place each for children and gaps"
);

/// The children of which a page's branches are made: groups of leaves, or pages below.
pub(super) trait Children {
    /// The node that a child makes at a depth.
    fn node(&self, child: usize, depth: usize) -> Result<Node, TrieError>;

    /// The path of any leaf of a child.
    fn path(&self, child: usize) -> Path;
}

/// How the children of a page hang together.
///
/// Children are subtrees, in order. Between each and the next is a *gap*, and the number of bits that
/// the leaves on both sides share is the depth of the one branch that parts them. The least depth of
/// a range of gaps is the topmost branch of that range: so the depths alone tell the shape of the
/// tree, one byte a branch (as in Ferguson's bit trees).
///
/// Between a branch and the one above it, all else is empty: these nodes are hashed again from the
/// branch up, and only the topmost of them, right below the branch above, is kept. The topmost node of
/// the whole page is kept above it.
#[derive(Clone)]
pub(super) struct Branches {
    /// The depth of each gap's branch. The number of children is one more.
    depths: ByteList,
    /// What was hashed: of child `i` at place `2 i`, of the branch of gap `i` at `2 i + 1`.
    memos: Memos,
}

/// Where a path goes among children.
pub(super) enum Way {
    /// To a child, which stands at this depth.
    Child(usize, usize),
    /// To where nothing is.
    Nothing,
}

impl Branches {
    /// One child, no gap.
    pub(super) fn one() -> Self {
        Self {
            depths: ByteList::default(),
            memos: Memos::one(),
        }
    }

    /// Number of children.
    pub(super) fn len(&self) -> usize {
        self.depths.as_slice().len() + 1
    }

    /// The only child that may hold a path. Whether it does, only the child's leaves tell: bits are
    /// compared at the branches alone.
    pub(super) fn find(&self, path: &Path) -> usize {
        let mut child = 0;
        // Where the path goes left at a branch, the deeper gaps that follow are on the right of it. No
        // jumps in here: what the bits are can't be predicted.
        let mut left_of = PATH_BITS;
        for (gap, depth) in self.depths.as_slice().iter().enumerate() {
            let depth = usize::from(*depth);
            let is_above = depth < left_of;
            let is_right = path.bit(depth);
            child = if is_above & is_right { gap + 1 } else { child };
            let next = if is_right { PATH_BITS } else { depth };
            left_of = if is_above { next } else { left_of };
        }
        child
    }

    /// Whether a path belongs into a child, whose leaves share this number of bits with it. If not, the
    /// path branches off above the child.
    pub(super) fn is_within(&self, child: usize, shared: usize) -> bool {
        let above = |gap: Option<usize>| {
            gap.and_then(|gap| self.depth(gap))
                .is_some_and(|depth| usize::from(depth) >= shared)
        };
        !above(child.checked_sub(1)) && !above(Some(child))
    }

    /// The children around one that share more bits with it than this number.
    pub(super) fn sharing(&self, child: usize, shared: usize) -> RangeInclusive<usize> {
        let depths = self.depths.as_slice();
        let is_deeper = |depth: &&u8| usize::from(**depth) > shared;
        let (before, behind) = depths.split_at_checked(child).unwrap_or((depths, &[]));
        let before = before.iter().rev().take_while(is_deeper).count();
        let behind = behind.iter().take_while(is_deeper).count();
        child - before..=child + behind
    }

    /// Whether a child's node is kept.
    pub(super) fn is_kept(&self, child: usize) -> bool {
        self.memos.is_kept(2 * child)
    }

    /// Forgets what was hashed of a child and of all branches above it: the child changed.
    pub(super) fn touch(&mut self, child: usize) {
        let depths = self.depths.as_slice();
        let (before, behind) = depths.split_at_checked(child).unwrap_or((depths, &[]));
        let behind = (child..).zip(behind);
        let bits = bits_above(behind) | bits_above(before.iter().enumerate().rev());
        self.memos.clear_all(bits | bit(2 * child));
    }

    /// Makes two of a child, parted at this depth: itself and the one behind it.
    pub(super) fn split(&mut self, child: usize, depth: u8) {
        self.depths.insert(child, depth);
        self.memos.insert_two(2 * child + 1);
        self.touch(child);
    }

    /// Puts in a new child that branches off at this depth above another, to the right of it or to the
    /// left; returns its number.
    pub(super) fn branch_off(&mut self, child: usize, depth: u8, right: bool) -> usize {
        let beside = self.sharing(child, depth.into());
        let (first, last) = beside.into_inner();
        // What it branches off from stands one deeper from now on.
        let top = self.top_of(first, last);
        self.memos.clear(top);
        let new = if right {
            self.depths.insert(last, depth);
            self.memos.insert_two(2 * last + 1);
            last + 1
        } else {
            self.depths.insert(first, depth);
            self.memos.insert_two(2 * first);
            first
        };
        self.touch(new);
        new
    }

    /// Takes out a child of several.
    pub(super) fn remove(&mut self, child: usize) {
        self.touch(child);
        let before = child
            .checked_sub(1)
            .and_then(|gap| Some((gap, self.depth(gap)?)));
        let behind = self.depth(child).map(|depth| (child, depth));
        // The deeper of both gaps parts the child from what is beside it.
        let (gap, depth) = match (before, behind) {
            (Some(before), Some(behind)) if before.1 > behind.1 => before,
            (_, Some(behind)) => behind,
            (Some(before), None) => before,
            (None, None) => return,
        };
        let neighbor = if gap == child { child + 1 } else { gap };
        // What is beside it stands higher from now on.
        let (first, last) = self.sharing(neighbor, depth.into()).into_inner();
        let top = self.top_of(first, last);
        self.memos.clear(top);
        self.depths.remove(gap);
        let first_memo = 2 * child - usize::from(gap < child);
        self.memos.remove_two(first_memo);
    }

    /// Cuts the page in two at its topmost branch, of two or more children. Returns the number of
    /// children that stay, the depth of the branch, and what is on its right.
    pub(super) fn split_at_top(&mut self) -> Option<(usize, u8, Self)> {
        let (gap, depth) = self.topmost(0, self.len() - 1)?;
        let right = Self {
            depths: self.depths.split_off(gap + 1),
            memos: self.memos.split_off(2 * gap + 2),
        };
        self.depths.remove(gap);
        Some((gap + 1, depth, right))
    }

    /// The node that all children together make at a depth.
    pub(super) fn node(&self, children: &impl Children, depth: usize) -> Result<Node, TrieError> {
        let last = self.len() - 1;
        self.make(children, 0, self.topmost(0, last), last, depth)
    }

    /// Follows a path from a depth down to a child; puts down the siblings on its way, from the top.
    pub(super) fn follow(
        &self,
        children: &impl Children,
        path: &Path,
        mut depth: usize,
        siblings: &mut Vec<Node>,
    ) -> Result<Way, TrieError> {
        let (mut first, mut last) = (0, self.len() - 1);
        while let Some(top @ (gap, branch)) = self.topmost(first, last) {
            let branch = usize::from(branch);
            if branch > depth {
                let shared = children.path(first).shared_bits(path);
                if shared < branch {
                    siblings.resize(siblings.len() + shared.saturating_sub(depth), Node::EMPTY);
                    siblings.push(self.make(children, first, Some(top), last, shared + 1)?);
                    return Ok(Way::Nothing);
                }
                siblings.resize(siblings.len() + branch - depth, Node::EMPTY);
            }
            depth = branch + 1;
            if path.bit(branch) {
                siblings.push(self.kept(children, first, gap, depth)?);
                first = gap + 1;
            } else {
                siblings.push(self.kept(children, gap + 1, last, depth)?);
                last = gap;
            }
        }
        Ok(Way::Child(first, depth))
    }

    /// The node of a range of children at the depth right below the branch above it: from memory, or
    /// made and kept.
    fn kept(
        &self,
        children: &impl Children,
        first: usize,
        last: usize,
        depth: usize,
    ) -> Result<Node, TrieError> {
        let top = self.topmost(first, last);
        let place = place_of(first, top);
        if let Some(node) = self.memos.get(place) {
            return Ok(node);
        }
        let node = self.make(children, first, top, last, depth)?;
        self.memos.set(place, &node);
        Ok(node)
    }

    /// Makes the node of a range of children, by its topmost branch, at a depth. No deeper than there
    /// are children.
    fn make(
        &self,
        children: &impl Children,
        first: usize,
        top: Option<(usize, u8)>,
        last: usize,
        depth: usize,
    ) -> Result<Node, TrieError> {
        let Some((gap, branch)) = top else {
            return children.node(first, depth);
        };
        let branch = usize::from(branch);
        let left = self.kept(children, first, gap, branch + 1)?;
        let right = self.kept(children, gap + 1, last, branch + 1)?;
        let node = Node::join(&left, &right)?;
        if branch <= depth {
            return Ok(node);
        }
        node.raised(&children.path(first), branch, depth)
    }

    /// The depth of a gap's branch.
    pub(super) fn depth(&self, gap: usize) -> Option<u8> {
        self.depths.as_slice().get(gap).copied()
    }

    /// The gap of the topmost branch between two children and its depth; `None` if they are the same.
    fn topmost(&self, first: usize, last: usize) -> Option<(usize, u8)> {
        let depths = self.depths.as_slice().get(first..last)?;
        let depth = *depths.iter().min()?;
        let gap = depths.iter().position(|other| *other == depth)?;
        Some((first + gap, depth))
    }

    /// Where the node of a range of children is kept.
    fn top_of(&self, first: usize, last: usize) -> usize {
        place_of(first, self.topmost(first, last))
    }
}

/// Where the node of children is kept, from the first one on, that have this topmost branch.
fn place_of(first: usize, top: Option<(usize, u8)>) -> usize {
    match top {
        Some((gap, _)) => 2 * gap + 1,
        None => 2 * first,
    }
}

/// The places of the branches above a child, of the gaps on one side of it, the nearest first: a gap's
/// branch is above the child if it is higher than every gap between them.
fn bits_above<'a>(gaps: impl Iterator<Item = (usize, &'a u8)>) -> u64 {
    let mut highest = PATH_BITS;
    gaps.fold(0, |bits, (gap, depth)| {
        let depth = usize::from(*depth);
        let above = if depth < highest { bit(2 * gap + 1) } else { 0 };
        highest = highest.min(depth);
        bits | above
    })
}

#[cfg(test)]
impl Branches {
    /// The same branches, and nothing kept.
    pub(super) fn remade(&self) -> Self {
        Self {
            depths: self.depths.clone(),
            memos: {
                let mut memos = self.memos.clone();
                memos.clear_all(u64::MAX);
                memos
            },
        }
    }

    /// How many nodes are kept, and how many could be.
    pub(super) fn kept_below_top(&self) -> (usize, usize) {
        let top = self.top_of(0, self.len() - 1);
        let below = (0..self.memos.len()).filter(|place| *place != top);
        let kept = below
            .filter(|place| self.memos.get(*place).is_some())
            .count();
        (kept, self.memos.len() - 1)
    }
}

/// A short list of small numbers that takes no memory of its own: a page's lists are read at each look
/// into it. A page is split as soon as it has a child too many, so the list never outgrows its room.
#[derive(Clone)]
pub(super) struct ByteList {
    len: u8,
    bytes: [u8; CHILDREN_MAX + 1],
}

impl Default for ByteList {
    fn default() -> Self {
        Self {
            len: 0,
            bytes: [0; CHILDREN_MAX + 1],
        }
    }
}

impl ByteList {
    /// The numbers.
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or(&self.bytes)
    }

    /// The numbers, to be changed.
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        let (used, _) = self.bytes.split_at_mut(self.len.into());
        used
    }

    /// Puts a number before the one at a place.
    pub(super) fn insert(&mut self, place: usize, number: u8) {
        debug_assert!(place <= self.len.into() && usize::from(self.len) < self.bytes.len());
        self.len += 1;
        if let Some(rest) = self.as_mut_slice().get_mut(place..) {
            rest.rotate_right(1);
            if let Some(first) = rest.first_mut() {
                *first = number;
            }
        }
    }

    /// Takes out the number at a place.
    pub(super) fn remove(&mut self, place: usize) {
        if let Some(rest) = self.as_mut_slice().get_mut(place..) {
            rest.rotate_left(1);
            self.len -= 1;
        }
    }

    /// Takes out the numbers from a place on.
    pub(super) fn split_off(&mut self, place: usize) -> Self {
        let mut rest = Self::default();
        for number in self.as_slice().get(place..).unwrap_or_default() {
            rest.insert(rest.len.into(), *number);
        }
        self.len -= rest.len;
        rest
    }
}
