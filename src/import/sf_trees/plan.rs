//! What is to be said next, so that the books say what the register says: plots and plantings of
//! trees that are lacking, losses of those that were removed, voids. A round may need entries that
//! an earlier one made; when a round is empty, all is said.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use sha2::{Digest as _, Sha256};

use super::TreesConfig;
use super::books::{TreeBooks, UnknownPlantings};
use super::history::Fate;
use super::judge::{Judge, Judgement, NextStep, WantedTree};
use super::register::TreeRegister;
use crate::import::register::RegisterError;
use crate::import::serials::{PlotSerials, SerialsExhausted};
use crate::record::{
    Correction, Day, Digest, Index, Planting, Plot, PlotNumber, Remedy, Serial, SpeciesCode,
    Statement, TextError, WebAddress,
};

/// What is to be said next.
#[derive(Default)]
pub struct TreeRound {
    plots: BTreeMap<PlotNumber, Plot>,
    plantings: Vec<PlannedPlanting>,
    corrections: Vec<PlannedCorrection>,
}

/// A planting without its serials.
struct PlannedPlanting {
    plot: PlotNumber,
    species: SpeciesCode,
    planted_on: Day,
    evidence: Digest,
    /// By their ids in the register.
    trees: Vec<u64>,
}

struct PlannedCorrection {
    target: Index,
    reason: String,
    remedy: Remedy,
    trees: Vec<u64>,
}

/// A statement of a round.
#[derive(Clone, Debug)]
pub struct RoundStatement {
    /// What is said.
    pub statement: Statement,
    /// Of which trees, by their ids in the register.
    pub trees: Vec<u64>,
}

/// Trees of one plot, species, day and fate make a planting; one whose date was altered is alone,
/// since only a whole planting can be voided.
type GroupKey = (PlotNumber, SpeciesCode, Day, Option<Day>, bool, Option<u64>);

/// The trees of a planting, each with the commit that told of it.
type Groups = BTreeMap<GroupKey, Vec<(u64, String)>>;

/// Plans what is to be said next.
pub fn plan_trees(
    register: &TreeRegister,
    books: &TreeBooks,
    config: &TreesConfig<'_>,
) -> TreeRound {
    let judge = Judge::new(register, books, config);
    let (mut round, mut groups) = (TreeRound::default(), Groups::new());
    // Trees that are lost, by planting, day, whether they came back, and how often they were lost on
    // that day before.
    let mut losses: BTreeMap<(Index, Day, bool, usize), BTreeMap<Serial, u64>> = BTreeMap::new();
    let mut restored: BTreeMap<Index, Vec<u64>> = BTreeMap::new();
    for (id, tree) in &register.trees {
        match judge.judge(*id, tree) {
            Judgement::SetAside(_) => {}
            Judgement::Plant(wanted, day) => {
                let fate = judge.history(tree).group();
                group(&mut groups, *id, &wanted, day, fate);
                round.plots.entry(wanted.plot.number).or_insert(wanted.plot);
            }
            Judgement::In(now) => match now.next {
                None => {}
                Some(NextStep::Void(day)) => round.corrections.push(PlannedCorrection {
                    target: now.tree.index,
                    reason: format!("the register altered the planting date to {day}"),
                    remedy: Remedy::Void,
                    trees: vec![*id],
                }),
                Some(NextStep::Lose { day, told }) => {
                    let back = now.history.came_back();
                    let lost = losses.entry((now.tree.index, day, back, told));
                    lost.or_default().insert(now.tree.serial, *id);
                }
                Some(NextStep::Restore(loss)) => restored.entry(loss).or_default().push(*id),
            },
        }
    }
    for ((target, day, _, told), trees) in losses {
        round.lose(target, day, told, trees);
    }
    for (target, trees) in restored {
        round.corrections.push(PlannedCorrection {
            target,
            reason: "the trees came back to the city's register".to_owned(),
            remedy: Remedy::Void,
            trees,
        });
    }
    round.plantings = groups
        .into_iter()
        .map(|((plot, species, planted_on, ..), trees)| PlannedPlanting {
            plot,
            species,
            planted_on,
            evidence: evidence(&trees, planted_on),
            trees: trees.into_iter().map(|(id, _)| id).collect(),
        })
        .collect();
    round
}

fn group(
    groups: &mut Groups,
    id: u64,
    wanted: &WantedTree,
    day: usize,
    (removed, returned): (Option<Day>, bool),
) {
    let Some((planted_on, commit)) = wanted.days.get(day) else {
        return;
    };
    let key = (
        wanted.plot.number,
        wanted.species,
        *planted_on,
        removed,
        returned,
        wanted.is_redated().then_some(id),
    );
    let trees = groups.entry(key).or_default();
    trees.push((id, commit.clone()));
}

