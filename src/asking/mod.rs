//! Sends the log's checkpoints to the witnesses and auditors of its policy, and keeps what they cosign.
//!
//! One task decides; questions run beside it, one at a time for each cosigner, so that a slow one holds nobody up.
//! Appends wait for none of this. Only the process that leads the log asks.

mod against;
mod keeping;
mod policy_in_force;
mod question;
mod round;
mod shared_notes;
mod states;
mod talks;
mod told;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cosign::{
    AcceptedSizes, AskOutcome, Asked, ClientError, Conversation, CosignerBoard, CosignerClient,
    KeptCheckpoints, Pace, read_ahead,
};
use crate::durable::FileError;
use crate::log::{Log, Published, Status};
use crate::note::Checkpoint;
use crate::policy::{Cosigner, Policy};
use crate::store::BoxFuture;
use against::speaks_against;
use keeping::Files;
use policy_in_force::PolicyInForce;
use question::Reply;
use round::own_keys;
pub use states::CosignedStates;

/// How a log asks.
#[derive(Clone)]
pub struct AskingConfig {
    /// The folder in which cosigned checkpoints are kept.
    pub dir: PathBuf,
    /// The operator's policy, which wins over the one that the log states.
    pub policy: Option<Policy>,
    /// How often cosigners are asked.
    pub pace: Pace,
    /// After this time without a quorum the newest checkpoint stands at `/checkpoint` all the same; `None` for
    /// never.
    pub without_quorum: Option<Duration>,
    /// Whether the log writes state entries by itself: then only checkpoints that end in one are sent.
    pub waits_for_state: bool,
    /// Where handlers look.
    pub board: Arc<CosignerBoard>,
}

impl AskingConfig {
    /// Of the log in this directory, all else as usual.
    pub fn of(dir: &Path) -> Self {
        Self {
            dir: dir.join("cosigned"),
            policy: None,
            pace: Pace::default(),
            without_quorum: None,
            waits_for_state: true,
            board: Arc::default(),
        }
    }
}

/// Why a log can't begin to ask.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskingError {
    /// What was kept can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The log can't be read.
    #[error("the log's keys and policy can't be read: {0}")]
    Log(String),
}

/// The task that asks. It ends when this is dropped.
pub struct Asking {
    task: JoinHandle<()>,
    states: Arc<CosignedStates>,
}

impl Asking {
    /// Reads what was kept, says on the board what stands, and begins to ask.
    ///
    /// # Errors
    /// [`AskingError`].
    pub async fn start(log: Arc<Log>, config: AskingConfig) -> Result<Self, AskingError> {
        let mut task = Task::open(log, config).await?;
        task.choose().await.map_err(AskingError::Log)?;
        task.take_shared().await;
        task.tell();
        let states = Arc::clone(&task.states);
        // Held by the task: if it panics, the log admits no more, and the process ends.
        let vital = task.log.vital("the asking of cosigners");
        let run = async move {
            let _vital = vital;
            task.run().await;
        };
        Ok(Self {
            task: tokio::spawn(run),
            states,
        })
    }

    /// The states at cosigned checkpoints.
    pub fn states(&self) -> &Arc<CosignedStates> {
        &self.states
    }

    /// Ends the task, and waits until it has let go of the log.
    pub async fn stop(mut self) {
        self.task.abort();
        // Ended by us, or by a panic that was told where it happened.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A cosigner that is asked, and what is known of it.
struct Talk {
    cosigner: Cosigner,
    conversation: Conversation,
    is_asked: bool,
    /// The newest checkpoint with its line: the size, and the time that the line says.
    cosigned: Option<(u64, Option<u64>)>,
    last: Option<(AskOutcome, String)>,
    asks: BTreeMap<AskOutcome, u64>,
}

/// The checkpoint that is sent, and the policy by which it is judged.
struct Round {
    checkpoint: Checkpoint,
    policy: Arc<Policy>,
    /// When the next one is chosen.
    until: Instant,
}

/// A question that was answered.
struct Done {
    vkey: String,
    asked: Asked,
    reply: Reply,
}

struct Task {
    log: Arc<Log>,
    config: AskingConfig,
    client: Result<CosignerClient, ClientError>,
    policies: PolicyInForce,
    /// None while a thread for such work has them.
    files: Option<Files>,
    /// By verifier key: a policy that replaces another takes over what is known of the same cosigner.
    talks: BTreeMap<String, Talk>,
    /// The policy in force.
    policy: Option<Arc<Policy>>,
    round: Option<Round>,
    states: Arc<CosignedStates>,
    /// Whether the newest checkpoint stood at `/checkpoint` since the start, whatever its size.
    newest_stood: bool,
    /// The largest checkpoint that may have stood there then.
    floor: Option<Arc<Published>>,
    questions: FuturesUnordered<BoxFuture<'static, Done>>,
    /// What was kept changed since it was shared with the processes that follow.
    is_unshared: bool,
    /// Shares it: one at most.
    sharing: FuturesUnordered<BoxFuture<'static, ()>>,
    /// When a follower looks again for what is shared.
    look_at: Instant,
    began: Instant,
    told: Option<String>,
}

impl Task {
    async fn open(log: Arc<Log>, config: AskingConfig) -> Result<Self, AskingError> {
        let own = own_keys(&log).await.map_err(AskingError::Log)?;
        let (kept, found) = KeptCheckpoints::open(&config.dir, &own)?;
        let accepted = AcceptedSizes::open(&config.dir.join("accepted"))?;
        let mut policies = PolicyInForce::new(config.policy.clone());
        let mut files = Files { kept, accepted };
        for checkpoint in found {
            let below = policies.below(&log, checkpoint.head().size).await;
            let Some(policy) = below.map_err(AskingError::Log)? else {
                continue;
            };
            match policy.standing_of(&checkpoint) {
                Ok(standing) => files.kept.take_in(checkpoint, standing),
                Err(error) => tracing::warn!(%error, "a cosigned checkpoint is passed over"),
            }
        }
        for theirs in read_ahead(&config.dir, &own)? {
            if let Some(why) = speaks_against(&log, &theirs).await {
                log.halt(&why);
            }
        }
        Ok(Self {
            client: CosignerClient::new(),
            policies,
            files: Some(files),
            talks: BTreeMap::new(),
            policy: None,
            round: None,
            states: Arc::default(),
            newest_stood: false,
            floor: None,
            questions: FuturesUnordered::new(),
            is_unshared: true,
            sharing: FuturesUnordered::new(),
            look_at: Instant::now(),
            began: Instant::now(),
            told: None,
            log,
            config,
        })
    }

    async fn run(mut self) {
        let tick = self.config.pace.every / 10;
        let tick = tick.clamp(Duration::from_millis(50), Duration::from_secs(1));
        let mut ticks = interval(tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.look().await,
                Some(done) = self.questions.next() => self.take(done).await,
                Some(()) = self.sharing.next() => {}
            }
        }
    }

    /// Chooses what is sent, asks whoever is due, and says what stands.
    async fn look(&mut self) {
        let found = self.choose().await;
        // Told once: it is tried again each second.
        if let Err(why) = &found
            && self.told.as_ref() != Some(why)
        {
            tracing::warn!(why, "the policy in force can't be read now");
        }
        self.told = found.err();
        self.hold_state();
        match self.log.status() {
            Status::Ready { .. } => {
                self.ask_all().await;
                self.share();
            }
            Status::Following { .. } => self.take_shared().await,
            Status::Halted { .. } => {}
        }
        self.tell();
    }
}
