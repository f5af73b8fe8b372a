//! Clients that send what was signed, and what that takes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;

use super::connection::{Connection, Request};
use super::ledger::SignedBatch;

/// Linux counts a process's time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;
/// How long after a 503 the same request is sent again.
const FULL_PAUSE: Duration = Duration::from_millis(20);

/// The most connections that send. The server's own limit is higher.
const CONNECTIONS_MAX: usize = 1_024;

/// What one issuer sends, in order.
pub struct IssuerLoad {
    pub batches: Vec<SignedBatch>,
    /// A batch waits until the other issuers have sent as large a part of theirs: plantings and
    /// surveys are spread over the run.
    pub paced_by_others: bool,
}

/// What a load came to.
#[derive(Default)]
pub struct LoadResult {
    /// Records that were answered with 200; of reads, requests.
    pub records: usize,
    /// How long the load took.
    pub seconds: f64,
    /// Answers with 503, after which the request was sent again.
    pub full: usize,
    /// How long each request took, in milliseconds, sorted.
    pub latencies_ms: Vec<f64>,
}

impl LoadResult {
    /// The latency that `percent` of the requests did not exceed.
    pub fn percentile_ms(&self, percent: f64) -> anyhow::Result<f64> {
        let last = self.latencies_ms.len().checked_sub(1);
        let last = last.context("no request was answered in the time that there was")?;
        #[expect(clippy::cast_possible_truncation, reason = "a percentage of a length")]
        let position = (percent / 100.0 * last as f64).round() as usize;
        let latency = self.latencies_ms.get(position).copied();
        latency.context("a percentile is 0 to 100")
    }

    /// Records a second.
    pub fn per_second(&self) -> anyhow::Result<f64> {
        anyhow::ensure!(self.seconds > 0.0, "the load took no time");
        Ok(self.records as f64 / self.seconds)
    }

    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.full += other.full;
        self.latencies_ms.extend(other.latencies_ms);
    }
}

/// A load under way, which all connections share.
struct LoadRun {
    begun: Instant,
    /// How long it lasts at most.
    time: Duration,
    /// Records that were sent so far, of `records`.
    sent: AtomicUsize,
    records: usize,
    /// The time between two requests of one connection, if requests go by the clock.
    interval: Option<Duration>,
    connections: u32,
}

/// The issuers whose batches go over one connection, by position among all.
type Lane = Vec<usize>;

/// Sends all, or what fits into the time; each issuer's batches one after the other, issuers at
/// the same time, on one thread. With a rate, requests are sent on time whatever the answers do
/// (open loop), and their time counts from when they should have gone.
pub fn send(
    server: SocketAddr,
    issuers: &Arc<[IssuerLoad]>,
    time: Duration,
    rate: Option<f64>,
) -> anyhow::Result<LoadResult> {
    let batches = issuers.iter().flat_map(|issuer| &issuer.batches);
    let records = batches.map(|batch| batch.records).sum();
    let lanes = lanes(issuers);
    let count = u32::try_from(lanes.len())?;
    let interval = rate.map(|rate| Duration::try_from_secs_f64(f64::from(count) / rate));
    let interval = interval.transpose().context("--rate")?;
    on_one_thread(async move {
        let mut connections = Vec::with_capacity(lanes.len());
        for lane in lanes {
            connections.push((lane, Connection::open(server).await?));
        }
        let run = Arc::new(LoadRun {
            begun: Instant::now(),
            time,
            sent: AtomicUsize::new(0),
            records,
            interval,
            connections: count,
        });
        let mut clients = JoinSet::new();
        for (number, (lane, connection)) in (0..).zip(connections) {
            let (run, issuers) = (Arc::clone(&run), Arc::clone(issuers));
            clients.spawn(async move { run.send(number, &issuers, &lane, connection).await });
        }
        let mut all = LoadResult::default();
        while let Some(result) = clients.join_next().await {
            all.add(result??);
        }
        all.seconds = run.begun.elapsed().as_secs_f64();
        all.latencies_ms.sort_by(f64::total_cmp);
        Ok(all)
    })
}

impl LoadRun {
    fn is_over(&self) -> bool {
        self.begun.elapsed() >= self.time
    }

