//! Days that do not fit each other: trees before their plot, planting in frost, surveys on the day of
//! planting, and surveys that nobody will repeat.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cases, Facts, Finding, Inconsistent, Severity, many};
use crate::ledger::{PlantingState, PlotState};
use crate::record::{Basis, Day, Index, PlotNumber};

/// A planting may be recorded, and its plot stated, so many days after it.
const RECORDED_DAYS: u32 = 30;
/// A survey so few days after the planting found what was planted.
const SOON_DAYS: u32 = 2;
/// A survey is not due again when, so many days after it, nobody said when the next one comes.
const UNDUE_DAYS: u32 = 3 * 365 + 1;
/// Nor when the next one comes later than that.
const DUE_DAYS_MAX: u32 = 3_652;
/// One surveyor's plots of one day, visited, beyond which somebody asks how.
const VISITS_MAX: usize = 100;
/// Trees looked at on foot on one day, likewise.
const TREES_MAX: u64 = 50_000;
/// Degrees north from which the ground is frozen from December to February.
const FROST_DEGREES: f64 = 60.0;
/// Trees that frost kills, by the first word or words of their names, with the degrees beyond which they stand
/// nowhere outdoors. Avicennia marina, the hardiest mangrove, ends at 38.9° south; cocoa, rubber and oil palms
/// are grown within 25°, and the coconut within 30°.
const TENDER: [(&str, f64); 10] = [
    ("mangrove", 42.0),
    ("avicennia", 42.0),
    ("rhizophora", 42.0),
    ("bruguiera", 42.0),
    ("sonneratia", 42.0),
    ("theobroma cacao", 38.0),
    ("hevea", 38.0),
    ("elaeis guineensis", 38.0),
    ("cocos nucifera", 38.0),
    ("adansonia", 42.0),
];

pub(super) fn findings(facts: &Facts<'_>) -> Result<Vec<Finding>, Inconsistent> {
    let found = [
        before_plot(facts)?,
        in_frost(facts),
        tender(facts),
        at_planting(facts),
        not_due(facts),
        many_visits(facts),
    ];
    Ok(found.into_iter().flatten().collect())
}

fn before_plot(facts: &Facts<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "planted_before_plot",
        Severity::Low,
        "The trees stood before anybody stated the plot in this ledger. That is no fault: it means that the programme \
         did not plan them in public. Ask what it added.",
    );
    let mut trees = 0;
    for stated in facts.state.plots() {
        let (number, _) = stated;
        let first = facts.observations.plots_stated.get(number);
        let first =
            first.ok_or_else(|| Inconsistent::new(format!("plot {number} was never stated")))?;
        let stated_on = facts.admitted_on(*first)?;
        let plantings = facts.state.plantings(*number).map(|(_, planting)| planting);
        let (mut earlier, mut earliest) = (0, None::<Day>);
        for planting in plantings.filter(|it| !it.voided) {
            if planting.planted_until.later(RECORDED_DAYS) < stated_on {
                earlier += planting.count();
                let day = planting.planted_until;
                earliest = Some(earliest.map_or(day, |known| known.min(day)));
            }
        }
        if let Some(earliest) = earliest {
            trees += earlier;
            let detail = format!(
                "{}, planted from {earliest} on; the plot was stated on {stated_on}",
                many(earlier, "tree", "trees")
            );
            cases.add(
                earlier.into(),
                format!("plot {number}"),
                detail,
                vec![*first],
            );
        }
    }
    Ok(cases.finding(|count| {
        let plots = many(count, "plot", "plots");
        let trees = many(trees, "tree was", "trees were");
        format!(
            "{trees} planted on {plots} more than {RECORDED_DAYS} days before the plot was stated"
        )
    }))
}

/// All plantings that were not voided, with their plots.
fn unvoided<'a>(
    facts: &Facts<'a>,
) -> impl Iterator<Item = (PlotNumber, &'a PlotState, &'a PlantingState)> {
    let state = facts.state;
    let plantings = state.plantings_all().filter(|(.., it)| !it.voided);
    plantings.filter_map(move |(number, _, planting)| {
        let plot = state.plot(number)?;
        Some((number, plot, planting))
    })
}

/// Adds a case of a planting, weighed by its trees.
fn add_planting(cases: &mut Cases, number: PlotNumber, planting: &PlantingState, detail: String) {
    let subject = format!("plot {number}");
    let indexes = vec![planting.index];
    cases.add(planting.count().into(), subject, detail, indexes);
}

fn in_frost(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "planted_in_frost",
        Severity::Low,
        "From December to February the ground is frozen so far north. Ask for pictures of the planting.",
    );
    for (number, plot, planting) in unvoided(facts) {
        let north = plot.plot.place.circle().latitude.degrees();
        let is_winter = |day: Day| matches!(day.ymd().1, 12 | 1 | 2);
        let (from, until) = (planting.planted_from, planting.planted_until);
        // All of it lies in one winter.
        if north >= FROST_DEGREES
            && is_winter(from)
            && is_winter(until)
            && until.0.saturating_sub(from.0) < 91
        {
            let detail = format!(
                "{}, {north:.1}° north, from {from} to {until}",
                many(planting.count(), "tree", "trees")
            );
            add_planting(&mut cases, number, planting, detail);
        }
    }
    cases.finding(|count| {
        let plantings = many(count, "planting is", "plantings are");
        format!("{plantings} of a winter beyond {FROST_DEGREES}° north")
    })
}

