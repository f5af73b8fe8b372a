//! `arborlog auditor`: replays logs as they grow, and cosigns what it finished.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;

use crate::cli::log_source::{is_url, read_vkey};
use crate::cli::serve::stop_signal;
use crate::cli::{Done, Failure, connect, log_source, signing};
use arborlog::audit::{InspectionError, threads_default};
use arborlog::cosign::{
    AuditorError, BeginningError, BeginsWith, CosigningAuditor, FollowedLog, KeyKind, OnFinding,
    Replayer, Round, RoundOptions, Statement, hash_of, now_s,
};
use arborlog::durable::read_at_most;
use arborlog::http::{TrustedProxies, serve_auditor};
use arborlog::note::{KeyName, NOTE_BYTES_MAX};
use arborlog::outcome::Outcome;

/// How much of the replay a process that ends at some moment loses, if saving is quick.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// How often other auditors are asked for their notes, where logs are never asked.
const ASK_OTHERS_EVERY: Duration = Duration::from_secs(10);
/// The longest pause behind rounds that did not end.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Audit logs as they grow, and cosign what was replayed: every entry by the rules, every state entry, from
/// the first on, or, of an auditor that was made with --since, from a state on for which somebody else vouches.
///
/// DIR has its keys, the list of logs (DIR/logs: verifier key and address, one a line) and what it knows of
/// each. Make it with --init. It takes checkpoints that logs send (add-checkpoint), and asks for them itself.
/// Once it finds a log wrong it never cosigns anything of that log again, keeps the evidence in
/// DIR/evidence, goes on with the others, and ends with exit code 1 when it is stopped. Back DIR up, and never
/// put an older copy of DIR/pending, DIR/cosigned or DIR/faults back.
#[derive(Args)]
pub struct AuditorArgs {
    /// The auditor's folder.
    #[arg(env = "ARBORLOG_AUDITOR_DIR")]
    dir: PathBuf,
    /// Make the folder and keys of this name, such as auditor.example.org/arborlog; print the verifier key of
    /// the cosignatures, for policies, then that of the audit notes, and end. If DIR/auditor.pub or DIR/notes.pub is
    /// there, the public half of an Ed25519 key as OpenSSH writes it, the key that an ssh-agent has is taken, and none
    /// is made.
    #[arg(long, value_name = "NAME")]
    init: Option<KeyName>,
    /// What cosigning key --init makes: ed25519, whose cosignatures every client reads, or mldsa (ML-DSA-44).
    #[arg(
        long,
        value_name = "KIND",
        default_value = "ed25519",
        requires = "init"
    )]
    key: KeyKind,
    #[command(flatten)]
    since: SinceArgs,
    /// Where to listen; port 0 takes a free one and prints it.
    #[arg(
        long,
        env = "ARBORLOG_AUDITOR_LISTEN",
        default_value = "127.0.0.1:8091"
    )]
    listen: String,
    /// Seconds from one question to a log for its checkpoint to the next; 0 asks never, and waits for what
    /// logs send.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    every: u64,
    /// What a finding of severity high (docs/audit.md) means: sign tells it and cosigns, for a finding is no
    /// violation; stop cosigns nothing until its code stands in DIR/accepted, one a line, and judges findings
    /// before each cosignature; ignore looks for none, and keeps no awards on the disk (110 bytes each). Without
    /// this it is sign; of an auditor that was made with --since there is ignore alone.
    #[arg(long, value_name = "WHAT")]
    on_finding: Option<OnFinding>,
    /// How many bundles are fetched and checked at a time.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Ask each log once, replay, cosign, and end: 0 if all was cosigned, 1 if a log is wrong, 3 if one could
    /// not be replayed or its cosignature is withheld.
    #[arg(long, conflicts_with = "listen")]
    once: bool,
    /// The address of a proxy that is believed when it says, in X-Forwarded-For, whom a request is from.
    /// Give it once for each proxy.
    #[arg(
        long,
        env = "ARBORLOG_AUDITOR_TRUSTED_PROXY",
        value_name = "ADDR",
        value_delimiter = ','
    )]
    trusted_proxy: Vec<std::net::IpAddr>,
}

/// The state with which an auditor begins, and who vouches for it.
#[derive(Args)]
struct SinceArgs {
    /// With --init: begin with the state in this file, as `arborlog audit --state FILE` or another auditor keeps
    /// it, and not with the first entry. It is replayed up to the checkpoint of --vouched-at; the first state
    /// entry on the way says since which number of entries this auditor audits. That is fixed for its keys, and
    /// printed behind them.
    #[arg(long, value_name = "FILE", requires_all = ["init", "log", "at", "vouched_by", "vouched_at"])]
    since: Option<PathBuf>,
    /// The log that is audited since then: its verifier key, or a file that holds it.
    #[arg(long, value_name = "VKEY", requires = "since")]
    log: Option<String>,
    /// Where the files of that log are.
    #[arg(long, value_name = "URL", requires = "since")]
    at: Option<String>,
    /// The verifier key of the auditor who vouches for the state, or a file that holds it.
    #[arg(long, value_name = "VKEY", requires = "since")]
    vouched_by: Option<String>,
    /// That auditor's address, or a file with a checkpoint that it cosigned.
    #[arg(long, value_name = "URL", requires = "since")]
    vouched_at: Option<String>,
}

