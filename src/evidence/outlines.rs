//! Outlines in files: polygons of GeoJSON (RFC 7946).

use serde_json::Value;

use crate::audit::{StatedOutline, polygon_area_m2};
use crate::outcome::Outcome;
use crate::record::{Place, great_circle_m};

/// The longest file that is read as an outline: some 100,000 corners.
pub const OUTLINE_BYTES_MAX: usize = 4 << 20;
/// A ring has three corners and the first one again.
const RING_PLACES_MIN: usize = 4;
/// An area that is stated may differ by this part of the outline's, and this many square metres.
const AREA_SHARE_MAX: f64 = 0.05;
const AREA_M2_MAX: f64 = 10.0;
/// Corners may lie so far outside of the circle that the plot names, in parts of the radius, and metres.
const REACH_SHARE_MAX: f64 = 0.05;
const REACH_M_MAX: f64 = 10.0;
/// The only system of coordinates that RFC 7946 allows, by the names that files of before give it.
const CRS: [&str; 3] = ["CRS84", "EPSG::4326", "EPSG:4326"];

/// The polygons of a file, each with its rings: the outer one, then holes.
#[derive(Clone, PartialEq, Debug)]
pub struct Outline(Vec<Vec<Vec<Place>>>);

/// A file that is no outline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutlineError {
    /// It is no GeoJSON with polygons.
    #[error("it is no GeoJSON of polygons: {0}")]
    NotGeoJson(String),
    /// Its coordinates are of another system than that of GPS.
    #[error("its coordinates are of the system {0}, and not of that of RFC 7946 (WGS 84)")]
    OtherSystem(String),
}

impl OutlineError {
    /// What the check of the outline comes to.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NotGeoJson(_) => Outcome::NotThatKind,
            Self::OtherSystem(_) => Outcome::Unchecked,
        }
    }
}

fn wrong(what: impl Into<String>) -> OutlineError {
    OutlineError::NotGeoJson(what.into())
}

/// The polygons of a GeoJSON file.
///
/// # Errors
/// [`OutlineError`].
pub fn parse_outline(bytes: &[u8]) -> Result<Outline, OutlineError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value: Value = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    if let Some(name) = value.pointer("/crs/properties/name") {
        let name = name.as_str().unwrap_or("that it does not name");
        if !CRS.iter().any(|crs| name.ends_with(crs)) {
            let name = name.chars().take(100).collect();
            return Err(OutlineError::OtherSystem(name));
        }
    }
    let mut polygons = Vec::new();
    gather(&value, &mut polygons)?;
    if polygons.is_empty() {
        return Err(wrong("it has no polygon"));
    }
    Ok(Outline(polygons))
}

/// Adds the polygons of an object. JSON that is read is at most 128 deep.
fn gather(value: &Value, polygons: &mut Vec<Vec<Vec<Place>>>) -> Result<(), OutlineError> {
    let each = |name: &str, polygons: &mut Vec<_>| {
        let members = value.get(name).and_then(Value::as_array);
        let members = members.ok_or_else(|| wrong(format!("it has no {name}")))?;
        members
            .iter()
            .try_for_each(|member| gather(member, polygons))
    };
    let coordinates = || {
        value
            .get("coordinates")
            .ok_or_else(|| wrong("a geometry without coordinates"))
    };
    match value.get("type").and_then(Value::as_str) {
        Some("FeatureCollection") => each("features", polygons),
        Some("GeometryCollection") => each("geometries", polygons),
        Some("Feature") => match value.get("geometry") {
            Some(geometry) if !geometry.is_null() => gather(geometry, polygons),
            _ => Ok(()),
        },
        Some("Polygon") => {
            polygons.push(rings(coordinates()?)?);
            Ok(())
        }
        Some("MultiPolygon") => {
            let parts = list(coordinates()?)?;
            parts.iter().try_for_each(|part| {
                polygons.push(rings(part)?);
                Ok(())
            })
        }
        // What a surveyor marked beside the outline covers no ground.
        Some("Point" | "MultiPoint" | "LineString" | "MultiLineString") => Ok(()),
        _ => Err(wrong("an object that is of no type of RFC 7946")),
    }
}

fn list(value: &Value) -> Result<&[Value], OutlineError> {
    let list = value
        .as_array()
        .ok_or_else(|| wrong("coordinates that are no list"))?;
    Ok(list)
}

fn rings(value: &Value) -> Result<Vec<Vec<Place>>, OutlineError> {
    let rings = list(value)?.iter().map(|ring| {
        let places = list(ring)?
            .iter()
            .map(place)
            .collect::<Result<Vec<_>, _>>()?;
        match places.as_slice() {
            [first, .., last] if places.len() >= RING_PLACES_MIN && first == last => Ok(places),
            _ => Err(wrong(
                "a ring that is not closed, or has fewer than three corners",
            )),
        }
    });
    let rings: Vec<_> = rings.collect::<Result<_, _>>()?;
    match rings.is_empty() {
        true => Err(wrong("a polygon without a ring")),
        false => Ok(rings),
    }
}

