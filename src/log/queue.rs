//! Submissions that wait for the sequencer: bounded, and fair per issuer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

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
    pub(super) fn take(&self, records_max: usize) -> Vec<Submission> {
        let (mut taken, mut gone) = (Vec::new(), Vec::new());
        let mut records = 0;
        let mut lanes = self.lanes();
        while records < records_max
            && let Some(submission) = lanes.waiting.pop()
        {
            if submission.reply.is_closed() {
                gone.push(submission);
            } else {
                records += submission.said.entries();
                taken.push(submission);
            }
        }
        drop(lanes);
        // Not under the lock: they may hold much.
        drop(gone);
        taken
    }

    /// Returns when something waits; `false` when nothing does and nothing will.
    pub(super) async fn wait(&self) -> bool {
        loop {
            let ready = self.ready.notified();
            {
                let lanes = self.lanes();
                if !lanes.waiting.is_empty() {
                    return true;
                }
                if lanes.phase != Phase::Open {
                    return false;
                }
            }
            ready.await;
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
