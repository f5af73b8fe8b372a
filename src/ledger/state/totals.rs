//! The sums over the whole ledger, and rule 9: they reconcile.

use bincode::{Decode, Encode};
use serde::Serialize;

use super::domains::{self, plain};
use crate::ledger::decimal::decimal;
use crate::ledger::trie::{Domain, DomainRoots, Leaf, TrieError, Value};
use crate::record::Month;

/// Sums over the whole ledger. Points in grams, trees by count. Promised, planted, standing,
/// assigned and surveyed alive are different things and never added together. In JSON each sum is a
/// decimal string.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, Serialize)]
pub struct Totals {
    /// Points awarded.
    #[serde(serialize_with = "decimal")]
    pub awarded: u128,
    /// Points of awards taken back.
    #[serde(serialize_with = "decimal")]
    pub reversed: u128,
    /// Points that expired.
    #[serde(serialize_with = "decimal")]
    pub expired: u128,
    /// Points spent on something other than trees.
    #[serde(serialize_with = "decimal")]
    pub spent_elsewhere: u128,
    /// Points of unvoided claims.
    #[serde(serialize_with = "decimal")]
    pub claimed: u128,
    /// The sum of all balances.
    #[serde(serialize_with = "decimal")]
    pub balances: i128,
    /// The sum of what accounts owe: of the balances below zero, without their signs.
    #[serde(serialize_with = "decimal")]
    pub owed: u64,
    /// Trees of all plantings, voided ones too.
    #[serde(serialize_with = "decimal")]
    pub planted_recorded: u64,
    /// Trees of voided plantings.
    #[serde(serialize_with = "decimal")]
    pub planted_voided: u64,
    /// Trees lost of unvoided plantings.
    #[serde(serialize_with = "decimal")]
    pub lost: u64,
    /// Trees of unvoided plantings that are not lost.
    #[serde(serialize_with = "decimal")]
    pub standing: u64,
    /// Unvoided claims that have a tree.
    #[serde(serialize_with = "decimal")]
    pub assigned: u64,
    /// Unvoided claims that wait for a tree.
    #[serde(serialize_with = "decimal")]
    pub waiting: u64,
    /// Unvoided claims.
    #[serde(serialize_with = "decimal")]
    pub claims: u64,
    /// Accounts whose balance is below zero.
    #[serde(serialize_with = "decimal")]
    pub accounts_negative: u64,
}

/// What happened in a month, by the days that records name; corrections are not taken off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct MonthTotals {
    /// Points awarded for what was done in the month.
    pub awarded: u64,
    /// Trees planted in the month.
    pub planted: u64,
}

impl Value for MonthTotals {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        plain(self.awarded, self.planted, self)
    }
}

impl super::Globals {
    /// Checks the totals, which were kept entry by entry, against the sums of the domains, which their
    /// roots prove: neither is made from the other.
    ///
    /// # Errors
    /// [`ConservationError`] says which sum fails.
    pub fn check_sums(&self, roots: &DomainRoots) -> Result<(), ConservationError> {
        let totals = &self.totals;
        let sum = |domain: Domain| {
            let root = roots.0.get(usize::from(domain.number()));
            root.map_or((0, 0), |root| (u128::from(root.a), u128::from(root.b)))
        };
        let ((held, owed), (standing, assigned)) = (sum(domains::ACCOUNTS), sum(domains::PLOTS));
        let ((unlost, lost), (claimed, waiting)) = (sum(domains::PLANTINGS), sum(domains::CLAIMS));
        let (awarded, planted) = sum(domains::MONTHS);
        let balances = u128::try_from(totals.balances + i128::from(totals.owed));
        let holds = [
            (owed == totals.owed.into(), "points owed of all accounts"),
            (Ok(held) == balances, "points held of all accounts"),
            (
                standing == totals.standing.into(),
                "trees that stand on all plots",
            ),
            (
                assigned == totals.assigned.into(),
                "trees with a claim on all plots",
            ),
            (
                unlost == totals.standing.into(),
                "trees that stand of all plantings",
            ),
            (lost == totals.lost.into(), "trees lost of all plantings"),
            (
                sum(domains::LOSSES).0 == totals.lost.into(),
                "trees of all losses",
            ),
            (claimed == totals.claimed, "points of all claims"),
            (waiting == totals.waiting.into(), "claims that wait"),
            (
                sum(domains::REVERSED).0 == totals.reversed,
                "points taken back of all awards",
            ),
            (awarded == totals.awarded, "points awarded in all months"),
            (
                planted == totals.planted_recorded.into(),
                "trees planted in all months",
            ),
            (sum(domains::HOLDERS).0 == self.holders.into(), "holders"),
        ];
        match holds.iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(ConservationError(what)),
            None => Ok(()),
        }
    }
}

/// The totals do not reconcile: rule 9 is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the totals do not reconcile: {0}")]
pub struct ConservationError(&'static str);

impl super::State {
    /// Points awarded and trees planted in each month, in order of the months.
    pub fn months(&self) -> impl Iterator<Item = &(Month, MonthTotals)> {
        self.months.iter()
    }
}

impl Totals {
    /// Trees of unvoided plantings: by rule 9, those that stand and those that are lost.
    pub fn planted(&self) -> u64 {
        self.standing + self.lost
    }

    /// Checks rule 9, on the sums alone.
    ///
    /// # Errors
    /// [`ConservationError`] says which sum fails.
    pub fn check(&self) -> Result<(), ConservationError> {
        if self.points_left() != Some(self.balances) {
            return Err(ConservationError(
                "awarded − reversed − expired − spent elsewhere − claimed ≠ balances",
            ));
        }
        let trees = |count: u64| u128::from(count);
        let accounted = trees(self.planted_voided) + trees(self.lost) + trees(self.standing);
        if trees(self.planted_recorded) != accounted {
            return Err(ConservationError("planted − voided − lost ≠ standing"));
        }
        if trees(self.claims) != trees(self.assigned) + trees(self.waiting) {
            return Err(ConservationError("unvoided claims ≠ assigned + waiting"));
        }
        Ok(())
    }

    /// What was awarded, less all that left the accounts; `None` beyond 127 bits.
    fn points_left(&self) -> Option<i128> {
        let mut left = i128::try_from(self.awarded).ok()?;
        for out in [
            self.reversed,
            self.expired,
            self.spent_elsewhere,
            self.claimed,
        ] {
            left = left.checked_sub(i128::try_from(out).ok()?)?;
        }
        Some(left)
    }
}
