//! The right edge of a log on an object store: what no pack has yet is in memory, once. It is served from here, and
//! packs are made of it.

use super::pack::PackShape;
use crate::merkle::{Hash, Level, TileId};
use crate::store::tail::Tail;
use crate::store::{Bytes, StoreError};

/// The right edge of the log: bundles and tiles that no pack has, and every tile above packs.
pub(super) struct Edge {
    pub tail: Tail,
    /// Number of packs that are there.
    pub packs: u64,
    /// Number of packs whose tiles the tail does not have any more.
    pub forgotten: u64,
}

impl Edge {
    /// The root over a whole pack.
    pub(super) fn root_over(&self, pack: u64, shape: PackShape) -> Result<Hash, StoreError> {
        let root = self.tail.hash(shape.levels(), pack);
        root.ok_or(StoreError::Inconsistent("a pack's root is not in memory"))
    }

    /// The bundles and the tiles of hashes that a pack is made of, shared without a copy, if all are here.
    pub(super) fn parts_of(&self, pack: u64, shape: PackShape) -> Option<(Vec<Bytes>, Vec<Bytes>)> {
        let read = |id: TileId| self.tail.read(&id);
        let bundles = bundles_of(pack, shape).map(read);
        let tiles = tiles_of(pack, shape).map(read);
        Some((
            bundles.collect::<Option<_>>()?,
            tiles.collect::<Option<_>>()?,
        ))
    }

    /// Drops what packs have of what was taken in.
    pub(super) fn forget(&mut self, shape: PackShape) -> Result<(), StoreError> {
        let packs = self.packs.min(shape.whole_packs(self.tail.size()));
        let mut gone = Vec::new();
        for pack in self.forgotten..packs {
            gone.extend(bundles_of(pack, shape).chain(tiles_of(pack, shape)));
        }
        self.forgotten = self.forgotten.max(packs);
        self.tail.forget(&gone)
    }
}

/// The full bundles of a pack's entries.
fn bundles_of(pack: u64, shape: PackShape) -> impl Iterator<Item = TileId> {
    full_tiles(Level::Entries, pack, shape.tiles(0))
}

/// The full tiles of a pack's hashes, from the leaves' level up.
fn tiles_of(pack: u64, shape: PackShape) -> impl Iterator<Item = TileId> {
    (0..shape.levels())
        .flat_map(move |level| full_tiles(Level::Hashes(level), pack, shape.tiles(level)))
}

/// The tiles of a level of which a pack has so many.
fn full_tiles(level: Level, pack: u64, count: u64) -> impl Iterator<Item = TileId> {
    let numbers = pack * count..(pack + 1) * count;
    numbers.map(move |number| TileId::full(level, number))
}
