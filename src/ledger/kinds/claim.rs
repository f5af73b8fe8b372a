//! Claims (rule 5): points become the promise of a tree.

use super::{Rules, Voidable};
use crate::ledger::admission::Candidate;
use crate::ledger::lineage::{AccountCorrectionPlaces, AccountPlaces, Places};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::balances::{check_credit, check_spending};
use crate::ledger::rules::methods::check_version;
use crate::ledger::rules::speakers::{Speakers, require_role};
use crate::ledger::state::{ClaimState, ClaimTree, State};
use crate::record::{Claim, Index, Role};

impl Rules for Claim {
    fn speakers(&self) -> Speakers {
        Speakers::Role(Role::Platform)
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        require_role(state, candidate, Role::Platform)?;
        let today = candidate.record().issued_on;
        let method = check_version(state, self.method, self.version, today)?;
        let species = method
            .species
            .iter()
            .find(|species| species.code == self.species)
            .ok_or_else(|| {
                Refusal::new(
                    Code::SpeciesUnknown,
                    format!("method {} has no species {}", self.method, self.species),
                    "GET /v1/methods lists them",
                )
            })?;
        ensure(self.points == species.price, || {
            Refusal::new(
                Code::PriceMismatch,
                format!("{} points for {:?}", self.points, species.name),
                format!("its price is {}", species.price),
            )
        })?;
        let account = check_spending(state, &self.account, self.points)?;
        Ok(AccountPlaces { account }.into())
    }

    fn apply(&self, state: &mut State, _: &Candidate<'_>, index: Index) {
        state.change_balance(index, self.account, -i128::from(self.points.0));
        let claim = ClaimState {
            account: self.account,
            species: self.species,
            points: self.points,
            tree: ClaimTree::Waiting,
        };
        state.claims.insert(index, claim);
        let totals = &mut state.globals.totals;
        totals.claimed += u128::from(self.points.0);
        totals.claims += 1;
        totals.waiting += 1;
    }

    fn voidable(&self) -> Option<&dyn Voidable> {
        Some(self)
    }
}

impl Voidable for Claim {
    fn judge_void(&self, state: &State, target: Index) -> Result<Places, Refusal> {
        let account = check_credit(state, &self.account, self.points)?;
        let target = Some(target);
        Ok(AccountCorrectionPlaces { target, account }.into())
    }

    fn apply_void(&self, state: &mut State, target: Index, index: Index) {
        let tree = state.claims.get(&target).map(|claim| claim.tree);
        if let Some(ClaimTree::Tied { plot, serial }) = tree {
            state.untie(plot, serial);
        }
        state
            .claims
            .update(&target, |claim| claim.tree = ClaimTree::Voided);
        state.change_balance(index, self.account, self.points.0.into());
        let totals = &mut state.globals.totals;
        totals.claimed = totals.claimed.saturating_sub(self.points.0.into());
        totals.claims = totals.claims.saturating_sub(1);
        totals.waiting = totals.waiting.saturating_sub(1);
    }
}
