//! Plots as shapes on a map, longitude before latitude, in degrees of WGS 84.
//!
//! Rings are closed and run against the clock, and what lies across the 180th meridian is cut there
//! (RFC 7946, 3.1.6 and 3.1.9; OGC 06-103r4, 6.1.11).

use std::f64::consts::TAU;

use crate::record::{Circle, PlotPlace};

/// Metres of the Earth's mean radius (IUGG).
const EARTH_RADIUS_M: f64 = 6_371_008.8;
/// Corners in the place of a circle: its area is that of the circle less 0.2 %.
const CIRCLE_CORNERS: u32 = 64;
/// Places are stated to 10^-7 degrees, a centimetre.
const PLACE_SCALE: f64 = 1e7;

/// A place: degrees east, degrees north.
pub(super) type Place = [f64; 2];

/// The shape of a plot.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Shape {
    /// What the geometry is: `outline`, `circle` or `point`.
    pub name: &'static str,
    pub geometry: Geometry,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Geometry {
    Point(Place),
    /// Closed rings, none of which holds another: one, or two that were cut apart.
    Rings(Vec<Vec<Place>>),
}

/// The shape of a place.
pub(super) fn of(place: &PlotPlace) -> Shape {
    let (name, corners) = match place {
        PlotPlace::Outline { points } => {
            let corners = points.iter();
            let corner = corners.map(|it| [it.longitude.degrees(), it.latitude.degrees()]);
            ("outline", Some(unrolled(corner.collect())))
        }
        PlotPlace::Circle(circle) => ("circle", corners_of(circle)),
    };
    match corners.map(|corners| rings(&corners)) {
        Some(rings) if !rings.is_empty() => Shape {
            name,
            geometry: Geometry::Rings(rings),
        },
        _ => Shape {
            name: "point",
            geometry: Geometry::Point(middle(&place.circle())),
        },
    }
}

impl Shape {
    /// As well-known text (OGC 06-103r4, 7.2).
    pub(super) fn as_text(&self) -> String {
        let place = |[east, north]: &Place| format!("{east} {north}");
        let ring = |ring: &Vec<Place>| {
            let places: Vec<String> = ring.iter().map(place).collect();
            format!("(({}))", places.join(","))
        };
        match &self.geometry {
            Geometry::Point(at) => format!("POINT({})", place(at)),
            Geometry::Rings(rings) => match rings.as_slice() {
                [only] => format!("POLYGON{}", ring(only)),
                several => {
                    let several: Vec<String> = several.iter().map(ring).collect();
                    format!("MULTIPOLYGON({})", several.join(","))
                }
            },
        }
    }
}

fn middle(circle: &Circle) -> Place {
    [circle.longitude.degrees(), circle.latitude.degrees()]
}

/// Longitudes without a jump: no outline goes half around the Earth, so that a wider one lies across the
/// 180th meridian (`docs/format.md`, 6.9).
fn unrolled(mut corners: Vec<Place>) -> Vec<Place> {
    let east = || corners.iter().map(|[east, _]| *east);
    let (least, most) = (east().reduce(f64::min), east().reduce(f64::max));
    if least
        .zip(most)
        .is_some_and(|(least, most)| most - least > 180.0)
    {
        for [east, _] in corners.iter_mut().filter(|[east, _]| *east < 0.0) {
            *east += 360.0;
        }
    }
    corners
}

/// Corners of a circle on the ground; `None` if it holds a pole, or goes half around the Earth.
fn corners_of(circle: &Circle) -> Option<Vec<Place>> {
    let [east, north] = middle(circle);
    let far = f64::from(circle.radius_m) / EARTH_RADIUS_M;
    if north.abs() + far.to_degrees() >= 90.0 {
        return None;
    }
    let north = north.to_radians();
    let corner = |step: u32| {
        let angle = TAU * f64::from(step) / f64::from(CIRCLE_CORNERS);
        let sine = north.sin() * far.cos() + north.cos() * far.sin() * angle.cos();
        let along = (angle.sin() * far.sin() * north.cos()).atan2(far.cos() - north.sin() * sine);
        let round = |degrees: f64| (degrees * PLACE_SCALE).round() / PLACE_SCALE;
        [
            round(east + along.to_degrees()),
            round(sine.clamp(-1.0, 1.0).asin().to_degrees()),
        ]
    };
    let corners: Vec<Place> = (0..CIRCLE_CORNERS).map(corner).collect();
    let is_narrow = corners.iter().all(|[at, _]| (at - east).abs() < 90.0);
    is_narrow.then_some(corners)
}

/// The rings of some corners: one, or a ring on each side of the 180th meridian.
fn rings(corners: &[Place]) -> Vec<Vec<Place>> {
    let is_within = corners.iter().all(|[east, _]| east.abs() <= 180.0);
    let parts = match is_within {
        true => vec![corners.to_vec()],
        false => [-360.0, 0.0, 360.0]
            .into_iter()
            .map(|turn| {
                let turned: Vec<Place> = corners.iter().map(|[e, n]| [e + turn, *n]).collect();
                beside(&beside(&turned, 1.0), -1.0)
            })
            .collect(),
    };
    parts.into_iter().filter_map(closed).collect()
}

