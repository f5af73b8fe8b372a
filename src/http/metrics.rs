//! What the server counts, in OpenMetrics text.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::App;
use super::connection::HeadRefused;
use super::connections::Connections;
use super::cosigned::Lag;
use super::limits::timed_out;
use super::log_metrics::{LogMetrics, Number, signed};
use super::openapi::OPENMETRICS;
use super::process_metrics::ProcessMetrics;
use super::tls::Tls;
use crate::answer::{Problem, ProblemCode};
use crate::cosign::{AskOutcome, CosignerStatus};
use crate::ledger::Code;
use crate::log::{AppendError, Log, Status};
use crate::version::{COMMIT, RELEASE};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: Route,
    method: MethodName,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CodeLabels {
    code: Cow<'static, str>,
}

/// Every code that a problem document can have.
fn all_codes() -> impl Iterator<Item = Cow<'static, str>> {
    let rules = Code::ALL.iter().map(|code| code.name());
    let others = ProblemCode::ALL.iter().map(|code| code.name());
    rules.chain(others).map(Cow::Borrowed)
}

/// What became of a record that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Intake {
    /// This request brought it in.
    Admitted,
    /// An earlier one had.
    AlreadyIn,
    /// It breaks a rule, or stands behind one that does, or in a sealed batch with one.
    Refused,
    /// Nothing is known to be in: the same may be sent again.
    Unavailable,
}

impl Intake {
    const ALL: [Self; 4] = [
        Self::Admitted,
        Self::AlreadyIn,
        Self::Refused,
        Self::Unavailable,
    ];
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct IntakeLabels {
    outcome: &'static str,
}

impl IntakeLabels {
    fn of(outcome: Intake) -> Self {
        let outcome = match outcome {
            Intake::Admitted => "admitted",
            Intake::AlreadyIn => "already_in",
            Intake::Refused => "refused",
            Intake::Unavailable => "unavailable",
        };
        Self { outcome }
    }
}

/// A cosigner, by its name in the policy.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CosignerLabels {
    cosigner: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AskLabels {
    cosigner: String,
    outcome: &'static str,
}

/// Which software runs.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    commit: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DurationLabels {
    route: Route,
}

/// The route of a request; none for paths that lead nowhere.
#[derive(Clone, Debug)]
struct Route(Option<MatchedPath>);

impl Route {
    fn as_str(&self) -> &str {
        self.0.as_ref().map_or("none", MatchedPath::as_str)
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Route {}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        encoder.write_str(self.as_str())
    }
}

/// A request's method: one of the standard's, or some other. A client may send any token, and each
/// name would be a series for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MethodName(pub &'static str);

impl MethodName {
    pub(super) fn of(method: &Method) -> Self {
        // RFC 9110, section 9.3, and RFC 5789.
        let standard = [
            "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
        ];
        let mut names = standard.into_iter();
        Self(
            names
                .find(|name| *name == method.as_str())
                .unwrap_or("other"),
        )
    }
}

impl EncodeLabelValue for MethodName {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        encoder.write_str(self.0)
    }
}

/// The server's counters.
pub(super) struct ServerMetrics {
    registry: Registry,
    requests: Family<RouteLabels, Counter>,
    durations: Family<DurationLabels, Histogram, fn() -> Histogram>,
    problems: Family<CodeLabels, Counter>,
    intake: Family<IntakeLabels, Counter>,
    tree_size: Gauge,
    checkpoint_time: Number,
    ready: Gauge,
    leading: Gauge,
    lag_seconds: Number,
    cosigner_lag_entries: Family<CosignerLabels, Gauge>,
    cosigner_lag_seconds: Family<CosignerLabels, Number>,
    cosigner_asks: Family<AskLabels, Counter>,
    log_lines_lost: Counter,
    /// What the counter above is set to when it is asked for.
    count_lost: Option<fn() -> u64>,
    certificate_end: Number,
    /// What the gauge above is read from.
    tls: Option<Arc<Tls>>,
    log: LogMetrics,
    process: ProcessMetrics,
    /// The process's metrics, whose names all programs share.
    process_registry: Registry,
}

