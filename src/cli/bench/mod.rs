//! A load on a real server, beside what the machine could do at best.

mod ledger;
mod load;
mod yardsticks;

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::{Done, Failure};
use arborlog::audit::{WholeError, each_entry, threads_default};
use arborlog::client::{Remote, RemoteLog};
use arborlog::crypto::SigningKey;
use arborlog::note::{Checkpoint, VerifierKey};
use arborlog::report::bars;
use ledger::{Batch, Mix, Server};
use load::{Sender, cpu_seconds, peak_rss_bytes};

/// Of a hundred records, plantings and surveys; half of each.
const TREES_PERCENT: usize = 1;
/// Clients of the reading yardstick.
const CLIENTS: usize = 16;

/// Measure a real server under load, and what bounds it.
///
/// Makes a fresh ledger, starts a server process, loads it over loopback with records signed
/// beforehand, and compares with the same signatures, bytes and requests alone. Figures are good
/// beside others of the same run on the same machine.
#[derive(Args)]
pub struct BenchArgs {
    /// Load for so many seconds.
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
    /// Records that are signed beforehand, at most; 100,000 for each second if left out.
    #[arg(long)]
    records: Option<usize>,
    /// Requests a second, sent on time whatever the answers do; as many as go if left out.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Where the ledger is made, on the disk to be measured; a temporary folder if left out.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Write a chart of the rates as SVG.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What was measured. Rates are a second.
#[derive(Serialize)]
struct Measured {
    issuers: usize,
    batch: usize,
    records: usize,
    requests: usize,
    seconds: f64,
    records_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    server_cpu_us_per_record: f64,
    client_cpu_us_per_record: f64,
    rss_bytes: u64,
    entries: u64,
    entry_bytes: u64,
    disk_bytes: u64,
    state_bytes: u64,
    verify_only_per_second: f64,
    strict_only_per_second: f64,
    raw_append_per_second: f64,
    empty_handler_per_second: f64,
    cores: usize,
}

pub fn run(args: &BenchArgs) -> Done {
    let temp = match &args.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir)?;
            tempfile::tempdir_in(dir)
        }
        None => tempfile::tempdir(),
    }
    .context("a folder for the ledger")?;
    let dir = temp.path().join("ledger");
    let governor = SigningKey::generate()?;
    ledger::make(&dir, &governor)?;
    let server = Server::start(&dir)?;
    let remote = Remote::new(&server.url);
    let issuers = ledger::set_up(&remote, &governor, args.issuers.get())?;

    eprintln!("signing");
    let senders = sign(args, &remote, &issuers)?;
    let time = Duration::from_secs(args.seconds.get());
    let before = (
        cpu_seconds(&server.pid().to_string())?,
        cpu_seconds("self")?,
    );
    eprintln!("loading for up to {} s", args.seconds);
    let loaded = load::send(&server.url, &senders, time, args.rate)?;
    let after = (
        cpu_seconds(&server.pid().to_string())?,
        cpu_seconds("self")?,
    );
    let rss_bytes = peak_rss_bytes(server.pid())?;

    eprintln!("reading it back");
    let (entries, entry_bytes) = entries_of(&dir, &remote)?;
    server.stop()?;
    let state_bytes = bytes_under(&dir.join("state"))?;
    let disk_bytes = bytes_under(&dir)? - state_bytes;

    eprintln!("yardsticks");
    let batches = || senders.iter().flat_map(|sender| &sender.batches);
    let records = yardsticks::records(batches())?;
    let per_record = |from: f64, to: f64| (to - from) * 1e6 / loaded.records.max(1) as f64;
    let measured = Measured {
        issuers: args.issuers.get(),
        batch: args.batch.get(),
        records: loaded.records,
        requests: loaded.latencies_ms.len(),
        seconds: loaded.seconds,
        records_per_second: loaded.records as f64 / loaded.seconds,
        p50_ms: loaded.percentile_ms(50.0),
        p99_ms: loaded.percentile_ms(99.0),
        p999_ms: loaded.percentile_ms(99.9),
        server_cpu_us_per_record: per_record(before.0, after.0),
        client_cpu_us_per_record: per_record(before.1, after.1),
        rss_bytes,
        entries,
        entry_bytes,
        disk_bytes,
        state_bytes,
        verify_only_per_second: yardsticks::verify_only(&records)?,
        strict_only_per_second: yardsticks::strict_only(&records)?,
        raw_append_per_second: yardsticks::raw_append(temp.path(), batches())?,
        empty_handler_per_second: yardsticks::empty_handler(CLIENTS)?,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    };
    if let Some(path) = &args.chart {
        std::fs::write(path, chart(&measured)?)?;
    }
    if args.json {
        println!("{}", serde_json::to_string(&measured)?);
    } else {
        print_words(&measured);
    }
    Ok(())
}

