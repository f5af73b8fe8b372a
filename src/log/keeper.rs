//! Saving the ledger's state while the log runs, on a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use super::status::Vital;
use crate::measures::Measures;
use crate::store::{SavedState, StateChange};

/// Entries between two saves. A restart replays at most 1.5 times this.
pub const ENTRIES_PER_SAVE: u64 = 131_072;
/// Accounts for each entry between two saves, at most: with very many accounts saves are further
/// apart. Random accounts touch every bucket, so that a save costs what the whole state does.
const ACCOUNTS_PER_ENTRY: u64 = 4;

/// The lowest priority, on the scale of `nice`.
const LEAST_PRIORITY: i32 = 19;

/// Saves the state when told, one save at a time.
pub(super) struct Keeper {
    /// Takes what is to be saved; `None` when nothing may be saved any more.
    changes: Option<mpsc::Sender<StateChange>>,
    /// Ends when `changes` is gone.
    thread: Option<JoinHandle<()>>,
    /// A save is under way. Stays set after a save that failed: no other is due then.
    busy: Arc<AtomicBool>,
    /// Entries that the last save covers, done or under way.
    saved_size: u64,
    /// Entries between two saves, if accounts are few.
    entries_per_save: u64,
}

impl Keeper {
    /// Starts the thread. Without a saved state to write to, nothing is ever saved.
    pub(super) fn start(
        saved: Option<SavedState>,
        saved_size: u64,
        entries_per_save: u64,
        measures: &Measures,
        vital: Vital,
    ) -> Self {
        let busy = Arc::new(AtomicBool::new(false));
        let started = saved.and_then(|saved| {
            let (sender, changes) = mpsc::channel();
            let (busy, measures) = (Arc::clone(&busy), measures.clone());
            let thread = std::thread::Builder::new().name("state-keeper".to_owned());
            let keeps = move || {
                let _vital = vital;
                keep(saved, &changes, &busy, &measures);
            };
            match thread.spawn(keeps) {
                Ok(thread) => Some((sender, thread)),
                Err(error) => {
                    tracing::warn!(%error, "no thread can be had to save the state; the next start replays the log");
                    None
                }
            }
        });
        let (changes, thread) = started.unzip();
        Self {
            changes,
            thread,
            busy,
            saved_size,
            entries_per_save,
        }
    }

    /// Whether a save is due for a state of this many entries and accounts.
    pub(super) fn is_due(&self, entries: u64, accounts: u64) -> bool {
        let apart = self.entries_per_save.max(accounts / ACCOUNTS_PER_ENTRY);
        self.changes.is_some()
            && !self.busy.load(Ordering::Acquire)
            // An operator may ask for saves as far apart as u64 reaches, and so for none.
            && entries >= self.saved_size.saturating_add(apart)
    }

    /// Saves a change of a state whose entries are durable.
    pub(super) fn save(&mut self, change: StateChange) {
        if let Some(changes) = &self.changes {
            self.saved_size = change.head.tree.size;
            self.busy.store(true, Ordering::Release);
            // The thread is gone only after a save that failed, which it told; or a panic, which
            // `finish` tells.
            let _ = changes.send(change);
        }
    }

    /// Saves no more. What is saved stays as it is, of an earlier size of the same log.
    pub(super) fn forget(&mut self) {
        self.changes = None;
    }

    /// Waits until all is saved. Nothing can be saved after that.
    pub(super) fn finish(&mut self) {
        self.changes = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("saving the state broke off; the next start replays the log");
        }
    }
}

/// Waits for the save under way: when this is gone, nobody is at the saved state.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.finish();
    }
}

/// What the thread does: saves each change, until none can come or one fails.
fn keep(
    mut saved: SavedState,
    changes: &mpsc::Receiver<StateChange>,
    busy: &AtomicBool,
    measures: &Measures,
) {
    lower_priority();
    while let Ok(change) = changes.recv() {
        let (begun, size) = (Instant::now(), change.head.tree.size);
        if let Err(error) = saved.save(change) {
            // What is saved now lacks a change: nothing may build on it.
            measures.saves_failed.inc();
            tracing::warn!(%error, "saving the state failed; the next start replays the log");
            if let Err(error) = saved.clear() {
                // It is whole or its digest does not match: a start uses it only in the first case.
                tracing::warn!(%error, "the saved state can't be removed");
            }
            return;
        }
        let taken = begun.elapsed();
        measures.saves.add(taken);
        measures.saved.set(size);
        let ms = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(size, ms, "the state was saved");
        busy.store(false, Ordering::Release);
    }
}

/// Runs this thread at the lowest priority: a save is in no hurry. Linux keeps priorities by thread.
fn lower_priority() {
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), LEAST_PRIORITY) {
        tracing::debug!(%error, "the state is saved at the priority of all else");
    }
}
