//! Pages of leaves: small groups of them, which are hashed as one, in one piece of memory.

use std::ops::Range;

use super::branches::{Branches, ByteList, CHILDREN_MAX, Children, Way};
use super::node::{Domain, Node, TrieError};
use super::path::{PATH_BITS, Path};
use super::{Key, Value};

/// A page with more items is split in two. It is what is copied when an item changes under an image,
/// and what is saved: accounts, 56 bytes each, make pages of 4 to 7 KiB.
pub(super) const ITEMS_MAX: usize = 128;
/// A group with more items is split in two. When an item changes, its whole group is hashed: larger
/// ones cost time, smaller ones memory, 112 bytes a group. With 12, ten million accounts take 18 bytes
/// each for nodes and pages in place of 26, and a root takes a sixth longer.
pub(super) const GROUP_ITEMS_MAX: usize = 8;
/// A group whose branches lie farther apart is split in two: between branches that are far apart each
/// level is hashed. Random paths stay below it; it bounds what keys with long common prefixes cost.
const GROUP_SPAN_MAX: usize = 24;
/// A page has room for a multiple of this number of items: doubling would leave memory unused, and pages of
/// every size would leave gaps between them.
const GROWTH: usize = 16;

/// Up to [`ITEMS_MAX`] items, in order of their paths: all that there are under one node of the trie.
pub(super) struct LeafPage<K, V> {
    /// Never none.
    items: Vec<(K, V)>,
    /// How many of the items each group has: never none.
    counts: ByteList,
    /// How the groups hang together.
    branches: Branches,
    /// Number of images that had been taken when an item was last changed, put in or taken out.
    pub(super) changed_at: u64,
}

/// A copy has room in the same steps.
impl<K: Clone, V: Clone> Clone for LeafPage<K, V> {
    fn clone(&self) -> Self {
        let mut items = Vec::with_capacity(self.items.len().next_multiple_of(GROWTH));
        items.extend_from_slice(&self.items);
        Self {
            items,
            counts: self.counts.clone(),
            branches: self.branches.clone(),
            changed_at: self.changed_at,
        }
    }
}

impl<K: Key, V: Value> LeafPage<K, V> {
    /// A page of these items, in strict order of their paths; `None` if they are none, too many, or in
    /// another order.
    pub(super) fn of(items: Vec<(K, V)>, changed_at: u64) -> Option<Self> {
        let in_order = items.is_sorted_by(|(a, _), (b, _)| a.path() < b.path());
        if items.is_empty() || items.len() > ITEMS_MAX || !in_order {
            return None;
        }
        let mut page = Self {
            counts: ByteList::default(),
            branches: Branches::one(),
            items,
            changed_at,
        };
        page.counts.insert(0, u8::try_from(page.items.len()).ok()?);
        let mut group = 0;
        while group < page.branches.len() {
            if page.branches.len() == CHILDREN_MAX || !page.split_group(group) {
                group += 1;
            }
        }
        Some(page)
    }

    /// A page of one item.
    pub(super) fn of_one(item: (K, V), changed_at: u64) -> Self {
        let mut counts = ByteList::default();
        counts.insert(0, 1);
        Self {
            items: vec![item],
            counts,
            branches: Branches::one(),
            changed_at,
        }
    }

    /// The items, in order.
    pub(super) fn items(&self) -> &[(K, V)] {
        &self.items
    }

    /// The path of the first item.
    pub(super) fn first_path(&self) -> Path {
        self.path_of(0)
    }

    /// Number of bits that all paths in the page share.
    pub(super) fn depth(&self) -> usize {
        shared_by(&self.items)
    }

    /// The item at a path.
    pub(super) fn get(&self, path: &Path) -> Option<&(K, V)> {
        let group = self.group(self.branches.find(path));
        let items = self.items.get(group)?;
        let item = items.get(behind(items, path))?;
        (item.0.path() == *path).then_some(item)
    }

    /// Number of items, by what lies in the page itself.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Reads the items around a path, so that they are near.
    pub(super) fn fetch(&self, path: &Path) -> usize {
        fetch(&self.items, self.group(self.branches.find(path)))
    }

    /// Reads the items of groups that changed.
    pub(super) fn fetch_changed(&self) -> usize {
        let groups = (0..self.branches.len()).filter(|group| !self.branches.is_kept(*group));
        groups.fold(0, |sum, group| sum ^ fetch(&self.items, self.group(group)))
    }

    /// The value at a path, to be changed.
    pub(super) fn get_mut(&mut self, path: &Path, images: u64) -> Option<&mut V> {
        let group = self.branches.find(path);
        let items = self.group(group);
        let items = self.items.get_mut(items)?;
        let place = behind(items, path);
        let (_, value) = items
            .get_mut(place)
            .filter(|(key, _)| key.path() == *path)?;
        self.branches.touch(group);
        self.changed_at = images;
        Some(value)
    }

    /// Number of bits that a path shares with the items that it shares most with.
    pub(super) fn shared_bits(&self, path: &Path) -> usize {
        self.path_of(self.branches.find(path)).shared_bits(path)
    }

