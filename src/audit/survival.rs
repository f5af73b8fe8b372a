//! What surveys say about survival: shares with their 95 % intervals, of all trees, by year of planting
//! and by age.
//!
//! A share is alive ÷ looked for: a tree that was not found is counted neither as alive nor as dead.
//! Of a survey's trees that many are alive as its share of those that stood in the books after the
//! entry that it names. Losses dated up to its day are in that share; those that came later are
//! subtracted whole. What the books had as lost before it is dead, unless the survey found it alive
//! and the loss was voided. Each survey is a stratum ([`super::Share`]); its plantings share what it
//! found in proportion to the trees that stand on them in the books.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::estimate::{Sample, Share};
use super::facts::{Facts, Inconsistent};
use super::looked::{Books, Frame, Looked};
use crate::record::{Day, Index};

/// What estimates speak of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every planting on which trees stand was surveyed: its survey is a stratum of the programme.
    Programme,
    /// Some were not: the estimate and its interval speak of those that were. No entry says how plots
    /// were drawn, so nothing follows for the others.
    SurveyedOnly,
}

/// Survival of all trees that surveys speak of.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Survival {
    /// What it speaks of.
    pub scope: Scope,
    /// Trees of the plantings that surveys speak of: the coverage.
    #[serde(rename = "surveyed_trees")]
    pub surveyed: u64,
    /// Trees of plantings beside them on which no tree stands in the books: they are known to be dead.
    #[serde(rename = "lost_whole_trees")]
    pub lost_whole: u64,
    /// Trees that these surveys looked for.
    #[serde(rename = "looked_for_trees")]
    pub looked_for: u64,
    /// Trees of those that were found alive.
    #[serde(rename = "alive_trees")]
    pub alive: u64,
    /// Trees of those that were found dead.
    #[serde(rename = "dead_trees")]
    pub dead: u64,
    /// Trees of those that were not found.
    #[serde(rename = "not_found_trees")]
    pub not_found: u64,
    /// How many surveys it rests on.
    pub surveys: u64,
    /// The first day of these surveys.
    pub surveyed_from: Option<Day>,
    /// The last day of these surveys.
    pub surveyed_until: Option<Day>,
    /// Trees that only surveys speak of which drew nothing at random: from the air, or a census of a
    /// few. They are in no estimate, unless there is nothing else.
    #[serde(rename = "undrawn_trees")]
    pub undrawn: u64,
    /// The share of those planted that stand in the books, over the same plantings.
    #[serde(rename = "in_books_share")]
    pub in_books: Option<f64>,
    /// The share alive of those planted; never above `in_books`.
    #[serde(rename = "alive_share")]
    pub share: Option<Share>,
}

/// The trees planted in one year: those of a span of days in the year of its last one.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Cohort {
    /// The year.
    pub year: i64,
    /// Trees of unvoided plantings.
    #[serde(rename = "planted_trees")]
    pub planted: u64,
    /// Trees of these that are lost in the books.
    #[serde(rename = "lost_trees")]
    pub lost: u64,
    /// Trees of these whose planting a survey speaks of: the coverage.
    #[serde(rename = "surveyed_trees")]
    pub surveyed: u64,
    /// Trees that these surveys looked for; a survey of trees of several years counts for each.
    #[serde(rename = "looked_for_trees")]
    pub looked_for: u64,
    /// The share alive of those planted, over the plantings that were surveyed and those on which
    /// nothing stands in the books.
    #[serde(rename = "alive_share")]
    pub survival: Option<Share>,
    /// The trees behind its interval ([`Share::effective_size`]).
    #[serde(skip)]
    pub(super) effective_size: f64,
}

