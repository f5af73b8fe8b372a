//! Serials: the numbers of the trees of a plot, each given once.

use std::num::NonZeroU32;

use crate::record::{PlotNumber, Serial};

/// A plot's trees can't be numbered: a serial is 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("plot {0} has no serials left for more trees")]
pub struct SerialsExhausted(pub PlotNumber);

/// Which serials of a plot are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlotSerials {
    /// The ledger has no such plot: all are.
    NoPlot,
    /// All from this one on.
    From(Serial),
    /// None is.
    Exhausted,
}

impl PlotSerials {
    /// The first of `count` serials, which are taken then.
    pub(super) fn take(&mut self, count: NonZeroU32) -> Option<Serial> {
        let first = match self {
            Self::NoPlot => Serial(1),
            Self::From(next) => *next,
            Self::Exhausted => return None,
        };
        let last = first.0.checked_add(count.get() - 1)?;
        *self = last
            .checked_add(1)
            .map_or(Self::Exhausted, |next| Self::From(Serial(next)));
        Some(first)
    }
}

/// The serial that follows `count` trees which begin at `first`.
pub(super) fn after(
    plot: PlotNumber,
    first: Serial,
    count: NonZeroU32,
) -> Result<Serial, SerialsExhausted> {
    let next = first.0.checked_add(count.get());
    next.map(Serial).ok_or(SerialsExhausted(plot))
}
