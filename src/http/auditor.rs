//! An auditor over HTTP: it takes checkpoints as pending, as a mirror does (c2sp.org/tlog-mirror,
//! "add-checkpoint"), and shows what it cosigned, within the limits of all servers.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::TrustedProxies;
use super::openapi::OPENMETRICS;
use super::server::{ServeError, serve_routes};
use super::witness::{REQUESTS_AT_ONCE, answer_of_log, cosigner_options, failed, refused};
use crate::cosign::{
    AuditorRefusal, CosigningAuditor, FollowedLog, LogStatus, OtherStatus, REQUEST_BYTES_MAX,
};

const TEXT: (header::HeaderName, &str) = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
const FRESH: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-cache");

/// What handlers share.
struct Serving {
    auditor: Arc<CosigningAuditor>,
    turns: Semaphore,
}

/// Serves an auditor until `stop` resolves; then accepts no more, and answers what is under way. Who replays its
/// logs is the caller.
///
/// # Errors
/// [`ServeError`].
pub async fn serve_auditor(
    listener: TcpListener,
    auditor: Arc<CosigningAuditor>,
    proxies: TrustedProxies,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    serve_routes(listener, routes(auditor), cosigner_options(proxies), stop).await
}

fn routes(auditor: Arc<CosigningAuditor>) -> Router {
    let serving = Arc::new(Serving {
        auditor,
        turns: Semaphore::new(REQUESTS_AT_ONCE),
    });
    Router::new()
        .route("/", get(about))
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/metrics", get(metrics))
        .route("/{origin_hash}/checkpoint", get(checkpoint))
        .route("/{origin_hash}/audit", get(note))
        .route("/{origin_hash}/beginning", get(beginning))
        .route("/{origin_hash}/status", get(status))
        .with_state(serving)
}

/// Who this is, what the cosignatures say, and where the auditor stands.
async fn about(State(serving): State<Arc<Serving>>) -> String {
    let auditor = &serving.auditor;
    let mut text = format!(
        "{}\nnotes {}\nstatement {}\n",
        auditor.vkey(),
        auditor.notes_vkey(),
        auditor.statement()
    );
    for LogStatus {
        origin,
        pending,
        cosigned,
        fault,
        ..
    } in auditor.logs().map(FollowedLog::status)
    {
        let found = if fault.is_some() { " found wrong" } else { "" };
        text.push_str(&format!("{origin} {cosigned} of {pending}{found}\n"));
    }
    text
}

async fn checkpoint(
    State(serving): State<Arc<Serving>>,
    Path(origin_hash): Path<String>,
) -> Response {
    shown(&serving, &origin_hash, FollowedLog::cosigned)
}

async fn note(State(serving): State<Arc<Serving>>, Path(origin_hash): Path<String>) -> Response {
    shown(&serving, &origin_hash, FollowedLog::note)
}

/// The checkpoint that vouches for the state with which the replay began: a file, of which there is one at most.
async fn beginning(
    State(serving): State<Arc<Serving>>,
    Path(origin_hash): Path<String>,
) -> Response {
    let read =
        tokio::task::spawn_blocking(move || shown(&serving, &origin_hash, FollowedLog::beginning));
    read.await.unwrap_or_else(|error| failed(&error))
}

/// A note of a log, which is in memory as it is on the disk.
fn shown(
    serving: &Serving,
    origin_hash: &str,
    note: impl Fn(&FollowedLog) -> Option<String>,
) -> Response {
    match serving.auditor.log_of_hash(origin_hash).and_then(note) {
        Some(note) => ([TEXT, FRESH], note).into_response(),
        None => refused(
            StatusCode::NOT_FOUND,
            &"of such a log there is nothing here so far",
        ),
    }
}

async fn status(State(serving): State<Arc<Serving>>, Path(origin_hash): Path<String>) -> Response {
    match serving.auditor.log_of_hash(&origin_hash) {
        Some(log) => ([FRESH], Json(log.status())).into_response(),
        None => refused(StatusCode::NOT_FOUND, &"such a log is not audited here"),
    }
}

