//! What was signed and may still come in: the open batch, and batches that were given up, by a request
//! of a process that is dead.

use super::now_ms;
use crate::client::journal::{Journal, JournalError, LineIn, OpenBatch};
use crate::crypto::PublicKey;
use crate::record::{Digest, Index, RecordId, Seq, UnreadBatch};

/// How many batches that were given up are remembered.
const GIVEN_UP_MAX: usize = 4;

impl Journal {
    /// The ids of the records of a key that may come in, or may have: of the open batch, and of those
    /// that were given up.
    pub(in crate::client) fn pending_ids(
        &self,
        key: &PublicKey,
    ) -> Result<Vec<RecordId>, JournalError> {
        let pending = self.given_up.iter().chain(&self.open);
        let mut ids = Vec::new();
        for batch in pending.filter(|batch| batch.key == *key) {
            ids.extend(self.ids(batch)?);
        }
        Ok(ids)
    }

    /// Whether batches of a key may still come in that nothing here has an answer for.
    pub(in crate::client) fn is_pending(&self, key: &PublicKey) -> bool {
        let mut pending = self.given_up.iter().chain(&self.open);
        pending.any(|batch| batch.key == *key)
    }

    /// How many lines of batches that were given up a request of an earlier run may still bring in, of
    /// any key.
    pub(in crate::client) fn may_come_in(&self) -> u64 {
        let now = now_ms();
        let batches = self.given_up.iter();
        let on_their_way = batches.filter(|batch| batch.until_ms.is_some_and(|until| until > now));
        on_their_way.map(|batch| batch.len() as u64).sum()
    }

    /// Forgets batches that were given up and whose place in the key's chain is taken: they can't come
    /// in any more.
    pub(in crate::client) fn place_taken(&mut self, key: &PublicKey, last: Seq) {
        self.given_up
            .retain(|batch| batch.key != *key || batch.seq > last);
    }

    /// Notes which of these records are in, with the entries where they are: of the open batch, and of
    /// one that was given up. Gives the lines that are in by that.
    pub(in crate::client) fn are_in(
        &mut self,
        found: &[(RecordId, Index)],
    ) -> Result<Vec<LineIn>, JournalError> {
        let Some(open) = &self.open else {
            return self.came_in(found);
        };
        let indexes = found_of(&self.ids(open)?, found);
        let mut lines = self.admitted(&indexes)?;
        lines.extend(self.came_in(found)?);
        Ok(lines)
    }

    /// The same of a batch that was given up. What was signed in its place is void.
    fn came_in(&mut self, found: &[(RecordId, Index)]) -> Result<Vec<LineIn>, JournalError> {
        let mut at_place = None;
        for (place, batch) in self.given_up.iter().enumerate() {
            let indexes = found_of(&self.ids(batch)?, found);
            if !indexes.is_empty() {
                at_place = Some((place, indexes));
            }
        }
        let Some((place, indexes)) = at_place else {
            return Ok(Vec::new());
        };
        let Some(batch) = self.given_up.remove(place) else {
            return Ok(Vec::new());
        };
        self.void()?;
        // A crash behind this leaves the batch open, and the log tells that it is in.
        self.sign_again(&batch)?;
        let lines = self.admitted(&indexes)?;
        // Of records, those behind the last one that is in.
        self.void()?;
        Ok(lines)
    }

    /// Notes a batch again, with the bytes that were signed.
    fn sign_again(&mut self, batch: &OpenBatch) -> Result<(), JournalError> {
        let unreadable = || JournalError::Unreadable(self.path().to_owned());
        if let Some(seal) = batch.seal() {
            let batch = UnreadBatch::read(seal.body.clone())
                .and_then(UnreadBatch::decode)
                .map_err(|_| unreadable())?;
            return self.sealed(&batch);
        }
        let records = batch.records(usize::MAX).ok_or_else(unreadable)?;
        let digests: Vec<Digest> = batch.digests().copied().collect();
        self.signed(
            batch.key,
            batch.seq,
            digests.into_iter().zip(records).collect(),
        )
    }

    /// Takes out what was signed with a key and may still come in, oldest first, each with whether it
    /// was given up.
    pub(in crate::client) fn take_pending(&mut self, key: &PublicKey) -> Vec<(OpenBatch, bool)> {
        let open = self.open.take_if(|open| open.key == *key);
        let given_up = std::mem::take(&mut self.given_up).into_iter();
        let given_up = given_up.filter(|batch| batch.key == *key);
        let given_up = given_up.map(|batch| (batch, true));
        given_up.chain(open.map(|open| (open, false))).collect()
    }

    /// Takes over what another journal of the input had signed and may still come in.
    pub(in crate::client) fn take_over(
        &mut self,
        pending: &[(OpenBatch, bool)],
    ) -> Result<(), JournalError> {
        for (batch, given_up) in pending {
            self.sign_again(batch)?;
            if *given_up {
                self.void()?;
            }
        }
        Ok(())
    }

    fn ids(&self, batch: &OpenBatch) -> Result<Vec<RecordId>, JournalError> {
        let ids = batch.ids(&self.context);
        ids.ok_or_else(|| JournalError::Unreadable(self.path().to_owned()))
    }

    pub(super) fn give_up(&mut self, open: OpenBatch) {
        if open.len() > 0 {
            self.given_up.push_back(open);
            if self.given_up.len() > GIVEN_UP_MAX {
                self.given_up.pop_front();
            }
        }
    }
}

/// Where the first of these records are, as far as each of them was found.
fn found_of(ids: &[RecordId], found: &[(RecordId, Index)]) -> Vec<Index> {
    let index_of = |id: &RecordId| {
        let known = found.iter().find(|(known, _)| known == id);
        known.map(|(_, index)| *index)
    };
    ids.iter().map_while(index_of).collect()
}
