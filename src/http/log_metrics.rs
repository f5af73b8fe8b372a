//! What the metrics say of the log beneath: what it measured as it worked, and its sizes when they are asked for. All
//! series are there from the start: counters and histograms from 0, and a gauge without a subject is not a number.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::App;
use super::connections::Connections;
use super::disk_space::DiskSpace;
use crate::log::Log;

/// A gauge that may be not a number.
pub(super) type Number = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DomainLabels {
    domain: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CacheLabels {
    cache: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MemoryLabels {
    of: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DiskLabels {
    disk: &'static str,
}

/// What the log and its server have now.
pub(super) struct LogMetrics {
    connections: Option<Arc<Connections>>,
    /// The disks that the log is on, by what they have.
    disks: [(&'static str, DiskSpace); 2],
    connections_open: Number,
    connections_max: Number,
    in_flight: Family<MemoryLabels, Number>,
    queue: Gauge,
    signature_checks: Gauge,
    state_items: Family<DomainLabels, Gauge>,
    uncovered: Gauge,
    caches: Family<CacheLabels, Gauge>,
    unsettled: Number,
    saved_size: Number,
    disk_free: Family<DiskLabels, Number>,
    clock: Number,
}

/// A count as a gauge has it: neither sizes nor times come near its end.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count that may be unknown.
fn known(value: Option<u64>) -> f64 {
    value.map_or(f64::NAN, |value| value as f64)
}

impl LogMetrics {
    pub(super) fn register(
        registry: &mut Registry,
        log: &Log,
        connections: Option<Arc<Connections>>,
    ) -> Self {
        Self::register_measures(registry, log);
        let disks = [
            ("ledger", log.dir()),
            ("last_signed", log.last_signed_dir()),
        ];
        let metrics = Self {
            connections,
            disks: disks.map(|(disk, folder)| (disk, DiskSpace::of(folder))),
            connections_open: Number::default(),
            connections_max: Number::default(),
            in_flight: Family::default(),
            queue: Gauge::default(),
            signature_checks: Gauge::default(),
            state_items: Family::default(),
            uncovered: Gauge::default(),
            caches: Family::default(),
            unsettled: Number::default(),
            saved_size: Number::default(),
            disk_free: Family::default(),
            clock: Number::default(),
        };
        for (name, help, gauge) in [
            (
                "connections",
                "Connections that are open, but those for metrics",
                &metrics.connections_open,
            ),
            (
                "connections_max",
                "Connections that may be open",
                &metrics.connections_max,
            ),
            (
                "unsettled_entries",
                "Durable entries that are neither in files that never change nor in packs",
                &metrics.unsettled,
            ),
            (
                "saved_entries",
                "Entries that the newest save of the state covers, as far as this process knows",
                &metrics.saved_size,
            ),
            (
                "clock_seconds",
                "The time by this machine's clock, since 1970 UTC",
                &metrics.clock,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
        for (name, help, gauge) in [
            ("queue_batches", "Batches that wait", &metrics.queue),
            (
                "signature_checks",
                "Checks of signatures that have begun or wait for a thread",
                &metrics.signature_checks,
            ),
            (
                "uncovered_entries",
                "Entries of which no state entry speaks yet",
                &metrics.uncovered,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
        registry.register_with_unit(
            "in_flight",
            "Memory that bodies, and answers that clients have not read, take",
            Unit::Bytes,
            metrics.in_flight.clone(),
        );
        registry.register(
            "state_items",
            "Items of each domain of the state",
            metrics.state_items.clone(),
        );
        registry.register_with_unit(
            "cache",
            "Memory of tiles that were read, and of those with their nodes",
            Unit::Bytes,
            metrics.caches.clone(),
        );
        registry.register_with_unit(
            "disk_free",
            "Bytes that are free for this process on the disk of the ledger, and of --last-signed",
            Unit::Bytes,
            metrics.disk_free.clone(),
        );
        metrics
    }

    /// What the log measures as it works.
    fn register_measures(registry: &mut Registry, log: &Log) {
        let measures = log.measures();
        for (name, help, durations) in [
            (
                "commit_duration",
                "From handing a batch to the store until its outcome is known",
                measures.commits.clone(),
            ),
            (
                "fsync_duration",
                "Syncs of the journal, of a ledger in a directory",
                log.syncs(),
            ),
            (
                "publish_duration",
                "Signing a checkpoint, and keeping it at --last-signed",
                measures.publications.clone(),
            ),
            (
                "save_duration",
                "Saves of the state",
                measures.saves.clone(),
            ),
            (
                "store_request_duration",
                "Requests to the object store",
                log.store_requests().times.clone(),
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, durations.0);
        }
        registry.register(
            "commit_entries",
            "Entries of a commit",
            measures.commit_entries.0.clone(),
        );
        registry.register(
            "commits_failed",
            "Commits that are not known to be durable",
            measures.commits_failed.clone(),
        );
        registry.register(
            "saves_failed",
            "Saves of the state that failed",
            measures.saves_failed.clone(),
        );
        registry.register(
            "store_requests",
            "Requests to the object store, by what came of them",
            log.store_requests().counts.clone(),
        );
    }

    /// Reads all of them anew.
    pub(super) async fn read(&self, app: &App) {
        let figures = app.log.figures();
        let connections = self.connections.as_ref().map(|it| it.counts());
        let count = |part: Option<usize>| part.map_or(f64::NAN, |count| count as f64);
        self.connections_open
            .set(count(connections.map(|(open, _)| open)));
        self.connections_max
            .set(count(connections.map(|(_, max)| max)));
        for (of, bytes) in [
            ("bodies", app.memory.taken_bytes()),
            ("answers", app.answers.taken_bytes()),
        ] {
            let gauge = self.in_flight.get_or_create(&MemoryLabels { of });
            gauge.set(bytes as f64);
        }
        self.queue.set(signed(app.log.waiting() as u64));
        self.signature_checks
            .set(signed(figures.signature_checks as u64));
        for (domain, items) in figures.state_items {
            let gauge = self.state_items.get_or_create(&DomainLabels { domain });
            gauge.set(signed(items as u64));
        }
        self.uncovered.set(signed(figures.uncovered_entries));
        for (cache, bytes) in [
            ("tiles", figures.tile_cache_bytes),
            ("nodes", figures.node_cache_bytes),
        ] {
            let gauge = self.caches.get_or_create(&CacheLabels { cache });
            gauge.set(signed(bytes));
        }
        self.unsettled.set(known(figures.unsettled_entries));
        self.saved_size.set(known(app.log.measures().saved.size()));
        self.clock.set(figures.clock_ms as f64 / 1e3);
        for (disk, space) in &self.disks {
            let free = space.free_bytes().await;
            self.disk_free.get_or_create(&DiskLabels { disk }).set(free);
        }
    }
}
