//! The ground that plots cover: areas, and the area that two have in common. On a sphere of the
//! Earth's mean radius, whose areas differ from the ellipsoid's by less than 0.7 %.
//!
//! What two outlines have in common is reckoned on a plane around the smaller one that keeps areas
//! (Lambert's azimuthal projection), cut into bands of latitude between all corners and crossings:
//! within a band no edge crosses another, so its part is the width along its middle times its height.
//! An outline that crosses itself covers what lies within it an odd number of times.

use std::f64::consts::{PI, TAU};

use crate::record::{Circle, EARTH_RADIUS_M, Place, PlotPlace, great_circle_m};

/// Corners of the outline that stands for a circle: half of them towards the other plot.
const CIRCLE_CORNERS: u32 = 128;
/// Bands beyond which crossings are left out, and bands of one height take their place: two outlines of 500
/// corners each may cross in a quarter of a million points.
const BANDS_MAX: usize = 4_096;
/// Such bands.
const EVEN_BANDS: u32 = 2_048;

/// The ground of a plot: a circle that it lies in, or its outline.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    circle: Circle,
    /// The corners of an outline; none of a circle.
    corners: Vec<Place>,
}

impl Ground {
    pub(super) fn of(place: &PlotPlace) -> Self {
        let corners = match place {
            PlotPlace::Circle(_) => Vec::new(),
            PlotPlace::Outline { points } => {
                let corners = points.iter();
                let corner = corners.map(|it| (it.latitude.degrees(), it.longitude.degrees()));
                corner.collect()
            }
        };
        Self {
            circle: place.circle(),
            corners,
        }
    }

    /// Whether it is an outline, and not a circle in which the plot lies somewhere.
    pub(super) fn is_outline(&self) -> bool {
        !self.corners.is_empty()
    }

    /// The middle of the circle that holds it.
    pub(super) fn middle(&self) -> Place {
        let circle = &self.circle;
        (circle.latitude.degrees(), circle.longitude.degrees())
    }

    /// The radius of that circle, in metres.
    pub(super) fn reach_m(&self) -> f64 {
        f64::from(self.circle.radius_m)
    }

    /// Its area in square metres.
    pub(super) fn area_m2(&self) -> f64 {
        if self.is_outline() {
            let flat = self.flat(self.middle(), self);
            return common_area(&flat, &flat);
        }
        let angle = (self.reach_m() / EARTH_RADIUS_M).min(PI);
        TAU * EARTH_RADIUS_M * EARTH_RADIUS_M * (1.0 - angle.cos())
    }

    /// The square metres that both cover. Of two circles, where the smaller one is more than a thousand
    /// kilometres wide, an estimate.
    pub(super) fn common_m2(&self, other: &Self) -> f64 {
        let apart = great_circle_m(self.middle(), other.middle());
        if apart >= self.reach_m() + other.reach_m() {
            return 0.0;
        }
        let (small, large) = if self.reach_m() <= other.reach_m() {
            (self, other)
        } else {
            (other, self)
        };
        // What lies in a circle as a whole is covered as a whole.
        if !large.is_outline() && apart + small.reach_m() <= large.reach_m() {
            return small.area_m2();
        }
        if !small.is_outline() && !large.is_outline() {
            let common = lens(small.reach_m(), large.reach_m(), apart);
            return common.min(small.area_m2());
        }
        let middle = small.middle();
        common_area(&small.flat(middle, large), &large.flat(middle, small))
    }

    /// How much work it is to compare it with another: the pairs of edges.
    pub(super) fn work(&self, other: &Self) -> u64 {
        let edges = |it: &Self| match it.corners.len() {
            0 => u64::from(CIRCLE_CORNERS),
            corners => corners as u64,
        };
        match (self.is_outline(), other.is_outline()) {
            (false, false) => 1,
            _ => edges(self) * edges(other),
        }
    }

