//! What a process does that shares a log and does not lead it: it takes in what others commit,
//! publishes that, refuses records, and leads when nobody else does.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::following::{Follower, Stated};
use super::intake::NEVER_LEADS;
use super::leadership::{SharedLog, Watch};
use super::publisher::{Publisher, ends_in_state};
use super::queue::{Queue, Reply};
use super::reader::Reader;
use super::recovery::{Recovered, RecoveryError};
use super::signed_elsewhere::{Uncovered, Waiting};
use super::state_roots::{ProvenStates, StateRoots};
use crate::ledger::State;
use crate::record::{Index, TimeMs};
use crate::store::blobs::{Beat, Fencing, Progress};
use crate::store::{Batch, Bytes, StoreError};

/// Submissions that are refused at a time.
const REFUSED_TOGETHER: usize = 1024;
/// Pause after a store that can't be read.
const PAUSE: Duration = Duration::from_secs(1);

/// A process that follows.
pub(super) struct Standby<'a> {
    pub shared: &'a SharedLog,
    pub reader: &'a Reader,
    pub publisher: &'a Publisher,
    /// What readers see.
    pub state: &'a RwLock<State>,
    pub roots: &'a mut StateRoots,
    pub proven: &'a ProvenStates,
    pub queue: &'a Queue,
}

/// Why a process follows no more.
pub(super) enum Ended {
    /// It leads, from this state on.
    Leads(Box<Recovered>),
    /// The log is being closed.
    Closed,
    /// What others committed can't be what it should be, or can't be published: it must not lead, and
    /// serves what it had.
    Wrong(String),
}

/// What comes next for a follower.
enum Next {
    Progress(Progress),
    Beat(Option<Beat>),
    /// The checkpoint beside the chain, for a process that has no key of the log.
    Checkpoint(Option<Bytes>),
    /// Nothing was there so far.
    Nothing,
    /// Too much waits for a checkpoint.
    Full,
}

/// When the store is asked for what.
struct Due {
    /// More is there, or may be.
    more: bool,
    beat: Instant,
    floors: Instant,
    /// Of a process that has no key of the log.
    checkpoint: Option<Instant>,
    /// Whether more may be taken in.
    has_room: bool,
}

