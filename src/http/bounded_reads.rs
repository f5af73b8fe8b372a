//! Entries that are read one by one for one answer, with what the reading took: an entry costs the bundle that it is
//! in, and a sealed one that of its seal.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::answer::Problem;
use crate::log::Reader;
use crate::merkle::TILE_HASHES;
use crate::record::{FullEntry, Index};

/// The work at which an answer that reads entries one by one ends: bytes of the bundles that were read for them, and of
/// the sealed batches that were read and hashed to show their places. Two of the largest batches, some tens of
/// milliseconds of one core. The last entry may go beyond it, by the batches of that entry and of those that it
/// corrects.
pub(super) const WORK_BYTES_MAX: u64 = 16 << 20;

/// An entry that was read.
pub(super) struct ReadEntry {
    /// Where it is.
    pub index: Index,
    /// Its bytes.
    pub bytes: Bytes,
    /// What it is.
    pub entry: FullEntry,
}

/// Reads entries below a size, and counts.
pub(super) struct BoundedReads<'a> {
    reader: &'a Reader,
    size: u64,
    /// The numbers of the bundles that were read.
    bundles: BTreeSet<u64>,
    bundle_bytes: u64,
}

impl<'a> BoundedReads<'a> {
    /// Reads the first `size` entries of a log.
    pub(super) fn new(reader: &'a Reader, size: u64) -> Self {
        Self {
            reader,
            size,
            bundles: BTreeSet::new(),
            bundle_bytes: 0,
        }
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`Problem`] when there is no such entry, or it can't be read.
    pub(super) async fn read(&mut self, index: Index) -> Result<ReadEntry, Problem> {
        let (bytes, entry) = self.reader.full(index.0, self.size).await?;
        let seal = entry.stated().and_then(|stated| stated.seal);
        for index in [Some(index), seal].into_iter().flatten() {
            let number = index.0 / TILE_HASHES;
            if self.bundles.insert(number) {
                let bytes = self.reader.bundle_bytes(number, self.size).await?;
                self.bundle_bytes = self.bundle_bytes.saturating_add(bytes);
            }
        }
        Ok(ReadEntry {
            index,
            bytes,
            entry,
        })
    }

    /// The bytes of the bundles that were read, each counted once.
    pub(super) fn bundle_bytes(&self) -> u64 {
        self.bundle_bytes
    }
}
