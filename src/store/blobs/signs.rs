//! When a process last saw for certain that it leads. A look-up, or a refusal, of a leader that was
//! deposed without its knowledge may be out of date; nothing else rests on this.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The newest sign that this process leads.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// By [`now_ms`]; 0 before there was one.
    last_ms: AtomicU64,
}

impl Signs {
    /// Takes note that the process led at a time, by [`now_ms`].
    pub(super) fn saw(&self, at_ms: u64) {
        self.last_ms.fetch_max(at_ms, Ordering::AcqRel);
    }

    /// How long ago that was.
    pub(super) fn age(&self) -> Duration {
        let last = self.last_ms.load(Ordering::Acquire);
        Duration::from_millis(now_ms().saturating_sub(last))
    }
}

/// Milliseconds of a clock that no step of the wall clock moves, and that runs while the machine
/// sleeps: a process that slept through its deposition must not find its last sign fresh.
pub(super) fn now_ms() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    let now = clock_gettime(clock);
    // Neither is below zero, and the sum fits u64 for half a billion years.
    let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    seconds * 1000 + nanos / 1_000_000
}