    /// Puts in an item at a path that has none; `shared` as [`Self::shared_bits`] gives it.
    pub(super) fn insert(&mut self, path: &Path, shared: usize, item: (K, V), images: u64) {
        self.changed_at = images;
        if self.items.len() == self.items.capacity() {
            let room = self.items.len() + 1;
            self.items
                .reserve_exact(room.next_multiple_of(GROWTH) - self.items.len());
        }
        let mut group = self.branches.find(path);
        if self.branches.is_within(group, shared) {
            let items = self.group(group);
            let place = items.start + behind(self.items.get(items).unwrap_or_default(), path);
            self.items.insert(place, item);
            if let Some(count) = self.counts.as_mut_slice().get_mut(group) {
                *count += 1;
            }
            self.branches.touch(group);
            self.split_group(group);
        } else if let Ok(depth) = u8::try_from(shared) {
            group = self.branches.branch_off(group, depth, path.bit(shared));
            self.counts.insert(group, 1);
            self.items.insert(self.group(group).start, item);
        }
    }

    /// Takes out the item at a path.
    pub(super) fn remove(&mut self, path: &Path, images: u64) -> Option<V> {
        let group = self.branches.find(path);
        let items = self.group(group);
        let place = items.start + behind(self.items.get(items)?, path);
        self.items
            .get(place)
            .filter(|(key, _)| key.path() == *path)?;
        let (_, value) = self.items.remove(place);
        self.changed_at = images;
        let count = self.counts.as_mut_slice().get_mut(group)?;
        *count -= 1;
        if *count == 0 {
            self.counts.remove(group);
            self.branches.remove(group);
        } else {
            self.branches.touch(group);
        }
        Some(value)
    }

    /// Splits a page that has too much in it at its topmost branch; gives the branch's depth and what
    /// is on its right.
    pub(super) fn split_overfull(&mut self, images: u64) -> Option<(u8, Self)> {
        if self.items.len() <= ITEMS_MAX && self.branches.len() <= CHILDREN_MAX {
            return None;
        }
        let (groups, depth, branches) = self.branches.split_at_top()?;
        let items = self.items.split_off(self.group(groups).start);
        self.items
            .shrink_to(self.items.len().next_multiple_of(GROWTH));
        let right = Self {
            items,
            counts: self.counts.split_off(groups),
            branches,
            changed_at: images,
        };
        Some((depth, right))
    }

    /// The node that the page makes at a depth.
    pub(super) fn node(&self, domain: Domain, depth: usize) -> Result<Node, TrieError> {
        self.branches.node(&Groups { page: self, domain }, depth)
    }

    /// Follows a path from a depth down to its end; puts down the siblings on its way, from the top.
    /// Returns the item that stands there alone.
    pub(super) fn follow(
        &self,
        domain: Domain,
        path: &Path,
        depth: usize,
        siblings: &mut Vec<Node>,
    ) -> Result<Option<&(K, V)>, TrieError> {
        let groups = Groups { page: self, domain };
        let way = self.branches.follow(&groups, path, depth, siblings)?;
        let Way::Child(group, mut depth) = way else {
            return Ok(None);
        };
        let mut items = self.items.get(self.group(group)).unwrap_or_default();
        while items.len() > 1 {
            let branch = shared_by(items);
            let on_way = items
                .first()
                .map_or(0, |(key, _)| key.path().shared_bits(path));
            if on_way < branch {
                siblings.resize(siblings.len() + on_way.saturating_sub(depth), Node::EMPTY);
                siblings.push(subtree(domain, items, on_way + 1)?);
                return Ok(None);
            }
            siblings.resize(siblings.len() + branch.saturating_sub(depth), Node::EMPTY);
            depth = branch + 1;
            let (left, right) = parted(items, branch);
            let (ours, other) = if path.bit(branch) {
                (right, left)
            } else {
                (left, right)
            };
            siblings.push(subtree(domain, other, depth)?);
            items = ours;
        }
        Ok(items.first())
    }

    /// Splits a group that is too large, or whose branches lie too far apart; whether it was.
    fn split_group(&mut self, group: usize) -> bool {
        let items = self.group(group);
        let items = self.items.get(items).unwrap_or_default();
        let depth = shared_by(items);
        let pairs = items.iter().zip(items.get(1..).unwrap_or_default());
        let mut branches = pairs.map(|((key, _), (next, _))| key.path().shared_bits(&next.path()));
        if items.len() <= GROUP_ITEMS_MAX && branches.all(|branch| branch - depth <= GROUP_SPAN_MAX)
        {
            return false;
        }
        let (left, right) = parted(items, depth);
        let counts = (u8::try_from(left.len()), u8::try_from(right.len()));
        let ((Ok(left), Ok(right)), Ok(depth)) = (counts, u8::try_from(depth)) else {
            return false;
        };
        if let Some(count) = self.counts.as_mut_slice().get_mut(group) {
            *count = left;
        }
        self.counts.insert(group + 1, right);
        self.branches.split(group, depth);
        true
    }

