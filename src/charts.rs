//! Charts as SVG, to stand within a page: no fonts, scripts or images from elsewhere.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::figures::grouped;

/// A chart that can't be drawn.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ChartError(String);

/// An SVG, empty where there is nothing to draw; or why there is none.
pub type Drawn = Result<String, ChartError>;
/// The sheet that a chart is drawn on.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Width and height of a drawing in pixels, at its natural size: letters are some 10 pixels high.
pub(crate) type Size = (u32, u32);
/// A chart across a page.
pub(crate) const WIDE: Size = (760, 320);
/// A map across a page.
pub(crate) const WIDE_MAP: Size = (760, 480);
/// The colour of trees.
pub(crate) const GREEN: RGBColor = RGBColor(0x1b, 0x6e, 0x3c);
/// The colour of points.
pub(crate) const BLUE: RGBColor = RGBColor(0x1f, 0x4e, 0x99);
/// The colour of what is spent or short.
pub(crate) const RUST: RGBColor = RGBColor(0xa8, 0x48, 0x12);
/// The most plots on a map whose numbers still fit beside them.
const NAMED_MAX: usize = 40;

pub(crate) fn failed(error: impl std::fmt::Display) -> ChartError {
    ChartError(error.to_string())
}

/// Draws on a white sheet, with a title for readers who can't see the drawing.
pub(crate) fn sheet(
    size: (u32, u32),
    title: &str,
    draw: impl FnOnce(&Area<'_>) -> Result<(), ChartError>,
) -> Drawn {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        draw(&area)?;
        area.present().map_err(failed)?;
    }
    // The drawing scales with the page that it is a part of, and names what it shows.
    let view_box = format!(r#"viewBox="0 0 {} {}" role="img""#, size.0, size.1);
    let head = format!(r#"<svg {view_box} aria-label="{title}" xmlns"#);
    let rest = svg
        .split_once("<svg")
        .and_then(|(_, element)| element.split_once("xmlns"));
    let (_, rest) = rest.ok_or_else(|| failed("the drawing has no head"))?;
    Ok(format!("{head}{}", rest.trim_end()))
}

/// One line of a chart.
pub(crate) struct Line<'a> {
    /// What the line shows, as the legend names it.
    pub name: &'a str,
    /// The colour of the line.
    pub colour: RGBColor,
    /// Each sum, behind the time from which it holds, in years: 2013.25 is the end of March 2013.
    pub points: Vec<(f64, f64)>,
}

/// Draws sums over years; an empty text where no line has points.
///
/// # Errors
/// [`ChartError`].
pub(crate) fn lines(size: Size, title: &str, unit: &str, lines: &[Line<'_>]) -> Drawn {
    let all = || lines.iter().flat_map(|line| line.points.iter());
    let first = all().map(|(year, _)| *year).fold(f64::INFINITY, f64::min);
    let last = all()
        .map(|(year, _)| *year)
        .fold(f64::NEG_INFINITY, f64::max);
    let top = all().map(|(_, sum)| *sum).fold(1.0, f64::max);
    if !first.is_finite() {
        return Ok(String::new());
    }
    sheet(size, title, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(28)
            .y_label_area_size(if unit.is_empty() { 70 } else { 84 })
            .build_cartesian_2d(first..last.max(first + 1.0 / 12.0), 0.0..top * 1.05)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels((size.0 / 90) as usize)
            .y_labels(6)
            .light_line_style(WHITE)
            .x_label_formatter(&|year| year_label(*year, last - first))
            .y_label_formatter(&|value| thousands(*value))
            .y_desc(unit)
            .draw()
            .map_err(failed)?;
        for line in lines {
            let colour = line.colour;
            chart
                .draw_series(LineSeries::new(steps(&line.points), colour.stroke_width(2)))
                .map_err(failed)?
                .label(line.name)
                .legend(move |(x, y)| {
                    PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2))
                });
        }
        if lines.len() < 2 {
            return Ok(());
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.8))
            .draw()
            .map_err(failed)
    })
}

/// The corners of a line of sums: each holds until the next, with no slope where nothing happened.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut drawn: Vec<(f64, f64)> = Vec::with_capacity(points.len() * 2);
    for (at, sum) in points {
        if let Some((_, before)) = drawn.last() {
            drawn.push((*at, *before));
        }
        drawn.push((*at, *sum));
    }
    drawn
}

/// A time such as 2013.25 as its year, with the month where the axis spans few years.
pub(crate) fn year_label(at: f64, span: f64) -> String {
    let year = at.floor();
    if span > 4.0 {
        return format!("{year:.0}");
    }
    let month = ((at - year) * 12.0).floor() + 1.0;
    format!("{year:.0}-{month:02.0}")
}

/// A whole number with its thousands apart. Axes and bars begin at zero: a label that rounding puts
/// below is zero.
pub(crate) fn thousands(value: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a label's fraction is cut off"
    )]
    let whole = value.max(0.0) as u128;
    grouped(whole)
}

/// A plot on a map.
pub(crate) struct Dot {
    /// The number of the plot.
    pub number: u32,
    /// The plot's middle, in degrees north.
    pub latitude: f64,
    /// The plot's middle, in degrees east.
    pub longitude: f64,
    /// Trees standing there in the books: the more, the wider the disc.
    pub standing: u64,
    /// Whether fewer trees stand than have a claim, which colours the disc.
    pub short: bool,
}

