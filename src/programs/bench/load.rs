//! Clients that send what was signed, and what that takes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::connection::{Connection, Request};
use super::ledger::Batch;

/// Linux counts a process's time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;
/// A server that is full is asked again so much later.
const FULL_PAUSE: Duration = Duration::from_millis(20);

/// The most connections that send; the server takes some more.
const CONNECTIONS_MAX: usize = 1_024;

/// What one issuer sends, in order.
pub struct Sender {
    pub batches: Vec<Batch>,
    /// Its batches go when others have sent as much of theirs: plantings and surveys are spread
    /// over the run.
    pub paced_by_others: bool,
}

/// What a load came to.
#[derive(Default)]
pub struct Loaded {
    pub records: usize,
    pub seconds: f64,
    /// Times that the server was full.
    pub full: usize,
    /// Of each request, in milliseconds, sorted.
    pub latencies_ms: Vec<f64>,
}

impl Loaded {
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        let last = self.latencies_ms.len().saturating_sub(1);
        let place = (percent / 100.0 * last as f64).round() as usize;
        self.latencies_ms.get(place).copied().unwrap_or(0.0)
    }

    pub fn per_second(&self) -> f64 {
        self.records as f64 / self.seconds.max(1e-9)
    }

    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.full += other.full;
        self.latencies_ms.extend(other.latencies_ms);
    }
}

/// What senders share.
struct Course {
    begun: Instant,
    time: Duration,
    sent: AtomicUsize,
    whole: usize,
    /// The time between two requests of one connection, if they go by the clock.
    interval: Option<Duration>,
    lanes: usize,
}

/// Sends all, or what fits into the time; each issuer's batches one after the other, issuers at
/// the same time, on one thread. With a rate, requests are sent on time whatever the answers do
/// (open loop), and their time counts from when they should have gone.
pub fn send(
    server: SocketAddr,
    senders: &Arc<[Sender]>,
    time: Duration,
    rate: Option<f64>,
) -> anyhow::Result<Loaded> {
    let batches = senders.iter().flat_map(|sender| &sender.batches);
    let whole = batches.map(|batch| batch.records).sum();
    let lanes = lanes(senders);
    let count = lanes.len();
    on_one_thread(async move {
        let mut connections = Vec::with_capacity(count);
        for lane in lanes {
            connections.push((lane, Connection::open(server).await?));
        }
        let course = Arc::new(Course {
            begun: Instant::now(),
            time,
            sent: AtomicUsize::new(0),
            whole,
            interval: rate.map(|rate| Duration::from_secs_f64(count as f64 / rate)),
            lanes: count,
        });
        let mut clients = JoinSet::new();
        for (number, (lane, connection)) in connections.into_iter().enumerate() {
            let (course, senders) = (Arc::clone(&course), Arc::clone(senders));
            clients.spawn(async move { course.run(number, &senders, &lane, connection).await });
        }
        let mut all = Loaded::default();
        while let Some(loaded) = clients.join_next().await {
            all.add(loaded??);
        }
        all.seconds = course.begun.elapsed().as_secs_f64();
        all.latencies_ms.sort_by(f64::total_cmp);
        Ok(all)
    })
}

impl Course {
    fn is_over(&self) -> bool {
        self.begun.elapsed() >= self.time
    }

    /// Sends what a lane's senders have, a batch of each in turn.
    async fn run(
        &self,
        number: usize,
        senders: &[Sender],
        lane: &[usize],
        mut connection: Connection,
    ) -> anyhow::Result<Loaded> {
        let mut loaded = Loaded::default();
        for (turn, (place, whose)) in (0_u32..).zip(turns(senders, lane)) {
            let Some(sender) = senders.get(whose) else {
                continue;
            };
            let Some(batch) = sender.batches.get(place) else {
                continue;
            };
            if sender.paced_by_others {
                let due = self.whole * place / sender.batches.len().max(1);
                while self.sent.load(Ordering::Relaxed) < due && !self.is_over() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            if self.is_over() {
                break;
            }
            let mut from = Instant::now();
            // Who is paced by others has no time of its own to be late for.
            if let (Some(interval), false) = (self.interval, sender.paced_by_others) {
                let share = interval * number as u32 / self.lanes.max(1) as u32;
                let due = self.begun + interval * turn + share;
                tokio::time::sleep_until(due.into()).await;
                from = due;
            }
            loaded.full += deliver(&mut connection, &batch.request).await?;
            loaded.latencies_ms.push(from.elapsed().as_secs_f64() * 1e3);
            loaded.records += batch.records;
            self.sent.fetch_add(batch.records, Ordering::Relaxed);
        }
        Ok(loaded)
    }
}

/// Which batch of which of a lane's senders goes when: the first of each, the second of each.
fn turns(senders: &[Sender], lane: &[usize]) -> Vec<(usize, usize)> {
    let of = |number: &usize| senders.get(*number).map_or(0, |it| it.batches.len());
    let mut turns = Vec::new();
    for number in lane {
        turns.extend((0..of(number)).map(|place| (place, *number)));
    }
    turns.sort_unstable();
    turns
}

/// Which senders share a connection: each has its own, but where they are very many. Who is paced
/// by others never stands in their way.
fn lanes(senders: &[Sender]) -> Vec<Vec<usize>> {
    let (paced, free): (Vec<usize>, Vec<usize>) = (0..senders.len())
        .partition(|place| senders.get(*place).is_some_and(|it| it.paced_by_others));
    let count = free.len().min(CONNECTIONS_MAX);
    let shared = (0..count).map(|lane| free.iter().copied().skip(lane).step_by(count).collect());
    shared
        .chain(paced.iter().map(|place| vec![*place]))
        .collect()
}

/// Sends until the server is not too full to answer; gives how often it was.
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

/// Requests a second that are answered with 200, over so many connections, each asking for one
/// path after the other.
pub fn ask(
    server: SocketAddr,
    paths: impl IntoIterator<Item = String>,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Loaded> {
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
        Ok(Loaded {
            records: latencies_ms.len(),
            seconds: begun.elapsed().as_secs_f64(),
            latencies_ms,
            ..Loaded::default()
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
    let after = text.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = after.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|it| it.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// A line of a process's status in bytes: `VmHWM`, the most memory that it held, or `VmRSS`, what
/// it holds now.
pub fn memory_bytes(process: u32, line: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|it| it.strip_prefix(line));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.unwrap_or(0) * 1024)
}

/// Bytes that a process handed to write calls so far, to files and sockets.
pub fn written_bytes(process: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/io"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("wchar:"));
    Ok(line.and_then(|line| line.trim().parse().ok()).unwrap_or(0))
}
