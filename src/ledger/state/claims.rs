//! Claims, and which tree is whose.

use bincode::{Decode, Encode};

use super::State;
use crate::record::{AccountId, Grams, Index, PlotNumber, Serial, SpeciesCode};

/// A tree that has a claim; trees without one are not kept apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct TreeState {
    /// The claim.
    pub claim: Index,
    /// The assignment that tied them.
    pub assigned_at: Index,
}

/// Where a claim stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ClaimTree {
    /// It waits for a tree.
    Waiting,
    /// It has one.
    Tied {
        /// On this plot,
        plot: PlotNumber,
        /// in this place.
        serial: Serial,
    },
    /// It was voided.
    Voided,
}

/// A claim in the books.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ClaimState {
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub species: SpeciesCode,
    /// At which price.
    pub points: Grams,
    /// Where it stands.
    pub tree: ClaimTree,
}

impl State {
    /// The claim of a tree.
    pub fn tree(&self, plot: PlotNumber, serial: Serial) -> Option<&TreeState> {
        self.trees.get(&(plot, serial))
    }

    /// A claim.
    pub fn claim(&self, index: Index) -> Option<&ClaimState> {
        self.claims.get(&index)
    }

    /// All claims, in order of their entries.
    pub fn claims(&self) -> impl Iterator<Item = &(Index, ClaimState)> {
        self.claims.iter()
    }

    /// Ties a waiting claim to a free tree.
    pub(in crate::ledger) fn tie(&mut self, plot: PlotNumber, serial: Serial, tree: TreeState) {
        self.trees.insert((plot, serial), tree);
        self.claims.update(&tree.claim, |claim| {
            claim.tree = ClaimTree::Tied { plot, serial }
        });
        self.count_tied(plot, serial, 1);
    }

    /// Parts a tree from its claim, which waits again. Gives what was tied.
    pub(in crate::ledger) fn untie(
        &mut self,
        plot: PlotNumber,
        serial: Serial,
    ) -> Option<TreeState> {
        let tree = self.trees.remove(&(plot, serial))?;
        self.claims
            .update(&tree.claim, |claim| claim.tree = ClaimTree::Waiting);
        self.count_tied(plot, serial, -1);
        Some(tree)
    }

    fn count_tied(&mut self, plot: PlotNumber, serial: Serial, change: i32) {
        if let Some((first, _)) = self.planting_of(plot, serial) {
            self.plantings.update(&(plot, first), |planting| {
                planting.assigned = planting.assigned.saturating_add_signed(change);
            });
        }
        let change = i64::from(change);
        self.plots.update(&plot, |plot| {
            plot.assigned = plot.assigned.saturating_add_signed(change)
        });
        let totals = &mut self.globals.totals;
        totals.assigned = totals.assigned.saturating_add_signed(change);
        totals.waiting = totals.waiting.saturating_add_signed(-change);
    }
}
