//! The replay of one log, in rounds: the pending checkpoint, every entry up to it, the audit note, and the
//! cosignature.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::comparison::{AwaitedNote, ComparedNote, RoundEnds};
use super::evidence::{Fault, ReadLog};
use super::folder::CosigningAuditor;
use super::followed::{FindingCount, FollowedLog, NotCosigned};
use super::note_choice::NoteChoice;
use super::others::Fetched;
use super::statement::Statement;
use crate::audit::{
    AuditError, Finding, Inspection, InspectionError, SavedAuditError, Severity, StaticLog, Tiles,
};
use crate::cosign::files::listed;
use crate::crypto::SignError;
use crate::durable::{FileError, at, read_if_there, remove};
use crate::ledger::RULES_VERSION;
use crate::note::{
    AuditNote, Checkpoint, CheckpointError, KeyName, TreeHead, UnverifiedCheckpoint, VerifierKey,
};
use crate::record::{Day, TimeMs};

/// Findings are judged during about one part in this many of the time, unless a cosignature waits for them.
const JUDGE_ONE_IN: u32 = 10;
/// Saves take about one part in this many of the time: the whole state is written.
const SAVE_ONE_IN: u32 = 20;
/// No save and no judgement waits longer than that.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);

/// What a finding of severity high means for the cosignature. A finding is no violation of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFinding {
    /// It is told, and the checkpoint cosigned.
    Sign,
    /// Nothing is cosigned until the holder writes the finding's code into `accepted`.
    Stop,
    /// Nobody looks for findings, so that no awards are kept on the disk.
    Ignore,
}

impl std::str::FromStr for OnFinding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sign" => Ok(Self::Sign),
            "stop" => Ok(Self::Stop),
            "ignore" => Ok(Self::Ignore),
            _ => Err("for a finding there is sign, stop and ignore".to_owned()),
        }
    }
}

/// How rounds are done.
#[derive(Clone, Copy)]
pub struct RoundOptions {
    /// How many bundles are fetched and checked at a time.
    pub threads: NonZeroUsize,
    /// What a finding means for the cosignature.
    pub on_finding: OnFinding,
    /// Whether nothing is cosigned while another auditor's note differs, until the holder writes
    /// `auditor_note_differs:NAME` into `accepted`. It is told in any case.
    pub stops_on_difference: bool,
    /// The least time between two saves: what is lost when the process ends at some moment is replayed again.
    pub save_every: Duration,
    /// Seconds since 1970.
    pub clock: fn() -> u64,
}

/// What a round came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Round {
    /// There was nothing new.
    Nothing,
    /// Everything up to a checkpoint was replayed, and it is cosigned.
    Cosigned {
        /// Entries below the checkpoint.
        size: u64,
        /// Entries that were replayed for it.
        new: u64,
    },
    /// Everything was replayed, and the cosignature is withheld for findings of these codes.
    Withheld(Vec<String>),
    /// The log is wrong, as it was found now or before.
    Faulty(String),
    /// What was saved can't be continued, for this reason: the next round replays from the first entry, or from the
    /// state with which the replay began.
    BeginsAnew(String),
}

/// A round that did not end. That says nothing of the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoundError {
    /// The replay.
    #[error(transparent)]
    Replay(#[from] InspectionError),
    /// A checkpoint that the log showed.
    #[error("the log's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// No key of the log that is listed signed the checkpoint.
    #[error(
        "the log's checkpoint is not signed by a key that is listed for it: get the key in force from the programme, and add it to the file of logs"
    )]
    OtherKey,
    /// The state with which an auditor of the entries since a number began.
    #[error(
        "the state with which this auditor began can't be used: {0}. Put it back from a backup, or begin another auditor with keys of its own"
    )]
    Beginning(String),
    /// The root of the state for a note.
    #[error("no audit note: {0}")]
    Note(String),
    /// It is not cosigned.
    #[error("not cosigned: {0}")]
    NotCosigned(String),
    /// A file of the auditor.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<SignError> for RoundError {
    fn from(error: SignError) -> Self {
        Self::NotCosigned(error.to_string())
    }
}

