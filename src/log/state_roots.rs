//! Making state roots: off the sequencer, on a thread of its own, from images of the state.
//!
//! One root is under way at a time. The sequencer takes an image where a commit ends, which costs a pointer
//! for each map, and goes on; what the state changes meanwhile is copied. A root that was made waits until
//! the sequencer writes it into the log, in a state entry. After a recovery it is dropped: its image
//! may rest on entries that never became durable.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::status::Vital;
use crate::ledger::{DomainRoots, State, StateImage};
use crate::record::Index;

/// How long an entry may be uncovered while others are admitted. Half of what is a finding: what was judged by then
/// is still to be made durable.
pub(super) const UNCOVERED_MAX: Duration = Duration::from_secs(30);

/// The state as of some number of entries, with its roots: what proofs about it are made from.
pub struct ProvenState {
    /// Number of entries that the state rests on.
    pub size: u64,
    /// The roots of all domains, from which the state root follows.
    pub roots: DomainRoots,
    /// The state.
    pub image: StateImage,
}

/// What an image gave: a state with its roots, or what contradicts what.
type Made = Result<ProvenState, String>;

/// What the thread does.
enum Job {
    Make {
        image: Box<StateImage>,
        made: oneshot::Sender<Made>,
    },
    /// Dropping a state frees pages: not where others wait.
    Drop(Arc<ProvenState>),
}

/// Asks for the roots of what is in, however long ago the last were made.
#[derive(Default)]
pub(super) struct CoverRequests {
    asked: AtomicBool,
    wake: Notify,
}

impl CoverRequests {
    /// Asks.
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Waits until somebody asks. Cancel safe.
    pub(super) async fn wait(&self) {
        self.wake.notified().await;
    }

    fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    fn clear(&self) {
        self.asked.store(false, Ordering::Release);
    }
}

/// Makes roots, one at a time.
pub(super) struct StateRoots {
    /// The time from one image to the next, at least; `None` if one is taken only when it is asked for.
    every: Option<Duration>,
    requests: Arc<CoverRequests>,
    /// Takes images; `None` once the thread is gone.
    jobs: Option<mpsc::Sender<Job>>,
    /// Ends when `jobs` is gone.
    thread: Option<JoinHandle<()>>,
    /// When the last image was taken.
    last: Option<Instant>,
    under_way: Option<(u64, oneshot::Receiver<Made>)>,
    /// What was made and is not in the log yet.
    made: Option<Arc<ProvenState>>,
    /// Since when the log has had an entry that no state entry covers, at most; `None` while it has none.
    uncovered_since: Option<Instant>,
    /// Whether the log has entries from before a start or a recovery that no state entry covers: nobody knows any
    /// more how long ago they were admitted.
    begins_uncovered: bool,
}

impl StateRoots {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(every: Option<Duration>, vital: Vital) -> std::io::Result<Self> {
        let (sender, jobs) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new().name("state-roots".to_owned());
        let thread = thread.spawn(move || {
            let _vital = vital;
            while let Ok(job) = jobs.recv() {
                match job {
                    // The sequencer may have dropped what waits for it, after a recovery.
                    Job::Make { image, made } => drop(made.send(make(*image))),
                    Job::Drop(state) => drop(state),
                }
            }
        })?;
        Ok(Self {
            every,
            requests: Arc::default(),
            jobs: Some(sender),
            thread: Some(thread),
            last: None,
            under_way: None,
            made: None,
            uncovered_since: None,
            begins_uncovered: true,
        })
    }

    /// What others ask with.
    pub(super) fn requests(&self) -> &Arc<CoverRequests> {
        &self.requests
    }

    /// Whether the log makes state entries by itself.
    pub(super) fn makes_entries(&self) -> bool {
        self.every.is_some()
    }

    /// Whether an image may be taken now: none is under way, and none waits to be written.
    pub(super) fn is_free(&self) -> bool {
        self.jobs.is_some() && self.under_way.is_none() && self.made.is_none()
    }

    /// When the next image is due; `None` if none is.
    pub(super) fn due_at(&self) -> Option<Instant> {
        if self.requests.is_asked() {
            return Some(Instant::now());
        }
        let every = self.every?;
        Some(self.last.map_or_else(Instant::now, |last| last + every))
    }

    /// Begins to make the roots of an image.
    pub(super) fn begin(&mut self, image: StateImage) {
        let Some(jobs) = &self.jobs else { return };
        let (made, under_way) = oneshot::channel();
        self.last = Some(Instant::now());
        self.requests.clear();
        let size = image.globals.entries;
        // A thread that is gone drops `made`, which `finished` tells.
        let image = Box::new(image);
        let _ = jobs.send(Job::Make { image, made });
        self.under_way = Some((size, under_way));
    }

