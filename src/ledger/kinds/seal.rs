//! Seals: one signature for the batch of statements directly before it. It moves nothing itself; that
//! the batch is there and of this root, whoever reads the batch checks.

use super::Rules;
use crate::ledger::broken::Contradiction;
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{Places, SealPlaces};
use crate::ledger::refusal::{Refusal, ensure};
use crate::ledger::rules::speakers::{Endorsers, Speakers, unasked};
use crate::ledger::state::State;
use crate::record::{Index, Seal};

impl Rules for Seal {
    /// Each statement in the batch asks for its own role.
    fn speakers(&self) -> Speakers {
        Speakers::AnyRole
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::None
    }

    fn judge(&self, _: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        ensure(candidate.endorsements.is_empty(), || {
            unasked(candidate.statement.kind())
        })?;
        Ok(SealPlaces {}.into())
    }

    fn apply(&self, _: &mut State, _: &Candidate<'_>, _: Index) -> Result<(), Contradiction> {
        Ok(())
    }
}
