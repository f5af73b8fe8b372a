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
/// Checkpoints that witnesses and auditors cosigned, for the servers that follow.
pub(super) const COSIGNED: &str = "cosigned";
/// The first checkpoint of each hour that met the quorum of its policy.
pub(super) const HOURS: &str = "hour";
/// Saved states.
pub(super) const STATES: &str = "state";
/// The folder of the newest saved state.
pub(super) const NEWEST_STATE: &str = "state/newest";
/// The wish that another process leads.
pub(super) const HANDOVER: &str = "handover";
/// The log as static files.
pub(super) const TILES: &str = "tile";
/// How far the log's static files reach.
pub(super) const TILES_WRITTEN: &str = "tiles";
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

/// Of the folder of a saved state, which no other save of that size has.
pub(super) fn state_folder(size: u64, save: Session) -> String {
    format!("{STATES}/{size:020}-{save}")
}

/// The number of entries of the state in a folder; `None` if it is no such folder.
pub(super) fn state_size(folder: &str) -> Option<u64> {
    let (numbered, save) = folder.split_once('-')?;
    let is_save = save.len() == 32 && save.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_save.then(|| number_in(STATES, numbered)).flatten()
}

/// The last part of the name of what makes a saved state whole.
pub(super) const META: &str = "meta";

/// Of what makes a saved state whole.
pub(super) fn state_meta(folder: &str) -> String {
    format!("{folder}/{META}")
}

/// Of a part of a saved state.
pub(super) fn state_part(folder: &str, number: u64) -> String {
    format!("{folder}/{number:010}")
}

/// Of the checkpoint of an hour since 1970.
pub(super) fn hour(number: u64) -> String {
    numbered(HOURS, number)
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
