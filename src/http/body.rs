//! A request's body as it arrives: memory is taken for what has come, not for what was announced, and
//! a sender that is too slow is cut off.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::Limits;
use super::body_bytes::BodyBytes;
use super::connection::Connection;
use crate::answer::{Problem, ProblemCode};
use crate::shares::{ClientNet, Share, Shares};

/// How long a body waits for memory.
const MEMORY_WAIT: Duration = Duration::from_secs(5);
/// Bytes in a unit of the budget.
const MEMORY_UNIT_BYTES: usize = 1024;
/// Bytes of each body that count for nothing: its connection has buffers of that size. So a few records
/// never wait for the memory that large bodies take.
const BYTES_FREE: usize = 16 << 10;
/// Bytes for which a body takes memory at a time: as much as its connection reads at once.
const BYTES_STEP: usize = 16 << 10;
/// How far behind the least rate a body may be: a slow beginning is nobody's fault.
const BEHIND_MAX: Duration = Duration::from_secs(5);
/// The part of the memory that bodies from one network may take, as a divisor.
const NETWORK_PART: usize = 4;

/// Memory that all bodies in flight share, until what they hold is answered.
pub(super) struct BodyMemory {
    units: Shares,
    /// Bodies that have some units and wait for more: one for each network. Were there two, each could
    /// wait for what the other has.
    waiting: Shares,
    /// Units of one network at most, and so of a body.
    units_each: usize,
}

impl BodyMemory {
    pub(super) fn new(limits: &Limits) -> Self {
        let all = (limits.memory_bytes / MEMORY_UNIT_BYTES).max(1);
        let body = limits.body_bytes.div_ceil(MEMORY_UNIT_BYTES);
        let units_each = (all / NETWORK_PART).max(body).min(all);
        Self {
            units: Shares::new(all, units_each),
            waiting: Shares::new(usize::MAX, 1),
            units_each,
        }
    }

    /// Bytes that bodies in flight take of it now.
    pub(super) fn taken_bytes(&self) -> usize {
        let all = self.units.all();
        all.saturating_sub(self.units.free()) * MEMORY_UNIT_BYTES
    }

    /// Takes units until a body that takes this many bytes has its own; a body that is larger than all
    /// of the memory has all of it.
    async fn grow(&self, net: ClientNet, taken: &mut Taken, bytes: usize) -> Result<(), Problem> {
        let units = bytes.saturating_sub(BYTES_FREE).div_ceil(MEMORY_UNIT_BYTES);
        let more = units.min(self.units_each).saturating_sub(taken.units);
        if more == 0 {
            return Ok(());
        }
        let share = match self.units.try_take(net, more) {
            Some(share) => share,
            None => self.wait(net, more, taken.share.is_some()).await?,
        };
        taken.units += more;
        match &mut taken.share {
            Some(taken) => taken.join(share),
            None => taken.share = Some(share),
        }
        Ok(())
    }

    async fn wait(&self, net: ClientNet, units: usize, has_some: bool) -> Result<Share, Problem> {
        let full =
            || Problem::unavailable(ProblemCode::MemoryFull, "bodies in flight fill the memory");
        let _waits = match has_some {
            true => Some(self.waiting.try_take(net, 1).ok_or_else(full)?),
            false => None,
        };
        let share = tokio::time::timeout(MEMORY_WAIT, self.units.take(net, units));
        share.await.map_err(|_| full())
    }
}

/// The units that a body has.
#[derive(Default)]
struct Taken {
    share: Option<Share>,
    units: usize,
}

/// A body that has arrived whole.
pub(super) struct Received {
    pub bytes: BodyBytes,
    /// The memory that it counts for.
    pub memory: Option<Arc<Share>>,
}

/// Receives a body.
///
/// # Errors
/// A problem when it is too large, comes too slowly or too late, is cut, or finds no memory. Nothing of
/// it was looked at then.
pub(super) async fn receive(
    body: Body,
    limits: &Limits,
    memory: &BodyMemory,
    net: ClientNet,
    connection: Option<&Arc<Connection>>,
) -> Result<Received, Problem> {
    let _awaited = connection.map(Connection::awaits_body);
    let (mut bytes, mut taken) = (BodyBytes::new(), Taken::default());
    // What was announced, if anything was: never more than a body may have.
    let announced = body.size_hint().upper();
    let announced = announced.and_then(|bytes| usize::try_from(bytes).ok());
    let bytes_max = announced.map_or(limits.body_bytes, |bytes| bytes.min(limits.body_bytes));
    let mut parts = body.into_data_stream();
    let mut begun = Instant::now();
    loop {
        let due = due_after(bytes.len(), limits);
        let part = match tokio::time::timeout_at(begun + due, parts.next()).await {
            Ok(Some(Ok(part))) => part,
            Ok(Some(Err(_))) if connection.is_some_and(|it| it.chunk_is_refused()) => {
                return Err(too_large(limits.body_bytes));
            }
            Ok(Some(Err(_))) => return Err(cut()),
            Ok(None) => break,
            Err(_) => return Err(late(due < limits.body_timeout)),
        };
        let length = bytes.len() + part.len();
        if length > limits.body_bytes {
            return Err(too_large(limits.body_bytes));
        }
        let asked = Instant::now();
        let counted = length.next_multiple_of(BYTES_STEP).min(bytes_max);
        memory.grow(net, &mut taken, counted).await?;
        // The wait was not the sender's.
        begun += asked.elapsed();
        bytes.add(&part, bytes_max).map_err(|error| {
            tracing::warn!(%error, "no memory for a body");
            Problem::unavailable(
                ProblemCode::MemoryFull,
                "the system has no memory for the body",
            )
        })?;
    }
    let memory = taken.share.map(Arc::new);
    Ok(Received { bytes, memory })
}

