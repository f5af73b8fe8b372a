//! The log over HTTP: the static log of c2sp.org/tlog-tiles, the append API, and the read API
//! (`docs/http.md`). Every error is an RFC 9457 problem document, made in `answer` alone.

mod acceptor;
mod append;
mod append_batch;
mod auditor;
mod body;
mod body_bytes;
mod bounded_reads;
mod certificate_end;
mod connection;
mod connections;
mod cosigned;
mod disk_space;
mod entry_lists;
mod evidence;
mod following;
mod forwarded;
mod framing;
mod guarded_stream;
mod head;
mod issuers;
mod level;
mod limits;
mod log_metrics;
mod lookup;
mod metrics;
mod openapi;
mod process_metrics;
mod proofs;
mod request_log;
mod reversals;
mod sealed_batches;
mod send_buffers;
mod server;
mod shared_stream;
mod state_files;
mod state_proofs;
mod static_log;
mod tls;
mod view;
mod witness;

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tower_http::compression::{CompressionLayer, CompressionLevel};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use auditor::serve_auditor;
pub use forwarded::TrustedProxies;
pub use limits::Limits;
pub use server::{ADMIN_CONNECTIONS, ServeError, ServeOptions, serve};
pub use tls::{Tls, TlsError, certificate_ends_at};
pub use witness::serve_witness;

use crate::answer::{
    AnswerBudget, PageRoutes, Problem, ProblemCode, ReadTurns, hold_answer, take_turn,
};
use crate::asking::CosignedStates;
use crate::cosign::CosignerBoard;
use crate::log::{AppendError, Log};
use crate::shares::Shares;
use body::BodyMemory;
use metrics::ServerMetrics;
use sealed_batches::SealedBatches;

/// What every handler sees.
struct App {
    log: Arc<Log>,
    limits: Limits,
    memory: BodyMemory,
    /// Large bodies that are being decoded: one thread for each.
    decoders: Shares,
    sealed_batches: SealedBatches,
    metrics: ServerMetrics,
    cosigned: Cosigned,
    /// Memory of answers in flight at the public address.
    answers: AnswerBudget,
}

/// What witnesses and auditors cosigned.
#[derive(Clone, Default)]
struct Cosigned {
    board: Arc<CosignerBoard>,
    /// Where it is kept; `None` if nobody is asked.
    kept_in: Option<PathBuf>,
    /// The states at cosigned checkpoints.
    states: Arc<CosignedStates>,
}

#[derive(OpenApi)]
#[openapi(info(
    title = "arborlog",
    description = "An append-only, verifiable carbon ledger. Errors are RFC 9457 problem documents with a stable `code`. docs/http.md tells more."
))]
struct ApiDoc;

/// All routes of a log, and its pages: what a fuzz target asks without a connection.
#[cfg(fuzzing)]
pub fn router_of(log: Arc<Log>, limits: Limits, pages: PageRoutes) -> Router {
    router(
        Arc::clone(&log),
        limits,
        ServerMetrics::new(&log, None, None, None),
        Cosigned::default(),
        pages,
        Operated::WithTheLog,
    )
    .public
}

/// Where metrics, readiness and health are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operated {
    /// Where the log is.
    WithTheLog,
    /// At an address of their own.
    Apart,
}

/// What is served at each address.
struct Routes {
    public: Router,
    /// Metrics, readiness and health, if they are apart.
    admin: Option<Router>,
}

