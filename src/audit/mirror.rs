//! A verified copy of a log, as static files in the standard's layout.
//!
//! ```text
//! DIR/checkpoint           written last: everything that it promises is there
//! DIR/tile/…               as c2sp.org/tlog-tiles names them
//! DIR/hours/HOUR           the cosigned checkpoint of an hour since 1970, as the log keeps it; each is of this very log
//! DIR/LOCK                 held while a copy is being made
//! ```
//!
//! Nothing is written that was not proven to be in the tree of a checkpoint which the log's key
//! signed and which extends the one that is there. Full tiles are never written again. Partial
//! tiles go once the full ones are there, which the standard allows.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::auditor::{
    AuditError, Contradiction, KnownTree, check_extends, check_policy, read_checkpoint,
};
use super::source::{Folder, HOURS, SourceError, StaticLog, TileSource};
use super::tiles::{ProvenBundle, TileFault, Tiles};
use super::whole::{WholeError, check_format, walk};
use crate::durable::{
    FileError, Held, at, hold, make_folders, read_if_there, remove, remove_folder, replace,
};
use crate::merkle::{HASH_BYTES, Level, TILE_HASHES, TileId};
use crate::note::{
    Checkpoint, CheckpointError, NoteError, TreeHead, UnverifiedCheckpoint, VerifierKey,
};
use crate::outcome::Outcome;
use crate::policy::{Policy, Standing};

/// Levels of tiles that a tree of `u64` leaves can have.
const LEVELS_MAX: u8 = 8;

/// Why a mirror is not brought up to date.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// The log is wrong, contradicts what is mirrored, or could not be checked.
    #[error(transparent)]
    Log(#[from] AuditError),
    /// The folder can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process writes to the folder.
    #[error("{0} is being written by another arborlog; wait for that one")]
    Locked(PathBuf),
    /// What the folder holds is no mirror of this log, or is damaged.
    #[error("{dir} is no whole mirror of this log: {why}. Nothing was written to it")]
    Damaged {
        /// The folder.
        dir: PathBuf,
        /// What is wrong.
        why: AuditError,
    },
}

impl MirrorError {
    /// What a mirror with this error comes to.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Log(error) => error.outcome(),
            Self::File(_) | Self::Locked(_) => Outcome::Unchecked,
            // What is wrong with the copy is no fault of the log, but the copy is not what it says.
            Self::Damaged { why, .. } => match why.outcome() {
                Outcome::NotThatKind => Outcome::NotThatKind,
                _ => Outcome::False,
            },
        }
    }
}

impl From<TileFault> for MirrorError {
    fn from(fault: TileFault) -> Self {
        Self::Log(fault.into())
    }
}

impl From<WholeError> for MirrorError {
    fn from(error: WholeError) -> Self {
        Self::Log(error.into())
    }
}

/// Pages of hours that are asked for at most at a time: more than ten years.
const HOURS_MAX: usize = 1000;

/// A mirror, held for writing.
#[derive(Debug)]
pub struct Mirror {
    dir: PathBuf,
    /// The keys of which one must have signed a checkpoint.
    logs: Vec<VerifierKey>,
    /// What a new checkpoint must have beside the line of one of them.
    policy: Option<Policy>,
    standing: Option<Standing>,
    /// The checkpoint in the folder: all that it promises is there.
    last: Option<Checkpoint>,
    /// The last checkpoint that the log showed with a line by one of the keys.
    last_shown: Option<UnverifiedCheckpoint>,
    _lock: Held,
}

