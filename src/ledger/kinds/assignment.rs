//! Assignments (rule 6): claims are tied to planted trees.

use std::collections::BTreeSet;

use super::{Rules, Voidable};
use crate::ledger::broken::{Contradiction, present};
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{Places, PlotCorrectionPlaces, PlotPlaces};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::balances::check_holder;
use crate::ledger::rules::plots::known_plot;
use crate::ledger::rules::speakers::{Endorsers, Speakers, require_role};
use crate::ledger::state::{ClaimState, ClaimTree, PlantingState, State, TreeState};
use crate::record::{Assignment, Index, Plot, PlotNumber, Role, Serial, Slug};

impl Rules for Assignment {
    fn speakers(&self) -> Speakers {
        Speakers::Role(Role::Platform)
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::None
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        let holder = require_role(state, candidate, Role::Platform)?;
        let plot = known_plot(state, self.plot)?;
        check_named(&plot.plot, holder)?;
        let mut seen = BTreeSet::new();
        let mut species = None;
        let mut promised: Option<Promised<'_>> = None;
        for (claim, serial) in pairs(self) {
            let waiting = check_waiting(state, claim)?;
            check_holder(state, candidate, &waiting.account)?;
            let kind = waiting.species;
            ensure(seen.insert(claim), || {
                Refusal::new(
                    Code::ClaimTaken,
                    format!("claim {claim} stands twice"),
                    "a claim gets one tree",
                )
            })?;
            let tree = serial.ok_or_else(|| unknown_tree(self.plot, "past the last serial"))?;
            let (first, planting) = check_free_tree(state, self.plot, tree)?;
            let grown = planting.species;
            let one = *species.get_or_insert(kind);
            ensure(kind == one && grown == one, || {
                Refusal::new(
                    Code::SpeciesMismatch,
                    format!("claim {claim} is of species {kind}, tree {tree} of {grown}"),
                    format!("all of this assignment must be of one species, {one}"),
                )
            })?;
            // Serials ascend, so a planting's trees stand together.
            promised = Some(match promised.filter(|promised| promised.first == first) {
                Some(promised) => promised.with_one_more(self.plot)?,
                None => Promised {
                    first,
                    planting,
                    more: 0,
                }
                .with_one_more(self.plot)?,
            });
        }
        let plot = Some(plot.last_entry);
        Ok(PlotPlaces { plot }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        _: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        for (claim, serial) in pairs(self) {
            let serial = present(serial, "a serial of the assignment")?;
            let assigned_at = index;
            state.tie(self.plot, serial, TreeState { claim, assigned_at })?;
        }
        state.change_plot(index, self.plot, |_| Ok(()))
    }

    fn voidable(&self) -> Option<&dyn Voidable> {
        Some(self)
    }
}

impl Voidable for Assignment {
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
        for (_, serial) in pairs(self) {
            let serial = present(serial, "a serial of the assignment")?;
            // A tree that was lost since has no claim, or one by another assignment.
            let tied = state.trees.get(&(self.plot, serial));
            if tied.is_some_and(|tree| tree.assigned_at == target) {
                state.untie(self.plot, serial)?;
            }
        }
        state.change_plot(index, self.plot, |_| Ok(()))
    }
}

/// A planting whose trees an assignment promises, and how many of them so far.
#[derive(Clone, Copy)]
struct Promised<'a> {
    first: Serial,
    planting: &'a PlantingState,
    more: u64,
}

impl Promised<'_> {
    /// Promises one more tree, if as many stand as are promised then.
    fn with_one_more(self, plot: PlotNumber) -> Result<Self, Refusal> {
        let more = self.more + 1;
        let assigned = u64::from(self.planting.assigned) + more;
        let standing = self.planting.standing();
        ensure(assigned <= standing, || {
            Refusal::new(
                Code::TreesShort,
                format!(
                    "{assigned} trees of the planting from serial {} on plot {plot} would be assigned",
                    self.first
                ),
                format!("{standing} of them stand in the books"),
            )
        })?;
        Ok(Self { more, ..self })
    }
}

/// A claim that waits for a tree.
fn check_waiting(state: &State, claim: Index) -> Result<&ClaimState, Refusal> {
    let advice = "name the entries of claims that wait for a tree";
    match state.claims.get(&claim) {
        Some(
            waiting @ ClaimState {
                tree: ClaimTree::Waiting,
                ..
            },
        ) => Ok(waiting),
        Some(ClaimState {
            tree: ClaimTree::Tied { plot, serial },
            ..
        }) => Err(Refusal::new(
            Code::ClaimTaken,
            format!("claim {claim} has the tree {plot}/{serial}"),
            advice,
        )),
        Some(ClaimState {
            tree: ClaimTree::Voided,
            ..
        }) => Err(Refusal::new(
            Code::ClaimUnknown,
            format!("claim {claim} was voided"),
            advice,
        )),
        None => Err(Refusal::new(
            Code::ClaimUnknown,
            format!("entry {claim} is no claim"),
            advice,
        )),
    }
}

/// The planting, and its first serial, of a tree that stands and has no claim.
fn check_free_tree(
    state: &State,
    plot: PlotNumber,
    serial: Serial,
) -> Result<(Serial, &PlantingState), Refusal> {
    let (first, planting) = state
        .planting_of(plot, serial)
        .filter(|(_, planting)| !planting.voided)
        .ok_or_else(|| unknown_tree(plot, &format!("of serial {serial}")))?;
    if let Some(tree) = state.trees.get(&(plot, serial)) {
        return Err(Refusal::new(
            Code::TreeTaken,
            format!("tree {plot}/{serial} has claim {}", tree.claim),
            "assign trees that have none",
        ));
    }
    if let Some(lost) = planting
        .lost_ranges
        .iter()
        .find(|range| range.holds(serial))
    {
        return Err(Refusal::new(
            Code::TreeLost,
            format!("tree {plot}/{serial} is lost since entry {}", lost.lost_at),
            "assign trees that stand",
        ));
    }
    Ok((first, planting))
}

/// Each claim of an assignment with its tree.
fn pairs(assignment: &Assignment) -> impl Iterator<Item = (Index, Option<Serial>)> + '_ {
    (0_u32..)
        .zip(assignment.claims.iter())
        .map(|(offset, claim)| {
            (
                *claim,
                assignment.first_serial.0.checked_add(offset).map(Serial),
            )
        })
}

fn unknown_tree(plot: PlotNumber, which: &str) -> Refusal {
    Refusal::new(
        Code::TreeUnknown,
        format!("no tree {which} was planted on plot {plot}"),
        "name serials of an unvoided planting there",
    )
}

/// Checks that a plot's planter lets this holder's platforms promise its trees.
fn check_named(plot: &Plot, holder: &Slug) -> Result<(), Refusal> {
    ensure(plot.platforms.include(holder), || {
        let named: Vec<&str> = plot.platforms.iter().map(Slug::as_str).collect();
        Refusal::new(
            Code::PlatformNotNamed,
            format!(
                "the trees of plot {} are not for platforms of {holder}",
                plot.number
            ),
            format!("its planter named {}", named.join(", ")),
        )
    })
}
