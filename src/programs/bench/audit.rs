//! Audits over HTTP, with nothing but the log's key: alone, and beside a load.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use super::bytes_under;
use crate::cli::Failure;
use crate::cli::log_source::failed;
use arborlog::audit::{AuditError, Auditor, threads_default};
use arborlog::client::{Remote, RemoteLog};
use arborlog::merkle::{Level, TILE_HASHES, TileId};
use arborlog::note::{Checkpoint, VerifierKey};

/// What an audit of a whole log came to.
pub struct AuditResult {
    pub entries: u64,
    pub accounts: usize,
    pub entry_bytes: u64,
    pub per_second: f64,
}

fn vkey(dir: &Path) -> Result<VerifierKey, Failure> {
    Ok(std::fs::read_to_string(dir.join("log.vkey"))?
        .trim()
        .parse()?)
}

/// The size of the newest checkpoint, whose signature holds.
pub fn size(dir: &Path, remote: &Remote) -> Result<u64, Failure> {
    let checkpoint = Checkpoint::open(&remote.bytes("checkpoint")?, &vkey(dir)?)?;
    Ok(checkpoint.head().size)
}

/// Audits the whole log.
pub fn whole(dir: &Path, url: &str) -> Result<AuditResult, Failure> {
    let mut auditor = Auditor::new(vkey(dir)?).map_err(failed)?;
    let begun = Instant::now();
    advance(&mut auditor, url, |_| ())?;
    let seconds = begun.elapsed().as_secs_f64();
    let entries = auditor.state().entries();
    // In files but for the last bundle, where each entry has two bytes before it.
    let mut bytes = match dir.join("public/tile/entries") {
        bundles if bundles.is_dir() => bytes_under(&bundles)?,
        _ => 0,
    };
    let last = TileId::in_tree(Level::Entries, entries / TILE_HASHES, entries);
    if let Some(last) = last {
        bytes += Remote::new(url).bytes(&last.to_string())?.len() as u64;
    }
    Ok(AuditResult {
        entries,
        accounts: auditor.state().accounts_count(),
        // Of an object store they are not counted.
        entry_bytes: bytes.saturating_sub(2 * entries),
        per_second: entries as f64 / seconds,
    })
}

fn advance(auditor: &mut Auditor, url: &str, replayed: impl Fn(u64)) -> Result<(), Failure> {
    let log = RemoteLog::new(Remote::new(url));
    let claimed = auditor.fetch_checkpoint(&log).map_err(failed)?;
    let done = auditor.advance(
        &log,
        &claimed,
        threads_default(),
        |_, state| {
            replayed(state.entries());
            Ok::<_, AuditError>(())
        },
        |_| Ok(()),
    );
    done.map(drop).map_err(failed)
}

/// Audits of the whole log, one after the other on a thread of their own.
pub struct RepeatedAudit {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<f64, Failure>>,
}

impl RepeatedAudit {
    /// Begins the first audit.
    pub fn start(dir: &Path, url: &str) -> Result<Self, Failure> {
        let (vkey, url) = (vkey(dir)?, url.to_owned());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            let mut before = 0;
            let audited = AtomicU64::new(0);
            while !stopped.load(Ordering::Relaxed) {
                let mut auditor = Auditor::new(vkey.clone()).map_err(failed)?;
                advance(&mut auditor, &url, |entries| {
                    audited.store(before + entries, Ordering::Relaxed);
                })?;
                before = audited.load(Ordering::Relaxed);
            }
            Ok(before as f64 / begun.elapsed().as_secs_f64())
        });
        Ok(Self { stop, thread })
    }

    /// Ends after the audit under way; gives the entries that were audited a second.
    pub fn stop(self) -> Result<f64, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let lost = |_| Err(anyhow::anyhow!("the audit broke off").into());
        self.thread.join().unwrap_or_else(lost)
    }
}
