//! Plantings, kept under their plot and first serial, and which of their trees are lost.

use std::ops::RangeInclusive;

use bincode::{Decode, Encode};

use super::State;
use super::domains::digested;
use crate::ledger::broken::{Contradiction, Sum};
use crate::ledger::trie::{Leaf, TrieError, Value};
use crate::record::{Day, Digest, Index, Planting, PlotNumber, Serial, SpeciesCode};

/// Trees of a planting that were lost by serial.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LostRange {
    /// The first serial.
    pub first: Serial,
    /// The last serial, in the range too.
    pub last: Serial,
    /// The correction that states the loss.
    pub lost_at: Index,
}

impl LostRange {
    /// Whether a serial is in the range.
    pub fn holds(&self, serial: Serial) -> bool {
        (self.first..=self.last).contains(&serial)
    }
}

/// A planting, kept under its plot and first serial.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct PlantingState {
    /// The planting's entry.
    pub index: Index,
    /// The species that was planted.
    pub species: SpeciesCode,
    /// The planting's first serial.
    pub first_serial: Serial,
    /// The planting's last serial.
    pub last_serial: Serial,
    /// The first day on which the trees may have been planted.
    pub planted_from: Day,
    /// The last one; the same, if the day is known.
    pub planted_until: Day,
    /// Whether the planting was voided. Its serials are never used again.
    pub voided: bool,
    /// Trees lost, by serial or by count: never more than were planted.
    lost: u32,
    /// The serials of those losses that name them.
    pub lost_ranges: Vec<LostRange>,
    /// Trees of the planting that have a claim.
    pub assigned: u32,
}

impl Value for PlantingState {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        // A value that was read beside a proof may say anything.
        let count = (u64::from(self.last_serial.0) + 1).checked_sub(self.first_serial.0.into());
        let standing = match self.voided {
            true => Some(0),
            false => count.and_then(|count| count.checked_sub(self.lost.into())),
        };
        let standing = standing.ok_or(TrieError::SumOverflow)?;
        digested(standing, self.lost.into(), self.index, self)
    }
}

impl PlantingState {
    /// A new planting: none of its trees is lost or has a claim.
    pub(in crate::ledger) fn new(index: Index, planting: &Planting, last_serial: Serial) -> Self {
        Self {
            index,
            species: planting.species,
            first_serial: planting.first_serial,
            last_serial,
            planted_from: planting.planted_from,
            planted_until: planting.planted_until,
            voided: false,
            lost: 0,
            lost_ranges: Vec::new(),
            assigned: 0,
        }
    }

    /// Number of the planting's trees: no planting has none, so the last serial is not below the first. Of what a
    /// proof shows it may be: that has none then.
    pub fn count(&self) -> u64 {
        let end = u64::from(self.last_serial.0) + 1;
        end.saturating_sub(self.first_serial.0.into())
    }

    /// Trees lost, by serial or by count.
    pub fn lost(&self) -> u32 {
        self.lost
    }

    /// Trees that stand of a planting with this first serial.
    pub(in crate::ledger) fn standing(&self) -> u64 {
        self.count().saturating_sub(self.lost.into())
    }

    /// Counts trees as lost; and which, if the loss names them.
    pub(in crate::ledger) fn lose(
        &mut self,
        count: u32,
        range: Option<LostRange>,
    ) -> Result<(), Contradiction> {
        self.lost.raise(count, "trees lost of the planting")?;
        self.lost_ranges.extend(range);
        if u64::from(self.lost) <= self.count() {
            return Ok(());
        }
        Err(Contradiction::new(
            "more trees are lost of a planting than it has",
        ))
    }

    /// Counts the trees of a voided loss as standing again.
    pub(in crate::ledger) fn restore(
        &mut self,
        count: u32,
        lost_at: Index,
    ) -> Result<(), Contradiction> {
        self.lost_ranges.retain(|range| range.lost_at != lost_at);
        self.lost.lower(count, "trees lost of the planting")
    }

    /// Voids the planting: its trees were never planted, so none of them was lost. Returns the number
    /// that had been lost.
    pub(in crate::ledger) fn void(&mut self) -> u32 {
        self.voided = true;
        self.lost_ranges.clear();
        std::mem::take(&mut self.lost)
    }
}

impl State {
    /// The plantings of a plot with their first serials, in that order.
    pub fn plantings(
        &self,
        plot: PlotNumber,
    ) -> impl DoubleEndedIterator<Item = (Serial, &PlantingState)> {
        self.plantings_in(plot, Serial(0)..=Serial(u32::MAX))
    }

    /// The plantings of a plot whose first serials are in a range, in order of those.
    pub fn plantings_in(
        &self,
        plot: PlotNumber,
        first_serials: RangeInclusive<Serial>,
    ) -> impl DoubleEndedIterator<Item = (Serial, &PlantingState)> {
        let (from, to) = first_serials.into_inner();
        self.plantings
            .range((plot, from)..=(plot, to))
            .map(|((_, first), planting)| (*first, planting))
    }

    /// The day by which the first trees of a plot's unvoided plantings were planted.
    pub fn first_planted_by(&self, plot: PlotNumber) -> Option<Day> {
        self.plantings(plot)
            .filter(|(_, planting)| !planting.voided)
            .map(|(_, planting)| planting.planted_until)
            .min()
    }

    /// All plantings with their plots and first serials, in that order, voided ones too.
    pub fn plantings_all(&self) -> impl Iterator<Item = (PlotNumber, Serial, &PlantingState)> {
        self.plantings
            .iter()
            .map(|((plot, first), planting)| (*plot, *first, planting))
    }

    /// The evidence of plantings and surveys, voided ones too, in order, each with the entry that names it.
    pub fn evidence(&self) -> impl Iterator<Item = &(Digest, Index)> {
        self.evidence.iter()
    }

    /// Plot and first serial of the planting that an entry holds.
    pub fn planting_place(&self, index: Index) -> Option<(PlotNumber, Serial)> {
        self.planting_places.get(&index).copied()
    }

    /// The planting that a serial belongs to, and its first serial.
    pub fn planting_of(
        &self,
        plot: PlotNumber,
        serial: Serial,
    ) -> Option<(Serial, &PlantingState)> {
        self.plantings
            .range((plot, Serial(0))..=(plot, serial))
            .next_back()
            .map(|((_, first), planting)| (*first, planting))
            .filter(|(_, planting)| serial <= planting.last_serial)
    }
}
