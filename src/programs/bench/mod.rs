//! A load on a real server, beside what the machine could do at best.

mod audit;
mod connection;
mod ledger;
mod load;
mod measured;
mod to;
mod vary;
mod yardsticks;

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;

use crate::cli::{Done, Failure};
use arborlog::client::Remote;
use arborlog::crypto::SigningKey;
use arborlog::durable::{make_folders, write_unsynced};
use arborlog::merkle::{Level, TILE_HASHES, TileId};
use audit::RepeatedAudit;
use ledger::{BatchForm, PlatformLoad, ServerProcess, SignedBatch};
use load::{IssuerLoad, cpu_seconds, memory_bytes, written_bytes};
use measured::Measured;
use vary::Vary;

/// Plantings and surveys among a hundred records; half of each.
const TREES_PERCENT: usize = 1;
/// Connections that read.
const CLIENTS: usize = 16;
/// Records that are signed for each second of the load, unless a number is given.
const RECORDS_PER_SECOND: usize = 100_000;
/// Statements that are sealed for each second, likewise.
const SEALED_PER_SECOND: usize = 400_000;
/// How long each kind of path is read.
const READ_FOR: Duration = Duration::from_secs(2);
/// Paths of each kind that are read.
const PATHS: u64 = 5_000;

/// Measure a real server under load, and what bounds it.
///
/// Makes a fresh ledger, starts a server process, loads it over loopback with batches sealed
/// beforehand, reads proofs and tiles, kills it and starts it again, audits the log, and compares
/// with the same signatures, bytes and requests alone. Figures are good beside others of the same
/// run on the same machine.
///
/// With --to it loads a server of yours instead: awards of platform keys that are granted for nothing else (a holder
/// `bench`, or `bench-…`), to accounts of its own, each key's batches one after the other. It ends by itself after
/// --seconds, or --records (100,000 unless told), and says what it left in the ledger, which stays there for ever.
#[derive(Args, Clone)]
pub struct BenchArgs {
    /// Load this server. Of several for one ledger the address of each, with commas between or by the flag again.
    #[arg(long, value_name = "URL", value_delimiter = ',', requires = "keys")]
    to: Vec<String>,
    /// With --to: a platform key that is for this alone; once for each sender.
    #[arg(long = "key", value_name = "KEY", requires = "to")]
    keys: Vec<PathBuf>,
    /// How many seconds the load lasts.
    #[arg(long, default_value_t = NonZeroU64::MIN.saturating_add(9))]
    seconds: NonZeroU64,
    /// Platforms that send, each over a connection of its own.
    #[arg(long, default_value_t = NonZeroUsize::MIN.saturating_add(15))]
    issuers: NonZeroUsize,
    /// Records of a request.
    #[arg(long, default_value_t = NonZeroUsize::MIN.saturating_add(999))]
    batch: NonZeroUsize,
    /// Accounts that are awarded.
    #[arg(long, default_value_t = 1_000_000)]
    accounts: u64,
    /// Of a hundred records, claims.
    #[arg(long, default_value_t = 4)]
    claims: u64,
    /// Records that are made beforehand, at most; 400,000 for each second if left out, or 100,000 of
    /// those that are signed one by one.
    #[arg(long)]
    records: Option<usize>,
    /// Sign each record, instead of a seal for each batch.
    #[arg(long)]
    unsealed: bool,
    /// Requests a second, sent on time whatever the answers do; as many as go if left out.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Audit the log again and again over HTTP while it is loaded.
    #[arg(long)]
    audit_beside: bool,
    /// Where the ledger is made, on the disk to be measured; a temporary folder if left out.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keep the ledger in this object store, below a name of its own in it: s3://bucket/prefix, gs://…, az://…
    /// or file:///folder.
    #[arg(long, value_name = "ADDRESS")]
    store: Option<String>,
    /// Measure once for each value of one number: accounts, issuers, batch or records, such as
    /// accounts=10000,100000.
    #[arg(long, value_name = "WHAT=N,N,…")]
    vary: Option<Vary>,
    /// Write a chart of the rates as SVG; with --vary charts of how they grow, into a folder.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// Print one JSON object, with --vary one a line.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &BenchArgs) -> Done {
    if !args.to.is_empty() {
        to::check(args)?;
        return to::run(args, &args.to);
    }
    let temp = match &args.dir {
        Some(dir) => {
            make_folders(dir)?;
            tempfile::tempdir_in(dir)
        }
        None => tempfile::tempdir(),
    }
    .context("a folder for the ledger")?;
    let runs = match &args.vary {
        Some(vary) => vary.runs(args)?,
        None => vec![args.clone()],
    };
    let mut all = Vec::with_capacity(runs.len());
    for run in &runs {
        let one = tempfile::tempdir_in(temp.path())?;
        let measured = measure(run, one.path())?;
        if args.json {
            outln!("{}", serde_json::to_string(&measured)?);
        } else {
            measured.print();
        }
        all.push(measured);
    }
    match (&args.chart, &args.vary, all.first()) {
        (Some(folder), Some(vary), _) => vary.draw(folder, &all)?,
        (Some(path), None, Some(measured)) => write_unsynced(path, measured.chart()?)?,
        _ => {}
    }
    Ok(())
}

