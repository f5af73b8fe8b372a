//! Plots (rule 4): a piece of land, and who holds it.

use super::Rules;
use crate::ledger::admission::Proposal;
use crate::ledger::refusal::Refusal;
use crate::ledger::rules::plots::check_capacity;
use crate::ledger::rules::speakers::{check_quorum, said_by, said_by_endorsed};
use crate::ledger::state::{PlotState, State};
use crate::record::{Index, Plot, Role, Serial};

impl Rules for Plot {
    fn judge(&self, state: &State, proposal: &Proposal<'_>) -> Result<Vec<Option<Index>>, Refusal> {
        let Some(known) = state.plots.get(&self.number) else {
            said_by(state, proposal, Role::Planter)?;
            return Ok(vec![None]);
        };
        said_by_endorsed(state, proposal, Role::Planter)?;
        check_quorum(state, proposal, 0, &[])?;
        check_capacity(self, known.standing())?;
        Ok(vec![Some(known.last)])
    }

    fn apply(&self, state: &mut State, proposal: &Proposal<'_>, index: Index) {
        let Some(holder) = state.holder_of(&proposal.record().issuer).cloned() else {
            return;
        };
        let stated = match state.plots.get(&self.number) {
            Some(known) => PlotState {
                plot: self.clone(),
                holder,
                stated_at: index,
                last: index,
                ..known.clone()
            },
            None => PlotState {
                plot: self.clone(),
                holder,
                stated_at: index,
                last: index,
                planted: 0,
                lost: 0,
                assigned: 0,
                next_serial: Some(Serial(0)),
            },
        };
        state.plots.insert(self.number, stated);
    }
}
