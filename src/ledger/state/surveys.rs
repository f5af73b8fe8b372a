//! Surveys that were not voided.

use std::ops::RangeInclusive;

use bincode::{Decode, Encode};

use super::State;
use super::domains::digested;
use crate::ledger::trie::{Leaf, TrieError, Value};
use crate::record::{Day, Index, PlotNumber, Slug, Survey};

/// A survey that was not voided, kept under its plot, day and entry.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SurveyState {
    /// The survey's entry.
    pub stated_at: Index,
    /// The survey as it was stated.
    pub survey: Survey,
    /// The holder of the surveyor's key.
    pub surveyor: Slug,
}

impl Value for SurveyState {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        digested(0, 0, self.stated_at, self)
    }
}

impl State {
    /// The unvoided surveys of a plot, the latest last.
    pub fn surveys(
        &self,
        plot: PlotNumber,
    ) -> impl DoubleEndedIterator<Item = (Index, &SurveyState)> {
        self.surveys_in(plot, (Day(0), Index(0))..=(Day(u32::MAX), Index(u64::MAX)))
    }

    /// The unvoided surveys of a plot whose days and entries are in a range, the latest last.
    pub fn surveys_in(
        &self,
        plot: PlotNumber,
        places: RangeInclusive<(Day, Index)>,
    ) -> impl DoubleEndedIterator<Item = (Index, &SurveyState)> {
        let ((from_day, from), (to_day, to)) = places.into_inner();
        self.surveys
            .range((plot, from_day, from)..=(plot, to_day, to))
            .map(|((_, _, index), survey)| (*index, survey))
    }
}