/// Surveys at one age of the trees.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AgeClass {
    /// Whole years from planting to survey: from the last days on which trees may have been planted.
    #[serde(rename = "least_years")]
    pub years: u32,
    /// Whole years from the first of those days; the same where the days are known.
    #[serde(rename = "most_years")]
    pub years_most: u32,
    /// How many surveys.
    pub surveys: u64,
    /// Trees that the surveys speak of.
    pub trees: u64,
    /// Trees that the surveys looked for.
    #[serde(rename = "looked_for_trees")]
    pub looked_for: u64,
    /// The share alive of those planted, on the days of the surveys.
    #[serde(rename = "alive_share")]
    pub survival: Share,
}

/// The surveys in force of all plots. Making it looks at every survey, so an audit's findings share one, and its report
/// another.
pub(super) struct Surveyed<'a> {
    /// The books that they are held against.
    pub(super) books: Books<'a>,
    /// Those that estimates rest on; no two speak of one planting.
    pub(super) frames: Vec<Frame>,
    /// Surveys that gave way to newer and smaller ones, with those: taken together, these found fewer alive.
    pub(super) replaced: Vec<(Frame, Frame)>,
    /// Entries of the plantings that they speak of.
    plantings: BTreeSet<Index>,
    /// Trees of plantings that other surveys alone speak of.
    undrawn: u64,
}

impl<'a> Surveyed<'a> {
    /// The surveys in force.
    ///
    /// # Errors
    /// [`Inconsistent`] when the audit's parts contradict each other.
    pub(super) fn new(facts: &Facts<'a>) -> Result<Self, Inconsistent> {
        let books = Books::new(facts)?;
        let (mut drawn, mut others) = (Vec::new(), Vec::new());
        let mut pairs = Vec::new();
        for (plot, _) in facts.state.plots() {
            let frames = books.frames(*plot)?;
            let in_force = books.in_force(&frames.iter().collect::<Vec<_>>());
            // Beside others a newer survey of more plantings could speak of theirs too.
            let is_alone = in_force.len() == 1;
            for frame in in_force {
                if !frame.is_drawn() {
                    others.push(*frame);
                    continue;
                }
                drawn.push(*frame);
                let newer = frames.iter().rev().find(|newer| {
                    newer.may_lower(frame) && (is_alone || newer.planted == frame.planted)
                });
                pairs.extend(newer.map(|newer| (*frame, *newer)));
            }
        }
        let undrawn = others.iter().map(|frame| frame.planted).sum();
        let replaced = if are_lower(&pairs) { pairs } else { Vec::new() };
        let newer: BTreeMap<Index, Frame> = replaced
            .iter()
            .map(|(old, new)| (old.index, *new))
            .collect();
        for frame in &mut drawn {
            *frame = newer.get(&frame.index).copied().unwrap_or(*frame);
        }
        let frames = if drawn.is_empty() { others } else { drawn };
        let plantings = frames
            .iter()
            .flat_map(|frame| books.spoken_of(frame.looked))
            .map(|planting| planting.index)
            .collect();
        Ok(Self {
            books,
            plantings,
            frames,
            replaced,
            undrawn,
        })
    }

    /// Survival of all trees.
    pub(super) fn survival(&self, facts: &Facts<'_>) -> Survival {
        let (mut scope, mut lost_whole) = (Scope::Programme, 0);
        for (_, _, planting) in facts.state.plantings_all() {
            if planting.voided || self.plantings.contains(&planting.index) {
                continue;
            }
            if planting.count() > u64::from(planting.lost()) {
                scope = Scope::SurveyedOnly;
            } else {
                lost_whole += planting.count();
            }
        }
        let mut tally = Tally {
            lost_whole: lost_whole as f64,
            ..Tally::default()
        };
        for frame in &self.frames {
            tally.add(frame, frame.planted, frame.standing());
        }
        let sum = |of: fn(&Frame) -> u64| self.frames.iter().map(of).sum::<u64>();
        let days = || self.frames.iter().map(|frame| frame.looked.surveyed_on);
        let planted = tally.planted + tally.lost_whole;
        Survival {
            scope,
            surveyed: sum(|frame| frame.planted),
            lost_whole,
            looked_for: sum(|frame| frame.looked.looked_for()),
            alive: sum(|frame| frame.looked.alive.into()),
            dead: sum(|frame| frame.looked.dead.into()),
            not_found: sum(|frame| frame.looked.not_found.into()),
            surveys: self.frames.len() as u64,
            surveyed_from: days().min(),
            surveyed_until: days().max(),
            undrawn: self.undrawn,
            in_books: (planted > 0.0 && !self.frames.is_empty()).then(|| tally.standing / planted),
            share: tally.share(|looked| looked.alive.into()),
        }
    }

