//! What a monitor counts, in OpenMetrics text.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse as _;
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use arborlog::audit::{AuditError, Finding};

/// A gauge of a number that is never below zero.
type UnsignedGauge = Gauge<u64, AtomicU64>;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FindingLabels {
    code: &'static str,
    severity: &'static str,
}

/// The monitor's counters.
pub struct MonitorMetrics {
    registry: Arc<Registry>,
    size: UnsignedGauge,
    entries: Counter,
    verified_at: UnsignedGauge,
    unchecked: Gauge,
    lag: UnsignedGauge,
    unchecked_states: UnsignedGauge,
    wrong: Gauge,
    findings: Family<FindingLabels, UnsignedGauge>,
}

impl Default for MonitorMetrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("arborlog_monitor");
        let (size, verified_at) = (UnsignedGauge::default(), UnsignedGauge::default());
        let (entries, findings) = (Counter::default(), Family::default());
        let (unchecked, wrong) = (Gauge::default(), Gauge::default());
        let (lag, unchecked_states) = (UnsignedGauge::default(), UnsignedGauge::default());
        registry.register("tree_size", "Entries verified", size.clone());
        registry.register(
            "entries",
            "Entries verified by this process",
            entries.clone(),
        );
        registry.register(
            "verified_time_seconds",
            "When a look last ended well, since 1970",
            verified_at.clone(),
        );
        registry.register(
            "log_away",
            "1 while the log can't be checked",
            unchecked.clone(),
        );
        registry.register(
            "log_lag_entries",
            "Verified entries that the log does not show",
            lag.clone(),
        );
        registry.register(
            "unchecked_states",
            "State entries that this process could compare with nothing",
            unchecked_states.clone(),
        );
        registry.register("log_wrong", "1 when the log is wrong", wrong.clone());
        registry.register(
            "findings",
            "Cases of each finding",
            Family::clone(&findings),
        );
        Self {
            registry: Arc::new(registry),
            size,
            entries,
            verified_at,
            unchecked,
            lag,
            unchecked_states,
            wrong,
            findings,
        }
    }
}

impl MonitorMetrics {
    pub fn verified(&self, new: &std::ops::Range<u64>) {
        self.size.set(new.end);
        self.entries.inc_by(new.end - new.start);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 can't tell when that was: the gauge says 0, which alerts.
        self.verified_at.set(now.map_or(0, |now| now.as_secs()));
        self.unchecked.set(0);
        self.lag.set(0);
    }

    pub fn unchecked(&self, error: &AuditError) {
        self.unchecked.set(1);
        let lag = error.lag();
        self.lag
            .set(lag.map_or(0, |(shown, verified)| verified.saturating_sub(shown)));
    }

    pub fn unchecked_states(&self, count: usize) {
        self.unchecked_states.set(count as u64);
    }

    pub fn wrong(&self) {
        self.wrong.set(1);
    }

    pub fn findings(&self, findings: &[Finding]) {
        self.findings.clear();
        for finding in findings {
            let labels = FindingLabels {
                code: finding.code,
                severity: finding.severity.name(),
            };
            self.findings.get_or_create(&labels).set(finding.count);
        }
    }

    /// Answers /metrics from a thread of its own; gives the address.
    pub fn serve(&self, address: SocketAddr) -> anyhow::Result<SocketAddr> {
        let listener =
            TcpListener::bind(address).with_context(|| format!("listen on {address}"))?;
        listener.set_nonblocking(true)?;
        let at = listener.local_addr()?;
        let registry = Arc::clone(&self.registry);
        let page = move || {
            let registry = Arc::clone(&registry);
            async move {
                let mut text = String::new();
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                match encode(&mut text, &registry) {
                    Ok(()) => ([(CONTENT_TYPE, kind)], text).into_response(),
                    Err(_) => axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                }
            }
        };
        let routes = Router::new().route("/metrics", get(page));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::spawn(move || {
            runtime.block_on(async move {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => {
                        if let Err(error) = axum::serve(listener, routes).await {
                            tracing::error!(%error, "/metrics is answered no more");
                        }
                    }
                    Err(error) => tracing::error!(%error, "/metrics can't be answered"),
                }
            });
        });
        Ok(at)
    }
}
