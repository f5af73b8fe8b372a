//! Mending a store from a copy of its log that was verified.
//!
//! Files of tiles are compared with the copy's, and written anew where they differ or are missing.
//! If the store still can't be opened, or the copy has entries that it lacks, the journal is made
//! anew: the copy's entries, then every commit of the old journal that goes on from there and leads
//! to the root that it names. The old journal is put aside, never removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;

use super::disk::{edge, journal_dir, lock, recover};
use super::journal::{Journal, SEGMENT_BYTES, salvage};
use super::tail::Tail;
use super::tile_files::TileFiles;
use super::{Batch, StoreError};
use crate::files::{at, create_dirs, sync_dir};
use crate::merkle::{Bundle, Frontier, Hash, Level, TILE_HASHES, TileId, leaf_hash};
use crate::note::TreeHead;

/// A copy of the log, each of whose tiles was proven to be in the tree of its head.
pub trait ProvenCopy {
    /// Its head.
    fn head(&self) -> TreeHead;

    /// A tile of its tree, full or partial.
    ///
    /// # Errors
    /// In words, when it can't be had.
    fn tile(&self, id: TileId) -> Result<Vec<u8>, String>;
}

/// What was mended.
#[derive(Debug, Default)]
pub struct Repaired {
    /// Files of tiles that were damaged or missing.
    pub tiles: Vec<PathBuf>,
    /// Where the old journal was put, if it was made anew.
    pub journal_aside: Option<PathBuf>,
    /// Entries that the store did not have, and the copy did.
    pub entries_regained: u64,
}

/// Why a store can't be mended.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The copy says no.
    #[error("the copy: {0}")]
    Copy(String),
    /// The store has committed another history than the copy's.
    #[error(
        "the store's tree of {size} entries has another root than the copy's: two histories were signed. Change nothing, keep both, and find out why"
    )]
    Forked {
        /// Size of the smaller of both.
        size: u64,
    },
    /// What was committed is in neither.
    #[error(
        "entries {from} to {to} were committed, and are neither in the journal nor in the copy: find a newer copy. The journal was not changed"
    )]
    Missing {
        /// The first that is missing.
        from: u64,
        /// The last.
        to: u64,
    },
}

