//! The journal of one input: what was signed, with which key, and what became of it.
//!
//! Lines of JSON with checksums ([`super::chained`]):
//!
//! ```text
//! {"journal":{"version":5,"id":…,"origin":…}}          the first line
//! {"batch":{"key":…,"seq":…}}                         the lines after it are signed by this key
//! {"signed":{"digest":…,"event":…,"record":…}}        a statement's digest, the event that it names
//!                                                     if it names one, and the signed record
//! {"seal":{"key":…,"seq":…,"record":…}}               this seal signs the lines after it
//! {"sealed":{"digest":…,"event":…,"statement":…}}     the same of a statement that the seal signs
//! {"in":{"seq":…,"index":…,"count":…}}                lines of the batch are in, at these indexes
//! {"refused":{"seq":…,"digest":…,"code":…,"detail":…,"unanswered":…}}  a line is refused, and what of
//!                                                     the batch is not in is void
//! {"retried":{"digest":…}}                            that refusal counts no more
//! {"void":{"seq":…,"unanswered":…}}                   the rest of the batch is not in; unanswered: a
//!                                                     request for it may be on its way, and bring it in
//!                                                     until something else is in its place
//! {"absent":{"digest":…,"index":…}}                   a run over the input did not find this line, which
//!                                                     is in
//! {"same_input":{"gone":…}}                            somebody said that the input is the one of before,
//!                                                     from which these lines were taken out on purpose
//! {"found":{"key":…,"digest":…,"event":…,"seq":…,"id":…,"index":…,"seal":…}}  read from the log, not sent
//!                                                     from here; of a sealed line, the seal's entry
//!                                                     and how many it signs
//! {"answered":{"checkpoint":…}}                       the server answered with this checkpoint
//! {"proven":{"checkpoint":…}}                         all above was proven to be in its tree
//! ```
//!
//! What was signed is durable before it is sent; what became of it may be lost, and the log tells
//! it. A line that was cut off at the end was never acted on, and the next write takes its place; so
//! does it of a seal whose batch was cut off, which was never sent. At most one batch is open: the
//! next is signed when that one has its answer. Of a sealed batch all is in or nothing; where the
//! server refuses lines of it, each of them has a line of its own.

mod key_records;
mod open_batch;
mod pending;
mod reading;
mod settled;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::chained::{Chain, ChainedLines};
use super::event::event_of;
use super::input::digest_of_bytes;
use super::own_chain::LoggedLine;
use super::remote::ChainEnd;
use crate::crypto::PublicKey;
use crate::durable::{AppendFile, FileError, at};
use crate::record::{Digest, Index, RecordId, SealedBatch, Seq, SignedRecord, SigningContext};

pub(super) use key_records::KeyRecords;
pub(super) use open_batch::{OpenBatch, OpenSeal};
use pending::Forgotten;
pub(super) use pending::Unanswered;
pub(super) use settled::{Fate, Settled, SettledLines};

/// The version of the journal's format.
const VERSION: u32 = 5;
/// The most lines of one batch.
pub(super) const BATCH_LINES_MAX: usize = 16_384;
/// What is read from the file at a time.
const READ_BYTES: usize = 1 << 16;

