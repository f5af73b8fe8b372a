//! What waits for the sequencer: bounded, and fair per issuer.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::Published;
use super::workers::Identified;
use crate::crypto::PublicKey;
use crate::ledger::Refusal;
use crate::record::Index;
use std::sync::Arc;

/// All issuers' waiting submissions; beyond it a sender is told to come again.
const SUBMISSIONS_MAX: usize = 16_384;
/// One issuer's: a flood by one leaves room for the others.
const SUBMISSIONS_PER_ISSUER_MAX: usize = 64;

/// Verified records of one issuer, and where the answer goes.
pub(super) struct Submission {
    pub issuer: PublicKey,
    pub records: Arc<Vec<Identified>>,
    /// What is wrong with the record after these, if one was cut off.
    pub after: Option<Refusal>,
    pub reply: oneshot::Sender<Answer>,
}

/// The sequencer's word on a submission, after all that it depends on is published.
#[derive(Debug)]
pub(super) enum Answer {
    /// The first records were admitted at these indexes; the one after them was refused, if any.
    Judged {
        indexes: Vec<Index>,
        refusal: Option<Refusal>,
        published: Arc<Published>,
    },
    /// Nothing is known to be admitted; the sender should ask again.
    Unavailable(String),
}

/// Why a submission was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Issuer,
    All,
    Closed,
}

#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    ready: Notify,
}

#[derive(Default)]
struct Inner {
    waiting: HashMap<PublicKey, VecDeque<Submission>>,
    /// Issuers with something waiting, whose turn is next at the front.
    turns: VecDeque<PublicKey>,
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
    /// New ones are refused, and those that waited were dropped: nobody is left to answer.
    Abandoned,
}

impl Queue {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn len(&self) -> usize {
        self.inner().len
    }

    pub fn push(&self, submission: Submission) -> Result<(), Full> {
        let mut inner = self.inner();
        if inner.phase != Phase::Open {
            return Err(Full::Closed);
        }
        if inner.len >= SUBMISSIONS_MAX {
            return Err(Full::All);
        }
        let issuer = submission.issuer;
        let waiting = inner.waiting.entry(issuer).or_default();
        if waiting.len() >= SUBMISSIONS_PER_ISSUER_MAX {
            return Err(Full::Issuer);
        }
        waiting.push_back(submission);
        if waiting.len() == 1 {
            inner.turns.push_back(issuer);
        }
        inner.len += 1;
        drop(inner);
        self.ready.notify_one();
        Ok(())
    }

    /// One submission of each issuer in turn, until so many records are reached.
    pub fn take(&self, records_max: usize) -> Vec<Submission> {
        let mut inner = self.inner();
        let mut taken = Vec::new();
        let mut records = 0;
        while records < records_max {
            let Some(issuer) = inner.turns.pop_front() else {
                break;
            };
            let Some(waiting) = inner.waiting.get_mut(&issuer) else {
                continue;
            };
            if let Some(submission) = waiting.pop_front() {
                records += submission.records.len();
                taken.push(submission);
            }
            if waiting.is_empty() {
                inner.waiting.remove(&issuer);
            } else {
                inner.turns.push_back(issuer);
            }
        }
        inner.len -= taken.len();
        taken
    }

    /// Returns when something waits; `false` when nothing does and nothing will.
    pub async fn wait(&self) -> bool {
        loop {
            let ready = self.ready.notified();
            {
                let inner = self.inner();
                if inner.len > 0 {
                    return true;
                }
                if inner.phase != Phase::Open {
                    return false;
                }
            }
            ready.await;
        }
    }

    /// Takes no more; what waits is still to be answered.
    pub fn close(&self) {
        {
            let mut inner = self.inner();
            if inner.phase == Phase::Open {
                inner.phase = Phase::Closed;
            }
        }
        self.ready.notify_one();
    }

    /// Takes no more, and drops what waits: for a log that nobody holds any more.
    pub fn abandon(&self) {
        let waiting = {
            let mut inner = self.inner();
            // A closed queue still saves the state when the last answer is given.
            if inner.phase == Phase::Open {
                inner.phase = Phase::Abandoned;
            }
            inner.turns.clear();
            inner.len = 0;
            std::mem::take(&mut inner.waiting)
        };
        drop(waiting);
        self.ready.notify_one();
    }

    pub fn is_abandoned(&self) -> bool {
        self.inner().phase == Phase::Abandoned
    }
}
