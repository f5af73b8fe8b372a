//! Real open data as statements: what goes in, and what is set aside and why.
//!
//! An import only plans: it reads files and makes statements, the same ones each time. Sending
//! them is the client's; the program that does both is `arborlog import`. This stands in the
//! library, and not beside that program, because its input is anybody's file: the fuzz target
//! `csv` reads hostile tables through it. It needs [`crate::record`] alone, and nothing in the
//! library needs it.

mod accounts;
mod bikeshare;
mod claims;
mod csv_table;
mod serials;
mod sf_trees;
mod species;

pub use accounts::{Pseudonyms, PseudonymsError};
pub use bikeshare::{
    Overlap, STATION_COLUMNS, TRIP_COLUMNS, TripPlan, TripsConfig, TripsError, plan_trips,
};
pub use claims::{ClaimPlan, ClaimPlanError, PlannedAssignment, plan_claims};
pub use csv_table::{CsvRow, CsvTable, CsvTableError, SetAside};
pub use serials::SerialsExhausted;
pub use sf_trees::{
    ADDED_COLUMNS, EVENT_COLUMNS, PlannedPlanting, TreeCorrection, TreePlan, TreeRegister,
    TreesConfig, plan_trees, read_trees,
};
pub use species::{SPECIES_TABLE, SpeciesList, SpeciesListError};
