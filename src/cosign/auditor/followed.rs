//! One log that is audited: what it was shown, what was cosigned, and what is wrong with it. Noted durably
//! before anybody is told.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::evidence::Fault;
use super::folder::{AuditorError, CosigningAuditor, LogLines, beginning_file};
use super::others::{Difference, Fetched, Other, OtherAuditor, OtherStatus};
use crate::cosign::request::{AddCheckpoint, RequestError};
use crate::cosign::watched::{LogRefusal, WatchedLog};
use crate::cosign::witness::hash_of;
use crate::durable::{FileError, make_folders, read_if_there, replace};
use crate::note::{
    AuditNote, Checkpoint, CheckpointError, CosignError, Cosignature, KeyName, TreeHead,
    UnverifiedCheckpoint, VerifierKey,
};

/// The least time between two cosignatures of one head: each is written to the disk, and anybody may ask.
const FRESH_EVERY_S: u64 = 60;

/// Why a checkpoint is not taken as pending.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditorRefusal {
    /// It is no request.
    #[error(transparent)]
    Request(RequestError),
    /// What it has is no checkpoint that can be audited.
    #[error(transparent)]
    Checkpoint(CheckpointError),
    /// The log is not audited.
    #[error("this auditor does not audit the log {0}")]
    UnknownLog(KeyName),
    /// The checkpoint does not extend the pending one.
    #[error(transparent)]
    Log(LogRefusal),
    /// The log is wrong.
    #[error(
        "this auditor found this log wrong and takes nothing more of it; its status says what was found"
    )]
    Faulty,
    /// It could not be noted: it is not pending.
    #[error("the auditor can't note it: {0}")]
    NotNoted(FileError),
}

/// A finding that the entries give (docs/audit.md), and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingCount {
    /// Its code.
    pub code: &'static str,
    /// Its severity.
    pub severity: &'static str,
    /// How many cases there are.
    pub count: u64,
}

/// Where an auditor stands with a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogStatus {
    /// The log's origin.
    pub origin: String,
    /// SHA-256 of the origin, in hexadecimal digits.
    pub origin_hash: String,
    /// Entries of the newest checkpoint that it was shown.
    pub pending: u64,
    /// Entries of the newest checkpoint that it cosigned.
    pub cosigned: u64,
    /// When it cosigned that last, in seconds since 1970.
    pub cosigned_at_s: u64,
    /// Entries that were shown and are not cosigned.
    pub lag_entries: u64,
    /// Entries that are replayed, also such as are not cosigned yet.
    pub replayed: u64,
    /// Entries that the newest audit note is of.
    pub note: u64,
    /// What is wrong with the log: nothing of it is cosigned any more.
    pub fault: Option<String>,
    /// Why the last round did not end. That says nothing of the log.
    pub trouble: Option<String>,
    /// Codes of findings for which the cosignature is withheld.
    pub withheld: Vec<String>,
    /// What there is to ask about, as of the last time that findings were judged.
    pub findings: Vec<FindingCount>,
    /// Other auditors whose notes are compared.
    pub others: Vec<OtherStatus>,
    /// Entries that this process replayed.
    pub entries_replayed: u64,
    /// Bytes of tiles that this process read, as they are without compression.
    pub tile_bytes_read: u64,
}

/// A log that is audited.
pub struct FollowedLog {
    origin: KeyName,
    origin_hash: String,
    keys: Vec<VerifierKey>,
    url: String,
    dir: PathBuf,
    shown: Mutex<Shown>,
    /// Something was shown that the replay should look at.
    changed: Condvar,
    /// How far the replay has come.
    pub(super) replayed: AtomicU64,
    pub(super) entries_replayed: AtomicU64,
    pub(super) tile_bytes_read: AtomicU64,
}

/// What is guarded by the lock: what is in the files, and what the status says beside them.
struct Shown {
    /// The log with its pending head.
    log: WatchedLog,
    pending: Option<Checkpoint>,
    cosigned: Option<Checkpoint>,
    cosigned_at_s: u64,
    /// Somebody asks for a fresh time.
    fresh_wanted: bool,
    note: Option<(u64, String)>,
    fault: Option<Fault>,
    /// Whether the fault is in its file.
    fault_noted: bool,
    trouble: Option<String>,
    withheld: Vec<String>,
    findings: Vec<FindingCount>,
    others: Vec<Other>,
    differences: Vec<Difference>,
}

