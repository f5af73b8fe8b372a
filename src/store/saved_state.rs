//! The ledger's state between starts, in sled.
//!
//! Derived: on start it must match the log, and whatever does not is rebuilt from the entries.
//!
//! A value is a chunk of a bucket as of one save. Its key is: number of the ledger's map (`u8`),
//! the encoded key that the bucket begins at (of one length in each map), number of the save
//! (`u64`), number of the chunk (`u32`). One value more, the header, names the last whole save, the
//! tree that it belongs to, the digest over all buckets, and the state root. A save writes the buckets that changed
//! beside the old ones, in batches of bounded size, then the header, then removes what it replaced:
//! a crash anywhere leaves the save before, or this one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bincode::{Decode, Encode};
use sha2::{Digest as _, Sha256};

use crate::durable::{FileError, at, copy_folder_unsynced, remove_folder, rename_folder};
use crate::ledger::trie::TrieError;
use crate::ledger::{BucketError, Globals, RULES_VERSION, State, StateImage};
use crate::merkle::Hash;
use crate::note::TreeHead;
use crate::record::{CodecError, LogHead, decode, encode};

/// The version of this layout: a save of another one is not read.
const FORMAT: u32 = 3;
/// The key of the header. Older than the header's name: the bytes in databases stay.
const HEADER_KEY: &[u8] = b"meta";
const HEADER_BYTES_MAX: usize = 1 << 20;
/// sled keeps larger values in files of their own, which it never syncs.
const CHUNK_BYTES: usize = 32 * 1024;
/// Bytes handed to sled at once: it holds them in memory twice.
const BATCH_BYTES: usize = 4 << 20;
/// sled's own cache; the state is in our memory, so it needs little.
const CACHE_BYTES: u64 = 32 << 20;

