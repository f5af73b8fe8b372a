//! What is judged: a statement, who makes it, and what the log knows of it.

use super::broken::{Contradiction, present};
use super::state::domains::key_place;
use super::state::{HolderNumber, KeyState, State};
use super::trie::Path;
use crate::crypto::PublicKey;
use crate::record::{AccountId, Day, Endorsement, RecordId, Seq, SignedRecord, Statement, TimeMs};

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
    /// Places that were made ahead.
    pub ahead: PlacesAhead,
}

/// Places in the state of what a statement names. Each is a hash, which is asked for several times: whoever
/// judges many statements makes it once. What is not here is made where it is needed.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlacesAhead {
    issuer: Option<(PublicKey, Path)>,
    account: Option<(AccountId, Path)>,
}

impl PlacesAhead {
    /// The place of a key.
    pub(in crate::ledger) fn of_issuer(key: &PublicKey) -> Self {
        Self {
            issuer: Some((*key, key_place(key))),
            account: None,
        }
    }

    /// These, and the place of an account.
    pub(in crate::ledger) fn and_account(self, account: Option<(AccountId, Path)>) -> Self {
        Self { account, ..self }
    }
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
            ahead: PlacesAhead::default(),
        }
    }

    /// A statement of the batch that this seal signs: the seal says who states it, and when.
    pub fn under_seal(self, statement: &'a Statement, target: Option<Target<'a>>) -> Self {
        Self {
            statement,
            endorsements: &[],
            target,
            link: None,
            ..self
        }
    }

    /// What the state knows of the issuer's key.
    pub(in crate::ledger) fn issuer_key<'s>(&self, state: &'s State) -> Option<&'s KeyState> {
        match &self.ahead.issuer {
            Some((key, place)) if key == self.issuer => state.key_at(place),
            _ => state.key(self.issuer),
        }
    }

    /// The holder of the issuer's key, if it was granted a role.
    pub(in crate::ledger) fn issuer_holder(&self, state: &State) -> Option<HolderNumber> {
        self.issuer_key(state)?.role.holder_number()
    }

    /// The place of an account.
    pub(in crate::ledger) fn place_of(&self, state: &State, id: &AccountId) -> Path {
        match &self.ahead.account {
            Some((known, place)) if known == id => *place,
            _ => state.account_place(id),
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