/// How long after its beginning a body of which this much has come must have brought more.
fn due_after(bytes: usize, limits: &Limits) -> Duration {
    // A rate of 0 is none.
    let at_least_rate = (bytes as u64).checked_div(limits.body_rate);
    let due = at_least_rate.map(|seconds| BEHIND_MAX + Duration::from_secs(seconds));
    due.map_or(limits.body_timeout, |due| due.min(limits.body_timeout))
}

/// The problem of a body that is larger than this.
pub(super) fn too_large(bytes_max: usize) -> Problem {
    Problem::new(
        ProblemCode::BatchTooLarge,
        &format!("a body has at most {bytes_max} bytes"),
        "send smaller batches",
    )
}

fn cut() -> Problem {
    Problem::new(
        ProblemCode::BodyCut,
        "the body ended before it was whole, or its chunks are none; nothing of it was admitted",
        "send it again",
    )
}

fn late(too_slow: bool) -> Problem {
    let detail = match too_slow {
        true => "the body came too slowly; nothing of it was admitted",
        false => "the body did not arrive in time; nothing of it was admitted",
    };
    Problem::new(
        ProblemCode::BodyLate,
        detail,
        "send it again, or in smaller batches",
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Bytes;
    use futures_util::stream;

    use super::*;

    const KIB: usize = 1 << 10;

    fn net(last: u8) -> ClientNet {
        ClientNet::of([127, 0, 0, last].into())
    }

    fn limits() -> Limits {
        Limits {
            body_bytes: 256 * KIB,
            memory_bytes: 1024 * KIB,
            body_rate: 16 * KIB as u64,
            ..Limits::default()
        }
    }

    /// A body of parts of 4 KiB with rests between them.
    fn slow(parts: usize, rest: Duration) -> Body {
        Body::from_stream(stream::unfold(0, move |sent| async move {
            if sent == parts {
                return None;
            }
            tokio::time::sleep(rest).await;
            Some((Ok::<_, Infallible>(Bytes::from(vec![7; 4 * KIB])), sent + 1))
        }))
    }

    /// A body that brings this much and then nothing.
    fn stalling(bytes: usize) -> Body {
        let first = stream::once(async move { Ok::<_, Infallible>(Bytes::from(vec![7; bytes])) });
        Body::from_stream(first.chain(stream::pending()))
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn memory_is_taken_for_what_has_come() {
        let (limits, memory) = (limits(), BodyMemory::new(&limits()));
        let free = memory.units.free();
        {
            let silent: Vec<_> = (0..1_000)
                .map(|_| Box::pin(receive(stalling(0), &limits, &memory, net(1), None)))
                .collect();
            let all = futures_util::future::join_all(silent);
            assert!(
                tokio::time::timeout(Duration::from_secs(1), all)
                    .await
                    .is_err()
            );
            assert_eq!(memory.units.free(), free);
        }
        let half = receive(stalling(128 * KIB), &limits, &memory, net(1), None);
        let mut half = pin_of(half);
        let waited = tokio::time::timeout(Duration::from_secs(1), &mut half).await;
        assert!(waited.is_err());
        assert_eq!(free - memory.units.free(), 112);
        let problem = half.await.err().unwrap();
        assert_eq!(problem.code(), "body_late");
        assert_eq!(memory.units.free(), free);
        let whole = receive(slow(64, Duration::ZERO), &limits, &memory, net(1), None).await;
        let whole = whole.ok().unwrap();
        assert_eq!(
            (whole.bytes.len(), free - memory.units.free()),
            (256 * KIB, 240)
        );
        drop(whole);
        assert_eq!(memory.units.free(), free);
    }

    fn pin_of<F: Future>(future: F) -> std::pin::Pin<Box<F>> {
        Box::pin(future)
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_slow_sender_is_cut_off_and_a_steady_one_is_not() {
        let (limits, memory) = (limits(), BodyMemory::new(&limits()));
        // 16 KiB a second, and an eighth of that.
        let steady = slow(40, Duration::from_millis(250));
        assert!(
            receive(steady, &limits, &memory, net(1), None)
                .await
                .is_ok()
        );
        let begun = Instant::now();
        let late = receive(
            slow(40, Duration::from_secs(2)),
            &limits,
            &memory,
            net(1),
            None,
        );
        assert_eq!(late.await.err().unwrap().code(), "body_late");
        assert!(begun.elapsed() < Duration::from_secs(8));
        // Whatever the rate, there is an end.
        let endless = slow(usize::MAX, Duration::from_millis(990));
        let slowly = Limits {
            body_rate: 0,
            ..limits
        };
        let late = receive(endless, &slowly, &memory, net(1), None).await;
        assert_eq!(late.err().unwrap().code(), "body_late");
        assert!(begun.elapsed() < Duration::from_secs(8) + limits.body_timeout);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn large_bodies_of_one_network_hold_up_neither_small_ones_nor_others() {
        let (limits, memory) = (limits(), BodyMemory::new(&limits()));
        let body = || slow(64, Duration::from_millis(1));
        let held = receive(body(), &limits, &memory, net(1), None)
            .await
            .ok()
            .unwrap();
        let more = receive(body(), &limits, &memory, net(1), None).await;
        assert_eq!(more.err().unwrap().code(), "memory_full");
        let small = receive(slow(4, Duration::ZERO), &limits, &memory, net(1), None);
        assert!(small.await.is_ok());
        let other = receive(body(), &limits, &memory, net(2), None).await;
        assert!(other.is_ok());
        drop(held);
        // Many at once of a network: each ends, and some get through.
        let many = (0..20).map(|_| receive(body(), &limits, &memory, net(1), None));
        let ended = futures_util::future::join_all(many).await;
        assert!(ended.iter().any(Result::is_ok));
    }
}
