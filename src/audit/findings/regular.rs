//! Surveys that agree with each other better than chance allows, and surveys whose books or days do not fit.

use std::collections::BTreeMap;

use super::{Cases, Facts, Finding, Inconsistent, Severity, many};
use crate::audit::chance::chi_square_or_less;
use crate::audit::looked::{Books, Frame};
use crate::record::{Basis, Day, Index};

/// One surveyor's samples are compared from this number on.
const SAMPLES_MIN: usize = 10;
/// Samples whose number alive varies by less than this variance say too little.
const VARIANCE_MIN: f64 = 1.0;
/// The probability of agreeing so well by chance, of all surveyors together.
const CHANCE_MAX: f64 = 1e-4;
/// The books that a survey names may be so many days older than it.
const BOOKS_DAYS: u32 = 31;
/// A survey may be admitted so many days after it was made.
const LATE_DAYS: u32 = 92;
/// Entries that a case names.
const NAMED_MAX: usize = 10;

pub(super) fn findings(facts: &Facts<'_>, books: &Books<'_>) -> Result<Vec<Finding>, Inconsistent> {
    let found = [too_regular(facts, books)?, old_books(facts)?, late(facts)?];
    Ok(found.into_iter().flatten().collect())
}

/// Samples vary at least as chance makes them vary, and more if plots differ. Numbers that somebody made up vary less: R. A.
/// Fisher's test of Mendel's peas (Annals of Science 1, 1936), by the lower tail of the chi-square of homogeneity.
fn too_regular(facts: &Facts<'_>, books: &Books<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut samples = BTreeMap::<&str, Vec<Frame>>::new();
    for (number, _) in facts.state.plots() {
        for (index, survey) in facts.state.surveys(*number) {
            if survey.survey.basis == Basis::RandomSample {
                let frame = books.frame(index, (&survey.survey).into())?;
                if frame.is_sound() {
                    samples
                        .entry(survey.surveyor.as_str())
                        .or_default()
                        .push(frame);
                }
            }
        }
    }
    let mut cases = Cases::new(
        "surveys_too_regular",
        Severity::Medium,
        "The shares alive in this surveyor's samples differ less from each other than chance alone makes them differ. Who \
         makes numbers up does so. Ask for the notes of each tree.",
    );
    let surveyors = samples.len() as f64;
    for (surveyor, frames) in samples {
        let of = |frame: &Frame| {
            (
                frame.stood,
                frame.looked.looked_for(),
                u64::from(frame.looked.alive),
            )
        };
        let numbers: Vec<_> = frames.iter().map(of).collect();
        let Some((count, probability)) = agreement(&numbers) else {
            continue;
        };
        if probability * surveyors <= CHANCE_MAX {
            let detail = format!(
                "{count} samples: chance makes them agree so well once in {:.0} times",
                1.0 / probability.max(1e-12)
            );
            let indexes: Vec<Index> = frames.iter().map(|it| it.index).take(NAMED_MAX).collect();
            let weight = frames.iter().map(|it| u128::from(it.stood)).sum();
            cases.add(weight, format!("surveyor {surveyor}"), detail, indexes);
        }
    }
    Ok(cases.finding(|count| {
        let surveyors = many(
            count,
            "surveyor's samples agree",
            "surveyors' samples agree",
        );
        format!("{surveyors} better than chance allows")
    }))
}

/// Of samples (trees that stood, that were looked for, that were alive): how many say enough, and the probability that
/// these agree so well, or better, by chance.
fn agreement(samples: &[(u64, u64, u64)]) -> Option<(usize, f64)> {
    let sum = |number: &dyn Fn(&(u64, u64, u64)) -> u64| samples.iter().map(number).sum::<u64>();
    let share = sum(&|it| it.2) as f64 / sum(&|it| it.1) as f64;
    let (mut count, mut square) = (0, 0.0);
    for (trees, drawn, alive) in samples {
        let (trees, drawn, alive) = (*trees as f64, *drawn as f64, *alive as f64);
        let variance = drawn * share * (1.0 - share) * (trees - drawn) / (trees - 1.0).max(1.0);
        if variance >= VARIANCE_MIN {
            count += 1;
            square += (alive - share * drawn).powi(2) / variance;
        }
    }
    (count >= SAMPLES_MIN).then(|| (count, chi_square_or_less(square, count as f64 - 1.0)))
}

