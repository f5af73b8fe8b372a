//! A map of plots: land where its outlines are exact enough, a smaller map of where that is, a scale, and each plot as a
//! link.

use askama::Template;

use super::land;
use super::path::{Point, STEPS, whole, within};
use super::view::{Place, View};

/// Units of the map across and down: a phone of 320 pixels draws one in 0.9 pixels.
const SIZE: Point = (320.0, 220.0);
/// Units of the small map of where the map is.
const INSET: Point = (112.0, 76.0);
/// Units below the map, with the small map and without.
const BELOW: (f64, f64) = (84.0, 26.0);
/// The least degrees of latitude of which the outlines of land are exact enough, and of the small map.
const LAND_LEAST: f64 = 1.0;
const INSET_LEAST: f64 = 12.0;
/// Bytes of all land of a map, and of the small map's among them.
const LAND_MAX: usize = 3_800;
const INSET_LAND_MAX: usize = 1_800;
/// Bytes of a plot's outline, and the least units that it is wide: a smaller plot is a disc.
const OUTLINE_MAX: usize = 600;
const OUTLINE_LEAST: f64 = 8.0;
/// The radius of the disc of a plot without trees, and what the one with the most has more.
const RADIUS: (f64, f64) = (3.0, 8.0);
/// The most numbers beside discs, on a map of many plots and of few; and the room that a digit takes.
const NAMES_MAX: (usize, usize) = (12, 40);
const DIGIT: Point = (8.0, 14.0);
/// The longest scale bar.
const BAR_MAX: f64 = 110.0;

/// What is known of a plot's shape, beside its middle.
pub(in crate::web) enum Shape {
    /// Its place alone matters.
    Spot,
    /// Somewhere within so many metres.
    Within(f64),
    /// Its corners, in degrees north and east.
    Outline(Vec<(f64, f64)>),
}

/// A plot on a map.
pub(in crate::web) struct Spot {
    pub number: u32,
    /// Its middle, in degrees north and east.
    pub place: (f64, f64),
    pub shape: Shape,
    /// Trees that stand there in the books: the more, the wider the disc.
    pub standing: u64,
    /// Whether fewer trees stand than have a claim.
    pub short: bool,
}

/// The land of a map of these spots, which no language changes.
pub(in crate::web) struct Ground {
    view: View,
    land: String,
    inset: Option<Inset>,
}

struct Inset {
    land: String,
    /// The middle of the mark of where the map is, and half its sides.
    mark: (Point, Point),
}

impl Ground {
    /// The ground of a map, no less high than so many degrees; `None` without a spot.
    pub(in crate::web) fn of(spots: &[Spot], least: f64) -> Option<Self> {
        let mut places: Vec<Place> = Vec::new();
        for spot in spots {
            places.push(spot.place);
            match &spot.shape {
                Shape::Outline(points) => places.extend(points),
                Shape::Within(metres) => {
                    let degrees = metres / 111_195.0;
                    places.push((spot.place.0 + degrees, spot.place.1));
                    places.push((spot.place.0 - degrees, spot.place.1));
                }
                Shape::Spot => {}
            }
        }
        let view = View::of(&places, SIZE, least)?;
        let is_exact = view.height() >= LAND_LEAST;
        let inset = (view.height() < INSET_LEAST / 2.0).then(|| {
            let whole = View::of(&[view.middle()], INSET, INSET_LEAST)?;
            let half = |degrees: f64, units: f64| degrees / whole.height() * units / 2.0;
            let high = half(view.height(), INSET.1);
            let mark = (whole.place(view.middle()), (high * SIZE.0 / SIZE.1, high));
            let land = land::path(&whole, INSET_LAND_MAX);
            Some(Inset { land, mark })
        });
        let inset = inset.flatten();
        let used = inset.as_ref().map_or(0, |inset| inset.land.len());
        Some(Self {
            land: if is_exact {
                land::path(&view, LAND_MAX - used)
            } else {
                String::new()
            },
            view,
            inset,
        })
    }

