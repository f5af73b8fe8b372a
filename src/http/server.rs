//! Accepting connections: so many at a time, none that is slow to speak, and a clean stop.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::{Limits, Tls, router};
use crate::answer::Closing;
use crate::log::Log;

/// Requests under way at a stop get this long to be answered.
const DRAIN: Duration = Duration::from_secs(30);
/// After an accept that failed (out of descriptors, say), the next is tried this much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why serving ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Requests did not end in time.
    #[error("requests were still under way {} s after the stop; what they appended is in", DRAIN.as_secs())]
    Undrained,
}

/// Serves a log and its pages, with TLS if there is any, until `stop` resolves; then accepts no
/// more, answers what is under way, and closes the log.
///
/// # Errors
/// [`ServeError::Undrained`] when some request did not end.
pub async fn serve(
    listener: TcpListener,
    log: Arc<Log>,
    limits: Limits,
    tls: Option<Arc<Tls>>,
    pages: impl FnOnce(Closing) -> Router,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (open, closing) = Closing::new();
    let router = router(Arc::clone(&log), limits, pages(closing.clone()));
    let stop = async move {
        stop.await;
        drop(open);
    };
    let drained = accept(listener, router, limits, tls, closing, stop).await;
    match Arc::try_unwrap(log) {
        Ok(log) => log.close().await,
        // A request that would not end still holds it: nothing new is admitted.
        Err(log) => log.stop_admitting(),
    }
    drained
}

async fn accept(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    tls: Option<Arc<Tls>>,
    closing: Closing,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        // Who has said all that it will say still gets its answers.
        .half_close(true)
        .max_buf_size(64 << 10);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        let (Ok(place), Ok((stream, _))) = (place, accepted) else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        // Nothing else ends a connection whose client reads no answer: no request is waited for.
        let silence = limits.read_timeout.as_millis();
        let _ = sockopt::set_tcp_user_timeout(&stream, u32::try_from(silence).unwrap_or(u32::MAX));
        let service = TowerToHyperService::new(router.clone());
        let (builder, watcher) = (builder.clone(), graceful.watcher());
        let acceptor = tls.as_ref().map(|tls| tls.acceptor());
        let mut closing = closing.clone();
        tokio::spawn(async move {
            let _ = match acceptor {
                None => {
                    let connection = builder.serve_connection(TokioIo::new(stream), service);
                    watcher.watch(connection).await
                }
                // A handshake is a part of the head: whoever is slow with it is cut off, and it has
                // asked nothing yet that a stop would wait for.
                Some(acceptor) => {
                    let handshake = acceptor.accept(stream);
                    let shaken = tokio::select! {
                        shaken = tokio::time::timeout(limits.head_timeout, handshake) => shaken,
                        () = closing.closed() => return,
                    };
                    match shaken {
                        Ok(Ok(stream)) => {
                            let io = TokioIo::new(stream);
                            watcher.watch(builder.serve_connection(io, service)).await
                        }
                        _ => Ok(()),
                    }
                }
            };
            drop(place);
        });
    }
    drop(listener);
    drop(router);
    match tokio::time::timeout(DRAIN, graceful.shutdown()).await {
        Ok(()) => Ok(()),
        Err(_) => Err(ServeError::Undrained),
    }
}
