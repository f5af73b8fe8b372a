//! The one task that gives entries their order.
//!
//! It judges the next batch while the last one is being made durable, and answers nobody before
//! what the answer rests on is durable and its checkpoint published.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::Published;
use super::batch::{Broken, Judged, Ruling, Targets, judge};
use super::clock::ClockError;
use super::evidence::EvidenceJudge;
use super::keeper::Keeper;
use super::publisher::{Publisher, ends_in_state};
use super::queue::{QueueTaker, Reply, Said, Submission, Verdict};
use super::reader::Reader;
use super::recovery::recover;
use super::sharing::{DurableState, Led, Sharing, asked_to_leave, deposed, drop_elsewhere};
use super::slow_commit::measured;
use super::state_roots::{ProvenState, ProvenStates, StateRoots, UNCOVERED_MAX};
use super::status::Status;
use crate::crypto::PublicKey;
use crate::ledger::{BatchRefusal, Code, Refusal, STATE_LAG_MAX, State};
use crate::merkle::{Bundle, Frontier};
use crate::note::TreeHead;
use crate::record::{
    CodecError, Entry, FullEntry, Index, LogHead, SignedRecord, Statement, TimeMs,
};
use crate::store::{Batch, BoxFuture, CommitOutcome, StateChange, Store, StoreError};

/// A batch takes submissions until it has this many records or more; a submission is never split.
const RECORDS_PER_BATCH: usize = 16_384;

pub(super) struct Sequencer {
    /// Before the store, so that it is dropped first: the directory's lock goes with the store, and
    /// who opens the directory next must find nobody at the saved state.
    pub keeper: Keeper,
    pub reader: Reader,
    pub store: Arc<dyn Store>,
    pub publisher: Publisher,
    /// Of a log that several processes share.
    pub sharing: Option<Sharing>,
    /// A commit that takes longer has a line of the log.
    pub slow_commit: Duration,
    /// What was wrong with the clock when it was last read for a batch, and is in the log.
    pub wrong_clock: Option<ClockError>,
    /// Ahead of what is durable by the batch under way and the one judged after it. Written here
    /// alone.
    pub state: Arc<RwLock<State>>,
    /// Set here alone, before the log halts, when the state contradicted itself.
    pub contradicted: Arc<AtomicBool>,
    /// The tree over all entries that were judged: ahead of what is durable, as `state` is.
    pub tree: Frontier,
    /// Makes the state roots that the log writes into itself.
    pub roots: StateRoots,
    /// The states of the newest state entries, for readers.
    pub proven: Arc<ProvenStates>,
    pub queue: QueueTaker,
    /// Which awards are refused by the evidence that they name, if any are.
    pub evidence: Option<EvidenceJudge>,
}

/// Why submissions were not judged.
enum Unjudged {
    /// The same may be sent again later.
    Unavailable(String),
    /// An invariant is broken: the log halts.
    Broken(String),
}

/// A batch on its way to the store.
struct Flight {
    batch: Arc<Batch>,
    rulings: Vec<Ruling>,
    /// The log's keys as of this batch.
    log_keys: Vec<PublicKey>,
    /// Whether the last of its entries is a state entry.
    ends_in_state: bool,
    /// The batch's state entry and the state that it speaks of, if it has one.
    proven: Option<(Index, Arc<ProvenState>)>,
    /// The state as of this batch, if it is to be saved once the batch is durable.
    change: Option<StateChange>,
    /// The state as of this batch, of a log that several processes share.
    after: Option<DurableState>,
    outcome: BoxFuture<'static, CommitOutcome>,
}

