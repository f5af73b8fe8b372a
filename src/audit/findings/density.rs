//! How large plots are, and how close their trees stand.

use super::{Cases, Facts, Finding, Severity, many};
use crate::audit::atlas::Outskirts;
use crate::audit::ground::Ground;

/// Trees a hectare beyond which a plot is asked about: one on each square metre. The densest plantings of
/// which forestry speaks, mangroves and the forests after Miyawaki, have 10,000 to 40,000.
const DENSE_PER_HA: u128 = 10_000;
/// Ten on each square metre: no trees.
const IMPOSSIBLE_PER_HA: u128 = 100_000;
/// Fewer trees may stand in one pit.
const TREES_MIN: u64 = 10;
/// An area beyond which a plot is no plot: a thousand square kilometres.
const VAST_M2: u64 = 1_000_000_000;
/// The Earth's land without its ice, in square metres.
const EARTH_LAND_M2: u64 = 135_000_000_000_000;
/// A stated area may exceed that of its outline by so much: an ellipsoid and a sphere, and slopes.
const AREA_SLACK: f64 = 1.05;

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut impossible = Cases::new(
        "trees_impossibly_dense",
        Severity::High,
        "More than ten trees on a square metre do not grow. Ask for the plot's outline, and for a count.",
    );
    let mut dense = Cases::new(
        "trees_very_dense",
        Severity::Medium,
        "More than a tree on each square metre: seedlings may stand so, trees do not. Ask how many shall be left, and \
         whether the certificates name those.",
    );
    let mut allowed = Cases::new(
        "density_unbounded",
        Severity::Low,
        "The plot allows more than ten trees on a square metre, so its area bounds nothing. Ask for the density that \
         is meant.",
    );
    let mut earth = Cases::new(
        "plot_larger_than_country",
        Severity::High,
        "The plot is larger than the land that there is. Ask for the outline.",
    );
    let mut vast = Cases::new(
        "plot_vast",
        Severity::Medium,
        "The plot is larger than a thousand square kilometres: nobody can find a tree on it, and its area bounds no \
         number of trees. Ask for plots that can be visited.",
    );
    let mut larger = Cases::new(
        "plot_larger_than_outline",
        Severity::Medium,
        "The stated area is larger than that of the outline, and the area decides how many trees the plot may hold. \
         Ask which of the two is right.",
    );
    for stated in facts.state.plots() {
        let (_, plot) = stated;
        let (area, standing) = (plot.plot.area_m2, plot.standing());
        let per_ha = u128::from(standing) * 10_000 / u128::from(area.max(1));
        let detail = format!("{standing} trees on {area} m²: {per_ha} a hectare");
        if standing >= TREES_MIN && per_ha > IMPOSSIBLE_PER_HA {
            impossible.add_plot(standing.into(), stated, detail);
        } else if standing >= TREES_MIN && per_ha > DENSE_PER_HA {
            dense.add_plot(standing.into(), stated, detail);
        } else if u128::from(plot.plot.trees_per_ha_max) > IMPOSSIBLE_PER_HA {
            let detail = format!("{} trees a hectare are allowed", plot.plot.trees_per_ha_max);
            allowed.add_plot(plot.plot.trees_per_ha_max.into(), stated, detail);
        }
        let land_km2 = Outskirts::of(&plot.plot.country).map_or(0, |it| it.land_km2);
        let is_beyond = land_km2 > 0 && area / 1_000_000 > land_km2;
        if area > EARTH_LAND_M2 || is_beyond {
            let country = &plot.plot.country;
            let detail = match land_km2 {
                0 => format!("{area} m²"),
                land => format!("{area} m²; {country} has {land} km²"),
            };
            earth.add_plot(area.into(), stated, detail);
        } else if area > VAST_M2 {
            vast.add_plot(area.into(), stated, format!("{area} m²"));
        }
        let ground = Ground::of(&plot.plot.place);
        if ground.is_outline() {
            let outline = ground.area_m2();
            #[expect(
                clippy::cast_precision_loss,
                reason = "an area, of which the first digits count"
            )]
            let excess = area as f64 - outline * AREA_SLACK;
            // Of a few square metres, the rounding of corners is a part.
            if excess > 10.0 {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "square metres, more than none"
                )]
                let weight = excess as u128;
                larger.add_plot(
                    weight,
                    stated,
                    format!("area {area} m², outline {outline:.0} m²"),
                );
            }
        }
    }
    let found = [
        impossible.finding(|count| {
            let plots = many(count, "plot has", "plots have");
            format!("{plots} more than ten trees on a square metre")
        }),
        earth.finding(|count| {
            let plots = many(count, "plot is", "plots are");
            format!("{plots} larger than the country, or than all land")
        }),
        dense.finding(|count| {
            let plots = many(count, "plot has", "plots have");
            format!("{plots} more than a tree on each square metre")
        }),
        vast.finding(|count| {
            let plots = many(count, "plot is", "plots are");
            format!("{plots} larger than a thousand square kilometres")
        }),
        larger.finding(|count| {
            let plots = many(count, "plot is", "plots are");
            format!("{plots} stated larger than the outline")
        }),
        allowed.finding(|count| {
            let plots = many(count, "plot allows", "plots allow");
            format!("{plots} more than ten trees on a square metre")
        }),
    ];
    found.into_iter().flatten().collect()
}
