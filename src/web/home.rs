//! The first page: the programme, its sums, where its plots lie, and what comes in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::State as Extract;
use tokio::sync::Mutex;

use super::entry::{EntryLine, NEWEST, newest};
use super::frame::{Frame, Visit};
use super::plot::{dot, drawn};
use super::{PageResult, Pages, page};
use crate::answer::Problem;
use crate::charts::{self, BLUE, Dot, GREEN, SMALL, SMALL_MAP};
use crate::ledger::{MonthTotals, State, Totals};
use crate::log::Published;
use crate::record::Month;

/// How long an overview is shown before it is made again, however many readers there are: it goes
/// through every plot.
const FRESH: Duration = Duration::from_secs(5);
/// The most plots that the map shows: those with the most trees.
const DOTS_MAX: usize = 200;

/// The overview that was made last, if any was.
pub(super) type CachedOverview = Mutex<Option<Recent>>;

/// An overview, and the checkpoint that covers it.
#[derive(Clone)]
pub(super) struct Recent {
    made_at: Instant,
    overview: Arc<Overview>,
    published: Arc<Published>,
}

/// The whole ledger in a few numbers.
pub(super) struct Overview {
    /// Number of entries that all this is of.
    size: u64,
    totals: Totals,
    /// Points awarded, less those that were reversed.
    awarded: u128,
    accounts: usize,
    months: BTreeMap<Month, MonthTotals>,
    plots: usize,
    /// Plots where fewer trees stand than have a claim.
    short: usize,
    /// Plots with a survey.
    surveyed: usize,
    /// Trees that stand on plots with a survey.
    surveyed_trees: u64,
    /// Trees found alive in the latest survey of each plot.
    alive: u64,
    /// Trees looked for in the latest survey of each plot.
    looked_for: u64,
    /// The plots on the map.
    dots: Vec<Dot>,
}

/// A year of a chart, as a row of the table behind it.
struct YearRow {
    year: u32,
    /// What the year adds.
    added: u128,
    /// The sum at its end.
    in_all: u128,
}

impl Overview {
    fn of(state: &State) -> Result<Self, Problem> {
        let totals = state.totals().clone();
        let awarded = totals.awarded.checked_sub(totals.reversed);
        let awarded =
            awarded.ok_or_else(|| Problem::contradiction("more was reversed than awarded"))?;
        let mut dots: Vec<Dot> = state.plots().map(|(_, plot)| dot(plot)).collect();
        let (plots, short) = (dots.len(), dots.iter().filter(|dot| dot.short).count());
        dots.sort_by_key(|dot| std::cmp::Reverse(dot.standing));
        dots.truncate(DOTS_MAX);
        let latest = state.plots().filter_map(|(number, plot)| {
            let (_, found) = state.surveys(*number).next_back()?;
            Some((plot.standing(), found))
        });
        let mut overview = Self {
            size: state.entries(),
            totals,
            awarded,
            accounts: state.accounts_count(),
            months: state.months().copied().collect(),
            plots,
            short,
            surveyed: 0,
            surveyed_trees: 0,
            alive: 0,
            looked_for: 0,
            dots,
        };
        for (standing, found) in latest {
            overview.surveyed += 1;
            overview.surveyed_trees += standing;
            overview.alive += u64::from(found.survey.alive);
            overview.looked_for += found.survey.looked_for();
        }
        Ok(overview)
    }

    fn never_surveyed(&self) -> usize {
        self.plots - self.surveyed
    }

    /// What each year adds, and the sum at its end: what a chart shows, for readers who can't see it.
    fn by_year(&self, of: impl Fn(&MonthTotals) -> u128) -> Vec<YearRow> {
        let mut rows: Vec<YearRow> = Vec::new();
        let mut in_all = 0;
        for (month, sums) in self.months.iter().filter(|(_, sums)| of(sums) > 0) {
            in_all += of(sums);
            let (year, _) = month.parts();
            match rows.last_mut().filter(|row| row.year == year) {
                Some(row) => {
                    row.added += of(sums);
                    row.in_all = in_all;
                }
                None => rows.push(YearRow {
                    year,
                    added: of(sums),
                    in_all,
                }),
            }
        }
        rows
    }

    /// The running sum of what each month adds, a point for every month that adds something.
    fn over_time(&self, of: impl Fn(&MonthTotals) -> f64) -> Vec<(f64, f64)> {
        let mut sum = 0.0;
        let mut points = Vec::new();
        for (month, sums) in self.months.iter().filter(|(_, sums)| of(sums) > 0.0) {
            sum += of(sums);
            // The end of the month, in years.
            points.push((f64::from(month.0 + 1) / 12.0, sum));
        }
        points
    }
}

impl Pages {
    /// The overview that was made last, or a new one after [`FRESH`].
    async fn overview(&self) -> Result<Recent, Problem> {
        let mut recent = self.overview.lock().await;
        if let Some(recent) = recent.as_ref()
            && recent.made_at.elapsed() < FRESH
        {
            return Ok(recent.clone());
        }
        let (overview, published) = self.log.look_at_image(Overview::of).await?;
        let made = Recent {
            made_at: Instant::now(),
            overview: Arc::new(overview?),
            published,
        };
        *recent = Some(made.clone());
        Ok(made)
    }
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    f: Frame,
    overview: Arc<Overview>,
    /// The size of the checkpoint that covers the overview.
    checkpoint_size: u64,
    /// When that checkpoint was signed.
    signed_at: String,
    points_chart: String,
    points_years: Vec<YearRow>,
    trees_chart: String,
    trees_years: Vec<YearRow>,
    map: String,
    newest: Vec<EntryLine>,
}

impl HomePage {
    /// On how many trees somebody looked at all, in words.
    fn surveyed(&self) -> String {
        let parts = [
            ("surveyed", self.f.n(self.overview.surveyed_trees)),
            ("standing", self.f.n(self.overview.totals.standing)),
        ];
        self.f.language.say(&self.f.t.surveyed_trees, &parts)
    }
}

/// The first page.
pub(super) async fn home(Extract(pages): Extract<Arc<Pages>>, visit: Visit) -> PageResult {
    let Recent {
        overview,
        published,
        ..
    } = pages.overview().await?;
    let ((), mut f) = pages.see(&visit, |_| Ok(())).await?;
    f.size = overview.size;
    let t = f.t;
    let line = |name, colour, points| {
        [charts::Line {
            name,
            colour,
            points,
        }]
    };
    let points = line(
        &t.chart_points,
        BLUE,
        overview.over_time(|sums| sums.awarded as f64),
    );
    let trees = line(
        &t.chart_trees,
        GREEN,
        overview.over_time(|sums| sums.planted as f64),
    );
    page(&HomePage {
        points_years: overview.by_year(|sums| sums.awarded.into()),
        trees_years: overview.by_year(|sums| sums.planted.into()),
        points_chart: drawn(charts::lines(SMALL, &t.chart_points, "", &points))?,
        trees_chart: drawn(charts::lines(SMALL, &t.chart_trees, "", &trees))?,
        map: drawn(charts::map(SMALL_MAP, &t.map_title, &overview.dots))?,
        newest: newest(&pages, &visit, pages.log.published().head.tree.size, NEWEST).await?,
        f,
        overview,
        checkpoint_size: published.head.tree.size,
        signed_at: visit.language.time(published.at),
    })
}
