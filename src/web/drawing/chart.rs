//! Charts over time: sums as lines with their names at their ends, and what surveys found as points.

use askama::Template;

use super::map::tenths;
use super::path::Point;
use crate::web::texts::Language;

/// Units of a chart across and down: a phone of 320 pixels draws one in 0.9 pixels.
const SIZE: Point = (320.0, 210.0);
/// Units above the highest line, and below the axis, where letters stand.
const ABOVE: f64 = 24.0;
const BELOW: f64 = 22.0;
/// The most lines across, and the most names of times.
const LEVELS_MAX: f64 = 4.0;
const TIMES_MAX: f64 = 4.0;
/// The same of months, whose names are longer.
const MONTHS_MAX: f64 = 2.9;
/// The least units between two names at the ends of lines.
const NAME_HIGH: f64 = 14.0;
/// Years below which months are named beside the year.
const FEW_YEARS: f64 = 2.0;

/// Sums over time.
pub(in crate::web) struct Line {
    /// Its class in the style.
    pub class: &'static str,
    /// What stands at its end.
    pub name: String,
    /// Each sum, behind the time from which it holds, in years: 2013.25 is the end of March 2013.
    pub points: Vec<(f64, f64)>,
}

/// What surveys of a plot found.
pub(in crate::web) struct Course {
    /// The plot's number.
    pub plot: u32,
    pub found: Vec<Found>,
}

/// What a survey found.
pub(in crate::web) struct Found {
    /// The entry of the survey.
    pub entry: u64,
    /// When, in years.
    pub at: f64,
    /// The share that was alive, from 0 to 1.
    pub share: f64,
    /// Whether it looked at one planting only.
    pub partial: bool,
    /// The same in words.
    pub title: String,
}

/// A line across, with its number.
struct Level {
    y: String,
    name: String,
    name_y: String,
}

/// A time on the axis.
struct Tick {
    x: String,
    name: String,
}

/// A line as it is drawn, with the text at its end.
struct Curve {
    class: &'static str,
    path: String,
    name: String,
    y: String,
}

struct Dot {
    entry: u64,
    x: String,
    y: String,
    partial: bool,
    title: String,
}

/// What stands beside the last point of a course.
struct EndName {
    plot: u32,
    x: String,
    y: String,
}

#[derive(Template)]
#[template(path = "chart.svg")]
struct Chart<'a> {
    title: &'a str,
    size: (String, String),
    /// Where the axis is.
    foot: String,
    /// Where names at the ends of lines end: their rims are within the drawing.
    end: String,
    levels: Vec<Level>,
    ticks: Vec<Tick>,
    curves: Vec<Curve>,
    dots: Vec<Dot>,
    names: Vec<EndName>,
    /// Whether it is a picture, or has links in it.
    role: &'static str,
}

/// A chart, or why there is none.
type Drawn = Result<String, askama::Error>;

/// Draws sums over time; an empty text without a point.
pub(in crate::web) fn sums(language: Language, title: &str, lines: &[Line]) -> Drawn {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let top = points().map(|point| point.1).fold(1.0, f64::max);
    let Some(axis) = Axis::of(points().map(|point| point.0), 0.0) else {
        return Ok(String::new());
    };
    let step = level_step(top);
    let scale = Scale { top };
    let mut levels = Vec::new();
    let mut level = 0.0;
    while level <= top {
        let name = format!("{level:.0}").parse().unwrap_or_default();
        levels.push(scale.level(level, language.number(name)));
        level += step;
    }
    let ends: Vec<f64> = lines
        .iter()
        .map(|line| scale.y(line.points.last().map_or(0.0, |last| last.1)))
        .collect();
    // The highest end has its name above the line, the others below theirs, each clear of the one before.
    let highest = ends.iter().copied().fold(f64::INFINITY, f64::min);
    let mut lowest = f64::NEG_INFINITY;
    let curves = lines.iter().zip(&ends).map(|(line, end)| {
        let y = if *end <= highest && lowest == f64::NEG_INFINITY {
            end - 6.0
        } else {
            (end + NAME_HIGH).max(lowest + NAME_HIGH)
        };
        lowest = y;
        Curve {
            class: line.class,
            path: steps(&axis, &scale, &line.points),
            name: line.name.clone(),
            y: tenths(y),
        }
    });
    Chart {
        curves: curves.collect(),
        dots: Vec::new(),
        names: Vec::new(),
        role: "img",
        ..Chart::of(language, title, &axis, levels)
    }
    .render()
}

