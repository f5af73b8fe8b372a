//! What every Prometheus client says of its process, under the names that all of them use.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

type Number = Gauge<f64, AtomicU64>;

/// Of each second so many ticks are in /proc/PID/stat, on every architecture of Linux (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory, descriptors and time of this process. What the system does not say is not a number.
pub(super) struct ProcessMetrics {
    cpu_seconds: Counter<f64, AtomicU64>,
    resident_bytes: Number,
    open_fds: Number,
    max_fds: Number,
    start_seconds: Number,
}

impl ProcessMetrics {
    /// In a registry whose names have no prefix.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            cpu_seconds: Counter::default(),
            resident_bytes: Gauge::default(),
            open_fds: Gauge::default(),
            max_fds: Gauge::default(),
            start_seconds: Gauge::default(),
        };
        registry.register(
            "process_cpu_seconds",
            "Time that the process had on processors",
            metrics.cpu_seconds.clone(),
        );
        for (name, help, gauge) in [
            (
                "process_resident_memory_bytes",
                "Memory that it has",
                &metrics.resident_bytes,
            ),
            (
                "process_open_fds",
                "Descriptors that are open",
                &metrics.open_fds,
            ),
            (
                "process_max_fds",
                "Descriptors that it may have",
                &metrics.max_fds,
            ),
            (
                "process_start_time_seconds",
                "When it began, since 1970 UTC",
                &metrics.start_seconds,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
        metrics
    }

    /// Reads all of them anew.
    pub(super) fn read(&self) {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let used = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
        self.cpu_seconds
            .inner()
            .store(used.to_bits(), Ordering::Relaxed);
        let known = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident.and_then(|it| it.split_whitespace().next()?.parse::<f64>().ok());
        self.resident_bytes
            .set(known(kilobytes.map(|number| number * 1024.0)));
        self.open_fds.set(known(open_fds()));
        let max = getrlimit(Resource::Nofile).current;
        // None is no limit.
        self.max_fds
            .set(max.map_or(f64::INFINITY, |max| max as f64));
        self.start_seconds.set(known(started()));
    }
}

/// The descriptors that are open: Linux says their number as the size of this folder, from 6.2 on. Its names can't be
/// read by a process whose memory nobody may read.
fn open_fds() -> Option<f64> {
    let folder = "/proc/self/fd";
    let size = std::fs::metadata(folder).ok()?.len();
    match size {
        0 => std::fs::read_dir(folder)
            .ok()
            .map(|files| files.count() as f64),
        size => Some(size as f64),
    }
}

/// When the process began, in seconds since 1970 UTC: by when the machine began.
fn started() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in brackets, which may have any sign in it; the 22nd is the start.
    let (_, behind_name) = stat.rsplit_once(')')?;
    let ticks: f64 = behind_name.split_whitespace().nth(19)?.parse().ok()?;
    let machine = std::fs::read_to_string("/proc/stat").ok()?;
    let booted = machine
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?;
    Some(booted.trim().parse::<f64>().ok()? + ticks / TICKS_PER_SECOND)
}
