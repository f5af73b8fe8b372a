//! Rules 4, 6 and 7: plots, plantings, surveys, and which tree is whose.

use bincode::{Decode, Encode};

use super::refusal::{Code, Refusal, ensure};
use super::state::{Proposal, State};
use crate::record::{
    AccountId, Assignment, Day, Digest, Grams, Index, Month, Planting, Plot, PlotNumber, Role,
    Serial, Slug, SpeciesCode, Survey,
};

/// Square metres of a hectare.
const HECTARE_M2: u128 = 10_000;

/// A plot in the books.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct PlotState {
    /// The statement in force.
    pub plot: Plot,
    /// Who holds it.
    pub holder: Slug,
    /// The entry of that statement.
    pub stated_at: Index,
    /// The last entry about it.
    pub last: Index,
    /// Trees of its unvoided plantings.
    pub planted: u64,
    /// Of these, lost.
    pub lost: u64,
    /// Of its trees, those with a claim.
    pub assigned: u64,
    /// The first serial after all that were ever used; none when they ran out.
    pub next_serial: Option<Serial>,
}

impl PlotState {
    /// Trees that stand in the books.
    pub fn standing(&self) -> u64 {
        self.planted.saturating_sub(self.lost)
    }

    /// The most trees that its area holds at its density.
    pub fn capacity(&self) -> u64 {
        u64::try_from(capacity(&self.plot)).unwrap_or(u64::MAX)
    }

    /// Trees that claims were promised and that stand no more.
    pub fn shortfall(&self) -> u64 {
        self.assigned.saturating_sub(self.standing())
    }
}

/// The most trees that a plot's area holds at its density.
fn capacity(plot: &Plot) -> u128 {
    u128::from(plot.area_m2) * u128::from(plot.trees_per_ha_max) / HECTARE_M2
}

/// Trees of a planting that were lost by serial.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LostRange {
    /// The first one.
    pub first: Serial,
    /// The last one.
    pub last: Serial,
    /// The correction that says so.
    pub lost_at: Index,
}

/// A planting in the books, kept under its plot and first serial.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct PlantingState {
    /// Its entry.
    pub index: Index,
    /// What was planted.
    pub species: SpeciesCode,
    /// Its last serial.
    pub last: Serial,
    /// When.
    pub planted_on: Day,
    /// Whether it was voided; its serials are never used again.
    pub voided: bool,
    /// Trees lost, by serial or by count.
    pub lost: u32,
    /// Those that are known by serial.
    pub lost_ranges: Vec<LostRange>,
    /// Trees with a claim.
    pub assigned: u32,
}

impl PlantingState {
    /// How many trees it is of, when this is its first serial.
    pub fn count(&self, first: Serial) -> u64 {
        u64::from(self.last.0.saturating_sub(first.0)) + 1
    }
}

/// A tree that has a claim; trees without one are not kept apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct TreeState {
    /// The claim.
    pub claim: Index,
    /// The assignment that tied them.
    pub assigned_at: Index,
}

/// A survey that was not voided, kept under plot, day and entry.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SurveyState {
    /// What it says.
    pub survey: Survey,
    /// Who surveyed.
    pub surveyor: Slug,
}

/// Where a claim stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ClaimTree {
    /// It waits for a tree.
    Waiting,
    /// It has one.
    Tied {
        /// On this plot,
        plot: PlotNumber,
        /// in this place.
        serial: Serial,
    },
    /// It was voided.
    Voided,
}

/// A claim in the books.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ClaimState {
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub species: SpeciesCode,
    /// At which price.
    pub points: Grams,
    /// Where it stands.
    pub tree: ClaimTree,
}

/// A loss in the books: what a void of it must bring back.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LossState {
    /// The plot,
    pub plot: PlotNumber,
    /// and the first serial of the planting.
    pub planting: Serial,
    /// How many trees.
    pub count: u32,
    /// Whether it names them.
    pub by_serial: bool,
    /// Trees, and what was tied to them when they were lost.
    pub displaced: Vec<(Serial, TreeState)>,
}

impl State {
    /// A plot.
    pub fn plot(&self, number: PlotNumber) -> Option<&PlotState> {
        self.plots.get(&number)
    }

    /// All plots, in order.
    pub fn plots(&self) -> impl Iterator<Item = &(PlotNumber, PlotState)> {
        self.plots.iter()
    }

    /// The plantings of a plot, by first serial.
    pub fn plantings(
        &self,
        plot: PlotNumber,
    ) -> impl DoubleEndedIterator<Item = (Serial, &PlantingState)> {
        self.plantings
            .range((plot, Serial(0))..=(plot, Serial(u32::MAX)))
            .map(|((_, first), planting)| (*first, planting))
    }

