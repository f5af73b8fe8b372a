//! The ledger: the state that the rules make of the entries. Pure: no I/O, no clock, no randomness.
//! The sequencer judges by it, and a replay checks by it.
//!
//! [`State::judge`] says whether a record may be admitted next, and on which earlier entries it
//! stands; [`State::apply`] takes it in; [`State::screen`] says of
//! many records, before anybody looks at their signatures, which is surely refused. All ask `kinds`, where each kind of statement has a file:
//! who may state it, what it asks for, what it does, and how it is undone. `lineage` names what
//! entries stand on, and `history` follows it back. `rules` are the checks that kinds share,
//! numbered as in `docs/format.md`; `state` is the data, which knows no rule, on maps of
//! `trie`, whose roots prove what is in them and which are saved in parts.

mod admission;
mod broken;
mod candidate;
mod decimal;
pub mod history;
mod kinds;
pub mod lineage;
mod refusal;
mod rules;
mod screening;
mod state;
mod state_entries;
pub mod trie;

pub use admission::{BatchCandidate, BatchLineage, BatchRefusal};
pub use broken::InvariantBroken;
pub use candidate::{Candidate, ChainLink, PlacesAhead, Target};
pub(crate) use decimal::decimal;
pub use kinds::speakers;
pub use refusal::{Code, Refusal, RefusalClass};
#[cfg(feature = "client")]
pub(crate) use rules::chain::ISSUED_DAYS_BEFORE_MAX;
pub(crate) use rules::names::compared as compared_name;
pub use rules::names::names_look_alike;
pub use rules::speakers::{Speakers, endorsement_quorum};
pub use state::{
    Account, ChainHead, ClaimState, ClaimTree, ConservationError, Council, Globals, HolderNumber,
    KeyRole, KeyState, LossState, LostRange, MethodState, MonthTotals, PlantingState, PlotState,
    RULES_VERSION, SEQS_PER_MARK, State, StateImage, StateMark, SurveyState, Totals, TreeState,
};
pub use state::{domains, items};
pub use state_entries::{STATE_LAG_MAX, StateSaid, check_state_place};
pub use trie::{BucketError, BucketImage, DomainRoots};
