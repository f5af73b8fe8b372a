//! A connection: what it waits for, how long it may wait, and what its requests are handed to.

use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};
use tower::ServiceExt as _;

use super::Limits;
use super::forwarded::TrustedProxies;
use crate::answer::{Peer, Problem};
use crate::shares::ClientNet;

/// How long a connection is read from after its end was sent, where its client still sends a body that
/// nobody wants. Closed at once, the system would cut the answer off too.
const LINGER: Duration = Duration::from_secs(2);
/// Bytes that are read so, at most.
const LINGER_BYTES_MAX: usize = 16 << 20;
/// Nanoseconds of a second.
const NANOS: u64 = 1_000_000_000;

/// A connection that is open.
pub(super) struct Connection {
    peer: IpAddr,
    activity: Mutex<Activity>,
    /// Notified when the connection is to give way.
    gives_way: Notify,
    /// A body was not read to its end.
    body_unread: AtomicBool,
    /// A chunk of the body that comes is larger than a body may be.
    chunk_refused: AtomicBool,
    /// The number of the head that was refused, from 1, and why: the last of the connection.
    head_refused: OnceLock<(u64, Problem)>,
    /// Requests that were handed to the routes.
    requests: AtomicU64,
}

/// Why the head of a request was refused, in the request that hyper reads in its place.
#[derive(Clone)]
pub(super) struct HeadRefused(pub Problem);

/// What happens on a connection.
struct Activity {
    phase: Phase,
    /// When the phase began.
    since: Instant,
    /// When the client sent something last, or was accepted.
    heard: Instant,
    /// By when the client must take more, since there is no room for more of what it is sent.
    takes_by: Option<Instant>,
}

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The rest of a request's head, or all of the first one.
    Head,
    /// The rest of a request's body.
    Body,
    /// The server.
    Answer,
    /// The first byte of another request.
    Request,
}