async fn add_checkpoint(State(serving): State<Arc<Serving>>, body: Body) -> Response {
    let Ok(body) = to_bytes(body, REQUEST_BYTES_MAX).await else {
        let most = format!("a body has at most {REQUEST_BYTES_MAX} bytes");
        return refused(StatusCode::PAYLOAD_TOO_LARGE, &most);
    };
    let Ok(_turn) = serving.turns.acquire().await else {
        return failed(&"the auditor stops");
    };
    let auditor = Arc::clone(&serving.auditor);
    let added = tokio::task::spawn_blocking(move || auditor.add_checkpoint(&body)).await;
    match added {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        Ok(Err(refusal)) => match &refusal {
            AuditorRefusal::Request(_) | AuditorRefusal::Checkpoint(_) => {
                refused(StatusCode::BAD_REQUEST, &refusal)
            }
            AuditorRefusal::UnknownLog(_) => refused(StatusCode::NOT_FOUND, &refusal),
            AuditorRefusal::Faulty => refused(StatusCode::FORBIDDEN, &refusal),
            AuditorRefusal::Log(refusal) => answer_of_log(refusal),
            _ => failed(&refusal),
        },
        Err(error) => failed(&error),
    }
}

/// A gauge's name, what it tells, and its value.
type Described<T> = (&'static str, &'static str, fn(&T) -> u64);

/// OpenMetrics text.
async fn metrics(State(serving): State<Arc<Serving>>) -> Response {
    let mut registry = Registry::with_prefix("arborlog_auditor");
    let statuses: Vec<LogStatus> = serving.auditor.logs().map(FollowedLog::status).collect();
    let gauges: [Described<LogStatus>; 9] = [
        (
            "pending_entries",
            "Entries of the newest checkpoint shown",
            |it| it.pending,
        ),
        (
            "cosigned_entries",
            "Entries of the newest checkpoint cosigned",
            |it| it.cosigned,
        ),
        (
            "cosigned_time_seconds",
            "When that was cosigned last, since 1970",
            |it| it.cosigned_at_s,
        ),
        (
            "lag_entries",
            "Entries that were shown and are not cosigned",
            |it| it.lag_entries,
        ),
        ("replayed_entries", "Entries that are replayed", |it| {
            it.replayed
        }),
        (
            "note_entries",
            "Entries that the newest audit note is of",
            |it| it.note,
        ),
        ("log_wrong", "1 when the log is wrong", |it| {
            u64::from(it.fault.is_some())
        }),
        ("trouble", "1 while the log can't be replayed", |it| {
            u64::from(it.trouble.is_some())
        }),
        (
            "withheld",
            "Findings for which the cosignature is withheld",
            |it| it.withheld.len() as u64,
        ),
    ];
    for (name, help, value) in gauges {
        let family = Family::<Vec<(String, String)>, Gauge<u64, AtomicU64>>::default();
        for status in &statuses {
            let label = vec![("log".to_owned(), status.origin.clone())];
            family.get_or_create(&label).set(value(status));
        }
        registry.register(name, help, family);
    }
    let others: [Described<OtherStatus>; 3] = [
        (
            "other_reached",
            "1 while another auditor shows its notes",
            |it| u64::from(it.is_reached),
        ),
        (
            "other_compared_entries",
            "Entries of its newest note that was compared",
            |it| it.compared,
        ),
        (
            "other_differs",
            "1 when its newest note says something else than this replay",
            |it| u64::from(it.outcome == "differs"),
        ),
    ];
    for (name, help, value) in others {
        let family = Family::<Vec<(String, String)>, Gauge<u64, AtomicU64>>::default();
        for status in &statuses {
            for other in &status.others {
                let labels = [("log", &status.origin), ("auditor", &other.name)];
                let labels = labels.map(|(label, value)| (label.to_owned(), value.clone()));
                family.get_or_create(&labels.to_vec()).set(value(other));
            }
        }
        registry.register(name, help, family);
    }
    let since = Family::<Vec<(String, String)>, Gauge<u64, AtomicU64>>::default();
    for status in &statuses {
        let label = vec![("log".to_owned(), status.origin.clone())];
        since
            .get_or_create(&label)
            .set(serving.auditor.statement().since());
    }
    let help = "Entries that this auditor did not replay: its statement is since this number";
    registry.register("since_entries", help, since);
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => failed(&error),
    }
}
