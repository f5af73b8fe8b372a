//! Who leads a log that several processes share: what this process tells the others and what it
//! knows of them.
//!
//! Nothing here makes two histories possible or impossible: the chain of commits does
//! (`docs/engine.md`). It decides when a fence is worth a try, when a leader makes room for another,
//! and how old the last sign of leading may be when somebody is answered from the state.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::Published;
use super::intake::AppendError;
use super::saver::Saver;
use super::status::{Status, StatusCell};
use crate::note::VerifierKey;
use crate::replay::Signatures;
use crate::store::blobs::{
    Beat, BlobStore, Blobs, Handover, PackShape, Patience, Session, Standing,
};

/// A log on an object store, as one of the processes that share it.
#[derive(Clone, Debug)]
pub struct SharedConfig {
    /// The store.
    pub blobs: Arc<dyn Blobs>,
    /// Whether it only leads when no other process does, also if it could lead at once.
    pub follow: bool,
    /// Whether signatures of what others commit are verified again.
    pub verify: bool,
    /// How often the store is asked, and what is concluded from silence.
    pub timing: Timing,
    /// How long the store is asked for one thing.
    pub patience: Patience,
    /// Entries of a pack.
    pub shape: PackShape,
    /// Of a process that has no key of the log: the log's first key. Such a process never leads and writes
    /// nothing; it serves at the checkpoints that others sign.
    pub without_key: Option<VerifierKey>,
    /// Whether it writes the log's tiles to the store as static files too, while it leads.
    pub tiles: bool,
}

impl SharedConfig {
    /// A log in this store, all else as usual.
    pub fn on(blobs: Arc<dyn Blobs>) -> Self {
        Self {
            blobs,
            follow: false,
            verify: false,
            timing: Timing::default(),
            patience: Patience::default(),
            shape: PackShape::STANDARD,
            without_key: None,
            tiles: false,
        }
    }
}

/// How often the store is asked, and what is concluded from silence.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From one look for a new commit to the next, for a follower.
    pub poll: Duration,
    /// From one sign of life to the next; twice as often a leader looks for the wish that another
    /// leads.
    pub beat: Duration,
    /// Without a sign of life for so long, a follower tries to lead.
    pub silence: Duration,
    /// A leader answers from its state as long as its last sign of leading is younger: less than
    /// `silence`, so that nobody else leads by then.
    pub fresh: Duration,
    /// From one look for floors to the next, which lists names.
    pub floors: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(200),
            beat: Duration::from_secs(1),
            silence: Duration::from_secs(10),
            fresh: Duration::from_secs(5),
            floors: Duration::from_secs(5),
        }
    }
}

/// What a leader writes as the checkpoint beside the chain, for those who read the log without a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BesideChain {
    /// The newest.
    Newest,
    /// This one, which met the quorum of the log's policy.
    Note {
        /// The number of its entries.
        size: u64,
        /// The checkpoint.
        note: String,
    },
    /// None, so far: what was written before stays.
    Nothing,
}

/// What a process knows of a log that it shares.
pub(super) struct SharedLog {
    pub store: BlobStore,
    pub saver: Arc<Saver>,
    pub timing: Timing,
    /// Whether it only leads when no other process does, also if it could lead at once.
    pub is_patient: bool,
    /// Whether signatures of what others commit are verified again.
    pub signatures: Signatures,
    /// Whether it has a key of the log, without which it never leads and writes nothing.
    pub has_key: bool,
    /// Whether it writes the log's tiles to the store as static files too, while it leads.
    pub writes_tiles: bool,
    /// Where this process is reached, once it is known.
    address: OnceLock<String>,
    /// When a follower last saw the end of the chain.
    caught_up: Mutex<Instant>,
    /// Which checkpoint is written beside the chain.
    beside: Mutex<BesideChain>,
    /// The address for which this leader is to make room.
    leave: Mutex<Option<String>>,
    /// Notified when `leave` is set.
    leaves: Notify,
}

impl SharedLog {
    pub(super) fn new(
        store: BlobStore,
        saver: Saver,
        beside: BesideChain,
        config: &SharedConfig,
    ) -> Self {
        Self {
            store,
            saver: Arc::new(saver),
            timing: config.timing,
            is_patient: config.follow,
            signatures: match config.verify {
                true => Signatures::Verify,
                false => Signatures::Trust,
            },
            has_key: config.without_key.is_none(),
            writes_tiles: config.tiles,
            address: OnceLock::new(),
            caught_up: Mutex::new(Instant::now()),
            beside: Mutex::new(beside),
            leave: Mutex::new(None),
            leaves: Notify::new(),
        }
    }