fn tender(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "species_out_of_range",
        Severity::Medium,
        "The species does not outlive a winter there. Ask what was planted.",
    );
    for (number, plot, planting) in unvoided(facts) {
        let Some(name) = facts.state.species_name(planting.species) else {
            continue;
        };
        let lower = name.to_lowercase();
        let degrees = plot.plot.place.circle().latitude.degrees().abs();
        let known = TENDER.iter().find(|(begin, _)| lower.starts_with(begin));
        if known.is_some_and(|(_, most)| degrees > *most) {
            let detail = format!(
                "{} {name}, {degrees:.1}° from the equator",
                planting.count()
            );
            add_planting(&mut cases, number, planting, detail);
        }
    }
    cases.finding(|count| {
        let plantings = many(count, "planting is", "plantings are");
        format!("{plantings} of a species that grows nowhere near")
    })
}

fn at_planting(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "survey_at_planting",
        Severity::Low,
        "The survey was made within two days of the planting: it counts what was planted, and says nothing of survival. \
         Ask for one that is made later.",
    );
    for (number, _) in facts.state.plots() {
        for (index, survey) in facts.state.surveys(*number) {
            let said = &survey.survey;
            let plantings = facts.state.plantings(*number).map(|(_, planting)| planting);
            let spoken_of = plantings.filter(|it| {
                let is_named = said.planting.is_none_or(|named| named == it.index);
                !it.voided && is_named && it.index <= said.as_of
            });
            let Some(first) = spoken_of.map(|it| it.planted_from).min() else {
                continue;
            };
            if said.looked_for() > 0 && said.surveyed_on <= first.later(SOON_DAYS) {
                let detail = format!("planted from {first} on, surveyed on {}", said.surveyed_on);
                cases.add(
                    said.looked_for().into(),
                    format!("plot {number}"),
                    detail,
                    vec![index],
                );
            }
        }
    }
    cases.finding(|count| {
        let surveys = many(count, "survey was", "surveys were");
        format!("{surveys} made within {SOON_DAYS} days of the planting")
    })
}

fn not_due(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "survey_not_due_again",
        Severity::Low,
        "Nobody said when these trees are looked at again, or only after more than ten years: what dies meanwhile is not \
         told. Ask for a day.",
    )
    .weighed_by_time();
    let mut latest = BTreeMap::<(PlotNumber, Option<Index>), _>::new();
    for (number, _) in facts.state.plots() {
        for (index, survey) in facts.state.surveys(*number) {
            latest.insert((*number, survey.survey.planting), (index, &survey.survey));
        }
    }
    for ((number, _), (index, survey)) in latest {
        let since = facts.days_since(survey.surveyed_on);
        let detail = match survey.next_due {
            Some(due) if due > survey.surveyed_on.later(DUE_DAYS_MAX) => {
                format!("surveyed on {}, due again on {due}", survey.surveyed_on)
            }
            None if since > UNDUE_DAYS => {
                format!(
                    "surveyed on {}, and no next day was named",
                    survey.surveyed_on
                )
            }
            _ => continue,
        };
        cases.add(since.into(), format!("plot {number}"), detail, vec![index]);
    }
    cases.finding(|count| {
        let surveys = many(count, "survey", "surveys");
        format!("after {surveys} no other is due for years")
    })
}

/// What a surveyor visited on a day.
#[derive(Default)]
struct Visits {
    plots: BTreeSet<PlotNumber>,
    trees: u64,
    first: Option<Index>,
    last: Option<Index>,
}

fn many_visits(facts: &Facts<'_>) -> Option<Finding> {
    let mut visits = BTreeMap::<(&str, Day), Visits>::new();
    for (number, _) in facts.state.plots() {
        for (index, survey) in facts.state.surveys(*number) {
            let said = &survey.survey;
            // From the air or from space, a day is enough for all.
            if said.basis == Basis::RemoteSensing || said.looked_for() == 0 {
                continue;
            }
            let day = visits.entry((survey.surveyor.as_str(), said.surveyed_on));
            let day = day.or_default();
            day.plots.insert(*number);
            day.trees += said.looked_for();
            day.first = Some(day.first.map_or(index, |known| known.min(index)));
            day.last = day.last.max(Some(index));
        }
    }
    let mut cases = Cases::new(
        "surveyor_many_visits",
        Severity::Medium,
        "So many plots, or trees, were visited by one surveyor on one day. Ask how many people went, and for their \
         notes.",
    );
    for ((surveyor, day), visits) in visits {
        if visits.plots.len() > VISITS_MAX || visits.trees > TREES_MAX {
            let detail = format!(
                "{} on {day}, {}",
                many(visits.plots.len() as u64, "plot", "plots"),
                many(visits.trees, "tree", "trees")
            );
            let mut ends: Vec<Index> = visits.first.into_iter().chain(visits.last).collect();
            ends.dedup();
            cases.add(
                visits.trees.into(),
                format!("surveyor {surveyor}"),
                detail,
                ends,
            );
        }
    }
    cases.finding(|count| {
        let days = many(count, "day", "days");
        format!("{days} on which one surveyor visited more than {VISITS_MAX} plots, or {TREES_MAX} trees")
    })
}
