//! Clients that send what was signed, and what that takes.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::super::Failure;
use super::super::govern::admitted;
use super::ledger::Batch;
use arborlog::client::Remote;

/// Linux counts a process's time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one issuer sends, in order. `with` says how far others must be before its batch `n` goes:
/// plantings and surveys are spread over the run.
pub struct Sender {
    pub batches: Vec<Batch>,
    pub paced_by_others: bool,
}

/// What a load came to.
pub struct Loaded {
    pub records: usize,
    pub seconds: f64,
    /// Of each request, in milliseconds, sorted.
    pub latencies_ms: Vec<f64>,
}

impl Loaded {
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        let last = self.latencies_ms.len().saturating_sub(1);
        let place = (percent / 100.0 * last as f64).round() as usize;
        self.latencies_ms.get(place).copied().unwrap_or(0.0)
    }
}

/// Sends all, or what fits into the time; each issuer's batches one after the other, issuers at
/// the same time. With a rate, requests are sent on time whatever the answers do (open loop), and
/// their time counts from when they should have gone.
pub fn send(
    url: &str,
    senders: &[Sender],
    time: Duration,
    rate: Option<f64>,
) -> Result<Loaded, Failure> {
    let sent = AtomicUsize::new(0);
    let whole: usize = senders
        .iter()
        .flat_map(|it| &it.batches)
        .map(|it| it.records)
        .sum();
    let all = Mutex::new((0, Vec::new()));
    let remotes: Vec<Remote> = senders.iter().map(|_| Remote::new(url)).collect();
    let begun = Instant::now();
    let interval = rate.map(|rate| Duration::from_secs_f64(senders.len() as f64 / rate));
    let ended: Vec<Result<(), Failure>> = std::thread::scope(|scope| {
        let clients: Vec<_> = senders
            .iter()
            .zip(&remotes)
            .enumerate()
            .map(|(number, (sender, remote))| {
                let (sent, all) = (&sent, &all);
                scope.spawn(move || {
                    let mut latencies = Vec::with_capacity(sender.batches.len());
                    let mut records = 0;
                    let share = senders.len().max(1) as u32;
                    for (place, batch) in sender.batches.iter().enumerate() {
                        if begun.elapsed() >= time {
                            break;
                        }
                        if sender.paced_by_others {
                            let due = whole * place / sender.batches.len().max(1);
                            while sent.load(Ordering::Relaxed) < due && begun.elapsed() < time {
                                std::thread::sleep(Duration::from_millis(1));
                            }
                        }
                        let mut from = Instant::now();
                        if let Some(interval) = interval {
                            let nth = place as u32;
                            let due = begun + interval * nth + interval * number as u32 / share;
                            std::thread::sleep(due.saturating_duration_since(from));
                            from = due;
                        }
                        admitted(remote.append_body(&batch.body, batch.records)?)?;
                        latencies.push(from.elapsed().as_secs_f64() * 1e3);
                        records += batch.records;
                        sent.fetch_add(batch.records, Ordering::Relaxed);
                    }
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.0 += records;
                    all.1.extend(latencies);
                    Ok(())
                })
            })
            .collect();
        let lost = || Err(anyhow::anyhow!("a client broke off").into());
        clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| lost()))
            .collect()
    });
    let seconds = begun.elapsed().as_secs_f64();
    ended.into_iter().collect::<Result<(), Failure>>()?;
    let (records, mut latencies_ms) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    latencies_ms.sort_by(f64::total_cmp);
    Ok(Loaded {
        records,
        seconds,
        latencies_ms,
    })
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

/// The most memory that a process held, in bytes.
pub fn peak_rss_bytes(process: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    Ok(kib.unwrap_or(0) * 1024)
}
