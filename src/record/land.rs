//! Where a plot lies, and who may promise its trees: fields of a plot's statement that are more than
//! a number or a text.

use std::fmt;
use std::str::FromStr;

use bincode::de::Decoder;
use bincode::error::DecodeError;
use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::number::{Latitude, Longitude};
use super::text::{List, Slug, TextError};

/// The code of a country: two letters A to Z, as ISO 3166-1 gives them. Whether there is such a
/// country, nobody checks: their list changes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Country(String);

impl Country {
    /// The two letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Country {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Ok(Self(text))
        } else {
            Err(TextError::Country(text.chars().take(80).collect()))
        }
    }
}

impl FromStr for Country {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl<Context> Decode<Context> for Country {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(String::decode(decoder)?.try_into()?)
    }
}

bincode::impl_borrow_decode!(Country);

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A point of an outline.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeoPoint {
    /// Degrees north.
    pub latitude: Latitude,
    /// Degrees east.
    pub longitude: Longitude,
}

/// The fewest points of an outline.
const POINTS_MIN: usize = 3;
/// The most points of an outline.
const POINTS_MAX: usize = 500;

/// The corners of a plot, in their order around it. A corner is not the one before it, and the last
/// is not the first.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Serialize, Deserialize)]
#[serde(try_from = "List<GeoPoint, POINTS_MIN, POINTS_MAX>")]
pub struct Outline(List<GeoPoint, POINTS_MIN, POINTS_MAX>);

impl TryFrom<List<GeoPoint, POINTS_MIN, POINTS_MAX>> for Outline {
    type Error = TextError;

    fn try_from(points: List<GeoPoint, POINTS_MIN, POINTS_MAX>) -> Result<Self, Self::Error> {
        let following = points.iter().skip(1).chain(points.first());
        let same = points
            .iter()
            .zip(following)
            .position(|(one, next)| one == next);
        match same {
            None => Ok(Self(points)),
            Some(place) => Err(TextError::PointRepeated(place)),
        }
    }
}

impl<Context> Decode<Context> for Outline {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(List::decode(decoder)?.try_into()?)
    }
}

bincode::impl_borrow_decode!(Outline);

impl std::ops::Deref for Outline {
    type Target = [GeoPoint];

    fn deref(&self) -> &[GeoPoint] {
        &self.0
    }
}

/// A circle on the ground.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circle {
    /// Latitude of its middle.
    pub latitude: Latitude,
    /// Longitude of its middle.
    pub longitude: Longitude,
    /// Its radius in metres.
    pub radius_m: u32,
}

/// Where a plot lies.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PlotPlace {
    /// Somewhere in a circle.
    Circle(Circle),
    /// Within these corners.
    Outline {
        /// The corners, in their order around the plot.
        points: Outline,
    },
}

impl PlotPlace {
    /// The circle that is stated; or one that holds the outline, around the middle of the least
    /// rectangle of degrees that holds it. By integers alone, so that every machine, and the browser's
    /// verifier, gets the same.
    pub fn circle(&self) -> Circle {
        match self {
            Self::Circle(circle) => *circle,
            Self::Outline { points } => circle_around(points),
        }
    }
}

/// The middle between the ends of some degrees.
fn middle(degrees: &[i64]) -> i64 {
    let ends = degrees.iter().min().zip(degrees.iter().max());
    ends.map_or(0, |(least, most)| (least + most).div_euclid(2))
}

fn circle_around(points: &Outline) -> Circle {
    const HALF_TURN: i64 = 1_800_000_000;
    let north: Vec<i64> = points.iter().map(|it| it.latitude.e7().into()).collect();
    let mut east: Vec<i64> = points.iter().map(|it| it.longitude.e7().into()).collect();
    // No plot goes half around the Earth: this one lies across the line where 180° east meets 180° west.
    let ends = east.iter().min().zip(east.iter().max());
    if ends.is_some_and(|(west, east)| east - west > HALF_TURN) {
        for east in east.iter_mut().filter(|east| **east < 0) {
            *east += 2 * HALF_TURN;
        }
    }
    let (middle_north, middle_east) = (middle(&north), middle(&east));
    let squares = north.iter().zip(&east).map(|(north, east)| {
        let up = millimetres(north - middle_north);
        // Along the wider of the two circles of latitude, so that the distance is not too short.
        let along = if (*north < 0) == (middle_north < 0) {
            (*north).abs().min(middle_north.abs())
        } else {
            0
        };
        let across = millimetres(east - middle_east) * cosine_e9(along) / BILLION;
        (up * up + across * across).unsigned_abs()
    });
    let farthest_mm = squares.max().unwrap_or(0).isqrt();
    let middle_east = if middle_east > HALF_TURN {
        middle_east - 2 * HALF_TURN
    } else {
        middle_east
    };
    Circle {
        latitude: Latitude::nearest(middle_north),
        longitude: Longitude::nearest(middle_east),
        // The next whole metre.
        radius_m: u32::try_from(farthest_mm / 1000 + 1).unwrap_or(u32::MAX),
    }
}