impl Mirror {
    /// Opens a folder, or begins one. What it holds is checked from the edge of its tiles to its
    /// signed root. A checkpoint counts when one of the keys signed it: after the log's key was
    /// replaced, the old one opens what is there and the new one what comes.
    ///
    /// # Errors
    /// [`MirrorError`].
    pub fn open(dir: &Path, logs: &[VerifierKey]) -> Result<Self, MirrorError> {
        make_folders(dir)?;
        let lock = hold(&dir.join("LOCK"))?.ok_or_else(|| MirrorError::Locked(dir.to_owned()))?;
        let damaged = |why: AuditError| MirrorError::Damaged {
            dir: dir.to_owned(),
            why,
        };
        let last = read_if_there(&dir.join("checkpoint"))?
            .map(|note| verify_by_any(&read_checkpoint(&note)?, logs))
            .transpose()
            .map_err(damaged)?;
        if let Some(last) = &last {
            Tiles::open(&Folder::new(dir), last.head()).map_err(|fault| damaged(fault.into()))?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            logs: logs.to_vec(),
            policy: None,
            standing: None,
            last,
            last_shown: None,
            _lock: lock,
        })
    }

    /// The checkpoint up to which everything is there.
    pub fn last(&self) -> Option<&Checkpoint> {
        self.last.as_ref()
    }

    /// The last checkpoint that the log showed with a line by one of the keys, whatever was found
    /// wrong with it, that line too: evidence.
    pub fn last_shown(&self) -> Option<&UnverifiedCheckpoint> {
        self.last_shown.as_ref()
    }

    /// Asks the log for its checkpoint, which must extend the mirror's.
    ///
    /// # Errors
    /// [`MirrorError::Log`], with a [`super::Contradiction`] when the log does not extend what it
    /// signed.
    pub fn fetch_checkpoint(&mut self, source: &dyn StaticLog) -> Result<Checkpoint, MirrorError> {
        let claimed = read_checkpoint(&source.checkpoint().map_err(AuditError::from)?)?;
        if self.logs.iter().any(|log| claimed.note().names(log)) {
            self.last_shown = Some(claimed.clone());
        }
        let now = verify_by_any(&claimed, &self.logs)?;
        if now.head().size == 0 {
            return Err(AuditError::Empty.into());
        }
        if let Some(last) = &self.last {
            let own = Folder::new(&self.dir);
            check_extends(source, last, &now, &KnownTree::Tiles(&own))?;
        }
        self.standing = check_policy(self.policy.as_ref(), &now)?;
        Ok(now)
    }

    /// From now on a checkpoint must meet this policy too.
    pub fn require(&mut self, policy: Policy) {
        self.policy = Some(policy);
    }

    /// Who cosigned the checkpoint that was fetched last, if a policy is to be met: it is met.
    pub fn standing(&self) -> Option<&Standing> {
        self.standing.as_ref()
    }

    /// Copies what is new up to a checkpoint that [`Self::fetch_checkpoint`] gave, then the
    /// checkpoint. `progress` is told the number of entries that are there. What a run that broke
    /// off left without its checkpoint is used if it is right. Gives the sizes from and to which it
    /// went.
    ///
    /// # Errors
    /// [`MirrorError`]; the mirror's checkpoint is then still the old one.
    pub fn copy(
        &mut self,
        source: &dyn StaticLog,
        now: Checkpoint,
        threads: NonZeroUsize,
        mut progress: impl FnMut(u64),
    ) -> Result<std::ops::Range<u64>, MirrorError> {
        let resumed = FolderThenLog {
            folder: Folder::new(&self.dir),
            log: source,
        };
        let head = now.head();
        let from = self.last.as_ref().map_or(0, |last| last.head().size);
        if head.size < from {
            let (shown, verified) = (head.size, from);
            return Err(AuditError::Older { shown, verified }.into());
        }
        match self.copy_tiles(&resumed, from, head, threads, &mut progress) {
            // What a broken run left may be what is wrong: the log's own files take its place. If
            // the log is wrong, this fails again, and says so.
            Err(MirrorError::Log(_)) => {
                self.copy_tiles(source, from, head, threads, &mut progress)?;
            }
            done => done?,
        }
        replace(&self.dir.join("checkpoint"), now.to_string().as_bytes())?;
        // The checkpoint counts from here on, whatever becomes of the files that it makes needless.
        self.last = Some(now);
        self.drop_partials(from, head.size)?;
        Ok(from..head.size)
    }

    /// Copies the checkpoints that the log keeps of hours, of those that are new and the last one, on which lines may
    /// have come since. Each that one of the keys signed must be of this log, as far as the copy reaches; others are
    /// left. Gives how many are there. It asks for no more than `HOURS_MAX` at a time.
    ///
    /// # Errors
    /// [`MirrorError`]; of one that is of another tree, [`AuditError::Contradiction`].
    pub fn copy_hours(&self, source: &dyn StaticLog) -> Result<usize, MirrorError> {
        let own = Folder::new(&self.dir);
        let there = own.hours_after(None).map_err(AuditError::from)?;
        let Some(last) = &self.last else {
            return Ok(there.len());
        };
        let tiles = Tiles::open(&own, last.head())?;
        let mut count = there.len();
        let newest = there.last().copied();
        let mut after = newest.and_then(|newest| newest.checked_sub(1));
        for _ in 0..HOURS_MAX {
            let hours = source.hours_after(after).map_err(AuditError::from)?;
            let Some(hour) = hours.first().copied() else {
                break;
            };
            for hour in hours {
                count += usize::from(newest != Some(hour) && self.copy_hour(source, &tiles, hour)?);
                after = Some(hour);
            }
            if after.is_none_or(|after| after < hour) {
                break;
            }
        }
        Ok(count)
    }

    /// Copies the checkpoint of an hour; gives whether one is there then.
    fn copy_hour(
        &self,
        source: &dyn StaticLog,
        tiles: &Tiles<'_>,
        hour: u64,
    ) -> Result<bool, MirrorError> {
        let note = match source.hour(hour) {
            Err(SourceError::Absent) => return Ok(false),
            note => note.map_err(AuditError::from)?,
        };
        let shown = read_checkpoint(&note)?;
        let Ok(shown) = verify_by_any(&shown, &self.logs) else {
            return Ok(false);
        };
        let head = shown.head();
        // What the copy does not reach is copied when it does.
        if head.size > tiles.head().size {
            return Ok(false);
        }
        if tiles.root_at(head.size)? != head.root {
            let size = head.size;
            let before = self.last.as_ref().map(ToString::to_string);
            return Err(MirrorError::Log(AuditError::Contradiction(Contradiction {
                what: format!(
                    "the log keeps a cosigned checkpoint of {size} entries with another root than its own tree of that size"
                ),
                before: before.unwrap_or_default(),
                now: shown.to_string(),
            })));
        }
        let folder = self.dir.join(HOURS);
        make_folders(&folder)?;
        replace(&folder.join(hour.to_string()), &note)?;
        Ok(true)
    }

    fn copy_tiles(
        &self,
        source: &dyn TileSource,
        from: u64,
        head: TreeHead,
        threads: NonZeroUsize,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), MirrorError> {
        let tiles = Tiles::open(source, head)?;
        // Before anything is written: a copy that nothing here reads would be of no use.
        check_format(&tiles)?;
        walk(
            &tiles,
            from,
            threads,
            || |bundle: ProvenBundle| bundle,
            |ProvenBundle { id, bytes, leaves }| -> Result<(), MirrorError> {
                let number = id.number();
                self.put(id, &bytes)?;
                let id_of_leaves = in_tree(Level::Hashes(0), number, head)?;
                self.put(id_of_leaves, &joined(leaves.hashes()))?;
                progress((number * TILE_HASHES + u64::from(id.width())).min(head.size));
                Ok(())
            },
        )?;
        for level in 1..LEVELS_MAX {
            let items = |size: u64| size >> (8 * u32::from(level));
            for number in items(from) / TILE_HASHES..items(head.size).div_ceil(TILE_HASHES) {
                let row = tiles.hashes(level, number)?;
                let id = in_tree(Level::Hashes(level), number, head)?;
                self.put(id, &joined(row.hashes()))?;
            }
        }
        Ok(())
    }

    /// Writes a tile, unless just these bytes are there.
    fn put(&self, id: TileId, bytes: &[u8]) -> Result<(), FileError> {
        let path = self.dir.join(id.to_string());
        if read_if_there(&path)?.is_some_and(|there| there == bytes) {
            return Ok(());
        }
        replace(&path, bytes)
    }

    /// Removes the partial tiles of the old edge that a later tile contains now.
    fn drop_partials(&self, old: u64, new: u64) -> Result<(), FileError> {
        let levels = (0..LEVELS_MAX).map(Level::Hashes);
        for level in levels.chain([Level::Entries]) {
            let shift = match level {
                Level::Hashes(level) => 8 * u32::from(level),
                Level::Entries => 0,
            };
            let number = (old >> shift) / TILE_HASHES;
            let full = TileId::full(level, number);
            let folder = self.dir.join(format!("{full}.p"));
            let kept = TileId::in_tree(level, number, new)
                .filter(|id| !id.is_full())
                .map(|id| id.width().to_string());
            let files = match fs::read_dir(&folder) {
                Ok(files) => files,
                // The old edge had no partial tile at this level.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(at(&folder)(error)),
            };
            if kept.is_none() {
                remove_folder(&folder)?;
                continue;
            }
            for file in files {
                let file = file.map_err(at(&folder))?;
                if kept.as_deref() != file.file_name().to_str() {
                    remove(&file.path())?;
                }
            }
        }
        Ok(())
    }
}

