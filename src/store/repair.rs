//! Mending a store from a copy of its log that was verified.
//!
//! ```text
//! salvage   what journals still hold, and how many entries were committed at least
//! compare   each full tile with the copy's; each tree that was committed with the copy's tree
//! plan      the copy's entries, then every commit that extends them
//! mend      write the tiles that differ, and the journal if it does not lead to that tree
//! ```
//!
//! Nothing is written before the plan reaches every committed entry and no remaining evidence
//! contradicts it. The old journal is renamed, never removed.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::committed::{edge, recover};
use super::directory::{StoreLock, journal_dir};
use super::journal::{JournalWriter, SEGMENT_BYTES};
use super::salvage::Salvaged;
use super::tail::Tail;
use super::tile_files::{FullTiles, TileFiles};
use super::{Batch, StoreError};
use crate::durable::{FileError, at, make_folders, remove_folder, rename_folder};
use crate::measures::Durations;
use crate::merkle::{Bundle, Frontier, Hash, Level, TILE_HASHES, TileId, leaf_hash};
use crate::note::TreeHead;
use crate::record::LogHead;

/// A copy of the log, each of whose tiles was proven to be in the tree of its head.
pub trait ProvenCopy {
    /// The head of the copied log.
    fn head(&self) -> TreeHead;

    /// A tile of the copy's tree, full or partial.
    ///
    /// # Errors
    /// In words, when it can't be had.
    fn tile(&self, id: TileId) -> Result<Vec<u8>, String>;

    /// The root over the copy's first `size` entries.
    ///
    /// # Errors
    /// In words, when it can't be had.
    fn root_at(&self, size: u64) -> Result<Hash, String>;
}

/// What was mended.
#[derive(Debug, Default)]
pub struct Repaired {
    /// The files of tiles that were damaged or missing, and are whole now.
    pub tiles: Vec<PathBuf>,
    /// The old journal's folder under its new name, if the journal was written anew.
    pub journal_aside: Option<PathBuf>,
    /// Number of entries that the copy had and the store did not.
    pub entries_regained: u64,
}

/// Why a store can't be mended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The copy could not be read, or contradicts its own head.
    #[error("the copy: {0}")]
    Copy(String),
    /// The store has committed another history than the copy's.
    #[error(
        "the first {size} entries of the store are not those of the copy: two histories were committed. Nothing was changed; keep both, and find out why"
    )]
    Forked {
        /// A size at which they differ.
        size: u64,
    },
    /// Entries that were committed are in neither. That they were committed shows in files of
    /// tiles, names of segments, commits, or the saved state.
    #[error(
        "entries {from} to {to} were committed, and are neither whole in the journal nor in the copy: find a newer copy. Nothing was changed"
    )]
    Missing {
        /// The index of the first entry that is missing.
        from: u64,
        /// The index of the last entry that is missing.
        to: u64,
    },
}

impl From<FileError> for RepairError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

/// Mends the store whose lock is held: what the caller reads before, such as the saved state, was
/// then no running server's. `saved` is the tree that the saved state
/// belongs to, which was committed too. `seen` is called with the number of bundles that were
/// compared so far.
///
/// # Errors
/// [`RepairError`]. Nothing was changed then, unless the disk itself failed: after that, as after a
/// crash, tiles that were mended stay mended, and the journal is the old one, the new one, or
/// missing with both under other names; a second repair reads them all.
pub fn repair(
    lock: &StoreLock,
    copy: &dyn ProvenCopy,
    saved: Option<TreeHead>,
    seen: impl FnMut(u64),
) -> Result<Repaired, RepairError> {
    let dir = lock.dir();
    let files = TileFiles::of(dir);
    let mut salvaged = Salvaged::of(dir)?;
    salvaged.heads.extend(saved);
    let saved = saved.map_or(0, |head| head.size);
    let in_files = files.bundles()? * TILE_HASHES;
    salvaged.committed = salvaged.committed.max(saved).max(in_files);
    let mut damaged = compare(&files, copy, seen)?;
    for head in &salvaged.heads {
        let size = head.size;
        if size <= copy.head().size && copy.root_at(size).map_err(RepairError::Copy)? != head.root {
            return Err(RepairError::Forked { size });
        }
    }
    let (tail, tree) = plan(
        &Mended {
            files: &files,
            copy,
        },
        &salvaged,
    )?;
    for id in tail.full().0 {
        // A file that can't be read is written anew, as one that differs.
        if files.bytes(id).ok().flatten().as_deref() != tail.read(&id).as_deref() {
            damaged.push(id);
        }
    }
    let mut repaired = Repaired::default();
    for id in damaged {
        let bytes = match tail.read(&id) {
            Some(bytes) => bytes,
            None => Bytes::from(copy.tile(id).map_err(RepairError::Copy)?),
        };
        files.write(&[id], |_| Some(bytes.clone()))?;
        repaired.tiles.push(files.path(id));
    }
    let before = match recover(dir) {
        Ok(before) if before.tree == tree => return Ok(repaired),
        Ok(before) => before.tree.size(),
        Err(StoreError::Damaged { .. } | StoreError::Io(_)) => salvaged.committed,
        Err(error) => return Err(error.into()),
    };
    let missing = || RepairError::Missing {
        from: tree.size(),
        to: before - 1,
    };
    repaired.entries_regained = tree.size().checked_sub(before).ok_or_else(missing)?;
    repaired.journal_aside = write_journal(dir, &files, &tail, &tree)?;
    Ok(repaired)
}

