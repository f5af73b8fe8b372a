//! The client's journal: what was signed, and what became of it. One JSON object a line; a line
//! that was cut off at the end was never acted on and is cut away.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::crypto::PublicKey;
use crate::durable::{AppendFile, FileError, at};
use crate::record::{Index, SignedRecord};

/// A journal that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It belongs to other records.
    #[error(
        "{path} is the journal of {found}, not of {expected}; move it away, or use the key and ledger it was begun with"
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// A line in its middle is not readable.
    #[error(
        "{path} line {line} is damaged; restore it before anything is sent: what it signed must not be signed differently"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// Another process writes it.
    #[error("{0} is in use by another submit; wait for it, or stop it")]
    Locked(PathBuf),
    /// Anything that the file system says.
    #[error(transparent)]
    Io(#[from] FileError),
}

/// What became of one statement of the input.
#[derive(Clone, Debug)]
pub enum LineState {
    /// Signed; perhaps sent.
    Signed(Box<SignedRecord>),
    /// In.
    Admitted(Index),
    /// Refused, by the server or by whoever prepared it.
    Refused {
        /// The stable name.
        code: String,
        /// Why.
        detail: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    Begin {
        origin: String,
        issuer: PublicKey,
    },
    Signed {
        line: usize,
        record: String,
    },
    Admitted {
        line: usize,
        indexes: Vec<Index>,
    },
    Refused {
        line: usize,
        code: String,
        detail: String,
    },
}

/// A journal, open.
pub struct Journal {
    file: AppendFile,
    lines: Vec<LineState>,
}

impl Journal {
    /// Opens the journal of an issuer's records, or begins it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path, origin: &str, issuer: &PublicKey) -> Result<Self, JournalError> {
        let mut file = AppendFile::open(path)?;
        if !file.try_lock()? {
            return Err(JournalError::Locked(path.to_owned()));
        }
        let bytes = file.read_all()?;
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        file.end_at(whole as u64)?;
        let mut journal = Self {
            file,
            lines: Vec::new(),
        };
        let expected = format!("{issuer} at {origin}");
        for (number, line) in bytes
            .get(..whole)
            .unwrap_or_default()
            .split(|b| *b == b'\n')
            .enumerate()
        {
            if line.is_empty() {
                continue;
            }
            let damaged = || JournalError::Damaged {
                path: path.to_owned(),
                line: number + 1,
            };
            let event: Event = serde_json::from_slice(line).map_err(|_| damaged())?;
            if let Event::Begin { origin, issuer } = &event {
                let found = format!("{issuer} at {origin}");
                if found != expected {
                    return Err(JournalError::Other {
                        path: path.to_owned(),
                        found,
                        expected,
                    });
                }
            }
            journal.replay(event).ok_or_else(damaged)?;
        }
        if whole == 0 {
            let begin = Event::Begin {
                origin: origin.to_owned(),
                issuer: *issuer,
            };
            journal.write(&[begin])?;
            journal.file.sync()?;
        }
        Ok(journal)
    }

    fn replay(&mut self, event: Event) -> Option<()> {
        match event {
            Event::Begin { .. } => {}
            Event::Signed { line, record } => {
                // Lines after a refused one are signed again, once.
                if line > self.lines.len() {
                    return None;
                }
                self.lines.truncate(line);
                let record = SignedRecord::decode(&STANDARD.decode(record).ok()?).ok()?;
                self.lines.push(LineState::Signed(Box::new(record)));
            }
            Event::Admitted { line, indexes } => {
                for (offset, index) in indexes.into_iter().enumerate() {
                    *self.lines.get_mut(line + offset)? = LineState::Admitted(index);
                }
            }
            Event::Refused { line, code, detail } => {
                if line > self.lines.len() {
                    return None;
                }
                self.lines.truncate(line);
                self.lines.push(LineState::Refused { code, detail });
            }
        }
        Some(())
    }

    /// What became of each statement so far, in the input's order.
    pub fn lines(&self) -> &[LineState] {
        &self.lines
    }

    /// Notes signed records, durably: only then may they be sent.
    ///
    /// # Errors
    /// [`JournalError::Io`]; nothing may then be sent.
    pub fn signed(&mut self, records: &[SignedRecord]) -> Result<(), JournalError> {
        let mut events = Vec::with_capacity(records.len());
        for (offset, record) in records.iter().enumerate() {
            let bytes = record
                .encode()
                .map_err(|error| at(self.file.path())(std::io::Error::other(error)))?;
            let line = self.lines.len() + offset;
            events.push(Event::Signed {
                line,
                record: STANDARD.encode(bytes),
            });
        }
        self.write(&events)?;
        self.file.sync()?;
        self.lines.extend(
            records
                .iter()
                .cloned()
                .map(|r| LineState::Signed(Box::new(r))),
        );
        Ok(())
    }

    /// Notes that the records from `line` on are in. If this is lost, sending them again tells.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn admitted(&mut self, line: usize, indexes: Vec<Index>) -> Result<(), JournalError> {
        let event = Event::Admitted { line, indexes };
        self.write(std::slice::from_ref(&event))?;
        self.took(event, line)
    }

    /// Notes that a statement was refused; those signed after it are void, and were not admitted.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn refused(&mut self, line: usize, code: &str, detail: &str) -> Result<(), JournalError> {
        let event = Event::Refused {
            line,
            code: code.to_owned(),
            detail: detail.to_owned(),
        };
        self.write(std::slice::from_ref(&event))?;
        self.file.sync()?;
        self.took(event, line)
    }

    /// Takes in what was written. What fits no line would be damage to the next run, so this one
    /// ends with it.
    fn took(&mut self, event: Event, line: usize) -> Result<(), JournalError> {
        self.replay(event).ok_or_else(|| JournalError::Damaged {
            path: self.file.path().to_owned(),
            line,
        })
    }

    fn write(&mut self, events: &[Event]) -> Result<(), JournalError> {
        let mut bytes = Vec::new();
        for event in events {
            serde_json::to_writer(&mut bytes, event)
                .map_err(|error| at(self.file.path())(error.into()))?;
            bytes.push(b'\n');
        }
        Ok(self.file.append(&bytes)?)
    }
}