impl ServerMetrics {
    pub(super) fn new(
        log: &Log,
        count_lost: Option<fn() -> u64>,
        tls: Option<Arc<Tls>>,
        connections: Option<Arc<Connections>>,
    ) -> Self {
        let mut registry = Registry::with_prefix("arborlog");
        let requests = Family::default();
        let durations: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_25, 2.0, 16)));
        let (problems, intake) = (Family::default(), Family::default());
        let (tree_size, checkpoint_time) = (Gauge::default(), Number::default());
        let ready = Gauge::default();
        all_codes().for_each(|code| drop(problems.get_or_create(&CodeLabels { code })));
        for outcome in Intake::ALL {
            drop(intake.get_or_create(&IntakeLabels::of(outcome)));
        }
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
            "intake_records",
            "Records and statements that were sent, by what came of them",
            Family::clone(&intake),
        );
        registry.register(
            "tree_size",
            "Entries of the newest checkpoint",
            tree_size.clone(),
        );
        registry.register(
            "checkpoint_time_seconds",
            "When it was signed, since 1970 UTC",
            Number::clone(&checkpoint_time),
        );
        registry.register("ready", "1 while records are admitted", ready.clone());
        let (leading, lag_seconds) = (Gauge::default(), Gauge::default());
        registry.register(
            "leading",
            "1 while this server leads the log, also if no other can",
            leading.clone(),
        );
        registry.register(
            "lag_seconds",
            "Time since a server that follows had all that is in the log",
            Number::clone(&lag_seconds),
        );
        let (cosigner_lag_entries, cosigner_lag_seconds) = (Family::default(), Family::default());
        let cosigner_asks = Family::default();
        registry.register(
            "cosigner_lag_entries",
            "Entries that a witness or auditor is behind the newest checkpoint",
            Family::clone(&cosigner_lag_entries),
        );
        registry.register(
            "cosigner_lag_seconds",
            "Time since the newest cosignature of a witness or auditor",
            Family::clone(&cosigner_lag_seconds),
        );
        registry.register(
            "cosigner_asks",
            "Questions to a witness or auditor, by what came of them",
            Family::clone(&cosigner_asks),
        );
        let log_lines_lost = Counter::default();
        registry.register(
            "log_lines_lost",
            "Log lines that standard error did not take",
            log_lines_lost.clone(),
        );
        let build: Family<BuildLabels, Gauge> = Family::default();
        let labels = BuildLabels {
            version: RELEASE,
            commit: COMMIT,
        };
        build.get_or_create(&labels).set(1);
        registry.register("build_info", "1, of the software that runs", build);
        let certificate_end = Gauge::default();
        registry.register(
            "certificate_end_seconds",
            "When the first certificate of the server's chain ends, since 1970 UTC; not a number without TLS",
            Number::clone(&certificate_end),
        );
        let log = LogMetrics::register(&mut registry, log, connections);
        let mut process_registry = Registry::default();
        let process = ProcessMetrics::register(&mut process_registry);
        Self {
            registry,
            requests,
            durations,
            problems,
            intake,
            tree_size,
            checkpoint_time,
            ready,
            leading,
            lag_seconds,
            cosigner_lag_entries,
            cosigner_lag_seconds,
            cosigner_asks,
            log_lines_lost,
            count_lost,
            certificate_end,
            tls,
            log,
            process,
            process_registry,
        }
    }

    /// Counts what became of records that were sent.
    pub(super) fn took_in(&self, outcome: Intake, records: usize) {
        let counter = self.intake.get_or_create(&IntakeLabels::of(outcome));
        counter.inc_by(records as u64);
    }

    /// Says how far the cosigners of the policy in force are; those of another policy are no longer told of.
    fn set_cosigners(&self, cosigners: &[CosignerStatus], size: u64) {
        self.cosigner_lag_entries.clear();
        self.cosigner_lag_seconds.clear();
        self.cosigner_asks.clear();
        for status in cosigners {
            let lag = Lag::of(status, size);
            let cosigner = status.name.clone();
            let labels = CosignerLabels { cosigner };
            let entries = self.cosigner_lag_entries.get_or_create(&labels);
            entries.set(signed(lag.entries));
            let behind = self.cosigner_lag_seconds.get_or_create(&labels);
            behind.set(lag.seconds.map_or(f64::NAN, |seconds| seconds as f64));
            for outcome in AskOutcome::ALL {
                let asks = self.cosigner_asks.get_or_create(&AskLabels {
                    cosigner: labels.cosigner.clone(),
                    outcome: outcome.name(),
                });
                asks.inc_by(status.asks.get(&outcome).copied().unwrap_or(0));
            }
        }
    }

    /// Counts what became of records that did not all go in.
    pub(super) fn not_all_in(&self, error: &AppendError, sent: usize) {
        match error {
            AppendError::Refused(refused) => {
                let (is_in, before) = (refused.indexes.len(), refused.already_in.len());
                self.took_in(Intake::Admitted, is_in.saturating_sub(before));
                self.took_in(Intake::AlreadyIn, before);
                self.took_in(Intake::Refused, sent.saturating_sub(is_in));
            }
            AppendError::BatchRefused(_) => self.took_in(Intake::Refused, sent),
            AppendError::Unavailable { .. } | AppendError::Read(_) => {
                self.took_in(Intake::Unavailable, sent);
            }
        }
    }
}

