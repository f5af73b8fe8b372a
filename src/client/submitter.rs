//! Signing statements and sending them, each exactly once.
//!
//! A line is known by what it says, not by where it stands ([`super::statement_digest`]): what the journal
//! has is not sent again, wherever it stands now, and what it does not have is.
//!
//! Before anything is signed or said, three things must agree, and all that they know must be in
//! the log as it is now: the log's checkpoint extends every one that was seen before; the key's
//! chain ends where the key's head and the journals say, and each of its records is held by one of
//! them; the journal is what the head saw, or continues from there. Where they do not agree, nothing
//! is guessed: [`SubmitError`] says which, both checkpoints are kept, and [`Submitter::recover`]
//! makes journal and head anew from the log.
//!
//! Why nothing is doubled: every record names the one before it, so of two records under one
//! sequence number only one is ever admitted, and a record only if all before it were. A line is
//! signed again only behind a record that is in, on a chain which the line is not on. The bytes of
//! a batch are durable before they are sent; after a cut the log tells which of them are in.
//!
//! Many lines are signed with one record, a seal: all of them are in, or none. A seal without an answer
//! is sent again as it is, as long as the input says the same; where it does not, and the log does not
//! have the seal, another takes its place in the chain, and the first is remembered for the case that
//! a request for it was still on its way.
//!
//! Crash points are in [`super::journal`] and [`super::key_head`].

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use super::journal::{Journal, JournalError, LineIn, now_ms};
use super::key_head::{HeadError, IssuerKey, KeyHead};
use super::known_lines::KnownLines;
use super::log_fault::LogFault;
use super::other_inputs::{CountedOnce, OtherInputs};
use super::proven_log::{Proven, ProvenLog};
use super::remote::{ChainEnd, KeyTask, RemoteError, RemoteProblem};
use super::repeated::EventsSaid;
use super::strays::LoggedLines;
use crate::crypto::PublicKey;
use crate::durable::FileError;
use crate::note::{TreeHead, VerifierKey};
use crate::outcome::Outcome;
use crate::record::{Day, Digest, Index, RecordId, Seq, SigningContext, TimeMs};

/// Lines of a batch: enough that a signature and a commit's sync are shared by many.
pub(super) const LINES_PER_BATCH: usize = 1000;

/// What to do when the server refuses a statement for what it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnRefusal {
    /// Send nothing more.
    Stop,
    /// Note it in the journal and send the next.
    Skip,
}

/// How to submit.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The log's key, which must have signed each checkpoint.
    pub log: Option<VerifierKey>,
    /// Keys that signed lines of this input before, whose chains a recovery reads too.
    pub old_keys: Vec<PublicKey>,
    /// Journals of other inputs of the key that lie in other folders, which a recovery takes into a head
    /// that does not know them.
    pub other_journals: Vec<PathBuf>,
    /// Sign also where that may double something: lines that say what a record of the key says
    /// which another input's journal holds, or none; an award that the input says again, or of an event
    /// of which another one is in; or what an older key signed and was refused for a day to come.
    pub sign_anew: bool,
    /// Somebody says that the input is the one of before: lines that are gone were taken out of it, and
    /// those that an earlier run sent are the same.
    pub same_input: bool,
    /// Sign lines again that the journal notes as refused.
    pub retry_refused: bool,
    /// Sign each line as a record of its own, not many with one seal.
    pub unsealed: bool,
}

/// What became of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LineOutcome {
    /// It was sent, and is in.
    Admitted(Index),
    /// It was in before.
    AlreadyIn(Index),
    /// The server refused it, now or in an earlier run.
    Refused {
        /// The stable name of the reason.
        code: String,
        /// The reason.
        detail: String,
    },
    /// It is no statement that could be signed.
    SetAside(String),
    /// It names an event that the input named before, in the same words: the event is taken once. It
    /// counts as set aside.
    Repeated(String),
    /// It names an event of which something else was said before, in this input or by this key. It
    /// counts as set aside.
    EvidenceRepeated(String),
    /// It was not sent, because a line before it was refused.
    NotSent,
}

/// Why the rest of an input was not sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// The line that was refused.
    pub line: u64,
    /// The refusal.
    pub problem: RemoteProblem,
}

