//! Rules 3 and 5: methods, awards, transfers and claims.

use bincode::{Decode, Encode};

use super::refusal::{Code, Refusal, ensure};
use super::state::{Proposal, State};
use super::trees::{ClaimState, ClaimTree};
use crate::record::{
    AccountId, Activity, Award, Claim, Day, Grams, Index, Method, MethodId, MethodVersion,
    Micrograms, Month, Quantity, Role, Species, Transfer, TransferReason,
};

/// Quantities are thousandths and factors micrograms, so a gram is this many of their product.
const QUANTITY_TIMES_FACTOR_PER_GRAM: u128 = 1_000_000_000;

/// A version of a method, and the entry that holds it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct MethodState {
    /// What it says.
    pub method: Method,
    /// Its entry.
    pub stated_at: Index,
}

/// An account: some sixty bytes in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Account {
    /// Points held; below zero only after a correction.
    pub balance: i64,
    /// The last entry about it.
    pub last: Index,
}

impl Quantity {
    /// Rule 3: ⌊quantity × factor ÷ 10⁹⌋; `None` if that is more than any award.
    pub fn points(self, factor: Micrograms) -> Option<Grams> {
        let product = u128::from(self.0) * u128::from(factor.0);
        u64::try_from(product / QUANTITY_TIMES_FACTOR_PER_GRAM)
            .ok()
            .map(Grams)
    }
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

    /// All versions of all methods.
    pub fn methods(&self) -> impl Iterator<Item = &MethodState> {
        self.methods.iter().map(|(_, method)| method)
    }

    fn versions(&self, id: MethodId) -> impl DoubleEndedIterator<Item = &MethodState> {
        let all = (id, MethodVersion(0))..=(id, MethodVersion(u32::MAX));
        self.methods.range(all).map(|(_, method)| method)
    }

    /// The version of a method in effect on a day: the highest whose effective day has come.
    pub fn method_in_effect(&self, id: MethodId, day: Day) -> Option<&MethodState> {
        self.versions(id)
            .rev()
            .find(|state| state.method.effective_from <= day)
    }

    /// An activity of a version of a method.
    pub fn activity(
        &self,
        id: MethodId,
        version: MethodVersion,
        code: crate::record::ActivityCode,
    ) -> Option<&Activity> {
        let method = &self.methods.get(&(id, version))?.method;
        method.activities.iter().find(|it| it.code == code)
    }

    /// The name of a species.
    pub fn species_name(&self, code: crate::record::SpeciesCode) -> Option<&str> {
        self.species.get(&code).map(|name| name.as_str())
    }

    pub(super) fn judge_method(
        &self,
        proposal: &Proposal<'_>,
        method: &Method,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        let last = self.versions(method.id).next_back();
        let next = last.map_or(1, |state| state.method.version.0.saturating_add(1));
        ensure(method.version.0 == next, || {
            Refusal::new(
                Code::MethodVersion,
                format!("method {} version {}", method.id, method.version),
                format!("its next version is {next}"),
            )
        })?;
        ensure(
            last.is_none() || method.effective_from >= proposal.admitted_on(),
            || {
                Refusal::new(
                    Code::MethodBackdated,
                    format!("it would take effect on {}", method.effective_from),
                    format!(
                        "only a first version is retroactive; the earliest day is {}",
                        proposal.admitted_on()
                    ),
                )
            },
        )?;
        judge_codes(method.activities.iter().map(|it: &Activity| it.code))?;
        judge_codes(method.species.iter().map(|it: &Species| it.code))?;
        for species in method.species.iter() {
            let known = self.species.get(&species.code);
            ensure(known.is_none_or(|name| *name == species.name), || {
                Refusal::new(
                    Code::SpeciesChanged,
                    format!("species {} is named {:?} here", species.code, species.name),
                    format!(
                        "its name is {:?}; another species needs another code",
                        known
                    ),
                )
            })?;
        }
        self.judge_quorum(proposal, &[])?;
        Ok(vec![last.map(|state| state.stated_at)])
    }

