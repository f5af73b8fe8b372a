//! Reading a log through its tiles: entries, and the proofs that RFC 6962 names.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rustix::io::Errno;

use crate::durable::FileError;
use crate::merkle::{
    Bundle, Frontier, Hash, HashTile, Level, Node, NodeTile, ProofError, TILE_HASHES, TileId,
    consistency_ranges, fold_nodes, inclusion_ranges, joint_ranges, range_nodes,
};
use crate::record::{CodecError, Entry, FullEntry, Index};
use crate::store::{Bytes, Store, StoreError};

/// Why something can't be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store can't read it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tree has no such place.
    #[error(transparent)]
    Place(#[from] ProofError),
    /// The store lacks what the tree must have.
    #[error("the store lacks {0}, which its tree must have")]
    Missing(String),
    /// A tile or bundle is not what its name says.
    #[error("{tile}: {what}")]
    Damaged {
        /// Its path.
        tile: String,
        /// What is wrong.
        what: String,
    },
}

impl From<FileError> for ReadError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

/// What a system answers that lacks something which is none of the file's: descriptors, memory, a
/// right.
const REFUSALS: [Errno; 7] = [
    Errno::MFILE,
    Errno::NFILE,
    Errno::NOMEM,
    Errno::AGAIN,
    Errno::INTR,
    Errno::ACCESS,
    Errno::PERM,
];

impl ReadError {
    /// Whether the system refused the read. That says nothing of what was to be read.
    pub fn is_refusal(&self) -> bool {
        let Self::Store(StoreError::Io(file)) = self else {
            return false;
        };
        Errno::from_io_error(&file.error).is_some_and(|errno| REFUSALS.contains(&errno))
    }

    /// A file that can't be read.
    #[cfg(test)]
    pub(crate) fn of_file(error: std::io::Error) -> Self {
        let path = std::path::Path::new("public/tile/0/000");
        Self::Store(crate::durable::at(path)(error).into())
    }
}

/// Memory for full tiles and bundles that were read, as bytes: enough for the bundles of a million
/// entries. Each was proven when it was read.
const TILE_CACHE_BYTES: u64 = 256 << 20;
/// Memory for tiles that proofs were made from, with their inner nodes: enough for the nodes over a
/// million entries.
const NODE_CACHE_BYTES: u64 = 64 << 20;
/// What a tile in a cache takes beside its own bytes, roughly.
const CACHED_EXTRA_BYTES: u64 = 200;

/// A log's tiles, read. Clones share their caches.
#[derive(Clone)]
pub struct Reader {
    store: Arc<dyn Store>,
    /// Full tiles and bundles, as bytes.
    tiles: Arc<Cache<TileId, Bytes, Weight>>,
    /// Tiles of hashes with their inner nodes, full or partial: a name stands for the same hashes
    /// for ever.
    nodes: Arc<Cache<TileId, Arc<NodeTile>, Weight>>,
}

#[derive(Clone)]
struct Weight;

impl Weighter<TileId, Bytes> for Weight {
    fn weight(&self, _: &TileId, bytes: &Bytes) -> u64 {
        bytes.len() as u64 + CACHED_EXTRA_BYTES
    }
}

impl Weighter<TileId, Arc<NodeTile>> for Weight {
    fn weight(&self, _: &TileId, _: &Arc<NodeTile>) -> u64 {
        NodeTile::BYTES_MAX as u64 + CACHED_EXTRA_BYTES
    }
}

