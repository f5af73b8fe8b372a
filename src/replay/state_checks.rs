//! Comparing state entries with the states that they speak of. Making a state root takes long where many
//! items changed, so a thread of its own makes it while the replay continues.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{ReplayError, state_wrong};
use crate::ledger::{State, StateSaid};
use crate::record::{Index, StateEntry};

/// A state of which a state entry is to speak, and what it must say.
#[derive(Clone, Debug)]
pub(super) struct KeptState {
    /// The number of entries that the state rests on.
    size: u64,
    work: Arc<Work>,
}

#[derive(Debug)]
struct Work {
    /// The state, until its root is made.
    state: Mutex<Option<State>>,
    /// `None` if a thread broke off while it made the root: that says nothing of the log.
    made: OnceLock<Option<Result<StateSaid, String>>>,
}

impl KeptState {
    /// Begins to make the root of a state, on a thread of its own.
    pub(super) fn of(state: State) -> Self {
        let size = state.entries();
        let work = Arc::new(Work {
            state: Mutex::new(Some(state)),
            made: OnceLock::new(),
        });
        let worker = Arc::clone(&work);
        let thread = std::thread::Builder::new().name("state-root".to_owned());
        // Where a system gives no thread, the root is made when it is asked for.
        let _ = thread.spawn(move || {
            let _ = worker.made();
        });
        Self { size, work }
    }

    /// The number of entries that the state rests on.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

impl Work {
    /// What a state entry must say: waits for the thread that makes it, or makes it.
    fn made(&self) -> &Option<Result<StateSaid, String>> {
        self.made.get_or_init(|| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.take().map(|state| state.said())
        })
    }
}

/// A state entry that was taken in, and is still to be compared.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    /// The state entry's index.
    pub index: Index,
    /// The state entry.
    pub entry: StateEntry,
    /// The state that it speaks of.
    pub state: KeptState,
}

impl Comparison {
    /// Compares, once the root is made.
    ///
    /// # Errors
    /// [`ReplayError`], with what differs.
    pub(super) fn end(self) -> Result<(), ReplayError> {
        let compared = match self.state.work.made() {
            Some(Ok(said)) => said.check(&self.entry),
            Some(Err(why)) => Err(why.clone()),
            None => {
                return Err(ReplayError::Unsupported {
                    index: self.index.0,
                    what: "making the root of the state that it speaks of broke off".to_owned(),
                });
            }
        };
        compared.map_err(|what| state_wrong(self.index, what).into())
    }
}
