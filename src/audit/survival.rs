//! What surveys say about survival: shares with their 95 % intervals, by year of planting and by
//! age.
//!
//! A share is alive ÷ looked for: a tree that was not found is not counted as alive. Its interval
//! is Wilson's (E. B. Wilson, JASA 22, 1927), which stays within 0 and 1 and does not collapse for
//! small samples; a census of all trees has none. Shares of several surveys are averaged by the
//! trees that they speak for, and so are the ends of their intervals: that is wider than
//! independent samples would need, and never claims more than each survey does.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ledger::{PlantingState, State, SurveyState};
use crate::record::{Basis, Day, Index, PlotNumber, Serial, Survey};

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_985;
const DAYS_PER_YEAR: f64 = 365.25;

/// A share between 0 and 1, with the ends of its 95 % interval.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Share {
    /// The estimate.
    pub estimate: f64,
    /// The lower end,
    pub low: f64,
    /// and the upper.
    pub high: f64,
}

impl Share {
    /// The share of `alive` in `sampled`, drawn at random; `None` without a sample.
    pub fn of_sample(alive: u32, sampled: u32) -> Option<Self> {
        if sampled == 0 {
            return None;
        }
        let n = f64::from(sampled);
        let p = f64::from(alive.min(sampled)) / n;
        let middle = p + Z * Z / (2.0 * n);
        let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let all = 1.0 + Z * Z / n;
        Some(Self {
            estimate: p,
            low: ((middle - reach) / all).clamp(0.0, p),
            high: ((middle + reach) / all).clamp(p, 1.0),
        })
    }

    /// The share alive of the trees that a survey looked among. A census that looked for all of
    /// them leaves no room for chance.
    pub fn of_survey(survey: &Survey, base: &SurveyBase) -> Option<Self> {
        // Of trees that the books don't have (any more), nothing is said.
        let among = base.looked_among(survey);
        let sampled = survey.sampled.min(u32::try_from(among).unwrap_or(u32::MAX));
        let share = Self::of_sample(survey.alive.min(sampled), sampled)?;
        let whole = survey.basis == Basis::Census && u64::from(sampled) >= among;
        Some(if whole {
            Self {
                low: share.estimate,
                high: share.estimate,
                ..share
            }
        } else {
            share
        })
    }

    fn at_most(self, most: f64) -> Self {
        Self {
            estimate: self.estimate.min(most),
            low: self.low.min(most),
            high: self.high.min(most),
        }
    }

    fn times(self, factor: f64) -> Self {
        Self {
            estimate: self.estimate * factor,
            low: self.low * factor,
            high: self.high * factor,
        }
    }
}

/// The trees planted in one year.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Cohort {
    /// The year.
    pub year: i64,
    /// Trees of unvoided plantings.
    pub planted: u64,
    /// Of these, lost in the books.
    pub lost: u64,
    /// Of these, trees of plantings that a survey spoke of since: the coverage.
    pub surveyed: u64,
    /// Alive of those planted, as far as they were surveyed.
    pub survival: Option<Share>,
}

/// Survival by year of planting, from the latest survey of each planting.
pub fn cohorts(state: &State) -> Vec<Cohort> {
    let books = PlantingBooks::new(state);
    let mut years: BTreeMap<i64, (Cohort, WeightedMean)> = BTreeMap::new();
    for (plot, first, planting) in state
        .plantings_all()
        .filter(|(_, _, planting)| !planting.voided)
    {
        let year = planting.planted_on.ymd().0;
        let (cohort, mean) = years.entry(year).or_insert_with(|| {
            let empty = Cohort {
                year,
                planted: 0,
                lost: 0,
                surveyed: 0,
                survival: None,
            };
            (empty, WeightedMean::default())
        });
        let trees = planting.count(first);
        cohort.planted += trees;
        cohort.lost += u64::from(planting.lost);
        let share = latest(state, plot, planting).and_then(|(index, survey)| {
            since_planting(&survey.survey, &books.base(index, &survey.survey))
        });
        if let Some(share) = share {
            // What was booked as lost since is dead whatever a survey said before.
            let standing = trees.saturating_sub(planting.lost.into());
            let share = share.at_most(standing as f64 / trees as f64);
            cohort.surveyed += trees;
            mean.add(share, trees as f64);
        }
    }
    years
        .into_values()
        .map(|(cohort, mean)| Cohort {
            survival: mean.share(),
            ..cohort
        })
        .collect()
}

/// The trees that any survey speaks for, and the survival there.
pub fn overall(cohorts: &[Cohort]) -> (u64, Option<Share>) {
    let mut mean = WeightedMean::default();
    for cohort in cohorts {
        if let Some(share) = cohort.survival {
            mean.add(share, cohort.surveyed as f64);
        }
    }
    let surveyed = cohorts.iter().map(|cohort| cohort.surveyed).sum();
    (surveyed, mean.share())
}

/// Surveys at one age of the trees.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AgeClass {
    /// Whole years from planting to survey.
    pub years: u32,
    /// How many surveys.
    pub surveys: u64,
    /// Trees that they speak for.
    pub trees: u64,
    /// Alive of those planted.
    pub survival: Share,
}