    /// Waits until the roots that are under way are made; for ever, if none are. Cancel safe.
    ///
    /// # Errors
    /// What contradicts what: the log must halt.
    pub(super) async fn finished(&mut self) -> Result<(), String> {
        let Some((_, under_way)) = &mut self.under_way else {
            return std::future::pending().await;
        };
        let made = under_way.await;
        self.under_way = None;
        match made {
            Ok(made) => self.made = Some(Arc::new(made?)),
            // The thread panicked: the status tells that it broke off.
            Err(_) => self.jobs = None,
        }
        Ok(())
    }

    /// Number of entries of the state whose roots are being made.
    pub(super) fn size_under_way(&self) -> Option<u64> {
        self.under_way.as_ref().map(|(size, _)| *size)
    }

    /// What was made and is not in the log yet.
    pub(super) fn made(&self) -> Option<&Arc<ProvenState>> {
        self.made.as_ref()
    }

    /// Takes it: it is in a batch.
    pub(super) fn take_made(&mut self) -> Option<Arc<ProvenState>> {
        self.made.take()
    }

    /// Has the thread drop a state that is of no use any more.
    pub(super) fn drop_elsewhere(&self, state: Arc<ProvenState>) {
        if let Some(jobs) = &self.jobs {
            // A thread that is gone gives it back: it is dropped here.
            let _ = jobs.send(Job::Drop(state));
        }
    }

    /// Notes whether an entry is uncovered once a batch was judged, and whether a state entry ended the batch.
    pub(super) fn note_coverage(&mut self, is_uncovered: bool, is_new: bool) {
        if !is_uncovered {
            self.uncovered_since = None;
            self.begins_uncovered = false;
            return;
        }
        if is_new {
            // What came in before the image was taken is covered.
            self.uncovered_since = self.last;
            self.begins_uncovered = false;
        }
        self.uncovered_since.get_or_insert_with(Instant::now);
    }

    /// Whether entries are uncovered for so long that the log covers them before it admits another one. Only if
    /// it makes state entries by itself.
    pub(super) fn is_late(&self) -> bool {
        let is_long = |since: Instant| since.elapsed() >= UNCOVERED_MAX;
        self.every.is_some() && (self.begins_uncovered || self.uncovered_since.is_some_and(is_long))
    }

    /// Drops what was made or is under way, after a recovery.
    pub(super) fn forget(&mut self) {
        self.under_way = None;
        self.made = None;
        self.begins_uncovered = true;
    }
}

/// Waits until the thread has ended: it holds the state that it works on.
impl Drop for StateRoots {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("making state roots broke off");
        }
    }
}

fn make(image: StateImage) -> Made {
    let roots = image.roots().map_err(|error| error.to_string())?;
    let sums = image.globals.check_sums(&roots);
    sums.map_err(|error| error.to_string())?;
    Ok(ProvenState {
        size: image.globals.entries,
        roots,
        image,
    })
}

/// The states that proofs are made from: of the newest state entries, each with its entry's index.
#[derive(Default)]
pub(super) struct ProvenStates(Mutex<Vec<(Index, Arc<ProvenState>)>>);

impl ProvenStates {
    /// Number of states that are kept: a reader's second question meets the state of the first.
    const KEPT: usize = 2;

    /// The state that was recovered, if its newest state entry speaks of all that was stated since: nothing
    /// that is proven has changed.
    ///
    /// # Errors
    /// What contradicts what in the state.
    pub(super) fn of_recovered(state: &State) -> Result<Self, String> {
        let globals = state.globals();
        let mark = globals
            .state_entry
            .filter(|mark| globals.stated <= mark.size);
        let mut states = Vec::new();
        if let Some(mark) = mark {
            let mut proven = make(state.image_for_proofs())?;
            proven.size = mark.size;
            states.push((mark.index, Arc::new(proven)));
        }
        Ok(Self(Mutex::new(states)))
    }

    /// Adds the state of a state entry that was published. Gives the oldest beyond [`Self::KEPT`]: dropping
    /// it frees pages, so not where others wait.
    #[must_use = "a state is dropped where nobody waits"]
    pub(super) fn publish(
        &self,
        index: Index,
        state: Arc<ProvenState>,
    ) -> Option<Arc<ProvenState>> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.push((index, state));
        (states.len() > Self::KEPT).then(|| states.remove(0).1)
    }

    /// The newest, with its entry's index.
    pub(super) fn newest(&self) -> Option<(Index, Arc<ProvenState>)> {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.last().cloned()
    }

    /// The state of the state entry at an index, if it is here.
    pub(super) fn of(&self, index: Index) -> Option<Arc<ProvenState>> {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut states = states.iter();
        let found = states.find(|(of, _)| *of == index);
        found.map(|(_, state)| Arc::clone(state))
    }

    /// Drops all: the log was made again from the store.
    pub(super) fn forget(&self) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = std::mem::take(&mut *states);
        drop(states);
        drop(gone);
    }
}
