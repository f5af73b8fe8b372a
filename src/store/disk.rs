//! The disk store: a journal for what was just acknowledged, immutable files for the rest.
//!
//! ```text
//! DIR/VERSION            which software may read this
//! DIR/LOCK               held while a server runs
//! DIR/journal/<size>     segments, named by the size of the tree that they begin at
//! DIR/public/tile/…      full tiles and bundles, as c2sp.org/tlog-tiles names them
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::committed::{Recovered, extend, head_of, recover};
use super::directory::{StoreLock, VERSION, journal_dir};
use super::inspected::{read_tail, read_tile};
use super::journal::{
    JournalWriter, SEGMENT_BYTES, drop_segments, read_segment, renew_newest, segment_files,
};
use super::stop::Stop;
use super::tail::Tail;
use super::tile_files::TileFiles;
use super::{Batch, BoxFuture, CommitOutcome, Store, StoreError};
use crate::durable::{Held, at, make_folders, replace};
use crate::measures::Durations;
use crate::merkle::{Frontier, TILE_HASHES, TileId};
use crate::record::LogHead;

/// A log in plain files.
pub struct DiskStore {
    /// What commits, reads and the tiler work on. A commit under way keeps it alive.
    shared: Arc<Shared>,
    /// The thread that writes full tiles; `None` once it was told to end.
    tiler: Option<Tiler>,
}

/// The thread that writes full tiles to files.
struct Tiler {
    /// Wakes the thread. A commit that the runtime never ran keeps a sender for ever, so the thread
    /// is told its end.
    wake: mpsc::Sender<Wake>,
    /// The thread, to be joined when the store is dropped.
    thread: JoinHandle<()>,
}

/// What the thread that writes tiles is woken for.
enum Wake {
    /// Tiles may be full.
    Write,
    /// The store is dropped.
    End,
}

struct Shared {
    /// The store's directory.
    dir: PathBuf,
    /// Full tiles and bundles in files.
    files: TileFiles,
    /// Bytes of a journal segment after which a commit begins the next one.
    segment_bytes: u64,
    /// Why the store commits nothing more.
    stopped: Stop,
    /// Held from the beginning to the end of a commit, so that commits come one after the other.
    /// Otherwise only locked to read the head. The tail's lock is taken inside, never
    /// the other way round.
    committer: Mutex<Committer>,
    /// Durable entries that are not in files yet. A commit adds to the tail after its sync, and the
    /// tiler removes from it once files are durable: a tile is always in the tail or in a file.
    tail: RwLock<Tail>,
    /// How long syncs of the journal took.
    syncs: Durations,
    /// The lock on the directory. A commit under way holds the lock even when its caller dropped
    /// the store: no other process opens the journal before that commit has ended.
    _lock: Held,
}

/// What one commit at a time changes.
struct Committer {
    /// The journal's newest segment.
    journal: JournalWriter,
    /// The tree over all durable entries.
    tree: Frontier,
}

/// Held by the thread that writes tiles: if it panics, the store stops.
struct StopsAtPanic(Arc<Shared>);

impl Drop for StopsAtPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let tiler = "the thread that writes tiles";
            self.0.stop(StoreError::BrokeOff(tiler));
        }
    }
}

