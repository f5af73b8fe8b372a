//! The right edge of the log in memory: what is not yet in immutable files.

use std::collections::VecDeque;

use bytes::Bytes;

use super::StoreError;
use crate::merkle::{Bundle, HASH_BYTES, Hash, HashTile, Level, TILE_HASHES, TileId, root_of};

/// A full bundle. A narrower bundle is a prefix of its bytes.
#[derive(Debug)]
struct FullBundle {
    /// The bundle's encoding; shared without a copy.
    bytes: Bytes,
    /// The offset in `bytes` at which each entry ends.
    ends: Vec<usize>,
}

/// The bundle that new entries go into: fewer than [`TILE_HASHES`].
#[derive(Debug, Default)]
struct GrowingBundle {
    /// The encoding of the entries so far.
    bytes: Vec<u8>,
    /// The offset in `bytes` at which each entry ends.
    ends: Vec<usize>,
}

/// One level of hash tiles: from the first that is not in a file on.
#[derive(Debug, Default)]
struct TileLevel {
    /// The number of the first tile in `full`, or, if `full` is empty, of the growing tile.
    first: u64,
    /// Full tiles, each [`TILE_BYTES`] long; shared without a copy.
    full: VecDeque<Bytes>,
    /// The tile that new hashes go into: fewer than [`TILE_BYTES`].
    growing: Vec<u8>,
}

/// Bundles and hash tiles from the first that is not in a file on.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// Number of leaves in the tree, with those in files.
    size: u64,
    /// The number of the first bundle that is not in a file.
    first_bundle: u64,
    /// The full bundles that are not in files, in order.
    full_bundles: VecDeque<FullBundle>,
    /// The bundle behind the full ones.
    growing_bundle: GrowingBundle,
    /// The levels of hash tiles, the leaves' first.
    levels: Vec<TileLevel>,
}

impl Tail {
    /// The tail of a tree whose full bundles and tiles are all in files. `edges` are the hashes
    /// of its partial tiles at levels 1 and above.
    pub(super) fn resume(full_bundles: u64, edges: Vec<Vec<Hash>>) -> Self {
        let mut levels = vec![TileLevel {
            first: full_bundles,
            ..TileLevel::default()
        }];
        let mut items = full_bundles;
        for edge in edges {
            items /= TILE_HASHES;
            levels.push(TileLevel {
                first: items,
                full: VecDeque::new(),
                growing: tile_bytes(&edge),
            });
        }
        Self {
            size: full_bundles * TILE_HASHES,
            first_bundle: full_bundles,
            levels,
            ..Self::default()
        }
    }

    /// The tail of a tree whose first entries are in whole packs with these roots. Packs have tiles of the levels
    /// below `height`, so many each; those above are here.
    pub(super) fn behind_packs(roots: &[Hash], height: u8, tiles: impl Fn(u8) -> u64) -> Self {
        let packs = roots.len() as u64;
        let levels = (0..height).map(|level| TileLevel {
            first: packs * tiles(level),
            ..TileLevel::default()
        });
        let bundles = packs * tiles(0);
        let mut tail = Self {
            size: bundles * TILE_HASHES,
            first_bundle: bundles,
            levels: levels.collect(),
            ..Self::default()
        };
        roots
            .iter()
            .for_each(|root| tail.push_hash(height.into(), *root));
        tail
    }

    /// Number of leaves in the tree, with those in files.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Number of entries whose bundle is in no file.
    pub(super) fn unfiled_entries(&self) -> u64 {
        self.size.saturating_sub(self.first_bundle * TILE_HASHES)
    }

    /// Appends an entry, whose leaf hash the caller computed.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`] if it is too long for a bundle; nothing is appended then.
    pub(super) fn push(&mut self, entry: &[u8], leaf: Hash) -> Result<(), StoreError> {
        let bundle = &mut self.growing_bundle;
        Bundle::append(&mut bundle.bytes, entry).ok_or(StoreError::Inconsistent(
            "an entry is too long for a bundle",
        ))?;
        bundle.ends.push(bundle.bytes.len());
        self.size += 1;
        if self.size.is_multiple_of(TILE_HASHES) {
            let GrowingBundle { bytes, ends } = std::mem::take(bundle);
            let bytes = Bytes::from(bytes);
            self.full_bundles.push_back(FullBundle { bytes, ends });
        }
        self.push_hash(0, leaf);
        Ok(())
    }

    /// Appends a hash to a level. A tile that becomes full gives a hash to the level above.
    fn push_hash(&mut self, level: usize, mut hash: Hash) {
        for level in self.levels.iter_mut().skip(level) {
            match level.push(hash) {
                Some(root) => hash = root,
                None => return,
            }
        }
        self.levels.push(TileLevel {
            growing: tile_bytes(&[hash]),
            ..TileLevel::default()
        });
    }

