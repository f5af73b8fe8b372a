//! Cells of the map are the plots of street trees.

use crate::import::area::Area;
use crate::record::{CarbonRights, Circle, Latitude, List, Longitude, Plot, PlotNumber, PlotPlace};

/// Cells of 0.01° are the plots: some 1.11 km by 0.88 km.
const CELLS_PER_DEGREE: f64 = 100.0;
/// From the middle of a cell to its corner, rounded up.
const CELL_RADIUS_M: u32 = 720;
const CELL_AREA_M2: u64 = 979_000;
/// The plot of trees whose place is not published.
pub(super) const UNLOCATED: PlotNumber = PlotNumber(1);
const CITY_RADIUS_M: u32 = 9_000;
const CITY_AREA_M2: u64 = 121_000_000;
/// Far denser than street trees are, and still a bound.
const TREES_PER_HA_MAX: u32 = 400;
/// Coordinates outside of it are placeholders, such as latitude 47.27.
pub(super) const CITY: Area = Area {
    south: 37.60,
    west: -122.60,
    north: 37.90,
    east: -122.30,
};

/// The plot of a latitude and longitude in [`CITY`], or of trees whose place is not published.
pub(super) fn plot_at(location: Option<(f64, f64)>) -> Option<Plot> {
    let Some((lat, long)) = location else {
        return plot(
            UNLOCATED,
            "San Francisco, place not published".to_owned(),
            (37.76, -122.44),
            CITY_RADIUS_M,
            CITY_AREA_M2,
        );
    };
    let south = (lat * CELLS_PER_DEGREE).floor();
    let west = (long * CELLS_PER_DEGREE).floor();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both are whole, and no location outside of the city is read"
    )]
    let number = (south + 9_000.0) as u32 * 36_000 + (west + 18_000.0) as u32;
    let middle = |edge: f64| (edge + 0.5) / CELLS_PER_DEGREE;
    plot(
        PlotNumber(number),
        format!(
            "San Francisco {:.2} N {:.2} W",
            south / CELLS_PER_DEGREE,
            -west / CELLS_PER_DEGREE
        ),
        (middle(south), middle(west)),
        CELL_RADIUS_M,
        CELL_AREA_M2,
    )
}

fn plot(
    number: PlotNumber,
    name: String,
    (lat, long): (f64, f64),
    radius_m: u32,
    area_m2: u64,
) -> Option<Plot> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "180 degrees at most, which are below 2^31"
    )]
    let e7 = |degrees: f64| (degrees * 1e7).round() as i32;
    Some(Plot {
        number,
        name: name.parse().ok()?,
        country: "US".parse().ok()?,
        place: PlotPlace::Circle(Circle {
            latitude: Latitude::try_from(e7(lat)).ok()?,
            longitude: Longitude::try_from(e7(long)).ok()?,
            radius_m,
        }),
        finer_outline: None,
        area_m2,
        trees_per_ha_max: TREES_PER_HA_MAX,
        carbon_rights: CarbonRights::Unknown,
        funded_by: "City and County of San Francisco, and owners"
            .parse()
            .ok()?,
        platforms: List::try_from(Vec::new()).ok()?.try_into().ok()?,
        set: None,
    })
}
