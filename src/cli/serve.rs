use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;

use super::Done;
use arborlog::http::{Limits, serve};
use arborlog::log::{Log, LogConfig};
use arborlog::store::SEGMENT_BYTES;

/// Serve a ledger over HTTP until SIGTERM or Ctrl-C. Every flag has an `ARBORLOG_*` variable.
#[derive(Args)]
pub struct ServeArgs {
    /// The ledger's directory.
    #[arg(env = "ARBORLOG_DIR")]
    dir: PathBuf,
    /// Where to listen; port 0 takes a free one and prints it.
    #[arg(long, env = "ARBORLOG_LISTEN", default_value = "127.0.0.1:8080")]
    listen: String,
    /// The clock is right though it jumped: admit records again.
    #[arg(long, env = "ARBORLOG_ACCEPT_CLOCK")]
    accept_clock: bool,
    /// Begin a new segment of the journal after so many bytes: a start reads one to two of them.
    #[arg(long, env = "ARBORLOG_SEGMENT_BYTES", default_value_t = SEGMENT_BYTES)]
    segment_bytes: u64,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Limits on what clients may ask.
#[derive(Args)]
pub struct LimitArgs {
    /// The largest body, in bytes.
    #[arg(long, env = "ARBORLOG_BODY_BYTES", default_value_t = Limits::default().body_bytes)]
    body_bytes: usize,
    /// The most records of a batch.
    #[arg(long, env = "ARBORLOG_BATCH_RECORDS", default_value_t = Limits::default().batch_records)]
    batch_records: usize,
    /// Memory for all bodies in flight, in bytes.
    #[arg(long, env = "ARBORLOG_MEMORY_BYTES", default_value_t = Limits::default().memory_bytes)]
    memory_bytes: usize,
    /// Seconds for a body to arrive.
    #[arg(long, env = "ARBORLOG_BODY_TIMEOUT_S", default_value_t = Limits::default().body_timeout.as_secs())]
    body_timeout_s: u64,
    /// Seconds for a request to be answered.
    #[arg(long, env = "ARBORLOG_REQUEST_TIMEOUT_S", default_value_t = Limits::default().request_timeout.as_secs())]
    request_timeout_s: u64,
    /// Seconds for a request's head to arrive.
    #[arg(long, env = "ARBORLOG_HEAD_TIMEOUT_S", default_value_t = Limits::default().head_timeout.as_secs())]
    head_timeout_s: u64,
    /// The most connections.
    #[arg(long, env = "ARBORLOG_CONNECTIONS", default_value_t = Limits::default().connections)]
    connections: usize,
}

impl LimitArgs {
    fn limits(&self) -> Limits {
        Limits {
            body_bytes: self.body_bytes,
            batch_records: self.batch_records,
            memory_bytes: self.memory_bytes,
            body_timeout: Duration::from_secs(self.body_timeout_s),
            request_timeout: Duration::from_secs(self.request_timeout_s),
            head_timeout: Duration::from_secs(self.head_timeout_s),
            connections: self.connections,
        }
    }
}

pub fn run(args: &ServeArgs) -> Done {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        // Before anything else: a signal during a long start must stop it cleanly too.
        let stop = stop_signal()?;
        let config = LogConfig {
            dir: args.dir.clone(),
            accept_clock: args.accept_clock,
            segment_bytes: args.segment_bytes,
        };
        let log = Arc::new(Log::open(&config).await?);
        let listener = TcpListener::bind(&args.listen).await.map_err(|error| {
            anyhow::anyhow!("{}: {error}; choose another with --listen", args.listen)
        })?;
        println!("listening on http://{}", listener.local_addr()?);
        let head = log.published().head;
        tracing::info!(size = head.size, root = %head.root, "serving");
        serve(listener, log, args.limits.limits(), stop).await?;
        tracing::info!("stopped; what was acknowledged is in");
        Ok(())
    })
}

/// Resolves at SIGTERM or SIGINT.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
