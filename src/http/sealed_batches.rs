//! The trees over sealed batches, which tell where a statement stands under its seal. To make one, the whole
//! batch is read and hashed, for the place of any one of its statements: so those that were asked for lately are
//! kept, and who asks is told what the making took.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::answer::Problem;
use crate::log::{ReadError, Reader};
use crate::merkle::{Hash, KeptTree, TILE_HASHES, leaf_hash};
use crate::record::{Index, SealedEntry, Statement};

/// Memory for trees: those of 64 batches of 16,384 statements.
const TREES_BYTES: u64 = 64 << 20;
/// What a tree takes beside its hashes, roughly.
const TREE_EXTRA_BYTES: u64 = 1 << 10;
/// The number of trees that the cache is laid out for.
const TREES: usize = 1 << 10;

/// The trees over sealed batches, each by the index of its seal. A batch whose seal is published never changes.
pub(super) struct SealedBatches {
    kept: Cache<Index, Arc<KeptTree>, TreeWeight>,
}

#[derive(Clone)]
struct TreeWeight;

impl Weighter<Index, Arc<KeptTree>> for TreeWeight {
    fn weight(&self, _: &Index, tree: &Arc<KeptTree>) -> u64 {
        tree.hash_bytes() as u64 + TREE_EXTRA_BYTES
    }
}

/// The tree over a batch.
pub(super) struct BatchTree {
    pub tree: Arc<KeptTree>,
    /// Bytes of entries that were read and hashed to make it: none if it was kept.
    pub bytes_read: u64,
}

impl SealedBatches {
    pub(super) fn new() -> Self {
        Self {
            kept: Cache::with_weighter(TREES, TREES_BYTES, TreeWeight),
        }
    }

    /// The tree over the batch of the seal at an index of a tree of `size`.
    pub(super) async fn tree(
        &self,
        reader: &Reader,
        seal_index: Index,
        size: u64,
    ) -> Result<BatchTree, Problem> {
        if let Some(tree) = self.kept.get(&seal_index) {
            return Ok(BatchTree {
                tree,
                bytes_read: 0,
            });
        }
        let (root, entries) = read(reader, seal_index, size).await?;
        let bytes_read = entries.iter().map(|entry| entry.len() as u64).sum();
        let made = tokio::task::spawn_blocking(move || make(seal_index, &root, &entries)).await;
        let made = made.map_err(|_| Problem::contradiction("work on a sealed batch broke off"))?;
        let tree = Arc::new(made?);
        self.kept.insert(seal_index, Arc::clone(&tree));
        Ok(BatchTree { tree, bytes_read })
    }
}

/// The root that a seal signs, and the entries of its batch.
async fn read(
    reader: &Reader,
    seal_index: Index,
    size: u64,
) -> Result<(Hash, Vec<Bytes>), ReadError> {
    let damaged = |what: &str| damaged_seal(seal_index, what);
    let (_, seal) = reader.decoded(seal_index.0, size).await?;
    let Some(Statement::Seal(said)) = seal.statement() else {
        return Err(damaged("it is none"));
    };
    let first = seal_index.0.checked_sub(said.count.into());
    let first = first.ok_or_else(|| damaged("it signs entries before the first"))?;
    // At most 65 bundles: others get their turn after each.
    let mut batch = Vec::new();
    let mut next = first;
    while next < seal_index.0 {
        let number = next / TILE_HASHES;
        let begin = number * TILE_HASHES;
        let end = (begin + TILE_HASHES).min(seal_index.0);
        let entries = reader.bundle(number, size).await?;
        let range = usize::try_from(next - begin).ok();
        let range = range.zip(usize::try_from(end - begin).ok());
        let entries = range.and_then(|(from, to)| entries.get(from..to));
        batch.extend_from_slice(entries.ok_or_else(|| damaged("its batch ends before it"))?);
        next = end;
        tokio::task::yield_now().await;
    }
    Ok((Hash::from_bytes(*said.root.as_bytes()), batch))
}

/// The tree over the statements of a batch, which has the root that the seal signs.
fn make(seal_index: Index, root: &Hash, entries: &[Bytes]) -> Result<KeptTree, ReadError> {
    let damaged = |what: &str| damaged_seal(seal_index, what);
    let leaf = |entry: &Bytes| SealedEntry::statement_bytes(entry).map(leaf_hash);
    let leaves: Result<Vec<Hash>, _> = entries.iter().map(leaf).collect();
    let leaves = leaves.map_err(|_| damaged("another entry stands in its batch"))?;
    let tree = KeptTree::of(leaves);
    match tree.root() == *root {
        true => Ok(tree),
        false => Err(damaged("its batch has another root than it signs")),
    }
}

/// The inclusion proof of a sealed entry's statement in its seal's root, by the tree over the batch.
pub(super) fn siblings(
    index: Index,
    seal_index: Index,
    batch: &KeptTree,
) -> Result<Vec<[u8; 32]>, ReadError> {
    let first = seal_index.0.checked_sub(batch.size());
    let place = first.and_then(|first| index.0.checked_sub(first));
    let place = place.ok_or_else(|| damaged_seal(seal_index, "it does not sign the entry"))?;
    let siblings = batch.inclusion(place)?;
    Ok(siblings.iter().map(|hash| *hash.as_bytes()).collect())
}

fn damaged_seal(seal_index: Index, what: &str) -> ReadError {
    ReadError::Damaged {
        tile: format!("the seal at entry {seal_index}"),
        what: what.to_owned(),
    }
}
