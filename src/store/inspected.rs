//! Reading a store that nobody writes: a check, a snapshot, a backup.

use std::path::Path;
use std::sync::{RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::committed::{Recovered, head_of, recover};
use super::directory::check_version;
use super::tail::Tail;
use super::tile_files::TileFiles;
use super::{DiskStore, StoreError};
use crate::durable::{Held, LockToRead, hold_to_read};
use crate::merkle::{Frontier, TileId};
use crate::record::LogHead;

/// A store that was opened to be inspected: nothing in its directory is written.
pub struct InspectedStore {
    files: TileFiles,
    /// What is in the journal alone. Never changed.
    tail: RwLock<Tail>,
    tree: Frontier,
    /// None where no `LOCK` is: nobody ever served the directory.
    _lock: Option<Held>,
}

impl InspectedStore {
    /// The head as last committed.
    pub fn head(&self) -> LogHead {
        head_of(&self.tree)
    }

    /// The bytes of a full tile's file, if it has one: what a web server beside this one serves.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn file(&self, tile: TileId) -> Result<Option<Vec<u8>>, StoreError> {
        if !tile.is_full() {
            return Ok(None);
        }
        self.files.bytes(tile)
    }

    /// Reads a tile.
    ///
    /// # Errors
    /// [`StoreError`] when its file can't be read or has another length.
    pub fn read(&self, tile: TileId) -> Result<Option<Bytes>, StoreError> {
        read_tile(&self.files, &self.tail, tile)
    }
}

impl DiskStore {
    /// Opens a store to inspect it: nothing in the directory is changed, and nothing need be
    /// writable. Where a `LOCK` is, it is held, shared with others who inspect. Where none is, as
    /// in a backup, no server ever ran.
    ///
    /// # Errors
    /// [`StoreError`], as of [`Self::open`].
    pub fn inspect(dir: &Path) -> Result<InspectedStore, StoreError> {
        check_version(dir)?;
        let lock = match hold_to_read(&dir.join("LOCK"))? {
            LockToRead::Held(held) => Some(held),
            LockToRead::NoFile => None,
            LockToRead::Others => return Err(StoreError::Locked(dir.to_owned())),
        };
        let Recovered { tail, tree, .. } = recover(dir)?;
        Ok(InspectedStore {
            files: TileFiles::of(dir),
            tail: RwLock::new(tail),
            tree,
            _lock: lock,
        })
    }
}

pub(super) fn read_tail(tail: &RwLock<Tail>) -> Result<RwLockReadGuard<'_, Tail>, StoreError> {
    tail.read()
        .map_err(|_| StoreError::Inconsistent("a thread panicked while it changed the right edge"))
}

/// A tile of the tree that `tail` is the right edge of; `None` if the tree has no such.
pub(super) fn read_tile(
    files: &TileFiles,
    tail: &RwLock<Tail>,
    tile: TileId,
) -> Result<Option<Bytes>, StoreError> {
    {
        let tail = read_tail(tail)?;
        if !tile.is_in_tree(tail.size()) {
            return Ok(None);
        }
        if let Some(bytes) = tail.read(&tile) {
            return Ok(Some(bytes));
        }
    }
    files.read(tile, tail).map(Some)
}
