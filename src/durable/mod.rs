//! Files that are whole or not there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that can't be read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{path}: {error}")]
pub struct FileError {
    /// Which.
    pub path: PathBuf,
    /// What the file system says.
    pub error: Arc<std::io::Error>,
}

/// Says where an I/O error happened.
pub(crate) fn at(path: &Path) -> impl Fn(std::io::Error) -> FileError + '_ {
    move |error| FileError {
        path: path.to_owned(),
        error: Arc::new(error),
    }
}

/// Writes a file that appears whole or not at all, and stays: see [`write_all_whole`].
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_all_whole(&[(path.to_owned(), bytes)])
}

/// Writes files that each appear whole or not at all, and stay. All are open at once: callers
/// bound their number.
///
/// ```text
/// openat(path.tmp) write       for each, under a name that nobody reads
/// fsync close                  for each; file systems take the others along with the first
/// rename(path.tmp, path)       for each: the name appears, at once
/// open(parent) fsync close     for each folder: the names are on disk
/// ```
pub(crate) fn write_all_whole(files: &[(PathBuf, impl AsRef<[u8]>)]) -> Result<(), FileError> {
    let parents: BTreeSet<&Path> = files
        .iter()
        .map(|(path, _)| path.parent().unwrap_or(Path::new(".")))
        .collect();
    for parent in &parents {
        create_dirs(parent)?;
    }
    let mut written = Vec::with_capacity(files.len());
    for (path, bytes) in files {
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        let temporary = PathBuf::from(name);
        let mut file = File::create(&temporary).map_err(at(&temporary))?;
        file.write_all(bytes.as_ref()).map_err(at(&temporary))?;
        written.push((file, temporary, path));
    }
    for (file, temporary, _) in &written {
        file.sync_all().map_err(at(temporary))?;
    }
    for (file, temporary, path) in written {
        drop(file);
        fs::rename(&temporary, path).map_err(at(path))?;
    }
    parents.into_iter().try_for_each(sync_dir)
}

/// Makes a directory's entries durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), FileError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(at(dir))
}

/// Makes a directory and those above it, each durable in its parent.
pub(crate) fn create_dirs(dir: &Path) -> Result<(), FileError> {
    match fs::create_dir(dir) {
        Ok(()) => sync_dir(
            dir.parent()
                .filter(|p| !p.as_os_str().is_empty())
                .unwrap_or(Path::new(".")),
        ),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => match dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => {
                create_dirs(parent)?;
                create_dirs(dir)
            }
            _ => Err(at(dir)(error)),
        },
        Err(error) => Err(at(dir)(error)),
    }
}

/// Holds a file, which is made if need be; `None` if another process holds it.
pub(crate) fn hold(path: &Path) -> Result<Option<File>, FileError> {
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(at(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(at(path)(error)),
    }
}

/// A secret file's mode, if anybody but its owner has rights on it.
pub(crate) fn open_to_others(about: &fs::Metadata) -> Option<u32> {
    let mode = about.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// The bytes of a file, or `None` if there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}
