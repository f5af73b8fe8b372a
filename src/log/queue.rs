//! Submissions that wait for the sequencer: bounded, and fair per issuer. A sealed batch of which one statement is
//! refused is judged to its end and leaves nothing in the log, so that the same could be sent for ever: issuers
//! whose last batch was refused so have a bounded part of the sequencer's time together.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio::time::{Duration, Instant};

use super::Published;
use super::sender::Sender;
use super::workers::{CheckedBatch, Identified};
use crate::crypto::PublicKey;
use crate::ledger::{BatchRefusal, Refusal};
use crate::record::{Index, Statement};
use crate::shares::Turns;

/// Submissions of all issuers that may wait. Beyond it a sender is told to come again.
const SUBMISSIONS_MAX: usize = 16_384;
/// Submissions of one issuer that may wait: a flood by one leaves room for the others.
const SUBMISSIONS_PER_ISSUER_MAX: usize = 64;

/// For as many times as long as it took to judge a batch that was refused, no other batch of issuers with such a
/// batch is judged: a quarter of the sequencer's time is the most that they take.
const REST_FACTOR: u32 = 3;
/// A submission of no more entries than this is taken though the entries of a commit are reached.
const FEW: usize = 64;
/// Entries of such submissions that are taken together.
const FEW_TOGETHER: usize = 1_024;
/// The longest such rest.
const REST_MAX: Duration = Duration::from_secs(10);

/// What one issuer says, with signatures that hold, and where the reply goes.
pub(super) struct Submission {
    /// The issuer of all of it.
    pub issuer: PublicKey,
    /// What is said.
    pub said: Said,
    /// Where the reply goes. Its receiver may be gone.
    pub reply: oneshot::Sender<Reply>,
    /// Who sent it: kept until it is answered.
    pub _sender: Sender,
}

/// What an issuer says.
pub(super) enum Said {
    /// Records, each for itself: they are admitted up to the first bad one.
    Records {
        /// The records, in the order in which they were sent.
        records: Arc<Vec<Identified>>,
        /// The refusal for the record behind these, if the sequencer cut one off. It is answered if
        /// no record before it is refused.
        trailing: Option<Refusal>,
    },
    /// A sealed batch, which is admitted as a whole or not at all.
    Batch(Arc<CheckedBatch>),
}

impl Said {
    /// Number of entries that it would be.
    pub(super) fn entries(&self) -> usize {
        match self {
            Self::Records { records, .. } => records.len(),
            Self::Batch(batch) => batch.batch.statements().len() + 1,
        }
    }

    /// Bytes of these entries, about.
    pub(super) fn bytes(&self) -> usize {
        /// Of an entry beside what is said: of a signed one lineage, signature and lengths.
        const SIGNED_BESIDE: usize = 144;
        const SEALED_BESIDE: usize = 40;
        match self {
            Self::Records { records, .. } => {
                let records = records.iter().map(|(_, signed)| signed.bytes().len());
                records.map(|record| record + SIGNED_BESIDE).sum()
            }
            Self::Batch(batch) => {
                let statements = batch.batch.statements().iter().map(|s| s.bytes().len());
                statements.map(|statement| statement + SEALED_BESIDE).sum()
            }
        }
    }

    /// The earlier entries that its corrections name.
    pub(super) fn targets(&self) -> Vec<Index> {
        match self {
            Self::Records { records, .. } => {
                let statements = records.iter().map(|(_, signed)| &signed.record().statement);
                statements.filter_map(Statement::target).collect()
            }
            Self::Batch(batch) => {
                let statements = batch.batch.statements().iter().map(|s| s.statement());
                statements.filter_map(Statement::target).collect()
            }
        }
    }
}

/// What the sequencer replies to a submission, once all that the reply rests on is published.
#[derive(Debug)]
pub(super) enum Reply {
    /// It was judged.
    Judged {
        /// What was decided.
        verdict: Verdict,
        /// A checkpoint that covers all that this rests on.
        published: Arc<Published>,
    },
    /// Nothing is known to be admitted, for this reason. The sender sends the same again.
    Unavailable(String),
    /// Nothing of it is in the log: another process leads. The sender sends the same there.
    NotLeading,
}

/// What was decided on a submission.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Records were judged, in order, up to the first that was refused.
    Records {
        /// Indexes of the records that were admitted, from the first on.
        indexes: Vec<Index>,
        /// The refusal for the next one; `None` if all were admitted.
        refusal: Option<Refusal>,
    },
    /// A sealed batch is in, its first entry at this index; or nothing of it.
    Batch(Result<Index, BatchRefusal>),
}

/// Why a submission was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PushError {
    /// [`SUBMISSIONS_PER_ISSUER_MAX`] of this issuer wait.
    IssuerFull,
    /// [`SUBMISSIONS_MAX`] wait.
    QueueFull,
    /// The log stops.
    Closed,
}

/// Submissions that wait for the sequencer.
#[derive(Default)]
pub(super) struct Queue {
    lanes: Mutex<Lanes>,
    /// Notified when something waits, or the queue closes.
    ready: Notify,
}

