//! A witness over HTTP (c2sp.org/tlog-witness): its routes, within the limits of all servers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::server::{ServeError, ServeOptions, serve_routes};
use super::{Limits, TrustedProxies};
use crate::cosign::{LogRefusal, REQUEST_BYTES_MAX, Witness, WitnessRefusal, now_s};

/// Requests that are verified at a time: each takes a thread while it waits for the disk.
pub(super) const REQUESTS_AT_ONCE: usize = 32;
/// Memory for all bodies in flight.
const MEMORY_BYTES: usize = 16 << 20;

/// What handlers share.
struct Serving {
    witness: Arc<Witness>,
    turns: Semaphore,
}

/// Serves a witness until `stop` resolves; then accepts no more, and answers what is under way.
///
/// # Errors
/// [`ServeError`].
pub async fn serve_witness(
    listener: TcpListener,
    witness: Arc<Witness>,
    proxies: TrustedProxies,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    serve_routes(listener, routes(witness), cosigner_options(proxies), stop).await
}

/// What strangers may send to a cosigner.
pub(super) fn cosigner_options(proxies: TrustedProxies) -> ServeOptions {
    ServeOptions {
        limits: Limits {
            body_bytes: REQUEST_BYTES_MAX,
            memory_bytes: MEMORY_BYTES,
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            ..Limits::default()
        },
        proxies,
        ..ServeOptions::default()
    }
}

fn routes(witness: Arc<Witness>) -> Router {
    let serving = Arc::new(Serving {
        witness,
        turns: Semaphore::new(REQUESTS_AT_ONCE),
    });
    Router::new()
        .route("/", get(about))
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin_hash}/checkpoint", get(seen))
        .with_state(serving)
}

/// Who this is, and what it saw.
async fn about(State(serving): State<Arc<Serving>>) -> String {
    let mut text = format!("{}\n", serving.witness.vkey());
    for (origin, size) in serving.witness.logs() {
        text.push_str(&format!("{origin} {}\n", size.unwrap_or(0)));
    }
    text
}

/// The newest cosigned checkpoint of a log, by the SHA-256 of the log's origin.
async fn seen(State(serving): State<Arc<Serving>>, Path(origin_hash): Path<String>) -> Response {
    let witness = Arc::clone(&serving.witness);
    let read = tokio::task::spawn_blocking(move || witness.seen(&origin_hash)).await;
    match read {
        Ok(Ok(Some(note))) => {
            let text = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
            ([text, (header::CACHE_CONTROL, "no-cache")], note).into_response()
        }
        Ok(Ok(None)) => refused(StatusCode::NOT_FOUND, &"nothing of such a log was cosigned"),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

async fn add_checkpoint(State(serving): State<Arc<Serving>>, body: Body) -> Response {
    let Ok(body) = to_bytes(body, REQUEST_BYTES_MAX).await else {
        let most = format!("a body has at most {REQUEST_BYTES_MAX} bytes");
        return refused(StatusCode::PAYLOAD_TOO_LARGE, &most);
    };
    let Ok(_turn) = serving.turns.acquire().await else {
        return failed(&"the witness stops");
    };
    let witness = Arc::clone(&serving.witness);
    let cosigned =
        tokio::task::spawn_blocking(move || witness.add_checkpoint(&body, now_s())).await;
    match cosigned {
        Ok(Ok(line)) => line.into_response(),
        Ok(Err(refusal)) => answer(&refusal),
        Err(error) => failed(&error),
    }
}

/// The answer that the standard has for each refusal.
fn answer(refusal: &WitnessRefusal) -> Response {
    match refusal {
        WitnessRefusal::Request(_) => refused(StatusCode::BAD_REQUEST, refusal),
        WitnessRefusal::UnknownLog(_) => refused(StatusCode::NOT_FOUND, refusal),
        WitnessRefusal::Log(refusal) => answer_of_log(refusal),
        _ => failed(refusal),
    }
}

/// The answer that the standard has for a checkpoint that is refused.
pub(super) fn answer_of_log(refusal: &LogRefusal) -> Response {
    let status = match refusal {
        LogRefusal::OldSizeAbove { .. } => StatusCode::BAD_REQUEST,
        LogRefusal::Unsigned | LogRefusal::FalseSignature => StatusCode::FORBIDDEN,
        LogRefusal::OtherSize { latest } => {
            let size = [(header::CONTENT_TYPE, "text/x.tlog.size")];
            return (StatusCode::CONFLICT, size, format!("{latest}\n")).into_response();
        }
        LogRefusal::OtherRoot { .. } => {
            tracing::error!(%refusal, "evidence is kept");
            StatusCode::UNPROCESSABLE_ENTITY
        }
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    refused(status, refusal)
}

pub(super) fn refused(status: StatusCode, why: &dyn std::fmt::Display) -> Response {
    (status, format!("{why}\n")).into_response()
}

/// A fault of the cosigner: said in its log, and not to strangers.
pub(super) fn failed(why: &dyn std::fmt::Display) -> Response {
    tracing::error!(%why, "a request failed");
    refused(StatusCode::INTERNAL_SERVER_ERROR, &"the cosigner failed")
}
