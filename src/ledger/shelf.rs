//! Ordered maps in buckets, so that state can be saved and digested in parts.
//!
//! A bucket is a sorted vector behind an `Arc`: taking what changed since the last save costs a
//! pointer a bucket, and whoever encodes it does so beside the sequencer, which copies a bucket
//! only if it changes one that is still being written.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bincode::{Decode, Encode};

use crate::record::{CodecError, decode, encode};

/// Saved buckets are cut into values of at most this many bytes.
pub const SHELF_CHUNK_BYTES: usize = 32 * 1024;
/// No bucket is larger than this: a limit for decoding, far above what buckets hold.
const BUCKET_BYTES_MAX: usize = 1 << 30;

/// Keys know their bucket; a greater key is never in a lesser bucket.
pub(super) trait Bucketed: Ord + Copy {
    /// The bucket's number.
    fn bucket(&self) -> u64;
}

/// A bucket as it was when it was taken, to be encoded elsewhere.
pub trait BucketImage: Send + Sync {
    /// Its bytes; empty for a bucket that has nothing left in it.
    ///
    /// # Errors
    /// [`ShelfError`] if it grew beyond every limit.
    fn bytes(&self) -> Result<Vec<u8>, ShelfError>;
}

/// A bucket that can't be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a bucket of the saved state: {0}")]
pub struct ShelfError(#[from] CodecError);

/// A map in buckets.
#[derive(Clone, Debug)]
pub(super) struct Shelf<K, V> {
    buckets: BTreeMap<u64, Bucket<K, V>>,
    dirty: Vec<u64>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Bucket<K, V> {
    items: Arc<Vec<(K, V)>>,
    dirty: bool,
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self {
            buckets: BTreeMap::new(),
            dirty: Vec::new(),
            len: 0,
        }
    }
}

impl<K: Bucketed, V: Clone> Shelf<K, V> {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The value of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        let items = &self.buckets.get(&key.bucket())?.items;
        let place = items.binary_search_by(|(k, _)| k.cmp(key)).ok()?;
        items.get(place).map(|(_, value)| value)
    }

    /// Whether `key` has a value.
    pub fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of `key`.
    pub fn insert(&mut self, key: K, value: V) {
        let items = self.bucket_mut(key.bucket());
        match items.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(place) => {
                if let Some(item) = items.get_mut(place) {
                    item.1 = value;
                }
            }
            Err(place) => {
                items.insert(place, (key, value));
                self.len += 1;
            }
        }
    }

    /// Changes the value of `key`, if it has one.
    pub fn update<T>(&mut self, key: &K, change: impl FnOnce(&mut V) -> T) -> Option<T> {
        if !self.contains(key) {
            return None;
        }
        let items = self.bucket_mut(key.bucket());
        let place = items.binary_search_by(|(k, _)| k.cmp(key)).ok()?;
        items.get_mut(place).map(|(_, value)| change(value))
    }

    /// Changes the value of `key`, which begins as the default.
    pub fn upsert(&mut self, key: K, change: impl FnOnce(&mut V))
    where
        V: Default,
    {
        let items = self.bucket_mut(key.bucket());
        match items.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(place) => {
                if let Some((_, value)) = items.get_mut(place) {
                    change(value);
                }
            }
            Err(place) => {
                let mut value = V::default();
                change(&mut value);
                items.insert(place, (key, value));
                self.len += 1;
            }
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        if !self.contains(key) {
            return None;
        }
        let items = self.bucket_mut(key.bucket());
        let place = items.binary_search_by(|(k, _)| k.cmp(key)).ok()?;
        let (_, value) = items.remove(place);
        self.len -= 1;
        Some(value)
    }

    /// All items, in order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &(K, V)> {
        self.buckets.values().flat_map(|bucket| bucket.items.iter())
    }

    /// The items with keys in `range`, in order.
    pub fn range(&self, range: RangeInclusive<K>) -> impl DoubleEndedIterator<Item = &(K, V)> {
        let buckets = if range.is_empty() {
            self.buckets.range(1..1)
        } else {
            self.buckets
                .range(range.start().bucket()..=range.end().bucket())
        };
        buckets
            .flat_map(|(_, bucket)| bucket.items.iter())
            .filter(move |(key, _)| range.contains(key))
    }

    fn bucket_mut(&mut self, number: u64) -> &mut Vec<(K, V)> {
        let bucket = self.buckets.entry(number).or_insert_with(|| Bucket {
            items: Arc::default(),
            dirty: false,
        });
        if !bucket.dirty {
            bucket.dirty = true;
            self.dirty.push(number);
        }
        Arc::make_mut(&mut bucket.items)
    }
}

impl<K, V> BucketImage for Vec<(K, V)>
where
    K: Encode + Send + Sync,
    V: Encode + Send + Sync,
{
    fn bytes(&self) -> Result<Vec<u8>, ShelfError> {
        if self.is_empty() {
            Ok(Vec::new())
        } else {
            Ok(encode::<_, BUCKET_BYTES_MAX>(self)?)
        }
    }
}

/// A shelf without its types, for saving and loading.
pub(super) trait AnyShelf {
    /// The buckets that changed since the last call, as they are now.
    fn take_dirty(&mut self) -> Vec<(u64, Arc<dyn BucketImage>)>;

    /// Every bucket that has something in it.
    fn images(&self) -> Vec<(u64, Arc<dyn BucketImage>)>;

    /// Puts a saved bucket in its place.
    fn load(&mut self, number: u64, bytes: &[u8]) -> Result<(), ShelfError>;
}

impl<K, V> AnyShelf for Shelf<K, V>
where
    K: Bucketed + Encode + Decode<()> + Send + Sync + 'static,
    V: Clone + Encode + Decode<()> + Send + Sync + 'static,
{
    fn take_dirty(&mut self) -> Vec<(u64, Arc<dyn BucketImage>)> {
        let mut taken = Vec::with_capacity(self.dirty.len());
        for number in std::mem::take(&mut self.dirty) {
            let Some(bucket) = self.buckets.get_mut(&number) else {
                continue;
            };
            bucket.dirty = false;
            let image: Arc<dyn BucketImage> = bucket.items.clone();
            taken.push((number, image));
            if bucket.items.is_empty() {
                self.buckets.remove(&number);
            }
        }
        taken
    }

    fn images(&self) -> Vec<(u64, Arc<dyn BucketImage>)> {
        let all = self.buckets.iter();
        all.filter(|(_, bucket)| !bucket.items.is_empty())
            .map(|(number, bucket)| {
                let image: Arc<dyn BucketImage> = bucket.items.clone();
                (*number, image)
            })
            .collect()
    }

    fn load(&mut self, number: u64, bytes: &[u8]) -> Result<(), ShelfError> {
        let items: Vec<(K, V)> = decode::<_, BUCKET_BYTES_MAX>(bytes)?;
        let misplaced = items.iter().any(|(key, _)| key.bucket() != number);
        if misplaced || !items.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(CodecError::Malformed("a key is not in its place".to_owned()).into());
        }
        self.len += items.len();
        self.buckets.insert(
            number,
            Bucket {
                items: Arc::new(items),
                dirty: false,
            },
        );
        Ok(())
    }
}