    /// Survival by year of planting.
    pub(super) fn cohorts(&self, facts: &Facts<'_>) -> Vec<Cohort> {
        let mut years = BTreeMap::<i64, (Cohort, Tally)>::new();
        for (_, _, planting) in facts.state.plantings_all() {
            if planting.voided {
                continue;
            }
            let year = planting.planted_until.ymd().0;
            let (cohort, tally) = years.entry(year).or_insert_with(|| {
                let empty = Cohort {
                    year,
                    planted: 0,
                    lost: 0,
                    surveyed: 0,
                    looked_for: 0,
                    survival: None,
                    effective_size: 0.0,
                };
                (empty, Tally::default())
            });
            let (trees, lost) = (planting.count(), u64::from(planting.lost()));
            cohort.planted += trees;
            cohort.lost += lost;
            if self.plantings.contains(&planting.index) {
                cohort.surveyed += trees;
            } else if lost >= trees {
                tally.lost_whole += trees as f64;
            }
        }
        for frame in &self.frames {
            // Trees planted and standing, by year.
            let mut parts = BTreeMap::<i64, (u64, u64)>::new();
            for planting in self.books.spoken_of(frame.looked) {
                let part = parts.entry(planting.planted_until.ymd().0).or_default();
                part.0 += planting.count();
                part.1 += planting.count().saturating_sub(planting.lost().into());
            }
            for (year, (planted, standing)) in parts {
                if let Some((cohort, tally)) = years.get_mut(&year) {
                    tally.add(frame, planted, standing);
                    cohort.looked_for += frame.looked.looked_for();
                }
            }
        }
        let cohorts = years.into_values().map(|(cohort, tally)| Cohort {
            survival: tally.share(|looked| looked.alive.into()),
            effective_size: tally.effective_size(),
            ..cohort
        });
        cohorts.collect()
    }
}

/// Whether newer surveys, all together, found fewer alive than the older ones say, beyond chance.
fn are_lower(pairs: &[(Frame, Frame)]) -> bool {
    let (mut old, mut new) = (Tally::default(), Tally::default());
    for (older, newer) in pairs {
        old.add(older, older.planted, older.standing());
        new.add(newer, newer.planted, newer.standing());
    }
    let share = |tally: &Tally| tally.share(|looked| looked.alive.into());
    let ends = share(&new).and_then(|share| share.interval);
    share(&old)
        .zip(ends)
        .is_some_and(|(old, new)| new.high < old.estimate)
}

/// Surveys on their way to a share of the trees planted.
#[derive(Default)]
pub(super) struct Tally {
    /// Each survey, with the part of its trees that the share is of.
    frames: Vec<(Frame, f64)>,
    planted: f64,
    standing: f64,
    /// Trees of plantings without a survey, of which none stands.
    lost_whole: f64,
    /// Whether the share is that of the surveys' days: nothing is taken off for what was lost later.
    on_the_day: bool,
}

impl Tally {
    /// Adds the part of a survey's trees that so many planted, and standing in the books, are of all
    /// that it speaks of.
    pub(super) fn add(&mut self, frame: &Frame, planted: u64, standing: u64) {
        let part = if frame.standing() > 0 {
            standing as f64 / frame.standing() as f64
        } else {
            planted as f64 / frame.planted.max(1) as f64
        };
        self.frames.push((*frame, part));
        self.planted += planted as f64;
        self.standing += standing as f64;
    }

