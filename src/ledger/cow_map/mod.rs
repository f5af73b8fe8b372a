//! Ordered maps that are copied on write, and can be saved in parts while they change.
//!
//! A map has three levels: nodes, buckets, items. Nodes and buckets are behind `Arc`s, so an image
//! of the map costs a pointer a node, whatever the number of items: another thread encodes the image
//! while the sequencer keeps changing the map, and a bucket is copied only if it changes while an
//! image holds it. Each bucket knows the image since which it changed.

mod image;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::sync::Arc;

use bincode::{Decode, Encode};

pub(super) use image::{AnyMap, MapImage};
pub use image::{BucketError, BucketImage};

/// A bucket with more items is split in two: accounts, 48 bytes each, make buckets of 6 to 12 KiB.
const ITEMS_MAX: usize = 256;
/// A node with more buckets is split in two.
const BUCKETS_MAX: usize = 256;
/// A full bucket reserves at most this many more items: doubling would leave memory unused.
const GROWTH_MAX: usize = 64;

/// What can be a key: its encoding sorts as the key does.
pub(super) trait Key: Ord + Copy + Encode + Decode<()> + Send + Sync + 'static {}

impl<K: Ord + Copy + Encode + Decode<()> + Send + Sync + 'static> Key for K {}

/// An ordered map.
#[derive(Clone, Debug)]
pub(super) struct CowMap<K, V> {
    /// In order of their first keys. Never an empty node.
    nodes: Vec<Child<K, Node<K, V>>>,
    /// Number of items in all buckets.
    len: usize,
    /// Number of images that were taken.
    images: u64,
}

/// Buckets, in order of their first keys. Never an empty bucket.
type Node<K, V> = Vec<Child<K, Bucket<K, V>>>;

/// A part of the level above. It holds the keys from `first_key` up to where the next part begins.
#[derive(Debug)]
struct Child<K, T> {
    first_key: K,
    content: Arc<T>,
}

#[derive(Clone, Debug)]
struct Bucket<K, V> {
    /// In order of their keys.
    items: Vec<(K, V)>,
    /// Number of images that had been taken at the last change.
    changed_at: u64,
}

/// Where an item is.
struct Position {
    node: usize,
    bucket: usize,
    item: usize,
}

impl<K: Clone, T> Clone for Child<K, T> {
    fn clone(&self) -> Self {
        Self {
            first_key: self.first_key.clone(),
            content: Arc::clone(&self.content),
        }
    }
}

impl<K, V> Default for CowMap<K, V> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            len: 0,
            images: 1,
        }
    }
}

