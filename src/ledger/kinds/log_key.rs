//! Log keys: the next key that signs checkpoints.

use super::Rules;
use crate::ledger::admission::Proposal;
use crate::ledger::refusal::Refusal;
use crate::ledger::rules::keys::check_new_key;
use crate::ledger::rules::speakers::said_by_governors;
use crate::ledger::state::{KeyRole, State};
use crate::record::{Index, LogKey};

impl Rules for LogKey {
    fn judge(&self, state: &State, proposal: &Proposal<'_>) -> Result<Vec<Option<Index>>, Refusal> {
        check_new_key(state, &self.key)?;
        said_by_governors(state, proposal, &[self.key])?;
        Ok(vec![state.head.log_keys.last().map(|(_, index)| *index)])
    }

    fn apply(&self, state: &mut State, proposal: &Proposal<'_>, index: Index) {
        state.add_key(self.key, KeyRole::Log, index, proposal.id, None);
        state.head.log_keys.push((self.key, index));
    }
}
