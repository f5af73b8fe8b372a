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
    /// Another process leads the log, or none does: what is committed is taken in, and no record is admitted
    /// here.
    Following {
        /// The newest checkpoint of what was taken in.
        published: Arc<Published>,
        /// As above.
        epoch: u64,
        /// Where the process that leads is reached, if it said so.
        leader: Option<String>,
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
            Self::Ready { published, .. }
            | Self::Following { published, .. }
            | Self::Halted { published, .. } => published,
        }
    }
}

fn newest_in_state(status: &Status) -> Option<Arc<Published>> {
    let published = status.published();
    published.ends_in_state.then(|| Arc::clone(published))
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
    /// The newest checkpoint whose last entry is a state entry.
    ends_in_state: Option<Arc<Published>>,
    /// The writer is gone: the status will never change again.
    closed: bool,
    /// Which task or thread panicked: the process has to end.
    broke_off: Option<&'static str>,
}

impl StatusCell {
    pub(super) fn new(status: Status) -> Self {
        Self {
            state: RwLock::new(CellState {
                ends_in_state: newest_in_state(&status),
                status,
                closed: false,
                broke_off: None,
            }),
            changed: Notify::new(),
        }
    }

    /// The status now.
    pub(super) fn now(&self) -> Status {
        self.read().status
    }

    /// The newest checkpoint whose last entry is a state entry.
    pub(super) fn ends_in_state(&self) -> Option<Arc<Published>> {
        self.read().ends_in_state
    }

    fn read(&self) -> CellState {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    /// Publishes a checkpoint. A log that halted meanwhile stays halted until it is opened again.
    pub(super) fn publish(&self, published: Arc<Published>, epoch: u64) {
        self.write(|state| {
            if published.ends_in_state {
                state.ends_in_state = Some(Arc::clone(&published));
            }
            state.status = match &state.status {
                Status::Ready { .. } => Status::Ready { published, epoch },
                Status::Following { leader, .. } => Status::Following {
                    published,
                    epoch,
                    leader: leader.clone(),
                },
                Status::Halted { why, .. } => Status::Halted {
                    published,
                    why: why.clone(),
                },
            };
        });
    }

    /// Says that another process leads, and where it is reached if that is known.
    pub(super) fn follow(&self, leader: Option<String>) {
        self.write(|state| {
            if let Status::Ready { published, epoch }
            | Status::Following {
                published, epoch, ..
            } = &state.status
            {
                state.status = Status::Following {
                    published: Arc::clone(published),
                    epoch: *epoch,
                    leader,
                };
            }
        });
    }

    /// Says that this process leads.
    pub(super) fn lead(&self) {
        self.write(|state| {
            if let Status::Following {
                published, epoch, ..
            } = &state.status
            {
                state.status = Status::Ready {
                    published: Arc::clone(published),
                    epoch: *epoch,
                };
            }
        });
    }

    /// Admits no more, for this reason.
    pub(super) fn halt(&self, why: &str) {
        self.write(|state| state.halt(why));
    }

    /// Admits no more, since a task or thread that the log can't do without has ended by itself.
    pub(super) fn break_off(&self, what: &'static str) {
        self.write(|state| {
            state.halt(&format!(
                "{what} broke off, which is a fault of the software; start the server again, and report this"
            ));
            state.broke_off.get_or_insert(what);
        });
    }

    /// Waits until something broke off; for ever if nothing does.
    pub(super) async fn broke_off(self: Arc<Self>) -> &'static str {
        loop {
            // Before the read: no change in between is missed.
            let changed = self.changed.notified();
            if let Some(what) = self.read().broke_off {
                return what;
            }
            changed.await;
        }
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
            let CellState { status, closed, .. } = self.read();
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

impl CellState {
    fn halt(&mut self, why: &str) {
        let published = Arc::clone(self.status.published());
        let why = why.to_owned();
        self.status = Status::Halted { published, why };
    }
}

/// Held by a thread or task that the log can't do without. If that panics, the log admits no more,
/// and the server is told to end the process.
pub struct Vital {
    pub(super) status: Arc<StatusCell>,
    /// What it is, for the reason that is given.
    pub(super) what: &'static str,
}

impl Drop for Vital {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.status.break_off(self.what);
        }
    }
}

/// Held by the task that sets the status. When it is dropped, the status never changes again, and
/// those who wait are told so. If the task panicked, the log has broken off.
pub(super) struct StatusWriter(pub Arc<StatusCell>);

impl Drop for StatusWriter {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.break_off("the log's task");
        }
        self.0.write(|state| state.closed = true);
    }
}
