use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::log_source::read_vkey;
use super::service_manager::ServiceManager;
use super::trust::read_policy;
use super::{Done, Failure, log_lines, signing, size, store};
use arborlog::asking::AskingConfig;
use arborlog::cosign::Pace;
use arborlog::durable::{FileError, at};
use arborlog::http::{
    ADMIN_CONNECTIONS, Limits, ServeOptions, Tls, TlsError, TrustedProxies, serve,
};
use arborlog::log::{
    ENTRIES_PER_SAVE, EVIDENCE_ENTRIES, EvidenceConfig, EvidenceOnce, Log, LogConfig, LogError,
    NEVER_LEADS, SLOW_COMMIT_MS, SharedConfig, SignedBeforeError, SignedElsewhereError,
};
use arborlog::outcome::Outcome;
use arborlog::record::FormatVersion;
use arborlog::store::SEGMENT_BYTES;
use arborlog::store::blobs::{ROUNDS_AT_INIT, ROUNDS_AT_START, probe};
use arborlog::version::{COMMIT, RELEASE};
use arborlog::web::{self, Site};

/// Serve a ledger over HTTP until SIGTERM or Ctrl-C. Every flag has an `ARBORLOG_*` variable.
#[derive(Args)]
pub struct ServeArgs {
    /// The ledger's directory.
    #[arg(env = "ARBORLOG_DIR")]
    dir: PathBuf,
    /// The object store that has the ledger, which several servers may share: s3://bucket/prefix, gs://…,
    /// az://… or file:///folder, with credentials from the environment. DIR then has keys alone, and the
    /// address with which the ledger was made, which is used if this is left out.
    #[arg(long, env = "ARBORLOG_STORE", value_name = "ADDRESS")]
    store: Option<String>,
    /// Leave it to others to lead at a start; lead when nobody gave a sign of life for 10 s. If DIR/keys is empty
    /// or missing: never lead, write nothing to the store, and serve at the checkpoints that others sign.
    #[arg(long, env = "ARBORLOG_FOLLOW")]
    follow: bool,
    /// While this server leads, also write the log's tiles to the store, where any web server or CDN that serves the
    /// bucket serves them (c2sp.org/tlog-tiles).
    #[arg(long, env = "ARBORLOG_TILES")]
    tiles: bool,
    /// Try the store as `init` does, in ten rounds rather than one: after a change of it.
    #[arg(long)]
    probe: bool,
    /// Verify the signatures of what other servers commit again.
    #[arg(long, env = "ARBORLOG_VERIFY_FOLLOWED")]
    verify_followed: bool,
    /// Where clients reach this server, as the other servers tell it to those who send them records;
    /// --public-url, or where it listens, if left out.
    #[arg(long, env = "ARBORLOG_ADVERTISE", value_name = "URL", value_parser = public_url)]
    advertise: Option<String>,
    /// Where to listen; port 0 takes a free one and prints it.
    #[arg(long, env = "ARBORLOG_LISTEN", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Where metrics, readiness and health are asked for (/metrics, /readyz, /healthz), over plain HTTP; at the address
    /// above there is none of them then. Without it they are there, for anybody.
    #[arg(long, env = "ARBORLOG_ADMIN_LISTEN", value_name = "ADDR")]
    admin_listen: Option<String>,
    /// The clock is right, though it is behind the last admission, or more than 14 days ahead of it:
    /// admit records. It is held against uptime from then on.
    #[arg(long, env = "ARBORLOG_ACCEPT_CLOCK")]
    accept_clock: bool,
    /// Start only if the log extends the checkpoint in this file, from a monitor, a mirror or a
    /// client: an older copy of the directory does not, and would sign a second history.
    #[arg(long, env = "ARBORLOG_AT_LEAST", value_name = "CHECKPOINT_FILE")]
    at_least: Option<PathBuf>,
    /// Keep the newest checkpoint in this file, on another disk, before it is published; start only
    /// if the log extends it. Its folder must be there.
    #[arg(long, env = "ARBORLOG_LAST_SIGNED", value_name = "FILE")]
    last_signed: Option<PathBuf>,
    /// A key that signs checkpoints, beside those in DIR/keys: a file, encrypted or not; the public half of a key that
    /// an ssh-agent has; or env:VARIABLE, for one whose PEM is in a variable. Give it once for each.
    #[arg(
        long,
        env = "ARBORLOG_LOG_KEY",
        value_name = "KEY",
        value_delimiter = ','
    )]
    log_key: Vec<PathBuf>,
    /// Begin a new segment of the journal after so many bytes: a start reads one to two of them.
    #[arg(long, env = "ARBORLOG_SEGMENT_BYTES", value_parser = size::parse::<u64>, value_name = "SIZE", default_value_t = SEGMENT_BYTES)]
    segment_bytes: u64,
    /// Save the state after so many entries, or a quarter as many as there are accounts if that is
    /// more: what a start replays at most, and half as much again.
    #[arg(long, env = "ARBORLOG_ENTRIES_PER_SAVE", default_value_t = ENTRIES_PER_SAVE)]
    entries_per_save: u64,
    /// Milliseconds from one state entry to the next, at least, in which the log says what its entries make;
    /// 0 for no state entries: nothing can be proven of the state then.
    #[arg(long, env = "ARBORLOG_STATE_EVERY_MS", default_value_t = 1000)]
    state_every_ms: u64,
    /// Say in the log which commits took longer than so many milliseconds.
    #[arg(long, env = "ARBORLOG_SLOW_COMMIT_MS", default_value_t = SLOW_COMMIT_MS)]
    slow_commit_ms: u64,
    /// The address that certificates and commands on pages lead to, such as
    /// https://ledger.example.org; the one that a reader used if left out.
    #[arg(long, env = "ARBORLOG_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    public_url: Option<String>,
    /// Who runs this server, as the foot of each page says it.
    #[arg(long, env = "ARBORLOG_OPERATOR", value_name = "NAME")]
    operator: Option<String>,
    /// How to reach whoever runs it: an address of mail, or of a page.
    #[arg(long, env = "ARBORLOG_CONTACT", value_name = "ADDRESS", value_parser = contact)]
    contact: Option<String>,
    /// Where the source code of what runs here can be had.
    #[arg(long, env = "ARBORLOG_SOURCE", value_name = "URL", value_parser = web_page)]
    source: Option<String>,
    /// The address of a proxy that is believed when it says, in X-Forwarded-For, whom a request is from:
    /// what clients share is shared out by their addresses. Give it once for each proxy.
    #[arg(
        long,
        env = "ARBORLOG_TRUSTED_PROXY",
        value_name = "ADDR",
        value_delimiter = ','
    )]
    trusted_proxy: Vec<std::net::IpAddr>,
    #[command(flatten)]
    evidence: EvidenceArgs,
    #[command(flatten)]
    asking: AskingArgs,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// The index of evidence.
