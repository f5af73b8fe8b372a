//! Log keys: the next key that signs checkpoints.

use super::Rules;
use crate::ledger::broken::Contradiction;
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{LogKeyPlaces, Places};
use crate::ledger::refusal::Refusal;
use crate::ledger::rules::keys::check_new_key;
use crate::ledger::rules::speakers::{Endorsers, Speakers, require_governors};
use crate::ledger::state::{KeyRole, State};
use crate::record::{Index, LogKey};

impl Rules for LogKey {
    fn speakers(&self) -> Speakers {
        Speakers::Governors
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::GovernorsAnd(vec![self.key])
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        check_new_key(state, &self.key)?;
        require_governors(state, candidate, &candidate.statement.appointed_keys())?;
        let log_key_before = state.globals.log_keys.last().map(|(_, index)| *index);
        Ok(LogKeyPlaces { log_key_before }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        candidate: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        state.add_key(self.key, KeyRole::Log, index, candidate.id()?, None)?;
        state.globals.log_keys.push((self.key, index));
        Ok(())
    }
}
