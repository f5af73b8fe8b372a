//! The tree as last committed, from the journal and the files before it.

use std::path::Path;

use super::directory::journal_dir;
use super::journal::{Segment, read_segment, segment_files};
use super::tail::Tail;
use super::tile_files::{FullTiles, TileFiles};
use super::{Batch, RESTORE, StoreError};
use crate::merkle::{
    Bundle, Frontier, Hash, HashTile, Level, TILE_HASHES, TileId, leaf_hash, range_nodes,
};
use crate::note::TreeHead;
use crate::record::LogHead;

/// A store as of its last commit.
pub(super) struct Recovered {
    /// The newest segment of the journal.
    pub(super) newest: Segment,
    /// What is not in files.
    pub(super) tail: Tail,
    /// The tree over all entries that were committed.
    pub(super) tree: Frontier,
}

/// The store as of its last commit, by the journal and the files before it. Nothing is written.
pub(super) fn recover(dir: &Path) -> Result<Recovered, StoreError> {
    let journals = journal_dir(dir);
    let files = segment_files(&journals)?;
    let mut segments = Vec::new();
    for (place, (_, path)) in files.iter().enumerate() {
        let newest = place + 1 == files.len();
        segments.push(read_segment(path, newest)?);
    }
    let none_left = || StoreError::Damaged {
        path: journals.clone(),
        what: format!("no journal segment is left; {RESTORE}"),
    };
    let first = segments.first().ok_or_else(none_left)?;
    let files = TileFiles::of(dir);
    let (mut tail, mut tree) = edge(&files, &files, first.start.tree.size)?;
    if tree.root() != first.start.tree.root {
        return Err(StoreError::Damaged {
            path: dir.join("public"),
            what: format!(
                "its tiles do not lead to the root that {} begins at; {RESTORE}",
                first.path.display()
            ),
        });
    }
    let mut head = first.start;
    for segment in &segments {
        let damaged = |what: &str| StoreError::Damaged {
            path: segment.path.clone(),
            what: format!("{what}; {RESTORE}"),
        };
        if segment.start != head {
            return Err(damaged(
                "it does not begin where the segment before it ends",
            ));
        }
        for (entries, to) in &segment.commits {
            let batch = Batch {
                from: head,
                entries: entries.clone(),
                to: *to,
            };
            let entries = extend(&mut tree, &batch)
                .ok_or_else(|| damaged("its entries do not lead to the root that was committed"))?;
            for (entry, leaf) in entries {
                tail.push(entry, leaf)?;
            }
            head = *to;
        }
    }
    Ok(Recovered {
        newest: segments.pop().ok_or_else(none_left)?,
        tail,
        tree,
    })
}

/// The tail and the tree of the first `size` entries, from full tiles, whose errors name their
/// files. Not proven: the caller compares the root with one that was committed.
pub(super) fn edge(
    files: &TileFiles,
    tiles: &dyn FullTiles,
    size: u64,
) -> Result<(Tail, Frontier), StoreError> {
    let full = size / TILE_HASHES;
    let mut edges = Vec::new();
    let mut items = full;
    for level in 0_u8.. {
        if items == 0 {
            break;
        }
        let row = items - items % TILE_HASHES..items;
        let roots = row.map(|number| tiles.unproven(TileId::full(Level::Hashes(level), number)));
        edges.push(
            roots
                .map(|tile| Ok(tile?.1))
                .collect::<Result<_, StoreError>>()?,
        );
        items /= TILE_HASHES;
    }
    let mut tail = Tail::resume(full, edges);
    let partial = size % TILE_HASHES;
    if partial > 0 {
        // The tree ends inside a bundle, whose file holds the whole bundle.
        let (bytes, _) = tiles.unproven(TileId::full(Level::Entries, full))?;
        let last = TileId::full(Level::Entries, full);
        let bundle = Bundle::parse_all(&bytes);
        let bundle = bundle.map_err(|error| files.damaged(last, &error.to_string()))?;
        for entry in bundle.entries().iter().take(partial as usize) {
            tail.push(entry, leaf_hash(entry))?;
        }
    }
    let peaks = range_nodes(0, size)
        .into_iter()
        .map(|node| {
            let missing = || {
                let last = TileId::full(Level::Entries, full);
                files.damaged(last, &format!("no tile holds {node}"))
            };
            let id = TileId::holding(node, size).ok_or_else(missing)?;
            let bytes = match tail.read(&id) {
                Some(bytes) => bytes,
                None => tiles.unproven(id)?.0,
            };
            let tile = HashTile::parse(&id, &bytes).map_err(|_| missing())?;
            tile.node(node).ok_or_else(missing)
        })
        .collect::<Result<Vec<Hash>, StoreError>>()?;
    let tree = Frontier::from_peaks(size, peaks);
    Ok((
        tail,
        tree.ok_or(StoreError::Inconsistent(
            "a tree has another number of peaks",
        ))?,
    ))
}

/// Appends a batch's entries to a tree; gives them with their leaf hashes, or `None` if they don't
/// lead where the batch says.
pub(super) fn extend<'a>(tree: &mut Frontier, batch: &'a Batch) -> Option<Vec<(&'a [u8], Hash)>> {
    let bundle = Bundle::parse_all(&batch.entries).ok()?;
    let mut entries = Vec::with_capacity(bundle.entries().len());
    for entry in bundle.entries() {
        let leaf = leaf_hash(entry);
        tree.push(leaf);
        entries.push((*entry, leaf));
    }
    (head_of(tree) == batch.to).then_some(entries)
}

/// The head of a log of these entries: none of them is a state entry.
pub(super) fn head_of(tree: &Frontier) -> LogHead {
    LogHead::without_state(TreeHead::of(tree))
}
