//! Transfers (rule 5): points go from one account to another, or out.

use super::{Rules, Voidable};
use crate::ledger::admission::Candidate;
use crate::ledger::lineage::{Places, TransferPlaces, TransferVoidPlaces};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::balances::{check_credit, check_debit, check_spending};
use crate::ledger::rules::speakers::{Speakers, require_role};
use crate::ledger::state::State;
use crate::record::{Index, Role, Transfer, TransferReason};

impl Rules for Transfer {
    fn speakers(&self) -> Speakers {
        Speakers::Role(Role::Platform)
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
        let from = check_spending(state, &self.from, self.points)?;
        let to = match &self.to {
            Some(to) => check_credit(state, to, self.points)?,
            None => None,
        };
        Ok(TransferPlaces { from, to }.into())
    }

    fn apply(&self, state: &mut State, _: &Candidate<'_>, index: Index) {
        move_points(state, index, self, 1);
    }

    fn voidable(&self) -> Option<&dyn Voidable> {
        Some(self)
    }
}

impl Voidable for Transfer {
    fn judge_void(&self, state: &State, target: Index) -> Result<Places, Refusal> {
        let from = check_credit(state, &self.from, self.points)?;
        let to = match &self.to {
            Some(to) => check_debit(state, to, self.points)?,
            None => None,
        };
        let target = Some(target);
        Ok(TransferVoidPlaces { target, from, to }.into())
    }

    fn apply_void(&self, state: &mut State, _: Index, index: Index) {
        move_points(state, index, self, -1);
    }
}

/// Moves a transfer's points, forth (1) or back (−1).
fn move_points(state: &mut State, index: Index, transfer: &Transfer, sign: i128) {
    let points = u128::from(transfer.points.0);
    state.change_balance(index, transfer.from, -sign * i128::from(transfer.points.0));
    if let Some(to) = transfer.to {
        state.change_balance(index, to, sign * i128::from(transfer.points.0));
    }
    let sum = match transfer.reason {
        TransferReason::Expired => &mut state.globals.totals.expired,
        TransferReason::SpentElsewhere => &mut state.globals.totals.spent_elsewhere,
        TransferReason::Gift | TransferReason::Collected | TransferReason::Pooled => return,
    };
    *sum = if sign > 0 {
        *sum + points
    } else {
        sum.saturating_sub(points)
    };
}
