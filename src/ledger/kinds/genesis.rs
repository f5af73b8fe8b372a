//! The genesis: entry 0, signed by all that it names.

use super::Rules;
use crate::ledger::broken::Contradiction;
use crate::ledger::candidate::{Candidate, ChainLink};
use crate::ledger::lineage::{GenesisPlaces, Places};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::chain::check_issued_on;
use crate::ledger::rules::keys::{check_governors, check_new_key};
use crate::ledger::rules::speakers::{Endorsers, Speakers, check_possession, unasked};
use crate::ledger::state::{KeyRole, State};
use crate::record::{Genesis, Index, RecordId, Seq};

impl Rules for Genesis {
    fn speakers(&self) -> Speakers {
        Speakers::FirstGovernor
    }

    fn endorsers(&self) -> Endorsers {
        let mut named = self.governors.to_vec();
        named.push(self.log_key);
        Endorsers::GovernorsAnd(named)
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        let misplaced = |detail: &str| {
            Refusal::new(
                Code::GenesisMisplaced,
                detail,
                "a ledger begins with one genesis, seq 0",
            )
        };
        ensure(state.globals.entries == 0, || {
            misplaced("this ledger has its genesis")
        })?;
        ensure(self.origin == state.globals.origin, || {
            Refusal::new(
                Code::OriginMismatch,
                format!("the genesis is of {}", self.origin),
                format!("this log is {}", state.globals.origin),
            )
        })?;
        let first = |link: ChainLink| link.seq == Seq(0) && link.prev == RecordId::NONE;
        ensure(candidate.link.is_some_and(first), || {
            misplaced("the genesis has seq 0 and 32 zero bytes as prev")
        })?;
        ensure(self.governors.first() == Some(candidate.issuer), || {
            misplaced("the genesis is issued by its first governor")
        })?;
        check_governors(&self.governors, self.quorum)?;
        check_issued_on(candidate)?;
        ensure(!self.governors.contains(&self.log_key), || {
            Refusal::new(
                Code::KeyReused,
                "the log's key governs too",
                "the log's key and the governors' are different keys",
            )
        })?;
        let all = candidate.statement.appointed_keys();
        for key in &all {
            check_new_key(state, key)?;
        }
        if candidate.endorsements.iter().any(|e| !all.contains(&e.key)) {
            return Err(unasked(candidate.statement.kind()));
        }
        check_possession(candidate, &all)?;
        Ok(GenesisPlaces {}.into())
    }

    fn apply(
        &self,
        state: &mut State,
        candidate: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        state.globals.genesis = Some((candidate.id()?, self.programme.clone()));
        state.set_council(&self.governors, self.quorum, index, candidate.id()?)?;
        state.add_key(self.log_key, KeyRole::Log, index, candidate.id()?, None)?;
        state.globals.log_keys.push((self.log_key, index));
        Ok(())
    }
}
