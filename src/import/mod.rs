//! Real open data as statements: what goes in, and what is set aside and why.
//!
//! An import only plans: it reads files, holds them against what is in, and makes statements of
//! what is lacking. Trips and trees are known by their source's own ids. Sending is the client's;
//! the program that does both is `arborlog import`. This stands in the
//! library, and not beside that program, because its input is anybody's file: the fuzz target
//! `csv` reads hostile tables through it. It needs [`crate::record`], [`crate::crypto`] and
//! [`crate::durable`] alone, and nothing in the library needs it.

mod accounts;
mod area;
mod bikeshare;
mod claims;
mod csv_table;
mod dates;
mod outcome;
mod register;
mod serials;
mod sf_trees;
mod species;

pub use accounts::{Pseudonyms, PseudonymsError};
pub use area::{Area, AreaError, PlacesError};
pub use bikeshare::{
    AccountsWithoutKey, ActivityUnit, BAY_AREA, KnownTrips, Overlap, PlannedTrip,
    ReversalContradicted, ReversalsByOthers, STATION_COLUMNS, STATION_REPEATED, SpelledStation,
    Stations, TRIP_COLUMNS, TripPlan, TripRef, TripsConfig, TripsError, check_activity, plan_trips,
    read_stations,
};
pub use claims::{ClaimPlan, ClaimPlanError, PlannedAssignment, plan_claims};
pub use csv_table::{CsvLine, CsvRow, CsvTable, CsvTableError, SetAside};
pub use dates::{DateOrder, DateOrderError, DatesError};
pub use outcome::{LineFate, RowOutcome};
pub use register::RegisterError;
pub use serials::{PlotSerials, SerialsExhausted};
pub use sf_trees::{
    ADDED_COLUMNS, Answers, EVENT_COLUMNS, LedgerPlanting, MissingTrees, NOT_SENT, PlotCensus,
    RecognizeError, RoundError, RoundStatement, TreeBooks, TreeRegister, TreeRound, TreesConfig,
    TreesError, TreesOfOthers, UnknownPlantings, account, census, missing_trees, plan_trees,
    read_trees, recognize,
};
pub use species::{SPECIES_TABLE, SpeciesList, SpeciesListError};
