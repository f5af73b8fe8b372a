//! Where a log's bytes are kept.
//!
//! [`Store`] is what the sequencer needs of any store; [`DiskStore`] keeps the log in plain files;
//! [`SavedState`] keeps the ledger's derived state in sled between starts; [`blobs`] keeps a log on an
//! object store.

pub mod blobs;
mod committed;
mod directory;
mod disk;
mod evidence_index;
mod inspected;
mod journal;
mod repair;
mod salvage;
mod saved_state;
mod stop;
mod tail;
mod tile_files;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

pub use bytes::Bytes;

pub use directory::StoreLock;
pub use disk::DiskStore;
pub use evidence_index::{EvidenceIndex, EvidenceIndexError, EvidenceUse, Window};
pub use inspected::InspectedStore;
pub use journal::SEGMENT_BYTES;
pub use repair::{ProvenCopy, RepairError, Repaired, repair};
pub use saved_state::{SavedState, SavedStateError, StateChange};

use crate::durable::FileError;
use crate::measures::Durations;
use crate::merkle::TileId;
use crate::record::LogHead;

/// What an error about damage tells the operator to do.
const RESTORE: &str = "restore it: arborlog fsck DIR --repair-from MIRROR";

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Entries that extend a log, and the head that they lead to. Self-contained: a store needs
/// nothing else to commit them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The head of the log before these entries.
    pub from: LogHead,
    /// The entries, encoded as in a bundle: each behind its length as a big-endian `u16`.
    pub entries: Vec<u8>,
    /// The head of the log with these entries.
    pub to: LogHead,
}

/// What became of a commit.
#[derive(Debug)]
pub enum CommitOutcome {
    /// The batch and its head are durable, and reads give its tiles.
    Committed,
    /// The store's head is another than the batch extends: nothing of the batch was written.
    Moved(LogHead),
    /// Another process leads the log: nothing of the batch was kept, or ever will be. Of a store that
    /// several processes share.
    Deposed,
    /// The batch may be durable or not. The caller asks the store for its head, and never guesses.
    Unknown(StoreError),
}

/// Why a store could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the directory's lock.
    #[error("{0} is in use by another arborlog; stop that one first")]
    Locked(PathBuf),
    /// The directory was written by another version of this software.
    #[error(
        "{dir} holds {found:?}, but this software reads {expected:?}; use the arborlog that wrote it: nothing turns the one into the other"
    )]
    Version {
        /// The store's directory.
        dir: PathBuf,
        /// The text of the VERSION file, cut to a length that an error can show.
        found: String,
        /// The text that this software writes there.
        expected: &'static str,
    },
    /// The directory holds no VERSION file: there is no store in it.
    #[error("{0} is no arborlog directory; make one with: arborlog init {0} …")]
    Missing(PathBuf),
    /// Bytes on disk are not those that were written.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The damaged file, or the folder whose files contradict each other.
        path: PathBuf,
        /// What is wrong with the bytes, and what to do.
        what: String,
    },
    /// A write or sync failed before this call. The store commits nothing until it is opened again.
    #[error(
        "the store stopped after a failed write ({0}); nothing acknowledged is lost; mend the disk and start again"
    )]
    Stopped(String),
    /// A thread of the store panicked. It commits nothing until it is opened again.
    #[error(
        "{0} broke off, which is a fault of the software; nothing acknowledged is lost; start again, and report this"
    )]
    BrokeOff(&'static str),
    /// The batch contradicts itself: its entries do not lead to its head.
    #[error("the batch's entries do not lead to the head that it names")]
    Contradiction,
    /// An invariant of the state in memory is broken: the store stops before it writes what is
    /// wrong.
    #[error(
        "the store contradicts itself in memory ({0}); nothing acknowledged is lost; start again, and report this"
    )]
    Inconsistent(&'static str),
    /// An object store could not do what it was asked.
    #[error(transparent)]
    Blob(#[from] blobs::BlobError),
    /// The object store holds no log.
    #[error("{0} holds no log; make one with: arborlog init, or name the place of one")]
    NoLog(String),
    /// The object store holds another log, or one of another version of this software.
    #[error(
        "{address} holds {found:?}, but {expected:?} was looked for; name the store of this log, and use the arborlog that wrote it"
    )]
    OtherLog {
        /// The store.
        address: String,
        /// The text of its VERSION, cut to a length that an error can show.
        found: String,
        /// The text that was looked for.
        expected: String,
    },
    /// An object does not hold what was written to it, or contradicts the objects before it.
    #[error(
        "{object} is damaged: {what}; nothing was changed; keep the store as it is and restore the object's first version"
    )]
    DamagedObject {
        /// The object, with its store.
        object: String,
        /// What is wrong with it.
        what: String,
    },
    /// The object store does not keep what it says, and would lose or fork the log.
    #[error(
        "{address} can't keep a log: {what}; use a store that creates objects only if they are absent, also when several try at once (docs/engine.md)"
    )]
    Unfit {
        /// The store.
        address: String,
        /// What it did.
        what: String,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes ({0}); start again")]
    NoRandomness(String),
    /// An operation of the file system failed.
    #[error(transparent)]
    Io(#[from] FileError),
}

impl StoreError {
    /// An error of an object's bytes.
    fn damaged_object(blobs: &dyn blobs::Blobs, name: &str, what: impl Into<String>) -> Self {
        Self::DamagedObject {
            object: format!("{}/{name}", blobs.address()),
            what: what.into(),
        }
    }
}

/// What keeps a log durably.
///
/// * There is one head at a time, and each commit moves it from one tree to a larger one.
/// * When [`CommitOutcome::Committed`] is returned, the batch and the head survive the loss of power
///   right after, and every read gives its bytes.
/// * After [`CommitOutcome::Moved`] and [`CommitOutcome::Deposed`] nothing of the batch is in the log. After [`CommitOutcome::Unknown`] it may or
///   may not have been, as a whole: [`Store::head`] tells.
/// * What [`Store::read`] gives for a tile of a tree that was ever the head never changes: it is
///   what was committed, or an error that names what is damaged.
pub trait Store: Send + Sync + 'static {
    /// The head as last committed; [`LogHead::empty`] before the first.
    fn head(&self) -> BoxFuture<'_, Result<LogHead, StoreError>>;

    /// Makes a batch durable, if the head is still the one that it extends. The write is under way
    /// when this returns: the caller prepares the next batch before it waits.
    fn commit(&self, batch: Arc<Batch>) -> BoxFuture<'static, CommitOutcome>;

    /// The bytes of a tile or bundle, full or partial; `None` if the tree has no such.
    fn read(&self, tile: TileId) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>>;

    /// Waits until the store commits nothing more, and gives the reason. A store without work of
    /// its own fails in commits alone, which tell: it waits for ever.
    fn stopped(&self) -> BoxFuture<'_, StoreError> {
        Box::pin(std::future::pending())
    }

    /// How long the syncs of commits took; `None` of a store that syncs nothing itself.
    fn syncs(&self) -> Option<Durations> {
        None
    }

    /// Number of durable entries that are not yet where they stay for good: in files that never change, or in packs.
    /// `None` of a store that keeps all of them in one way.
    fn unsettled_entries(&self) -> Option<u64> {
        None
    }
}
