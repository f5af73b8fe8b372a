//! Methods (rule 3): how points are calculated, and what trees cost.

use super::Rules;
use crate::ledger::broken::{Contradiction, absent};
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{MethodPlaces, Places};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::speakers::{Endorsers, Speakers, require_governors};
use crate::ledger::state::{MethodState, State};
use crate::record::{Activity, Index, Method, Species};

impl Rules for Method {
    fn speakers(&self) -> Speakers {
        Speakers::Governors
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::Governors
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        let last = state.versions(self.id).next_back();
        let next = match last {
            Some(last) => last.method.version.0.checked_add(1),
            None => Some(1),
        };
        ensure(Some(self.version.0) == next, || {
            Refusal::new(
                Code::MethodVersion,
                format!("method {} version {}", self.id, self.version),
                match next {
                    Some(next) => format!("its next version is {next}"),
                    None => "its versions ran out; state a method of another id".to_owned(),
                },
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
        check_codes(
            self.activities
                .iter()
                .map(|activity: &Activity| activity.code),
        )?;
        check_codes(self.species.iter().map(|species: &Species| species.code))?;
        for species in self.species.iter() {
            if let Some(known) = state.species.get(&species.code) {
                ensure(*known == species.name, || {
                    Refusal::new(
                        Code::SpeciesChanged,
                        format!("species {} is named {:?} here", species.code, species.name),
                        format!("its name is {known:?}; another species needs another code"),
                    )
                })?;
            }
        }
        require_governors(state, candidate, &[])?;
        let version_before = last.map(|state| state.stated_at);
        Ok(MethodPlaces { version_before }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        _: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        for species in self.species.iter() {
            if !state.species.contains(&species.code) {
                let before = state.species.insert(species.code, species.name.clone());
                absent(before, "a species' first name")?;
            }
        }
        let stated = MethodState {
            method: self.clone(),
            stated_at: index,
        };
        let before = state.methods.insert((self.id, self.version), stated);
        absent(before, "a method's next version")
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