    /// Says where this process is reached. Only the first word counts.
    pub(super) fn advertise(&self, address: String) {
        let _ = self.address.set(address);
    }

    /// Says which checkpoint is written beside the chain.
    pub(super) fn set_beside(&self, beside: BesideChain) {
        *self.beside.lock().unwrap_or_else(PoisonError::into_inner) = beside;
    }

    /// The checkpoint that is written beside the chain, behind the number of its entries.
    pub(super) fn beside(&self, newest: &Published) -> Option<(u64, String)> {
        match &*self.beside.lock().unwrap_or_else(PoisonError::into_inner) {
            BesideChain::Newest => Some((newest.head.tree.size, newest.checkpoint.clone())),
            BesideChain::Note { size, note } => Some((*size, note.clone())),
            BesideChain::Nothing => None,
        }
    }

    /// Where this process is reached; empty if that is not known.
    pub(super) fn address(&self) -> &str {
        self.address.get().map_or("", String::as_str)
    }

    /// Takes note that a follower has taken in all that there is.
    pub(super) fn is_caught_up(&self) {
        *self
            .caught_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long ago this process had all that there is; none for the one that leads.
    pub(super) fn lag(&self) -> Duration {
        if self.store.leads() {
            return Duration::ZERO;
        }
        let caught_up = self
            .caught_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        caught_up.elapsed()
    }

    /// Whether this process leads, by a sign so young that nobody else does.
    pub(super) fn is_fresh(&self) -> bool {
        self.store.leads() && self.store.last_sign() < self.timing.fresh
    }

    /// Makes sure that a process that admits still leads, unless it was told lately: what it says of its state may
    /// be out of date otherwise.
    pub(super) async fn check_fresh(&self) -> Result<(), AppendError> {
        if self.is_fresh() {
            return Ok(());
        }
        match self.store.confirm().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(AppendError::not_leading(None)),
            Err(error) => Err(AppendError::halted(&format!(
                "whether this server still leads can't be known now: {error}"
            ))),
        }
    }

    /// Waits until another process is to lead. The address is kept for [`Self::leaving_to`].
    pub(super) async fn asked_to_leave(&self) {
        self.leaves.notified().await;
    }

    /// The address for which this leader is to make room, once.
    pub(super) fn leaving_to(&self) -> Option<String> {
        let mut leave = self.leave.lock().unwrap_or_else(PoisonError::into_inner);
        leave.take()
    }

    fn leave_to(&self, address: String) {
        *self.leave.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
        self.leaves.notify_one();
    }

    /// Says that this process leads no more. Others wait for nothing then; without it they wait for
    /// silence.
    pub(super) async fn say_left(&self, session: Session, standing: Standing) {
        let beat = Beat {
            count: u64::MAX,
            address: self.address().to_owned(),
            standing,
        };
        let put = beat.put(&**self.store.blobs(), session, self.store.patience());
        // A store that is away must not keep a process from stopping.
        match timeout(self.timing.fresh, put).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "others were not told that this server leads no more")
            }
            Err(_) => {
                tracing::warn!("others were not told that this server leads no more: no answer")
            }
        }
    }
}

/// What a leader does beside its commits: signs of life, a look whether it still leads, and whether
/// another is to lead. Ends when this is dropped.
pub(super) struct Beating(JoinHandle<()>);

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Beating {
    pub(super) fn start(shared: Arc<SharedLog>, status: Arc<StatusCell>, session: Session) -> Self {
        Self(tokio::spawn(async move {
            let mut wish = Wish::default();
            for count in 0_u64.. {
                if matches!(status.now(), Status::Halted { .. }) {
                    // It can't commit any more: whoever can shall not wait for silence.
                    shared.store.stand_down().await;
                    shared.say_left(session, Standing::Left).await;
                    return;
                }
                if count.is_multiple_of(2) && !beat(&shared, session, count).await {
                    return;
                }
                if let Some(to) = wish.look(&shared).await
                    && to != shared.address()
                {
                    tracing::info!(to, "another server is to lead");
                    shared.leave_to(to);
                    return;
                }
                sleep(shared.timing.beat / 2).await;
            }
        }))
    }
}

