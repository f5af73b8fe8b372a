//! Where plots are said to lie: in the sea, beyond all trees, in another country, at the place that an
//! empty field stands for.

use super::{Cases, Facts, Finding, Severity, many};
use crate::audit::atlas::{Outskirts, is_near_land};
use crate::record::Place;

/// Trees grow up to 72.5° north (larches at the Khatanga) and 56.5° south (beeches at Cape Horn).
const TREES_NORTH: f64 = 72.6;
const TREES_SOUTH: f64 = -56.6;
/// So near to 0°, 0° nobody plants: the next land is 500 km away.
const ZERO_DEGREES: f64 = 0.01;
/// Codes that ISO 3166-1 leaves to its users.
const USER_CODES: [&str; 3] = ["AA", "ZZ", "XK"];

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut zero = Cases::new(
        "plot_at_zero",
        Severity::High,
        "The plot lies at 0°, 0°: that is what a field says that nobody filled in, and it is in the sea. Ask where the \
         trees are.",
    );
    let mut beyond = Cases::new(
        "plot_beyond_trees",
        Severity::High,
        "No tree grows so near to a pole. Ask where the trees are.",
    );
    let mut sea = Cases::new(
        "plot_in_sea",
        Severity::High,
        "There is no land within 5 km of the middle of the plot, by a map of the world. Ask where the trees are.",
    );
    let mut abroad = Cases::new(
        "plot_outside_country",
        Severity::Medium,
        "The middle of the plot lies outside the boxes around the country that the plot names. Ask which of the two \
         is right: the law and the register of another country are others.",
    );
    let mut unknown = Cases::new(
        "plot_country_unknown",
        Severity::Low,
        "No country has this code in ISO 3166-1. Ask in which country the plot lies.",
    );
    for stated in facts.state.plots() {
        let plot = &stated.1.plot;
        let weight = u128::from(stated.1.planted());
        let circle = plot.place.circle();
        let place = (circle.latitude.degrees(), circle.longitude.degrees());
        let detail = format!(
            "{}, {}",
            degrees(place),
            many(stated.1.planted(), "tree", "trees")
        );
        if place.0.abs() < ZERO_DEGREES && place.1.abs() < ZERO_DEGREES {
            zero.add_plot(weight, stated, detail);
        } else if !(TREES_SOUTH..=TREES_NORTH).contains(&place.0) {
            beyond.add_plot(weight, stated, detail);
        } else if !is_near_land(place) {
            sea.add_plot(weight, stated, detail);
        } else {
            let country = &plot.country;
            match Outskirts::of(country) {
                Some(outskirts) if !outskirts.hold(place) => {
                    abroad.add_plot(weight, stated, format!("country {country}, {detail}"));
                }
                None if !is_users_own(country.as_str()) => {
                    unknown.add_plot(weight, stated, format!("country {country}, {detail}"));
                }
                _ => {}
            }
        }
    }
    let found = [
        zero.finding(|count| format!("{} at 0°, 0°", many(count, "plot lies", "plots lie"))),
        beyond.finding(|count| {
            format!(
                "{} where no trees grow",
                many(count, "plot lies", "plots lie")
            )
        }),
        sea.finding(|count| format!("{} in the sea", many(count, "plot lies", "plots lie"))),
        abroad.finding(|count| {
            let plots = many(count, "plot lies", "plots lie");
            format!("{plots} outside the country that is named")
        }),
        unknown.finding(|count| {
            let plots = many(count, "plot names", "plots name");
            format!("{plots} a country that there is not")
        }),
    ];
    found.into_iter().flatten().collect()
}

fn is_users_own(code: &str) -> bool {
    USER_CODES.contains(&code) || ("QM".."R").contains(&code) || ("XA".."Y").contains(&code)
}

fn degrees((north, east): Place) -> String {
    let side = |value: f64, above, below| if value < 0.0 { below } else { above };
    format!(
        "{:.4}° {}, {:.4}° {}",
        north.abs(),
        side(north, "north", "south"),
        east.abs(),
        side(east, "east", "west")
    )
}