/// Draws what surveys found alive of what they looked for, a line for each plot; an empty text without a survey.
pub(in crate::web) fn survival(language: Language, title: &str, courses: &[Course]) -> Drawn {
    let found = || courses.iter().flat_map(|course| course.found.iter());
    let Some(axis) = Axis::of(found().map(|found| found.at), 0.5) else {
        return Ok(String::new());
    };
    let scale = Scale { top: 1.0 };
    let levels = [0_u8, 50, 100].map(|percent| {
        let name = format!("{percent}\u{a0}%");
        scale.level(f64::from(percent) / 100.0, name)
    });
    let (mut curves, mut dots, mut names) = (Vec::new(), Vec::new(), Vec::<(Point, u32)>::new());
    for course in courses {
        let points = course
            .found
            .iter()
            .map(|found| (axis.x(found.at), scale.y(found.share)));
        let points: Vec<Point> = points.collect();
        curves.push(Curve {
            class: "course",
            path: through(&points),
            name: String::new(),
            y: String::new(),
        });
        for (found, (x, y)) in course.found.iter().zip(&points) {
            dots.push(Dot {
                entry: found.entry,
                x: tenths(*x),
                y: tenths(*y),
                partial: found.partial,
                title: found.title.clone(),
            });
        }
        let Some(last) = points.last() else { continue };
        let at = (last.0 + 6.0, last.1 + 4.0);
        let is_free = |(other, _): &(Point, u32)| {
            (other.0 - at.0).abs() > 3.0 * NAME_HIGH || (other.1 - at.1).abs() > NAME_HIGH
        };
        if courses.len() > 1 && names.iter().all(is_free) {
            names.push((at, course.plot));
        }
    }
    let names = names.into_iter().map(|((x, y), plot)| EndName {
        plot,
        x: tenths(x.min(SIZE.0 - 20.0)),
        y: tenths(y),
    });
    Chart {
        curves,
        dots,
        names: names.collect(),
        role: "group",
        ..Chart::of(language, title, &axis, levels.into())
    }
    .render()
}

impl<'a> Chart<'a> {
    /// A chart without what it shows.
    fn of(language: Language, title: &'a str, axis: &Axis, levels: Vec<Level>) -> Self {
        Self {
            title,
            size: (tenths(SIZE.0), tenths(SIZE.1)),
            foot: tenths(SIZE.1 - BELOW),
            end: tenths(SIZE.0 - 4.0),
            levels,
            ticks: axis.ticks(language),
            curves: Vec::new(),
            dots: Vec::new(),
            names: Vec::new(),
            role: "img",
        }
    }
}

/// Heights, of values from zero to the top.
struct Scale {
    top: f64,
}

impl Scale {
    fn y(&self, value: f64) -> f64 {
        let high = SIZE.1 - ABOVE - BELOW;
        SIZE.1 - BELOW - value / self.top * high
    }

    fn level(&self, value: f64, name: String) -> Level {
        let y = self.y(value);
        Level {
            y: tenths(y),
            name,
            name_y: tenths(y - 3.0),
        }
    }
}

/// The times of a chart, in years.
struct Axis {
    from: f64,
    until: f64,
}

impl Axis {
    /// The axis that holds all times and some years before and behind them; `None` without a time.
    fn of(times: impl Iterator<Item = f64> + Clone, around: f64) -> Option<Self> {
        let from = times.clone().reduce(f64::min)? - around;
        let until = times.reduce(f64::max)? + around;
        Some(Self {
            from,
            until: until.max(from + 1.0 / 12.0),
        })
    }

    fn x(&self, at: f64) -> f64 {
        (at - self.from) / (self.until - self.from) * SIZE.0
    }

    /// Times that are round in years, or in months where there are few years.
    fn ticks(&self, language: Language) -> Vec<Tick> {
        let span = self.until - self.from;
        let few = span < FEW_YEARS;
        let months = if few {
            [1, 2, 3, 6, 12].as_slice()
        } else {
            [12, 24, 60, 120, 240, 600, 1_200].as_slice()
        };
        let most = if few { MONTHS_MAX } else { TIMES_MAX };
        let fits = |months: &u32| span * 12.0 / f64::from(*months) <= most;
        let step = months.iter().copied().find(fits).unwrap_or(12_000);
        let mut ticks = Vec::new();
        // Months since the year 0. A chart has few of these: its ledger's days are in four digits of years.
        let mut month: u32 = 0;
        while f64::from(month) / 12.0 < self.from - 1e-9 {
            month += step;
        }
        while f64::from(month) / 12.0 <= self.until {
            let x = self.x(f64::from(month) / 12.0);
            let name = if few {
                language.month(month / 12, month % 12 + 1)
            } else {
                (month / 12).to_string()
            };
            // A name that the edge would cut is left out.
            let half = if few { 48.0 } else { 14.0 };
            if x > half && x < SIZE.0 - half {
                ticks.push(Tick { x: tenths(x), name });
            }
            month += step;
        }
        ticks
    }
}

