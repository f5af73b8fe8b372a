//! What the machine can do at most: the same signatures alone, the same bytes alone, requests
//! alone.

use std::path::Path;
use std::time::{Duration, Instant};

use super::ledger::{SignedBatch, context};
use super::load::{self, LoadResult};
use crate::cli::Failure;
use arborlog::crypto::{self, KnownKeys, VerifyingKey};
use arborlog::durable::AppendFile;
use arborlog::record::SignedRecord;

/// Signatures that are checked together, as the server does.
const TOGETHER: usize = 256;
/// Records that are enough to measure.
const RECORDS: usize = 100_000;
/// How long bytes are appended.
const APPEND_FOR: Duration = Duration::from_secs(2);

/// The records of batches, decoded.
pub fn records<'a>(
    batches: impl Iterator<Item = &'a SignedBatch>,
) -> Result<Vec<SignedRecord>, Failure> {
    let mut all = Vec::new();
    for batch in batches {
        let mut rest = batch.request.body();
        while !rest.is_empty() {
            let cut = || anyhow::anyhow!("a batch that was signed here ends within a record");
            let (length, after) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
            let length = usize::try_from(u32::from_be_bytes(*length))?;
            let (record, after) = after.split_at_checked(length).ok_or_else(cut)?;
            all.push(SignedRecord::decode(record)?);
            rest = after;
        }
        if all.len() >= RECORDS {
            break;
        }
    }
    Ok(all)
}

/// Records a second that `check` gets through on all cores; every one of them must hold.
fn per_second(
    records: &[SignedRecord],
    check: impl Fn(&[SignedRecord]) -> bool + Sync,
) -> Result<f64, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = records.len().div_ceil(cores).max(1);
    let begun = Instant::now();
    let hold = std::thread::scope(|scope| {
        let workers: Vec<_> = records
            .chunks(share)
            .map(|part| scope.spawn(|| part.chunks(TOGETHER).all(&check)))
            .collect();
        let mut ended = workers.into_iter().map(|worker| worker.join());
        ended.all(|holds| holds.unwrap_or(false))
    });
    let seconds = begun.elapsed().as_secs_f64();
    if !hold {
        return Err(anyhow::anyhow!("a signature that was made here does not hold").into());
    }
    Ok(records.len() as f64 / seconds)
}

/// The signature check of the server alone, keys known.
pub fn verify_only(records: &[SignedRecord]) -> Result<f64, Failure> {
    let (context, keys) = (context()?, KnownKeys::default());
    per_second(records, |part| {
        let mut batch = crypto::SignatureBatch::default();
        for record in part {
            record.add_to(&context, &keys, &mut batch);
        }
        let mut verdicts = batch.verdicts().into_iter();
        let mut judged = part
            .iter()
            .map(|record| record.check_verdicts(&mut verdicts));
        judged.all(|verdict| verdict.is_ok())
    })
}

/// `verify_strict` on each, keys decompressed and checked beforehand.
pub fn strict_only(records: &[SignedRecord]) -> Result<f64, Failure> {
    let context = context()?;
    let mut keys = std::collections::HashMap::new();
    for record in records {
        let key = record.record().issuer;
        if let std::collections::hash_map::Entry::Vacant(vacant) = keys.entry(key) {
            vacant.insert(VerifyingKey::new(&key)?);
        }
    }
    per_second(records, |part| {
        part.iter().all(|record| {
            let input = context.input(record.bytes());
            let key = keys.get(&record.record().issuer);
            key.is_some_and(|key| key.verify(&input, record.signature()).is_ok())
        })
    })
}

/// The same bodies, appended to a file with an fdatasync each.
pub fn raw_append<'a>(
    dir: &Path,
    batches: impl Iterator<Item = &'a SignedBatch>,
) -> anyhow::Result<f64> {
    let path = dir.join("raw");
    let mut file = AppendFile::open(&path)?;
    let begun = Instant::now();
    let mut records = 0;
    for batch in batches {
        file.append(batch.request.body())?;
        file.sync()?;
        records += batch.records;
        if begun.elapsed() > APPEND_FOR {
            break;
        }
    }
    let rate = records as f64 / begun.elapsed().as_secs_f64();
    arborlog::durable::remove(&path)?;
    Ok(rate)
}

/// The same clients at an HTTP handler that does nothing.
pub fn empty_handler(connections: usize, time: Duration) -> anyhow::Result<LoadResult> {
    let runtime = tokio::runtime::Runtime::new()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let routes = axum::Router::new().route("/", axum::routing::get(|| async { "" }));
    runtime.spawn(async move { axum::serve(listener, routes).await });
    let asked = load::ask(address, [String::new()], connections, time);
    runtime.shutdown_background();
    asked
}
