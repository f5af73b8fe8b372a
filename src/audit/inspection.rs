//! An audit that remembers: the replay, what it observed, and the awards in rows; saved between
//! runs, so that the next one reads only what is new.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::auditor::{AuditError, Auditor, Claimed, Verified};
use super::awards::{AwardRows, AwardRowsError, AwardRowsLengths, AwardRowsLock};
use super::facts::{Facts, Inconsistent};
use super::findings::{Finding, FindingsError, findings};
use super::observe::Observations;
use super::report::Report;
use super::saved::{SavedAudit, SavedAuditError};
use super::source::StaticLog;
use super::whole::WholeError;
use crate::ledger::State;
use crate::note::VerifierKey;
use crate::record::{Day, Statement};
use crate::replay::{Replay, Taken};

/// Time between two saves of a long run: the most work that a broken run loses.
const SAVE_INTERVAL: Duration = Duration::from_secs(60);
/// Entries after which a long run asks the clock whether to save: a small part of a second.
const ENTRIES_PER_CLOCK_CHECK: u64 = 4096;

/// Why an inspection fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectionError {
    /// The log is wrong, or could not be checked.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The saved audit can't be written or used.
    #[error(transparent)]
    Saved(#[from] SavedAuditError),
    /// The award rows can't be written or read.
    #[error(transparent)]
    Awards(#[from] AwardRowsError),
    /// What was verified and what was observed contradict each other.
    #[error(transparent)]
    Inconsistent(#[from] Inconsistent),
    /// Nothing is verified up to a checkpoint, so there is nothing to save.
    #[error("nothing was saved: no checkpoint was verified yet")]
    NothingVerified,
}

impl From<WholeError> for InspectionError {
    fn from(error: WholeError) -> Self {
        Self::Audit(error.into())
    }
}

impl From<FindingsError> for InspectionError {
    fn from(error: FindingsError) -> Self {
        match error {
            FindingsError::Awards(error) => Self::Awards(error),
            FindingsError::Inconsistent(error) => Self::Inconsistent(error),
        }
    }
}

/// An audit under way.
#[derive(Debug)]
pub struct Inspection {
    auditor: Auditor,
    observations: Observations,
    awards: AwardRows,
    /// Entries that were verified when it was resumed.
    resumed_at: Option<u64>,
}

impl Inspection {
    /// Begins with an empty ledger; award rows go to a folder of their own.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub fn begin(log: VerifierKey, rows: &Path) -> Result<Self, InspectionError> {
        Self::empty(log, AwardRowsLock::hold(rows)?)
    }

    fn empty(log: VerifierKey, rows: AwardRowsLock) -> Result<Self, InspectionError> {
        Ok(Self {
            auditor: Auditor::new(log)?,
            observations: Observations::default(),
            awards: AwardRows::open(rows, &AwardRowsLengths::default())?,
            resumed_at: None,
        })
    }

    /// Resumes what was saved in `file`, or begins, if there is no such file.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub fn resume(log: VerifierKey, file: &Path) -> Result<Self, InspectionError> {
        let rows = AwardRowsLock::hold(&rows_beside(file))?;
        let Some(saved) = SavedAudit::read(file)? else {
            return Self::empty(log, rows);
        };
        Ok(Self {
            resumed_at: Some(saved.verified.state.entries()),
            auditor: Auditor::resume(log, saved.verified)?,
            observations: saved.observations,
            awards: AwardRows::open(rows, &saved.awards)?,
        })
    }

    /// Saves what was verified, for [`Self::resume`].
    ///
    /// # Errors
    /// [`InspectionError`]; the file is then as it was. [`InspectionError::NothingVerified`] amid
    /// what an error broke off, and before the first checkpoint.
    pub fn save(&mut self, file: &Path) -> Result<(), InspectionError> {
        let checkpoint = self.auditor.last();
        let checkpoint = checkpoint.ok_or(InspectionError::NothingVerified)?;
        save(
            file,
            checkpoint.to_string(),
            self.auditor.replay(),
            &self.observations,
            &mut self.awards,
        )
    }

    /// Asks for the log's checkpoint: see [`Auditor::fetch_checkpoint`].
    ///
    /// # Errors
    /// [`InspectionError`].
    pub fn fetch_checkpoint(&mut self, source: &dyn StaticLog) -> Result<Claimed, InspectionError> {
        Ok(self.auditor.fetch_checkpoint(source)?)
    }

    /// Verifies everything up to a checkpoint: see [`Auditor::advance`]. `progress` is told the
    /// number of entries done. What was done is saved to `file` once a minute, so that the next run
    /// resumes there if this one breaks off. Gives the sizes from and to which it went.
    ///
    /// # Errors
    /// [`InspectionError`]; the inspection is of no use then.
    pub fn advance(
        &mut self,
        source: &dyn StaticLog,
        claimed: &Claimed,
        threads: NonZeroUsize,
        file: Option<&Path>,
        mut progress: impl FnMut(u64),
    ) -> Result<std::ops::Range<u64>, InspectionError> {
        // Two closures write to them, one after the other.
        let kept = RefCell::new((&mut self.observations, &mut self.awards));
        let (mut saved_at, mut clock_at) = (Instant::now(), 0);
        let each = |taken: &Taken<'_>, _: &State| {
            let (observations, awards) = &mut *kept.borrow_mut();
            observations.observe(taken);
            if let Some(Statement::Award(award)) = taken.checked.entry().statement() {
                awards.add(taken.index, award)?;
            }
            Ok(())
        };
        self.auditor
            .advance(source, claimed, threads, each, |replay| {
                let entries = replay.state().entries();
                progress(entries);
                if let Some(file) = file
                    && entries >= clock_at
                    && saved_at.elapsed() >= SAVE_INTERVAL
                {
                    replay.settle().map_err(WholeError::from)?;
                    let (observations, awards) = &mut *kept.borrow_mut();
                    save(file, claimed.note(), replay, observations, awards)?;
                    saved_at = Instant::now();
                    clock_at = entries + ENTRIES_PER_CLOCK_CHECK;
                }
                Ok(())
            })
    }

    /// Whether it stands at a checkpoint, or before the first entry, and not amid what an error
    /// broke off.
    pub fn is_settled(&self) -> bool {
        self.auditor.last().is_some() || self.auditor.state().entries() == 0
    }

    /// The auditor.
    pub fn auditor(&self) -> &Auditor {
        &self.auditor
    }

    /// What there is to ask about, as of a day.
    ///
    /// # Errors
    /// [`InspectionError::Awards`] and [`InspectionError::Inconsistent`].
    pub fn findings(&mut self, as_of: Day) -> Result<Vec<Finding>, InspectionError> {
        let facts = Facts::new(self.auditor.state(), &self.observations, as_of)?;
        Ok(findings(&facts, &mut self.awards)?)
    }

    /// The report, with its findings; `None` before anything was verified.
    ///
    /// # Errors
    /// [`InspectionError::Awards`] and [`InspectionError::Inconsistent`].
    pub fn report(&mut self, as_of: Day) -> Result<Option<Report>, InspectionError> {
        let facts = Facts::new(self.auditor.state(), &self.observations, as_of)?;
        let findings = findings(&facts, &mut self.awards)?;
        Ok(Report::new(
            &self.auditor,
            &facts,
            self.resumed_at,
            findings,
        )?)
    }
}

fn save(
    file: &Path,
    checkpoint: String,
    replay: &Replay,
    observations: &Observations,
    awards: &mut AwardRows,
) -> Result<(), InspectionError> {
    let saved = SavedAudit {
        verified: Verified {
            checkpoint,
            state: replay.state().clone(),
            tree: replay.tree().clone(),
        },
        observations: observations.clone(),
        awards: awards.sync()?,
    };
    Ok(saved.write(file)?)
}

/// The folder of award rows that belongs to a saved audit.
fn rows_beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".awards");
    name.into()
}
