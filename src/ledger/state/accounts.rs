//! Accounts and their balances.

use bincode::{Decode, Encode};

use super::domains::account_place;
use super::{HolderNumber, State};
use crate::ledger::broken::{Contradiction, Sum, present};
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
        self.account_at(&self.account_place(id))
    }

    /// The account at a place.
    pub(in crate::ledger) fn account_at(&self, place: &Path) -> Option<&Account> {
        self.accounts.get(place)
    }

    /// Reads what will be looked into for these accounts, so that it is near.
    pub(in crate::ledger) fn fetch_accounts(&self, places: &[Path]) {
        self.accounts.fetch(places);
    }

    /// Number of accounts that entries name.
    pub fn accounts_count(&self) -> usize {
        self.accounts.len()
    }

    /// All accounts, in order of their places. Which account it is, its last entry names.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().map(|(_, account)| account)
    }

    /// Adds points to the account at a place, by the entry `index`. An account that no entry named before is now
    /// that holder's.
    pub(in crate::ledger) fn credit(
        &mut self,
        index: Index,
        place: Path,
        points: Grams,
        holder: HolderNumber,
    ) -> Result<(), Contradiction> {
        self.change_balance(index, place, points.0.into(), Some(holder))
    }

    /// Gives points back to the account at a place, which had them, by the entry `index`.
    pub(in crate::ledger) fn give_back(
        &mut self,
        index: Index,
        place: Path,
        points: Grams,
    ) -> Result<(), Contradiction> {
        self.change_balance(index, place, points.0.into(), None)
    }

    /// Takes points from the account at a place, by the entry `index`.
    pub(in crate::ledger) fn debit(
        &mut self,
        index: Index,
        place: Path,
        points: Grams,
    ) -> Result<(), Contradiction> {
        self.change_balance(index, place, -i128::from(points.0), None)
    }

    /// Changes the balance at a place; `opens` is whose account it is if no entry named it before.
    fn change_balance(
        &mut self,
        index: Index,
        place: Path,
        change: i128,
        opens: Option<HolderNumber>,
    ) -> Result<(), Contradiction> {
        let changed = |account: &mut Account| account.change(index, change);
        let (before, after) = match opens {
            Some(holder) => {
                let first = || Account {
                    balance: 0,
                    last_entry: index,
                    holder,
                };
                self.accounts.upsert_from(place, first, changed)?
            }
            None => {
                let changed = self.accounts.update(&place, changed);
                present(changed, "the account")??
            }
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
