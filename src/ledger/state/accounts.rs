//! Accounts and their balances.

use bincode::{Decode, Encode};

use super::State;
use crate::ledger::broken::{Contradiction, Sum};
use crate::record::{AccountId, Grams, Index};

/// An account: some sixty bytes in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Account {
    /// Points that the account holds; below zero only after a correction.
    pub balance: i64,
    /// The last entry about the account.
    pub last_entry: Index,
}

impl State {
    /// An account; `None` if no entry names it.
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// Number of accounts that entries name.
    pub fn accounts_count(&self) -> usize {
        self.accounts.len()
    }

    /// All accounts, in order of their ids.
    pub fn accounts(&self) -> impl Iterator<Item = &(AccountId, Account)> {
        self.accounts.iter()
    }

    /// Adds points to a balance, by the entry `index`.
    pub(in crate::ledger) fn credit(
        &mut self,
        index: Index,
        id: AccountId,
        points: Grams,
    ) -> Result<(), Contradiction> {
        self.change_balance(index, id, points.0.into())
    }

    /// Takes points from a balance, by the entry `index`.
    pub(in crate::ledger) fn debit(
        &mut self,
        index: Index,
        id: AccountId,
        points: Grams,
    ) -> Result<(), Contradiction> {
        self.change_balance(index, id, -i128::from(points.0))
    }

    fn change_balance(
        &mut self,
        index: Index,
        id: AccountId,
        change: i128,
    ) -> Result<(), Contradiction> {
        let (before, after) = self.accounts.upsert(id, |account| {
            let before = account.balance;
            let after = i64::try_from(i128::from(before) + change);
            account.balance =
                after.map_err(|_| Contradiction::new("a balance is beyond 64 bits"))?;
            account.last_entry = index;
            Ok((before, account.balance))
        })?;
        let totals = &mut self.globals.totals;
        totals.balances.raise(change, "balances")?;
        match (before < 0, after < 0) {
            (false, true) => totals.accounts_negative.raise(1, "negative accounts"),
            (true, false) => totals.accounts_negative.lower(1, "negative accounts"),
            (true, true) | (false, false) => Ok(()),
        }
    }
}