/// All routes of a log, and its pages.
fn router(
    log: Arc<Log>,
    limits: Limits,
    metrics: ServerMetrics,
    cosigned: Cosigned,
    pages: PageRoutes,
    operated: Operated,
) -> Routes {
    // One, where the system does not say how many cores there are.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let app = Arc::new(App {
        log,
        limits,
        memory: BodyMemory::new(&limits),
        decoders: Shares::new(cores, cores.div_ceil(2)),
        sealed_batches: SealedBatches::new(),
        metrics,
        cosigned,
        answers: AnswerBudget::new(),
    });
    // Only bundles of these are compressed: hashes do not shrink, and proofs are short.
    let uncompressed = OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(static_log::checkpoint))
        .routes(routes!(cosigned::newest))
        .routes(routes!(static_log::tile))
        .routes(routes!(proofs::inclusion))
        .routes(routes!(proofs::consistency));
    // Receipts and files about the state take more work than other reads, and those of sealed entries by far the
    // most: they have turns of their own, so that nothing else waits behind them.
    let files = OpenApiRouter::default()
        .routes(routes!(state_proofs::state))
        .routes(routes!(state_proofs::certificate))
        .routes(routes!(state_proofs::account_history))
        .routes(routes!(state_proofs::plot_history));
    // These read up to some megabytes for one answer, as files about the state do.
    let receipts = OpenApiRouter::default()
        .routes(routes!(proofs::receipt))
        .routes(routes!(entry_lists::of_account))
        .routes(routes!(entry_lists::of_issuer))
        .routes(routes!(evidence::evidence));
    // These wait for no turn: appends are shared out by their signatures, and a probe is no work.
    let unturned = OpenApiRouter::default()
        .routes(routes!(append::records))
        .routes(routes!(append_batch::batches));
    let probes = OpenApiRouter::default()
        .routes(routes!(healthz))
        .routes(routes!(readyz));
    let measured = OpenApiRouter::default().routes(routes!(metrics::metrics));
    let compressed = OpenApiRouter::default()
        .routes(routes!(lookup::issuer))
        .routes(routes!(lookup::account))
        .routes(routes!(lookup::tree))
        .routes(routes!(lookup::certificate))
        .routes(routes!(lookup::plot))
        .routes(routes!(lookup::methods))
        .routes(routes!(lookup::governors))
        .routes(routes!(reversals::reversals))
        .routes(routes!(issuers::issuers))
        .routes(routes!(lookup::totals))
        .routes(routes!(cosigned::cosigners))
        .routes(routes!(cosigned::policy))
        .routes(routes!(cosigned::hours))
        .routes(routes!(cosigned::hour))
        .routes(routes!(proofs::entry));
    let (compressed, api) = compressed.split_for_parts();
    let (unturned, unturned_api) = unturned.split_for_parts();
    let (files, files_api) = files.split_for_parts();
    let (receipts, receipts_api) = receipts.split_for_parts();
    let (probes, probes_api) = probes.split_for_parts();
    let (measured, measured_api) = measured.split_for_parts();
    let (uncompressed, mut whole) = uncompressed.split_for_parts();
    for part in [api, unturned_api, files_api, receipts_api] {
        whole.merge(part);
    }
    if operated == Operated::WithTheLog {
        whole.merge(probes_api);
        whole.merge(measured_api);
    }
    let operating = probes
        .layer(from_fn(hold_answer))
        .merge(
            measured
                .layer(from_fn(hold_answer))
                .layer(from_fn(take_turn))
                .layer(CompressionLayer::new()),
        )
        .with_state(Arc::clone(&app));
    let file_turns = Extension(ReadTurns::of_files());
    let document = openapi::document(&whole)
        .and_then(|document| serde_json::to_string_pretty(&document))
        .map(|text| ([(CONTENT_TYPE, "application/json")], text))
        .map_err(|error| Problem::contradiction(&format!("the API's description: {error}")));
    let public = compressed
        .route("/openapi.json", get(move || async move { document }))
        .layer(from_fn(hold_answer))
        .layer(from_fn(take_turn))
        .layer(CompressionLayer::new())
        .merge(unturned.layer(from_fn(hold_answer)))
        .merge(
            receipts
                .layer(from_fn(hold_answer))
                .layer(from_fn(take_turn))
                .layer(file_turns.clone())
                .layer(CompressionLayer::new()),
        )
        .merge(
            files
                .layer(from_fn(hold_answer))
                .layer(from_fn(take_turn))
                .layer(file_turns),
        )
        .merge(
            uncompressed
                .layer(from_fn(hold_answer))
                .layer(from_fn(take_turn))
                // Turns of their own: what is signed is read on while look-ups wait for the state of
                // a log that halted.
                .layer(Extension(ReadTurns::new()))
                .layer(
                    CompressionLayer::new()
                        .quality(CompressionLevel::Fastest)
                        .compress_when(static_log::is_bundle),
                ),
        )
        // Not the probes and metrics: what the operator alone needs stays out of the reach of pages that somebody
        // inside their network opens.
        .layer(from_fn(readable_anywhere))
        .with_state(Arc::clone(&app))
        .merge(pages.0.layer(CompressionLayer::new()));
    match operated {
        Operated::WithTheLog => Routes {
            public: watched(
                public.merge(operating),
                Arc::clone(&app),
                app.answers.clone(),
            ),
            admin: None,
        },
        Operated::Apart => Routes {
            public: watched(public, Arc::clone(&app), app.answers.clone()),
            admin: Some(watched(
                operating
                    .fallback(|| async { Problem::not_found("there is nothing at this path") }),
                app,
                AnswerBudget::new(),
            )),
        },
    }
}

/// The routes of an address, with what all of them share there.
fn watched(routes: Router, app: Arc<App>, answers: AnswerBudget) -> Router {
    routes
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(Extension(answers))
        .layer(Extension(ReadTurns::new()))
        .layer(from_fn_with_state(Arc::clone(&app), following::tell))
        .layer(from_fn_with_state(app, metrics::watch))
}

/// Lets pages of other sites read what anybody may read: whoever checks a log need not use its own page. Nothing is read
/// by who asks, so that no other site learns anything through a reader's browser; and what is sent is signed.
async fn readable_anywhere(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = next.run(request).await;
    if reads {
        let any = HeaderValue::from_static("*");
        response
            .headers_mut()
            .insert(ACCESS_CONTROL_ALLOW_ORIGIN, any);
    }
    response
}

/// Whether the process runs.
#[utoipa::path(get, path = "/healthz", responses((status = 200, description = "It runs", body = String)))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether a record that is sent now would be judged.
#[utoipa::path(get, path = "/readyz", responses(
    (status = 200, description = "Records are admitted", body = String),
    (status = 503, description = "None are; the text says why", body = String),
))]
async fn readyz(axum::extract::State(app): axum::extract::State<Arc<App>>) -> Response {
    match app.log.readiness() {
        Ok(()) => "ready\n".into_response(),
        Err(AppendError::Unavailable { code, why }) => {
            let code = ProblemCode::from(code).name();
            (StatusCode::SERVICE_UNAVAILABLE, format!("{code}: {why}\n")).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
