//! Rule 5, for every kind that moves points: what an account can receive and give. Each check returns
//! the last entry about the account.

use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::state::State;
use crate::record::{AccountId, Grams, Index};

/// Checks that an account can receive `points`.
pub(in crate::ledger) fn check_credit(
    state: &State,
    id: &AccountId,
    points: Grams,
) -> Result<Option<Index>, Refusal> {
    let account = state.accounts.get(id);
    let balance = account.map_or(0, |account| account.balance);
    let fits = i64::try_from(points.0)
        .ok()
        .and_then(|more| balance.checked_add(more));
    ensure(fits.is_some(), || {
        Refusal::new(
            Code::BalanceLimit,
            format!("{points} points to a balance of {balance}"),
            "a balance is at most 2^63 − 1",
        )
    })?;
    Ok(account.map(|account| account.last_entry))
}

/// Checks that a correction can take `points` from an account, below zero if need be.
pub(in crate::ledger) fn check_debit(
    state: &State,
    id: &AccountId,
    points: Grams,
) -> Result<Option<Index>, Refusal> {
    let account = state.accounts.get(id);
    let balance = account.map_or(0, |account| account.balance);
    let fits = i64::try_from(points.0)
        .ok()
        .and_then(|less| balance.checked_sub(less));
    ensure(fits.is_some(), || {
        Refusal::new(
            Code::BalanceLimit,
            format!("{points} points from a balance of {balance}"),
            "a balance is at least −2^63",
        )
    })?;
    Ok(account.map(|account| account.last_entry))
}

/// Checks that an account holds `points`.
pub(in crate::ledger) fn check_spending(
    state: &State,
    id: &AccountId,
    points: Grams,
) -> Result<Option<Index>, Refusal> {
    require_nonzero(points)?;
    let account = state.accounts.get(id).copied();
    let balance = account.map_or(0, |account| account.balance);
    ensure(
        i64::try_from(points.0).is_ok_and(|points| points <= balance),
        || {
            Refusal::new(
                Code::BalanceShort,
                format!("{points} points from a balance of {balance}"),
                "an account spends no more than it holds",
            )
        },
    )?;
    Ok(account.map(|account| account.last_entry))
}

/// Checks that any points move.
pub(in crate::ledger) fn require_nonzero(points: Grams) -> Result<(), Refusal> {
    ensure(points.0 > 0, || {
        Refusal::new(
            Code::PointsZero,
            "0 points",
            "nothing is recorded where nothing moves",
        )
    })
}
