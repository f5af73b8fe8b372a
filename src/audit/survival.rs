//! What surveys say about survival: shares with their 95 % intervals, by year of planting and by
//! age.
//!
//! A share is alive ÷ looked for: a tree that was not found is counted neither as alive nor as dead. Its interval
//! is Wilson's (E. B. Wilson, JASA 22, 1927), which stays within 0 and 1 and does not collapse for
//! small samples; a census of all trees has none. Shares of several surveys are averaged by the
//! trees that they speak for, and so are the ends of their intervals: that is wider than
//! independent samples would need, and never claims more than each survey does.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts::Inconsistent;
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
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

impl Share {
    /// The share of `alive` in `sampled`, drawn at random; `None` without a sample, or when more
    /// are alive than were sampled.
    pub fn of_sample(alive: u64, sampled: u64) -> Option<Self> {
        if sampled == 0 || alive > sampled {
            return None;
        }
        let n = sampled as f64;
        let p = alive as f64 / n;
        let middle = p + Z * Z / (2.0 * n);
        let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let all = 1.0 + Z * Z / n;
        Some(Self {
            estimate: p,
            low: ((middle - reach) / all).clamp(0.0, p),
            high: ((middle + reach) / all).clamp(p, 1.0),
        })
    }

    /// The share alive of the trees that a survey looked among; `None` when it looked for none. A
    /// census that looked for all of them leaves no room for chance.
    pub(super) fn alive_in(survey: &Survey, base: &SurveyBase) -> Option<Self> {
        Self::in_survey(survey, base, |sampled| u64::from(survey.alive).min(sampled))
    }

    /// The share found dead of these trees: one that was not found is no dead one.
    pub(super) fn dead_in(survey: &Survey, base: &SurveyBase) -> Option<Self> {
        Self::in_survey(survey, base, |sampled| {
            let rest = sampled.saturating_sub(survey.alive.into());
            u64::from(survey.dead).min(rest)
        })
    }

    /// The share of the trees that `found` says, of those that were looked for.
    fn in_survey(
        survey: &Survey,
        base: &SurveyBase,
        found: impl FnOnce(u64) -> u64,
    ) -> Option<Self> {
        // Trees that the ledger does not have (any more) are no part of any share: what was found
        // beyond those that it has is cut off.
        let among = base.looked_among(survey);
        let sampled = among.min(survey.looked_for());
        let share = Self::of_sample(found(sampled), sampled)?;
        let is_complete = survey.basis == Basis::Census && sampled == among;
        Some(if is_complete {
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

/// The trees planted in one year: those of a span of days in the year of its last one.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Cohort {
    /// The year.
    pub year: i64,
    /// Trees of unvoided plantings.
    pub planted: u64,
    /// Trees of these that are lost in the books.
    pub lost: u64,
    /// Trees of these whose planting a survey spoke of since: the coverage.
    pub surveyed: u64,
    /// The share alive of those planted, over the plantings that were surveyed.
    pub survival: Option<Share>,
}

/// Survival by year of planting, from the latest survey of each planting.
///
/// # Errors
/// [`Inconsistent`] when the state contradicts itself.
pub fn cohorts(state: &State) -> Result<Vec<Cohort>, Inconsistent> {
    let books = PlantingBooks::new(state);
    let mut years: BTreeMap<i64, (Cohort, WeightedMean)> = BTreeMap::new();
    for (plot, _, planting) in state
        .plantings_all()
        .filter(|(_, _, planting)| !planting.voided)
    {
        let year = planting.planted_until.ymd().0;
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
        let trees = planting.count();
        cohort.planted += trees;
        cohort.lost += u64::from(planting.lost());
        let share = match latest_survey(state, plot, planting) {
            Some((index, survey)) => {
                since_planting(&survey.survey, &books.base(index, &survey.survey)?)
            }
            None => None,
        };
        // What no survey spoke of is in no mean; `surveyed` shows how much that is.
        if let Some(share) = share {
            // What was booked as lost since is dead whatever a survey said before.
            let standing = standing(trees, planting.lost().into(), planting.index)?;
            let share = share.at_most(standing as f64 / trees as f64);
            cohort.surveyed += trees;
            mean.add(share, trees as f64);
        }
    }
    let cohorts = years.into_values().map(|(cohort, mean)| Cohort {
        survival: mean.share(),
        ..cohort
    });
    Ok(cohorts.collect())
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
    /// Whole years from planting to survey: from the last days on which trees may have been planted.
    pub years: u32,
    /// Whole years from the first of those days; the same where the days are known.
    pub years_most: u32,
    /// How many surveys.
    pub surveys: u64,
    /// Trees that the surveys speak for.
    pub trees: u64,
    /// The share alive of those planted.
    pub survival: Share,
}

/// Survival by age: every survey, at the mean age of the trees that it speaks of. Where only a span of
/// days is known for a planting, that age is one too.
///
/// # Errors
/// [`Inconsistent`] when the state contradicts itself.
pub fn ages(state: &State) -> Result<Vec<AgeClass>, Inconsistent> {
    let books = PlantingBooks::new(state);
    let mut classes: BTreeMap<(u32, u32), (u64, u64, WeightedMean)> = BTreeMap::new();
    for (plot, _) in state.plots() {
        for (index, survey) in state.surveys(*plot) {
            let survey = &survey.survey;
            let spoken_of = books.spoken_of(survey);
            let (mut trees, mut days_least, mut days_most) = (0, 0.0, 0.0);
            for (_, planting) in spoken_of {
                let more = planting.count();
                trees += more;
                let weight = more as f64;
                days_least += weight * age_days(planting.planted_until, survey.surveyed_on);
                days_most += weight * age_days(planting.planted_from, survey.surveyed_on);
            }
            // A survey that looked for no tree, or speaks of none that is planted, has no share.
            let share = since_planting(survey, &books.base(index, survey)?);
            let Some(share) = share.filter(|_| trees > 0) else {
                continue;
            };
            #[expect(clippy::cast_possible_truncation, reason = "years since 1970 at most")]
            let years = |days: f64| (days / trees as f64 / DAYS_PER_YEAR) as u32;
            let class = (years(days_least), years(days_most));
            let (surveys, all, mean) = classes.entry(class).or_default();
            *surveys += 1;
            *all += trees;
            mean.add(share, trees as f64);
        }
    }
    // Each class has trees, so its mean is a share.
    let classes =
        classes
            .into_iter()
            .filter_map(|((years, years_most), (surveys, trees, mean))| {
                Some(AgeClass {
                    years,
                    years_most,
                    surveys,
                    trees,
                    survival: mean.share()?,
                })
            });
    Ok(classes.collect())
}

/// The trees planted that surveys can speak of, and the losses booked on each planting.
pub(super) struct PlantingBooks<'a> {
    state: &'a State,
    /// Losses that count, by plot and first serial of the planting: correction and trees.
    losses: BTreeMap<(PlotNumber, Serial), Vec<(Index, u64)>>,
}

impl<'a> PlantingBooks<'a> {
    /// The books of a ledger.
    pub(super) fn new(state: &'a State) -> Self {
        let mut losses = BTreeMap::<_, Vec<_>>::new();
        for (index, loss) in state.losses() {
            let of_planting = losses.entry((loss.plot, loss.planting)).or_default();
            of_planting.push((*index, loss.count.into()));
        }
        Self { state, losses }
    }

    /// What a survey could speak of.
    ///
    /// # Errors
    /// [`Inconsistent`] when more trees are lost than were planted.
    pub(super) fn base(&self, index: Index, survey: &Survey) -> Result<SurveyBase, Inconsistent> {
        let (mut planted, mut lost, mut lost_before) = (0, 0, 0);
        for (first, planting) in self.spoken_of(survey) {
            planted += planting.count();
            lost += u64::from(planting.lost());
            let losses = self.losses.get(&(survey.plot, first));
            let before = losses
                .into_iter()
                .flatten()
                .filter(|loss| loss.0 <= survey.as_of);
            lost_before += before.map(|loss| loss.1).sum::<u64>();
        }
        Ok(SurveyBase {
            planted,
            standing: standing(planted, lost_before, index)?,
            lost,
        })
    }

    /// Unvoided plantings that a survey could speak of, with their first serials.
    fn spoken_of<'s>(
        &'s self,
        survey: &'s Survey,
    ) -> impl Iterator<Item = (Serial, &'s PlantingState)> {
        self.state
            .plantings(survey.plot)
            .filter(move |(_, planting)| speaks_of(survey, planting))
    }
}

/// What a survey could speak of, as the books have it now: a planting that was voided, or a loss
/// that was, never was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SurveyBase {
    /// Trees of unvoided plantings that the books had as of the survey, and planted by its day.
    pub(super) planted: u64,
    /// Trees of these that stood in the books as of the survey.
    pub(super) standing: u64,
    /// Trees of these that are lost in the books until now.
    pub(super) lost: u64,
}