/// The full tiles of the copy's tree whose files differ from it or are missing.
fn compare(
    files: &TileFiles,
    copy: &dyn ProvenCopy,
    mut seen: impl FnMut(u64),
) -> Result<Vec<TileId>, RepairError> {
    let mut differ = Vec::new();
    let mut row = copy.head().size / TILE_HASHES;
    for number in 0..row {
        let id = TileId::full(Level::Entries, number);
        if !is_as_in(files, copy, id)? {
            // A bundle and the tile of its hashes are not damaged in step.
            let own = |level| {
                let found = files.unproven(TileId::full(level, number));
                found.ok().map(|(_, root)| root)
            };
            let root = files.root(id, &copy.tile(id).map_err(RepairError::Copy)?)?;
            if let Some(entries) = own(Level::Entries)
                && own(Level::Hashes(0)) == Some(entries)
                && entries != root
            {
                let size = (number + 1) * TILE_HASHES;
                return Err(RepairError::Forked { size });
            }
            differ.push(id);
        }
        seen(number + 1);
    }
    for level in 0_u8.. {
        if row == 0 {
            break;
        }
        for number in 0..row {
            let id = TileId::full(Level::Hashes(level), number);
            if !is_as_in(files, copy, id)? {
                differ.push(id);
            }
        }
        row /= TILE_HASHES;
    }
    Ok(differ)
}

/// Whether a full tile's file can be read and holds the copy's bytes.
fn is_as_in(files: &TileFiles, copy: &dyn ProvenCopy, id: TileId) -> Result<bool, RepairError> {
    let bytes = copy.tile(id).map_err(RepairError::Copy)?;
    Ok(files.bytes(id).ok().flatten() == Some(bytes))
}

/// Full tiles as they will be once mended: the copy's, and beyond the copy's end those in files.
struct Mended<'a> {
    files: &'a TileFiles,
    copy: &'a dyn ProvenCopy,
}

impl FullTiles for Mended<'_> {
    fn unproven(&self, full: TileId) -> Result<(Bytes, Hash), StoreError> {
        if !full.is_in_tree(self.copy.head().size) {
            return self.files.unproven(full);
        }
        let bytes = self.copy.tile(full);
        let bytes = bytes.map_err(|why| self.files.damaged(full, &why))?;
        let root = self.files.root(full, &bytes)?;
        Ok((Bytes::from(bytes), root))
    }
}

/// The largest tree that the copy, the files and the salvaged commits lead to, and its right edge:
/// it reaches every committed entry, or an error says which are missing.
fn plan(mended: &Mended, salvaged: &Salvaged) -> Result<(Tail, Frontier), RepairError> {
    let head = mended.copy.head();
    let (mut tail, mut tree) = edge(mended.files, mended, head.size - head.size % TILE_HASHES)?;
    if let Some(id) = last_bundle(head.size) {
        let bytes = mended.copy.tile(id).map_err(RepairError::Copy)?;
        push_all(&bytes, 0, &mut tree, Some(&mut tail))?;
    }
    if tree.root() != head.root {
        let why = "its tiles do not lead to its root".to_owned();
        return Err(RepairError::Copy(why));
    }
    extend(&salvaged.commits, &mut tail, &mut tree)?;
    let reached = tree.size();
    if reached >= salvaged.committed {
        return Ok((tail, tree));
    }
    // The journal may begin beyond the copy's end: then files lead from there to its beginning.
    let mut beyond: Vec<&TreeHead> = salvaged.heads.iter().collect();
    beyond.retain(|known| known.size > reached);
    beyond.sort_by_key(|known| std::cmp::Reverse(known.size));
    for known in beyond {
        // Files that can't be read lead nowhere: then entries are missing, and the error says
        // which.
        let leads =
            |(_, tree): &(Tail, Frontier)| tree.root() == known.root && tree.size() == known.size;
        if let Some((mut tail, mut tree)) =
            edge(mended.files, mended, known.size).ok().filter(leads)
        {
            extend(&salvaged.commits, &mut tail, &mut tree)?;
            if tree.size() >= salvaged.committed {
                return Ok((tail, tree));
            }
            break;
        }
        if edge(mended.files, mended.files, known.size)
            .ok()
            .is_some_and(|own| leads(&own))
        {
            return Err(RepairError::Forked { size: known.size });
        }
    }
    Err(RepairError::Missing {
        from: reached,
        to: salvaged.committed - 1,
    })
}