/// Why the saved state can't be used or written. The log itself is not affected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SavedStateError {
    /// The bytes of the database are not those that sled wrote, or another version of sled wrote
    /// them; sled's reason as text.
    #[error("the saved state in {0} is damaged: {1}")]
    Damaged(PathBuf, String),
    /// sled returned another error, here as text. It says nothing of the bytes.
    #[error("the saved state in {0}: {1}")]
    Sled(PathBuf, String),
    /// A database that can't be read could not be renamed.
    #[error(transparent)]
    File(#[from] FileError),
    /// A bucket could not be encoded.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The state has no root.
    #[error(transparent)]
    Trie(#[from] TrieError),
    /// The header could not be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A state to be saved.
pub struct StateChange {
    /// The state as it was when the change was taken.
    pub image: StateImage,
    /// The head of the log with the entries that the state rests on.
    pub head: LogHead,
}

/// The buckets of one save, in the order of their ids, which the digest is made in.
type SavedBuckets = BTreeMap<BucketId, SavedBucket>;
/// The number of a ledger's map, and the encoded key that a bucket of that map begins at.
type BucketId = (u8, Vec<u8>);

/// What is known of a bucket in the database without its bytes.
#[derive(Clone, Copy)]
struct SavedBucket {
    /// SHA-256 over the bucket's bytes.
    digest: [u8; 32],
    /// The number of the save that wrote the bucket.
    save: u64,
    /// The number of values that the bucket's bytes are in.
    chunks: u32,
}

impl SavedBucket {
    fn of(bytes: &[u8], save: u64) -> Result<Self, CodecError> {
        let too_long =
            |_| CodecError::Malformed("a bucket has more chunks than a key can count".to_owned());
        Ok(Self {
            digest: Sha256::digest(bytes).into(),
            save,
            chunks: u32::try_from(bytes.len().div_ceil(CHUNK_BYTES)).map_err(too_long)?,
        })
    }
}

/// The value that makes a save whole: a save without a header that names it never happened.
#[derive(Encode, Decode)]
struct SaveHeader {
    /// The layout of the database: [`FORMAT`] when it was written.
    format: u32,
    /// The version of the rules that made the state: [`RULES_VERSION`] when it was written.
    rules: u32,
    /// The number of the save.
    save: u64,
    /// Number of entries in the tree that the state rests on.
    size: u64,
    /// Root over that tree.
    root: [u8; 32],
    /// The digest over `globals` and all buckets: see [`digest_all`].
    digest: [u8; 32],
    /// The state root, which is over all that the rules look into.
    state_root: [u8; 32],
    /// What the state holds beside its maps.
    globals: Globals,
}

impl SaveHeader {
    /// The head that the save belongs to. Only its tree was written.
    fn log_head(&self) -> LogHead {
        LogHead::without_state(TreeHead {
            size: self.size,
            root: Hash::from_bytes(self.root),
        })
    }
}

/// The saved state, open.
pub struct SavedState {
    /// The database's folder, for errors.
    path: PathBuf,
    /// The database. Nobody else opens it while this is open: sled locks it.
    db: sled::Db,
    /// The buckets of the last whole save; empty before [`Self::load`] succeeded, and after a
    /// clear: then the next save writes all.
    buckets: SavedBuckets,
    /// The number of the last save that is whole.
    save: u64,
}

impl SavedState {
    /// Opens the database, or makes an empty one. One that sled can't read is renamed, and an empty
    /// one made; a crash between the two leaves none, which the next start makes.
    ///
    /// # Errors
    /// [`SavedStateError::Sled`].
    pub fn open(path: &Path) -> Result<Self, SavedStateError> {
        let db = match open_db(path) {
            Err(error @ SavedStateError::Damaged(..)) => {
                tracing::warn!(%error, "it is rebuilt from the log");
                rename_damaged(path)?;
                open_db(path)?
            }
            opened => opened?,
        };
        Ok(Self::of(path, db))
    }

    /// Opens a copy of a database, which this makes in the folder `copy`: sled changes the files of
    /// what it opens. `None` if there is no database.
    ///
    /// # Errors
    /// [`SavedStateError::Damaged`] if sled can't read it; nothing is renamed. Another error says
    /// nothing of the database.
    pub fn open_copy(path: &Path, copy: &Path) -> Result<Option<Self>, SavedStateError> {
        if !path.try_exists().map_err(at(path))? {
            return Ok(None);
        }
        copy_folder_unsynced(path, copy)?;
        match open_db(copy) {
            // Of the database, not of its copy, which nobody looks for.
            Err(SavedStateError::Damaged(_, why)) => {
                Err(SavedStateError::Damaged(path.to_owned(), why))
            }
            opened => Ok(Some(Self::of(path, opened?))),
        }
    }

    fn of(path: &Path, db: sled::Db) -> Self {
        Self {
            path: path.to_owned(),
            db,
            buckets: SavedBuckets::new(),
            save: 0,
        }
    }

    /// The state that was saved, with the head that it belongs to; or why there is none to use.
    /// Every byte of it was checked by the digest over all buckets.
    pub fn load(&mut self) -> Result<(State, LogHead), String> {
        match self.load_whole() {
            Ok(loaded) => Ok(loaded),
            Err(why) => {
                self.buckets.clear();
                Err(why)
            }
        }
    }

    fn load_whole(&mut self) -> Result<(State, LogHead), String> {
        let sled = |error: sled::Error| error.to_string();
        let header = self
            .db
            .get(HEADER_KEY)
            .map_err(sled)?
            .ok_or("nothing was saved yet")?;
        let header: SaveHeader =
            decode::<_, HEADER_BYTES_MAX>(&header).map_err(|error| format!("its head: {error}"))?;
        if (header.format, header.rules) != (FORMAT, RULES_VERSION) {
            return Err("it was saved by another version".to_owned());
        }
        if header.globals.entries != header.size {
            return Err("it contradicts itself".to_owned());
        }
        let mut state = State::from_globals(header.globals.clone());
        let mut found: Option<FoundBucket> = None;
        // Keys of a save that was cut off, and of buckets that a later save replaced.
        let mut stale = Vec::new();
        for item in self.db.iter() {
            let (key, value) = item.map_err(sled)?;
            if key == HEADER_KEY {
                continue;
            }
            let (id, save) = parse_key(&key).ok_or("a key in it is no bucket's: it is damaged")?;
            if save > header.save {
                stale.push(key);
                continue;
            }
            match &mut found {
                Some(found) if found.id == id && found.save == save => {
                    found.bytes.extend_from_slice(&value);
                    found.keys.push(key);
                }
                _ => {
                    let next = FoundBucket {
                        id,
                        save,
                        bytes: value.to_vec(),
                        keys: vec![key],
                    };
                    if let Some(done) = found.replace(next) {
                        let replaced = found.as_ref().is_some_and(|next| next.id == done.id);
                        stale.extend(self.put(&mut state, done, replaced)?);
                    }
                }
            }
        }
        if let Some(done) = found {
            stale.extend(self.put(&mut state, done, false)?);
        }
        let digest =
            digest_all(&header.globals, &self.buckets).map_err(|error| error.to_string())?;
        if digest != header.digest {
            return Err("its digest does not match: it is damaged".to_owned());
        }
        let roots = state.roots().map_err(|error| error.to_string())?;
        if *roots.state_root().as_bytes() != header.state_root {
            return Err("it does not have its state root: it is damaged".to_owned());
        }
        let sums = state.globals().check_sums(&roots);
        sums.map_err(|error| error.to_string())?;
        self.save = header.save;
        // A crash in here leaves some of these keys; the next load finds them stale again.
        let mut writer = BatchedWriter::new(&self.db);
        for key in stale {
            writer.remove(&key).map_err(sled)?;
        }
        writer.finish().map_err(sled)?;
        Ok((state, header.log_head()))
    }

    /// Loads a bucket into the state, or gives its keys, to be removed, if a later save replaced
    /// it.
    fn put(
        &mut self,
        state: &mut State,
        found: FoundBucket,
        replaced: bool,
    ) -> Result<Vec<sled::IVec>, String> {
        // An empty one is a tombstone: that save found the bucket gone.
        if replaced || found.bytes.is_empty() {
            return Ok(found.keys);
        }
        let (map, first_key) = &found.id;
        state
            .load(*map, first_key, &found.bytes)
            .map_err(|error| error.to_string())?;
        let bucket =
            SavedBucket::of(&found.bytes, found.save).map_err(|error| error.to_string())?;
        self.buckets.insert(found.id, bucket);
        Ok(Vec::new())
    }

    /// Removes all that is saved, before a rebuild. A crash in here leaves a part, which no load
    /// takes: its header is gone, or its digest does not match.
    ///
    /// # Errors
    /// [`SavedStateError::Sled`].
    pub fn clear(&mut self) -> Result<(), SavedStateError> {
        self.buckets.clear();
        self.db.clear().map_err(|error: sled::Error| {
            SavedStateError::Sled(self.path.clone(), error.to_string())
        })
    }

    /// Saves a state: writes the buckets that changed since the save before. Its pages are let go as they are
    /// written: a state that changes everywhere meanwhile would else stand in memory twice.
    ///
    /// # Errors
    /// [`SavedStateError`]; the save before is then still in the database.
    pub fn save(&mut self, change: StateChange) -> Result<(), SavedStateError> {
        let StateChange { image, head } = change;
        let state_root = *image.roots()?.state_root().as_bytes();
        let (globals, image_buckets) = (image.globals.clone(), image.buckets());
        drop(image);
        let sled = |error: sled::Error| SavedStateError::Sled(self.path.clone(), error.to_string());
        let save = self.save + 1;
        let mut buckets = SavedBuckets::new();
        let mut replaced = Vec::new();
        let mut writer = BatchedWriter::new(&self.db);
        for (map, bucket) in image_buckets {
            let changed = bucket.changed;
            let id = (map, bucket.first_key()?);
            let before = self.buckets.remove_entry(&id);
            if let Some((id, bucket)) = before.as_ref().filter(|_| !changed) {
                buckets.insert(id.clone(), *bucket);
                continue;
            }
            let bytes = bucket.bytes()?;
            let bucket = SavedBucket::of(&bytes, save)?;
            for (chunk, value) in (0_u32..).zip(bytes.chunks(CHUNK_BYTES)) {
                writer.insert(&key(&id, save, chunk), value).map_err(sled)?;
            }
            buckets.insert(id, bucket);
            replaced.extend(before);
        }
        // Buckets that the image has no more: an empty value says so until their chunks are gone.
        for (id, bucket) in std::mem::take(&mut self.buckets) {
            let tombstone = key(&id, save, 0);
            writer.insert(&tombstone, &[]).map_err(sled)?;
            replaced.push((
                id.clone(),
                SavedBucket {
                    save,
                    chunks: 1,
                    ..bucket
                },
            ));
            replaced.push((id, bucket));
        }
        self.buckets = buckets;
        // A crash up to here leaves the save before whole, and values of a later number, which a
        // load removes. The flush comes before the header: a header on disk has all of its buckets
        // there.
        writer.finish().map_err(sled)?;
        self.db.flush().map_err(sled)?;
        let header = SaveHeader {
            format: FORMAT,
            rules: RULES_VERSION,
            save,
            size: head.tree.size,
            root: *head.tree.root.as_bytes(),
            digest: digest_all(&globals, &self.buckets)?,
            state_root,
            globals,
        };
        let header = encode::<_, HEADER_BYTES_MAX>(&header)?;
        self.db.insert(HEADER_KEY, header).map_err(sled)?;
        self.db.flush().map_err(sled)?;
        self.save = save;
        // A crash from here on leaves this save, and values that it replaced, which a load removes.
        let mut writer = BatchedWriter::new(&self.db);
        // Old values go before the tombstone over them: without it they would count again.
        for (id, bucket) in replaced.iter().rev() {
            for chunk in 0..bucket.chunks {
                writer.remove(&key(id, bucket.save, chunk)).map_err(sled)?;
            }
        }
        writer.finish().map_err(sled)
    }

    /// The header, if there is one. `None` also for one that does not decode: it is damaged or of
    /// another version, and nothing can be concluded from it.
    fn header(&self) -> Result<Option<SaveHeader>, SavedStateError> {
        let bytes = self.db.get(HEADER_KEY);
        let bytes =
            bytes.map_err(|error| SavedStateError::Sled(self.path.clone(), error.to_string()))?;
        Ok(bytes.and_then(|bytes| decode::<SaveHeader, HEADER_BYTES_MAX>(&bytes).ok()))
    }

    /// The head that the saved state belongs to, without loading the state.
    ///
    /// # Errors
    /// [`SavedStateError::Sled`] when the database can't be read: that is not the same as no head.
    pub fn saved_head(&self) -> Result<Option<LogHead>, SavedStateError> {
        Ok(self.header()?.map(|header| header.log_head()))
    }
}

fn open_db(path: &Path) -> Result<sled::Db, SavedStateError> {
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES);
    config.open().map_err(|error| {
        let words = error.to_string();
        match error {
            sled::Error::Corruption { .. } | sled::Error::Unsupported(_) => {
                SavedStateError::Damaged(path.to_owned(), words)
            }
            // A lock, say, is held by a server that uses this very database.
            _ => SavedStateError::Sled(path.to_owned(), words),
        }
    })
}

/// Gives a database that can't be read the extension `damaged`, and removes the one that had that
/// name. A crash in between leaves the unreadable database under its own name: the next start comes
/// here again.
fn rename_damaged(path: &Path) -> Result<(), FileError> {
    let damaged = path.with_extension("damaged");
    if damaged.try_exists().map_err(at(&damaged))? {
        remove_folder(&damaged)?;
    }
    rename_folder(path, &damaged)
}

/// A bucket as one save left it.
struct FoundBucket {
    /// Which bucket of which map it is.
    id: BucketId,
    /// The number of the save that wrote it.
    save: u64,
    /// The values of its chunks, one behind the other.
    bytes: Vec<u8>,
    /// The keys of its chunks in the database.
    keys: Vec<sled::IVec>,
}

/// Hands changes to sled in batches of bounded size.
struct BatchedWriter<'a> {
    db: &'a sled::Db,
    /// The changes that sled does not have yet.
    batch: sled::Batch,
    /// Bytes of keys and values in `batch`.
    bytes: usize,
}