/// Answers a request in time, and counts it, its time, and what came of it.
pub(super) async fn watch(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    // Shared by all requests of a route: no copy.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = MethodName::of(request.method());
    let response = match request.extensions_mut().remove::<HeadRefused>() {
        Some(HeadRefused(problem)) => problem.into_response(),
        None => {
            let answered = tokio::time::timeout(app.limits.request_timeout, next.run(request));
            answered.await.unwrap_or_else(|_| timed_out())
        }
    };
    if let Some(problem) = response.extensions().get::<Problem>() {
        let labels = CodeLabels {
            code: problem.code().to_owned().into(),
        };
        app.metrics.problems.get_or_create(&labels).inc();
    }
    let labels = RouteLabels {
        route: Route(route),
        method,
        status: response.status().as_u16(),
    };
    app.metrics.requests.get_or_create(&labels).inc();
    let seconds = begun.elapsed().as_secs_f64();
    let RouteLabels { route, .. } = labels;
    let durations = app
        .metrics
        .durations
        .get_or_create(&DurationLabels { route });
    durations.observe(seconds);
    response
}

/// Counters and gauges.
#[utoipa::path(get, path = "/metrics", responses((status = 200, description = "OpenMetrics text", body = String)))]
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let status = app.log.status();
    let published = status.published();
    app.metrics.tree_size.set(signed(published.head.tree.size));
    let signed_at_s = published.at.0 as f64 / 1e3;
    app.metrics.checkpoint_time.set(signed_at_s);
    app.metrics.log.read(&app).await;
    app.metrics
        .ready
        .set(i64::from(app.log.readiness().is_ok()));
    let leads = matches!(status, Status::Ready { .. });
    app.metrics.leading.set(i64::from(leads));
    let cosigners = app.cosigned.board.cosigners();
    app.metrics
        .set_cosigners(&cosigners, published.head.tree.size);
    app.metrics.lag_seconds.set(app.log.lag().as_secs_f64());
    if let Some(count) = app.metrics.count_lost {
        app.metrics
            .log_lines_lost
            .inner()
            .store(count(), Ordering::Relaxed);
    }
    let end = app.metrics.tls.as_ref().and_then(|tls| tls.ends());
    let end = end.map_or(f64::NAN, |end| end as f64);
    app.metrics.certificate_end.set(end);
    app.metrics.process.read();
    let mut text = String::new();
    let written = encode_registry(&mut text, &app.metrics.registry)
        .and_then(|()| encode_registry(&mut text, &app.metrics.process_registry))
        .and_then(|()| encode_eof(&mut text));
    match written {
        Ok(()) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(_) => Problem::new(
            ProblemCode::MetricsBroken,
            "they can't be written",
            "tell the operator",
        )
        .into_response(),
    }
}
