//! Where an audit reads a log from: the static interface of c2sp.org/tlog-tiles, of a server or a
//! folder.

use std::path::{Path, PathBuf};

use crate::merkle::TileId;

/// Why a source gives no bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It answers, and has no such tile: what a checkpoint promises must be there.
    #[error("it is not there")]
    Absent,
    /// It could not be asked; that says nothing of the log.
    #[error("{0}")]
    Away(String),
}

/// Gives tiles. Asked from several threads at once.
pub trait TileSource: Sync {
    /// The bytes of a tile or bundle, as they are: nothing is verified yet.
    ///
    /// # Errors
    /// [`SourceError`].
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError>;
}

/// Gives the newest checkpoint too.
pub trait StaticLog: TileSource {
    /// The bytes of the checkpoint's note.
    ///
    /// # Errors
    /// [`SourceError`].
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError>;
}

/// A log in a folder: a mirror, or what anybody downloaded in the standard's layout.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The log in this folder.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        let path = self.0.join(name);
        std::fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => SourceError::Absent,
            _ => SourceError::Away(format!("{}: {error}", path.display())),
        })
    }
}

impl TileSource for Folder {
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        self.read(&id.to_string())
    }
}

impl StaticLog for Folder {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.read("checkpoint")
    }
}