    /// Its outline on a plane around `middle`, in metres; of a circle the finer towards `other`.
    fn flat(&self, middle: Place, other: &Self) -> Vec<Point> {
        let corners = self.corners.iter().copied();
        if self.is_outline() {
            return corners.map(|it| flattened(middle, it)).collect();
        }
        let apart = great_circle_m(self.middle(), other.middle());
        let towards = bearing(self.middle(), other.middle());
        let half = match other.reach_m() * 1.5 / apart {
            ratio if ratio < 1.0 => ratio.asin(),
            _ => PI / 2.0,
        };
        let count = CIRCLE_CORNERS / 2;
        let arc = |from: f64, width: f64| {
            (0..count).map(move |step| from + width * f64::from(step) / f64::from(count))
        };
        let near = arc(towards - half, 2.0 * half);
        let far = arc(towards + half, TAU - 2.0 * half);
        near.chain(far)
            .map(|angle| flattened(middle, destination(self.middle(), angle, self.reach_m())))
            .collect()
    }
}

/// The area of a polygon on the ellipsoid of WGS 84, in square metres: its outer ring less its holes, whatever way round
/// they are written. Reckoned on the sphere that has the ellipsoid's area, at authalic latitudes (J. P. Snyder, Map
/// Projections, USGS PP 1395, 1987, 3-11 to 3-14), on the plane around the first corner that keeps areas. A ring that
/// crosses itself covers some of its ground negatively.
pub fn polygon_area_m2(rings: &[Vec<Place>]) -> f64 {
    let Some(middle) = rings.first().and_then(|ring| ring.first()) else {
        return 0.0;
    };
    let middle = authalic(*middle);
    let mut areas = rings.iter().map(|ring| {
        let points: Vec<Point> = ring
            .iter()
            .map(|place| flattened(middle, authalic(*place)))
            .collect();
        let following = points.iter().skip(1).chain(points.first());
        let crosses = points
            .iter()
            .zip(following)
            .map(|(a, b)| a[0] * b[1] - b[0] * a[1]);
        crosses.sum::<f64>().abs() / 2.0
    });
    let outer = areas.next().unwrap_or_default();
    (outer - areas.sum::<f64>()).max(0.0) * (AUTHALIC_RADIUS_M / EARTH_RADIUS_M).powi(2)
}

/// The eccentricity of WGS 84's ellipsoid.
const ECCENTRICITY: f64 = 0.081_819_190_842_622;
/// The radius of the sphere that has its area, in metres.
const AUTHALIC_RADIUS_M: f64 = 6_371_007.180_918_5;

/// A place on that sphere, such that what lies south of it has the same area.
fn authalic(place: Place) -> Place {
    let e = ECCENTRICITY;
    let q = |sine: f64| {
        let by_log = ((1.0 - e * sine) / (1.0 + e * sine)).ln() / (2.0 * e);
        (1.0 - e * e) * (sine / (1.0 - (e * sine).powi(2)) - by_log)
    };
    let sine = q(place.0.to_radians().sin()) / q(1.0);
    (sine.clamp(-1.0, 1.0).asin().to_degrees(), place.1)
}

/// Metres east and north.
type Point = [f64; 2];

/// A place on a plane around another that keeps areas.
fn flattened(middle: Place, place: Place) -> Point {
    let (north_0, north) = (middle.0.to_radians(), place.0.to_radians());
    let east = (place.1 - middle.1).to_radians();
    // The sine of half the distance, by which no digits are lost where places are near.
    let half = |angle: f64| (angle / 2.0).sin().powi(2);
    let near = half(north - north_0) + north_0.cos() * north.cos() * half(east);
    let scale = EARTH_RADIUS_M / (1.0 - near).max(1e-12).sqrt();
    let up = (north - north_0).sin() + 2.0 * north_0.sin() * north.cos() * half(east);
    [scale * north.cos() * east.sin(), scale * up]
}

