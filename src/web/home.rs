//! The first page: the programme, its sums, where its plots lie, and what comes in.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;

use super::drawing::chart::{self, Course, Found, Line};
use super::drawing::map::{self, Spot};
use super::entry::{EntryLine, NEWEST, newest};
use super::frame::{Frame, Visit};
use super::overview::{MonthSums, Overview, Recent, YearRow};
use super::plot::SurveyFacts;
use super::{PageResult, Pages, broken, page};
use crate::answer::Problem;
use crate::record::{Day, Month};

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
    survival_chart: String,
    map: String,
    newest: Vec<EntryLine>,
}

/// A chart, its title, the rows behind it, and what these call what is taken off.
type ChartParts<'p> = (&'p str, &'p str, &'p [YearRow], &'p str);

impl HomePage {
    /// The two charts of sums.
    fn charts(&self) -> [ChartParts<'_>; 2] {
        let t = self.f.t;
        [
            (
                &self.points_chart,
                &t.chart_points,
                &self.points_years,
                &t.taken_back,
            ),
            (
                &self.trees_chart,
                &t.chart_trees,
                &self.trees_years,
                &t.lost,
            ),
        ]
    }
}

/// The sums alone, for a page that shows entries as they come.
#[derive(Template)]
#[template(path = "totals.html")]
struct TotalsPart {
    f: Frame,
    overview: Arc<Overview>,
    checkpoint_size: u64,
    signed_at: String,
}

/// On how many trees somebody looked at all, in words.
fn surveyed(f: &Frame, overview: &Overview) -> String {
    let parts = [
        ("surveyed", f.n(overview.surveyed_trees)),
        ("standing", f.n(overview.totals.standing)),
    ];
    f.language.say(&f.t.surveyed_trees, &parts)
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
    let given = |sums: &MonthSums| (sums.awarded, sums.taken_back);
    let grown = |sums: &MonthSums| (sums.planted.into(), sums.lost.into());
    page(&HomePage {
        points_years: overview.by_year(given),
        trees_years: overview.by_year(grown),
        points_chart: two_sums(
            &f,
            &overview,
            &f.t.chart_points,
            given,
            [&f.t.end_awarded, &f.t.end_net],
        )?,
        trees_chart: two_sums(
            &f,
            &overview,
            &f.t.chart_trees,
            grown,
            [&f.t.end_planted, &f.t.end_standing],
        )?,
        survival_chart: survival(&f, &overview.courses)?,
        map: plots_map(&f, &overview)?,
        newest: newest(&pages, &visit, pages.log.published().head.tree.size, NEWEST).await?,
        f,
        overview,
        checkpoint_size: published.head.tree.size,
        signed_at: visit.language.time(published.at),
    })
}

/// The sums of the first page, as they are now.
pub(super) async fn totals(Extract(pages): Extract<Arc<Pages>>, visit: Visit) -> PageResult {
    let Recent {
        overview,
        published,
        ..
    } = pages.overview().await?;
    let ((), mut f) = pages.see(&visit, |_| Ok(())).await?;
    f.size = overview.size;
    page(&TotalsPart {
        f,
        overview,
        checkpoint_size: published.head.tree.size,
        signed_at: visit.language.time(published.at),
    })
}

/// What was added over time; and the same without what was taken off, where that is known and differs.
fn two_sums(
    f: &Frame,
    overview: &Overview,
    title: &str,
    of: impl Fn(&MonthSums) -> (u128, u128),
    names: [&str; 2],
) -> Result<String, Problem> {
    let signed = |sum: u128| i128::try_from(sum).unwrap_or(i128::MAX);
    let added = overview.over_time(|sums| signed(of(sums).0));
    let left = overview.over_time(|sums| {
        let (added, less) = of(sums);
        signed(added) - signed(less)
    });
    let sums = overview.months.values().map(of);
    let (gross, less) = sums.fold((0, 0), |all, sums| (all.0 + sums.0, all.1 + sums.1));
    let [name, net_name] = names;
    let end = |name: &str, sum: u128| f.language.say(name, &[("sum", f.n(sum))]);
    let mut lines = vec![Line {
        class: if less > 0 { "gross" } else { "net" },
        name: end(name, gross),
        points: added,
    }];
    if less > 0 {
        lines.push(Line {
            class: "net",
            name: end(net_name, gross.saturating_sub(less)),
            points: left,
        });
    }
    chart::sums(f.language, title, &lines).map_err(|error| broken(&error))
}

/// What a survey of a plot found, in words.
fn told(f: &Frame, plot: u32, survey: &SurveyFacts) -> String {
    format!(
        "{} {plot}{}{}{}{} {}{}{}{}",
        f.t.plot,
        f.colon(),
        survey.survival(f),
        f.open(),
        f.n(survey.alive),
        f.of_looked_for(&survey.looked_for),
        f.close(),
        f.comma(),
        f.day(&survey.on),
    )
}

/// The chart of what surveys found, by plot.
pub(super) fn survival(f: &Frame, courses: &[(u32, Vec<SurveyFacts>)]) -> Result<String, Problem> {
    let courses = courses.iter().map(|(plot, surveys)| {
        let found = surveys.iter().filter(|survey| survey.looked_for > 0);
        Course {
            plot: *plot,
            found: found
                .map(|survey| Found {
                    entry: survey.index.0,
                    at: years(survey.on),
                    share: f64::from(survey.alive) / survey.looked_for as f64,
                    partial: survey.planting.is_some(),
                    title: told(f, *plot, survey),
                })
                .collect(),
        }
    });
    chart::survival(
        f.language,
        &f.t.survival_title,
        &courses.collect::<Vec<_>>(),
    )
    .map_err(|error| broken(&error))
}

/// A day in years: 2013.5 is the 1st of July.
fn years(day: Day) -> f64 {
    let (_, _, of_month) = day.ymd();
    (f64::from(Month::of(day).0) + (f64::from(of_month) - 1.0) / 31.0) / 12.0
}

/// The map of the plots with the most trees.
fn plots_map(f: &Frame, overview: &Overview) -> Result<String, Problem> {
    let Some(ground) = &overview.ground else {
        return Ok(String::new());
    };
    let name = |spot: &Spot| {
        let shown = overview
            .shown
            .iter()
            .find(|plot| plot.number == spot.number);
        let shown = shown.map_or("", |plot| &plot.name);
        spot_title(f, spot, shown)
    };
    map::map(ground, &overview.spots, &f.t.map_title, name, |metres| {
        f.length(metres)
    })
    .map_err(|error| broken(&error))
}

/// What a plot on a map is, in words.
pub(super) fn spot_title(f: &Frame, spot: &Spot, name: &str) -> String {
    let standing = f
        .language
        .say(&f.t.end_standing, &[("sum", f.n(spot.standing))]);
    format!(
        "{} {}{}{}{}{standing}",
        f.t.plot,
        spot.number,
        f.colon(),
        super::say::isolated(name),
        f.comma(),
    )
}
