//! `arborlog witness`: serves a witness over HTTP (c2sp.org/tlog-witness).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::cli::serve::stop_signal;
use crate::cli::{Done, Failure};
use arborlog::cosign::{LogRefusal, REQUEST_BYTES_MAX, Witness, WitnessError, WitnessRefusal};
use arborlog::http::{Limits, ServeOptions, TrustedProxies, serve_routes};
use arborlog::note::KeyName;
use arborlog::outcome::Outcome;

/// Requests that are verified at a time: each takes a thread while it waits for the disk.
const REQUESTS_AT_ONCE: usize = 32;
/// Memory for all bodies in flight.
const MEMORY_BYTES: usize = 16 << 20;

/// Serve a witness: it cosigns checkpoints of the logs that it watches, each only if the log is proven to
/// extend what it cosigned before (c2sp.org/tlog-witness).
///
/// DIR has its key, the list of logs (DIR/logs, a verifier key a line) and what it saw of each. Make it
/// with --init. Back DIR up, and never put an older copy of DIR/seen back: a witness that forgot what it
/// saw may cosign a second history.
#[derive(Args)]
pub struct WitnessArgs {
    /// The witness's folder.
    #[arg(env = "ARBORLOG_WITNESS_DIR")]
    dir: PathBuf,
    /// Make the folder and a key of this name, such as witness.example.org/arborlog; print the verifier
    /// key, for policies, and end.
    #[arg(long, value_name = "NAME")]
    init: Option<KeyName>,
    /// Where to listen; port 0 takes a free one and prints it.
    #[arg(
        long,
        env = "ARBORLOG_WITNESS_LISTEN",
        default_value = "127.0.0.1:8090"
    )]
    listen: String,
    /// The address of a proxy that is believed when it says, in X-Forwarded-For, whom a request is from.
    /// Give it once for each proxy.
    #[arg(
        long,
        env = "ARBORLOG_WITNESS_TRUSTED_PROXY",
        value_name = "ADDR",
        value_delimiter = ','
    )]
    trusted_proxy: Vec<std::net::IpAddr>,
}

/// What handlers share.
struct Serving {
    witness: Arc<Witness>,
    turns: Semaphore,
}

pub fn run(args: &WitnessArgs) -> Done {
    if let Some(name) = &args.init {
        let vkey = Witness::init(&args.dir, name).map_err(not_opened)?;
        outln!("{vkey}");
        return Ok(());
    }
    let witness = Arc::new(Witness::open(&args.dir).map_err(not_opened)?);
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let listener = TcpListener::bind(&args.listen).await.map_err(|error| {
            anyhow::anyhow!("{}: {error}; choose another with --listen", args.listen)
        })?;
        outln!("listening on http://{}", listener.local_addr()?);
        tracing::info!(vkey = %witness.vkey(), logs = witness.logs().count(), "watching");
        let options = ServeOptions {
            limits: Limits {
                body_bytes: REQUEST_BYTES_MAX,
                memory_bytes: MEMORY_BYTES,
                body_timeout: Duration::from_secs(10),
                request_timeout: Duration::from_secs(10),
                ..Limits::default()
            },
            proxies: TrustedProxies::new(args.trusted_proxy.iter().copied()),
            ..ServeOptions::default()
        };
        serve_routes(listener, routes(witness), options, stop).await?;
        tracing::info!("stopped");
        Ok(())
    })
}

fn not_opened(error: WitnessError) -> Failure {
    let outcome = match &error {
        WitnessError::Exists(_) | WitnessError::Line { .. } => return Failure::usage(error),
        WitnessError::NoWitness(_) => Outcome::NotThatKind,
        WitnessError::Damaged { .. } => Outcome::False,
        _ => Outcome::Unchecked,
    };
    Failure::of(outcome, error)
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
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_s = since.unwrap_or_default().as_secs();
    let witness = Arc::clone(&serving.witness);
    let cosigned = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body, now_s)).await;
    match cosigned {
        Ok(Ok(line)) => line.into_response(),
        Ok(Err(refusal)) => answer(&refusal),
        Err(error) => failed(&error),
    }
}

/// The answer that the standard has for each refusal.
fn answer(refusal: &WitnessRefusal) -> Response {
    let status = match refusal {
        WitnessRefusal::Request(_) | WitnessRefusal::Log(LogRefusal::OldSizeAbove { .. }) => {
            StatusCode::BAD_REQUEST
        }
        WitnessRefusal::UnknownLog(_) => StatusCode::NOT_FOUND,
        WitnessRefusal::Log(LogRefusal::Unsigned | LogRefusal::FalseSignature) => {
            StatusCode::FORBIDDEN
        }
        WitnessRefusal::Log(LogRefusal::OtherSize { latest }) => {
            let size = [(header::CONTENT_TYPE, "text/x.tlog.size")];
            return (StatusCode::CONFLICT, size, format!("{latest}\n")).into_response();
        }
        WitnessRefusal::Log(LogRefusal::OtherRoot { .. }) => {
            tracing::error!(%refusal, "evidence is kept");
            StatusCode::UNPROCESSABLE_ENTITY
        }
        WitnessRefusal::Log(_) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => return failed(refusal),
    };
    refused(status, refusal)
}

fn refused(status: StatusCode, why: &dyn std::fmt::Display) -> Response {
    (status, format!("{why}\n")).into_response()
}

/// A fault of the witness: said in its log, and not to strangers.
fn failed(why: &dyn std::fmt::Display) -> Response {
    tracing::error!(%why, "a request failed");
    refused(StatusCode::INTERNAL_SERVER_ERROR, &"the witness failed")
}
