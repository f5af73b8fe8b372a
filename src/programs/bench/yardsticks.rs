//! What the machine can do at most: the same signatures alone, the same bytes alone, requests
//! alone.

use std::path::Path;
use std::time::{Duration, Instant};

use super::ledger::{BatchForm, SignedBatch, context};
use super::load::{self, LoadResult};
use crate::cli::Failure;
use arborlog::crypto::{self, KnownKeys, VerifyingKey};
use arborlog::durable::AppendFile;
use arborlog::record::{Frames, SignedRecord, UnreadBatch};

/// Signatures that are checked together, as the server does.
const TOGETHER: usize = 256;
/// Records that are enough to measure.
const RECORDS: usize = 100_000;
/// How long bytes are appended.
const APPEND_FOR: Duration = Duration::from_secs(2);

/// What signatures are over: records, each with its own, or a sealed batch.
pub enum Sent {
    Record(Box<SignedRecord>),
    Batch(Box<UnreadBatch>),
}

impl Sent {
    fn signed(&self) -> &SignedRecord {
        match self {
            Self::Record(signed) => signed,
            Self::Batch(batch) => batch.seal(),
        }
    }

    fn records(&self) -> usize {
        match self {
            Self::Record(_) => 1,
            Self::Batch(batch) => batch.len(),
        }
    }

    /// Whether the statements are those that the signature stands for, decoded and hashed as the server
    /// does.
    fn is_whole(&self) -> bool {
        match self {
            Self::Record(_) => true,
            Self::Batch(batch) => (**batch).clone().decode().is_ok(),
        }
    }
}

/// What batches say, enough of it to measure.
pub fn sent<'a>(batches: impl Iterator<Item = &'a SignedBatch>) -> Result<Vec<Sent>, Failure> {
    let mut all = Vec::new();
    let mut records = 0;
    for batch in batches {
        let body = batch.request.body();
        match batch.form {
            BatchForm::Sealed => {
                let batch = UnreadBatch::read(body.to_vec());
                all.push(Sent::Batch(Box::new(batch.map_err(anyhow::Error::from)?)));
            }
            BatchForm::Records => {
                for frame in Frames::of(body) {
                    let record = body.get(frame?).unwrap_or_default();
                    all.push(Sent::Record(Box::new(SignedRecord::decode(record)?)));
                }
            }
        }
        records += batch.records;
        if records >= RECORDS {
            break;
        }
    }
    Ok(all)
}

/// Records a second that `check` gets through on all cores; every one of them must hold.
fn per_second(sent: &[Sent], check: impl Fn(&[Sent]) -> bool + Sync) -> Result<f64, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = sent.len().div_ceil(cores).max(1);
    let begun = Instant::now();
    let hold = std::thread::scope(|scope| {
        let workers: Vec<_> = sent
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
    let records: usize = sent.iter().map(Sent::records).sum();
    Ok(records as f64 / seconds)
}

/// The signature check of the server alone, keys known; of sealed batches with the root over their
/// statements.
pub fn verify_only(sent: &[Sent]) -> Result<f64, Failure> {
    let (context, keys) = (context()?, KnownKeys::default());
    per_second(sent, |part| {
        let mut batch = crypto::SignatureBatch::default();
        for sent in part {
            sent.signed().add_to(&context, &keys, &mut batch);
        }
        let mut verdicts = batch.verdicts().into_iter();
        part.iter()
            .all(|sent| sent.signed().check_verdicts(&mut verdicts).is_ok() && sent.is_whole())
    })
}

/// `verify_strict` on each, keys decompressed and checked beforehand.
pub fn strict_only(sent: &[Sent]) -> Result<f64, Failure> {
    let context = context()?;
    let mut keys = std::collections::HashMap::new();
    for sent in sent {
        let key = sent.signed().record().issuer;
        if let std::collections::hash_map::Entry::Vacant(vacant) = keys.entry(key) {
            vacant.insert(VerifyingKey::new(&key)?);
        }
    }
    per_second(sent, |part| {
        part.iter().all(|sent| {
            let signed = sent.signed();
            let input = context.input(signed.bytes());
            let key = keys.get(&signed.record().issuer);
            let holds = key.is_some_and(|key| key.verify(&input, signed.signature()).is_ok());
            holds && sent.is_whole()
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