impl SinceArgs {
    /// Makes an auditor in DIR that begins with a state, if one is given.
    fn init(&self, args: &AuditorArgs, name: &KeyName) -> Result<bool, Failure> {
        let given = (&self.log, &self.at, &self.vouched_by, &self.vouched_at);
        let (Some(state), (Some(log), Some(at), Some(by), Some(vouched_at))) = (&self.since, given)
        else {
            return Ok(false);
        };
        let (log, by) = (read_vkey(log)?, read_vkey(by)?);
        let cosigned = match is_url(vouched_at) {
            true => {
                let path = format!("{}/checkpoint", hash_of(log.name()));
                let remote = connect::to(vouched_at.trim_end_matches('/'));
                let found = remote.file(&path, NOTE_BYTES_MAX as u64 + 1)?;
                found.ok_or_else(|| {
                    let what = format!("{vouched_at} has cosigned nothing of {}", log.name());
                    Failure::of(Outcome::Unchecked, anyhow::anyhow!(what))
                })?
            }
            false => read_at_most(vouched_at.as_ref(), NOTE_BYTES_MAX)?,
        };
        let source = log_source::open_newest(at)?;
        let begins = BeginsWith {
            log: &log,
            source: source.as_ref(),
            state,
            cosigned: &cosigned,
            by: &by,
            threads: args.threads.unwrap_or_else(threads_default),
        };
        let access = signing::access_of_servers();
        let made = CosigningAuditor::init_since(&args.dir, name, (args.key, &access), &begins, at);
        let (vkey, notes_vkey, statement) = made.map_err(not_opened)?;
        outln!("{vkey}\n{notes_vkey}\n{statement}");
        Ok(true)
    }
}

pub fn run(args: &AuditorArgs) -> Done {
    let access = signing::access_of_servers();
    if let Some(name) = &args.init {
        if args.since.init(args, name)? {
            return Ok(());
        }
        let made =
            CosigningAuditor::init_with(&args.dir, name, args.key, &access).map_err(not_opened)?;
        outln!("{}\n{}", made.0, made.1);
        return Ok(());
    }
    let auditor = Arc::new(CosigningAuditor::open_with(&args.dir, &access).map_err(not_opened)?);
    let on_finding = match (args.on_finding, auditor.statement()) {
        (given, Statement::Full) => given.unwrap_or(OnFinding::Sign),
        (None | Some(OnFinding::Ignore), Statement::Since(_)) => OnFinding::Ignore,
        (Some(_), Statement::Since(_)) => {
            return Err(Failure::usage(
                "this auditor did not replay from the first entry on, and can look for no findings: leave --on-finding out",
            ));
        }
    };
    let options = RoundOptions {
        threads: args.threads.unwrap_or_else(threads_default),
        on_finding,
        stops_on_difference: matches!(args.on_finding, None | Some(OnFinding::Stop)),
        save_every: match args.once {
            true => Duration::ZERO,
            false => SAVE_EVERY,
        },
        clock: now_s,
    };
    if args.once {
        // Each log has its turn, whatever becomes of the others; the first failure is told last.
        let done: Vec<Done> = auditor
            .logs()
            .map(|log| once(&auditor, log, options))
            .collect();
        let mut failures = done.into_iter().filter_map(Result::err);
        let first = failures.next();
        failures.for_each(|failure| errln!("arborlog: {failure}"));
        return first.map_or(Ok(()), Err);
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let listener = TcpListener::bind(&args.listen).await.map_err(|error| {
            anyhow::anyhow!("{}: {error}; choose another with --listen", args.listen)
        })?;
        outln!("listening on http://{}", listener.local_addr()?);
        tracing::info!(vkey = %auditor.vkey(), logs = auditor.logs().count(), "auditing");
        let every = (args.every > 0).then(|| Duration::from_secs(args.every));
        let origins: Vec<String> = auditor
            .logs()
            .map(|log| log.origin_hash().to_owned())
            .collect();
        for origin_hash in origins {
            let auditor = Arc::clone(&auditor);
            // It ends with the process, at any moment: what it had not saved is replayed again.
            let follow = move || {
                if let Some(log) = auditor.log_of_hash(&origin_hash) {
                    follow(&auditor, log, options, every);
                }
            };
            std::thread::Builder::new()
                .name("replay".to_owned())
                .spawn(follow)?;
        }
        // Beside the replays: another auditor that does not answer holds none of them up.
        let asking = Arc::clone(&auditor);
        let pause = every.unwrap_or(ASK_OTHERS_EVERY);
        std::thread::Builder::new()
            .name("others".to_owned())
            .spawn(move || {
                loop {
                    asking.logs().for_each(|log| ask_others(&asking, log));
                    std::thread::sleep(pause);
                }
            })?;
        let proxies = TrustedProxies::new(args.trusted_proxy.iter().copied());
        serve_auditor(listener, Arc::clone(&auditor), proxies, stop).await?;
        tracing::info!("stopped");
        match auditor.logs().find_map(|log| Some((log, log.fault()?))) {
            Some((log, what)) => Err(found_wrong(log, &what)),
            None => Ok(()),
        }
    })
}

