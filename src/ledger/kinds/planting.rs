//! Plantings (rule 4): trees planted on a plot, each with a serial.

use super::{Rules, Voidable};
use crate::ledger::broken::{Contradiction, Sum, absent, present};
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{Places, PlotCorrectionPlaces, PlotPlaces};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::chain::check_day;
use crate::ledger::rules::plots::{check_capacity, check_evidence, known_plot};
use crate::ledger::rules::speakers::{Endorsers, Speakers, require_role};
use crate::ledger::state::{PlantingState, PlotState, State};
use crate::record::{Day, Index, Month, Planting, Role, Serial};

impl Rules for Planting {
    fn speakers(&self) -> Speakers {
        Speakers::Role(Role::Planter)
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::None
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        let holder = require_role(state, candidate, Role::Planter)?;
        let plot = known_plot(state, self.plot)?;
        ensure(*holder == plot.holder, || {
            Refusal::new(
                Code::HolderRefused,
                format!(
                    "plot {} is held by {}, not by {holder}",
                    self.plot, plot.holder
                ),
                "a key of the plot's holder signs its plantings",
            )
        })?;
        check_span(candidate, self.planted_from, self.planted_until)?;
        ensure(state.species.contains(&self.species), || {
            Refusal::new(
                Code::SpeciesUnknown,
                format!("no method names a species {}", self.species),
                "the governors state a method with it first",
            )
        })?;
        check_serials(plot, self)?;
        let standing = u128::from(plot.standing()) + u128::from(self.count.get());
        check_capacity(&plot.plot, standing)?;
        check_evidence(state, &self.evidence)?;
        let plot = Some(plot.last_entry);
        Ok(PlotPlaces { plot }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        _: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        let last = present(last_serial(self), "the last serial of a planting")?;
        let count = u64::from(self.count.get());
        state
            .months
            .upsert(Month::of(self.planted_until), |month| {
                month.planted.raise(count, "trees planted in the month")
            })?;
        let place = (self.plot, self.first_serial);
        let planting = PlantingState::new(index, self, last);
        absent(state.plantings.insert(place, planting), "a new planting")?;
        absent(
            state.planting_places.insert(index, place),
            "a new planting's place",
        )?;
        absent(state.evidence.insert(self.evidence, index), "new evidence")?;
        state.change_plot(index, self.plot, |plot| {
            plot.next_serial = last.0.checked_add(1).map(Serial);
            plot.trees.plant(count)
        })?;
        let totals = &mut state.globals.totals;
        totals.planted_recorded.raise(count, "trees planted")?;
        totals.standing.raise(count, "trees that stand")
    }

    fn voidable(&self) -> Option<&dyn Voidable> {
        Some(self)
    }
}

impl Voidable for Planting {
    fn judge_void(&self, state: &State, target: Index) -> Result<Places, Refusal> {
        let place = (self.plot, self.first_serial);
        let assigned = state.plantings.get(&place).map(|known| known.assigned);
        let assigned = assigned.ok_or_else(|| {
            Refusal::new(
                Code::PlantingUnknown,
                format!(
                    "no planting has the serial {} of plot {}",
                    self.first_serial, self.plot
                ),
                "name the entry of a planting",
            )
        })?;
        ensure(assigned == 0, || {
            Refusal::new(
                Code::VoidBlocked,
                format!("{assigned} trees of the planting are assigned"),
                "void their assignments first",
            )
        })?;
        let plot = Some(known_plot(state, self.plot)?.last_entry);
        let target = Some(target);
        Ok(PlotCorrectionPlaces { target, plot }.into())
    }

    /// Its trees were never planted, so those lost of it were never lost either.
    fn apply_void(&self, state: &mut State, _: Index, index: Index) -> Result<(), Contradiction> {
        let place = (self.plot, self.first_serial);
        let lost = state.plantings.update(&place, PlantingState::void);
        let lost = u64::from(present(lost, "the planting")?);
        let losses = state.losses.iter();
        let of_planting: Vec<Index> = losses
            .filter(|(_, loss)| (loss.plot, loss.planting) == place)
            .map(|(index, _)| *index)
            .collect();
        for loss in of_planting {
            present(state.losses.remove(&loss), "a loss of the planting")?;
        }
        let count = u64::from(self.count.get());
        state.change_plot(index, self.plot, |plot| plot.trees.unplant(count, lost))?;
        let totals = &mut state.globals.totals;
        totals
            .planted_voided
            .raise(count, "trees of voided plantings")?;
        totals.lost.lower(lost, "trees lost")?;
        totals.standing.raise(lost, "trees that stand")?;
        totals.standing.lower(count, "trees that stand")
    }
}

/// Checks that the days of a planting are in order, and not after the day of issue.
fn check_span(candidate: &Candidate<'_>, from: Day, until: Day) -> Result<(), Refusal> {
    check_day(candidate, "planted_until", until)?;
    ensure(from <= until, || {
        Refusal::new(
            Code::DayRefused,
            format!("planted_from is {from}, after planted_until {until}"),
            "give the first and the last day of the span that is known, or one day twice",
        )
    })
}

/// Checks that a planting takes the plot's next serials: so every serial up to the last one ever used
/// is of one planting, voided or not.
fn check_serials(plot: &PlotState, planting: &Planting) -> Result<(), Refusal> {
    let refusal = |advice: String| {
        let (first, count) = (planting.first_serial, planting.count);
        let detail = format!("{count} trees with serials from {first} on");
        Refusal::new(Code::SerialNotNext, detail, advice)
    };
    let next = plot
        .next_serial
        .ok_or_else(|| refusal(format!("plot {} has no serials left", planting.plot)))?;
    ensure(planting.first_serial == next, || {
        refusal(format!(
            "first_serial must be {next}, the next one of plot {}",
            planting.plot
        ))
    })?;
    ensure(last_serial(planting).is_some(), || {
        refusal("serials end at 4294967295".to_owned())
    })
}

/// The last serial of a planting, if they do not run out.
fn last_serial(planting: &Planting) -> Option<Serial> {
    planting
        .first_serial
        .0
        .checked_add(planting.count.get() - 1)
        .map(Serial)
}
