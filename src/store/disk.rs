//! The disk store: a journal for what was just acknowledged, immutable files for the rest.
//!
//! ```text
//! DIR/VERSION            which software may read this
//! DIR/LOCK               held while a server runs
//! DIR/journal/<size>     segments, named by the size of the tree that they begin at
//! DIR/public/tile/…      full tiles and bundles, as c2sp.org/tlog-tiles names them
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::journal::{Journal, SEGMENT_BYTES, drop_segments, read_segment, segment_files};
use super::tail::Tail;
use super::tile_files::{FullTiles, TileFiles};
use super::{Batch, BoxFuture, Outcome, RESTORE, Store, StoreError};
use crate::durable::{Held, at, hold, make_folders, read_if_there, replace};
use crate::merkle::{
    Bundle, Frontier, Hash, HashTile, Level, TILE_HASHES, TileId, leaf_hash, range_nodes,
};
use crate::note::TreeHead;
use crate::record::LogHead;

const VERSION: &str = "arborlog store 1\n";

/// A log in plain files.
pub struct DiskStore {
    shared: Arc<Shared>,
    tiler: Mutex<Option<(mpsc::Sender<()>, JoinHandle<()>)>>,
}

struct Shared {
    dir: PathBuf,
    files: TileFiles,
    segment_bytes: u64,
    /// Who commits holds it throughout; nobody else takes it.
    writer: Mutex<Writer>,
    /// Durable entries that are not in files yet. Written after each sync, and by the tiler when
    /// files are durable; a tile is always in it or in a file.
    tail: RwLock<Tail>,
    /// Keeps others out. A commit under way holds it too, though its caller may have dropped the
    /// store: nobody else opens the journal before that commit has ended.
    _lock: Held,
}

struct Writer {
    journal: Journal,
    tree: Frontier,
    stopped: Option<String>,
}

impl DiskStore {
    /// Makes an empty store in a directory that is not there yet, or is empty.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn create(dir: &Path) -> Result<(), StoreError> {
        make_folders(&journal_dir(dir))?;
        make_folders(&dir.join("public"))?;
        Journal::begin(&journal_dir(dir), LogHead::empty())?;
        Ok(replace(&dir.join("VERSION"), VERSION.as_bytes())?)
    }

    /// Whether a directory holds what [`Self::create`] leaves if it is cut off before its last step,
    /// or less: no VERSION, no entries.
    ///
    /// # Errors
    /// [`StoreError`] when what is there can't be read.
    pub fn is_unfinished(dir: &Path) -> Result<bool, StoreError> {
        let mut files = Vec::new();
        if journal_dir(dir).exists() {
            files = segment_files(&journal_dir(dir))?;
        }
        for (start, path) in files {
            if start > 0 || !read_segment(&path, true)?.commits.is_empty() {
                return Ok(false);
            }
        }
        let has = |name: &str| dir.join(name).exists();
        Ok(!has("VERSION") && !has("LOCK") && TileFiles::of(dir).bundles()? == 0)
    }

    /// Opens a store, recovers the tree as last committed, and keeps others out.
    ///
    /// # Errors
    /// [`StoreError`] tells what is missing, locked, of another version, or damaged.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, SEGMENT_BYTES)
    }

    /// As [`Self::open`], with segments of the journal of so many bytes, and a commit more.
    ///
    /// # Errors
    /// [`StoreError`], as above.
    pub fn open_with(dir: &Path, segment_bytes: u64) -> Result<Self, StoreError> {
        let store = Self::inspect_with(dir, segment_bytes)?;
        let shared = &store.shared;
        let (wake, woken) = mpsc::channel();
        let shelf = Arc::clone(shared);
        let tiler = std::thread::Builder::new()
            .name("tiler".to_owned())
            .spawn(move || {
                while woken.recv().is_ok() {
                    while woken.try_recv().is_ok() {}
                    if let Err(error) = shelf.write_tiles() {
                        shelf.writer().stopped = Some(error.to_string());
                        tracing::error!(%error, "writing tiles failed; the store stops");
                    }
                }
            })
            .map_err(at(dir))?;
        let _ = wake.send(());
        *store.tiler.lock().unwrap_or_else(PoisonError::into_inner) = Some((wake, tiler));
        Ok(store)
    }

    /// Opens a store to look at it: as [`Self::open`], but nothing in it is changed.
    ///
    /// # Errors
    /// [`StoreError`], as above.
    pub fn inspect(dir: &Path) -> Result<Self, StoreError> {
        Self::inspect_with(dir, SEGMENT_BYTES)
    }

    fn inspect_with(dir: &Path, segment_bytes: u64) -> Result<Self, StoreError> {
        let lock = lock(dir)?;
        let (journal, tail, tree) = recover(dir)?;
        let writer = Writer {
            journal,
            tree,
            stopped: None,
        };
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            files: TileFiles::of(dir),
            segment_bytes,
            writer: Mutex::new(writer),
            tail: RwLock::new(tail),
            _lock: lock,
        });
        Ok(Self {
            shared,
            tiler: Mutex::new(None),
        })
    }

    /// The bytes of a full tile's file, if it has one: what a web server beside this one serves.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn file_now(&self, tile: TileId) -> Result<Option<Vec<u8>>, StoreError> {
        if !tile.is_full() {
            return Ok(None);
        }
        self.shared.files.bytes(tile)
    }

    /// The head as last committed.
    pub fn head_now(&self) -> Result<LogHead, StoreError> {
        let writer = self.shared.writer();
        match &writer.stopped {
            Some(why) => Err(StoreError::Stopped(why.clone())),
            None => Ok(head_of(&writer.tree)),
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
    pub fn commit_now(&self, batch: &Batch) -> Outcome {
        let outcome = self.shared.commit(batch);
        if matches!(outcome, Outcome::Committed)
            && let Some((wake, _)) = &*self.tiler.lock().unwrap_or_else(PoisonError::into_inner)
        {
            let _ = wake.send(());
        }
        outcome
    }
}

/// Waits for the tiler to finish what it is at.
impl Drop for DiskStore {
    fn drop(&mut self) {
        let tiler = self
            .tiler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((wake, tiler)) = tiler {
            drop(wake);
            let _ = tiler.join();
        }
    }
}

impl Store for DiskStore {
    fn head(&self) -> BoxFuture<'_, Result<LogHead, StoreError>> {
        Box::pin(async { self.head_now() })
    }

    fn commit(&self, batch: Arc<Batch>) -> BoxFuture<'static, Outcome> {
        let shared = Arc::clone(&self.shared);
        let wake = {
            let tiler = self.tiler.lock().unwrap_or_else(PoisonError::into_inner);
            tiler.as_ref().map(|(wake, _)| wake.clone())
        };
        let done = tokio::task::spawn_blocking(move || {
            let outcome = shared.commit(&batch);
            if let Some(wake) = wake
                && batch.from.tree.size / TILE_HASHES != batch.to.tree.size / TILE_HASHES
            {
                let _ = wake.send(());
            }
            outcome
        });
        Box::pin(async move {
            done.await
                .unwrap_or_else(|error| Outcome::Unknown(StoreError::Stopped(error.to_string())))
        })
    }

    fn read(&self, tile: TileId) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        // Tiles are small and mostly in the page cache: a read on this thread costs less than
        // handing it to another.
        Box::pin(async move { self.shared.read(tile) })
    }
}

