//! How far places are apart.

/// The Earth's mean radius (IUGG), in metres.
pub const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A place: degrees north, degrees east.
pub type Place = (f64, f64);

/// Metres between two places along the surface of a sphere (the haversine formula).
pub fn great_circle_m((north_a, east_a): Place, (north_b, east_b): Place) -> f64 {
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let narrowing = north_a.to_radians().cos() * north_b.to_radians().cos();
    let h = half(north_b - north_a) + narrowing * half(east_b - east_a);
    2.0 * EARTH_RADIUS_M * h.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::great_circle_m;

    #[test]
    fn a_quarter_of_a_meridian_and_of_the_equator() {
        let quarter = 10_007_557.2;
        for (from, to) in [((0.0, 0.0), (90.0, 0.0)), ((0.0, -45.0), (0.0, 45.0))] {
            assert!((great_circle_m(from, to) - quarter).abs() < 1.0);
        }
        assert_eq!(great_circle_m((37.7, -122.4), (37.7, -122.4)), 0.0);
    }
}
