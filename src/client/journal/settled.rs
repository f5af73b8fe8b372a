//! What a journal says of each line that it knows, read again from its beginning.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Seek as _, SeekFrom};
use std::path::PathBuf;

use super::{Event, JournalError};
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
}

/// Reads what became of each line.
pub(in crate::client) struct SettledLines {
    pub(super) path: PathBuf,
    pub(super) lines: ChainedLines<BufReader<File>>,
    pub(super) end: u64,
    /// Digests of the batch whose answers were not read yet.
    pub(super) batch: VecDeque<Digest>,
    pub(super) ready: VecDeque<(Digest, Fate)>,
}

impl SettledLines {
    /// The next line.
    pub(in crate::client) fn next(&mut self) -> Result<Option<(Digest, Fate)>, JournalError> {
        while self.ready.is_empty() && self.lines.end < self.end {
            let number = self.lines.number + 1;
            let damaged = || JournalError::Damaged {
                path: self.path.clone(),
                line: number,
            };
            let at_line = self.lines.end;
            let json = match self.lines.next() {
                Ok(Some(json)) => json,
                Ok(None) | Err(LineFault::Damaged) => return Err(damaged()),
                Err(LineFault::Io(error)) => return Err(at(&self.path)(error).into()),
            };
            match serde_json::from_slice(json).map_err(|_| damaged())? {
                Event::Signed { digest, .. } => self.batch.push_back(digest),
                Event::In { index, count, .. } => {
                    for offset in 0..count {
                        let digest = self.batch.pop_front().ok_or_else(damaged)?;
                        let index = Index(index.0.saturating_add(offset));
                        self.ready.push_back((digest, Fate::In(index)));
                    }
                }
                Event::Refused { digest, .. } => {
                    self.batch.clear();
                    self.ready
                        .push_back((digest, Fate::Refused { at: at_line }));
                }
                Event::Retried { digest } => self.ready.push_back((digest, Fate::Retried)),
                Event::Void { .. } => self.batch.clear(),
                Event::Found { digest, index, .. } => {
                    self.ready.push_back((digest, Fate::In(index)));
                }
                Event::Journal { .. }
                | Event::Batch { .. }
                | Event::Answered { .. }
                | Event::Proven { .. } => {}
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
