//! Saving the state of a log that several processes share: in the store, beside the log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::state_roots::ProvenState;
use crate::ledger::StateImage;
use crate::measures::Measures;
use crate::record::Index;
use crate::store::StoreError;
use crate::store::blobs::{BlobStore, SavesState, newest_saved_size, save_state};

/// Bytes of a saved state for each entry between two saves, at most: a save costs what the whole state does, and
/// takes no more bytes than the entries since the one before.
const BYTES_PER_ENTRY: u64 = 128;

impl SavesState for ProvenState {
    fn image(&self) -> &StateImage {
        &self.image
    }

    fn root(&self) -> [u8; 32] {
        *self.roots.state_root().as_bytes()
    }
}

/// Saves states, one at a time.
pub(super) struct Saver {
    store: BlobStore,
    /// Entries between two saves, at least.
    entries: u64,
    busy: AtomicBool,
    measures: Measures,
    last: Mutex<LastSave>,
}

/// The newest save that is known of, of any process.
#[derive(Clone, Copy)]
struct LastSave {
    size: u64,
    bytes: u64,
}

impl Saver {
    pub(super) fn new(store: BlobStore, entries: u64, saved_size: u64, measures: Measures) -> Self {
        Self {
            store,
            entries,
            busy: AtomicBool::new(false),
            measures,
            last: Mutex::new(LastSave {
                size: saved_size,
                bytes: 0,
            }),
        }
    }

    /// Saves the state of a state entry that was published, if it is time. A leader waits twice as long, so that
    /// a follower, if there is one, saves for it.
    pub(super) fn offer(self: &Arc<Self>, said_by: Index, state: &Arc<ProvenState>, leads: bool) {
        if !self.is_due(state.size, leads) || self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let (saver, state) = (Arc::clone(self), Arc::clone(state));
        tokio::spawn(async move {
            if let Err(error) = saver.save(said_by, state, leads).await {
                // Without it a start takes longer. The next state entry is tried again.
                saver.measures.saves_failed.inc();
                tracing::warn!(%error, "the state was not saved");
            }
            saver.busy.store(false, Ordering::Release);
        });
    }

    fn last(&self) -> LastSave {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self, size: u64, leads: bool) -> bool {
        let LastSave { size: last, bytes } = self.last();
        let apart = self.entries.max(bytes / BYTES_PER_ENTRY);
        let apart = if leads {
            apart.saturating_mul(2)
        } else {
            apart
        };
        size >= last.saturating_add(apart)
    }

    async fn save(
        &self,
        said_by: Index,
        state: Arc<ProvenState>,
        leads: bool,
    ) -> Result<(), StoreError> {
        let (blobs, patience) = (&**self.store.blobs(), self.store.patience());
        let size = state.size;
        // Others may have saved since this process did.
        if let Some(newest) = newest_saved_size(blobs, patience).await? {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.size = last.size.max(newest);
            self.measures.saved.set(last.size);
        }
        if !self.is_due(size, leads) {
            return Ok(());
        }
        let begun = Instant::now();
        let bytes = save_state(blobs, patience, said_by, state).await?;
        self.measures.saves.add(begun.elapsed());
        self.measures.saved.set(size);
        tracing::info!(size, bytes, "the state was saved");
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = LastSave { size, bytes };
        Ok(())
    }
}
