//! Governors: the complete set from the next entry on.

use super::Rules;
use crate::crypto::PublicKey;
use crate::ledger::admission::Candidate;
use crate::ledger::refusal::Refusal;
use crate::ledger::rules::keys::{check_governors, check_new_key};
use crate::ledger::rules::speakers::require_governors;
use crate::ledger::state::State;
use crate::record::{GovernorSet, Index};

impl Rules for GovernorSet {
    fn judge(
        &self,
        state: &State,
        candidate: &Candidate<'_>,
    ) -> Result<Vec<Option<Index>>, Refusal> {
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
        Ok(vec![Some(state.globals.council.stated_at)])
    }

    fn apply(&self, state: &mut State, candidate: &Candidate<'_>, index: Index) {
        state.set_council(&self.governors, self.quorum, index, candidate.id);
    }
}
