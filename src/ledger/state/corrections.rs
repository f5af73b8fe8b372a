//! What corrections did: reversals, losses, voids.

use bincode::de::Decoder;
use bincode::error::DecodeError;
use bincode::{Decode, Encode};

use super::domains::digested;
use super::items::ITEM_VALUE_BYTES_MAX;
use super::{State, TreeState};
use crate::ledger::trie::{Leaf, TrieError, Value};
use crate::record::{Grams, Index, PlotNumber, Serial, decode_list};

/// A loss that still counts, with what a void of it must bring back.
#[derive(Clone, PartialEq, Eq, Debug, Encode)]
pub struct LossState {
    /// The correction that states the loss.
    pub lost_at: Index,
    /// The plot of the planting.
    pub plot: PlotNumber,
    /// The first serial of the planting.
    pub planting: Serial,
    /// Number of trees lost.
    pub count: u32,
    /// Whether the loss names the trees' serials.
    pub by_serial: bool,
    /// The lost trees that had a claim, and which.
    pub displaced: Vec<(Serial, TreeState)>,
}

impl<Context> Decode<Context> for LossState {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self {
            lost_at: Decode::decode(decoder)?,
            plot: Decode::decode(decoder)?,
            planting: Decode::decode(decoder)?,
            count: Decode::decode(decoder)?,
            by_serial: Decode::decode(decoder)?,
            // An item takes more bytes in memory than it is written in: counted by those, a true item of a
            // proof would be refused here and taken by other verifiers.
            displaced: decode_list(decoder, ITEM_VALUE_BYTES_MAX)?,
        })
    }
}

impl Value for LossState {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        digested(self.count.into(), 0, self.lost_at, self)
    }
}

impl State {
    /// Points of an award that were reversed so far.
    pub fn reversed(&self, award: Index) -> Grams {
        self.reversed.get(&award).map_or(Grams(0), |points| *points)
    }

    /// The awards from this entry on of which points were reversed, in the order of their entries, each
    /// with the points.
    pub fn reversals_from(&self, first: Index) -> impl Iterator<Item = (Index, Grams)> {
        self.reversed.range(first..=Index(u64::MAX)).copied()
    }

    /// A loss that still counts: neither the loss nor its planting was voided.
    pub fn loss(&self, correction: Index) -> Option<&LossState> {
        self.losses.get(&correction)
    }

    /// All losses that still count, by their corrections.
    pub fn losses(&self) -> impl DoubleEndedIterator<Item = &(Index, LossState)> {
        self.losses.iter()
    }

    /// The correction that voided an entry, if it was voided.
    pub fn voided_by(&self, target: Index) -> Option<Index> {
        self.voided.get(&target).copied()
    }
}
