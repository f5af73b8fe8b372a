//! Outlines of land behind maps, coarsely: from Natural Earth 1:10m (public domain), as `vendor/natural-earth/` says.

use std::sync::LazyLock;

use super::path::{Point, within};
use super::view::View;

const OUTLINES: &[u8] = include_bytes!("../../../vendor/natural-earth/outlines.bin");
/// Units of the outlines to a degree.
const UNITS: f64 = 100.0;
/// Points that are nearer to the one before than this, in units of the drawing, are passed over before anything else.
const NEAREST: f64 = 0.4;
/// How far outside the map what is cut off is cut, in units of the drawing: its edge is not seen.
const MARGIN: f64 = 3.0;

/// A coast, or the shore of an inland sea.
struct Ring {
    /// Degrees east and north, in units, from the first point on.
    points: Vec<(i16, i16)>,
    west: i16,
    south: i16,
    east: i16,
    north: i16,
}

static RINGS: LazyLock<Vec<Ring>> = LazyLock::new(|| read(OUTLINES));

/// Reads all rings. They are a part of the program, and a test reads them whole.
fn read(bytes: &[u8]) -> Vec<Ring> {
    let mut numbers = Numbers(bytes.iter());
    let mut rings = Vec::new();
    while let Some(count) = numbers.next() {
        let (mut x, mut y) = (0_i32, 0_i32);
        let mut points = Vec::new();
        for _ in 0..count {
            let steps = numbers.step().zip(numbers.step());
            let Some((across, up)) = steps else { break };
            (x, y) = (x.saturating_add(across), y.saturating_add(up));
            let units = |sum: i32| i16::try_from(sum).unwrap_or_default();
            points.push((units(x), units(y)));
        }
        let across = || points.iter().map(|point| point.0);
        let up = || points.iter().map(|point| point.1);
        rings.push(Ring {
            west: across().min().unwrap_or(0),
            east: across().max().unwrap_or(0),
            south: up().min().unwrap_or(0),
            north: up().max().unwrap_or(0),
            points,
        });
    }
    rings
}

/// Numbers in LEB128.
struct Numbers<'b>(std::slice::Iter<'b, u8>);

impl Numbers<'_> {
    /// A step with a sign: zigzag.
    fn step(&mut self) -> Option<i32> {
        let number = self.next()?;
        let half = i32::try_from(number >> 1).ok()?;
        Some(if number & 1 == 0 { half } else { -half - 1 })
    }
}

impl Iterator for Numbers<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.0.next()?;
            number |= u32::from(byte & 127) << shift;
            if byte & 128 == 0 {
                return Some(number);
            }
            shift = (shift + 7).min(28);
        }
    }
}

/// The land of a view as a path, as exact as the bytes allow.
pub(super) fn path(view: &View, bytes_max: usize) -> String {
    let (south, north) = view.latitudes();
    let (west, width) = (view.west(), view.width());
    let window = Window::of(view);
    let mut rings = Vec::new();
    for ring in RINGS.iter() {
        let of = |units: i16| f64::from(units) / UNITS;
        let is_level = of(ring.north) >= south && of(ring.south) <= north;
        if !is_level {
            continue;
        }
        // The same land stands once more a turn farther, where the view reaches beyond 180°.
        for turn in [-360.0, 0.0, 360.0] {
            if of(ring.east) + turn < west || of(ring.west) + turn > west + width {
                continue;
            }
            let mut points: Vec<Point> = Vec::new();
            for (east, north) in window.turned(turn).worth_drawing(&ring.points) {
                let point = view.point((of(north), of(east) + turn));
                let is_near = |last: &Point| (last.0 - point.0).hypot(last.1 - point.1) < NEAREST;
                if !points.last().is_some_and(is_near) {
                    points.push(point);
                }
            }
            let cut = clipped(points, view.size);
            if cut.len() > 2 {
                rings.push(cut);
            }
        }
    }
    within(&rings, bytes_max)
}

/// A view with its margin, in units of the outlines.
struct Window {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

impl Window {
    fn of(view: &View) -> Self {
        let (south, north) = view.latitudes();
        let (west, width) = (view.west(), view.width());
        let across = MARGIN * width / view.size.0;
        let down = MARGIN * (north - south) / view.size.1;
        Self {
            west: (west - across) * UNITS,
            south: (south - down) * UNITS,
            east: (west + width + across) * UNITS,
            north: (north + down) * UNITS,
        }
    }

    /// Where land that is drawn some degrees farther east is seen.
    fn turned(&self, degrees: f64) -> Self {
        let units = degrees * UNITS;
        Self {
            west: self.west - units,
            east: self.east - units,
            ..*self
        }
    }

    /// On which sides of it a point is, a bit each.
    fn sides(&self, (east, north): (i16, i16)) -> u8 {
        let (east, north) = (f64::from(east), f64::from(north));
        u8::from(east < self.west)
            | u8::from(east > self.east) << 1
            | u8::from(north < self.south) << 2
            | u8::from(north > self.north) << 3
    }

