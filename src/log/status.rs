//! What the log is doing, and those who wait for it to change.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

use super::Published;

/// What the log is doing.
#[derive(Clone, Debug)]
pub enum Status {
    /// It admits records.
    Ready {
        /// The newest checkpoint.
        published: Arc<Published>,
        /// Number of recoveries since the start. What was read of the state in an earlier epoch
        /// may never be published.
        epoch: u64,
    },
    /// It admits no records. The newest checkpoint is still served.
    Halted {
        /// The newest checkpoint.
        published: Arc<Published>,
        /// Why it stopped.
        why: String,
    },
}

impl Status {
    /// The newest checkpoint.
    pub fn published(&self) -> &Arc<Published> {
        match self {
            Self::Ready { published, .. } | Self::Halted { published, .. } => published,
        }
    }
}

/// The status, for one writer and many who wait for a change. They are woken in the order in which
/// they began to wait: tokio's watch wakes them in any, and a simulation could not do the same again.
#[derive(Debug)]
pub(super) struct StatusCell {
    state: RwLock<CellState>,
    changed: Notify,
}

#[derive(Clone, Debug)]
struct CellState {
    status: Status,
    /// The writer is gone: the status will never change again.
    closed: bool,
}

impl StatusCell {
    pub(super) fn new(status: Status) -> Self {
        let closed = false;
        Self {
            state: RwLock::new(CellState { status, closed }),
            changed: Notify::new(),
        }
    }

    /// The status now.
    pub(super) fn now(&self) -> Status {
        self.read().status
    }

    fn read(&self) -> CellState {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    pub(super) fn set(&self, status: Status) {
        self.write(|state| state.status = status);
    }

    fn write(&self, change: impl FnOnce(&mut CellState)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
    }

    /// Waits for a status; `None` if there will never be such.
    pub(super) async fn wait_for(&self, is: impl Fn(&Status) -> bool) -> Option<Status> {
        loop {
            // Before the read: no change in between is missed.
            let changed = self.changed.notified();
            let CellState { status, closed } = self.read();
            if is(&status) {
                return Some(status);
            }
            if closed {
                return None;
            }
            changed.await;
        }
    }
}

/// Held by the task that sets the status. When it is dropped, the status never changes again, and
/// those who wait are told so. If the task panicked, the log is halted.
pub(super) struct StatusWriter(pub Arc<StatusCell>);

impl Drop for StatusWriter {
    fn drop(&mut self) {
        self.0.write(|state| {
            state.closed = true;
            if std::thread::panicking() {
                let published = Arc::clone(state.status.published());
                let why = "the log's task broke off; start the server again".to_owned();
                state.status = Status::Halted { published, why };
            }
        });
    }
}
