//! A log over HTTP, by its static interface alone.

use super::remote::{Remote, RemoteError};
use crate::audit::{SourceError, StaticLog, TileSource, tile_bytes_max};
use crate::merkle::TileId;
use crate::note::{NOTE_BYTES_MAX, UnverifiedCheckpoint};

/// The longest page of a list of hours.
const HOURS_BYTES_MAX: usize = 1 << 20;

/// A page of the hours of which a cosigned checkpoint is kept.
#[derive(serde::Deserialize)]
struct HoursPage {
    hours: Vec<u64>,
}

/// A log's static files, at a URL. Retries what may pass; never asks `/v1`, but for the newest checkpoint and those of
/// hours.
#[derive(Clone, Debug)]
pub struct RemoteLog {
    remote: Remote,
    /// Whether its checkpoint is that of the newest commit, where the server tells that one apart.
    is_newest: bool,
}

impl RemoteLog {
    /// The log at this server, or at any web server that has its files.
    pub fn new(remote: Remote) -> Self {
        Self {
            remote,
            is_newest: false,
        }
    }

    /// The same, for those on whom the checkpoint waits that others read: what they ask for is the newest commit's.
    pub fn newest(remote: Remote) -> Self {
        Self {
            remote,
            is_newest: true,
        }
    }

    /// The checkpoint of the newest commit. At `/checkpoint` of a log with a policy of witnesses stands one that is
    /// some seconds older, and does not cover what was acknowledged just now.
    fn newest_checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        match self.ask("v1/checkpoint", NOTE_BYTES_MAX + 1) {
            // A web server that has the files alone may answer with a page of its own.
            Ok(note) if UnverifiedCheckpoint::parse(&note).is_ok() => Ok(note),
            Ok(_) | Err(SourceError::Absent) => self.standing_checkpoint(),
            Err(error) => Err(error),
        }
    }

    fn standing_checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.ask("checkpoint", NOTE_BYTES_MAX + 1)
    }

    fn ask(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, SourceError> {
        match self.remote.file(path, bytes_max as u64) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(SourceError::Absent),
            Err(RemoteError::Away { url, why, .. }) => Err(SourceError::Unreachable(format!(
                "no whole answer from {url}: {why}"
            ))),
            Err(error @ (RemoteError::Address { .. } | RemoteError::Unusable { .. })) => {
                Err(SourceError::Unusable(error.to_string()))
            }
            Err(error) => Err(SourceError::Unreachable(error.to_string())),
        }
    }
}

impl TileSource for RemoteLog {
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        // One byte more shows a tile that is too long, instead of hiding it.
        self.ask(&id.to_string(), tile_bytes_max(id) + 1)
    }
}

impl StaticLog for RemoteLog {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        match self.is_newest {
            true => self.newest_checkpoint(),
            false => self.standing_checkpoint(),
        }
    }

    fn hours_after(&self, after: Option<u64>) -> Result<Vec<u64>, SourceError> {
        let after = after.map_or_else(String::new, |after| format!("?after={after}"));
        let path = format!("v1/checkpoints{after}");
        // A server of before, or one that has the files alone, perhaps with a page of its own for what it has not.
        match self.ask(&path, HOURS_BYTES_MAX) {
            Ok(body) => {
                let list = serde_json::from_slice(&body).ok();
                Ok(list.map(|HoursPage { hours }| hours).unwrap_or_default())
            }
            Err(SourceError::Absent) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn hour(&self, hour: u64) -> Result<Vec<u8>, SourceError> {
        self.ask(&format!("v1/checkpoints/{hour}"), NOTE_BYTES_MAX + 1)
    }
}
