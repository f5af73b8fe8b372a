//! One log that is watched: the newest of its checkpoints that was cosigned, and what may follow it.

use crate::merkle::{Hash, verify_consistency};
use crate::note::{Checkpoint, CheckpointError, KeyName, TreeHead, VerifierKey};

use super::request::AddCheckpoint;

/// A log that is watched.
#[derive(Clone, Debug)]
pub struct WatchedLog {
    origin: KeyName,
    /// Its keys: a log that changes its key has two for a while.
    keys: Vec<VerifierKey>,
    /// The newest head that was cosigned.
    latest: Option<TreeHead>,
}

/// Why a checkpoint is not cosigned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogRefusal {
    /// No key of the log signed it.
    #[error("no key that this witness knows of the log signed it")]
    Unsigned,
    /// A line that names a key of the log does not hold.
    #[error("a signature that names a key of the log does not hold")]
    FalseSignature,
    /// The proof leads from behind the checkpoint.
    #[error("the old size, {old}, is above that of the checkpoint, {new}")]
    OldSizeAbove {
        /// The old size.
        old: u64,
        /// The size of the checkpoint.
        new: u64,
    },
    /// The proof leads from another size than the newest that was cosigned.
    #[error("the newest checkpoint that was cosigned has {latest} entries")]
    OtherSize {
        /// The size of the newest.
        latest: u64,
    },
    /// The same size has another root: the log shows two histories.
    #[error(
        "the log signed another root of the same {size} entries before: it shows two histories"
    )]
    OtherRoot {
        /// The size.
        size: u64,
    },
    /// The proof does not hold.
    #[error("the checkpoint is not proven to extend the newest one")]
    NotConsistent,
}

/// Two checkpoints of a log of the same size with different roots: the log signed both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The head that was cosigned.
    pub before: TreeHead,
    /// The other one.
    pub now: Checkpoint,
}

impl WatchedLog {
    /// A log of which nothing was cosigned.
    pub fn new(origin: KeyName) -> Self {
        Self {
            origin,
            keys: Vec::new(),
            latest: None,
        }
    }

    /// Adds a key of the log, whose name is its origin.
    pub fn add_key(&mut self, key: VerifierKey) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    /// The log's origin.
    pub fn origin(&self) -> &KeyName {
        &self.origin
    }

    /// The newest head that was cosigned.
    pub fn latest(&self) -> Option<TreeHead> {
        self.latest
    }

    /// Notes the newest head that was cosigned.
    pub fn set_latest(&mut self, head: TreeHead) {
        self.latest = Some(head);
    }

    /// Checks that a log signed a checkpoint: the cheapest question that a stranger can't answer.
    ///
    /// # Errors
    /// [`LogRefusal::OldSizeAbove`], [`LogRefusal::Unsigned`], [`LogRefusal::FalseSignature`].
    pub fn check_signed(&self, request: &AddCheckpoint) -> Result<Checkpoint, LogRefusal> {
        let head = request.checkpoint.head();
        if request.old_size > head.size {
            return Err(LogRefusal::OldSizeAbove {
                old: request.old_size,
                new: head.size,
            });
        }
        let mut signed = None;
        for key in &self.keys {
            if !request.checkpoint.note().names(key) {
                continue;
            }
            match request.checkpoint.clone().verify(key) {
                Ok(checkpoint) => signed = Some(checkpoint),
                Err(CheckpointError::Note(_)) => return Err(LogRefusal::FalseSignature),
                Err(_) => return Err(LogRefusal::Unsigned),
            }
        }
        signed.ok_or(LogRefusal::Unsigned)
    }

    /// Checks that a checkpoint of the log extends the newest that was cosigned.
    ///
    /// # Errors
    /// [`LogRefusal`].
    pub fn check_extends(
        &self,
        request: &AddCheckpoint,
        checkpoint: &Checkpoint,
    ) -> Result<(), LogRefusal> {
        let head = checkpoint.head();
        let empty = TreeHead {
            size: 0,
            root: Hash::empty_root(),
        };
        let latest = self.latest.unwrap_or(empty);
        if request.old_size != latest.size {
            return Err(LogRefusal::OtherSize {
                latest: latest.size,
            });
        }
        if head.size == latest.size && head.root != latest.root {
            return Err(LogRefusal::OtherRoot { size: head.size });
        }
        verify_consistency(
            latest.size,
            &latest.root,
            head.size,
            &head.root,
            &request.proof,
        )
        .map_err(|_| LogRefusal::NotConsistent)
    }
}
