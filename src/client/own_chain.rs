//! An issuer's chain as the log has it, walked back from its end. Each entry is proven to be in
//! the tree of the checkpoint, and each record's id is the one that the next record names: so the
//! signature on the newest vouches for all before it. A seal has the root of its batch, so it vouches
//! for the statements of the entries before it too.

use super::event::event_of;
use super::input::{digest_of_bytes, statement_digest};
use super::log_fault::LogFault;
use super::remote::ChainEnd;
use crate::audit::Tiles;
use crate::crypto::PublicKey;
use crate::merkle::{leaf_hash, root_of};
use crate::record::{
    Digest, Index, RecordId, Seal, SealedEntry, Seq, SignedEntry, SignedRecord, SigningContext,
    Statement,
};

/// A record on the way back.
#[derive(Clone, Debug)]
pub(super) struct Walked {
    pub end: ChainEnd,
    /// The id of the record before it.
    pub prev: RecordId,
    /// What it says: of a seal, how many statements, and their root.
    pub statement: Statement,
    /// Others endorsed it: it went round as a proposal.
    pub endorsed: bool,
}

impl Walked {
    /// How many statements it stands for.
    pub(super) fn count(&self) -> u64 {
        match &self.statement {
            Statement::Seal(seal) => u64::from(seal.count),
            _ => 1,
        }
    }
}

/// A statement in the log that may be a line of an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LoggedLine {
    /// The record that signs it: its own, or its seal.
    pub signed: ChainEnd,
    /// How many statements that record stands for.
    pub of: u64,
    /// The statement's own entry.
    pub index: Index,
    /// The event that it names.
    pub event: Option<Digest>,
}

impl LoggedLine {
    /// Whether a seal signs it.
    pub(super) fn is_sealed(&self) -> bool {
        self.index != self.signed.index
    }
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
        self.next = match (record.seq.0.checked_sub(1), entry.lineage.issuer_before()) {
            (None, None) => None,
            (Some(seq), Some(index)) if index < end.index => Some(ChainEnd {
                seq: Seq(seq),
                id: record.prev,
                index,
            }),
            _ => return Err(wrong("it does not name the entry before it")),
        };
        Ok(Some(Walked {
            end,
            prev: record.prev,
            endorsed: !entry.signed.endorsements().is_empty(),
            statement: record.statement.clone(),
        }))
    }

    /// The statements that a record on the way stands for, newest first, each with its digest.
    pub(super) fn lines(
        &self,
        walked: &Walked,
    ) -> Result<Vec<(Digest, LoggedLine, Statement)>, LogFault> {
        let signed = walked.end;
        let seal = match &walked.statement {
            Statement::Seal(seal) => seal,
            alone => {
                let digest = statement_digest(alone)
                    .map_err(|error| LogFault::Wrong(format!("entry {}: {error}", signed.index)))?;
                let line = LoggedLine {
                    signed,
                    of: 1,
                    index: signed.index,
                    event: event_of(alone),
                };
                return Ok(vec![(digest, line, alone.clone())]);
            }
        };
        let batch = sealed_before(self.tiles, signed.index, seal)?;
        let lines = (0..signed.index.0).rev().zip(batch.into_iter().rev());
        lines
            .map(|(index, entry)| {
                let statement = entry.statement();
                let line = LoggedLine {
                    signed,
                    of: walked.count(),
                    index: Index(index),
                    event: event_of(statement.statement()),
                };
                let digest = digest_of_bytes(statement.bytes());
                Ok((digest, line, statement.statement().clone()))
            })
            .collect()
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

/// The batch of a seal, in order: the entries directly before it, whose statements have its root.
fn sealed_before(tiles: &Tiles<'_>, at: Index, seal: &Seal) -> Result<Vec<SealedEntry>, LogFault> {
    let wrong = |what: String| {
        LogFault::Wrong(format!(
            "entry {at} is a seal, but the entries before it are not what it signs: {what}"
        ))
    };
    let first = at.0.checked_sub(u64::from(seal.count));
    let first = first.ok_or_else(|| wrong("they are too few".to_owned()))?;
    let mut batch = Vec::new();
    for index in first..at.0 {
        let bytes = tiles.entry(Index(index))?;
        let entry = SealedEntry::decode(&bytes)
            .map_err(|error| wrong(format!("entry {index}: {error}")))?;
        if entry.seal_index(Index(index)) != Some(at) {
            return Err(wrong(format!("entry {index} names another seal")));
        }
        batch.push(entry);
    }
    let leaves = batch
        .iter()
        .map(|entry| leaf_hash(entry.statement().bytes()));
    if root_of(leaves).as_bytes() != seal.root.as_bytes() {
        return Err(wrong("their statements have another root".to_owned()));
    }
    Ok(batch)
}

/// Whether an entry of the tree is this record; of a seal, whether its batch is before it too.
pub(super) fn is_entry(
    tiles: &Tiles<'_>,
    index: Index,
    record: &SignedRecord,
) -> Result<bool, LogFault> {
    if index.0 >= tiles.head().size {
        return Ok(false);
    }
    let bytes = tiles.entry(index)?;
    if !SignedEntry::decode(&bytes).is_ok_and(|entry| entry.signed == *record) {
        return Ok(false);
    }
    if let Statement::Seal(seal) = &record.record().statement {
        sealed_before(tiles, index, seal)?;
    }
    Ok(true)
}
