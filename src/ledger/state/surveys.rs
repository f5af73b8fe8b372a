//! Surveys that were not voided.

use bincode::{Decode, Encode};

use super::State;
use crate::record::{Day, Index, PlotNumber, Slug, Survey};

/// A survey that was not voided, kept under its plot, day and entry.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SurveyState {
    /// The survey as it was stated.
    pub survey: Survey,
    /// The holder of the surveyor's key.
    pub surveyor: Slug,
}

impl State {
    /// The unvoided surveys of a plot, the latest last.
    pub fn surveys(
        &self,
        plot: PlotNumber,
    ) -> impl DoubleEndedIterator<Item = (Index, &SurveyState)> {
        let all = (plot, Day(0), Index(0))..=(plot, Day(u32::MAX), Index(u64::MAX));
        self.surveys
            .range(all)
            .map(|((_, _, index), survey)| (*index, survey))
    }
}
