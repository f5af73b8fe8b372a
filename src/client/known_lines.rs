//! What the journal says of the lines of an input. As long as both have the same lines in the same
//! order they are compared side by side; from the first difference on, the rest of the journal is
//! looked up on disk. Either way memory does not grow with them.
//!
//! A line is known by its statement's digest. Where the same statement stands in the input several
//! times, the first is the first in the journal, and so on: each of the journal is used once.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::digest_table::{DigestTable, Value};
use super::journal::{Fate, Journal, JournalError, Settled, SettledLines};
use crate::durable::at;
use crate::record::{Digest, Index};

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
}

impl KnownLines {
    /// What a journal holds now.
    pub(super) fn new(journal: &Journal) -> Result<Self, JournalError> {
        let mut lines = journal.settled()?;
        Ok(Self {
            next: lines.next()?,
            lines,
            table: None,
            left: journal.settled_count(),
            left_in: journal.mark().records,
            retried: journal.retried_count(),
        })
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
                self.next = self.lines.next()?;
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
        while let Some(Settled { digest, fate, .. }) = self.next.take() {
            match fate {
                Fate::In(index) => table.put(&digest, value(index.0)),
                Fate::Refused { at } => table.put(&of_refusal(&digest), value(at)),
                Fate::Retried => table.take(&of_refusal(&digest)).map(drop),
            }
            .map_err(&io)?;
            self.next = self.lines.next()?;
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

fn value(number: u64) -> Value {
    let mut value = Value::default();
    let [first, ..] = &mut value;
    *first = number;
    value
}
