//! The report's own charts.

use plotters::prelude::*;

use crate::audit::{Interval, MonthRow, Report};
use crate::charts::{
    BLUE, ChartError, Dot, Drawn, GREEN, Line, RUST, WIDE, WIDE_MAP, failed, lines, map, sheet,
};

/// Labels on the axis of ages, at the most.
const AGE_LABELS_MAX: u32 = 20;

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
            let line = |points: Vec<(f64, f64)>| PathElement::new(points, GREEN.stroke_width(2));
            let mut lines = vec![line(vec![(least, share.estimate), (most, share.estimate)])];
            if let Some(Interval { low, high }) = share.interval {
                lines.extend([
                    line(vec![(x, low), (x, high)]),
                    line(vec![(x - 0.1, low), (x + 0.1, low)]),
                    line(vec![(x - 0.1, high), (x + 0.1, high)]),
                ]);
            }
            chart.draw_series(lines).map_err(failed)?;
            chart
                .draw_series([Circle::new((x, share.estimate), 4, GREEN.filled())])
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
