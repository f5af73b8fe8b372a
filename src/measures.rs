//! What a log measures of its own work: how long commits and syncs take and how many entries they have, what became
//! of saves of the state, and of requests to an object store. All of it counts from the start of the process and from
//! zero, whether anybody reads it or not; a server shows it at `/metrics`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// How long something took, each time: a histogram of seconds from 0.25 ms to 16 s. Clones count into the same one.
#[derive(Clone, Debug)]
pub struct Durations(pub(crate) Histogram);

impl Default for Durations {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(0.000_25, 2.0, 17)))
    }
}

impl Durations {
    pub(crate) fn add(&self, taken: Duration) {
        self.0.observe(taken.as_secs_f64());
    }
}

/// How many entries something had, each time: a histogram from 1 to 65,536.
#[derive(Clone, Debug)]
pub(crate) struct Counts(pub(crate) Histogram);

impl Default for Counts {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(1.0, 4.0, 9)))
    }
}

/// What a log measures of commits and of what follows on them. Clones count into the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measures {
    /// From handing a batch to the store until the store says that it is durable, or that this is not so.
    pub commits: Durations,
    /// Entries of those that are durable.
    pub commit_entries: Counts,
    /// Commits of which this process does not know that they are durable.
    pub commits_failed: Counter,
    /// Signing a checkpoint and keeping it elsewhere (`--last-signed`), until it is published.
    pub publications: Durations,
    /// Saves of the state that were made.
    pub saves: Durations,
    /// Saves of the state that failed.
    pub saves_failed: Counter,
    /// Entries that the newest save of this process covers.
    pub saved: Saved,
}

/// Entries that the newest save of the state covers, as far as this process knows.
#[derive(Clone, Debug)]
pub(crate) struct Saved(Arc<AtomicU64>);

impl Default for Saved {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(Self::NONE)))
    }
}

impl Saved {
    /// No log has as many entries.
    const NONE: u64 = u64::MAX;

    pub(crate) fn set(&self, size: u64) {
        self.0.store(size, Ordering::Relaxed);
    }

    pub(crate) fn size(&self) -> Option<u64> {
        let size = self.0.load(Ordering::Relaxed);
        (size != Self::NONE).then_some(size)
    }
}

/// A request to an object store, and what came of it.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    operation: &'static str,
    outcome: &'static str,
}

/// Requests to an object store, by what was asked and what came of it. All series are there from the start.
#[derive(Clone, Debug)]
pub(crate) struct StoreRequests {
    pub counts: Family<RequestLabels, Counter>,
    pub times: Durations,
}

impl StoreRequests {
    /// What is asked of an object store, and the outcomes that each can have when there was an answer.
    const ANSWERS: [(&'static str, &'static [&'static str]); 5] = [
        ("create", &["done", "already_there"]),
        ("put", &["done"]),
        ("get", &["done", "absent"]),
        ("list", &["done"]),
        ("delete", &["done"]),
    ];
    /// What can come of each instead.
    const FAILURES: [&'static str; 3] = ["unclear", "denied", "unsupported"];

    pub(crate) fn add(&self, operation: &'static str, outcome: &'static str, taken: Duration) {
        let labels = RequestLabels { operation, outcome };
        self.counts.get_or_create(&labels).inc();
        self.times.add(taken);
    }
}

impl Default for StoreRequests {
    fn default() -> Self {
        let counts: Family<RequestLabels, Counter> = Family::default();
        for (operation, answers) in Self::ANSWERS {
            for outcome in answers.iter().copied().chain(Self::FAILURES) {
                drop(counts.get_or_create(&RequestLabels { operation, outcome }));
            }
        }
        Self {
            counts,
            times: Durations::default(),
        }
    }
}
