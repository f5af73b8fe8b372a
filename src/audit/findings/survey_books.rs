//! What surveys found, held against the books.

use super::{Cases, Facts, Finding, Inconsistent, Severity, many};
use crate::audit::chance::{count_or_more, refuted};
use crate::audit::estimate::percent;
use crate::audit::looked::{Frame, Looked};
use crate::audit::survival::{Surveyed, Tally};
use crate::record::{Basis, Index, PlotNumber};
use std::collections::BTreeMap;

pub(super) fn findings(
    facts: &Facts<'_>,
    surveyed: &Surveyed<'_>,
) -> Result<Vec<Finding>, Inconsistent> {
    let mut plots = Vec::new();
    for (plot, _) in facts.state.plots() {
        let frames = surveyed.books.frames(*plot)?;
        if !frames.is_empty() {
            plots.push((*plot, frames));
        }
    }
    let found = [
        losses_implied(&plots),
        samples_against_books(&plots),
        all_against_books(surveyed, &plots),
        more_than_books(&plots),
        losses_dated_back(&plots),
    ];
    Ok(found.into_iter().flatten().collect())
}

type Surveys = [(PlotNumber, Vec<Frame>)];

/// The fewest trees of a plot that were found dead and have no loss, with the surveys that say so: of all
/// surveys that ever were, since the dead stay dead. A survey of the plot and those of its plantings
/// saw the same trees, so they are not added.
pub(super) fn unbooked_dead<'f>(frames: &'f [Frame]) -> (u64, Vec<&'f Frame>) {
    let mut whole: Option<&Frame> = None;
    let mut single = BTreeMap::<Index, &Frame>::new();
    let worse = |frame: &Frame, than: &Frame| frame.unbooked_dead() > than.unbooked_dead();
    for frame in frames {
        match frame.looked.planting {
            None if whole.is_none_or(|before| worse(frame, before)) => whole = Some(frame),
            None => {}
            Some(planting) => {
                let worst: &mut &'f Frame = single.entry(planting).or_insert(frame);
                if worse(frame, worst) {
                    *worst = frame;
                }
            }
        }
    }
    let single: Vec<&Frame> = single
        .into_values()
        .filter(|it| it.unbooked_dead() > 0)
        .collect();
    let of_plantings = single.iter().map(|frame| frame.unbooked_dead()).sum();
    match whole.map(|frame| (frame.unbooked_dead(), frame)) {
        Some((dead, frame)) if dead >= of_plantings => (dead, vec![frame]),
        _ => (of_plantings, single),
    }
}

fn losses_implied(plots: &Surveys) -> Option<Finding> {
    let mut cases = Cases::new(
        "survey_implies_losses",
        Severity::High,
        "More trees were found dead than losses were booked for since the books that the survey was made by. \
         Each was found; a later survey that found others does not bring them back. Ask why no loss was booked.",
    );
    let mut trees = 0;
    for (number, frames) in plots {
        let (missing, surveys) = unbooked_dead(frames);
        let Some(first) = surveys.first() else {
            continue;
        };
        if missing == 0 {
            continue;
        }
        trees += missing;
        let dead: u64 = surveys.iter().map(|it| u64::from(it.looked.dead)).sum();
        let looked_for: u64 = surveys.iter().map(|it| it.looked.looked_for()).sum();
        let booked: u64 = surveys.iter().map(|it| it.booked).sum();
        let detail = format!(
            "{dead} of {looked_for} looked for were found dead on {}; losses of {booked} were booked since, at \
             least {missing} are not",
            first.looked.surveyed_on,
        );
        cases.add(
            missing.into(),
            format!("plot {number}"),
            detail,
            surveys.iter().map(|frame| frame.index).collect(),
        );
    }
    cases.finding(|count| {
        format!(
            "on {} at least {} found that no loss was booked for",
            many(count, "plot", "plots"),
            many(trees, "dead tree was", "dead trees were")
        )
    })
}

/// Random samples in which more were dead than chance allows, if the books had all losses.
fn samples_against_books(plots: &Surveys) -> Option<Finding> {
    let mut cases = Cases::new(
        "sample_implies_losses",
        Severity::High,
        "If the books had all losses, a random sample would hardly hold that many dead trees. All samples of this \
         audit are judged together: in 19 of 20 audits of books that are right, none is named here. Ask for a \
         census.",
    );
    let samples: Vec<(PlotNumber, &Frame)> = plots
        .iter()
        .flat_map(|(number, frames)| frames.iter().map(|frame| (*number, frame)))
        .filter(|(_, frame)| {
            frame.is_drawn() && frame.looked.basis == Basis::RandomSample && !frame.is_whole()
        })
        .collect();
    let probabilities = samples.iter().map(|(_, frame)| {
        // Of those that stood then, at most so many are dead by the books of today; those that were found dead
        // beyond that are told by themselves.
        let dead_most = frame.booked + frame.voided + frame.unbooked_dead();
        let drawn = frame.looked.looked_for();
        count_or_more(frame.stood, dead_most, drawn, frame.looked.dead.into())
    });
    let refuted = refuted(&probabilities.collect::<Vec<_>>());
    for ((number, frame), is_refuted) in samples.into_iter().zip(refuted) {
        if !is_refuted {
            continue;
        }
        let (looked_for, dead) = (frame.looked.looked_for(), u64::from(frame.looked.dead));
        let of_all = dead as f64 / looked_for as f64;
        let detail = format!(
            "{dead} of {looked_for} drawn were dead, {}; by the books {} of {} are, {}",
            percent(of_all, 0),
            frame.booked,
            frame.stood,
            percent(frame.booked as f64 / frame.stood as f64, 0)
        );
        let trees = u128::from(dead) * u128::from(frame.stood) / u128::from(looked_for.max(1));
        let missing = trees.saturating_sub(frame.booked.into());
        cases.add(missing, format!("plot {number}"), detail, vec![frame.index]);
    }
    cases.finding(|count| {
        let samples = many(count, "random sample holds", "random samples hold");
        format!("{samples} more dead trees than the books can explain")
    })
}

