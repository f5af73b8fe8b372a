//! Submissions that wait for the sequencer: bounded, and fair per issuer.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::Published;
use super::workers::Identified;
use crate::crypto::PublicKey;
use crate::ledger::Refusal;
use crate::record::Index;

/// Submissions of all issuers that may wait. Beyond it a sender is told to come again.
const SUBMISSIONS_MAX: usize = 16_384;
/// Submissions of one issuer that may wait: a flood by one leaves room for the others.
const SUBMISSIONS_PER_ISSUER_MAX: usize = 64;

/// Verified records of one issuer, and where the reply goes.
pub(super) struct Submission {
    /// The issuer of all the records.
    pub issuer: PublicKey,
    /// The records, in the order in which they were sent.
    pub records: Arc<Vec<Identified>>,
    /// The refusal for the record behind these, if the sequencer cut one off. It is answered if no
    /// record before it is refused.
    pub trailing: Option<Refusal>,
    /// Where the reply goes. Its receiver may be gone.
    pub reply: oneshot::Sender<Reply>,
}

/// What the sequencer replies to a submission, once all that the reply rests on is published.
#[derive(Debug)]
pub(super) enum Reply {
    /// The records were judged, in order, up to the first that was refused.
    Judged {
        /// Indexes of the records that were admitted, from the first on.
        indexes: Vec<Index>,
        /// The refusal for the next one; `None` if all were admitted.
        refusal: Option<Refusal>,
        /// A checkpoint that covers all that this rests on.
        published: Arc<Published>,
    },
    /// Nothing is known to be admitted, for this reason. The sender sends the same again.
    Unavailable(String),
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

/// A lane for each issuer, served in turn.
#[derive(Default)]
struct Lanes {
    /// Each issuer's submissions, oldest first. No lane is empty.
    waiting: HashMap<PublicKey, VecDeque<Submission>>,
    /// The issuers that have a lane, the next to be served first.
    turns: VecDeque<PublicKey>,
    /// Submissions in all lanes.
    len: usize,
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
        self.lanes().len
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
        if lanes.len >= SUBMISSIONS_MAX {
            return Err(PushError::QueueFull);
        }
        let issuer = submission.issuer;
        let waiting = lanes.waiting.entry(issuer).or_default();
        if waiting.len() >= SUBMISSIONS_PER_ISSUER_MAX {
            return Err(PushError::IssuerFull);
        }
        waiting.push_back(submission);
        if waiting.len() == 1 {
            lanes.turns.push_back(issuer);
        }
        lanes.len += 1;
        drop(lanes);
        self.ready.notify_one();
        Ok(())
    }

    /// Takes one submission of each issuer in turn, until they have `records_max` records or more.
    pub(super) fn take(&self, records_max: usize) -> Vec<Submission> {
        let mut lanes = self.lanes();
        let mut taken = Vec::new();
        let mut records = 0;
        while records < records_max {
            let Some(issuer) = lanes.turns.pop_front() else {
                break;
            };
            // Turns and lanes change together, under one lock: an issuer with a turn has a lane. If it
            // had none, nothing would be lost by skipping it.
            let Some(waiting) = lanes.waiting.get_mut(&issuer) else {
                continue;
            };
            if let Some(submission) = waiting.pop_front() {
                records += submission.records.len();
                taken.push(submission);
            }
            if waiting.is_empty() {
                lanes.waiting.remove(&issuer);
            } else {
                lanes.turns.push_back(issuer);
            }
        }
        lanes.len -= taken.len();
        taken
    }

    /// Returns when something waits; `false` when nothing does and nothing will.
    pub(super) async fn wait(&self) -> bool {
        loop {
            let ready = self.ready.notified();
            {
                let lanes = self.lanes();
                if lanes.len > 0 {
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
            lanes.turns.clear();
            lanes.len = 0;
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
