//! Claims (rule 5): points become the promise of a tree.

use super::{Rules, Voidable};
use crate::ledger::broken::{Contradiction, Sum, absent, present};
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{AccountCorrectionPlaces, AccountPlaces, Places};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::balances::{check_credit, check_holder, check_spending};
use crate::ledger::rules::methods::check_version_lately;
use crate::ledger::rules::speakers::{Endorsers, Speakers, require_role};
use crate::ledger::state::{ClaimState, ClaimTree, State};
use crate::record::{Claim, Index, Role};

impl Rules for Claim {
    fn speakers(&self) -> Speakers {
        Speakers::Role(Role::Platform)
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::None
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        require_role(state, candidate, Role::Platform)?;
        let account = check_holder(state, candidate, &self.account)?;
        let today = candidate.admitted_on();
        let method = check_version_lately(state, self.method, self.version, today)?;
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
        let account = check_spending(account, self.points)?;
        Ok(AccountPlaces { account }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        candidate: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        let place = candidate.place_of(state, &self.account);
        state.debit(index, place, self.points)?;
        let claim = ClaimState {
            account: self.account,
            species: self.species,
            points: self.points,
            tree: ClaimTree::Waiting,
        };
        absent(state.claims.insert(index, claim), "a new claim")?;
        let totals = &mut state.globals.totals;
        totals
            .claimed
            .raise(self.points.0.into(), "points claimed")?;
        totals.claims.raise(1, "claims")?;
        totals.waiting.raise(1, "claims that wait")
    }

    fn voidable(&self) -> Option<&dyn Voidable> {
        Some(self)
    }
}

impl Voidable for Claim {
    fn judge_void(&self, state: &State, target: Index) -> Result<Places, Refusal> {
        let account = check_credit(state.account(&self.account), self.points)?;
        let target = Some(target);
        Ok(AccountCorrectionPlaces { target, account }.into())
    }

    fn apply_void(
        &self,
        state: &mut State,
        target: Index,
        index: Index,
    ) -> Result<(), Contradiction> {
        let tree = state.claims.get(&target).map(|claim| claim.tree);
        if let ClaimTree::Tied { plot, serial } = present(tree, "the claim")? {
            state.untie(plot, serial)?;
        }
        state.move_claim(target, ClaimTree::Waiting, ClaimTree::Voided)?;
        let place = state.account_place(&self.account);
        state.give_back(index, place, self.points)?;
        let totals = &mut state.globals.totals;
        totals
            .claimed
            .lower(self.points.0.into(), "points claimed")?;
        totals.claims.lower(1, "claims")?;
        totals.waiting.lower(1, "claims that wait")
    }
}
