//! A journal's file read from its beginning: what the lines come to, and where one is damaged.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::open_batch::{OpenRecord, OpenSeal, Signed, Stored};
use super::{
    BATCH_LINES_MAX, Event, Journal, JournalError, Mark, OpenBatch, READ_BYTES, Unproven, VERSION,
    not_of_this_version,
};
use crate::client::chained::{Chain, ChainedLines, LineFault};
use crate::client::own_chain::LoggedLine;
use crate::client::remote::ChainEnd;
use crate::durable::{AppendFile, at};
use crate::record::{Index, Origin, Seq, SignedRecord, SigningContext};

impl Journal {
    /// Whether there is a file that holds anything.
    pub(in crate::client) fn is_there(path: &Path) -> Result<bool, JournalError> {
        Ok(Self::length_of(path)?.is_some_and(|bytes| bytes > 0))
    }

    /// How long the file is; `None` if there is none.
    pub(in crate::client) fn length_of(path: &Path) -> Result<Option<u64>, JournalError> {
        match std::fs::metadata(path) {
            Ok(about) => Ok(Some(about.len())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(path)(error).into()),
        }
    }

    /// The id of the journal in a file; `None` if none can be read.
    pub(in crate::client) fn id_of(path: &Path) -> Result<Option<String>, JournalError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(path)(error).into()),
        };
        let mut lines = ChainedLines::new(BufReader::new(file), true);
        Ok(match lines.next() {
            Ok(Some(json)) => match serde_json::from_slice(json) {
                Ok(Event::Journal { id, .. }) => Some(id.into_owned()),
                _ => None,
            },
            _ => None,
        })
    }

    /// Opens a journal, or begins it. Every line is checked, and that it passes the point that a
    /// head saw.
    pub(in crate::client) fn open(
        path: &Path,
        origin: &Origin,
        mark: Option<&Mark>,
    ) -> Result<Self, JournalError> {
        let mut journal = Self::lock(path, origin)?;
        let damaged = journal.read(origin, mark)?;
        if let Some(line) = damaged {
            return Err(JournalError::Damaged {
                path: path.to_owned(),
                line,
            });
        }
        if journal.file.end() == 0 {
            journal.begin(origin)?;
        }
        Ok(journal)
    }

    /// Opens a journal to take over what is whole of it: up to the first damaged line.
    pub(in crate::client) fn salvage(path: &Path, origin: &Origin) -> Result<Self, JournalError> {
        let mut journal = Self::lock(path, origin)?;
        journal.read(origin, None)?;
        Ok(journal)
    }

    pub(super) fn lock(path: &Path, origin: &Origin) -> Result<Self, JournalError> {
        if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
            return Err(JournalError::NotAJournal(path.to_owned()));
        }
        let file = AppendFile::open(path)?;
        if !file.try_lock()? {
            return Err(JournalError::Locked(path.to_owned()));
        }
        Ok(Self {
            id: String::new(),
            context: SigningContext::new(origin),
            chain: Chain::default(),
            keys: BTreeMap::new(),
            open: None,
            refused: None,
            given_up: VecDeque::new(),
            forgotten: Vec::new(),
            answered: None,
            proven: None,
            unproven: None,
            records: 0,
            settled: 0,
            retried: 0,
            absent: 0,
            same_input: None,
            file,
        })
    }

    /// Reads all lines up to one that was cut off at the end; gives the number of a damaged one
    /// before it, where it stopped.
    pub(super) fn read(
        &mut self,
        origin: &Origin,
        mark: Option<&Mark>,
    ) -> Result<Option<u64>, JournalError> {
        let path = self.path().to_owned();
        let reading = File::open(&path).map_err(at(&path))?;
        let reading = BufReader::with_capacity(READ_BYTES, reading);
        let mut lines = ChainedLines::new(reading, true);
        let (mut end, mut damaged) = (0, None);
        let mut at_mark = mark.is_none();
        loop {
            let number = lines.number + 1;
            let event = match lines.next() {
                Ok(Some(json)) => serde_json::from_slice::<Event<'_>>(json).ok(),
                Ok(None) => break,
                Err(LineFault::Damaged) if number == 1 => return Err(not_of_this_version(&path)),
                Err(LineFault::Damaged) => None,
                Err(LineFault::Io(error)) => return Err(at(&path)(error).into()),
            };
            let taken = match event {
                Some(event) if number == 1 => Some(self.begin_with(&path, origin, &event)?),
                Some(event) => self.apply(&event),
                None => None,
            };
            if taken.is_none() {
                damaged = Some(number);
                break;
            }
            if self.open.as_ref().is_some_and(OpenBatch::is_cut) {
                // If nothing follows, the next write takes the place of the whole of it.
                continue;
            }
            self.chain = lines.chain();
            end = lines.end;
            if let Some(mark) = mark
                && mark.bytes == lines.end
            {
                at_mark = mark.checksum == self.chain.to_string();
                if !at_mark {
                    break;
                }
            }
        }
        self.file.end_at(end)?;
        self.open.take_if(|open| open.len() == 0 || open.is_cut());
        match mark {
            Some(mark) if damaged.is_none() && !at_mark => Err(JournalError::Older {
                path,
                known: mark.records,
            }),
            _ => Ok(damaged),
        }
    }

    /// A new journal, in the place of nothing.
    pub(super) fn begin(&mut self, origin: &Origin) -> Result<(), JournalError> {
        let mut id = [0_u8; 16];
        getrandom::fill(&mut id).map_err(|error| {
            let why = format!("the system gives no randomness: {error}");
            at(self.file.path())(std::io::Error::other(why))
        })?;
        self.id = hex::encode(id);
        let event = Event::Journal {
            version: VERSION,
            id: Cow::Owned(self.id.clone()),
            origin: Cow::Owned(origin.to_string()),
        };
        self.write(&[event])?;
        self.sync()
    }

    pub(super) fn begin_with(
        &mut self,
        path: &Path,
        origin: &Origin,
        event: &Event<'_>,
    ) -> Result<(), JournalError> {
        match event {
            Event::Journal { version, .. } if *version != VERSION => {
                Err(JournalError::Version(path.to_owned()))
            }
            Event::Journal {
                id, origin: found, ..
            } if *found == origin.to_string() => {
                self.id = id.to_string();
                Ok(())
            }
            Event::Journal { origin: found, .. } => Err(JournalError::OtherLedger {
                path: path.to_owned(),
                found: found.to_string(),
                expected: origin.to_string(),
            }),
            _ => Err(JournalError::NotAJournal(path.to_owned())),
        }
    }

    /// Takes an event in; `None` if it can't follow on what was before.
    pub(super) fn apply(&mut self, event: &Event<'_>) -> Option<()> {
        match event {
            Event::Journal { .. } => return None,
            Event::Batch { key, seq } => {
                // One without records was cut off where it began.
                if self.open.as_ref().is_some_and(|open| open.len() > 0) {
                    return None;
                }
                self.refused = None;
                let records = Signed::Records(VecDeque::new());
                self.open = Some(OpenBatch::new(*key, *seq, records).of_earlier_run());
            }
            Event::Signed {
                digest,
                event,
                record,
            } => match &mut self.open.as_mut()?.signed {
                Signed::Records(records) if records.len() < BATCH_LINES_MAX => {
                    records.push_back(OpenRecord {
                        digest: *digest,
                        event: *event,
                        record: Stored::Encoded(record.as_ref().into()),
                    });
                }
                _ => return None,
            },
            Event::Seal { key, seq, record } => {
                if self.open.as_ref().is_some_and(|open| open.len() > 0) {
                    return None;
                }
                let bytes = STANDARD.decode(record.as_ref()).ok()?;
                let seal = SignedRecord::decode(&bytes).ok()?;
                if (seal.record().issuer, seal.record().seq) != (*key, *seq) {
                    return None;
                }
                let seal = OpenSeal::new(seal, &bytes);
                if seal.is_whole() {
                    // It signs nothing: no seal.
                    return None;
                }
                self.refused = None;
                self.open = Some(OpenBatch::of_seal(*key, *seq, seal).of_earlier_run());
            }
            Event::Sealed {
                digest,
                event,
                statement,
            } => match &mut self.open.as_mut()?.signed {
                Signed::Sealed(seal) if !seal.is_whole() => {
                    let bytes = STANDARD.decode(statement.as_ref()).ok()?;
                    seal.push(*digest, *event, &bytes);
                }
                _ => return None,
            },
            Event::In { seq, index, count } => self.apply_in(*seq, *index, *count)?,
            Event::Refused {
                seq, unanswered, ..
            } => {
                match self.open.take_if(|open| open.seq == *seq) {
                    Some(mut open) => {
                        open.on_its_way = *unanswered;
                        self.refused = open.seal().map(|_| *seq);
                        self.give_up(open);
                    }
                    None if self.refused == Some(*seq) => {}
                    None => return None,
                }
                self.settled += 1;
            }
            Event::Retried { .. } => {
                self.settled = self.settled.checked_sub(1)?;
                self.retried += 1;
            }
            Event::Void {
                seq,
                unanswered,
                until_ms,
            } => {
                let mut open = self.open.take_if(|open| open.seq == *seq)?;
                open.on_its_way = *unanswered || until_ms.is_some();
                self.give_up(open);
            }
            Event::Absent { .. } => self.absent += 1,
            Event::SameInput { gone } => self.same_input = Some(*gone),
            Event::Found {
                key,
                event,
                seq,
                id,
                index,
                seal,
                ..
            } => {
                let (seq, id, index) = (*seq, *id, *index);
                let line = LoggedLine {
                    signed: ChainEnd {
                        seq,
                        id,
                        index: seal.map_or(index, |seal| seal.index),
                    },
                    of: seal.map_or(1, |seal| seal.of),
                    index,
                    event: *event,
                };
                self.keys.entry(*key).or_default().add_found(line);
                self.records += 1;
                self.settled += 1;
            }
            Event::Answered { checkpoint } => self.answered = Some(checkpoint.to_string()),
            Event::Proven { checkpoint } => {
                self.proven = Some(checkpoint.to_string());
                self.unproven = None;
            }
        }
        Some(())
    }

    fn apply_in(&mut self, seq: Seq, index: Index, count: u64) -> Option<()> {
        let open = self.open.as_mut().filter(|open| open.seq == seq)?;
        let key = open.key;
        let count_here = usize::try_from(count).ok()?;
        if count_here == 0 || count_here > open.len() {
            return None;
        }
        let (first, last, signed) = match &mut open.signed {
            Signed::Records(records) => {
                let mut answered = records.drain(..count_here);
                let first = answered.next()?.record.decoded()?;
                let last = match answered.next_back() {
                    Some(last) => last.record.decoded()?,
                    None => first.clone(),
                };
                drop(answered);
                (first, last, count)
            }
            // All of it is in, or nothing.
            Signed::Sealed(seal) if seal.len() == count_here && seal.is_whole() => {
                (seal.seal.clone(), seal.seal.clone(), 1)
            }
            Signed::Sealed(_) => return None,
        };
        let is_sealed = open.seal().is_some();
        let end = ChainEnd {
            seq: Seq(seq.0.checked_add(signed - 1)?),
            id: self.context.id(last.bytes()),
            // A seal is behind its lines.
            index: Index(index.0.checked_add(count - u64::from(!is_sealed))?),
        };
        if last.record().issuer != key || last.record().seq != end.seq {
            return None;
        }
        open.seq = Seq(end.seq.0.checked_add(1)?);
        if is_sealed || open.len() == 0 {
            self.open = None;
        }
        self.place_taken(&key, end);
        self.keys.entry(key).or_default().add(seq, signed, end);
        self.records += count;
        self.settled += count;
        let first_at = if is_sealed { end.index } else { index };
        match &mut self.unproven {
            Some(unproven) => unproven.last = (end.index, last),
            None => {
                self.unproven = Some(Unproven {
                    first: (first_at, first),
                    last: (end.index, last),
                });
            }
        }
        Some(())
    }
}
