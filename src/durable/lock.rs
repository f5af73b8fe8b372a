//! Locks between processes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{FileError, at};

/// A lock that this process has: let go of when dropped, or when the process ends however it ends.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

/// How long a lock is asked for again. While a thread of this process starts a program, the child has
/// a copy of every descriptor until its exec, and with it the lock of a log that was closed since.
const CHILD_WAIT: Duration = Duration::from_millis(500);
const CHILD_LOOK: Duration = Duration::from_millis(5);

/// Takes the lock of a file, which is made if need be; `None` if another process has it, and still
/// has it after half a second.
///
/// ```text
/// open(path, O_CREAT) flock(LOCK_EX | LOCK_NB)
/// ```
///
/// Nothing is synced: the lock is the kernel's and does not outlive it, and the file is made again
/// if it is lost. A crash leaves an empty file that nobody holds.
///
/// # Errors
/// [`FileError`] when the file can't be opened or the file system has no locks.
pub fn hold(path: &Path) -> Result<Option<Held>, FileError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(at(path))?;
    Ok(try_lock(&file, path)?.then_some(Held { _file: file }))
}

/// A lock that is taken where nothing can be written, to read what others write.
#[derive(Debug)]
pub enum LockToRead {
    /// It is held, maybe with others who read: nobody who writes gets it.
    Held(Held),
    /// A process that writes has it.
    Others,
    /// There is no such file: nobody ever took the lock.
    NoFile,
}

/// Takes the lock of a file to read what it protects; nothing is changed, and nothing need be
/// writable.
///
/// ```text
/// open(path, O_RDONLY) flock(LOCK_SH | LOCK_NB)
/// ```
///
/// # Errors
/// [`FileError`] when the file can't be opened or the file system has no locks.
pub fn hold_to_read(path: &Path) -> Result<LockToRead, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(LockToRead::NoFile),
        Err(error) => return Err(at(path)(error)),
    };
    Ok(match taken(path, || file.try_lock_shared())? {
        true => LockToRead::Held(Held { _file: file }),
        false => LockToRead::Others,
    })
}

/// Locks an open file; `false` if another process has, and still has after half a second.
pub(super) fn try_lock(file: &File, path: &Path) -> Result<bool, FileError> {
    taken(path, || file.try_lock())
}

/// Asks for a lock until it is taken, or a child that is being started can't be what holds it.
fn taken(path: &Path, ask: impl Fn() -> Result<(), TryLockError>) -> Result<bool, FileError> {
    let until = Instant::now() + CHILD_WAIT;
    loop {
        match ask() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(CHILD_LOOK);
            }
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(at(path)(error)),
        }
    }
}
