//! Methods (rule 3): how points are calculated, and what trees cost.

use super::Rules;
use crate::ledger::admission::Candidate;
use crate::ledger::lineage::{MethodPlaces, Places};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::speakers::{Speakers, require_governors};
use crate::ledger::state::{MethodState, State};
use crate::record::{Activity, Index, Method, Species};

impl Rules for Method {
    fn speakers(&self) -> Speakers {
        Speakers::Governors
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        let last = state.versions(self.id).next_back();
        let next = last.map_or(1, |state| state.method.version.0.saturating_add(1));
        ensure(self.version.0 == next, || {
            Refusal::new(
                Code::MethodVersion,
                format!("method {} version {}", self.id, self.version),
                format!("its next version is {next}"),
            )
        })?;
        ensure(
            last.is_none() || self.effective_from >= candidate.admitted_on(),
            || {
                Refusal::new(
                    Code::MethodBackdated,
                    format!("it would take effect on {}", self.effective_from),
                    format!(
                        "only a first version is retroactive; the earliest day is {}",
                        candidate.admitted_on()
                    ),
                )
            },
        )?;
        check_codes(self.activities.iter().map(|it: &Activity| it.code))?;
        check_codes(self.species.iter().map(|it: &Species| it.code))?;
        for species in self.species.iter() {
            let known = state.species.get(&species.code);
            ensure(known.is_none_or(|name| *name == species.name), || {
                Refusal::new(
                    Code::SpeciesChanged,
                    format!("species {} is named {:?} here", species.code, species.name),
                    format!(
                        "its name is {:?}; another species needs another code",
                        known
                    ),
                )
            })?;
        }
        require_governors(state, candidate, &[])?;
        let version_before = last.map(|state| state.stated_at);
        Ok(MethodPlaces { version_before }.into())
    }

    fn apply(&self, state: &mut State, _: &Candidate<'_>, index: Index) {
        for species in self.species.iter() {
            if !state.species.contains(&species.code) {
                state.species.insert(species.code, species.name.clone());
            }
        }
        let stated = MethodState {
            method: self.clone(),
            stated_at: index,
        };
        state.methods.insert((self.id, self.version), stated);
    }
}

fn check_codes<T: Ord + std::fmt::Display>(codes: impl Iterator<Item = T>) -> Result<(), Refusal> {
    let mut codes: Vec<T> = codes.collect();
    codes.sort_unstable();
    match codes.array_windows().find(|[a, b]| a == b) {
        None => Ok(()),
        Some([code, _]) => Err(Refusal::new(
            Code::CodeRepeated,
            format!("the code {code} stands twice"),
            "give each activity and each species of a method its own code",
        )),
    }
}
