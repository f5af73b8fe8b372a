//! What was said before and is no longer: surveys and plantings that were voided, plots that were stated
//! again, grants that came late.

use super::survey_books::unbooked_dead;
use super::{Cases, Facts, Finding, Inconsistent, Severity, many};
use crate::audit::looked::Books;
use crate::audit::observe::GRANT_DAYS_MAX;
use crate::audit::restated::{Change, Restated};
use crate::ledger::PlotState;
use crate::record::CarbonRights;

pub(super) fn findings(facts: &Facts<'_>, books: &Books<'_>) -> Result<Vec<Finding>, Inconsistent> {
    let found = [
        surveys_voided(facts, books)?,
        plantings_voided(facts),
        moved(facts),
        enlarged(facts),
        rights(facts),
        funders(facts),
        late_grants(facts),
    ];
    Ok(found.into_iter().flatten().collect())
}

fn surveys_voided(facts: &Facts<'_>, books: &Books<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "surveys_voided",
        Severity::Medium,
        "A survey was taken back. It is high when the survey found more dead trees without a loss than those that \
         still stand. Ask the surveyor what was wrong with it, and for its evidence.",
    );
    for (index, looked) in &facts.observations.surveys {
        let Some(void) = facts.state.voided_by(*index) else {
            continue;
        };
        let voided = books.frame(*index, *looked)?;
        let mut frames = books.frames(looked.plot)?;
        let (before, _) = unbooked_dead(&frames);
        frames.push(voided);
        let (with_it, _) = unbooked_dead(&frames);
        let hidden = with_it.saturating_sub(before);
        if hidden > 0 {
            cases.severity = Severity::High;
        }
        let mut detail = format!(
            "{} of {}: {} of {} looked for alive, {} dead",
            looked.basis.words(),
            looked.surveyed_on,
            looked.alive,
            looked.looked_for(),
            looked.dead
        );
        if hidden > 0 {
            detail += &format!("; {hidden} of the dead are in no survey and no loss any more");
        }
        let subject = format!("plot {}", looked.plot);
        cases.add(hidden.into(), subject, detail, vec![*index, void]);
    }
    Ok(cases.finding(|count| format!("{} voided", many(count, "survey was", "surveys were"))))
}

fn plantings_voided(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "plantings_voided_after_survey",
        Severity::Medium,
        "A planting was voided after a survey had looked for its trees. Voided trees were never planted: no loss is \
         booked for them, and no share counts them. It is high when the survey found dead trees. Ask whether they \
         were planted.",
    );
    for (plot, _, planting) in facts.state.plantings_all() {
        let Some(void) = facts
            .state
            .voided_by(planting.index)
            .filter(|_| planting.voided)
        else {
            continue;
        };
        let surveys = facts.state.surveys(plot).filter(|(index, survey)| {
            let survey = &survey.survey;
            *index < void
                && planting.index <= survey.as_of
                && survey.planting.is_none_or(|one| one == planting.index)
                && survey.looked_for() > 0
        });
        let worst = surveys.max_by_key(|(_, survey)| survey.survey.dead);
        let Some((index, survey)) = worst else {
            continue;
        };
        if survey.survey.dead > 0 {
            cases.severity = Severity::High;
        }
        let detail = format!(
            "{} trees voided; the survey of {} had found {} dead and {} not found of {}",
            planting.count(),
            survey.survey.surveyed_on,
            survey.survey.dead,
            survey.survey.not_found,
            survey.survey.looked_for()
        );
        cases.add(
            planting.count().into(),
            format!("plot {plot}, planting {}", planting.index),
            detail,
            vec![planting.index, index, void],
        );
    }
    cases.finding(|count| {
        let plantings = many(count, "planting was", "plantings were");
        format!("{plantings} voided after a survey had looked for the trees")
    })
}

/// Changes of plots, with the plots as they are now.
fn changes<'a>(facts: &Facts<'a>) -> impl Iterator<Item = (&'a Restated, Option<&'a PlotState>)> {
    let state = facts.state;
    let changes = facts.observations.plots.changes.iter();
    changes.map(move |change| (change, state.plot(change.plot)))
}

