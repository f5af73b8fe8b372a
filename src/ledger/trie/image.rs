//! An image of a map without its types: its root is made, its proofs and its saved parts, while the
//! map itself changes. And loading the saved parts again.

use std::sync::Arc;

use bincode::{Decode, Encode};

use super::leaf_page::{ITEMS_MAX, LeafPage};
use super::map::{Key, TrieMap, Value};
use super::node::{Domain, Node, TrieError};
use super::path::Path;
use super::proof::TrieProof;
use crate::record::{CodecError, decode, encode};

/// No bucket is larger than this: a limit for decoding, far above what buckets hold.
const BUCKET_BYTES_MAX: usize = 1 << 30;
/// The longest encoding of a key.
const KEY_BYTES_MAX: usize = 64;

/// A bucket that can't be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a bucket of the saved state: {0}")]
pub struct BucketError(#[from] CodecError);

/// A map as it was when the image was taken, for other threads.
pub trait MapImage: Send + Sync {
    /// The domain.
    fn domain(&self) -> Domain;

    /// The root: see [`TrieMap::root`].
    ///
    /// # Errors
    /// [`TrieError`], if a sum overflows or a value is too long.
    fn root(&self) -> Result<Node, TrieError>;

    /// Proves what stands at a path, or that nothing does.
    ///
    /// # Errors
    /// [`TrieError`], as for [`Self::root`].
    fn prove(&self, path: &Path) -> Result<TrieProof, TrieError>;

    /// The path of the last item from one path to another, both included.
    fn last_between(&self, from: &Path, to: &Path) -> Option<Path>;

    /// The value at a path, encoded with all its fields; `None` if nothing is there, or the value has no
    /// encoding.
    fn value_bytes(&self, path: &Path) -> Option<Vec<u8>>;

    /// Every bucket, in order: the parts in which the map is saved. They outlive this image, and hold each page
    /// until they have given it: if the image is dropped first, what was saved takes no more memory.
    fn buckets(&self) -> Buckets;
}

/// The buckets of an image, in order.
pub type Buckets = Box<dyn Iterator<Item = BucketImage> + Send>;

/// A bucket of an image: a page of items.
pub struct BucketImage {
    /// Whether the bucket changed since the image before.
    pub changed: bool,
    content: Arc<dyn EncodeBucket>,
}

impl BucketImage {
    /// The bucket's first key, encoded: it tells one bucket of a map from the others.
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
trait EncodeBucket: Send + Sync {
    fn first_key(&self) -> Result<Vec<u8>, BucketError>;
    fn items(&self) -> Result<Vec<u8>, BucketError>;
}

impl<K, V> EncodeBucket for LeafPage<K, V>
where
    K: Key + Encode + Send + Sync,
    V: Value + Encode + Send + Sync,
{
    fn first_key(&self) -> Result<Vec<u8>, BucketError> {
        let first = self.items().first().ok_or_else(no_items)?;
        Ok(encode::<_, KEY_BYTES_MAX>(&first.0)?)
    }

    fn items(&self) -> Result<Vec<u8>, BucketError> {
        Ok(encode::<_, BUCKET_BYTES_MAX>(&self.items())?)
    }
}

impl<K, V> MapImage for TrieMap<K, V>
where
    K: Key + Encode + Send + Sync + 'static,
    V: Value + Encode + Send + Sync + 'static,
{
    fn domain(&self) -> Domain {
        Self::domain(self)
    }

    fn root(&self) -> Result<Node, TrieError> {
        Self::root(self)
    }

    fn prove(&self, path: &Path) -> Result<TrieProof, TrieError> {
        Self::prove(self, path)
    }

    fn last_between(&self, from: &Path, to: &Path) -> Option<Path> {
        let mut items = self.between(from, to);
        items.next_back().map(|(key, _)| key.path())
    }

    fn value_bytes(&self, path: &Path) -> Option<Vec<u8>> {
        encode::<_, BUCKET_BYTES_MAX>(self.at(path)?).ok()
    }

    fn buckets(&self) -> Buckets {
        let images = self.images;
        Box::new(self.leaf_pages().map(move |page| BucketImage {
            changed: page.changed_at == images,
            content: page,
        }))
    }
}

/// A map without its types, for images and for loading.
pub trait AnyMap {
    /// The map as it is now, for the cost of a pointer. What changes from now on has changed since this
    /// image. Dropping it costs more: see [`TrieMap`].
    fn image(&mut self) -> Box<dyn MapImage>;

    /// See [`TrieMap::begin_undo`].
    fn begin_undo(&mut self);

    /// See [`TrieMap::keep`].
    fn keep(&mut self);

    /// See [`TrieMap::rollback`].
    fn rollback(&mut self);

    /// Puts a saved bucket behind those that were loaded before.
    ///
    /// # Errors
    /// [`BucketError`] when the bytes are not those of a bucket that can stand there.
    fn load(&mut self, first_key: &[u8], bytes: &[u8]) -> Result<(), BucketError>;
}

impl<K, V> AnyMap for TrieMap<K, V>
where
    K: Key + Encode + Decode<()> + Send + Sync + 'static,
    V: Value + Encode + Decode<()> + Send + Sync + 'static,
{
    fn image(&mut self) -> Box<dyn MapImage> {
        let image = self.clone();
        self.images += 1;
        Box::new(image)
    }

    fn begin_undo(&mut self) {
        Self::begin_undo(self);
    }

    fn keep(&mut self) {
        Self::keep(self);
    }

    fn rollback(&mut self) {
        Self::rollback(self);
    }

    fn load(&mut self, first_key: &[u8], bytes: &[u8]) -> Result<(), BucketError> {
        let first_key: K = decode::<_, KEY_BYTES_MAX>(first_key)?;
        let items: Vec<(K, V)> = decode::<_, BUCKET_BYTES_MAX>(bytes)?;
        // Nothing of a map that was loaded has changed since the image that was saved.
        let page = LeafPage::of(items, 0).filter(|page| page.first_path() == first_key.path());
        if page.is_some_and(|page| self.append(page)) {
            return Ok(());
        }
        let what = format!("a key is not in its place, or it has more than {ITEMS_MAX}");
        Err(CodecError::Malformed(what).into())
    }
}

fn no_items() -> CodecError {
    CodecError::Malformed("it has no items".to_owned())
}
