//! What surveys say beside the books, when they are missing, and who paid for them.

use std::collections::BTreeMap;

use super::{Cases, Facts, Finding, Inconsistent, Severity, many};
use crate::audit::survival::{PlantingBooks, Share, cohorts};
use crate::ledger::{PlotState, SurveyState};
use crate::record::{Index, PlotNumber};

/// A plot without a survey is a finding once this many days passed since its first planting.
const UNSURVEYED_DAYS: u32 = 365;
/// A cohort is a finding when, by the upper end of the interval, at most this share of it lives.
const SURVIVAL_MIN: f64 = 0.5;

pub(super) fn findings(facts: &Facts<'_>) -> Result<Vec<Finding>, Inconsistent> {
    let found = [
        against_books(facts)?,
        more_than_books(facts)?,
        low_survival(facts)?,
        overdue(facts),
        never(facts),
        one_payer(facts),
        own_payer(facts),
    ];
    Ok(found.into_iter().flatten().collect())
}

/// All surveys that were not voided, with their plots.
fn all<'a>(
    facts: &Facts<'a>,
) -> impl Iterator<Item = (PlotNumber, &'a PlotState, Index, &'a SurveyState)> {
    let state = facts.state;
    state.plots().flat_map(move |(number, plot)| {
        state
            .surveys(*number)
            .map(move |(index, survey)| (*number, plot, index, survey))
    })
}

/// The latest survey that looked for trees, of each plot and of each planting.
fn latest<'a>(
    facts: &Facts<'a>,
) -> BTreeMap<(PlotNumber, Option<Index>), (Index, &'a SurveyState)> {
    let mut latest = BTreeMap::new();
    for (plot, _, index, survey) in all(facts) {
        if survey.survey.looked_for() > 0 {
            latest.insert((plot, survey.survey.planting), (index, survey));
        }
    }
    latest
}

fn against_books(facts: &Facts<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "survey_implies_losses",
        Severity::High,
        "Even at the lower end of its 95 % interval the survey found more trees dead than the books \
         count as lost. Ask why no loss was booked.",
    );
    let books = PlantingBooks::new(facts.state);
    let mut trees = 0;
    for ((number, _), (index, survey)) in latest(facts) {
        let base = books.base(index, &survey.survey)?;
        // Nothing is planted that the survey could speak of.
        let Some(share) = Share::dead_in(&survey.survey, &base) else {
            continue;
        };
        let among = base.looked_among(&survey.survey);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a share of the trees, which are counted in 64 bits"
        )]
        let dead_of_these = ((share.low * among as f64).floor() as u64).min(among);
        // Those that were not looked among are the ones that the books had as lost by then.
        let dead_least = base.planted - among + dead_of_these;
        // When more trees are booked as lost than the survey implies, none is missing.
        let missing = dead_least.saturating_sub(base.lost);
        if missing > 0 {
            trees += missing;
            let detail = format!(
                "{} of {} found dead on {}: at least {dead_least} of {} planted are dead; {} are \
                 booked as lost, at least {missing} more are not",
                survey.survey.dead,
                survey.survey.looked_for(),
                survey.survey.surveyed_on,
                base.planted,
                base.lost
            );
            cases.add(
                missing.into(),
                format!("plot {number}"),
                detail,
                vec![index],
            );
        }
    }
    Ok(cases.finding(|count| {
        format!(
            "{} at least {} that no loss was booked for",
            many(count, "survey implies", "surveys imply"),
            many(trees, "dead tree", "dead trees")
        )
    }))
}

fn more_than_books(facts: &Facts<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "survey_exceeds_books",
        Severity::High,
        "The survey found more trees alive than the books had standing at the entry that it names. Ask whether they are \
         trees of the programme, or grew there before it.",
    );
    let books = PlantingBooks::new(facts.state);
    for (number, _, index, survey) in all(facts) {
        let standing = books.base(index, &survey.survey)?.standing;
        let alive = u64::from(survey.survey.alive);
        if alive > standing {
            let as_of = survey.survey.as_of;
            let detail = format!("{alive} found alive, {standing} in the books at entry {as_of}");
            cases.add(
                u128::from(alive - standing),
                format!("plot {number}"),
                detail,
                vec![index],
            );
        }
    }
    Ok(cases.finding(|count| {
        let surveys = many(count, "survey is", "surveys are");
        format!("{surveys} of more living trees than the books held")
    }))
}