/// A journal that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file is something else.
    #[error("{0} is no journal of arborlog submit; name another file with --journal")]
    NotAJournal(PathBuf),
    /// It has the format of another release.
    #[error(
        "{0} is a journal of another release, and this one does not read it. Run the same command with --recover: it renames that file, finds in the log what was sent, and signs only the rest"
    )]
    Version(PathBuf),
    /// It is of another ledger.
    #[error(
        "{path} is a journal of the ledger {found}, not of {expected}; name another file with --journal, or the server of that ledger with --to"
    )]
    OtherLedger {
        /// The file.
        path: PathBuf,
        /// The ledger that it names.
        found: String,
        /// The ledger of the server.
        expected: String,
    },
    /// A line does not follow from those before it.
    #[error(
        "{path} line {line} is damaged: it was changed, or a line before it is missing. Put the journal back as it was, or run the same command with --recover: it finds in the log what was sent, and signs only the rest"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// It holds less, or other things, than the key's head saw in it.
    #[error(
        "{path} is not as the head of the key saw it, with {known} lines that are in: it was changed or cut, an older copy was put back, or a run with another key or another head wrote it. Put the newest back, or run the same command with --recover: it finds in the log what was sent, and signs only the rest"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Lines that are in, by the head.
        known: u64,
    },
    /// Another journal of the key is missing, and with it what tells which lines were sent.
    #[error(
        "{path} is not there: it is another journal of this key and held {records} lines that are in. Without it nobody can tell which lines of this input were sent with it. Put it back, or run the same command with --recover: it reads from the log what that journal held, and signs only what is not in"
    )]
    Gone {
        /// Where it was.
        path: PathBuf,
        /// Lines that are in, by the head.
        records: u64,
    },
    /// It has records that this release can't read.
    #[error(
        "{0} has records that this release can't read; run the same command with the release that signed them"
    )]
    Unreadable(PathBuf),
    /// Another process writes it.
    #[error("{0} is in use by another submit; wait for it, or stop it")]
    Locked(PathBuf),
    /// Anything that the file system says.
    #[error(transparent)]
    Io(#[from] FileError),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Event<'a> {
    Journal {
        version: u32,
        #[serde(borrow)]
        id: Cow<'a, str>,
        #[serde(borrow)]
        origin: Cow<'a, str>,
    },
    Batch {
        key: PublicKey,
        seq: Seq,
    },
    Signed {
        digest: Digest,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<Digest>,
        record: Cow<'a, str>,
    },
    Seal {
        key: PublicKey,
        seq: Seq,
        record: Cow<'a, str>,
    },
    Sealed {
        digest: Digest,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<Digest>,
        statement: Cow<'a, str>,
    },
    In {
        seq: Seq,
        index: Index,
        count: u64,
    },
    Refused {
        seq: Seq,
        digest: Digest,
        code: Cow<'a, str>,
        detail: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unanswered: bool,
    },
    Retried {
        digest: Digest,
    },
    Void {
        seq: Seq,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unanswered: bool,
        /// Earlier builds of this version have it in the place of `unanswered`.
        #[serde(default, skip_serializing)]
        until_ms: Option<u64>,
    },
    Absent {
        digest: Digest,
        index: Index,
    },
    SameInput {
        gone: Digest,
    },
    Found {
        key: PublicKey,
        digest: Digest,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<Digest>,
        seq: Seq,
        id: RecordId,
        index: Index,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seal: Option<FoundSeal>,
    },
    Answered {
        checkpoint: Cow<'a, str>,
    },
    Proven {
        checkpoint: Cow<'a, str>,
    },
}

/// The seal of a line that was found in the log.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FoundSeal {
    /// Its entry.
    index: Index,
    /// How many statements it signs.
    of: u64,
}

/// A point of a journal that a head saw.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Bytes up to it.
    pub bytes: u64,
    /// Lines that are in up to it.
    pub records: u64,
    /// The value that the lines up to it lead to.
    pub checksum: String,
}

/// A line that is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LineIn {
    pub digest: Digest,
    /// The event that it names.
    pub event: Option<Digest>,
    pub index: Index,
}

/// Records that are in by the server's word alone, which no proof covers yet: the first and the
/// last.
#[derive(Clone)]
pub(super) struct Unproven {
    pub first: (Index, SignedRecord),
    pub last: (Index, SignedRecord),
}

/// A journal, open and locked.
pub(super) struct Journal {
    file: AppendFile,
    id: String,
    context: SigningContext,
    chain: Chain,
    keys: BTreeMap<PublicKey, KeyRecords>,
    open: Option<OpenBatch>,
    /// The seal of which lines were refused last: further ones may be.
    refused: Option<Seq>,
    /// Batches that were given up, for which others may be signed in their place: a request for one
    /// that is still on its way may bring it in. None, once something is in that place.
    given_up: VecDeque<OpenBatch>,
    /// Of those that were more than are remembered, how many lines may come in.
    forgotten: Vec<Forgotten>,
    answered: Option<String>,
    proven: Option<String>,
    unproven: Option<Unproven>,
    /// Lines that are in.
    records: u64,
    /// Lines of the input that it knows: in, refused, or found.
    settled: u64,
    /// Refusals that count no more.
    retried: u64,
    /// Notes of lines that a run did not find in the input.
    absent: u64,
    /// The lines that were gone when somebody last said that the input is the one of before.
    same_input: Option<Digest>,
}

impl Journal {
    /// Its file.
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// What tells it from other journals, wherever it is.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// What it holds of each key.
    pub(super) fn keys(&self) -> &BTreeMap<PublicKey, KeyRecords> {
        &self.keys
    }

    /// The last record of a key that is in.
    pub(super) fn last(&self, key: &PublicKey) -> Option<ChainEnd> {
        self.keys.get(key).and_then(|records| records.last)
    }

    /// What was signed and has no answer.
    pub(super) fn open_batch(&self) -> Option<&OpenBatch> {
        self.open.as_ref()
    }

    /// The open batch, if it is of this key.
    pub(super) fn open_of(&self, key: &PublicKey) -> Option<&OpenBatch> {
        self.open.as_ref().filter(|open| open.key == *key)
    }

