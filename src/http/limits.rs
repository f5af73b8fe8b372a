//! What a client may ask of the server, and what happens at each limit.

use std::time::Duration;

use axum::response::{IntoResponse, Response};

use crate::answer::{Problem, ProblemCode};

/// Limits of the server; flags and `ARBORLOG_*` variables set them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in the body of an append, at most. A larger one is answered 413.
    pub body_bytes: usize,
    /// Records in a batch, at most. More are answered 413.
    pub batch_records: usize,
    /// Bytes of memory for all bodies in flight together, until they are answered. Bodies from one
    /// network have a quarter of it, or room for one. A body that finds no room for 5 s is answered
    /// 503; 16 KiB of each need none.
    pub memory_bytes: usize,
    /// A body must arrive within this time, or is answered 408.
    pub body_timeout: Duration,
    /// Bytes that a body must bring each second; 0 for any number. One that is 5 s behind is answered
    /// 408.
    pub body_rate: u64,
    /// A request must be answered within this time, or is answered 503.
    pub request_timeout: Duration,
    /// A request's head must arrive within this time, or the connection is closed.
    pub head_timeout: Duration,
    /// How long a connection may be without a request after it was answered. Longer than proxies keep
    /// theirs: a request must not meet a connection that is just being closed.
    pub idle_timeout: Duration,
    /// How long a write to a client may stall. A client that takes nothing of its answer for this
    /// time, or is gone, has its connection closed.
    pub write_stall_timeout: Duration,
    /// Bytes of its answers that a client must take each second while more wait for it; 0 for any
    /// number. One that is behind by [`write_stall_timeout`](Self::write_stall_timeout) has its
    /// connection closed.
    pub answer_rate: u64,
    /// Connections at a time, at most; from one network as many as places are free, which is half of
    /// them if it is alone. Further ones take the place of those that have been silent for longest, or
    /// wait.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 8 << 20,
            batch_records: 16_384,
            memory_bytes: 128 << 20,
            body_timeout: Duration::from_secs(30),
            body_rate: 16 << 10,
            request_timeout: Duration::from_secs(60),
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_stall_timeout: Duration::from_secs(60),
            answer_rate: 8 << 10,
            connections: 4096,
        }
    }
}

/// The answer to a request that takes too long. What it appended stays appended.
pub(super) fn timed_out() -> Response {
    Problem::unavailable(
        ProblemCode::TimedOut,
        "the request took too long; it may yet take effect: send the same bytes again",
    )
    .into_response()
}
