//! The bytes of a pack: `docs/engine.md` specifies them.
//!
//! A pack's borders are fixed, and its bytes depend on the entries alone: every process that
//! makes a pack makes the same, so no process need be the only one that may.

use std::fmt;
use std::ops::Range;

use super::chain::Chain;
use super::fields::{Fields, MAGIC_BYTES, end_object};
use super::names;
use crate::merkle::{Bundle, HASH_BYTES, Hash, HashTile, TILE_HASHES, leaf_hash, root_of};
use crate::store::{Bytes, StoreError};

const MAGIC: &[u8; MAGIC_BYTES] = b"arborlog-pack-01";

/// How many entries a pack has: 256 to the power of some number of levels of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackShape {
    /// Levels of whole tiles in a pack.
    levels: u8,
}

impl PackShape {
    /// The shape of all logs: 65,536 entries, with 256 tiles of leaf hashes and the one above.
    pub const STANDARD: Self = Self { levels: 2 };
    /// 256 entries and one tile: for tests, which need packs of small logs.
    pub const SMALL: Self = Self { levels: 1 };

    /// Number of entries of a pack.
    pub const fn entries(self) -> u64 {
        TILE_HASHES.pow(self.levels as u32)
    }

    /// Levels of whole tiles in a pack.
    pub(super) const fn levels(self) -> u8 {
        self.levels
    }

    /// Tiles of a level in a pack; bundles are as many as tiles of level 0.
    pub(super) const fn tiles(self, level: u8) -> u64 {
        match self.levels.checked_sub(level + 1) {
            Some(above) => TILE_HASHES.pow(above as u32),
            None => 0,
        }
    }

    /// Number of whole packs in a log of this size.
    pub const fn whole_packs(self, size: u64) -> u64 {
        size / self.entries()
    }

    /// Hashes in all tiles of a pack.
    fn hashes(self) -> u64 {
        (1..=u32::from(self.levels))
            .map(|level| TILE_HASHES.pow(level))
            .sum()
    }
}

/// A whole pack.
#[derive(Clone, PartialEq, Eq)]
pub struct Pack {
    number: u64,
    /// Index of the first entry.
    first: u64,
    /// The object's bytes.
    bytes: Bytes,
    /// Where each entry begins in `bytes`, with its length before it; and where the last one ends.
    starts: Vec<usize>,
}

impl fmt::Debug for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pack({}, {} bytes)", self.number, self.bytes.len())
    }
}

impl Pack {
    /// Its place among the packs.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The object's bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Reads the pack of this number from a log's store.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be read, is not there, or is damaged.
    pub(super) async fn read(
        chain: &Chain,
        number: u64,
        shape: PackShape,
    ) -> Result<Self, StoreError> {
        let name = names::pack(number);
        let bytes = chain.get(&name).await?;
        let bytes =
            bytes.ok_or_else(|| chain.damaged(&name, "a floor names it, but it is not there"))?;
        Self::decode(number, shape, &bytes).map_err(|what| chain.damaged(&name, what))
    }

    /// Reads an object's bytes: those of the pack of this number, made of the entries in it, and no
    /// others.
    ///
    /// # Errors
    /// What is wrong with them. They are then damaged, or of another version.
    pub fn decode(number: u64, shape: PackShape, bytes: &Bytes) -> Result<Self, &'static str> {
        let other = "it does not begin as a pack of this version";
        let mut fields = Fields::of_object(bytes, MAGIC, other)?;
        if fields.take()? != [shape.levels] {
            return Err("it has another number of entries than packs of this log");
        }
        let _number = fields.u64()?;
        let length = 8 * (shape.entries() / TILE_HASHES) + HASH_BYTES as u64 * shape.hashes();
        let _index_and_tiles =
            fields.bytes(usize::try_from(length).map_err(|_| "it is too long")?)?;
        // All but the entries follows from them: it is made again and compared.
        let bundle = Bundle::parse_all(fields.rest()).map_err(|_| "its entries are cut")?;
        let mut builder = PackBuilder::begin(number, shape);
        let mut made = None;
        for entry in bundle.entries() {
            if made.is_some() {
                return Err("it has more entries than a pack");
            }
            made = builder.push(entry, leaf_hash(entry))?;
        }
        made.filter(|pack| pack.bytes == *bytes)
            .ok_or("it is another pack, or its tiles are not those of its entries")
    }

    /// The entries whose indexes are in this range, encoded as in a bundle; `None` if not all of
    /// them are in this pack.
    pub fn entries(&self, range: Range<u64>) -> Option<&[u8]> {
        let start = |index: u64| {
            let place = usize::try_from(index.checked_sub(self.first)?).ok()?;
            self.starts.get(place).copied()
        };
        self.bytes.get(start(range.start)?..start(range.end)?)
    }
}

