//! Serials: the numbers of the trees of a plot, each given once.

use std::num::NonZeroU32;

use crate::record::{PlotNumber, Serial};

/// A plot's trees can't be numbered: a serial is 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("plot {0} has no serials left for more trees")]
pub struct SerialsExhausted(pub PlotNumber);

/// The serial that follows `count` trees which begin at `first`.
pub(super) fn after(
    plot: PlotNumber,
    first: Serial,
    count: NonZeroU32,
) -> Result<Serial, SerialsExhausted> {
    let next = first.0.checked_add(count.get());
    next.map(Serial).ok_or(SerialsExhausted(plot))
}