#[derive(Args)]
pub struct EvidenceArgs {
    /// The folder of the index of evidence, which GET /v1/evidence/{digest} asks. Without it there is no index, unless
    /// --evidence-once needs one: then it is DIR/evidence, and for a ledger on an object store each server needs a folder
    /// of its own. An index costs memory and time for each entry.
    #[arg(long, env = "ARBORLOG_EVIDENCE_INDEX", value_name = "FOLDER")]
    evidence_index: Option<PathBuf>,
    /// The newest entries that this index covers, at least.
    #[arg(long, env = "ARBORLOG_EVIDENCE_ENTRIES", default_value_t = EVIDENCE_ENTRIES, value_parser = clap::value_parser!(u64).range(1..))]
    evidence_entries: u64,
    /// Refuse an award by this holder's keys whose evidence another award of the same holder named less than so many days
    /// before. Give it once for each holder, and to every server of the ledger.
    #[arg(long, env = "ARBORLOG_EVIDENCE_ONCE", value_name = "HOLDER=DAYS", value_delimiter = ',', value_parser = evidence_once)]
    evidence_once: Vec<EvidenceOnce>,
}

impl EvidenceArgs {
    fn config(&self, args: &ServeArgs) -> Result<Option<EvidenceConfig>, Failure> {
        let is_on_store = store::of(&args.dir, args.store.as_deref())?.is_some();
        let dir = match &self.evidence_index {
            Some(dir) => dir.clone(),
            None if self.evidence_once.is_empty() => return Ok(None),
            None if !is_on_store => args.dir.join("evidence"),
            None => {
                let why = "--evidence-once needs an index: name a folder of this server's own with --evidence-index";
                return Err(Failure::usage(why.to_owned()));
            }
        };
        Ok(Some(EvidenceConfig {
            dir,
            entries: self.evidence_entries,
            once: self.evidence_once.clone(),
        }))
    }
}