/// Held by the task that takes submissions. When it is dropped, for whatever reason, what waits is
/// dropped too: its senders are told, and do not wait for ever.
pub(super) struct QueueTaker(pub Arc<Queue>);

impl Drop for QueueTaker {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

#[derive(Default)]
struct Lanes {
    /// The submissions: issuers in turn, of each the oldest first.
    waiting: Turns<PublicKey, Submission>,
    phase: Phase,
    /// Issuers whose last sealed batch was judged to its end and refused. Each has a key that was granted a role.
    refused: HashSet<PublicKey>,
    /// When the next submission of one of these may be taken.
    rested_at: Option<Instant>,
}

impl Lanes {
    /// Whether an issuer's last batch was refused. When the queue closes nobody asks: what waits is judged at
    /// once.
    fn was_refused(&self, issuer: &PublicKey) -> bool {
        self.phase == Phase::Open && self.refused.contains(issuer)
    }

    /// Whether a submission of an issuer must wait for the end of a rest.
    fn must_rest(&self, issuer: &PublicKey, now: Instant) -> bool {
        self.rested_at.is_some_and(|at| now < at) && self.was_refused(issuer)
    }
}

/// What becomes of submissions.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// New ones are taken.
    #[default]
    Open,
    /// New ones are refused; those that wait are still judged and answered.
    Closed,
    /// New ones are refused, and those that waited were dropped.
    Abandoned,
}

impl Queue {
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of submissions that wait.
    pub(super) fn len(&self) -> usize {
        self.lanes().waiting.len()
    }

    /// Puts a submission last in its issuer's lane.
    ///
    /// # Errors
    /// [`PushError`] says which limit is reached.
    pub(super) fn push(&self, submission: Submission) -> Result<(), PushError> {
        let mut lanes = self.lanes();
        if lanes.phase != Phase::Open {
            return Err(PushError::Closed);
        }
        if lanes.waiting.len() >= SUBMISSIONS_MAX {
            return Err(PushError::QueueFull);
        }
        let issuer = submission.issuer;
        if lanes.waiting.len_of(&issuer) >= SUBMISSIONS_PER_ISSUER_MAX {
            return Err(PushError::IssuerFull);
        }
        lanes.waiting.push(issuer, submission);
        drop(lanes);
        self.ready.notify_one();
        Ok(())
    }

    /// Takes one submission of each issuer in turn, until they have `records_max` records or more.
    /// Those whose sender is gone are dropped: nothing of them is judged or written.
    ///
    /// Of issuers whose last batch was refused, one submission at most, and only after their rest.
    pub(super) fn take(&self, records_max: usize, now: Instant) -> Vec<Submission> {
        let (mut taken, mut gone) = (Vec::new(), Vec::new());
        let (mut records, mut skipped, mut took_refused) = (0, 0, false);
        let mut lanes = self.lanes();
        while records < records_max
            && skipped < lanes.waiting.keys()
            && let Some(issuer) = lanes.waiting.front().map(|(issuer, _)| *issuer)
        {
            let refused = lanes.was_refused(&issuer);
            if lanes.must_rest(&issuer, now) || (refused && took_refused) {
                lanes.waiting.skip();
                skipped += 1;
                continue;
            }
            let Some(submission) = lanes.waiting.pop() else {
                break;
            };
            if submission.reply.is_closed() {
                gone.push(submission);
            } else {
                records += submission.said.entries();
                took_refused |= refused;
                taken.push(submission);
            }
        }
        // Behind large batches nobody waits with a few records: they are judged with the first of these.
        let is_full = records >= records_max;
        let (mut looked_at, mut few) = (0, 0);
        while is_full
            && few < FEW_TOGETHER
            && looked_at < lanes.waiting.keys()
            && let Some((issuer, submission)) = lanes.waiting.front()
        {
            let entries = submission.said.entries();
            let refused = lanes.was_refused(issuer);
            if refused || entries > FEW || submission.reply.is_closed() {
                lanes.waiting.skip();
                looked_at += 1;
                continue;
            }
            few += entries.max(1);
            taken.extend(lanes.waiting.pop());
        }
        drop(lanes);
        // Not under the lock: they may hold much.
        drop(gone);
        taken
    }

    /// Notes which issuers' sealed batches were refused after all of each was judged, which took them so long
    /// together, and whose were admitted.
    pub(super) fn note_batches(
        &self,
        refused: &[PublicKey],
        admitted: &[PublicKey],
        took: Duration,
        now: Instant,
    ) {
        let mut lanes = self.lanes();
        for issuer in admitted {
            lanes.refused.remove(issuer);
        }
        if !refused.is_empty() {
            lanes.refused.extend(refused);
            lanes.rested_at = Some(now + took.saturating_mul(REST_FACTOR).min(REST_MAX));
        }
    }

