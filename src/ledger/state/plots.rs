//! Plots, and how many trees are on each.

use bincode::{Decode, Encode};

use super::State;
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
    pub planted: u64,
    /// Of these, lost.
    pub lost: u64,
    /// Of its trees, those with a claim.
    pub assigned: u64,
    /// The first serial after all that were ever used; none when they ran out.
    pub next_serial: Option<Serial>,
}

impl PlotState {
    /// Trees that stand in the books.
    pub fn standing(&self) -> u64 {
        self.planted.saturating_sub(self.lost)
    }

    /// The most trees that its area holds at its density.
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

    /// The last entry about a plot.
    pub(in crate::ledger) fn last_entry_of_plot(&self, number: PlotNumber) -> Option<Index> {
        self.plots.get(&number).map(|plot| plot.last_entry)
    }
}
