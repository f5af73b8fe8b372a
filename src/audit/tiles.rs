//! The tiles of one tree, each authenticated from the root down: nothing that a source gives is
//! used before it is proven to be in the tree.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::source::{SourceError, TileSource};
use crate::merkle::{
    Bundle, HASH_BYTES, Hash, HashTile, Level, Node, TILE_HASHES, TILE_HEIGHT, TileId, fold_nodes,
    leaf_hash, range_nodes,
};
use crate::note::TreeHead;
use crate::outcome::{Outcome, first_bytes};
use crate::record::Index;

/// Tiles of hashes that are kept, for proofs and neighbours that need them again: 2 MB at most.
const TILES_KEPT_MAX: usize = 256;
/// Bundles kept for the targets of corrections: some 3 MB of usual ones.
const BUNDLES_KEPT_MAX: usize = 32;

/// A tile that can't be had, or is not what its name says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileFault {
    /// The source could not be asked, or the check did not end: that says nothing about the log.
    #[error("{tile}: {why}")]
    Unreachable {
        /// The tile's path.
        tile: String,
        /// What happened.
        why: String,
    },
    /// The source has no such file, which the checkpoint promises. Nobody signs that a file is
    /// missing: a copy may lack it, or the way to it may be wrong.
    #[error("{tile}: it is not there, and the checkpoint promises it")]
    Absent {
        /// The tile's path.
        tile: String,
    },
    /// What came has not a tile's shape: a page in its place, or a part of it.
    #[error("{tile}: what came is no such tile ({what}); it was {came}")]
    NotATile {
        /// The tile's path.
        tile: String,
        /// What is wrong with its shape.
        what: String,
        /// Its first bytes.
        came: String,
    },
    /// The source gives a tile, and other hashes or entries than the checkpoint signs for.
    #[error("{tile}: {what}")]
    Wrong {
        /// The tile's path.
        tile: String,
        /// What is wrong.
        what: String,
    },
}

impl TileFault {
    /// What a log with this fault comes to.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Unreachable { .. } | Self::Absent { .. } | Self::NotATile { .. } => {
                Outcome::Unchecked
            }
            Self::Wrong { .. } => Outcome::False,
        }
    }

    fn no_tile(tile: TileId, what: impl ToString, came: &[u8]) -> Self {
        Self::NotATile {
            tile: tile.to_string(),
            what: what.to_string(),
            came: first_bytes(came),
        }
    }

    pub(super) fn wrong(tile: impl ToString, what: impl ToString) -> Self {
        Self::Wrong {
            tile: tile.to_string(),
            what: what.to_string(),
        }
    }
}

/// The tiles of a tree. Made once its right edge is proven to lead to the root.
pub struct Tiles<'a> {
    source: &'a dyn TileSource,
    head: TreeHead,
    /// The partial tiles, by level.
    edge: Vec<Option<Arc<HashTile>>>,
    /// Full tiles of hashes, each proven to be in the tree.
    hashes: Mutex<HashMap<TileId, Arc<HashTile>>>,
    /// Bundles, each proven to be in the tree.
    bundles: Mutex<HashMap<TileId, Arc<Vec<u8>>>>,
}

/// A bundle that is proven to be in the tree.
pub struct ProvenBundle {
    /// Which.
    pub id: TileId,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The tile of its entries' leaf hashes.
    pub leaves: Arc<HashTile>,
}

