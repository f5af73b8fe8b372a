//! The time of admission, from a clock that is not believed blindly.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::record::TimeMs;

/// The wall clock may drift this far from uptime before admission stops.
const DRIFT_MS_MAX: u64 = 3_600_000;
/// A step back of this much is a clock being disciplined: the last time is used again.
const STEP_BACK_MS_MAX: u64 = 1_000;

/// A clock that jumped; nothing is admitted until an operator confirms it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The clock moved against uptime.
    #[error(
        "the clock moved {drift_ms} ms against uptime since the start; set it right, or restart with --accept-clock to confirm it"
    )]
    Jumped {
        /// How far it moved, either way.
        drift_ms: u64,
    },
    /// The clock is behind the last admission.
    #[error(
        "the clock is {behind_ms} ms behind the last admission; set it right, or restart with --accept-clock to confirm it"
    )]
    Behind {
        /// How far it is behind.
        behind_ms: u64,
    },
}

/// The wall clock: milliseconds since 1970-01-01 UTC.
type Wall = Box<dyn Fn() -> u64 + Send + Sync>;

/// The clock that gives entries their time.
pub struct Clock {
    wall: Wall,
    /// When this clock was made, by uptime.
    started: Instant,
    /// When this clock was made, by the wall.
    started_wall_ms: u64,
    /// An operator confirmed the wall clock though it is behind.
    accepted: bool,
}

impl Clock {
    /// The system's clock. `accepted`: an operator confirmed it though it is behind.
    pub fn system(accepted: bool) -> Self {
        Self::new(Box::new(system_ms), accepted)
    }

    /// A clock that reads `wall`, in milliseconds since 1970-01-01 UTC.
    pub fn new(wall: Wall, accepted: bool) -> Self {
        let started_wall_ms = wall();
        Self {
            wall,
            started: Instant::now(),
            started_wall_ms,
            accepted,
        }
    }

    /// The wall's time, unchecked.
    pub fn wall_ms(&self) -> u64 {
        (self.wall)()
    }

    /// The time for entries that come after one admitted at `last`: never before it.
    ///
    /// # Errors
    /// [`ClockError`] when the clock jumped.
    pub fn admission(&self, last: TimeMs) -> Result<TimeMs, ClockError> {
        let now = (self.wall)();
        // Uptime fits u64 for half a billion years.
        let uptime = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Only a wall clock that is wrong by as much comes near the end of u64.
        let drift_ms = now.abs_diff(self.started_wall_ms.saturating_add(uptime));
        if drift_ms > DRIFT_MS_MAX {
            return Err(ClockError::Jumped { drift_ms });
        }
        // 0 if the clock is not behind.
        let behind_ms = last.0.saturating_sub(now);
        if behind_ms > STEP_BACK_MS_MAX && !self.accepted {
            return Err(ClockError::Behind { behind_ms });
        }
        Ok(TimeMs(now.max(last.0)))
    }
}

fn system_ms() -> u64 {
    // A clock before 1970 reads 0, which is behind every admission.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    // The time fits u64 for half a billion years.
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
