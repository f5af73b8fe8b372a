//! The log as static files beside its chain (c2sp.org/tlog-tiles), for those who read it without a server: from a web
//! server or a CDN in front of the store.
//!
//! They are copies of what packs and the chain have, and follow from the entries alone: whoever leads puts the same
//! bytes. No server reads them.

use tokio::task::JoinSet;

use super::store::BlobStore;
use super::{Blobs, Patience, names};
use crate::merkle::{Level, TILE_HASHES, TILE_LEVEL_MAX, TileId};
use crate::store::{Bytes, Store as _, StoreError};

/// The first line of a note of this version that says how far tiles are written.
const WRITTEN: &str = "arborlog tiles 1";
/// Tiles that are written at a time.
const AT_ONCE: usize = 32;
/// Bundles after which it is noted how far tiles are written.
const BUNDLES_NOTED: u64 = 64;

/// Writes the tiles of a log to its store.
pub struct StaticTiles {
    store: BlobStore,
    /// The full tiles of a tree of so many entries are there; `None` until that was read.
    written: Option<u64>,
}

impl StaticTiles {
    /// Nothing is asked of the store yet.
    pub fn of(store: BlobStore) -> Self {
        Self {
            store,
            written: None,
        }
    }

    /// Writes the tiles of the tree of `size` entries that are not there, of so many bundles at most. Whether all
    /// are there then, partial ones too: only then may a checkpoint of that tree be shown.
    ///
    /// A crash leaves tiles of which no note says that they are there: they are written again, with the same bytes.
    ///
    /// # Errors
    /// [`StoreError`]; the next call tries the same again.
    pub async fn write(&mut self, size: u64, bundles_max: u64) -> Result<bool, StoreError> {
        let mut written = match self.written {
            Some(written) => written,
            None => read_written(&**self.store.blobs(), self.store.patience()).await?,
        };
        let whole = size - size % TILE_HASHES;
        let target = written.saturating_add(bundles_max.saturating_mul(TILE_HASHES));
        let target = target.min(whole);
        while written < target {
            let next = target.min(written + BUNDLES_NOTED * TILE_HASHES);
            self.put(full_between(written, next)).await?;
            // Never before the tiles.
            self.note(next).await?;
            written = next;
        }
        self.written = Some(written);
        if written < whole {
            return Ok(false);
        }
        self.put(partial_in(size)).await?;
        Ok(true)
    }

    /// Puts tiles, which the log has.
    async fn put(&self, tiles: Vec<TileId>) -> Result<(), StoreError> {
        let mut tiles = tiles.into_iter();
        let mut under_way = JoinSet::new();
        loop {
            while under_way.len() < AT_ONCE
                && let Some(tile) = tiles.next()
            {
                let store = self.store.clone();
                under_way.spawn(async move { put(&store, tile).await });
            }
            let Some(put) = under_way.join_next().await else {
                return Ok(());
            };
            put.map_err(|error| StoreError::Stopped(error.to_string()))??;
        }
    }

    async fn note(&self, written: u64) -> Result<(), StoreError> {
        let bytes = Bytes::from(format!("{WRITTEN}\n{written}\n"));
        let blobs = self.store.blobs();
        let put = || blobs.put(names::TILES_WRITTEN, bytes.clone());
        Ok(self.store.patience().ask(names::TILES_WRITTEN, put).await?)
    }
}

async fn put(store: &BlobStore, tile: TileId) -> Result<(), StoreError> {
    let missing = StoreError::Inconsistent("a tile of the log is not there to be written");
    let bytes = store.read(tile).await?.ok_or(missing)?;
    let name = tile.to_string();
    let put = || store.blobs().put(&name, bytes.clone());
    Ok(store.patience().ask(&name, put).await?)
}

/// The number of entries of which all full tiles are there, as far as it was noted.
pub(super) async fn read_written(blobs: &dyn Blobs, patience: Patience) -> Result<u64, StoreError> {
    let get = || blobs.get(names::TILES_WRITTEN, Some(0..64));
    let note = patience.ask(names::TILES_WRITTEN, get).await?;
    // What can't be read is no note: all is written again.
    let written = || {
        let note = note?;
        let text = std::str::from_utf8(&note).ok()?;
        let written: u64 = text.strip_prefix(WRITTEN)?.trim().parse().ok()?;
        written.is_multiple_of(TILE_HASHES).then_some(written)
    };
    Ok(written().unwrap_or(0))
}

/// The full tiles, bundles among them, of a tree of `to` entries that one of `from` does not have; both are whole
/// bundles.
fn full_between(from: u64, to: u64) -> Vec<TileId> {
    let full = |level: Level, level_number: u8| {
        let entries = |size: u64| {
            let shift = u32::from(level_number + 1) * TILE_HASHES.trailing_zeros();
            size.checked_shr(shift).unwrap_or(0)
        };
        (entries(from)..entries(to)).map(move |number| TileId::full(level, number))
    };
    let hashes = (0..=TILE_LEVEL_MAX).flat_map(|level| full(Level::Hashes(level), level));
    full(Level::Entries, 0).chain(hashes).collect()
}

/// The partial tiles of a tree, one of each level that has one.
fn partial_in(size: u64) -> Vec<TileId> {
    let partial = |level: Level, level_number: u8| {
        let shift = u32::from(level_number + 1) * TILE_HASHES.trailing_zeros();
        let number = size.checked_shr(shift).unwrap_or(0);
        let tile = TileId::in_tree(level, number, size);
        tile.filter(|tile| !tile.is_full())
    };
    let hashes = (0..=TILE_LEVEL_MAX).filter_map(|level| partial(Level::Hashes(level), level));
    partial(Level::Entries, 0)
        .into_iter()
        .chain(hashes)
        .collect()
}

/// Whether a name is that of a partial tile whose full one is among those of a tree of so many entries.
pub(super) fn is_outgrown(name: &str, written: u64) -> bool {
    let tile = name.parse::<TileId>();
    tile.is_ok_and(|tile| {
        !tile.is_full() && TileId::full(tile.level(), tile.number()).is_in_tree(written)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every tile of every tree is written, once, and no other.
    #[test]
    fn full_and_partial_tiles_are_those_of_the_tree() {
        for size in [
            0, 1, 255, 256, 257, 65_535, 65_536, 65_792, 131_072, 200_000,
        ] {
            let whole = size - size % TILE_HASHES;
            let middle = (whole / 2) - (whole / 2) % TILE_HASHES;
            let mut found = full_between(0, middle);
            found.extend(full_between(middle, whole));
            found.extend(partial_in(size));
            found.sort();
            let mut expected = Vec::new();
            let levels = (0..=TILE_LEVEL_MAX).map(Level::Hashes);
            for level in levels.chain([Level::Entries]) {
                let tiles = (0..).map_while(|number| TileId::in_tree(level, number, size));
                expected.extend(tiles);
            }
            expected.sort();
            assert_eq!(found, expected, "{size}");
        }
        assert!(is_outgrown("tile/0/000.p/7", 256));
        assert!(!is_outgrown("tile/0/000.p/7", 0));
        assert!(!is_outgrown("tile/0/000", 256));
        assert!(!is_outgrown("tile/1/000.p/7", 256));
    }
}
