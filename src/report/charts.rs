//! The report's own charts.

use plotters::prelude::*;

use crate::audit::{Interval, MonthRow, Report, Share, VintageRow};
use crate::charts::{
    BLUE, ChartError, Dot, Drawn, GREEN, Line, RUST, Size, WIDE, WIDE_MAP, failed, lines, map,
    sheet, thousands, year_label,
};

/// Labels on the axis of ages, or of years, at the most.
const AGE_LABELS_MAX: u32 = 20;
/// Half the width of the bar across a whisker's end, in years.
const WHISKER_END: f64 = 0.1;
/// A chart of what stands, of which two are beside each other.
const LOW: Size = (760, 230);

/// The end of a month such as `2026-11`, in years.
fn year_of(month: &str) -> Result<f64, ChartError> {
    let ends = || {
        let (year, month) = month.split_once('-')?;
        Some(year.parse::<f64>().ok()? + month.parse::<f64>().ok()? / 12.0)
    };
    ends().ok_or_else(|| failed(format_args!("{month} is no month")))
}

/// Two running sums, each a point at the end of every month that changes them: `change` gives by
/// how much, or `None` for a month without a point.
fn running_sums(
    months: &[MonthRow],
    change: impl Fn(&MonthRow) -> Option<(f64, f64)>,
) -> Result<[Vec<(f64, f64)>; 2], ChartError> {
    let (mut first, mut second) = (0.0, 0.0);
    let mut points = [Vec::new(), Vec::new()];
    let [firsts, seconds] = &mut points;
    for row in months {
        if let Some((to_first, to_second)) = change(row) {
            first += to_first;
            second += to_second;
            let year = year_of(&row.month)?;
            firsts.push((year, first));
            seconds.push((year, second));
        }
    }
    Ok(points)
}

/// Points awarded and spent, in tonnes, summed over time.
pub(super) fn points_over_time(report: &Report) -> Drawn {
    let [awarded, spent] = running_sums(&report.months, |row| {
        let points = &row.points;
        let net = (points.awarded as f64 - points.reversed as f64) / 1e6;
        (points.awards > 0 || points.claimed > 0).then(|| (net, points.claimed as f64 / 1e6))
    })?;
    lines(
        WIDE,
        "Points over time",
        "tonnes",
        &[
            Line {
                name: "awarded, less reversed",
                colour: BLUE,
                points: awarded,
            },
            Line {
                name: "spent on trees",
                colour: RUST,
                points: spent,
            },
        ],
    )
}

/// Trees planted and standing in the books, summed over time.
pub(super) fn trees_over_time(report: &Report) -> Drawn {
    let [planted, standing] = running_sums(&report.months, |row| {
        let (planted, lost) = (row.planted as f64, row.lost as f64);
        (row.planted > 0 || row.lost > 0).then_some((planted, planted - lost))
    })?;
    lines(
        WIDE,
        "Trees over time",
        "trees",
        &[
            Line {
                name: "planted",
                colour: BLUE,
                points: planted,
            },
            Line {
                name: "standing in the books",
                colour: GREEN,
                points: standing,
            },
        ],
    )
}

/// Survival by age, with intervals.
pub(super) fn survival_by_age(report: &Report) -> Drawn {
    let Some(oldest) = report.ages.iter().map(|class| class.years_most).max() else {
        return Ok(String::new());
    };
    sheet(WIDE, "Survival by age of the trees", |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(-0.5..f64::from(oldest) + 0.5, 0.0..1.0)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE)
            .x_labels(oldest.min(AGE_LABELS_MAX - 1) as usize + 1)
            .x_label_formatter(&|years| format!("{years:.0}"))
            .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
            .x_desc("whole years from planting to survey; a line across where only a span is known")
            .draw()
            .map_err(failed)?;
        for class in &report.ages {
            let (least, most) = (f64::from(class.years), f64::from(class.years_most));
            let (x, share) = (f64::midpoint(least, most), class.survival);
            let across = vec![(least, share.estimate), (most, share.estimate)];
            chart
                .draw_series([PathElement::new(across, GREEN.stroke_width(2))])
                .map_err(failed)?;
            chart
                .draw_series(whisker(x, &share, GREEN))
                .map_err(failed)?;
            chart
                .draw_series([Circle::new((x, share.estimate), 4, GREEN.filled())])
                .map_err(failed)?;
        }
        Ok(())
    })
}

/// The line from the lower to the upper end of a share's interval, and a bar across each end; nothing of a share
/// without one.
fn whisker(x: f64, share: &Share, colour: RGBColor) -> Vec<PathElement<(f64, f64)>> {
    let Some(Interval { low, high }) = share.interval else {
        return Vec::new();
    };
    let line = |points: [(f64, f64); 2]| PathElement::new(points.to_vec(), colour.stroke_width(2));
    let end = |at: f64| line([(x - WHISKER_END, at), (x + WHISKER_END, at)]);
    vec![line([(x, low), (x, high)]), end(low), end(high)]
}

