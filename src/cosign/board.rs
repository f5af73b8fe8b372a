//! What the log knows of its cosigners, for those who are answered from it: which checkpoint stands at
//! `/checkpoint`, which have a level, and how far behind each cosigner is. Written by the task that asks alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::conversation::{AskOutcome, Role};
use super::kept::CosignedCheckpoint;
use crate::note::VerifierKey;
use crate::policy::{Level, Policy};

/// What stands at `/checkpoint`.
#[derive(Clone, Debug)]
pub enum Stands {
    /// The newest checkpoint that the log published: no policy is in force, or it went without a quorum for
    /// longer than the operator allows.
    Newest,
    /// This one, which met the quorum.
    Cosigned(Arc<CosignedCheckpoint>),
    /// This one, which was the newest when the first policy came into force: one that is smaller would look as if
    /// the log had lost entries.
    Before {
        /// The number of its entries.
        size: u64,
        /// The note.
        note: String,
    },
    /// Nothing: no checkpoint has met the quorum yet.
    Nothing {
        /// Who is missing, in words.
        why: String,
    },
}

/// A cosigner of the policy in force.
#[derive(Clone, Debug)]
pub struct CosignerStatus {
    /// What the policy calls it.
    pub name: String,
    /// Its verifier key.
    pub vkey: VerifierKey,
    /// Witness or auditor.
    pub role: Role,
    /// The size of the newest checkpoint that it accepted, as far as is known.
    pub accepted: u64,
    /// The size of the newest checkpoint with its line; none so far.
    pub cosigned: Option<u64>,
    /// When it cosigned that, in seconds since 1970, by its clock.
    pub cosigned_at_s: Option<u64>,
    /// What the last question came to, and why.
    pub last: Option<(AskOutcome, String)>,
    /// How often it was asked, by outcome, since the start.
    pub asks: BTreeMap<AskOutcome, u64>,
}

/// What is known now.
struct State {
    stands: Stands,
    /// The newest checkpoint with each level.
    newest: Vec<(Level, Arc<CosignedCheckpoint>)>,
    /// The newest two that have the whole quorum together, where no one has it that is as new; the smaller first.
    newest_two: Option<[Arc<CosignedCheckpoint>; 2]>,
    /// The last checkpoint that was sent, with the lines that came for it.
    latest: Option<Arc<CosignedCheckpoint>>,
    policy: Option<Arc<Policy>>,
    cosigners: Vec<CosignerStatus>,
    hours: Arc<BTreeSet<u64>>,
}

/// The board. Clones of its `Arc` are with the handlers.
pub struct CosignerBoard {
    state: RwLock<State>,
}

impl Default for CosignerBoard {
    /// Of a log without a policy.
    fn default() -> Self {
        Self {
            state: RwLock::new(State {
                stands: Stands::Newest,
                newest: Vec::new(),
                newest_two: None,
                latest: None,
                policy: None,
                cosigners: Vec::new(),
                hours: Arc::default(),
            }),
        }
    }
}

impl CosignerBoard {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands at `/checkpoint`.
    pub fn stands(&self) -> Stands {
        self.read().stands.clone()
    }

    /// The newest checkpoint with a level.
    pub fn newest_with(&self, level: Level) -> Option<Arc<CosignedCheckpoint>> {
        let state = self.read();
        let mut newest = state.newest.iter();
        newest
            .find(|(of, _)| *of == level)
            .map(|(_, newest)| Arc::clone(newest))
    }

    /// The newest two that have the whole quorum together, the smaller first; `None` if one alone has it that is as new
    /// as the smaller of them.
    pub fn newest_two(&self) -> Option<[Arc<CosignedCheckpoint>; 2]> {
        self.read().newest_two.clone()
    }

    /// The checkpoint of a size with its lines, if it is the last that was sent.
    pub fn latest_of(&self, size: u64) -> Option<Arc<CosignedCheckpoint>> {
        let latest = self.read().latest.clone();
        latest.filter(|latest| latest.head().size == size)
    }

    /// The name of the policy's quorum; `None` while no policy is in force.
    pub fn quorum(&self) -> Option<String> {
        let policy = self.policy();
        policy.map(|policy| policy.quorum().to_owned())
    }

    /// The policy in force.
    pub fn policy(&self) -> Option<Arc<Policy>> {
        self.read().policy.clone()
    }

    /// The cosigners of the policy in force.
    pub fn cosigners(&self) -> Vec<CosignerStatus> {
        self.read().cosigners.clone()
    }

    /// The hours, from 1970 on, of which a checkpoint that met the quorum is kept, behind one; at most `max`.
    pub fn hours_after(&self, after: Option<u64>, max: usize) -> Vec<u64> {
        let hours = Arc::clone(&self.read().hours);
        let from = after.map_or(Unbounded, Excluded);
        hours.range((from, Unbounded)).take(max).copied().collect()
    }

    /// Says what stands at `/checkpoint`.
    pub fn set_stands(&self, stands: Stands) {
        self.write().stands = stands;
    }

    /// Says which checkpoints have levels, which two have the quorum together, which was sent last, and of which hours one is kept.
    pub fn set_kept(
        &self,
        newest: Vec<(Level, Arc<CosignedCheckpoint>)>,
        newest_two: Option<[Arc<CosignedCheckpoint>; 2]>,
        latest: Option<Arc<CosignedCheckpoint>>,
        hours: Arc<BTreeSet<u64>>,
    ) {
        let mut state = self.write();
        state.newest = newest;
        state.newest_two = newest_two;
        state.latest = latest;
        state.hours = hours;
    }

    /// Says who the cosigners are, and how far each one is.
    pub fn set_cosigners(&self, policy: Option<Arc<Policy>>, cosigners: Vec<CosignerStatus>) {
        let mut state = self.write();
        state.policy = policy;
        state.cosigners = cosigners;
    }
}

/// Whether a checkpoint that met the quorum is too old to stand, if an operator allows the log to go without a
/// quorum for no longer than this.
pub fn is_overdue(cosigned_at_s: u64, now_s: u64, without_quorum: Option<Duration>) -> bool {
    without_quorum.is_some_and(|most| now_s.saturating_sub(cosigned_at_s) > most.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_flag_no_checkpoint_is_overdue() {
        assert!(!is_overdue(0, u64::MAX, None));
        let most = Some(Duration::from_secs(60));
        assert!(!is_overdue(1000, 1060, most));
        assert!(is_overdue(1000, 1061, most));
        // A cosigner's clock may be ahead.
        assert!(!is_overdue(2000, 1000, most));
    }
}
