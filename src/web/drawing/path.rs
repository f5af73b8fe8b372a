//! Rings of points as the short text of an SVG path.

use std::fmt::Write as _;

/// A place on a drawing, in its units: across from the left, and down from the top.
pub(super) type Point = (f64, f64);

/// Steps of a path to a unit of the drawing: the path's own units are halves.
pub(super) const STEPS: f64 = 2.0;
/// How far a line may be off, in units: at first, by which factor more while the text is too long, and at most.
const TOLERANCE: (f64, f64, f64) = (0.3, 1.4, 40.0);

/// The rings as one path in steps, as exact as the bytes allow; empty if they allow none.
pub(super) fn within(rings: &[Vec<Point>], bytes_max: usize) -> String {
    let (mut tolerance, factor, most) = TOLERANCE;
    while tolerance < most {
        let mut path = String::new();
        for ring in rings {
            add(&mut path, &simplified(ring, tolerance));
            if path.len() > bytes_max {
                break;
            }
        }
        if path.len() <= bytes_max {
            return path;
        }
        tolerance *= factor;
    }
    String::new()
}

/// Adds a ring: a ring that is a line on the drawing adds nothing.
fn add(path: &mut String, ring: &[Point]) {
    let mut steps = ring
        .iter()
        .map(|(x, y)| ((x * STEPS).round(), (y * STEPS).round()));
    let Some(first) = steps.next() else { return };
    let mut before = first;
    let mut rest = String::new();
    let mut corners = 1;
    for (x, y) in steps {
        let (across, down) = (x - before.0, y - before.1);
        if across == 0.0 && down == 0.0 {
            continue;
        }
        number(&mut rest, across);
        number(&mut rest, down);
        before = (x, y);
        corners += 1;
    }
    if corners < 3 {
        return;
    }
    path.push('M');
    number(path, first.0);
    number(path, first.1);
    path.push('l');
    path.push_str(&rest);
    path.push('z');
}

/// Adds a whole number, parted from one before it by a blank or its own minus.
fn number(path: &mut String, number: f64) {
    if number >= 0.0 && path.ends_with(|c: char| c.is_ascii_digit()) {
        path.push(' ');
    }
    let _ = write!(path, "{}", whole(number));
}

/// The nearest whole number; of two, the even one. Exact decimals of fractions were 7 % of the time of a plot's page.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a place on a drawing, and the nearest that there is for what is none"
)]
pub(super) fn whole(number: f64) -> i64 {
    number.round_ties_even() as i64
}

/// A ring with fewer points, none of which is farther from it than the tolerance (Douglas and Peucker); none of a ring that
/// is smaller.
pub(super) fn simplified(ring: &[Point], tolerance: f64) -> Vec<Point> {
    let Some(first) = ring.first().copied() else {
        return Vec::new();
    };
    let distance = |(x, y): &Point| (x - first.0).hypot(y - first.1);
    let far = ring
        .iter()
        .enumerate()
        .max_by(|one, other| distance(one.1).total_cmp(&distance(other.1)));
    let Some((far, _)) = far.filter(|(_, at)| distance(at) >= 2.0 * tolerance) else {
        return Vec::new();
    };
    // The ring goes on to where it began.
    let last = ring.len();
    let point = |at: usize| ring.get(at % last).copied().unwrap_or(first);
    let mut kept = vec![0, far];
    let mut waiting = vec![(0, far), (far, last)];
    while let Some((from, to)) = waiting.pop() {
        let (a, b) = (point(from), point(to));
        let between = ring.iter().enumerate().take(to).skip(from + 1);
        let worst = between
            .map(|(at, point)| (at, off(*point, a, b)))
            .max_by(|one, other| one.1.total_cmp(&other.1));
        if let Some((at, distance)) = worst
            && distance > tolerance
        {
            kept.push(at);
            waiting.extend([(from, at), (at, to)]);
        }
    }
    kept.sort_unstable();
    kept.into_iter().map(point).collect()
}

/// How far a point is from a line between two others.
fn off(point: Point, a: Point, b: Point) -> f64 {
    let (x, y) = (point.0 - a.0, point.1 - a.1);
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx * dx + dy * dy;
    let along = if length == 0.0 {
        0.0
    } else {
        ((x * dx + y * dy) / length).clamp(0.0, 1.0)
    };
    (x - along * dx).hypot(y - along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_as_exact_as_its_bytes_allow() {
        let circle: Vec<Point> = (0..1_000)
            .map(|at| f64::from(at) * std::f64::consts::TAU / 1_000.0)
            .map(|turn| (100.0 + 90.0 * turn.cos(), 100.0 + 90.0 * turn.sin()))
            .collect();
        let exact = within(std::slice::from_ref(&circle), 4_000);
        let short = within(std::slice::from_ref(&circle), 100);
        assert!(exact.len() > short.len() && short.len() <= 100 && !short.is_empty());
        assert!(exact.starts_with("M380 200l") && exact.ends_with('z'));
        assert_eq!(within(&[circle], 5), "");
    }

    #[test]
    fn what_is_no_wider_than_a_line_is_left_out() {
        assert_eq!(within(&[vec![(1.0, 1.0), (1.1, 1.0), (1.0, 1.1)]], 100), "");
        assert_eq!(within(&[vec![]], 100), "");
        let square = vec![(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)];
        assert_eq!(within(&[square], 100), "M0 0l20 0 0 20-20 0z");
    }
}