impl Sequencer {
    /// Judges what comes, until the log is closed or this process leads no more.
    pub(super) async fn lead(&mut self) -> Led {
        let mut flight: Option<Flight> = None;
        let store = Arc::clone(&self.store);
        let mut stopped = Some(store.stopped());
        let shared = self.sharing.as_ref().map(|it| Arc::clone(&it.shared));
        loop {
            // A log that halted answers why until it is closed, whoever leads.
            let halted = matches!(self.publisher.status.0.now(), Status::Halted { .. });
            let shared = shared.as_deref().filter(|_| !halted);
            if let Some(shared) = shared {
                if let Some(to) = shared.leaving_to() {
                    // What was judged before lands, and is answered.
                    if let Some(mut under_way) = flight.take() {
                        let outcome = (&mut under_way.outcome).await;
                        self.land(under_way, outcome).await;
                    }
                    return Led::LeftTo(to);
                }
                if flight.is_none() && !shared.store.leads() {
                    return Led::Lost;
                }
            }
            let due = self.root_due();
            let requests = Arc::clone(self.roots.requests());
            // With a batch under way, whichever comes first: its end, or more to judge.
            if let Some(mut under_way) = flight.take() {
                let queue = Arc::clone(&self.queue.0);
                tokio::select! {
                    biased;
                    outcome = &mut under_way.outcome => {
                        self.land(under_way, outcome).await;
                        continue;
                    }
                    made = self.roots.finished() => {
                        flight = Some(under_way);
                        if let Err(why) = made {
                            self.contradict(&why);
                            continue;
                        }
                    }
                    () = sleep_until(due) => {
                        flight = Some(under_way);
                        self.begin_root();
                        continue;
                    }
                    () = requests.wait() => {
                        flight = Some(under_way);
                        continue;
                    }
                    () = asked_to_leave(shared) => {
                        flight = Some(under_way);
                        continue;
                    }
                    true = queue.wait() => flight = Some(under_way),
                    else => {
                        let outcome = (&mut under_way.outcome).await;
                        self.land(under_way, outcome).await;
                        continue;
                    }
                }
            } else {
                let queue = Arc::clone(&self.queue.0);
                let store_stopped = async {
                    match stopped.as_mut() {
                        Some(stopped) => stopped.await,
                        None => std::future::pending().await,
                    }
                };
                // A store can stop between commits too: readiness must not wait for the next one.
                tokio::select! {
                    biased;
                    more = queue.wait() => if !more {
                        return Led::Closed;
                    },
                    () = asked_to_leave(shared) => continue,
                    () = deposed(shared) => continue,
                    made = self.roots.finished() => if let Err(why) = made {
                        self.contradict(&why);
                        continue;
                    },
                    () = sleep_until(due) => {
                        self.begin_root();
                        continue;
                    }
                    () = requests.wait() => continue,
                    error = store_stopped => {
                        stopped = None;
                        self.store_stopped(&error);
                        continue;
                    }
                }
            }
            // A crash before the commit below leaves nothing behind: what is taken and judged is in
            // memory alone, and nobody was answered.
            if let Err(why) = self.wait_for_root().await {
                self.contradict(&why);
            }
            let submissions = match self.covers_first().await {
                Ok(true) => Vec::new(),
                Ok(false) => self.queue.0.take(RECORDS_PER_BATCH, Instant::now()),
                Err(why) => {
                    self.contradict(&why);
                    Vec::new()
                }
            };
            let ahead = flight.as_ref().map(|flight| Arc::clone(&flight.batch));
            let judged = match self.judge(submissions, ahead).await {
                Ok(judged) => judged,
                Err((submissions, unjudged)) => {
                    let why = match unjudged {
                        Unjudged::Unavailable(why) => why,
                        Unjudged::Broken(why) => {
                            // The batch under way was judged before the fault: it lands, and its
                            // senders are answered. A crash here leaves it durable or not, as any.
                            if let Some(mut under_way) = flight.take() {
                                let outcome = (&mut under_way.outcome).await;
                                self.land(under_way, outcome).await;
                            }
                            self.contradict(&why);
                            why
                        }
                    };
                    refuse_all(submissions.into_iter().map(|s| s.reply), &why);
                    continue;
                }
            };
            // One commit at a time: the next waits for the one before.
            if let Some(mut under_way) = flight.take() {
                let outcome = (&mut under_way.outcome).await;
                if !self.land(under_way, outcome).await {
                    let why = "the batch before this one failed; send it again";
                    refuse_all(judged.rulings.into_iter().map(|r| r.submission.reply), why);
                    continue;
                }
            }
            flight = self.launch(judged);
            if let Some(due) = self.root_due()
                && due <= Instant::now()
            {
                self.begin_root();
            }
        }
    }