impl TreeRound {
    /// Whether all is said.
    pub fn is_empty(&self) -> bool {
        self.plantings.is_empty() && self.corrections.is_empty()
    }

    /// The plots whose serials are needed.
    pub fn plots(&self) -> impl Iterator<Item = PlotNumber> {
        self.plots.keys().copied()
    }

    /// The evidence of its plantings, each with the trees.
    pub fn plantings(&self) -> impl Iterator<Item = (&Digest, &[u64])> {
        let plantings = self.plantings.iter();
        plantings.map(|planting| (&planting.evidence, planting.trees.as_slice()))
    }

    /// The statements in their order: plots that are not there, plantings, corrections. Plantings
    /// take the serials that are free.
    ///
    /// # Errors
    /// [`RoundError`].
    pub fn statements(
        &self,
        serials: &HashMap<PlotNumber, PlotSerials>,
    ) -> Result<Vec<RoundStatement>, RoundError> {
        let plots = self
            .plots
            .iter()
            .filter(|(number, _)| matches!(serials.get(number), None | Some(PlotSerials::NoPlot)));
        let mut statements: Vec<RoundStatement> = plots
            .map(|(_, plot)| RoundStatement {
                statement: Statement::Plot(plot.clone()),
                trees: Vec::new(),
            })
            .collect();
        let mut free = serials.clone();
        for planned in &self.plantings {
            let exhausted = SerialsExhausted(planned.plot);
            let count = u32::try_from(planned.trees.len()).ok();
            let count = count.and_then(NonZeroU32::new).ok_or(exhausted)?;
            let plot = free.entry(planned.plot).or_insert(PlotSerials::NoPlot);
            let planting = Planting {
                plot: planned.plot,
                species: planned.species,
                first_serial: plot.take(count).ok_or(exhausted)?,
                count,
                planted_from: planned.planted_on,
                planted_until: planned.planted_on,
                evidence: planned.evidence,
                evidence_at: WebAddress::default(),
            };
            statements.push(RoundStatement {
                statement: Statement::Planting(planting),
                trees: planned.trees.clone(),
            });
        }
        for planned in &self.corrections {
            statements.push(RoundStatement {
                statement: Statement::Correction(Correction {
                    target: planned.target,
                    reason: planned.reason.parse()?,
                    remedy: planned.remedy.clone(),
                    set: None,
                }),
                trees: planned.trees.clone(),
            });
        }
        Ok(statements)
    }

    /// Adds the losses of a planting's trees on a day: one for each row of serials without a gap.
    fn lose(&mut self, target: Index, lost_on: Day, told: usize, trees: BTreeMap<Serial, u64>) {
        // Another loss says something else, or it would be taken for the one that was voided.
        let reason = match told {
            0 => "removed from the city's register".to_owned(),
            told => format!("removed from the city's register again, after {told} that day"),
        };
        let mut rows: Vec<(Serial, Vec<u64>)> = Vec::new();
        for (serial, id) in trees {
            match rows.last_mut() {
                Some((first, ids)) if (serial.0 - first.0) as usize == ids.len() => ids.push(id),
                _ => rows.push((serial, vec![id])),
            }
        }
        for (first, trees) in rows {
            let count = u32::try_from(trees.len()).ok().and_then(NonZeroU32::new);
            let Some(count) = count else {
                continue;
            };
            self.corrections.push(PlannedCorrection {
                target,
                reason: reason.clone(),
                remedy: Remedy::Lost {
                    count,
                    first_serial: Some(first),
                    lost_on,
                    evidence: None,
                },
                trees,
            });
        }
    }
}