impl SurveyBase {
    /// The trees among which a survey looked: those that stood, or, when it looked for more, all
    /// that were planted.
    pub(super) fn looked_among(&self, survey: &Survey) -> u64 {
        if survey.looked_for() > self.standing {
            self.planted
        } else {
            self.standing
        }
    }
}

/// The latest survey that speaks of a planting.
fn latest_survey<'a>(
    state: &'a State,
    plot: PlotNumber,
    planting: &PlantingState,
) -> Option<(Index, &'a SurveyState)> {
    state
        .surveys(plot)
        .rev()
        .find(|(_, survey)| survey.survey.looked_for() > 0 && speaks_of(&survey.survey, planting))
}

fn speaks_of(survey: &Survey, planting: &PlantingState) -> bool {
    !planting.voided
        && planting.index <= survey.as_of
        && planting.planted_from <= survey.surveyed_on
        && survey.planting.is_none_or(|one| one == planting.index)
}

/// Alive of those planted: the share found, of the trees among which the survey looked.
fn since_planting(survey: &Survey, base: &SurveyBase) -> Option<Share> {
    // Where nothing is planted there is no share either; the 1 only keeps 0 ÷ 0 out.
    let among = base.looked_among(survey) as f64 / base.planted.max(1) as f64;
    Share::alive_in(survey, base).map(|share| share.times(among))
}

/// Trees that stand of those planted, as seen by an entry.
fn standing(planted: u64, lost: u64, entry: Index) -> Result<u64, Inconsistent> {
    planted.checked_sub(lost).ok_or_else(|| {
        Inconsistent::new(format!(
            "of {planted} trees that entry {entry} speaks of, {lost} are lost"
        ))
    })
}

/// Days from a day of planting to a survey; none for a survey within the span of a planting.
fn age_days(planted: Day, surveyed_on: Day) -> f64 {
    f64::from(surveyed_on.0.saturating_sub(planted.0))
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

    /// The mean; `None` of nothing.
    fn share(self) -> Option<Share> {
        if self.weight <= 0.0 {
            return None;
        }
        let [estimate, low, high] = self.sums.map(|sum| sum / self.weight);
        Some(Share {
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
        assert_eq!(Share::of_sample(11, 10), None);
    }
}
