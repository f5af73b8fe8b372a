//! What the log is doing, and those who wait for it to change.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

use super::Published;

/// What the log is doing.
#[derive(Clone, Debug)]
pub enum Status {
    /// It admits records, and this is the newest checkpoint. The number counts recoveries: what
    /// was seen of the state before one may never be published.
    Ready(Arc<Published>, u64),
    /// It admits none, for this reason; the newest checkpoint is still served.
    Halted(Arc<Published>, String),
}

impl Status {
    /// The newest checkpoint.
    pub fn published(&self) -> &Arc<Published> {
        match self {
            Self::Ready(published, _) | Self::Halted(published, _) => published,
        }
    }
}

/// The status, for one who sets it and many who wait. They are woken in the order in which they
/// began to wait: tokio's watch wakes them in any, and a simulation could not do the same again.
#[derive(Debug)]
pub(super) struct Board {
    status: RwLock<(Status, Over)>,
    changed: Notify,
}

/// Whether the status will never change again.
type Over = bool;

impl Board {
    pub fn new(status: Status) -> Self {
        Self {
            status: RwLock::new((status, false)),
            changed: Notify::new(),
        }
    }

    /// The status now.
    pub fn now(&self) -> Status {
        self.look().0
    }

    fn look(&self) -> (Status, Over) {
        let status = self.status.read().unwrap_or_else(PoisonError::into_inner);
        status.clone()
    }

    pub fn set(&self, status: Status) {
        self.write(|it| it.0 = status);
    }

    fn write(&self, change: impl FnOnce(&mut (Status, Over))) {
        change(&mut self.status.write().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
    }

    /// Waits for a status; `None` if it will never come.
    pub async fn wait_for(&self, is: impl Fn(&Status) -> bool) -> Option<Status> {
        loop {
            // Before the look: no change in between is missed.
            let changed = self.changed.notified();
            let (status, over) = self.look();
            if is(&status) {
                return Some(status);
            }
            if over {
                return None;
            }
            changed.await;
        }
    }
}

/// Held by the one who sets the status: with it the last change is over.
pub(super) struct Setter(pub Arc<Board>);

impl Drop for Setter {
    fn drop(&mut self) {
        self.0.write(|it| it.1 = true);
    }
}
