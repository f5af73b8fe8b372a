//! Plots (rule 4): a piece of land, and who holds it.

use super::Rules;
use crate::ledger::broken::{Contradiction, present};
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{Places, PlotPlaces};
use crate::ledger::refusal::Refusal;
use crate::ledger::rules::plots::check_capacity;
use crate::ledger::rules::speakers::{
    Endorsers, Speakers, check_no_set, check_quorum, check_set, require_role, require_role_endorsed,
};
use crate::ledger::state::{PlotState, State, TreeCounts};
use crate::record::{Index, Plot, Role, Serial};

impl Rules for Plot {
    fn speakers(&self) -> Speakers {
        Speakers::Role(Role::Planter)
    }

    /// A plot that is stated again has the governors' endorsements; a new one has none.
    fn endorsers(&self) -> Endorsers {
        Endorsers::Governors
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        let Some(known) = state.plots.get(&self.number) else {
            require_role(state, candidate, Role::Planter)?;
            check_no_set(candidate)?;
            return Ok(PlotPlaces { plot: None }.into());
        };
        require_role_endorsed(state, candidate, Role::Planter)?;
        check_set(state, candidate)?;
        check_quorum(state, candidate, 0, &[])?;
        check_capacity(self, known.standing().into())?;
        let plot = Some(known.last_entry);
        Ok(PlotPlaces { plot }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        candidate: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        let holder = state.holder_of(candidate.issuer).cloned();
        let holder = present(holder, "the holder of a planter's key")?;
        let stated = match state.plots.get(&self.number) {
            Some(known) => PlotState {
                plot: self.clone(),
                holder,
                stated_at: index,
                last_entry: index,
                ..known.clone()
            },
            None => PlotState {
                plot: self.clone(),
                holder,
                stated_at: index,
                last_entry: index,
                trees: TreeCounts::default(),
                assigned: 0,
                next_serial: Some(Serial(1)),
            },
        };
        // A plot that is stated again replaces the one before.
        let _ = state.plots.insert(self.number, stated);
        Ok(())
    }
}
