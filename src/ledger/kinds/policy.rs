//! Policies: which witnesses must have seen a checkpoint.

use super::Rules;
use crate::ledger::broken::Contradiction;
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{Places, PolicyPlaces};
use crate::ledger::refusal::Refusal;
use crate::ledger::rules::speakers::{Endorsers, Speakers, require_governors};
use crate::ledger::state::State;
use crate::record::{Index, Policy};

impl Rules for Policy {
    fn speakers(&self) -> Speakers {
        Speakers::Governors
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::Governors
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        require_governors(state, candidate, &[])?;
        let policy_before = state.globals.policy_at;
        Ok(PolicyPlaces { policy_before }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        _: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        state.globals.policy_at = Some(index);
        Ok(())
    }
}
