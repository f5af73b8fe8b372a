//! Plots, and how many trees are on each.

use bincode::{Decode, Encode};

use super::State;
use crate::ledger::broken::{Contradiction, Sum, present};
use crate::record::{Index, Plot, PlotNumber, Serial, Slug};

/// Square metres of a hectare.
const HECTARE_M2: u128 = 10_000;

/// A plot in the books.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct PlotState {
    /// The statement in force.
    pub plot: Plot,
    /// Who holds it.
    pub holder: Slug,
    /// The entry of that statement.
    pub stated_at: Index,
    /// The last entry about it.
    pub last_entry: Index,
    /// Trees of its unvoided plantings.
    pub(in crate::ledger) trees: TreeCounts,
    /// Of its trees, those with a claim.
    pub assigned: u64,
    /// The first serial after all that were ever used; none when they ran out.
    pub next_serial: Option<Serial>,
}

/// Trees that were planted, and how many of them are lost: never more than were planted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub(in crate::ledger) struct TreeCounts {
    planted: u64,
    lost: u64,
}

impl TreeCounts {
    /// Trees of a planting come in.
    pub fn plant(&mut self, count: u64) -> Result<(), Contradiction> {
        self.planted.raise(count, "trees planted on the plot")
    }

    /// A planting is voided, with as many of its trees as were lost.
    pub fn unplant(&mut self, count: u64, lost: u64) -> Result<(), Contradiction> {
        self.lost.lower(lost, "trees lost on the plot")?;
        self.planted.lower(count, "trees planted on the plot")?;
        self.check()
    }

    /// Trees are lost.
    pub fn lose(&mut self, count: u64) -> Result<(), Contradiction> {
        self.lost.raise(count, "trees lost on the plot")?;
        self.check()
    }

    /// Lost trees stand again.
    pub fn restore(&mut self, count: u64) -> Result<(), Contradiction> {
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

impl PlotState {
    /// Trees of its unvoided plantings.
    pub fn planted(&self) -> u64 {
        self.trees.planted
    }

    /// Of the trees planted, those that are lost.
    pub fn lost(&self) -> u64 {
        self.trees.lost
    }

    /// Trees that stand in the books.
    pub fn standing(&self) -> u64 {
        self.trees.planted - self.trees.lost
    }

    /// The most trees that its area holds at its density; no more than 64 bits can say.
    pub fn capacity(&self) -> u64 {
        u64::try_from(capacity(&self.plot)).unwrap_or(u64::MAX)
    }

    /// Trees that claims were promised and that stand no more.
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

    /// All plots, in order.
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
