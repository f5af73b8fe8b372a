//! Says which commits take long: the disk's or the store's fault, and the first that an operator asks.

use std::time::{Duration, Instant};

use crate::store::{BoxFuture, CommitOutcome};

/// A commit of so many entries, of which a line of the log is told if it takes longer than `threshold`.
pub(super) fn told_if_slow(
    commit: BoxFuture<'static, CommitOutcome>,
    entries: u64,
    threshold: Duration,
) -> BoxFuture<'static, CommitOutcome> {
    let begun = Instant::now();
    Box::pin(async move {
        let outcome = commit.await;
        let taken = begun.elapsed();
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
