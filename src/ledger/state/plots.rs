//! Plots, and how many trees are on each.

use bincode::{Decode, Encode};

use super::State;
use super::domains::digested;
use crate::ledger::broken::{Contradiction, Sum, present};
use crate::ledger::trie::{Leaf, TrieError, Value};
use crate::record::{Index, Plot, PlotNumber, Serial, Slug};

/// Square metres of a hectare.
const HECTARE_M2: u128 = 10_000;

/// A plot as it is in force.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct PlotState {
    /// The statement in force.
    pub plot: Plot,
    /// Who holds the plot.
    pub holder: Slug,
    /// The entry of the statement in force.
    pub stated_at: Index,
    /// The last entry about the plot.
    pub last_entry: Index,
    /// Trees of the plot's unvoided plantings.
    pub(in crate::ledger) trees: TreeCounts,
    /// Trees of the plot that have a claim.
    pub assigned: u64,
    /// The serial that the plot's next planting begins with: 1, then the last one ever used + 1; none
    /// when they ran out.
    pub next_serial: Option<Serial>,
}

/// Trees that were planted, and how many of them are lost: never more than were planted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub(in crate::ledger) struct TreeCounts {
    planted: u64,
    lost: u64,
}

impl TreeCounts {
    /// Adds the trees of a planting.
    pub(crate) fn plant(&mut self, count: u64) -> Result<(), Contradiction> {
        self.planted.raise(count, "trees planted on the plot")
    }

    /// Takes out the trees of a voided planting, of which some were lost.
    pub(crate) fn unplant(&mut self, count: u64, lost: u64) -> Result<(), Contradiction> {
        self.lost.lower(lost, "trees lost on the plot")?;
        self.planted.lower(count, "trees planted on the plot")?;
        self.check()
    }

    /// Counts trees as lost.
    pub(crate) fn lose(&mut self, count: u64) -> Result<(), Contradiction> {
        self.lost.raise(count, "trees lost on the plot")?;
        self.check()
    }

    /// Counts lost trees as standing again.
    pub(crate) fn restore(&mut self, count: u64) -> Result<(), Contradiction> {
        self.lost.lower(count, "trees lost on the plot")
    }

    fn check(self) -> Result<(), Contradiction> {
        if self.lost <= self.planted {
            return Ok(());
        }
        Err(Contradiction::new(
            "more trees are lost on a plot than stood there",
        ))
    }
}

impl Value for PlotState {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        // A value that was read beside a proof may say anything.
        let TreeCounts { planted, lost } = self.trees;
        let standing = planted.checked_sub(lost).ok_or(TrieError::SumOverflow)?;
        digested(standing, self.assigned, self.stated_at, self)
    }
}

impl PlotState {
    /// Trees of the plot's unvoided plantings.
    pub fn planted(&self) -> u64 {
        self.trees.planted
    }

    /// Of the trees planted, those that are lost.
    pub fn lost(&self) -> u64 {
        self.trees.lost
    }

    /// Trees that were planted and are not lost. Of what a proof shows, more may be lost than were planted: none
    /// stands then.
    pub fn standing(&self) -> u64 {
        self.trees.planted.saturating_sub(self.trees.lost)
    }

    /// The most trees that the plot's area holds at its density; `u64::MAX` if there are more.
    pub fn capacity(&self) -> u64 {
        u64::try_from(capacity(&self.plot)).unwrap_or(u64::MAX)
    }

    /// Claims with a tree beyond the trees that stand: promises that the plot can't keep.
    pub fn shortfall(&self) -> u64 {
        self.assigned.saturating_sub(self.standing())
    }
}

/// The most trees that a plot's area holds at its density.
pub(in crate::ledger) fn capacity(plot: &Plot) -> u128 {
    u128::from(plot.area_m2) * u128::from(plot.trees_per_ha_max) / HECTARE_M2
}

impl State {
    /// A plot.
    pub fn plot(&self, number: PlotNumber) -> Option<&PlotState> {
        self.plots.get(&number)
    }

    /// All plots, in order of their numbers.
    pub fn plots(&self) -> impl Iterator<Item = &(PlotNumber, PlotState)> {
        self.plots.iter()
    }

    /// Changes a plot, by the entry `index`.
    pub(in crate::ledger) fn change_plot(
        &mut self,
        index: Index,
        number: PlotNumber,
        change: impl FnOnce(&mut PlotState) -> Result<(), Contradiction>,
    ) -> Result<(), Contradiction> {
        let changed = self.plots.update(&number, |plot| {
            plot.last_entry = index;
            change(plot)
        });
        present(changed, "the plot")?
    }
}
