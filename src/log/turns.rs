//! Leading and following in turn, for a log that several processes share. A log of its own is led from its
//! start to its end.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::following::Follower;
use super::leadership::{Beating, Watch};
use super::recovery::Recovered;
use super::sequencer::Sequencer;
use super::sharing::{DurableState, Led, Sharing, drop_elsewhere};
use super::shown::Showing;
use super::standby::{Ended, Standby};
use super::status::Status;
use crate::store::blobs::{Session, Standing};
use crate::store::{BoxFuture, CommitOutcome};

impl Sequencer {
    /// Runs until the log is closed.
    pub(super) async fn run(mut self) {
        match self.sharing.take() {
            // It ends when the log is closed alone: nobody else can lead.
            None => drop(self.lead().await),
            Some(sharing) => self.take_turns(sharing).await,
        }
        if !self.queue.0.is_abandoned() {
            self.save_last();
        }
        self.keeper.finish();
    }

    async fn take_turns(&mut self, sharing: Sharing) {
        let shared = Arc::clone(&sharing.shared);
        let session = shared.store.session().await;
        let mut watch = Watch::begin(shared.timing, session);
        if shared.is_patient {
            watch = watch.patiently();
        }
        self.sharing = Some(sharing);
        loop {
            match self.follow(watch).await {
                Ended::Closed => return,
                Ended::Leads(recovered) => self.begin_to_lead(*recovered),
                Ended::Wrong(why) => {
                    self.halt(&why);
                    // Each submission is refused, with why.
                    let _ = self.lead().await;
                    return;
                }
            }
            let Some(session) = shared.store.session().await else {
                // A process that leads created a fence.
                return self.halt("a process leads without a session");
            };
            tracing::info!(%session, "this server leads");
            let status = Arc::clone(&self.publisher.status.0);
            let showing = Showing::start(Arc::clone(&shared), Arc::clone(&status));
            let beating = Beating::start(Arc::clone(&shared), status, session);
            let led = self.lead().await;
            drop(beating);
            match led {
                Led::Closed if self.queue.0.is_abandoned() => return,
                Led::Closed => {
                    shared.store.stand_down().await;
                    let published = Arc::clone(self.publisher.status.0.now().published());
                    showing.finish(&published).await;
                    shared.say_left(session, Standing::Left).await;
                    return;
                }
                Led::LeftTo(to) => {
                    tracing::info!(to, "this server leads no more: another was named");
                    self.leave(session, to).await;
                }
                Led::Lost => tracing::warn!("this server leads no more"),
            }
            if matches!(self.publisher.status.0.now(), Status::Halted { .. }) {
                let _ = self.lead().await;
                return;
            }
            watch = Watch::begin(shared.timing, shared.store.session().await);
        }
    }

    /// Follows what others commit, from the newest state on that is durable and published.
    async fn follow(&mut self, watch: Watch) -> Ended {
        self.publisher.status.0.follow(None);
        let Some(sharing) = &mut self.sharing else {
            return Ended::Closed;
        };
        let at_once = std::mem::take(&mut sharing.is_undecided);
        let Some(DurableState { state, tree }) = sharing.durable.take() else {
            return Ended::Wrong("the state that is durable is missing".to_owned());
        };
        let standby = Standby {
            shared: &sharing.shared,
            reader: &self.reader,
            publisher: &self.publisher,
            state: &self.state,
            roots: &mut self.roots,
            proven: &self.proven,
            queue: &self.queue.0,
        };
        let follower = Follower::resume(state, tree, sharing.shared.signatures);
        standby.run(follower, watch, at_once).await
    }

    fn begin_to_lead(&mut self, recovered: Recovered) {
        let Recovered { state, tree, .. } = recovered;
        self.tree = tree.clone();
        // What a follower began is of no use: the root that comes next goes into the log.
        self.roots.forget();
        let before = {
            let mut current = self.state.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, state.clone())
        };
        drop_elsewhere(before);
        if let Some(sharing) = &mut self.sharing {
            let durable = DurableState { state, tree };
            sharing.durable = Some(durable);
        }
        if let Some(evidence) = &mut self.evidence {
            evidence.begin_to_lead(self.tree.size());
        }
        self.publisher.status.0.lead();
    }

    /// Makes room for the process at an address.
    async fn leave(&mut self, session: Session, to: String) {
        let Some(sharing) = &self.sharing else {
            return;
        };
        sharing.shared.store.stand_down().await;
        let shared = Arc::clone(&sharing.shared);
        shared.say_left(session, Standing::LeftTo(to)).await;
    }

    /// Takes what was judged back to the newest state that is durable and published. Those who were to be
    /// answered from what was judged since are told to come again.
    pub(super) fn roll_back(&mut self, is_undecided: bool) {
        let Some(sharing) = &mut self.sharing else {
            return;
        };
        sharing.is_undecided = is_undecided;
        let Some(DurableState { state, tree }) = sharing.durable.clone() else {
            return;
        };
        self.tree = tree;
        let (before, epoch) = {
            let mut current = self.state.write().unwrap_or_else(PoisonError::into_inner);
            let epoch = self.publisher.epoch.fetch_add(1, Ordering::AcqRel) + 1;
            (std::mem::replace(&mut *current, state), epoch)
        };
        drop_elsewhere(before);
        self.roots.forget();
        let status = &self.publisher.status.0;
        let published = Arc::clone(status.now().published());
        status.publish(published, epoch);
    }

    /// Of a leader without a sign that it leads for a while: the question whether it does, which is answered as
    /// a commit is. What it would refuse rests on a state that may be out of date.
    pub(super) fn must_confirm(&self) -> Option<BoxFuture<'static, CommitOutcome>> {
        let shared = &self.sharing.as_ref()?.shared;
        if shared.is_fresh() {
            return None;
        }
        let store = shared.store.clone();
        Some(Box::pin(async move {
            match store.confirm().await {
                Ok(true) => CommitOutcome::Committed,
                Ok(false) => CommitOutcome::Deposed,
                Err(error) => CommitOutcome::Unknown(error),
            }
        }))
    }
}
