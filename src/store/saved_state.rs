//! The ledger's state between starts, in sled.
//!
//! Derived: on start it must match the log, and whatever does not is rebuilt from the entries.
//!
//! A value is a chunk of a bucket as of one save. Its key is: shelf (`u8`), the bucket's place (of
//! one length on each shelf), number of the save (`u64`), chunk (`u32`). One more, the meta, names
//! the last save that is whole, which log and which size it speaks of, and the digest over all
//! buckets. A save writes what changed beside what is there, in batches of bounded size, then the
//! meta, then takes out what it replaced: a stop anywhere leaves the save before, or this one.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bincode::{Decode, Encode};
use sha2::{Digest as _, Sha256};

use crate::durable::{FileError, at, rename_folder};
use crate::ledger::{BucketError, Globals, RULES_VERSION, State, StateImage};
use crate::merkle::Hash;
use crate::note::TreeHead;
use crate::record::{CodecError, LogHead, decode, encode};

const FORMAT: u32 = 2;
const META: &[u8] = b"meta";
const META_BYTES_MAX: usize = 1 << 20;
/// sled keeps larger values in files of their own, which it never syncs.
const CHUNK_BYTES: usize = 32 * 1024;
/// What is handed to sled at once: it holds that much in memory twice.
const BATCH_BYTES: usize = 4 << 20;
/// sled's own cache; the state is in our memory, so it needs little.
const CACHE_BYTES: u64 = 32 << 20;

