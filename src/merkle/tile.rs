//! Tiles: which there are, what they are called, and the hashes in them (c2sp.org/tlog-tiles).

use std::fmt;
use std::str::FromStr;

use super::hash::{HASH_BYTES, Hash, node_hash};
use super::tree::{Node, fold_nodes, range_nodes};

/// Levels of the tree that a tile spans.
pub const TILE_HEIGHT: u8 = 8;
/// Hashes in a full tile; entries in a full bundle.
pub const TILE_HASHES: u64 = 1 << TILE_HEIGHT;
/// The same, as a tile's name has it.
const WIDTH_MAX: u16 = 1 << TILE_HEIGHT;
/// No tile of a tree with `u64` leaves is above this level.
pub const TILE_LEVEL_MAX: u8 = 7;

/// What a tile holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// The entries themselves: an entry bundle.
    Entries,
    /// Hashes of subtrees with 256^level leaves; level 0 holds leaf hashes.
    Hashes(u8),
}

impl Level {
    /// How many bits of a leaf's index lie below one item of this level.
    fn shift(self) -> u32 {
        match self {
            Self::Entries => 0,
            Self::Hashes(level) => u32::from(level) * u32::from(TILE_HEIGHT),
        }
    }
}

/// The name of a tile: level, number, and how many items it holds (1 to 256).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TileId {
    level: Level,
    number: u64,
    width: u16,
}

impl TileId {
    /// The tile of this level and number as it is in a tree of `size` leaves; `None` if that tree
    /// has no such tile. An empty tile is none.
    pub fn in_tree(level: Level, number: u64, size: u64) -> Option<Self> {
        let items = size.checked_shr(level.shift())?;
        let before = number.checked_mul(TILE_HASHES)?;
        let width = items.checked_sub(before)?.min(TILE_HASHES);
        (width > 0).then_some(Self {
            level,
            number,
            width: width as u16,
        })
    }

    /// A full tile.
    pub fn full(level: Level, number: u64) -> Self {
        Self {
            level,
            number,
            width: WIDTH_MAX,
        }
    }

    /// What it holds.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Its position within the level.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many items it holds.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it holds all 256.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == TILE_HASHES
    }

    /// Whether a tree of `size` leaves has these items.
    pub fn is_in_tree(&self, size: u64) -> bool {
        Self::in_tree(self.level, self.number, size).is_some_and(|whole| self.width <= whole.width)
    }

    /// The tile in a tree of `size` leaves that has `node`'s subtree in it, all of which must be
    /// in the tree.
    pub fn holding(node: Node, size: u64) -> Option<Self> {
        let level = node.level / TILE_HEIGHT;
        let inner = u32::from(node.level % TILE_HEIGHT);
        let number = node.index >> (u32::from(TILE_HEIGHT) - inner);
        Self::in_tree(Level::Hashes(level), number, size)
    }
}

/// The path under the log's prefix, without a leading slash: `tile/0/x001/x234/067.p/8`.
impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Level::Entries => f.write_str("tile/entries/")?,
            Level::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut groups = vec![self.number % 1000];
        let mut rest = self.number / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", self.number % 1000)?;
        if self.is_full() {
            Ok(())
        } else {
            write!(f, ".p/{}", self.width)
        }
    }
}

/// A path that names no tile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no tile has this path: expected tile/<level or entries>/<number>[.p/<width>] as in c2sp.org/tlog-tiles"
)]
pub struct TilePathError;

impl FromStr for TileId {
    type Err = TilePathError;

    /// Only the one canonical spelling of each tile is read.
    fn from_str(path: &str) -> Result<Self, Self::Err> {
        let tile = Self::parse(path).ok_or(TilePathError)?;
        if tile.to_string() == path {
            Ok(tile)
        } else {
            Err(TilePathError)
        }
    }
}

