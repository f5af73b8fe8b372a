//! What an input says again of an event. An award names the event that it is for by its evidence, so
//! the same award twice in one input is one event that was written twice, as where files that overlap
//! were joined; and one of an event that is in, with other fields, is that event edited. What the input
//! said so far is looked up on disk: memory does not grow with it.

use std::path::{Path, PathBuf};

use super::digest_table::{DigestTable, Value};
use super::journal::{Fate, Journal, JournalError, LineIn};
use crate::durable::{FileError, at};
use crate::record::{Digest, Index};

/// How many lines the tables have room for at first, besides those of the journal.
const ROOM: u64 = 4_096;

/// What was said of an event before a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SaidBefore {
    /// Nothing.
    Nothing,
    /// The same; the line, if it was not sent in an earlier run.
    Same(Option<u64>),
    /// Something else.
    OtherFields(SaidBy),
}

/// What says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SaidBy {
    /// A line of this run.
    Line(u64),
    /// An entry of the log.
    Entry(Index),
}

/// What an input said of events: the entries of its journal and the lines of this run, by event; and
/// by their own digests the lines that are refused.
pub(super) struct EventsSaid {
    events: DigestTable,
    refused: DigestTable,
    folder: PathBuf,
}

impl EventsSaid {
    /// What the input said in earlier runs: to be read before its first line that the journal does not
    /// know is placed. Files without names go into this folder.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(super) fn read(journal: &Journal, folder: &Path) -> Result<Self, JournalError> {
        let room = journal.mark().records + ROOM;
        let io = at(folder);
        let mut said = Self {
            events: DigestTable::new(folder, room).map_err(&io)?,
            refused: DigestTable::new(folder, ROOM).map_err(&io)?,
            folder: folder.to_owned(),
        };
        let mut lines = journal.settled()?;
        while let Some(settled) = lines.next()? {
            match (settled.fate, settled.event) {
                (Fate::In(index), Some(event)) => {
                    said.put(&event, SaidBy::Entry(index), &settled.digest)?;
                }
                (Fate::In(_), None) | (Fate::Absent(_) | Fate::SameInput, _) => {}
                (Fate::Refused { .. }, _) => {
                    let put = said.refused.put(&settled.digest, Value::default());
                    put.map_err(&io)?;
                }
                (Fate::Retried, _) => said.is_retried(&settled.digest)?,
            }
        }
        Ok(said)
    }

    /// A refused line is to be sent again.
    pub(super) fn is_retried(&mut self, digest: &Digest) -> Result<(), FileError> {
        let taken = self.refused.take(digest);
        taken.map(drop).map_err(at(&self.folder))
    }

    /// Notes a line that is in.
    pub(super) fn is_in(&mut self, line: &LineIn) -> Result<(), FileError> {
        match &line.event {
            Some(event) => self.put(event, SaidBy::Entry(line.index), &line.digest),
            None => Ok(()),
        }
    }

    /// What the input said of an event before this line; this line is noted.
    ///
    /// # Errors
    /// [`FileError`].
    pub(super) fn say(
        &mut self,
        line: u64,
        event: &Digest,
        digest: &Digest,
    ) -> Result<SaidBefore, FileError> {
        let refused = self.refused.peek(digest).map_err(at(&self.folder))?;
        if refused.is_some() {
            return Ok(SaidBefore::Same(None));
        }
        let own = fingerprint(digest);
        let (mut same, mut other) = (None, None);
        self.events
            .for_each_of(event, |[is_entry, number, a, b, c, d, ..]| {
                let by = match is_entry {
                    0 => SaidBy::Line(number),
                    _ => SaidBy::Entry(Index(number)),
                };
                if [a, b, c, d] == own {
                    same = same.or(Some(by));
                } else {
                    other = other.or(Some(by));
                }
            })
            .map_err(at(&self.folder))?;
        match (same, other) {
            (Some(SaidBy::Line(line)), _) => return Ok(SaidBefore::Same(Some(line))),
            (Some(SaidBy::Entry(_)), _) => return Ok(SaidBefore::Same(None)),
            (None, _) => {}
        }
        self.put(event, SaidBy::Line(line), digest)?;
        Ok(other.map_or(SaidBefore::Nothing, SaidBefore::OtherFields))
    }

    fn put(&mut self, event: &Digest, by: SaidBy, digest: &Digest) -> Result<(), FileError> {
        let (is_entry, number) = match by {
            SaidBy::Line(line) => (0, line),
            SaidBy::Entry(index) => (1, index.0),
        };
        let [a, b, c, d] = fingerprint(digest);
        let mut value = Value::default();
        for (place, said) in value.iter_mut().zip([is_entry, number, a, b, c, d]) {
            *place = said;
        }
        self.events.put(event, value).map_err(at(&self.folder))
    }
}

/// A digest as numbers of a table's value.
fn fingerprint(digest: &Digest) -> [u64; 4] {
    let mut numbers = [0; 4];
    let (chunks, _) = digest.as_bytes().as_chunks::<8>();
    for (number, chunk) in numbers.iter_mut().zip(chunks) {
        *number = u64::from_be_bytes(*chunk);
    }
    numbers
}
