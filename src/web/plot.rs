//! A plot: where it lies, what was planted there, and what surveys found.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use serde::Deserialize;

use super::drawing::map::{self, Ground};
use super::frame::{Frame, Visit};
use super::home::{spot_title, survival};
use super::names::species_name;
use super::overview::spot;
use super::panel::Receipts;
use super::{PageResult, Pages, broken, not_found, page};
use crate::answer::Problem;
use crate::answer::extract::{Path, Query, parse_path, parse_query};
use crate::answer::places::{ListPage, SurveyPlace};
use crate::figures::grouped;
use crate::ledger::{PlotState, State, SurveyState};
use crate::record::{Basis, CarbonRights, Circle, Day, Index, PlotNumber, Serial, Slug};

/// The most plantings, from the highest serials on, and the most surveys, from the newest on, that one
/// page lists.
const ROWS_MAX: usize = 100;
/// Square metres of a hectare.
const HECTARE_M2: u64 = 10_000;

/// What a survey found.
#[derive(Clone)]
pub(super) struct SurveyFacts {
    pub index: Index,
    /// The one planting that was surveyed; the whole plot if there is none.
    pub planting: Option<Index>,
    /// The day of the survey.
    pub on: Day,
    pub basis: Basis,
    /// The entry after which the books were looked at.
    pub as_of: Index,
    /// Trees looked for.
    pub looked_for: u64,
    /// Trees found alive.
    pub alive: u32,
    /// Trees found dead.
    pub dead: u32,
    /// Trees not found.
    pub not_found: u32,
    pub paid_by: String,
    /// When the next survey is due.
    pub next_due: Option<Day>,
}

impl SurveyFacts {
    pub(super) fn of(index: Index, state: &SurveyState) -> Self {
        let survey = &state.survey;
        Self {
            index,
            planting: survey.planting,
            on: survey.surveyed_on,
            basis: survey.basis,
            as_of: survey.as_of,
            looked_for: survey.looked_for(),
            alive: survey.alive,
            dead: survey.dead,
            not_found: survey.not_found,
            paid_by: survey.paid_by.to_string(),
            next_due: survey.next_due,
        }
    }

    /// The share of the trees looked for that were found alive; a dash if there were none.
    pub(super) fn survival(&self, f: &Frame) -> String {
        // Rounded down, so that one dead tree of many shows.
        let Some(tenths) = (u64::from(self.alive) * 1000).checked_div(self.looked_for) else {
            return "–".to_owned();
        };
        f.decimal(format!("{}.{} %", tenths / 10, tenths % 10))
    }
}

/// A planting in a row.
struct PlantingRow {
    index: Index,
    /// The serial of its first tree.
    first: Serial,
    /// The serial of its last tree.
    last: Serial,
    /// Number of trees.
    count: u64,
    /// The name of its species.
    species: String,
    /// The first day on which it may have been planted.
    planted_from: Day,
    /// The last one.
    planted_until: Day,
    /// Trees that were lost.
    lost: u32,
    /// Trees that have a claim.
    assigned: u32,
    /// Whether a correction voided it.
    voided: bool,
}

/// The query of a plot's page: which rows its lists begin with.
#[derive(Deserialize)]
pub(super) struct PlotQuery {
    /// The plantings below this first serial; all if left out.
    plantings_below: Option<String>,
    /// The surveys before this one; all if left out.
    surveys_before: Option<String>,
}

/// Where the lists of a page begin, as [`PlotQuery`] says.
#[derive(Clone, Copy)]
struct PlotLists {
    plantings_below: Option<Serial>,
    surveys_before: Option<SurveyPlace>,
}

/// A plot as the page shows it.
struct PlotFacts {
    plot: PlotState,
    /// Plantings, from the highest serials on.
    plantings: Vec<PlantingRow>,
    /// The first serial below which the next page of plantings begins.
    plantings_next: Option<Serial>,
    /// Surveys, the newest first.
    surveys: Vec<SurveyFacts>,
    /// The survey before which the next page of surveys begins.
    surveys_next: Option<SurveyPlace>,
    /// The entry of the latest survey of all.
    latest: Option<Index>,
}

impl PlotFacts {
    fn of(state: &State, number: PlotNumber, lists: PlotLists) -> Result<Self, Problem> {
        let plot = state.plot(number).ok_or_else(|| not_found("plot"))?;
        // Below the first serial, and before the first entry of a day, comes nothing more.
        let to = lists
            .plantings_below
            .map_or(Some(u32::MAX), |below| below.0.checked_sub(1));
        let rows = to
            .into_iter()
            .flat_map(|to| state.plantings_in(number, Serial(0)..=Serial(to)).rev());
        let rows = ListPage::of(rows, ROWS_MAX);
        let plantings_next = rows.next_after().map(|(first, _)| *first);
        let plantings = rows.items.into_iter().map(|(first, planting)| {
            Ok(PlantingRow {
                index: planting.index,
                first,
                last: planting.last_serial,
                count: planting.count(),
                species: species_name(state, planting.species)?,
                planted_from: planting.planted_from,
                planted_until: planting.planted_until,
                lost: planting.lost(),
                assigned: planting.assigned,
                voided: planting.voided,
            })
        });
        // Before the survey that the query names, or at the last place that there could be.
        let to = match lists.surveys_before {
            None => Some((Day(u32::MAX), Index(u64::MAX))),
            Some(SurveyPlace(day, Index(0))) => {
                day.0.checked_sub(1).map(|day| (Day(day), Index(u64::MAX)))
            }
            Some(SurveyPlace(day, index)) => Some((day, Index(index.0 - 1))),
        };
        let rows = to
            .into_iter()
            .flat_map(|to| state.surveys_in(number, (Day(0), Index(0))..=to).rev());
        let rows = ListPage::of(rows, ROWS_MAX);
        let surveys_next = rows
            .next_after()
            .map(|(index, survey)| SurveyPlace(survey.survey.surveyed_on, *index));
        let surveys = rows.items.into_iter();
        Ok(Self {
            plantings: plantings.collect::<Result<_, Problem>>()?,
            plantings_next,
            surveys: surveys
                .map(|(index, survey)| SurveyFacts::of(index, survey))
                .collect(),
            surveys_next,
            latest: state.surveys(number).next_back().map(|(index, _)| index),
            plot: plot.clone(),
        })
    }

