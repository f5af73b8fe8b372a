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
        let full = |level, count: u64| {
            let numbers = pack * count..(pack + 1) * count;
            numbers.map(move |number| TileId::full(level, number))
        };
        let read = |id: TileId| self.tail.read(&id);
        let bundles = full(Level::Entries, shape.tiles(0)).map(read);
        let levels = (0..shape.levels()).map(|level| (Level::Hashes(level), shape.tiles(level)));
        let tiles = levels
            .flat_map(|(level, count)| full(level, count))
            .map(read);
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
            let of_level = |level: u8| {
                let tiles = shape.tiles(level);
                pack * tiles..(pack + 1) * tiles
            };
            gone.extend(of_level(0).map(|number| TileId::full(Level::Entries, number)));
            for level in 0..shape.levels() {
                let tiles = of_level(level);
                gone.extend(tiles.map(|number| TileId::full(Level::Hashes(level), number)));
            }
        }
        self.forgotten = self.forgotten.max(packs);
        self.tail.forget(&gone)
    }
}