/// Why a round can't be said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoundError {
    /// More trees than a plot has serials.
    #[error(transparent)]
    Serials(#[from] SerialsExhausted),
    /// A reason that no statement holds.
    #[error("the reason of a correction: {0}")]
    Reason(#[from] TextError),
}

/// SHA-256 of a file that lists the trees, the register's commits that tell of them, and the day.
fn evidence(trees: &[(u64, String)], day: Day) -> Digest {
    let mut file = format!("planted_on {day}\n");
    for (id, commit) in trees {
        file.push_str(&format!("{id} {commit}\n"));
    }
    Digest::from_bytes(Sha256::digest(file).into())
}

/// Why it can't be told which trees are in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecognizeError {
    /// Some plantings can't be recognised.
    #[error(transparent)]
    Unknown(#[from] UnknownPlantings),
    /// The register beside the key.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

/// After the register beside the key was lost: recognises plantings by their evidence, which is a
/// digest of their trees. Tried are trees of the same plot, species and day whose ids follow each
/// other in the file, and trees alone. What is found is noted; what is not stops the import.
///
/// # Errors
/// [`RecognizeError`].
pub fn recognize(
    register: &TreeRegister,
    books: &mut TreeBooks,
    config: &TreesConfig<'_>,
) -> Result<(), RecognizeError> {
    if books.check_known().is_ok() {
        return Ok(());
    }
    let mut candidates: BTreeMap<(PlotNumber, SpeciesCode, Day), Vec<(u64, String)>> =
        BTreeMap::new();
    let mut groups = Groups::new();
    {
        let judge = Judge::new(register, books, config);
        for (id, tree) in &register.trees {
            // Without the register no tree is known, so what is in is planned once more.
            let Judgement::Plant(wanted, _) = judge.judge(*id, tree) else {
                continue;
            };
            for (place, (day, commit)) in wanted.days.iter().enumerate() {
                let fate = judge.history(tree).group();
                group(&mut groups, *id, &wanted, place, fate);
                let of_kind = candidates.entry((wanted.plot.number, wanted.species, *day));
                of_kind.or_default().push((*id, commit.clone()));
            }
        }
    }
    let unknown: Vec<Planting> = books
        .unknown()
        .map(|(_, planting)| planting.clone())
        .collect();
    let mut found: Vec<(Digest, Vec<u64>)> = Vec::new();
    for planting in unknown {
        let key = (planting.plot, planting.species, planting.planted_until);
        let trees = candidates.get(&key).map_or(&[][..], Vec::as_slice);
        let of_key = groups
            .iter()
            .filter(|((plot, species, day, ..), _)| (*plot, *species, *day) == key)
            .map(|(_, trees)| trees.as_slice());
        let mut tried = of_key.chain(trees.windows(planting.count.get() as usize));
        if let Some(trees) = tried.find(|trees| {
            trees.len() == planting.count.get() as usize
                && evidence(trees, planting.planted_until) == planting.evidence
        }) {
            let ids = trees.iter().map(|(id, _)| *id).collect();
            found.push((planting.evidence, ids));
        }
    }
    books.note(
        found
            .iter()
            .map(|(evidence, ids)| (evidence, ids.as_slice())),
    )?;
    Ok(books.check_known()?)
}

/// What the register lists on a plot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlotCensus {
    /// Trees that stand in the books and were not removed.
    pub alive: u32,
    /// Trees that stand in the books and were removed.
    pub dead: u32,
    /// Trees that the books have as lost, and that were removed.
    pub dead_known: u32,
    /// Trees that the books have as lost, and that came back.
    pub revived: u32,
    /// Trees that stand in the books, and of which the register does not tell whether they stand.
    pub unclear: u32,
}

impl PlotCensus {
    /// All trees that are in.
    pub fn listed(&self) -> u32 {
        self.alive + self.removed() + self.revived + self.unclear
    }

    /// Those of them that were removed and did not come back.
    pub fn removed(&self) -> u32 {
        self.dead + self.dead_known
    }
}

/// What the register lists of the trees that are in, by plot.
pub fn census(
    register: &TreeRegister,
    books: &TreeBooks,
    config: &TreesConfig<'_>,
) -> BTreeMap<PlotNumber, PlotCensus> {
    let judge = Judge::new(register, books, config);
    let mut plots: BTreeMap<PlotNumber, PlotCensus> = BTreeMap::new();
    for (id, tree) in &register.trees {
        if let Judgement::In(now) = judge.judge(*id, tree) {
            let census = plots.entry(now.tree.planting.plot).or_default();
            let removed = match now.history.fate {
                Fate::Removed { .. } if now.removal_fault.is_none() => Some(true),
                Fate::Removed { .. } | Fate::Unclear(_) => None,
                Fate::Listed | Fate::Returned(_) | Fate::RemovedBefore { .. } => Some(false),
            };
            let count = match (removed, now.is_lost) {
                (Some(false), false) => &mut census.alive,
                (Some(true), false) => &mut census.dead,
                (Some(true), true) => &mut census.dead_known,
                (Some(false), true) => &mut census.revived,
                (None, false) => &mut census.unclear,
                // Lost in the books, and nothing new is known of it.
                (None, true) => continue,
            };
            *count += 1;
        }
    }
    plots
}
