//! The log: admits records by the rules, makes them durable, and publishes the checkpoints that
//! say so.
//!
//! One task, the sequencer, owns the order of entries. A batch goes through it so:
//!
//! ```text
//! intake      find what is in, refuse what is surely wrong, then signatures (many at a time)
//! queue       wait, fair per issuer
//! batch       judge by the rules, give index, time and lineage, hash        (one at a time)
//! store       make entries and head durable        (while the next batch is being judged)
//! publish     sign the checkpoint, then answer: indexes, refusals and "already in" alike
//! ```
//!
//! A log begins with its genesis, in a directory that `arborlog init` makes, or as here:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temp = tempfile::tempdir()?;
//! # let dir = temp.path().join("ledger");
//! use arborlog::crypto::SigningKey;
//! use arborlog::durable::{create, make_folders};
//! use arborlog::log::{Log, LogConfig, admit_genesis};
//! use arborlog::record::{
//!     Day, FormatVersion, Genesis, Index, KeyGrant, List, Origin, Record, RecordId, Role, Seq,
//!     SigningContext, Statement, TimeMs, draft,
//! };
//! use arborlog::store::DiskStore;
//!
//! let (governor, log_key) = (SigningKey::generate()?, SigningKey::generate()?);
//! let origin: Origin = "example.org/ledger".parse()?;
//! let context = SigningContext::new(&origin);
//! make_folders(&dir.join("keys"))?;
//! log_key.write_new(&dir.join("keys/log.pem"))?;
//! create(&dir.join("origin"), format!("{origin}\n").as_bytes())?;
//! DiskStore::create(&dir)?;
//!
//! let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
//! let today = Day::of(TimeMs(since_1970.as_millis().try_into()?));
//! let record = |seq, prev, statement| Record {
//!     issuer: governor.public(),
//!     seq,
//!     prev,
//!     issued_on: today,
//!     statement,
//! };
//! let genesis = Statement::Genesis(Genesis {
//!     format: FormatVersion::CURRENT,
//!     origin: origin.clone(),
//!     programme: "Green rides".parse()?,
//!     governors: List::try_from(vec![governor.public()])?,
//!     quorum: 1,
//!     log_key: log_key.public(),
//!     mldsa_key: None,
//! });
//! let (signed, first) = draft(&record(Seq(0), RecordId::NONE, genesis), &context, &governor)?;
//! admit_genesis(&dir, &origin, &signed.endorse(&context, &log_key)?)?;
//!
//! let app = SigningKey::generate()?;
//! let grant = Statement::KeyGrant(KeyGrant {
//!     key: app.public(),
//!     role: Role::Platform,
//!     holder: "green-app".parse()?,
//!     display_name: "Green App".parse()?,
//!     expires_on: None,
//!     set: Index(0),
//! });
//! let (signed, _) = draft(&record(Seq(1), first, grant), &context, &governor)?;
//! let signed = signed.endorse(&context, &app)?;
//! tokio::runtime::Runtime::new()?.block_on(async {
//!     let log = Log::open(&LogConfig::of(&dir)).await?;
//!     let appended = log.append(vec![signed], None).await?;
//!     // Durable, and covered by the checkpoint that comes with the answer.
//!     assert_eq!(appended.indexes[0].0, 1);
//!     assert_eq!(appended.published.head.tree.size, 2);
//!     log.close().await;
//!     Ok::<_, Box<dyn std::error::Error>>(())
//! })?;
//! # Ok(())
//! # }
//! ```

mod batch;
mod clock;
mod evidence;
mod evidence_lookup;
mod figures;
mod following;
mod genesis;
mod intake;
mod keeper;
mod leadership;
mod publisher;
mod queue;
mod reader;
mod recovery;
mod retries;
mod rewind;
mod saver;
mod sealed_intake;
mod sender;
mod sequencer;
mod sharing;
mod shown;
mod signed_before;
mod signed_elsewhere;
mod signer;
mod slow_commit;
mod standby;
mod state_roots;
mod status;
mod turns;
mod workers;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