    /// Sends what a lane's issuers have over connection `number`, a batch of each in turn.
    async fn send(
        &self,
        number: u32,
        issuers: &[IssuerLoad],
        lane: &[usize],
        mut connection: Connection,
    ) -> anyhow::Result<LoadResult> {
        let mut result = LoadResult::default();
        for (turn, (position, issuer)) in (0_u32..).zip(turns(issuers, lane)) {
            let Some(batch) = issuer.batches.get(position) else {
                anyhow::bail!("an issuer has no batch {position}");
            };
            if issuer.paced_by_others {
                let due = self.records * position / issuer.batches.len();
                while self.sent.load(Ordering::Relaxed) < due && !self.is_over() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            if self.is_over() {
                break;
            }
            let mut from = Instant::now();
            // An issuer that is paced by others has no time of its own to be late for.
            if let (Some(interval), false) = (self.interval, issuer.paced_by_others) {
                let share = interval * number / self.connections;
                let due = self.begun + interval * turn + share;
                tokio::time::sleep_until(due.into()).await;
                from = due;
            }
            result.full += deliver(&mut connection, &batch.request).await?;
            result.latencies_ms.push(from.elapsed().as_secs_f64() * 1e3);
            result.records += batch.records;
            self.sent.fetch_add(batch.records, Ordering::Relaxed);
        }
        Ok(result)
    }
}

/// Which batch (by position) of which of a lane's issuers goes when: the first of each, the second
/// of each.
fn turns<'a>(issuers: &'a [IssuerLoad], lane: &[usize]) -> Vec<(usize, &'a IssuerLoad)> {
    let mut turns = Vec::new();
    for (number, issuer) in lane.iter().filter_map(|at| Some((at, issuers.get(*at)?))) {
        turns.extend((0..issuer.batches.len()).map(|position| (position, number, issuer)));
    }
    turns.sort_unstable_by_key(|(position, number, _)| (*position, **number));
    turns
        .into_iter()
        .map(|(position, _, issuer)| (position, issuer))
        .collect()
}

/// Which issuers share a connection: each has its own, unless there are more issuers than
/// connections. An issuer that is paced by others never delays another: its connection is its own.
fn lanes(issuers: &[IssuerLoad]) -> Vec<Lane> {
    let (mut free, mut paced) = (Lane::new(), Vec::new());
    for (number, issuer) in issuers.iter().enumerate() {
        if issuer.paced_by_others {
            paced.push(vec![number]);
        } else {
            free.push(number);
        }
    }
    let count = free.len().min(CONNECTIONS_MAX);
    let shared = (0..count).map(|lane| free.iter().copied().skip(lane).step_by(count).collect());
    shared.chain(paced).collect()
}

/// Sends a request until the server has room for it; gives the number of answers with 503.
async fn deliver(connection: &mut Connection, request: &Request) -> anyhow::Result<usize> {
    let mut full = 0;
    loop {
        match connection.ask(request).await? {
            (200, _) => return Ok(full),
            (503, _) => full += 1,
            (status, answer) => {
                let answer = String::from_utf8_lossy(answer);
                anyhow::bail!("the server answered {status}: {answer}");
            }
        }
        tokio::time::sleep(FULL_PAUSE).await;
    }
}

/// Reads paths, one after the other on each of a number of connections, each answered with 200.
pub fn ask(
    server: SocketAddr,
    paths: impl IntoIterator<Item = String>,
    connections: usize,
    time: Duration,
) -> anyhow::Result<LoadResult> {
    let requests: Arc<[Request]> = paths.into_iter().map(|path| Request::get(&path)).collect();
    on_one_thread(async move {
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for number in 0..connections {
            let requests = Arc::clone(&requests);
            clients.spawn(async move {
                let mut connection = Connection::open(server).await?;
                let mut latencies = Vec::new();
                let from = number * requests.len() / connections;
                for request in requests.iter().cycle().skip(from) {
                    let asked = Instant::now();
                    if asked - begun >= time {
                        break;
                    }
                    let (status, _) = connection.ask(request).await?;
                    anyhow::ensure!(status == 200, "the server answered {status}");
                    latencies.push(asked.elapsed().as_secs_f64() * 1e3);
                }
                Ok(latencies)
            });
        }
        let mut latencies_ms = Vec::new();
        while let Some(client) = clients.join_next().await {
            latencies_ms.extend(client??);
        }
        latencies_ms.sort_by(f64::total_cmp);
        Ok(LoadResult {
            records: latencies_ms.len(),
            seconds: begun.elapsed().as_secs_f64(),
            latencies_ms,
            ..LoadResult::default()
        })
    })
}

fn on_one_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build()?.block_on(work)
}

/// Processor seconds that a process took so far, in user and system mode.
pub fn cpu_seconds(process: &str) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Fields are counted behind the name, which may hold anything.
    let (_, after) = text
        .rsplit_once(')')
        .context("/proc/PID/stat has no name")?;
    let mut fields = after.split_whitespace().skip(11);
    let mut ticks = || -> anyhow::Result<u64> {
        let field = fields.next().context("/proc/PID/stat ends early")?;
        Ok(field.parse()?)
    };
    let (user, system) = (ticks()?, ticks()?);
    Ok((user + system) as f64 / TICKS_PER_SECOND)
}

/// A line of a process's status in bytes: `VmHWM`, the most memory that it held, or `VmRSS`, what
/// it holds now.
pub fn memory_bytes(process: u32, name: &str) -> anyhow::Result<u64> {
    let kib = proc_line(&format!("/proc/{process}/status"), name)?;
    let kib = kib.strip_suffix("kB").context("memory is given in kB")?;
    Ok(kib.trim().parse::<u64>()? * 1024)
}

/// Bytes that a process handed to write calls so far, to files and sockets.
pub fn written_bytes(process: &str) -> anyhow::Result<u64> {
    Ok(proc_line(&format!("/proc/{process}/io"), "wchar:")?.parse()?)
}

/// What stands behind a name in a file of lines `name value`.
fn proc_line(path: &str, name: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.with_context(|| format!("{path} has no line {name}"))?;
    Ok(value.trim().to_owned())
}