/// Degrees east and north, in this order.
fn place(value: &Value) -> Result<Place, OutlineError> {
    let numbers = list(value)?.iter().map(Value::as_f64);
    let numbers: Vec<f64> = numbers.collect::<Option<_>>().unwrap_or_default();
    match numbers.as_slice() {
        [east, north, ..] if east.abs() <= 180.0 && north.abs() <= 90.0 => Ok((*north, *east)),
        _ => Err(wrong("a place that is not degrees east and north")),
    }
}

impl Outline {
    /// Its area on the ellipsoid of WGS 84, in square metres: of each polygon, the outer ring less the holes.
    pub fn area_m2(&self) -> f64 {
        self.0.iter().map(|rings| polygon_area_m2(rings)).sum()
    }

    /// What contradicts the statement of the plot, if anything does.
    pub(super) fn contradiction(&self, stated: &StatedOutline, area_m2: f64) -> Option<String> {
        let allowed = area_m2 * AREA_SHARE_MAX + AREA_M2_MAX;
        #[expect(
            clippy::cast_precision_loss,
            reason = "areas are compared to a twentieth"
        )]
        let said = stated.area_m2 as f64;
        if said > area_m2 + allowed {
            return Some(format!(
                "the outline has {area_m2:.0} m², and the plot states {said:.0} m²"
            ));
        }
        let reach = stated.radius_m * (1.0 + REACH_SHARE_MAX) + REACH_M_MAX;
        let outer = self.0.iter().filter_map(|rings| rings.first()).flatten();
        let far = outer
            .map(|place| great_circle_m(stated.middle, *place))
            .fold(0.0, f64::max);
        (far > reach).then(|| {
            format!(
                "the outline reaches {far:.0} m from the middle of the plot, whose circle has {:.0} m",
                stated.radius_m
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, parse_outline};

    fn area(text: &str) -> f64 {
        parse_outline(text.as_bytes()).unwrap().area_m2()
    }

    /// Areas by GeographicLib 2 (`Planimeter -E`, geodesic edges, WGS 84).
    #[test]
    fn areas_that_others_reckon() {
        // 0.01° at the equator: 1113.195 m by 1105.743 m.
        let square =
            r#"{"type":"Polygon","coordinates":[[[0,0],[0.01,0],[0.01,0.01],[0,0.01],[0,0]]]}"#;
        assert!(
            (area(square) / 1_230_907.8 - 1.0).abs() < 2e-5,
            "{}",
            area(square)
        );
        // A hole takes its part away; both ways round are read.
        let holed = r#"{"type":"Feature","geometry":{"type":"Polygon","coordinates":
            [[[0,0],[0.01,0],[0.01,0.01],[0,0.01],[0,0]],[[0,0],[0.005,0],[0.005,0.01],[0,0.01],[0,0]]]}}"#;
        assert!((area(holed) * 2.0 / area(square) - 1.0).abs() < 1e-6);
        let two = r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"MultiPolygon","coordinates":
            [[[[0,0],[0.01,0],[0.01,0.01],[0,0.01],[0,0]]],[[[1,0],[1.01,0],[1.01,0.01],[1,0.01],[1,0]]]]}}]}"#;
        assert!((area(two) / area(square) - 2.0).abs() < 1e-6);
        // Over the line of 180°.
        let across = r#"{"type":"Polygon","coordinates":[[[179.995,0],[-179.995,0],[-179.995,0.01],[179.995,0.01],[179.995,0]]]}"#;
        assert!((area(across) / area(square) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_outline() {
        for (text, outcome) in [
            ("no JSON", Outcome::NotThatKind),
            ("[]", Outcome::NotThatKind),
            (r#"{"type":"Polygon"}"#, Outcome::NotThatKind),
            (
                r#"{"type":"Point","coordinates":[0,0]}"#,
                Outcome::NotThatKind,
            ),
            (
                r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}"#,
                Outcome::NotThatKind,
            ),
            // Metres, as of a national grid.
            (
                r#"{"type":"Polygon","coordinates":[[[50000,0],[50001,0],[50001,1],[50000,0]]]}"#,
                Outcome::NotThatKind,
            ),
            (
                r#"{"type":"Polygon","crs":{"properties":{"name":"urn:ogc:def:crs:EPSG::3857"}},"coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}"#,
                Outcome::Unchecked,
            ),
        ] {
            let error = parse_outline(text.as_bytes()).unwrap_err();
            assert_eq!(error.outcome(), outcome, "{text}: {error}");
        }
        // Deep enough to end a reader that recurses without a bound.
        assert!(parse_outline("[".repeat(1_000_000).as_bytes()).is_err());
    }
}