/// Survival by age: every survey, at the mean age of the trees that it speaks of.
pub fn ages(state: &State) -> Vec<AgeClass> {
    let books = PlantingBooks::new(state);
    let mut classes: BTreeMap<u32, (u64, u64, WeightedMean)> = BTreeMap::new();
    for (plot, _) in state.plots() {
        for (index, survey) in state.surveys(*plot) {
            let spoken_of = books.spoken_of(index, &survey.survey);
            let (trees, days) = spoken_of.fold((0, 0.0), |(trees, days), (first, planting)| {
                let more = planting.count(first);
                let age = age_days(planting.planted_on, survey.survey.surveyed_on);
                (trees + more, days + age * more as f64)
            });
            let share = since_planting(&survey.survey, &books.base(index, &survey.survey));
            let Some(share) = share.filter(|_| trees > 0) else {
                continue;
            };
            let years = (days / trees as f64 / DAYS_PER_YEAR) as u32;
            let (surveys, all, mean) = classes.entry(years).or_default();
            *surveys += 1;
            *all += trees;
            mean.add(share, trees as f64);
        }
    }
    classes
        .into_iter()
        .filter_map(|(years, (surveys, trees, mean))| {
            Some(AgeClass {
                years,
                surveys,
                trees,
                survival: mean.share()?,
            })
        })
        .collect()
}

fn age_days(planted: Day, surveyed: Day) -> f64 {
    f64::from(surveyed.0.saturating_sub(planted.0))
}

/// Alive of those planted: the share found, of the trees among which the survey looked.
fn since_planting(survey: &Survey, base: &SurveyBase) -> Option<Share> {
    let among = base.looked_among(survey) as f64 / base.planted.max(1) as f64;
    Share::of_survey(survey, base).map(|share| share.times(among))
}

/// The latest survey that speaks of a planting.
fn latest<'a>(
    state: &'a State,
    plot: PlotNumber,
    planting: &PlantingState,
) -> Option<(Index, &'a SurveyState)> {
    state.surveys(plot).rev().find(|(index, survey)| {
        survey.survey.sampled > 0 && speaks_of(*index, &survey.survey, planting)
    })
}

fn speaks_of(index: Index, survey: &Survey, planting: &PlantingState) -> bool {
    !planting.voided
        && planting.index < index
        && planting.planted_on <= survey.surveyed_on
        && survey.planting.is_none_or(|one| one == planting.index)
}

/// The books behind surveys.
pub struct PlantingBooks<'a> {
    state: &'a State,
    /// Losses that count, by plot and first serial of the planting: correction and trees.
    losses: BTreeMap<(PlotNumber, Serial), Vec<(Index, u64)>>,
}

impl<'a> PlantingBooks<'a> {
    /// The books of a ledger.
    pub fn new(state: &'a State) -> Self {
        let mut losses = BTreeMap::<_, Vec<_>>::new();
        for (index, loss) in state.losses() {
            let of = losses.entry((loss.plot, loss.planting)).or_default();
            of.push((*index, loss.count.into()));
        }
        Self { state, losses }
    }

    /// Unvoided plantings that a survey could speak of, with their first serials.
    fn spoken_of<'s>(
        &'s self,
        index: Index,
        survey: &'s Survey,
    ) -> impl Iterator<Item = (Serial, &'s PlantingState)> {
        self.state
            .plantings(survey.plot)
            .filter(move |(_, planting)| speaks_of(index, survey, planting))
    }

    /// What a survey could speak of.
    pub fn base(&self, index: Index, survey: &Survey) -> SurveyBase {
        let mut base = SurveyBase::default();
        for (first, planting) in self.spoken_of(index, survey) {
            base.planted += planting.count(first);
            base.lost += u64::from(planting.lost);
            let losses = self.losses.get(&(survey.plot, first));
            let before = losses.into_iter().flatten().filter(|loss| loss.0 < index);
            base.lost_before += before.map(|loss| loss.1).sum::<u64>();
        }
        base
    }
}

/// What a survey could speak of, as the books have it now: a planting that was voided, or a loss
/// that was, never was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SurveyBase {
    /// Trees of unvoided plantings that were recorded before it, and planted by its day.
    pub planted: u64,
    /// Of these, lost in the books before it,
    pub lost_before: u64,
    /// and lost in the books until now.
    pub lost: u64,
}

impl SurveyBase {
    /// Trees that stood in the books when it came in.
    pub fn standing(&self) -> u64 {
        self.planted.saturating_sub(self.lost_before)
    }

    /// The trees among which it looked: those that stood, or, when it looked for more, all that
    /// were planted.
    pub fn looked_among(&self, survey: &Survey) -> u64 {
        if u64::from(survey.sampled) > self.standing() {
            self.planted
        } else {
            self.standing()
        }
    }
}

/// Shares on their way to a mean.
#[derive(Clone, Copy, Default)]
struct WeightedMean {
    weight: f64,
    sums: [f64; 3],
}

impl WeightedMean {
    fn add(&mut self, share: Share, weight: f64) {
        self.weight += weight;
        let parts = [share.estimate, share.low, share.high];
        for (sum, part) in self.sums.iter_mut().zip(parts) {
            *sum += part * weight;
        }
    }

    fn share(self) -> Option<Share> {
        let [estimate, low, high] = self.sums.map(|sum| sum / self.weight);
        (self.weight > 0.0).then_some(Share {
            estimate,
            low,
            high,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    /// Wilson's interval as R's `prop.test(x, n, correct = FALSE)` prints it.
    #[test]
    fn wilson_as_others_reckon_it() {
        for (alive, sampled, low, high) in [
            (50, 100, 0.403_830, 0.596_170),
            (8, 10, 0.490_162, 0.943_318),
            (0, 10, 0.0, 0.277_533),
            (10, 10, 0.722_467, 1.0),
        ] {
            let share = Share::of_sample(alive, sampled).unwrap();
            assert!((share.low - low).abs() < 1e-5, "{share:?}");
            assert!((share.high - high).abs() < 1e-5, "{share:?}");
        }
        assert_eq!(Share::of_sample(0, 0), None);
    }
}