fn low_survival(facts: &Facts<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "survival_low",
        Severity::Medium,
        "Of the trees planted in that year, as far as they were surveyed, at most half live. Ask \
         what the programme says in public about them.",
    );
    for cohort in cohorts(facts.state)? {
        let Some(share) = cohort.survival.filter(|share| share.high <= SURVIVAL_MIN) else {
            continue;
        };
        let detail = format!(
            "{:.0} % alive ({:.0} to {:.0} %) of {} planted; {} of them were surveyed",
            share.estimate * 100.0,
            share.low * 100.0,
            share.high * 100.0,
            cohort.planted,
            cohort.surveyed
        );
        cases.add(
            cohort.planted.into(),
            format!("planted in {}", cohort.year),
            detail,
            Vec::new(),
        );
    }
    Ok(cases.finding(|count| {
        let years = many(count, "year", "years");
        format!("of the trees of {years} at most half live")
    }))
}

fn overdue(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "surveys_overdue",
        Severity::Medium,
        "The last survey said when the next one was due, and it has not come. Ask for it.",
    )
    .weighed_by_time();
    for ((number, planting), (index, survey)) in latest(facts) {
        let Some(due) = survey.survey.next_due.filter(|due| *due < facts.as_of) else {
            continue;
        };
        let of = planting.map_or(String::new(), |index| format!(", planting {index}"));
        let detail = format!("due on {due}, surveyed on {}", survey.survey.surveyed_on);
        cases.add(
            facts.days_since(due).into(),
            format!("plot {number}{of}"),
            detail,
            vec![index],
        );
    }
    cases.finding(|count| format!("{} overdue", many(count, "survey is", "surveys are")))
}

fn never(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "plots_never_surveyed",
        Severity::Medium,
        "More than a year after its first planting nobody but the planter has spoken of the plot. \
         Ask for a survey.",
    );
    let mut trees = 0;
    for stated in facts.state.plots() {
        let (number, plot) = stated;
        let mut surveys = facts.state.surveys(*number);
        if surveys.any(|(_, survey)| survey.survey.looked_for() > 0) || plot.planted() == 0 {
            continue;
        }
        let first = facts.state.first_planted_by(*number);
        let Some(since) = first.filter(|day| facts.days_since(*day) > UNSURVEYED_DAYS) else {
            continue;
        };
        trees += plot.planted();
        let detail = format!("{} trees planted since {since}", plot.planted());
        cases.add_plot(plot.planted().into(), stated, detail);
    }
    cases.finding(|count| {
        format!(
            "{} with {} never surveyed",
            many(count, "plot", "plots"),
            many(trees, "tree was", "trees were")
        )
    })
}

fn one_payer(facts: &Facts<'_>) -> Option<Finding> {
    let mut payers = BTreeMap::<&str, Vec<Index>>::new();
    let mut surveyors = std::collections::BTreeSet::new();
    for (_, _, index, survey) in all(facts) {
        payers
            .entry(survey.survey.paid_by.as_str().trim())
            .or_default()
            .push(index);
        surveyors.insert(survey.surveyor.as_str());
    }
    let mut cases = Cases::new(
        "surveys_one_payer",
        Severity::Medium,
        "Who pays for every survey may choose whom to ask again. Ask for one that somebody else \
         pays for.",
    );
    if let Some((payer, surveys)) = payers.first_key_value()
        && payers.len() == 1
        && surveys.len() > 1
    {
        let detail = format!(
            "paid for all {} surveys, by {}",
            surveys.len(),
            many(surveyors.len() as u64, "surveyor", "surveyors")
        );
        let ends = surveys.first().into_iter().chain(surveys.last());
        cases.add(0, *payer, detail, ends.copied().collect());
    }
    cases.finding(|_| "one payer paid for all surveys".to_owned())
}

fn own_payer(facts: &Facts<'_>) -> Option<Finding> {
    let names: BTreeMap<&str, &str> = facts
        .state
        .keys()
        .filter_map(|key| match &key.role {
            crate::ledger::KeyRole::Issuer {
                holder,
                display_name,
                ..
            } => Some((holder.as_str(), display_name.as_str())),
            _ => None,
        })
        .collect();
    let mut cases = Cases::new(
        "survey_paid_by_planter",
        Severity::Medium,
        "Who planted, or funded the planting, paid for the survey of it. Ask for one that somebody \
         else pays for.",
    );
    for (number, plot, index, survey) in all(facts) {
        let payer = survey.survey.paid_by.as_str().trim();
        let planter = names.get(plot.holder.as_str()).copied();
        if payer == plot.plot.funded_by.as_str()
            || Some(payer) == planter
            || payer == plot.holder.as_str()
        {
            let basis = survey.survey.basis.words();
            let detail = format!("{basis} of {}, paid by {payer}", survey.survey.surveyed_on);
            cases.add(
                plot.planted().into(),
                format!("plot {number}"),
                detail,
                vec![index, plot.stated_at],
            );
        }
    }
    cases.finding(|count| {
        let surveys = many(count, "survey was", "surveys were");
        format!("{surveys} paid for by the planter or the funder")
    })
}
