//! What the other keys of the same holder and role said, as far as no journal of an input tells: a key that
//! this one replaced, or keys that are used side by side. A line that one of them signed is not signed
//! again.
//!
//! ```text
//! KEY.head.other-keys   a journal without an input: each statement as found in the log
//! ```
//!
//! The head lists it among the key's journals, so its lines are looked up with those of the other inputs.
//! It holds what the log tells: where it is lost or damaged it is made anew.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::evidence;
use super::journal::{Journal, JournalError};
use super::key_head::{JournalSeen, is_there};
use super::opening::{check_end, other_keys_path};
use super::own_chain::Walk;
use super::remote::{ChainEnd, KeyTask};
use super::submitter::{SubmitError, Submitter};
use crate::crypto::PublicKey;
use crate::durable::remove;
use crate::record::Seq;

/// How often progress is told, in records.
const RECORDS_PER_PROGRESS: u64 = 256;

/// A key, as the list of the ledger's keys has it.
#[derive(Deserialize)]
struct ListedKey {
    key: PublicKey,
    #[serde(flatten)]
    task: KeyTask,
    head: Option<ChainEnd>,
}

/// A page of that list.
#[derive(Deserialize)]
struct ListedKeys {
    issuers: Vec<ListedKey>,
    /// The path of the next page.
    next: Option<String>,
}

impl Submitter<'_> {
    /// Reads from the log what other keys of the same holder and role signed since this was done last, so
    /// that lines which they signed are not signed again. [`Self::run`] does so where its caller did not.
    /// `progress` is told how many records were read, of how many.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn read_other_keys(
        &mut self,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), SubmitError> {
        if self.other_keys_read {
            return Ok(());
        }
        let path = other_keys_path(&self.head)?;
        let ends = self.other_keys()?;
        let known = self.head.journal_at(&path).cloned();
        if ends.is_empty() && known.is_none() {
            self.other_keys_read = true;
            return Ok(());
        }
        let mut journal = self.open_other_keys(&path, known.as_ref())?;
        let since = |key: &PublicKey| journal.last(key).map_or(0, |last| last.seq.0 + 1);
        let news = ends.iter().map(|(key, end)| (*key, *end, since(key)));
        let news: Vec<_> = news.filter(|(_, end, since)| end.seq.0 >= *since).collect();
        let total = news
            .iter()
            .map(|(_, end, since)| end.seq.0 + 1 - since)
            .sum();
        let mut read = 0;
        for (key, _, since) in &news {
            self.read_other_key(key, Seq(*since), &mut journal, &mut || {
                read += 1;
                if read % RECORDS_PER_PROGRESS == 0 || read == total {
                    progress(read, total);
                }
            })?;
        }
        journal.sync()?;
        self.head.see(&journal, false);
        self.head.save()?;
        self.other_keys_read = true;
        Ok(())
    }

    /// How many statements other keys of the same holder and role signed, as far as was read.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn other_keys_statements(&self) -> Result<u64, SubmitError> {
        let seen = self.head.journal_at(&other_keys_path(&self.head)?);
        Ok(seen.map_or(0, |seen| seen.mark.records))
    }

    /// The journal as the head saw it; an empty one, where it is another by now.
    fn open_other_keys(
        &self,
        path: &Path,
        seen: Option<&JournalSeen>,
    ) -> Result<Journal, SubmitError> {
        let origin = self.log.origin();
        if let Some(seen) = seen {
            match Journal::open(path, origin, Some(&seen.mark)) {
                Ok(journal) if journal.id() == seen.id && journal.mark() == seen.mark => {
                    return Ok(journal);
                }
                Err(error @ (JournalError::Io(_) | JournalError::Locked(_))) => {
                    return Err(error.into());
                }
                // A process that read on was killed: what it noted has gaps. Or it is damaged.
                Ok(_) | Err(_) => {}
            }
        }
        if is_there(path)? {
            remove(path)?;
        }
        Ok(Journal::open(path, origin, None)?)
    }

    /// The ends of the chains of other keys of the same holder and role, by the server's word.
    fn other_keys(&self) -> Result<BTreeMap<PublicKey, ChainEnd>, SubmitError> {
        let mut ends = BTreeMap::new();
        let mut page = Some("v1/issuers".to_owned());
        while let Some(path) = page {
            let list: ListedKeys = self.log.remote.json(path.trim_start_matches('/'))?;
            let same = list.issuers.into_iter().filter(|listed| {
                listed.key != self.public
                    && listed.task.holder.is_some()
                    && listed.task == self.task
            });
            ends.extend(same.filter_map(|listed| Some((listed.key, listed.head?))));
            page = list.next;
        }
        Ok(ends)
    }

    /// Notes what a key said from a record on, newest first.
    fn read_other_key(
        &mut self,
        key: &PublicKey,
        since: Seq,
        journal: &mut Journal,
        read: &mut dyn FnMut(),
    ) -> Result<(), SubmitError> {
        let source = self.log.source();
        let look = self
            .log
            .look(&source, &self.context, key, &self.checkpoints())
            .map_err(|fault| evidence::kept(self.journal.path(), fault))?;
        let known = journal.last(key);
        if let Some(end) = check_end(known, &look)? {
            let mut walk = Walk::new(&look.tiles, &self.context, key, end);
            let mut next = Some(end.seq);
            while next.is_some_and(|seq| seq >= since) {
                let Some(walked) = walk.next()? else {
                    break;
                };
                if let Some(known) = known
                    && walked.end.seq == since
                    && walked.prev != known.id
                {
                    return Err(record_lost(key, known));
                }
                // A proposal is no line of an input.
                if !walked.endorsed {
                    for (digest, line, _) in walk.lines(&walked)? {
                        journal.found(*key, digest, line)?;
                    }
                }
                next = walked.end.seq.0.checked_sub(1).map(Seq);
                read();
            }
        }
        self.proven = look.proven;
        Ok(())
    }
}

fn record_lost(key: &PublicKey, known: ChainEnd) -> SubmitError {
    SubmitError::RecordsLost(format!(
        "the record {} of the key {key}, of the same holder, was entry {}, and is not in its chain",
        known.seq, known.index
    ))
}
