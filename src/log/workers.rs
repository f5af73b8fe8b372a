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

/// So few records may be checked where they are.
const RECORDS_ALONE: usize = 4;

/// The first of some records whose signatures do not all hold, and which of them does not.
pub(super) type Failed = Option<(usize, String)>;

/// A record with its id.
pub(super) type Identified = (RecordId, SignedRecord);

/// Records that were checked.
pub(super) struct Checked {
    /// As they came.
    pub records: Vec<Identified>,
    /// What is wrong with them.
    pub failed: Failed,
}

struct Job {
    records: Vec<Identified>,
    reply: oneshot::Sender<Checked>,
}

/// The threads; they end when this is dropped, after what they are at.
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
    /// Checks that were begun and not ended.
    under_way: usize,
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

    /// Checks records on this thread, if they are few and no others are being checked: on a quiet
    /// server, waking a worker takes longer than the check. `None` if it is for the workers.
    pub fn check_alone(&self, records: &[Identified]) -> Option<Failed> {
        if records.len() > RECORDS_ALONE {
            return None;
        }
        {
            let mut waiting = self.shared.waiting();
            if waiting.under_way > 0 || !waiting.jobs.is_empty() {
                return None;
            }
            waiting.under_way += 1;
        }
        let failed = self.shared.verdicts(records.iter()).failed(records);
        self.shared.waiting().under_way -= 1;
        Some(failed)
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
        {
            let mut waiting = self.shared.waiting();
            waiting.closed = true;
            // Askers borrow the log that these are a part of: none is left to answer.
            waiting.jobs.clear();
        }
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
        waiting.under_way += 1;
        drop(waiting);
        let some = !jobs.is_empty();
        let mut verdicts = self.verdicts(jobs.iter().flat_map(|job| &job.records));
        for Job { records, reply } in jobs {
            let failed = verdicts.failed(&records);
            // Whoever asked may have gone.
            let _ = reply.send(Checked { records, failed });
        }
        self.waiting().under_way -= 1;
        some
    }

    fn verdicts<'a>(&self, records: impl Iterator<Item = &'a Identified>) -> Verdicts {
        let mut batch = Batch::default();
        for (_, signed) in records {
            signed.add_to(&self.context, &self.keys, &mut batch);
        }
        Verdicts(batch.verdicts().into_iter())
    }
}

/// The verdicts on the signatures of records, in order.
struct Verdicts(std::vec::IntoIter<bool>);

impl Verdicts {
    /// Takes those of the next records.
    fn failed(&mut self, records: &[Identified]) -> Failed {
        let mut failed = None;
        for (place, (_, signed)) in records.iter().enumerate() {
            let refused = signed.check_verdicts(&mut self.0).err();
            failed = failed.or(refused.map(|refusal| (place, refusal.to_string())));
        }
        failed
    }
}