    /// The day of the first unvoided planting of a plot.
    pub fn first_planted_on(&self, plot: PlotNumber) -> Option<Day> {
        self.plantings(plot)
            .filter(|(_, planting)| !planting.voided)
            .map(|(_, planting)| planting.planted_on)
            .min()
    }

    /// All plantings, by plot and first serial, voided ones too.
    pub fn plantings_all(&self) -> impl Iterator<Item = (PlotNumber, Serial, &PlantingState)> {
        self.plantings
            .iter()
            .map(|((plot, first), planting)| (*plot, *first, planting))
    }

    /// The planting that an entry holds: its plot and first serial.
    pub fn planting_place(&self, index: Index) -> Option<(PlotNumber, Serial)> {
        self.planting_places.get(&index).copied()
    }

    /// The planting that a serial belongs to, and its first serial.
    pub fn planting_of(
        &self,
        plot: PlotNumber,
        serial: Serial,
    ) -> Option<(Serial, &PlantingState)> {
        self.plantings
            .range((plot, Serial(0))..=(plot, serial))
            .next_back()
            .map(|((_, first), planting)| (*first, planting))
            .filter(|(_, planting)| serial <= planting.last)
    }

    /// The claim of a tree.
    pub fn tree(&self, plot: PlotNumber, serial: Serial) -> Option<&TreeState> {
        self.trees.get(&(plot, serial))
    }

    /// A claim.
    pub fn claim(&self, index: Index) -> Option<&ClaimState> {
        self.claims.get(&index)
    }

    /// All claims, in order of their entries.
    pub fn claims(&self) -> impl Iterator<Item = &(Index, ClaimState)> {
        self.claims.iter()
    }

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

    fn judge_known_plot(&self, number: PlotNumber) -> Result<&PlotState, Refusal> {
        self.plots.get(&number).ok_or_else(|| {
            Refusal::new(
                Code::PlotUnknown,
                format!("there is no plot {number}"),
                "its planter states the plot first",
            )
        })
    }

    fn judge_evidence(&self, evidence: &Digest) -> Result<(), Refusal> {
        match self.evidence.get(evidence) {
            None => Ok(()),
            Some(index) => Err(Refusal::new(
                Code::EvidenceReused,
                format!("the evidence {evidence} served entry {index} already"),
                "each planting and each survey has evidence of its own",
            )),
        }
    }

    /// Checks that so many trees fit on a plot.
    pub(super) fn judge_capacity(&self, plot: &Plot, standing: u64) -> Result<(), Refusal> {
        let holds = capacity(plot);
        ensure(u128::from(standing) <= holds, || {
            Refusal::new(
                Code::PlotFull,
                format!("{standing} trees would stand on plot {}", plot.number),
                format!(
                    "its area holds {holds} at {} a hectare",
                    plot.trees_per_ha_max
                ),
            )
        })
    }

    pub(super) fn judge_plot(
        &self,
        proposal: &Proposal<'_>,
        plot: &Plot,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        let Some(known) = self.plots.get(&plot.number) else {
            self.judge_role(proposal, Role::Planter)?;
            return Ok(vec![None]);
        };
        self.judge_role_endorsed(proposal, Role::Planter)?;
        self.judge_endorsements(proposal, 0, &[])?;
        self.judge_capacity(plot, known.standing())?;
        Ok(vec![Some(known.last)])
    }

    pub(super) fn apply_plot(&mut self, proposal: &Proposal<'_>, index: Index, plot: &Plot) {
        let holder = match self
            .keys
            .get(&proposal.record().issuer)
            .map(|key| &key.role)
        {
            Some(super::authority::KeyRole::Issuer { holder, .. }) => holder.clone(),
            _ => return,
        };
        let state = match self.plots.get(&plot.number) {
            Some(known) => PlotState {
                plot: plot.clone(),
                holder,
                stated_at: index,
                last: index,
                ..known.clone()
            },
            None => PlotState {
                plot: plot.clone(),
                holder,
                stated_at: index,
                last: index,
                planted: 0,
                lost: 0,
                assigned: 0,
                next_serial: Some(Serial(0)),
            },
        };
        self.plots.insert(plot.number, state);
    }