impl Shared {
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit(&self, batch: &Batch) -> Outcome {
        let mut writer = self.writer();
        if let Some(why) = &writer.stopped {
            return Outcome::Unknown(StoreError::Stopped(why.clone()));
        }
        let head = head_of(&writer.tree);
        if head != batch.from {
            return Outcome::Moved(head);
        }
        let mut tree = writer.tree.clone();
        let Some(entries) = extend(&mut tree, batch) else {
            return Outcome::Unknown(StoreError::Contradiction);
        };
        if let Err(error) = writer.journal.commit(batch, self.segment_bytes) {
            writer.stopped = Some(error.to_string());
            return Outcome::Unknown(error);
        }
        writer.tree = tree;
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        for (entry, leaf) in entries {
            tail.push(entry, leaf);
        }
        Outcome::Committed
    }

    fn read(&self, tile: TileId) -> Result<Option<Bytes>, StoreError> {
        {
            let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
            if !tile.is_in_tree(tail.size()) {
                return Ok(None);
            }
            if let Some(bytes) = tail.read(&tile) {
                return Ok(Some(bytes));
            }
        }
        self.files.read(tile, &self.tail).map(Some)
    }

    /// Writes full tiles to files, then forgets them, then drops the journal segments that hold
    /// nothing else.
    fn write_tiles(&self) -> Result<(), StoreError> {
        let (ids, bundles) = self
            .tail
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .full();
        if ids.is_empty() {
            return Ok(());
        }
        self.files.write(&ids, |id| {
            let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
            tail.read(id)
        })?;
        self.tail
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .forget(&ids);
        drop_segments(&journal_dir(&self.dir), bundles * TILE_HASHES)
    }
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

/// What was committed, by the journal and the files before it. Nothing is written.
pub(super) fn recover(dir: &Path) -> Result<(Journal, Tail, Frontier), StoreError> {
    let journals = journal_dir(dir);
    let files = segment_files(&journals)?;
    let mut segments = Vec::new();
    for (place, (_, path)) in files.iter().enumerate() {
        let newest = place + 1 == files.len();
        segments.push(read_segment(path, newest)?);
    }
    let (Some(first), Some(newest)) = (segments.first(), segments.last()) else {
        return Err(StoreError::Damaged {
            path: journals,
            what: format!("no journal segment is left; {RESTORE}"),
        });
    };
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
                tail.push(entry, leaf);
            }
            head = *to;
        }
    }
    Ok((Journal::resume(&journals, newest)?, tail, tree))
}

/// The tail and the tree of so many entries, from the full tiles before them, whose errors name
/// their files. Not proven: the caller holds the root against one that was committed.
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
                .map(|it| Ok(it?.1))
                .collect::<Result<_, StoreError>>()?,
        );
        items /= TILE_HASHES;
    }
    let mut tail = Tail::resume(full, edges);
    let partial = size % TILE_HASHES;
    if partial > 0 {
        // It ends inside a bundle, which then is whole in a file.
        let (bytes, _) = tiles.unproven(TileId::full(Level::Entries, full))?;
        let bundle = Bundle::parse_all(&bytes).map(|it| it.entries().to_vec());
        for entry in bundle.unwrap_or_default().iter().take(partial as usize) {
            tail.push(entry, leaf_hash(entry));
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
    Ok((tail, Frontier::from_peaks(size, peaks).unwrap_or_default()))
}

pub(super) fn lock(dir: &Path) -> Result<Held, StoreError> {
    let path = dir.join("VERSION");
    let Some(found) = read_if_there(&path)? else {
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
    hold(&dir.join("LOCK"))?.ok_or_else(|| StoreError::Locked(dir.to_owned()))
}

pub(super) fn journal_dir(dir: &Path) -> PathBuf {
    dir.join("journal")
}

/// The head of a log of these entries: none of them is a state entry.
fn head_of(tree: &Frontier) -> LogHead {
    LogHead::without_state(TreeHead::of(tree))
}
