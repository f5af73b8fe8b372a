//! What readers see of a log that halted: the state as of its newest checkpoint.
//!
//! The sequencer's state is ahead of what is durable when a commit fails, and nobody may be told
//! anything of that. So the first reader who finds the log halted and its state ahead has the state made
//! again, from the entries that the newest checkpoint covers, and all others wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::reader::Reader;
use super::recovery::state_of;
use super::{AppendError, Published};
use crate::ledger::State;
use crate::record::Origin;

/// How long a reader waits for the state before it is told to come again. Making it again reads every
/// entry.
const WAIT: Duration = Duration::from_secs(10);

/// The state of a halted log on its way back to the newest checkpoint. Dropped, it stops.
#[derive(Default)]
pub(super) struct Rewind(OnceLock<Rewinding>);

struct Rewinding {
    /// What came of it: `None` while it is under way.
    outcome: watch::Receiver<Option<Result<(), String>>>,
    task: JoinHandle<()>,
}

impl Drop for Rewinding {
    fn drop(&mut self) {
        // The task holds the store, and with it the directory's lock, until it sees this.
        self.task.abort();
    }
}

impl Rewind {
    /// Stops what is under way, and returns when nothing of it holds the store any more.
    pub(super) async fn stop(&mut self) {
        if let Some(rewinding) = self.0.get_mut() {
            rewinding.task.abort();
            // It ended or was stopped: there is nothing to tell anybody.
            let _ = (&mut rewinding.task).await;
        }
    }

    /// Waits until the state is that of the checkpoint. The log has halted: nobody else changes the
    /// state any more.
    pub(super) async fn done(
        &self,
        reader: &Reader,
        published: &Arc<Published>,
        state: &Arc<RwLock<State>>,
        epoch: &Arc<AtomicU64>,
    ) -> Result<(), AppendError> {
        let rewinding = self.0.get_or_init(|| {
            let (tell, outcome) = watch::channel(None);
            let (reader, published) = (reader.clone(), Arc::clone(published));
            let (state, epoch) = (Arc::clone(state), Arc::clone(epoch));
            let task = tokio::spawn(async move {
                let done = rewind(&reader, &published, &state, &epoch).await;
                if let Err(why) = &done {
                    tracing::error!(why, "readers have no state of the halted log");
                }
                // Nobody listens only when the log is dropped.
                let _ = tell.send(Some(done));
            });
            Rewinding { outcome, task }
        });
        let mut outcome = rewinding.outcome.clone();
        let done = tokio::time::timeout(WAIT, outcome.wait_for(Option::is_some)).await;
        match done.as_ref().map(|done| done.as_deref()) {
            Ok(Ok(Some(Ok(())))) => Ok(()),
            Ok(Ok(Some(Err(why)))) => Err(AppendError::halted(why)),
            Ok(Ok(None) | Err(_)) => Err(AppendError::stopping()),
            Err(_) => Err(AppendError::halted(
                "the state as of the newest checkpoint is being made again",
            )),
        }
    }
}

async fn rewind(
    reader: &Reader,
    published: &Published,
    state: &RwLock<State>,
    epoch: &AtomicU64,
) -> Result<(), String> {
    let origin: Origin = {
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        state.globals().origin.clone()
    };
    let rewound = state_of(reader, &origin, published.head).await;
    let rewound = rewound.map_err(|error| error.to_string())?;
    let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
    *state = rewound;
    epoch.fetch_add(1, Ordering::AcqRel);
    tracing::info!(
        size = published.head.tree.size,
        "readers have the state as of the newest checkpoint"
    );
    Ok(())
}
