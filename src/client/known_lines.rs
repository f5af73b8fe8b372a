//! What the journal says of the lines of an input. As long as both have the same lines in the same
//! order they are compared side by side; from the first difference on, the rest of the journal is
//! looked up on disk. Either way memory does not grow with them.
//!
//! A line is known by its statement's digest. Where the same statement stands in the input several
//! times, the first is the first in the journal, and so on: each of the journal is used once.

use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::digest_table::{DigestTable, Value};
use super::journal::{Fate, Journal, JournalError, Settled, SettledLines};
use crate::durable::at;
use crate::record::{Digest, Index};

/// What stands in the table: a line that is in and names no event, one that names one, or a refusal.
const IS_IN: u64 = 0;
const IS_IN_OF_EVENT: u64 = 1;
const IS_REFUSED: u64 = 2;

/// The lines that a journal knows.
pub(super) struct KnownLines {
    lines: SettledLines,
    /// The next line of the journal, while both agree.
    next: Option<Settled>,
    /// The rest of the journal, once they do not.
    table: Option<DigestTable>,
    /// Lines of the journal that were not used yet.
    left: u64,
    /// Of them, those that are in.
    left_in: u64,
    /// Refusals that count no more: their places in the journal would be taken for lines.
    retried: u64,
    /// Lines that are in and that a run did not find in the input, by their digests, if there are any.
    absent: Option<DigestTable>,
}

impl KnownLines {
    /// What a journal holds now. Files without names go into this folder.
    pub(super) fn new(journal: &Journal, folder: &Path) -> Result<Self, JournalError> {
        let mut known = Self {
            next: None,
            lines: journal.settled()?,
            table: None,
            left: journal.settled_count(),
            left_in: journal.mark().records,
            retried: journal.retried_count(),
            absent: absent_lines(journal, folder)?,
        };
        known.advance()?;
        Ok(known)
    }

    /// Reads on to the next line.
    fn advance(&mut self) -> Result<(), JournalError> {
        self.next = self.lines.next()?;
        while let Some(Settled {
            fate: Fate::Absent(_) | Fate::SameInput,
            ..
        }) = self.next
        {
            self.next = self.lines.next()?;
        }
        Ok(())
    }

    /// Whether a run before did not find this line in the input: what stands there now may be a further
    /// one that says the same.
    pub(super) fn was_absent(
        &self,
        folder: &Path,
        digest: &Digest,
        index: Index,
    ) -> Result<bool, JournalError> {
        let Some(absent) = &self.absent else {
            return Ok(false);
        };
        let mut found = false;
        absent
            .for_each_of(digest, |[at, ..]| found |= at == index.0)
            .map_err(at(folder))?;
        Ok(found)
    }