fn measure(args: &BenchArgs, temp: &Path) -> Result<Measured, Failure> {
    let dir = temp.join("ledger");
    let governor = SigningKey::generate()?;
    let store = args.store.as_deref().map(store_of_its_own).transpose()?;
    ledger::make(&dir, &governor, store.as_deref())?;
    let server = ServerProcess::start(&dir)?;
    let remote = Remote::new(&server.url);
    let issuers = ledger::set_up(&remote, &governor, args.issuers.get())?;

    errln!("signing");
    let issuers: Arc<[IssuerLoad]> = sign(args, &remote, &issuers)?.into();
    let time = Duration::from_secs(args.seconds.get());
    let pid = server.pid().to_string();
    let before = (cpu_seconds(&pid)?, cpu_seconds("self")?);
    let written = written_bytes(&pid)?;
    errln!("loading for up to {} s", args.seconds);
    let address = server.address()?;
    let (loaded, audited_beside_per_second) = if args.audit_beside {
        let audits = RepeatedAudit::start(&dir, &server.url)?;
        let loaded = load::send(address, &issuers, time, args.rate)?;
        (loaded, Some(audits.stop()?))
    } else {
        (load::send(address, &issuers, time, args.rate)?, None)
    };
    let after = (cpu_seconds(&pid)?, cpu_seconds("self")?);
    let written_bytes = written_bytes(&pid)? - written;
    let rss_bytes = memory_bytes(server.pid(), "VmHWM:")?;
    let rss_after_bytes = memory_bytes(server.pid(), "VmRSS:")?;

    errln!("reading");
    let size = audit::size(&dir, &remote)?;
    let ask = |paths: Vec<String>| load::ask(address, paths, CLIENTS, READ_FOR);
    let proofs = ask(scattered(size, |index| {
        Ok(format!("v1/proofs/inclusion?index={index}"))
    })?)?;
    let tiles = (size / TILE_HASHES).max(1);
    let path = |level: Level, number: u64| {
        let id = TileId::in_tree(level, number, size);
        let id = id.with_context(|| format!("a tree of {size} entries has no tile {number}"))?;
        Ok(id.to_string())
    };
    let hashes = ask(scattered(tiles, |number| path(Level::Hashes(0), number))?)?;
    let bundles = ask(scattered(tiles, |number| path(Level::Entries, number))?)?;

    errln!("starting again, auditing");
    server.kill()?;
    let begun = Instant::now();
    let server = ServerProcess::start(&dir)?;
    let restart_seconds = begun.elapsed().as_secs_f64();
    let rss_restarted_bytes = memory_bytes(server.pid(), "VmRSS:")?;
    let audited = audit::whole(&dir, &server.url)?;
    server.stop()?;
    let state_bytes = match store {
        // No state is saved.
        Some(_) => 0,
        None => bytes_under(&dir.join("state"))?,
    };
    let disk_bytes = match store.as_deref().map(|store| store.strip_prefix("file://")) {
        None => bytes_under(&dir)? - state_bytes,
        Some(Some(folder)) => bytes_under(Path::new(folder))?,
        // What a distant store has is not counted.
        Some(None) => 0,
    };

    errln!("yardsticks");
    let batches = || issuers.iter().flat_map(|issuer| &issuer.batches);
    let sent = yardsticks::sent(batches())?;
    let empty = yardsticks::empty_handler(CLIENTS, READ_FOR)?;
    let per_record = |from: f64, to: f64| (to - from) * 1e6 / loaded.records as f64;
    Ok(Measured {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        issuers: args.issuers.get(),
        batch: args.batch.get(),
        records: loaded.records,
        requests: loaded.latencies_ms.len(),
        seconds: loaded.seconds,
        records_per_second: loaded.per_second()?,
        p50_ms: loaded.percentile_ms(50.0)?,
        p99_ms: loaded.percentile_ms(99.0)?,
        p999_ms: loaded.percentile_ms(99.9)?,
        full: loaded.full,
        server_cpu_us_per_record: per_record(before.0, after.0),
        client_cpu_us_per_record: per_record(before.1, after.1),
        rss_bytes,
        rss_after_bytes,
        entries: audited.entries,
        accounts: audited.accounts,
        entry_bytes: audited.entry_bytes,
        disk_bytes,
        state_bytes,
        written_bytes,
        proofs_per_second: proofs.per_second()?,
        proofs_p99_ms: proofs.percentile_ms(99.0)?,
        tiles_per_second: hashes.per_second()?,
        bundles_per_second: bundles.per_second()?,
        audited_beside_per_second,
        restart_seconds,
        rss_restarted_bytes,
        audit_per_second: audited.per_second,
        verify_only_per_second: yardsticks::verify_only(&sent)?,
        strict_only_per_second: yardsticks::strict_only(&sent)?,
        raw_append_per_second: yardsticks::raw_append(temp, batches())?,
        empty_handler_per_second: empty.per_second()?,
        empty_handler_p99_ms: empty.percentile_ms(99.0)?,
    })
}

