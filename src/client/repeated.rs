//! Awards that an input says again. An award names the event that it is for by its evidence, so the
//! same award twice in one input is one event that was written twice, as where files that overlap
//! were joined. What the input said so far is looked up on disk: memory does not grow with it.

use std::path::{Path, PathBuf};

use super::digest_table::{DigestTable, Value};
use super::journal::{Fate, Journal, JournalError};
use crate::durable::{FileError, at};
use crate::record::{Award, Digest};

/// How many awards the table has room for at first; it doubles when it is full.
const ROOM: u64 = 4_096;

/// What an input said before an award.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SaidBefore {
    /// Nothing of its event.
    Nothing,
    /// The same; the line, if it was not sent in an earlier run.
    Same(Option<u64>),
    /// Another award with this evidence, in this line.
    OtherFields(u64),
}

/// The awards that an input said: those of its journal by the digests of their statements, and those
/// of this run by their evidence.
pub(super) struct AwardsSaid {
    table: DigestTable,
    count: u64,
    room: u64,
    folder: PathBuf,
}

impl AwardsSaid {
    /// What the input said in earlier runs, and still says: to be read before its first line that
    /// the journal does not know is placed. Files without names go into this folder.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(super) fn read(journal: &Journal, folder: &Path) -> Result<Self, JournalError> {
        let room = journal.settled_count() + journal.retried_count() + ROOM;
        let io = at(folder);
        let mut said = Self {
            table: DigestTable::new(folder, room).map_err(&io)?,
            count: 0,
            room,
            folder: folder.to_owned(),
        };
        let mut lines = journal.settled()?;
        while let Some((digest, fate)) = lines.next()? {
            match fate {
                Fate::In(_) | Fate::Refused { .. } => said.put(&digest, Value::default())?,
                Fate::Retried => drop(said.table.take(&digest).map_err(&io)?),
            }
        }
        Ok(said)
    }

    /// What the input said of an award's event before this line; this line is noted.
    ///
    /// # Errors
    /// [`FileError`].
    pub(super) fn say(
        &mut self,
        line: u64,
        award: &Award,
        digest: &Digest,
    ) -> Result<SaidBefore, FileError> {
        let known = self.table.peek(digest).map_err(at(&self.folder))?;
        if known.is_some() {
            return Ok(SaidBefore::Same(None));
        }
        let own = fingerprint(digest);
        let (mut same, mut other) = (None, None);
        self.table
            .for_each_of(&award.evidence, |[line, said @ .., _, _]| {
                if said == own {
                    same = same.or(Some(line));
                } else {
                    other = other.or(Some(line));
                }
            })
            .map_err(at(&self.folder))?;
        if same.is_some() {
            return Ok(SaidBefore::Same(same));
        }
        let [a, b, c, d] = own;
        self.put(&award.evidence, [line, a, b, c, d, 0, 0])?;
        Ok(other.map_or(SaidBefore::Nothing, SaidBefore::OtherFields))
    }

    fn put(&mut self, digest: &Digest, value: Value) -> Result<(), FileError> {
        let io = at(&self.folder);
        if self.count == self.room {
            let room = self.room.saturating_mul(2);
            let mut larger = DigestTable::new(&self.folder, room).map_err(&io)?;
            self.table
                .for_each(|digest, value| larger.put(&digest, value))
                .map_err(&io)?;
            (self.table, self.room) = (larger, room);
        }
        self.count += 1;
        self.table.put(digest, value).map_err(io)
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
