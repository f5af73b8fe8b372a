//! Measures commits, and says which take long: the disk's or the store's fault, and the first that an operator asks.

use std::time::{Duration, Instant};

use crate::measures::Measures;
use crate::store::{BoxFuture, CommitOutcome};

/// A commit of so many entries, which is measured, and of which a line of the log is told if it takes longer than
/// `threshold`.
pub(super) fn measured(
    commit: BoxFuture<'static, CommitOutcome>,
    entries: u64,
    threshold: Duration,
    measures: Measures,
) -> BoxFuture<'static, CommitOutcome> {
    let begun = Instant::now();
    Box::pin(async move {
        let outcome = commit.await;
        let taken = begun.elapsed();
        measures.commits.add(taken);
        match &outcome {
            CommitOutcome::Committed => measures.commit_entries.0.observe(entries as f64),
            CommitOutcome::Moved(_) | CommitOutcome::Deposed | CommitOutcome::Unknown(_) => {
                measures.commits_failed.inc();
            }
        }
        if taken > threshold {
            let ms = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                ms,
                entries,
                "a commit was slow: the disk or the store took this long"
            );
        }
        outcome
    })
}