/// All surveys together, and the books of the same plantings.
fn all_against_books(surveyed: &Surveyed<'_>, plots: &Surveys) -> Option<Finding> {
    let mut cases = Cases::new(
        "survival_below_books",
        Severity::Medium,
        "All surveys together leave fewer trees alive than stand in the books, even at the upper end of the 95 % \
         interval; those found dead on single plots are not counted again. It is high when that holds \
         though every tree that was not found is taken to live. Ask for a census, and for the losses.",
    );
    let mut tally = Tally::default();
    for frame in &surveyed.frames {
        tally.add(frame, frame.planted, frame.standing());
    }
    let planted: u64 = surveyed.frames.iter().map(|frame| frame.planted).sum();
    let standing: u64 = surveyed.frames.iter().map(Frame::standing).sum();
    let named: u64 = plots
        .iter()
        .map(|(_, frames)| unbooked_dead(frames).0)
        .sum();
    let most = |found: fn(&Looked) -> u64| {
        let share = tally.share(found)?;
        let ends = share.interval?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a share of the trees, which are counted in 64 bits"
        )]
        let most = ((ends.high * planted as f64).ceil() as u64).min(standing);
        let missing = (standing - most).saturating_sub(named);
        (missing > 0).then_some((share, ends, missing))
    };
    let not_dead = most(|looked| looked.looked_for() - u64::from(looked.dead));
    let alive = most(|looked| looked.alive.into());
    if not_dead.is_some() {
        cases.severity = Severity::High;
    }
    let mut title = String::new();
    if let Some((share, ends, missing)) = not_dead.or(alive) {
        let word = match not_dead {
            Some(_) => "not dead",
            None => "found alive",
        };
        let surveys = many(surveyed.frames.len() as u64, "survey", "surveys");
        let looked_for: u64 = surveyed
            .frames
            .iter()
            .map(|it| it.looked.looked_for())
            .sum();
        let detail = format!(
            "{} of those planted {word} ({} to {}), by {surveys} that looked for {looked_for} of {planted} trees; {} \
             stand in the books: at least {missing} more are missing",
            percent(share.estimate, 0),
            percent(ends.low, 0),
            percent(ends.high, 0),
            percent(standing as f64 / planted as f64, 0),
        );
        title = format!(
            "surveys and books differ by at least {}",
            many(missing, "tree", "trees")
        );
        let indexes = surveyed.frames.iter().map(|frame| frame.index);
        let ends = indexes.clone().min().into_iter().chain(indexes.max());
        let mut ends: Vec<Index> = ends.collect();
        ends.dedup();
        cases.add(missing.into(), "all surveyed plots", detail, ends);
    }
    cases.finding(|_| title)
}

fn more_than_books(plots: &Surveys) -> Option<Finding> {
    let mut cases = Cases::new(
        "survey_exceeds_books",
        Severity::High,
        "The survey says more of the trees that the books had at the entry that it names than they had. It has no \
         part in any estimate. Ask whether what it counted are trees of the programme, or grew there before it, \
         and by which books it was made.",
    );
    for (number, frames) in plots {
        for frame in frames {
            let looked = frame.looked;
            let known = u64::from(looked.dead_known) + u64::from(looked.revived);
            let looked_for = looked.looked_for();
            let more = [
                (looked_for, frame.stood, "looked for", "stood in the books"),
                (
                    known,
                    frame.lost_then,
                    "seen that were booked as lost",
                    "were lost in the books",
                ),
            ];
            for (seen, held, what, books) in more {
                if seen > held {
                    let as_of = looked.as_of;
                    let alive = looked.alive;
                    let detail = format!(
                        "{seen} {what} ({alive} found alive), {held} {books} at entry {as_of}"
                    );
                    let subject = format!("plot {number}");
                    cases.add(u128::from(seen - held), subject, detail, vec![frame.index]);
                }
            }
        }
    }
    cases.finding(|count| {
        let surveys = many(count, "survey is", "surveys are");
        format!("{surveys} of more trees than the books held")
    })
}

/// Losses that a census before them contradicts: dated before it, they would not lower what it found.
fn losses_dated_back(plots: &Surveys) -> Option<Finding> {
    let mut cases = Cases::new(
        "losses_dated_back",
        Severity::Medium,
        "A census found these trees alive, and losses that were booked after it are dated before it. One of the two \
         is wrong. Estimates take the trees as lost. Ask when they died.",
    );
    for (number, frames) in plots {
        for frame in frames {
            let is_census = frame.looked.basis == Basis::Census && frame.is_whole();
            if !is_census || frame.voided > 0 || !frame.is_sound() {
                continue;
            }
            let not_alive = frame.stood.saturating_sub(frame.looked.alive.into());
            let back = frame.earlier.saturating_sub(not_alive);
            if back > 0 {
                let on = frame.looked.surveyed_on;
                let detail = format!(
                    "{} of {} alive by the census of {on}; losses of {} dated before it were booked later",
                    frame.looked.alive, frame.stood, frame.earlier
                );
                cases.add(
                    back.into(),
                    format!("plot {number}"),
                    detail,
                    vec![frame.index],
                );
            }
        }
    }
    cases.finding(|count| {
        let censuses = many(count, "census found", "censuses found");
        format!("{censuses} trees alive that were booked later as lost before it")
    })
}
