//! What was signed and may still come in: the open batch, and batches that were given up, by a request
//! of a process that is dead.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::client::journal::{Journal, JournalError, LineIn, OpenBatch};
use crate::client::remote::ChainEnd;
use crate::crypto::PublicKey;
use crate::record::{Day, Digest, Index, RecordId, Seq, UnreadBatch};

/// How many batches that were given up are remembered with all that they say. Of one that is forgotten
/// its lines still count among those that may come in; if it does, a recovery finds them in the log.
const GIVEN_UP_MAX: usize = 4;

/// Signed lines without an answer, at one place of the key's chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::client) struct Unanswered {
    pub seq: Seq,
    pub lines: u64,
    /// The newest day of signing.
    pub issued_on: Day,
}

/// A batch that was given up, and of which no more is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forgotten {
    key: PublicKey,
    /// Its place in the key's chain.
    seq: Seq,
    lines: u64,
}

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

    /// The keys of batches that were given up and that a request of an earlier run may bring in, as far
    /// as this journal tells.
    pub(in crate::client) fn keys_on_their_way(&self) -> BTreeSet<PublicKey> {
        let batches = self.given_up.iter().filter(|batch| batch.on_its_way);
        let forgotten = self.forgotten.iter().map(|forgotten| forgotten.key);
        batches.map(|batch| batch.key).chain(forgotten).collect()
    }

    /// How many lines of such batches of a key can still come in: they continue its chain as it is, and
    /// were signed for `first_day` or later, of which the ledger still takes records.
    pub(in crate::client) fn may_come_in(
        &self,
        key: &PublicKey,
        last: Option<ChainEnd>,
        granted: RecordId,
        first_day: Day,
    ) -> u64 {
        let batches = self.given_up.iter();
        let on_their_way = batches.filter(|batch| batch.on_its_way && batch.key == *key);
        let lines = on_their_way.filter_map(|batch| {
            let (first, lines) = batch.continues(last, granted)?;
            (first.record().issued_on >= first_day).then_some(lines as u64)
        });
        let next = last.map_or(Seq(0), |last| Seq(last.seq.0.saturating_add(1)));
        let forgotten = self.forgotten.iter();
        let forgotten = forgotten.filter(|batch| batch.key == *key && batch.seq >= next);
        lines.sum::<u64>() + forgotten.map(|batch| batch.lines).sum::<u64>()
    }

    /// What of a key nobody answered, of the newest place in its chain.
    pub(in crate::client) fn unanswered(&self, key: &PublicKey) -> Option<Unanswered> {
        let batches = self.given_up.iter().filter(|batch| batch.on_its_way);
        let batches = batches.chain(&self.open);
        let batches = batches.filter(|batch| batch.key == *key);
        let forgotten = self.forgotten.iter().filter(|batch| batch.key == *key);
        let of_batch = batches.filter_map(|batch| {
            let first = batch.records(1)?.into_iter().next()?;
            Some(Unanswered {
                seq: batch.seq,
                lines: batch.len() as u64,
                issued_on: first.record().issued_on,
            })
        });
        let of_forgotten = forgotten.map(|batch| Unanswered {
            seq: batch.seq,
            lines: batch.lines,
            issued_on: Day(0),
        });
        of_batch.chain(of_forgotten).reduce(|one, other| {
            let (seq, lines) = match one.seq.cmp(&other.seq) {
                Ordering::Less => (other.seq, other.lines),
                Ordering::Equal => (one.seq, one.lines.saturating_add(other.lines)),
                Ordering::Greater => (one.seq, one.lines),
            };
            Unanswered {
                seq,
                lines,
                issued_on: one.issued_on.max(other.issued_on),
            }
        })
    }

    /// Forgets batches that were given up, as far as their place in the key's chain is taken: they can't
    /// come in any more.
    pub(in crate::client) fn place_taken(&mut self, key: &PublicKey, last: ChainEnd) {
        self.forgotten
            .retain(|batch| batch.key != *key || batch.seq > last.seq);
        if self.given_up.is_empty() {
            return;
        }
        let given_up = std::mem::take(&mut self.given_up).into_iter();
        let left = given_up.filter_map(|batch| match batch.key == *key {
            // Of records that were signed together others than the first may be left.
            true => batch.behind(Some(last), last.id),
            false => Some(batch),
        });
        self.given_up = left.collect();
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
        // A crash after this leaves the batch open, and the log tells that it is in.
        self.sign_again(&batch)?;
        let lines = self.admitted(&indexes)?;
        // Of records, those behind the last one that is in.
        self.void()?;
        Ok(lines)
    }

    /// Notes a batch again, with the bytes that were signed.
    fn sign_again(&mut self, batch: &OpenBatch) -> Result<(), JournalError> {
        let unreadable = || JournalError::Unreadable(self.path().to_owned());
        let on_its_way = batch.on_its_way;
        if let Some(seal) = batch.seal() {
            let batch = UnreadBatch::read(seal.body.clone())
                .and_then(UnreadBatch::decode)
                .map_err(|_| unreadable())?;
            self.sealed(&batch)?;
            self.may_be_on_its_way(on_its_way);
            return Ok(());
        }
        let records = batch.records(usize::MAX).ok_or_else(unreadable)?;
        let digests: Vec<Digest> = batch.digests().copied().collect();
        self.signed(
            batch.key,
            batch.seq,
            digests.into_iter().zip(records).collect(),
        )?;
        self.may_be_on_its_way(on_its_way);
        Ok(())
    }

    /// Takes out what was signed and may still come in, oldest first, each with whether it was given up.
    pub(in crate::client) fn take_pending(&mut self) -> Vec<(OpenBatch, bool)> {
        let given_up = std::mem::take(&mut self.given_up).into_iter();
        let given_up = given_up.map(|batch| (batch, true));
        let open = self.open.take().map(|open| (open, false));
        given_up.chain(open).collect()
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
        }
        while self.given_up.len() > GIVEN_UP_MAX {
            // First one to which the server answered: nothing brings it in.
            let answered = self.given_up.iter().position(|batch| !batch.on_its_way);
            let Some(batch) = self.given_up.remove(answered.unwrap_or_default()) else {
                return;
            };
            if batch.on_its_way {
                self.forget(&batch);
            }
        }
    }

    fn forget(&mut self, batch: &OpenBatch) {
        let lines = batch.len() as u64;
        let mut known = self.forgotten.iter_mut();
        match known.find(|known| (known.key, known.seq) == (batch.key, batch.seq)) {
            Some(known) => known.lines = known.lines.saturating_add(lines),
            None => self.forgotten.push(Forgotten {
                key: batch.key,
                seq: batch.seq,
                lines,
            }),
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