/// Replays a log as it grows, for ever.
fn follow(
    auditor: &CosigningAuditor,
    log: &FollowedLog,
    options: RoundOptions,
    every: Option<Duration>,
) {
    let source = match log_source::open_newest(log.url()) {
        Ok(source) => source,
        Err(error) => {
            tracing::error!(log = %log.origin(), %error, "this log is not replayed: correct its line, and start again");
            return;
        }
    };
    let mut replayer = Replayer::new(auditor, log, options);
    let least = every.unwrap_or(Duration::from_secs(10));
    let mut pause = least;
    let mut told = None;
    loop {
        let round = match every {
            Some(_) => replayer.ask_and_round(source.as_ref()),
            None => replayer.round(source.as_ref()),
        };
        pause = match &round {
            Ok(_) => least,
            Err(_) => pause.saturating_mul(2).min(PAUSE_MAX.max(least)),
        };
        match &round {
            Ok(Round::Cosigned { new: 0, .. } | Round::Nothing) => {}
            Ok(Round::Cosigned { size, new }) => {
                tracing::info!(log = %log.origin(), size, new, "replayed and cosigned");
            }
            Ok(Round::BeginsAnew(why)) => {
                tracing::warn!(log = %log.origin(), %why, "the replay begins anew, with the first entry or the state that it began with");
                continue;
            }
            Ok(Round::Faulty(what)) if told.as_ref() != Some(what) => {
                tracing::error!(
                    log = %log.origin(), evidence = %log.evidence_folder().display(),
                    "the log is wrong, and nothing of it is cosigned any more: {what}"
                );
                told = Some(what.clone());
            }
            Ok(Round::Withheld(codes)) if told.as_ref() != Some(&codes.join(" ")) => {
                let codes = codes.join(" ");
                tracing::warn!(log = %log.origin(), codes, "the cosignature is withheld for these findings");
                told = Some(codes);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(log = %log.origin(), %error, "not replayed; it is tried again");
            }
        }
        log.wait(pause);
    }
}

/// Asks the other auditors for their newest notes of a log.
fn ask_others(auditor: &CosigningAuditor, log: &FollowedLog) {
    let path = format!("{}/audit", log.origin_hash());
    // All at once: together they hold a log up for no longer than the slowest of them.
    std::thread::scope(|scope| {
        for other in auditor.others() {
            let path = &path;
            scope.spawn(move || {
                let asked = connect::quickly(&other.url).file(path, NOTE_BYTES_MAX as u64 + 1);
                log.take_other(other, asked.map_err(|error| error.to_string()));
            });
        }
    });
}

fn once(auditor: &CosigningAuditor, log: &FollowedLog, options: RoundOptions) -> Done {
    let source = log_source::open_newest(log.url())?;
    ask_others(auditor, log);
    let mut replayer = Replayer::new(auditor, log, options);
    loop {
        let round = replayer.ask_and_round(source.as_ref());
        match round.map_err(|error| Failure::of(Outcome::Unchecked, error))? {
            Round::Faulty(what) => return Err(found_wrong(log, &what)),
            Round::BeginsAnew(why) => {
                let beginning = match auditor.statement() {
                    Statement::Full => "the first entry",
                    Statement::Since(_) => "the state that it began with",
                };
                errln!("{}: from {beginning} again: {why}", log.origin());
            }
            Round::Withheld(codes) => {
                let what = anyhow::anyhow!(
                    "{}: the cosignature is withheld for findings: {}. Look into them, then write their codes into `accepted`",
                    log.origin(),
                    codes.join(" ")
                );
                return Err(Failure::of(Outcome::Unchecked, what));
            }
            _ => {
                let status = log.status();
                if status.lag_entries == 0 {
                    outln!("{} {}", log.origin(), status.cosigned);
                    return Ok(());
                }
            }
        }
    }
}

fn found_wrong(log: &FollowedLog, what: &str) -> Failure {
    Failure::check(anyhow::anyhow!(
        "{} is wrong, and nothing of it is cosigned any more: {what}\n  the evidence: {}",
        log.origin(),
        log.evidence_folder().display()
    ))
}

fn not_opened(error: AuditorError) -> Failure {
    let outcome = match &error {
        AuditorError::Exists(_) | AuditorError::Witness(_) | AuditorError::Line { .. } => {
            return Failure::usage(error);
        }
        AuditorError::NoAuditor(_) => Outcome::NotThatKind,
        AuditorError::Damaged { .. } => Outcome::False,
        AuditorError::Beginning(error) => match error {
            BeginningError::Replay(InspectionError::Audit(error)) => error.outcome(),
            BeginningError::NotCosigned { why, .. } => why.outcome(),
            BeginningError::Checkpoint(why) => why.outcome(),
            BeginningError::NoState(_) => Outcome::NotThatKind,
            _ => Outcome::Unchecked,
        },
        _ => Outcome::Unchecked,
    };
    Failure::of(outcome, error)
}
