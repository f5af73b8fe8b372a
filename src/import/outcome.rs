//! What became of a line.

use super::csv_table::SetAside;
use crate::record::Index;

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// What it says was sent, and is in: this entry.
    Admitted(Index),
    /// What it says was in before: this entry.
    AlreadyIn(Index),
    /// The ledger's rules refused what it says.
    Refused {
        /// The stable name of the reason.
        code: String,
        /// The reason.
        detail: String,
    },
    /// Nothing was made of it: a stable name for the reason, and words.
    SetAside(&'static str, String),
}

/// A line of a file, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFate {
    /// The file.
    pub file: String,
    /// The line, as an editor counts: the header is line 1.
    pub line: u64,
    /// What the file calls the thing that the line tells of; empty where that can't be read.
    pub id: String,
    /// What became of it.
    pub outcome: RowOutcome,
}

impl From<SetAside> for LineFate {
    fn from(row: SetAside) -> Self {
        Self {
            file: row.file,
            line: row.line,
            id: row.id,
            outcome: RowOutcome::SetAside(row.reason, row.detail),
        }
    }
}
