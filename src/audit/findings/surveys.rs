//! What surveys say by themselves, when they are missing, and who paid for them.

use std::collections::BTreeMap;

use super::payers::display_names;
use super::{Cases, Facts, Finding, Inconsistent, Severity, many};
use crate::audit::chance::{bound, refuted};
use crate::audit::estimate::percent;
use crate::audit::looked::{Books, Frame};
use crate::audit::survival::Surveyed;
use crate::ledger::{PlotState, SurveyState};
use crate::record::{Basis, Index, PlotNumber};

/// A plot without a survey is a finding once this many days passed since its first planting.
const UNSURVEYED_DAYS: u32 = 365;
/// A cohort is a finding when, by the upper end of the interval, at most this share of it lives.
const SURVIVAL_MIN: f64 = 0.5;

pub(super) fn findings(
    facts: &Facts<'_>,
    surveyed: &Surveyed<'_>,
) -> Result<Vec<Finding>, Inconsistent> {
    let found = [
        few_looked_for(facts, &surveyed.books)?,
        low_survival(facts, surveyed),
        newer_and_lower(surveyed),
        overdue(facts, &surveyed.books)?,
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

/// The surveys of each plot and of each planting that none has replaced, of those that looked for trees:
/// a smaller one replaces none, so nobody puts a due date off by looking at one tree.
fn unreplaced<'a>(
    facts: &Facts<'a>,
    books: &Books<'_>,
) -> Result<Vec<(PlotNumber, Frame, &'a SurveyState)>, Inconsistent> {
    let mut unreplaced = BTreeMap::<(PlotNumber, Option<Index>), (Frame, &SurveyState)>::new();
    for (plot, _, index, survey) in all(facts) {
        if survey.survey.looked_for() == 0 {
            continue;
        }
        let frame = books.frame(index, (&survey.survey).into())?;
        let last = unreplaced
            .entry((plot, survey.survey.planting))
            .or_insert((frame, survey));
        if frame.replaces(&last.0) {
            *last = (frame, survey);
        }
    }
    let unreplaced = unreplaced.into_iter();
    Ok(unreplaced
        .map(|((plot, _), (frame, survey))| (plot, frame, survey))
        .collect())
}

fn few_looked_for(facts: &Facts<'_>, books: &Books<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "census_incomplete",
        Severity::Low,
        "A census looks for every tree, and says of those that it did not find that they were not found. This \
         one looked for fewer than the books had, and nobody drew those by chance. Of less than 90 % it has no \
         part in any interval. Ask which trees were left out, and why.",
    );
    for (plot, _, index, survey) in all(facts) {
        let frame = books.frame(index, (&survey.survey).into())?;
        let looked_for = survey.survey.looked_for();
        if survey.survey.basis != Basis::Census || looked_for == 0 || looked_for >= frame.stood {
            continue;
        }
        if !frame.is_near_whole() {
            cases.severity = Severity::Medium;
        }
        let detail = format!(
            "looked for {looked_for} of {} trees, {}",
            frame.stood,
            percent(looked_for as f64 / frame.stood as f64, 1)
        );
        let missing = frame.stood - looked_for;
        cases.add(missing.into(), format!("plot {plot}"), detail, vec![index]);
    }
    Ok(cases.finding(|count| {
        let censuses = many(count, "census", "censuses");
        format!("{censuses} did not look for all trees")
    }))
}

