//! What the sequencer has of a log that several processes share.

use std::sync::Arc;

use super::leadership::SharedLog;
use crate::ledger::State;
use crate::merkle::Frontier;

/// A log that several processes share.
pub(super) struct Sharing {
    pub shared: Arc<SharedLog>,
    /// While this process leads: the newest state that is durable and published. What is judged is taken back
    /// to it when a commit is not known to be in the log, so that only what is new is read then.
    pub durable: Option<DurableState>,
    /// Whether it is unknown what became of the last commit: only a fence of this process decides, so it tries
    /// to lead again at once.
    pub is_undecided: bool,
}

/// A state, and the tree over the same entries. It costs a pointer for each map, and what the state
/// changes since is copied.
#[derive(Clone)]
pub(super) struct DurableState {
    pub state: State,
    pub tree: Frontier,
}

/// Why a process leads no more.
pub(super) enum Led {
    /// The log is being closed.
    Closed,
    /// Another process leads, or this one does not know whether it does.
    Lost,
    /// The process at this address is to lead.
    LeftTo(String),
}

/// Waits until another process is to lead a log that several share.
pub(super) async fn asked_to_leave(shared: Option<&SharedLog>) {
    match shared {
        Some(shared) => shared.asked_to_leave().await,
        None => std::future::pending().await,
    }
}

/// Waits until this process leads no more a log that several share.
pub(super) async fn deposed(shared: Option<&SharedLog>) {
    match shared {
        Some(shared) => shared.store.deposed().await,
        None => std::future::pending().await,
    }
}

/// Drops what frees many pages where nobody waits.
pub(super) fn drop_elsewhere(what: impl Send + 'static) {
    tokio::task::spawn_blocking(move || drop(what));
}
