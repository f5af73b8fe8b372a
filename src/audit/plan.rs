//! A plan of plots and trees to visit, drawn by a seed that nobody could choose.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::announced::{SamplingDay, Strata};
use super::draw::{Chance, systematic, without_replacement};
use crate::ledger::State;
use crate::note::{Checkpoint, NoteError};
use crate::policy::{Policy, Signer};
use crate::record::{Day, Index, PlotNumber, RecordId, TimeMs};

/// The name and version of a plan's format.
pub const PLAN_FORMAT: &str = "arborlog-plan/1";

const DAY_S: u64 = 86_400;

/// Which plots and trees to visit. Its file is this as JSON; surveys name the file by its SHA-256.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format: String,
    /// The log.
    pub origin: String,
    /// The id of its genesis.
    pub genesis: RecordId,
    /// What was announced: the day, and what is drawn.
    pub announced: SamplingDay,
    /// The policy's entry that announced it.
    pub announced_at: Index,
    /// Other announcements, or the same day's with other numbers, up to the checkpoint: a programme that announces many
    /// days may show the plan that it likes.
    pub others: Vec<OtherAnnouncement>,
    /// The checkpoint whose cosignatures give the seed, as text: plots and trees are those of its entries.
    pub checkpoint: String,
    /// The number of its entries.
    pub entries: u64,
    /// Who cosigned it, of those whose lines make the seed.
    pub cosigned_by: Vec<String>,
    /// When the first of them did that, in seconds since 1970. The sooner after the day, the less there was to choose from.
    pub cosigned_at_s: u64,
    /// SHA-256 of their lines, as 64 hexadecimal digits.
    pub seed: String,
    /// What was drawn from.
    pub strata: Vec<StratumRow>,
    /// Where to go, by the plots' numbers.
    pub visits: Vec<PlannedPlot>,
}

/// A sampling day that is not this plan's.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherAnnouncement {
    /// The policy's entry.
    pub announced_at: Index,
    /// What it announces.
    pub announced: SamplingDay,
}

/// A part of what was drawn from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StratumRow {
    /// The country, planter or year; empty if there is one stratum.
    pub name: String,
    /// Plots with trees.
    pub plots: u64,
    /// Their trees, of which no loss names the serial.
    pub trees: u64,
    /// Visits that were drawn.
    pub visits: u64,
}

/// A plot to visit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedPlot {
    /// Its number.
    pub plot: PlotNumber,
    /// The stratum it is of.
    pub stratum: String,
    /// Its trees, of which no loss names the serial.
    pub trees: u64,
    /// How often it was drawn. A plot that is drawn twice has twice as many trees to look for.
    pub hits: u32,
    /// The probability of being drawn: `min(1, n X_i / X)`.
    pub plot_probability: f64,
    /// The probability of each of its trees to be drawn.
    pub tree_probability: f64,
    /// The serials of the trees to look for.
    pub serials: Vec<u32>,
}

/// A plot that may be drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FramePlot {
    /// Its number.
    pub plot: PlotNumber,
    /// The stratum it is of.
    pub stratum: String,
    /// Its serials in order: of plantings that were not voided, without those that a loss names.
    pub serials: Vec<RangeInclusive<u32>>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Nobody announced the day.
    #[error(
        "no policy in the log announces {0} as a sampling day before that day begins: governors state a policy with a comment such as `# sampling {0} plots=30 trees=20 strata=country`"
    )]
    NotAnnounced(Day),
    /// The policy's quorum is short.
    #[error("the quorum of the policy that announced the day did not cosign the checkpoint")]
    NotCosigned,
    /// A cosigner has several lines, of which somebody could choose.
    #[error("{0} has several lines on the checkpoint, so there are several seeds")]
    SeveralLines(String),
    /// It was cosigned before the day was over, or nobody says when.
    #[error("the checkpoint was not cosigned after {0}")]
    TooEarly(Day),
    /// No tree stands.
    #[error("the books have no tree to look for")]
    NoTrees,
    /// A line does not hold.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// The cosignatures that give a seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seed {
    /// SHA-256 of the lines.
    pub digest: [u8; 32],
    /// Who signed.
    pub signers: Vec<Signer>,
    /// When the first did, in seconds since 1970.
    pub cosigned_at_s: u64,
}

