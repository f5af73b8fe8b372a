//! Street trees: plots and plantings, what became of them, and a census of the register.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use super::sender::Sent;
use super::{Imported, Sender};
use crate::cli::Failure;
use arborlog::client::today;
use arborlog::crypto::SigningKey;
use arborlog::durable::replace;
use arborlog::import::{
    Table, TreeCorrection, TreePlan, Trees, TreesConfig, plan_trees, read_trees,
};
use arborlog::record::{
    Basis, Correction, Day, Digest, Index, PlotNumber, Remedy, Serial, Statement, Survey, Text,
};

/// Trees as plots and plantings, then what happened to them later.
pub fn import_trees(
    sender: &Sender,
    added: Table,
    events: Option<Table>,
    planter: &SigningKey,
    surveyor: Option<&SigningKey>,
) -> Result<(Imported, TreePlan), Failure> {
    let mut trees = read_trees(added, events)?;
    let plan = plan(sender, &mut trees)?;
    sender.set_aside("trees", &trees.set_aside)?;
    let planted = sender.send("plots and plantings", planter, &plan.statements())?;
    let index_of = |place: usize| planted.index(plan.plots.len() + place);
    let (first, second) = corrections(&plan, index_of)?;
    let losses = sender.send("losses and voids", planter, &first)?;
    let second: Vec<Statement> = second
        .into_iter()
        .filter_map(|later| later.statement(&losses))
        .collect();
    let mended = sender.send("returns and new dates", planter, &second)?;
    let mut imported = Imported {
        admitted: planted.admitted() + losses.admitted() + mended.admitted(),
        refused: planted.refused + losses.refused + mended.refused,
        set_aside: trees.set_aside.clone(),
    };
    if let Some(surveyor) = surveyor {
        let surveyed = sender.send("surveys", surveyor, &surveys(&plan)?)?;
        imported.admitted += surveyed.admitted();
        imported.refused += surveyed.refused;
    }
    Ok((imported, plan))
}

/// Plans with the serials that were free when this import began, which its folder keeps.
fn plan(sender: &Sender, trees: &mut Trees) -> Result<TreePlan, Failure> {
    let path = sender.file("first-serials.json");
    let config = TreesConfig { today: today() };
    if let Ok(text) = fs::read_to_string(&path) {
        let kept: Vec<(PlotNumber, Serial)> = serde_json::from_str(&text)?;
        return Ok(plan_trees(trees, &config, &kept.into_iter().collect()));
    }
    let before = trees.set_aside.len();
    let sketch = plan_trees(trees, &config, &HashMap::new());
    trees.set_aside.truncate(before);
    let mut kept = Vec::new();
    for plot in &sketch.plots {
        if let Some(serial) = sender.next_serial(plot.number)? {
            kept.push((plot.number, serial));
        }
    }
    replace(&path, serde_json::to_string(&kept)?.as_bytes())?;
    Ok(plan_trees(trees, &config, &kept.into_iter().collect()))
}

/// What is sent after the first corrections: it may name one of them.
enum Later {
    Statement(Statement),
    VoidOf { place: usize, reason: Text<300> },
}

impl Later {
    fn statement(self, first: &Sent) -> Option<Statement> {
        match self {
            Self::Statement(statement) => Some(statement),
            Self::VoidOf { place, reason } => Some(Statement::Correction(Correction {
                target: first.index(place)?,
                reason,
                remedy: Remedy::Void,
            })),
        }
    }
}

fn reason(text: &str) -> Result<Text<300>, Failure> {
    text.parse().map_err(Failure::usage)
}

fn corrections(
    plan: &TreePlan,
    index_of: impl Fn(usize) -> Option<Index>,
) -> Result<(Vec<Statement>, Vec<Later>), Failure> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (place, planned) in plan.plantings.iter().enumerate() {
        let (Some(target), Some(correction)) = (index_of(place), &planned.correction) else {
            continue;
        };
        match correction {
            TreeCorrection::Lost { on, returned } => {
                if *returned {
                    let reason = reason("the trees came back to the city's register")?;
                    second.push(Later::VoidOf {
                        place: first.len(),
                        reason,
                    });
                }
                first.push(Statement::Correction(Correction {
                    target,
                    reason: reason("removed from the city's register")?,
                    remedy: Remedy::Lost {
                        count: planned.planting.count,
                        first_serial: Some(planned.planting.first_serial),
                        lost_on: *on,
                        evidence: None,
                    },
                }));
            }
            TreeCorrection::Redated(planting) => {
                let why = format!(
                    "the register altered the planting date to {}",
                    planting.planted_on
                );
                first.push(Statement::Correction(Correction {
                    target,
                    reason: reason(&why)?,
                    remedy: Remedy::Void,
                }));
                second.push(Later::Statement(Statement::Planting((**planting).clone())));
            }
        }
    }
    Ok((first, second))
}

/// So many plots, those with the most trees, are surveyed.
const SURVEYS: usize = 12;

/// A census of the register, on its newest day: which of the trees it still lists. Nobody looked
/// at a tree, and the survey says so.
fn surveys(plan: &TreePlan) -> Result<Vec<Statement>, Failure> {
    let Some(day) = plan.last_day else {
        return Ok(Vec::new());
    };
    let mut plots: BTreeMap<PlotNumber, (u32, u32)> = BTreeMap::new();
    for planned in &plan.plantings {
        let counts = plots.entry(planned.planting.plot).or_default();
        let count = planned.planting.count.get();
        counts.0 += count;
        if matches!(
            planned.correction,
            Some(TreeCorrection::Lost {
                returned: false,
                ..
            })
        ) {
            counts.1 += count;
        }
    }
    let mut plots: Vec<_> = plots.into_iter().collect();
    plots.sort_by_key(|(number, (sampled, _))| (std::cmp::Reverse(*sampled), *number));
    plots
        .into_iter()
        .take(SURVEYS)
        .map(|(plot, (sampled, dead))| {
            Ok(Statement::Survey(Survey {
                plot,
                planting: None,
                surveyed_on: day,
                basis: Basis::Census,
                sampled,
                alive: sampled - dead,
                dead,
                evidence: survey_evidence(plot, day, sampled, dead),
                paid_by: "City and County of San Francisco (its register, not a visit)"
                    .parse()
                    .map_err(Failure::usage)?,
                next_due: Day::from_ymd(day.ymd().0 + 1, 12, 31),
            }))
        })
        .collect()
}

fn survey_evidence(plot: PlotNumber, day: Day, sampled: u32, dead: u32) -> Digest {
    use sha2::Digest as _;
    let file =
        format!("register census of plot {plot} on {day}: {sampled} listed, {dead} removed\n");
    Digest::from_bytes(sha2::Sha256::digest(file).into())
}
