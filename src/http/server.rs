//! Serving connections: a limited number at a time, none of a slow client, and a clean stop.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn;
use axum::{Extension, Router};
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::acceptor::{Accepted, Acceptor};
use super::connection::{Connection, Noted};
use super::connections::Connections;
use super::guarded_stream::Guarded;
use super::metrics::ServerMetrics;
use super::request_log;
use super::send_buffers::SendBuffers;
use super::shared_stream::{SharedStream, Socket};
use super::{Cosigned, Limits, Operated, Routes, Tls, TrustedProxies, router};
use crate::answer::{Closing, PageRoutes, Peer};
use crate::asking::{Asking, AskingConfig, AskingError};
use crate::log::{Log, Status};

/// The time that requests under way at a stop have to be answered.
const DRAIN: Duration = Duration::from_secs(30);
/// Bytes that are read from a connection at a time, and that it keeps until they are used.
const READ_BUFFER_BYTES: usize = 16 << 10;

/// Why serving ended badly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Requests did not end in time.
    #[error("requests were still under way {} s after the stop; what they appended is in", DRAIN.as_secs())]
    Undrained,
    /// A task or thread that the log can't do without ended by itself.
    #[error(
        "{0} broke off, which is a fault of the software; what was acknowledged is in. Start the server again, and report this"
    )]
    BrokeOff(&'static str),
    /// Connections can't be accepted.
    #[error("connections can't be accepted: {0}")]
    Listener(#[source] std::io::Error),
    /// Witnesses and auditors can't be asked.
    #[error(transparent)]
    Asking(#[from] AskingError),
    /// The log had halted when it was stopped.
    #[error("the log admitted no more records: {0}")]
    Halted(String),
}

/// What an operator says of a server.
#[derive(Clone, Default)]
pub struct ServeOptions {
    /// What clients may ask.
    pub limits: Limits,
    /// The proxies that are believed.
    pub proxies: TrustedProxies,
    /// Certificate and key; without them HTTP is plain.
    pub tls: Option<Arc<Tls>>,
    /// The number of log lines that the process has lost so far, for the metrics; without it they say 0.
    pub log_lines_lost: Option<fn() -> u64>,
    /// How witnesses and auditors are asked; without it nobody is, and the newest checkpoint is served.
    pub asking: Option<AskingConfig>,
    /// Where metrics, readiness and health are, over plain HTTP; without it they are where the log is.
    pub admin: Option<Arc<std::net::TcpListener>>,
}

/// Connections to the address of metrics and readiness, at most.
pub const ADMIN_CONNECTIONS: usize = 32;

/// Serves a log and its pages, with TLS if there is any, until `stop` resolves or the log breaks
/// off; then accepts no more, answers what is under way, and closes the log.
///
/// # Errors
/// [`ServeError`] when not all was well: a request did not end, or the log had halted or broken off.
pub async fn serve(
    listener: TcpListener,
    log: Arc<Log>,
    options: ServeOptions,
    pages: impl FnOnce(Closing) -> PageRoutes,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (open, closing) = Closing::new();
    let connections = Connections::new(&options.limits, options.proxies.clone());
    let metrics = ServerMetrics::new(
        &log,
        options.log_lines_lost,
        options.tls.clone(),
        Some(Arc::clone(&connections)),
    );
    let pages = pages(closing.clone());
    let (asking, cosigned) = match options.asking.clone() {
        Some(config) => {
            let (board, kept_in) = (Arc::clone(&config.board), Some(config.dir.clone()));
            let asking = Asking::start(Arc::clone(&log), config).await?;
            let cosigned = Cosigned {
                board,
                kept_in,
                states: Arc::clone(asking.states()),
            };
            (Some(asking), cosigned)
        }
        None => (None, Cosigned::default()),
    };
    let operated = match &options.admin {
        Some(_) => Operated::Apart,
        None => Operated::WithTheLog,
    };
    let log_kept = Arc::clone(&log);
    let Routes { public, admin } =
        router(log_kept, options.limits, metrics, cosigned, pages, operated);
    let public = public.layer(Extension(closing.clone()));
    // It is answered there until all others were answered.
    let (answered, until_answered) = tokio::sync::oneshot::channel::<()>();
    let mut admin = match options.admin.as_deref().zip(admin) {
        Some((listener, routes)) => Some(serve_admin(
            listener,
            routes.layer(Extension(closing.clone())),
            &options,
            closing.clone(),
            until_answered,
        )?),
        None => None,
    };
    let mut broke_off = None;
    let (broken_off, broken) = (log.broke_off(), &mut broke_off);
    let admin_ended = async {
        match &mut admin {
            Some(task) => drop(task.await),
            None => std::future::pending().await,
        }
    };
    let stop = async move {
        tokio::select! {
            () = stop => {}
            what = broken_off => *broken = Some(what),
            () = admin_ended => *broken = Some("the task of the address for metrics"),
        }
        drop(open);
    };
    let drained = serve_connections(listener, public, options, connections, closing, stop).await;
    drop(answered);
    if let Some(task) = admin.filter(|task| !task.is_finished()) {
        // What it was asked last is its own matter.
        let _ = task.await;
    }
    if let Some(asking) = asking {
        asking.stop().await;
    }
    let status = log.status();
    match Arc::try_unwrap(log) {
        Ok(log) => log.close().await,
        // A request that would not end still holds it: nothing new is admitted.
        Err(log) => log.stop_admitting(),
    }
    if let Some(what) = broke_off {
        return Err(ServeError::BrokeOff(what));
    }
    drained?;
    match status {
        Status::Ready { .. } | Status::Following { .. } => Ok(()),
        Status::Halted { why, .. } => Err(ServeError::Halted(why)),
    }
}

/// Serves metrics, readiness and health at their own address, until the sender of `stop` is gone.
fn serve_admin(
    listener: &std::net::TcpListener,
    routes: Router,
    options: &ServeOptions,
    closing: Closing,
    stop: tokio::sync::oneshot::Receiver<()>,
) -> Result<JoinHandle<Result<(), ServeError>>, ServeError> {
    let listener = listener.try_clone().and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    let listener = listener.map_err(ServeError::Listener)?;
    let options = ServeOptions {
        limits: Limits {
            connections: ADMIN_CONNECTIONS,
            ..options.limits
        },
        ..ServeOptions::default()
    };
    let stop = async {
        // No word comes: its sender is dropped.
        let _ = stop.await;
    };
    let connections = Connections::new(&options.limits, TrustedProxies::default());
    Ok(tokio::spawn(serve_connections(
        listener,
        routes,
        options,
        connections,
        closing,
        stop,
    )))
}

/// Serves routes that are no log's, within the same limits and with TLS if there is any, until `stop`
/// resolves; then accepts no more, and answers what is under way.
///
/// # Errors
/// [`ServeError`].
pub(super) async fn serve_routes(
    listener: TcpListener,
    routes: Router,
    options: ServeOptions,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (open, closing) = Closing::new();
    let stop = async move {
        stop.await;
        drop(open);
    };
    let connections = Connections::new(&options.limits, options.proxies.clone());
    serve_connections(listener, routes, options, connections, closing, stop).await
}

fn prepare(stream: &std::net::TcpStream, limits: Limits) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    // Nothing else ends a connection whose client reads no answer: no request is waited for.
    // The system counts in u32, which ends after 49 days.
    let stall_ms = u32::try_from(limits.write_stall_timeout.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, stall_ms)?;
    Ok(())
}

/// A stream as hyper has it.
fn guarded<S>(
    stream: S,
    connection: &Arc<Connection>,
    limits: Limits,
) -> TokioIo<Guarded<Noted<S>>> {
    let noted = Noted::new(stream, connection, limits);
    TokioIo::new(Guarded::new(noted, connection, limits.body_bytes))
}

async fn serve_connections(
    listener: TcpListener,
    router: Router,
    options: ServeOptions,
    connections: Arc<Connections>,
    closing: Closing,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let ServeOptions { limits, tls, .. } = options;
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        // It counts from the end of the request before. How long a head itself may take is
        // `Connection`'s to say.
        .header_read_timeout(limits.idle_timeout + limits.head_timeout)
        // Half-closed clients still get their answers.
        .half_close(true)
        .max_buf_size(READ_BUFFER_BYTES);
    let router = router.layer(from_fn(request_log::tell));
    let graceful = GracefulShutdown::new();
    let listener = listener.into_std().map_err(ServeError::Listener)?;
    let mut acceptor =
        Acceptor::start(listener, Arc::clone(&connections)).map_err(ServeError::Listener)?;
    let mut stop = std::pin::pin!(stop);
    let mut broke_off = false;
    let send_buffers = SendBuffers::new();
    loop {
        let accepted = tokio::select! {
            accepted = acceptor.next() => accepted,
            () = &mut stop => break,
        };
        let Some(Accepted { stream, place }) = accepted else {
            broke_off = true;
            break;
        };
        let prepared = prepare(&stream, limits)
            .and_then(|()| send_buffers.give(&stream, place.connection.net()))
            .and_then(|buffer| Ok((TcpStream::from_std(stream)?, buffer)));
        let (stream, buffer) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                // Its client may have gone already. Without the time-out it could hold its place for
                // ever.
                tracing::debug!(%error, "a connection ended before it was served");
                continue;
            }
        };
        let connection = Arc::clone(&place.connection);
        let socket = Socket::new(stream, buffer, place);
        let peer = Peer::new(Arc::clone(&socket));
        let service = connections.service(&connection, peer, router.clone());
        let stream = SharedStream(socket);
        let (builder, watcher) = (builder.clone(), graceful.watcher());
        let acceptor = tls.as_ref().map(|tls| tls.acceptor());
        let mut closing = closing.clone();
        tokio::spawn(async move {
            let connection = &connection;
            // An error on a connection is its client's: it is gone, or speaks no HTTP.
            match acceptor {
                None => {
                    let io = guarded(stream, connection, limits);
                    let served = watcher.watch(builder.serve_connection(io, service));
                    connection.run(&limits, served).await;
                }
                // A handshake has the time of a request's head. Its client has asked nothing yet
                // that a stop would wait for.
                Some(acceptor) => {
                    let mut secured = None;
                    let handshake = async { secured = acceptor.accept(stream).await.ok() };
                    tokio::select! {
                        () = connection.run(&limits, handshake) => {}
                        () = closing.closed() => return,
                    }
                    if let Some(stream) = secured {
                        let io = guarded(stream, connection, limits);
                        let served = watcher.watch(builder.serve_connection(io, service));
                        connection.run(&limits, served).await;
                    }
                }
            }
        });
    }
    acceptor.stop().await;
    drop(router);
    if broke_off {
        return Err(ServeError::BrokeOff("the thread that accepts connections"));
    }
    match tokio::time::timeout(DRAIN, graceful.shutdown()).await {
        Ok(()) => Ok(()),
        Err(_) => Err(ServeError::Undrained),
    }
}