impl DiskStore {
    /// Makes an empty store in a directory that is not there yet, or is empty. VERSION comes last:
    /// a crash before leaves a directory without one, which no store opens and
    /// [`Self::is_unfinished`] recognizes.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn create(dir: &Path) -> Result<(), StoreError> {
        make_folders(&journal_dir(dir))?;
        make_folders(&dir.join("public"))?;
        JournalWriter::begin(&journal_dir(dir), LogHead::empty())?;
        Ok(replace(&dir.join("VERSION"), VERSION.as_bytes())?)
    }

    /// Whether a directory holds no more than [`Self::create`] leaves when a crash comes before its
    /// last step: no VERSION, no entries.
    ///
    /// # Errors
    /// [`StoreError`] when what is there can't be read.
    pub fn is_unfinished(dir: &Path) -> Result<bool, StoreError> {
        let mut files = Vec::new();
        // A path that can't be looked up is no missing one: the error says so.
        let has = |path: &Path| path.try_exists().map_err(at(path));
        if has(&journal_dir(dir))? {
            files = segment_files(&journal_dir(dir))?;
        }
        for (start, path) in files {
            if start > 0 || !read_segment(&path, true)?.commits.is_empty() {
                return Ok(false);
            }
        }
        Ok(!has(&dir.join("VERSION"))?
            && !has(&dir.join("LOCK"))?
            && TileFiles::of(dir).bundles()? == 0)
    }

    /// Opens a store, recovers the tree as last committed, and keeps others out.
    ///
    /// # Errors
    /// [`StoreError`] tells what is missing, locked, of another version, or damaged.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, SEGMENT_BYTES)
    }

    /// As [`Self::open`]; a journal segment of `segment_bytes` or more gets no further commit.
    ///
    /// # Errors
    /// [`StoreError`], as above.
    pub fn open_with(dir: &Path, segment_bytes: u64) -> Result<Self, StoreError> {
        let StoreLock { lock, .. } = StoreLock::take(dir)?;
        let journals = journal_dir(dir);
        renew_newest(&journals)?;
        let Recovered {
            newest, tail, tree, ..
        } = recover(dir)?;
        let committer = Committer {
            journal: JournalWriter::resume(&journals, &newest)?,
            tree,
        };
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            files: TileFiles::of(dir),
            segment_bytes,
            stopped: Stop::default(),
            committer: Mutex::new(committer),
            tail: RwLock::new(tail),
            syncs: Durations::default(),
            _lock: lock,
        });
        let (wake, woken) = mpsc::channel();
        let writes = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("tiler".to_owned())
            .spawn(move || {
                let shared = StopsAtPanic(writes);
                while let Ok(Wake::Write) = woken.recv() {
                    if let Err(error) = shared.0.write_tiles() {
                        tracing::error!(%error, "writing tiles failed; the store stops");
                        shared.0.stop(error);
                    }
                }
            })
            .map_err(at(dir))?;
        shared.wake(&wake);
        Ok(Self {
            shared,
            tiler: Some(Tiler { wake, thread }),
        })
    }

    /// The head as last committed.
    pub fn head_now(&self) -> Result<LogHead, StoreError> {
        let committer = self.shared.committer();
        match self.shared.stopped.why() {
            Some(why) => Err(StoreError::Stopped(why.to_string())),
            None => Ok(head_of(&committer.tree)),
        }
    }

    /// Reads a tile on this thread.
    ///
    /// # Errors
    /// [`StoreError`] when its file can't be read or has another length.
    pub fn read_now(&self, tile: TileId) -> Result<Option<Bytes>, StoreError> {
        self.shared.read(tile)
    }

    /// Makes a batch durable on this thread.
    pub fn commit_now(&self, batch: &Batch) -> CommitOutcome {
        let outcome = self.shared.commit(batch);
        if matches!(outcome, CommitOutcome::Committed)
            && let Some(tiler) = &self.tiler
        {
            self.shared.wake(&tiler.wake);
        }
        outcome
    }
}

/// Waits until the tiler has finished the tiles that it is writing.
impl Drop for DiskStore {
    fn drop(&mut self) {
        if let Some(Tiler { wake, thread }) = self.tiler.take() {
            // The thread may have ended by a panic.
            let _ = wake.send(Wake::End);
            if thread.join().is_err() {
                // Tiles that the thread did not write are still in the journal: the next start
                // writes them.
                tracing::error!("the thread that writes tiles panicked");
            }
        }
    }
}

impl Store for DiskStore {
    fn head(&self) -> BoxFuture<'_, Result<LogHead, StoreError>> {
        Box::pin(async { self.head_now() })
    }

    fn commit(&self, batch: Arc<Batch>) -> BoxFuture<'static, CommitOutcome> {
        let shared = Arc::clone(&self.shared);
        let wake = self.tiler.as_ref().map(|tiler| tiler.wake.clone());
        let done = tokio::task::spawn_blocking(move || {
            let outcome = shared.commit(&batch);
            // Also after a commit that failed: a wake without full tiles does nothing.
            if let Some(wake) = wake
                && batch.from.tree.size / TILE_HASHES != batch.to.tree.size / TILE_HASHES
            {
                shared.wake(&wake);
            }
            outcome
        });
        Box::pin(async move {
            done.await.unwrap_or_else(|error| {
                CommitOutcome::Unknown(StoreError::Stopped(error.to_string()))
            })
        })
    }

    fn read(&self, tile: TileId) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        // Tiles are small and mostly in the page cache: a read on this thread costs less than
        // handing it to another.
        Box::pin(async move { self.shared.read(tile) })
    }

    fn stopped(&self) -> BoxFuture<'_, StoreError> {
        Box::pin(self.shared.stopped.wait())
    }

    fn syncs(&self) -> Option<Durations> {
        Some(self.shared.syncs.clone())
    }

    fn unsettled_entries(&self) -> Option<u64> {
        self.shared.tail().ok().map(|tail| tail.unfiled_entries())
    }
}

