//! Saving a map in parts, and loading it again, without its types.

use std::sync::Arc;

use bincode::{Decode, Encode};

use super::{BUCKETS_MAX, Bucket, Child, CowMap, Key};
use crate::record::{CodecError, decode, encode};

/// No bucket is larger than this: a limit for decoding, far above what buckets hold.
const BUCKET_BYTES_MAX: usize = 1 << 30;
/// The longest encoding of a key.
const KEY_BYTES_MAX: usize = 64;

/// A bucket that can't be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a bucket of the saved state: {0}")]
pub struct BucketError(#[from] CodecError);

/// A map as it was when the image was taken, to be encoded elsewhere.
pub(in crate::ledger) trait MapImage: Send + Sync {
    /// Every bucket, in order.
    fn buckets(&self) -> Box<dyn Iterator<Item = BucketImage<'_>> + '_>;
}

/// A bucket of an image.
pub struct BucketImage<'a> {
    /// Whether the bucket changed since the image before.
    pub changed: bool,
    content: &'a dyn EncodeBucket,
}

impl BucketImage<'_> {
    /// The key that the bucket begins at, encoded: it tells one bucket of a map from the others.
    ///
    /// # Errors
    /// [`BucketError`] if the key has no encoding of at most 64 bytes.
    pub fn first_key(&self) -> Result<Vec<u8>, BucketError> {
        self.content.first_key()
    }

    /// The bucket's items, encoded.
    ///
    /// # Errors
    /// [`BucketError`] if the bucket grew beyond every limit.
    pub fn bytes(&self) -> Result<Vec<u8>, BucketError> {
        self.content.items()
    }
}

/// A bucket without its types.
trait EncodeBucket {
    fn first_key(&self) -> Result<Vec<u8>, BucketError>;
    fn items(&self) -> Result<Vec<u8>, BucketError>;
}

impl<K: Encode, V: Encode> EncodeBucket for Child<K, Bucket<K, V>> {
    fn first_key(&self) -> Result<Vec<u8>, BucketError> {
        Ok(encode::<_, KEY_BYTES_MAX>(&self.first_key)?)
    }

    fn items(&self) -> Result<Vec<u8>, BucketError> {
        Ok(encode::<_, BUCKET_BYTES_MAX>(&self.content.items)?)
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
            changed: bucket.content.changed_at == self.images,
            content: bucket,
        }))
    }
}

/// A map without its types, for saving and loading.
pub(in crate::ledger) trait AnyMap {
    /// The map as it is now. What changes from now on has changed since this image.
    fn image(&mut self) -> Box<dyn MapImage>;

    /// Puts a saved bucket behind those that were loaded before.
    fn load(&mut self, first_key: &[u8], bytes: &[u8]) -> Result<(), BucketError>;
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

    fn load(&mut self, first_key: &[u8], bytes: &[u8]) -> Result<(), BucketError> {
        let first_key: K = decode::<_, KEY_BYTES_MAX>(first_key)?;
        let items: Vec<(K, V)> = decode::<_, BUCKET_BYTES_MAX>(bytes)?;
        let last = self.iter().next_back().map(|(key, _)| *key);
        let first = items.first().map(|(key, _)| *key);
        let in_place = first.is_some_and(|first| first_key <= first)
            && last.is_none_or(|last| last < first_key)
            && items.is_sorted_by(|(a, _), (b, _)| a < b);
        if !in_place {
            return Err(CodecError::Malformed("a key is not in its place".to_owned()).into());
        }
        self.len += items.len();
        let bucket = Child::new(first_key, Bucket::of(items, 0));
        match self.nodes.last_mut() {
            Some(node) if node.content.len() < BUCKETS_MAX => {
                Arc::make_mut(&mut node.content).push(bucket);
            }
            _ => self.nodes.push(Child::new(first_key, vec![bucket])),
        }
        Ok(())
    }
}
