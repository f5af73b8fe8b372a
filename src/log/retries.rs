//! Records that are sent again: where they are in the log.
//!
//! The state keeps the entry of every 256th record of each issuer (`SEQS_PER_MARK`). From the first of
//! these at or after a seq the issuer's chain leads back to it.

use super::sender::Sender;
use super::{Log, ReadError};
use crate::crypto::PublicKey;
use crate::ledger::{ChainHead, SEQS_PER_MARK};
use crate::merkle::{Bundle, Level, TILE_HASHES, TileId};
use crate::record::{Index, Seq, SignedEntry};
use crate::store::Bytes;

/// Steps along a chain that are made on the caller's thread: fewer cost less than asking another.
const STEPS_INLINE: u64 = 32;
/// Look-ups that walk at a time, for all senders: each keeps one thread busy.
pub(super) const WALKS_MAX: usize = 2;
/// Look-ups of one sender's network that walk at a time.
pub(super) const WALKS_EACH: usize = 1;

/// Why a record can't be looked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum RetryError {
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The program is about to end.
    #[error("the server is stopping")]
    Stopped,
}

/// What is known of a seq that an issuer used.
pub(super) enum UsedSeq {
    /// The record of this seq, and its entry.
    By(Vec<u8>, Index),
    /// It was not looked for: the batch asked for more places than its records have, had they been
    /// sent in order.
    NotLookedFor,
}

/// Looks for records of one issuer among those that are published. Those of a batch in the order of
/// its chain cost a step each, and up to 255 more.
pub(super) struct Retries<'a> {
    log: &'a Log,
    sender: &'a Sender,
    issuer: PublicKey,
    /// The newest record that is looked for, or one after it.
    head: ChainHead,
    /// Entries that are published: the head is among them.
    size: u64,
    /// Steps that may still be made.
    steps_left: u64,
    walked: Walk,
}

/// A stretch of an issuer's chain that was walked, backwards.
struct Walk {
    issuer: PublicKey,
    /// The record to be read next; none behind the one at `until`.
    next: Option<(Seq, Index)>,
    /// The first record of the stretch.
    until: Seq,
    /// The records that were read, the newest first: each a seq before the one before.
    read: Vec<(Vec<u8>, Index)>,
}

impl<'a> Retries<'a> {
    /// For a number of records that were sent.
    pub(super) fn new(
        log: &'a Log,
        sender: &'a Sender,
        issuer: PublicKey,
        head: ChainHead,
        size: u64,
        records: usize,
    ) -> Self {
        Self {
            log,
            sender,
            issuer,
            head,
            size,
            steps_left: (records as u64).saturating_add(SEQS_PER_MARK),
            walked: Walk {
                issuer,
                next: None,
                until: Seq(0),
                read: Vec::new(),
            },
        }
    }

    /// The record of a seq that the issuer used.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] where the chain that was committed is not one chain.
    pub(super) async fn find(&mut self, seq: Seq) -> Result<UsedSeq, RetryError> {
        if let Some(found) = self.walked.found(seq) {
            return Ok(found);
        }
        let from = self.log.state().mark_from(&self.issuer, seq, &self.head);
        // The chain up to the head is published: no recovery takes it back.
        let missing = || ReadError::Missing(format!("the place of the issuer's seq {seq}"));
        let from = from.ok_or_else(missing)?;
        let steps = (from.0.0 - seq.0).saturating_add(1);
        if steps > self.steps_left {
            return Ok(UsedSeq::NotLookedFor);
        }
        self.steps_left -= steps;
        let _place = match steps > STEPS_INLINE {
            true => Some(self.log.walks.take(self.sender.net, 1).await),
            false => None,
        };
        let mut walk = Walk {
            issuer: self.issuer,
            next: Some(from),
            until: seq,
            read: Vec::new(),
        };
        while let Some((at, index)) = walk.next {
            let number = index.0 / TILE_HASHES;
            let id = TileId::in_tree(Level::Entries, number, self.size);
            let id = id.ok_or_else(|| ReadError::Missing(format!("entry {index}")))?;
            let bundle = self.log.reader.tile(id).await?;
            if at.0 - seq.0 < STEPS_INLINE {
                walk.read_bundle(id, &bundle)?;
            } else {
                walk = tokio::task::spawn_blocking(move || {
                    walk.read_bundle(id, &bundle)?;
                    Ok::<_, ReadError>(walk)
                })
                .await
                .map_err(|_| RetryError::Stopped)??;
            }
        }
        self.walked = walk;
        Ok(self.walked.found(seq).ok_or_else(missing)?)
    }
}

impl Walk {
    /// The record of a seq, if it was read.
    fn found(&self, seq: Seq) -> Option<UsedSeq> {
        let from_oldest = usize::try_from(seq.0.checked_sub(self.until.0)?).ok()?;
        let from_newest = self.read.len().checked_sub(from_oldest)?.checked_sub(1)?;
        let (record, index) = self.read.get(from_newest)?;
        Some(UsedSeq::By(record.clone(), *index))
    }

    /// Reads the records of the stretch that are in a bundle, from the next one back.
    fn read_bundle(&mut self, id: TileId, bytes: &Bytes) -> Result<(), ReadError> {
        let damaged = |tile: String, what: String| ReadError::Damaged { tile, what };
        let bundle = Bundle::parse(bytes, id.width())
            .map_err(|error| damaged(id.to_string(), error.to_string()))?;
        while let Some((seq, index)) = self.next
            && index.0 / TILE_HASHES == id.number()
        {
            let name = || format!("entry {index}");
            let place = (index.0 % TILE_HASHES) as usize;
            let bytes = bundle.entries().get(place);
            let bytes = bytes.ok_or_else(|| ReadError::Missing(name()))?;
            let entry =
                SignedEntry::decode(bytes).map_err(|error| damaged(name(), error.to_string()))?;
            let record = entry.signed.record();
            if (record.issuer, record.seq) != (self.issuer, seq) {
                let what = format!("the chain of {} leads to it as to seq {seq}", self.issuer);
                return Err(damaged(name(), what));
            }
            self.read.push((entry.signed.bytes().to_vec(), index));
            self.next = match entry.lineage.issuer_before() {
                _ if seq <= self.until => None,
                Some(before) if before < index => Some((Seq(seq.0 - 1), before)),
                _ => {
                    let what =
                        format!("it does not name an entry before of its issuer's seq {seq}");
                    return Err(damaged(name(), what));
                }
            };
        }
        Ok(())
    }
}
