//! The time of admission, from a clock that is not believed blindly.
//!
//! A clock that was right once is held against uptime, which no step of the wall clock moves. At a
//! start there is only the last admission to hold it against: a clock behind it is wrong, and one
//! far ahead of it may be. An operator can confirm either.

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::record::TimeMs;

/// The wall clock may drift this far from uptime before admission stops.
const DRIFT_MS_MAX: u64 = 3_600_000;
/// A step back of this much is a clock being disciplined: the last time is used again.
const STEP_BACK_MS_MAX: u64 = 1_000;
/// At a start the clock may be this far ahead of the last admission: 14 days. Times never decrease,
/// and a record is refused 30 days after its day: after one admission too far ahead, every later
/// record would be refused until the time that was wrongly given has come.
const AHEAD_MS_MAX: u64 = 14 * 86_400_000;

/// A clock that is wrong, or may be; nothing is admitted until it is right or an operator confirms
/// it.
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
    /// At the start, the clock was far ahead of the last admission.
    #[error(
        "the clock is {ahead_ms} ms ahead of the last admission, more than 14 days: set it right, or, if nothing was admitted for so long, restart with --accept-clock to confirm it"
    )]
    Ahead {
        /// How far it is ahead.
        ahead_ms: u64,
    },
}

impl ClockError {
    /// Whether both say the same of the clock, whatever the numbers.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// The wall clock: milliseconds since 1970-01-01 UTC.
type Wall = Box<dyn Fn() -> u64 + Send + Sync>;

/// The clock that gives entries their time.
pub struct Clock {
    wall: Wall,
    /// An operator confirmed the wall clock, as it was when this clock was made.
    accepted: bool,
    /// The moment since which the wall clock is held against uptime. None until it was first found
    /// neither behind nor far ahead: until then, setting it right needs no restart.
    trusted: Mutex<Option<Moment>>,
}

/// A moment by both clocks.
#[derive(Clone, Copy)]
struct Moment {
    uptime: Instant,
    wall_ms: u64,
}

impl Clock {
    /// The system's clock. `accepted`: an operator confirmed it though it is behind or far ahead.
    pub fn system(accepted: bool) -> Self {
        Self::new(Box::new(system_ms), accepted)
    }

    /// A clock that reads `wall`, in milliseconds since 1970-01-01 UTC.
    pub fn new(wall: Wall, accepted: bool) -> Self {
        let made = Moment {
            uptime: Instant::now(),
            wall_ms: wall(),
        };
        Self {
            wall,
            accepted,
            trusted: Mutex::new(accepted.then_some(made)),
        }
    }

    /// The wall's time, unchecked.
    pub fn wall_ms(&self) -> u64 {
        (self.wall)()
    }

    /// The time for entries that come after one admitted at `last`: never before it.
    ///
    /// # Errors
    /// [`ClockError`] when the clock is wrong, or may be.
    pub fn admission(&self, last: TimeMs) -> Result<TimeMs, ClockError> {
        let now = Moment {
            uptime: Instant::now(),
            wall_ms: (self.wall)(),
        };
        // Both are 0 if the clock is on the other side.
        let behind_ms = last.0.saturating_sub(now.wall_ms);
        let ahead_ms = now.wall_ms.saturating_sub(last.0);
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        match &*trusted {
            Some(since) => {
                let drift_ms = now.drift_ms(since);
                if drift_ms > DRIFT_MS_MAX {
                    return Err(ClockError::Jumped { drift_ms });
                }
            }
            None if ahead_ms > AHEAD_MS_MAX => return Err(ClockError::Ahead { ahead_ms }),
            None => {}
        }
        if behind_ms > STEP_BACK_MS_MAX && !self.accepted {
            return Err(ClockError::Behind { behind_ms });
        }
        trusted.get_or_insert(now);
        Ok(TimeMs(now.wall_ms.max(last.0)))
    }
}

impl Moment {
    /// How far the wall clock moved against uptime since an earlier moment.
    fn drift_ms(&self, since: &Self) -> u64 {
        let uptime = self.uptime.saturating_duration_since(since.uptime);
        // Uptime fits u64 for half a billion years.
        let uptime_ms = u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX);
        // Only a wall clock that is wrong by as much comes near the end of u64.
        self.wall_ms
            .abs_diff(since.wall_ms.saturating_add(uptime_ms))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const LAST: TimeMs = TimeMs(1_000 * DAY_MS);

    /// A clock that a test sets, as milliseconds before or after [`LAST`].
    fn clock(offset_ms: i64, accepted: bool) -> (Clock, impl Fn(i64)) {
        let at = |offset_ms: i64| LAST.0.saturating_add_signed(offset_ms);
        let wall = Arc::new(AtomicU64::new(at(offset_ms)));
        let read = Arc::clone(&wall);
        let clock = Clock::new(Box::new(move || read.load(Ordering::SeqCst)), accepted);
        (clock, move |offset_ms| {
            wall.store(at(offset_ms), Ordering::SeqCst)
        })
    }

    fn days(count: i64) -> i64 {
        count * DAY_MS as i64
    }

    #[test]
    fn at_a_start_a_clock_is_held_against_the_last_admission_in_both_directions() {
        let admits = |offset_ms, accepted| clock(offset_ms, accepted).0.admission(LAST);
        for accepted in [false, true] {
            assert_eq!(admits(0, accepted), Ok(LAST));
            assert_eq!(admits(-1_000, accepted), Ok(LAST));
            assert_eq!(admits(days(14), accepted), Ok(TimeMs(LAST.0 + 14 * DAY_MS)));
        }
        let behind_ms = 1_001;
        assert_eq!(admits(-1_001, false), Err(ClockError::Behind { behind_ms }));
        assert_eq!(admits(-1_001, true), Ok(LAST));
        let ahead_ms = 40 * DAY_MS;
        assert_eq!(admits(days(40), false), Err(ClockError::Ahead { ahead_ms }));
        assert_eq!(admits(days(40), true), Ok(TimeMs(LAST.0 + ahead_ms)));
    }

    #[test]
    fn a_clock_that_was_wrong_at_the_start_is_set_right_without_a_restart() {
        for wrong in [days(40), days(-2)] {
            let (clock, set) = clock(wrong, false);
            assert!(clock.admission(LAST).is_err());
            set(5_000);
            assert_eq!(clock.admission(LAST), Ok(TimeMs(LAST.0 + 5_000)));
            // From here on it is held against uptime.
            set(days(1));
            assert!(matches!(
                clock.admission(LAST),
                Err(ClockError::Jumped { .. })
            ));
            set(5_000);
            assert!(clock.admission(LAST).is_ok());
        }
    }

    #[test]
    fn a_confirmed_clock_is_held_against_uptime_from_its_first_moment_on() {
        let (clock, set) = clock(days(40), true);
        set(0);
        let drift_ms = match clock.admission(LAST) {
            Err(ClockError::Jumped { drift_ms }) => drift_ms,
            other => panic!("{other:?}"),
        };
        assert!(drift_ms.abs_diff(40 * DAY_MS) < 60_000, "{drift_ms}");
    }

    /// A log that rests for long admits again by the clock that it knew.
    #[test]
    fn a_clock_that_runs_beside_uptime_may_leave_the_last_admission_far_behind() {
        let (clock, _) = clock(0, false);
        assert!(clock.admission(LAST).is_ok());
        let long_ago = TimeMs(LAST.0 - 60 * DAY_MS);
        assert_eq!(clock.admission(long_ago), Ok(LAST));
    }
}