/// A holder and a number of days.
fn evidence_once(text: &str) -> Result<EvidenceOnce, String> {
    let wrong = || "write it as HOLDER=DAYS, such as green-app=90".to_owned();
    let (holder, days) = text.split_once('=').ok_or_else(wrong)?;
    let days: u32 = days.parse().map_err(|_| wrong())?;
    if days == 0 {
        return Err(wrong());
    }
    let holder = holder
        .parse()
        .map_err(|error| format!("{holder}: {error}"))?;
    Ok(EvidenceOnce { holder, days })
}

/// Witnesses and auditors.
#[derive(Args)]
pub struct AskingArgs {
    /// The policy (c2sp.org/tlog-policy) whose witnesses and auditors are sent this ledger's checkpoints, and
    /// whose quorum a checkpoint must meet to stand at /checkpoint. It wins over the policy that the ledger
    /// states; without it that one is obeyed, and without either nobody is asked.
    #[arg(long, env = "ARBORLOG_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Milliseconds from one question to a witness or auditor to the next.
    #[arg(long, env = "ARBORLOG_COSIGN_EVERY_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    cosign_every_ms: u64,
    /// Seconds after which a cosignature is asked for again, for a fresh time, though nothing is new.
    #[arg(long, env = "ARBORLOG_COSIGN_RENEW_S", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    cosign_renew_s: u64,
    /// After so many seconds without a quorum the newest checkpoint stands at /checkpoint all the same; never,
    /// if left out.
    #[arg(long, env = "ARBORLOG_WITHOUT_QUORUM_S", value_name = "SECONDS")]
    without_quorum_s: Option<u64>,
}

impl AskingArgs {
    fn config(&self, args: &ServeArgs) -> Result<AskingConfig, Failure> {
        Ok(AskingConfig {
            policy: self.policy.as_deref().map(read_policy).transpose()?,
            pace: Pace {
                every: Duration::from_millis(self.cosign_every_ms),
                renew: Duration::from_secs(self.cosign_renew_s),
                ..Pace::default()
            },
            without_quorum: self.without_quorum_s.map(Duration::from_secs),
            waits_for_state: args.state_every_ms > 0,
            ..AskingConfig::of(&args.dir)
        })
    }
}

/// TLS, if it does not end at a proxy. Both files are read again at SIGHUP.
#[derive(Args)]
pub struct TlsArgs {
    /// The server's certificate and those above it, in PEM.
    #[arg(
        long,
        env = "ARBORLOG_TLS_CERT",
        requires = "tls_key",
        value_name = "FILE"
    )]
    tls_cert: Option<PathBuf>,
    /// Its private key in PEM, which nobody else may read.
    #[arg(
        long,
        env = "ARBORLOG_TLS_KEY",
        requires = "tls_cert",
        value_name = "FILE"
    )]
    tls_key: Option<PathBuf>,
}