    /// The points of a ring without those that change nothing in the window: of three together outside of one side, the
    /// one in the middle. Rings have tens of thousands of points, most of them far away.
    fn worth_drawing(&self, ring: &[(i16, i16)]) -> Vec<(i16, i16)> {
        let mut kept: Vec<(i16, i16)> = Vec::new();
        // On which sides the last two are.
        let mut outside = [0; 2];
        for point in ring {
            let sides = self.sides(*point);
            if sides & outside[0] & outside[1] != 0 {
                kept.pop();
                outside[1] = outside[0];
            }
            kept.push(*point);
            outside = [outside[1], sides];
        }
        kept
    }
}

/// The part of a ring within a map (Sutherland and Hodgman).
fn clipped(mut ring: Vec<Point>, size: Point) -> Vec<Point> {
    // How far a point is inside of each side.
    let sides: [fn(Point, Point) -> f64; 4] = [
        |point, _| point.0 + MARGIN,
        |point, size| size.0 + MARGIN - point.0,
        |point, _| point.1 + MARGIN,
        |point, size| size.1 + MARGIN - point.1,
    ];
    for side in sides {
        let Some(mut before) = ring.last().copied() else {
            return ring;
        };
        let mut kept = Vec::with_capacity(ring.len());
        for point in ring {
            let (from, to) = (side(before, size), side(point, size));
            if (from < 0.0) != (to < 0.0) {
                let part = from / (from - to);
                kept.push((
                    before.0 + part * (point.0 - before.0),
                    before.1 + part * (point.1 - before.1),
                ));
            }
            if to >= 0.0 {
                kept.push(point);
            }
            before = point;
        }
        ring = kept;
    }
    ring
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_outlines_are_those_that_are_described_and_whole() {
        use sha2::Digest as _;
        let described = include_str!("../../../vendor/natural-earth/README.md");
        assert!(described.contains(&hex::encode(sha2::Sha256::digest(OUTLINES))));
        assert_eq!(RINGS.len(), 3_319);
        assert_eq!(
            RINGS.iter().map(|ring| ring.points.len()).sum::<usize>(),
            108_613
        );
        for ring in RINGS.iter() {
            assert!(ring.points.len() > 2 && ring.west >= -20_000 && ring.east <= 20_000);
            assert!(ring.south >= -9_000 && ring.north <= 9_000);
        }
    }

    /// A ring with all its points and the one without what is far away are the same in the window.
    #[test]
    fn what_is_passed_over_changes_no_land_that_is_seen() {
        for (place, least) in [
            ((37.7, -122.4), 2.0),
            ((59.9, 10.7), 12.0),
            ((-17.5, 179.9), 3.0),
        ] {
            let view = View::of(&[place], (320.0, 220.0), least).unwrap();
            let window = Window::of(&view);
            let project = |ring: &[(i16, i16)]| {
                let of = |units: i16| f64::from(units) / UNITS;
                let points = ring.iter().map(|(x, y)| view.point((of(*y), of(*x))));
                clipped(points.collect(), view.size)
            };
            // Twice the area of what is seen of it.
            let area = |ring: &[Point]| -> f64 {
                let next = ring.iter().cycle().skip(1);
                ring.iter()
                    .zip(next)
                    .map(|(a, b)| a.0 * b.1 - b.0 * a.1)
                    .sum()
            };
            let mut passed_over = 0;
            for ring in RINGS.iter() {
                let kept = window.worth_drawing(&ring.points);
                passed_over += ring.points.len() - kept.len();
                let (all, few) = (area(&project(&ring.points)), area(&project(&kept)));
                assert!((all - few).abs() < 1e-3, "{place:?}: {all} {few}");
            }
            assert!(passed_over > 90_000, "{passed_over}");
        }
    }

    #[test]
    fn a_map_has_its_land_in_few_bytes() {
        for (place, least) in [
            ((37.7, -122.4), 2.0),
            ((0.0, 0.0), 170.0),
            ((-17.5, 179.9), 3.0),
        ] {
            let view = View::of(&[place], (320.0, 220.0), least).unwrap();
            let path = path(&view, 3_000);
            assert!(
                (200..=3_000).contains(&path.len()),
                "{place:?}: {}",
                path.len()
            );
        }
        // In the middle of an ocean there is none.
        let view = View::of(&[(-30.0, 80.0)], (320.0, 220.0), 2.0).unwrap();
        assert_eq!(path(&view, 3_000), "");
        // In the middle of a continent there is nothing else: the map is a rectangle of land.
        let view = View::of(&[(50.0, 85.0)], (320.0, 220.0), 2.0).unwrap();
        assert_eq!(path(&view, 3_000).matches('l').count(), 1);
    }
}