impl Seed {
    /// The seed that a checkpoint gives by a policy, for a day that it was cosigned after: SHA-256 of the lines of those
    /// who make up the quorum ([`Policy::leading_quorum`]), each with its newline, in the policy's order.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn of(checkpoint: &Checkpoint, policy: &Policy, day: Day) -> Result<Self, PlanError> {
        let signers = policy.leading_quorum(checkpoint)?;
        let signers = signers.ok_or(PlanError::NotCosigned)?;
        let mut hasher = Sha256::new();
        for signer in &signers {
            match checkpoint.note().lines_as_text(&signer.vkey).as_slice() {
                [line] => hasher.update(line),
                _ => return Err(PlanError::SeveralLines(signer.name.clone())),
            }
        }
        let times = signers.iter().filter_map(|signer| signer.signed_at_s);
        let cosigned_at_s = times.min().ok_or(PlanError::TooEarly(day))?;
        if cosigned_at_s < end_of(day) {
            return Err(PlanError::TooEarly(day));
        }
        Ok(Self {
            digest: hasher.finalize().into(),
            signers,
            cosigned_at_s,
        })
    }
}

/// The second at which a day is over, since 1970.
pub fn end_of(day: Day) -> u64 {
    (u64::from(day.0) + 1) * DAY_S
}

/// Sampling days that policies announced, in the order of the log.
#[derive(Clone, Debug, Default)]
pub struct Announcements(Vec<(Index, Day, SamplingDay, Policy)>);

impl Announcements {
    /// Takes in a policy that the log has.
    pub fn add(&mut self, index: Index, admitted_at: TimeMs, policy: &crate::policy::PolicyText) {
        let admitted_on = Day::of(admitted_at);
        let days = SamplingDay::of(policy);
        self.0
            .extend(days.map(|day| (index, admitted_on, day, policy.policy().clone())));
    }

    /// The policy that announced a day, before the day began: its quorum gives the seed.
    pub fn policy_for(&self, day: Day) -> Option<&Policy> {
        self.of(day).ok().map(|(_, _, policy, _)| policy)
    }

    /// The first announcement of a day that was admitted before it began, and all others that differ.
    fn of(
        &self,
        day: Day,
    ) -> Result<(Index, SamplingDay, &Policy, Vec<OtherAnnouncement>), PlanError> {
        let is_of = |it: &&(Index, Day, SamplingDay, Policy)| it.2.day == day && it.1 < day;
        let found = self.0.iter().find(is_of);
        let (index, _, announced, policy) = found.ok_or(PlanError::NotAnnounced(day))?;
        let mut others: Vec<OtherAnnouncement> = Vec::new();
        for (announced_at, _, other, _) in &self.0 {
            if other != announced && others.iter().all(|it| it.announced != *other) {
                others.push(OtherAnnouncement {
                    announced_at: *announced_at,
                    announced: *other,
                });
            }
        }
        Ok((*index, *announced, policy, others))
    }
}

impl Plan {
    /// The plan of a sampling day, by a checkpoint that the log signed and the state of just its entries.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn of(
        day: Day,
        announcements: &Announcements,
        checkpoint: &Checkpoint,
        state: &State,
    ) -> Result<Self, PlanError> {
        let (announced_at, announced, policy, others) = announcements.of(day)?;
        let seed = Seed::of(checkpoint, policy, day)?;
        let frame = frame(state, announced.strata);
        let visits = draw(&frame, &announced, &seed.digest)?;
        let genesis = state.globals().genesis.as_ref();
        let (genesis, _) = genesis.ok_or(PlanError::NoTrees)?;
        Ok(Self {
            format: PLAN_FORMAT.to_owned(),
            origin: checkpoint.origin().to_string(),
            genesis: *genesis,
            announced,
            announced_at,
            others,
            checkpoint: checkpoint.to_string(),
            entries: checkpoint.head().size,
            cosigned_by: seed.signers.iter().map(|it| it.name.clone()).collect(),
            cosigned_at_s: seed.cosigned_at_s,
            seed: hex::encode(seed.digest),
            strata: strata(&frame, &visits),
            visits,
        })
    }

    /// Seconds from the end of the day to the first cosignature that gives the seed.
    pub fn cosigned_after_s(&self) -> u64 {
        self.cosigned_at_s
            .saturating_sub(end_of(self.announced.day))
    }

    /// The number of visits: a plot that was drawn twice counts twice.
    pub fn visits_count(&self) -> u64 {
        self.visits.iter().map(|visit| u64::from(visit.hits)).sum()
    }

    /// Trees to look for.
    pub fn trees_count(&self) -> u64 {
        self.visits
            .iter()
            .map(|visit| visit.serials.len() as u64)
            .sum()
    }
}