impl Standby<'_> {
    /// Follows until it leads. `at_once`: it tries to lead as soon as it has all that there is, unless another
    /// began to lead meanwhile.
    pub(super) async fn run(
        mut self,
        mut follower: Follower,
        mut watch: Watch,
        at_once: bool,
    ) -> Ended {
        let mut at_once = at_once;
        let mut made_for = None;
        let mut told: Option<String> = None;
        let mut says_that_it_waits = !at_once;
        let now = Instant::now();
        let mut due = Due {
            more: true,
            beat: now,
            floors: now,
            checkpoint: (!self.shared.has_key).then_some(now),
            has_room: true,
        };
        let mut waiting = Waiting::default();
        loop {
            due.has_room = waiting.has_room();
            let next = tokio::select! {
                biased;
                () = refuse_all(self.queue) => return Ended::Closed,
                made = self.roots.finished() => {
                    match made {
                        Ok(()) => self.publish_proven(made_for.take()),
                        Err(why) => return Ended::Wrong(why),
                    }
                    continue;
                }
                next = look(self.shared, &mut due, &watch) => next,
            };
            let next = match next {
                Ok(next) => next,
                Err(error) => {
                    // Told once: it is asked again each second.
                    let why = error.to_string();
                    if told.as_ref() != Some(&why) {
                        tracing::error!(%error, "the log can't be followed now");
                        told = Some(why);
                    }
                    sleep(PAUSE).await;
                    continue;
                }
            };
            told = None;
            let taken = match next {
                Next::Progress(Progress::Batch(batch)) => {
                    watch.committed();
                    let taken = self.take(&mut follower, batch, true).await;
                    self.taken_in(taken, &follower, &mut waiting).await
                }
                Next::Progress(Progress::Packed(batch)) => {
                    watch.committed();
                    self.take(&mut follower, batch, false).await
                }
                Next::Progress(Progress::AtFloor(_)) => {
                    let taken = follower.take(self.reader, Vec::new(), true).await;
                    let taken = taken.map_err(|error| why_not(&error));
                    self.taken_in(taken, &follower, &mut waiting).await
                }
                Next::Full => Ok(Vec::new()),
                Next::Progress(Progress::Fence(session)) => {
                    tracing::info!(%session, "another server leads from here on");
                    watch.fenced(session);
                    at_once = false;
                    due.beat = Instant::now();
                    Ok(Vec::new())
                }
                Next::Beat(beat) => {
                    watch.beat(beat);
                    self.publisher.status.0.follow(watch.leader());
                    if std::mem::take(&mut says_that_it_waits)
                        && !watch.is_over(self.shared.address())
                    {
                        // A server that is alone can't know that it is.
                        let leader = watch.leader().unwrap_or_default();
                        let seconds = self.shared.timing.silence.as_secs();
                        match self.shared.has_key {
                            true => tracing::info!(
                                leader,
                                "this server follows: it leads when the last leader gives no sign of life for {seconds} s"
                            ),
                            false => tracing::info!(leader, "{NEVER_LEADS}"),
                        }
                    }
                    Ok(Vec::new())
                }
                Next::Checkpoint(note) => {
                    waiting.saw(note);
                    self.publish_covered(&follower, &mut waiting, false).await
                }
                Next::Progress(Progress::End) if !self.shared.has_key => {
                    let stated = self.publish_covered(&follower, &mut waiting, true).await;
                    if waiting.is_empty() {
                        self.shared.is_caught_up();
                    }
                    stated
                }
                Next::Nothing if !self.shared.has_key => {
                    if waiting.is_empty() {
                        self.shared.is_caught_up();
                    }
                    Ok(Vec::new())
                }
                Next::Progress(Progress::End) | Next::Nothing => {
                    self.shared.is_caught_up();
                    if at_once || watch.is_over(self.shared.address()) {
                        // Only behind the end of the chain, floors included, is a fence worth a try.
                        match self.try_to_lead(&follower, &mut due, &mut watch).await {
                            Some(ended) => return ended,
                            None => at_once = false,
                        }
                    }
                    Ok(Vec::new())
                }
            };
            match taken {
                Ok(stated) => {
                    // The newest alone: each takes as long as what changed.
                    if let Some(Stated { index, state }) = stated.into_iter().next_back()
                        && self.roots.is_free()
                    {
                        made_for = Some(index);
                        self.roots.begin(state.image_for_proofs());
                    }
                }
                Err(why) => return Ended::Wrong(why),
            }
        }
    }

    /// Takes entries in.
    async fn take(
        &self,
        follower: &mut Follower,
        batch: Batch,
        ends_a_commit: bool,
    ) -> Result<Vec<Stated>, String> {
        let taken = follower.take(self.reader, batch.entries, ends_a_commit);
        taken.await.map_err(|error| why_not(&error))
    }

    /// Publishes what was taken in: it is durable, and all that it rests on. Without a key of the log, as far as a
    /// checkpoint covers it.
    async fn taken_in(
        &self,
        taken: Result<Vec<Stated>, String>,
        follower: &Follower,
        waiting: &mut Waiting,
    ) -> Result<Vec<Stated>, String> {
        let stated = taken?;
        if !self.shared.has_key {
            waiting.push(Uncovered {
                head: follower.head(),
                state: follower.state().clone(),
                stated: stated.into_iter().next_back(),
            });
            return self.publish_covered(follower, waiting, false).await;
        }
        self.show(follower.state().clone());
        let (keys, head) = (follower.log_keys(), follower.head());
        let ends_in_state = ends_in_state(follower.state());
        self.publisher.publish(&keys, head, ends_in_state).await?;
        Ok(stated)
    }

    /// Publishes what the checkpoint beside the chain covers of what was taken in.
    async fn publish_covered(
        &self,
        follower: &Follower,
        waiting: &mut Waiting,
        is_end: bool,
    ) -> Result<Vec<Stated>, String> {
        let published = Arc::clone(self.publisher.status.0.now().published());
        let globals = follower.state().globals();
        let at = TimeMs(self.publisher.clock.wall_ms());
        let covered = waiting.covered(self.reader, &published, globals, is_end, at);
        let Some((end, published)) = covered.await? else {
            return Ok(Vec::new());
        };
        self.show(end.state);
        self.publisher.tell(published).await?;
        Ok(end.stated.into_iter().collect())
    }

    /// Shows readers a state, which is published next.
    fn show(&self, state: State) {
        let before = {
            let mut shown = self.state.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *shown, state)
        };
        // It frees pages: not under the lock, nor on a thread that serves.
        tokio::task::spawn_blocking(move || drop(before));
    }

    /// Gives readers the state that a state entry speaks of, to prove things from.
    fn publish_proven(&mut self, index: Option<Index>) {
        let (Some(made), Some(index)) = (self.roots.take_made(), index) else {
            return;
        };
        if self.shared.has_key {
            self.shared.saver.offer(index, &made, false);
        }
        if let Some(gone) = self.proven.publish(index, made) {
            self.roots.drop_elsewhere(gone);
        }
    }

    /// Creates a fence, once all is taken in and every state root was compared. `None` if this process does not
    /// lead now.
    async fn try_to_lead(
        &self,
        follower: &Follower,
        due: &mut Due,
        watch: &mut Watch,
    ) -> Option<Ended> {
        let recovered = match follower.settled().await {
            Ok(recovered) => recovered,
            Err(error) => return Some(Ended::Wrong(why_not(&error))),
        };
        due.more = true;
        let fenced = tokio::select! {
            () = refuse_all(self.queue) => return Some(Ended::Closed),
            fenced = self.shared.store.fence() => fenced,
        };
        match fenced {
            Ok(Fencing::Leads) => return Some(Ended::Leads(Box::new(recovered))),
            Ok(Fencing::Beaten | Fencing::Void) => {}
            Err(error) => {
                tracing::error!(%error, "this server does not know whether it leads, and follows");
                sleep(PAUSE).await;
            }
        }
        // What stands in its place says who leads: until that was read, nobody's silence is long.
        watch.committed();
        None
    }
}