fn low_survival(facts: &Facts<'_>, surveyed: &Surveyed<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "survival_low",
        Severity::Medium,
        "Of the trees planted in that year, as far as they were surveyed, at most half live. Ask \
         what the programme says in public about them.",
    );
    let cohorts = surveyed.cohorts(facts);
    let shares = || {
        let all = cohorts.iter();
        all.filter_map(|cohort| Some((cohort, cohort.survival?, cohort.survival?.interval?)))
    };
    // Many years are asked, and the more there are, the less one may rest on chance.
    let probabilities = shares().map(|(cohort, share, ends)| {
        if ends.high > SURVIVAL_MIN {
            1.0
        } else {
            // As wide an interval as so many trees have that are looked at one by one.
            let share = share.estimate.min(SURVIVAL_MIN);
            bound(share, SURVIVAL_MIN, cohort.effective_size)
        }
    });
    let refuted = refuted(&probabilities.collect::<Vec<_>>());
    for ((cohort, share, ends), is_low) in shares().zip(refuted) {
        let is_known = ends.low == ends.high && ends.high <= SURVIVAL_MIN;
        if !is_low && !is_known {
            continue;
        }
        let detail = format!(
            "{} alive ({} to {}) of {} planted; surveys speak of {} of them, and looked for {} trees",
            percent(share.estimate, 0),
            percent(ends.low, 0),
            percent(ends.high, 0),
            cohort.planted,
            cohort.surveyed,
            cohort.looked_for
        );
        cases.add(
            cohort.planted.into(),
            format!("planted in {}", cohort.year),
            detail,
            Vec::new(),
        );
    }
    cases.finding(|count| {
        let years = many(count, "year", "years");
        format!("of the trees of {years} at most half live")
    })
}

/// Surveys that are newer and smaller than others, and found less.
fn newer_and_lower(surveyed: &Surveyed<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "newer_surveys_lower",
        Severity::Low,
        "A smaller survey does not replace a larger one. But these, taken together, found fewer alive than the larger \
         and older ones allow for: survival rests on them. Ask for a new survey as large as the old.",
    );
    for (old, new) in &surveyed.replaced {
        let in_words = |frame: &Frame| {
            let looked = frame.looked;
            let (alive, looked_for) = (looked.alive, looked.looked_for());
            format!("{alive} of {looked_for} alive on {}", looked.surveyed_on)
        };
        let detail = format!("{}; before: {}", in_words(new), in_words(old));
        let subject = format!("plot {}", new.looked.plot);
        cases.add(
            new.planted.into(),
            subject,
            detail,
            vec![old.index, new.index],
        );
    }
    cases.finding(|count| {
        let surveys = many(count, "newer, smaller survey", "newer, smaller surveys");
        format!("{surveys} found fewer trees alive than older ones")
    })
}

fn overdue(facts: &Facts<'_>, books: &Books<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "surveys_overdue",
        Severity::Medium,
        "The last survey said when the next one was due, and it has not come. Ask for it.",
    )
    .weighed_by_time();
    for (number, frame, survey) in unreplaced(facts, books)? {
        let Some(due) = survey.survey.next_due.filter(|due| *due < facts.as_of) else {
            continue;
        };
        let planting = frame.looked.planting;
        let of = planting.map_or(String::new(), |index| format!(", planting {index}"));
        let detail = format!("due on {due}, surveyed on {}", survey.survey.surveyed_on);
        cases.add(
            facts.days_since(due).into(),
            format!("plot {number}{of}"),
            detail,
            vec![frame.index],
        );
    }
    Ok(cases.finding(|count| format!("{} overdue", many(count, "survey is", "surveys are"))))
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
    let names = display_names(facts);
    let mut cases = Cases::new(
        "survey_paid_by_planter",
        Severity::Medium,
        "Who planted, or funded the planting, paid for the survey of it. Ask for one that somebody \
         else pays for.",
    );
    for (number, plot, index, survey) in all(facts) {
        let payer = survey.survey.paid_by.as_str().trim();
        let mut planter = names.get(plot.holder.as_str()).into_iter().flatten();
        if payer == plot.plot.funded_by.as_str()
            || planter.any(|name| *name == payer)
            || payer == plot.holder.as_str()
        {
            let basis = survey.survey.basis.words();
            let detail = format!("{basis} of {}, paid by {payer}", survey.survey.surveyed_on);
            cases.add_survey(number, plot, index, detail);
        }
    }
    cases.finding(|count| {
        let surveys = many(count, "survey was", "surveys were");
        format!("{surveys} paid for by the planter or the funder")
    })
}
