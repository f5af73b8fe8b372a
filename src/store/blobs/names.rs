//! The names of a log's objects.

use super::commit::Session;

/// Which software may read this, and the log's origin. Created once.
pub(super) const VERSION: &str = "VERSION";
/// The chain.
pub(super) const COMMITS: &str = "commit";
/// Up to where the chain is packed.
pub(super) const FLOORS: &str = "floor";
/// Entries with their tiles.
pub(super) const PACKS: &str = "pack";
/// The newest checkpoint, or one a little older.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// The wish that another process leads.
pub(super) const HANDOVER: &str = "handover";
/// Signs of life.
const BEATS: &str = "beat";

/// What the probe leaves.
pub(super) const PROBES: &str = "probe";

/// Of an object of the chain. All numbers have as many digits as the largest, so that the order of
/// names is that of numbers.
pub(super) fn commit(seq: u64) -> String {
    numbered(COMMITS, seq)
}

/// Of a floor.
pub(super) fn floor(seq: u64) -> String {
    numbered(FLOORS, seq)
}

/// Of a pack.
pub(super) fn pack(number: u64) -> String {
    numbered(PACKS, number)
}

/// Of a session's sign of life.
pub(super) fn beat(session: Session) -> String {
    format!("{BEATS}/{session}")
}

/// Of an object of the probe.
pub(super) fn probe(session: Session) -> String {
    format!("{PROBES}/{session}")
}

fn numbered(folder: &str, number: u64) -> String {
    format!("{folder}/{number:020}")
}

/// The number of an object in a folder; `None` if it is no such name.
pub(super) fn number_in(folder: &str, name: &str) -> Option<u64> {
    let digits = name.strip_prefix(folder)?.strip_prefix('/')?;
    let number = digits.parse().ok()?;
    (numbered(folder, number) == name).then_some(number)
}