impl TlsArgs {
    fn load(&self) -> Result<Option<Arc<Tls>>, Failure> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        // As of the log's own key: mended, another start with the same flags is well.
        let tls = Tls::load(certificate, key).map_err(|error| match &error {
            TlsError::Open(..) => Failure::of(Outcome::Unchecked, error),
            TlsError::Pem(..) | TlsError::Config(..) => Failure::usage(error),
            _ => Failure::of(Outcome::Unchecked, error),
        })?;
        Ok(Some(Arc::new(tls)))
    }
}

/// Limits on what clients may ask.
#[derive(Args)]
pub struct LimitArgs {
    /// The largest body, in bytes.
    #[arg(long, env = "ARBORLOG_BODY_BYTES", value_parser = size::parse::<usize>, value_name = "SIZE", default_value_t = Limits::default().body_bytes)]
    body_bytes: usize,
    /// The most records of a batch.
    #[arg(long, env = "ARBORLOG_BATCH_RECORDS", default_value_t = Limits::default().batch_records)]
    batch_records: usize,
    /// Memory for all bodies in flight, in bytes. Clients of one network have a quarter of it.
    #[arg(long, env = "ARBORLOG_MEMORY_BYTES", visible_alias = "memory", value_parser = size::parse::<usize>, value_name = "SIZE", default_value_t = Limits::default().memory_bytes)]
    memory_bytes: usize,
    /// Seconds for a body to arrive.
    #[arg(long, env = "ARBORLOG_BODY_TIMEOUT_S", default_value_t = Limits::default().body_timeout.as_secs())]
    body_timeout_s: u64,
    /// Bytes a second that a body must bring, or it is 5 s behind and cut off; 0 for any number.
    #[arg(long, env = "ARBORLOG_BODY_RATE", default_value_t = Limits::default().body_rate)]
    body_rate: u64,
    /// Seconds for a request to be answered.
    #[arg(long, env = "ARBORLOG_REQUEST_TIMEOUT_S", default_value_t = Limits::default().request_timeout.as_secs())]
    request_timeout_s: u64,
    /// Seconds for a request's head to arrive.
    #[arg(long, env = "ARBORLOG_HEAD_TIMEOUT_S", default_value_t = Limits::default().head_timeout.as_secs())]
    head_timeout_s: u64,
    /// Seconds that a connection may be without a request. Give a proxy in front less.
    #[arg(long, env = "ARBORLOG_IDLE_TIMEOUT_S", default_value_t = Limits::default().idle_timeout.as_secs())]
    idle_timeout_s: u64,
    /// Seconds for a client to take something of what it is sent.
    #[arg(long, env = "ARBORLOG_READ_TIMEOUT_S", default_value_t = Limits::default().write_stall_timeout.as_secs())]
    read_timeout_s: u64,
    /// Bytes a second that a client must take of an answer, or it is cut off when it is behind by the
    /// time above; 0 for any number.
    #[arg(long, env = "ARBORLOG_ANSWER_RATE", default_value_t = Limits::default().answer_rate)]
    answer_rate: u64,
    /// The most connections; clients of one network have as many as are free.
    #[arg(long, env = "ARBORLOG_CONNECTIONS", default_value_t = Limits::default().connections)]
    connections: usize,
}

impl LimitArgs {
    fn limits(&self) -> Limits {
        Limits {
            body_bytes: self.body_bytes,
            batch_records: self.batch_records,
            memory_bytes: self.memory_bytes,
            body_timeout: Duration::from_secs(self.body_timeout_s),
            body_rate: self.body_rate,
            request_timeout: Duration::from_secs(self.request_timeout_s),
            head_timeout: Duration::from_secs(self.head_timeout_s),
            idle_timeout: Duration::from_secs(self.idle_timeout_s),
            write_stall_timeout: Duration::from_secs(self.read_timeout_s),
            answer_rate: self.answer_rate,
            connections: self.connections,
        }
    }
}

