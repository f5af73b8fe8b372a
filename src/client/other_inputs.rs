//! What a key's other inputs said: each record that another journal of the key holds, by the
//! digest of its statement. The same lines under another name, in another order, or together with
//! further ones are known by it.
//!
//! Each record counts once, however many journals hold it, and none that the journal of this input
//! holds itself. The journals are read up to where the key's head saw them, once in a run, and
//! checked on the way; what they hold is looked up on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::digest_table::{DigestTable, Value};
use super::journal::{Fate, Journal, JournalError, SettledLines};
use super::key_head::{JournalSeen, KeyHead};
use super::seq_ranges::SeqRanges;
use crate::crypto::PublicKey;
use crate::durable::{FileError, at};
use crate::record::{Digest, Index};

/// The records of a key that other journals than that of this input hold.
pub(super) struct OtherInputs {
    table: DigestTable,
    /// Their entries by the events that they name.
    events: DigestTable,
    /// The journals; a value of the table names one by its place here.
    journals: Vec<PathBuf>,
    folder: PathBuf,
}

impl OtherInputs {
    /// Reads the other journals of a key. Files without names go into this folder.
    ///
    /// # Errors
    /// [`JournalError`] of a journal that is missing, or is not what the head saw: then nobody can
    /// tell which lines it holds.
    pub(super) fn read(head: &KeyHead, own: &Journal, folder: &Path) -> Result<Self, JournalError> {
        let others: Vec<&JournalSeen> = head.with_records(own.id()).collect();
        let records = others.iter().map(|seen| seen.mark.records).sum();
        let io = at(folder);
        let mut table = DigestTable::new(folder, records).map_err(&io)?;
        let mut events = DigestTable::new(folder, records).map_err(&io)?;
        let mut counted = match share_records(own, &others) {
            false => None,
            true => Some(CountedOnce::new(folder, own, records)?),
        };
        let mut journals = Vec::new();
        for seen in others {
            let mut lines = SettledLines::as_seen(Path::new(&seen.path), &seen.mark)?;
            while let Some(settled) = lines.next()? {
                let Fate::In(index) = settled.fate else {
                    continue;
                };
                let is_new = match &mut counted {
                    Some(counted) => counted.add(index).map_err(&io)?,
                    None => true,
                };
                if is_new {
                    let place = journals.len() as u64;
                    let mut value = Value::default();
                    let [at, journal, ..] = &mut value;
                    (*at, *journal) = (index.0, place);
                    table.put(&settled.digest, value).map_err(&io)?;
                    if let Some(event) = &settled.event {
                        events.put(event, value).map_err(&io)?;
                    }
                }
            }
            journals.push(PathBuf::from(&seen.path));
        }
        Ok(Self {
            table,
            events,
            journals,
            folder: folder.to_owned(),
        })
    }

    /// The first entry that names this event, with the journal that holds it, whether it was taken out
    /// or not.
    pub(super) fn of_event(&self, event: &Digest) -> Result<Option<(Index, &Path)>, FileError> {
        let found = self.events.peek(event).map_err(at(&self.folder))?;
        Ok(found.and_then(|value| self.entry(value)))
    }

    fn entry(&self, [index, place, ..]: Value) -> Option<(Index, &Path)> {
        let journal = self.journals.get(usize::try_from(place).ok()?)?;
        Some((Index(index), journal.as_path()))
    }

    /// Takes out the first record that says this, with the journal that holds it.
    pub(super) fn take(&mut self, digest: &Digest) -> Result<Option<(Index, &Path)>, FileError> {
        let taken = self.table.take(digest).map_err(at(&self.folder))?;
        Ok(taken.and_then(|value| self.entry(value)))
    }
}

/// Whether two of the journals hold the same record, as far as the head can tell: it may say yes
/// where they do not.
fn share_records(own: &Journal, others: &[&JournalSeen]) -> bool {
    let mut held: BTreeMap<&PublicKey, SeqRanges> = BTreeMap::new();
    for (key, records) in own.keys() {
        let known = held.entry(key).or_default();
        known.extend(&records.seqs);
        known.extend(&records.parts);
    }
    for seen in others {
        // A journal may hold some lines of a seal that another one holds whole.
        for (key, seqs) in seen.keys.iter().chain(&seen.parts) {
            let known = held.entry(key).or_default();
            if known.overlaps(seqs) {
                return true;
            }
            known.extend(seqs);
        }
    }
    false
}

/// Entries that were counted, on disk.
pub(super) struct CountedOnce(DigestTable);

impl CountedOnce {
    /// Room for up to so many.
    pub(super) fn with_room(folder: &Path, entries: u64) -> Result<Self, FileError> {
        Ok(Self(DigestTable::new(folder, entries).map_err(at(folder))?))
    }

    /// Those of this input's own journal are counted from the beginning.
    fn new(folder: &Path, own: &Journal, others: u64) -> Result<Self, JournalError> {
        let records = others.saturating_add(own.mark().records);
        let mut counted = Self::with_room(folder, records)?;
        counted.add_all(folder, own.settled()?)?;
        Ok(counted)
    }

    /// Counts the entries that a journal holds.
    pub(super) fn add_all(
        &mut self,
        folder: &Path,
        mut lines: SettledLines,
    ) -> Result<(), JournalError> {
        while let Some(settled) = lines.next()? {
            if let Fate::In(index) = settled.fate {
                self.add(index).map_err(at(folder))?;
            }
        }
        Ok(())
    }

    /// Counts an entry; tells whether it was new.
    pub(super) fn add(&mut self, index: Index) -> std::io::Result<bool> {
        if self.contains(index)? {
            return Ok(false);
        }
        self.0.put(&name_of(index), Value::default())?;
        Ok(true)
    }

    /// Whether an entry was counted.
    pub(super) fn contains(&self, index: Index) -> std::io::Result<bool> {
        Ok(self.0.peek(&name_of(index))?.is_some())
    }
}

fn name_of(index: Index) -> Digest {
    Digest::from_bytes(Sha256::digest(index.0.to_be_bytes()).into())
}