/// Surveys by books from before plantings that were in the log long before they were made.
fn old_books(facts: &Facts<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "survey_books_old",
        Severity::Medium,
        "The survey looked for trees by books that lack plantings which had been in the log for a month or more: those \
         trees were left out. Ask why.",
    );
    for (number, _) in facts.state.plots() {
        for (index, survey) in facts.state.surveys(*number) {
            let said = &survey.survey;
            if said.planting.is_some() {
                continue;
            }
            let (mut trees, mut first) = (0, None);
            for (_, planting) in facts.state.plantings(*number) {
                if planting.voided || planting.index <= said.as_of || planting.index >= index {
                    continue;
                }
                let known = facts.admitted_on(planting.index)?;
                if planting.planted_until <= said.surveyed_on
                    && said.surveyed_on.0.saturating_sub(known.0) > BOOKS_DAYS
                {
                    trees += planting.count();
                    first = first.or(Some(planting.index));
                }
            }
            if let Some(first) = first {
                let detail = format!(
                    "by the books after entry {}, {trees} trees left out",
                    said.as_of
                );
                cases.add(
                    trees.into(),
                    format!("plot {number}"),
                    detail,
                    vec![first, index],
                );
            }
        }
    }
    Ok(cases.finding(|count| {
        let surveys = many(count, "survey left", "surveys left");
        format!("{surveys} out trees that the books had for a month or more")
    }))
}

fn late(facts: &Facts<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "surveys_late",
        Severity::Low,
        "The survey came in months after its day. Who waits can choose which surveys to show. Ask for those that were made \
         in between.",
    )
    .weighed_by_time();
    for (number, _) in facts.state.plots() {
        for (index, survey) in facts.state.surveys(*number) {
            let on: Day = survey.survey.surveyed_on;
            let days = facts.admitted_on(index)?.0.saturating_sub(on.0);
            if days > LATE_DAYS {
                let detail = format!("of {on}, admitted {days} days later");
                cases.add(days.into(), format!("plot {number}"), detail, vec![index]);
            }
        }
    }
    Ok(cases.finding(|count| {
        let surveys = many(count, "survey was", "surveys were");
        format!("{surveys} admitted more than {LATE_DAYS} days after they were made")
    }))
}

#[cfg(test)]
mod tests {
    use super::{CHANCE_MAX, agreement};

    /// Samples drawn from plots with one share, the worst case: how many of 20,000 surveyors would be named.
    #[test]
    fn honest_samples_seldom_agree_too_well() {
        let mut state = 1_u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut named = 0;
        for run in 0..20_000 {
            let (plots, drawn, alive) = (10 + run % 30, 10 + run % 3 * 10, 60 + run % 4 * 9);
            let samples: Vec<(u64, u64, u64)> = (0..plots)
                .map(|_| {
                    let (mut left, mut good, mut found) = (100, alive, 0);
                    for _ in 0..drawn {
                        if next() % left < good {
                            good -= 1;
                            found += 1;
                        }
                        left -= 1;
                    }
                    (100, drawn, found)
                })
                .collect();
            named += u32::from(agreement(&samples).is_some_and(|it| it.1 <= CHANCE_MAX));
        }
        // 2 are expected.
        assert!(named <= 8, "{named}");
        let made_up = vec![(100, 20, 17); 12];
        assert!(agreement(&made_up).unwrap().1 < 1e-9);
        assert_eq!(agreement(&made_up[1..9]), None, "too few");
        assert_eq!(agreement(&vec![(100, 20, 20); 12]), None, "nothing varies");
    }
}
