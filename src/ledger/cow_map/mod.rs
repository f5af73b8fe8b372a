//! Ordered maps that can be saved in parts, beside whoever changes them.
//!
//! A shelf is a tree of three levels: nodes, buckets, items, each behind an `Arc`. An image of it
//! costs a pointer a node, however many items there are: whoever encodes the image does so beside
//! the sequencer, which copies a bucket only if it changes one that an image still holds. Each
//! bucket knows the image since which it changed.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bincode::{Decode, Encode};

use crate::record::{CodecError, decode, encode};

/// A bucket with more items is cut in two: accounts, 48 bytes each, make buckets of 6 to 12 KiB.
const ITEMS_MAX: usize = 256;
/// A node with more buckets is cut in two.
const BUCKETS_MAX: usize = 256;
/// A full bucket grows by so many places at most, not by doubling: memory is for items.
const GROWTH_MAX: usize = 64;
/// No bucket is larger than this: a limit for decoding, far above what buckets hold.
const BUCKET_BYTES_MAX: usize = 1 << 30;
/// The longest encoding of a key.
const PLACE_BYTES_MAX: usize = 64;

/// What can be a key: its encoding sorts as it does.
pub(super) trait Key: Ord + Copy + Encode + Decode<()> + Send + Sync + 'static {}

impl<K: Ord + Copy + Encode + Decode<()> + Send + Sync + 'static> Key for K {}

