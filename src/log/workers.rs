//! Threads that check signatures, one a core, for all senders in turn.
//!
//! Records that come one by one are checked together with those of other senders: each keeps its
//! own verdict (`crypto::SignatureBatch`), and all share what checking many at a time saves. Issuers'
//! signatures are checked first; endorsements only of records whose issuer signed them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::sender::Sender;
use super::status::Vital;
use crate::crypto::{KnownKeys, PublicKey, SignatureBatch};
use crate::record::{
    BatchError, RecordId, SealedBatch, SignatureRefusal, SignedRecord, SigningContext, UnreadBatch,
};
use crate::shares::{ClientNet, Turns};

/// Records that a worker checks at a time: enough that what they share costs little, few enough
/// that others soon get their turn.
pub(super) const RECORDS_TOGETHER: usize = 256;

/// Signatures that may be checked on the caller's thread.
const SIGNATURES_ALONE: usize = 8;

/// The first of some records that has a signature which does not hold.
#[derive(Debug)]
pub(super) struct FirstFailure {
    /// Which of the records, from 0.
    pub position: usize,
    /// Which of its signatures does not hold.
    pub what: SignatureRefusal,
}

/// A record with its id.
pub(super) type Identified = (RecordId, SignedRecord);

/// Records that were checked.
pub(super) struct Checked {
    /// Those before the first whose signatures do not all hold, in the order in which they came.
    pub records: Vec<Identified>,
    /// The first whose signatures do not all hold.
    pub failure: Option<FirstFailure>,
}

/// Where a batch ends whose records are checked in parts: at the first record with a signature that
/// does not hold. Nothing behind it is worth looking at.
pub(super) struct BatchEnd(AtomicUsize);

impl BatchEnd {
    pub(super) fn open() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(usize::MAX)))
    }

    fn is_before(&self, position: usize) -> bool {
        self.0.load(Ordering::Relaxed) < position
    }

    fn cut_at(&self, position: usize) {
        self.0.fetch_min(position, Ordering::Relaxed);
    }
}

/// A sealed batch whose seal's signature holds, and whose statements have the seal's root.
#[derive(Debug)]
pub(super) struct CheckedBatch {
    /// The batch.
    pub batch: SealedBatch,
    /// The id of the seal.
    pub id: RecordId,
}

/// Why a sealed batch is not one.
#[derive(Debug)]
pub(super) enum BatchFailure {
    /// The seal's signature does not hold: nothing else of it was looked at.
    Signature(SignatureRefusal),
    /// Its statements are not what the seal signs.
    Batch(BatchError),
}

/// What is to be checked, and where it goes afterwards.
struct Job {
    work: Work,
    /// Kept for as long as the work is: who sent it, and what memory it counts for.
    _sender: Sender,
}

enum Work {
    /// Records, each with signatures of its own.
    Records {
        records: Vec<SignedRecord>,
        /// The place in the batch of the first of them.
        position: usize,
        end: Arc<BatchEnd>,
        reply: oneshot::Sender<Checked>,
    },
    /// A sealed batch: one signature, then its statements.
    Batch {
        batch: Box<UnreadBatch>,
        reply: oneshot::Sender<Result<CheckedBatch, BatchFailure>>,
    },
    /// A sealed batch whose seal is in already: one signature, and whether these are its statements.
    Replay {
        batch: Box<UnreadBatch>,
        reply: oneshot::Sender<Result<(), BatchFailure>>,
    },
}

impl Job {
    /// Whether nobody needs the verdict any more: the sender is gone, or the batch ends before it.
    fn is_moot(&self) -> bool {
        match &self.work {
            Work::Records {
                position,
                end,
                reply,
                ..
            } => reply.is_closed() || end.is_before(*position),
            Work::Batch { reply, .. } => reply.is_closed(),
            Work::Replay { reply, .. } => reply.is_closed(),
        }
    }

    /// How many records it takes the time of.
    fn weight(&self) -> usize {
        match &self.work {
            Work::Records { records, .. } => records.len(),
            // One at a time: the first signature, and much to decode.
            Work::Batch { .. } | Work::Replay { .. } => RECORDS_TOGETHER,
        }
    }
}

/// What became of a check on the caller's thread.
pub(super) enum CheckedAlone {
    /// All was checked.
    Done(Checked),
    /// Nothing was checked: the records are for the threads.
    Busy(Vec<SignedRecord>),
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
    /// Jobs that no thread has taken: networks in turn, of each the oldest first.
    jobs: Turns<ClientNet, Job>,
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