impl<'a> BatchedWriter<'a> {
    fn new(db: &'a sled::Db) -> Self {
        Self {
            db,
            batch: sled::Batch::default(),
            bytes: 0,
        }
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) -> sled::Result<()> {
        self.batch.insert(key, value);
        self.wrote(key.len() + value.len())
    }

    fn remove(&mut self, key: &[u8]) -> sled::Result<()> {
        self.batch.remove(key);
        self.wrote(key.len())
    }

    fn wrote(&mut self, bytes: usize) -> sled::Result<()> {
        self.bytes += bytes;
        if self.bytes >= BATCH_BYTES {
            self.bytes = 0;
            self.db.apply_batch(std::mem::take(&mut self.batch))?;
        }
        Ok(())
    }

    fn finish(self) -> sled::Result<()> {
        self.db.apply_batch(self.batch)
    }
}

/// SHA-256 over the globals and each bucket's id and digest, in the order of ids.
fn digest_all(globals: &Globals, buckets: &SavedBuckets) -> Result<[u8; 32], CodecError> {
    let mut hasher = Sha256::new();
    hasher.update(encode::<_, HEADER_BYTES_MAX>(globals)?);
    for ((map, first_key), bucket) in buckets {
        hasher.update([*map]);
        hasher.update(first_key);
        hasher.update(bucket.digest);
    }
    Ok(hasher.finalize().into())
}

/// The key of a chunk. Never the header's key: no map has the number of that one's first letter.
fn key((map, first_key): &BucketId, save: u64, chunk: u32) -> Vec<u8> {
    [
        [*map].as_slice(),
        first_key,
        &save.to_be_bytes(),
        &chunk.to_be_bytes(),
    ]
    .concat()
}

/// Which bucket a chunk's key belongs to, and the number of the save that wrote the chunk.
fn parse_key(key: &[u8]) -> Option<(BucketId, u64)> {
    // Chunks are read in the order of their numbers; a missing one shows in the digest.
    let (rest, _chunk) = key.split_last_chunk::<4>()?;
    let (rest, save) = rest.split_last_chunk::<8>()?;
    let (map, first_key) = rest.split_first()?;
    Some(((*map, first_key.to_vec()), u64::from_be_bytes(*save)))
}