    /// Calls `each` with the lines that are in, name no event, and that the input did not ask for, but
    /// for those of which that is known already. To be called when the whole input was read.
    pub(super) fn for_each_gone(
        &mut self,
        folder: &Path,
        mut each: impl FnMut(Digest, Index) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        if self.left_in == 0 {
            return Ok(());
        }
        if self.table.is_none() {
            self.look_up_from_here(folder)?;
        }
        let Some(table) = &self.table else {
            return Ok(());
        };
        let mut failed = None;
        let walked = table.for_each(|digest, [index, kind, ..]| {
            let index = Index(index);
            if kind != IS_IN {
                return Ok(());
            }
            let noted = match self.was_absent(folder, &digest, index) {
                Ok(false) => each(digest, index),
                known => known.map(drop),
            };
            noted.map_err(|error| {
                failed = Some(error);
                io::ErrorKind::Other.into()
            })
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(walked.map_err(at(folder))?),
        }
    }

    /// Which lines that are in the input did not ask for, in whatever order. To be called when the whole
    /// input was read.
    pub(super) fn gone(&mut self, folder: &Path) -> Result<Digest, JournalError> {
        let mut sum = [0; 32];
        if self.left_in > 0 && self.table.is_none() {
            self.look_up_from_here(folder)?;
        }
        let table = self.table.as_ref().filter(|_| self.left_in > 0);
        if let Some(table) = table {
            let walked = table.for_each(|digest, [index, kind, ..]| {
                if kind != IS_REFUSED {
                    let mut hasher = Sha256::new();
                    hasher.update(digest.as_bytes());
                    hasher.update(index.to_be_bytes());
                    let line: [u8; 32] = hasher.finalize().into();
                    sum.iter_mut()
                        .zip(line)
                        .for_each(|(sum, line)| *sum ^= line);
                }
                Ok(())
            });
            walked.map_err(at(folder))?;
        }
        Ok(Digest::from_bytes(sum))
    }

    /// Forgets which lines runs before did not find in the input, since somebody said that it is the one of
    /// before.
    pub(super) fn forget_absent(&mut self) {
        self.absent = None;
    }

    /// How many lines that are in the input did not ask for. One that was refused never was in.
    pub(super) fn left_in(&self) -> u64 {
        self.left_in
    }

    /// What became of the next line of the input, which says this.
    pub(super) fn take(
        &mut self,
        folder: &Path,
        digest: &Digest,
    ) -> Result<Option<Fate>, JournalError> {
        if self.retried > 0 && self.table.is_none() {
            self.look_up_from_here(folder)?;
        }
        let found = match (&self.next, &mut self.table) {
            (Some(known), _) if known.digest == *digest => {
                let fate = known.fate;
                self.advance()?;
                Some(fate)
            }
            (None, None) => None,
            (Some(_), _) => {
                self.look_up_from_here(folder)?;
                return self.take(folder, digest);
            }
            (None, Some(table)) => {
                let mut take = |digest: &Digest| table.take(digest).map_err(at(folder));
                match take(digest)? {
                    Some([index, ..]) => Some(Fate::In(Index(index))),
                    None => take(&of_refusal(digest))?.map(|[at, ..]| Fate::Refused { at }),
                }
            }
        };
        self.left -= u64::from(found.is_some() && self.left > 0);
        let is_in = matches!(found, Some(Fate::In(_)));
        self.left_in -= u64::from(is_in && self.left_in > 0);
        Ok(found)
    }

    /// The code and the detail of a refusal.
    pub(super) fn refusal(&self, at_line: u64) -> Result<(String, String), JournalError> {
        self.lines.refusal(at_line)
    }

    fn look_up_from_here(&mut self, folder: &Path) -> Result<(), JournalError> {
        let io = at(folder);
        let mut table = DigestTable::new(folder, self.left + self.retried).map_err(&io)?;
        while let Some(Settled {
            digest,
            event,
            fate,
        }) = self.next.take()
        {
            match fate {
                Fate::In(index) if event.is_some() => {
                    table.put(&digest, value(index.0, IS_IN_OF_EVENT))
                }
                Fate::In(index) => table.put(&digest, value(index.0, IS_IN)),
                Fate::Refused { at } => table.put(&of_refusal(&digest), value(at, IS_REFUSED)),
                Fate::Retried => table.take(&of_refusal(&digest)).map(drop),
                Fate::Absent(_) | Fate::SameInput => Ok(()),
            }
            .map_err(&io)?;
            self.advance()?;
        }
        self.table = Some(table);
        Ok(())
    }
}

/// Refusals stand in the table under digests of their own: what is in comes before them.
fn of_refusal(digest: &Digest) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(b"refused");
    hasher.update(digest.as_bytes());
    Digest::from_bytes(hasher.finalize().into())
}

fn value(number: u64, kind: u64) -> Value {
    let mut value = Value::default();
    let [first, second, ..] = &mut value;
    (*first, *second) = (number, kind);
    value
}

/// The lines of which a journal notes that a run did not find them in the input; `None` if there are
/// none.
fn absent_lines(journal: &Journal, folder: &Path) -> Result<Option<DigestTable>, JournalError> {
    if journal.absent_count() == 0 {
        return Ok(None);
    }
    let io = at(folder);
    let mut absent = DigestTable::new(folder, journal.absent_count()).map_err(&io)?;
    let mut lines = journal.settled()?;
    while let Some(settled) = lines.next()? {
        match settled.fate {
            Fate::Absent(index) => absent
                .put(&settled.digest, value(index.0, IS_IN))
                .map_err(&io)?,
            Fate::SameInput => {
                absent = DigestTable::new(folder, journal.absent_count()).map_err(&io)?;
            }
            _ => {}
        }
    }
    Ok(Some(absent))
}