impl<K: Key, V: Clone> CowMap<K, V> {
    /// Number of items.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The value of `key`.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let node = &self.nodes.get(child_of(&self.nodes, key))?.content;
        let bucket = &node.get(child_of(node, key))?.content;
        let (found, value) = bucket.items.get(item_of(&bucket.items, key))?;
        (found == key).then_some(value)
    }

    /// Whether `key` has a value.
    pub(super) fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of `key`; returns the value before.
    #[must_use = "a value that was there already may contradict what was judged"]
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(present) = self.get_mut(&key) {
            return Some(std::mem::replace(present, value));
        }
        self.insert_absent(key, value);
        None
    }

    /// Changes the value of `key`; `None` if it has none.
    #[must_use = "nothing changes if there is no value"]
    pub(super) fn update<T>(&mut self, key: &K, change: impl FnOnce(&mut V) -> T) -> Option<T> {
        self.get_mut(key).map(change)
    }

    /// Changes the value of `key`, which begins as the default.
    pub(super) fn upsert<T>(&mut self, key: K, change: impl FnOnce(&mut V) -> T) -> T
    where
        V: Default,
    {
        if let Some(present) = self.get_mut(&key) {
            return change(present);
        }
        let mut value = V::default();
        let changed = change(&mut value);
        self.insert_absent(key, value);
        changed
    }

    /// Takes `key` out; returns its value.
    #[must_use = "nothing changes if there is no value"]
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let Position { node, bucket, item } = self.find(key)?;
        let buckets = Arc::make_mut(&mut self.nodes.get_mut(node)?.content);
        let content = Arc::make_mut(&mut buckets.get_mut(bucket)?.content);
        content.changed_at = self.images;
        let (_, value) = content.items.remove(item);
        self.len -= 1;
        if content.items.is_empty() {
            buckets.remove(bucket);
            if buckets.is_empty() {
                self.nodes.remove(node);
            }
        }
        Some(value)
    }

    /// All items, in order of their keys.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &(K, V)> {
        let buckets = self.nodes.iter().flat_map(|node| node.content.iter());
        buckets.flat_map(|bucket| bucket.content.items.iter())
    }

    /// The items with keys in `range`, in order; none if the range ends before it begins.
    pub(super) fn range(
        &self,
        range: RangeInclusive<K>,
    ) -> impl DoubleEndedIterator<Item = &(K, V)> {
        let (start, end) = range.into_inner();
        let nodes = overlapping(&self.nodes, start, end);
        let buckets = nodes.flat_map(move |node| overlapping(&node.content, start, end));
        buckets.flat_map(move |bucket| {
            let items = &bucket.content.items;
            let first = item_of(items, &start);
            let behind = items.partition_point(|(key, _)| *key <= end);
            items.get(first..behind).into_iter().flatten()
        })
    }

    /// Where `key` is, if it has a value.
    fn find(&self, key: &K) -> Option<Position> {
        let node = child_of(&self.nodes, key);
        let buckets = &self.nodes.get(node)?.content;
        let bucket = child_of(buckets, key);
        let items = &buckets.get(bucket)?.content.items;
        let item = item_of(items, key);
        let (found, _) = items.get(item)?;
        (found == key).then_some(Position { node, bucket, item })
    }

    /// The value of `key`, in a bucket that no image holds and that counts as changed.
    fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        // Looked for first: for a key without a value, nothing is copied.
        let Position { node, bucket, item } = self.find(key)?;
        let buckets = Arc::make_mut(&mut self.nodes.get_mut(node)?.content);
        let content = Arc::make_mut(&mut buckets.get_mut(bucket)?.content);
        content.changed_at = self.images;
        content.items.get_mut(item).map(|(_, value)| value)
    }

    /// Puts in a key that has no value.
    fn insert_absent(&mut self, key: K, value: V) {
        let changed_at = self.images;
        self.len += 1;
        let node = child_of(&self.nodes, &key);
        let Some(child) = self.nodes.get_mut(node) else {
            // No node: the map was empty.
            let bucket = Child::new(key, Bucket::of(vec![(key, value)], changed_at));
            self.nodes.push(Child::new(key, vec![bucket]));
            return;
        };
        child.first_key = child.first_key.min(key);
        let buckets = Arc::make_mut(&mut child.content);
        let bucket = child_of(buckets, &key);
        let Some(child) = buckets.get_mut(bucket) else {
            buckets.push(Child::new(key, Bucket::of(vec![(key, value)], changed_at)));
            return;
        };
        child.first_key = child.first_key.min(key);
        let content = Arc::make_mut(&mut child.content);
        content.changed_at = changed_at;
        let items = &mut content.items;
        if items.len() == items.capacity() {
            items.reserve_exact((items.len() / 4).clamp(4, GROWTH_MAX));
        }
        let item = item_of(items, &key);
        items.insert(item, (key, value));
        let Some((first_key, rest)) = split_overfull(items, item, ITEMS_MAX, |(key, _)| *key)
        else {
            return;
        };
        let next = Child::new(first_key, Bucket::of(rest, changed_at));
        buckets.insert(bucket + 1, next);
        let split = split_overfull(buckets, bucket + 1, BUCKETS_MAX, |next| next.first_key);
        if let Some((first_key, rest)) = split {
            self.nodes.insert(node + 1, Child::new(first_key, rest));
        }
    }
}

impl<K, T> Child<K, T> {
    fn new(first_key: K, content: T) -> Self {
        Self {
            first_key,
            content: Arc::new(content),
        }
    }
}

impl<K, V> Bucket<K, V> {
    fn of(items: Vec<(K, V)>, changed_at: u64) -> Self {
        Self { items, changed_at }
    }
}

/// The last child that begins at or before a key; the first one if none does.
fn child_of<K: Ord, T>(children: &[Child<K, T>], key: &K) -> usize {
    let behind = children.partition_point(|child| child.first_key <= *key);
    behind.max(1) - 1
}

/// Where an item of this key is, or would be.
fn item_of<K: Ord, V>(items: &[(K, V)], key: &K) -> usize {
    items.partition_point(|(other, _)| other < key)
}

/// The children that may hold keys from `start` to `end`.
fn overlapping<K: Ord, T>(
    children: &[Child<K, T>],
    start: K,
    end: K,
) -> impl DoubleEndedIterator<Item = &Child<K, T>> {
    let first = child_of(children, &start);
    let behind = children.partition_point(|child| child.first_key <= end);
    children.get(first..behind).into_iter().flatten()
}

/// Splits a vector of more than `most`; gives the second part, and the key of its first element.
/// In half, or, if the last insert was an append, before that one: keys that are only appended
/// then leave full vectors behind.
fn split_overfull<T, K>(
    all: &mut Vec<T>,
    last_insert: usize,
    most: usize,
    key: impl FnOnce(&T) -> K,
) -> Option<(K, Vec<T>)> {
    let len = all.len();
    if len <= most {
        return None;
    }
    let appended = last_insert + 1 == len;
    let at = if appended { last_insert } else { len / 2 };
    let first_key = key(all.get(at)?);
    let rest = all.split_off(at);
    all.shrink_to_fit();
    Some((first_key, rest))
}
