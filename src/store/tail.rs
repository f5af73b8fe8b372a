//! The right edge of the log in memory: what is not yet in immutable files.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::merkle::{Bundle, HASH_BYTES, Hash, HashTile, Level, TILE_HASHES, TileId, leaf_hash};

/// A bundle that grows; a narrower one is a prefix of its bytes.
#[derive(Debug, Default)]
struct GrowingBundle {
    bytes: Vec<u8>,
    /// Where each entry ends.
    ends: Vec<usize>,
}

/// One level of tiles: from the first that is not in a file on.
#[derive(Debug, Default)]
struct GrowingLevel {
    first: u64,
    tiles: VecDeque<Vec<Hash>>,
}

/// Bundles and tiles from the first that is not in a file on.
#[derive(Debug, Default)]
pub(super) struct Tail {
    size: u64,
    first_bundle: u64,
    bundles: VecDeque<GrowingBundle>,
    levels: Vec<GrowingLevel>,
}

impl Tail {
    /// The tail of a tree whose full bundles and tiles are all in files. `edges` are the hashes
    /// of its partial tiles at levels 1 and above.
    pub fn resume(full_bundles: u64, edges: Vec<Vec<Hash>>) -> Self {
        let mut tail = Self {
            size: full_bundles * TILE_HASHES,
            first_bundle: full_bundles,
            ..Self::default()
        };
        tail.levels.push(GrowingLevel {
            first: full_bundles,
            tiles: VecDeque::new(),
        });
        let mut items = full_bundles;
        for edge in edges {
            let tiles = if edge.is_empty() {
                VecDeque::new()
            } else {
                VecDeque::from([edge])
            };
            tail.levels.push(GrowingLevel {
                first: items / TILE_HASHES,
                tiles,
            });
            items /= TILE_HASHES;
        }
        tail
    }

    /// Number of leaves, with those in files.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends an entry. `None`, and nothing appended, if it is too long for a bundle.
    pub fn push(&mut self, entry: &[u8]) -> Option<()> {
        if self.size.is_multiple_of(TILE_HASHES) {
            self.bundles.push_back(GrowingBundle::default());
        }
        let bundle = self.bundles.back_mut()?;
        Bundle::append(&mut bundle.bytes, entry)?;
        bundle.ends.push(bundle.bytes.len());
        self.size += 1;
        self.push_hash(0, leaf_hash(entry));
        Some(())
    }

    fn push_hash(&mut self, level: usize, hash: Hash) {
        if self.levels.len() <= level {
            self.levels.push(GrowingLevel::default());
        }
        let Some(row) = self.levels.get_mut(level) else {
            return;
        };
        match row.tiles.back_mut() {
            Some(tile) if (tile.len() as u64) < TILE_HASHES => tile.push(hash),
            _ => row.tiles.push_back(vec![hash]),
        }
        let full = row
            .tiles
            .back()
            .filter(|tile| tile.len() as u64 == TILE_HASHES);
        if let Some(root) = full.and_then(|tile| root_of_tile(tile)) {
            self.push_hash(level + 1, root);
        }
    }

    /// The bytes of a tile that the tail holds.
    pub fn read(&self, id: &TileId) -> Option<Bytes> {
        let width = usize::from(id.width());
        match id.level() {
            Level::Entries => {
                let place = id.number().checked_sub(self.first_bundle)?;
                let bundle = self.bundles.get(usize::try_from(place).ok()?)?;
                let end = *bundle.ends.get(width - 1)?;
                bundle.bytes.get(..end).map(Bytes::copy_from_slice)
            }
            Level::Hashes(level) => {
                let row = self.levels.get(usize::from(level))?;
                let place = id.number().checked_sub(row.first)?;
                let tile = row.tiles.get(usize::try_from(place).ok()?)?;
                tile.get(..width)
                    .map(|hashes| Bytes::from(tile_bytes(hashes)))
            }
        }
    }

    /// The full bundles and tiles that are to be written to files, lowest first, and the number
    /// of bundles that will then be in files.
    pub fn full(&self) -> (Vec<TileId>, u64) {
        let bundles = self.size / TILE_HASHES;
        let mut ids: Vec<TileId> = (self.first_bundle..bundles)
            .map(|number| TileId::full(Level::Entries, number))
            .collect();
        for (level, row) in (0_u8..).zip(&self.levels) {
            let full = row
                .tiles
                .iter()
                .filter(|tile| tile.len() as u64 == TILE_HASHES)
                .count();
            let numbers = row.first..row.first + full as u64;
            ids.extend(numbers.map(|number| TileId::full(Level::Hashes(level), number)));
        }
        (ids, bundles)
    }

    /// Forgets what is in files now.
    pub fn forget(&mut self, written: &[TileId]) {
        for id in written {
            match id.level() {
                Level::Entries if id.number() == self.first_bundle => {
                    self.bundles.pop_front();
                    self.first_bundle += 1;
                }
                Level::Hashes(level) => {
                    if let Some(row) = self.levels.get_mut(usize::from(level))
                        && id.number() == row.first
                    {
                        row.tiles.pop_front();
                        row.first += 1;
                    }
                }
                Level::Entries => {}
            }
        }
    }
}

fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH_BYTES);
    for hash in hashes {
        bytes.extend_from_slice(hash.as_bytes());
    }
    bytes
}

fn root_of_tile(hashes: &[Hash]) -> Option<Hash> {
    let id = TileId::full(Level::Hashes(0), 0);
    HashTile::parse(&id, &tile_bytes(hashes)).ok()?.root()
}