    pub(super) fn judge_planting(
        &self,
        proposal: &Proposal<'_>,
        planting: &Planting,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        let holder = self.judge_role(proposal, Role::Planter)?;
        let plot = self.judge_known_plot(planting.plot)?;
        ensure(*holder == plot.holder, || {
            Refusal::new(
                Code::HolderRefused,
                format!(
                    "plot {} is held by {}, not by {holder}",
                    planting.plot, plot.holder
                ),
                "a key of the plot's holder signs its plantings",
            )
        })?;
        self.judge_day(proposal, "planted_on", planting.planted_on)?;
        ensure(self.species.contains(&planting.species), || {
            Refusal::new(
                Code::SpeciesUnknown,
                format!("no method names a species {}", planting.species),
                "the governors state a method with it first",
            )
        })?;
        let last = last_serial(planting).ok_or_else(|| {
            Refusal::new(
                Code::SerialsOverlap,
                format!(
                    "{} serials from {} on",
                    planting.count, planting.first_serial
                ),
                "serials end at 4294967295",
            )
        })?;
        // Plantings don't overlap each other: if any overlaps this one, the last that begins
        // before its end does.
        let overlap = self
            .plantings
            .range((planting.plot, Serial(0))..=(planting.plot, last))
            .next_back()
            .map(|((_, first), other)| (*first, other))
            .filter(|(_, other)| other.last >= planting.first_serial);
        if let Some((first, other)) = overlap {
            let next = plot.next_serial.map_or("none is left".to_owned(), |next| {
                format!("the first free one after all is {next}")
            });
            return Err(Refusal::new(
                Code::SerialsOverlap,
                format!(
                    "serials {first} to {} are entry {}'s",
                    other.last, other.index
                ),
                next,
            ));
        }
        let standing = plot.standing().saturating_add(planting.count.get().into());
        self.judge_capacity(&plot.plot, standing)?;
        self.judge_evidence(&planting.evidence)?;
        Ok(vec![Some(plot.last)])
    }

    pub(super) fn apply_planting(&mut self, index: Index, planting: &Planting) {
        let Some(last) = last_serial(planting) else {
            return;
        };
        let count = u64::from(planting.count.get());
        let month = self.head.months.entry(Month::of(planting.planted_on));
        month.or_default().planted += count;
        let state = PlantingState {
            index,
            species: planting.species,
            last,
            planted_on: planting.planted_on,
            voided: false,
            lost: 0,
            lost_ranges: Vec::new(),
            assigned: 0,
        };
        let place = (planting.plot, planting.first_serial);
        self.plantings.insert(place, state);
        self.planting_places.insert(index, place);
        self.evidence.insert(planting.evidence, index);
        self.plots.update(&planting.plot, |plot| {
            plot.last = index;
            plot.planted += count;
            let after = last.0.checked_add(1).map(Serial);
            plot.next_serial = match (plot.next_serial, after) {
                (Some(next), Some(after)) => Some(next.max(after)),
                _ => None,
            };
        });
        self.head.totals.planted_recorded += count;
        self.head.totals.standing += count;
    }

    pub(super) fn judge_survey(
        &self,
        proposal: &Proposal<'_>,
        survey: &Survey,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        self.judge_role(proposal, Role::Surveyor)?;
        let plot = self.judge_known_plot(survey.plot)?;
        self.judge_day(proposal, "surveyed_on", survey.surveyed_on)?;
        if let Some(index) = survey.planting {
            let here = self
                .planting_places
                .get(&index)
                .filter(|place| place.0 == survey.plot);
            ensure(here.is_some(), || {
                Refusal::new(
                    Code::PlantingUnknown,
                    format!("entry {index} is no planting on plot {}", survey.plot),
                    "name the entry of a planting there, or none for the whole plot",
                )
            })?;
        }
        let found = u64::from(survey.alive) + u64::from(survey.dead);
        ensure(found <= survey.sampled.into(), || {
            Refusal::new(
                Code::SurveyCounts,
                format!(
                    "{found} found alive or dead of {} looked for",
                    survey.sampled
                ),
                "alive and dead are part of what was sampled",
            )
        })?;
        self.judge_evidence(&survey.evidence)?;
        Ok(vec![Some(plot.last)])
    }

    pub(super) fn apply_survey(&mut self, proposal: &Proposal<'_>, index: Index, survey: &Survey) {
        let surveyor = match self
            .keys
            .get(&proposal.record().issuer)
            .map(|key| &key.role)
        {
            Some(super::authority::KeyRole::Issuer { holder, .. }) => holder.clone(),
            _ => return,
        };
        let state = SurveyState {
            survey: survey.clone(),
            surveyor,
        };
        self.surveys
            .insert((survey.plot, survey.surveyed_on, index), state);
        self.evidence.insert(survey.evidence, index);
        self.plots.update(&survey.plot, |plot| plot.last = index);
    }