impl Connection {
    pub(super) fn new(peer: IpAddr) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            peer,
            activity: Mutex::new(Activity {
                phase: Phase::Head,
                since: now,
                heard: now,
                takes_by: None,
            }),
            gives_way: Notify::new(),
            body_unread: AtomicBool::new(false),
            chunk_refused: AtomicBool::new(false),
            head_refused: OnceLock::new(),
            requests: AtomicU64::new(0),
        })
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a phase.
    pub(super) fn enter(&self, phase: Phase) {
        let mut activity = self.activity();
        activity.phase = phase;
        activity.since = Instant::now();
    }

    /// Notes that the client sent something.
    pub(super) fn heard(&self) {
        let mut activity = self.activity();
        activity.heard = Instant::now();
        if activity.phase == Phase::Request {
            activity.phase = Phase::Head;
            activity.since = activity.heard;
        }
    }

    /// Says whether a body was read to its end: if not, the client may still send it.
    pub(super) fn body_is_read(&self, read: bool) {
        self.body_unread.store(!read, Ordering::Relaxed);
    }

    /// Until this is dropped, the connection waits for its client to send a body.
    pub(super) fn awaits_body(self: &Arc<Self>) -> impl Drop + use<> {
        self.enter(Phase::Body);
        Enters(Arc::clone(self), Phase::Answer)
    }

    /// Notes what came of writing to the client: this many bytes found room, or none did.
    fn wrote(&self, written: &Poll<io::Result<usize>>, limits: &Limits) {
        let mut activity = self.activity();
        match (written, activity.takes_by) {
            (Poll::Ready(Ok(bytes)), Some(by)) => {
                // What was taken gives time for as much; quickly taken once, it gives none for later.
                let nanos = (*bytes as u64)
                    .saturating_mul(NANOS)
                    .checked_div(limits.answer_rate);
                let latest = Instant::now() + limits.write_stall_timeout;
                let more = nanos.map(|nanos| by + Duration::from_nanos(nanos));
                activity.takes_by = Some(more.map_or(latest, |by| by.min(latest)));
            }
            (Poll::Pending, None) => {
                activity.takes_by = Some(Instant::now() + limits.write_stall_timeout);
            }
            _ => {}
        }
    }

    /// Notes whether all that was written found room.
    fn flushed(&self, flushed: &Poll<io::Result<()>>, limits: &Limits) {
        match flushed {
            Poll::Ready(_) => self.activity().takes_by = None,
            Poll::Pending => self.wrote(&Poll::Pending, limits),
        }
    }

    /// Has the request in the place of this head, from 1, answered with what is wrong with it.
    pub(super) fn refuse_head(&self, number: u64, problem: Problem) {
        // The client may send more of what nobody reads.
        self.body_is_read(false);
        // There is one: nothing is read behind it.
        let _ = self.head_refused.set((number, problem));
    }

    /// Why the head of the next request was refused, if it was.
    fn next_request(&self) -> Option<HeadRefused> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let (refused, problem) = self.head_refused.get()?;
        (*refused == number).then(|| HeadRefused(problem.clone()))
    }

    /// Has the body that comes refused as too large.
    pub(super) fn refuse_chunk(&self) {
        self.chunk_refused.store(true, Ordering::Relaxed);
    }

    /// Whether the body ended with a chunk that is too large.
    pub(super) fn chunk_is_refused(&self) -> bool {
        self.chunk_refused.load(Ordering::Relaxed)
    }

    /// When the connection is closed if its client neither sends nor takes more.
    fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let activity = self.activity();
        let sends = match activity.phase {
            Phase::Head => Some(activity.since + limits.head_timeout),
            Phase::Request => Some(activity.since + limits.idle_timeout),
            Phase::Body | Phase::Answer => None,
        };
        [sends, activity.takes_by].into_iter().flatten().min()
    }

    /// Since when the client has been silent while the server waits for it to send, or to take what it
    /// is sent.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        let activity = self.activity();
        let waits = activity.phase != Phase::Answer || activity.takes_by.is_some();
        waits.then_some(activity.heard)
    }

    /// The network of the connection's other end.
    pub(super) fn net(&self) -> ClientNet {
        ClientNet::of(self.peer)
    }

    /// Has the connection end, whatever it waits for.
    pub(super) fn give_way(&self) {
        self.gives_way.notify_one();
    }

    /// Serves until the connection ends by itself, its client has been silent or too slow for too long,
    /// or it gives way.
    pub(super) async fn run(&self, limits: &Limits, served: impl Future) {
        let mut served = pin!(served);
        let mut gives_way = pin!(self.gives_way.notified());
        let mut sleep = pin!(tokio::time::sleep_until(Instant::now()));
        poll_fn(|context| {
            // What the deadline rests on changes while this is polled and at no other time. One that
            // gives way begins no more work: somebody waits for its place.
            if gives_way.as_mut().poll(context).is_ready()
                || served.as_mut().poll(context).is_ready()
            {
                return Poll::Ready(());
            }
            let Some(deadline) = self.deadline(limits) else {
                return Poll::Pending;
            };
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
            sleep.as_mut().poll(context)
        })
        .await;
    }
}

/// A phase that begins when this is dropped.
struct Enters(Arc<Connection>, Phase);

impl Drop for Enters {
    fn drop(&mut self) {
        self.0.enter(self.1);
    }
}

