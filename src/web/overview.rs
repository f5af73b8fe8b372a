//! The whole ledger in a few numbers, made again every few seconds at most, for the first page.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::drawing::map::{Ground, Shape, Spot};
use super::frame::Frame;
use super::plot::SurveyFacts;
use super::{Pages, stated};
use crate::answer::Problem;
use crate::ledger::{PlotState, State, Totals};
use crate::log::Published;
use crate::record::{Correction, Index, Month, PlotPlace, Remedy, Statement};

/// How long an overview is shown before it is made again, however many readers there are: it goes
/// through every plot and planting.
const FRESH: Duration = Duration::from_secs(5);
/// The most plots that the map shows: those with the most trees.
const SPOTS_MAX: usize = 200;
/// The most surveys that the chart of survival shows, and the most of one plot: the newest.
const SURVEYS_MAX: usize = 100;
const SURVEYS_EACH: usize = 20;
/// The least degrees of latitude that the map shows: some 2 km.
const MAP_LEAST: f64 = 0.02;
/// The most awards that were taken back, and losses, whose days are kept: their entries never change.
const DAYS_MAX: usize = 65_536;
/// The most entries that are read for their days at one time.
const READS_MAX: usize = 512;

/// What is kept of the overview that was made last.
#[derive(Default)]
pub(super) struct KeptOverview {
    recent: Mutex<Option<Recent>>,
    /// The months of awards that were taken back, and of losses, by their entries.
    months: Mutex<BTreeMap<Index, Month>>,
}

/// An overview, and the checkpoint that covers it.
#[derive(Clone)]
pub(super) struct Recent {
    made_at: Instant,
    pub overview: Arc<Overview>,
    pub published: Arc<Published>,
}

/// The whole ledger in a few numbers.
pub(super) struct Overview {
    /// Number of entries that all this is of.
    pub size: u64,
    pub totals: Totals,
    /// Points awarded, less those that were taken back.
    pub awarded: u128,
    pub accounts: usize,
    /// What each month added and took, by the days that records name.
    pub months: BTreeMap<Month, MonthSums>,
    /// Whether what was taken back and lost is in the months: their days were all read.
    pub has_losses: bool,
    pub plots: usize,
    /// Plots where fewer trees stand than have a claim.
    pub short: usize,
    /// Plots with a survey.
    pub surveyed: usize,
    /// Trees that stand on plots with a survey.
    pub surveyed_trees: u64,
    /// Trees found alive in the latest survey of each plot.
    pub alive: u64,
    /// Trees looked for in the latest survey of each plot.
    pub looked_for: u64,
    /// The plots on the map, those with the most trees first.
    pub shown: Vec<ShownPlot>,
    /// Those of them, as the map draws them.
    pub spots: Vec<Spot>,
    /// What lies behind them; nothing without a plot.
    pub ground: Option<Ground>,
    /// The surveys that the chart of survival shows, by plot.
    pub courses: Vec<(u32, Vec<SurveyFacts>)>,
}

/// What a month added and took.
#[derive(Clone, Copy, Default)]
pub(super) struct MonthSums {
    /// Points awarded for what was done in the month.
    pub awarded: u128,
    /// Of these, points that were taken back at any time.
    pub taken_back: u128,
    /// Trees planted until the end of the month, of plantings that were not voided.
    pub planted: u64,
    /// Trees lost in the month.
    pub lost: u64,
}

/// A plot in the table behind the map.
pub(super) struct ShownPlot {
    pub number: u32,
    pub name: String,
    pub country: String,
    /// Its middle in ten-millionths of a degree, north and east.
    pub place: (i32, i32),
    pub standing: u64,
    pub short: bool,
    pub latest: Option<SurveyFacts>,
}

/// What the state has, and what is still to be dated by its entries.
struct Undated {
    overview: Overview,
    /// Points taken back of each award.
    reversals: Vec<(Index, u64)>,
    /// Trees lost by each correction.
    losses: Vec<(Index, u32)>,
}

/// A plot as a map draws it.
pub(super) fn spot(state: &PlotState, has_circle: bool) -> Spot {
    let circle = state.plot.place.circle();
    let place = (circle.latitude.degrees(), circle.longitude.degrees());
    let shape = match &state.plot.place {
        PlotPlace::Outline { points } => {
            let corners = points.iter();
            Shape::Outline(
                corners
                    .map(|corner| (corner.latitude.degrees(), corner.longitude.degrees()))
                    .collect(),
            )
        }
        PlotPlace::Circle(_) if has_circle => Shape::Within(circle.radius_m.into()),
        PlotPlace::Circle(_) => Shape::Spot,
    };
    Spot {
        number: state.plot.number.0,
        place,
        shape,
        standing: state.standing(),
        short: state.shortfall() > 0,
    }
}