impl TileId {
    fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = match level {
            "entries" => Level::Entries,
            digits => Level::Hashes(digits.parse().ok().filter(|l| *l <= TILE_LEVEL_MAX)?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok().filter(|w| (1..256).contains(w))?),
            None => (rest, WIDTH_MAX),
        };
        let mut value = 0_u64;
        for group in number.split('/') {
            let digits: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
            value = value.checked_mul(1000)?.checked_add(digits)?;
        }
        Some(Self {
            level,
            number: value,
            width,
        })
    }
}

/// The hashes of a tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashTile {
    hashes: Vec<Hash>,
}

/// Bytes that are not the tile that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{tile} has {found} bytes, but {expected} belong there")]
pub struct TileError {
    /// The tile's path.
    pub tile: String,
    /// Bytes found.
    pub found: usize,
    /// Bytes that the tile's width asks for.
    pub expected: usize,
}

impl HashTile {
    /// Hashes in a full tile: [`TILE_HASHES`], as a length.
    pub const HASHES_MAX: usize = 1 << TILE_HEIGHT;

    /// Reads the tile's bytes: exactly `width` hashes.
    ///
    /// # Errors
    /// [`TileError`] when the length is another.
    pub fn parse(id: &TileId, bytes: &[u8]) -> Result<Self, TileError> {
        let expected = usize::from(id.width) * HASH_BYTES;
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if bytes.len() != expected || !rest.is_empty() {
            return Err(TileError {
                tile: id.to_string(),
                found: bytes.len(),
                expected,
            });
        }
        Ok(Self {
            hashes: hashes.iter().map(|hash| Hash::from_bytes(*hash)).collect(),
        })
    }

    /// The hashes, left to right.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The root over the whole tile; `None` only of an empty one, which can't be parsed.
    pub fn root(&self) -> Option<Hash> {
        self.range_root(0, self.hashes.len())
    }

    /// The hash of `node`, whose subtree lies in this tile; `None` if it lies beyond its width.
    pub fn node(&self, node: Node) -> Option<Hash> {
        let inner = u32::from(node.level % TILE_HEIGHT);
        // The place within the tile: bits that the shift drops are the tile's number.
        let first = ((node.index << inner) % TILE_HASHES) as usize;
        self.range_root(first, first + (1 << inner))
    }

    fn range_root(&self, first: usize, end: usize) -> Option<Hash> {
        let mut row = self.hashes.get(first..end)?.to_vec();
        let nodes = range_nodes(0, row.len() as u64);
        // Each complete subtree is folded in place, then they are joined from the right.
        let mut roots = Vec::with_capacity(nodes.len());
        for node in nodes {
            let rest = row.split_off(1 << node.level);
            let mut level = std::mem::replace(&mut row, rest);
            while level.len() > 1 {
                level = level
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|[left, right]| node_hash(left, right))
                    .collect();
            }
            roots.extend(level);
        }
        fold_nodes(roots.into_iter())
    }
}

/// A tile with all nodes within it: twice the memory of its hashes, and no hashing to look one up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeTile {
    /// By height within the tile, from its own hashes up; complete subtrees only.
    rows: Vec<Vec<Hash>>,
}

impl NodeTile {
    /// What a full one takes in memory.
    pub const BYTES_MAX: usize = 2 * HashTile::HASHES_MAX * HASH_BYTES;

    /// Hashes all nodes of a tile.
    pub fn new(tile: HashTile) -> Self {
        let mut rows = Vec::with_capacity(usize::from(TILE_HEIGHT) + 1);
        let mut row = tile.hashes;
        for _ in 0..TILE_HEIGHT {
            let pairs = row.as_chunks::<2>().0.iter();
            let above = pairs.map(|[left, right]| node_hash(left, right)).collect();
            rows.push(std::mem::replace(&mut row, above));
        }
        rows.push(row);
        Self { rows }
    }

    /// The hash of `node`, whose subtree lies in this tile; `None` if it lies beyond its width.
    pub fn node(&self, node: Node) -> Option<Hash> {
        let inner = node.level % TILE_HEIGHT;
        let row = self.rows.get(usize::from(inner))?;
        let place = node.index % (TILE_HASHES >> inner);
        row.get(usize::try_from(place).ok()?).copied()
    }
}
