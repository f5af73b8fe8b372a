//! The time that cosignatures say, and by which their age is told.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970 UTC, by this machine's clock; 0 before that.
pub fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