/// Appends the commits that extend a tree, in order, up to the first that begins beyond it.
fn extend(commits: &[Batch], tail: &mut Tail, tree: &mut Frontier) -> Result<(), RepairError> {
    for commit in commits {
        let Some(known) = tree.size().checked_sub(commit.from.tree.size) else {
            break;
        };
        if commit.to.tree.size <= tree.size() {
            continue;
        }
        let mut longer = tree.clone();
        push_all(&commit.entries, known, &mut longer, None)?;
        // The commit is whole, and does not extend this tree.
        if LogHead::without_state(TreeHead::of(&longer)) != commit.to {
            let size = commit.to.tree.size;
            return Err(RepairError::Forked { size });
        }
        push_all(&commit.entries, known, tree, Some(tail))?;
    }
    Ok(())
}

/// The bundle that a tree of `size` ends in, if it is not full.
fn last_bundle(size: u64) -> Option<TileId> {
    TileId::in_tree(Level::Entries, size / TILE_HASHES, size)
}

/// Appends the entries of a bundle's bytes, without the first `skip`.
fn push_all(
    bytes: &[u8],
    skip: u64,
    tree: &mut Frontier,
    mut tail: Option<&mut Tail>,
) -> Result<(), StoreError> {
    let bundle = Bundle::parse_all(bytes).map_err(|_| StoreError::Contradiction)?;
    let numbered = (0_u64..).zip(bundle.entries());
    for (_, entry) in numbered.filter(|(place, _)| *place >= skip) {
        let leaf = leaf_hash(entry);
        tree.push(leaf);
        if let Some(tail) = &mut tail {
            tail.push(entry, leaf)?;
        }
    }
    Ok(())
}

/// Writes a journal of the entries that are in no full tile, and puts it in the old one's place;
/// gives the old one's new name.
///
/// A crash before the first rename leaves the old journal, and `journal.new`, which the next repair
/// removes. A crash between the renames leaves no journal: the store does not open, and the next
/// repair reads the old one under its new name.
fn write_journal(
    dir: &Path,
    files: &TileFiles,
    tail: &Tail,
    tree: &Frontier,
) -> Result<Option<PathBuf>, RepairError> {
    let to = LogHead::without_state(TreeHead::of(tree));
    let full = tree.size() - tree.size() % TILE_HASHES;
    let (_, before) = edge(files, files, full)?;
    let from = LogHead::without_state(TreeHead::of(&before));
    let new = dir.join("journal.new");
    if new.try_exists().map_err(at(&new))? {
        remove_folder(&new)?;
    }
    make_folders(&new)?;
    let mut journal = JournalWriter::begin(&new, from)?;
    if let Some(id) = last_bundle(tree.size()) {
        let entries = tail.read(&id);
        let entries = entries.ok_or(StoreError::Inconsistent("the last bundle is not held"))?;
        let entries = entries.to_vec();
        let batch = Batch { from, entries, to };
        journal.commit(&batch, SEGMENT_BYTES, &Durations::default())?;
    }
    let old = journal_dir(dir);
    let mut renamed = None;
    if old.try_exists().map_err(at(&old))? {
        let mut number = 0_u64;
        let name = loop {
            let name = dir.join(format!("journal.damaged.{number}"));
            if !name.try_exists().map_err(at(&name))? {
                break name;
            }
            number += 1;
        };
        rename_folder(&old, &name)?;
        renamed = Some(name);
    }
    rename_folder(&new, &old)?;
    Ok(renamed)
}
