//! The right edge of the log in memory: what is not yet in immutable files.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::merkle::{Bundle, HASH_BYTES, Hash, HashTile, Level, TILE_HASHES, TileId};

/// A bundle that grows; a narrower one is a prefix of its bytes.
#[derive(Debug, Default)]
struct GrowingBundle {
    bytes: Growing,
    /// Where each entry ends.
    ends: Vec<usize>,
}

/// Bytes that grow, and are shared without a copy once they are whole.
#[derive(Debug)]
enum Growing {
    Growing(Vec<u8>),
    Whole(Bytes),
}

/// One level of tiles: from the first that is not in a file on.
#[derive(Debug, Default)]
struct GrowingLevel {
    first: u64,
    tiles: VecDeque<Growing>,
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
                VecDeque::from([Growing::Growing(tile_bytes(&edge))])
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

    /// Appends an entry, whose leaf hash the caller made. `None`, and nothing appended, if it is
    /// too long for a bundle.
    pub fn push(&mut self, entry: &[u8], leaf: Hash) -> Option<()> {
        if self.size.is_multiple_of(TILE_HASHES) {
            self.bundles.push_back(GrowingBundle::default());
        }
        let bundle = self.bundles.back_mut()?;
        let bytes = bundle.bytes.growing()?;
        Bundle::append(bytes, entry)?;
        bundle.ends.push(bytes.len());
        self.size += 1;
        if self.size.is_multiple_of(TILE_HASHES) {
            bundle.bytes.close();
        }
        self.push_hash(0, leaf);
        Some(())
    }

    fn push_hash(&mut self, level: usize, hash: Hash) {
        if self.levels.len() <= level {
            self.levels.push(GrowingLevel::default());
        }
        let Some(row) = self.levels.get_mut(level) else {
            return;
        };
        if row.tiles.back_mut().is_none_or(|it| it.growing().is_none()) {
            row.tiles.push_back(Growing::default());
        }
        let Some(tile) = row.tiles.back_mut() else {
            return;
        };
        if let Some(bytes) = tile.growing() {
            bytes.extend_from_slice(hash.as_bytes());
        }
        if tile.as_slice().len() == TILE_BYTES {
            tile.close();
            let id = TileId::full(Level::Hashes(0), 0);
            let whole = HashTile::parse(&id, tile.as_slice()).ok();
            if let Some(root) = whole.and_then(|tile| tile.root()) {
                self.push_hash(level + 1, root);
            }
        }
    }

    /// The bytes of a tile that the tail holds.
    pub fn read(&self, id: &TileId) -> Option<Bytes> {
        let width = usize::from(id.width());
        match id.level() {
            Level::Entries => {
                let place = id.number().checked_sub(self.first_bundle)?;
                let bundle = self.bundles.get(usize::try_from(place).ok()?)?;
                bundle.bytes.prefix(*bundle.ends.get(width - 1)?)
            }
            Level::Hashes(level) => {
                let row = self.levels.get(usize::from(level))?;
                let place = id.number().checked_sub(row.first)?;
                let tile = row.tiles.get(usize::try_from(place).ok()?)?;
                tile.prefix(width * HASH_BYTES)
            }
        }
    }

    /// A hash of a level, if the tail holds the tile that it is in.
    pub fn hash(&self, level: u8, index: u64) -> Option<Hash> {
        let row = self.levels.get(usize::from(level))?;
        let place = (index / TILE_HASHES).checked_sub(row.first)?;
        let tile = row.tiles.get(usize::try_from(place).ok()?)?;
        let (hashes, _) = tile.as_slice().as_chunks::<HASH_BYTES>();
        let hash = hashes.get((index % TILE_HASHES) as usize)?;
        Some(Hash::from_bytes(*hash))
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
                .filter(|tile| tile.as_slice().len() == TILE_BYTES)
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

impl Default for Growing {
    fn default() -> Self {
        Self::Growing(Vec::new())
    }
}

impl Growing {
    fn growing(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Self::Growing(bytes) => Some(bytes),
            Self::Whole(_) => None,
        }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Growing(bytes) => bytes,
            Self::Whole(bytes) => bytes,
        }
    }

    fn close(&mut self) {
        if let Self::Growing(bytes) = self {
            *self = Self::Whole(Bytes::from(std::mem::take(bytes)));
        }
    }

    fn prefix(&self, length: usize) -> Option<Bytes> {
        match self {
            Self::Growing(bytes) => bytes.get(..length).map(Bytes::copy_from_slice),
            Self::Whole(bytes) => (length <= bytes.len()).then(|| bytes.slice(..length)),
        }
    }
}

/// Bytes of a full tile of hashes.
const TILE_BYTES: usize = TILE_HASHES as usize * HASH_BYTES;

fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(TILE_BYTES);
    for hash in hashes {
        bytes.extend_from_slice(hash.as_bytes());
    }
    bytes
}
