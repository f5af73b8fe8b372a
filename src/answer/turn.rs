//! The work of reads, which clients share: few requests are worked on at a time, and the networks that
//! ask take turns.
//!
//! A thread that serves works on one request after the other. Without turns an append waited behind all
//! that one client asked for on a thousand connections, and each request that had begun held what its
//! answer is made from.

use axum::Extension;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::client::Client;
use super::closing::Closing;
use super::problem::Problem;
use super::problem_code::ProblemCode;
use super::reader_limits::{FILES_EACH, FILES_MAX, READS_EACH, READS_MAX};
use crate::shares::Shares;

/// The requests that are worked on at a time, put into each request as an extension.
#[derive(Clone)]
pub(crate) struct ReadTurns(Shares);

impl ReadTurns {
    pub(crate) fn new() -> Self {
        Self(Shares::new(READS_MAX, READS_EACH))
    }

    /// The turns of files that take much work each: a sealed batch is hashed whole for one of its entries.
    pub(crate) fn of_files() -> Self {
        Self(Shares::new(FILES_MAX, FILES_EACH))
    }
}

/// Has a request wait for its network's turn, and answers it. Its turn ends when the answer is made: what
/// a client then takes its time to read is counted by
/// [`hold_answer`](super::in_flight::hold_answer). Without turns, as in a fuzz target, nothing waits.
///
/// A request that still waits when the server stops is refused: a client that asks for a lot could otherwise
/// hold up the stop for as long as all its requests take, though it may have hung up.
pub(crate) async fn take_turn(
    turns: Option<Extension<ReadTurns>>,
    closing: Option<Extension<Closing>>,
    Client(net): Client,
    request: Request,
    next: Next,
) -> Response {
    let _turn = match turns {
        Some(Extension(ReadTurns(turns))) => tokio::select! {
            turn = turns.take(net, 1) => Some(turn),
            () = stopped(closing) => {
                let detail = "the server is stopping";
                return Problem::unavailable(ProblemCode::Stopping, detail).into_response();
            }
        },
        None => None,
    };
    next.run(request).await
}

/// Resolves when the server stops; of routes that were not told of a stop, never.
async fn stopped(closing: Option<Extension<Closing>>) {
    match closing {
        Some(Extension(mut closing)) => closing.closed().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;
    use crate::shares::ClientNet;

    const WORK: Duration = Duration::from_millis(10);

    fn request(net: u8) -> Request {
        let mut request = Request::new(Body::empty());
        let net = ClientNet::of([127, 0, 0, net].into());
        request.extensions_mut().insert(net);
        request
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn few_reads_are_worked_on_at_a_time_and_each_network_has_its_turn() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let worked = Arc::new((now, most));
        let counted = Arc::clone(&worked);
        let read = move || async move {
            let (now, most) = &*counted;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(WORK).await;
            now.fetch_sub(1, Ordering::SeqCst);
        };
        let router = Router::new()
            .route("/", get(read))
            .layer(from_fn(take_turn))
            .layer(Extension(ReadTurns::new()));
        for _ in 0..1_000 {
            tokio::spawn(router.clone().oneshot(request(1)));
        }
        // One network alone is worked for as much as one may be.
        tokio::time::sleep(WORK / 2).await;
        assert_eq!(worked.1.load(Ordering::SeqCst), READS_EACH);
        // Another one does not wait for all of that.
        let begun = tokio::time::Instant::now();
        router.clone().oneshot(request(2)).await.unwrap();
        assert!(begun.elapsed() <= 2 * WORK, "{:?}", begun.elapsed());
        for net in 3..=250 {
            tokio::spawn(router.clone().oneshot(request(net)));
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(worked.1.load(Ordering::SeqCst), READS_MAX);
        assert_eq!(worked.0.load(Ordering::SeqCst), 0);
    }
    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn what_waits_when_the_server_stops_is_refused_and_what_is_worked_on_is_answered() {
        let (open, closing) = Closing::new();
        let router = Router::new()
            .route("/", get(|| tokio::time::sleep(Duration::from_secs(1))))
            .layer(from_fn(take_turn))
            .layer(Extension(ReadTurns::new()))
            .layer(Extension(closing));
        let asked: Vec<_> = (0..1_000)
            .map(|_| tokio::spawn(router.clone().oneshot(request(1))))
            .collect();
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(open);
        let begun = tokio::time::Instant::now();
        let mut answered = 0;
        for answer in asked {
            let status = answer.await.unwrap().unwrap().status();
            answered += usize::from(status == StatusCode::OK);
            assert!(status == StatusCode::OK || status == StatusCode::SERVICE_UNAVAILABLE);
        }
        assert_eq!(answered, READS_EACH);
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
    }
}