/// What comes next. Cancel safe.
async fn look(shared: &SharedLog, due: &mut Due, watch: &Watch) -> Result<Next, StoreError> {
    let (store, timing) = (&shared.store, shared.timing);
    let now = Instant::now();
    if due.beat <= now
        && let Some(session) = watch.session()
    {
        let beat = Beat::get(&**store.blobs(), session, store.patience()).await?;
        due.beat = now + timing.beat / 2;
        return Ok(Next::Beat(beat));
    }
    if let Some(at) = &mut due.checkpoint
        && *at <= now
    {
        let note = store.checkpoint().await?;
        *at = now + timing.beat / 2;
        return Ok(Next::Checkpoint(note));
    }
    if !due.has_room {
        sleep(timing.poll).await;
        return Ok(Next::Full);
    }
    if !due.more && due.floors > now {
        sleep(timing.poll).await;
        if !store.has_next().await? {
            return Ok(Next::Nothing);
        }
        due.more = true;
    }
    let progress = store.follow().await?;
    due.more = progress != Progress::End;
    if !due.more {
        due.floors = Instant::now() + timing.floors;
    }
    Ok(Next::Progress(progress))
}

/// Longer than any issuer rests after a refused batch.
const RESTED: Duration = Duration::from_secs(3600);

/// Refuses what waits, again and again; returns when the log is being closed.
async fn refuse_all(queue: &Queue) {
    while queue.wait().await {
        // Nobody need rest: to refuse them costs nothing.
        let rested = Instant::now() + RESTED;
        for submission in queue.take(REFUSED_TOGETHER, rested) {
            // The sender may have gone.
            let _ = submission.reply.send(Reply::NotLeading);
        }
    }
}

fn why_not(error: &RecoveryError) -> String {
    format!("what another server committed can't be taken in: {error}")
}