/// Lines of this input that another one of the key sent, or that another key of the holder signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtherInput {
    /// The journal that holds them, or held them before it was lost.
    pub journal: PathBuf,
    /// It is that of what other keys of the holder signed.
    pub by_other_keys: bool,
    /// How many they are.
    pub lines: u64,
    /// The first of them, by its place in this input.
    pub first_line: u64,
    /// Of them, lines that name no event of their own, such as gifts and claims: they may be further
    /// ones that say the same.
    pub unsure: u64,
}

/// Events of which two keys of a holder signed an award each, at the same time: both are in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InTwice {
    /// How many.
    pub count: u64,
    /// The first of them: the entry of this key's inputs, and that of the other key.
    pub first: Vec<(Index, Index)>,
}

/// What a run came to. The lines that were read are all accounted for: read = admitted +
/// already in + refused + set aside + not sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Lines of the input, without empty ones.
    pub read: u64,
    /// Sent now, and in.
    pub admitted: u64,
    /// In before.
    pub already_in: u64,
    /// Refused by the server.
    pub refused: u64,
    /// No statements, or of an event of which something was said before.
    pub set_aside: u64,
    /// Of those set aside, lines that say again what the input said of an event.
    pub repeated: u64,
    /// Of those set aside, lines that say something else of an event than was said before.
    pub evidence_repeated: u64,
    /// Not sent, because a line before was refused.
    pub not_sent: u64,
    /// The first and the last entry of those that were admitted now.
    pub entries: Option<(Index, Index)>,
    /// Lines that are in and stand in the input no more.
    pub gone: u64,
    /// Lines that name no event of their own and were taken for those which an earlier run of this
    /// input sent, while other lines of it are gone, or after a run that did not find them: they may be
    /// further ones that say the same.
    pub unsure_here: u64,
    /// Lines that an earlier run signed and sent, that got no answer, and that this one did not send: a
    /// request for them may still be on its way, and can bring them in, since nothing else is in their
    /// place in the key's chain. Lines of a journal of the key that is lost count too.
    pub may_come_in: u64,
    /// Of those that were in before, lines that other inputs of the key sent.
    pub other_inputs: Vec<OtherInput>,
    /// Events that this key's inputs and another key of the holder both awarded, as far as no run told
    /// that before.
    pub in_twice: InTwice,
    /// The log in which all that is in was proven to be.
    pub head: TreeHead,
    /// Of a recovery: statements of the key that are in and that no journal holds which it found.
    pub strays: u64,
    /// Why the rest was not sent.
    pub stopped: Option<Stopped>,
}

impl Summary {
    /// Whether every line of the input is in, beyond doubt.
    pub fn all_in(&self) -> bool {
        self.refused + self.set_aside + self.not_sent + self.unsure() + self.may_come_in == 0
            && self.in_twice.count == 0
    }

    /// Lines that were taken for those of another input, or of an earlier run of this one, and that
    /// may be further ones.
    pub fn unsure(&self) -> u64 {
        let others = self.other_inputs.iter().map(|other| other.unsure);
        others.sum::<u64>() + self.unsure_here
    }

    pub(super) fn new(head: TreeHead) -> Self {
        Self {
            read: 0,
            admitted: 0,
            already_in: 0,
            refused: 0,
            set_aside: 0,
            repeated: 0,
            evidence_repeated: 0,
            not_sent: 0,
            entries: None,
            gone: 0,
            unsure_here: 0,
            may_come_in: 0,
            in_twice: InTwice::default(),
            other_inputs: Vec::new(),
            strays: 0,
            head,
            stopped: None,
        }
    }
}

