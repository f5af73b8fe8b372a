//! Folders, and the names in them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::{FileError, at};

/// The folder that a path's last name stands in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes the names in a folder durable.
///
/// ```text
/// open(folder) fsync close
/// ```
///
/// A crash before the sync may lose any of the names that were made, changed or removed in it, or
/// bring back what they were before: each by itself, in any order.
///
/// Without Unix a folder can't be opened to be synced, and nothing is done: the names are durable
/// when the system makes them so.
///
/// # Errors
/// [`FileError`]; the names are then to be looked at again.
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    if cfg!(unix) {
        fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(at(folder))?;
    }
    Ok(())
}

/// Makes a folder and those above it that are missing; their names are durable when this returns.
///
/// ```text
/// mkdir(folder)                        or, if a folder above is missing, that one first
/// open(parent) fsync close
/// ```
///
/// A crash before the sync may leave the folder, empty, with a name that is not durable: nothing
/// is put into it before this returned. So a folder that is found empty is made durable as if it
/// was just made, and one that holds something is already.
///
/// # Errors
/// [`FileError`] names the folder that could not be made.
pub fn make_folders(folder: &Path) -> Result<(), FileError> {
    match fs::create_dir(folder) {
        Ok(()) => sync_folder(folder_of(folder)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if is_empty(folder).map_err(at(folder))? {
                sync_folder(folder_of(folder))?;
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound && lacks_parent(folder) => {
            make_folders(folder_of(folder))?;
            make_folders(folder)
        }
        Err(error) => Err(at(folder)(error)),
    }
}

/// Whether the folder above is missing. Where it is there, and the system says all the same that something
/// is not found (as in /proc), making it again would never end.
fn lacks_parent(folder: &Path) -> bool {
    folder.parent().is_some_and(|parent| {
        !parent.as_os_str().is_empty() && matches!(parent.try_exists(), Ok(false))
    })
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(folder)?.next().transpose()?.is_none())
}

/// Gives a folder another name in the folder that it stands in: to keep it under another name, or
/// to take the place of one that was so kept. No folder may have that name, but for an empty one.
///
/// ```text
/// rename(from, to)
/// open(parent) fsync close
/// ```
///
/// A crash before the sync leaves the old name or the new one, with all that is in the folder.
///
/// # Errors
/// [`FileError`]; after an error of the sync it may have either name.
pub fn rename_folder(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(at(from))?;
    sync_folder(folder_of(to))
}

/// Removes a file for good: it does not come back after a loss of power.
///
/// ```text
/// unlink(path)
/// open(folder) fsync close
/// ```
///
/// A crash before the sync leaves the file, or not.
///
/// # Errors
/// [`FileError`]; after an error of the sync it may come back.
pub fn remove(path: &Path) -> Result<(), FileError> {
    fs::remove_file(path).map_err(at(path))?;
    sync_folder(folder_of(path))
}

/// Removes a folder with all that is in it, for good.
///
/// ```text
/// unlink, rmdir                        all that is in it, then itself
/// open(parent) fsync close
/// ```
///
/// A crash before the sync leaves any part of it: callers remove only what is of no use to anybody,
/// whole or in part.
///
/// # Errors
/// [`FileError`]; a part of it may be gone.
pub fn remove_folder(folder: &Path) -> Result<(), FileError> {
    fs::remove_dir_all(folder).map_err(at(folder))?;
    sync_folder(folder_of(folder))
}
