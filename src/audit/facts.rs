//! What findings and the report are reckoned from: the ledger's state and what the audit observed
//! on the way, checked to be of the same entries.

use super::observe::Observations;
use crate::ledger::State;
use crate::record::{Day, Index, Kind};

/// What an audit knows of a ledger, as of a day. Made only of parts that add up: no finding and no
/// report says a number that could not be reckoned.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub(super) state: &'a State,
    pub(super) observations: &'a Observations,
    pub(super) as_of: Day,
}

/// The parts of an audit contradict each other, so that a number can't be reckoned from them. That
/// says nothing about the log: a saved audit was changed, or there is a bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "what the audit holds contradicts itself: {0}. Nothing is reported from it. Audit from the first entry, without the saved audit; if that fails too, it is a bug"
)]
pub struct Inconsistent(String);

impl<'a> Facts<'a> {
    /// The facts as of a day for which ages and due dates are reckoned.
    ///
    /// # Errors
    /// [`Inconsistent`] when the observations are of other entries than the state, as far as the
    /// sums that both have tell.
    pub fn new(
        state: &'a State,
        observations: &'a Observations,
        as_of: Day,
    ) -> Result<Self, Inconsistent> {
        let totals = state.totals();
        let of_kind = |kind| {
            let span = observations.kinds.get(&kind);
            u128::from(span.map_or(0, |span| span.count))
        };
        let own = observations.state_entries.count;
        let kinds = observations.kinds.values().map(|span| span.count);
        agree("entries by kind", kinds.chain([own]), state.entries())?;
        let issuers = observations.issuers.values();
        let entries = issuers.clone().map(|sums| sums.entries.count);
        agree("entries by issuer", entries.chain([own]), state.entries())?;
        let hours = observations.hours.values().map(|span| span.count);
        agree("entries by hour", hours, state.entries())?;
        let lateness = observations.lateness.iter().map(|span| span.count);
        agree("awards by lateness", lateness, of_kind(Kind::Award))?;
        let claims = issuers.clone().map(|sums| sums.claims);
        agree("claims by issuer", claims, of_kind(Kind::Claim))?;
        let planted = issuers.map(|sums| sums.planted);
        agree("trees planted by issuer", planted, totals.planted_recorded)?;
        let activities = observations.activities.values();
        let awarded = activities.map(|sums| sums.points);
        agree("points by activity", awarded, totals.awarded)?;
        let months = observations.months.values();
        let awarded = months.clone().map(|sums| sums.awarded);
        agree("points awarded by month", awarded, totals.awarded)?;
        let reversed = months.map(|sums| sums.reversed);
        agree("points reversed by month", reversed, totals.reversed)?;
        Ok(Self {
            state,
            observations,
            as_of,
        })
    }

    /// The day on which an entry was admitted.
    ///
    /// # Errors
    /// [`Inconsistent`] when no such entry was observed.
    pub(super) fn admitted_on(&self, index: Index) -> Result<Day, Inconsistent> {
        self.observations
            .admitted_on(index)
            .ok_or_else(|| Inconsistent::new(format!("entry {index} was not observed")))
    }

    /// Whole days from `day` to the day of these facts; 0 when `day` is still to come, as after an
    /// audit as of an earlier day.
    pub(super) fn days_since(&self, day: Day) -> u32 {
        self.as_of.0.saturating_sub(day.0)
    }
}

impl Inconsistent {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// Checks that observed numbers add up to the ledger's own sum.
fn agree(
    what: &str,
    observed: impl Iterator<Item = impl Into<u128>>,
    ledger: impl Into<u128>,
) -> Result<(), Inconsistent> {
    let ledger = ledger.into();
    let mut observed = observed.map(Into::into);
    match observed.try_fold(0, u128::checked_add) {
        Some(sum) if sum == ledger => Ok(()),
        Some(sum) => Err(Inconsistent(format!(
            "{what} add up to {sum}, the ledger's state has {ledger}"
        ))),
        None => Err(Inconsistent(format!("{what} add up to no number"))),
    }
}