/// The direction from one place to another, from north to east.
fn bearing(from: Place, to: Place) -> f64 {
    let (a, b) = (from.0.to_radians(), to.0.to_radians());
    let east = (to.1 - from.1).to_radians();
    let x = a.cos() * b.sin() - a.sin() * b.cos() * east.cos();
    (east.sin() * b.cos()).atan2(x)
}

/// The place at a distance in a direction.
fn destination(from: Place, angle: f64, distance_m: f64) -> Place {
    let far = (distance_m / EARTH_RADIUS_M).min(PI);
    let north = from.0.to_radians();
    let sine = north.sin() * far.cos() + north.cos() * far.sin() * angle.cos();
    let reached = sine.clamp(-1.0, 1.0).asin();
    let east = (angle.sin() * far.sin() * north.cos()).atan2(far.cos() - north.sin() * sine);
    (reached.to_degrees(), from.1 + east.to_degrees())
}

/// The area of two circles' lens.
fn lens(small: f64, large: f64, apart: f64) -> f64 {
    if apart + small <= large {
        return PI * small * small;
    }
    if apart >= small + large {
        return 0.0;
    }
    // Circles that touch from within may differ by a rounding.
    let part = |near: f64, far: f64| {
        let to_chord = (apart * apart + near * near - far * far) / (2.0 * apart);
        let cosine = (to_chord / near).clamp(-1.0, 1.0);
        near * near * (cosine.acos() - cosine * (1.0 - cosine * cosine).sqrt())
    };
    part(small, large) + part(large, small)
}

/// An edge that is not level, from its lower end to its upper one.
#[derive(Clone, Copy)]
struct Edge {
    low: Point,
    high: Point,
    /// Whether it is of the first outline.
    is_first: bool,
}

impl Edge {
    fn east_at(&self, north: f64) -> f64 {
        let share = (north - self.low[1]) / (self.high[1] - self.low[1]);
        self.low[0] + share * (self.high[0] - self.low[0])
    }

    /// How far north it crosses another.
    fn crossing(&self, other: &Self) -> Option<f64> {
        let (low, high) = (
            self.low[1].max(other.low[1]),
            self.high[1].min(other.high[1]),
        );
        if low >= high {
            return None;
        }
        let below = self.east_at(low) - other.east_at(low);
        let above = self.east_at(high) - other.east_at(high);
        (below * above < 0.0).then(|| low + (high - low) * below / (below - above))
    }
}

/// The area within two outlines.
fn common_area(first: &[Point], second: &[Point]) -> f64 {
    let span = |points: &[Point], axis: usize| {
        let along = points.iter().filter_map(move |it| it.get(axis).copied());
        along.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), it| {
            (least.min(it), most.max(it))
        })
    };
    let common = |axis| {
        let (one, other) = (span(first, axis), span(second, axis));
        (one.0.max(other.0), one.1.min(other.1))
    };
    let ((west, east), (south, north)) = (common(0), common(1));
    if !(west < east && south < north) {
        return 0.0;
    }
    let mut edges = edges_between(first, true, south, north);
    edges.extend(edges_between(second, false, south, north));
    let borders = borders(&edges, south, north);
    let mut sum = 0.0;
    let mut crossed: Vec<(f64, bool)> = Vec::new();
    for band in borders.windows(2) {
        let [low, high] = band else { continue };
        let middle = low + (high - low) / 2.0;
        let across = edges
            .iter()
            .filter(|edge| edge.low[1] <= middle && middle < edge.high[1]);
        crossed.clear();
        crossed.extend(across.map(|edge| (edge.east_at(middle), edge.is_first)));
        crossed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut in_first, mut in_second) = (false, false);
        let mut width = 0.0;
        let mut west = 0.0;
        for (east, is_first) in &crossed {
            if in_first && in_second {
                width += east - west;
            }
            if *is_first {
                in_first = !in_first;
            } else {
                in_second = !in_second;
            }
            west = *east;
        }
        sum += width * (high - low);
    }
    sum
}

