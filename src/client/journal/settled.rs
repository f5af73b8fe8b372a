//! What a journal says of each line that it knows, read again from its beginning.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::{Event, JournalError, Mark, READ_BYTES, not_of_this_version};
use crate::client::chained::{ChainedLines, LineFault};
use crate::durable::at;
use crate::record::{Digest, Index};

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::client) enum Fate {
    /// It is in.
    In(Index),
    /// It was refused for what it says, in the journal's line that begins here.
    Refused { at: u64 },
    /// A refusal of the same statement before it counts no more.
    Retried,
    /// A run did not find a line of this statement that is in, at this entry.
    Absent(Index),
    /// Somebody said that the input is the one of before: what stood in it then was never another.
    SameInput,
}

/// A line that the journal knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::client) struct Settled {
    /// Of what it says.
    pub digest: Digest,
    /// The event that it names; what was refused is of none.
    pub event: Option<Digest>,
    pub fate: Fate,
}

impl Settled {
    fn new(digest: Digest, fate: Fate) -> Self {
        Self {
            digest,
            event: None,
            fate,
        }
    }

    fn is_in(digest: Digest, event: Option<Digest>, index: Index) -> Self {
        Self {
            digest,
            event,
            fate: Fate::In(index),
        }
    }
}

/// Reads what became of each line.
pub(in crate::client) struct SettledLines {
    pub(super) path: PathBuf,
    pub(super) lines: ChainedLines<BufReader<File>>,
    pub(super) end: u64,
    /// Digests and events of the batch whose answers were not read yet.
    pub(super) batch: VecDeque<(Digest, Option<Digest>)>,
    pub(super) ready: VecDeque<Settled>,
    /// Of a journal that is not open: the point that a head saw, where `end` is. Every line up to it
    /// is checked.
    pub(super) mark: Option<Mark>,
    /// Records that are in, among the lines that were read.
    pub(super) records: u64,
}

impl SettledLines {
    /// What a journal held when a head saw it. The file is only read.
    ///
    /// # Errors
    /// [`JournalError::Gone`] if it is missing; while reading it, [`JournalError::Damaged`] and
    /// [`JournalError::Older`] if it is not what the head saw.
    pub(in crate::client) fn as_seen(path: &Path, mark: &Mark) -> Result<Self, JournalError> {
        let file = File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => JournalError::Gone {
                path: path.to_owned(),
                records: mark.records,
            },
            _ => at(path)(error).into(),
        })?;
        let reader = BufReader::with_capacity(READ_BYTES, file);
        Ok(Self {
            path: path.to_owned(),
            lines: ChainedLines::new(reader, true),
            end: mark.bytes,
            batch: VecDeque::new(),
            ready: VecDeque::new(),
            mark: Some(mark.clone()),
            records: 0,
        })
    }

    /// The next line.
    pub(in crate::client) fn next(&mut self) -> Result<Option<Settled>, JournalError> {
        while self.ready.is_empty() && self.lines.end < self.end {
            let number = self.lines.number + 1;
            let damaged = || JournalError::Damaged {
                path: self.path.clone(),
                line: number,
            };
            let older = |mark: &Mark| JournalError::Older {
                path: self.path.clone(),
                known: mark.records,
            };
            let at_line = self.lines.end;
            let json = match self.lines.next() {
                Ok(Some(json)) => json,
                Err(LineFault::Damaged) if number == 1 => {
                    return Err(not_of_this_version(&self.path));
                }
                Ok(None) => return Err(self.mark.as_ref().map_or_else(damaged, older)),
                Err(LineFault::Damaged) => return Err(damaged()),
                Err(LineFault::Io(error)) => return Err(at(&self.path)(error).into()),
            };
            match serde_json::from_slice(json).map_err(|_| damaged())? {
                Event::Signed { digest, event, .. } | Event::Sealed { digest, event, .. } => {
                    self.batch.push_back((digest, event));
                }
                Event::In { index, count, .. } => {
                    self.records = self.records.saturating_add(count);
                    for offset in 0..count {
                        let (digest, event) = self.batch.pop_front().ok_or_else(damaged)?;
                        let index = Index(index.0.saturating_add(offset));
                        self.ready.push_back(Settled::is_in(digest, event, index));
                    }
                }
                Event::Refused { digest, .. } => {
                    self.batch.clear();
                    let fate = Fate::Refused { at: at_line };
                    self.ready.push_back(Settled::new(digest, fate));
                }
                Event::Retried { digest } => {
                    self.ready.push_back(Settled::new(digest, Fate::Retried));
                }
                Event::Void { .. } => self.batch.clear(),
                Event::Absent { digest, index } => {
                    self.ready
                        .push_back(Settled::new(digest, Fate::Absent(index)));
                }
                Event::SameInput { gone } => {
                    self.ready.push_back(Settled::new(gone, Fate::SameInput));
                }
                Event::Found {
                    digest,
                    event,
                    index,
                    ..
                } => {
                    self.records += 1;
                    self.ready.push_back(Settled::is_in(digest, event, index));
                }
                Event::Journal { .. }
                | Event::Batch { .. }
                | Event::Seal { .. }
                | Event::Answered { .. }
                | Event::Proven { .. } => {}
            }
            if self.lines.end >= self.end
                && let Some(mark) = &self.mark
                && (self.lines.end != mark.bytes || self.lines.chain().to_string() != mark.checksum)
            {
                return Err(JournalError::Older {
                    path: self.path.clone(),
                    known: mark.records,
                });
            }
        }
        Ok(self.ready.pop_front())
    }

    /// The code and the detail of a refusal.
    pub(in crate::client) fn refusal(
        &self,
        at_line: u64,
    ) -> Result<(String, String), JournalError> {
        let read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(at_line))?;
            let mut lines = ChainedLines::new(BufReader::new(file), false);
            Ok(match lines.next() {
                Ok(Some(json)) => match serde_json::from_slice(json) {
                    Ok(Event::Refused { code, detail, .. }) => {
                        Some((code.into_owned(), detail.into_owned()))
                    }
                    _ => None,
                },
                Ok(None) | Err(LineFault::Damaged) => None,
                Err(LineFault::Io(error)) => return Err(error),
            })
        };
        let found: std::io::Result<_> = read();
        found
            .map_err(at(&self.path))?
            .ok_or_else(|| JournalError::Damaged {
                path: self.path.clone(),
                line: 0,
            })
    }
}
