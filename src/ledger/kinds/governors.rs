//! Governors: the complete set from the next entry on.

use super::Rules;
use crate::crypto::PublicKey;
use crate::ledger::broken::Contradiction;
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{GovernorsPlaces, Places};
use crate::ledger::refusal::Refusal;
use crate::ledger::rules::keys::{check_governors, check_new_key};
use crate::ledger::rules::speakers::{Endorsers, Speakers, require_governors};
use crate::ledger::state::State;
use crate::record::{GovernorSet, Index};

impl Rules for GovernorSet {
    fn speakers(&self) -> Speakers {
        Speakers::Governors
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::GovernorsAnd(self.governors.to_vec())
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        check_governors(&self.governors, self.quorum)?;
        let new: Vec<PublicKey> = self
            .governors
            .iter()
            .filter(|key| !state.is_governor(key))
            .copied()
            .collect();
        for key in &new {
            check_new_key(state, key)?;
        }
        require_governors(state, candidate, &new)?;
        let in_force = Some(state.globals.council.stated_at);
        Ok(GovernorsPlaces { in_force }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        candidate: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        state.set_council(&self.governors, self.quorum, index, candidate.id()?)
    }
}