    /// Whether the map itself shows land.
    fn is_exact(&self) -> bool {
        self.view.height() >= LAND_LEAST
    }
}

/// A plot as it is drawn.
struct Mark {
    number: u32,
    title: String,
    short: bool,
    x: String,
    y: String,
    /// The radius of its disc; that of a circle in which it lies, if `around`.
    radius: String,
    around: bool,
    /// Its outline in half units; empty for a disc.
    outline: String,
}

/// The number beside a disc.
struct Name {
    number: u32,
    x: String,
    y: String,
}

#[derive(Template)]
#[template(path = "map.svg")]
struct MapDrawing<'a> {
    title: &'a str,
    /// Units down, with what stands below the map.
    high: String,
    size: (String, String),
    /// Whether the map shows land and sea; else it has neither's colour.
    is_exact: bool,
    land: &'a str,
    half: String,
    marks: Vec<Mark>,
    names: Vec<Name>,
    inset: Option<InsetDrawing<'a>>,
    bar: Bar,
}

struct InsetDrawing<'a> {
    y: String,
    size: (String, String),
    land: &'a str,
    /// Left, top, width and height of the mark.
    mark: [String; 4],
    /// The middle of a ring around a mark that is too small to be seen.
    ring: Option<(String, String)>,
}

struct Bar {
    path: String,
    x: String,
    y: String,
    label: String,
}

/// Draws a map. `title` names the map, `told` each spot, and `metres` writes a length of some metres.
pub(in crate::web) fn map(
    ground: &Ground,
    spots: &[Spot],
    title: &str,
    told: impl Fn(&Spot) -> String,
    metres: impl Fn(f64) -> String,
) -> Result<String, askama::Error> {
    let view = &ground.view;
    let most = spots.iter().map(|spot| spot.standing).fold(1, u64::max);
    let names_max = if spots.len() > NAMES_MAX.1 {
        NAMES_MAX.0
    } else {
        NAMES_MAX.1
    };
    let mut marks = Vec::with_capacity(spots.len());
    let mut names: Vec<(Point, u32)> = Vec::new();
    for spot in spots {
        let middle = view.place(spot.place);
        let part = spot.standing as f64 / most as f64;
        let disc = RADIUS.0 + RADIUS.1 * part.sqrt();
        let circle = match spot.shape {
            Shape::Within(metres) => view.units_of(metres),
            _ => 0.0,
        };
        let outline = outline(view, &spot.shape);
        let around = circle > disc;
        let radius = if around { circle } else { disc };
        let beside = if outline.is_empty() && !around {
            radius + 2.0
        } else {
            0.0
        };
        let at = (middle.0 + beside, middle.1 + 4.0);
        let wide = DIGIT.0 * spot.number.to_string().len() as f64;
        let is_free = |(other, number): &(Point, u32)| {
            let other_wide = DIGIT.0 * number.to_string().len() as f64;
            at.0 + wide < other.0 || other.0 + other_wide < at.0 || (other.1 - at.1).abs() > DIGIT.1
        };
        if spots.len() > 1
            && names.len() < names_max
            && at.0 + wide < SIZE.0
            && names.iter().all(is_free)
        {
            names.push((at, spot.number));
        }
        marks.push(Mark {
            number: spot.number,
            title: told(spot),
            short: spot.short,
            x: tenths(middle.0),
            y: tenths(middle.1),
            radius: tenths(radius),
            around,
            outline,
        });
    }
    let below = if ground.inset.is_some() {
        BELOW.0
    } else {
        BELOW.1
    };
    let names = names.into_iter().map(|((x, y), number)| Name {
        number,
        x: tenths(x),
        y: tenths(y),
    });
    MapDrawing {
        title,
        high: tenths(SIZE.1 + below),
        size: (tenths(SIZE.0), tenths(SIZE.1)),
        is_exact: ground.is_exact(),
        land: &ground.land,
        half: tenths(1.0 / STEPS),
        marks,
        names: names.collect(),
        inset: ground.inset.as_ref().map(inset),
        bar: bar(view, &metres),
    }
    .render()
}

