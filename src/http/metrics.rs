//! What the server counts, in OpenMetrics text.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::App;
use super::problem::ProblemCode;
use crate::log::{AppendError, Status};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
    method: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CodeLabels {
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DurationLabels {
    route: String,
}

/// The server's counters.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RouteLabels, Counter>,
    durations: Family<DurationLabels, Histogram, fn() -> Histogram>,
    problems: Family<CodeLabels, Counter>,
    admitted: Counter,
    tree_size: Gauge,
    checkpoint_ms: Gauge,
    queue: Gauge,
    ready: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("arborlog");
        let requests = Family::default();
        let durations: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_25, 2.0, 16)));
        let (problems, admitted) = (Family::default(), Counter::default());
        let (tree_size, checkpoint_ms) = (Gauge::default(), Gauge::default());
        let (queue, ready) = (Gauge::default(), Gauge::default());
        registry.register(
            "http_requests",
            "Requests answered",
            Family::clone(&requests),
        );
        registry.register("http_duration_seconds", "Time to answer", durations.clone());
        registry.register(
            "problems",
            "Problem documents given",
            Family::clone(&problems),
        );
        registry.register(
            "records_admitted",
            "Records answered as in",
            admitted.clone(),
        );
        registry.register(
            "tree_size",
            "Entries of the newest checkpoint",
            tree_size.clone(),
        );
        registry.register(
            "checkpoint_time_ms",
            "When it was signed",
            checkpoint_ms.clone(),
        );
        registry.register("queue_batches", "Batches that wait", queue.clone());
        registry.register("ready", "1 while records are admitted", ready.clone());
        Self {
            registry,
            requests,
            durations,
            problems,
            admitted,
            tree_size,
            checkpoint_ms,
            queue,
            ready,
        }
    }
}

impl Metrics {
    pub fn admitted(&self, records: usize) {
        self.admitted.inc_by(records as u64);
    }

    /// Counts the records before the refused one.
    pub fn refused(&self, error: &AppendError) {
        if let AppendError::Refused(refused) = error {
            self.admitted(refused.indexes.len());
        }
    }
}

/// Counts a request, its time, and what came of it.
pub(super) async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().to_string();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    if let Some(ProblemCode(code)) = response.extensions().get() {
        app.metrics
            .problems
            .get_or_create(&CodeLabels { code: code.clone() })
            .inc();
    }
    let seconds = begun.elapsed().as_secs_f64();
    app.metrics
        .durations
        .get_or_create(&DurationLabels {
            route: route.clone(),
        })
        .observe(seconds);
    app.metrics
        .requests
        .get_or_create(&RouteLabels {
            route,
            method,
            status,
        })
        .inc();
    response
}

/// Counters and gauges.
#[utoipa::path(get, path = "/metrics", responses((status = 200, description = "OpenMetrics text", body = String)))]
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let status = app.log.status();
    let published = status.published();
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    app.metrics.tree_size.set(signed(published.head.size));
    app.metrics.checkpoint_ms.set(signed(published.at.0));
    app.metrics.queue.set(signed(app.log.waiting() as u64));
    app.metrics
        .ready
        .set(i64::from(matches!(status, Status::Ready(..))));
    let mut text = String::new();
    match encode(&mut text, &app.metrics.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => super::Problem::unavailable("metrics", "they can't be written").into_response(),
    }
}
