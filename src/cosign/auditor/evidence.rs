//! What an auditor keeps when a log is wrong: what the log signed, and the tiles that show it, as files that a
//! person can hand on.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::audit::{AuditError, SourceError, StaticLog, TileSource, Tiles, WholeError};
use crate::cosign::files::name_of;
use crate::durable::{FileError, replace};
use crate::merkle::{TILE_HASHES, TileId};
use crate::note::{TreeHead, UnverifiedCheckpoint};

/// Bytes of tiles that are remembered as they came: a log that is found wrong may not show them again.
const REMEMBERED_BYTES_MAX: usize = 32 << 20;

/// A log as it is read in one round: counts bytes, and remembers the newest tiles.
pub(super) struct ReadLog<'a> {
    source: &'a dyn StaticLog,
    /// What is given as the checkpoint: the pending one.
    checkpoint: Vec<u8>,
    bytes: &'a AtomicU64,
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    tiles: VecDeque<(TileId, Vec<u8>)>,
    bytes: usize,
}

impl<'a> ReadLog<'a> {
    pub(super) fn new(
        source: &'a dyn StaticLog,
        checkpoint: Vec<u8>,
        bytes: &'a AtomicU64,
    ) -> Self {
        Self {
            source,
            checkpoint,
            bytes,
            remembered: Mutex::default(),
        }
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        // A thread that panicked left at most a wrong count, which only moves what is forgotten.
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl TileSource for ReadLog<'_> {
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        let tile = self.source.tile(id)?;
        self.bytes.fetch_add(tile.len() as u64, Ordering::Relaxed);
        let mut remembered = self.remembered();
        remembered.bytes += tile.len();
        remembered.tiles.push_back((id, tile.clone()));
        while remembered.bytes > REMEMBERED_BYTES_MAX {
            let Some((_, gone)) = remembered.tiles.pop_front() else {
                break;
            };
            remembered.bytes -= gone.len();
        }
        Ok(tile)
    }
}

impl StaticLog for ReadLog<'_> {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        Ok(self.checkpoint.clone())
    }
}

/// Reads what was remembered, then the log, and records all of it.
struct Recorder<'a> {
    log: &'a ReadLog<'a>,
    tiles: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl TileSource for Recorder<'_> {
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        let remembered = {
            let kept = self.log.remembered();
            let newest = kept.tiles.iter().rev().find(|(known, _)| *known == id);
            newest.map(|(_, tile)| tile.clone())
        };
        let tile = match remembered {
            Some(tile) => tile,
            None => self.log.source.tile(id)?,
        };
        let mut tiles = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        tiles.insert(id.to_string(), tile.clone());
        Ok(tile)
    }
}

/// A fault of a log: what the log signed shows that the log is wrong, to anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong, in words.
    pub(super) what: String,
    /// Checkpoints that the log signed, as text.
    pub(super) checkpoints: Vec<String>,
    /// Files of a log in the standard's layout: a checkpoint, and the tiles that show what is wrong.
    pub(super) log: BTreeMap<String, Vec<u8>>,
}

impl Fault {
    /// Whether an error shows that the log is wrong by what the log signed. A tile or a signature that does not
    /// hold shows nothing: anybody on the way may have changed it.
    pub(super) fn is_shown_by(error: &AuditError) -> bool {
        matches!(
            error,
            AuditError::Contradiction(_)
                | AuditError::Whole(WholeError::Violation(_) | WholeError::Root { .. })
        )
    }

    /// Gathers the evidence of an error. What can't be had any more is left out.
    pub(super) fn gather(error: &AuditError, pending: &str, log: &ReadLog<'_>) -> Self {
        let recorder = Recorder {
            log,
            tiles: Mutex::default(),
        };
        let mut checkpoints = Vec::new();
        let mut shown = pending.to_owned();
        match error {
            AuditError::Contradiction(contradiction) => {
                checkpoints.push(contradiction.before.clone());
                checkpoints.push(contradiction.now.clone());
                let heads = checkpoints.iter().filter_map(|note| {
                    let read = UnverifiedCheckpoint::parse(note.as_bytes()).ok()?;
                    Some((read.head(), note))
                });
                let mut heads: Vec<(TreeHead, &String)> = heads.collect();
                heads.sort_by_key(|(head, _)| head.size);
                if let [(short, _), (long, note)] = heads.as_slice() {
                    shown = (*note).clone();
                    // Recorded as far as they can be had.
                    let _ =
                        Tiles::open(&recorder, *long).and_then(|tiles| tiles.root_at(short.size));
                }
            }
            error => {
                checkpoints.push(pending.to_owned());
                let head = UnverifiedCheckpoint::parse(pending.as_bytes()).map(|it| it.head());
                if let (Ok(head), AuditError::Whole(WholeError::Violation(violation))) =
                    (head, error)
                {
                    let number = violation.index / TILE_HASHES;
                    let _ = Tiles::open(&recorder, head).and_then(|tiles| tiles.bundle(number));
                }
            }
        }
        let tiles = recorder.tiles.into_inner();
        let mut log = tiles.unwrap_or_else(PoisonError::into_inner);
        if !log.is_empty() {
            log.insert("checkpoint".to_owned(), shown.into_bytes());
        }
        Self {
            what: error.to_string(),
            checkpoints,
            log,
        }
    }

    /// A checkpoint that the log signed beside another one of the same size.
    pub(super) fn two_roots(before: String, now: String, size: u64) -> Self {
        Self {
            what: format!("the log signed two different trees of {size} entries"),
            checkpoints: vec![before, now],
            log: BTreeMap::new(),
        }
    }

    /// Writes the evidence into a folder. Done again it gives the same files.
    pub(super) fn write_into(&self, folder: &Path) -> Result<(), FileError> {
        for note in &self.checkpoints {
            let Ok(read) = UnverifiedCheckpoint::parse_extended(note.as_bytes()) else {
                continue;
            };
            let name = format!("{}.checkpoint", name_of(read.head()));
            replace(&folder.join(name), note.as_bytes())?;
        }
        for (name, bytes) in &self.log {
            replace(&folder.join("log").join(name), bytes)?;
        }
        replace(
            &folder.join("what.txt"),
            format!("{}\n", self.what).as_bytes(),
        )
    }
}