impl From<AuditError> for RoundError {
    fn from(error: AuditError) -> Self {
        Self::Replay(error.into())
    }
}

impl From<NotCosigned> for RoundError {
    fn from(error: NotCosigned) -> Self {
        match error {
            NotCosigned::File(error) => Self::File(error),
            error => Self::NotCosigned(error.to_string()),
        }
    }
}

/// What a question to the log for its checkpoint came to.
enum Asked {
    /// It extends the pending one, which it now is, or is that, or an older one.
    Taken,
    /// The replay is not at the pending one yet, and only from there can another one be told to extend that.
    Behind,
    /// The log is wrong, or what was saved can't be continued.
    Found(Round),
}

/// Replays one log of an auditor.
pub struct Replayer<'a> {
    auditor: &'a CosigningAuditor,
    log: &'a FollowedLog,
    options: RoundOptions,
    /// The replay, and the log's key by which it goes.
    inspection: Option<(VerifierKey, Inspection)>,
    choice: Option<NoteChoice>,
    /// Notes of other auditors that wait until the replay has passed their sizes.
    awaited: BTreeMap<KeyName, (AwaitedNote, Fetched)>,
    ends: RoundEnds,
    judge_after: Option<Instant>,
    save_after: Option<Instant>,
}

impl<'a> Replayer<'a> {
    /// A replay of one of the auditor's logs, from where it was saved. One that does not begin with the first
    /// entry knows too little to look for findings.
    pub fn new(
        auditor: &'a CosigningAuditor,
        log: &'a FollowedLog,
        mut options: RoundOptions,
    ) -> Self {
        if let Statement::Since(_) = auditor.statement() {
            options.on_finding = OnFinding::Ignore;
        }
        Self {
            auditor,
            log,
            options,
            inspection: None,
            choice: None,
            awaited: BTreeMap::new(),
            ends: RoundEnds::default(),
            judge_after: None,
            save_after: None,
        }
    }

    /// Asks the log for its checkpoint, which becomes the pending one if it extends that, then does a round.
    ///
    /// # Errors
    /// [`RoundError`].
    pub fn ask_and_round(&mut self, source: &dyn StaticLog) -> Result<Round, RoundError> {
        if self.log.fault().is_some() {
            return self.round(source);
        }
        let mut asked = self.ask(source);
        let mut before = Round::Nothing;
        if let Ok(Asked::Behind) = asked {
            before = self.round(source)?;
            if !matches!(before, Round::Nothing | Round::Cosigned { .. }) {
                return Ok(before);
            }
            asked = self.ask(source);
        }
        if let Ok(Asked::Found(Round::BeginsAnew(why))) = asked {
            return Ok(Round::BeginsAnew(why));
        }
        // What is pending is replayed whether or not the log showed something else.
        let round = self.round(source)?;
        match asked {
            Ok(Asked::Found(found)) => Ok(found),
            Ok(Asked::Taken | Asked::Behind) => Ok(match round {
                Round::Nothing => before,
                round => round,
            }),
            Err(error) => {
                self.log.set_trouble(Some(error.to_string()));
                Err(error)
            }
        }
    }

    /// Replays up to the pending checkpoint, and cosigns it.
    ///
    /// # Errors
    /// [`RoundError`]; the next round goes on from what was saved.
    pub fn round(&mut self, source: &dyn StaticLog) -> Result<Round, RoundError> {
        let done = self.try_round(source);
        let trouble = done.as_ref().err().map(RoundError::to_string);
        self.log.set_trouble(trouble);
        let amid = |(_, inspection): &(_, Inspection)| !inspection.is_settled();
        if done.is_err() && self.inspection.as_ref().is_some_and(amid) {
            // It is resumed from what was saved; its award rows can be held once only.
            self.forget();
        }
        done
    }