/// Gives a sign of life, and looks whether this process still leads; `false` if it does not.
async fn beat(shared: &SharedLog, session: Session, count: u64) -> bool {
    let beat = Beat {
        count,
        address: shared.address().to_owned(),
        standing: Standing::Leads,
    };
    let (blobs, patience) = (&**shared.store.blobs(), shared.store.patience());
    // One attempt: a late sign of life is worth less than the next one.
    let put = beat.put(blobs, session, patience);
    if !matches!(timeout(shared.timing.beat, put).await, Ok(Ok(()))) {
        tracing::warn!("the store took no sign of life from this leader");
    }
    match shared.store.confirm().await {
        Ok(leads) => leads,
        Err(error) => {
            tracing::warn!(%error, "whether this server still leads can't be known now");
            true
        }
    }
}

/// The wish that another leads, as it was seen last.
#[derive(Default)]
struct Wish {
    /// The newest one, or `None` if there was none; unset until the first look.
    seen: Option<Option<Handover>>,
}

impl Wish {
    /// Who is to lead, if that was wished since the first look: an older wish was for another time.
    async fn look(&mut self, shared: &SharedLog) -> Option<String> {
        let (blobs, patience) = (&**shared.store.blobs(), shared.store.patience());
        let found = Handover::get(blobs, patience).await.ok()?;
        let before = self.seen.replace(found.clone())?;
        let found = found.filter(|found| before.as_ref() != Some(found))?;
        Some(found.to)
    }
}

/// What a follower knows of the process that leads.
pub(super) struct Watch {
    timing: Timing,
    session: Option<Session>,
    /// The number of the newest beat.
    count: Option<u64>,
    /// When there was a sign of life.
    alive_at: Instant,
    left: Option<Standing>,
    /// Whether silence alone is a reason to lead.
    is_patient: bool,
    /// Where the leader is reached.
    leader: Option<String>,
}

impl Watch {
    pub(super) fn begin(timing: Timing, session: Option<Session>) -> Self {
        Self {
            timing,
            session,
            count: None,
            alive_at: Instant::now(),
            left: None,
            is_patient: false,
            leader: None,
        }
    }

    /// Leaves it to others to lead after a leader that left.
    pub(super) fn patiently(self) -> Self {
        Self {
            is_patient: true,
            ..self
        }
    }

    /// Whose beats are to be looked at.
    pub(super) fn session(&self) -> Option<Session> {
        self.session
    }

    /// Where the leader is reached, if it leads and said so.
    pub(super) fn leader(&self) -> Option<String> {
        self.leader.clone()
    }

    /// Another process began to lead.
    pub(super) fn fenced(&mut self, session: Session) {
        *self = Self::begin(self.timing, Some(session));
    }

    /// The leader committed.
    pub(super) fn committed(&mut self) {
        self.alive_at = Instant::now();
    }

    /// The newest beat of the session.
    pub(super) fn beat(&mut self, beat: Option<Beat>) {
        let Some(beat) = beat else {
            return;
        };
        if self.count.replace(beat.count) != Some(beat.count) {
            self.alive_at = Instant::now();
        }
        let leads = beat.standing == Standing::Leads;
        self.leader = (leads && !beat.address.is_empty()).then_some(beat.address);
        self.left = (!leads).then_some(beat.standing);
    }

    /// Whether it is time to try to lead, for the process at an address.
    pub(super) fn is_over(&self, address: &str) -> bool {
        match &self.left {
            Some(Standing::Left) if !self.is_patient => true,
            Some(Standing::LeftTo(to)) if to == address => true,
            _ => self.alive_at.elapsed() >= self.timing.silence,
        }
    }
}

/// What packs behind the commits; ends when this is dropped.
pub(super) struct Packing(JoinHandle<()>);

impl Drop for Packing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Packing {
    pub(super) fn start(shared: Arc<SharedLog>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                if let Err(error) = shared.store.pack().await {
                    // It is tried again; until then what was not packed stays in memory.
                    tracing::warn!(%error, "packing failed");
                    sleep(shared.timing.floors).await;
                }
                shared.store.wait_to_pack(shared.timing.floors).await;
            }
        }))
    }
}