impl Reader {
    /// A reader of this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a number of tiles that memory holds"
        )]
        let items = |bytes: u64| (bytes / NodeTile::BYTES_MAX as u64) as usize;
        Self {
            store,
            tiles: Arc::new(Cache::with_weighter(
                items(TILE_CACHE_BYTES),
                TILE_CACHE_BYTES,
                Weight,
            )),
            nodes: Arc::new(Cache::with_weighter(
                items(NODE_CACHE_BYTES),
                NODE_CACHE_BYTES,
                Weight,
            )),
        }
    }

    /// Bytes that its caches hold: of tiles and bundles, and of tiles with the nodes over them.
    pub(super) fn cache_bytes(&self) -> (u64, u64) {
        (self.tiles.weight(), self.nodes.weight())
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// The store, to be shared.
    pub(super) fn shared_store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// A tile's bytes.
    ///
    /// # Errors
    /// [`ReadError::Missing`] when the store has no such.
    pub async fn tile(&self, id: TileId) -> Result<Bytes, ReadError> {
        if let Some(bytes) = self.tiles.get(&id) {
            return Ok(bytes);
        }
        let read = self.store.read(id).await?;
        let bytes = read.ok_or_else(|| ReadError::Missing(id.to_string()))?;
        if id.is_full() {
            self.tiles.insert(id, bytes.clone());
        }
        Ok(bytes)
    }

    /// The entries of a bundle, as long as a tree of `size` has them.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn bundle(&self, number: u64, size: u64) -> Result<Vec<Bytes>, ReadError> {
        let id = bundle_id(number, size)?;
        let bytes = self.tile(id).await?;
        let bundle = Bundle::parse(&bytes, id.width()).map_err(|error| damaged(id, &error))?;
        Ok(bundle
            .entries()
            .iter()
            .map(|entry| bytes.slice_ref(entry))
            .collect())
    }

    /// How many bytes a bundle has, as long as a tree of `size` has it: they are read for each of its entries.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn bundle_bytes(&self, number: u64, size: u64) -> Result<u64, ReadError> {
        let id = bundle_id(number, size)?;
        Ok(self.tile(id).await?.len() as u64)
    }

    /// The bytes of an entry of a tree of `size`.
    ///
    /// # Errors
    /// [`ReadError::Place`] when it is not in that tree.
    pub async fn entry(&self, index: u64, size: u64) -> Result<Bytes, ReadError> {
        let outside = ProofError::OutOfTree { index, size };
        let id = TileId::in_tree(Level::Entries, index / TILE_HASHES, size).ok_or(outside)?;
        let bytes = self.tile(id).await?;
        let place = (index % TILE_HASHES) as usize;
        let bundle = Bundle::parse(&bytes, id.width()).map_err(|error| damaged(id, &error))?;
        let entry = bundle.entries().get(place).ok_or(outside)?;
        Ok(bytes.slice_ref(entry))
    }

    /// The bytes of an entry of a tree of `size`, and the entry decoded.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when it is no entry.
    pub async fn decoded(&self, index: u64, size: u64) -> Result<(Bytes, Entry), ReadError> {
        let bytes = self.entry(index, size).await?;
        let entry = Entry::decode(&bytes).map_err(|error| ReadError::Damaged {
            tile: format!("entry {index}"),
            what: error.to_string(),
        })?;
        Ok((bytes, entry))
    }

    /// As [`Self::decoded`], with the seal that says who states it, if the entry is a sealed one.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when it is no entry, or its seal is none.
    pub async fn full(&self, index: u64, size: u64) -> Result<(Bytes, FullEntry), ReadError> {
        let (bytes, entry) = self.decoded(index, size).await?;
        let seal = match entry.seal_index(Index(index)) {
            Some(seal) => Some(self.decoded(seal.0, size).await?.1),
            None => None,
        };
        let full = FullEntry::join(Index(index), entry, |_| {
            seal.ok_or_else(|| CodecError::Malformed("its seal was not read".to_owned()))
        });
        let full = full.map_err(|error| ReadError::Damaged {
            tile: format!("entry {index}"),
            what: error.to_string(),
        })?;
        Ok((bytes, full))
    }

    /// The hash of a leaf of a tree of `size`.
    ///
    /// # Errors
    /// [`ReadError::Place`] when it is not in that tree.
    pub async fn leaf(&self, index: u64, size: u64) -> Result<Hash, ReadError> {
        if index >= size {
            return Err(ProofError::OutOfTree { index, size }.into());
        }
        let leaf = Node { level: 0, index };
        Nodes::of(self, size).hash(leaf).await
    }

    /// The inclusion proof of an entry in a tree of `size`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        self.ranges(&inclusion_ranges(index, size)?, size).await
    }

    /// The joint inclusion proof of entries, by their indexes, which ascend, in a tree of `size`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn joint_inclusion(
        &self,
        indexes: &[u64],
        size: u64,
    ) -> Result<Vec<Hash>, ReadError> {
        self.ranges(&joint_ranges(indexes, size)?, size).await
    }

    /// The proof that a tree of `to` begins with the one of `from`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>, ReadError> {
        self.ranges(&consistency_ranges(from, to)?, to).await
    }

    /// The tree of the first `size` leaves, ready to grow.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn frontier(&self, size: u64) -> Result<Frontier, ReadError> {
        let mut nodes = Nodes::of(self, size);
        let mut peaks = Vec::new();
        for node in range_nodes(0, size) {
            peaks.push(nodes.hash(node).await?);
        }
        Frontier::from_peaks(size, peaks)
            .ok_or_else(|| ReadError::Missing(format!("a part of the tree of {size}")))
    }

    async fn ranges(&self, ranges: &[(u64, u64)], size: u64) -> Result<Vec<Hash>, ReadError> {
        let mut nodes = Nodes::of(self, size);
        let mut hashes = Vec::with_capacity(ranges.len());
        for (start, end) in ranges {
            let mut parts = Vec::new();
            for node in range_nodes(*start, *end) {
                parts.push(nodes.hash(node).await?);
            }
            let hash = fold_nodes(parts.into_iter());
            hashes.push(hash.ok_or_else(|| ReadError::Missing("a node".to_owned()))?);
        }
        Ok(hashes)
    }

    async fn node_tile(&self, id: TileId) -> Result<Arc<NodeTile>, ReadError> {
        if let Some(tile) = self.nodes.get(&id) {
            return Ok(tile);
        }
        // Past the cache of bytes: the hashes are kept here once they are read.
        let read = self.store.read(id).await?;
        let bytes = read.ok_or_else(|| ReadError::Missing(id.to_string()))?;
        let tile = HashTile::parse(&id, &bytes).map_err(|error| damaged(id, &error))?;
        let tile = Arc::new(NodeTile::new(tile));
        self.nodes.insert(id, Arc::clone(&tile));
        Ok(tile)
    }
}