/// Why not all could be done.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The journal can't be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The key's head can't be used.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The log is not what it was, or could not be checked.
    #[error("{fault}{kept}")]
    Log {
        /// What is wrong.
        fault: LogFault,
        /// Where both checkpoints were kept, and what to do.
        kept: String,
    },
    /// The server could not be asked.
    #[error("{}{}", .0, kept(.0))]
    Remote(#[from] RemoteError),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The journal that the head knows is not there.
    #[error(
        "{path} is not there, and the head of the key knows that it held {records} lines that are in. If this input was sent with it, put it back, or run the same command with --recover: it finds in the log what was sent, and signs only the rest. If this is another input, give it a name of its own, or its journal with --journal"
    )]
    JournalLost {
        /// Where it was.
        path: PathBuf,
        /// What it held.
        records: u64,
    },
    /// Another journal is in the place of the one that the head knows.
    #[error(
        "{path} is not the journal that the head of the key knows there, which held {records} lines that are in: an older copy was put back, or the journal of another input or another key's run. Put the newest back, or run the same command with --recover: it finds in the log what was sent, and signs only the rest"
    )]
    JournalReplaced {
        /// Where it is.
        path: PathBuf,
        /// What the other one held.
        records: u64,
    },
    /// The journal is a copy of another input's.
    #[error(
        "{path} is a copy of {original}, the journal of another input. A journal belongs to one input: remove the copy, and the lines that the other input sent are known by its own; or, if the input was renamed, remove {original}"
    )]
    JournalCopied {
        /// The copy.
        path: PathBuf,
        /// Where the head saw it.
        original: PathBuf,
    },
    /// A recovery was cut off.
    #[error(
        "{0} was being made anew from the log, and that was cut off; run the command that sends its input with --recover again"
    )]
    RecoveryUnfinished(PathBuf),
    /// The server's chain of this key ends before what it acknowledged.
    #[error(
        "the server lost records that it had acknowledged: {0}. Nothing was sent. Tell the operator: an older copy of the ledger was put back, and its log must be restored to the newest. What is missing there is in the journals"
    )]
    RecordsLost(String),
    /// The log has statements of this key that nobody here knows.
    #[error(
        "the log has {count} of this key, from seq {first} on, that neither the head of the key nor a journal knows: another writer used the key, or {head} was lost or is older. Nothing was sent. Make sure that nobody else signs with this key; then run the same command with --recover: it reads the key's records in the log, takes lines that they say as sent, and signs only the rest. A submit is told journals of other inputs that lie in other folders than this input's and the head's, with --other-journal FILE, once for each"
    )]
    UnknownRecords {
        /// How many, in words.
        count: String,
        /// The first.
        first: Seq,
        /// The head's file.
        head: PathBuf,
    },
    /// A line says the same as a statement of the log that no journal holds.
    #[error(
        "line {line} says what entry {index} says, which this key signed and no journal holds. If that was this line, run the same command with --recover; if the line is a further one that says the same, with --sign-anew. Lines before it may have been sent"
    )]
    Ambiguous {
        /// The line.
        line: u64,
        /// The statement's entry.
        index: Index,
    },
    /// The file of strays is not the one that the head knows.
    #[error(
        "{0} is missing or damaged: it says which records of the key no journal holds; run the same command with --recover, which makes it anew from the log"
    )]
    StraysDamaged(PathBuf),
    /// A file of `--other-journal` tells of no line of another input.
    #[error(
        "{path}, which --other-journal names, tells of no other input of this key: {why}. Nothing was sent. Leave it out, or name the journal that was meant"
    )]
    NoOtherJournal {
        /// The file.
        path: PathBuf,
        /// Why it does not.
        why: String,
    },
    /// A key of `--old-key` is none of the holder's.
    #[error(
        "{key} is no key of {holder} that may say what the key in use says: --old-key names a key that this one replaced"
    )]
    NoOldKey {
        /// The key.
        key: PublicKey,
        /// Who holds the key in use.
        holder: String,
    },
    /// A record of an older key may still come in.
    #[error(
        "the journal has records of the key {key}, signed for the day {issued_on}, which the server refuses until that day comes: they could come in then, beside what is signed now. Wait for the day, have the governors revoke that key, or run the same command with --sign-anew if nobody can send them any more"
    )]
    OldKeyLater {
        /// The older key.
        key: PublicKey,
        /// When its records were signed, by their own word.
        issued_on: Day,
    },
    /// What an older key sealed is more than the server takes.
    #[error(
        "the journal has a batch that the key {key} sealed, and that is more than the server, or a proxy before it, takes (413): it could come in, beside what is signed now. Have them take as much as before, have the governors revoke that key, or run the same command with --sign-anew if nobody can send it any more"
    )]
    OldKeyTooLarge {
        /// The older key.
        key: PublicKey,
    },
    /// The server refuses, again and again, to continue a chain that is its own.
    #[error(
        "the server refuses records that continue the key's chain as its own log has it: {} ({}); {}", .problem.detail, .problem.code, .problem.advice
    )]
    ChainRefused {
        /// Its word.
        problem: Box<RemoteProblem>,
    },
    /// One record alone is more than the server takes.
    #[error(
        "line {line} alone is more than the server, or a proxy before it, takes (413): its limit of a body must be 32 KiB at least"
    )]
    TooLarge {
        /// The line.
        line: u64,
    },
    /// The input can't be read.
    #[error("the input can't be read: {0}")]
    Input(std::io::Error),
    /// The caller could not take an outcome.
    #[error("what became of the lines can't be written: {0}")]
    Outcomes(std::io::Error),
}

