//! What is judged: a statement, who makes it, and what the log knows of it.

use super::broken::{Contradiction, present};
use crate::crypto::PublicKey;
use crate::record::{Day, Endorsement, RecordId, Seq, SignedRecord, Statement, TimeMs};

/// A statement that asks to be the next entry: in a signed record of its own, or in a sealed batch.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The statement.
    pub statement: &'a Statement,
    /// The key of the issuer: its own record's, or its seal's.
    pub issuer: &'a PublicKey,
    /// The day of signing, likewise.
    pub issued_on: Day,
    /// The signatures of others, which the caller verified or an audit will.
    pub endorsements: &'a [Endorsement],
    /// When the record's batch came in.
    pub admitted_at: TimeMs,
    /// For a correction, the statement that it corrects, if there is one.
    pub target: Option<Target<'a>>,
    /// The record's place in its issuer's chain; `None` for a sealed statement, which has none.
    pub link: Option<ChainLink>,
}

/// A record's place in its issuer's chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChainLink {
    /// The record's seq.
    pub seq: Seq,
    /// The id of the issuer's record before.
    pub prev: RecordId,
    /// The record's id in this ledger.
    pub id: RecordId,
}

/// The statement of an earlier entry, which a correction names.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The statement.
    pub statement: &'a Statement,
    /// The key of its issuer.
    pub issuer: &'a PublicKey,
}

impl<'a> From<&'a SignedRecord> for Target<'a> {
    fn from(signed: &'a SignedRecord) -> Self {
        Self {
            statement: &signed.record().statement,
            issuer: &signed.record().issuer,
        }
    }
}

impl<'a> Candidate<'a> {
    /// A signed record, whose id in this ledger the caller knows.
    pub fn signed(
        signed: &'a SignedRecord,
        id: RecordId,
        admitted_at: TimeMs,
        target: Option<Target<'a>>,
    ) -> Self {
        let record = signed.record();
        Self {
            statement: &record.statement,
            issuer: &record.issuer,
            issued_on: record.issued_on,
            endorsements: signed.endorsements(),
            admitted_at,
            target,
            link: Some(ChainLink {
                seq: record.seq,
                prev: record.prev,
                id,
            }),
        }
    }

    /// The day of admission.
    pub(in crate::ledger) fn admitted_on(&self) -> Day {
        Day::of(self.admitted_at)
    }

    /// The record's id, of a statement that is never sealed.
    pub(in crate::ledger) fn id(&self) -> Result<RecordId, Contradiction> {
        present(self.link.map(|link| link.id), "the record's id")
    }
}