/// The bytes of a pack, of its full bundles and its full tiles of hashes from the leaves' level up, in their order;
/// `None` if they are not those of a whole pack.
pub(super) fn pack_bytes(
    number: u64,
    shape: PackShape,
    bundles: &[Bytes],
    tiles: &[Bytes],
) -> Option<Bytes> {
    let hashes: usize = tiles.iter().map(Bytes::len).sum();
    let is_whole = bundles.len() as u64 == shape.entries() / TILE_HASHES
        && hashes as u64 == shape.hashes() * HASH_BYTES as u64;
    if !is_whole {
        return None;
    }
    let entries: usize = bundles.iter().map(Bytes::len).sum();
    let mut bytes = Vec::with_capacity(entries + hashes + 4096);
    let ends = bundles.iter().scan(0, |end, bundle| {
        *end += bundle.len();
        Some(*end)
    });
    begin_pack(&mut bytes, number, shape, ends);
    for part in tiles.iter().chain(bundles) {
        bytes.extend_from_slice(part);
    }
    Some(end_object(bytes))
}

/// What a pack begins with: its number, and where each bundle ends, counted from the first.
fn begin_pack(
    bytes: &mut Vec<u8>,
    number: u64,
    shape: PackShape,
    ends: impl Iterator<Item = usize>,
) {
    bytes.extend_from_slice(MAGIC);
    bytes.push(shape.levels);
    bytes.extend_from_slice(&number.to_be_bytes());
    for end in ends {
        bytes.extend_from_slice(&(end as u64).to_be_bytes());
    }
}

/// Entries that will be a pack.
#[derive(Debug)]
pub(super) struct PackBuilder {
    number: u64,
    shape: PackShape,
    /// The entries so far, encoded as in a bundle.
    entries: Vec<u8>,
    /// Where each entry begins in `entries`.
    starts: Vec<usize>,
    leaves: Vec<Hash>,
}

impl PackBuilder {
    pub(super) fn begin(number: u64, shape: PackShape) -> Self {
        Self {
            number,
            shape,
            entries: Vec::new(),
            starts: Vec::new(),
            leaves: Vec::new(),
        }
    }

    /// The index of the entry that is to be pushed next.
    pub(super) fn next_index(&self) -> u64 {
        self.number * self.shape.entries() + self.leaves.len() as u64
    }

    /// Adds the next entry; gives the pack once it is whole, and begins the one behind it.
    pub(super) fn push(&mut self, entry: &[u8], leaf: Hash) -> Result<Option<Pack>, &'static str> {
        self.starts.push(self.entries.len());
        Bundle::append(&mut self.entries, entry).ok_or("an entry is longer than a bundle takes")?;
        self.leaves.push(leaf);
        if (self.leaves.len() as u64) < self.shape.entries() {
            return Ok(None);
        }
        let next = Self::begin(self.number + 1, self.shape);
        Ok(Some(std::mem::replace(self, next).finish()))
    }

    fn finish(self) -> Pack {
        let mut bytes = Vec::with_capacity(self.entries.len() + 33 * self.leaves.len() + 4096);
        let ends = self.starts.iter().step_by(HashTile::HASHES_MAX).skip(1);
        let ends = ends.copied().chain([self.entries.len()]);
        begin_pack(&mut bytes, self.number, self.shape, ends);
        // From the leaves up: the hashes of a level's tiles are the roots of the tiles below.
        let mut hashes = self.leaves;
        for _ in 0..self.shape.levels {
            hashes
                .iter()
                .for_each(|hash| bytes.extend_from_slice(hash.as_bytes()));
            let tiles = hashes.chunks(HashTile::HASHES_MAX);
            hashes = tiles.map(|tile| root_of(tile.iter().copied())).collect();
        }
        let begin = bytes.len();
        bytes.extend_from_slice(&self.entries);
        let starts = self.starts.iter().map(|start| begin + start);
        let starts = starts.chain([bytes.len()]).collect();
        Pack {
            number: self.number,
            first: self.number * self.shape.entries(),
            bytes: end_object(bytes),
            starts,
        }
    }
}
