//! Which plots could touch a plot: an index of the circles that hold them, on the unit sphere, where
//! no line of longitude and no pole is an exception. It takes n log n to build; a search visits what is
//! near, and nothing that is larger than what is asked for.

use std::f64::consts::PI;

use crate::record::{EARTH_RADIUS_M, Place};

/// Circles, in a tree of halves for each power of two that radii lie between: a circle as wide as a
/// country must not make each search among hectares one of all hectares.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    classes: Vec<Class>,
}

#[derive(Debug)]
struct Class {
    /// The power of two below its radii, as an exponent.
    exponent: u32,
    /// The largest radius, as an angle.
    widest: f64,
    /// Circles in the order of the tree: the middle one of a part halves it along an axis.
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    at: [f64; 3],
    number: usize,
}

impl Neighbours {
    /// An index of circles: the middle of each, and its radius in metres.
    pub(super) fn new(circles: &[(Place, f64)]) -> Self {
        let mut classes = std::collections::BTreeMap::<u32, Class>::new();
        for (number, (middle, radius_m)) in circles.iter().enumerate() {
            let exponent = exponent_of(*radius_m);
            let class = classes.entry(exponent).or_insert_with(|| Class {
                exponent,
                widest: 0.0,
                nodes: Vec::new(),
            });
            class.widest = class.widest.max(angle_of(*radius_m));
            let at = on_sphere(*middle);
            class.nodes.push(Node { at, number });
        }
        let mut classes: Vec<Class> = classes.into_values().collect();
        for class in &mut classes {
            halve(&mut class.nodes, 0);
        }
        Self { classes }
    }

    /// Calls `each` with the numbers of circles that could touch one, of those that are less than twice as
    /// large, until it says that this is enough. Some do not touch it.
    pub(super) fn near(&self, middle: Place, radius_m: f64, mut each: impl FnMut(usize) -> bool) {
        let at = on_sphere(middle);
        let exponent = exponent_of(radius_m);
        for class in self.classes.iter().filter(|it| it.exponent <= exponent) {
            let angle = (angle_of(radius_m) + class.widest).min(PI);
            // The chord of the angle, and what is lost by rounding.
            let reach = 2.0 * (angle / 2.0).sin() + 1e-12;
            if !search(&class.nodes, 0, &at, reach, &mut each) {
                return;
            }
        }
    }
}

fn exponent_of(radius_m: f64) -> u32 {
    // Radii are whole metres of 32 bits.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and a wider circle is of the last class too"
    )]
    let metres = radius_m as u32;
    metres.checked_ilog2().unwrap_or(0)
}

fn angle_of(radius_m: f64) -> f64 {
    (radius_m / EARTH_RADIUS_M).min(PI)
}

fn on_sphere((north, east): Place) -> [f64; 3] {
    let (north, east) = (north.to_radians(), east.to_radians());
    [
        north.cos() * east.cos(),
        north.cos() * east.sin(),
        north.sin(),
    ]
}

/// A part of a tree: what is below the middle along an axis, the middle, what is above.
fn halves<T>(nodes: &[T]) -> Option<(&[T], &T, &[T])> {
    let (below, rest) = nodes.split_at_checked(nodes.len() / 2)?;
    let (middle, above) = rest.split_first()?;
    Some((below, middle, above))
}

fn along(node: &Node, axis: usize) -> f64 {
    node.at.get(axis).copied().unwrap_or(0.0)
}

fn halve(nodes: &mut [Node], axis: usize) {
    if nodes.len() < 2 {
        return;
    }
    let (below, _, above) = nodes.select_nth_unstable_by(nodes.len() / 2, |a, b| {
        along(a, axis).total_cmp(&along(b, axis))
    });
    halve(below, (axis + 1) % 3);
    halve(above, (axis + 1) % 3);
}

fn search(
    nodes: &[Node],
    axis: usize,
    at: &[f64; 3],
    reach: f64,
    each: &mut impl FnMut(usize) -> bool,
) -> bool {
    let Some((below, middle, above)) = halves(nodes) else {
        return true;
    };
    let apart: f64 = middle
        .at
        .iter()
        .zip(at)
        .map(|(a, b)| (a - b) * (a - b))
        .sum();
    if apart <= reach * reach && !each(middle.number) {
        return false;
    }
    let offset = at.get(axis).copied().unwrap_or(0.0) - along(middle, axis);
    let next = (axis + 1) % 3;
    (offset > reach || search(below, next, at, reach, each))
        && (offset < -reach || search(above, next, at, reach, each))
}

#[cfg(test)]
mod tests {
    use super::{Neighbours, angle_of};
    use crate::record::{EARTH_RADIUS_M, great_circle_m};

    /// Whatever touches is found, across 180° and over the pole too; and few others are.
    #[test]
    fn all_that_touch_are_found() {
        let mut seed = 7_u64;
        let mut random = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut circles: Vec<_> = (0..1_500)
            .map(|number| {
                let middle = match number % 3 {
                    0 => (random() - 0.5, 180.0 - random()),
                    1 => (random() - 0.5, random() - 180.0),
                    _ => (90.0 - random(), 360.0 * random() - 180.0),
                };
                (middle, (1.0 + 3_000.0 * random().powi(8)).floor())
            })
            .collect();
        circles.push(((10.0, 20.0), 9_000_000.0));
        let index = Neighbours::new(&circles);
        let mut visited = 0;
        for (number, (middle, radius)) in circles.iter().enumerate() {
            let mut found = Vec::new();
            index.near(*middle, *radius, |other| {
                found.push(other);
                true
            });
            visited += found.len();
            for (other, (there, reach)) in circles.iter().enumerate() {
                let touches = great_circle_m(*middle, *there) <= radius + reach;
                let is_smaller = (reach, other) < (radius, number);
                if touches && is_smaller {
                    assert!(found.contains(&other), "{number} {other}");
                }
            }
        }
        assert!(visited < 60 * circles.len(), "{visited}");
    }

    #[test]
    fn a_circle_around_the_earth() {
        let all = EARTH_RADIUS_M * 4.0;
        assert!(angle_of(all) < 3.2);
        let circles: Vec<_> = (0..100)
            .map(|step| ((f64::from(step) * 1.8 - 90.0, 0.0), 10.0))
            .chain([((0.0, 0.0), all)])
            .collect();
        let index = Neighbours::new(&circles);
        let mut found = 0;
        index.near((0.0, 0.0), all, |_| {
            found += 1;
            true
        });
        assert_eq!(found, 101);
        let mut first = 0;
        index.near((0.0, 0.0), all, |_| {
            first += 1;
            first < 5
        });
        assert_eq!(first, 5);
    }
}