    /// The first `count` signed records of the open batch, if that is of this key.
    pub(super) fn open_records(
        &self,
        key: &PublicKey,
        count: usize,
    ) -> Result<Vec<SignedRecord>, JournalError> {
        match self.open_of(key) {
            Some(open) => open
                .records(count)
                .ok_or_else(|| JournalError::Unreadable(self.path().to_owned())),
            None => Ok(Vec::new()),
        }
    }

    /// The newest checkpoints that the server showed: answered with, and proven.
    pub(super) fn checkpoints(&self) -> impl Iterator<Item = &str> {
        [self.proven.as_deref(), self.answered.as_deref()]
            .into_iter()
            .flatten()
    }

    /// What is in by the server's word alone.
    pub(super) fn unproven(&self) -> Option<&Unproven> {
        self.unproven.as_ref()
    }

    /// How many lines of the input it knows.
    pub(super) fn settled_count(&self) -> u64 {
        self.settled
    }

    /// How many refusals in it count no more.
    pub(super) fn retried_count(&self) -> u64 {
        self.retried
    }

    /// How many notes it has of lines that a run did not find in the input.
    pub(super) fn absent_count(&self) -> u64 {
        self.absent
    }

    /// The lines that were gone when somebody last said that the input is the one of before.
    pub(super) fn same_input(&self) -> Option<&Digest> {
        self.same_input.as_ref()
    }

