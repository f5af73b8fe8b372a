//! The disk store: a journal for what was just acknowledged, immutable files for the rest.
//!
//! ```text
//! DIR/VERSION            which software may read this
//! DIR/LOCK               held while a server runs
//! DIR/journal/<size>     segments, named by the size of the tree that they begin at
//! DIR/public/tile/…      full tiles and bundles, as c2sp.org/tlog-tiles names them
//! ```

use std::path::{Path, PathBuf};
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc,
};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::Notify;

use super::journal::{
    JournalWriter, SEGMENT_BYTES, Segment, drop_segments, read_segment, renew_newest, segment_files,
};
use super::tail::Tail;
use super::tile_files::{FullTiles, TileFiles};
use super::{Batch, BoxFuture, CommitOutcome, RESTORE, Store, StoreError};
use crate::durable::{
    Held, LockToRead, at, hold, hold_to_read, make_folders, read_if_there, replace,
};
use crate::merkle::{
    Bundle, Frontier, Hash, HashTile, Level, TILE_HASHES, TileId, leaf_hash, range_nodes,
};
use crate::note::TreeHead;
use crate::record::LogHead;

/// 2: the checksums of the journal are salted.
const VERSION: &str = "arborlog store 2\n";

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
    /// Why the store commits nothing more, once a write failed, an invariant broke, or a thread
    /// panicked. The first reason is kept: later ones follow from it.
    stopped: OnceLock<StoreError>,
    /// Notified when `stopped` is set.
    stops: Notify,
    /// Held from the beginning to the end of a commit, so that commits come one after the other.
    /// Otherwise only locked to read the head. The tail's lock is taken inside, never
    /// the other way round.
    committer: Mutex<Committer>,
    /// Durable entries that are not in files yet. A commit adds to the tail after its sync, and the
    /// tiler removes from it once files are durable: a tile is always in the tail or in a file.
    tail: RwLock<Tail>,
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
            stopped: OnceLock::new(),
            stops: Notify::new(),
            committer: Mutex::new(committer),
            tail: RwLock::new(tail),
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

    /// Opens a store to inspect it: nothing in the directory is changed, and nothing need be
    /// writable. Where a `LOCK` is, it is held, shared with others who inspect. Where none is, as
    /// in a backup, no server ever ran.
    ///
    /// # Errors
    /// [`StoreError`], as of [`Self::open`].
    pub fn inspect(dir: &Path) -> Result<InspectedStore, StoreError> {
        check_version(dir)?;
        let lock = match hold_to_read(&dir.join("LOCK"))? {
            LockToRead::Held(held) => Some(held),
            LockToRead::NoFile => None,
            LockToRead::Others => return Err(StoreError::Locked(dir.to_owned())),
        };
        let Recovered { tail, tree, .. } = recover(dir)?;
        Ok(InspectedStore {
            files: TileFiles::of(dir),
            tail: RwLock::new(tail),
            tree,
            _lock: lock,
        })
    }

    /// The head as last committed.
    pub fn head_now(&self) -> Result<LogHead, StoreError> {
        let committer = self.shared.committer();
        match self.shared.stopped.get() {
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

/// A store that was opened to be inspected: nothing in its directory is written.
pub struct InspectedStore {
    files: TileFiles,
    /// What is in the journal alone. Never changed.
    tail: RwLock<Tail>,
    tree: Frontier,
    /// None where no `LOCK` is: nobody ever served the directory.
    _lock: Option<Held>,
}

impl InspectedStore {
    /// The head as last committed.
    pub fn head(&self) -> LogHead {
        head_of(&self.tree)
    }

    /// The bytes of a full tile's file, if it has one: what a web server beside this one serves.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn file(&self, tile: TileId) -> Result<Option<Vec<u8>>, StoreError> {
        if !tile.is_full() {
            return Ok(None);
        }
        self.files.bytes(tile)
    }

    /// Reads a tile.
    ///
    /// # Errors
    /// [`StoreError`] when its file can't be read or has another length.
    pub fn read(&self, tile: TileId) -> Result<Option<Bytes>, StoreError> {
        read_tile(&self.files, &self.tail, tile)
    }
}

/// The lock on a store's directory: as long as it is held, nobody opens the store.
pub struct StoreLock {
    dir: PathBuf,
    lock: Held,
}

impl StoreLock {
    /// Takes it.
    ///
    /// # Errors
    /// [`StoreError`] tells whether the directory is in use, of another version, or no store.
    pub fn take(dir: &Path) -> Result<Self, StoreError> {
        check_version(dir)?;
        let held = hold(&dir.join("LOCK"))?;
        let lock = held.ok_or_else(|| StoreError::Locked(dir.to_owned()))?;
        let dir = dir.to_owned();
        Ok(Self { dir, lock })
    }

    /// The store's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
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
        Box::pin(async move {
            loop {
                // Before the look: no change in between is missed.
                let stops = self.shared.stops.notified();
                if let Some(why) = self.shared.stopped.get() {
                    return why.clone();
                }
                stops.await;
            }
        })
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
        // A later reason follows from the first.
        let _ = self.stopped.set(why);
        self.stops.notify_waiters();
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
        if let Some(why) = self.stopped.get() {
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
        let done = committer.journal.commit(batch, self.segment_bytes);
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

fn read_tail(tail: &RwLock<Tail>) -> Result<RwLockReadGuard<'_, Tail>, StoreError> {
    tail.read()
        .map_err(|_| StoreError::Inconsistent("a thread panicked while it changed the right edge"))
}

/// A tile of the tree that `tail` is the right edge of; `None` if the tree has no such.
fn read_tile(
    files: &TileFiles,
    tail: &RwLock<Tail>,
    tile: TileId,
) -> Result<Option<Bytes>, StoreError> {
    {
        let tail = read_tail(tail)?;
        if !tile.is_in_tree(tail.size()) {
            return Ok(None);
        }
        if let Some(bytes) = tail.read(&tile) {
            return Ok(Some(bytes));
        }
    }
    files.read(tile, tail).map(Some)
}

/// Appends a batch's entries to a tree; gives them with their leaf hashes, or `None` if they don't
/// lead where the batch says.
fn extend<'a>(tree: &mut Frontier, batch: &'a Batch) -> Option<Vec<(&'a [u8], Hash)>> {
    let bundle = Bundle::parse_all(&batch.entries).ok()?;
    let mut entries = Vec::with_capacity(bundle.entries().len());
    for entry in bundle.entries() {
        let leaf = leaf_hash(entry);
        tree.push(leaf);
        entries.push((*entry, leaf));
    }
    (head_of(tree) == batch.to).then_some(entries)
}

/// A store as of its last commit.
pub(super) struct Recovered {
    /// The newest segment of the journal.
    newest: Segment,
    /// What is not in files.
    tail: Tail,
    /// The tree over all entries that were committed.
    pub(super) tree: Frontier,
}

/// The store as of its last commit, by the journal and the files before it. Nothing is written.
pub(super) fn recover(dir: &Path) -> Result<Recovered, StoreError> {
    let journals = journal_dir(dir);
    let files = segment_files(&journals)?;
    let mut segments = Vec::new();
    for (place, (_, path)) in files.iter().enumerate() {
        let newest = place + 1 == files.len();
        segments.push(read_segment(path, newest)?);
    }
    let none_left = || StoreError::Damaged {
        path: journals.clone(),
        what: format!("no journal segment is left; {RESTORE}"),
    };
    let first = segments.first().ok_or_else(none_left)?;
    let files = TileFiles::of(dir);
    let (mut tail, mut tree) = edge(&files, &files, first.start.tree.size)?;
    if tree.root() != first.start.tree.root {
        return Err(StoreError::Damaged {
            path: dir.join("public"),
            what: format!(
                "its tiles do not lead to the root that {} begins at; {RESTORE}",
                first.path.display()
            ),
        });
    }
    let mut head = first.start;
    for segment in &segments {
        let damaged = |what: &str| StoreError::Damaged {
            path: segment.path.clone(),
            what: format!("{what}; {RESTORE}"),
        };
        if segment.start != head {
            return Err(damaged(
                "it does not begin where the segment before it ends",
            ));
        }
        for (entries, to) in &segment.commits {
            let batch = Batch {
                from: head,
                entries: entries.clone(),
                to: *to,
            };
            let entries = extend(&mut tree, &batch)
                .ok_or_else(|| damaged("its entries do not lead to the root that was committed"))?;
            for (entry, leaf) in entries {
                tail.push(entry, leaf)?;
            }
            head = *to;
        }
    }
    Ok(Recovered {
        newest: segments.pop().ok_or_else(none_left)?,
        tail,
        tree,
    })
}

/// The tail and the tree of the first `size` entries, from full tiles, whose errors name their
/// files. Not proven: the caller compares the root with one that was committed.
pub(super) fn edge(
    files: &TileFiles,
    tiles: &dyn FullTiles,
    size: u64,
) -> Result<(Tail, Frontier), StoreError> {
    let full = size / TILE_HASHES;
    let mut edges = Vec::new();
    let mut items = full;
    for level in 0_u8.. {
        if items == 0 {
            break;
        }
        let row = items - items % TILE_HASHES..items;
        let roots = row.map(|number| tiles.unproven(TileId::full(Level::Hashes(level), number)));
        edges.push(
            roots
                .map(|tile| Ok(tile?.1))
                .collect::<Result<_, StoreError>>()?,
        );
        items /= TILE_HASHES;
    }
    let mut tail = Tail::resume(full, edges);
    let partial = size % TILE_HASHES;
    if partial > 0 {
        // The tree ends inside a bundle, whose file holds the whole bundle.
        let (bytes, _) = tiles.unproven(TileId::full(Level::Entries, full))?;
        let last = TileId::full(Level::Entries, full);
        let bundle = Bundle::parse_all(&bytes);
        let bundle = bundle.map_err(|error| files.damaged(last, &error.to_string()))?;
        for entry in bundle.entries().iter().take(partial as usize) {
            tail.push(entry, leaf_hash(entry))?;
        }
    }
    let peaks = range_nodes(0, size)
        .into_iter()
        .map(|node| {
            let missing = || {
                let last = TileId::full(Level::Entries, full);
                files.damaged(last, &format!("no tile holds node {node:?}"))
            };
            let id = TileId::holding(node, size).ok_or_else(missing)?;
            let bytes = match tail.read(&id) {
                Some(bytes) => bytes,
                None => tiles.unproven(id)?.0,
            };
            let tile = HashTile::parse(&id, &bytes).map_err(|_| missing())?;
            tile.node(node).ok_or_else(missing)
        })
        .collect::<Result<Vec<Hash>, StoreError>>()?;
    let tree = Frontier::from_peaks(size, peaks);
    Ok((
        tail,
        tree.ok_or(StoreError::Inconsistent(
            "a tree has another number of peaks",
        ))?,
    ))
}

/// Whether this software reads the store in a directory.
fn check_version(dir: &Path) -> Result<(), StoreError> {
    let Some(found) = read_if_there(&dir.join("VERSION"))? else {
        return Err(StoreError::Missing(dir.to_owned()));
    };
    if found != VERSION.as_bytes() {
        return Err(StoreError::Version {
            dir: dir.to_owned(),
            found: String::from_utf8_lossy(&found)
                .trim()
                .chars()
                .take(80)
                .collect(),
            expected: VERSION.trim_ascii(),
        });
    }
    Ok(())
}

pub(super) fn journal_dir(dir: &Path) -> PathBuf {
    dir.join("journal")
}

/// The head of a log of these entries: none of them is a state entry.
fn head_of(tree: &Frontier) -> LogHead {
    LogHead::without_state(TreeHead::of(tree))
}