/// `http://` or `https://` and a host, without a slash at the end.
fn public_url(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    match host {
        Some(host) if !host.is_empty() && host.chars().all(plain) => Ok(text.to_owned()),
        _ => Err("write it as https://host, without a path: pages lie at the root".to_owned()),
    }
}

/// An address that a link may lead to, and no script.
fn web_page(text: &str) -> Result<String, String> {
    let is_page = ["https://", "http://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    is_page
        .then(|| text.to_owned())
        .ok_or_else(|| "write it with https:// in front".to_owned())
}

/// An address of mail, or of a page.
fn contact(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_graphic() && !"<>\"'?&%:/".contains(c);
    let is_mail = text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && text.chars().all(plain) && !host.contains('@')
    });
    if is_mail {
        return Ok(text.to_owned());
    }
    web_page(text).map_err(|_| "write it as name@example.org, or with https:// in front".to_owned())
}

pub fn run(args: &ServeArgs) -> Done {
    check_threads().map_err(|error| {
        anyhow::anyhow!("the system gives this process too few threads ({error}); raise the limit (TasksMax, pids.max, ulimit -u)")
    })?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        // Before anything else: a signal during a long start must stop it cleanly too.
        let stop = stop_signal()?;
        tracing::info!(
            version = RELEASE,
            commit = COMMIT,
            format = FormatVersion::NUMBER,
            dir = %args.dir.display(),
            store = args.store,
            "starting"
        );
        let config = LogConfig {
            dir: args.dir.clone(),
            accept_clock: args.accept_clock,
            segment_bytes: args.segment_bytes,
            entries_per_save: args.entries_per_save,
            state_every: (args.state_every_ms > 0)
                .then(|| Duration::from_millis(args.state_every_ms)),
            at_least: args.at_least.clone(),
            last_signed: args.last_signed.clone(),
            shared: shared(args).await?,
            // Which checkpoint stands is for the asking to say.
            holds_checkpoint: true,
            slow_commit: Duration::from_millis(args.slow_commit_ms),
            keys: signing::access_of_servers(),
            log_keys: args
                .log_key
                .iter()
                .map(|named| signing::open_at_server(named))
                .collect::<Result<_, _>>()?,
            evidence: args.evidence.config(args)?,
        };
        let asking = args.asking.config(args)?;
        let tls = args.tls.load()?;
        let manager = ServiceManager::of_environment();
        let reloads = reload_at_hangup(tls.clone(), manager.clone())?;
        let mut limits = args.limits.limits();
        let for_admin = args.admin_listen.as_ref().map_or(0, |_| ADMIN_CONNECTIONS as u64);
        let descriptors = descriptors().saturating_sub(for_admin);
        limits.connections = connections_for(limits.connections, descriptors)?;
        let log = Arc::new(Log::open(&config).await.map_err(not_opened)?);
        let listener = TcpListener::bind(&args.listen).await.map_err(|error| {
            anyhow::anyhow!("{}: {error}; choose another with --listen", args.listen)
        })?;
        let admin = args.admin_listen.as_deref().map(admin_listener).transpose()?;
        tokio::spawn(end_by_force(log.broke_off()));
        let scheme = if tls.is_some() { "https" } else { "http" };
        outln!("listening on {scheme}://{}", listener.local_addr()?);
        let admin_address = admin.as_ref().map(|it| it.local_addr()).transpose()?;
        if let Some(address) = admin_address {
            outln!("metrics and readiness on http://{address}");
        }
        if let Some(address) = reached_at(args, scheme, listener.local_addr()?) {
            log.advertise(address);
        }
        let head = log.published().head.tree;
        tracing::info!(
            address = %listener.local_addr()?,
            admin = admin_address.map(tracing::field::display),
            size = head.size,
            root = %head.root,
            connections = limits.connections,
            memory_bytes = limits.memory_bytes,
            body_bytes = limits.body_bytes,
            "serving"
        );
        if let Some(vkey) = log.mldsa_vkey() {
            tracing::info!(%vkey, "what witnesses and auditors are sent is signed by ML-DSA-44 too");
        }
        let site = Site {
            public_url: args.public_url.clone(),
            tls: tls.is_some(),
            operator: args.operator.clone(),
            contact: args.contact.clone(),
            source: args.source.clone(),
        };
        let shown = Arc::clone(&log);
        let pages = |closing| web::pages(shown, site, closing);
        // Without its task a SIGHUP would end the process, or be forgotten.
        let mut reloads_ended = false;
        let ended = &mut reloads_ended;
        let status = format!("serving at {scheme}://{}", listener.local_addr()?);
        // It is asked first when connections are accepted.
        let stop = async move {
            manager.ready(&status);
            manager.keep_alive();
            tokio::select! {
                () = stop => {}
                _ = reloads => *ended = true,
            }
            manager.stopping();
        };
        let options = ServeOptions {
            limits,
            proxies: TrustedProxies::new(args.trusted_proxy.iter().copied()),
            tls,
            log_lines_lost: Some(log_lines::lost),
            asking: Some(asking),
            admin,
        };
        serve(listener, log, options, pages, stop).await?;
        if reloads_ended {
            return Err(anyhow::anyhow!("the task that waits for SIGHUP broke off").into());
        }
        tracing::info!("stopped; what was acknowledged is in");
        Ok(())
    })
}

