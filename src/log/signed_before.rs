//! What was signed before, as far as somebody outside the directory remembers it. A log that does
//! not extend that is an older copy, or another history: it must sign nothing, for it would sign
//! two histories of the same sizes.
//!
//! An operator can name a checkpoint ([`signs_on`] at a start), or let the log keep its newest
//! one in a file on another disk ([`LastSigned`]).
//!
//! ```text
//! commit      the batch is durable in the store
//! advance     its checkpoint is durable in the file
//! publish     anybody sees it
//! ```
//!
//! In this order a crash never leaves the file ahead of the store, so it never locks the operator
//! out: between the first two steps the file names an earlier tree of the same log; after the second
//! it names the tree that the next start publishes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::reader::{ReadError, Reader};
use crate::crypto::PublicKey;
use crate::durable::{FileError, Held, at, hold, read_at_most, replace};
use crate::note::{FileFault, NOTE_BYTES_MAX, TreeHead, UnverifiedCheckpoint};
use crate::record::Origin;

/// Why a log does not start, or publishes no more, by what was signed before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignedBeforeError {
    /// A checkpoint that the log must extend is of more entries than the log has.
    #[error(
        "{path} holds a checkpoint of {} entries with the root {}, but this log has {} entries, with the root {}: it is an older copy{unsigned}. Nothing was signed. Restore the newest copy, or bring the entries back with arborlog fsck DIR --repair-from MIRROR (docs/operations.md: \"An old copy was served\")",
        .signed.size, .signed.root, .found.size, .found.root
    )]
    Older {
        /// The file that holds the checkpoint.
        path: PathBuf,
        /// The tree of that checkpoint.
        signed: TreeHead,
        /// The tree of the log in the directory.
        found: TreeHead,
        /// Empty if a key of the log signed that checkpoint; else says so.
        unsigned: &'static str,
    },
    /// A checkpoint that the log must extend has another root than the log had at that size.
    #[error(
        "{path} holds a checkpoint of {} entries with the root {}, but the first {} entries of this log have the root {}: two histories{unsigned}. Nothing was signed. Keep both, and find out why (docs/operations.md: \"An old copy was served\")",
        .signed.size, .signed.root, .signed.size, .found.root
    )]
    Forked {
        /// The file that holds the checkpoint.
        path: PathBuf,
        /// The tree of that checkpoint.
        signed: TreeHead,
        /// The log's tree of the same size.
        found: TreeHead,
        /// Empty if a key of the log signed that checkpoint; else says so.
        unsigned: &'static str,
    },
    /// A file that should hold a checkpoint holds something else.
    #[error("{path} holds no checkpoint: {why}")]
    NoCheckpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, or was done to it on its way.
        why: String,
    },
    /// A checkpoint is of another log.
    #[error("{path} holds a checkpoint of {found:?}, but this log is {origin:?}")]
    OtherLog {
        /// The file.
        path: PathBuf,
        /// The origin in the checkpoint.
        found: String,
        /// The log's origin.
        origin: String,
    },
    /// It is no file: a device, a pipe, a folder.
    #[error("{0} is no file, but a device, a pipe or a folder; name a file")]
    NotAFile(PathBuf),
    /// A link leads to nothing, as when the disk that it leads to is not mounted.
    #[error(
        "{0} is a link that leads to nothing: is its disk mounted? Nothing is begun in its place"
    )]
    DanglingLink(PathBuf),
    /// The file to be compared with is not there.
    #[error("{0} is not there")]
    Absent(PathBuf),
    /// The folder of the file that keeps the newest checkpoint is not there.
    #[error("the folder of {0} is not there: is its disk mounted? It is never made here")]
    NoFolder(PathBuf),
    /// Another process keeps its newest checkpoint in the same file.
    #[error(
        "another server keeps its newest checkpoint in {0}; two servers must not sign for one log: stop that one first"
    )]
    InUse(PathBuf),
    /// The file that keeps the newest checkpoint holds something that this log did not write there.
    #[error(
        "{0} was changed by somebody else while this log kept its newest checkpoint in it: another server may sign for the same log. Find it before you start this one again"
    )]
    Changed(PathBuf),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The log's own tiles can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The thread that writes the file panicked.
    #[error(
        "writing {0} broke off, which is a fault of the software; start again, and report this"
    )]
    BrokeOff(PathBuf),
}

const UNSIGNED: &str =
    " (unless the file is wrong: no key that this directory knows of signed that checkpoint)";

/// The checkpoint in a file, not verified.
///
/// # Errors
/// [`SignedBeforeError`] when there is none.
fn read_checkpoint(path: &Path) -> Result<UnverifiedCheckpoint, SignedBeforeError> {
    let path = resolved(path)?;
    let bytes = read_file(&path)?;
    let bytes = bytes.ok_or_else(|| SignedBeforeError::Absent(path.clone()))?;
    parse(&path, &bytes)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<UnverifiedCheckpoint, SignedBeforeError> {
    UnverifiedCheckpoint::parse(bytes).map_err(|error| SignedBeforeError::NoCheckpoint {
        path: path.to_owned(),
        why: FileFault::of(bytes).map_or(error.to_string(), |fault| fault.to_string()),
    })
}

/// A log as it was recovered.
pub(super) struct RecoveredLog<'a> {
    pub reader: &'a Reader,
    pub origin: &'a Origin,
    pub head: TreeHead,
    /// All keys that the log ever had.
    pub keys: &'a [PublicKey],
}

