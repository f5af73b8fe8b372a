//! The append client: what a platform, a planter, a surveyor or an auditor sends records with.
//!
//! Blocking, and careful. A statement is signed once: its bytes are durable in the journal of its
//! input before they are sent, and after any cut the log tells what became of them. What was sent
//! is known by what it says, so that an input may grow, shrink and change its order. Beside each
//! key stands a head, so that a lost or an old journal, an older log and another writer are
//! noticed before anything is doubled. One writer a key.
//!
//! [`Submitter`] is the whole of it: `opening` makes journal, head and log agree, `sending` runs
//! over an input, `recovery` makes journal and head anew from the log. Below them `journal` and
//! `key_head` are the two files, `proven_log` and `own_chain` what the log is proven to hold,
//! `known_lines`, `repeated`, `other_inputs`, `other_keys` and `strays` find lines by
//! their digests, on disk. `remote` speaks HTTP, `append_batch` sends sealed batches with it, `roots` has the
//! certificates it trusts. `unanswered` tells what may still come in.

mod append_batch;
mod chained;
mod digest_table;
mod event;
mod evidence;
mod health;
mod input;
mod journal;
mod key_head;
mod known_lines;
mod log_fault;
mod opening;
mod other_inputs;
mod other_keys;
mod own_chain;
mod proposal;
mod proven_log;
mod recovery;
mod refusals;
mod remote;
mod repeated;
mod roots;
mod sending;
mod seq_ranges;
mod servers;
mod static_log;
mod strays;
mod submitter;
mod twice;
mod unanswered;

pub use append_batch::{AppendedBatch, SentBatch};
pub use health::Health;
pub use input::{Line, NdjsonLines, statement_digest};
pub use journal::JournalError;
pub use key_head::{HeadError, IssuerKey};
pub use log_fault::LogFault;
pub use proposal::{CouncilInForce, Proposal, ProposalError};
pub use remote::{
    BatchAnswer, ChainEnd, IssuerHead, IssuerState, KeyTask, RefusedStatement, Remote, RemoteError,
    RemoteProblem, Sent, Waiting, batch_body,
};
pub use roots::{CertificateRoots, RootsError};
pub use static_log::RemoteLog;
pub use submitter::{
    InTwice, LineOutcome, OnRefusal, Options, OtherInput, Stopped, SubmitError, Submitter, Summary,
    today,
};
