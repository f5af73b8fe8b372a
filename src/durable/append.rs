//! Files that grow at their end: journals.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::access::{OWNER_ONLY, SHARED, open_to_others, set_mode};
use super::folder::folder_of;
use super::lock::try_lock;
use super::whole::Replacement;
use super::{FileError, at, sync_folder};

/// A file that is only ever appended to, and its end, open.
///
/// What is behind the end that a reader found to be whole stays on disk until the first append
/// takes its place: opening a file to inspect it changes nothing.
#[derive(Debug)]
pub struct AppendFile {
    path: PathBuf,
    file: File,
    /// Where the next append goes.
    end: u64,
    /// The file has bytes after `end`, of an append that was cut off.
    torn: bool,
    /// An append or sync failed: what is on disk is unknown until the file is opened again.
    failed: bool,
}

impl AppendFile {
    /// Begins a file that appears with its first bytes or not at all, in the place of one of that
    /// name; it is durable when this returns.
    ///
    /// ```text
    /// open(temporary, O_CREAT | O_EXCL) write fsync
    /// rename(temporary, path)
    /// open(folder) fsync close
    /// ```
    ///
    /// A crash leaves no file of that name, or the whole beginning; maybe a temporary file, which
    /// the next write of that name removes.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn begin(path: &Path, first: &[u8]) -> Result<Self, FileError> {
        let mut next = Replacement::begin(path, SHARED)?;
        next.write(|file| file.write_all(first))?;
        next.sync()?;
        let file = next.put_in_place()?;
        sync_folder(folder_of(path))?;
        Self::of(path, file).ending_at(first.len() as u64)
    }

    /// Opens a file to read it and to append behind it; an empty one is made if there is none.
    ///
    /// ```text
    /// open(path, O_CREAT | O_RDWR)
    /// open(folder) fsync close             if it is empty: its name may not be on disk yet
    /// ```
    ///
    /// A crash leaves no file or an empty one. A file that holds something has a durable name,
    /// since nothing is appended before this returned.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Self::open_with_mode(path, SHARED)
    }

    /// As [`Self::open`], of a file that only its owner can read (mode 0600 if it is made here).
    /// The mode of one that is there is not changed: [`Self::open_to_others`] tells it.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open_secret(path: &Path) -> Result<Self, FileError> {
        Self::open_with_mode(path, OWNER_ONLY)
    }

    fn open_with_mode(path: &Path, mode: u32) -> Result<Self, FileError> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        set_mode(&mut options, mode);
        let file = options.open(path).map_err(at(path))?;
        let end = file.metadata().map_err(at(path))?.len();
        if end == 0 {
            sync_folder(folder_of(path))?;
        }
        Self::of(path, file).ending_at(end)
    }

    /// Opens a file that is there, to append behind its first `end` bytes.
    ///
    /// # Errors
    /// [`FileError`], of the kind [`ErrorKind::UnexpectedEof`] when it is shorter.
    pub fn resume(path: &Path, end: u64) -> Result<Self, FileError> {
        let file = OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(at(path))?;
        Self::of(path, file).ending_at(end)
    }

    fn of(path: &Path, file: File) -> Self {
        Self {
            path: path.to_owned(),
            file,
            end: 0,
            torn: false,
            failed: false,
        }
    }

    fn ending_at(mut self, end: u64) -> Result<Self, FileError> {
        self.end_at(end)?;
        Ok(self)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes up to its end: where the next append goes.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Locks the file as long as it is open; `false` if another process has locked it.
    ///
    /// # Errors
    /// [`FileError`] when the file system has no locks.
    pub fn try_lock(&self) -> Result<bool, FileError> {
        try_lock(&self.file, &self.path)
    }

    /// Its mode, if anybody but its owner has rights on it.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open_to_others(&self) -> Result<Option<u32>, FileError> {
        let metadata = self.file.metadata().map_err(at(&self.path))?;
        Ok(open_to_others(&metadata))
    }

    /// All its bytes.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read_all(&mut self) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.read_to_end(&mut bytes))
            .map_err(at(&self.path))?;
        self.end_at(bytes.len() as u64)?;
        Ok(bytes)
    }

    /// Lets the file end behind its first `end` bytes: the first append takes the place of what
    /// follows.
    ///
    /// # Errors
    /// [`FileError`], of the kind [`ErrorKind::UnexpectedEof`] when it is shorter.
    pub fn end_at(&mut self, end: u64) -> Result<(), FileError> {
        let length = self.file.metadata().map_err(at(&self.path))?.len();
        if length < end {
            let error = io::Error::new(ErrorKind::UnexpectedEof, "the file is shorter than it was");
            return Err(at(&self.path)(error));
        }
        self.file
            .seek(SeekFrom::Start(end))
            .map_err(at(&self.path))?;
        self.end = end;
        self.torn = end < length;
        Ok(())
    }

    /// Cuts the file at its end, durably, if there are bytes after it.
    ///
    /// ```text
    /// ftruncate(end) fsync
    /// ```
    ///
    /// A crash before the sync leaves what was behind the end, or not.
    ///
    /// # Errors
    /// [`FileError`]; nothing can be appended then until the file is opened again.
    pub fn cut(&mut self) -> Result<(), FileError> {
        self.check()?;
        if self.torn {
            self.failed = true;
            self.file.set_len(self.end).map_err(at(&self.path))?;
            self.file.sync_all().map_err(at(&self.path))?;
            (self.torn, self.failed) = (false, false);
        }
        Ok(())
    }

    /// Appends bytes, in one write: durable once [`Self::sync`] returned.
    ///
    /// ```text
    /// ftruncate(end) fsync                 once, if the file has bytes after its end: Self::cut
    /// write
    /// ```
    ///
    /// The cut is synced by itself: otherwise a disk could keep the new bytes and, behind them, the
    /// rest of the old ones. A crash leaves the old end, or any part of the new bytes.
    ///
    /// # Errors
    /// [`FileError`]; nothing can be appended then until the file is opened again.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.cut()?;
        self.failed = true;
        self.file.write_all(bytes).map_err(at(&self.path))?;
        self.end += bytes.len() as u64;
        self.failed = false;
        Ok(())
    }

    /// Makes what was appended durable.
    ///
    /// ```text
    /// fdatasync                            the bytes, and the length that is needed to read them
    /// ```
    ///
    /// # Errors
    /// [`FileError`]; nothing can be appended or synced then until the file is opened again: the
    /// kernel may have dropped what it could not write, and would not say so a second time.
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.check()?;
        self.failed = true;
        self.file.sync_data().map_err(at(&self.path))?;
        self.failed = false;
        Ok(())
    }

    fn check(&self) -> Result<(), FileError> {
        if self.failed {
            let why = "a write or sync of it failed before; nothing more is written to it";
            return Err(at(&self.path)(io::Error::other(why)));
        }
        Ok(())
    }
}

/// Makes files that are missing, empty, to be appended to; their names are durable when this
/// returns. They are all in one folder.
///
/// ```text
/// open(path, O_CREAT) close            for each
/// open(folder) fsync close             once
/// ```
///
/// A crash before the sync may leave any of them out: this is called again before they are used.
///
/// # Errors
/// [`FileError`].
pub fn make_empty(
    folder: &Path,
    names: impl IntoIterator<Item = impl AsRef<Path>>,
) -> Result<(), FileError> {
    for name in names {
        let path = folder.join(name);
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(at(&path))?;
    }
    sync_folder(folder)
}