    /// Whether nothing is admitted before a state entry covers what is in: after a start, a recovery or a long time. A
    /// record that was admitted now would be a finding of every audit (`state_uncovered`). The state entry is made
    /// then, and the batch to be judged is that entry alone.
    async fn covers_first(&mut self) -> Result<bool, String> {
        // A log that can't write one refuses records, and says why.
        let admits = matches!(self.publisher.status.0.now(), Status::Ready { .. });
        if !self.is_uncovered() || !admits {
            return Ok(false);
        }
        let last = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            state.globals().last_admitted_at
        };
        // The clock may have been set: then uptime does not tell the age of what is uncovered.
        let age_ms = self.publisher.clock.wall_ms().saturating_sub(last.0);
        let by_clock =
            self.roots.makes_entries() && u128::from(age_ms) >= UNCOVERED_MAX.as_millis();
        if !(self.roots.is_late() || by_clock) || self.admission_time().is_err() {
            return Ok(false);
        }
        if self.roots.is_free() {
            self.begin_root();
        }
        if self.roots.size_under_way().is_some() {
            self.roots.finished().await?;
        }
        Ok(self.roots.made().is_some())
    }

    /// Whether an entry is in that no state entry covers. State entries need no cover.
    fn is_uncovered(&self) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let globals = state.globals();
        globals.stated > globals.state_entry.map_or(0, |mark| mark.size)
    }

    /// When the next image for a state root is to be taken; `None` while there is nothing new to say, or a
    /// root is under way.
    fn root_due(&self) -> Option<Instant> {
        if !self.roots.is_free() || !matches!(self.publisher.status.0.now(), Status::Ready { .. }) {
            return None;
        }
        self.is_uncovered().then(|| self.roots.due_at()).flatten()
    }

    /// Takes an image of the state, as of the last batch that was judged: the batch becomes a commit as a
    /// whole, or the root is dropped with it.
    fn begin_root(&mut self) {
        let image = self.state().image_for_proofs();
        self.roots.begin(image);
    }

    /// Waits for a root that is under way, if the log has grown by half of what a state entry may be behind:
    /// intake is slowed rather than a state entry too late.
    async fn wait_for_root(&mut self) -> Result<(), String> {
        let entries = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            state.entries()
        };
        match self.roots.size_under_way() {
            Some(size) if entries.saturating_sub(size) >= STATE_LAG_MAX / 2 => {
                self.roots.finished().await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The state contradicted itself: nothing is told of it any more.
    fn contradict(&mut self, why: &str) {
        self.contradicted.store(true, Ordering::Release);
        self.roots.forget();
        self.halt(why);
    }

    fn state(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn accounts(&self) -> u64 {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.accounts_count() as u64
    }

    /// Judges submissions on the state with all batches under way.
    async fn judge(
        &mut self,
        submissions: Vec<Submission>,
        ahead: Option<Arc<Batch>>,
    ) -> Result<Judged, (Vec<Submission>, Unjudged)> {
        if let Status::Halted { why, .. } = self.publisher.status.0.now() {
            return Err((submissions, Unjudged::Unavailable(why)));
        }
        let admitted_at = match self.admission_time() {
            Ok(time) => time,
            Err(error) => return Err((submissions, Unjudged::Unavailable(error.to_string()))),
        };
        let began = Instant::now();
        let mut targets = match self.targets(&submissions, ahead.as_deref()).await {
            Ok(targets) => targets,
            Err(unjudged) => return Err((submissions, unjudged)),
        };
        let mut submissions = submissions;
        submissions
            .iter_mut()
            .for_each(|submission| self.cut_keyless(submission));
        if let Some(evidence) = &mut self.evidence {
            evidence.catch_up(self.tree.size());
            let aside = evidence.look_up(&self.state, &mut submissions);
            let why = "whether their evidence was named before can't be said yet; send it again";
            refuse_all(aside.into_iter().map(|it| it.reply), why);
        }
        let mut tree = std::mem::take(&mut self.tree);
        let mut evidence = self.evidence.take();
        let judged = {
            let mut state = self.state();
            judge(
                &mut state,
                &mut tree,
                admitted_at,
                submissions,
                &mut targets,
                self.roots.made().map(AsRef::as_ref),
                evidence.as_mut(),
            )
        };
        self.tree = tree;
        self.evidence = evidence;
        if let Ok(judged) = &judged {
            self.note_batches(&judged.rulings, began);
            let is_new = judged.state_entry.is_some();
            self.roots.note_coverage(self.is_uncovered(), is_new);
        }
        judged
            .map_err(|Broken { submissions, why }| (submissions, Unjudged::Broken(why.to_string())))
    }

    /// Tells the queue which issuers' sealed batches were judged to their end and refused, and what of the time since
    /// `began` that took.
    fn note_batches(&self, rulings: &[Ruling], began: Instant) {
        let (mut refused, mut admitted) = (Vec::new(), Vec::new());
        let (mut all, mut in_vain) = (0, 0);
        for Ruling {
            submission,
            verdict,
        } in rulings
        {
            let entries = u32::try_from(submission.said.entries()).unwrap_or(u32::MAX);
            all += entries;
            match verdict {
                Verdict::Batch(Ok(_)) => admitted.push(submission.issuer),
                Verdict::Batch(Err(BatchRefusal::Statements(_))) => {
                    in_vain += entries;
                    refused.push(submission.issuer);
                }
                // What is wrong with a seal is found before a statement is judged.
                Verdict::Batch(Err(BatchRefusal::Seal(_))) | Verdict::Records { .. } => {}
            }
        }
        if refused.is_empty() && admitted.is_empty() {
            return;
        }
        let took = began
            .elapsed()
            .mul_f64(f64::from(in_vain) / f64::from(all.max(1)));
        let now = Instant::now();
        self.queue.0.note_batches(&refused, &admitted, took, now);
    }

    /// The time for the next batch. What is wrong with the clock is logged once, not for each batch.
    fn admission_time(&mut self) -> Result<TimeMs, ClockError> {
        let last = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            state.globals().last_admitted_at
        };
        let time = self.publisher.clock.admission(last);
        let wrong = time.as_ref().err().cloned();
        match (&self.wrong_clock, &wrong) {
            (Some(before), Some(now)) if before.is_as(now) => {}
            (_, Some(error)) => tracing::error!(%error, "no record is admitted by this clock"),
            (Some(_), None) => tracing::info!("the clock is right again: records are admitted"),
            (None, None) => {}
        }
        self.wrong_clock = wrong;
        time
    }

    /// A log key whose private half is not here would leave every later checkpoint unsigned: its
    /// record is cut off, with what follows it.
    fn cut_keyless(&mut self, submission: &mut Submission) {
        let missing = |signed: &SignedRecord| match &signed.record().statement {
            Statement::LogKey(next) if !self.publisher.signer.has(&next.key) => Some(next.key),
            _ => None,
        };
        // No kind that is sealed names a log key.
        let Said::Records { records, trailing } = &mut submission.said else {
            return;
        };
        let mut found = records.iter().map(|(_, signed)| signed).map(missing);
        let Some((place, key)) = found
            .by_ref()
            .enumerate()
            .find_map(|(at, key)| Some((at, key?)))
        else {
            return;
        };
        Arc::make_mut(records).truncate(place);
        *trailing = Some(Refusal::new(
            Code::LogKeyMissing,
            format!("the server does not have the private half of {key}"),
            "put its file into the log's keys directory first",
        ));
    }

    /// Fetches the entries that corrections name: from the store, or from the batch under way.
    async fn targets(
        &self,
        submissions: &[Submission],
        ahead: Option<&Batch>,
    ) -> Result<Targets, Unjudged> {
        let mut targets = Targets::new();
        let durable = self.publisher.status.0.now().published().head.tree.size;
        let mut entries_ahead = None;
        let mut named = Vec::new();
        for submission in submissions {
            named.extend(submission.said.targets());
        }
        for index in named {
            let broken = |what: &dyn Display| {
                Unjudged::Broken(format!("entry {index}, which was judged, is none: {what}"))
            };
            let entry = if index.0 < durable {
                let read = self.reader.full(index.0, durable).await;
                read.map_err(|error| Unjudged::Unavailable(error.to_string()))?
                    .1
            } else if let Some(batch) = ahead
                && index.0 < batch.to.tree.size
            {
                let bundle = match &entries_ahead {
                    Some(bundle) => bundle,
                    None => entries_ahead
                        .insert(Bundle::parse_all(&batch.entries).map_err(|e| broken(&e))?),
                };
                // A sealed batch is committed together with its seal.
                let read = |index: Index| {
                    let place = usize::try_from(index.0 - batch.from.tree.size);
                    let bytes = place.ok().and_then(|place| bundle.entries().get(place));
                    let short = || CodecError::Malformed("its batch ends before it".to_owned());
                    Entry::decode(bytes.ok_or_else(short)?)
                };
                let entry = read(index).and_then(|entry| FullEntry::join(index, entry, read));
                entry.map_err(|error| broken(&error))?
            } else {
                // Either a record of the batch to be judged, which `judge` adds when it admits it,
                // or an entry that does not exist: the rules refuse the correction then.
                continue;
            };
            targets.insert(index, entry);
        }
        Ok(targets)
    }

    /// Sends a batch to the store. One without entries is answered at once.
    fn launch(&mut self, judged: Judged) -> Option<Flight> {
        let Judged {
            batch,
            rulings,
            log_keys,
            state_entry,
        } = judged;
        let proven = state_entry.zip(state_entry.and_then(|_| self.roots.take_made()));
        if batch.from == batch.to {
            let batch = Arc::new(batch);
            if let Some(outcome) = self.must_confirm() {
                return Some(Flight {
                    batch,
                    rulings,
                    log_keys,
                    ends_in_state: self.publisher.status.0.now().published().ends_in_state,
                    proven: None,
                    change: None,
                    after: None,
                    outcome,
                });
            }
            // Nothing is under way now, so all that these verdicts rest on is published.
            let published = Arc::clone(self.publisher.status.0.now().published());
            answer(rulings, &published);
            return None;
        }
        let accounts = self.accounts();
        let change = if self.keeper.is_due(batch.to.tree.size, accounts) {
            Some(self.change(batch.to))
        } else {
            None
        };
        // From here on a crash leaves all of the batch or nothing of it, by the store's contract. If
        // all, the next start publishes it, and a sender of the same records gets their indexes.
        let batch = Arc::new(batch);
        let commit = self.store.commit(Arc::clone(&batch));
        let entries = batch.to.tree.size - batch.from.tree.size;
        let measures = self.publisher.measures.clone();
        let outcome = measured(commit, entries, self.slow_commit, measures);
        let after = self.sharing.is_some().then(|| DurableState {
            state: self.state().clone(),
            tree: self.tree.clone(),
        });
        Some(Flight {
            batch,
            rulings,
            log_keys,
            ends_in_state: state_entry.is_some(),
            proven,
            change,
            after,
            outcome,
        })
    }

    fn change(&self, head: LogHead) -> StateChange {
        let image = self.state().image();
        StateChange { image, head }
    }

    /// Publishes and answers a batch that is durable, or recovers if it may not be. `true` if it
    /// is.
    async fn land(&mut self, flight: Flight, outcome: CommitOutcome) -> bool {
        let why = match outcome {
            // A crash here leaves the batch without a checkpoint: the next start signs it. Ed25519
            // gives the same bytes again.
            CommitOutcome::Committed => {
                let (keys, head) = (&flight.log_keys, flight.batch.to);
                let ends_in_state = flight.ends_in_state;
                match self.publisher.publish(keys, head, ends_in_state).await {
                    Ok(published) => {
                        self.landed(flight, &published);
                        return true;
                    }
                    Err(why) => why,
                }
            }
            CommitOutcome::Moved(head) => {
                format!("the store's head moved to {} entries", head.tree.size)
            }
            CommitOutcome::Deposed => {
                tracing::warn!("another server leads: nothing of the last batch is in");
                self.roll_back(false);
                for ruling in flight.rulings {
                    // The sender may have gone. It was told nothing, and so sends the same again.
                    let _ = ruling.submission.reply.send(Reply::NotLeading);
                }
                return false;
            }
            CommitOutcome::Unknown(error) => error.to_string(),
        };
        tracing::error!(%why, "a commit failed or its outcome is unknown");
        // Before the refusals: a sender that asks again meets the state as the store has it.
        if self.sharing.is_some() {
            self.roll_back(true);
        } else {
            self.recover(&why).await;
        }
        refuse_all(flight.rulings.into_iter().map(|r| r.submission.reply), &why);
        false
    }

    /// Answers a batch that is durable and published.
    fn landed(&mut self, flight: Flight, published: &Arc<Published>) {
        if let (Some(sharing), Some((index, proven))) = (&self.sharing, &flight.proven) {
            sharing.shared.saver.offer(*index, proven, true);
        }
        if let Some((index, proven)) = flight.proven
            && let Some(gone) = self.proven.publish(index, proven)
        {
            self.roots.drop_elsewhere(gone);
        }
        if let (Some(sharing), Some(after)) = (&mut self.sharing, flight.after) {
            drop_elsewhere(sharing.durable.replace(after));
        }
        // A crash here, or halfway through the answers, leaves senders who were not
        // answered: they send the same again and get its indexes.
        answer(flight.rulings, published);
        // A crash here, or while the keeper saves, leaves the state of the save before:
        // the next start replays the entries since.
        if let Some(change) = flight.change {
            self.keeper.save(change);
        }
    }

    /// Takes the state from what the store says; halts if the store can't say.
    async fn recover(&mut self, why: &str) {
        let origin = self.publisher.signer.origin().clone();
        match recover(&self.reader, &origin, None).await {
            Ok(recovered) => {
                let (head, log_keys) = (recovered.head, recovered.log_keys());
                let ends_in_state = ends_in_state(&recovered.state);
                {
                    let mut state = self.state();
                    *state = recovered.state;
                    self.publisher.epoch.fetch_add(1, Ordering::AcqRel);
                }
                self.tree = recovered.tree;
                // What changed since the last save was forgotten with the old state.
                self.keeper.forget();
                self.roots.forget();
                self.proven.forget();
                if let Err(error) = self.publisher.publish(&log_keys, head, ends_in_state).await {
                    self.halt(&error);
                }
            }
            Err(error) => self.halt(&format!("{why}; and recovery: {error}")),
        }
    }

    pub(super) fn halt(&self, why: &str) {
        tracing::error!(why, "the log admits no more records");
        self.publisher.status.0.halt(why);
    }

    /// The store stopped by itself, with nothing under way that would tell.
    fn store_stopped(&self, error: &StoreError) {
        match error {
            StoreError::BrokeOff(what) => {
                tracing::error!(%error, "the store broke off; the process has to end");
                self.publisher.status.0.break_off(what);
            }
            // A commit that failed has told already.
            _ if matches!(self.publisher.status.0.now(), Status::Halted { .. }) => {}
            _ => self.halt(&error.to_string()),
        }
    }

    /// Saves the state at a clean stop, so that the next start has nothing to replay.
    pub(super) fn save_last(&mut self) {
        if matches!(self.publisher.status.0.now(), Status::Ready { .. }) {
            let change = self.change(LogHead::without_state(TreeHead::of(&self.tree)));
            self.keeper.save(change);
        }
    }
}

/// Waits until then; for ever if there is no such time.
async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn answer(rulings: Vec<Ruling>, published: &Arc<Published>) {
    for Ruling {
        submission,
        verdict,
    } in rulings
    {
        let published = Arc::clone(published);
        // The sender may have gone; what was admitted is in all the same.
        let _ = submission.reply.send(Reply::Judged { verdict, published });
    }
}

fn refuse_all(replies: impl Iterator<Item = tokio::sync::oneshot::Sender<Reply>>, why: &str) {
    for reply in replies {
        // The sender may have gone. It was told nothing, and so sends the same again.
        let _ = reply.send(Reply::Unavailable(why.to_owned()));
    }
}
