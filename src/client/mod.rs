//! The append client: what a platform, a planter or a surveyor sends records with.
//!
//! Blocking, and careful: a record is signed once, and its bytes are durable in a journal before
//! they are sent; after any cut just those bytes are sent again, until an answer says what became
//! of them. One writer a key.

mod journal;
mod proposal;
mod remote;
mod static_log;
mod submitter;

pub use journal::{Journal, JournalError, LineState};
pub use proposal::{Proposal, ProposalError};
pub use remote::{BatchAnswer, IssuerHead, Remote, RemoteError, RemoteProblem, batch_body};
pub use static_log::RemoteLog;
pub use submitter::{OnRefusal, SubmitError, Submitter, Summary, today};
