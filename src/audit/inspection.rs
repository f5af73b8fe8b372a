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
use super::held::NamedFiles;
use super::observe::Observations;
use super::planned::{self, PlanRow, PlanShown};
use super::report::{Report, vintages};
use super::saved::{SavedAudit, SavedAuditError};
use super::source::StaticLog;
use super::tiles::Tiles;
use super::whole::WholeError;
use crate::ledger::{STATE_LAG_MAX, State};
use crate::note::VerifierKey;
use crate::policy::Policy;
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
    /// Whether awards are added to the rows: without that there are no findings.
    adds_awards: bool,
    /// Entries that were verified when it was resumed.
    resumed_at: Option<u64>,
    /// As of the end of the last state entry: what is saved. A state entry that comes later may speak of entries that
    /// were verified by now, and what is resumed from here has their states.
    resume_point: Option<Box<SavedAudit>>,
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
            adds_awards: true,
            resumed_at: None,
            resume_point: None,
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
        let resume_point = Box::new(saved.clone());
        let auditor = Auditor::resume(log, saved.verified)?;
        let is_point = auditor.replay().is_behind_state_entry();
        Ok(Self {
            resumed_at: Some(auditor.state().entries()),
            auditor,
            observations: saved.observations,
            awards: AwardRows::open(rows, &saved.awards)?,
            adds_awards: true,
            resume_point: is_point.then_some(resume_point),
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
        let note = checkpoint.to_string();
        let here = checkpoint.head().size;
        // Farther back than any state entry speaks of, a log that makes none any more is not read again and again.
        self.resume_point
            .take_if(|point| here.saturating_sub(point.verified.tree.size()) > STATE_LAG_MAX);
        if let Some(point) = &mut self.resume_point {
            point.verified.checkpoint = note;
            return Ok(point.write(file)?);
        }
        let replay = self.auditor.replay();
        let saved = as_saved(note, replay, &self.observations, &mut self.awards)?;
        Ok(saved.write(file)?)
    }

    /// From now on no award is added to the rows on disk, which grow with the log. There are no right findings of
    /// awards then, so it must have been so from the first entry on, and stay so.
    pub fn leave_awards_out(&mut self) {
        self.adds_awards = false;
    }

    /// From now on a checkpoint must meet this policy too.
    pub fn require(&mut self, policy: Policy) {
        self.auditor.require(policy);
    }

    /// Asks for the log's checkpoint: see [`Auditor::fetch_checkpoint`].
    ///
    /// # Errors
    /// [`InspectionError`].
    pub fn fetch_checkpoint(&mut self, source: &dyn StaticLog) -> Result<Claimed, InspectionError> {
        Ok(self.auditor.fetch_checkpoint(source)?)
    }

    /// Verifies everything up to a checkpoint: see [`Auditor::advance`]. `progress` is shown the replay
    /// wherever that may be saved. What was done is saved to `file` once a minute, where a state entry ends if that is soon,
    /// so that the next run resumes there if this one breaks off. Gives the sizes from and to which it went.
    ///
    /// # Errors
    /// [`InspectionError`]; the inspection is of no use then.
    pub fn advance(
        &mut self,
        source: &dyn StaticLog,
        claimed: &Claimed,
        threads: NonZeroUsize,
        file: Option<&Path>,
        mut progress: impl FnMut(&Replay),
    ) -> Result<std::ops::Range<u64>, InspectionError> {
        // Two closures write to them, one after the other.
        let kept = RefCell::new((&mut self.observations, &mut self.awards));
        let (mut saved_at, mut clock_at) = (Instant::now(), 0);
        let resume_point = &mut self.resume_point;
        let adds_awards = self.adds_awards;
        let each = |taken: &Taken<'_>, _: &State| {
            let (observations, awards) = &mut *kept.borrow_mut();
            observations.observe(taken);
            match taken.checked.entry().statement().filter(|_| adds_awards) {
                Some(Statement::Award(award)) => awards.add(taken.index, award)?,
                Some(Statement::Transfer(transfer)) => {
                    awards.add_transfer(taken.index, transfer)?;
                }
                _ => {}
            }
            Ok(())
        };
        let range = self
            .auditor
            .advance(source, claimed, threads, each, |replay| {
                let entries = replay.state().entries();
                progress(replay);
                if file.is_some() && replay.is_at_base() {
                    replay.settle().map_err(WholeError::from)?;
                    let (observations, awards) = &mut *kept.borrow_mut();
                    let point = as_saved(claimed.note(), replay, observations, awards)?;
                    *resume_point = Some(Box::new(point));
                }
                if let Some(file) = file
                    && (entries >= clock_at || replay.is_behind_state_entry())
                {
                    let since = saved_at.elapsed();
                    clock_at = entries + ENTRIES_PER_CLOCK_CHECK;
                    let is_due = match replay.is_behind_state_entry() {
                        true => since >= SAVE_INTERVAL,
                        false => since >= SAVE_INTERVAL * 2,
                    };
                    if is_due {
                        replay.settle().map_err(WholeError::from)?;
                        let (observations, awards) = &mut *kept.borrow_mut();
                        as_saved(claimed.note(), replay, observations, awards)?.write(file)?;
                        saved_at = Instant::now();
                    }
                }
                Ok::<_, InspectionError>(())
            })?;
        self.compare_attestations(source)?;
        Ok(range)
    }

    /// Holds attestations that were read against the log, each once.
    fn compare_attestations(&mut self, source: &dyn StaticLog) -> Result<(), AuditError> {
        let mut attestations = self.observations.attestations.iter_mut();
        let mut new = attestations
            .by_ref()
            .filter(|(_, said)| said.compared.is_none());
        let Some(first) = new.next() else {
            return Ok(());
        };
        let tiles = Tiles::open(source, self.auditor.replay().head().tree)?;
        for (_, said) in std::iter::once(first).chain(new) {
            said.compared = Some(said.compare(&tiles)?);
        }
        // What the next run resumes from has them too: it must not ask for entries that were replayed.
        if let Some(point) = &mut self.resume_point {
            for (index, said) in &mut point.observations.attestations {
                let known = self.observations.attestations.get(index);
                said.compared = known.and_then(|known| known.compared);
            }
        }
        Ok(())
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

    /// Which files the ledger names, as of a day.
    ///
    /// # Errors
    /// [`InspectionError::Inconsistent`].
    pub fn named_files(&self, as_of: Day) -> Result<NamedFiles, InspectionError> {
        let facts = Facts::new(self.auditor.state(), &self.observations, as_of)?;
        Ok(NamedFiles::of(&facts))
    }

    /// How much was done of plans, by the surveys that name them, and what there is to ask about.
    ///
    /// # Errors
    /// [`InspectionError::Inconsistent`].
    pub fn plans_done(
        &self,
        plans: &[PlanShown],
        as_of: Day,
    ) -> Result<(Vec<PlanRow>, Vec<Finding>), InspectionError> {
        let facts = Facts::new(self.auditor.state(), &self.observations, as_of)?;
        Ok(planned::done(&facts, plans))
    }

    /// The report, with its findings; `None` before anything was verified.
    ///
    /// # Errors
    /// [`InspectionError::Awards`] and [`InspectionError::Inconsistent`].
    pub fn report(&mut self, as_of: Day) -> Result<Option<Report>, InspectionError> {
        let facts = Facts::new(self.auditor.state(), &self.observations, as_of)?;
        let findings = findings(&facts, &mut self.awards)?;
        let vintages = vintages(&facts, &mut self.awards)?;
        Ok(Report::new(
            &self.auditor,
            &facts,
            self.resumed_at,
            findings,
            vintages,
        )?)
    }
}

fn as_saved(
    checkpoint: String,
    replay: &Replay,
    observations: &Observations,
    awards: &mut AwardRows,
) -> Result<SavedAudit, InspectionError> {
    Ok(SavedAudit {
        verified: Verified {
            checkpoint,
            state: replay.state().clone(),
            tree: replay.tree().clone(),
        },
        observations: observations.clone(),
        awards: awards.sync()?,
    })
}

/// The folder of award rows that belongs to a saved audit.
fn rows_beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".awards");
    name.into()
}