pub use clock::{Clock, ClockError};
pub(crate) use evidence::evidence_of;
pub use evidence::{EVIDENCE_ENTRIES, EvidenceConfig, EvidenceError, EvidenceFound, EvidenceOnce};
pub use genesis::{GenesisError, admit_genesis, admit_genesis_to, has_store};
pub use intake::{AppendError, Appended, NEVER_LEADS, Refused, RefusedBatch, UnavailableCode};
pub use keeper::ENTRIES_PER_SAVE;
pub use leadership::{BesideChain, SharedConfig, Timing};
pub use reader::{ReadError, Reader};
pub use recovery::RecoveryError;
pub use sealed_intake::AppendedBatch;
pub use sender::Sender;
pub use signed_before::SignedBeforeError;
pub use signed_elsewhere::SignedElsewhereError;
pub use signer::{LogSigner, SignerError, read_origin, vkey};
pub use state_roots::ProvenState;
pub use status::{Status, Vital};

use crate::crypto::{KeyAccess, MldsaSigningKey, PublicKey, Signer};
use crate::ledger::State;
use crate::note::{Checkpoint, VerifierKey};
use crate::record::{Index, LogHead, Origin, RecordId, SigningContext, TimeMs};
use crate::shares::Shares;
use crate::store::blobs::{BlobStore, Blobs, CountedBlobs, Progress};
use crate::store::{Bytes, DiskStore, SEGMENT_BYTES, SavedState, Store, StoreError};
use evidence::{Evidence, EvidenceJudge};
use figures::Measured;
use keeper::Keeper;
use leadership::{Packing, SharedLog};
use publisher::{Publisher, ends_in_state};
use queue::{Queue, QueueTaker};
use recovery::Recovered;
use rewind::Rewind;
use saver::Saver;
use sequencer::Sequencer;
use sharing::{DurableState, Sharing};
use signed_before::{RecoveredLog, advance, signs_on};
use state_roots::{CoverRequests, ProvenStates, StateRoots};
use status::{StatusCell, StatusWriter};
use workers::Workers;

/// A checkpoint that was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// The log that it covers.
    pub head: LogHead,
    /// The signed note.
    pub checkpoint: String,
    /// When it was signed.
    pub at: TimeMs,
    /// Whether the last entry that it covers is a state entry: such checkpoints are sent to cosigners, since an
    /// auditor can say of them that all that their entries make is right.
    pub ends_in_state: bool,
}

/// Milliseconds that a commit takes at most where disk or store are well: it is some on a disk, 100 to 400 on S3.
pub const SLOW_COMMIT_MS: u64 = 1_000;

/// How to open a log.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Its directory.
    pub dir: PathBuf,
    /// Whether an operator confirmed the clock, though it is behind the last admission or far ahead
    /// of it.
    pub accept_clock: bool,
    /// Bytes in a segment of the journal, after which the next begins.
    pub segment_bytes: u64,
    /// Entries between two saves of the state; more if there are very many accounts.
    pub entries_per_save: u64,
    /// The time from one state entry to the next, at least; `None` when the log writes none.
    pub state_every: Option<Duration>,
    /// A file with a checkpoint that the log must extend.
    pub at_least: Option<PathBuf>,
    /// A file, on another disk, that keeps the newest checkpoint: the log must extend it at a start.
    pub last_signed: Option<PathBuf>,
    /// The object store that has the log, which other processes may share; `None` for a log in `dir`. Then `dir`
    /// has keys alone.
    pub shared: Option<SharedConfig>,
    /// Whether the checkpoint beside the chain of such a log waits for [`Log::set_beside_chain`]: the newest may not be
    /// the one that stands.
    pub holds_checkpoint: bool,
    /// A commit that takes longer has a line of the log.
    pub slow_commit: Duration,
    /// What opens keys of the directory that are encrypted, or in an ssh-agent.
    pub keys: KeyAccess,
    /// Keys that sign checkpoints, beside those of the directory.
    pub log_keys: Vec<Signer>,
    /// How the evidence that entries name is indexed; `None` if it is not.
    pub evidence: Option<EvidenceConfig>,
}

