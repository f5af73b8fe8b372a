//! The ledger: the state that the rules make of the entries. Pure: no I/O, no clock, no
//! randomness; the sequencer refuses with it and the auditor replays with it.
//!
//! [`State::judge`] says whether a record may be admitted next, and on which earlier entries it
//! stands; [`State::apply`] takes it in. The rules are numbered as in `docs/format.md`:
//! `authority` holds 1 and 2, `points` 3 and 5, `trees` 4, 6 and 7, `corrections` 8; `totals`
//! checks 9.

mod authority;
mod corrections;
mod points;
mod refusal;
mod shelf;
mod state;
mod totals;
mod trees;

pub use authority::{ChainHead, Council, KeyRole, KeyState, endorsement_quorum};
pub use points::{Account, MethodState};
pub use refusal::{Code, Refusal, Severity};
pub use shelf::{BucketImage, ShelfError};
pub use state::{Head, Proposal, RULES_VERSION, State, StateImage};
pub use totals::{ConservationError, MonthTotals, Totals};
pub use trees::{
    ClaimState, ClaimTree, LossState, LostRange, PlantingState, PlotState, SurveyState, TreeState,
};
