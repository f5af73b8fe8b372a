//! The report's own charts.

use plotters::prelude::*;

use crate::audit::Report;
use crate::charts::{
    BLUE, Dot, Drawn, GREEN, Line, RUST, WIDE, WIDE_MAP, failed, lines, map, sheet,
};

/// The end of a month, in years.
fn year_of(month: &str) -> f64 {
    let mut parts = month.split('-').map(|part| part.parse::<f64>());
    match (parts.next(), parts.next()) {
        (Some(Ok(year)), Some(Ok(month))) => year + month / 12.0,
        _ => 0.0,
    }
}

/// Points awarded and spent, in tonnes, summed over time.
pub(super) fn points_over_time(report: &Report) -> Drawn {
    let (mut awarded, mut claimed) = (0.0, 0.0);
    let (mut given, mut spent) = (Vec::new(), Vec::new());
    for row in report
        .months
        .iter()
        .filter(|row| row.points.awards > 0 || row.points.claimed > 0)
    {
        let year = year_of(&row.month);
        awarded += (row.points.awarded as f64 - row.points.reversed as f64) / 1e6;
        claimed += row.points.claimed as f64 / 1e6;
        given.push((year, awarded));
        spent.push((year, claimed));
    }
    lines(
        WIDE,
        "Points over time",
        "tonnes",
        &[
            Line {
                name: "awarded, less reversed",
                colour: BLUE,
                points: given,
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
    let (mut planted, mut lost) = (0.0, 0.0);
    let (mut all, mut standing) = (Vec::new(), Vec::new());
    for row in report
        .months
        .iter()
        .filter(|row| row.planted > 0 || row.lost > 0)
    {
        let year = year_of(&row.month);
        planted += row.planted as f64;
        lost += row.lost as f64;
        all.push((year, planted));
        standing.push((year, planted - lost));
    }
    lines(
        WIDE,
        "Trees over time",
        "trees",
        &[
            Line {
                name: "planted",
                colour: BLUE,
                points: all,
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
    let Some(oldest) = report.ages.iter().map(|class| class.years).max() else {
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
            .x_labels(
                usize::try_from(oldest)
                    .unwrap_or(0)
                    .saturating_add(1)
                    .min(20),
            )
            .x_label_formatter(&|years| format!("{years:.0}"))
            .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
            .x_desc("whole years from planting to survey")
            .draw()
            .map_err(failed)?;
        for class in &report.ages {
            let (x, share) = (f64::from(class.years), class.survival);
            let line = |points: Vec<(f64, f64)>| PathElement::new(points, GREEN.stroke_width(2));
            chart
                .draw_series([
                    line(vec![(x, share.low), (x, share.high)]),
                    line(vec![(x - 0.1, share.low), (x + 0.1, share.low)]),
                    line(vec![(x - 0.1, share.high), (x + 0.1, share.high)]),
                ])
                .map_err(failed)?;
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
