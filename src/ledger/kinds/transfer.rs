//! Transfers (rule 5): points go from one account to another, or out.

use super::{Rules, Voidable};
use crate::ledger::broken::{Contradiction, Sum};
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{Places, TransferPlaces, TransferVoidPlaces};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::balances::{check_credit, check_debit, check_holder, check_spending};
use crate::ledger::rules::speakers::{Endorsers, Speakers, issuing_holder, require_role};
use crate::ledger::state::State;
use crate::record::{Index, Role, Transfer, TransferReason};

impl Rules for Transfer {
    fn speakers(&self) -> Speakers {
        Speakers::Role(Role::Platform)
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::None
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        require_role(state, candidate, Role::Platform)?;
        ensure(self.to != Some(self.from), || {
            Refusal::new(
                Code::AccountSame,
                "a transfer from an account to itself",
                "name another account",
            )
        })?;
        let from = check_holder(state, candidate, &self.from)?;
        let from = check_spending(from, self.points)?;
        let to = match &self.to {
            Some(to) => check_credit(state.account(to), self.points)?,
            None => None,
        };
        Ok(TransferPlaces { from, to }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        candidate: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        let from = candidate.place_of(state, &self.from);
        state.debit(index, from, self.points)?;
        if let Some(to) = &self.to {
            let holder = issuing_holder(state, candidate)?;
            let to = state.account_place(to);
            state.credit(index, to, self.points, holder)?;
        }
        match sum_outside(state, self.reason) {
            Some(sum) => sum.raise(self.points.0.into(), "points that left all accounts"),
            None => Ok(()),
        }
    }

    fn voidable(&self) -> Option<&dyn Voidable> {
        Some(self)
    }
}

impl Voidable for Transfer {
    fn judge_void(&self, state: &State, target: Index) -> Result<Places, Refusal> {
        let from = check_credit(state.account(&self.from), self.points)?;
        let to = match &self.to {
            Some(to) => check_debit(state, state.account(to), self.points)?,
            None => None,
        };
        let target = Some(target);
        Ok(TransferVoidPlaces { target, from, to }.into())
    }

    fn apply_void(&self, state: &mut State, _: Index, index: Index) -> Result<(), Contradiction> {
        let from = state.account_place(&self.from);
        state.give_back(index, from, self.points)?;
        if let Some(to) = &self.to {
            let to = state.account_place(to);
            state.debit(index, to, self.points)?;
        }
        match sum_outside(state, self.reason) {
            Some(sum) => sum.lower(self.points.0.into(), "points that left all accounts"),
            None => Ok(()),
        }
    }
}

/// The total that points count into when they go to no account.
fn sum_outside(state: &mut State, reason: TransferReason) -> Option<&mut u128> {
    let totals = &mut state.globals.totals;
    match reason {
        TransferReason::Expired => Some(&mut totals.expired),
        TransferReason::SpentElsewhere => Some(&mut totals.spent_elsewhere),
        TransferReason::Gift | TransferReason::Collected | TransferReason::Pooled => None,
    }
}