/// The part of a ring that lies west of 180° (`sign` 1), or east of -180° (-1), by cutting each edge: Sutherland and
/// Hodgman, *Communications of the ACM* 17, 1974.
fn beside(corners: &[Place], sign: f64) -> Vec<Place> {
    let is_in = |[east, _]: &Place| east * sign <= 180.0;
    let mut kept = Vec::new();
    let mut before = corners.last().copied();
    for corner in corners {
        if let Some(from) = before
            && is_in(&from) != is_in(corner)
        {
            let [east, north] = *corner;
            let part = (180.0 * sign - from[0]) / (east - from[0]);
            kept.push([180.0 * sign, from[1] + (north - from[1]) * part]);
        }
        if is_in(corner) {
            kept.push(*corner);
        }
        before = Some(*corner);
    }
    kept
}

/// A ring that ends where it begins, against the clock; `None` of what has no area.
fn closed(mut corners: Vec<Place>) -> Option<Vec<Place>> {
    corners.dedup();
    if corners.len() < 3 {
        return None;
    }
    let next = corners.iter().cycle().skip(1);
    let twice: f64 = corners
        .iter()
        .zip(next)
        .map(|([x, y], [next_x, next_y])| x * next_y - next_x * y)
        .sum();
    if twice == 0.0 {
        return None;
    }
    if twice < 0.0 {
        corners.reverse();
    }
    let first = corners.first().copied();
    corners.extend(first.filter(|first| corners.last() != Some(first)));
    Some(corners)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten-millionths of a degree, as statements have them.
    fn e7(degrees: f64) -> i64 {
        (degrees * PLACE_SCALE).round() as i64
    }

    fn circle(latitude: f64, longitude: f64, radius_m: u32) -> Shape {
        let [latitude, longitude] = [latitude, longitude].map(e7);
        let place = serde_json::json!({ "circle": { "latitude": latitude, "longitude": longitude, "radius_m": radius_m } });
        of(&serde_json::from_value(place).unwrap())
    }

    fn outline(points: &[[f64; 2]]) -> Shape {
        let points: Vec<_> = points
            .iter()
            .map(|at| at.map(e7))
            .map(|[latitude, longitude]| serde_json::json!({ "latitude": latitude, "longitude": longitude }))
            .collect();
        let place = serde_json::json!({ "outline": { "points": points } });
        of(&serde_json::from_value(place).unwrap())
    }

    #[test]
    fn an_outline_is_a_ring_against_the_clock() {
        let square = [[1.0, 2.0], [1.0, 3.0], [2.0, 3.0], [2.0, 2.0]];
        let same = "POLYGON((2 1,3 1,3 2,2 2,2 1))";
        assert_eq!(outline(&square).as_text(), same);
        let mut clockwise = square;
        clockwise.reverse();
        let text = outline(&clockwise).as_text();
        assert_eq!(text, "POLYGON((2 1,3 1,3 2,2 2,2 1))");
        assert_eq!(outline(&square).name, "outline");
    }

    #[test]
    fn what_lies_across_the_meridian_is_cut() {
        let text = outline(&[[0.0, 179.0], [0.0, -179.0], [1.0, -179.0], [1.0, 179.0]]).as_text();
        assert_eq!(
            text,
            "MULTIPOLYGON(((-180 0,-179 0,-179 1,-180 1,-180 0)),((179 0,180 0,180 1,179 1,179 0)))"
        );
        let Geometry::Rings(rings) = circle(-17.0, 179.999, 5_000).geometry else {
            panic!("no rings");
        };
        assert_eq!(rings.len(), 2);
        let places = rings.iter().flatten();
        assert!(places.clone().all(|[east, _]| east.abs() <= 180.0));
    }

    #[test]
    fn a_circle_has_its_radius_and_one_around_a_pole_is_a_point() {
        let shape = circle(37.7, -122.4, 1_000);
        let Geometry::Rings(rings) = &shape.geometry else {
            panic!("no rings");
        };
        assert_eq!((shape.name, rings.len(), rings[0].len()), ("circle", 1, 65));
        for [east, north] in &rings[0] {
            let up = (north - 37.7).to_radians();
            let across = (east + 122.4).to_radians() * 37.7_f64.to_radians().cos();
            let far = (up * up + across * across).sqrt() * EARTH_RADIUS_M;
            assert!((far - 1_000.0).abs() < 1.0, "{far}");
        }
        assert_eq!(circle(89.999, 10.0, 5_000).name, "point");
        assert_eq!(circle(0.0, 0.0, 10_100_000).name, "point");
    }
}
