//! The bytes that are free on the disks that a log is on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a disk is waited for that does not say.
const PATIENCE: Duration = Duration::from_secs(1);

/// A disk, and whether it is being asked.
pub(super) struct DiskSpace {
    /// A folder on it; `None` if there is no such disk.
    folder: Option<PathBuf>,
    /// Set until an answer came: of a disk that gives none, one thread waits and no more.
    is_asked: Arc<AtomicBool>,
}

impl DiskSpace {
    pub(super) fn of(folder: Option<&Path>) -> Self {
        Self {
            folder: folder.map(Path::to_owned),
            is_asked: Arc::default(),
        }
    }

    /// The bytes that are free for this process; not a number without a disk, or if it does not say.
    pub(super) async fn free_bytes(&self) -> f64 {
        let Some(folder) = self.folder.clone() else {
            return f64::NAN;
        };
        if self.is_asked.swap(true, Ordering::AcqRel) {
            return f64::NAN;
        }
        let is_asked = Arc::clone(&self.is_asked);
        let asked = tokio::task::spawn_blocking(move || {
            let found = rustix::fs::statvfs(&folder).ok();
            is_asked.store(false, Ordering::Release);
            found.map(|found| found.f_bavail as f64 * found.f_frsize as f64)
        });
        let free = tokio::time::timeout(PATIENCE, asked).await;
        free.ok().and_then(Result::ok).flatten().unwrap_or(f64::NAN)
    }
}