    /// Checks that were begun and have not ended, and those that wait for a thread.
    pub(super) fn under_way(&self) -> usize {
        let waiting = self.pool.waiting();
        waiting.under_way + waiting.jobs.len()
    }

    /// Checks records on the caller's thread, if they are few and no others are being checked: on a
    /// quiet server, waking a worker takes longer than the check.
    pub(super) fn check_alone(&self, records: Vec<SignedRecord>) -> CheckedAlone {
        let signatures = records
            .iter()
            .map(|record| 1 + record.endorsements().len())
            .sum::<usize>();
        if signatures > SIGNATURES_ALONE {
            return CheckedAlone::Busy(records);
        }
        {
            let mut waiting = self.pool.waiting();
            if waiting.under_way > 0 || !waiting.jobs.is_empty() {
                return CheckedAlone::Busy(records);
            }
            waiting.under_way += 1;
        }
        let failure = self.pool.first_failures(&[records.as_slice()]).pop();
        self.pool.waiting().under_way -= 1;
        CheckedAlone::Done(self.pool.identify(records, failure.flatten()))
    }

    /// Hands a part of a batch to the threads, the first of which stands at a position in it. The
    /// receiver gets an error if the thread that took them panicked, or the batch ends before them.
    pub(super) fn check(
        &self,
        sender: &Sender,
        records: Vec<SignedRecord>,
        position: usize,
        end: &Arc<BatchEnd>,
    ) -> oneshot::Receiver<Checked> {
        let (reply, checked) = oneshot::channel();
        let work = Work::Records {
            records,
            position,
            end: Arc::clone(end),
            reply,
        };
        self.push(sender, work);
        checked
    }

    /// Hands a sealed batch to the threads. The receiver gets an error if the thread that took it
    /// panicked.
    pub(super) fn check_batch(
        &self,
        sender: &Sender,
        batch: UnreadBatch,
    ) -> oneshot::Receiver<Result<CheckedBatch, BatchFailure>> {
        let (reply, checked) = oneshot::channel();
        let batch = Box::new(batch);
        self.push(sender, Work::Batch { batch, reply });
        checked
    }

    /// Hands a sealed batch to the threads whose seal is in already: nothing of it is decoded. The receiver gets
    /// an error if the thread that took it panicked.
    pub(super) fn check_replay(
        &self,
        sender: &Sender,
        batch: UnreadBatch,
    ) -> oneshot::Receiver<Result<(), BatchFailure>> {
        let (reply, checked) = oneshot::channel();
        let batch = Box::new(batch);
        self.push(sender, Work::Replay { batch, reply });
        checked
    }

    fn push(&self, sender: &Sender, work: Work) {
        let job = Job {
            work,
            _sender: sender.clone(),
        };
        self.pool.waiting().jobs.push(sender.net, job);
        self.pool.ready.notify_one();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let left = {
            let mut waiting = self.pool.waiting();
            waiting.closed = true;
            // Askers borrow the log that these are a part of: none is left to answer.
            std::mem::take(&mut waiting.jobs)
        };
        drop(left);
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
        let (mut jobs, mut moot) = (Vec::new(), Vec::new());
        let mut records = 0;
        while let Some((_, job)) = waiting.jobs.front() {
            if !job.is_moot() {
                records += job.weight();
                if !jobs.is_empty() && records > RECORDS_TOGETHER {
                    break;
                }
                jobs.extend(waiting.jobs.pop());
            } else {
                moot.extend(waiting.jobs.pop());
            }
        }
        waiting.under_way += 1;
        drop(waiting);
        let any = !jobs.is_empty() || !moot.is_empty();
        // Not under the lock: they may hold much.
        drop(moot);
        self.check_jobs(jobs);
        self.waiting().under_way -= 1;
        any
    }