/// Paths of numbers that are scattered over all below `count`, the same in every run.
fn scattered(
    count: u64,
    path: impl Fn(u64) -> anyhow::Result<String>,
) -> anyhow::Result<Vec<String>> {
    let numbers = (1..=PATHS).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % count);
    numbers.map(path).collect()
}

fn sign(
    args: &BenchArgs,
    remote: &Remote,
    issuers: &ledger::Issuers,
) -> Result<Vec<IssuerLoad>, Failure> {
    let seconds = usize::try_from(args.seconds.get())?;
    let form = match args.unsealed {
        true => BatchForm::Records,
        false => BatchForm::Sealed,
    };
    let records = match args.records {
        Some(records) => records,
        None => seconds
            .checked_mul(match form {
                BatchForm::Sealed => SEALED_PER_SECOND,
                BatchForm::Records => RECORDS_PER_SECOND,
            })
            .ok_or_else(|| Failure::usage("--seconds asks for more records than can be counted"))?,
    };
    let trees = records * TREES_PERCENT / 200;
    let platforms = issuers.platforms.len();
    let load = PlatformLoad {
        records: (records - 2 * trees).div_ceil(platforms),
        batch: args.batch.get(),
        form,
        claims_percent: args.claims,
        accounts: args.accounts / platforms as u64,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let numbered: Vec<(u64, &SigningKey)> = (0..).zip(&issuers.platforms).collect();
    let lost = || Err(anyhow::anyhow!("signing broke off").into());
    let signed: Vec<Result<Vec<Vec<SignedBatch>>, Failure>> = std::thread::scope(|scope| {
        let workers: Vec<_> = numbered
            .chunks(platforms.div_ceil(cores).max(1))
            .map(|part| {
                let batches = |(number, key): &(u64, &SigningKey)| {
                    ledger::platform_batches(remote, key, *number, load)
                };
                scope.spawn(move || part.iter().map(batches).collect())
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| lost()))
            .collect()
    });
    let mut loads = Vec::with_capacity(platforms + 2);
    for part in signed {
        loads.extend(part?.into_iter().map(|batches| IssuerLoad {
            batches,
            paced_by_others: false,
        }));
    }
    for batches in [
        ledger::planter_batches(remote, &issuers.planter, trees, (load.batch, form))?,
        ledger::surveyor_batches(remote, &issuers.surveyor, trees, (load.batch, form))?,
    ] {
        loads.push(IssuerLoad {
            batches,
            paced_by_others: true,
        });
    }
    Ok(loads)
}

/// An address in a store that no other run has.
fn store_of_its_own(store: &str) -> anyhow::Result<String> {
    // A key that nobody else draws.
    let name = SigningKey::generate()?.public().to_string();
    let store = store.trim_end_matches('/');
    Ok(format!("{store}/bench-{name}"))
}

fn bytes_under(dir: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(dir)? {
        let file = file?;
        let kind = file.metadata()?;
        bytes += if kind.is_dir() {
            bytes_under(&file.path())?
        } else {
            kind.len()
        };
    }
    Ok(bytes)
}
