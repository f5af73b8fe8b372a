//! Real open data as statements: what goes in, and what is set aside and why.
//!
//! An import only plans: it reads files and makes statements, the same ones each time. Sending
//! them is the client's.

mod accounts;
mod bikeshare;
mod claims;
mod sf_trees;
mod species;
mod table;

pub use accounts::{Pseudonyms, PseudonymsError};
pub use bikeshare::{Trips, TripsConfig, TripsError, read_trips, station_columns, trip_columns};
pub use claims::{ClaimPlan, plan_claims};
pub use sf_trees::{
    PlannedPlanting, TreeCorrection, TreePlan, Trees, TreesConfig, added_columns, event_columns,
    plan_trees, read_trees,
};
pub use species::{SPECIES_TABLE, all_species, species_of};
pub use table::{Row, SetAside, Table, TableError};