    fn check_jobs(&self, jobs: Vec<Job>) {
        let parts: Vec<&[SignedRecord]> = jobs
            .iter()
            .filter_map(|job| match &job.work {
                Work::Records { records, .. } => Some(records.as_slice()),
                Work::Batch { .. } | Work::Replay { .. } => None,
            })
            .collect();
        let mut failures = self.first_failures(&parts).into_iter();
        for job in jobs {
            // The asker may have been dropped: nobody needs the answer then.
            match job.work {
                Work::Records {
                    records,
                    position,
                    end,
                    reply,
                } => {
                    // A verdict that is missing counts as a signature that does not hold.
                    let failure = failures.next().unwrap_or(Some(FirstFailure {
                        position: 0,
                        what: SignatureRefusal::Issuer,
                    }));
                    if let Some(failure) = &failure {
                        end.cut_at(position + failure.position);
                    }
                    let _ = reply.send(self.identify(records, failure));
                }
                Work::Batch { batch, reply } => {
                    let _ = reply.send(self.open(*batch));
                }
                Work::Replay { batch, reply } => {
                    let _ = reply.send(self.check_replay(&batch));
                }
            }
        }
    }

    fn check_seal(&self, batch: &UnreadBatch) -> Result<(), BatchFailure> {
        let seal = std::slice::from_ref(batch.seal());
        let failed = self.first_failures(&[seal]).pop();
        match failed.flatten() {
            None => Ok(()),
            Some(failure) => Err(BatchFailure::Signature(failure.what)),
        }
    }

    /// Checks the signature of a seal that is in already, and that the statements are those that it signs.
    fn check_replay(&self, batch: &UnreadBatch) -> Result<(), BatchFailure> {
        self.check_seal(batch)?;
        batch.check_root().map_err(BatchFailure::Batch)
    }

    /// Checks the seal's signature, and only then looks at the statements.
    fn open(&self, batch: UnreadBatch) -> Result<CheckedBatch, BatchFailure> {
        self.check_seal(&batch)?;
        let id = self.context.id(batch.seal().bytes());
        let batch = batch.decode().map_err(BatchFailure::Batch)?;
        Ok(CheckedBatch { batch, id })
    }

    /// The first failure in each of some parts. Issuers' signatures are all checked first, and the
    /// endorsements of those records alone that stand before a part's first failure.
    fn first_failures(&self, parts: &[&[SignedRecord]]) -> Vec<Option<FirstFailure>> {
        let mut batch = SignatureBatch::default();
        for signed in parts.iter().copied().flatten() {
            signed.add_issuer_to(&self.context, &self.keys, &mut batch);
        }
        let mut verdicts = batch.verdicts().into_iter();
        let mut failures: Vec<Option<FirstFailure>> = parts
            .iter()
            .map(|part| {
                // Each part takes its own verdicts, those behind the first failure too.
                let of_part: Vec<bool> = verdicts.by_ref().take(part.len()).collect();
                // A verdict that is missing counts as a signature that does not hold.
                let position = of_part
                    .iter()
                    .position(|holds| !holds)
                    .unwrap_or(of_part.len());
                (position < part.len()).then_some(FirstFailure {
                    position,
                    what: SignatureRefusal::Issuer,
                })
            })
            .collect();
        self.check_endorsements(parts, &mut failures);
        failures
    }

    fn check_endorsements(&self, parts: &[&[SignedRecord]], failures: &mut [Option<FirstFailure>]) {
        let mut batch = SignatureBatch::default();
        // The part, the position in it and the endorser of each signature.
        let mut endorsed: Vec<(usize, usize, PublicKey)> = Vec::new();
        for (number, (part, failure)) in parts.iter().zip(&*failures).enumerate() {
            let end = failure
                .as_ref()
                .map_or(part.len(), |failure| failure.position);
            for (position, signed) in part.iter().take(end).enumerate() {
                signed.add_endorsements_to(&self.context, &self.keys, &mut batch);
                let keys = signed.endorsements().iter();
                endorsed.extend(keys.map(|endorsement| (number, position, endorsement.key)));
            }
        }
        let mut verdicts = batch.verdicts().into_iter();
        let mut ended = None;
        for (number, position, key) in endorsed {
            // A verdict that is missing counts as a signature that does not hold.
            if verdicts.next().unwrap_or(false) || ended == Some(number) {
                continue;
            }
            // All of these stand before the part's first record that its issuer did not sign.
            ended = Some(number);
            if let Some(failure) = failures.get_mut(number) {
                let what = SignatureRefusal::Endorsement(key);
                *failure = Some(FirstFailure { position, what });
            }
        }
    }

    /// The records before the first failure, with their ids.
    fn identify(&self, mut records: Vec<SignedRecord>, failure: Option<FirstFailure>) -> Checked {
        if let Some(failure) = &failure {
            records.truncate(failure.position);
        }
        let records = records
            .into_iter()
            .map(|signed| (self.context.id(signed.bytes()), signed))
            .collect();
        Checked { records, failure }
    }
}