/// Mends the store in a directory that no server holds. `seen` is called with the number of bundles
/// that were compared.
///
/// # Errors
/// [`RepairError`]. Tiles that were mended stay mended; the journal is replaced whole or not at all.
pub fn repair(
    dir: &Path,
    copy: &dyn ProvenCopy,
    mut seen: impl FnMut(u64),
) -> Result<Repaired, RepairError> {
    let _lock = lock(dir)?;
    let files = TileFiles::of(dir);
    let mut repaired = Repaired::default();
    let head = copy.head();
    let mut row = head.size / TILE_HASHES;
    for number in 0..row {
        mend(
            &files,
            copy,
            TileId::full(Level::Entries, number),
            &mut repaired,
        )?;
        seen(number + 1);
    }
    for level in 0_u8.. {
        if row == 0 {
            break;
        }
        for number in 0..row {
            mend(
                &files,
                copy,
                TileId::full(Level::Hashes(level), number),
                &mut repaired,
            )?;
        }
        row /= TILE_HASHES;
    }
    match recover(dir) {
        Ok((_, tail, tree)) if tree.size() >= head.size => {
            if root_at(&files, &RwLock::new(tail), head.size)? != head.root {
                return Err(RepairError::Forked { size: head.size });
            }
        }
        Ok((_, _, tree)) => {
            repaired.entries_regained = head.size - tree.size();
            repaired.journal_aside = Some(rebuild_journal(dir, &files, copy)?);
        }
        Err(StoreError::Damaged { .. } | StoreError::Io(_)) => {
            repaired.journal_aside = Some(rebuild_journal(dir, &files, copy)?);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(repaired)
}

/// Compares a full tile's file with the copy's bytes, which take its place if they differ.
fn mend(
    files: &TileFiles,
    copy: &dyn ProvenCopy,
    id: TileId,
    repaired: &mut Repaired,
) -> Result<(), RepairError> {
    let bytes = copy.tile(id).map_err(RepairError::Copy)?;
    if files.bytes(id)?.as_deref() != Some(bytes.as_slice()) {
        files.write(&[id], |_| Some(Bytes::from(bytes.clone())))?;
        repaired.tiles.push(files.path(id));
    }
    Ok(())
}

/// The root over the first `size` entries.
fn root_at(files: &TileFiles, tail: &RwLock<Tail>, size: u64) -> Result<Hash, StoreError> {
    let full = size - size % TILE_HASHES;
    let (_, mut tree) = edge(files, full)?;
    if let Some(id) = TileId::in_tree(Level::Entries, full / TILE_HASHES, size)
        && size > full
    {
        let kept = tail
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .read(&id);
        let bytes = match kept {
            Some(bytes) => bytes,
            None => files.read(id, tail)?,
        };
        push_all(&bytes, 0, &mut tree, None);
    }
    Ok(tree.root())
}

/// Pushes the entries of a bundle's bytes but the first `skip`.
fn push_all(bytes: &[u8], skip: u64, tree: &mut Frontier, mut tail: Option<&mut Tail>) {
    let Ok(bundle) = Bundle::parse_all(bytes) else {
        return;
    };
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    for entry in bundle.entries().iter().skip(skip) {
        let leaf = leaf_hash(entry);
        tree.push(leaf);
        if let Some(tail) = &mut tail {
            tail.push(entry, leaf);
        }
    }
}

/// Makes a journal of what the copy has and what the old journal has behind it; gives where the old
/// one was put.
fn rebuild_journal(
    dir: &Path,
    files: &TileFiles,
    copy: &dyn ProvenCopy,
) -> Result<PathBuf, RepairError> {
    // Also what an earlier repair put aside: it may have been cut off before the new one was there.
    let (mut starts, mut commits) = (Vec::new(), Vec::new());
    for journal in fs::read_dir(dir)
        .map_err(at(dir))
        .map_err(StoreError::from)?
    {
        let journal = journal.map_err(at(dir)).map_err(StoreError::from)?;
        if journal.file_name().to_string_lossy().starts_with("journal") {
            let (begun, whole) = salvage(&journal.path())?;
            starts.extend(begun);
            commits.extend(whole);
        }
    }
    let (mut tail, mut tree) = base(files, copy, &starts)?;
    let sizes = starts.iter().map(|start| start.size);
    let committed = sizes
        .chain(commits.iter().map(|commit| commit.to.size))
        .max();
    commits.sort_by_key(|commit| commit.from.size);
    for commit in commits {
        let Some(known) = tree.size().checked_sub(commit.from.size) else {
            break;
        };
        let mut longer = tree.clone();
        push_all(&commit.entries, known, &mut longer, None);
        if commit.to.size > tree.size()
            && longer.size() == commit.to.size
            && longer.root() == commit.to.root
        {
            push_all(&commit.entries, known, &mut tree, Some(&mut tail));
        }
    }
    if let Some(to) = committed.filter(|committed| *committed > tree.size()) {
        return Err(RepairError::Missing {
            from: tree.size(),
            to: to - 1,
        });
    }
    let (full, _) = tail.full();
    files.write(&full, |id| tail.read(id))?;
    write_journal(dir, files, &tail, &tree)
}

/// The larger of the copy's tree and the largest that a segment begins at and the files lead to.
fn base(
    files: &TileFiles,
    copy: &dyn ProvenCopy,
    starts: &[TreeHead],
) -> Result<(Tail, Frontier), RepairError> {
    let head = copy.head();
    let larger = starts.iter().filter(|start| start.size > head.size);
    let mut larger: Vec<&TreeHead> = larger.collect();
    larger.sort_by_key(|start| std::cmp::Reverse(start.size));
    for start in larger {
        if let Ok((tail, tree)) = edge(files, start.size)
            && tree.root() == start.root
        {
            return Ok((tail, tree));
        }
    }
    let full = head.size - head.size % TILE_HASHES;
    let (mut tail, mut tree) = edge(files, full)?;
    if let Some(id) = TileId::in_tree(Level::Entries, full / TILE_HASHES, head.size)
        && head.size > full
    {
        let bytes = copy.tile(id).map_err(RepairError::Copy)?;
        push_all(&bytes, 0, &mut tree, Some(&mut tail));
    }
    if tree.root() != head.root {
        let why = "its tiles do not lead to its root".to_owned();
        return Err(RepairError::Copy(why));
    }
    Ok((tail, tree))
}

/// Writes a journal of the entries behind the full tiles, and puts it in the old one's place.
fn write_journal(
    dir: &Path,
    files: &TileFiles,
    tail: &Tail,
    tree: &Frontier,
) -> Result<PathBuf, RepairError> {
    let to = TreeHead {
        size: tree.size(),
        root: tree.root(),
    };
    let full = to.size - to.size % TILE_HASHES;
    let from = TreeHead {
        size: full,
        root: edge(files, full)?.1.root(),
    };
    let new = dir.join("journal.new");
    if new.exists() {
        fs::remove_dir_all(&new)
            .map_err(at(&new))
            .map_err(StoreError::from)?;
    }
    create_dirs(&new).map_err(StoreError::from)?;
    let mut journal = Journal::begin(&new, from)?;
    if let Some(id) = TileId::in_tree(Level::Entries, full / TILE_HASHES, to.size)
        && to.size > full
    {
        let entries = tail
            .read(&id)
            .map(|bytes| bytes.to_vec())
            .unwrap_or_default();
        journal.commit(&Batch { from, entries, to }, SEGMENT_BYTES)?;
    }
    let old = journal_dir(dir);
    let aside = (0..).map(|number| dir.join(format!("journal.damaged.{number}")));
    let aside = aside
        .into_iter()
        .find(|path| !path.exists())
        .unwrap_or_else(|| dir.join("journal.damaged"));
    if old.exists() {
        fs::rename(&old, &aside)
            .map_err(at(&old))
            .map_err(StoreError::from)?;
    }
    fs::rename(&new, &old)
        .map_err(at(&new))
        .map_err(StoreError::from)?;
    sync_dir(dir).map_err(StoreError::from)?;
    Ok(aside)
}
