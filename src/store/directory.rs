//! A store's directory: its version, its lock, and where its journal is.

use std::path::{Path, PathBuf};

use super::StoreError;
use crate::durable::{Held, hold, read_if_there};

/// 3: the log's entries are in version 1 of the format.
pub(super) const VERSION: &str = "arborlog store 3\n";

/// The lock on a store's directory: as long as it is held, nobody opens the store.
pub struct StoreLock {
    dir: PathBuf,
    pub(super) lock: Held,
}

impl StoreLock {
    /// Takes it.
    ///
    /// # Errors
    /// [`StoreError`] tells whether the directory is in use, of another version, or no store.
    pub fn take(dir: &Path) -> Result<Self, StoreError> {
        check_version(dir)?;
        let held = hold(&dir.join("LOCK"))?;
        let lock = held.ok_or_else(|| StoreError::Locked(dir.to_owned()))?;
        let dir = dir.to_owned();
        Ok(Self { dir, lock })
    }

    /// The store's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Whether this software reads the store in a directory.
pub(super) fn check_version(dir: &Path) -> Result<(), StoreError> {
    let Some(found) = read_if_there(&dir.join("VERSION"))? else {
        return Err(StoreError::Missing(dir.to_owned()));
    };
    if found != VERSION.as_bytes() {
        return Err(StoreError::Version {
            dir: dir.to_owned(),
            found: String::from_utf8_lossy(&found)
                .trim()
                .chars()
                .take(80)
                .collect(),
            expected: VERSION.trim_ascii(),
        });
    }
    Ok(())
}

pub(super) fn journal_dir(dir: &Path) -> PathBuf {
    dir.join("journal")
}
