//! How much of a plan was done, by the surveys that name it.

use serde::Serialize;

use super::estimate::{Cluster, Share};
use super::facts::Facts;
use super::findings::{Finding, of_plans};
use super::plan::{Plan, PlannedPlot};
use crate::outcome::Outcome;
use crate::record::{Day, Digest, Index, PlotNumber, Survey};

/// A plan as its file says it, and whether the log gives it.
#[derive(Clone, Debug)]
pub struct PlanShown {
    /// SHA-256 of its file.
    pub digest: Digest,
    /// What the file says.
    pub plan: Plan,
    /// Whether the log gives just this plan.
    pub outcome: Outcome,
    /// In words, if it does not, or that could not be checked.
    pub words: String,
}

/// How much of a plan was done.
#[derive(Clone, Debug, Serialize)]
pub struct PlanRow {
    /// SHA-256 of the plan's file, which surveys name.
    pub digest: Digest,
    /// The sampling day.
    pub day: Day,
    /// The policy's entry that announced it.
    pub announced_at: Index,
    /// Whether the log gives just this plan: `false` means that it was made up, or changed.
    pub outcome: Outcome,
    /// In words, if it does not, or that could not be checked; else empty.
    pub words: String,
    /// Entries of the checkpoint from which it was drawn.
    pub entries: u64,
    /// Seconds from the end of the day to the cosignatures that give the seed.
    pub cosigned_after_s: u64,
    /// Plots to visit.
    pub plots: u64,
    /// Of these, plots on which as many trees were looked for as planned.
    pub plots_done: u64,
    /// Trees to look for.
    pub trees: u64,
    /// Trees that surveys which name the plan looked for on its plots, at most as many as planned on each.
    pub trees_looked_for: u64,
    /// Surveys that name the plan and were not voided.
    pub surveys: u64,
    /// Of these, surveys of plots that the plan has not.
    pub surveys_elsewhere: u64,
    /// The share alive of the trees that were drawn from, on the days of the surveys, if the whole plan was done: the
    /// first estimate that speaks of plots which nobody visited.
    pub alive_share: Option<Share>,
}

/// A plot of a plan, and what surveys that name the plan found there.
pub(super) struct Done<'a> {
    pub(super) visit: &'a PlannedPlot,
    pub(super) surveys: Vec<Index>,
    /// Trees that were looked for, those that the books had as lost too.
    pub(super) looked_for: u64,
    alive: u64,
}

impl Done<'_> {
    /// Trees that were planned and not looked for.
    pub(super) fn missing(&self) -> u64 {
        (self.visit.serials.len() as u64).saturating_sub(self.looked_for)
    }
}

/// A plan with what was done of it.
pub(super) struct Followed<'a> {
    pub(super) shown: &'a PlanShown,
    pub(super) done: Vec<Done<'a>>,
    /// Surveys of other plots that name it.
    pub(super) elsewhere: Vec<(PlotNumber, Index)>,
}

/// How much was done of plans, and what there is to ask about.
pub(super) fn done(facts: &Facts<'_>, plans: &[PlanShown]) -> (Vec<PlanRow>, Vec<Finding>) {
    let followed: Vec<_> = plans.iter().map(|shown| follow(facts, shown)).collect();
    let rows = followed.iter().map(Followed::row).collect();
    (rows, of_plans(facts, &followed))
}

fn follow<'a>(facts: &Facts<'_>, shown: &'a PlanShown) -> Followed<'a> {
    let visits = shown.plan.visits.iter();
    let mut done: Vec<Done<'a>> = visits
        .map(|visit| Done {
            visit,
            surveys: Vec::new(),
            looked_for: 0,
            alive: 0,
        })
        .collect();
    done.sort_by_key(|it| it.visit.plot);
    let mut elsewhere = Vec::new();
    for (number, _) in facts.state.plots() {
        let surveys = facts.state.surveys(*number);
        for (index, survey) in surveys.filter(|(_, it)| it.survey.plan == Some(shown.digest)) {
            let place = done.binary_search_by_key(number, |it| it.visit.plot);
            match place.ok().and_then(|place| done.get_mut(place)) {
                Some(done) => add(done, index, &survey.survey),
                None => elsewhere.push((*number, index)),
            }
        }
    }
    Followed {
        shown,
        done,
        elsewhere,
    }
}

fn add(done: &mut Done<'_>, index: Index, survey: &Survey) {
    let alive = u64::from(survey.alive) + u64::from(survey.revived);
    let others = [survey.dead, survey.not_found, survey.dead_known];
    done.surveys.push(index);
    done.alive += alive;
    done.looked_for += alive + others.iter().copied().map(u64::from).sum::<u64>();
}

impl Followed<'_> {
    fn row(&self) -> PlanRow {
        let PlanShown {
            digest,
            plan,
            outcome,
            words,
        } = self.shown;
        let is_done = |it: &&Done<'_>| it.missing() == 0;
        let surveys = self.done.iter().map(|it| it.surveys.len()).sum::<usize>();
        let plots_done = self.done.iter().filter(is_done).count();
        let whole = plots_done == self.done.len() && *outcome == Outcome::Holds;
        let clusters = self.done.iter().map(|it| Cluster {
            hits: it.visit.hits,
            looked_for: it.looked_for,
            found: it.alive,
        });
        let planned = |it: &Done<'_>| it.visit.serials.len() as u64;
        let looked_for = self.done.iter().map(|it| it.looked_for.min(planned(it)));
        PlanRow {
            digest: *digest,
            day: plan.announced.day,
            announced_at: plan.announced_at,
            outcome: *outcome,
            words: words.clone(),
            entries: plan.entries,
            cosigned_after_s: plan.cosigned_after_s(),
            plots: self.done.len() as u64,
            plots_done: plots_done as u64,
            trees: plan.trees_count(),
            trees_looked_for: looked_for.sum(),
            surveys: (surveys + self.elsewhere.len()) as u64,
            surveys_elsewhere: self.elsewhere.len() as u64,
            alive_share: whole
                .then(|| Share::of_clusters(&clusters.collect::<Vec<_>>()))
                .flatten(),
        }
    }
}