/// Checks that a log extends the checkpoint that a file holds.
///
/// # Errors
/// [`SignedBeforeError`], if it does not or if that can't be known.
async fn check_extends(
    log: &RecoveredLog<'_>,
    path: &Path,
    checkpoint: UnverifiedCheckpoint,
) -> Result<(), SignedBeforeError> {
    let (path, signed) = (path.to_owned(), checkpoint.head());
    if checkpoint.origin() != log.origin.name() {
        return Err(SignedBeforeError::OtherLog {
            path,
            found: checkpoint.origin().to_string(),
            origin: log.origin.to_string(),
        });
    }
    let mut keys = log.keys.iter();
    let known = keys.any(|key| {
        let vkey = super::signer::vkey(log.origin, *key);
        checkpoint.note().verify(&vkey).is_ok()
    });
    // Whoever wrote the file, the log is not what it names: it is for the operator to judge.
    let unsigned = if known { "" } else { UNSIGNED };
    if signed.size > log.head.size {
        return Err(SignedBeforeError::Older {
            path,
            signed,
            found: log.head,
            unsigned,
        });
    }
    let found = TreeHead::of(&log.reader.frontier(signed.size).await?);
    if found != signed {
        return Err(SignedBeforeError::Forked {
            path,
            signed,
            found,
            unsigned,
        });
    }
    Ok(())
}

/// The newest checkpoint of a log, in a file that lies elsewhere than the log: what brings back an
/// old copy of the log does not bring back an old copy of that file.
pub(super) struct LastSigned {
    path: PathBuf,
    /// What the file holds, as it was last read or written here.
    holds: Option<Vec<u8>>,
    /// Keeps other servers from the file.
    _lock: Held,
}

impl LastSigned {
    /// Opens the file, and keeps other servers from it. It need not be there yet; its folder must.
    ///
    /// # Errors
    /// [`SignedBeforeError`].
    fn open(path: &Path) -> Result<Self, SignedBeforeError> {
        // A link stays one: the file that it leads to is replaced, on the disk where that is.
        let path = &resolved(path)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder
            && !folder.try_exists().map_err(at(folder))?
        {
            return Err(SignedBeforeError::NoFolder(path.to_owned()));
        }
        // Before a lock is made beside a device.
        is_file(path)?;
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let lock = hold(Path::new(&lock))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock.ok_or_else(|| SignedBeforeError::InUse(path.to_owned()))?,
            holds: held_by(path)?,
        })
    }

    /// The file.
    fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint in it; `None` before the first.
    ///
    /// # Errors
    /// [`SignedBeforeError::NoCheckpoint`] if it holds something else.
    fn checkpoint(&self) -> Result<Option<UnverifiedCheckpoint>, SignedBeforeError> {
        let holds = self.holds.as_deref();
        holds.map(|bytes| parse(&self.path, bytes)).transpose()
    }

    /// Compares the file with what was last read or written here, and replaces it by a checkpoint
    /// of the same log, durably. A crash leaves one or the other.
    ///
    /// # Errors
    /// [`SignedBeforeError`]; the checkpoint must not be published then, though the file may hold it.
    fn advance(&mut self, checkpoint: &str) -> Result<(), SignedBeforeError> {
        let next = checkpoint.as_bytes();
        if self.holds.as_deref() == Some(next) {
            return Ok(());
        }
        let found = held_by(&self.path)?;
        // An attempt that failed may have happened all the same.
        if found != self.holds && found.as_deref() != Some(next) {
            return Err(SignedBeforeError::Changed(self.path.clone()));
        }
        replace(&self.path, next)?;
        self.holds = Some(next.to_vec());
        Ok(())
    }
}

/// Checks that a recovered log extends what was signed before, by the files that the operator named;
/// gives the one that keeps the newest checkpoint.
///
/// # Errors
/// [`SignedBeforeError`] when it does not, or that can't be known.
pub(super) async fn signs_on(
    log: &RecoveredLog<'_>,
    at_least: Option<&Path>,
    last_signed: Option<&Path>,
) -> Result<Option<Arc<Mutex<LastSigned>>>, SignedBeforeError> {
    if let Some(path) = at_least {
        check_extends(log, path, read_checkpoint(path)?).await?;
    }
    let Some(path) = last_signed else {
        return Ok(None);
    };
    let last = LastSigned::open(path)?;
    match last.checkpoint()? {
        Some(checkpoint) => check_extends(log, path, checkpoint).await?,
        None => tracing::warn!(
            size = log.head.size,
            "{} holds no checkpoint yet: this start is not held against one",
            last.path().display()
        ),
    }
    Ok(Some(Arc::new(Mutex::new(last))))
}