    /// Where it ends now, for a head.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            bytes: self.file.end(),
            records: self.records,
            checksum: self.chain.to_string(),
        }
    }

    /// What became of each line of the input that it knows, in the order in which they were
    /// settled: what it holds now, not what is written later.
    pub(super) fn settled(&self) -> Result<SettledLines, JournalError> {
        let file = File::open(self.path()).map_err(at(self.path()))?;
        let reader = BufReader::with_capacity(READ_BYTES, file);
        Ok(SettledLines {
            path: self.path().to_owned(),
            lines: ChainedLines::new(reader, false),
            end: self.file.end(),
            batch: VecDeque::new(),
            ready: VecDeque::new(),
            mark: None,
            records: 0,
        })
    }

    /// Notes signed records that continue a key's chain, durably: only then may they be sent.
    pub(super) fn signed(
        &mut self,
        key: PublicKey,
        seq: Seq,
        records: Vec<(Digest, SignedRecord)>,
    ) -> Result<(), JournalError> {
        let mut lines = Vec::new();
        self.line(&Event::Batch { key, seq }, &mut lines)?;
        for (digest, record) in &records {
            let bytes = record
                .encode()
                .map_err(|error| at(self.file.path())(std::io::Error::other(error)))?;
            let event = Event::Signed {
                digest: *digest,
                event: event_of(&record.record().statement),
                record: Cow::Owned(STANDARD.encode(bytes)),
            };
            self.line(&event, &mut lines)?;
        }
        self.file.append(&lines)?;
        self.sync()?;
        self.open = Some(OpenBatch::of_records(key, seq, records));
        Ok(())
    }

    /// Notes a sealed batch that continues a key's chain, durably: only then may it be sent.
    pub(super) fn sealed(&mut self, batch: &SealedBatch) -> Result<(), JournalError> {
        let unwritable =
            |journal: &Self, error| at(journal.file.path())(std::io::Error::other(error));
        let seal = batch.seal_record();
        let (key, seq) = (seal.record().issuer, seal.record().seq);
        let bytes = seal.encode().map_err(|error| unwritable(self, error))?;
        let mut open = OpenSeal::new(seal.clone(), &bytes);
        let mut lines = Vec::new();
        let event = Event::Seal {
            key,
            seq,
            record: Cow::Owned(STANDARD.encode(bytes)),
        };
        self.line(&event, &mut lines)?;
        for statement in batch.statements() {
            let digest = digest_of_bytes(statement.bytes());
            let named = event_of(statement.statement());
            open.push(digest, named, statement.bytes());
            let event = Event::Sealed {
                digest,
                event: named,
                statement: Cow::Owned(STANDARD.encode(statement.bytes())),
            };
            self.line(&event, &mut lines)?;
        }
        self.file.append(&lines)?;
        self.sync()?;
        self.open = Some(OpenBatch::of_seal(key, seq, open));
        Ok(())
    }

    /// Notes that the first records of the open batch are in, or the seal of it; gives the lines that
    /// are in by that, and where. If this is lost, the log tells it.
    pub(super) fn admitted(&mut self, records: &[Index]) -> Result<Vec<LineIn>, JournalError> {
        let Some(open) = &self.open else {
            return Ok(Vec::new());
        };
        let indexes = open.lines_of(records);
        let lines = open.lines().zip(&indexes);
        let lines = lines.map(|((digest, event), index)| LineIn {
            digest,
            event,
            index: *index,
        });
        let lines = lines.collect();
        let (mut seq, mut events) = (open.seq, Vec::new());
        for run in indexes.chunk_by(|before, index| before.0.checked_add(1) == Some(index.0)) {
            if let Some(index) = run.first() {
                let count = run.len() as u64;
                events.push(Event::In {
                    seq,
                    index: *index,
                    count,
                });
                seq = Seq(seq.0.saturating_add(count));
            }
        }
        self.write(&events)?;
        Ok(lines)
    }

    /// Notes that lines of the open batch are refused for what they say; what of it is not in is void.
    pub(super) fn refused<'e>(
        &mut self,
        refusals: impl Iterator<Item = (Digest, &'e str, &'e str)>,
    ) -> Result<(), JournalError> {
        let Some((seq, unanswered)) = self.open.as_ref().map(|open| (open.seq, open.on_its_way))
        else {
            return Ok(());
        };
        let events: Vec<Event<'_>> = refusals
            .map(|(digest, code, detail)| Event::Refused {
                seq,
                digest,
                code: Cow::Borrowed(code),
                detail: Cow::Borrowed(detail),
                unanswered,
            })
            .collect();
        self.write(&events)
    }

    /// Notes that the refusal of a line counts no more: the line is signed again.
    pub(super) fn retried(&mut self, digest: Digest) -> Result<(), JournalError> {
        self.write(&[Event::Retried { digest }])
    }

    /// Notes that what is left of the open batch is not in. What has no answer may still come in.
    pub(super) fn void(&mut self) -> Result<(), JournalError> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        self.write(&[Event::Void {
            seq: open.seq,
            unanswered: open.on_its_way,
            until_ms: None,
        }])
    }

    /// Whether a request for the open batch may be on its way besides those that were answered; once that
    /// is so, nothing but the log tells what became of it.
    pub(super) fn may_be_on_its_way(&mut self, unanswered: bool) {
        if let Some(open) = &mut self.open {
            open.on_its_way |= unanswered;
        }
    }

    /// Notes a line that is in and that a run over the input did not find.
    pub(super) fn is_absent(&mut self, digest: Digest, index: Index) -> Result<(), JournalError> {
        self.write(&[Event::Absent { digest, index }])
    }

    /// Notes that somebody said that the input is the one of before, from which just these lines are gone.
    pub(super) fn is_same_input(&mut self, gone: Digest) -> Result<(), JournalError> {
        self.write(&[Event::SameInput { gone }])
    }

    /// Notes a statement of the log that says what a line of the input says.
    pub(super) fn found(
        &mut self,
        key: PublicKey,
        digest: Digest,
        line: LoggedLine,
    ) -> Result<(), JournalError> {
        let ChainEnd { seq, id, index } = line.signed;
        let seal = FoundSeal { index, of: line.of };
        self.write(&[Event::Found {
            key,
            digest,
            event: line.event,
            seq,
            id,
            index: line.index,
            seal: line.is_sealed().then_some(seal),
        }])
    }

    /// Notes a checkpoint that the server answered with.
    pub(super) fn answered(&mut self, checkpoint: &str) -> Result<(), JournalError> {
        self.write(&[Event::Answered {
            checkpoint: Cow::Borrowed(checkpoint),
        }])
    }

    /// Notes a checkpoint whose tree was proven to hold all that is in.
    pub(super) fn proven(&mut self, checkpoint: &str) -> Result<(), JournalError> {
        if self.proven.as_deref() == Some(checkpoint) && self.unproven.is_none() {
            return Ok(());
        }
        self.write(&[Event::Proven {
            checkpoint: Cow::Borrowed(checkpoint),
        }])
    }

    /// Makes durable what was noted.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        Ok(self.file.sync()?)
    }

    fn line(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), JournalError> {
        let json = serde_json::to_vec(event).map_err(|error| at(self.file.path())(error.into()))?;
        self.chain.write(&json, out);
        Ok(())
    }

    fn write(&mut self, events: &[Event<'_>]) -> Result<(), JournalError> {
        let mut lines = Vec::new();
        for event in events {
            self.line(event, &mut lines)?;
        }
        self.file.append(&lines)?;
        for event in events {
            if !matches!(event, Event::Journal { .. }) && self.apply(event).is_none() {
                // Not reached: what is noted follows from the open batch.
                let why = "an answer does not follow on what was signed";
                return Err(at(self.file.path())(std::io::Error::other(why)).into());
            }
        }
        Ok(())
    }
}

/// The time by this machine's clock, in milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What a file is whose first line has no checksum.
fn not_of_this_version(path: &Path) -> JournalError {
    // The first release began its journals with {"begin":…}.
    const FIRST: &[u8] = b"{\"begin\":";
    let mut begin = [0; FIRST.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    if read.is_ok() && begin == FIRST {
        JournalError::Version(path.to_owned())
    } else {
        JournalError::NotAJournal(path.to_owned())
    }
}