impl LogConfig {
    /// The log in this directory, all else as usual.
    pub fn of(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            accept_clock: false,
            segment_bytes: SEGMENT_BYTES,
            entries_per_save: ENTRIES_PER_SAVE,
            state_every: None,
            at_least: None,
            last_signed: None,
            shared: None,
            holds_checkpoint: false,
            slow_commit: Duration::from_millis(SLOW_COMMIT_MS),
            keys: KeyAccess::default(),
            log_keys: Vec::new(),
            evidence: None,
        }
    }
}

/// Why a log can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The store can't be opened or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The entries do not make a ledger.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// A key to sign checkpoints with is missing or can't be read.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The log does not extend what was signed before, or that can't be known.
    #[error(transparent)]
    SignedBefore(#[from] SignedBeforeError),
    /// The log has no key here, and no checkpoint of others that can be served at.
    #[error(transparent)]
    SignedElsewhere(#[from] SignedElsewhereError),
    /// The index of evidence can't be opened or made.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The system gives no threads.
    #[error("threads for signatures and state roots: {0}; raise the limit on threads")]
    Workers(std::io::Error),
    /// There is no genesis yet.
    #[error(
        "{0} has no genesis yet: have the missing governors sign {0}/genesis.json (arborlog endorse), then run: arborlog init {0} --complete"
    )]
    NoGenesis(PathBuf),
}

/// What a log starts from.
struct Start {
    recovered: Recovered,
    /// The checkpoint of it, if it is signed already; else it is signed here.
    published: Option<Published>,
    /// What is measured of it.
    measured: Measured,
}

/// Which state was read: an answer from it waits until this much is published.
#[derive(Clone, Copy)]
struct StateVersion {
    /// Number of entries that were applied to it.
    size: u64,
    /// Number of recoveries before it was read.
    epoch: u64,
}

/// A log that runs.
pub struct Log {
    context: SigningContext,
    workers: Workers,
    reader: Reader,
    state: Arc<RwLock<State>>,
    /// Number of recoveries since the start. Changed by the sequencer, and after a halt by `rewind`
    /// alone, while the state's write lock is held: the holder of the read lock reads the epoch of
    /// that state.
    epoch: Arc<AtomicU64>,
    /// Whether the state contradicted itself: then nothing is told of it, made again or not.
    contradicted: Arc<AtomicBool>,
    /// Gives readers the state of the newest checkpoint once the log halted.
    rewind: Rewind,
    proven: Arc<ProvenStates>,
    /// Asks the sequencer for a state entry.
    cover: Arc<CoverRequests>,
    status: Arc<StatusCell>,
    queue: Arc<Queue>,
    clock: Arc<Clock>,
    /// Signs what cosigners are sent, beside the log's key.
    mldsa_key: Option<MldsaSigningKey>,
    /// Look-ups of records that are sent again.
    walks: Shares,
    /// Sealed batches that are sent again.
    replays: Shares,
    /// Of a log that several processes share: what this one knows of the others.
    shared: Option<Arc<SharedLog>>,
    /// What is measured of it.
    measured: Measured,
    /// What packs behind the commits of such a log.
    packing: Option<Packing>,
    sequencer: tokio::task::JoinHandle<()>,
    /// The index of evidence, and the task that keeps it.
    evidence: Option<Arc<Evidence>>,
    indexing: Option<tokio::task::JoinHandle<()>>,
}

impl Log {
    /// Opens the log in a directory: recovers, signs the checkpoint of what is durable, and
    /// begins to admit.
    ///
    /// # Errors
    /// [`LogError`] says what to mend.
    pub async fn open(config: &LogConfig) -> Result<Self, LogError> {
        let dir = &config.dir;
        let clock = Clock::system(config.accept_clock);
        let shared = config.shared.as_ref();
        let signer = match shared.and_then(|shared| shared.without_key.as_ref()) {
            Some(_) => LogSigner::without_key(dir)?,
            None => LogSigner::open_with(dir, config.keys.clone(), config.log_keys.clone())?,
        };
        if let Some(shared) = shared {
            return Self::start_shared(shared, signer, clock, config).await;
        }
        let store: Arc<dyn Store> = Arc::new(DiskStore::open_with(dir, config.segment_bytes)?);
        // Without a saved state the log is as right, and only slower to start.
        let saved = SavedState::open(&state_dir(dir))
            .map_err(|error| tracing::warn!(%error, "the state can't be kept between starts"))
            .ok();
        Self::start_with(store, signer, saved, clock, config).await
    }

