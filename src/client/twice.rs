//! Events that are in twice: this key and another one of the holder signed an award each, side by side, or
//! by a request that was on its way while one replaced the other. Neither could know of the other then.
//! Each is told once, in the run that first reads of it.

use std::path::Path;

use super::digest_table::{DigestTable, Value};
use super::journal::{Fate, JournalError, SettledLines};
use super::key_head::Checked;
use super::opening::other_keys_path;
use super::submitter::{InTwice, SubmitError, Submitter};
use crate::durable::at;
use crate::record::Index;

/// How many are named: the count tells the rest.
const NAMED_MAX: usize = 1_000;

impl Submitter<'_> {
    /// Holds what was read of other keys since it was last held against them, against the journals of this
    /// key. To be called when the head knows the journal as it is.
    pub(super) fn find_twice(&mut self) -> Result<InTwice, SubmitError> {
        let mut twice = InTwice::default();
        let path = other_keys_path(&self.head)?;
        let Some(seen) = self.head.journal_at(&path).cloned() else {
            return Ok(twice);
        };
        let checked = self.head.other_keys_checked();
        let checked = checked.filter(|checked| checked.id == seen.id);
        let checked = checked.map_or(0, |checked| checked.records);
        if seen.mark.records > checked && !self.options.sign_anew {
            let own = self.own_events(&path)?;
            let mut lines = SettledLines::as_seen(&path, &seen.mark)?;
            let mut number = 0;
            while let Some(settled) = lines.next()? {
                let Fate::In(theirs) = settled.fate else {
                    continue;
                };
                number += 1;
                let Some(event) = settled.event.filter(|_| number > checked) else {
                    continue;
                };
                let mut ours = None;
                own.for_each_of(&event, |[index, ..]| {
                    let index = Index(index);
                    ours = ours.or((index != theirs).then_some(index));
                })
                .map_err(at(&self.folder))?;
                if let Some(ours) = ours {
                    twice.count += 1;
                    if twice.first.len() < NAMED_MAX {
                        twice.first.push((ours, theirs));
                    }
                }
            }
        }
        self.head.set_other_keys_checked(Checked {
            id: seen.id,
            records: seen.mark.records,
        });
        Ok(twice)
    }

    /// The entries of this key's journals by the events that they name. A journal that is not as the head
    /// saw it is left out: it is asked about where it matters.
    fn own_events(&self, other_keys: &Path) -> Result<DigestTable, SubmitError> {
        let io = at(&self.folder);
        let own = self.journal.mark().records;
        let of_others = self.head.with_records(self.journal.id());
        let others: Vec<_> = of_others
            .filter(|seen| Path::new(&seen.path) != other_keys)
            .collect();
        let room = own + others.iter().map(|seen| seen.mark.records).sum::<u64>();
        let mut events = DigestTable::new(&self.folder, room).map_err(&io)?;
        let mut put_all = |mut lines: SettledLines| -> Result<(), JournalError> {
            while let Some(settled) = lines.next()? {
                if let (Fate::In(index), Some(event)) = (settled.fate, settled.event) {
                    let mut value = Value::default();
                    let [first, ..] = &mut value;
                    *first = index.0;
                    events.put(&event, value).map_err(&io)?;
                }
            }
            Ok(())
        };
        put_all(self.journal.settled()?)?;
        for seen in others {
            let lines = SettledLines::as_seen(Path::new(&seen.path), &seen.mark);
            if let Err(error @ JournalError::Io(_)) = lines.and_then(&mut put_all) {
                return Err(error.into());
            }
        }
        Ok(events)
    }
}