const BILLION: i128 = 1_000_000_000;

/// Millimetres of ten-millionths of a degree of a great circle, on a sphere of the Earth's mean radius.
fn millimetres(e7: i64) -> i128 {
    i128::from(e7) * 111_195_080 / 10_000_000
}

/// The cosine of a latitude in ten-millionths of a degree, in billionths: its series, whose terms past
/// the eighth are less than one of them.
fn cosine_e9(e7: i64) -> i128 {
    let radians = i128::from(e7) * 314_159_265_359 / 180_000_000_000;
    let square = radians * radians / BILLION;
    let (mut term, mut sum) = (BILLION, BILLION);
    for n in 1..=8 {
        term = -(term * square / BILLION) / ((2 * n - 1) * (2 * n));
        sum += term;
    }
    sum
}

/// The most platforms that a plot names.
const PLATFORMS_MAX: usize = 16;

/// The holders who may promise a plot's trees, each once, in ascending order; any if there is none.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Serialize, Deserialize)]
#[serde(try_from = "List<Slug, 0, PLATFORMS_MAX>")]
pub struct NamedPlatforms(List<Slug, 0, PLATFORMS_MAX>);

impl NamedPlatforms {
    /// Whether a holder's platforms may promise the trees.
    pub fn include(&self, holder: &Slug) -> bool {
        self.0.is_empty() || self.0.contains(holder)
    }
}

impl TryFrom<List<Slug, 0, PLATFORMS_MAX>> for NamedPlatforms {
    type Error = TextError;

    fn try_from(holders: List<Slug, 0, PLATFORMS_MAX>) -> Result<Self, Self::Error> {
        if holders.is_sorted_by(|one, next| one < next) {
            Ok(Self(holders))
        } else {
            Err(TextError::NotAscending)
        }
    }
}

impl<Context> Decode<Context> for NamedPlatforms {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(List::decode(decoder)?.try_into()?)
    }
}

bincode::impl_borrow_decode!(NamedPlatforms);

impl std::ops::Deref for NamedPlatforms {
    type Target = [Slug];

    fn deref(&self) -> &[Slug] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::distance::great_circle_m;
    use super::*;

    fn outline(points: &[(i32, i32)]) -> PlotPlace {
        let point = |(north, east): &(i32, i32)| GeoPoint {
            latitude: Latitude::try_from(*north).unwrap(),
            longitude: Longitude::try_from(*east).unwrap(),
        };
        let points: Vec<GeoPoint> = points.iter().map(point).collect();
        let points = List::try_from(points).unwrap();
        PlotPlace::Outline {
            points: points.try_into().unwrap(),
        }
    }

    /// `tests/web/verifier.test.mjs` has the same outlines and circles.
    #[test]
    fn the_circle_around_an_outline() {
        for (points, expected) in [
            (
                &[
                    (377_000_000, -1_224_000_000),
                    (377_010_001, -1_224_000_000),
                    (377_000_000, -1_223_990_000),
                ][..],
                (377_005_000, -1_223_995_000, 71),
            ),
            (
                &[
                    (-10_000, 1_799_990_000),
                    (10_000, -1_799_990_000),
                    (10_000, 1_799_990_000),
                ],
                (0, 1_800_000_000, 158),
            ),
            (
                &[
                    (899_990_000, 0),
                    (900_000_000, 900_000_000),
                    (899_990_000, 1_800_000_000),
                ],
                (899_995_000, 900_000_000, 184),
            ),
        ] {
            let circle = outline(points).circle();
            let found = (circle.latitude.e7(), circle.longitude.e7(), circle.radius_m);
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_circle_holds_the_outline() {
        for (north, east) in [
            (0, 0),
            (377_000_000, -1_224_000_000),
            (-600_000_000, 1_799_000_000),
            (800_000_000, 5),
        ] {
            for reach in [10, 10_000, 3_000_000] {
                let wrapped = |e7: i64| {
                    if e7 > 1_800_000_000 {
                        e7 - 3_600_000_000
                    } else {
                        e7
                    }
                };
                let east_of = |by: i64| i32::try_from(wrapped(i64::from(east) + by)).unwrap();
                let points = [
                    (north, east),
                    (north + reach, east_of(i64::from(reach))),
                    (north - reach / 3, east_of(2 * i64::from(reach))),
                ];
                let circle = outline(&points).circle();
                let middle = (circle.latitude.degrees(), circle.longitude.degrees());
                let far = |(north, east): &(i32, i32)| {
                    great_circle_m(middle, (f64::from(*north) / 1e7, f64::from(*east) / 1e7))
                };
                let farthest = points.iter().map(far).fold(0.0, f64::max);
                let radius = f64::from(circle.radius_m);
                assert!(farthest <= radius, "{farthest} > {radius}");
                assert!(radius <= farthest * 1.1 + 2.0, "{radius} of {farthest}");
            }
        }
    }
}