/// Threads beside those of the runtime and of signatures, one a core each: for connections, tiles, state roots, the state
/// and reads of files.
const THREADS_BESIDE: usize = 12;

/// Whether the system gives the threads that a server begins with: a runtime that gets too few panics, or waits for ever.
///
/// # Errors
/// The system's own.
fn check_threads() -> std::io::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let gate = Mutex::new(());
    std::thread::scope(|scope| {
        // None of them ends before all have begun.
        let _held = gate.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..2 * cores + THREADS_BESIDE {
            let waits = || drop(gate.lock());
            std::thread::Builder::new().spawn_scoped(scope, waits)?;
        }
        Ok(())
    })
}

/// The socket of `--admin-listen`.
fn admin_listener(address: &str) -> Result<Arc<std::net::TcpListener>, Failure> {
    let listener = std::net::TcpListener::bind(address).map_err(|error| {
        anyhow::anyhow!("{address}: {error}; choose another with --admin-listen")
    })?;
    Ok(Arc::new(listener))
}

/// The object store of the ledger, which was tried, if it has one.
async fn shared(args: &ServeArgs) -> Result<Option<SharedConfig>, Failure> {
    let Some(blobs) = store::of(&args.dir, args.store.as_deref())? else {
        let flags = [
            (args.follow, "--follow"),
            (args.tiles, "--tiles"),
            (args.probe, "--probe"),
        ];
        if let Some((_, flag)) = flags.iter().find(|(is_given, _)| *is_given) {
            return Err(Failure::usage(format!(
                "{flag} is for a ledger on an object store: name it with --store"
            )));
        }
        return Ok(None);
    };
    let without_key = match args.follow && !has_log_key(&args.dir)? {
        true => Some(read_vkey(&args.dir.join("log.vkey").display().to_string())?),
        false => None,
    };
    match &without_key {
        Some(_) => tracing::info!("{NEVER_LEADS}"),
        // It writes.
        None => {
            let rounds = match args.probe {
                true => ROUNDS_AT_INIT,
                false => ROUNDS_AT_START,
            };
            probe(std::slice::from_ref(&blobs), rounds).await?;
        }
    }
    Ok(Some(SharedConfig {
        follow: args.follow,
        verify: args.verify_followed,
        without_key,
        tiles: args.tiles,
        ..SharedConfig::on(blobs)
    }))
}