    pub(super) fn apply_method(&mut self, index: Index, method: &Method) {
        for species in method.species.iter() {
            if !self.species.contains(&species.code) {
                self.species.insert(species.code, species.name.clone());
            }
        }
        let state = MethodState {
            method: method.clone(),
            stated_at: index,
        };
        self.methods.insert((method.id, method.version), state);
    }

    fn judge_version(
        &self,
        id: MethodId,
        version: MethodVersion,
        day: Day,
    ) -> Result<&Method, Refusal> {
        let state = self.method_in_effect(id, day).ok_or_else(|| {
            Refusal::new(
                Code::MethodUnknown,
                format!("no version of method {id} is in effect on {day}"),
                "GET /v1/methods lists them",
            )
        })?;
        let right = state.method.version;
        ensure(version == right, || {
            Refusal::new(
                Code::MethodVersion,
                format!("version {version} of method {id} is not in effect on {day}"),
                format!("on that day version {right} is"),
            )
        })?;
        Ok(&state.method)
    }

    pub(super) fn judge_award(
        &self,
        proposal: &Proposal<'_>,
        award: &Award,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        self.judge_role(proposal, Role::Platform)?;
        self.judge_day(proposal, "occurred_on", award.occurred_on)?;
        let method = self.judge_version(award.method, award.version, award.occurred_on)?;
        let activity = method
            .activities
            .iter()
            .find(|it| it.code == award.activity)
            .ok_or_else(|| {
                Refusal::new(
                    Code::ActivityUnknown,
                    format!("method {} has no activity {}", award.method, award.activity),
                    "GET /v1/methods lists them",
                )
            })?;
        let right = award.quantity.points(activity.factor);
        ensure(right == Some(award.points), || {
            let right = right.map_or("too many".to_owned(), |points| points.to_string());
            Refusal::new(
                Code::PointsMismatch,
                format!(
                    "{} points for a quantity of {}",
                    award.points, award.quantity
                ),
                format!("⌊quantity × factor ÷ 10⁹⌋ is {right}"),
            )
        })?;
        judge_some(award.points)?;
        ensure(award.points <= activity.cap, || {
            Refusal::new(
                Code::CapExceeded,
                format!("{} points in one award", award.points),
                format!("the cap of {:?} is {}", activity.name, activity.cap),
            )
        })?;
        Ok(vec![self.judge_receipt(&award.account, award.points)?])
    }

    /// Checks that an account can take `points`; gives the last entry about it.
    pub(super) fn judge_receipt(
        &self,
        id: &AccountId,
        points: Grams,
    ) -> Result<Option<Index>, Refusal> {
        let account = self.accounts.get(id);
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
        Ok(account.map(|account| account.last))
    }

    /// Checks that a correction can take `points` from an account, below zero if need be; gives
    /// the last entry about it.
    pub(super) fn judge_debit(
        &self,
        id: &AccountId,
        points: Grams,
    ) -> Result<Option<Index>, Refusal> {
        let account = self.accounts.get(id);
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
        Ok(account.map(|account| account.last))
    }

    /// Checks that an account holds `points`; gives the last entry about it.
    fn judge_spending(&self, id: &AccountId, points: Grams) -> Result<Option<Index>, Refusal> {
        judge_some(points)?;
        let account = self.accounts.get(id).copied();
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
        Ok(account.map(|account| account.last))
    }

    /// Changes a balance, and notes the entry that did. Judged before: it fits.
    pub(super) fn change_balance(&mut self, index: Index, id: AccountId, change: i128) {
        let mut negative = 0_i8;
        self.accounts.upsert(id, |account| {
            let before = account.balance;
            let after = i128::from(before) + change;
            account.balance =
                i64::try_from(after).unwrap_or(if after < 0 { i64::MIN } else { i64::MAX });
            account.last = index;
            negative = i8::from(account.balance < 0) - i8::from(before < 0);
        });
        let totals = &mut self.head.totals;
        totals.balances += change;
        totals.accounts_negative = totals
            .accounts_negative
            .saturating_add_signed(i64::from(negative));
    }