/// Why the saved state can't be used or written; the log itself is not touched by it.
#[derive(Debug, thiserror::Error)]
pub enum SavedStateError {
    /// sled says no.
    #[error("the saved state in {0}: {1}")]
    Sled(PathBuf, String),
    /// A database that can't be read could not be put aside.
    #[error(transparent)]
    File(#[from] FileError),
    /// A bucket could not be encoded.
    #[error(transparent)]
    Shelf(#[from] BucketError),
    /// The meta could not be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A state to be saved.
pub struct StateChange {
    /// The state at the time.
    pub image: StateImage,
    /// The head of the log with the same entries.
    pub head: LogHead,
}

impl StateChange {
    /// The digest of the state: what is saved of it must have it.
    ///
    /// # Errors
    /// [`SavedStateError`] when a bucket can't be encoded.
    pub fn digest(&self) -> Result<[u8; 32], SavedStateError> {
        let mut kept = Kept::new();
        for (shelf, bucket) in self.image.buckets() {
            let bytes = bucket.bytes()?;
            kept.insert((shelf, bucket.first_key()?), Bucket::of(&bytes, 0));
        }
        Ok(digest_all(&self.image.globals, &kept)?)
    }
}

/// Which buckets are saved.
type Kept = BTreeMap<Place, Bucket>;
/// A shelf, and a bucket's place on it.
type Place = (u8, Vec<u8>);

/// A bucket as it is saved.
#[derive(Clone, Copy)]
struct Bucket {
    digest: [u8; 32],
    save: u64,
    chunks: u32,
}

impl Bucket {
    fn of(bytes: &[u8], save: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a bucket has some KiB")]
        let chunks = bytes.len().div_ceil(CHUNK_BYTES) as u32;
        Self {
            digest: Sha256::digest(bytes).into(),
            save,
            chunks,
        }
    }
}

#[derive(Encode, Decode)]
struct Meta {
    format: u32,
    rules: u32,
    save: u64,
    size: u64,
    root: [u8; 32],
    digest: [u8; 32],
    head: Globals,
}

impl Meta {
    /// The head that the save speaks of. Only its tree was written.
    fn log_head(&self) -> LogHead {
        LogHead::without_state(TreeHead {
            size: self.size,
            root: Hash::from_bytes(self.root),
        })
    }
}

/// The saved state, open.
pub struct SavedState {
    path: PathBuf,
    db: sled::Db,
    kept: Kept,
    /// The number of the last save that is whole.
    save: u64,
}

impl SavedState {
    /// Opens the database, or makes an empty one; one that sled can't read is put aside.
    ///
    /// # Errors
    /// [`SavedStateError::Sled`].
    pub fn open(path: &Path) -> Result<Self, SavedStateError> {
        let config = || sled::Config::new().path(path).cache_capacity(CACHE_BYTES);
        let sled = |error: sled::Error| SavedStateError::Sled(path.to_owned(), error.to_string());
        let db = match config().open() {
            Ok(db) => db,
            // Damaged, or of another version of sled. Any other error says nothing of the bytes:
            // a lock, say, is held by a server that uses this very database.
            Err(error @ (sled::Error::Corruption { .. } | sled::Error::Unsupported(_))) => {
                tracing::warn!(%error, "the saved state can't be read; it is rebuilt from the log");
                put_aside(path).map_err(SavedStateError::File)?;
                config().open().map_err(sled)?
            }
            Err(error) => return Err(sled(error)),
        };
        Ok(Self {
            path: path.to_owned(),
            db,
            kept: Kept::new(),
            save: 0,
        })
    }

    /// The state that was saved, with the head that it speaks of; or why there is none to use.
    /// The digest over all buckets was checked, bytes by bytes.
    pub fn load(&mut self) -> Result<(State, LogHead), String> {
        match self.load_whole() {
            Ok(loaded) => Ok(loaded),
            Err(why) => {
                self.kept.clear();
                Err(why)
            }
        }
    }

    fn load_whole(&mut self) -> Result<(State, LogHead), String> {
        let sled = |error: sled::Error| error.to_string();
        let meta = self
            .db
            .get(META)
            .map_err(sled)?
            .ok_or("nothing was saved yet")?;
        let meta: Meta =
            decode::<_, META_BYTES_MAX>(&meta).map_err(|error| format!("its head: {error}"))?;
        if (meta.format, meta.rules) != (FORMAT, RULES_VERSION) {
            return Err("it was saved by another version".to_owned());
        }
        if meta.head.entries != meta.size {
            return Err("it contradicts itself".to_owned());
        }
        let mut state = State::from_globals(meta.head.clone());
        let mut found: Option<Found> = None;
        // Of a save that was cut off, or replaced by one that was.
        let mut stale = Vec::new();
        for item in self.db.iter() {
            let (key, value) = item.map_err(sled)?;
            let Some((place, save)) = parse_key(&key) else {
                continue;
            };
            if save > meta.save {
                stale.push(key);
                continue;
            }
            match &mut found {
                Some(found) if found.place == place && found.save == save => {
                    found.bytes.extend_from_slice(&value);
                    found.keys.push(key);
                }
                _ => {
                    let next = Found {
                        place,
                        save,
                        bytes: value.to_vec(),
                        keys: vec![key],
                    };
                    if let Some(done) = found.replace(next) {
                        let replaced = found.as_ref().is_some_and(|it| it.place == done.place);
                        stale.extend(self.put(&mut state, done, replaced)?);
                    }
                }
            }
        }
        if let Some(done) = found {
            stale.extend(self.put(&mut state, done, false)?);
        }
        let digest = digest_all(&meta.head, &self.kept).map_err(|error| error.to_string())?;
        if digest != meta.digest {
            return Err("its digest does not match: it is damaged".to_owned());
        }
        self.save = meta.save;
        let mut writer = Writer::new(&self.db);
        for key in stale {
            writer.remove(&key).map_err(sled)?;
        }
        writer.finish().map_err(sled)?;
        Ok((state, meta.log_head()))
    }

    /// Takes a bucket into the state; gives the keys that are of no use any more.
    fn put(
        &mut self,
        state: &mut State,
        found: Found,
        replaced: bool,
    ) -> Result<Vec<sled::IVec>, String> {
        // Nothing in it: the bucket was taken out by that save.
        if replaced || found.bytes.is_empty() {
            return Ok(found.keys);
        }
        let (shelf, place) = &found.place;
        state
            .load(*shelf, place, &found.bytes)
            .map_err(|error| error.to_string())?;
        let bucket = Bucket::of(&found.bytes, found.save);
        self.kept.insert(found.place, bucket);
        Ok(Vec::new())
    }

    /// Forgets all that is saved, before a rebuild.
    ///
    /// # Errors
    /// [`SavedStateError::Sled`].
    pub fn clear(&mut self) -> Result<(), SavedStateError> {
        self.kept.clear();
        self.db.clear().map_err(|error: sled::Error| {
            SavedStateError::Sled(self.path.clone(), error.to_string())
        })
    }

    /// Saves a state: what changed since the save before.
    ///
    /// # Errors
    /// [`SavedStateError`]; what was saved before is then still there.
    pub fn save(&mut self, change: &StateChange) -> Result<(), SavedStateError> {
        let sled = |error: sled::Error| SavedStateError::Sled(self.path.clone(), error.to_string());
        let save = self.save + 1;
        let mut kept = Kept::new();
        let mut replaced = Vec::new();
        let mut writer = Writer::new(&self.db);
        for (shelf, image) in change.image.buckets() {
            let changed = image.changed;
            let place = (shelf, image.first_key()?);
            let before = self.kept.remove_entry(&place);
            if let Some((place, bucket)) = before.as_ref().filter(|_| !changed) {
                kept.insert(place.clone(), *bucket);
                continue;
            }
            let bytes = image.bytes()?;
            for (chunk, value) in (0_u32..).zip(bytes.chunks(CHUNK_BYTES)) {
                writer
                    .insert(&key(&place, save, chunk), value)
                    .map_err(sled)?;
            }
            kept.insert(place, Bucket::of(&bytes, save));
            replaced.extend(before);
        }
        // What no image has any more: an empty value says so until its chunks are out.
        for (place, bucket) in std::mem::take(&mut self.kept) {
            let tombstone = key(&place, save, 0);
            writer.insert(&tombstone, &[]).map_err(sled)?;
            replaced.push((
                place.clone(),
                Bucket {
                    save,
                    chunks: 1,
                    ..bucket
                },
            ));
            replaced.push((place, bucket));
        }
        self.kept = kept;
        writer.finish().map_err(sled)?;
        self.db.flush().map_err(sled)?;
        let head = &change.image.globals;
        let meta = Meta {
            format: FORMAT,
            rules: RULES_VERSION,
            save,
            size: change.head.tree.size,
            root: *change.head.tree.root.as_bytes(),
            digest: digest_all(head, &self.kept)?,
            head: head.clone(),
        };
        let meta = encode::<_, META_BYTES_MAX>(&meta)?;
        self.db.insert(META, meta).map_err(sled)?;
        self.db.flush().map_err(sled)?;
        self.save = save;
        let mut writer = Writer::new(&self.db);
        // Old values before the tombstone over them.
        for (place, bucket) in replaced.iter().rev() {
            for chunk in 0..bucket.chunks {
                writer
                    .remove(&key(place, bucket.save, chunk))
                    .map_err(sled)?;
            }
        }
        writer.finish().map_err(sled)
    }

    /// `None` also for one that does not decode: it is damaged or of another version, and says
    /// nothing.
    fn meta(&self) -> Result<Option<Meta>, SavedStateError> {
        let bytes = self.db.get(META);
        let bytes =
            bytes.map_err(|error| SavedStateError::Sled(self.path.clone(), error.to_string()))?;
        Ok(bytes.and_then(|bytes| decode::<Meta, META_BYTES_MAX>(&bytes).ok()))
    }

    /// The head that the saved state speaks of, without loading it.
    ///
    /// # Errors
    /// [`SavedStateError::Sled`] when it can't be read: that is not the same as none.
    pub fn saved_head(&self) -> Result<Option<LogHead>, SavedStateError> {
        Ok(self.meta()?.map(|meta| meta.log_head()))
    }

    /// The digest that it says it has; [`Self::load`] checks it.
    ///
    /// # Errors
    /// [`SavedStateError::Sled`], as above.
    pub fn saved_digest(&self) -> Result<Option<[u8; 32]>, SavedStateError> {
        Ok(self.meta()?.map(|meta| meta.digest))
    }
}

/// Puts a database aside, in the place of the one that was put aside before.
fn put_aside(path: &Path) -> Result<(), FileError> {
    let aside = path.with_extension("damaged");
    match std::fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(&aside)(error)),
        _ => rename_folder(path, &aside),
    }
}

/// A bucket as one save left it.
struct Found {
    place: Place,
    save: u64,
    bytes: Vec<u8>,
    keys: Vec<sled::IVec>,
}

/// Hands changes to sled in batches of bounded size.
struct Writer<'a> {
    db: &'a sled::Db,
    batch: sled::Batch,
    bytes: usize,
}

impl<'a> Writer<'a> {
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

/// SHA-256 over the head and each bucket's place and digest, in order.
fn digest_all(head: &Globals, kept: &Kept) -> Result<[u8; 32], CodecError> {
    let mut hasher = Sha256::new();
    hasher.update(encode::<_, META_BYTES_MAX>(head)?);
    for ((shelf, place), bucket) in kept {
        hasher.update([*shelf]);
        hasher.update(place);
        hasher.update(bucket.digest);
    }
    Ok(hasher.finalize().into())
}

/// Never the meta's key: no shelf has the number of its first letter.
fn key((shelf, place): &Place, save: u64, chunk: u32) -> Vec<u8> {
    [
        [*shelf].as_slice(),
        place,
        &save.to_be_bytes(),
        &chunk.to_be_bytes(),
    ]
    .concat()
}

fn parse_key(key: &[u8]) -> Option<(Place, u64)> {
    if key == META {
        return None;
    }
    let (rest, _chunk) = key.split_last_chunk::<4>()?;
    let (rest, save) = rest.split_last_chunk::<8>()?;
    let (shelf, place) = rest.split_first()?;
    Some(((*shelf, place.to_vec()), u64::from_be_bytes(*save)))
}