/// Whether a ledger's directory has a key file.
fn has_log_key(dir: &Path) -> Result<bool, FileError> {
    let keys = dir.join("keys");
    let files = match std::fs::read_dir(&keys) {
        Ok(files) => files,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(at(&keys)(error)),
    };
    for file in files {
        let path = file.map_err(at(&keys))?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where clients reach this server, as far as that is known.
fn reached_at(args: &ServeArgs, scheme: &str, listens: SocketAddr) -> Option<String> {
    let said = args.advertise.clone().or_else(|| args.public_url.clone());
    // Every address of the machine is none that another machine can use.
    let own = (!listens.ip().is_unspecified()).then(|| format!("{scheme}://{listens}"));
    said.or(own)
}

/// A log that does not extend what was signed is false to that, and a file that holds no checkpoint
/// of it is another kind of thing. All else says nothing of the log.
fn not_opened(error: LogError) -> Failure {
    use SignedBeforeError::{Changed, Forked, NoCheckpoint, NotAFile, Older, OtherLog};
    use SignedElsewhereError::{Contradicts, OtherKey};
    let outcome = match &error {
        LogError::SignedBefore(Older { .. } | Forked { .. } | Changed(_))
        | LogError::SignedElsewhere(Contradicts(_)) => Outcome::False,
        LogError::SignedBefore(NoCheckpoint { .. } | OtherLog { .. } | NotAFile(_))
        | LogError::SignedElsewhere(OtherKey { .. }) => Outcome::NotThatKind,
        _ => Outcome::Unchecked,
    };
    Failure::of(outcome, error)
}

/// Reads the certificate again at each SIGHUP.
fn reload_at_hangup(
    tls: Option<Arc<Tls>>,
    manager: ServiceManager,
) -> std::io::Result<JoinHandle<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            manager.reloading();
            match tls.as_ref().map(|tls| tls.reload()) {
                Some(Ok(())) => tracing::info!("the certificate was read again"),
                Some(Err(error)) => tracing::error!(%error, "the certificate stays as it was"),
                None => tracing::info!("nothing to read again: there is no TLS"),
            }
            manager.reloaded();
        }
    }))
}

/// The time in which a log that broke off is closed; requests under way have 30 s of it.
const CLOSED_WITHIN: Duration = Duration::from_secs(40);

/// Ends the process some time after the log broke off: what broke off may keep the rest from
/// closing, and only another process admits records again. What was acknowledged is durable.
async fn end_by_force(broke_off: impl Future<Output = &'static str>) {
    let what = broke_off.await;
    tracing::error!("{what} broke off; the process ends");
    tokio::time::sleep(CLOSED_WITHIN).await;
    std::process::exit(i32::from(super::CODE_NOT_DONE));
}

/// Descriptors that are the store's, whatever clients do: 64 tiles are written at a time, and a
/// store without descriptors stops admitting.
const DESCRIPTORS_KEPT: u64 = 128;

/// The most descriptors that the system lets this process have.
fn descriptors() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let whole = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let limit = match setrlimit(Resource::Nofile, whole) {
        Ok(()) => limit.maximum,
        // A system that does not raise the limit leaves it where it is.
        Err(_) => limit.current,
    };
    // None is no limit.
    limit.unwrap_or(u64::MAX)
}

/// The connections that leave the store enough descriptors.
fn connections_for(asked: usize, descriptors: u64) -> Result<usize, Failure> {
    let left = descriptors.checked_sub(DESCRIPTORS_KEPT);
    let Some(left) = left.filter(|left| *left > 0) else {
        return Err(anyhow::anyhow!(
            "the system gives this process {descriptors} descriptors, and the store alone needs {DESCRIPTORS_KEPT}; raise the limit (ulimit -n, LimitNOFILE)"
        )
        .into());
    };
    // More than a usize counts are enough for any number that was asked for.
    let left = usize::try_from(left).map_or(asked, |left| left.min(asked));
    if left < asked {
        tracing::warn!(
            asked,
            connections = left,
            "fewer connections: the system gives too few descriptors"
        );
    }
    Ok(left)
}

/// Resolves at SIGTERM or SIGINT.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let signal = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal, "stopping");
    })
}