/// A stream that notes when its client sends something, and takes something.
pub(super) struct Noted<S> {
    stream: S,
    connection: Arc<Connection>,
    limits: Limits,
    /// Until when what still comes is read, and how much of it was.
    lingers: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> Noted<S> {
    pub(super) fn new(stream: S, connection: &Arc<Connection>, limits: Limits) -> Self {
        // Of a stream with TLS, the time of a head begins behind the handshake.
        connection.enter(Phase::Head);
        let connection = Arc::clone(connection);
        Self {
            stream,
            connection,
            limits,
            lingers: None,
        }
    }
}

impl<S: AsyncRead + Unpin> Noted<S> {
    /// Reads what still comes, and forgets it, until nothing comes any more or it has been enough.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (sleep, read) = self
            .lingers
            .get_or_insert_with(|| (Box::pin(tokio::time::sleep(LINGER)), 0));
        while *read < LINGER_BYTES_MAX && sleep.as_mut().poll(context).is_pending() {
            let mut scratch = [0; 8 << 10];
            let mut buffer = ReadBuf::new(&mut scratch);
            let polled = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
            match ready!(polled) {
                Ok(()) if !buffer.filled().is_empty() => *read += buffer.filled().len(),
                // Its end, or an error of a client that is gone.
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.connection.heard();
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.connection.wrote(&written, &self.limits);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.connection.flushed(&flushed, &self.limits);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        if self.connection.body_unread.load(Ordering::Relaxed) {
            ready!(self.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.connection.wrote(&written, &self.limits);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Hands a connection's requests to the routes, with the network that each counts for.
#[derive(Clone)]
pub(super) struct ConnectionService {
    connection: Arc<Connection>,
    peer: Peer,
    proxies: TrustedProxies,
    router: axum::Router,
}

impl ConnectionService {
    pub(super) fn new(
        connection: &Arc<Connection>,
        peer: Peer,
        proxies: &TrustedProxies,
        router: axum::Router,
    ) -> Self {
        Self {
            connection: Arc::clone(connection),
            peer,
            proxies: proxies.clone(),
            router,
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for ConnectionService {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.connection.enter(Phase::Answer);
        let answered = Enters(Arc::clone(&self.connection), Phase::Request);
        let mut request = request.map(Body::new);
        let net = self
            .proxies
            .client_of(self.connection.peer, request.headers());
        request.extensions_mut().insert(net);
        request.extensions_mut().insert(self.peer.clone());
        request
            .extensions_mut()
            .insert(Arc::clone(&self.connection));
        if let Some(refused) = self.connection.next_request() {
            request.extensions_mut().insert(refused);
        }
        let answer = self.router.clone().oneshot(request);
        let connection = Arc::clone(&self.connection);
        Box::pin(async move {
            let mut answer = answer.await?;
            if connection.body_unread.load(Ordering::Relaxed) {
                // A proxy must not send another client's request by it.
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(CONNECTION, close);
            }
            Ok(answer.map(|body| {
                Body::new(AnswerBody {
                    body,
                    _answered: answered,
                })
            }))
        })
    }
}

/// A body, until the end of which its connection is being answered.
struct AnswerBody {
    body: Body,
    _answered: Enters,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Whether a connection that never ends by itself is ended within this time.
    async fn ends_within(connection: &Connection, limits: &Limits, time: Duration) -> bool {
        let run = connection.run(limits, std::future::pending::<()>());
        tokio::time::timeout(time, run).await.is_ok()
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_head_has_its_time_and_a_rest_between_requests_its_own() {
        let limits = Limits::default();
        let connection = Connection::new([127, 0, 0, 1].into());
        assert!(ends_within(&connection, &limits, limits.head_timeout + SECOND).await);
        connection.enter(Phase::Answer);
        assert!(!ends_within(&connection, &limits, 10 * limits.idle_timeout).await);
        connection.enter(Phase::Request);
        assert!(!ends_within(&connection, &limits, limits.idle_timeout - SECOND).await);
        assert!(ends_within(&connection, &limits, 2 * SECOND).await);
        // From the first byte on it is a head.
        connection.enter(Phase::Request);
        connection.heard();
        assert!(!ends_within(&connection, &limits, limits.head_timeout - SECOND).await);
        assert!(ends_within(&connection, &limits, 2 * SECOND).await);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn an_answer_must_be_taken_at_a_rate() {
        let limits = Limits::default();
        let stall = limits.write_stall_timeout;
        let connection = Connection::new([127, 0, 0, 1].into());
        connection.enter(Phase::Answer);
        assert!(connection.silent_since().is_none());
        // Who takes at the rate is not cut off, however long an answer is.
        let take = |bytes: u64| {
            connection.wrote(&Poll::Ready(Ok(bytes as usize)), &limits);
            connection.wrote(&Poll::Pending, &limits);
        };
        connection.wrote(&Poll::Pending, &limits);
        assert!(connection.silent_since().is_some());
        for _ in 0..10 {
            assert!(!ends_within(&connection, &limits, stall - SECOND).await);
            take(limits.answer_rate * (stall.as_secs() - 1));
        }
        // Who takes a byte now and then is, whatever was taken before.
        take(1 << 30);
        let mut ended = false;
        for _ in 0..70 {
            take(1);
            ended |= ends_within(&connection, &limits, SECOND).await;
        }
        assert!(ended);
        // All of it is taken: the server waits for nothing.
        connection.flushed(&Poll::Ready(Ok(())), &limits);
        assert!(!ends_within(&connection, &limits, 10 * stall).await);
    }
}
