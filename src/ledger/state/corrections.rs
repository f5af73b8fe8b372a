//! What was put right: reversals, losses, voids.

use bincode::{Decode, Encode};

use super::{State, TreeState};
use crate::record::{Grams, Index, PlotNumber, Serial};

/// A loss in the books: what a void of it must bring back.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LossState {
    /// The plot,
    pub plot: PlotNumber,
    /// and the first serial of the planting.
    pub planting: Serial,
    /// How many trees.
    pub count: u32,
    /// Whether it names them.
    pub by_serial: bool,
    /// Trees, and what was tied to them when they were lost.
    pub displaced: Vec<(Serial, TreeState)>,
}

impl State {
    /// Points of an award that were reversed so far.
    pub fn reversed(&self, award: Index) -> Grams {
        self.reversed.get(&award).map_or(Grams(0), |points| *points)
    }

    /// A loss that still counts: it was not voided, nor the planting that it speaks of.
    pub fn loss(&self, correction: Index) -> Option<&LossState> {
        self.losses.get(&correction)
    }

    /// All losses that still count, by their corrections.
    pub fn losses(&self) -> impl Iterator<Item = &(Index, LossState)> {
        self.losses.iter()
    }

    /// The correction that voided an entry.
    pub fn voided_by(&self, target: Index) -> Option<Index> {
        self.voided.get(&target).copied()
    }
}
