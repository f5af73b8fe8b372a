//! Why a store does nothing more, and the wait for it.

use std::sync::OnceLock;

use tokio::sync::Notify;

use super::StoreError;

/// Set once a store stopped: a write failed, an invariant broke, or a thread panicked. The first reason is
/// kept: later ones follow from it.
#[derive(Default)]
pub(super) struct Stop {
    why: OnceLock<StoreError>,
    /// Notified when it is set.
    stops: Notify,
}

impl Stop {
    /// The reason; `None` while the store works.
    pub(super) fn why(&self) -> Option<&StoreError> {
        self.why.get()
    }

    pub(super) fn set(&self, why: StoreError) {
        let _ = self.why.set(why);
        self.stops.notify_waiters();
    }

    /// Waits for the reason.
    pub(super) async fn wait(&self) -> StoreError {
        loop {
            // Before the look: no change in between is missed.
            let stops = self.stops.notified();
            if let Some(why) = self.why.get() {
                return why.clone();
            }
            stops.await;
        }
    }
}
