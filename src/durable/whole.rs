//! Files that are written once, whole.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::access::{OWNER_ONLY, SHARED, create_new, mode_of};
use super::folder::folder_of;
use super::{FileError, at, make_folders, sync_folder};

/// Writes a new file, which is durable when this returns. One that is there is never touched: the
/// error's kind is then [`ErrorKind::AlreadyExists`].
///
/// ```text
/// open(path, O_CREAT | O_EXCL) write   under its own name: none is taken from another
/// fsync close                          the bytes are on disk
/// open(folder) fsync close             the name is on disk
/// ```
///
/// A crash before the last sync leaves no file, or an empty or cut one of that name, which nobody
/// was told of. What reads such files finds that it is not whole, and asks for its removal.
///
/// # Errors
/// [`FileError`]; what was created then stays, as after a crash.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    create_with_mode(path, bytes, SHARED)
}

/// As [`create`], of a file that only its owner can read (mode 0600 from its first moment on).
///
/// # Errors
/// [`FileError`], as above.
pub fn create_secret(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    create_with_mode(path, bytes, OWNER_ONLY)
}

fn create_with_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let mut file = create_new(path, mode).map_err(at(path))?;
    file.write_all(bytes).map_err(at(path))?;
    file.sync_all().map_err(at(path))?;
    drop(file);
    sync_folder(folder_of(path))
}

/// Writes a file that appears whole or not at all, in the place of one of that name; it is durable
/// when this returns: see [`replace_all`].
///
/// # Errors
/// [`FileError`]; the file is then what it was before, or the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace_all(&[(path, bytes)])
}

/// As [`replace`], of a file that only its owner can read: mode 0600 from the first moment that it has its name.
/// One that is there keeps the mode that it had.
///
/// # Errors
/// [`FileError`]; the file is then what it was before, or the new one.
pub fn replace_secret(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace_all_with_mode(&[(path, bytes)], OWNER_ONLY)
}

/// Makes durable what a reader finds in a file that another process may have left unsynced: its
/// bytes are written anew, in the place of the file. A sync of the old file would do after a kill,
/// but not after a sync that failed: the kernel then holds pages that no later sync writes.
///
/// ```text
/// read(path)
/// as [`replace`]
/// open(path) fsync close               instead, where the disk has no room for a second copy
/// ```
///
/// A crash leaves the file as it was, and maybe a temporary file.
///
/// # Errors
/// [`FileError`]; the file is then what it was before, or the new one.
pub fn renew(path: &Path) -> Result<(), FileError> {
    let mut old = File::open(path).map_err(at(path))?;
    // Bit by bit: registers and journals may be large.
    let Err(error) = replace_with(path, |new| io::copy(&mut old, new).map(drop)) else {
        return Ok(());
    };
    match error.error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            let half = temporary(path);
            match fs::remove_file(&half) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(&half)(error)),
                _ => {}
            }
            File::open(path)
                .and_then(|file| file.sync_all())
                .map_err(at(path))
        }
        _ => Err(error),
    }
}

/// Writes files that each appear whole or not at all, in the place of those of their names; they
/// are durable when this returns. All are open at once: callers bound their number.
///
/// ```text
/// mkdir …                              folders that are missing, durably
/// stat(path)                           for each: it keeps the mode that it had, less the umask
/// open(temporary, O_CREAT | O_EXCL)    for each: under a name that nobody reads
/// write
/// fsync                                for each; file systems take the others along with the first
/// close rename(temporary, path)        for each: the name stands for the new bytes, at once
/// open(folder) fsync close             for each folder: the names are on disk
/// ```
///
/// If a crash left the temporary file of an earlier write, the `open` fails, and that file is
/// removed first. The bytes are synced before the rename, or a disk could keep the name and not
/// the bytes.
///
/// A crash leaves each file as it was before or as it is after, never a mixture, and maybe
/// temporary files; it may leave some of the files new and others not.
///
/// # Errors
/// [`FileError`]; what was done until then stays, as after a crash.
pub fn replace_all(files: &[(impl AsRef<Path>, impl AsRef<[u8]>)]) -> Result<(), FileError> {
    replace_all_with_mode(files, SHARED)
}

/// `mode` is that of the files that are not there yet.
fn replace_all_with_mode(
    files: &[(impl AsRef<Path>, impl AsRef<[u8]>)],
    mode: u32,
) -> Result<(), FileError> {
    let folders: BTreeSet<&Path> = files
        .iter()
        .map(|(path, _)| folder_of(path.as_ref()))
        .collect();
    for folder in &folders {
        make_folders(folder)?;
    }
    let mut written = Vec::with_capacity(files.len());
    for (path, bytes) in files {
        let mut next = Replacement::begin(path.as_ref(), mode)?;
        next.write(|file| file.write_all(bytes.as_ref()))?;
        written.push(next);
    }
    for next in &written {
        next.sync()?;
    }
    for next in written {
        next.put_in_place()?;
    }
    folders.into_iter().try_for_each(sync_folder)
}

/// As [`replace`], of a file that is written bit by bit, through a buffer.
///
/// # Errors
/// [`FileError`]; what `write` returns counts as an error of the file.
pub fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FileError> {
    let folder = folder_of(path);
    make_folders(folder)?;
    let mut next = Replacement::begin(path, SHARED)?;
    next.write(|file| {
        let mut buffer = BufWriter::new(file);
        write(&mut buffer)?;
        buffer.flush()
    })?;
    next.sync()?;
    next.put_in_place()?;
    sync_folder(folder)
}

/// A file that is to stand in another's place, under its temporary name.
pub(super) struct Replacement<'a> {
    path: &'a Path,
    temporary: PathBuf,
    file: File,
}

impl<'a> Replacement<'a> {
    pub(super) fn begin(path: &'a Path, mode_if_new: u32) -> Result<Self, FileError> {
        let temporary = temporary(path);
        let mode = match fs::metadata(path) {
            Ok(metadata) => mode_of(&metadata),
            Err(error) if error.kind() == ErrorKind::NotFound => mode_if_new,
            Err(error) => return Err(at(path)(error)),
        };
        let created = match create_new(&temporary, mode) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // A crash left it: never read, and of a mode that another write chose.
                fs::remove_file(&temporary).and_then(|()| create_new(&temporary, mode))
            }
            created => created,
        };
        let file = created.map_err(at(&temporary))?;
        Ok(Self {
            path,
            temporary,
            file,
        })
    }

    pub(super) fn write(
        &mut self,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), FileError> {
        write(&mut self.file).map_err(at(&self.temporary))
    }

    pub(super) fn sync(&self) -> Result<(), FileError> {
        self.file.sync_all().map_err(at(&self.temporary))
    }

    /// Renames it; gives the file, open at its end. The name is durable once the folder is synced.
    pub(super) fn put_in_place(self) -> Result<File, FileError> {
        fs::rename(&self.temporary, self.path).map_err(at(self.path))?;
        Ok(self.file)
    }
}

pub(super) const TEMPORARY: &str = ".arborlog.tmp";

/// The one spelling of temporary names.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY);
    PathBuf::from(name)
}

/// Whether a path is that of a temporary file: a crash may have left it, and nothing reads it.
pub fn is_temporary(path: &Path) -> bool {
    path.to_str().is_some_and(|name| name.ends_with(TEMPORARY))
}