/// Draws where plots lie, in degrees, each as a disc that is wider the more trees stand there; an empty
/// text without plots.
///
/// # Errors
/// [`ChartError`].
pub(crate) fn map(size: Size, title: &str, dots: &[Dot]) -> Drawn {
    let ends = |of: fn(&Dot) -> f64| {
        let low = dots.iter().map(of).fold(f64::INFINITY, f64::min);
        let high = dots.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
        (low, high)
    };
    let (south, north) = ends(|plot| plot.latitude);
    let (west, east) = ends(|plot| plot.longitude);
    if !south.is_finite() {
        return Ok(String::new());
    }
    // A degree of longitude is shorter away from the equator: the map is true at its middle.
    let (middle_north, middle_east) = ((south + north) / 2.0, (west + east) / 2.0);
    let shrink = middle_north.to_radians().cos().max(0.05);
    let sides = f64::from(size.0) / f64::from(size.1);
    let high = ((north - south) * 1.2)
        .max((east - west) * 1.2 * shrink / sides)
        .max(0.01);
    let wide = high * sides / shrink;
    let most = dots.iter().map(|plot| plot.standing).fold(1, u64::max);
    sheet(size, title, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(28)
            .y_label_area_size(64)
            .build_cartesian_2d(
                middle_east - wide / 2.0..middle_east + wide / 2.0,
                middle_north - high / 2.0..middle_north + high / 2.0,
            )
            .map_err(failed)?;
        let digits = if high < 1.0 { 3 } else { 1 };
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_labels((size.0 / 90) as usize)
            .y_labels(8)
            .x_label_formatter(&|degrees| format!("{degrees:.digits$}°"))
            .y_label_formatter(&|degrees| format!("{degrees:.digits$}°"))
            .draw()
            .map_err(failed)?;
        for plot in dots {
            let part = plot.standing as f64 / most as f64;
            #[expect(clippy::cast_possible_truncation, reason = "pixels, up to 15")]
            let radius = (3.0 + 12.0 * part.sqrt()) as i32;
            let colour = if plot.short { RUST } else { GREEN };
            let place = (plot.longitude, plot.latitude);
            chart
                .draw_series([Circle::new(place, radius, colour.mix(0.45).filled())])
                .map_err(failed)?;
            chart
                .draw_series([Circle::new(place, radius, colour.stroke_width(1))])
                .map_err(failed)?;
            if dots.len() <= NAMED_MAX {
                let style = ("sans-serif", 12).into_font();
                let name = plot.number.to_string();
                chart
                    .draw_series([EmptyElement::at(place) + Text::new(name, (radius, -6), style)])
                    .map_err(failed)?;
            }
        }
        Ok(())
    })
}

/// Draws rates beside each other, as bars, the first in a colour of its own.
///
/// # Errors
/// [`ChartError`].
pub fn bars(title: &str, rows: &[(&str, f64)]) -> Drawn {
    let most = rows.iter().map(|row| row.1).fold(1.0, f64::max);
    let count = u32::try_from(rows.len()).ok();
    let height = count.and_then(|count| count.checked_mul(40)?.checked_add(60));
    let size = (WIDE.0, height.ok_or_else(|| failed("too many bars"))?);
    sheet(size, title, |area| {
        let style = ("sans-serif", 13).into_font();
        area.draw_text(title, &("sans-serif", 16).into_font().into(), (12, 14))
            .map_err(failed)?;
        for (place, (name, rate)) in (0_i32..).zip(rows) {
            let top = 50 + 40 * place;
            #[expect(clippy::cast_possible_truncation, reason = "pixels, up to 380")]
            let length = (rate / most * 380.0) as i32;
            let end = 270 + length;
            let colour = if place == 0 { GREEN } else { BLUE };
            area.draw(&Rectangle::new(
                [(270, top), (end, top + 22)],
                colour.filled(),
            ))
            .map_err(failed)?;
            area.draw_text(name, &style.clone().into(), (12, top + 4))
                .map_err(failed)?;
            let label = thousands(*rate);
            area.draw_text(&label, &style.clone().into(), (end + 6, top + 4))
                .map_err(failed)?;
        }
        Ok(())
    })
}

/// Draws how something grows with what is on the horizontal axis, a scale by powers of ten; an empty text
/// without points.
///
/// # Errors
/// [`ChartError`] when it can't be drawn.
pub fn growth(title: &str, over: &str, points: &[(f64, f64)]) -> Drawn {
    let first = points.iter().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let last = points.iter().map(|(x, _)| *x).fold(1.0, f64::max);
    let top = points
        .iter()
        .map(|(_, y)| *y)
        .fold(f64::MIN_POSITIVE, f64::max);
    if !(first > 0.0 && first.is_finite()) {
        return Ok(String::new());
    }
    let from = 10_f64.powf(first.log10().floor());
    sheet(WIDE, title, |area| {
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 16))
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(84)
            .build_cartesian_2d((from..last * 1.1).log_scale(), 0.0..top * 1.1)
            .map_err(failed)?;
        let is_ten = |x: f64| (x.log10() - x.log10().round()).abs() < 1e-9;
        chart
            .configure_mesh()
            .x_desc(over)
            .y_labels(6)
            .x_label_formatter(&|x| {
                if is_ten(*x) {
                    thousands(*x)
                } else {
                    String::new()
                }
            })
            .y_label_formatter(&|y| thousands(*y))
            .light_line_style(WHITE)
            .draw()
            .map_err(failed)?;
        let line = LineSeries::new(points.iter().copied(), GREEN.stroke_width(2));
        chart.draw_series(line).map_err(failed)?;
        let marks = points.iter().map(|at| Circle::new(*at, 4, GREEN.filled()));
        chart.draw_series(marks).map_err(failed).map(drop)
    })
}