/// Why something is not cosigned.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotCosigned {
    #[error("a fault of the log was found")]
    Faulty,
    #[error("{size} entries were finished, and {before} were cosigned before")]
    Smaller { size: u64, before: u64 },
    #[error(transparent)]
    Unsigned(#[from] CosignError),
    #[error(transparent)]
    File(#[from] FileError),
}

impl FollowedLog {
    pub(super) fn open(
        dir: &Path,
        vkey: &VerifierKey,
        origin: KeyName,
        lines: LogLines,
        others: &[OtherAuditor],
    ) -> Result<Self, AuditorError> {
        for folder in ["pending", "cosigned", "notes", "faults", "differences"] {
            make_folders(&dir.join(folder))?;
        }
        let mut log = WatchedLog::new(origin.clone());
        for key in &lines.keys {
            log.add_key(key.clone());
        }
        let origin_hash = hash_of(&origin);
        let read = |folder: &str| {
            let path = dir.join(folder).join(&origin_hash);
            let bytes = read_if_there(&path)?;
            Ok::<_, AuditorError>(bytes.map(|bytes| (path, bytes)))
        };
        let checkpoint = |folder: &str| {
            let Some((path, bytes)) = read(folder)? else {
                return Ok(None);
            };
            let damaged = |why: String| AuditorError::Damaged {
                path: path.clone(),
                why,
            };
            let read = UnverifiedCheckpoint::parse(&bytes);
            let read = read.map_err(|error| damaged(error.to_string()))?;
            if *read.origin() != origin {
                return Err(damaged(format!("it is of {}", read.origin())));
            }
            // The log's keys may have changed since: its own lines were verified when it was noted.
            Ok(Some((path.clone(), read.cosigned())))
        };
        let cosigned = match checkpoint("cosigned")? {
            None => None,
            Some((path, cosigned)) => {
                let at = Cosignature::verify(&cosigned, vkey);
                let at = at.map_err(|error| AuditorError::Damaged {
                    path,
                    why: error.to_string(),
                })?;
                Some((cosigned, at.seen_at_s))
            }
        };
        let cosigned_at_s = cosigned.as_ref().map_or(0, |(_, at_s)| *at_s);
        let cosigned = cosigned.map(|(checkpoint, _)| checkpoint);
        let mut pending = checkpoint("pending")?;
        if let Some(cosigned) = &cosigned {
            let least = cosigned.head();
            match &pending {
                // A file that is lost costs nothing: the log shows its checkpoint again.
                None => pending = Some((PathBuf::new(), cosigned.alone())),
                Some((path, shown))
                    if shown.head().size < least.size
                        || (shown.head().size == least.size && shown.head() != least) =>
                {
                    return Err(AuditorError::Damaged {
                        path: path.clone(),
                        why: format!(
                            "it has {} entries, and {} were cosigned, or their roots differ",
                            shown.head().size,
                            least.size
                        ),
                    });
                }
                Some(_) => {}
            }
        }
        let pending = pending.map(|(_, checkpoint)| checkpoint);
        if let Some(pending) = &pending {
            log.set_latest(pending.head());
        }
        let note = read("notes")?.and_then(|(_, bytes)| {
            let text = String::from_utf8(bytes).ok()?;
            let size = text.lines().nth(2)?.parse().ok()?;
            Some((size, text))
        });
        let fault = read("faults")?.map(|(_, bytes)| Fault {
            what: String::from_utf8_lossy(&bytes).trim().to_owned(),
            checkpoints: Vec::new(),
            log: Default::default(),
        });
        let differences = read("differences")?.map(|(_, bytes)| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            text.lines().filter_map(Difference::read).collect()
        });
        let differences: Vec<Difference> = differences.unwrap_or_default();
        Ok(Self {
            origin,
            origin_hash,
            keys: lines.keys,
            url: lines.url,
            dir: dir.to_owned(),
            shown: Mutex::new(Shown {
                log,
                pending,
                cosigned,
                cosigned_at_s,
                fresh_wanted: false,
                note,
                fault_noted: fault.is_some(),
                fault,
                trouble: None,
                withheld: Vec::new(),
                findings: Vec::new(),
                others: others.iter().map(Other::new).collect(),
                differences,
            }),
            changed: Condvar::new(),
            replayed: AtomicU64::new(0),
            entries_replayed: AtomicU64::new(0),
            tile_bytes_read: AtomicU64::new(0),
        })
    }

    /// The log's origin.
    pub fn origin(&self) -> &KeyName {
        &self.origin
    }

    /// SHA-256 of the origin, in hexadecimal digits: the log's part of addresses (c2sp.org/tlog-mirror).
    pub fn origin_hash(&self) -> &str {
        &self.origin_hash
    }

    /// Where the log's files are.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The newest checkpoint that was cosigned, with the cosignature.
    pub fn cosigned(&self) -> Option<String> {
        let shown = self.shown();
        shown.cosigned.as_ref().map(Checkpoint::to_string)
    }

    /// The checkpoint that somebody else cosigned, which vouches for the state with which the replay began.
    pub fn beginning(&self) -> Option<String> {
        let file = self.beginning_file().with_extension("checkpoint");
        String::from_utf8(read_if_there(&file).ok()??).ok()
    }

    /// The newest audit note.
    pub fn note(&self) -> Option<String> {
        let shown = self.shown();
        shown.note.as_ref().map(|(_, note)| note.clone())
    }

    /// What is wrong with the log, if that was found.
    pub fn fault(&self) -> Option<String> {
        let shown = self.shown();
        shown.fault.as_ref().map(|fault| fault.what.clone())
    }

    /// The folder of the evidence against the log.
    pub fn evidence_folder(&self) -> PathBuf {
        self.dir.join("evidence").join(&self.origin_hash)
    }

    /// Where the auditor stands.
    pub fn status(&self) -> LogStatus {
        let shown = self.shown();
        let size = |checkpoint: &Option<Checkpoint>| {
            let head = checkpoint.as_ref().map(Checkpoint::head);
            head.map_or(0, |head| head.size)
        };
        let (pending, cosigned) = (size(&shown.pending), size(&shown.cosigned));
        LogStatus {
            origin: self.origin.to_string(),
            origin_hash: self.origin_hash.clone(),
            pending,
            cosigned,
            cosigned_at_s: shown.cosigned_at_s,
            lag_entries: pending.saturating_sub(cosigned),
            replayed: self.replayed.load(Ordering::Relaxed),
            note: shown.note.as_ref().map_or(0, |(size, _)| *size),
            fault: shown.fault.as_ref().map(|fault| fault.what.clone()),
            trouble: shown.trouble.clone(),
            withheld: shown.withheld.clone(),
            findings: shown.findings.clone(),
            others: shown.others.iter().map(|it| it.status.clone()).collect(),
            entries_replayed: self.entries_replayed.load(Ordering::Relaxed),
            tile_bytes_read: self.tile_bytes_read.load(Ordering::Relaxed),
        }
    }

    /// Waits until something is shown that is not cosigned, or somebody asks for a fresh time, at most this
    /// long.
    pub fn wait(&self, at_most: Duration) {
        let nothing_new = |shown: &mut Shown| {
            let pending = shown.pending.as_ref().map(Checkpoint::head);
            let is_cosigned = pending == shown.cosigned.as_ref().map(Checkpoint::head);
            shown.fault.is_some()
                || shown.trouble.is_some()
                || !shown.withheld.is_empty()
                || (is_cosigned && !shown.fresh_wanted)
        };
        let shown = self.shown();
        // What comes of the wait is looked at in the next round.
        drop(self.changed.wait_timeout_while(shown, at_most, nothing_new));
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        // A thread that panicked left it as the files are: each change comes after that of its file.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }

    /// Where the replay is saved. One without award rows has a file of its own: it can't be continued with them.
    pub(super) fn state_file(&self, has_awards: bool) -> PathBuf {
        self.file(match has_awards {
            true => "state",
            false => "state-without-awards",
        })
    }

    /// Where the state is with which the replay of an auditor begins that does not begin with the first entry.
    pub(super) fn beginning_file(&self) -> PathBuf {
        beginning_file(&self.dir, &self.origin)
    }

    pub(super) fn accepted_file(&self) -> PathBuf {
        self.dir.join("accepted")
    }

    fn file(&self, folder: &str) -> PathBuf {
        self.dir.join(folder).join(&self.origin_hash)
    }

    pub(super) fn pending(&self) -> Option<Checkpoint> {
        self.shown().pending.clone()
    }

    pub(super) fn is_cosigned(&self, head: TreeHead) -> bool {
        let shown = self.shown();
        shown.cosigned.as_ref().map(Checkpoint::head) == Some(head)
    }

    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        self.shown().trouble = trouble;
    }

    pub(super) fn set_findings(&self, findings: Vec<FindingCount>, withheld: Vec<String>) {
        let mut shown = self.shown();
        shown.findings = findings;
        shown.withheld = withheld;
    }

    pub(super) fn set_withheld(&self, withheld: Vec<String>) {
        self.shown().withheld = withheld;
    }

    /// Takes a checkpoint as pending that somebody sent.
    pub(super) fn add_pending(&self, request: &AddCheckpoint) -> Result<(), AuditorRefusal> {
        // What never changes is asked before the lock is held for long.
        let keys = {
            let shown = self.shown();
            if shown.fault.is_some() {
                return Err(AuditorRefusal::Faulty);
            }
            shown.log.clone()
        };
        let checkpoint = keys.check_signed(request)?;
        let mut shown = self.shown();
        if shown.fault.is_some() {
            return Err(AuditorRefusal::Faulty);
        }
        if let Err(refusal) = shown.log.check_extends(request, &checkpoint) {
            if let (LogRefusal::OtherRoot { size }, Some(pending)) = (&refusal, &shown.pending) {
                let (before, now) = (pending.to_string(), checkpoint.alone().to_string());
                let fault = Fault::two_roots(before, now, *size);
                self.fail(&mut shown, fault)
                    .map_err(AuditorRefusal::NotNoted)?;
            }
            return Err(refusal.into());
        }
        if shown.log.latest() == Some(checkpoint.head()) {
            shown.fresh_wanted = true;
        } else {
            let pending = checkpoint.alone();
            self.put_pending(&mut shown, pending)
                .map_err(AuditorRefusal::NotNoted)?;
        }
        drop(shown);
        self.changed.notify_all();
        Ok(())
    }

    /// Takes a checkpoint as pending that the log showed, and that was found to extend `before`, the pending one
    /// then. If another one came meanwhile, it is asked again.
    pub(super) fn put_shown(
        &self,
        before: Option<TreeHead>,
        checkpoint: &Checkpoint,
    ) -> Result<(), FileError> {
        let mut shown = self.shown();
        if shown.log.latest() != before || shown.fault.is_some() {
            return Ok(());
        }
        if before == Some(checkpoint.head()) {
            shown.fresh_wanted = true;
            return Ok(());
        }
        self.put_pending(&mut shown, checkpoint.alone())
    }

    fn put_pending(&self, shown: &mut Shown, pending: Checkpoint) -> Result<(), FileError> {
        replace(&self.file("pending"), pending.to_string().as_bytes())?;
        shown.log.set_latest(pending.head());
        shown.pending = Some(pending);
        Ok(())
    }

    /// The log is wrong: nothing of it is cosigned from here on, whatever becomes of the files.
    pub(super) fn found_wrong(&self, fault: Fault) -> Result<(), FileError> {
        let mut shown = self.shown();
        self.fail(&mut shown, fault)
    }

    fn fail(&self, shown: &mut Shown, fault: Fault) -> Result<(), FileError> {
        if shown.fault.is_none() {
            shown.fault = Some(fault);
        }
        self.note_fault(shown)
    }

    /// Notes a fault that could not be noted before, as on a full disk.
    pub(super) fn note_fault_again(&self) -> Result<(), FileError> {
        self.note_fault(&mut self.shown())
    }

    fn note_fault(&self, shown: &mut Shown) -> Result<(), FileError> {
        if let Some(fault) = &shown.fault
            && !shown.fault_noted
        {
            // The evidence first: a fault that is noted has its evidence.
            fault.write_into(&self.evidence_folder())?;
            replace(&self.file("faults"), format!("{}\n", fault.what).as_bytes())?;
            shown.fault_noted = true;
        }
        Ok(())
    }

    /// Cosigns a checkpoint of which everything was replayed. It is on the disk before anybody sees it. Gives
    /// whether there is a new cosignature: of the same head there is one a minute at most.
    pub(super) fn cosign(
        &self,
        auditor: &CosigningAuditor,
        finished: &Checkpoint,
        now_s: u64,
    ) -> Result<bool, NotCosigned> {
        let mut shown = self.shown();
        if shown.fault.is_some() {
            return Err(NotCosigned::Faulty);
        }
        if let Some(before) = &shown.cosigned {
            let (head, before) = (finished.head(), before.head());
            if head.size < before.size || (head.size == before.size && head != before) {
                return Err(NotCosigned::Smaller {
                    size: head.size,
                    before: before.size,
                });
            }
            if head == before
                && (!shown.fresh_wanted
                    || now_s < shown.cosigned_at_s.saturating_add(FRESH_EVERY_S))
            {
                shown.fresh_wanted = false;
                return Ok(false);
            }
        }
        // A time of 0 is none, and one before the last would contradict what was said then.
        let at_s = now_s.max(shown.cosigned_at_s).max(1);
        let mut signed = finished.alone();
        auditor.cosign(&mut signed, at_s)?;
        replace(&self.file("cosigned"), signed.to_string().as_bytes())?;
        shown.cosigned = Some(signed);
        shown.cosigned_at_s = at_s;
        shown.fresh_wanted = false;
        shown.withheld.clear();
        Ok(true)
    }

    pub(super) fn put_note(
        &self,
        auditor: &CosigningAuditor,
        note: &AuditNote,
    ) -> Result<(), NotCosigned> {
        let signed = note
            .try_sign(auditor.notes_vkey().name(), auditor.notes_key())
            .map_err(CosignError::from)?;
        let mut shown = self.shown();
        replace(&self.file("notes"), signed.as_bytes())?;
        shown.note = Some((note.head.size, signed));
        Ok(())
    }

    /// Takes in what another auditor answered when it was asked for its note of this log.
    pub fn take_other(&self, other: &OtherAuditor, answer: Result<Option<Vec<u8>>, String>) {
        let mut shown = self.shown();
        let mut others = shown.others.iter_mut();
        if let Some(known) = others.find(|known| known.auditor == *other) {
            known.take(&self.origin, answer);
        }
    }

    /// Notes of others that were fetched and not compared, but of those that are busy with one.
    pub(super) fn take_fetched(
        &self,
        is_busy: impl Fn(&KeyName) -> bool,
    ) -> Vec<(KeyName, Fetched)> {
        let mut shown = self.shown();
        let free = shown.others.iter_mut();
        let free = free.filter(|it| !is_busy(it.auditor.vkey.name()));
        free.filter_map(|it| {
            let fetched = it.fetched.take()?;
            it.looked_at = fetched.note.head.size;
            Some((it.auditor.vkey.name().clone(), fetched))
        })
        .collect()
    }

    /// Says what the comparison of another's note of this size came to.
    pub(super) fn set_compared(
        &self,
        name: &KeyName,
        size: u64,
        outcome: &'static str,
        why: String,
    ) {
        let mut shown = self.shown();
        let mut others = shown.others.iter_mut();
        if let Some(other) = others.find(|other| other.auditor.vkey.name() == name) {
            if matches!(outcome, "same" | "may_be_copied" | "differs") {
                other.status.compared = size;
            }
            other.status.outcome = outcome;
            other.status.why = why;
        }
    }

    /// Notes that another's note differs, with both notes as evidence, before anybody is told. The first difference
    /// of an auditor is kept.
    pub(super) fn differs(
        &self,
        name: &KeyName,
        what: &str,
        theirs: &Fetched,
        ours: &str,
    ) -> Result<(), FileError> {
        let mut shown = self.shown();
        let difference = Difference::of(name, what);
        if shown
            .differences
            .iter()
            .any(|it| it.code == difference.code)
        {
            return Ok(());
        }
        let folder = self.evidence_folder().join("notes");
        let tag = format!("{}-{}", theirs.note.head.size, hash_of(name));
        replace(&folder.join(format!("{tag}.theirs")), &theirs.text)?;
        replace(&folder.join(format!("{tag}.ours")), ours.as_bytes())?;
        let mut differences = shown.differences.clone();
        differences.push(difference);
        let lines: String = differences.iter().map(Difference::line).collect();
        replace(&folder.join("what.txt"), lines.as_bytes())?;
        replace(&self.file("differences"), lines.as_bytes())?;
        shown.differences = differences;
        Ok(())
    }

    /// Codes of the differences that the holder has not accepted.
    pub(super) fn differences_but(&self, accepted: &[String]) -> Vec<String> {
        let shown = self.shown();
        let open = shown.differences.iter().map(|it| it.code.clone());
        open.filter(|code| !accepted.contains(code)).collect()
    }

    pub(super) fn note_size(&self) -> u64 {
        let shown = self.shown();
        shown.note.as_ref().map_or(0, |(size, _)| *size)
    }
}
