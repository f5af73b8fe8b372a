//! An issuer's chain as the log has it, walked back from its end. Each entry is proven to be in
//! the tree of the checkpoint, and each record's id is the one that the next record names: so the
//! signature on the newest vouches for all before it.

use super::log_fault::LogFault;
use super::remote::ChainEnd;
use super::statement_digest;
use crate::audit::Tiles;
use crate::crypto::PublicKey;
use crate::record::{Digest, Index, RecordId, Seq, SignedEntry, SigningContext, Statement};

/// A record on the way back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walked {
    pub end: ChainEnd,
    /// The id of the record before it.
    pub prev: RecordId,
    /// The digest of its statement.
    pub digest: Digest,
    /// Others endorsed it: it went round as a proposal.
    pub endorsed: bool,
}

/// Walks back.
pub(super) struct Walk<'t, 's> {
    tiles: &'t Tiles<'s>,
    context: &'t SigningContext,
    key: PublicKey,
    next: Option<ChainEnd>,
    /// Whether the newest record's signature is still to be verified.
    unsigned: bool,
}

impl<'t, 's> Walk<'t, 's> {
    /// Begins at the end that the server names.
    pub(super) fn new(
        tiles: &'t Tiles<'s>,
        context: &'t SigningContext,
        key: &PublicKey,
        end: ChainEnd,
    ) -> Self {
        Self {
            tiles,
            context,
            key: *key,
            next: Some(end),
            unsigned: true,
        }
    }

    /// The next record, one nearer to the beginning; `None` behind the first.
    pub(super) fn next(&mut self) -> Result<Option<Walked>, LogFault> {
        Ok(self.next_statement()?.map(|(walked, _)| walked))
    }

    /// As [`Self::next`], with what the record says.
    pub(super) fn next_statement(&mut self) -> Result<Option<(Walked, Statement)>, LogFault> {
        let Some(end) = self.next else {
            return Ok(None);
        };
        let wrong = |what: &str| {
            LogFault::Wrong(format!(
                "the server says that entry {} is the record {} of the key {}, but {what}",
                end.index, end.seq, self.key
            ))
        };
        if end.index.0 >= self.tiles.head().size {
            return Err(wrong("its log is not that long"));
        }
        let bytes = self.tiles.entry(end.index)?;
        let entry = SignedEntry::decode(&bytes).map_err(|error| wrong(&error.to_string()))?;
        let record = entry.signed.record();
        if record.issuer != self.key
            || record.seq != end.seq
            || self.context.id(entry.signed.bytes()) != end.id
        {
            return Err(wrong("that entry is another record"));
        }
        if self.unsigned {
            let verdict = entry.signed.verify(self.context);
            verdict.map_err(|error| wrong(&error.to_string()))?;
            self.unsigned = false;
        }
        let digest =
            statement_digest(&record.statement).map_err(|error| wrong(&error.to_string()))?;
        self.next = match (record.seq.0.checked_sub(1), entry.lineage.issuer_before()) {
            (None, None) => None,
            (Some(seq), Some(index)) if index < end.index => Some(ChainEnd {
                seq: Seq(seq),
                id: record.prev,
                index,
            }),
            _ => return Err(wrong("it does not name the entry before it")),
        };
        let walked = Walked {
            end,
            prev: record.prev,
            digest,
            endorsed: !entry.signed.endorsements().is_empty(),
        };
        Ok(Some((walked, record.statement.clone())))
    }

    /// The records from `from` to the end, ascending; none if the chain ends before.
    pub(super) fn since(mut self, from: Seq) -> Result<Vec<Walked>, LogFault> {
        let mut walked = Vec::new();
        while self.next.is_some_and(|end| end.seq >= from) {
            walked.extend(self.next()?);
        }
        walked.reverse();
        Ok(walked)
    }
}

/// Whether an entry of the tree is this record.
pub(super) fn is_entry(
    tiles: &Tiles<'_>,
    index: Index,
    record: &crate::record::SignedRecord,
) -> Result<bool, LogFault> {
    if index.0 >= tiles.head().size {
        return Ok(false);
    }
    let bytes = tiles.entry(index)?;
    Ok(SignedEntry::decode(&bytes).is_ok_and(|entry| entry.signed == *record))
}
