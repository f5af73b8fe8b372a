//! Files that need not survive a loss of power, because the same command makes them again: reports,
//! tables, charts, receipts that a server gives out.

use std::fs::File;
use std::path::Path;

use super::{FileError, at};

/// Writes a file in place, without a sync: it may be anything that `-o` can name, also a pipe.
///
/// ```text
/// open(path, O_CREAT | O_TRUNC) write close
/// ```
///
/// A crash leaves the file absent, empty, cut, or whole; what was there before is lost.
///
/// # Errors
/// [`FileError`].
pub fn write_unsynced(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), FileError> {
    std::fs::write(path, bytes).map_err(at(path))
}

/// Begins a file in place, to be written bit by bit, without a sync: as [`write_unsynced`].
///
/// # Errors
/// [`FileError`].
pub fn create_unsynced(path: &Path) -> Result<File, FileError> {
    File::create(path).map_err(at(path))
}
