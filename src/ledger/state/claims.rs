//! Claims, and which tree is whose.

use bincode::{Decode, Encode};

use super::domains::plain;
use super::{PlantingState, State};
use crate::ledger::broken::{Contradiction, Sum, absent, present};
use crate::ledger::trie::{Leaf, TrieError, Value};
use crate::record::{AccountId, Grams, Index, PlotNumber, Serial, SpeciesCode};

/// A tree that has a claim. Trees without one are known by their planting alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct TreeState {
    /// The claim's entry.
    pub claim: Index,
    /// The entry of the assignment that tied claim and tree.
    pub assigned_at: Index,
}

/// Where a claim stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ClaimTree {
    /// The claim waits for a tree.
    Waiting,
    /// The claim has a tree.
    Tied {
        /// The tree's plot.
        plot: PlotNumber,
        /// The tree's serial.
        serial: Serial,
    },
    /// The claim was voided.
    Voided,
}

/// A claim.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ClaimState {
    /// The account that claims.
    pub account: AccountId,
    /// The species of the promised tree.
    pub species: SpeciesCode,
    /// The price that was paid.
    pub points: Grams,
    /// Where the claim stands.
    pub tree: ClaimTree,
}

impl Value for TreeState {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        plain(0, 0, self)
    }
}

impl Value for ClaimState {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        let points = match self.tree {
            ClaimTree::Voided => 0,
            ClaimTree::Waiting | ClaimTree::Tied { .. } => self.points.0,
        };
        plain(points, (self.tree == ClaimTree::Waiting).into(), self)
    }
}

impl State {
    /// A tree's claim; `None` if it has none.
    pub fn tree(&self, plot: PlotNumber, serial: Serial) -> Option<&TreeState> {
        self.trees.get(&(plot, serial))
    }

    /// The claim that an entry holds.
    pub fn claim(&self, index: Index) -> Option<&ClaimState> {
        self.claims.get(&index)
    }

    /// All claims, in order of their entries.
    pub fn claims(&self) -> impl Iterator<Item = &(Index, ClaimState)> {
        self.claims.iter()
    }

    /// The claims behind an entry, in order of their entries.
    pub fn claims_behind(&self, index: Index) -> impl Iterator<Item = &(Index, ClaimState)> {
        let first = index.0.checked_add(1).map(Index);
        let behind = first.map(|first| self.claims.range(first..=Index(u64::MAX)));
        behind.into_iter().flatten()
    }

    /// Ties a waiting claim to a free tree.
    pub(in crate::ledger) fn tie(
        &mut self,
        plot: PlotNumber,
        serial: Serial,
        tree: TreeState,
    ) -> Result<(), Contradiction> {
        absent(self.trees.insert((plot, serial), tree), "a tree's claim")?;
        let tied = ClaimTree::Tied { plot, serial };
        self.move_claim(tree.claim, ClaimTree::Waiting, tied)?;
        self.planting_with(plot, serial, |planting| {
            planting.assigned.raise(1, "claims on the planting")
        })?;
        let on_plot = self
            .plots
            .update(&plot, |plot| plot.assigned.raise(1, "claims on the plot"));
        present(on_plot, "the plot")??;
        let totals = &mut self.globals.totals;
        totals.assigned.raise(1, "claims with a tree")?;
        totals.waiting.lower(1, "claims that wait")
    }

    /// Parts a tree from its claim, which waits again. Returns what was tied.
    pub(in crate::ledger) fn untie(
        &mut self,
        plot: PlotNumber,
        serial: Serial,
    ) -> Result<TreeState, Contradiction> {
        let tree = present(self.trees.remove(&(plot, serial)), "a tree's claim")?;
        let tied = ClaimTree::Tied { plot, serial };
        self.move_claim(tree.claim, tied, ClaimTree::Waiting)?;
        self.planting_with(plot, serial, |planting| {
            planting.assigned.lower(1, "claims on the planting")
        })?;
        let on_plot = self
            .plots
            .update(&plot, |plot| plot.assigned.lower(1, "claims on the plot"));
        present(on_plot, "the plot")??;
        let totals = &mut self.globals.totals;
        totals.assigned.lower(1, "claims with a tree")?;
        totals.waiting.raise(1, "claims that wait")?;
        Ok(tree)
    }

    /// Changes where a claim stands, from where it must have stood.
    pub(in crate::ledger) fn move_claim(
        &mut self,
        claim: Index,
        from: ClaimTree,
        to: ClaimTree,
    ) -> Result<(), Contradiction> {
        let before = self
            .claims
            .update(&claim, |claim| std::mem::replace(&mut claim.tree, to));
        match present(before, "the claim")? {
            before if before == from => Ok(()),
            before => Err(Contradiction::new(format!(
                "claim {claim} is {before:?}, not {from:?}"
            ))),
        }
    }

    /// Changes the planting that a serial belongs to.
    fn planting_with(
        &mut self,
        plot: PlotNumber,
        serial: Serial,
        change: impl FnOnce(&mut PlantingState) -> Result<(), Contradiction>,
    ) -> Result<(), Contradiction> {
        let (first, _) = present(self.planting_of(plot, serial), "the planting of a tree")?;
        present(
            self.plantings.update(&(plot, first), change),
            "the planting",
        )?
    }
}
