//! Accounts and their balances.

use bincode::{Decode, Encode};

use super::domains::account_place;
use super::{HolderNumber, State};
use crate::ledger::broken::{Contradiction, Sum, absent};
use crate::ledger::trie::{Leaf, Path, TrieError, Value};
use crate::record::{AccountId, Grams, Index, RecordId};

/// An account: some sixty bytes in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Account {
    /// Points that the account holds; below zero only after a correction.
    pub balance: i64,
    /// The last entry about the account.
    pub last_entry: Index,
    /// The holder whose key first named the account: its keys alone award to it and spend from it.
    pub holder: HolderNumber,
}

impl Account {
    /// Points that the account owes: those that its balance is below zero.
    pub fn owed(&self) -> u64 {
        if self.balance < 0 {
            self.balance.unsigned_abs()
        } else {
            0
        }
    }

    /// Adds to the balance, by the entry `index`. Returns the account before and after.
    fn change(&mut self, index: Index, change: i128) -> Result<(Self, Self), Contradiction> {
        let before = *self;
        self.balance = i64::try_from(i128::from(before.balance) + change)
            .map_err(|_| Contradiction::new("a balance is beyond 64 bits"))?;
        self.last_entry = index;
        Ok((before, *self))
    }
}

/// Balance, last entry, holder: 20 bytes, so that the leaf's hash is over one block.
impl Value for Account {
    #[inline]
    fn leaf(&self) -> Result<Leaf, TrieError> {
        let mut value = [0; 20];
        let (balance, rest) = value.split_at_mut(8);
        let (last_entry, holder) = rest.split_at_mut(8);
        balance.copy_from_slice(&self.balance.to_be_bytes());
        last_entry.copy_from_slice(&self.last_entry.0.to_be_bytes());
        holder.copy_from_slice(&self.holder.0.to_be_bytes());
        let held = u64::try_from(self.balance).unwrap_or(0);
        Leaf::new(held, self.owed(), &value)
    }
}

impl State {
    /// The place of an account. The state knows accounts by their places alone.
    pub fn account_place(&self, id: &AccountId) -> Path {
        let genesis = self.globals.genesis.as_ref();
        account_place(genesis.map_or(&RecordId::NONE, |(id, _)| id), id)
    }

    /// An account; `None` if no entry names it.
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(&self.account_place(id))
    }

    /// Number of accounts that entries name.
    pub fn accounts_count(&self) -> usize {
        self.accounts.len()
    }

    /// All accounts, in order of their places. Which account it is, its last entry names.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().map(|(_, account)| account)
    }

    /// Adds points to an account, by the entry `index`. An account that no entry named before is now
    /// that holder's.
    pub(in crate::ledger) fn credit(
        &mut self,
        index: Index,
        id: AccountId,
        points: Grams,
        holder: HolderNumber,
    ) -> Result<(), Contradiction> {
        self.change_balance(index, id, points.0.into(), Some(holder))
    }

    /// Gives points back to an account that had them, by the entry `index`.
    pub(in crate::ledger) fn give_back(
        &mut self,
        index: Index,
        id: AccountId,
        points: Grams,
    ) -> Result<(), Contradiction> {
        self.change_balance(index, id, points.0.into(), None)
    }

    /// Takes points from an account, by the entry `index`.
    pub(in crate::ledger) fn debit(
        &mut self,
        index: Index,
        id: AccountId,
        points: Grams,
    ) -> Result<(), Contradiction> {
        self.change_balance(index, id, -i128::from(points.0), None)
    }

    /// Changes a balance; `opens` is whose account it is if no entry named it before.
    fn change_balance(
        &mut self,
        index: Index,
        id: AccountId,
        change: i128,
        opens: Option<HolderNumber>,
    ) -> Result<(), Contradiction> {
        let place = self.account_place(&id);
        let changed = self
            .accounts
            .update(&place, |account| account.change(index, change));
        let (before, after) = match (changed, opens) {
            (Some(changed), _) => changed?,
            (None, Some(holder)) => {
                let mut account = Account {
                    balance: 0,
                    last_entry: index,
                    holder,
                };
                let changed = account.change(index, change)?;
                absent(self.accounts.insert(place, account), "a new account")?;
                changed
            }
            (None, None) => return Err(Contradiction::new("the account is not in the state")),
        };
        let totals = &mut self.globals.totals;
        totals.balances.raise(change, "balances")?;
        totals.owed.lower(before.owed(), "points owed")?;
        totals.owed.raise(after.owed(), "points owed")?;
        match (before.balance < 0, after.balance < 0) {
            (false, true) => totals.accounts_negative.raise(1, "negative accounts"),
            (true, false) => totals.accounts_negative.lower(1, "negative accounts"),
            (true, true) | (false, false) => Ok(()),
        }
    }
}
