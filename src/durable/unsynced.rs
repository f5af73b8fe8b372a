//! Files that need not survive a loss of power, because the same command makes them again: reports,
//! tables, charts, receipts that a server gives out.

use std::fs::{self, File};
use std::io;
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

/// Copies the files of a folder, and those of the folders in it, without a sync: a crash leaves any
/// part of the copy.
///
/// # Errors
/// [`FileError`] names what can't be read or written.
pub fn copy_folder_unsynced(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::create_dir_all(to).map_err(at(to))?;
    for file in fs::read_dir(from).map_err(at(from))? {
        let file = file.map_err(at(from))?;
        let (from, to) = (file.path(), to.join(file.file_name()));
        if file.file_type().map_err(at(&from))?.is_dir() {
            copy_folder_unsynced(&from, &to)?;
        } else {
            // Not fs::copy, which would also give the copy a mode that forbids to write it.
            let mut source = File::open(&from).map_err(at(&from))?;
            let mut copy = File::create(&to).map_err(at(&to))?;
            io::copy(&mut source, &mut copy).map_err(at(&to))?;
        }
    }
    Ok(())
}
