//! Tiles out of packs, by ranges of their bytes.
//!
//! Nothing is given before it is proven: the root over a tile or bundle must be the hash that the
//! tile above it has, and the root over a pack the hash that the log has in memory, which follows
//! from its commits.

use std::ops::Range;
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::fields::MAGIC_BYTES;
use super::pack::PackShape;
use super::settle::Patience;
use super::{Blobs, names};
use crate::merkle::{
    Bundle, HASH_BYTES, Hash, HashTile, Level, TILE_HASHES, TileId, leaf_hash, root_of,
};
use crate::store::{Bytes, StoreError};

/// Bytes of a pack before the ends of its bundles: magic, levels, number.
const PREFACE_BYTES: u64 = MAGIC_BYTES as u64 + 1 + NUMBER_BYTES;
/// Bytes of a number.
const NUMBER_BYTES: u64 = size_of::<u64>() as u64;
const TILE_BYTES: u64 = TILE_HASHES * HASH_BYTES as u64;
/// Packs whose tops are kept in memory, 10 kB each: those of 67 million entries.
const TOPS_KEPT: usize = 1024;

/// Reads tiles of whole packs.
pub(super) struct PackedTiles {
    blobs: Arc<dyn Blobs>,
    patience: Patience,
    shape: PackShape,
    tops: Cache<u64, Arc<Top>>,
}

/// What is needed of a pack to read the rest of it.
struct Top {
    /// Where each bundle ends, counted from the first one's begin.
    ends: Vec<u64>,
    /// The hashes of its one tile of the highest level.
    hashes: Vec<Hash>,
}

impl PackedTiles {
    pub(super) fn new(blobs: Arc<dyn Blobs>, patience: Patience, shape: PackShape) -> Self {
        Self {
            blobs,
            patience,
            shape,
            tops: Cache::new(TOPS_KEPT),
        }
    }

    /// The pack that has a tile; `None` for tiles above those that packs have.
    pub(super) fn pack_of(&self, tile: TileId) -> Option<u64> {
        let level = level_of(tile);
        tile.number().checked_div(self.shape.tiles(level))
    }

    /// A tile of a pack, proven by the root over the pack. A partial tile is cut from the full one.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be read, or is not the tree's.
    pub(super) async fn read(&self, tile: TileId, root: Hash) -> Result<Bytes, StoreError> {
        let level = level_of(tile);
        // Not 0 for the levels that packs have.
        let tiles = self.shape.tiles(level).max(1);
        let (pack, place) = (tile.number() / tiles, tile.number() % tiles);
        let top = self.top(pack, root).await?;
        let damaged = |what: &str| self.damaged(pack, what);
        let outside = || damaged("it has fewer tiles than a pack");
        // The root over the tile, as the tile above it says.
        let expected = match level + 1 == self.shape.levels() {
            true => Some(root),
            false => usize::try_from(place)
                .ok()
                .and_then(|place| top.hashes.get(place).copied()),
        };
        let expected = expected.ok_or_else(outside)?;
        let full = TileId::full(tile.level(), tile.number());
        let range = match tile.level() {
            Level::Entries => self.bundle_range(&top, place).ok_or_else(outside)?,
            Level::Hashes(level) => self.tile_range(level, place),
        };
        let bytes = self.range(pack, range).await?;
        let (found, end) = match tile.level() {
            Level::Entries => {
                let bundle = Bundle::parse(&bytes, full.width());
                let bundle = bundle.map_err(|error| damaged(&error.to_string()))?;
                let root = root_of(bundle.entries().iter().map(|entry| leaf_hash(entry)));
                (Some(root), bundle.bytes_of_first(tile.width()))
            }
            Level::Hashes(_) => {
                let hashes = HashTile::parse(&full, &bytes);
                let hashes = hashes.map_err(|error| damaged(&error.to_string()))?;
                (hashes.root(), usize::from(tile.width()) * HASH_BYTES)
            }
        };
        if found != Some(expected) || end > bytes.len() {
            return Err(damaged(&format!("its {full} is not that of the log")));
        }
        Ok(bytes.slice(..end))
    }