fn sign(
    args: &BenchArgs,
    remote: &Remote,
    issuers: &ledger::Issuers,
) -> Result<Vec<Sender>, Failure> {
    let seconds = usize::try_from(args.seconds.get())?;
    let whole = args
        .records
        .unwrap_or_else(|| seconds.saturating_mul(100_000));
    let trees = whole * TREES_PERCENT / 200;
    let platforms = issuers.platforms.len();
    let mix = Mix {
        records: (whole - 2 * trees).div_ceil(platforms),
        batch: args.batch.get(),
        claims_percent: args.claims,
        accounts: args.accounts / platforms as u64,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let numbered: Vec<(u64, &SigningKey)> = (0..).zip(&issuers.platforms).collect();
    let lost = || Err(anyhow::anyhow!("signing broke off").into());
    let signed: Vec<Result<Vec<Vec<Batch>>, Failure>> = std::thread::scope(|scope| {
        let workers: Vec<_> = numbered
            .chunks(platforms.div_ceil(cores).max(1))
            .map(|part| {
                let of = |(number, key): &(u64, &SigningKey)| {
                    ledger::platform_batches(remote, key, *number, mix)
                };
                scope.spawn(move || part.iter().map(of).collect())
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| lost()))
            .collect()
    });
    let mut senders = Vec::with_capacity(platforms + 2);
    for part in signed {
        senders.extend(part?.into_iter().map(|batches| Sender {
            batches,
            paced_by_others: false,
        }));
    }
    for batches in [
        ledger::planter_batches(remote, &issuers.planter, trees, mix.batch)?,
        ledger::surveyor_batches(remote, &issuers.surveyor, trees, mix.batch)?,
    ] {
        senders.push(Sender {
            batches,
            paced_by_others: true,
        });
    }
    Ok(senders)
}

/// Entries of the log, and their bytes, each proven to be in the signed tree.
fn entries_of(dir: &Path, remote: &Remote) -> Result<(u64, u64), Failure> {
    let vkey: VerifierKey = std::fs::read_to_string(dir.join("log.vkey"))?
        .trim()
        .parse()?;
    let checkpoint = Checkpoint::open(&remote.bytes("checkpoint")?, &vkey)?;
    let origin = arborlog::audit::origin_of(&vkey).map_err(|why| anyhow::anyhow!(why))?;
    let log = RemoteLog::new(remote.clone());
    let mut bytes = 0;
    each_entry(
        &log,
        &origin,
        checkpoint.head(),
        threads_default(),
        |_, checked| {
            let entry = checked.entry().encode().map_err(|error| error.to_string());
            bytes += entry.map_or(0, |entry| entry.len() as u64);
            Ok::<_, WholeError>(())
        },
    )?;
    Ok((checkpoint.head().size, bytes))
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

fn chart(it: &Measured) -> anyhow::Result<String> {
    let rows = [
        ("records appended", it.records_per_second),
        (
            "their signatures alone, keys known",
            it.verify_only_per_second,
        ),
        ("their signatures alone, strict", it.strict_only_per_second),
        ("their bytes alone, synced", it.raw_append_per_second),
        ("requests to an empty handler", it.empty_handler_per_second),
    ];
    Ok(bars("A second, in one run", &rows)?)
}

fn print_words(it: &Measured) {
    let row = |name: &str, value: f64, unit: &str| println!("  {name:38} {value:>12.1} {unit}");
    println!(
        "{} records in {:.1} s: {} issuers, {} records a request, {} cores",
        it.records, it.seconds, it.issuers, it.batch, it.cores
    );
    row("records a second, durable", it.records_per_second, "");
    row("a request takes, p50", it.p50_ms, "ms");
    row("p99", it.p99_ms, "ms");
    row("p99.9", it.p999_ms, "ms");
    row(
        "server's processor time a record",
        it.server_cpu_us_per_record,
        "µs",
    );
    row("client's", it.client_cpu_us_per_record, "µs");
    row("server's memory at most", it.rss_bytes as f64 / 1e6, "MB");
    row(
        "bytes of an entry",
        it.entry_bytes as f64 / it.entries.max(1) as f64,
        "",
    );
    row(
        "disk ÷ entries' bytes, state apart",
        it.disk_bytes as f64 / it.entry_bytes.max(1) as f64,
        "",
    );
    println!("Yardsticks of the same run, a second:");
    row(
        "signatures alone, keys known",
        it.verify_only_per_second,
        "",
    );
    row("signatures alone, strict", it.strict_only_per_second, "");
    row(
        "the same bytes appended and synced",
        it.raw_append_per_second,
        "",
    );
    row(
        "requests to an empty handler",
        it.empty_handler_per_second,
        "",
    );
    println!(
        "Records ÷ their signatures alone: {:.0} %",
        it.records_per_second / it.verify_only_per_second.max(1.0) * 100.0
    );
}
