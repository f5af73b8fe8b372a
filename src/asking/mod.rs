//! Sends the log's checkpoints to the witnesses and auditors of its policy, and keeps what they cosign.
//!
//! One task decides; questions run beside it, one at a time for each cosigner, so that a slow one holds nobody up.
//! Appends wait for none of this. Only the process that leads the log asks.

mod policy_in_force;
mod question;
mod shared_notes;
mod states;
mod told;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cosign::{
    AcceptedSizes, Answer, AskOutcome, Asked, ClientError, Conversation, CosignerBoard,
    CosignerClient, KeptCheckpoints, Next, Pace, Role, keep_ahead, now_s, open_own, read_ahead,
};
use crate::durable::FileError;
use crate::log::{Log, Published, Status, vkey};
use crate::merkle::Hash;
use crate::note::{Checkpoint, Cosignature, VerifierKey};
use crate::policy::{Cosigner, Policy};
use crate::store::BoxFuture;
use policy_in_force::PolicyInForce;
use question::{Question, Reply};
pub use states::CosignedStates;
use words::{tell_outcome, words_of};

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
        Ok(Self {
            task: tokio::spawn(task.run()),
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

/// What is on disk. Locked by the task alone, on a thread for such work.
struct Files {
    kept: KeptCheckpoints,
    accepted: AcceptedSizes,
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
    files: Arc<Mutex<Files>>,
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
            files: Arc::new(Mutex::new(files)),
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

    /// Chooses the checkpoint of this round, once the last round is over.
    async fn choose(&mut self) -> Result<(), String> {
        let now = Instant::now();
        if self.round.as_ref().is_some_and(|round| now < round.until) {
            return Ok(());
        }
        let published = match self.config.waits_for_state {
            true => self.log.newest_in_state(),
            false => Some(self.log.published()),
        };
        let newest = self.log.published();
        let size = published.as_ref().unwrap_or(&newest).head.tree.size;
        self.policy = self.policies.below(&self.log, size).await?;
        let (Some(policy), Some(published)) = (self.policy.clone(), published) else {
            self.round = None;
            return Ok(());
        };
        let until = now + self.config.pace.every;
        match &mut self.round {
            // A line by ML-DSA-44 is made once for a checkpoint.
            Some(round) if round.checkpoint.head() == published.head.tree => {
                round.policy = policy;
                round.until = until;
            }
            _ => {
                let own = own_keys(&self.log).await?;
                let signed = open_own(published.checkpoint.as_bytes(), &own);
                let mut checkpoint = signed.ok_or("the newest checkpoint is not this log's own")?;
                self.log.also_sign_mldsa(&mut checkpoint, now_s());
                self.round = Some(Round {
                    checkpoint,
                    policy,
                    until,
                });
            }
        }
        Ok(())
    }

    /// Holds the state at the checkpoint that is sent. It is at hand a moment after the checkpoint is published.
    fn hold_state(&self) {
        let sent = self
            .round
            .as_ref()
            .map(|round| round.checkpoint.head().size);
        if let Some(size) = sent
            && self.states.ending(size).is_none()
            && let Some((index, state)) = self.log.proven_at_end_of(size)
        {
            self.states.add(index, state);
        }
    }

    /// Asks each cosigner that is due.
    async fn ask_all(&mut self) {
        let Some(round) = &self.round else {
            return;
        };
        let (policy, checkpoint) = (Arc::clone(&round.policy), round.checkpoint.clone());
        let now = self.began.elapsed();
        let size = checkpoint.head().size;
        let mut own = None;
        for cosigner in policy.cosigners() {
            let Some(url) = cosigner.url.clone() else {
                continue;
            };
            let talk = self.talk(cosigner);
            let old_size = match talk.conversation.next(now, size) {
                _ if talk.is_asked => continue,
                Next::Wait => continue,
                Next::Add { old_size } => Some(old_size),
                Next::Collect => None,
            };
            talk.is_asked = true;
            if own.is_none() {
                own = Some(own_keys(&self.log).await.unwrap_or_default());
            }
            let question = Question {
                cosigner: cosigner.clone(),
                url,
                role: role_of(cosigner),
                asked: Asked {
                    size,
                    old_size: old_size.unwrap_or(size),
                },
                checkpoint: checkpoint.clone(),
                own: own.clone().unwrap_or_default(),
            };
            let (log, client) = (Arc::clone(&self.log), self.client.clone());
            self.questions
                .push(Box::pin(ask(question, old_size.is_some(), log, client)));
        }
    }

    /// What is known of a cosigner.
    fn talk(&mut self, cosigner: &Cosigner) -> &mut Talk {
        let (pace, files) = (self.config.pace, &self.files);
        let talk = self.talks.entry(cosigner.vkey.to_string());
        let talk = talk.or_insert_with(|| {
            let role = role_of(cosigner);
            let files = files.lock().unwrap_or_else(PoisonError::into_inner);
            let accepted = files.accepted.of(&cosigner.vkey);
            Talk {
                cosigner: cosigner.clone(),
                conversation: Conversation::new(role, pace, accepted),
                is_asked: false,
                cosigned: None,
                last: None,
                asks: BTreeMap::new(),
            }
        });
        // A policy may have given it another name, or address.
        talk.cosigner = cosigner.clone();
        talk
    }

    /// Takes an answer in.
    async fn take(&mut self, done: Done) {
        let Done { vkey, asked, reply } = done;
        let log_size = self.log.published().head.tree.size;
        let now = self.began.elapsed();
        let Some(talk) = self.talks.get_mut(&vkey) else {
            return;
        };
        talk.is_asked = false;
        let accepted_before = talk.conversation.accepted();
        let outcome = talk
            .conversation
            .answered(now, asked, log_size, reply.answer);
        *talk.asks.entry(outcome).or_default() += 1;
        let name = talk.cosigner.name.clone();
        let words = words_of(outcome, &reply, asked);
        let is_news = talk.last.as_ref().map(|(last, _)| *last) != Some(outcome);
        if is_news {
            tell_outcome(&name, outcome, &words);
        }
        talk.last = Some((outcome, words));
        let accepted = talk.conversation.accepted();
        let cosigner = talk.cosigner.clone();
        if let Some(theirs) = &reply.cosigned {
            let signed_at = signed_at(theirs, &cosigner);
            let size = theirs.head().size;
            if talk.cosigned.is_none_or(|(before, _)| before <= size) {
                talk.cosigned = Some((size, signed_at));
            }
        }
        if accepted != accepted_before {
            self.on_disk(move |files| files.accepted.set(&cosigner.vkey, accepted))
                .await;
        }
        if let Some(theirs) = reply.cosigned {
            self.keep(&vkey, theirs).await;
        }
        if let Some(theirs) = reply.against {
            self.halt(&name, theirs).await;
        }
        // A size that the cosigner named, or an auditor's line, is asked for at once.
        self.look().await;
    }

    /// Keeps a checkpoint with a cosigner's line, beside the lines that others have on it.
    async fn keep(&mut self, vkey: &str, theirs: Checkpoint) {
        let Some(talk) = self.talks.get(vkey) else {
            return;
        };
        let cosigner = talk.cosigner.vkey.clone();
        let size = theirs.head().size;
        let policy = match self.policies.below(&self.log, size).await {
            Ok(Some(policy)) => policy,
            Ok(None) => return,
            Err(why) => {
                tracing::warn!(why, "a cosignature is not kept: the policy can't be read");
                return;
            }
        };
        let sent = self.round.as_ref().map(|round| &round.checkpoint);
        let sent = sent.filter(|sent| sent.head() == theirs.head());
        let mut checkpoint = {
            let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = files.kept.checkpoint(size);
            let kept = kept.filter(|kept| kept.head() == theirs.head());
            kept.or(sent).cloned().unwrap_or_else(|| theirs.alone())
        };
        checkpoint.take_line(&cosigner, &theirs);
        match policy.standing_of(&checkpoint) {
            Ok(standing) => {
                let now_s = now_s();
                self.on_disk(move |files| files.kept.keep(checkpoint, standing, now_s))
                    .await;
                self.is_unshared = true;
            }
            Err(error) => tracing::warn!(%error, "a cosignature is not kept"),
        }
    }

    /// Shares what is kept with the processes that follow, while nothing else waits for that.
    fn share(&mut self) {
        if !self.is_unshared || !self.sharing.is_empty() {
            return;
        }
        self.is_unshared = false;
        let bytes = {
            let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            shared_notes::written(&files.kept)
        };
        let log = Arc::clone(&self.log);
        self.sharing.push(Box::pin(async move {
            if let Err(error) = log.share_cosigned(bytes.into()).await {
                tracing::warn!(%error, "cosignatures do not reach the servers that follow");
            }
        }));
    }

    /// Takes in what the process that leads has shared.
    async fn take_shared(&mut self) {
        let now = Instant::now();
        if now < self.look_at {
            return;
        }
        self.look_at = now + self.config.pace.every / 2;
        let notes = match self.log.shared_cosigned().await {
            Ok(Some(bytes)) => shared_notes::read(&bytes),
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "cosignatures of the server that leads can't be read now");
                return;
            }
        };
        let Ok(own) = own_keys(&self.log).await else {
            return;
        };
        for note in notes {
            let Some(checkpoint) = open_own(&note, &own) else {
                continue;
            };
            let Ok(Some(policy)) = self.policies.below(&self.log, checkpoint.head().size).await
            else {
                continue;
            };
            // What stands is no larger than what is served here.
            if checkpoint.head().size > self.log.published().head.tree.size {
                continue;
            }
            match policy.standing_of(&checkpoint) {
                Ok(standing) => {
                    let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
                    files.kept.take_in(checkpoint, standing);
                    files.kept.forget_oldest();
                }
                Err(error) => tracing::warn!(%error, "a shared cosignature is passed over"),
            }
        }
    }

    /// Does something to the files, on a thread for such work.
    async fn on_disk(
        &mut self,
        change: impl FnOnce(&mut Files) -> Result<(), FileError> + Send + 'static,
    ) {
        let files = Arc::clone(&self.files);
        let changed = tokio::task::spawn_blocking(move || {
            change(&mut files.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match changed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "what cosigners answered is not kept"),
            Err(error) => tracing::error!(%error, "keeping what cosigners answered broke off"),
        }
    }

    /// Stops admitting: a cosigner has a checkpoint that the log's own key signed, and that this log does not
    /// extend. It is a copy that was restored from a time before, or two logs sign with one key.
    async fn halt(&mut self, cosigner: &str, theirs: Checkpoint) {
        let Some(why) = speaks_against(&self.log, &theirs).await else {
            return;
        };
        let dir = self.config.dir.clone();
        // Before the log halts: the next start finds it.
        let kept = tokio::task::spawn_blocking(move || keep_ahead(&dir, &theirs)).await;
        let where_kept = match kept {
            Ok(Ok(file)) => format!("it is kept in {}", file.display()),
            Ok(Err(error)) => format!("it could not be kept: {error}"),
            Err(error) => format!("it could not be kept: {error}"),
        };
        self.log
            .halt(&format!("{why}; {cosigner} showed it, and {where_kept}"));
    }
}

/// Asks, and looks at the cosigner's own checkpoint if it says that it accepted what this log does not extend.
async fn ask(
    question: Question,
    adds: bool,
    log: Arc<Log>,
    client: Result<CosignerClient, ClientError>,
) -> Done {
    let reply = match &client {
        Err(error) => Reply::new(Answer::Silent, error.to_string()),
        Ok(client) if !adds => question.collect(&log, client).await,
        Ok(client) => {
            let mut reply = question.add(&log, client).await;
            let is_suspect = match reply.answer {
                Answer::Contradicted => true,
                Answer::Size(size) => size > log.published().head.tree.size,
                _ => false,
            };
            if is_suspect {
                reply.against = question.examine(&log, client).await;
            }
            reply
        }
    };
    Done {
        vkey: question.cosigner.vkey.to_string(),
        asked: question.asked,
        reply,
    }
}

/// Why a checkpoint that the log's own key signed speaks against this log; `None` if this log extends it, or does
/// not lead and so may have less.
async fn speaks_against(log: &Log, theirs: &Checkpoint) -> Option<String> {
    let head = theirs.head();
    if log.confirm_leading().await.is_err() {
        return None;
    }
    let here = log.published().head.tree.size;
    if head.size > here {
        return Some(format!(
            "a checkpoint of {} entries was signed by this log's own key, and this log has {here}: it is a copy that was restored from a time before, and would sign a second history; put the newest copy back",
            head.size
        ));
    }
    let root = match head.size {
        0 => Hash::empty_root(),
        size => log.reader().frontier(size).await.ok()?.root(),
    };
    (root != head.root).then(|| {
        format!(
            "another root of {} entries was signed by this log's own key: there are two histories; keep both copies, and find out which one was told first",
            head.size
        )
    })
}

fn role_of(cosigner: &Cosigner) -> Role {
    match cosigner.is_auditor() {
        true => Role::Auditor,
        false => Role::Witness,
    }
}

/// All verifier keys that sign, or signed, the log's checkpoints.
async fn own_keys(log: &Log) -> Result<Vec<VerifierKey>, String> {
    let looked = log.look_up(|state| {
        let globals = state.globals();
        let newest_first = globals.log_keys.iter().rev();
        let keys = newest_first.map(|(key, _)| vkey(&globals.origin, *key));
        keys.collect()
    });
    let (keys, _) = looked.await.map_err(|error| error.to_string())?;
    Ok(keys)
}

/// The time that a cosigner's line says.
fn signed_at(checkpoint: &Checkpoint, cosigner: &Cosigner) -> Option<u64> {
    let seen = Cosignature::verify_any_time(checkpoint, &cosigner.vkey).ok()?;
    (seen.seen_at_s > 0).then_some(seen.seen_at_s)
}
