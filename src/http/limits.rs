//! What a client may ask of the server, and what happens at each limit.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::Problem;

/// Limits of the server; flags and `ARBORLOG_*` variables set them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in the body of an append, at most. A larger one is answered 413.
    pub body_bytes: usize,
    /// Records in a batch, at most. More are answered 413.
    pub batch_records: usize,
    /// Bytes of memory for all bodies in flight together. A request that finds no room for 5 s is
    /// answered 503.
    pub memory_bytes: usize,
    /// A body must arrive within this time, or is answered 408.
    pub body_timeout: Duration,
    /// A request must be answered within this time, or is answered 503.
    pub request_timeout: Duration,
    /// A request's head must arrive within this time, or the connection is closed.
    pub head_timeout: Duration,
    /// How long a write to a client may stall. A client that takes nothing of its answer for this
    /// time, or is gone, has its connection closed.
    pub write_stall_timeout: Duration,
    /// Connections at a time, at most. Further ones wait to be accepted.
    pub connections: usize,
}

/// How long a body waits for memory.
const MEMORY_WAIT: Duration = Duration::from_secs(5);
/// Bytes in a unit of the budget.
const MEMORY_UNIT_BYTES: usize = 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 8 << 20,
            batch_records: 16_384,
            memory_bytes: 256 << 20,
            body_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            head_timeout: Duration::from_secs(10),
            write_stall_timeout: Duration::from_secs(60),
            connections: 4096,
        }
    }
}

/// Memory that all bodies in flight share.
pub(super) struct MemoryBudget {
    /// Units that no body has.
    units: Arc<Semaphore>,
    /// Units in all.
    all: u32,
}

impl MemoryBudget {
    pub(super) fn new(bytes: usize) -> Self {
        // 4 TiB at most: more than bodies can fill.
        let all = u32::try_from(bytes / MEMORY_UNIT_BYTES).unwrap_or(u32::MAX);
        let all = all.max(1);
        Self {
            units: Arc::new(Semaphore::new(all as usize)),
            all,
        }
    }

    /// Waits for room for a body; the room is given back when the permit goes.
    pub(super) async fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        // A body larger than the budget waits for all of it.
        let units = u32::try_from(bytes.div_ceil(MEMORY_UNIT_BYTES)).unwrap_or(self.all);
        let units = units.clamp(1, self.all);
        let room = Arc::clone(&self.units).acquire_many_owned(units);
        match tokio::time::timeout(MEMORY_WAIT, room).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Problem::unavailable(
                "memory_full",
                "bodies in flight fill the memory",
            )),
        }
    }
}

/// The answer to a request that takes too long. What it appended stays appended.
pub(super) fn timed_out() -> Response {
    Problem::unavailable(
        "timed_out",
        "the request took too long; it may yet take effect: send the same bytes again",
    )
    .into_response()
}
