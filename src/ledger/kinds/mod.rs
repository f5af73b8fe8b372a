//! The kinds of statement, a file each: who may state it, what it asks for, what it does, and how it is
//! voided. A new kind's file is found by one line of [`rules_of`].

mod assignment;
mod attestation;
mod award;
mod claim;
mod correction;
mod genesis;
mod governors;
mod key_grant;
mod key_revoke;
mod log_key;
mod method;
mod planting;
mod plot;
mod policy;
mod seal;
mod survey;
mod transfer;

use super::broken::Contradiction;
use super::candidate::Candidate;
use super::lineage::Places;
use super::refusal::Refusal;
use super::rules::speakers::{Endorsers, Speakers};
use super::state::State;
use crate::record::{Index, Statement};

/// The rules of a kind of statement.
pub(super) trait Rules {
    /// Who may state this kind.
    fn speakers(&self) -> Speakers;

    /// Whose endorsements a statement of this kind may have, at most: what more it asks for of them,
    /// [`Self::judge`] says.
    fn endorsers(&self) -> Endorsers;

    /// Checks whether a statement may be the next entry; returns its lineage. Changes nothing.
    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal>;

    /// Takes a statement in that was judged in this very state. After a contradiction the state is
    /// half changed and of no use.
    fn apply(
        &self,
        state: &mut State,
        candidate: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction>;

    /// How the statement is voided, if it can be.
    fn voidable(&self) -> Option<&dyn Voidable> {
        None
    }
}

/// A statement that a correction can void.
pub(super) trait Voidable {
    /// Checks whether all effect of this statement, the entry `target`, may be undone; returns the
    /// correction's lineage.
    fn judge_void(&self, state: &State, target: Index) -> Result<Places, Refusal>;

    /// Undoes all effect of this statement, the entry `target`, by the correction `index`.
    fn apply_void(
        &self,
        state: &mut State,
        target: Index,
        index: Index,
    ) -> Result<(), Contradiction>;
}

/// The rules of a statement.
pub(super) fn rules_of(statement: &Statement) -> &dyn Rules {
    match statement {
        Statement::Genesis(genesis) => genesis,
        Statement::Governors(set) => set,
        Statement::KeyGrant(grant) => grant,
        Statement::KeyRevoke(revoke) => revoke,
        Statement::LogKey(log_key) => log_key,
        Statement::Method(method) => method,
        Statement::Award(award) => award,
        Statement::Transfer(transfer) => transfer,
        Statement::Plot(plot) => plot,
        Statement::Planting(planting) => planting,
        Statement::Survey(survey) => survey,
        Statement::Claim(claim) => claim,
        Statement::Assignment(assignment) => assignment,
        Statement::Correction(correction) => correction,
        Statement::Policy(policy) => policy,
        Statement::Attestation(attestation) => attestation,
        Statement::Seal(seal) => seal,
    }
}

/// Who may state this kind of statement: the one table of it, for the ledger and for receipts.
pub fn speakers(statement: &Statement) -> Speakers {
    rules_of(statement).speakers()
}
