//! The report as one page: opens offline, prints, and needs no scripts.

use askama::Template;

use super::{ReportError, charts};
use crate::audit::{
    Finding, Interval, IssuerRow, MonthRow, PlotRow, Report, Scope, Severity, Share, SpeciesRow,
    UntilRow, VintageRow, percent,
};
use crate::figures::{decimal, grouped, signed, weight};
use crate::record::CarbonRights;

/// The most cases of a finding that the page shows; `report.json` has more.
const ITEMS_SHOWN: usize = 10;
/// The most plots that the page shows: those with the most trees planted.
const PLOTS_SHOWN: usize = 500;
/// The most rows of a table of plots, species, keys or months in the text: a longer one is an annex.
const ROWS_IN_TEXT: usize = 12;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    high: usize,
    medium: usize,
    low: usize,
    plots: Table<'a, PlotRow>,
    /// What carbon rights, funder and holder are, if that is the same of all plots.
    plots_words: Option<String>,
    species: Table<'a, SpeciesRow>,
    issuers: Table<'a, IssuerRow>,
    months: Table<'a, MonthLine<'a>>,
    points_chart: String,
    trees_chart: String,
    points_vintages: String,
    trees_vintages: String,
    survival_chart: String,
    cohorts_chart: String,
    map: String,
}

/// A month with its vintage.
struct MonthLine<'a> {
    month: &'a MonthRow,
    /// What was awarded for it and planted in it; `None` if nothing was.
    vintage: Option<&'a VintageRow>,
}

impl MonthLine<'_> {
    /// The points that were reversed since of those awarded for the month, and those that stand.
    fn points(&self) -> [u128; 2] {
        let vintage = self.vintage;
        vintage.map_or([0; 2], |vintage| {
            [vintage.reversed, vintage.standing_points]
        })
    }

    /// The trees that were lost since of those planted in the month, and those that stand.
    fn trees(&self) -> [u64; 2] {
        let vintage = self.vintage;
        vintage.map_or([0; 2], |vintage| [vintage.lost, vintage.standing])
    }
}

/// Each month with its vintage: both are in order.
fn month_lines(report: &Report) -> Vec<MonthLine<'_>> {
    let mut vintages = report.vintages.iter().peekable();
    let months = report.months.iter();
    let line = |month| MonthLine {
        month,
        vintage: vintages.next_if(|vintage| vintage.month == month.month),
    };
    months.map(line).collect()
}

/// A table whose first rows stand in the text, and that is an annex with all of them if there are more.
struct Table<'a, Row> {
    first: Vec<&'a Row>,
    all: Vec<&'a Row>,
}

impl<Row> Table<'_, Row> {
    fn has_annex(&self) -> bool {
        self.first.len() < self.all.len()
    }
}

/// The page.
pub(super) fn html(report: &Report) -> Result<String, ReportError> {
    let weighing = |severity| {
        let same = |finding: &&Finding| finding.severity == severity;
        report.findings.iter().filter(same).count()
    };
    let planted = |plot: &PlotRow| plot.planted;
    let mut plots = largest(&report.plots, PLOTS_SHOWN, planted);
    plots.sort_by_key(|plot| plot.number);
    let mut first = largest(&report.plots, ROWS_IN_TEXT, planted);
    first.sort_by_key(|plot| plot.number);
    let lines = month_lines(report);
    let months = lines.iter();
    let earlier = report.months.len().saturating_sub(ROWS_IN_TEXT);
    let page = Page {
        report,
        high: weighing(Severity::High),
        medium: weighing(Severity::Medium),
        low: weighing(Severity::Low),
        plots: Table { first, all: plots },
        plots_words: words_of_all(&report.plots),
        species: Table {
            first: largest(&report.species, ROWS_IN_TEXT, |row| row.planted),
            all: report.species.iter().collect(),
        },
        issuers: Table {
            first: report.issuers.iter().take(ROWS_IN_TEXT).collect(),
            all: report.issuers.iter().collect(),
        },
        months: Table {
            first: months.clone().skip(earlier).collect(),
            all: months.collect(),
        },
        points_chart: charts::points_over_time(report)?,
        trees_chart: charts::trees_over_time(report)?,
        points_vintages: charts::points_by_vintage(report)?,
        trees_vintages: charts::trees_by_vintage(report)?,
        survival_chart: charts::survival_by_age(report)?,
        cohorts_chart: charts::survival_by_cohort(report)?,
        map: charts::plots_map(report)?,
    };
    page.render()
        .map_err(|error| ReportError::Page(error.to_string()))
}

/// At most `count` rows: those of the largest number, that first.
fn largest<Row>(rows: &[Row], count: usize, number: impl Fn(&Row) -> u64) -> Vec<&Row> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(number(row)));
    rows.truncate(count);
    rows
}

/// What carbon rights, funder and holder of a plot are.
fn plot_words(plot: &PlotRow) -> String {
    let rights = rights_words(&plot.carbon_rights);
    format!("{rights}; {}; {}", plot.funded_by, plot.holder)
}

/// What these are of all plots, of two or more.
fn words_of_all(plots: &[PlotRow]) -> Option<String> {
    let (first, others) = plots.split_first()?;
    let words = plot_words(first);
    let same = !others.is_empty() && others.iter().all(|plot| plot_words(plot) == words);
    same.then(|| {
        let rights = rights_words(&first.carbon_rights);
        let (funder, holder) = (&first.funded_by, &first.holder);
        format!("{rights}; funded by {funder}; held by {holder}")
    })
}