impl Shared {
    /// The committer. Stopped if a thread panicked while it held the lock: how far that commit came
    /// is unknown.
    fn committer(&self) -> MutexGuard<'_, Committer> {
        self.committer.lock().unwrap_or_else(|poisoned| {
            self.stop(StoreError::BrokeOff("a commit"));
            poisoned.into_inner()
        })
    }

    /// Refuses all commits from now on.
    fn stop(&self, why: StoreError) {
        self.stopped.set(why);
    }

    /// The tail, to be read.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`] if a thread panicked while it changed the tail.
    fn tail(&self) -> Result<RwLockReadGuard<'_, Tail>, StoreError> {
        read_tail(&self.tail)
    }

    /// The tail, to be changed.
    ///
    /// # Errors
    /// As [`Self::tail`].
    fn tail_mut(&self) -> Result<RwLockWriteGuard<'_, Tail>, StoreError> {
        let tail = self.tail.write();
        tail.map_err(|_| {
            StoreError::Inconsistent("a thread panicked while it changed the right edge")
        })
    }

    /// Wakes the tiler. Without it the journal would grow for ever: then the store stops.
    fn wake(&self, wake: &mpsc::Sender<Wake>) {
        if wake.send(Wake::Write).is_err() {
            self.stop(StoreError::BrokeOff("the thread that writes tiles"));
        }
    }

    fn commit(&self, batch: &Batch) -> CommitOutcome {
        let mut committer = self.committer();
        if let Some(why) = self.stopped.why() {
            return CommitOutcome::Unknown(StoreError::Stopped(why.to_string()));
        }
        let head = head_of(&committer.tree);
        if head != batch.from {
            return CommitOutcome::Moved(head);
        }
        let mut tree = committer.tree.clone();
        let Some(entries) = extend(&mut tree, batch) else {
            return CommitOutcome::Unknown(StoreError::Contradiction);
        };
        // A crash in here leaves the commit in the journal whole, torn, or not at all. A start
        // drops a torn one, and takes a whole one as committed though nobody was told so.
        let journal = &mut committer.journal;
        let done = journal.commit(batch, self.segment_bytes, &self.syncs);
        let done = done.and_then(|()| {
            let mut tail = self.tail_mut()?;
            entries
                .into_iter()
                .try_for_each(|(entry, leaf)| tail.push(entry, leaf))
        });
        match done {
            Ok(()) => {
                committer.tree = tree;
                CommitOutcome::Committed
            }
            Err(error) => {
                self.stop(error.clone());
                CommitOutcome::Unknown(error)
            }
        }
    }

    fn read(&self, tile: TileId) -> Result<Option<Bytes>, StoreError> {
        read_tile(&self.files, &self.tail, tile)
    }

    /// Writes full tiles to files, then forgets them, then drops the journal segments that hold
    /// nothing else.
    fn write_tiles(&self) -> Result<(), StoreError> {
        let (ids, bundles) = self.tail()?.full();
        if ids.is_empty() {
            return Ok(());
        }
        // A crash during the write leaves some of the tiles in files, all of them in the journal; a
        // crash after it leaves all of them in both. The next start reads the journal from its
        // first segment, and writes the tiles again.
        // A tail that can't be read gives no bytes, and the write stops at the tile.
        self.files
            .write(&ids, |id| self.tail().ok().and_then(|tail| tail.read(id)))?;
        self.tail_mut()?.forget(&ids)?;
        // A crash in here leaves a later beginning of the journal: each segment goes for good
        // before the next one does.
        drop_segments(&journal_dir(&self.dir), bundles * TILE_HASHES)
    }
}
