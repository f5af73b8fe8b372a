//! Lines that an earlier run signed and sent, that got no answer, and that stand in the input no more. A
//! request for them may still be on its way, for however long, and bring them in: as long as nothing else
//! is in their place in the key's chain, their key may sign, and they were not signed too long ago. Of a
//! journal that is lost the head remembers how many they were.

use super::evidence;
use super::log_fault::LogFault;
use super::proven_log::KeyLook;
use super::submitter::{SubmitError, Submitter};
use crate::crypto::PublicKey;
use crate::ledger::ISSUED_DAYS_BEFORE_MAX;
use crate::record::{Day, Entry, Index, SignedEntry, Statement};

impl Submitter<'_> {
    /// Counts lines that may come in so, when all that the input says is sent, and what came in meanwhile
    /// is noted.
    pub(super) fn count_unanswered(&mut self) -> Result<u64, SubmitError> {
        let mut lines: u64 = 0;
        self.head.set_last(self.last);
        let lost = self.head.lost_unanswered().copied();
        let mut keys = self.journal.keys_on_their_way();
        keys.extend(lost.map(|_| self.public));
        for key in keys {
            let source = self.log.source();
            let look = self
                .log
                .look(&source, &self.context, &key, &self.checkpoints())
                .map_err(|fault| evidence::kept(self.journal.path(), fault))?;
            let (last, granted) = if key == self.public {
                // What comes in between the two looks the next run finds.
                (self.last, self.granted)
            } else {
                (look.state.head, look.state.prev)
            };
            if !is_revoked(&key, &look)? {
                let first_day = newest_day(&look)?.earlier(ISSUED_DAYS_BEFORE_MAX);
                let of_key = self.journal.may_come_in(&key, last, granted, first_day);
                lines = lines.saturating_add(of_key);
                if let Some(lost) = lost.filter(|_| key == self.public)
                    && lost.issued_on >= first_day
                {
                    lines = lines.saturating_add(lost.lines);
                }
            }
            self.proven = look.proven;
        }
        Ok(lines)
    }
}

/// Whether the log has the entry that revoked a key: nothing of it comes in any more. The server's word
/// alone would end a doubt that it could bring back.
fn is_revoked(key: &PublicKey, look: &KeyLook<'_>) -> Result<bool, LogFault> {
    let Some(index) = look.state.revoked_at else {
        return Ok(false);
    };
    if index.0 >= look.tiles.head().size {
        return Ok(false);
    }
    let entry = SignedEntry::decode(&look.tiles.entry(index)?);
    let revokes = |entry: SignedEntry| match &entry.signed.record().statement {
        Statement::KeyRevoke(revoke) => revoke.key == *key,
        _ => false,
    };
    Ok(entry.is_ok_and(revokes))
}

/// The day of the log's newest entry. Whatever comes in later is admitted on that day or after it, by
/// whichever clock.
fn newest_day(look: &KeyLook<'_>) -> Result<Day, LogFault> {
    let Some(newest) = look.tiles.head().size.checked_sub(1) else {
        return Ok(Day(0));
    };
    let bytes = look.tiles.entry(Index(newest))?;
    Ok(match Entry::decode(&bytes) {
        Ok(Entry::Signed(entry)) => Day::of(entry.admitted_at),
        Ok(Entry::State(entry)) => Day::of(entry.admitted_at),
        // No log ends so: a sealed entry has its seal behind it.
        Ok(Entry::Sealed(_)) | Err(_) => Day(0),
    })
}