    pub(super) fn judge_assignment(
        &self,
        proposal: &Proposal<'_>,
        assignment: &Assignment,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        self.judge_role(proposal, Role::Platform)?;
        let plot = self.judge_known_plot(assignment.plot)?;
        let mut seen = std::collections::BTreeSet::new();
        let mut species = None;
        for (claim, serial) in pairs(assignment) {
            let kind = self.judge_waiting(claim)?;
            ensure(seen.insert(claim), || {
                Refusal::new(
                    Code::ClaimTaken,
                    format!("claim {claim} stands twice"),
                    "a claim gets one tree",
                )
            })?;
            let tree =
                serial.ok_or_else(|| unknown_tree(assignment.plot, "past the last serial"))?;
            let grown = self.judge_free_tree(assignment.plot, tree)?;
            let one = *species.get_or_insert(kind);
            ensure(kind == one && grown == one, || {
                Refusal::new(
                    Code::SpeciesMismatch,
                    format!("claim {claim} is of species {kind}, tree {tree} of {grown}"),
                    format!("all of this assignment must be of one species, {one}"),
                )
            })?;
        }
        let assigned = plot.assigned.saturating_add(assignment.claims.len() as u64);
        ensure(assigned <= plot.standing(), || {
            Refusal::new(
                Code::TreesShort,
                format!(
                    "{assigned} trees would be assigned on plot {}",
                    assignment.plot
                ),
                format!("{} stand in its books", plot.standing()),
            )
        })?;
        Ok(vec![Some(plot.last)])
    }

    fn judge_waiting(&self, claim: Index) -> Result<SpeciesCode, Refusal> {
        let advice = "name the entries of claims that wait for a tree";
        match self.claims.get(&claim) {
            Some(ClaimState {
                tree: ClaimTree::Waiting,
                species,
                ..
            }) => Ok(*species),
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

    fn judge_free_tree(&self, plot: PlotNumber, serial: Serial) -> Result<SpeciesCode, Refusal> {
        let (_, planting) = self
            .planting_of(plot, serial)
            .filter(|(_, planting)| !planting.voided)
            .ok_or_else(|| unknown_tree(plot, &format!("of serial {serial}")))?;
        if let Some(tree) = self.trees.get(&(plot, serial)) {
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
        Ok(planting.species)
    }

    pub(super) fn apply_assignment(&mut self, index: Index, assignment: &Assignment) {
        for (claim, serial) in pairs(assignment) {
            let Some(serial) = serial else { continue };
            self.tie(
                assignment.plot,
                serial,
                TreeState {
                    claim,
                    assigned_at: index,
                },
            );
        }
        self.plots
            .update(&assignment.plot, |plot| plot.last = index);
    }

    /// Ties a waiting claim to a free tree.
    pub(super) fn tie(&mut self, plot: PlotNumber, serial: Serial, tree: TreeState) {
        self.trees.insert((plot, serial), tree);
        self.claims.update(&tree.claim, |claim| {
            claim.tree = ClaimTree::Tied { plot, serial }
        });
        self.count_tied(plot, serial, 1);
    }

    /// Parts a tree from its claim, which waits again. Gives what was tied.
    pub(super) fn untie(&mut self, plot: PlotNumber, serial: Serial) -> Option<TreeState> {
        let tree = self.trees.remove(&(plot, serial))?;
        self.claims
            .update(&tree.claim, |claim| claim.tree = ClaimTree::Waiting);
        self.count_tied(plot, serial, -1);
        Some(tree)
    }

    fn count_tied(&mut self, plot: PlotNumber, serial: Serial, change: i32) {
        if let Some((first, _)) = self.planting_of(plot, serial) {
            self.plantings.update(&(plot, first), |planting| {
                planting.assigned = planting.assigned.saturating_add_signed(change);
            });
        }
        let change = i64::from(change);
        self.plots.update(&plot, |plot| {
            plot.assigned = plot.assigned.saturating_add_signed(change)
        });
        let totals = &mut self.head.totals;
        totals.assigned = totals.assigned.saturating_add_signed(change);
        totals.waiting = totals.waiting.saturating_add_signed(-change);
    }
}

impl LostRange {
    /// Whether a serial is in it.
    pub fn holds(&self, serial: Serial) -> bool {
        (self.first..=self.last).contains(&serial)
    }
}

/// The last serial of a planting, if they do not run out.
fn last_serial(planting: &Planting) -> Option<Serial> {
    planting
        .first_serial
        .0
        .checked_add(planting.count.get() - 1)
        .map(Serial)
}

/// Each claim of an assignment with its tree.
pub(super) fn pairs(assignment: &Assignment) -> impl Iterator<Item = (Index, Option<Serial>)> + '_ {
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
