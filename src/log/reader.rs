//! Reading a log through its tiles: entries, and the proofs that RFC 6962 names.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::merkle::{
    Bundle, Frontier, Hash, HashTile, Level, Node, ProofError, TILE_HASHES, TileId,
    consistency_ranges, fold_nodes, inclusion_ranges, range_nodes,
};
use crate::store::{Bytes, Store, StoreError};

/// Why something can't be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such place in that tree.
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

/// A log's tiles, read.
#[derive(Clone)]
pub struct Reader {
    store: Arc<dyn Store>,
}

impl Reader {
    /// A reader of this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// A tile's bytes.
    ///
    /// # Errors
    /// [`ReadError::Missing`] when the store has no such.
    pub async fn tile(&self, id: TileId) -> Result<Bytes, ReadError> {
        self.store
            .read(id)
            .await?
            .ok_or_else(|| ReadError::Missing(id.to_string()))
    }

    /// The entries of a bundle, as long as a tree of `size` has them.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn bundle(&self, number: u64, size: u64) -> Result<Vec<Bytes>, ReadError> {
        let id = TileId::in_tree(Level::Entries, number, size).ok_or(ProofError::OutOfTree {
            index: number.saturating_mul(TILE_HASHES),
            size,
        })?;
        let bytes = self.tile(id).await?;
        let bundle = Bundle::parse(&bytes, id.width()).map_err(|error| ReadError::Damaged {
            tile: id.to_string(),
            what: error.to_string(),
        })?;
        Ok(bundle
            .entries()
            .iter()
            .map(|entry| bytes.slice_ref(entry))
            .collect())
    }

    /// The bytes of an entry of a tree of `size`.
    ///
    /// # Errors
    /// [`ReadError::Place`] when it is not in that tree.
    pub async fn entry(&self, index: u64, size: u64) -> Result<Bytes, ReadError> {
        let outside = ProofError::OutOfTree { index, size };
        if index >= size {
            return Err(outside.into());
        }
        let bundle = self.bundle(index / TILE_HASHES, size).await?;
        let place = (index % TILE_HASHES) as usize;
        Ok(bundle.get(place).cloned().ok_or(outside)?)
    }

    /// The inclusion proof of an entry in a tree of `size`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        self.ranges(&inclusion_ranges(index, size)?, size).await
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
        let nodes = range_nodes(0, size);
        let hashes = self.nodes(&nodes, size).await?;
        let peaks = nodes
            .iter()
            .filter_map(|node| hashes.get(node).copied())
            .collect();
        Frontier::from_peaks(size, peaks)
            .ok_or_else(|| ReadError::Missing(format!("a part of the tree of {size}")))
    }

    async fn ranges(&self, ranges: &[(u64, u64)], size: u64) -> Result<Vec<Hash>, ReadError> {
        let nodes: Vec<Vec<Node>> = ranges
            .iter()
            .map(|(start, end)| range_nodes(*start, *end))
            .collect();
        let hashes = self.nodes(&nodes.concat(), size).await?;
        nodes
            .iter()
            .map(|nodes| {
                fold_nodes(nodes.iter().filter_map(|node| hashes.get(node).copied()))
                    .ok_or_else(|| ReadError::Missing("a node".to_owned()))
            })
            .collect()
    }

    /// The hashes of nodes, from as few tiles as hold them.
    async fn nodes(&self, nodes: &[Node], size: u64) -> Result<HashMap<Node, Hash>, ReadError> {
        let mut tiles: HashMap<TileId, HashTile> = HashMap::new();
        let mut hashes = HashMap::new();
        for node in nodes {
            let missing = || ReadError::Missing(format!("{node:?} of a tree of {size}"));
            let id = TileId::holding(*node, size).ok_or_else(missing)?;
            let tile = match tiles.entry(id) {
                Entry::Occupied(kept) => kept.into_mut(),
                Entry::Vacant(place) => {
                    let bytes = self.tile(id).await?;
                    let tile = HashTile::parse(&id, &bytes);
                    place.insert(tile.map_err(|error| ReadError::Damaged {
                        tile: id.to_string(),
                        what: error.to_string(),
                    })?)
                }
            };
            let hash = tile.node(*node).ok_or_else(missing)?;
            hashes.insert(*node, hash);
        }
        Ok(hashes)
    }
}