/// The nodes of a tree of one size, each tile of which is looked up once.
struct Nodes<'a> {
    reader: &'a Reader,
    size: u64,
    /// A tile or two a level.
    tiles: Vec<(TileId, Arc<NodeTile>)>,
}

impl<'a> Nodes<'a> {
    fn of(reader: &'a Reader, size: u64) -> Self {
        Self {
            reader,
            size,
            tiles: Vec::new(),
        }
    }

    async fn hash(&mut self, node: Node) -> Result<Hash, ReadError> {
        let missing = || ReadError::Missing(format!("{node} of a tree of {} entries", self.size));
        let id = TileId::holding(node, self.size).ok_or_else(missing)?;
        let tile = match self.tiles.iter().find(|(known, _)| *known == id) {
            Some((_, tile)) => Arc::clone(tile),
            None => {
                let tile = self.reader.node_tile(id).await?;
                self.tiles.push((id, Arc::clone(&tile)));
                tile
            }
        };
        tile.node(node)
            .ok_or_else(|| ReadError::Missing(format!("{node} of a tree of {} entries", self.size)))
    }
}

/// The bundle with a number, as long as a tree of `size` has it.
fn bundle_id(number: u64, size: u64) -> Result<TileId, ProofError> {
    TileId::in_tree(Level::Entries, number, size).ok_or(ProofError::OutOfTree {
        // For the error's words alone: no tree reaches where this saturates.
        index: number.saturating_mul(TILE_HASHES),
        size,
    })
}

fn damaged(id: TileId, what: &impl std::fmt::Display) -> ReadError {
    ReadError::Damaged {
        tile: id.to_string(),
        what: what.to_string(),
    }
}