impl Undated {
    fn of(state: &State) -> Result<Self, Problem> {
        let totals = state.totals().clone();
        let awarded = totals.awarded.checked_sub(totals.reversed);
        let awarded =
            awarded.ok_or_else(|| Problem::contradiction("more was reversed than awarded"))?;
        let mut months: BTreeMap<Month, MonthSums> = BTreeMap::new();
        for (month, sums) in state.months() {
            months.entry(*month).or_default().awarded = sums.awarded.into();
        }
        let plantings = state.plantings_all().map(|(_, _, planting)| planting);
        for planting in plantings.filter(|planting| !planting.voided) {
            let month = months.entry(Month::of(planting.planted_until)).or_default();
            month.planted += planting.count();
        }
        let mut plots: Vec<&PlotState> = state.plots().map(|(_, plot)| plot).collect();
        let short = plots.iter().filter(|plot| plot.shortfall() > 0).count();
        let count = plots.len();
        let (mut surveyed, mut surveyed_trees, mut alive, mut looked_for) = (0, 0, 0, 0);
        for plot in &plots {
            if let Some((_, found)) = state.surveys(plot.plot.number).next_back() {
                surveyed += 1;
                surveyed_trees += plot.standing();
                alive += u64::from(found.survey.alive);
                looked_for += found.survey.looked_for();
            }
        }
        plots.sort_by_key(|plot| std::cmp::Reverse(plot.standing()));
        let courses = courses(state, &plots);
        plots.truncate(SPOTS_MAX);
        let spots: Vec<Spot> = plots.iter().map(|plot| spot(plot, false)).collect();
        let reversals = state.reversals_from(Index(0)).take(DAYS_MAX + 1);
        let losses = state.losses().take(DAYS_MAX + 1);
        Ok(Self {
            reversals: reversals.map(|(award, points)| (award, points.0)).collect(),
            losses: losses.map(|(at, loss)| (*at, loss.count)).collect(),
            overview: Overview {
                size: state.entries(),
                totals,
                awarded,
                accounts: state.accounts_count(),
                months,
                has_losses: false,
                plots: count,
                short,
                surveyed,
                surveyed_trees,
                alive,
                looked_for,
                shown: plots
                    .iter()
                    .map(|plot| ShownPlot::of(state, plot))
                    .collect(),
                ground: Ground::of(&spots, MAP_LEAST),
                spots,
                courses,
            },
        })
    }
}

/// The newest surveys of the plots with the most trees, the latest last.
fn courses(state: &State, plots: &[&PlotState]) -> Vec<(u32, Vec<SurveyFacts>)> {
    let mut left = SURVEYS_MAX;
    let mut courses = Vec::new();
    for plot in plots {
        let number = plot.plot.number;
        let newest = state.surveys(number).rev().take(left.min(SURVEYS_EACH));
        let mut found: Vec<SurveyFacts> = newest
            .map(|(index, survey)| SurveyFacts::of(index, survey))
            .collect();
        found.reverse();
        left -= found.len();
        if !found.is_empty() {
            courses.push((number.0, found));
        }
        if left == 0 {
            break;
        }
    }
    courses
}

impl ShownPlot {
    /// Its middle, in degrees north and east.
    pub(super) fn coordinates(&self, f: &Frame) -> String {
        let (north, east) = self.place;
        format!("{}, {}", f.degrees(north), f.degrees(east))
    }

    fn of(state: &State, plot: &PlotState) -> Self {
        let circle = plot.plot.place.circle();
        let latest = state.surveys(plot.plot.number).next_back();
        Self {
            number: plot.plot.number.0,
            name: plot.plot.name.to_string(),
            country: plot.plot.country.to_string(),
            place: (circle.latitude.e7(), circle.longitude.e7()),
            standing: plot.standing(),
            short: plot.shortfall() > 0,
            latest: latest.map(|(index, survey)| SurveyFacts::of(index, survey)),
        }
    }
}

impl Overview {
    pub(super) fn never_surveyed(&self) -> usize {
        self.plots - self.surveyed
    }

    /// The running sum of what each month adds, a point for every month that changes it.
    pub(super) fn over_time(&self, of: impl Fn(&MonthSums) -> i128) -> Vec<(f64, f64)> {
        let mut sum = 0;
        let mut points = Vec::new();
        for (month, sums) in self.months.iter().filter(|(_, sums)| of(sums) != 0) {
            sum += of(sums);
            // The end of the month, in years.
            points.push((f64::from(month.0 + 1) / 12.0, sum as f64));
        }
        points
    }