/// Opens a checkpoint by the first of the keys that signed it. A line that names one of them and
/// does not hold counts before one that is not there.
fn verify_by_any(
    claimed: &UnverifiedCheckpoint,
    logs: &[VerifierKey],
) -> Result<Checkpoint, AuditError> {
    // Said only when there are no keys: each of them gives its own reason.
    let mut wrong = AuditError::Unreachable("no key was given to open its checkpoint".to_owned());
    for log in logs {
        match claimed.clone().verify(log) {
            Ok(opened) => return Ok(opened),
            Err(_) if wrong.outcome() == Outcome::False => {}
            Err(CheckpointError::Note(NoteError::NotSignedBy(_))) => {
                wrong = AuditError::NotSigned(log.clone());
            }
            Err(error) => wrong = error.into(),
        }
    }
    Err(wrong)
}

fn in_tree(level: Level, number: u64, head: TreeHead) -> Result<TileId, TileFault> {
    TileId::in_tree(level, number, head.size)
        .ok_or_else(|| TileFault::wrong(format!("tile {number}"), "the tree has no such"))
}

fn joined(hashes: &[crate::merkle::Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH_BYTES);
    for hash in hashes {
        bytes.extend_from_slice(hash.as_bytes());
    }
    bytes
}

/// The folder first, for what a broken run left, then the log.
struct FolderThenLog<'a> {
    folder: Folder,
    log: &'a dyn StaticLog,
}

impl TileSource for FolderThenLog<'_> {
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        if id.is_full()
            // A tile that is not there, or can't be read, comes from the log.
            && let Ok(bytes) = self.folder.tile(id)
        {
            return Ok(bytes);
        }
        self.log.tile(id)
    }
}