/// A bucket that can't be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a bucket of the saved state: {0}")]
pub struct BucketError(#[from] CodecError);

/// A map.
#[derive(Clone, Debug)]
pub(super) struct CowMap<K, V> {
    nodes: Vec<Child<K, Node<K, V>>>,
    len: usize,
    /// How many images were taken.
    images: u64,
}

type Node<K, V> = Vec<Child<K, Bucket<K, V>>>;

/// A part of the level above: it holds keys from here on, up to where the next part begins.
#[derive(Debug)]
struct Child<K, T> {
    first_key: K,
    content: Arc<T>,
}

/// Never empty.
#[derive(Clone, Debug)]
struct Bucket<K, V> {
    items: Vec<(K, V)>,
    /// How many images had been taken at its last change.
    changed: u64,
}

/// Where a key is, or would be.
struct Position {
    node: usize,
    bucket: usize,
    item: Result<usize, usize>,
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
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The value of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        let node = &self.nodes.get(before(&self.nodes, key))?.content;
        let items = &node.get(before(node, key))?.content.items;
        let item = items.binary_search_by(|(k, _)| k.cmp(key)).ok()?;
        items.get(item).map(|(_, value)| value)
    }

    /// Whether `key` has a value.
    pub fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of `key`.
    pub fn insert(&mut self, key: K, value: V) {
        let position = self.position(&key);
        match position.item {
            Ok(item) => {
                let items = self.items_mut(&position);
                if let Some((_, old)) = items.and_then(|items| items.get_mut(item)) {
                    *old = value;
                }
            }
            Err(item) => self.insert_at(&position, item, (key, value)),
        }
    }

    /// Changes the value of `key`, if it has one.
    pub fn update<T>(&mut self, key: &K, change: impl FnOnce(&mut V) -> T) -> Option<T> {
        let position = self.position(key);
        let item = position.item.ok()?;
        let (_, value) = self.items_mut(&position)?.get_mut(item)?;
        Some(change(value))
    }

    /// Changes the value of `key`, which begins as the default.
    pub fn upsert(&mut self, key: K, change: impl FnOnce(&mut V))
    where
        V: Default,
    {
        let position = self.position(&key);
        match position.item {
            Ok(item) => {
                let items = self.items_mut(&position);
                if let Some((_, value)) = items.and_then(|items| items.get_mut(item)) {
                    change(value);
                }
            }
            Err(item) => {
                let mut value = V::default();
                change(&mut value);
                self.insert_at(&position, item, (key, value));
            }
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let position = self.position(key);
        let item = position.item.ok()?;
        let items = self.items_mut(&position)?;
        let (_, value) = items.remove(item);
        let emptied = items.is_empty();
        self.len -= 1;
        if emptied {
            let node = Arc::make_mut(&mut self.nodes.get_mut(position.node)?.content);
            node.remove(position.bucket);
            if node.is_empty() {
                self.nodes.remove(position.node);
            }
        }
        Some(value)
    }

    /// All items, in order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &(K, V)> {
        let buckets = self.nodes.iter().flat_map(|node| node.content.iter());
        buckets.flat_map(|bucket| bucket.content.items.iter())
    }

    /// The items with keys in `range`, in order.
    pub fn range(&self, range: RangeInclusive<K>) -> impl DoubleEndedIterator<Item = &(K, V)> {
        let (start, end) = range.into_inner();
        let nodes = overlapping(&self.nodes, start, end).iter();
        let buckets = nodes.flat_map(move |node| overlapping(&node.content, start, end));
        buckets.flat_map(move |bucket| {
            let items = &bucket.content.items;
            let first = items.partition_point(|(key, _)| *key < start);
            let behind = items.partition_point(|(key, _)| *key <= end);
            items.get(first..behind).unwrap_or_default()
        })
    }

    fn position(&self, key: &K) -> Position {
        let node = before(&self.nodes, key);
        let buckets = self.nodes.get(node).map(|node| node.content.as_slice());
        let bucket = before(buckets.unwrap_or_default(), key);
        let items = buckets.and_then(|all| Some(all.get(bucket)?.content.items.as_slice()));
        let item = items
            .unwrap_or_default()
            .binary_search_by(|(k, _)| k.cmp(key));
        Position { node, bucket, item }
    }

    fn items_mut(&mut self, position: &Position) -> Option<&mut Vec<(K, V)>> {
        let node = Arc::make_mut(&mut self.nodes.get_mut(position.node)?.content);
        let bucket = Arc::make_mut(&mut node.get_mut(position.bucket)?.content);
        bucket.changed = self.images;
        Some(&mut bucket.items)
    }

    fn insert_at(&mut self, position: &Position, at: usize, item: (K, V)) {
        self.len += 1;
        let (from, changed) = (item.0, self.images);
        let Some(node) = self.nodes.get_mut(position.node) else {
            let items = vec![item];
            let node = vec![Child::new(from, Bucket { items, changed })];
            self.nodes.push(Child::new(from, node));
            return;
        };
        node.first_key = node.first_key.min(from);
        let buckets = Arc::make_mut(&mut node.content);
        let Some(child) = buckets.get_mut(position.bucket) else {
            return;
        };
        child.first_key = child.first_key.min(from);
        let bucket = Arc::make_mut(&mut child.content);
        bucket.changed = changed;
        let items = &mut bucket.items;
        if items.len() == items.capacity() {
            items.reserve_exact((items.len() / 4).clamp(4, GROWTH_MAX));
        }
        items.insert(at, item);
        let Some(items) = cut(items, at, ITEMS_MAX) else {
            return;
        };
        let Some((from, _)) = items.first() else {
            return;
        };
        let next = Child::new(*from, Bucket { items, changed });
        buckets.insert(position.bucket + 1, next);
        let Some(buckets) = cut(buckets, position.bucket + 1, BUCKETS_MAX) else {
            return;
        };
        if let Some(from) = buckets.first().map(|first| first.first_key) {
            self.nodes
                .insert(position.node + 1, Child::new(from, buckets));
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

/// The last child that begins at or before a key; the first if none does.
fn before<K: Ord, T>(children: &[Child<K, T>], key: &K) -> usize {
    children
        .partition_point(|child| child.first_key <= *key)
        .saturating_sub(1)
}

/// The children that may hold keys from `start` to `end`.
fn overlapping<K: Ord, T>(children: &[Child<K, T>], start: K, end: K) -> &[Child<K, T>] {
    let behind = children.partition_point(|child| child.first_key <= end);
    children
        .get(before(children, &start)..behind)
        .unwrap_or_default()
}

/// Cuts off a second half of what has grown too long; only what was put in last if that is at the
/// end, for keys that only grow.
fn cut<T>(all: &mut Vec<T>, last_put: usize, most: usize) -> Option<Vec<T>> {
    let len = all.len();
    (len > most).then(|| {
        let at = if last_put + 1 == len {
            len - 1
        } else {
            len / 2
        };
        let rest = all.split_off(at);
        all.shrink_to_fit();
        rest
    })
}

/// A shelf as it was when it was taken, to be encoded elsewhere.
pub(super) trait MapImage: Send + Sync {
    /// Every bucket, in order.
    fn buckets(&self) -> Box<dyn Iterator<Item = BucketImage<'_>> + '_>;
}

/// A bucket of an image.
pub struct BucketImage<'a> {
    /// The key that it begins at, encoded: it tells one bucket of a shelf from the others.
    pub place: Vec<u8>,
    /// Whether it changed since the image before.
    pub changed: bool,
    items: &'a dyn Items,
}

impl BucketImage<'_> {
    /// Its bytes.
    ///
    /// # Errors
    /// [`BucketError`] if it grew beyond every limit.
    pub fn bytes(&self) -> Result<Vec<u8>, BucketError> {
        self.items.bytes()
    }
}

trait Items {
    fn bytes(&self) -> Result<Vec<u8>, BucketError>;
}

impl<K: Encode, V: Encode> Items for Vec<(K, V)> {
    fn bytes(&self) -> Result<Vec<u8>, BucketError> {
        Ok(encode::<_, BUCKET_BYTES_MAX>(self)?)
    }
}

impl<K, V> MapImage for CowMap<K, V>
where
    K: Key,
    V: Clone + Encode + Send + Sync,
{
    fn buckets(&self) -> Box<dyn Iterator<Item = BucketImage<'_>> + '_> {
        let buckets = self.nodes.iter().flat_map(|node| node.content.iter());
        Box::new(buckets.map(|bucket| BucketImage {
            // A key is far shorter than the limit, so that this never is empty.
            place: encode::<_, PLACE_BYTES_MAX>(&bucket.first_key).unwrap_or_default(),
            changed: bucket.content.changed == self.images,
            items: &bucket.content.items,
        }))
    }
}

/// A shelf without its types, for saving and loading.
pub(super) trait AnyMap {
    /// The shelf as it is now. What changes from now on has changed since this image.
    fn image(&mut self) -> Box<dyn MapImage>;

    /// Puts a saved bucket behind those that were loaded before.
    fn load(&mut self, place: &[u8], bytes: &[u8]) -> Result<(), BucketError>;
}

impl<K, V> AnyMap for CowMap<K, V>
where
    K: Key,
    V: Clone + Encode + Decode<()> + Send + Sync + 'static,
{
    fn image(&mut self) -> Box<dyn MapImage> {
        let image = self.clone();
        self.images += 1;
        Box::new(image)
    }

    fn load(&mut self, place: &[u8], bytes: &[u8]) -> Result<(), BucketError> {
        let from: K = decode::<_, PLACE_BYTES_MAX>(place)?;
        let items: Vec<(K, V)> = decode::<_, BUCKET_BYTES_MAX>(bytes)?;
        let last = self.iter().next_back().map(|(key, _)| *key);
        let first = items.first().map(|(key, _)| *key);
        let in_place = first.is_some_and(|first| from <= first)
            && last.is_none_or(|last| last < from)
            && items.is_sorted_by(|(a, _), (b, _)| a < b);
        if !in_place {
            return Err(CodecError::Malformed("a key is not in its place".to_owned()).into());
        }
        self.len += items.len();
        let bucket = Child::new(from, Bucket { items, changed: 0 });
        match self.nodes.last_mut() {
            Some(node) if node.content.len() < BUCKETS_MAX => {
                Arc::make_mut(&mut node.content).push(bucket)
            }
            _ => self.nodes.push(Child::new(from, vec![bucket])),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Saved = BTreeMap<Vec<u8>, Vec<u8>>;

    /// Saves an image onto what was saved before, as a store does.
    fn save(shelf: &mut CowMap<u32, u16>, saved: &mut Saved) {
        let image = shelf.image();
        let mut now = Saved::new();
        for bucket in image.buckets() {
            let bytes = bucket.bytes().unwrap();
            let old = saved.get(&bucket.place);
            assert!(bucket.changed || old == Some(&bytes), "a change was missed");
            now.insert(bucket.place, bytes);
        }
        *saved = now;
    }

    /// All buckets, as a digest over them sees them.
    fn whole(shelf: &CowMap<u32, u16>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let image = shelf.clone().image();
        let buckets = image.buckets();
        buckets
            .map(|bucket| (bucket.bytes().unwrap(), bucket.place))
            .collect()
    }

    fn load(saved: &Saved) -> CowMap<u32, u16> {
        let mut shelf = CowMap::default();
        for (place, bytes) in saved {
            shelf.load(place, bytes).unwrap();
        }
        shelf
    }

    fn check(shelf: &CowMap<u32, u16>, model: &BTreeMap<u32, u16>) {
        let all: Vec<_> = shelf.iter().copied().collect();
        let right: Vec<_> = model.iter().map(|(key, value)| (*key, *value)).collect();
        assert_eq!((shelf.len(), &all), (model.len(), &right));
        for node in &shelf.nodes {
            assert!((1..=BUCKETS_MAX).contains(&node.content.len()));
            for bucket in node.content.iter() {
                assert!((1..=ITEMS_MAX).contains(&bucket.content.items.len()));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against the standard map: runs of keys put in or taken out, images between, and what
        /// is loaded again goes on just as what never stopped.
        #[test]
        fn a_shelf_is_a_map_that_can_be_saved_in_parts(
            steps in proptest::collection::vec(
                (0_u32..6000, 1_u32..900, 1_u32..7, 0_u8..5), 1..40,
            ),
            looked_for in 0_u32..9000,
        ) {
            let (mut shelf, mut model) = (CowMap::default(), BTreeMap::new());
            let mut unstopped = CowMap::default();
            let mut saved = Saved::new();
            for (at, run, step, what) in steps {
                for key in (at..at + run).step_by(step as usize) {
                    let value = (key ^ at) as u16;
                    match what {
                        0 => {
                            prop_assert_eq!(shelf.remove(&key), model.remove(&key));
                            unstopped.remove(&key);
                        }
                        1 => {
                            for shelf in [&mut shelf, &mut unstopped] {
                                shelf.upsert(key, |it: &mut u16| *it = it.wrapping_add(1));
                            }
                            let it = model.entry(key).or_default();
                            *it = it.wrapping_add(1);
                        }
                        2 => {
                            let changed = shelf.update(&key, |it| *it = value);
                            let also = model.get_mut(&key).map(|it| *it = value);
                            prop_assert_eq!(changed, also);
                            unstopped.update(&key, |it| *it = value);
                        }
                        _ => {
                            shelf.insert(key, value);
                            unstopped.insert(key, value);
                            model.insert(key, value);
                        }
                    }
                }
                check(&shelf, &model);
                if what != 3 {
                    save(&mut shelf, &mut saved);
                    if what == 1 {
                        shelf = load(&saved);
                        check(&shelf, &model);
                    }
                }
                prop_assert_eq!(whole(&shelf), whole(&unstopped));
                let ends = looked_for..=looked_for + run;
                let found: Vec<_> = shelf.range(ends.clone()).rev().copied().collect();
                let right: Vec<_> = model.range(ends).rev().map(|(k, v)| (*k, *v)).collect();
                prop_assert_eq!(found, right);
                prop_assert_eq!(shelf.get(&looked_for), model.get(&looked_for));
            }
        }
    }

    #[test]
    fn keys_that_only_grow_fill_their_buckets_and_nodes_are_cut() {
        let mut shelf = CowMap::default();
        let mut model = BTreeMap::new();
        for key in 0..(ITEMS_MAX * BUCKETS_MAX) as u32 + 1000 {
            shelf.insert(key, 1);
            model.insert(key, 1);
        }
        check(&shelf, &model);
        assert_eq!(shelf.nodes.len(), 2);
        assert_eq!(shelf.nodes[0].content[3].content.items.len(), ITEMS_MAX);
    }

    #[test]
    fn a_bucket_out_of_its_place_is_refused() {
        let bytes = encode::<_, 1000>(&vec![(5_u32, 1_u16), (7, 1)]).unwrap();
        let place = |key: u32| encode::<_, 10>(&key).unwrap();
        let mut shelf = CowMap::<u32, u16>::default();
        assert!(shelf.load(&place(6), &bytes).is_err());
        shelf.load(&place(4), &bytes).unwrap();
        let later = encode::<_, 1000>(&vec![(7_u32, 1_u16)]).unwrap();
        assert!(shelf.load(&place(7), &later).is_err());
        let empty = encode::<_, 1000>(&Vec::<(u32, u16)>::new()).unwrap();
        assert!(shelf.load(&place(9), &empty).is_err());
    }
}
