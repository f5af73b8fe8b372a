//! Files that survive the loss of power: the only place that creates, replaces, renames or syncs
//! them.
//!
//! A write is in the kernel's memory until the file is synced, and a name is there until the
//! folder that it stands in is synced; a power cut loses either without the other, and in any
//! order. Above each function stands the sequence of system calls that it makes, and what a crash
//! between two of them leaves behind. `clippy.toml` forbids the calls of the standard library
//! everywhere else, so that no second spelling of these sequences grows.
//!
//! * A file that others must never see half written is written under a temporary name in the same
//!   folder, `NAME.arborlog.tmp`, synced, and renamed: [`replace`]. A crash may leave that file
//!   behind. Nothing ever reads it, and the next write of the same name removes it.
//! * A new file that must not take another's place is created under its own name: [`create`] and
//!   [`create_secret`]. A crash may leave it empty or cut, before anybody was told of it.
//! * A file that several processes may create or replace at once is written under a temporary name
//!   that no other process takes, and linked or renamed: [`create_whole`] and [`replace_whole`].
//! * A file that grows is an [`AppendFile`]: what was appended is durable after a sync. A crash
//!   may leave a cut end, which the reader of its format finds.
//! * Folders are made and renamed with their names durable: [`make_folders`], [`rename_folder`].
//! * A file that others write is read by [`SteadyFile`], which tells if it changes meanwhile.
//! * What can be made again at will is written by [`write_unsynced`], and its name says so.
//!
//! After a failed sync nothing more is written to that file: the kernel may have dropped the pages
//! that it could not write, and a second sync would not tell (<https://wiki.postgresql.org/wiki/Fsync_Errors>).
//! The caller starts again from what is on disk.
//!
//! Otherwise one writer a file. Nothing here keeps two processes from replacing the same file at once; where
//! that could happen the caller holds a lock: [`hold`].
//!
//! Where there is no Unix, files have no modes and folders can't be synced: the functions do what
//! is left of their sequence. The log itself runs on Unix only.

#![allow(
    clippy::disallowed_methods,
    reason = "this is the module that the other ones are sent to"
)]

mod access;
mod append;
mod folder;
mod lock;
mod shared;
mod steady;
mod unsynced;
mod whole;

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use access::open_to_others;
pub use append::{AppendFile, make_empty};
pub use folder::{folder_of, make_folders, remove, remove_folder, rename_folder, sync_folder};
pub use lock::{Held, LockToRead, hold, hold_to_read};
pub use shared::{create_whole, replace_whole};
pub use steady::{FileChanged, SteadyFile};
pub use unsynced::{copy_folder_unsynced, create_unsynced, write_unsynced};
pub use whole::{
    create, create_secret, is_temporary, renew, replace, replace_all, replace_secret, replace_with,
};

/// A file or folder that can't be read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{path}: {error}")]
pub struct FileError {
    /// Its path.
    pub path: PathBuf,
    /// What the file system says.
    pub error: Arc<std::io::Error>,
}

/// Says at which path an I/O error happened.
pub fn at(path: &Path) -> impl Fn(std::io::Error) -> FileError + '_ {
    move |error| FileError {
        path: path.to_owned(),
        error: Arc::new(error),
    }
}

/// The bytes of a file, or `None` if there is none.
///
/// # Errors
/// [`FileError`] when there is one that can't be read.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}

/// The first bytes of a file: one more than `bytes_max` at most, which shows one that is too long.
///
/// # Errors
/// [`FileError`].
pub fn read_at_most(path: &Path, bytes_max: usize) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max as u64 + 1).read_to_end(&mut bytes))
        .map_err(at(path))?;
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        let files = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn folders_are_made_with_those_above_them_or_an_error_says_which_can_not_be() {
        let temp = tempfile::tempdir().unwrap();
        let deep = temp.path().join("one/two/three");
        make_folders(&deep).unwrap();
        assert!(deep.is_dir());
        make_folders(&deep).unwrap();
        // Where nobody can make any, the system says that it is not found, though what is above is there.
        if cfg!(target_os = "linux") {
            let error = make_folders(Path::new("/proc/work/of/mine")).unwrap_err();
            assert!(error.to_string().starts_with("/proc/work: "), "{error}");
        }
    }

    #[test]
    fn a_new_file_never_takes_anothers_place_and_a_secret_is_its_owners() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("key");
        create_secret(&path, b"one").unwrap();
        assert_eq!(mode(&path), 0o600);
        for again in [create_secret(&path, b"two"), create(&path, b"two")] {
            assert_eq!(again.unwrap_err().error.kind(), ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(names(temp.path()), ["key"]);
    }

    #[test]
    fn a_replacement_has_no_more_rights_than_what_it_replaces() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        replace(&path, b"one").unwrap();
        let by_default = mode(&path);
        chmod(&path, 0o600);
        replace(&path, b"two").unwrap();
        assert_eq!(mode(&path), 0o600);
        replace_with(&path, |file| file.write_all(b"three")).unwrap();
        assert_eq!((mode(&path), by_default & 0o600), (0o600, 0o600));
        assert_eq!(fs::read(&path).unwrap(), b"three");
        let secret = temp.path().join("secret");
        for bytes in [b"one", b"two"] {
            replace_secret(&secret, bytes).unwrap();
            assert_eq!(mode(&secret), 0o600);
        }
        assert_eq!(names(temp.path()), ["file", "secret"]);
    }

    #[test]
    fn what_a_crash_left_under_a_temporary_name_is_not_written_into() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        let left = temp.path().join("file.arborlog.tmp");
        assert!(is_temporary(&left) && !is_temporary(&path));
        fs::write(&path, "old").unwrap();
        chmod(&path, 0o600);
        fs::write(&left, "much longer than what is to be written").unwrap();
        chmod(&left, 0o666);
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(names(temp.path()), ["file"]);
    }

    #[test]
    fn a_replacement_that_fails_leaves_the_file_as_it_was() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        replace(&path, b"old").unwrap();
        let failed = replace_with(&path, |file| {
            file.write_all(b"ne")?;
            Err(std::io::Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().error.to_string(), "no more");
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn the_first_append_takes_the_place_of_a_torn_end_and_looking_changes_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("journal");
        drop(AppendFile::begin(&path, b"head\n").unwrap());
        fs::write(&path, "head\none\ntorn and long").unwrap();
        let mut file = AppendFile::open(&path).unwrap();
        assert_eq!(file.read_all().unwrap(), b"head\none\ntorn and long");
        file.end_at(9).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 22);
        file.append(b"two\n").unwrap();
        file.append(b"three\n").unwrap();
        file.sync().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"head\none\ntwo\nthree\n");
        assert_eq!(file.end(), 19);
        let short = AppendFile::resume(&path, 20).unwrap_err();
        assert_eq!(short.error.kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn after_an_append_that_failed_there_is_no_other() {
        let mut full = AppendFile::resume(Path::new("/dev/full"), 0).unwrap();
        let first = full.append(b"x").unwrap_err();
        assert_eq!(first.error.kind(), ErrorKind::StorageFull);
        for after in [full.append(b"x"), full.sync(), full.cut()] {
            assert!(after.unwrap_err().to_string().contains("failed before"));
        }
    }

    #[test]
    fn a_lock_is_one_processs_until_it_is_dropped() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("LOCK");
        let held = hold(&path).unwrap().unwrap();
        assert!(hold(&path).unwrap().is_none());
        drop(held);
        assert!(hold(&path).unwrap().is_some());
    }
}
