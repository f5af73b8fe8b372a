//! Trees that stood before the points that were paid for them were earned.

use std::collections::BTreeMap;

use super::{Cases, Facts, Finding, Severity, many};
use crate::audit::awards::AwardRow;
use crate::ledger::{ClaimTree, PlantingState};
use crate::record::{AccountId, Index, PlotNumber};

/// A tree may be recorded as planted so many days before the points were earned.
const EARLIER_DAYS: u32 = 30;

/// Trees that stood before the points that were paid for them were earned, by plot. A claim with a tree takes
/// 44 bytes.
pub(super) struct Earlier {
    /// The accounts of claims that have a tree, in order, with the claim.
    claims: Vec<(AccountId, Index)>,
    /// The next one.
    next: usize,
    plots: BTreeMap<PlotNumber, (u64, Index, Index)>,
}

impl Earlier {
    pub(super) fn new(facts: &Facts<'_>) -> Self {
        let tied = facts.state.claims().filter_map(|(index, claim)| {
            let is_tied = matches!(claim.tree, ClaimTree::Tied { .. });
            is_tied.then_some((claim.account, *index))
        });
        let mut claims: Vec<_> = tied.collect();
        claims.sort_unstable();
        Self {
            claims,
            next: 0,
            plots: BTreeMap::new(),
        }
    }

    /// Takes in an account's awards. Accounts come in ascending order.
    pub(super) fn add(&mut self, facts: &Facts<'_>, rows: &[AwardRow]) {
        let (Some(account), Some(first_on)) = (
            rows.first().map(|row| row.account),
            rows.iter().map(|row| row.occurred_on).min(),
        ) else {
            return;
        };
        while let Some((of, claim)) = self.claims.get(self.next).copied() {
            if of > account {
                return;
            }
            self.next += 1;
            // Whose points others earned, nothing is known of.
            if of == account
                && let Some((plot, planting)) = planting_of(facts, claim)
                && planting.planted_until.later(EARLIER_DAYS) < first_on
            {
                let known = self.plots.entry(plot).or_insert((0, claim, planting.index));
                known.0 += 1;
            }
        }
    }

    pub(super) fn finding(self) -> Option<Finding> {
        let mut cases = Cases::new(
            "planted_before_points",
            Severity::Low,
            "The trees stood before the points that were spent on them were earned. That is no fault: the programme \
             gave trees that there were. Ask whether it says so, and what would have been planted without it.",
        );
        let mut trees = 0;
        for (plot, (count, claim, planting)) in self.plots {
            trees += count;
            let detail = format!(
                "{}, the first of them for {claim}",
                many(count, "certificate", "certificates")
            );
            cases.add(
                count.into(),
                format!("plot {plot}"),
                detail,
                vec![claim, planting],
            );
        }
        cases.finding(|count| {
            let plots = many(count, "plot", "plots");
            let trees = many(trees, "certificate names a tree", "certificates name trees");
            format!("{trees} of {plots} planted before the account's first award")
        })
    }
}

fn planting_of<'a>(facts: &Facts<'a>, claim: Index) -> Option<(PlotNumber, &'a PlantingState)> {
    let claim = facts.state.claim(claim)?;
    let ClaimTree::Tied { plot, serial } = claim.tree else {
        return None;
    };
    let (_, planting) = facts.state.planting_of(plot, serial)?;
    Some((plot, planting))
}