/// What became of what was signed, where a server did not answer.
fn kept(error: &RemoteError) -> &'static str {
    match error {
        RemoteError::Away { .. } => {
            ". What was signed is in the journal, and is sent again as it is"
        }
        _ => "",
    }
}

impl From<LogFault> for SubmitError {
    fn from(fault: LogFault) -> Self {
        Self::Log {
            fault,
            kept: String::new(),
        }
    }
}

impl SubmitError {
    /// What it comes to: false, where what is known contradicts itself; `None` where something was
    /// asked for wrongly.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Log { fault, .. } => match fault {
                LogFault::Remote(RemoteError::Address { .. }) => None,
                LogFault::Remote(_) | LogFault::NotGranted(_) | LogFault::Unchecked(_) => {
                    Some(Outcome::Unchecked)
                }
                // One that the key of --log did not sign says nothing against the log.
                LogFault::Checkpoint(error) => Some(error.outcome()),
                LogFault::Contradiction { .. } | LogFault::Wrong(_) => Some(Outcome::False),
            },
            Self::Journal(
                JournalError::Damaged { .. }
                | JournalError::Older { .. }
                | JournalError::Gone { .. },
            )
            | Self::Head(HeadError::Damaged(_))
            | Self::JournalLost { .. }
            | Self::JournalReplaced { .. }
            | Self::JournalCopied { .. }
            | Self::RecoveryUnfinished(_)
            | Self::RecordsLost(_)
            | Self::UnknownRecords { .. }
            | Self::Ambiguous { .. }
            | Self::StraysDamaged(_)
            | Self::OldKeyLater { .. }
            | Self::OldKeyTooLarge { .. }
            | Self::ChainRefused { .. } => Some(Outcome::False),
            Self::Journal(JournalError::NotAJournal(_) | JournalError::Version(_)) => {
                Some(Outcome::NotThatKind)
            }
            Self::Remote(RemoteError::Address { .. })
            | Self::Journal(JournalError::OtherLedger { .. })
            | Self::NoOldKey { .. }
            | Self::NoOtherJournal { .. }
            | Self::Head(HeadError::Other { .. } | HeadError::TooManyJournals { .. }) => None,
            _ => Some(Outcome::Unchecked),
        }
    }
}