/// What a file holds; `None` if it is not there or empty.
fn held_by(path: &Path) -> Result<Option<Vec<u8>>, SignedBeforeError> {
    Ok(read_file(path)?.filter(|bytes| !bytes.is_empty()))
}

/// The path without links; as it is if nothing is there.
fn resolved(path: &Path) -> Result<PathBuf, SignedBeforeError> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => match std::fs::canonicalize(path) {
            Ok(target) => Ok(target),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(SignedBeforeError::DanglingLink(path.to_owned()))
            }
            Err(error) => Err(at(path)(error).into()),
        },
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at(path)(error).into()),
        _ => Ok(path.to_owned()),
    }
}

/// Whether there is a file; an error if something else is there.
fn is_file(path: &Path) -> Result<bool, SignedBeforeError> {
    match std::fs::metadata(path) {
        Ok(there) if there.is_file() => Ok(true),
        Ok(_) => Err(SignedBeforeError::NotAFile(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at(path)(error).into()),
    }
}

/// The bytes of a file, no more than tell that they are no checkpoint; `None` if nothing is there.
/// What is no file is not opened: a pipe would hold up the start, a device has no end.
fn read_file(path: &Path) -> Result<Option<Vec<u8>>, SignedBeforeError> {
    if !is_file(path)? {
        return Ok(None);
    }
    Ok(Some(read_at_most(path, NOTE_BYTES_MAX)?))
}

/// Makes a checkpoint durable in the file, on a thread that may block.
///
/// # Errors
/// [`SignedBeforeError`]; the checkpoint must not be published then.
pub(super) async fn advance(
    last: &Arc<Mutex<LastSigned>>,
    checkpoint: &str,
) -> Result<(), SignedBeforeError> {
    let (last, checkpoint) = (Arc::clone(last), checkpoint.to_owned());
    let write = move || {
        let mut last = last.lock().map_err(|poisoned| {
            SignedBeforeError::BrokeOff(poisoned.get_ref().path().to_owned())
        })?;
        last.advance(&checkpoint)
    };
    tokio::task::spawn_blocking(write)
        .await
        .unwrap_or_else(|_| {
            let file = PathBuf::from("the newest checkpoint");
            Err(SignedBeforeError::BrokeOff(file))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_neither_read_nor_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for path in [Path::new("/dev/full"), &at("socket"), temp.path()] {
            for refused in [
                LastSigned::open(path).map(drop),
                read_checkpoint(path).map(drop),
            ] {
                let why = refused.unwrap_err();
                assert!(matches!(why, SignedBeforeError::NotAFile(_)), "{why}");
            }
        }
        std::os::unix::fs::symlink("/not/mounted/last-signed", at("dangling")).unwrap();
        let why = LastSigned::open(&at("dangling")).map(drop).unwrap_err();
        assert!(matches!(why, SignedBeforeError::DanglingLink(_)), "{why}");
        // A file without an end to speak of is read no further than a checkpoint can reach.
        let huge = std::fs::File::create(at("huge")).unwrap();
        huge.set_len(1 << 40).unwrap();
        let held = LastSigned::open(&at("huge")).unwrap();
        assert!(matches!(
            held.checkpoint(),
            Err(SignedBeforeError::NoCheckpoint { .. })
        ));
        // A link stays one, and the file that it leads to is replaced.
        std::fs::create_dir(at("other")).unwrap();
        std::fs::write(at("other/last-signed"), "").unwrap();
        std::os::unix::fs::symlink(at("other/last-signed"), at("link")).unwrap();
        let mut last = LastSigned::open(&at("link")).unwrap();
        last.advance("a checkpoint").unwrap();
        assert!(std::fs::symlink_metadata(at("link")).unwrap().is_symlink());
        let held = std::fs::read_to_string(at("other/last-signed")).unwrap();
        assert_eq!(held, "a checkpoint");
    }

    #[test]
    fn the_file_is_compared_before_it_is_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("last-signed");
        let mut last = LastSigned::open(&path).unwrap();
        let second = LastSigned::open(&path);
        assert!(matches!(second, Err(SignedBeforeError::InUse(_))));
        for text in ["one", "one", "two"] {
            last.advance(text).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        // As after an attempt that failed, but happened.
        std::fs::write(&path, "three").unwrap();
        last.advance("three").unwrap();
        for other in ["two", ""] {
            std::fs::write(&path, other).unwrap();
            let changed = last.advance("four");
            assert!(matches!(changed, Err(SignedBeforeError::Changed(_))));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
        }
        drop(last);
        let elsewhere = temp.path().join("unmounted").join("last-signed");
        let error = LastSigned::open(&elsewhere).err().unwrap();
        assert!(matches!(error, SignedBeforeError::NoFolder(_)), "{error}");
        assert!(!temp.path().join("unmounted").exists());
    }
}
