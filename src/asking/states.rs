//! The states at checkpoints that were sent to cosigners: files about the state at a level are made from them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::log::ProvenState;
use crate::record::Index;

/// The states of checkpoints that were sent last, whether they were cosigned or not: an auditor that is further
/// behind leaves none at hand, and files about the state at its level could not be made then. Each holds the pages
/// that changed since.
const SENT_MAX: usize = 4;

/// The states, by the size of the checkpoint that their state entry ends.
#[derive(Default)]
pub struct CosignedStates(Mutex<BTreeMap<u64, Arc<ProvenState>>>);

impl CosignedStates {
    /// The state entry that ends a checkpoint of this size, with the state that it speaks of.
    pub fn ending(&self, size: u64) -> Option<(Index, Arc<ProvenState>)> {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = Index(size.checked_sub(1)?);
        states.get(&size).map(|state| (index, Arc::clone(state)))
    }

    /// Adds the state of a state entry.
    pub(super) fn add(&self, index: Index, state: Arc<ProvenState>) {
        if let Some(size) = index.0.checked_add(1) {
            let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            states.insert(size, state);
        }
    }

    /// Drops all but those of checkpoints of these sizes and the last that were sent.
    pub(super) fn keep(&self, sizes: Vec<u64>) {
        let gone = {
            let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let mut newest_first = states.keys().rev();
            let oldest = newest_first.nth(SENT_MAX - 1).copied().unwrap_or(0);
            let is_needed = |size: &u64| *size >= oldest || sizes.contains(size);
            let (kept, gone): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut *states)
                .into_iter()
                .partition(|(size, _)| is_needed(size));
            *states = kept;
            gone
        };
        if !gone.is_empty() {
            // It frees pages: not on a thread that serves.
            tokio::task::spawn_blocking(move || drop(gone));
        }
    }
}