    /// What each year adds and takes, for the table behind a chart; years in which nothing happened are left out.
    pub(super) fn by_year(&self, of: impl Fn(&MonthSums) -> (u128, u128)) -> Vec<YearRow> {
        let mut rows: Vec<YearRow> = Vec::new();
        for (month, sums) in &self.months {
            let (added, less) = of(sums);
            if added == 0 && less == 0 {
                continue;
            }
            let (year, _) = month.parts();
            let before = rows.last().map_or(0, |row| row.in_all);
            if rows.last().is_none_or(|row| row.year != year) {
                rows.push(YearRow {
                    year,
                    added: 0,
                    less: 0,
                    in_all: before,
                });
            }
            if let Some(row) = rows.last_mut() {
                row.added += added;
                row.less += less;
                // Trees may be lost before the month in which the ledger has them as planted for sure.
                row.in_all = (row.in_all + added).saturating_sub(less);
            }
        }
        rows
    }
}

/// A year of a chart, as a row of the table behind it.
pub(super) struct YearRow {
    pub year: u32,
    /// What the year adds.
    pub added: u128,
    /// What it takes.
    pub less: u128,
    /// The sum at its end.
    pub in_all: u128,
}

impl Pages {
    /// The overview that was made last, or a new one after [`FRESH`].
    pub(super) async fn overview(&self) -> Result<Recent, Problem> {
        let mut recent = self.overview.recent.lock().await;
        if let Some(recent) = recent.as_ref()
            && recent.made_at.elapsed() < FRESH
        {
            return Ok(recent.clone());
        }
        let (undated, published) = self.log.look_at_image(Undated::of).await?;
        let overview = self.dated(undated?).await?;
        let made = Recent {
            made_at: Instant::now(),
            overview: Arc::new(overview),
            published,
        };
        *recent = Some(made.clone());
        Ok(made)
    }

    /// Puts what was taken back and lost into its months, if all their days are known.
    async fn dated(&self, undated: Undated) -> Result<Overview, Problem> {
        let Undated {
            mut overview,
            reversals,
            losses,
        } = undated;
        let mut known = self.overview.months.lock().await;
        let all = reversals.iter().map(|(at, _)| *at);
        let all = all.chain(losses.iter().map(|(at, _)| *at));
        let missing: Vec<Index> = all.filter(|at| !known.contains_key(at)).collect();
        for index in missing.iter().take(READS_MAX) {
            if known.len() >= DAYS_MAX {
                break;
            }
            known.insert(*index, self.month_of(*index).await?);
        }
        let month = |at: &Index| known.get(at).copied();
        let reversals: Option<Vec<_>> = reversals
            .iter()
            .map(|(at, points)| Some((month(at)?, *points)))
            .collect();
        let losses: Option<Vec<_>> = losses
            .iter()
            .map(|(at, trees)| Some((month(at)?, *trees)))
            .collect();
        if let Some((reversals, losses)) = reversals.zip(losses) {
            for (month, points) in reversals {
                overview.months.entry(month).or_default().taken_back += u128::from(points);
            }
            for (month, trees) in losses {
                overview.months.entry(month).or_default().lost += u64::from(trees);
            }
            overview.has_losses = true;
        }
        Ok(overview)
    }

    /// The month of the act that an award is for, or of a loss.
    async fn month_of(&self, index: Index) -> Result<Month, Problem> {
        let (_, entry) = self.entry(index).await?;
        match stated(index, &entry)?.statement {
            Statement::Award(award) => Ok(Month::of(award.occurred_on)),
            Statement::Correction(Correction {
                remedy: Remedy::Lost { lost_on, .. },
                ..
            }) => Ok(Month::of(*lost_on)),
            _ => {
                let detail = format!("entry {index} is neither an award nor a loss");
                Err(Problem::contradiction(&detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_has_what_it_adds_and_takes() {
        let month = |year: u32, month: u32| Month(year * 12 + month - 1);
        let sums = |planted, lost| MonthSums {
            planted,
            lost,
            ..MonthSums::default()
        };
        let overview = Overview {
            size: 0,
            totals: Totals::default(),
            awarded: 0,
            accounts: 0,
            months: [
                (month(2013, 12), sums(10, 0)),
                (month(2015, 1), sums(5, 2)),
                (month(2015, 7), sums(0, 3)),
            ]
            .into(),
            has_losses: true,
            plots: 0,
            short: 0,
            surveyed: 0,
            surveyed_trees: 0,
            alive: 0,
            looked_for: 0,
            shown: Vec::new(),
            spots: Vec::new(),
            ground: None,
            courses: Vec::new(),
        };
        let rows = overview.by_year(|sums| (sums.planted.into(), sums.lost.into()));
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.year, row.added, row.less, row.in_all))
            .collect();
        assert_eq!(rows, [(2013, 10, 0, 10), (2015, 5, 5, 10)]);
        let net = overview.over_time(|sums| i128::from(sums.planted) - i128::from(sums.lost));
        assert_eq!(net.first(), Some(&(2014.0, 10.0)));
        assert_eq!(net.last().map(|last| last.1), Some(10.0));
    }
}
