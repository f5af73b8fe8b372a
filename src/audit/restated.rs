//! Plots that were stated again, and what changed. The ledger's state has only the last statement.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use crate::record::{CarbonRights, Circle, Index, Plot, PlotNumber, Text, great_circle_m};

/// What audits compare of a plot's statements.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
struct Stated {
    index: Index,
    circle: Circle,
    area_m2: u64,
    trees_per_ha_max: u32,
    carbon_rights: CarbonRights,
    funded_by: Text<100>,
}

/// What a statement of a plot changed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Change {
    /// The middle of the circle that holds it moved out of the wider of the two circles.
    Moved {
        /// How far it moved, in metres.
        by_m: u64,
        /// The radii of the two circles together, in metres: what moved farther lies elsewhere.
        radii_m: u64,
    },
    /// It may hold more trees, by its area or its density.
    Enlarged {
        /// Square metres before.
        area_m2: u64,
        /// Trees on a hectare before, at most.
        trees_per_ha_max: u32,
    },
    /// What is said of carbon credits.
    Rights {
        /// What was said before.
        before: CarbonRights,
        /// What is said by this statement.
        after: CarbonRights,
    },
    /// Who pays.
    Funder {
        /// Who paid before.
        before: Text<100>,
    },
}

/// A plot that was stated again.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Restated {
    /// The plot.
    pub plot: PlotNumber,
    /// The statement before.
    pub before: Index,
    /// The statement that changed it.
    pub index: Index,
    /// What changed.
    pub change: Change,
}

/// The last statement of each plot, and what statements changed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct RestatedPlots {
    last: BTreeMap<PlotNumber, Stated>,
    /// The changes, in order.
    pub changes: Vec<Restated>,
}

impl RestatedPlots {
    /// Takes in a statement of a plot.
    pub(super) fn observe(&mut self, index: Index, plot: &Plot) {
        let stated = Stated {
            index,
            circle: plot.place.circle(),
            area_m2: plot.area_m2,
            trees_per_ha_max: plot.trees_per_ha_max,
            carbon_rights: plot.carbon_rights.clone(),
            funded_by: plot.funded_by.clone(),
        };
        if let Some(before) = self.last.insert(plot.number, stated.clone()) {
            let changes = changes(&before, &stated);
            self.changes.extend(changes.map(|change| Restated {
                plot: plot.number,
                before: before.index,
                index,
                change,
            }));
        }
    }
}

fn changes(before: &Stated, after: &Stated) -> impl Iterator<Item = Change> {
    let middle = |circle: &Circle| (circle.latitude.degrees(), circle.longitude.degrees());
    let by_m = great_circle_m(middle(&before.circle), middle(&after.circle));
    let radii = [before.circle.radius_m, after.circle.radius_m].map(u64::from);
    // A circle around another middle in the wider of the two is a finer word of the same place.
    let [one, other] = radii;
    #[expect(clippy::cast_possible_truncation, reason = "metres on the Earth")]
    let by_m = by_m.ceil() as u64;
    let moved = (by_m > one.max(other)).then(|| Change::Moved {
        by_m,
        radii_m: one + other,
    });
    let capacity =
        |stated: &Stated| u128::from(stated.area_m2) * u128::from(stated.trees_per_ha_max);
    let enlarged = (capacity(after) > capacity(before)).then_some(Change::Enlarged {
        area_m2: before.area_m2,
        trees_per_ha_max: before.trees_per_ha_max,
    });
    let rights = (after.carbon_rights != before.carbon_rights).then(|| Change::Rights {
        before: before.carbon_rights.clone(),
        after: after.carbon_rights.clone(),
    });
    let funder = (after.funded_by != before.funded_by).then(|| Change::Funder {
        before: before.funded_by.clone(),
    });
    [moved, enlarged, rights, funder].into_iter().flatten()
}
