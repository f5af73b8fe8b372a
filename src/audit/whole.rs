//! Checking a whole log from its tiles: every entry by the rules, every hash in every tile.

use super::replay::{Replay, Signatures, Violation};
use crate::ledger::State;
use crate::merkle::{Bundle, HASH_BYTES, Hash, HashTile, Level, TILE_HASHES, TileId, leaf_hash};
use crate::note::TreeHead;
use crate::record::{Index, Origin};

/// Gives a tile's bytes, or says why it can't.
pub trait TileSource {
    /// The bytes of a tile or bundle.
    ///
    /// # Errors
    /// In words, for people.
    fn tile(&self, id: TileId) -> Result<Vec<u8>, String>;
}

/// Why a log is not whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WholeError {
    /// A tile can't be had, or is not what its name says.
    #[error("{tile}: {what}")]
    Tile {
        /// Its path.
        tile: String,
        /// What is wrong.
        what: String,
    },
    /// An entry is wrong.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The entries lead to another root.
    #[error("the entries lead to the root {found}, but the head says {expected}")]
    Root {
        /// The root over the entries.
        found: Hash,
        /// The head's.
        expected: Hash,
    },
    /// The totals do not reconcile.
    #[error(transparent)]
    Conservation(#[from] crate::ledger::ConservationError),
}

/// Replays a log of this head from its first entry, with every signature, and compares every tile
/// of hashes with what the entries make. `seen` is called after each entry.
///
/// # Errors
/// [`WholeError`]: the first thing that is wrong.
pub fn check_whole(
    source: &dyn TileSource,
    origin: &Origin,
    head: TreeHead,
    mut seen: impl FnMut(&Replay),
) -> Result<State, WholeError> {
    let mut replay = Replay::new(origin, Signatures::Verify);
    let mut levels: Vec<Vec<Hash>> = Vec::new();
    for number in 0..head.size.div_ceil(TILE_HASHES) {
        let (id, bytes) = fetch(source, Level::Entries, number, head.size)?;
        let bundle = parse(&id, &bytes)?;
        for entry in bundle.entries() {
            replay.take(entry, |index| earlier(source, index, head.size))?;
            push(
                source,
                head.size,
                &mut levels,
                0,
                number * TILE_HASHES,
                leaf_hash(entry),
            )?;
            seen(&replay);
        }
    }
    for (level, row) in (0_u8..).zip(&levels) {
        let whole = head.size.checked_shr(u32::from(level) * 8).unwrap_or(0);
        if !row.is_empty() {
            compare(
                source,
                Level::Hashes(level),
                whole / TILE_HASHES,
                head.size,
                row,
            )?;
        }
    }
    if replay.head().root != head.root {
        return Err(WholeError::Root {
            found: replay.head().root,
            expected: head.root,
        });
    }
    let (state, _) = replay.into_parts();
    state.totals().check()?;
    Ok(state)
}

/// Adds a hash to a level; a full tile is compared with the source's and its root goes up.
fn push(
    source: &dyn TileSource,
    size: u64,
    levels: &mut Vec<Vec<Hash>>,
    level: u8,
    first_leaf: u64,
    hash: Hash,
) -> Result<(), WholeError> {
    if levels.len() <= usize::from(level) {
        levels.push(Vec::new());
    }
    let Some(row) = levels.get_mut(usize::from(level)) else {
        return Ok(());
    };
    row.push(hash);
    if (row.len() as u64) < TILE_HASHES {
        return Ok(());
    }
    let row = std::mem::take(row);
    let number = first_leaf >> (8 * (u32::from(level) + 1));
    let root = compare(source, Level::Hashes(level), number, size, &row)?;
    push(source, size, levels, level + 1, first_leaf, root)
}

/// Compares a row of hashes with the source's tile; gives the root over it.
fn compare(
    source: &dyn TileSource,
    level: Level,
    number: u64,
    size: u64,
    row: &[Hash],
) -> Result<Hash, WholeError> {
    let (id, bytes) = fetch(source, level, number, size)?;
    let wrong = |what: &str| WholeError::Tile {
        tile: id.to_string(),
        what: what.to_owned(),
    };
    let mut expected = Vec::with_capacity(row.len() * HASH_BYTES);
    for hash in row {
        expected.extend_from_slice(hash.as_bytes());
    }
    if bytes != expected {
        return Err(wrong("its hashes are not those of the entries"));
    }
    let tile = HashTile::parse(&id, &bytes).map_err(|error| wrong(&error.to_string()))?;
    tile.root().ok_or_else(|| wrong("it is empty"))
}

fn fetch(
    source: &dyn TileSource,
    level: Level,
    number: u64,
    size: u64,
) -> Result<(TileId, Vec<u8>), WholeError> {
    let id = TileId::in_tree(level, number, size).ok_or_else(|| WholeError::Tile {
        tile: format!("tile {number}"),
        what: format!("a tree of {size} entries has no such"),
    })?;
    let wrong = |what: String| WholeError::Tile {
        tile: id.to_string(),
        what,
    };
    Ok((id, source.tile(id).map_err(wrong)?))
}

fn parse<'a>(id: &TileId, bytes: &'a [u8]) -> Result<Bundle<'a>, WholeError> {
    Bundle::parse(bytes, id.width()).map_err(|error| WholeError::Tile {
        tile: id.to_string(),
        what: error.to_string(),
    })
}

/// The bytes of an earlier entry, for a correction.
fn earlier(source: &dyn TileSource, index: Index, size: u64) -> Option<Vec<u8>> {
    let (id, bytes) = fetch(source, Level::Entries, index.0 / TILE_HASHES, size).ok()?;
    let bundle = parse(&id, &bytes).ok()?;
    bundle
        .entries()
        .get((index.0 % TILE_HASHES) as usize)
        .map(|entry| entry.to_vec())
}
