//! Sampling plans that were not followed, or could have been chosen.

use super::{Cases, Facts, Finding, Severity, many};
use crate::audit::planned::Followed;
use crate::outcome::Outcome;
use crate::record::Index;

/// Days from a sampling day until its visits should be in the log.
const VISITS_DAYS_MAX: u32 = 180;
/// Seconds from the end of a sampling day until its seed should be cosigned: a log sends its checkpoint every ten minutes.
const SEED_S_MAX: u64 = 2 * 3600;

/// What there is to ask about plans.
pub(in crate::audit) fn of_plans(facts: &Facts<'_>, plans: &[Followed<'_>]) -> Vec<Finding> {
    let mut differs = Cases::new(
        "plan_differs",
        Severity::High,
        "The log gives another plan than this file: plots or trees were chosen, and not drawn. What the surveys that name \
         it found speaks of nothing but themselves. Ask who made the file.",
    );
    let mut missing = Cases::new(
        "plan_visits_missing",
        Severity::Medium,
        "Trees were drawn, and no survey that names the plan looked for them. Plots that were left out may be those that \
         look bad. Ask why, plot by plot.",
    );
    let mut elsewhere = Cases::new(
        "plan_surveys_elsewhere",
        Severity::Medium,
        "Surveys name a plan that has not their plot: it was not drawn. Ask who chose it.",
    );
    let mut late = Cases::new(
        "plan_seed_late",
        Severity::Low,
        "The seed was cosigned hours after the sampling day. A log that shows witnesses nothing for hours may wait for a \
         seed that it likes: ask the witnesses when they were asked.",
    )
    .weighed_by_time();
    let mut several = Cases::new(
        "plan_of_several",
        Severity::Low,
        "Other sampling days, or other numbers for the same day, were announced too. Who has several plans can show the \
         best. Ask for the plan of each.",
    );
    for plan in plans {
        let said = &plan.shown.plan;
        let subject = format!("plan {}", plan.shown.digest);
        if plan.shown.outcome == Outcome::False {
            let words = plan.shown.words.clone();
            differs.add(1, &subject, words, vec![said.announced_at]);
        }
        if facts.days_since(said.announced.day) > VISITS_DAYS_MAX {
            for done in plan.done.iter().filter(|done| done.missing() > 0) {
                let (trees, planned) = (done.looked_for, done.visit.serials.len());
                let detail = format!("{trees} of {planned} trees were looked for, by {subject}");
                let plot = done.visit.plot;
                let stated = facts.state.plot(plot).map(|it| it.stated_at);
                let indexes = match done.surveys.as_slice() {
                    [] => stated.into_iter().collect(),
                    surveys => surveys.to_vec(),
                };
                missing.add(
                    done.missing().into(),
                    format!("plot {plot}"),
                    detail,
                    indexes,
                );
            }
        }
        for (plot, survey) in &plan.elsewhere {
            let detail = format!("its survey names {subject}");
            elsewhere.add(1, format!("plot {plot}"), detail, vec![*survey]);
        }
        let after_s = said.cosigned_after_s();
        if after_s > SEED_S_MAX {
            let detail = format!(
                "{} hours after the end of {}",
                after_s / 3600,
                said.announced.day
            );
            late.add(after_s.into(), &subject, detail, vec![said.announced_at]);
        }
        if !said.others.is_empty() {
            let others: Vec<Index> = said.others.iter().map(|it| it.announced_at).collect();
            let count = others.len() as u64;
            let detail = format!("{} beside it", many(count, "announcement", "announcements"));
            several.add(count.into(), &subject, detail, others);
        }
    }
    let count = |one: &'static str, several: &'static str| move |count| many(count, one, several);
    [
        differs.finding(count(
            "plan is not what the log gives",
            "plans are not what the log gives",
        )),
        missing.finding(count(
            "plot of a plan was not visited as planned",
            "plots of a plan were not visited as planned",
        )),
        elsewhere.finding(count(
            "survey names a plan that has not its plot",
            "surveys name a plan that has not their plot",
        )),
        late.finding(count(
            "plan's seed was cosigned late",
            "plans' seeds were cosigned late",
        )),
        several.finding(count("plan is one of several", "plans are one of several")),
    ]
    .into_iter()
    .flatten()
    .collect()
}
