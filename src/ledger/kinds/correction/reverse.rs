//! Reversals: points of an award are taken back.

use crate::ledger::broken::{Contradiction, Sum};
use crate::ledger::lineage::{AccountCorrectionPlaces, Places};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::balances::check_debit;
use crate::ledger::state::State;
use crate::record::{Award, Grams, Index};

/// Checks whether points of the award `target` may be taken back.
pub(super) fn judge(
    state: &State,
    target: Index,
    award: &Award,
    points: Grams,
) -> Result<Places, Refusal> {
    let before = state.reversed(target);
    ensure(points.0 > 0, || {
        Refusal::new(Code::PointsZero, "0 points", "reverse one at least")
    })?;
    let left = award.points.0.checked_sub(before.0);
    ensure(left.is_some_and(|left| points.0 <= left), || {
        let left = left.map_or("none".to_owned(), |left| left.to_string());
        Refusal::new(
            Code::ReversalExcess,
            format!(
                "{points} points of {} awarded, {before} reversed before",
                award.points
            ),
            format!("at most {left} are left to reverse"),
        )
    })?;
    let account = check_debit(state, state.account(&award.account), points)?;
    let target = Some(target);
    Ok(AccountCorrectionPlaces { target, account }.into())
}

/// Takes points of the award `target` back.
pub(super) fn apply(
    state: &mut State,
    index: Index,
    target: Index,
    award: &Award,
    points: Grams,
) -> Result<(), Contradiction> {
    state.reversed.upsert(target, |reversed| {
        reversed.0.raise(points.0, "points reversed of the award")?;
        if *reversed <= award.points {
            return Ok(());
        }
        Err(Contradiction::new(
            "more points are reversed than were awarded",
        ))
    })?;
    let place = state.account_place(&award.account);
    state.debit(index, place, points)?;
    let reversed = &mut state.globals.totals.reversed;
    reversed.raise(points.0.into(), "points reversed")
}
