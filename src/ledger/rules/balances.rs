//! Rule 5, for every kind that moves points: what an account can receive and give. The checks take an
//! account that was looked up once, and return the last entry about it.

use crate::ledger::candidate::Candidate;
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::state::{Account, State};
use crate::record::{AccountId, Grams, Index};

/// All points awarded are fewer, and so are all points owed.
const POINTS_LIMIT: u64 = 1 << 63;

/// Checks that an account can receive `points`.
pub(in crate::ledger) fn check_credit(
    account: Option<&Account>,
    points: Grams,
) -> Result<Option<Index>, Refusal> {
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
    account: Option<&Account>,
    points: Grams,
) -> Result<Option<Index>, Refusal> {
    let balance = account.map_or(0, |account| account.balance);
    let short = i128::from(points.0) - i128::from(balance.max(0));
    let owed = i128::from(state.totals().owed) + short.max(0);
    ensure(owed < i128::from(POINTS_LIMIT), || {
        Refusal::new(
            Code::BalanceLimit,
            format!("{points} points from a balance of {balance}"),
            format!("accounts would owe {owed} points in all, and at most 2^63 − 1 can be owed"),
        )
    })?;
    Ok(account.map(|account| account.last_entry))
}

/// Checks that the ledger can award `points` more. With the bound on what is owed it keeps every sum
/// of points within 64 bits.
pub(in crate::ledger) fn check_awarded(state: &State, points: Grams) -> Result<(), Refusal> {
    let awarded = state.totals().awarded + u128::from(points.0);
    ensure(awarded < u128::from(POINTS_LIMIT), || {
        Refusal::new(
            Code::BalanceLimit,
            format!("{awarded} points would be awarded in all"),
            "a ledger awards at most 2^63 − 1",
        )
    })
}

/// Checks that the issuer's holder may award to an account and spend from it: the account is that
/// holder's, or nobody's yet. Returns the account.
pub(in crate::ledger) fn check_holder<'a>(
    state: &'a State,
    candidate: &Candidate<'_>,
    id: &AccountId,
) -> Result<Option<&'a Account>, Refusal> {
    let issuer = candidate.issuer_holder(state);
    let account = state.account_at(&candidate.place_of(state, id));
    let holder = account.map(|account| account.holder);
    ensure(holder.is_none() || holder == issuer, || {
        Refusal::new(
            Code::HolderRefused,
            format!("the account {id} is another holder's"),
            "the holder whose key first named an account awards to it and spends from it; others may transfer points to it",
        )
    })?;
    Ok(account)
}

/// Checks that an account holds `points`.
pub(in crate::ledger) fn check_spending(
    account: Option<&Account>,
    points: Grams,
) -> Result<Option<Index>, Refusal> {
    require_nonzero(points)?;
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
