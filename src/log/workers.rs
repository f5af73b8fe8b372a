//! Threads that check signatures, one a core, for all senders.
//!
//! Records that come one by one are checked together with those of other senders: each keeps its
//! own verdict (`crypto::SignatureBatch`), and all share what checking many at a time saves.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::status::Vital;
use crate::crypto::{KnownKeys, SignatureBatch};
use crate::record::{RecordId, SignedRecord, SigningContext};

/// Records that a worker checks at a time: enough that what they share costs little, few enough
/// that others soon get their turn.
pub(super) const RECORDS_TOGETHER: usize = 256;

/// Records that may be checked on the caller's thread.
const RECORDS_ALONE: usize = 4;

/// The first of some records that has a signature which does not hold.
#[derive(Debug)]
pub(super) struct FirstFailure {
    /// Which of the records, from 0.
    pub position: usize,
    /// Which of its signatures does not hold.
    pub what: String,
}

/// A record with its id.
pub(super) type Identified = (RecordId, SignedRecord);

/// Records that were checked.
pub(super) struct Checked {
    /// All of them, in the order in which they came.
    pub records: Vec<Identified>,
    /// The first whose signatures do not all hold.
    pub failure: Option<FirstFailure>,
}

/// Records to be checked, and where they go afterwards.
struct Job {
    records: Vec<Identified>,
    reply: oneshot::Sender<Checked>,
}

/// What became of a check on the caller's thread.
pub(super) enum CheckedAlone {
    /// All was checked.
    Done(Option<FirstFailure>),
    /// Nothing was checked: the records are for the threads.
    Busy,
}

/// The threads; they end when this is dropped, after what they are at.
pub(super) struct Workers {
    pool: Arc<Pool>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads share.
struct Pool {
    context: SigningContext,
    keys: KnownKeys,
    waiting: Mutex<Waiting>,
    /// Notified when a job waits, or none will come any more.
    ready: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// Jobs that no thread has taken, oldest first.
    jobs: VecDeque<Job>,
    /// Number of checks that were begun and have not ended.
    under_way: usize,
    /// No job will come any more: the threads end.
    closed: bool,
}

impl Workers {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn start(
        context: SigningContext,
        vital: impl Fn() -> Vital,
    ) -> std::io::Result<Self> {
        let pool = Arc::new(Pool {
            context,
            keys: KnownKeys::default(),
            waiting: Mutex::default(),
            ready: Condvar::new(),
        });
        // One, where the system does not say how many cores there are.
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..count)
            .map(|number| {
                let pool = Arc::clone(&pool);
                let thread = std::thread::Builder::new().name(format!("signatures-{number}"));
                let vital = vital();
                thread.spawn(move || {
                    let _vital = vital;
                    while pool.work() {}
                })
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self { pool, threads })
    }

    /// Checks records on the caller's thread, if they are few and no others are being checked: on a
    /// quiet server, waking a worker takes longer than the check.
    pub(super) fn check_alone(&self, records: &[Identified]) -> CheckedAlone {
        if records.len() > RECORDS_ALONE {
            return CheckedAlone::Busy;
        }
        {
            let mut waiting = self.pool.waiting();
            if waiting.under_way > 0 || !waiting.jobs.is_empty() {
                return CheckedAlone::Busy;
            }
            waiting.under_way += 1;
        }
        let failure = self.pool.verdicts(records.iter()).first_failure(records);
        self.pool.waiting().under_way -= 1;
        CheckedAlone::Done(failure)
    }

    /// Hands records to the threads. The receiver gets an error if the thread that took them
    /// panicked.
    pub(super) fn check(&self, records: Vec<Identified>) -> oneshot::Receiver<Checked> {
        let (reply, checked) = oneshot::channel();
        let job = Job { records, reply };
        self.pool.waiting().jobs.push_back(job);
        self.pool.ready.notify_one();
        checked
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        {
            let mut waiting = self.pool.waiting();
            waiting.closed = true;
            // Askers borrow the log that these are a part of: none is left to answer.
            waiting.jobs.clear();
        }
        self.pool.ready.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that checks signatures broke off");
            }
        }
    }
}

impl Pool {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for jobs and checks [`RECORDS_TOGETHER`] records of them, or one job if that has more.
    /// `false` when no job waits and none will come.
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
        let any = !jobs.is_empty();
        let mut verdicts = self.verdicts(jobs.iter().flat_map(|job| &job.records));
        for Job { records, reply } in jobs {
            let failure = verdicts.first_failure(&records);
            // The asker may have been dropped: nobody needs the answer then.
            let _ = reply.send(Checked { records, failure });
        }
        self.waiting().under_way -= 1;
        any
    }

    fn verdicts<'a>(&self, records: impl Iterator<Item = &'a Identified>) -> Verdicts {
        let mut batch = SignatureBatch::default();
        for (_, signed) in records {
            signed.add_to(&self.context, &self.keys, &mut batch);
        }
        Verdicts(batch.verdicts().into_iter())
    }
}

/// The verdicts on the signatures of records, in the records' order.
struct Verdicts(std::vec::IntoIter<bool>);

impl Verdicts {
    /// Takes the verdicts of the next records.
    fn first_failure(&mut self, records: &[Identified]) -> Option<FirstFailure> {
        let mut first = None;
        for (position, (_, signed)) in records.iter().enumerate() {
            // Each record takes its own verdicts, those behind the first failure too.
            if let Err(refusal) = signed.check_verdicts(&mut self.0) {
                let what = refusal.to_string();
                first.get_or_insert(FirstFailure { position, what });
            }
        }
        first
    }
}