    /// The bytes of a tile that the tail holds. For any other tile `None`: that one is in a file,
    /// or a read of its file says that it is missing.
    pub(super) fn read(&self, id: &TileId) -> Option<Bytes> {
        let width = usize::from(id.width());
        match id.level() {
            Level::Entries => {
                let place = place_of(id.number(), self.first_bundle)?;
                match self.full_bundles.get(place) {
                    Some(bundle) => {
                        let end = *bundle.ends.get(width.checked_sub(1)?)?;
                        (end <= bundle.bytes.len()).then(|| bundle.bytes.slice(..end))
                    }
                    None if place == self.full_bundles.len() => {
                        let bundle = &self.growing_bundle;
                        let end = *bundle.ends.get(width.checked_sub(1)?)?;
                        bundle.bytes.get(..end).map(Bytes::copy_from_slice)
                    }
                    None => None,
                }
            }
            Level::Hashes(level) => {
                let level = self.levels.get(usize::from(level))?;
                let place = place_of(id.number(), level.first)?;
                let end = width * HASH_BYTES;
                match level.full.get(place) {
                    Some(tile) => (end <= tile.len()).then(|| tile.slice(..end)),
                    None if place == level.full.len() => {
                        level.growing.get(..end).map(Bytes::copy_from_slice)
                    }
                    None => None,
                }
            }
        }
    }

    /// A hash of a level, if the tail holds the tile that it is in.
    pub(super) fn hash(&self, level: u8, index: u64) -> Option<Hash> {
        let level = self.levels.get(usize::from(level))?;
        let place = place_of(index / TILE_HASHES, level.first)?;
        let tile = match level.full.get(place) {
            Some(tile) => tile,
            None if place == level.full.len() => level.growing.as_slice(),
            None => return None,
        };
        let (hashes, _) = tile.as_chunks::<HASH_BYTES>();
        let hash = hashes.get((index % TILE_HASHES) as usize)?;
        Some(Hash::from_bytes(*hash))
    }

    /// The full bundles and tiles that are to be written to files, lowest first, and the number
    /// of bundles that will then be in files.
    pub(super) fn full(&self) -> (Vec<TileId>, u64) {
        let bundles = self.size / TILE_HASHES;
        let mut ids: Vec<TileId> = (self.first_bundle..bundles)
            .map(|number| TileId::full(Level::Entries, number))
            .collect();
        for (number, level) in (0_u8..).zip(&self.levels) {
            let numbers = level.first..level.first + level.full.len() as u64;
            ids.extend(numbers.map(|tile| TileId::full(Level::Hashes(number), tile)));
        }
        (ids, bundles)
    }

    /// Drops full bundles and tiles that are in files now, as [`Self::full`] listed them.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`] for one that is not the first of its level.
    pub(super) fn forget(&mut self, written: &[TileId]) -> Result<(), StoreError> {
        for id in written {
            let forgotten = match id.level() {
                Level::Entries if id.number() == self.first_bundle => {
                    self.first_bundle += 1;
                    self.full_bundles.pop_front().is_some()
                }
                Level::Hashes(level) => match self.levels.get_mut(usize::from(level)) {
                    Some(level) if id.number() == level.first => {
                        level.first += 1;
                        level.full.pop_front().is_some()
                    }
                    _ => false,
                },
                Level::Entries => false,
            };
            if !forgotten {
                return Err(StoreError::Inconsistent("a tile is forgotten out of order"));
            }
        }
        Ok(())
    }
}

impl TileLevel {
    /// Appends a hash; gives the root over the tile if it is full now.
    fn push(&mut self, hash: Hash) -> Option<Hash> {
        self.growing.extend_from_slice(hash.as_bytes());
        if self.growing.len() < TILE_BYTES {
            return None;
        }
        let tile = std::mem::take(&mut self.growing);
        let (hashes, _) = tile.as_chunks::<HASH_BYTES>();
        let root = root_of(hashes.iter().map(|hash| Hash::from_bytes(*hash)));
        self.full.push_back(Bytes::from(tile));
        Some(root)
    }
}

/// The position of a number in a list that begins with the number `first`; `None` before it.
fn place_of(number: u64, first: u64) -> Option<usize> {
    usize::try_from(number.checked_sub(first)?).ok()
}

/// Bytes of a full tile of hashes.
const TILE_BYTES: usize = HashTile::HASHES_MAX * HASH_BYTES;

fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(TILE_BYTES);
    for hash in hashes {
        bytes.extend_from_slice(hash.as_bytes());
    }
    bytes
}