/// A step between levels that is a 1, 2 or 5 with zeros, of which at most so many fit below the top.
fn level_step(top: f64) -> f64 {
    let least = (top / LEVELS_MAX).max(1.0);
    let ten = 10_f64.powf(least.log10().floor());
    let fits = [1.0, 2.0, 5.0, 10.0].map(|times| times * ten);
    fits.into_iter().find(|step| *step >= least).unwrap_or(top)
}

/// A line of sums: each holds until the next, with no slope where nothing happened.
fn steps(axis: &Axis, scale: &Scale, points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (at, sum) in points {
        let (x, y) = (tenths(axis.x(*at)), tenths(scale.y(*sum)));
        if path.is_empty() {
            path = format!("M{x} {}V{y}", tenths(scale.y(0.0)));
        } else {
            path.push_str(&format!("H{x}V{y}"));
        }
    }
    if !path.is_empty() {
        path.push_str(&format!("H{}", tenths(SIZE.0)));
    }
    path
}

/// A line from point to point.
fn through(points: &[Point]) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let letter = if path.is_empty() { 'M' } else { 'L' };
        path.push_str(&format!("{letter}{} {}", tenths(*x), tenths(*y)));
    }
    path
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn line(class: &'static str, last: f64) -> Line {
        Line {
            class,
            name: format!("{class} {last}"),
            points: vec![(2010.0, last / 2.0), (2019.5, last)],
        }
    }

    #[test]
    fn levels_are_round_and_few() {
        for (top, step) in [
            (1.0, 1.0),
            (9.0, 5.0),
            (4_285.0, 2_000.0),
            (6_534_370.0, 2_000_000.0),
        ] {
            assert_eq!(level_step(top), step, "{top}");
        }
    }

    #[test]
    fn lines_have_their_names_at_their_ends_and_numbers_as_the_reader_writes_them() {
        let lines = [line("gross", 6_534_370.0), line("net", 6_528_916.0)];
        let chart = sums(Language::French, "Points", &lines).unwrap();
        for part in [
            "gross 6534370",
            "net 6528916",
            "2\u{202f}000\u{202f}000",
            ">2015<",
        ] {
            assert!(chart.contains(part), "{part}: {chart}");
        }
        let of = |class: &str| {
            let (_, rest) = chart
                .split_once(&format!(r#"class="end {class}""#))
                .unwrap();
            let (_, rest) = rest.split_once(" y=\"").unwrap();
            rest.split('"').next().unwrap().parse::<f64>().unwrap()
        };
        assert!(of("net") - of("gross") >= NAME_HIGH, "{chart}");
        assert_eq!(sums(Language::English, "Points", &[]).unwrap(), "");
        let short = [Line {
            points: vec![(2013.0, 1.0), (2013.95, 2.0)],
            ..line("gross", 1.0)
        }];
        let chart = sums(Language::Chinese, "Points", &short).unwrap();
        assert!(chart.contains(">2013年7月<"), "{chart}");
    }

    #[test]
    fn each_survey_is_a_link_with_its_words() {
        let found = |entry, share| Found {
            entry,
            at: 2020.0,
            share,
            partial: share < 1.0,
            title: format!("<{entry}>"),
        };
        let courses = [
            Course {
                plot: 1,
                found: vec![found(7, 1.0)],
            },
            Course {
                plot: 2,
                found: vec![found(8, 0.5)],
            },
        ];
        let chart = survival(Language::English, "Survival", &courses).unwrap();
        for part in [
            r#"href="/entry/7""#,
            "&#60;8&#62;",
            r#"class="partial""#,
            ">100\u{a0}%<",
        ] {
            assert!(chart.contains(part), "{part}: {chart}");
        }
        assert_eq!(survival(Language::English, "Survival", &[]).unwrap(), "");
    }
}