fn rights_words(rights: &CarbonRights) -> String {
    match rights {
        CarbonRights::NoneIssued => "no credits issued".to_owned(),
        CarbonRights::Issued { registry, id } => format!("credits issued: {registry} {id}"),
        CarbonRights::Unknown => "carbon rights unknown".to_owned(),
    }
}

fn share_in_words(share: &Share) -> String {
    let at = percent(share.estimate, 1);
    match share.interval {
        None => format!("{at}, no interval"),
        Some(Interval { low, high }) if low == high => at,
        Some(Interval { low, high }) => {
            format!("{at} ({} to {})", percent(low, 1), percent(high, 1))
        }
    }
}

// What the template calls. Askama passes references.
#[allow(clippy::unused_self, clippy::trivially_copy_pass_by_ref)]
impl Page<'_> {
    fn n(&self, number: &u64) -> String {
        grouped((*number).into())
    }

    fn big(&self, number: &u128) -> String {
        grouped(*number)
    }

    fn signed(&self, number: &i128) -> String {
        signed(*number)
    }

    /// What the latest surveys of all plots rest on: by which methods, of how many plots, who paid.
    fn how_surveyed(&self) -> String {
        let latest = || {
            self.report
                .plots
                .iter()
                .filter_map(|plot| plot.latest_survey.as_ref())
        };
        let count = latest().count();
        let payers: std::collections::BTreeSet<_> =
            latest().map(|survey| &survey.paid_by).collect();
        let paid = match payers.first() {
            Some(payer) if payers.len() == 1 => format!("paid by {payer}"),
            _ => format!("paid by {} payers", payers.len()),
        };
        let bases: std::collections::BTreeSet<_> =
            latest().map(|survey| survey.basis.words()).collect();
        let bases: Vec<_> = bases.into_iter().collect();
        format!("By {}, of {count} plots, {paid}", bases.join(" and "))
    }

    fn weight(&self, grams: &u128) -> String {
        weight(*grams)
    }

    /// A quantity, which a record has in thousandths, in whole units.
    fn quantity(&self, thousandths: &u128) -> String {
        grouped(thousandths / 1_000)
    }

    /// Micrograms as grams.
    fn factor(&self, micrograms: &u64) -> String {
        decimal(*micrograms, 6)
    }

    fn share(&self, share: &Option<Share>) -> String {
        share.as_ref().map_or("–".to_owned(), share_in_words)
    }

    fn part(&self, some: &u64, all: &u64) -> String {
        if *all == 0 {
            return "–".to_owned();
        }
        // Two numbers above 2^53 that differ may be one as real numbers.
        let share = *some as f64 / *all as f64;
        let share = if some < all {
            share.min(1.0 - f64::EPSILON)
        } else {
            share
        };
        percent(share, 0)
    }

    fn plot_words(&self, plot: &PlotRow) -> String {
        plot_words(plot)
    }

    fn shown<'f>(&self, finding: &'f Finding) -> impl Iterator<Item = &'f crate::audit::Item> {
        finding.items.iter().take(ITEMS_SHOWN)
    }

    /// Cases that the page does not show: none of a finding that has fewer than are shown.
    fn more(&self, finding: &Finding) -> u64 {
        finding.count.saturating_sub(ITEMS_SHOWN as u64)
    }

    fn plots_hidden(&self) -> usize {
        self.report.plots.len() - self.plots.all.len()
    }

    /// What the survival is of, and what it rests on.
    fn survival_in_words(&self) -> String {
        let survival = &self.report.survival;
        let scope = match survival.scope {
            Scope::Programme => "All plantings on which trees stand were surveyed",
            Scope::SurveyedOnly => {
                "It speaks of the surveyed plantings only: no entry says how they were chosen"
            }
        };
        let days = match (survival.surveyed_from, survival.surveyed_until) {
            (Some(from), Some(until)) if from == until => format!(" on {from}"),
            (Some(from), Some(until)) => format!(" from {from} to {until}"),
            _ => String::new(),
        };
        let surveys = match survival.surveys {
            1 => "1 survey".to_owned(),
            several => format!("{} surveys", self.n(&several)),
        };
        format!(
            "{surveys}{days} looked for {} trees: {} alive, {} dead, {} not found. They speak of {} trees, {} of all \
             planted. {scope}",
            self.n(&survival.looked_for),
            self.n(&survival.alive),
            self.n(&survival.dead),
            self.n(&survival.not_found),
            self.n(&survival.surveyed),
            self.part(&survival.surveyed, &self.planted()),
        )
    }

    /// Whether the checkpoint has entries behind those that were audited.
    fn is_beginning(&self) -> bool {
        let until = self.report.until.as_ref();
        until.is_some_and(|until| !until.is_all)
    }

    fn until_words(&self, until: &UntilRow) -> String {
        let words = until.words(self.report.checkpoint.size);
        words.replacen("as of then", "As of then", 1)
    }

    fn planted(&self) -> u64 {
        self.report.totals.planted()
    }

    /// The share of those planted that stand in the books, over the surveyed plantings.
    fn in_books(&self) -> String {
        let in_books = self.report.survival.in_books;
        in_books.map_or("–".to_owned(), |share| percent(share, 1))
    }
}
