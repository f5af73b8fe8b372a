//! Street trees: plots and plantings, what became of them, and a census of the register.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::ErrorKind;

use super::sender::Sent;
use super::{ImportSummary, StatementSender};
use crate::cli::Failure;
use arborlog::client::{IssuerKey, today};
use arborlog::durable::replace;
use arborlog::import::{
    ADDED_COLUMNS, CsvTable, EVENT_COLUMNS, SpeciesList, TreeCorrection, TreePlan, TreeRegister,
    TreesConfig, plan_trees, read_trees,
};
use arborlog::record::{
    Basis, Correction, Day, Digest, Index, PlotNumber, Remedy, Serial, Statement, Survey, Text,
};

/// Trees as plots and plantings, then what happened to them later.
pub fn import_trees(
    sender: &StatementSender,
    added: CsvTable<{ ADDED_COLUMNS.len() }>,
    events: Option<CsvTable<{ EVENT_COLUMNS.len() }>>,
    species: &SpeciesList,
    planter: &IssuerKey,
    surveyor: Option<&IssuerKey>,
) -> Result<(ImportSummary, TreePlan), Failure> {
    let mut register = read_trees(added, events)?;
    let plan = plan(sender, &mut register, species)?;
    sender.set_aside("trees", &register.set_aside)?;
    let planted = sender.send("plots and plantings", planter, &plan.statements())?;
    let index_of = |planting: usize| planted.index(plan.plots.len() + planting);
    let (first, second) = corrections(&plan, index_of)?;
    let losses = sender.send("losses and voids", planter, &first)?;
    let second: Vec<Statement> = second
        .into_iter()
        .filter_map(|follow_up| follow_up.statement(&losses))
        .collect();
    let mended = sender.send("returns and new dates", planter, &second)?;
    let mut summary = ImportSummary {
        admitted: planted.admitted() + losses.admitted() + mended.admitted(),
        refused: planted.refused + losses.refused + mended.refused,
        set_aside: register.set_aside.clone(),
    };
    if let Some(surveyor) = surveyor {
        let surveyed = sender.send("surveys", surveyor, &surveys(&plan)?)?;
        summary.admitted += surveyed.admitted();
        summary.refused += surveyed.refused;
    }
    Ok((summary, plan))
}

/// Plans with the serials that were free when this import began, which its folder keeps.
fn plan(
    sender: &StatementSender,
    register: &mut TreeRegister,
    species: &SpeciesList,
) -> Result<TreePlan, Failure> {
    let path = sender.file("first-serials.json");
    let config = TreesConfig {
        today: today(),
        species,
    };
    match fs::read_to_string(&path) {
        Ok(text) => {
            let kept: Vec<(PlotNumber, Serial)> = serde_json::from_str(&text)?;
            return Ok(plan_trees(register, &config, &kept.into_iter().collect())?);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        // Other serials than those that were planned with would make other statements.
        Err(error) => return Err(error.into()),
    }
    let before = register.set_aside.len();
    let sketch = plan_trees(register, &config, &HashMap::new())?;
    register.set_aside.truncate(before);
    let mut kept = Vec::new();
    for plot in &sketch.plots {
        if let Some(serial) = sender.next_serial(plot.number)? {
            kept.push((plot.number, serial));
        }
    }
    replace(&path, serde_json::to_string(&kept)?.as_bytes())?;
    Ok(plan_trees(register, &config, &kept.into_iter().collect())?)
}

/// What is sent after the first corrections.
enum FollowUp {
    Statement(Statement),
    /// The void of the first correction at a position.
    VoidOf {
        first: usize,
        reason: Text<300>,
    },
}

impl FollowUp {
    /// The statement; none where the correction that it voids was refused.
    fn statement(self, corrected: &Sent) -> Option<Statement> {
        match self {
            Self::Statement(statement) => Some(statement),
            Self::VoidOf { first, reason } => Some(Statement::Correction(Correction {
                target: corrected.index(first)?,
                reason,
                remedy: Remedy::Void,
            })),
        }
    }
}

fn reason(text: &str) -> Result<Text<300>, Failure> {
    text.parse().map_err(Failure::usage)
}

/// The corrections of plantings whose entries are known, and what follows them.
fn corrections(
    plan: &TreePlan,
    index_of: impl Fn(usize) -> Option<Index>,
) -> Result<(Vec<Statement>, Vec<FollowUp>), Failure> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (number, planned) in plan.plantings.iter().enumerate() {
        let (Some(target), Some(correction)) = (index_of(number), &planned.correction) else {
            continue;
        };
        match correction {
            TreeCorrection::Lost { on, returned } => {
                if *returned {
                    let reason = reason("the trees came back to the city's register")?;
                    second.push(FollowUp::VoidOf {
                        first: first.len(),
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
                second.push(FollowUp::Statement(Statement::Planting(
                    (**planting).clone(),
                )));
            }
        }
    }
    Ok((first, second))
}

/// Number of plots that are surveyed: those with the most trees.
const SURVEYS: usize = 12;

/// What the register lists on a plot.
#[derive(Default)]
struct PlotCensus {
    listed: u32,
    removed: u32,
}

/// A census of the register, on its newest day: which of the trees it still lists. Nobody looked
/// at a tree, and the survey says so.
fn surveys(plan: &TreePlan) -> Result<Vec<Statement>, Failure> {
    let Some(day) = plan.last_day else {
        return Ok(Vec::new());
    };
    let mut plots: BTreeMap<PlotNumber, PlotCensus> = BTreeMap::new();
    for planned in &plan.plantings {
        let census = plots.entry(planned.planting.plot).or_default();
        let count = planned.planting.count.get();
        census.listed += count;
        if matches!(
            planned.correction,
            Some(TreeCorrection::Lost {
                returned: false,
                ..
            })
        ) {
            census.removed += count;
        }
    }
    let mut plots: Vec<_> = plots.into_iter().collect();
    plots.sort_by_key(|(number, census)| (std::cmp::Reverse(census.listed), *number));
    plots
        .into_iter()
        .take(SURVEYS)
        .map(|(plot, PlotCensus { listed, removed })| {
            Ok(Statement::Survey(Survey {
                plot,
                planting: None,
                surveyed_on: day,
                basis: Basis::Census,
                sampled: listed,
                alive: listed - removed,
                dead: removed,
                evidence: survey_evidence(plot, day, listed, removed),
                paid_by: "City and County of San Francisco (its register, not a visit)"
                    .parse()
                    .map_err(Failure::usage)?,
                next_due: Day::from_ymd(day.ymd().0 + 1, 12, 31),
            }))
        })
        .collect()
}

/// SHA-256 of a file that says what the register lists.
fn survey_evidence(plot: PlotNumber, day: Day, listed: u32, removed: u32) -> Digest {
    use sha2::Digest as _;
    let file =
        format!("register census of plot {plot} on {day}: {listed} listed, {removed} removed\n");
    Digest::from_bytes(sha2::Sha256::digest(file).into())
}