impl Cases {
    fn add_change(&mut self, restated: &Restated, plot: Option<&PlotState>, detail: String) {
        let trees = plot.map_or(0, PlotState::planted);
        let subject = format!("plot {}", restated.plot);
        let indexes = vec![restated.before, restated.index];
        self.add(trees.into(), subject, detail, indexes);
    }
}

fn moved(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "plots_moved",
        Severity::Medium,
        "A plot was stated again at another place; trees can't be. It is high when the two places have nothing in \
         common. Ask where the trees are.",
    );
    for (restated, plot) in changes(facts) {
        if let Change::Moved { by_m, radii_m } = restated.change {
            if by_m > radii_m {
                cases.severity = Severity::High;
            }
            let detail = format!("moved by {by_m} m; the radii are {radii_m} m together");
            cases.add_change(restated, plot, detail);
        }
    }
    cases.finding(|count| {
        format!(
            "{} to another place",
            many(count, "plot was moved", "plots were moved")
        )
    })
}

fn enlarged(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "plots_enlarged",
        Severity::Low,
        "A plot was stated again with a larger area or more trees on a hectare: more trees may be booked on it. Ask \
         what changed on the land.",
    );
    for (restated, plot) in changes(facts) {
        if let Change::Enlarged {
            area_m2,
            trees_per_ha_max,
        } = restated.change
        {
            let now = plot.map_or(String::new(), |plot| {
                let (area, trees) = (plot.plot.area_m2, plot.plot.trees_per_ha_max);
                format!("; now {area} m², {trees} trees on a hectare")
            });
            let detail = format!("{area_m2} m², {trees_per_ha_max} trees on a hectare before{now}");
            cases.add_change(restated, plot, detail);
        }
    }
    cases.finding(|count| {
        let plots = many(count, "plot was", "plots were");
        format!("{plots} stated again to hold more trees")
    })
}

fn in_words(rights: &CarbonRights) -> String {
    match rights {
        CarbonRights::NoneIssued => "no credits issued".to_owned(),
        CarbonRights::Issued { registry, id } => format!("issued: {registry} {id}"),
        CarbonRights::Unknown => "unknown".to_owned(),
    }
}

fn rights(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "plot_rights_changed",
        Severity::Medium,
        "The planter changed what is said of carbon credits on the plot. It is high when credits were said to be \
         issued and are not any more: they do not go away. Ask the registry.",
    );
    for (restated, plot) in changes(facts) {
        if let Change::Rights { before, after } = &restated.change {
            let is_issued = |rights: &CarbonRights| matches!(rights, CarbonRights::Issued { .. });
            if is_issued(before) && !is_issued(after) {
                cases.severity = Severity::High;
            }
            let detail = format!("{}; before: {}", in_words(after), in_words(before));
            cases.add_change(restated, plot, detail);
        }
    }
    cases.finding(|count| {
        let statements = many(count, "statement changes", "statements change");
        format!("{statements} what is said of a plot's carbon credits")
    })
}

fn funders(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "plot_funder_changed",
        Severity::Medium,
        "Another one is said to pay for trees that may be planted already. Ask who paid, and what each was promised.",
    );
    for (restated, plot) in changes(facts) {
        if let Change::Funder { before } = &restated.change {
            let now = plot.map_or("", |plot| plot.plot.funded_by.as_str());
            let detail = format!("before: {before}; now: {now}");
            cases.add_change(restated, plot, detail);
        }
    }
    cases.finding(|count| {
        let statements = many(count, "statement names", "statements name");
        format!("{statements} another funder of a plot")
    })
}

fn late_grants(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "grants_late",
        Severity::Low,
        "A grant was admitted long after the governors signed it. It may have been refused before, or held back: a \
         log does not hold what it refused. Ask the governors whether they still meant it.",
    )
    .weighed_by_time();
    for grant in &facts.observations.late_grants {
        let detail = format!("admitted {} days after its issue", grant.days);
        let subject = format!("grant {}", grant.index);
        cases.add(grant.days.into(), subject, detail, vec![grant.index]);
    }
    cases.finding(|count| {
        let grants = many(count, "grant was", "grants were");
        format!("{grants} admitted more than {GRANT_DAYS_MAX} days after the issue")
    })
}