    /// Whether a survey is the latest of all: what the browser verifies on this page.
    fn is_latest(&self, survey: &SurveyFacts) -> bool {
        self.latest == Some(survey.index)
    }

    fn receipts(&self) -> Receipts {
        let mut receipts = Receipts::of("plot", self.plot.stated_at);
        // A later page of the list does not show it.
        if let Some(survey) = self.surveys.first().filter(|survey| self.is_latest(survey)) {
            receipts.add("survey", survey.index);
        }
        receipts
    }

    /// The plot's area in hectares, exact: a square metre is a ten-thousandth of one.
    fn hectares(&self, f: &Frame) -> String {
        let area = self.plot.plot.area_m2;
        f.decimal(format!("{}.{:04}", area / HECTARE_M2, area % HECTARE_M2))
    }

    /// The holders whose platforms may promise its trees.
    fn platforms(&self, f: &Frame) -> String {
        let named: Vec<&str> = self.plot.plot.platforms.iter().map(Slug::as_str).collect();
        if named.is_empty() {
            f.t.any_platform.clone()
        } else {
            named.join(", ")
        }
    }

    /// Trees that stand on a hectare; a dash for a plot without an area.
    fn density(&self, f: &Frame) -> String {
        let density = trees_per_hectare(self.plot.standing(), self.plot.plot.area_m2);
        density.map_or("–".to_owned(), |density| f.decimal(density))
    }
}

/// Trees that stand on a hectare, to a tenth; `None` for a plot that is stated to have no area.
fn trees_per_hectare(standing: u64, area_m2: u64) -> Option<String> {
    let tenths = u128::from(standing) * u128::from(HECTARE_M2) * 10;
    let tenths = tenths.checked_div(area_m2.into())?;
    Some(format!("{}.{}", grouped(tenths / 10), tenths % 10))
}

#[derive(Template)]
#[template(path = "plot.html")]
struct PlotPage {
    f: Frame,
    panel: Receipts,
    facts: PlotFacts,
    /// A circle that holds the plot.
    circle: Circle,
    map: String,
    /// What the surveys of the page found over time; empty for fewer than two.
    survival: String,
}

/// The page of a plot.
pub(super) async fn plot(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Path(number): Path<String>,
    Query(query): Query<PlotQuery>,
) -> PageResult {
    let number: PlotNumber = parse_path(&number, "the plot")?;
    let below = query.plantings_below.as_deref();
    let before = query.surveys_before.as_deref();
    let lists = PlotLists {
        plantings_below: below
            .map(|text| parse_query(text, "plantings_below"))
            .transpose()?,
        surveys_before: before
            .map(|text| parse_query(text, "surveys_before"))
            .transpose()?,
    };
    let (facts, f) = pages
        .see_image(&visit, move |state| PlotFacts::of(state, number, lists))
        .await?;
    let mut course: Vec<SurveyFacts> = facts.surveys.clone();
    course.reverse();
    let survival = if course.len() > 1 {
        survival(&f, &[(number.0, course)])?
    } else {
        String::new()
    };
    let map = place_map(&f, &facts.plot)?;
    page(&PlotPage {
        panel: facts.receipts(),
        circle: facts.plot.plot.place.circle(),
        f,
        facts,
        map,
        survival,
    })
}

/// The least degrees of latitude that the map of one plot shows: some 400 m.
const MAP_LEAST: f64 = 0.004;

/// A map of one plot: its outline, or the circle in which it lies.
fn place_map(f: &Frame, plot: &PlotState) -> Result<String, Problem> {
    let spots = [spot(plot, true)];
    let Some(ground) = Ground::of(&spots, MAP_LEAST) else {
        return Ok(String::new());
    };
    let name = |shown: &map::Spot| spot_title(f, shown, plot.plot.name.as_str());
    let drawn = map::map(&ground, &spots, &f.t.map_title, name, |metres| {
        f.length(metres)
    });
    drawn.map_err(|error| broken(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_without_an_area_has_no_density() {
        assert_eq!(trees_per_hectare(50, 20_000).as_deref(), Some("25.0"));
        assert_eq!(trees_per_hectare(0, 1).as_deref(), Some("0.0"));
        assert_eq!(trees_per_hectare(0, 0), None);
    }
}