    pub(super) fn apply_award(&mut self, index: Index, award: &Award) {
        self.change_balance(index, award.account, award.points.0.into());
        self.head.totals.awarded += u128::from(award.points.0);
        let month = self.head.months.entry(Month::of(award.occurred_on));
        month.or_default().awarded += u128::from(award.points.0);
    }

    pub(super) fn judge_transfer(
        &self,
        proposal: &Proposal<'_>,
        transfer: &Transfer,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        self.judge_role(proposal, Role::Platform)?;
        ensure(transfer.to != Some(transfer.from), || {
            Refusal::new(
                Code::AccountSame,
                "a transfer from an account to itself",
                "name another account",
            )
        })?;
        let from = self.judge_spending(&transfer.from, transfer.points)?;
        let to = match &transfer.to {
            Some(to) => self.judge_receipt(to, transfer.points)?,
            None => None,
        };
        Ok(vec![from, to])
    }

    pub(super) fn apply_transfer(&mut self, index: Index, transfer: &Transfer) {
        self.move_points(index, transfer, 1);
    }

    /// Moves a transfer's points, forth (1) or back (−1).
    pub(super) fn move_points(&mut self, index: Index, transfer: &Transfer, sign: i128) {
        let points = u128::from(transfer.points.0);
        self.change_balance(index, transfer.from, -sign * i128::from(transfer.points.0));
        if let Some(to) = transfer.to {
            self.change_balance(index, to, sign * i128::from(transfer.points.0));
        }
        let sum = match transfer.reason {
            TransferReason::Expired => &mut self.head.totals.expired,
            TransferReason::SpentElsewhere => &mut self.head.totals.spent_elsewhere,
            TransferReason::Gift | TransferReason::Collected | TransferReason::Pooled => return,
        };
        *sum = if sign > 0 {
            *sum + points
        } else {
            sum.saturating_sub(points)
        };
    }

    pub(super) fn judge_claim(
        &self,
        proposal: &Proposal<'_>,
        claim: &Claim,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        self.judge_role(proposal, Role::Platform)?;
        let today = proposal.record().issued_on;
        let method = self.judge_version(claim.method, claim.version, today)?;
        let species = method
            .species
            .iter()
            .find(|it| it.code == claim.species)
            .ok_or_else(|| {
                Refusal::new(
                    Code::SpeciesUnknown,
                    format!("method {} has no species {}", claim.method, claim.species),
                    "GET /v1/methods lists them",
                )
            })?;
        ensure(claim.points == species.price, || {
            Refusal::new(
                Code::PriceMismatch,
                format!("{} points for {:?}", claim.points, species.name),
                format!("its price is {}", species.price),
            )
        })?;
        Ok(vec![self.judge_spending(&claim.account, claim.points)?])
    }

    pub(super) fn apply_claim(&mut self, index: Index, claim: &Claim) {
        self.change_balance(index, claim.account, -i128::from(claim.points.0));
        let state = ClaimState {
            account: claim.account,
            species: claim.species,
            points: claim.points,
            tree: ClaimTree::Waiting,
        };
        self.claims.insert(index, state);
        let totals = &mut self.head.totals;
        totals.claimed += u128::from(claim.points.0);
        totals.claims += 1;
        totals.waiting += 1;
    }
}

fn judge_some(points: Grams) -> Result<(), Refusal> {
    ensure(points.0 > 0, || {
        Refusal::new(
            Code::PointsZero,
            "0 points",
            "nothing is recorded where nothing moves",
        )
    })
}

fn judge_codes<T: Ord + std::fmt::Display>(codes: impl Iterator<Item = T>) -> Result<(), Refusal> {
    let mut codes: Vec<T> = codes.collect();
    codes.sort_unstable();
    match codes.array_windows().find(|[a, b]| a == b) {
        None => Ok(()),
        Some([code, _]) => Err(Refusal::new(
            Code::CodeRepeated,
            format!("the code {code} stands twice"),
            "give each activity and each species of a method its own code",
        )),
    }
}