    /// Returns when something waits that may be taken; `false` when nothing does and nothing will. Cancel safe.
    pub(super) async fn wait(&self) -> bool {
        loop {
            let ready = self.ready.notified();
            let rested_at = {
                let lanes = self.lanes();
                let now = Instant::now();
                if lanes
                    .waiting
                    .any_key(|issuer| !lanes.must_rest(issuer, now))
                {
                    return true;
                }
                if lanes.phase != Phase::Open {
                    return false;
                }
                lanes.rested_at.filter(|_| !lanes.waiting.is_empty())
            };
            match rested_at {
                None => ready.await,
                // What comes meanwhile may be an issuer's who need not wait.
                Some(at) => tokio::select! {
                    () = ready => {}
                    () = tokio::time::sleep_until(at) => {}
                },
            }
        }
    }

    /// Takes no more; what waits is still to be answered.
    pub(super) fn close(&self) {
        {
            let mut lanes = self.lanes();
            if lanes.phase == Phase::Open {
                lanes.phase = Phase::Closed;
            }
        }
        self.ready.notify_one();
    }

    /// Takes no more, and drops what waits: for a log that was dropped, or whose task ended.
    pub(super) fn abandon(&self) {
        let waiting = {
            let mut lanes = self.lanes();
            // A closed queue still saves the state when the last answer is given.
            if lanes.phase == Phase::Open {
                lanes.phase = Phase::Abandoned;
            }
            std::mem::take(&mut lanes.waiting)
        };
        drop(waiting);
        self.ready.notify_one();
    }

    /// Whether no submission is taken any more.
    pub(super) fn is_closed(&self) -> bool {
        self.lanes().phase != Phase::Open
    }

    /// Whether the log was dropped without being closed.
    pub(super) fn is_abandoned(&self) -> bool {
        self.lanes().phase == Phase::Abandoned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;

    fn issuer(seed: u8) -> PublicKey {
        SigningKey::from_seed(&[seed; 32]).public()
    }

    /// A queue in which each of these waits once; the replies are kept, so that all have a sender.
    fn queue(issuers: &[u8]) -> (Queue, Vec<oneshot::Receiver<Reply>>) {
        let queue = Queue::default();
        let replies = issuers.iter().map(|seed| {
            let (reply, replied) = oneshot::channel();
            let said = Said::Records {
                records: Arc::default(),
                trailing: None,
            };
            let submission = Submission {
                issuer: issuer(*seed),
                said,
                reply,
                _sender: Sender::LOCAL,
            };
            queue.push(submission).ok().unwrap();
            replied
        });
        let replies = replies.collect();
        (queue, replies)
    }

    fn taken(queue: &Queue, now: Instant) -> Vec<PublicKey> {
        let taken = queue.take(100, now);
        taken.iter().map(|submission| submission.issuer).collect()
    }

    #[tokio::test]
    async fn issuers_whose_batches_were_refused_have_a_quarter_of_the_time_together() {
        let (queue, _replies) = queue(&[1, 2, 3, 1, 2]);
        let (now, took) = (Instant::now(), Duration::from_millis(100));
        queue.note_batches(&[issuer(1), issuer(2)], &[], took, now);
        // While they rest, others have their turn, and nobody is waited for who rests.
        assert_eq!(taken(&queue, now), [issuer(3)]);
        assert_eq!(taken(&queue, now + took * 2), []);
        // Then one of them at a time.
        let rested = now + took * 3;
        assert_eq!(taken(&queue, rested), [issuer(1)]);
        queue.note_batches(&[issuer(1)], &[], took, rested);
        assert_eq!(taken(&queue, rested + took), []);
        assert_eq!(taken(&queue, rested + took * 3), [issuer(2)]);
        // One that is admitted ends it.
        queue.note_batches(&[], &[issuer(2)], Duration::ZERO, rested);
        assert_eq!(taken(&queue, rested), [issuer(2)]);
    }

    #[tokio::test]
    async fn a_few_records_are_taken_beside_a_commit_that_is_full() {
        let (queue, _replies) = queue(&[1, 2, 3, 1]);
        let now = Instant::now();
        // Of none of these there are entries: a commit of none is full.
        let all = queue.take(0, now);
        assert_eq!(all.len(), 4);
    }

    #[tokio::test]
    async fn a_queue_that_closes_lets_nobody_rest() {
        let (queue, _replies) = queue(&[1, 1]);
        let now = Instant::now();
        queue.note_batches(&[issuer(1)], &[], Duration::from_secs(3), now);
        queue.close();
        assert!(queue.wait().await);
        assert_eq!(taken(&queue, now), [issuer(1), issuer(1)]);
        assert!(!queue.wait().await);
    }

    #[tokio::test]
    async fn who_waits_for_a_rested_issuer_is_woken_when_it_has_rested() {
        let (queue, _replies) = queue(&[1]);
        let now = Instant::now();
        queue.note_batches(&[issuer(1)], &[], Duration::from_millis(10), now);
        assert!(queue.wait().await);
        assert!(now.elapsed() >= Duration::from_millis(30));
        assert_eq!(taken(&queue, Instant::now()), [issuer(1)]);
    }
}
