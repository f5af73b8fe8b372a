//! The part of the Earth that a map shows, and where on the map a place lies.

use super::path::Point;

/// Metres of a degree of latitude, on a sphere of the Earth's mean radius.
const DEGREE_M: f64 = 111_195.08;
/// How much of a map's side the places on it take.
const FILLED: f64 = 0.8;

/// Degrees north and degrees east.
pub(super) type Place = (f64, f64);

/// A rectangle of degrees, drawn so that distances are true at its middle.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    middle: Place,
    /// Units of the drawing across and down.
    pub(super) size: Point,
    /// Units to a degree of latitude.
    scale: f64,
    /// Of a degree of latitude, what one of longitude is long.
    shrink: f64,
}

impl View {
    /// The view that holds all places, and is not less high than `least` degrees; `None` without a place.
    pub(super) fn of(places: &[Place], size: Point, least: f64) -> Option<Self> {
        let north: Vec<f64> = places.iter().map(|place| place.0).collect();
        let (south, north) = ends(&north)?;
        let west = westernmost(places)?;
        let east: Vec<f64> = places.iter().map(|place| east_of(west, place.1)).collect();
        let (_, width) = ends(&east)?;
        let middle = (f64::midpoint(south, north), west + width / 2.0);
        let shrink = middle.0.to_radians().cos().max(0.1);
        let high = ((north - south) / FILLED)
            .max(width * shrink * size.1 / size.0 / FILLED)
            .max(least)
            // The whole Earth, and not more.
            .min(360.0 * shrink * size.1 / size.0);
        Some(Self {
            middle,
            size,
            scale: size.1 / high,
            shrink,
        })
    }

    /// The degrees of latitude that it is high.
    pub(super) fn height(&self) -> f64 {
        self.size.1 / self.scale
    }

    /// Degrees of longitude from its western to its eastern side.
    pub(super) fn width(&self) -> f64 {
        self.size.0 / (self.scale * self.shrink)
    }

    /// Its southern and its northern side, in degrees.
    pub(super) fn latitudes(&self) -> (f64, f64) {
        let half = self.height() / 2.0;
        (self.middle.0 - half, self.middle.0 + half)
    }

    /// Its western side, in degrees: it may be beyond 180.
    pub(super) fn west(&self) -> f64 {
        self.middle.1 - self.width() / 2.0
    }

    /// Where a place lies, whose longitude may be counted beyond 180.
    pub(super) fn point(&self, (north, east): Place) -> Point {
        let across = (east - self.middle.1) * self.shrink * self.scale;
        let down = (self.middle.0 - north) * self.scale;
        (self.size.0 / 2.0 + across, self.size.1 / 2.0 + down)
    }

    /// Where a place lies, by the shorter way from the map's middle.
    pub(super) fn place(&self, (north, east): Place) -> Point {
        let from_west = east_of(self.middle.1 - 180.0, east);
        self.point((north, self.middle.1 - 180.0 + from_west))
    }

    /// The middle of the map.
    pub(super) fn middle(&self) -> Place {
        self.middle
    }

    /// Units that so many metres are long.
    pub(super) fn units_of(&self, metres: f64) -> f64 {
        metres / DEGREE_M * self.scale
    }

    /// A length in metres that is a 1, 2 or 5 with zeros, no longer than some units.
    pub(super) fn round_metres(&self, units_max: f64) -> f64 {
        let most = (units_max / self.scale * DEGREE_M).max(1.0);
        let ten = 10_f64.powf(most.log10().floor());
        let fits = [5.0, 2.0, 1.0].map(|times| times * ten);
        fits.into_iter()
            .find(|length| *length <= most)
            .unwrap_or(ten)
    }
}

/// The least and the most.
fn ends(numbers: &[f64]) -> Option<(f64, f64)> {
    let least = numbers.iter().copied().reduce(f64::min)?;
    Some((least, numbers.iter().copied().reduce(f64::max)?))
}

/// Degrees from a longitude eastward to another.
fn east_of(west: f64, east: f64) -> f64 {
    (east - west).rem_euclid(360.0)
}

/// The place behind the widest gap, eastward: from there all others are the least way.
fn westernmost(places: &[Place]) -> Option<f64> {
    let mut east: Vec<f64> = places.iter().map(|place| place.1).collect();
    east.sort_by(f64::total_cmp);
    let first = *east.first()?;
    let last = *east.last()?;
    let pairs = east.iter().zip(east.iter().skip(1));
    let gaps = pairs.map(|(one, next)| (next - one, *next));
    let around = (first + 360.0 - last, first);
    let widest = gaps.fold(around, |best, gap| if gap.0 > best.0 { gap } else { best });
    Some(widest.1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_map_reaches_over_the_line_where_days_change() {
        let places = [(-18.0, 178.0), (-17.0, -179.0)];
        let view = View::of(&places, (320.0, 220.0), 0.1).unwrap();
        assert!(view.width() < 6.0, "{view:?}");
        for place in places {
            let (x, y) = view.place(place);
            assert!((0.0..=320.0).contains(&x) && (0.0..=220.0).contains(&y));
        }
        assert!(view.place(places[0]).0 < view.place(places[1]).0);
    }

    #[test]
    fn one_place_is_in_the_middle_and_metres_are_true() {
        let view = View::of(&[(60.0, 10.0)], (320.0, 200.0), 0.5).unwrap();
        assert_eq!(view.place((60.0, 10.0)), (160.0, 100.0));
        assert!((view.units_of(DEGREE_M / 2.0) - 200.0).abs() < 1e-9);
        // Half as long as at the equator.
        let (x, _) = view.place((60.0, 10.2));
        assert!((x - 160.0 - 40.0).abs() < 1e-6, "{x}");
        assert_eq!(view.round_metres(100.0), 20_000.0);
        assert!(View::of(&[], (1.0, 1.0), 1.0).is_none());
    }

    #[test]
    fn no_map_is_wider_than_the_earth() {
        let view = View::of(
            &[(80.0, -170.0), (-80.0, 0.0), (0.0, 170.0)],
            (320.0, 220.0),
            1.0,
        );
        assert!(view.unwrap().width() <= 360.0);
    }
}