    fn on_the_day(frames: &[&Frame]) -> Self {
        let mut tally = Self {
            on_the_day: true,
            ..Self::default()
        };
        for frame in frames {
            tally.add(frame, frame.planted, frame.standing());
        }
        tally
    }

    /// The strata.
    pub(super) fn samples(&self, found: impl Fn(&Looked) -> u64) -> Vec<Sample> {
        let samples = self.frames.iter().map(|(frame, part)| Sample {
            trees: frame.stood,
            looked_for: frame.looked.looked_for(),
            found: found(&frame.looked),
            // Trees of a planting that was voided since are as alive as the others: a void raises no
            // share.
            part: part * frame.stood_of_these() as f64 / frame.stood.max(1) as f64,
        });
        samples.collect()
    }

    fn effective_size(&self) -> f64 {
        let samples = self.samples(|looked| looked.alive.into());
        Share::effective_size(&samples).unwrap_or_default()
    }

    /// The share of those planted that `found` says of those looked for; `None` without any.
    pub(super) fn share(&self, found: impl Fn(&Looked) -> u64) -> Option<Share> {
        let planted = self.planted + self.lost_whole;
        let samples = self.samples(found);
        let share = Share::of(&samples)?;
        let is_drawn = self.frames.iter().all(|(frame, _)| frame.is_drawn());
        let share = if is_drawn {
            share
        } else {
            Share::without_interval(share.estimate)
        };
        let stood = samples.iter().map(|it| it.trees as f64 * it.part);
        let restored = self
            .frames
            .iter()
            .map(|(frame, part)| part * frame.restored.min(frame.looked.revived.into()) as f64);
        let (later, most) = if self.on_the_day {
            (0.0, 1.0)
        } else {
            let later = self
                .frames
                .iter()
                .map(|(frame, part)| part * frame.later as f64);
            // The books themselves say that no more live.
            (later.sum::<f64>(), self.standing / planted)
        };
        let plus = restored.sum::<f64>() - later;
        Some(share.scaled(stood.sum::<f64>() / planted, plus / planted, most))
    }
}

/// Survival by age: every survey, at the mean age of the trees that it speaks of. Where only a span of
/// days is known for a planting, that age is one too. Surveys of one age that overlap are not added.
///
/// # Errors
/// [`Inconsistent`] when the audit's parts contradict each other.
pub(super) fn ages(facts: &Facts<'_>, books: &Books<'_>) -> Result<Vec<AgeClass>, Inconsistent> {
    let mut classes = BTreeMap::<(u32, u32), Vec<Frame>>::new();
    for (plot, _) in facts.state.plots() {
        let frames = books.frames(*plot)?;
        let mut by_age = BTreeMap::<(u32, u32), Vec<&Frame>>::new();
        for frame in frames.iter().filter(|frame| frame.is_sound()) {
            by_age.entry(frame.years()).or_default().push(frame);
        }
        for (age, frames) in by_age {
            let class = classes.entry(age).or_default();
            class.extend(books.in_force(&frames).into_iter().copied());
        }
    }
    let classes = classes
        .into_iter()
        .filter_map(|((years, years_most), all)| {
            // As for all trees: what was drawn counts, and the rest only where there is nothing else.
            let drawn: Vec<&Frame> = all.iter().filter(|frame| frame.is_drawn()).collect();
            let frames = if drawn.is_empty() {
                all.iter().collect()
            } else {
                drawn
            };
            let survival = Tally::on_the_day(&frames).share(|looked| looked.alive.into())?;
            Some(AgeClass {
                years,
                years_most,
                surveys: frames.len() as u64,
                trees: frames.iter().map(|frame| frame.planted).sum(),
                looked_for: frames.iter().map(|frame| frame.looked.looked_for()).sum(),
                survival,
            })
        });
    Ok(classes.collect())
}
