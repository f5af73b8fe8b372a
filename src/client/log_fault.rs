//! Why nothing is said of a log.

use super::remote::RemoteError;
use crate::audit::TileFault;
use crate::crypto::PublicKey;
use crate::note::CheckpointError;

/// Why nothing is said of the log.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    /// The server could not be asked, or did not answer as one of a ledger.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The ledger does not know the key.
    #[error(
        "the key {0} was never granted a role in this ledger; ask the governors for a key grant"
    )]
    NotGranted(PublicKey),
    /// The log could not be checked; that says nothing of it.
    #[error("{0}. Nothing is reported before it is proven: run the same command again")]
    Unchecked(String),
    /// Two checkpoints of one log contradict each other.
    #[error("{what}")]
    Contradiction {
        /// What is wrong.
        what: String,
        /// The checkpoint that was seen before.
        before: String,
        /// The one that the server shows now.
        now: String,
    },
    /// The server's word contradicts its log.
    #[error("{0}")]
    Wrong(String),
    /// Its checkpoint is not one of the log asked for.
    #[error("the server's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
}

impl From<TileFault> for LogFault {
    fn from(fault: TileFault) -> Self {
        // Tiles are not signed: wrong ones show a broken server or proxy, not a false log.
        Self::Unchecked(format!("the log could not be checked: {fault}"))
    }
}
