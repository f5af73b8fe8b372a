//! Surveys (rule 7): trees looked at, and how many lived.

use super::{Rules, Voidable};
use crate::ledger::broken::{Contradiction, absent, present};
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{Places, PlotCorrectionPlaces, PlotPlaces};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::chain::check_day;
use crate::ledger::rules::plots::{check_evidence, known_plot};
use crate::ledger::rules::speakers::{Endorsers, Speakers, require_role};
use crate::ledger::state::{State, SurveyState};
use crate::record::{Index, Role, Survey};

impl Rules for Survey {
    fn speakers(&self) -> Speakers {
        Speakers::Role(Role::Surveyor)
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::None
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        require_role(state, candidate, Role::Surveyor)?;
        let plot = known_plot(state, self.plot)?;
        check_day(candidate, "surveyed_on", self.surveyed_on)?;
        if let Some(index) = self.planting {
            let here = state
                .planting_places
                .get(&index)
                .filter(|place| place.0 == self.plot);
            ensure(here.is_some(), || {
                Refusal::new(
                    Code::PlantingUnknown,
                    format!("entry {index} is no planting on plot {}", self.plot),
                    "name the entry of a planting there, or none for the whole plot",
                )
            })?;
        }
        ensure(self.as_of.0 < state.globals.entries, || {
            Refusal::new(
                Code::AsOfUnknown,
                format!("there is no entry {} yet", self.as_of),
                "name the newest entry of the books by which the trees were looked for",
            )
        })?;
        check_evidence(state, &self.evidence)?;
        let plot = Some(plot.last_entry);
        Ok(PlotPlaces { plot }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        candidate: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        let surveyor = state.holder_of(candidate.issuer).cloned();
        let surveyor = present(surveyor, "the holder of a surveyor's key")?;
        let survey = SurveyState {
            stated_at: index,
            survey: self.clone(),
            surveyor,
        };
        let key = (self.plot, self.surveyed_on, index);
        absent(state.surveys.insert(key, survey), "a new survey")?;
        absent(state.evidence.insert(self.evidence, index), "new evidence")?;
        state.change_plot(index, self.plot, |_| Ok(()))
    }

    fn voidable(&self) -> Option<&dyn Voidable> {
        Some(self)
    }
}

impl Voidable for Survey {
    fn judge_void(&self, state: &State, target: Index) -> Result<Places, Refusal> {
        let plot = Some(known_plot(state, self.plot)?.last_entry);
        let target = Some(target);
        Ok(PlotCorrectionPlaces { target, plot }.into())
    }

    fn apply_void(
        &self,
        state: &mut State,
        target: Index,
        index: Index,
    ) -> Result<(), Contradiction> {
        let key = (self.plot, self.surveyed_on, target);
        present(state.surveys.remove(&key), "the survey")?;
        state.change_plot(index, self.plot, |_| Ok(()))
    }
}