/// Sends one input's statements as one issuer. The key and the journal are locked while it lives.
pub struct Submitter<'a> {
    pub(super) log: ProvenLog<'a>,
    pub(super) key: &'a IssuerKey,
    pub(super) public: PublicKey,
    pub(super) context: SigningContext,
    pub(super) options: Options,
    pub(super) head: KeyHead,
    pub(super) journal: Journal,
    /// Where files without names go: beside the journal.
    pub(super) folder: PathBuf,
    /// What the journal held when it was opened.
    pub(super) known: KnownLines,
    /// The newest checkpoint that was proven.
    pub(super) proven: Proven,
    /// The key's newest record that is in.
    pub(super) last: Option<ChainEnd>,
    /// `prev` of the key's first record, while it has none.
    pub(super) granted: RecordId,
    /// The day of issue of the key's newest record that was signed or is in: no later one may be signed
    /// for an earlier day.
    pub(super) last_issued_on: Day,
    /// Of a recovery: records of the log that may be lines of this input.
    pub(super) candidates: Option<Candidates>,
    /// Records of the key that no journal holds, once they were needed.
    pub(super) strays: Option<LoggedLines>,
    /// What the key's other inputs said, once a line is not in this journal.
    pub(super) others: Option<OtherInputs>,
    /// The events that the input named, once a line that names one is not in this journal.
    pub(super) said: Option<EventsSaid>,
    /// Other journals of the key, locked, that have batches which a request on its way may bring in.
    pub(super) pending: Vec<Journal>,
    /// The role of the key and who holds it.
    pub(super) task: KeyTask,
    /// What the other keys of the holder said was read.
    pub(super) other_keys_read: bool,
    /// How many lines the next batch has at most: fewer records where many are refused.
    pub(super) batch: usize,
    /// How many a batch ever has: fewer where the server takes only smaller ones.
    pub(super) batch_most: usize,
    /// How many lines the next batch has at most, once: those before one that was refused.
    pub(super) batch_once: Option<usize>,
    /// Lines that came in after all, with a seal that was given up, and that the input did not ask for
    /// yet.
    pub(super) late: HashMap<Digest, VecDeque<LineIn>>,
}

/// What a recovery found in the log.
pub(super) struct Candidates {
    /// Lines that the lost journal held.
    pub ours: LoggedLines,
    /// Statements that nothing holds.
    pub unknown: LoggedLines,
    /// Of them, those that name no event and that another journal held which is lost too, or that an older
    /// key signed for nobody knows which input: a line which says the same may be a further one.
    pub of_lost: LoggedLines,
    /// Of these, those of which a line of the input says the same.
    pub of_lost_asked: LoggedLines,
    /// The entries of other keys that lines of the input were found to be: what the log tells of those keys has
    /// them too, and each is one line.
    pub taken_of_others: CountedOnce,
    /// Journals that this recovery found missing or damaged.
    pub found_lost: Vec<PathBuf>,
}

impl<'a> Submitter<'a> {
    #[allow(
        clippy::too_many_arguments,
        reason = "its fields, given by the two ways of opening one"
    )]
    pub(super) fn of(
        log: ProvenLog<'a>,
        key: &'a IssuerKey,
        context: SigningContext,
        options: Options,
        head: KeyHead,
        journal: Journal,
        folder: PathBuf,
        known: KnownLines,
        proven: Proven,
        last: Option<ChainEnd>,
        granted: RecordId,
    ) -> Self {
        Self {
            last_issued_on: Day(0),
            log,
            key,
            public: key.key().public(),
            context,
            options,
            head,
            journal,
            folder,
            known,
            proven,
            last,
            granted,
            candidates: None,
            strays: None,
            others: None,
            said: None,
            pending: Vec::new(),
            task: KeyTask::default(),
            other_keys_read: false,
            batch: LINES_PER_BATCH,
            batch_most: LINES_PER_BATCH,
            batch_once: None,
            late: HashMap::new(),
        }
    }

    /// The day for which records are signed now: today, by this machine's clock, unless that is before
    /// the day of the key's newest record.
    pub(super) fn issue_day(&self) -> Day {
        today().max(self.last_issued_on)
    }

    /// Notes for which day the key's newest record was signed.
    pub(super) fn signed_for(&mut self, day: Option<Day>) {
        self.last_issued_on = self.last_issued_on.max(day.unwrap_or(Day(0)));
    }

    /// Keeps those of the key's other journals of which a batch may still come in.
    pub(super) fn keep_pending(&mut self, mut others: Vec<Journal>) {
        others.retain(|other| other.is_pending(&self.public));
        self.pending = others;
    }

    /// Other journals of the key that this recovery found missing or damaged. What they held is in
    /// the log: lines that say it are taken as sent.
    pub fn forgotten(&self) -> impl Iterator<Item = &Path> {
        let lost = self.candidates.iter().flat_map(|found| &found.found_lost);
        lost.map(PathBuf::as_path)
    }

    /// The file of the journal.
    pub fn journal(&self) -> &Path {
        self.journal.path()
    }
}

/// The day that it is, UTC.
pub fn today() -> Day {
    Day::of(TimeMs(now_ms()))
}
