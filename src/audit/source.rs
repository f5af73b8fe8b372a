//! Where an audit reads a log from: the static interface of c2sp.org/tlog-tiles, of a server or a
//! folder.

use std::path::{Path, PathBuf};

use crate::durable::{at, read_at_most};
use crate::merkle::{HASH_BYTES, HashTile, Level, TileId};
use crate::note::NOTE_BYTES_MAX;
use crate::record::ENTRY_BYTES_MAX;

/// Why a source gives no bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The source answers, and has no such file: what a checkpoint promises must be there.
    #[error("it is not there")]
    Absent,
    /// The source could not be asked; that says nothing about the log.
    #[error("{0}")]
    Unreachable(String),
    /// The same, and asking again would not help: no such host, another's certificate.
    #[error("{0}")]
    Unusable(String),
}

/// Gives tiles. Asked from several threads at once.
pub trait TileSource: Sync {
    /// The bytes of a tile or bundle, as they are: nothing is verified yet.
    ///
    /// # Errors
    /// [`SourceError`].
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError>;
}

/// Gives tiles, and the newest checkpoint.
pub trait StaticLog: TileSource {
    /// The bytes of the checkpoint's note.
    ///
    /// # Errors
    /// [`SourceError`].
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError>;

    /// Hours since 1970-01-01T00 UTC of which a cosigned checkpoint is kept, ascending, behind one; the first ones of
    /// them. None, of a log that keeps none.
    ///
    /// # Errors
    /// [`SourceError`].
    fn hours_after(&self, _after: Option<u64>) -> Result<Vec<u64>, SourceError> {
        Ok(Vec::new())
    }

    /// The bytes of the note that is kept of an hour.
    ///
    /// # Errors
    /// [`SourceError`].
    fn hour(&self, _hour: u64) -> Result<Vec<u8>, SourceError> {
        Err(SourceError::Absent)
    }
}

/// The folder of a mirror's hourly checkpoints.
pub(super) const HOURS: &str = "hours";

/// The length that no tile of this level exceeds: 256 hashes, or 256 of the longest entries, each
/// behind its length.
pub fn tile_bytes_max(id: TileId) -> usize {
    HashTile::HASHES_MAX
        * match id.level() {
            Level::Entries => ENTRY_BYTES_MAX + 2,
            Level::Hashes(_) => HASH_BYTES,
        }
}

/// A log in a folder: a mirror, or what anybody downloaded in the standard's layout.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The log in this folder.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// A regular file, up to one byte more than it may have: that byte shows one that is too long.
    fn read(&self, name: &str, bytes_max: usize) -> Result<Vec<u8>, SourceError> {
        let path = self.0.join(name);
        let read = || {
            if !std::fs::metadata(&path).map_err(at(&path))?.is_file() {
                return Err(at(&path)(std::io::Error::other("it is no file")));
            }
            read_at_most(&path, bytes_max)
        };
        read().map_err(|failed| match failed.error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => SourceError::Absent,
            _ => SourceError::Unreachable(failed.to_string()),
        })
    }
}

impl TileSource for Folder {
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        self.read(&id.to_string(), tile_bytes_max(id))
    }
}

impl StaticLog for Folder {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.read("checkpoint", NOTE_BYTES_MAX)
    }

    fn hours_after(&self, after: Option<u64>) -> Result<Vec<u64>, SourceError> {
        let folder = self.0.join(HOURS);
        let unreachable = |error| SourceError::Unreachable(at(&folder)(error).to_string());
        let files = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files.map_err(unreachable)?,
        };
        let mut hours = Vec::new();
        for file in files {
            let name = file.map_err(unreachable)?.file_name();
            let hour = name.to_str().and_then(|name| name.parse::<u64>().ok());
            hours.extend(hour.filter(|hour| after.is_none_or(|after| *hour > after)));
        }
        hours.sort_unstable();
        Ok(hours)
    }

    fn hour(&self, hour: u64) -> Result<Vec<u8>, SourceError> {
        self.read(&format!("{HOURS}/{hour}"), NOTE_BYTES_MAX)
    }
}