impl<'a> Tiles<'a> {
    /// Fetches the tree's right edge and checks that it leads to the root.
    ///
    /// # Errors
    /// [`TileFault`].
    pub fn open(source: &'a dyn TileSource, head: TreeHead) -> Result<Self, TileFault> {
        let mut tiles = Self {
            source,
            head,
            edge: Vec::new(),
            hashes: Mutex::default(),
            bundles: Mutex::default(),
        };
        let mut items = head.size;
        for level in 0.. {
            if items == 0 {
                break;
            }
            let partial = match items % TILE_HASHES {
                0 => None,
                _ => Some(tiles.fetch_hashes(level, items / TILE_HASHES)?),
            };
            tiles.edge.push(partial);
            items /= TILE_HASHES;
        }
        let peaks = range_nodes(0, head.size)
            .into_iter()
            .map(|node| {
                let tile = tiles.edge.get(usize::from(node.level / TILE_HEIGHT));
                tile.and_then(|tile| tile.as_ref()?.node(node))
                    .ok_or_else(|| beyond(node))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let root = fold_nodes(peaks.into_iter()).unwrap_or_else(Hash::empty_root);
        if root != head.root {
            return Err(TileFault::wrong(
                format!("the tree of {} entries", head.size),
                format!("its tiles lead to the root {root}, not to {}", head.root),
            ));
        }
        Ok(tiles)
    }

    /// The tree's head.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// A tile's bytes; of a partial one that is gone, the beginning of the full one
    /// (c2sp.org/tlog-tiles, "Partial tiles").
    fn fetch(&self, level: Level, number: u64) -> Result<(TileId, Vec<u8>), TileFault> {
        let id = TileId::in_tree(level, number, self.head.size).ok_or_else(|| {
            let size = self.head.size;
            TileFault::wrong(
                format!("tile {number}"),
                format!("a tree of {size} entries has no such"),
            )
        })?;
        let full = TileId::full(level, number);
        let got = match self.source.tile(id) {
            Err(SourceError::Absent) if !id.is_full() => match self.source.tile(full) {
                Ok(bytes) => Ok(beginning_of(bytes, full, id.width())?),
                Err(error) => Err(error),
            },
            got => got,
        };
        match got {
            Ok(bytes) => Ok((id, bytes)),
            Err(SourceError::Absent) => Err(TileFault::Absent {
                tile: id.to_string(),
            }),
            Err(SourceError::Unreachable(why) | SourceError::Unusable(why)) => {
                Err(TileFault::Unreachable {
                    tile: id.to_string(),
                    why,
                })
            }
        }
    }

    fn fetch_hashes(&self, level: u8, number: u64) -> Result<Arc<HashTile>, TileFault> {
        let (id, bytes) = self.fetch(Level::Hashes(level), number)?;
        HashTile::parse(&id, &bytes)
            .map(Arc::new)
            .map_err(|error| TileFault::no_tile(id, error, &bytes))
    }

    /// A tile of hashes, proven to be in the tree.
    ///
    /// # Errors
    /// [`TileFault`].
    pub fn hashes(&self, level: u8, number: u64) -> Result<Arc<HashTile>, TileFault> {
        let id = TileId::in_tree(Level::Hashes(level), number, self.head.size);
        if let Some(id) = id
            && !id.is_full()
            && let Some(Some(tile)) = self.edge.get(usize::from(level))
        {
            return Ok(Arc::clone(tile));
        }
        // A thread that panicked left the map whole: nothing panics amid a change of it.
        let lock = || self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tile) = id.and_then(|id| lock().get(&id).cloned()) {
            return Ok(tile);
        }
        let tile = self.fetch_hashes(level, number)?;
        // A full tile's root is an item of a tile of the level above, up to the edge.
        let above = self.hashes(level + 1, number / TILE_HASHES)?;
        let expected = above.hashes().get((number % TILE_HASHES) as usize).copied();
        let id = TileId::full(Level::Hashes(level), number);
        if tile.root() != expected {
            return Err(TileFault::wrong(id, "its hashes are not those of the tree"));
        }
        let mut kept = lock();
        if kept.len() >= TILES_KEPT_MAX {
            kept.clear();
        }
        kept.insert(id, Arc::clone(&tile));
        Ok(tile)
    }

    /// A bundle, each of whose entries is proven to be in the tree.
    ///
    /// # Errors
    /// [`TileFault`].
    pub fn bundle(&self, number: u64) -> Result<ProvenBundle, TileFault> {
        let (id, bytes) = self.fetch(Level::Entries, number)?;
        let bundle = Bundle::parse(&bytes, id.width())
            .map_err(|error| TileFault::no_tile(id, error, &bytes))?;
        let tile = self.hashes(0, number)?;
        for (index, (entry, leaf)) in
            (number * TILE_HASHES..).zip(bundle.entries().iter().zip(tile.hashes()))
        {
            if leaf_hash(entry) != *leaf {
                return Err(TileFault::wrong(
                    id,
                    format!("its entry {index} is not the one that the tree holds"),
                ));
            }
        }
        let leaves = tile;
        Ok(ProvenBundle { id, bytes, leaves })
    }

    /// The root over the first `size` leaves: with it, an older tree is proven to be the
    /// beginning of this one, or not to be.
    ///
    /// # Errors
    /// [`TileFault`].
    pub fn root_at(&self, size: u64) -> Result<Hash, TileFault> {
        let nodes = range_nodes(0, size)
            .into_iter()
            .map(|node| {
                let id = TileId::holding(node, self.head.size).ok_or_else(|| beyond(node))?;
                self.hashes(node.level / TILE_HEIGHT, id.number())?
                    .node(node)
                    .ok_or_else(|| beyond(node))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(fold_nodes(nodes.into_iter()).unwrap_or_else(Hash::empty_root))
    }

    /// The bytes of an entry, proven to be in this tree: a source that gives another bundle when it
    /// is asked again is caught.
    ///
    /// # Errors
    /// [`TileFault`].
    pub fn entry(&self, index: Index) -> Result<Vec<u8>, TileFault> {
        let number = index.0 / TILE_HASHES;
        let lock = || self.bundles.lock().unwrap_or_else(PoisonError::into_inner);
        let id = TileId::in_tree(Level::Entries, number, self.head.size);
        let known = id.and_then(|id| lock().get(&id).cloned());
        let (id, bytes) = match (id, known) {
            (Some(id), Some(bytes)) => (id, bytes),
            _ => {
                let ProvenBundle { id, bytes, .. } = self.bundle(number)?;
                let (bytes, mut kept) = (Arc::new(bytes), lock());
                if kept.len() >= BUNDLES_KEPT_MAX {
                    kept.clear();
                }
                kept.insert(id, Arc::clone(&bytes));
                (id, bytes)
            }
        };
        let bundle =
            Bundle::parse(&bytes, id.width()).map_err(|error| TileFault::wrong(id, error))?;
        let entry = bundle.entries().get((index.0 % TILE_HASHES) as usize);
        entry
            .map(|entry| entry.to_vec())
            .ok_or_else(|| TileFault::wrong(id, format!("it ends before entry {index}")))
    }
}

fn beyond(node: Node) -> TileFault {
    TileFault::wrong(node.to_string(), "the tree has no such")
}

/// The first items of a wider tile, which must be one whole: a reader that passed over what is wrong
/// behind them would find another log whole than one that reads on.
pub(super) fn beginning_of(
    mut bytes: Vec<u8>,
    full: TileId,
    width: u16,
) -> Result<Vec<u8>, TileFault> {
    let end = match full.level() {
        Level::Hashes(_) => HashTile::parse(&full, &bytes)
            .map(|_| usize::from(width) * HASH_BYTES)
            .map_err(|error| TileFault::no_tile(full, error, &bytes))?,
        Level::Entries => Bundle::parse(&bytes, full.width())
            .map_err(|error| TileFault::no_tile(full, error, &bytes))?
            .bytes_of_first(width),
    };
    bytes.truncate(end);
    Ok(bytes)
}
