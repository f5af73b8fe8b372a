//! What a monitor counts, in OpenMetrics text.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
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

use arborlog::audit::Finding;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FindingLabels {
    code: &'static str,
    severity: &'static str,
}

/// The monitor's counters.
pub struct MonitorMetrics {
    registry: Arc<Registry>,
    size: Gauge,
    entries: Counter,
    verified_at: Gauge,
    unreachable: Gauge,
    wrong: Gauge,
    findings: Family<FindingLabels, Gauge>,
}

impl Default for MonitorMetrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("arborlog_monitor");
        let (size, entries) = (Gauge::default(), Counter::default());
        let (verified_at, unreachable, wrong) =
            (Gauge::default(), Gauge::default(), Gauge::default());
        let findings = Family::default();
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
            "1 while the log can't be asked",
            unreachable.clone(),
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
            unreachable,
            wrong,
            findings,
        }
    }
}

impl MonitorMetrics {
    pub fn verified(&self, new: &std::ops::Range<u64>) {
        self.size.set(i64::try_from(new.end).unwrap_or(i64::MAX));
        self.entries.inc_by(new.end - new.start);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = now.map_or(0, |now| now.as_secs());
        self.verified_at.set(i64::try_from(seconds).unwrap_or(0));
        self.unreachable.set(0);
    }

    pub fn unreachable(&self) {
        self.unreachable.set(1);
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
            let count = i64::try_from(finding.count).unwrap_or(i64::MAX);
            self.findings.get_or_create(&labels).set(count);
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