    fn forget(&mut self) {
        self.inspection = None;
        self.choice = None;
        self.ends = RoundEnds::default();
        for (awaited, fetched) in self.awaited.values_mut() {
            *awaited = AwaitedNote::new(fetched.note.clone());
        }
    }

    fn ask(&mut self, source: &dyn StaticLog) -> Result<Asked, RoundError> {
        let note = source.checkpoint().map_err(AuditError::from)?;
        let shown = UnverifiedCheckpoint::parse(&note)?;
        let key = self.key_of(&shown)?;
        let before = self.log.pending().map(|pending| pending.head());
        let checkpoint = shown.verify(&key)?;
        let read = ReadLog::new(source, note, &self.log.tile_bytes_read);
        if let Some(begins_anew) = self.resume(&key)? {
            return Ok(Asked::Found(begins_anew));
        }
        let Some((_, inspection)) = &mut self.inspection else {
            return Ok(Asked::Behind);
        };
        // Only against the pending one is it known to extend that. What is pending is replayed first.
        let target = inspection.auditor().target().cloned();
        let size = |head: Option<TreeHead>| head.map_or(0, |head| head.size);
        if target.as_ref().map(Checkpoint::head) != before {
            // A pending one that was lost: the saved replay was towards a newer one.
            if let Some(target) = target.filter(|target| target.head().size > size(before)) {
                self.log.put_shown(before, &target)?;
            }
            return Ok(Asked::Behind);
        }
        match inspection.fetch_checkpoint(&read) {
            Ok(_) => {
                self.log.put_shown(before, &checkpoint)?;
                Ok(Asked::Taken)
            }
            // A copy that lags: nothing of it contradicts what is pending.
            Err(InspectionError::Audit(AuditError::Older { .. })) => Ok(Asked::Taken),
            Err(InspectionError::Audit(error)) if Fault::is_shown_by(&error) => {
                let fault = Fault::gather(&error, &checkpoint.to_string(), &read);
                self.fault(fault).map(Asked::Found)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn try_round(&mut self, source: &dyn StaticLog) -> Result<Round, RoundError> {
        if let Some(fault) = self.log.fault() {
            self.log.note_fault_again()?;
            self.forget();
            return Ok(Round::Faulty(fault));
        }
        let Some(pending) = self.log.pending() else {
            return Ok(Round::Nothing);
        };
        // A replay at hand that is behind goes on: only from the pending one can the log be asked for more.
        let is_here = self.inspection.is_none() || self.replayed_head() == Some(pending.head());
        if self.log.is_cosigned(pending.head()) && is_here {
            let note = pending.to_string().into_bytes();
            let read = ReadLog::new(source, note, &self.log.tile_bytes_read);
            if let Some(withheld) = self.compare(&read)? {
                return Ok(Round::Withheld(withheld));
            }
            self.log.set_withheld(Vec::new());
            // Nothing is replayed for a fresh time.
            let now_s = (self.options.clock)();
            let fresh = self.log.cosign(self.auditor, &pending, now_s)?;
            let size = pending.head().size;
            return Ok(match fresh {
                true => Round::Cosigned { size, new: 0 },
                false => Round::Nothing,
            });
        }
        let key = self.key_of(&pending.clone().into())?;
        if let Some(begins_anew) = self.resume(&key)? {
            return Ok(begins_anew);
        }
        let note = pending.to_string();
        let read = ReadLog::new(source, note.clone().into_bytes(), &self.log.tile_bytes_read);
        self.compare(&read)?;
        let new = match self.replay(&read) {
            Ok(new) => new,
            Err(RoundError::Replay(InspectionError::Audit(error)))
                if Fault::is_shown_by(&error) =>
            {
                let fault = Fault::gather(&error, &note, &read);
                return self.fault(fault);
            }
            Err(RoundError::Replay(InspectionError::Audit(error @ AuditError::Saved(_)))) => {
                return self.begin_anew(error.to_string());
            }
            Err(error) => return Err(error),
        };
        let state_file = self.state_file();
        let Some((_, inspection)) = &mut self.inspection else {
            return Ok(Round::Nothing);
        };
        // State entries of fewer entries are no part of the statement.
        let since = self.auditor.statement().since();
        let unheld = inspection.auditor().replay().unheld();
        if let Some(state) = unheld.iter().find(|state| state.size >= since) {
            let why = format!(
                "the state entry {} speaks of {} entries, before the saved state",
                state.index, state.size
            );
            return self.begin_anew(why);
        }
        if self.save_after.is_none_or(|at| Instant::now() >= at) {
            let begun = Instant::now();
            inspection.save(&state_file)?;
            let rest = begun.elapsed().saturating_mul(SAVE_ONE_IN);
            let rest = rest.max(self.options.save_every).min(PAUSE_MAX);
            self.save_after = Some(Instant::now() + rest);
        }
        // Both are looked at, so that both are told.
        let mut withheld = self.judge()?.unwrap_or_default();
        withheld.extend(self.compare(&read)?.unwrap_or_default());
        if !withheld.is_empty() {
            self.log.set_withheld(withheld.clone());
            return Ok(Round::Withheld(withheld));
        }
        let now_s = (self.options.clock)();
        self.log.cosign(self.auditor, &pending, now_s)?;
        self.note()?;
        Ok(Round::Cosigned {
            size: new.end,
            new: new.end - new.start,
        })
    }

    fn state_file(&self) -> PathBuf {
        let has_awards = self.options.on_finding != OnFinding::Ignore;
        self.log.state_file(has_awards)
    }

    fn replayed_head(&self) -> Option<TreeHead> {
        let (_, inspection) = self.inspection.as_ref()?;
        inspection.auditor().last().map(Checkpoint::head)
    }

    /// The listed key of the log that a checkpoint names.
    fn key_of(&self, checkpoint: &UnverifiedCheckpoint) -> Result<VerifierKey, RoundError> {
        let keys = self.log.keys();
        // The one that was listed last: who lists a second key does so because the first is replaced.
        let named = keys.iter().rev().find(|key| checkpoint.note().names(key));
        named.cloned().ok_or(RoundError::OtherKey)
    }

    /// Has the replay at hand that goes by this key; says if what was saved can't be continued.
    fn resume(&mut self, key: &VerifierKey) -> Result<Option<Round>, RoundError> {
        if self.inspection.as_ref().is_some_and(|(by, _)| by == key) {
            return Ok(None);
        }
        self.forget();
        let file = self.saved_file()?;
        match Inspection::resume(key.clone(), &file) {
            Ok(mut inspection) => {
                if self.options.on_finding == OnFinding::Ignore {
                    inspection.leave_awards_out();
                }
                let entries = inspection.auditor().state().entries();
                self.log.replayed.store(entries, Ordering::Relaxed);
                self.ends.keep(inspection.auditor().replay());
                self.inspection = Some((key.clone(), inspection));
                Ok(None)
            }
            // It can be made again: of other rules, or damaged.
            Err(InspectionError::Saved(error @ SavedAuditError::Unusable(..))) => {
                self.begin_anew(error.to_string()).map(Some)
            }
            Err(InspectionError::Audit(error @ AuditError::Saved(_))) => {
                self.begin_anew(error.to_string()).map(Some)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn begin_anew(&mut self, why: String) -> Result<Round, RoundError> {
        self.forget();
        let file = self.state_file();
        match (is_there(&file)?, self.auditor.statement()) {
            (true, _) => remove(&file)?,
            (false, Statement::Full) => {}
            // There is nothing before the beginning to begin with.
            (false, Statement::Since(_)) => return Err(RoundError::Beginning(why)),
        }
        Ok(Round::BeginsAnew(why))
    }

    /// What a replay goes on from: where it was saved, or the state with which it began.
    fn saved_file(&self) -> Result<PathBuf, RoundError> {
        let file = self.state_file();
        match self.auditor.statement() {
            Statement::Full => Ok(file),
            Statement::Since(_) if is_there(&file)? => Ok(file),
            Statement::Since(_) => {
                let beginning = self.log.beginning_file();
                match is_there(&beginning)? {
                    true => Ok(beginning),
                    false => Err(RoundError::Beginning("its file is not there".to_owned())),
                }
            }
        }
    }

    fn fault(&mut self, fault: Fault) -> Result<Round, RoundError> {
        let what = fault.what.clone();
        self.log.found_wrong(fault)?;
        self.forget();
        Ok(Round::Faulty(what))
    }

    fn replay(&mut self, read: &ReadLog<'_>) -> Result<std::ops::Range<u64>, RoundError> {
        let file = self.state_file();
        let Some((_, inspection)) = &mut self.inspection else {
            return Ok(0..0);
        };
        let claimed = inspection.fetch_checkpoint(read)?;
        let from = inspection.auditor().state().entries();
        let to = claimed.head().size;
        let choice = match &mut self.choice {
            Some(choice) => choice,
            none => {
                let noted = self.log.note_size().max(from).min(to);
                let origin = self.log.origin();
                let key = self.auditor.notes_key();
                none.insert(NoteChoice::between(origin, key, noted, to)?)
            }
        };
        let (log, threads) = (self.log, self.options.threads);
        let awaited = &mut self.awaited;
        let mut told = from;
        let advanced = inspection.advance(read, &claimed, threads, Some(&file), |replay| {
            choice.look(replay);
            awaited.values_mut().for_each(|(it, _)| it.look(replay));
            let entries = replay.state().entries();
            log.replayed.store(entries, Ordering::Relaxed);
            let new = entries.saturating_sub(told);
            log.entries_replayed.fetch_add(new, Ordering::Relaxed);
            told = entries;
        });
        Ok(advanced?)
    }

    /// Judges findings if it is time to; gives those for which the cosignature is withheld.
    fn judge(&mut self) -> Result<Option<Vec<String>>, RoundError> {
        let stops = self.options.on_finding == OnFinding::Stop;
        if self.options.on_finding == OnFinding::Ignore {
            return Ok(None);
        }
        let is_due = stops || self.judge_after.is_none_or(|at| Instant::now() >= at);
        let Some((_, inspection)) = self.inspection.as_mut().filter(|_| is_due) else {
            return Ok(None);
        };
        let begun = Instant::now();
        let now_ms = (self.options.clock)().saturating_mul(1000);
        let findings = inspection.findings(Day::of(TimeMs(now_ms)))?;
        let rest = begun.elapsed().saturating_mul(JUDGE_ONE_IN);
        self.judge_after = Some(Instant::now() + rest.min(PAUSE_MAX));
        let accepted = match stops {
            true => accepted(&self.log.accepted_file())?,
            false => Vec::new(),
        };
        let grave = |finding: &&Finding| {
            stops
                && finding.severity == Severity::High
                && !accepted.iter().any(|code| code == finding.code)
        };
        let withheld = findings.iter().filter(grave);
        let withheld: Vec<String> = withheld.map(|finding| finding.code.to_owned()).collect();
        let counts = findings.iter().map(|finding| FindingCount {
            code: finding.code,
            severity: finding.severity.name(),
            count: finding.count,
        });
        self.log.set_findings(counts.collect(), withheld.clone());
        Ok((!withheld.is_empty()).then_some(withheld))
    }

    /// Compares notes of other auditors with this replay, as far as it has come; gives the differences for which the
    /// cosignature is withheld.
    fn compare(&mut self, read: &ReadLog<'_>) -> Result<Option<Vec<String>>, RoundError> {
        let mut verdicts = Vec::new();
        if let Some((_, inspection)) = &self.inspection
            && inspection.is_settled()
        {
            let replay = inspection.auditor().replay();
            let entries = replay.state().entries();
            let awaited = &mut self.awaited;
            for (name, fetched) in self.log.take_fetched(|name| awaited.contains_key(name)) {
                let note = &fetched.note;
                if note.head.size >= entries {
                    let mut waits = AwaitedNote::new(note.clone());
                    waits.look(replay);
                    let why = "this replay has not come to the size of its note".to_owned();
                    self.log.set_compared(&name, 0, "waiting", why);
                    awaited.insert(name, (waits, fetched));
                    continue;
                }
                let head = TreeHead::of(replay.tree());
                let tiles = Tiles::open(read, head).map_err(AuditError::from)?;
                let compared = self.ends.compare(note, &tiles, self.options.threads);
                verdicts.push((name, fetched, compared));
            }
            let ready = awaited.iter().filter_map(|(name, (waits, fetched))| {
                let verdict = waits.verdict(replay).transpose()?;
                Some((name.clone(), fetched.clone(), verdict))
            });
            verdicts.extend(ready.collect::<Vec<_>>());
            self.ends.keep(replay);
        }
        for (name, fetched, verdict) in verdicts {
            self.awaited.remove(&name);
            self.conclude(&name, &fetched, verdict)?;
        }
        let accepted = accepted(&self.log.accepted_file())?;
        let differences = self.log.differences_but(&accepted);
        let withholds = self.options.stops_on_difference && !differences.is_empty();
        if withholds {
            self.log.set_withheld(differences.clone());
        }
        Ok(withholds.then_some(differences))
    }

    /// Says what a comparison came to, and keeps the evidence of a difference.
    fn conclude(
        &self,
        name: &KeyName,
        theirs: &Fetched,
        verdict: Result<ComparedNote, String>,
    ) -> Result<(), RoundError> {
        let size = theirs.note.head.size;
        let (outcome, why) = match verdict {
            Ok(ComparedNote::Same) => ("same", String::new()),
            Ok(ComparedNote::MayBeCopied) => {
                let why = "a state entry says the root of its note: it may be copied";
                ("may_be_copied", why.to_owned())
            }
            Ok(ComparedNote::Impossible(why)) => ("cannot_compare", why.to_owned()),
            Err(why) => ("cannot_compare", why),
            Ok(ComparedNote::Differs {
                head,
                state_root,
                what,
            }) => {
                let ours = AuditNote {
                    origin: self.log.origin().clone(),
                    head,
                    rules_version: RULES_VERSION,
                    state_root,
                };
                let key = self.auditor.notes_key();
                let ours = ours.try_sign(self.auditor.notes_vkey().name(), key)?;
                self.log.differs(name, &what, theirs, &ours)?;
                ("differs", what)
            }
        };
        self.log.set_compared(name, size, outcome, why);
        Ok(())
    }

    fn note(&mut self) -> Result<(), RoundError> {
        let (Some((_, inspection)), Some(choice)) = (&self.inspection, &self.choice) else {
            return Ok(());
        };
        let replay = inspection.auditor().replay();
        let note = choice.note(self.log.origin(), replay);
        if let Some(note) = note.map_err(RoundError::Note)? {
            self.log.put_note(self.auditor, &note)?;
            self.choice = None;
        }
        Ok(())
    }
}

fn is_there(file: &Path) -> Result<bool, FileError> {
    file.try_exists().map_err(at(file))
}

/// The codes of findings that the holder accepted, one a line.
fn accepted(file: &Path) -> Result<Vec<String>, FileError> {
    let text = read_if_there(file)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    Ok(listed(&text).map(|(_, code)| code.to_owned()).collect())
}
