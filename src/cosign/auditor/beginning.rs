//! The state with which an auditor begins that does not replay from the first entry on. It is anybody's: what
//! counts is that the entries behind it lead from it to a state entry that says its root, in a checkpoint that
//! somebody else cosigned.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use super::evidence::ReadLog;
use super::statement::Since;
use crate::audit::{
    AuditError, Inspection, InspectionError, Observations, SavedAudit, SavedAuditError, StaticLog,
    Tiles,
};
use crate::durable::FileError;
use crate::merkle::Hash;
use crate::note::{
    Checkpoint, CheckpointError, Cosignature, NoteError, UnverifiedCheckpoint, VerifierKey,
};
use crate::record::{Entry, Index};

/// What an auditor begins with.
pub struct BeginsWith<'a> {
    /// The log's key.
    pub log: &'a VerifierKey,
    /// The log's files.
    pub source: &'a dyn StaticLog,
    /// A saved audit: the state, and the tree over the same entries.
    pub state: &'a Path,
    /// A checkpoint of the log that somebody else cosigned.
    pub cosigned: &'a [u8],
    /// Who cosigned it.
    pub by: &'a VerifierKey,
    /// How many bundles are fetched and checked at a time.
    pub threads: NonZeroUsize,
}

/// A state with which no auditor can begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeginningError {
    /// There is no such file.
    #[error("{0} is not there: give a saved audit, as `arborlog audit --state` keeps it")]
    NoState(String),
    /// The saved audit, or the entries behind it.
    #[error(
        "replayed from this state: {0}. Of a state entry that does not agree, either the file is wrong or the log is"
    )]
    Replay(#[from] InspectionError),
    /// The checkpoint is none of the log's.
    #[error("the cosigned checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// It has not the cosignature.
    #[error("the cosigned checkpoint has no cosignature of {by} that holds: {why}")]
    NotCosigned {
        /// Who should have cosigned it.
        by: String,
        /// What is wrong.
        why: NoteError,
    },
    /// Nobody vouches for the state.
    #[error(
        "the state is of {state} entries, and no state entry behind it, below the cosigned checkpoint of {cosigned} entries, speaks of as many or more: nobody vouches for the state. Take an older state, or a newer checkpoint"
    )]
    NotSaid {
        /// Entries that the state rests on.
        state: u64,
        /// Entries of the checkpoint.
        cosigned: u64,
    },
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<SavedAuditError> for BeginningError {
    fn from(error: SavedAuditError) -> Self {
        Self::Replay(error.into())
    }
}

impl From<AuditError> for BeginningError {
    fn from(error: AuditError) -> Self {
        Self::Replay(error.into())
    }
}

impl BeginsWith<'_> {
    /// Replays from the state to the cosigned checkpoint, and writes what comes of it into `file`. Gives what may
    /// be stated, and the checkpoint.
    ///
    /// # Errors
    /// [`BeginningError`].
    pub(super) fn make(&self, file: &Path) -> Result<(Since, Checkpoint), BeginningError> {
        let no_state = || BeginningError::NoState(self.state.display().to_string());
        let mut saved = SavedAudit::read(self.state)?.ok_or_else(no_state)?;
        // What somebody else observed can't be checked, and nothing is said of it.
        saved.observations = Observations::default();
        saved.awards = Default::default();
        saved.write(file)?;
        drop(saved);
        let cosigned = UnverifiedCheckpoint::parse(self.cosigned)?.verify(self.log)?;
        Cosignature::verify_any_time(&cosigned, self.by).map_err(|why| {
            BeginningError::NotCosigned {
                by: self.by.name().to_string(),
                why,
            }
        })?;
        let bytes_read = AtomicU64::new(0);
        let note = cosigned.to_string().into_bytes();
        let read = ReadLog::new(self.source, note, &bytes_read);
        let mut inspection = Inspection::resume(self.log.clone(), file)?;
        inspection.leave_awards_out();
        let from = inspection.auditor().state().entries();
        let claimed = inspection.fetch_checkpoint(&read)?;
        let mut said = None;
        inspection.advance(&read, &claimed, self.threads, Some(file), |replay| {
            // Of less than the state that was given, no state entry can be compared.
            let mark = replay.state().globals().state_entry;
            said = said.or(mark.filter(|mark| mark.index.0 >= from && mark.size >= from));
        })?;
        inspection.save(file)?;
        let not_said = || BeginningError::NotSaid {
            state: from,
            cosigned: cosigned.head().size,
        };
        let said = said.ok_or_else(not_said)?;
        let tiles = Tiles::open(&read, cosigned.head()).map_err(AuditError::from)?;
        let entry = tiles.entry(said.index).map_err(AuditError::from)?;
        let Ok(Entry::State(entry)) = Entry::decode(&entry) else {
            return Err(not_said());
        };
        let since = Since {
            size: said.size,
            origin: self.log.name().clone(),
            state_root: Hash::from_bytes(entry.root),
            said_by: Index(said.index.0),
            cosigned: cosigned.head().size,
            by: self.by.clone(),
        };
        Ok((since, cosigned))
    }
}
