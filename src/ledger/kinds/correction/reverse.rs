//! Reversals: points of an award are taken back.

use crate::ledger::lineage::{AccountCorrectionPlaces, Places};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::balances::check_debit;
use crate::ledger::state::State;
use crate::record::{Award, Grams, Index};

/// Says whether points of the award `target` may be taken back.
pub(super) fn judge(
    state: &State,
    target: Index,
    award: &Award,
    points: Grams,
) -> Result<Places, Refusal> {
    let before = state.reversed(target);
    let left = award.points.0.saturating_sub(before.0);
    ensure(points.0 > 0, || {
        Refusal::new(Code::PointsZero, "0 points", "reverse one at least")
    })?;
    ensure(points.0 <= left, || {
        Refusal::new(
            Code::ReversalExcess,
            format!(
                "{points} points of {} awarded, {before} reversed before",
                award.points
            ),
            format!("at most {left} are left to reverse"),
        )
    })?;
    let account = check_debit(state, &award.account, points)?;
    let target = Some(target);
    Ok(AccountCorrectionPlaces { target, account }.into())
}

/// Takes points of the award `target` back.
pub(super) fn apply(state: &mut State, index: Index, target: Index, award: &Award, points: Grams) {
    state.reversed.upsert(target, |sum| sum.0 += points.0);
    state.change_balance(index, award.account, -i128::from(points.0));
    state.globals.totals.reversed += u128::from(points.0);
}
