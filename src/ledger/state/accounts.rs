//! Accounts and their balances.

use bincode::{Decode, Encode};

use super::State;
use crate::record::{AccountId, Index};

/// An account: some sixty bytes in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Account {
    /// Points held; below zero only after a correction.
    pub balance: i64,
    /// The last entry about it.
    pub last_entry: Index,
}

impl State {
    /// An account; `None` if nothing was ever said of it.
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// Number of accounts that were ever spoken of.
    pub fn accounts_count(&self) -> usize {
        self.accounts.len()
    }

    /// All accounts, in order.
    pub fn accounts(&self) -> impl Iterator<Item = &(AccountId, Account)> {
        self.accounts.iter()
    }

    /// Changes a balance, and notes the entry that did. Judged before: it fits.
    pub(in crate::ledger) fn change_balance(&mut self, index: Index, id: AccountId, change: i128) {
        let mut negative = 0_i8;
        self.accounts.upsert(id, |account| {
            let before = account.balance;
            let after = i128::from(before) + change;
            account.balance =
                i64::try_from(after).unwrap_or(if after < 0 { i64::MIN } else { i64::MAX });
            account.last_entry = index;
            negative = i8::from(account.balance < 0) - i8::from(before < 0);
        });
        let totals = &mut self.globals.totals;
        totals.balances += change;
        totals.accounts_negative = totals
            .accounts_negative
            .saturating_add_signed(i64::from(negative));
    }
}
