//! What a log says of itself whenever it is asked: what waits, how large it is in memory, what is still to be done
//! behind the commits. What it counts as it works is in [`Measures`].

use std::path::{Path, PathBuf};

use super::{Log, LogConfig};
use crate::measures::{Durations, Measures, StoreRequests};

/// What is measured of a log, and where its disks are.
#[derive(Clone, Default)]
pub(super) struct Measured {
    pub measures: Measures,
    /// Requests to the object store that has the log; none are counted of a log in a directory.
    pub store_requests: StoreRequests,
    /// The directory of the log, unless an object store has it.
    pub dir: Option<PathBuf>,
    /// The file that keeps the newest checkpoint elsewhere.
    pub last_signed: Option<PathBuf>,
}

impl Measured {
    /// What is to be measured of a log that is opened so.
    pub(super) fn of(config: &LogConfig) -> Self {
        let is_in_dir = config.shared.is_none();
        Self {
            dir: is_in_dir.then(|| config.dir.clone()),
            last_signed: config.last_signed.clone(),
            ..Self::default()
        }
    }
}

/// Sizes of a log in this process, now.
pub(crate) struct LogFigures {
    /// Checks of signatures that were begun and have not ended, those that wait for a thread among them.
    pub signature_checks: usize,
    /// Items of each domain of the state, by the domain's name.
    pub state_items: Vec<(&'static str, usize)>,
    /// Entries of which no state entry speaks yet; state entries need none.
    pub uncovered_entries: u64,
    /// Bytes of tiles and bundles that were read, in memory.
    pub tile_cache_bytes: u64,
    /// Bytes of tiles with the nodes over them, in memory.
    pub node_cache_bytes: u64,
    /// Durable entries that are neither in files that never change nor in packs.
    pub unsettled_entries: Option<u64>,
    /// The time by the system's clock, in milliseconds since 1970 UTC.
    pub clock_ms: u64,
}

impl Log {
    /// Its sizes, now.
    pub(crate) fn figures(&self) -> LogFigures {
        let (state_items, uncovered_entries) = {
            let state = self.state();
            let globals = state.globals();
            let covered = globals.state_entry.map_or(0, |mark| mark.size);
            (state.sizes(), globals.stated.saturating_sub(covered))
        };
        let (tile_cache_bytes, node_cache_bytes) = self.reader.cache_bytes();
        LogFigures {
            signature_checks: self.workers.under_way(),
            state_items,
            uncovered_entries,
            tile_cache_bytes,
            node_cache_bytes,
            unsettled_entries: self.reader.store().unsettled_entries(),
            clock_ms: self.clock.wall_ms(),
        }
    }

    /// What it counts as it works.
    pub(crate) fn measures(&self) -> &Measures {
        &self.measured.measures
    }

    /// Requests to the object store that has it.
    pub(crate) fn store_requests(&self) -> &StoreRequests {
        &self.measured.store_requests
    }

    /// How long syncs of its commits took; of a store that syncs nothing itself, none did.
    pub(crate) fn syncs(&self) -> Durations {
        self.reader.store().syncs().unwrap_or_default()
    }

    /// The directory that has it, unless an object store has.
    pub(crate) fn dir(&self) -> Option<&Path> {
        self.measured.dir.as_deref()
    }

    /// The folder of the file that keeps the newest checkpoint elsewhere.
    pub(crate) fn last_signed_dir(&self) -> Option<&Path> {
        let folder = self.measured.last_signed.as_deref()?.parent()?;
        // A file's name alone is in the folder where the process runs.
        Some(if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        })
    }
}
