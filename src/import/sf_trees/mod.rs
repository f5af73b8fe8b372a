//! San Francisco's street trees as plots, plantings and corrections.
//!
//! A tree goes in with the first planting date that the city's register gave it. Trees that share
//! cell, species and date are one planting. A date that was altered later is a void and a new
//! planting; a removal is a loss, and a return of the tree a void of that loss.
//!
//! A tree is known by the register's own id, whatever group it was planted in: each import holds
//! what the register says now against the books, and says only what is lacking.
//!
//! `register` reads the files, `history` holds the times of a tree's rows and removals against each
//! other, `books` knows what is in, `missing` which trees of the books the files lack, `judge` holds a tree against both, `plan` makes statements of that, `account` tells what
//! became of each line.

mod account;
mod books;
mod cells;
mod history;
mod judge;
mod missing;
mod plan;
mod register;

use super::area::PlacesError;
use super::csv_table::{CsvTable, CsvTableError};
use super::dates::DatesError;
use super::species::SpeciesList;
use crate::record::Day;

pub use account::{Answers, NOT_SENT, account};
pub use books::{LedgerPlanting, TreeBooks, TreesOfOthers, UnknownPlantings};
pub use missing::{MissingTrees, missing_trees};
pub use plan::{
    PlotCensus, RecognizeError, RoundError, RoundStatement, TreeRound, census, plan_trees,
    recognize,
};
pub use register::{TreeRegister, read_trees};

/// The columns that a table of added trees must have.
pub const ADDED_COLUMNS: [&str; 8] = [
    "TreeID",
    "commit",
    "committed_at",
    "readded",
    "qSpecies",
    "PlantDate",
    "Latitude",
    "Longitude",
];
/// The columns that a table of events must have.
pub const EVENT_COLUMNS: [&str; 7] = [
    "commit",
    "committed_at",
    "op",
    "TreeID",
    "field",
    "old",
    "new",
];

type AddedTable = CsvTable<{ ADDED_COLUMNS.len() }>;
type EventTable = CsvTable<{ EVENT_COLUMNS.len() }>;

/// By what trees are judged.
pub struct TreesConfig<'a> {
    /// Nothing was planted after this day.
    pub today: Day,
    /// The species that the method has.
    pub species: &'a SpeciesList,
}

/// Why the register can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreesError {
    /// A file.
    #[error(transparent)]
    Table(#[from] CsvTableError),
    /// The places of the trees.
    #[error(transparent)]
    Places(#[from] PlacesError),
    /// The dates of a file.
    #[error(transparent)]
    Dates(#[from] DatesError),
    /// A file ends without a line break.
    #[error(
        "{file}, line {line}, has no line break behind it: the file may have been cut there, and what is missing of a register can't be told from what did not happen. Nothing was sent. Fetch the file again; if it is whole, add a line break at its end"
    )]
    Cut {
        /// The file.
        file: String,
        /// Its last line.
        line: u64,
    },
    /// A file has not as many rows as somebody said.
    #[error(
        "{file} has {found} rows, and should have {expected}: it is a part of the register, or another export. Nothing was sent. Fetch the file again, and name the number of rows that its source has"
    )]
    Rows {
        /// The file.
        file: String,
        /// How many were said.
        expected: u64,
        /// How many lines it has, without the header and empty ones.
        found: u64,
    },
    /// Lines of one tree are not in the order of their times. What became of a tree depends on it.
    #[error(
        "{file} line {line}: of tree {tree}, an earlier line is of a later time; sort the file by committed_at, as the register writes it, and import it again"
    )]
    Unordered {
        /// The file.
        file: String,
        /// The line.
        line: u64,
        /// The tree.
        tree: u64,
    },
}
