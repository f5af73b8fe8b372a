//! The connections that are open: how long each may be silent, and who gives way when they are too many.
//!
//! A client's network has a part of the connections at most. When that is full, or all are taken, the
//! connection gives way that has been silent for long while the server waits for it: so nobody keeps
//! others out by holding connections, themselves included.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};
use tower::ServiceExt as _;

use super::Limits;
use super::forwarded::TrustedProxies;
use crate::shares::ClientNet;

/// How long a connection is read from after its end was sent, where its client still sends a body that
/// nobody wants. Closed at once, the system would cut the answer off too.
const LINGER: Duration = Duration::from_secs(2);
/// Bytes that are read so, at most.
const LINGER_BYTES_MAX: usize = 16 << 20;

/// Connections among which one that gives way is looked for: the oldest ones, others next time.
const CANDIDATES: usize = 32;

/// A connection that is open.
pub(super) struct Connection {
    peer: IpAddr,
    activity: Mutex<Activity>,
    /// Notified when the connection is to give way.
    gives_way: Notify,
    /// A body was not read to its end.
    body_unread: AtomicBool,
}

/// What happens on a connection.
struct Activity {
    phase: Phase,
    /// When the phase began.
    since: Instant,
    /// When the client sent something last, or was accepted.
    heard: Instant,
}

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
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
    fn new(peer: IpAddr) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            peer,
            activity: Mutex::new(Activity {
                phase: Phase::Head,
                since: now,
                heard: now,
            }),
            gives_way: Notify::new(),
            body_unread: AtomicBool::new(false),
        })
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        let mut activity = self.activity();
        activity.phase = phase;
        activity.since = Instant::now();
    }

    fn heard(&self) {
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

    /// When the connection is closed if nothing comes.
    fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let activity = self.activity();
        match activity.phase {
            Phase::Head => Some(activity.since + limits.head_timeout),
            Phase::Request => Some(activity.since + limits.idle_timeout),
            Phase::Body | Phase::Answer => None,
        }
    }

    /// Since when the client has been silent while the server waits for it.
    fn silent_since(&self) -> Option<Instant> {
        let activity = self.activity();
        (activity.phase != Phase::Answer).then_some(activity.heard)
    }

    /// Serves until the connection ends by itself, has been silent for too long, or gives way.
    pub(super) async fn run(&self, limits: &Limits, served: impl Future) {
        let mut served = pin!(served);
        let mut gives_way = pin!(self.gives_way.notified());
        let mut sleep = pin!(tokio::time::sleep_until(Instant::now()));
        poll_fn(|context| {
            // The phase changes while this is polled and at no other time.
            if served.as_mut().poll(context).is_ready()
                || gives_way.as_mut().poll(context).is_ready()
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

/// All connections that are open.
pub(super) struct Connections {
    /// Connections in all.
    all: usize,
    /// Connections of one network, at most.
    each: usize,
    proxies: TrustedProxies,
    open: Mutex<OpenConnections>,
    /// Notified when one has ended.
    ended: Notify,
}

#[derive(Default)]
struct OpenConnections {
    /// Those of each network that has any, the oldest first, but for those that were looked at lately.
    of: HashMap<ClientNet, VecDeque<Arc<Connection>>>,
    count: usize,
}

/// A connection's place. Free again when this is dropped.
pub(super) struct Place {
    pub connection: Arc<Connection>,
    connections: Arc<Connections>,
}

impl Connections {
    pub(super) fn new(limits: &Limits, proxies: TrustedProxies) -> Arc<Self> {
        Arc::new(Self {
            all: limits.connections,
            each: (limits.connections / 2).max(1),
            proxies,
            open: Mutex::default(),
            ended: Notify::new(),
        })
    }

    fn open(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection that was accepted: one that is free, or that of a connection that gives
    /// way, or the next that ends. `None` if its network has as many as it may, and the server is at work
    /// for all of them.
    pub(super) async fn take_place(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let net = ClientNet::of(peer);
        loop {
            let ended = self.ended.notified();
            {
                let mut open = self.open();
                let has = open.of.get(&net).map_or(0, VecDeque::len);
                // All clients of a proxy come from it.
                if has >= self.each && !self.proxies.include(peer) && !open.one_gives_way(net) {
                    return None;
                }
                if open.count < self.all || open.one_of_the_most_gives_way() {
                    let connection = open.add(peer);
                    let connections = Arc::clone(self);
                    return Some(Place {
                        connection,
                        connections,
                    });
                }
            }
            ended.await;
        }
    }

    /// What a connection's requests are handed to.
    pub(super) fn service(&self, place: &Place, router: axum::Router) -> ConnectionService {
        ConnectionService {
            connection: Arc::clone(&place.connection),
            proxies: self.proxies.clone(),
            router,
        }
    }
}

impl OpenConnections {
    fn add(&mut self, peer: IpAddr) -> Arc<Connection> {
        let connection = Connection::new(peer);
        let list = self.of.entry(ClientNet::of(peer)).or_default();
        list.push_back(Arc::clone(&connection));
        self.count += 1;
        connection
    }

    fn one_of_the_most_gives_way(&mut self) -> bool {
        let most = self.of.iter().max_by_key(|(_, list)| list.len());
        most.map(|(net, _)| *net)
            .is_some_and(|net| self.one_gives_way(net))
    }

    /// Has the connection of a network end that has been silent for longest, of some of the oldest.
    /// `false` if the server is at work for each of them.
    fn one_gives_way(&mut self, net: ClientNet) -> bool {
        let Some(list) = self.of.get_mut(&net) else {
            return false;
        };
        let candidates = list.len().min(CANDIDATES);
        let silent = |(place, connection): (usize, &Arc<Connection>)| {
            connection.silent_since().map(|since| (since, place))
        };
        let longest = list.iter().take(candidates).enumerate();
        let longest = longest.filter_map(silent).min();
        let found = longest.and_then(|(_, place)| list.remove(place));
        // The others are looked at again when all have been.
        let looked_at = candidates - usize::from(found.is_some());
        list.rotate_left(looked_at);
        let Some(connection) = found else {
            return false;
        };
        if list.is_empty() {
            self.of.remove(&net);
        }
        self.count -= 1;
        connection.gives_way.notify_one();
        true
    }

    fn remove(&mut self, connection: &Arc<Connection>) {
        let net = ClientNet::of(connection.peer);
        let Some(list) = self.of.get_mut(&net) else {
            return;
        };
        // One that gave way is gone already.
        if let Some(place) = list.iter().position(|it| Arc::ptr_eq(it, connection)) {
            list.remove(place);
            self.count -= 1;
        }
        if list.is_empty() {
            self.of.remove(&net);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().remove(&self.connection);
        self.connections.ended.notify_one();
    }
}

/// A stream that notes when its client sends something.
pub(super) struct Noted<S> {
    stream: S,
    connection: Arc<Connection>,
    /// Until when what still comes is read, and how much of it was.
    lingers: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> Noted<S> {
    pub(super) fn new(stream: S, connection: &Arc<Connection>) -> Self {
        // Of a stream with TLS, the time of a head begins behind the handshake.
        connection.enter(Phase::Head);
        let connection = Arc::clone(connection);
        Self {
            stream,
            connection,
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
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
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
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Hands a connection's requests to the routes, with the network that each counts for.
#[derive(Clone)]
pub(super) struct ConnectionService {
    connection: Arc<Connection>,
    proxies: TrustedProxies,
    router: axum::Router,
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
        request
            .extensions_mut()
            .insert(Arc::clone(&self.connection));
        let answer = self.router.clone().oneshot(request);
        Box::pin(async move {
            let answer = answer.await?;
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

    fn limits(connections: usize) -> Limits {
        Limits {
            connections,
            ..Limits::default()
        }
    }

    fn address(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    /// Whether a connection that never ends by itself is ended within this time.
    async fn ends_within(place: &Place, limits: &Limits, time: Duration) -> bool {
        let run = place.connection.run(limits, std::future::pending::<()>());
        tokio::time::timeout(time, run).await.is_ok()
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn the_connection_that_is_silent_for_longest_gives_way() {
        let limits = limits(4);
        let connections = Connections::new(&limits, TrustedProxies::default());
        let first = connections.take_place(address(1)).await.unwrap();
        let second = connections.take_place(address(1)).await.unwrap();
        tokio::time::advance(SECOND).await;
        first.connection.heard();
        let third = connections.take_place(address(1)).await.unwrap();
        assert!(ends_within(&second, &limits, SECOND).await);
        assert!(!ends_within(&first, &limits, SECOND).await);
        assert!(!ends_within(&third, &limits, SECOND).await);
        // Those at work do not; who comes then is turned back, and others are not.
        first.connection.enter(Phase::Answer);
        third.connection.enter(Phase::Answer);
        assert!(connections.take_place(address(1)).await.is_none());
        let others: Vec<Place> = [
            connections.take_place(address(2)).await.unwrap(),
            connections.take_place(address(3)).await.unwrap(),
        ]
        .into();
        // All are taken and at work: the next waits for one that ends.
        others
            .iter()
            .for_each(|it| it.connection.enter(Phase::Answer));
        let waits = connections.take_place(address(4));
        let mut waits = pin!(waits);
        assert!(tokio::time::timeout(SECOND, &mut waits).await.is_err());
        drop(third);
        assert!(tokio::time::timeout(SECOND, waits).await.is_ok());
        drop((second, others));
        assert_eq!(connections.open().count, 1);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn clients_of_a_proxy_are_not_counted_by_its_address() {
        let limits = limits(4);
        let proxies = TrustedProxies::new([address(1)]);
        let connections = Connections::new(&limits, proxies);
        let mut places = Vec::new();
        for _ in 0..4 {
            let place = connections.take_place(address(1)).await.unwrap();
            place.connection.enter(Phase::Answer);
            places.push(place);
        }
        assert_eq!(connections.open().count, 4);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_head_has_its_time_and_a_rest_between_requests_its_own() {
        let limits = limits(4);
        let connections = Connections::new(&limits, TrustedProxies::default());
        let place = connections.take_place(address(1)).await.unwrap();
        assert!(ends_within(&place, &limits, limits.head_timeout + SECOND).await);
        place.connection.enter(Phase::Answer);
        assert!(!ends_within(&place, &limits, 10 * limits.idle_timeout).await);
        place.connection.enter(Phase::Request);
        assert!(!ends_within(&place, &limits, limits.idle_timeout - SECOND).await);
        assert!(ends_within(&place, &limits, 2 * SECOND).await);
        // From the first byte on it is a head.
        place.connection.enter(Phase::Request);
        place.connection.heard();
        assert!(!ends_within(&place, &limits, limits.head_timeout - SECOND).await);
        assert!(ends_within(&place, &limits, 2 * SECOND).await);
    }
}