    /// Where a group's items are.
    fn group(&self, group: usize) -> Range<usize> {
        let (before, rest) = self.counts.as_slice().split_at(group);
        let start = before.iter().map(|count| usize::from(*count)).sum();
        start..start + rest.first().map_or(0, |count| usize::from(*count))
    }

    /// The path of a group's first item.
    fn path_of(&self, group: usize) -> Path {
        let first = self.items.get(self.group(group).start);
        first.map_or(Path::from_bytes([0; 32]), |(key, _)| key.path())
    }
}

#[cfg(test)]
impl<K: Key, V: Value> LeafPage<K, V> {
    /// The items of each group.
    pub(super) fn groups(&self) -> Vec<&[(K, V)]> {
        let groups = 0..self.branches.len();
        groups.map(|group| &self.items[self.group(group)]).collect()
    }

    /// How the groups hang together.
    pub(super) fn branches(&self) -> &Branches {
        &self.branches
    }
}

type Items<'a, K, V> = &'a [(K, V)];

/// The groups of a page, which are hashed when a node over them is asked for.
struct Groups<'a, K, V> {
    page: &'a LeafPage<K, V>,
    domain: Domain,
}

impl<K: Key, V: Value> Children for Groups<'_, K, V> {
    fn node(&self, group: usize, depth: usize) -> Result<Node, TrieError> {
        let items = self.page.items.get(self.page.group(group));
        subtree(self.domain, items.unwrap_or_default(), depth)
    }

    fn path(&self, group: usize) -> Path {
        self.page.path_of(group)
    }
}

/// Reads a part of every item. What is returned means nothing.
fn fetch<K: Key, V>(items: &[(K, V)], group: Range<usize>) -> usize {
    let items = items.get(group).unwrap_or_default();
    items.iter().fold(0, |sum, (key, _)| {
        sum ^ usize::from(key.path().bit(PATH_BITS - 1))
    })
}

/// Number of items before a path.
fn behind<K: Key, V>(items: &[(K, V)], path: &Path) -> usize {
    items.partition_point(|(key, _)| key.path() < *path)
}

/// Number of bits that the paths of all items share.
fn shared_by<K: Key, V>(items: &[(K, V)]) -> usize {
    match (items.first(), items.last()) {
        (Some((first, _)), Some((last, _))) => first.path().shared_bits(&last.path()),
        _ => PATH_BITS,
    }
}

/// Items on the left and on the right of a branch at this depth.
fn parted<K: Key, V>(items: &[(K, V)], depth: usize) -> (Items<'_, K, V>, Items<'_, K, V>) {
    items.split_at(items.partition_point(|(key, _)| !key.path().bit(depth)))
}

/// The node that items make at a depth, from nothing.
fn subtree<K: Key, V: Value>(
    domain: Domain,
    items: &[(K, V)],
    depth: usize,
) -> Result<Node, TrieError> {
    let Some(((first, value), rest)) = items.split_first() else {
        return Ok(Node::EMPTY);
    };
    let path = first.path();
    let node = Node::of_leaf(domain, &path, &value.leaf()?);
    let mut folding = Folding {
        domain,
        rest,
        gap: gap_behind(&path, rest),
        path,
    };
    let (node, top) = folding.fold(node, None)?;
    node.raised(&path, top, depth)
}

/// Makes nodes of items from left to right: as a parser makes a tree of terms by how tightly what is
/// between them binds, here by the depth of the branch.
struct Folding<'a, K, V> {
    domain: Domain,
    /// The path of the last item that was taken.
    path: Path,
    /// The depth of the branch between that item and the next one, if there is one.
    gap: Option<usize>,
    /// The items behind it.
    rest: &'a [(K, V)],
}

impl<K: Key, V: Value> Folding<'_, K, V> {
    /// Joins a leaf, the last item that was taken, with what follows it as long as branches are below
    /// this one. Returns the node and the depth of its topmost branch. No deeper than there are items.
    fn fold(&mut self, leaf: Node, above: Option<usize>) -> Result<(Node, usize), TrieError> {
        let (mut node, mut top) = (leaf, PATH_BITS);
        let first = self.path;
        while let Some(gap) = self.gap.filter(|gap| Some(*gap) > above) {
            let Some(((key, value), rest)) = self.rest.split_first() else {
                break;
            };
            let left = node.raised(&first, top, gap + 1)?;
            let path = key.path();
            self.gap = gap_behind(&path, rest);
            (self.path, self.rest) = (path, rest);
            let leaf = Node::of_leaf(self.domain, &path, &value.leaf()?);
            let (right, right_top) = self.fold(leaf, Some(gap))?;
            node = Node::join(&left, &right.raised(&path, right_top, gap + 1)?)?;
            top = gap;
        }
        Ok((node, top))
    }
}

/// The depth of the branch between a path and the first of the items behind it.
fn gap_behind<K: Key, V>(path: &Path, rest: &[(K, V)]) -> Option<usize> {
    rest.first().map(|(next, _)| next.path().shared_bits(path))
}