    /// Runs a log on an object store, which other processes may share: takes in all that it has, and follows it
    /// until this process leads.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn start_shared(
        shared: &SharedConfig,
        signer: LogSigner,
        clock: Clock,
        config: &LogConfig,
    ) -> Result<Self, LogError> {
        let measured = Measured::of(config);
        let requests = measured.store_requests.clone();
        let blobs: Arc<dyn Blobs> =
            Arc::new(CountedBlobs::new(Arc::clone(&shared.blobs), requests));
        let (shape, patience) = (shared.shape, shared.patience);
        let store = BlobStore::open(Arc::clone(&blobs), signer.origin(), shape, patience).await?;
        let signed = match &shared.without_key {
            None => {
                store.begin_at_floor(u64::MAX).await?;
                while store.follow().await? != Progress::End {}
                None
            }
            Some(first_key) => {
                let signed = signed_elsewhere::follow_to_checkpoint(&store, shared.timing).await?;
                Some((first_key, signed))
            }
        };
        let reader = Reader::new(Arc::new(store.clone()));
        let recovered = recovery::recover_from(&reader, signer.origin(), &store).await?;
        let published = match signed {
            None => None,
            Some((first_key, signed)) => {
                let at = TimeMs(clock.wall_ms());
                Some(signed_elsewhere::published(
                    &recovered, first_key, signed, at,
                )?)
            }
        };
        let saver = Saver::new(
            store.clone(),
            config.entries_per_save,
            recovered.saved_size,
            measured.measures.clone(),
        );
        let beside = match config.holds_checkpoint {
            true => BesideChain::Nothing,
            false => BesideChain::Newest,
        };
        let shared = Some(Arc::new(SharedLog::new(store, saver, beside, shared)));
        let start = Start {
            recovered,
            published,
            measured,
        };
        Self::run_with(reader, start, shared, signer, None, clock, config).await
    }

    /// Runs a log on any store.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn start(
        store: Arc<dyn Store>,
        signer: LogSigner,
        saved: Option<SavedState>,
        clock: Clock,
    ) -> Result<Self, LogError> {
        let config = LogConfig::of(Path::new(""));
        Self::start_with(store, signer, saved, clock, &config).await
    }

    /// As [`Self::start`], as `config` says, whose directory and clock are not looked at.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn start_with(
        store: Arc<dyn Store>,
        signer: LogSigner,
        mut saved: Option<SavedState>,
        clock: Clock,
        config: &LogConfig,
    ) -> Result<Self, LogError> {
        let reader = Reader::new(store);
        let recovered = recovery::recover(&reader, signer.origin(), saved.as_mut()).await?;
        let start = Start {
            recovered,
            published: None,
            measured: Measured::of(config),
        };
        Self::run_with(reader, start, None, signer, saved, clock, config).await
    }

    async fn run_with(
        reader: Reader,
        start: Start,
        shared: Option<Arc<SharedLog>>,
        signer: LogSigner,
        saved: Option<SavedState>,
        clock: Clock,
        config: &LogConfig,
    ) -> Result<Self, LogError> {
        let Start {
            recovered,
            published,
            measured,
        } = start;
        if recovered.saved_size > 0 {
            measured.measures.saved.set(recovered.saved_size);
        }
        let origin = signer.origin().clone();
        let mldsa_key = signer.mldsa().cloned();
        let store = Arc::clone(reader.shared_store());
        if recovered.tree.size() == 0 {
            return Err(LogError::NoGenesis(signer.dir().to_owned()));
        }
        let log = RecoveredLog {
            reader: &reader,
            origin: &origin,
            head: recovered.head.tree,
            keys: &recovered.log_keys(),
        };
        let (at_least, last_signed) = (&config.at_least, &config.last_signed);
        let last_signed = signs_on(&log, at_least.as_deref(), last_signed.as_deref()).await?;
        let at = TimeMs(clock.wall_ms());
        let published = Arc::new(match published {
            Some(published) => published,
            None => signer.publish(
                &recovered.log_keys(),
                recovered.head,
                ends_in_state(&recovered.state),
                at,
            )?,
        });
        if let Some(last) = &last_signed {
            advance(last, &published.checkpoint).await?;
        }
        let evidence = match &config.evidence {
            Some(evidence) => {
                let size = recovered.head.tree.size;
                let opened = Evidence::open(evidence, &reader, size, TimeMs(clock.wall_ms()));
                Some(Arc::new(opened.await?))
            }
            None => None,
        };
        let clock = Arc::new(clock);
        let wrong_clock = clock.admission(recovered.state.globals().last_admitted_at);
        let wrong_clock = wrong_clock.err();
        if let Some(error) = &wrong_clock {
            tracing::error!(%error, "no record is admitted by this clock");
        }
        let status = Arc::new(StatusCell::new(match &shared {
            None => Status::Ready {
                published,
                epoch: 0,
            },
            Some(_) => Status::Following {
                published,
                epoch: 0,
                leader: None,
            },
        }));
        let queue = Arc::new(Queue::default());
        let proven = ProvenStates::of_recovered(&recovered.state);
        let proven = Arc::new(proven.map_err(RecoveryError::Contradicts)?);
        let roots = vital(&status, "the thread that makes state roots");
        let roots = StateRoots::start(config.state_every, roots).map_err(LogError::Workers)?;
        let cover = Arc::clone(roots.requests());
        let sharing = shared.clone().map(|shared| Sharing {
            shared,
            durable: Some(DurableState {
                state: recovered.state.clone(),
                tree: recovered.tree.clone(),
            }),
            is_undecided: false,
        });
        let state = Arc::new(RwLock::new(recovered.state));
        let epoch = Arc::new(AtomicU64::new(0));
        let contradicted = Arc::new(AtomicBool::new(false));
        let sequencer = Sequencer {
            reader: reader.clone(),
            store,
            publisher: Publisher {
                signer,
                last_signed,
                clock: Arc::clone(&clock),
                epoch: Arc::clone(&epoch),
                status: StatusWriter(Arc::clone(&status)),
                measures: measured.measures.clone(),
            },
            sharing,
            slow_commit: config.slow_commit,
            wrong_clock,
            state: Arc::clone(&state),
            contradicted: Arc::clone(&contradicted),
            tree: recovered.tree,
            roots,
            proven: Arc::clone(&proven),
            queue: QueueTaker(Arc::clone(&queue)),
            evidence: evidence
                .clone()
                .filter(|evidence| evidence.has_rules())
                .map(EvidenceJudge::new),
            keeper: Keeper::start(
                saved,
                recovered.saved_size,
                config.entries_per_save,
                &measured.measures,
                vital(&status, "the thread that saves the state"),
            ),
        };
        let context = SigningContext::new(&origin);
        let workers = Workers::start(context.clone(), || {
            vital(&status, "a thread that checks signatures")
        })
        .map_err(LogError::Workers)?;
        let sequencer = tokio::spawn(sequencer.run());
        let indexing = evidence.clone().map(|evidence| {
            let (reader, state) = (reader.clone(), Arc::clone(&state));
            tokio::spawn(evidence.follow(reader, state, Arc::clone(&status)))
        });
        Ok(Self {
            context,
            workers,
            reader,
            state,
            epoch,
            contradicted,
            rewind: Rewind::default(),
            proven,
            cover,
            status,
            queue,
            clock,
            mldsa_key,
            walks: Shares::new(retries::WALKS_MAX, retries::WALKS_EACH),
            replays: Shares::new(sealed_intake::REPLAYS_MAX, sealed_intake::REPLAYS_MAX),
            measured,
            packing: shared.clone().map(Packing::start),
            shared,
            sequencer,
            evidence,
            indexing,
        })
    }

    /// The newest checkpoint.
    pub fn published(&self) -> Arc<Published> {
        Arc::clone(self.status.now().published())
    }

    /// The newest checkpoint whose last entry is a state entry, of those that were published since the start.
    pub fn newest_in_state(&self) -> Option<Arc<Published>> {
        self.status.ends_in_state()
    }

    /// The verifier key of the log's key of ML-DSA-44, if it has one.
    pub fn mldsa_vkey(&self) -> Option<VerifierKey> {
        let key = self.mldsa_key.as_ref()?;
        let name = self.identity().2.name().clone();
        Some(VerifierKey::mldsa(name, key.public()))
    }

    /// Adds the log's line by ML-DSA-44 to a checkpoint, if it has such a key.
    pub fn also_sign_mldsa(&self, checkpoint: &mut Checkpoint, signed_at_s: u64) {
        if let Some(key) = &self.mldsa_key
            && let Err(error) = checkpoint.also_sign_mldsa(key, signed_at_s)
        {
            tracing::warn!(%error, "the checkpoint has no line by ML-DSA-44");
        }
    }

    /// Admits no more, for this reason: what was found speaks against the log itself. The newest checkpoint
    /// is still served.
    pub fn halt(&self, why: &str) {
        tracing::error!(why, "the log admits no more records");
        self.status.halt(why);
    }

    /// Makes sure that this process leads the log, and so has all that is in it.
    ///
    /// # Errors
    /// [`AppendError::Unavailable`] when it does not, or when that can't be known.
    pub async fn confirm_leading(&self) -> Result<(), AppendError> {
        self.check_leading()?;
        match &self.shared {
            Some(shared) => shared.check_fresh().await,
            None => Ok(()),
        }
    }

    /// What the log is doing.
    pub fn status(&self) -> Status {
        self.status.now()
    }

    /// Whether a record that is sent now would be judged.
    ///
    /// # Errors
    /// [`AppendError::Unavailable`]: what its sender would be answered.
    pub fn readiness(&self) -> Result<(), AppendError> {
        if let Status::Halted { why, .. } = self.status.now() {
            return Err(AppendError::halted(&why));
        }
        self.check_leading()?;
        if self.queue.is_closed() {
            return Err(AppendError::stopping());
        }
        let last = self.state().globals().last_admitted_at;
        let time = self.clock.admission(last);
        time.map(|_| ())
            .map_err(|error| AppendError::halted(&error.to_string()))
    }

    /// Whether this process leads the log.
    fn check_leading(&self) -> Result<(), AppendError> {
        match self.status.now() {
            Status::Following { leader, .. } => {
                let leader = leader.as_deref();
                let has_key = self.shared.as_ref().is_none_or(|shared| shared.has_key);
                Err(match has_key {
                    true => AppendError::not_leading(leader),
                    false => AppendError::never_leads(leader),
                })
            }
            Status::Ready { .. } | Status::Halted { .. } => Ok(()),
        }
    }

    /// Says where this server is reached: of a log that several share, the others tell it to those who send
    /// records to them.
    pub fn advertise(&self, address: String) {
        if let Some(shared) = &self.shared {
            shared.advertise(address);
        }
    }

    /// Says which checkpoint is written beside the chain of a log that several processes share.
    pub fn set_beside_chain(&self, beside: BesideChain) {
        if let Some(shared) = &self.shared {
            shared.set_beside(beside);
        }
    }

    /// Writes what cosigners signed where the other processes that share the log find it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn share_cosigned(&self, bytes: Bytes) -> Result<(), StoreError> {
        match &self.shared {
            Some(shared) => shared.store.put_cosigned(bytes).await,
            None => Ok(()),
        }
    }

    /// Writes the cosigned checkpoint of an hour since 1970 where who audits the store finds it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn share_hour(&self, hour: u64, note: Bytes) -> Result<(), StoreError> {
        match &self.shared {
            Some(shared) => shared.store.put_cosigned_hour(hour, note).await,
            None => Ok(()),
        }
    }

    /// What the process that leads wrote so. Nothing of it is verified.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn shared_cosigned(&self) -> Result<Option<Bytes>, StoreError> {
        match &self.shared {
            Some(shared) => shared.store.cosigned().await,
            None => Ok(None),
        }
    }

    /// How long ago this process had all that is in the log; none for the one that leads, and of a log that is
    /// this process's alone.
    pub fn lag(&self) -> Duration {
        let shared = self.shared.as_ref();
        shared.map_or(Duration::ZERO, |shared| shared.lag())
    }

    /// Waits until a task or thread of the log has ended by a fault of the software, and gives its
    /// name; for ever if none does. The log admits nothing then, and the process should end: only
    /// another start makes it whole.
    pub fn broke_off(&self) -> impl Future<Output = &'static str> + Send + use<> {
        Arc::clone(&self.status).broke_off()
    }

    /// Held by a task that the server can't do without: if it panics, the log admits no more, and
    /// [`Self::broke_off`] gives this name.
    pub fn vital(&self, what: &'static str) -> Vital {
        Vital {
            status: Arc::clone(&self.status),
            what,
        }
    }

    /// Waits for a checkpoint of more entries than these; `None` if there will be none.
    pub async fn grown_beyond(&self, size: u64) -> Option<Arc<Published>> {
        let grown = |status: &Status| status.published().head.tree.size > size;
        let status = self.status.wait_for(grown).await?;
        Some(Arc::clone(status.published()))
    }

    /// The newest state entry that was published, with the state that it speaks of: what proofs about the
    /// state are made from. `None` before there is one.
    pub fn proven(&self) -> Option<(Index, Arc<ProvenState>)> {
        self.proven.newest()
    }

    /// The state entry that ends a checkpoint of `size`, with the state that it speaks of, as long as that is at
    /// hand: of the newest ones alone.
    pub fn proven_at_end_of(&self, size: u64) -> Option<(Index, Arc<ProvenState>)> {
        let index = Index(size.checked_sub(1)?);
        self.proven.of(index).map(|state| (index, state))
    }

    /// Reads entries and proofs.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What ties records to this ledger: their ids and signatures are made with it.
    pub fn context(&self) -> &SigningContext {
        &self.context
    }

    /// Number of submissions that wait for the sequencer.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks something up in the state, and waits until the state that was read is durable and
    /// published: nobody is told what a crash could take back. A log that halted is read as of its
    /// newest checkpoint, unless its state contradicted itself: the rules are in doubt then.
    ///
    /// The sequencer waits while `look` runs: it may do a bounded number of steps, none of which
    /// grows with what the ledger holds. [`Self::look_at_image`] is for all else.
    ///
    /// # Errors
    /// [`AppendError::Unavailable`] when the log halts meanwhile, or can't be read since it halted.
    pub async fn look_up<T>(
        &self,
        look: impl FnOnce(&State) -> T,
    ) -> Result<(T, Arc<Published>), AppendError> {
        self.rewind_if_halted().await?;
        let (found, version) = {
            let state = self.state();
            (look(&state), self.version(&state))
        };
        Ok((found, self.wait_until_published(version).await?))
    }

    /// As [`Self::look_up`], for what may take long: it looks at an image of the state, on a thread
    /// for such work, and the sequencer does not wait for it.
    ///
    /// # Errors
    /// As [`Self::look_up`].
    pub async fn look_at_image<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<(T, Arc<Published>), AppendError> {
        self.rewind_if_halted().await?;
        let (image, version) = {
            let state = self.state();
            (state.clone(), self.version(&state))
        };
        let looked = tokio::task::spawn_blocking(move || look(&image)).await;
        // A look that panicked gives no answer; the panic was told where it happened.
        let found = looked.map_err(|_| AppendError::stopping())?;
        Ok((found, self.wait_until_published(version).await?))
    }

    /// Takes the state of a log that halted back to the newest checkpoint, if it is ahead of that. Nothing is
    /// told of one that contradicted itself.
    async fn rewind_if_halted(&self) -> Result<(), AppendError> {
        let Status::Halted { published, why } = self.status.now() else {
            return Ok(());
        };
        if self.contradicted.load(Ordering::Acquire) {
            return Err(AppendError::halted(&why));
        }
        if self.state().entries() <= published.head.tree.size {
            return Ok(());
        }
        self.rewind
            .done(&self.reader, &published, &self.state, &self.epoch)
            .await
    }

    /// The version of a state, which the caller reads under its lock.
    fn version(&self, state: &State) -> StateVersion {
        StateVersion {
            size: state.entries(),
            epoch: self.epoch.load(Ordering::Acquire),
        }
    }

    /// Waits for a checkpoint that covers a version of the state.
    async fn wait_until_published(
        &self,
        version: StateVersion,
    ) -> Result<Arc<Published>, AppendError> {
        let covers = |published: &Published| published.head.tree.size >= version.size;
        let status = self
            .status
            .wait_for(|status| match status {
                Status::Halted { .. } => true,
                Status::Ready { published, epoch }
                | Status::Following {
                    published, epoch, ..
                } => covers(published) || *epoch != version.epoch,
            })
            .await
            .ok_or_else(AppendError::stopping)?;
        // One that follows says the size that it speaks of, and its lag.
        if let (Some(shared), Status::Ready { .. }) = (&self.shared, &status) {
            shared.check_fresh().await?;
        }
        match &status {
            Status::Ready { published, epoch }
            | Status::Following {
                published, epoch, ..
            } if *epoch == version.epoch => Ok(Arc::clone(published)),
            Status::Ready { .. } | Status::Following { .. } => Err(AppendError::halted(
                "a commit failed, and the log recovered",
            )),
            Status::Halted { published, .. } if covers(published) => Ok(Arc::clone(published)),
            Status::Halted { why, .. } => Err(AppendError::halted(why)),
        }
    }

    /// Has the log say what all that is in makes, in a state entry, unless the newest one does already; returns
    /// once that is published.
    ///
    /// # Errors
    /// [`AppendError`], if the log stops or halts before.
    pub async fn cover(&self) -> Result<(), AppendError> {
        let stated = self.state().globals().stated;
        loop {
            let (version, said) = {
                let state = self.state();
                let said = state.globals().state_entry.map_or(0, |mark| mark.size);
                (self.version(&state), said)
            };
            if stated <= said {
                return self.wait_until_published(version).await.map(drop);
            }
            self.check_leading()?;
            self.cover.ask();
            let status = self.status.wait_for(|status| match status {
                Status::Halted { .. } | Status::Following { .. } => true,
                Status::Ready { published, epoch } => {
                    published.head.tree.size > version.size || *epoch != version.epoch
                }
            });
            if let Status::Halted { why, .. } = status.await.ok_or_else(AppendError::stopping)? {
                return Err(AppendError::halted(&why));
            }
        }
    }

    /// The verifier key of the key that signs checkpoints now, and the genesis.
    pub fn identity(&self) -> (Option<VerifierKey>, Option<RecordId>, Origin) {
        let state = self.state();
        let head = state.globals();
        let vkey = head
            .log_keys
            .last()
            .map(|(key, _)| signer::vkey(&head.origin, *key));
        (
            vkey,
            head.genesis.as_ref().map(|(id, _)| *id),
            head.origin.clone(),
        )
    }

    /// Whether a key was ever granted a role, by the newest state, published or not.
    pub fn knows(&self, key: &PublicKey) -> bool {
        self.state().key(key).is_some()
    }

    /// Stops admitting, answers the appends under way, saves the state, and returns when all is
    /// done: the directory can be opened again at once.
    ///
    /// A log that is dropped instead loses nothing that was answered. Its task ends with the commit
    /// under way, and then lets go of the directory. The state is not saved: the next start
    /// replays the entries since the last save.
    pub async fn close(mut self) {
        self.queue.close();
        if let Err(error) = (&mut self.sequencer).await {
            tracing::error!(%error, "the sequencer did not stop cleanly");
        }
        drop(self.packing.take());
        if let Some(indexing) = self.indexing.take() {
            // It holds the store, and the index.
            indexing.abort();
            let _ = indexing.await;
        }
        self.rewind.stop().await;
    }

    /// Stops admitting; [`Self::close`] waits for the rest.
    pub fn stop_admitting(&self) {
        self.queue.close();
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.queue.abandon();
        if let Some(indexing) = &self.indexing {
            indexing.abort();
        }
    }
}

fn vital(status: &Arc<StatusCell>, what: &'static str) -> Vital {
    let status = Arc::clone(status);
    Vital { status, what }
}

/// Where the state is kept between starts.
pub fn state_dir(dir: &Path) -> PathBuf {
    dir.join("state")
}
