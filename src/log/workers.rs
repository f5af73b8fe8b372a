//! Threads that check signatures, as many as there are cores, whoever sends.
//!
//! Records that come one by one are checked together with others that wait, whoever sent those:
//! each keeps its own verdict (`crypto::Batch`), and all share what checking many at a time saves.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::crypto::{Batch, KnownKeys};
use crate::record::{RecordId, SignedRecord, SigningContext};

/// A worker takes up so many records at a time: enough for what they share to cost nothing, few
/// enough for others to get their turn.
pub(super) const RECORDS_TOGETHER: usize = 256;

/// A record with its id.
pub(super) type Identified = (RecordId, SignedRecord);

/// Records that were checked.
pub(super) struct Checked {
    /// As they came.
    pub records: Vec<Identified>,
    /// The first whose signatures do not all hold, and which of them does not.
    pub failed: Option<(usize, String)>,
}

struct Job {
    records: Vec<Identified>,
    reply: oneshot::Sender<Checked>,
}

/// The threads; they end when this is dropped, after what waits.
pub(super) struct Workers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    context: SigningContext,
    keys: KnownKeys,
    waiting: Mutex<Waiting>,
    ready: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Workers {
    /// Starts them.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(context: SigningContext) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            context,
            keys: KnownKeys::default(),
            waiting: Mutex::default(),
            ready: Condvar::new(),
        });
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..count)
            .map(|number| {
                let shared = Arc::clone(&shared);
                let thread = std::thread::Builder::new().name(format!("signatures-{number}"));
                thread.spawn(move || while shared.work() {})
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self { shared, threads })
    }

    /// Has records checked, from now on. Nothing comes if a worker broke off.
    pub fn check(&self, records: Vec<Identified>) -> oneshot::Receiver<Checked> {
        let (reply, checked) = oneshot::channel();
        let job = Job { records, reply };
        self.shared.waiting().jobs.push_back(job);
        self.shared.ready.notify_one();
        checked
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.waiting().closed = true;
        self.shared.ready.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks what waits, up to so many records; `false` when nothing does and nothing will.
    fn work(&self) -> bool {
        let mut waiting = self.waiting();
        while waiting.jobs.is_empty() && !waiting.closed {
            let woken = self.ready.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        let mut jobs = Vec::new();
        let mut records = 0;
        while let Some(job) = waiting.jobs.front() {
            records += job.records.len();
            if !jobs.is_empty() && records > RECORDS_TOGETHER {
                break;
            }
            jobs.extend(waiting.jobs.pop_front());
        }
        drop(waiting);
        let mut batch = Batch::default();
        for (_, signed) in jobs.iter().flat_map(|job| &job.records) {
            signed.add_to(&self.context, &self.keys, &mut batch);
        }
        let mut verdicts = batch.verdicts().into_iter();
        let some = !jobs.is_empty();
        for Job { records, reply } in jobs {
            let mut failed = None;
            for (place, (_, signed)) in records.iter().enumerate() {
                let refused = signed.judged(&mut verdicts).err();
                failed = failed.or(refused.map(|refusal| (place, refusal.to_string())));
            }
            // Whoever asked may have gone.
            let _ = reply.send(Checked { records, failed });
        }
        some
    }
}