/// The plots of a ledger that have trees, by number.
pub fn frame(state: &State, strata: Strata) -> Vec<FramePlot> {
    let mut frame = Vec::new();
    for (number, plot) in state.plots() {
        let mut serials = Vec::new();
        for (_, planting) in state.plantings(*number).filter(|(_, it)| !it.voided) {
            let mut lost: Vec<_> = planting
                .lost_ranges
                .iter()
                .map(|it| (it.first.0, it.last.0))
                .collect();
            lost.sort_unstable();
            let mut next = Some(planting.first_serial.0);
            for (first, last) in lost {
                let Some(from) = next else { break };
                if let Some(before) = first.checked_sub(1)
                    && from <= before
                {
                    serials.push(from..=before);
                }
                next = last.checked_add(1).map(|behind| behind.max(from));
            }
            if let Some(from) = next
                && from <= planting.last_serial.0
            {
                serials.push(from..=planting.last_serial.0);
            }
        }
        if serials.is_empty() {
            continue;
        }
        let stratum = match strata {
            Strata::None => String::new(),
            Strata::Country => plot.plot.country.to_string(),
            Strata::Planter => plot.holder.to_string(),
            Strata::Year => {
                let first = state.first_planted_by(*number);
                first.map_or_else(String::new, |day| day.ymd().0.to_string())
            }
        };
        frame.push(FramePlot {
            plot: *number,
            stratum,
            serials,
        });
    }
    frame
}

impl FramePlot {
    /// How many trees it has.
    pub fn trees(&self) -> u64 {
        let trees = self
            .serials
            .iter()
            .map(|range| u64::from(*range.end()) - u64::from(*range.start()) + 1);
        trees.sum()
    }

    /// The serials of trees by their places among all of them, which are in order.
    fn serials_at(&self, places: impl IntoIterator<Item = u64>) -> Vec<u32> {
        let mut ranges = self.serials.iter();
        let mut range = ranges.next();
        let mut before = 0;
        let mut serials = Vec::new();
        for place in places {
            while let Some(at) = range {
                let count = u64::from(*at.end()) - u64::from(*at.start()) + 1;
                if place < before + count {
                    let serial = u64::from(*at.start()) + (place - before);
                    serials.extend(u32::try_from(serial));
                    break;
                }
                before += count;
                range = ranges.next();
            }
        }
        serials
    }
}

/// Draws visits from a frame.
///
/// # Errors
/// [`PlanError::NoTrees`].
pub fn draw(
    frame: &[FramePlot],
    announced: &SamplingDay,
    seed: &[u8; 32],
) -> Result<Vec<PlannedPlot>, PlanError> {
    let mut order: Vec<(&str, u64, &FramePlot)> = frame
        .iter()
        .map(|plot| {
            let at_random = Chance::new(seed, "order", plot.plot.0.into()).bits();
            (plot.stratum.as_str(), at_random, plot)
        })
        .collect();
    order.sort_by_key(|(stratum, at_random, plot)| (*stratum, *at_random, plot.plot));
    let sizes = order.iter().map(|(_, _, plot)| plot.trees());
    let all = sizes.clone().try_fold(0, u64::checked_add);
    let all = all.filter(|all| *all > 0).ok_or(PlanError::NoTrees)?;
    let start = Chance::new(seed, "start", 0).below(all);
    let hits = systematic(sizes, all, announced.plots, start);
    let mut visits = Vec::new();
    for ((_, _, plot), hits) in order.into_iter().zip(hits).filter(|(_, hits)| *hits > 0) {
        let trees = plot.trees();
        let count = u64::from(hits) * u64::from(announced.trees);
        let mut chance = Chance::new(seed, "trees", plot.plot.0.into());
        let places = without_replacement(&mut chance, trees, count);
        let expected = f64::from(announced.plots) * (trees as f64 / all as f64);
        visits.push(PlannedPlot {
            plot: plot.plot,
            stratum: plot.stratum.clone(),
            trees,
            hits,
            plot_probability: expected.min(1.0),
            tree_probability: tree_probability(expected, trees, announced.trees),
            serials: plot.serials_at(places),
        });
    }
    visits.sort_by_key(|visit| visit.plot);
    Ok(visits)
}

/// The probability of a tree: a plot is visited the whole number of times below `expected`, or above it.
fn tree_probability(expected: f64, trees: u64, of_visit: u32) -> f64 {
    let (trees, of_visit) = (trees as f64, f64::from(of_visit));
    let looked_for = |hits: f64| (hits * of_visit).min(trees);
    let (least, more) = (expected.floor(), expected.fract());
    ((1.0 - more) * looked_for(least) + more * looked_for(least + 1.0)) / trees
}

fn strata(frame: &[FramePlot], visits: &[PlannedPlot]) -> Vec<StratumRow> {
    let mut rows = BTreeMap::<&str, StratumRow>::new();
    for plot in frame {
        let row = rows.entry(&plot.stratum).or_insert_with(|| StratumRow {
            name: plot.stratum.clone(),
            plots: 0,
            trees: 0,
            visits: 0,
        });
        row.plots += 1;
        row.trees += plot.trees();
    }
    for visit in visits {
        if let Some(row) = rows.get_mut(visit.stratum.as_str()) {
            row.visits += u64::from(visit.hits);
        }
    }
    rows.into_values().collect()
}