/// The edges of an outline that reach into a band.
fn edges_between(points: &[Point], is_first: bool, south: f64, north: f64) -> Vec<Edge> {
    let following = points.iter().skip(1).chain(points.first());
    let edges = points.iter().zip(following).map(|(one, next)| {
        let (low, high) = if one[1] <= next[1] {
            (*one, *next)
        } else {
            (*next, *one)
        };
        Edge {
            low,
            high,
            is_first,
        }
    });
    edges
        .filter(|edge| edge.low[1] < edge.high[1])
        .filter(|edge| edge.low[1] < north && edge.high[1] > south)
        .collect()
}

/// Where bands begin and end: at corners and crossings.
fn borders(edges: &[Edge], south: f64, north: f64) -> Vec<f64> {
    let ends = edges.iter().flat_map(|edge| [edge.low[1], edge.high[1]]);
    let within = |at: &f64| south < *at && *at < north;
    let mut borders: Vec<f64> = ends.filter(within).collect();
    borders.extend([south, north]);
    let corners = borders.len();
    'all: for (place, edge) in edges.iter().enumerate() {
        for other in edges.iter().skip(place + 1) {
            borders.extend(edge.crossing(other).filter(within));
            if borders.len() > BANDS_MAX {
                borders.truncate(corners);
                let height = (north - south) / f64::from(EVEN_BANDS);
                borders.extend((1..EVEN_BANDS).map(|step| south + height * f64::from(step)));
                break 'all;
            }
        }
    }
    borders.sort_unstable_by(f64::total_cmp);
    borders.dedup();
    borders
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Ground, Point, common_area, lens};
    use crate::record::{Circle, GeoPoint, List, PlotPlace};

    fn circle(latitude: i32, longitude: i32, radius_m: u32) -> Ground {
        Ground::of(&PlotPlace::Circle(Circle {
            latitude: latitude.try_into().unwrap(),
            longitude: longitude.try_into().unwrap(),
            radius_m,
        }))
    }

    fn outline(points: &[(i32, i32)]) -> Ground {
        let point = |(north, east): &(i32, i32)| GeoPoint {
            latitude: (*north).try_into().unwrap(),
            longitude: (*east).try_into().unwrap(),
        };
        let points: Vec<GeoPoint> = points.iter().map(point).collect();
        let points = List::try_from(points).unwrap().try_into().unwrap();
        Ground::of(&PlotPlace::Outline { points })
    }

    /// A square in ten-millionths of a degree.
    fn square(north: i32, east: i32, side: i32) -> Ground {
        outline(&[
            (north, east),
            (north, east + side),
            (north + side, east + side),
            (north + side, east),
        ])
    }

    #[track_caller]
    fn near(found: f64, expected: f64, share: f64) {
        assert!(
            (found - expected).abs() <= expected.abs() * share + 1e-6,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn areas_that_are_known() {
        // 0.01° at the equator: 1,111.95 m.
        near(
            square(0, 0, 100_000).area_m2(),
            1_111.950_8_f64.powi(2),
            1e-6,
        );
        // As wide as the cosine of its latitude says.
        let at_60 = square(600_000_000, 0, 100_000).area_m2();
        near(
            at_60,
            1_111.950_8_f64.powi(2) * 60.005_f64.to_radians().cos(),
            1e-5,
        );
        near(circle(0, 0, 100).area_m2(), 31_415.926_5, 1e-6);
        // A quarter of a billion square kilometres: half the Earth.
        near(circle(0, 0, 10_007_557).area_m2(), 2.550_3e14, 1e-3);
        // Across the line of 180°, and around the pole.
        near(
            square(0, 1_799_950_000, 100_000 - 50_000).area_m2(),
            555.975_4_f64.powi(2),
            1e-6,
        );
        let across = outline(&[
            (0, 1_799_950_000),
            (0, -1_799_950_000),
            (100_000, -1_799_950_000),
            (100_000, 1_799_950_000),
        ]);
        near(across.area_m2(), 1_111.950_8_f64.powi(2), 1e-5);
    }

    #[test]
    fn what_two_have_in_common() {
        let one = square(377_000_000, -1_224_000_000, 10_000);
        let half = square(377_000_000, -1_224_000_000 + 5_000, 10_000);
        near(one.common_m2(&half), one.area_m2() / 2.0, 1e-5);
        near(half.common_m2(&one), one.area_m2() / 2.0, 1e-5);
        near(one.common_m2(&one), one.area_m2(), 1e-9);
        let beside = square(377_000_000, -1_224_000_000 + 10_000, 10_000);
        near(one.common_m2(&beside), 0.0, 0.0);
        // A circle over a corner covers a quarter of itself.
        let round = circle(377_000_000, -1_224_000_000, 20);
        near(one.common_m2(&round), round.area_m2() / 4.0, 2e-3);
        near(
            circle(377_005_000, -1_223_995_000, 2_000).common_m2(&one),
            one.area_m2(),
            1e-9,
        );
        // As wide as a continent, its edge goes through the plot: half.
        let radius = 1_000_000;
        let far = circle(377_005_000 - 89_932_031, -1_223_995_000, radius);
        near(far.common_m2(&one), one.area_m2() / 2.0, 0.02);
        // Two circles, one radius apart.
        near(lens(1.0, 1.0, 1.0), 1.228_369_7, 1e-6);
        near(lens(1.0, 3.0, 2.0), std::f64::consts::PI, 1e-12);
        near(lens(1.0, 3.0, 4.0), 0.0, 0.0);
    }

    /// A bow crosses itself: its two halves count, and don't take each other away.
    #[test]
    fn an_outline_that_crosses_itself() {
        let bow = [[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0]];
        near(common_area(&bow, &bow), 2.0, 1e-12);
        let right: [Point; 4] = [[1.0, -1.0], [3.0, -1.0], [3.0, 3.0], [1.0, 3.0]];
        near(common_area(&bow, &right), 1.0, 1e-12);
    }

    /// 500 corners each that cross in some sixty thousand points: bounded, and still close.
    #[test]
    fn combs_across_each_other() {
        let comb: Vec<Point> = (0..250)
            .flat_map(|tooth| {
                let at = f64::from(tooth) * 4.0;
                [[at, 0.0], [at + 2.0, 1_000.0]]
            })
            .chain([[1_000.0, -1.0]])
            .collect();
        let lying: Vec<Point> = comb.iter().map(|[x, y]| [*y, *x]).collect();
        let found = common_area(&comb, &lying);
        near(found, common_area(&lying, &comb), 0.02);
        assert!(found > 0.0);
    }

    /// Whether a point lies within an outline, by another way: around it by angles.
    fn holds(outline: &[Point], [x, y]: Point) -> bool {
        let following = outline.iter().skip(1).chain(outline.first());
        let crossed = outline.iter().zip(following).filter(|(a, b)| {
            (a[0] <= x) != (b[0] <= x) && a[1] + (x - a[0]) / (b[0] - a[0]) * (b[1] - a[1]) > y
        });
        crossed.count() % 2 == 1
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// The area is what counting a grid's points says.
        #[test]
        fn common_areas_are_those_of_a_grid(
            first in prop::collection::vec(prop::array::uniform2(0.0..100.0_f64), 3..12),
            second in prop::collection::vec(prop::array::uniform2(0.0..100.0_f64), 3..12),
        ) {
            let mut both = 0;
            for x in 0..200 {
                for y in 0..200 {
                    let at = [f64::from(x) / 2.0 + 0.1234, f64::from(y) / 2.0 + 0.0987];
                    both += u32::from(holds(&first, at) && holds(&second, at));
                }
            }
            let counted = f64::from(both) / 4.0;
            let found = common_area(&first, &second);
            prop_assert!((found - counted).abs() < 90.0, "{} counted {}", found, counted);
            prop_assert!((found - common_area(&second, &first)).abs() < 1e-6);
        }
    }
}