/// Survival by year of planting, with intervals, beside what stands in the books.
pub(super) fn survival_by_cohort(report: &Report) -> Drawn {
    let surveyed = || {
        let cohorts = report.cohorts.iter();
        cohorts.filter_map(|cohort| Some((cohort, cohort.survival?)))
    };
    let years = || surveyed().map(|(cohort, _)| cohort.year);
    let (Some(first), Some(last)) = (years().min(), years().max()) else {
        return Ok(String::new());
    };
    let labels = usize::try_from(last - first).unwrap_or(0) + 1;
    sheet(WIDE, "Survival by year of planting", |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(first as f64 - 0.5..last as f64 + 0.5, 0.0..1.0)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE)
            .x_labels(labels.min(AGE_LABELS_MAX as usize))
            .x_label_formatter(&|year| format!("{year:.0}"))
            .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
            .x_desc("year of planting; blue: what of all trees of the year stands in the books")
            .draw()
            .map_err(failed)?;
        for (cohort, share) in surveyed() {
            let x = cohort.year as f64;
            if cohort.planted > 0 {
                let standing = cohort.planted.saturating_sub(cohort.lost);
                let in_books = standing as f64 / cohort.planted as f64;
                let across = vec![(x - 0.3, in_books), (x + 0.3, in_books)];
                chart
                    .draw_series([PathElement::new(across, BLUE.stroke_width(2))])
                    .map_err(failed)?;
            }
            chart
                .draw_series(whisker(x, &share, GREEN))
                .map_err(failed)?;
            chart
                .draw_series([Circle::new((x, share.estimate), 4, GREEN.filled())])
                .map_err(failed)?;
        }
        Ok(())
    })
}

/// Points of each vintage: awarded, and what of them was not reversed. In the largest unit of which the highest month
/// has ten.
pub(super) fn points_by_vintage(report: &Report) -> Drawn {
    let most = report.vintages.iter().map(|row| row.awarded).max();
    let (unit, grams) = match most.unwrap_or(0) {
        10_000_000.. => ("tonnes", 1e6),
        10_000.. => ("kilograms", 1e3),
        _ => ("grams", 1.0),
    };
    vintages(report, "Points by month of the event", unit, BLUE, |row| {
        (
            row.awarded as f64 / grams,
            row.standing_points as f64 / grams,
        )
    })
}

/// Trees of each vintage: planted, and what of them stands in the books.
pub(super) fn trees_by_vintage(report: &Report) -> Drawn {
    vintages(
        report,
        "Trees by month of planting",
        "trees",
        GREEN,
        |row| (row.planted as f64, row.standing as f64),
    )
}

/// A bar a month: as high as the whole, light; and over it, dark, as high as the part that stands.
fn vintages(
    report: &Report,
    title: &str,
    unit: &str,
    colour: RGBColor,
    of: impl Fn(&VintageRow) -> (f64, f64),
) -> Drawn {
    let mut bars = Vec::new();
    for row in &report.vintages {
        let (whole, part) = of(row);
        if whole > 0.0 {
            bars.push((year_of(&row.month)?, whole, part));
        }
    }
    let (Some((first, ..)), Some((last, ..))) = (bars.first(), bars.last()) else {
        return Ok(String::new());
    };
    let (first, last) = (first - 1.0 / 12.0, *last);
    let top = bars.iter().map(|(_, whole, _)| *whole).fold(0.0, f64::max);
    sheet(LOW, title, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(28)
            .y_label_area_size(84)
            .build_cartesian_2d(first..last, 0.0..top * 1.05)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(8)
            .y_labels(5)
            .light_line_style(WHITE)
            .x_label_formatter(&|year| year_label(*year, last - first))
            .y_label_formatter(&|value| thousands(*value))
            .y_desc(unit)
            .draw()
            .map_err(failed)?;
        for (end, whole, part) in bars {
            let bar = |high: f64, style: ShapeStyle| {
                Rectangle::new([(end - 0.9 / 12.0, 0.0), (end, high)], style)
            };
            chart
                .draw_series([
                    bar(whole, colour.mix(0.3).filled()),
                    bar(part, colour.filled()),
                ])
                .map_err(failed)?;
        }
        Ok(())
    })
}

/// Where the plots of a report lie.
pub(super) fn plots_map(report: &Report) -> Drawn {
    let dots = report.plots.iter().map(|plot| Dot {
        number: plot.number.0,
        latitude: plot.latitude,
        longitude: plot.longitude,
        standing: plot.standing,
        short: plot.shortfall > 0,
    });
    map(WIDE_MAP, "Where the plots lie", &dots.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_in_its_year() {
        assert_eq!(year_of("2026-06").unwrap(), 2026.5);
        for odd in ["2026", "2026-", "-06", "June"] {
            assert!(year_of(odd).is_err(), "{odd}");
        }
    }
}