    /// The root over a pack, as the pack says. Not proven: the caller compares the tree over all roots.
    pub(super) async fn root_of(&self, pack: u64) -> Result<Hash, StoreError> {
        self.top_hashes(pack).await.map(|(_, root)| root)
    }

    /// A pack's one tile of the highest level, and the root over it.
    async fn top_hashes(&self, pack: u64) -> Result<(Vec<Hash>, Hash), StoreError> {
        let highest = self.shape.levels().saturating_sub(1);
        let tile = self.range(pack, self.tile_range(highest, 0)).await?;
        let id = TileId::full(Level::Hashes(highest), pack);
        let tile = HashTile::parse(&id, &tile);
        let tile = tile.map_err(|error| self.damaged(pack, &error.to_string()))?;
        let root = tile.root();
        let root = root.ok_or_else(|| self.damaged(pack, "its highest tile is empty"))?;
        Ok((tile.hashes().to_vec(), root))
    }

    /// What is needed of a pack, proven by the root over it.
    async fn top(&self, pack: u64, root: Hash) -> Result<Arc<Top>, StoreError> {
        if let Some(top) = self.tops.get(&pack) {
            return Ok(top);
        }
        let bundles = self.shape.tiles(0);
        let ends = PREFACE_BYTES..PREFACE_BYTES + NUMBER_BYTES * bundles;
        let ends = self.range(pack, ends).await?;
        let (ends, _) = ends.as_chunks::<{ size_of::<u64>() }>();
        let ends = ends.iter().map(|end| u64::from_be_bytes(*end)).collect();
        let (hashes, found) = self.top_hashes(pack).await?;
        if found != root {
            return Err(self.damaged(pack, "it has other entries than the log"));
        }
        let top = Arc::new(Top { ends, hashes });
        self.tops.insert(pack, Arc::clone(&top));
        Ok(top)
    }

    /// Where a tile of hashes is in its pack's bytes, by its place among those of its level.
    fn tile_range(&self, level: u8, place: u64) -> Range<u64> {
        let below: u64 = (0..level).map(|level| self.shape.tiles(level)).sum();
        let begin = self.tiles_begin() + (below + place) * TILE_BYTES;
        begin..begin + TILE_BYTES
    }

    /// Where a bundle is in its pack's bytes.
    fn bundle_range(&self, top: &Top, place: u64) -> Option<Range<u64>> {
        let tiles: u64 = (0..self.shape.levels())
            .map(|level| self.shape.tiles(level))
            .sum();
        let first = self.tiles_begin() + tiles * TILE_BYTES;
        let place = usize::try_from(place).ok()?;
        let begin = match place.checked_sub(1) {
            Some(before) => *top.ends.get(before)?,
            None => 0,
        };
        let end = *top.ends.get(place)?;
        (begin <= end).then_some(first.checked_add(begin)?..first.checked_add(end)?)
    }

    fn tiles_begin(&self) -> u64 {
        PREFACE_BYTES + NUMBER_BYTES * self.shape.tiles(0)
    }

    /// Bytes of a pack.
    async fn range(&self, pack: u64, range: Range<u64>) -> Result<Bytes, StoreError> {
        let name = names::pack(pack);
        let ask = || self.blobs.get(&name, Some(range.clone()));
        let bytes = self.patience.ask(&name, ask).await?;
        let bytes =
            bytes.ok_or_else(|| self.damaged(pack, "a floor names it, but it is not there"))?;
        if bytes.len() as u64 != range.end - range.start {
            return Err(self.damaged(pack, "it is cut"));
        }
        Ok(bytes)
    }

    fn damaged(&self, pack: u64, what: &str) -> StoreError {
        StoreError::damaged_object(&*self.blobs, &names::pack(pack), what)
    }
}

/// The level of the hashes that a tile, or the tile over a bundle, has.
fn level_of(tile: TileId) -> u8 {
    match tile.level() {
        Level::Entries => 0,
        Level::Hashes(level) => level,
    }
}