/// A plot's outline as a path; empty if it is too small to be seen, or none is known.
fn outline(view: &View, shape: &Shape) -> String {
    let Shape::Outline(corners) = shape else {
        return String::new();
    };
    let points: Vec<Point> = corners.iter().map(|corner| view.place(*corner)).collect();
    let across = |of: fn(&Point) -> f64| {
        let most = points.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
        most - points.iter().map(of).fold(f64::INFINITY, f64::min)
    };
    if across(|point| point.0).max(across(|point| point.1)) < OUTLINE_LEAST {
        return String::new();
    }
    within(&[points], OUTLINE_MAX)
}

fn inset(inset: &Inset) -> InsetDrawing<'_> {
    let ((x, y), (half_x, half_y)) = inset.mark;
    InsetDrawing {
        y: tenths(SIZE.1 + 8.0),
        size: (tenths(INSET.0), tenths(INSET.1)),
        land: &inset.land,
        mark: [x - half_x, y - half_y, 2.0 * half_x, 2.0 * half_y].map(tenths),
        ring: (half_y < 3.0).then(|| (tenths(x), tenths(y))),
    }
}

/// The scale: its bar at the right below the map, its length above it.
fn bar(view: &View, metres: &impl Fn(f64) -> String) -> Bar {
    let length = view.round_metres(BAR_MAX);
    let y = SIZE.1 + 20.0;
    let (from, to) = (SIZE.0 - 2.0 - view.units_of(length), SIZE.0 - 2.0);
    let [from, to] = [from, to].map(tenths);
    let [top, foot] = [y - 4.0, y].map(tenths);
    Bar {
        path: format!("M{from} {top}V{foot}H{to}V{top}"),
        label: metres(length),
        x: tenths(SIZE.0 - 6.0),
        y: tenths(y - 5.0),
    }
}

/// A number to a tenth, without a zero behind it.
pub(super) fn tenths(number: f64) -> String {
    let tenths = whole(number * 10.0);
    let sign = if tenths < 0 { "-" } else { "" };
    let (units, rest) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
    match rest {
        0 => format!("{sign}{units}"),
        _ => format!("{sign}{units}.{rest}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn spot(number: u32, place: (f64, f64), shape: Shape) -> Spot {
        Spot {
            number,
            place,
            shape,
            standing: 10,
            short: number == 2,
        }
    }

    fn drawn(spots: &[Spot], least: f64) -> String {
        let ground = Ground::of(spots, least).unwrap();
        let told = |spot: &Spot| format!("<{}>", spot.number);
        map(&ground, spots, "Where", told, |metres| {
            format!("{metres} m")
        })
        .unwrap()
    }

    #[test]
    fn each_plot_is_a_link_and_its_land_takes_four_kilobytes() {
        let far = [
            spot(1, (37.7, -122.4), Shape::Spot),
            spot(2, (-33.9, 151.2), Shape::Spot),
        ];
        let map = drawn(&far, 0.02);
        for part in [
            r#"<a href="/plot/1""#,
            r#"<a href="/plot/2""#,
            "&#60;1&#62;",
            "2000000 m",
            r#"class="land""#,
        ] {
            assert!(map.contains(part), "{part}: {map}");
        }
        assert!(map.len() < 5_500, "{}", map.len());
        assert!(!map.contains("NaN"));
    }

    #[test]
    fn a_map_closer_than_the_outlines_are_exact_shows_where_it_is() {
        let corners = vec![(37.70, -122.40), (37.71, -122.40), (37.71, -122.39)];
        let near = [spot(7, (37.705, -122.395), Shape::Outline(corners))];
        let map = drawn(&near, 0.004);
        assert!(
            map.contains(r#"class="inset""#) && map.contains(r#"class="outline""#),
            "{map}"
        );
        assert!(!map.contains(r#"class="sea""#) || map.find("inset") < map.find(r#"class="sea""#));
        let around = [spot(7, (37.705, -122.395), Shape::Within(900.0))];
        assert!(drawn(&around, 0.004).contains(r#"class="around""#));
        assert!(Ground::of(&[], 1.0).is_none());
    }
}
