//! The ledger's state between starts, in sled.
//!
//! Derived: on start it must match the log, and whatever does not is rebuilt from the entries. A
//! value is a chunk of a bucket; keys are shelf (`u8`), bucket (`u64`), chunk (`u32`). One more,
//! the meta, says which log and which size they speak of, and the digest over all buckets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bincode::{Decode, Encode};
use sha2::{Digest as _, Sha256};

use crate::ledger::{BucketImage, Head, RULES_VERSION, SHELF_CHUNK_BYTES, ShelfError, State};
use crate::merkle::Hash;
use crate::note::TreeHead;
use crate::record::{CodecError, decode, encode};

const FORMAT: u32 = 1;
const META: &[u8] = b"meta";
const META_BYTES_MAX: usize = 1 << 20;
/// sled's own cache; the state is in our memory, so it needs little.
const CACHE_BYTES: u64 = 32 << 20;

/// Why the saved state can't be used or written; the log itself is not touched by it.
#[derive(Debug, thiserror::Error)]
pub enum SavedStateError {
    /// sled says no.
    #[error("the saved state in {0}: {1}")]
    Sled(PathBuf, sled::Error),
    /// A bucket could not be encoded.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The meta could not be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// What changed in a state since the last save.
pub struct StateChange {
    /// The state's head at the time.
    pub head: Head,
    /// The tree over the same entries.
    pub tree: TreeHead,
    /// The buckets that changed.
    pub buckets: Vec<(u8, u64, Arc<dyn BucketImage>)>,
}

impl StateChange {
    /// The digest of a state whose every bucket is in this change: what is saved must have it.
    ///
    /// # Errors
    /// [`SavedStateError`] when a bucket can't be encoded.
    pub fn digest(&self) -> Result<[u8; 32], SavedStateError> {
        let mut digests = BTreeMap::new();
        for (shelf, number, image) in &self.buckets {
            let bytes = image.bytes()?;
            if !bytes.is_empty() {
                digests.insert((*shelf, *number), digest_of(&bytes));
            }
        }
        Ok(digest_all(&self.head, &digests)?)
    }
}

/// The digest of each bucket, and how many chunks it has.
type Digests = BTreeMap<(u8, u64), ([u8; 32], u32)>;

#[derive(Encode, Decode)]
struct Meta {
    format: u32,
    rules: u32,
    size: u64,
    root: [u8; 32],
    digest: [u8; 32],
    head: Head,
}

/// The saved state, open.
pub struct SavedState {
    path: PathBuf,
    db: sled::Db,
    digests: Digests,
}

impl SavedState {
    /// Opens the database, or makes an empty one; one that sled can't read is put aside.
    ///
    /// # Errors
    /// [`SavedStateError::Sled`].
    pub fn open(path: &Path) -> Result<Self, SavedStateError> {
        let config = || sled::Config::new().path(path).cache_capacity(CACHE_BYTES);
        let db = config().open().or_else(|error| {
            tracing::warn!(%error, "the saved state can't be read; it is rebuilt from the log");
            let aside = path.with_extension("damaged");
            let _ = std::fs::remove_dir_all(&aside);
            std::fs::rename(path, &aside).map_err(sled::Error::from)?;
            config().open()
        });
        let db = db.map_err(|error| SavedStateError::Sled(path.to_owned(), error))?;
        Ok(Self {
            path: path.to_owned(),
            db,
            digests: BTreeMap::new(),
        })
    }

    /// The state that was saved, with the tree that it speaks of; or why there is none to use.
    /// The digest over all buckets was checked, bytes by bytes.
    pub fn load(&mut self) -> Result<(State, TreeHead), String> {
        match self.load_whole() {
            Ok(loaded) => Ok(loaded),
            Err(why) => {
                self.digests.clear();
                Err(why)
            }
        }
    }

    fn load_whole(&mut self) -> Result<(State, TreeHead), String> {
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
        let tree = TreeHead {
            size: meta.size,
            root: Hash::from_bytes(meta.root),
        };
        if meta.head.entries != tree.size {
            return Err("it contradicts itself".to_owned());
        }
        let mut state = State::from_head(meta.head.clone());
        let mut bucket: Option<((u8, u64), Vec<u8>)> = None;
        for item in self.db.iter() {
            let (key, value) = item.map_err(sled)?;
            let Some((place, _)) = parse_key(&key) else {
                continue;
            };
            match &mut bucket {
                Some((at, bytes)) if *at == place => bytes.extend_from_slice(&value),
                _ => {
                    let done = bucket.replace((place, value.to_vec()));
                    self.put(&mut state, done)?;
                }
            }
        }
        self.put(&mut state, bucket)?;
        let digest = digest_all(&meta.head, &self.digests).map_err(|error| error.to_string())?;
        if digest != meta.digest {
            return Err("its digest does not match: it is damaged".to_owned());
        }
        Ok((state, tree))
    }

    fn put(&mut self, state: &mut State, it: Option<((u8, u64), Vec<u8>)>) -> Result<(), String> {
        let Some(((shelf, number), bytes)) = it else {
            return Ok(());
        };
        state
            .load(shelf, number, &bytes)
            .map_err(|error| error.to_string())?;
        self.digests.insert((shelf, number), digest_of(&bytes));
        Ok(())
    }

    /// Forgets all that is saved, before a rebuild.
    ///
    /// # Errors
    /// [`SavedStateError::Sled`].
    pub fn clear(&mut self) -> Result<(), SavedStateError> {
        self.digests.clear();
        self.db
            .clear()
            .map_err(|error| SavedStateError::Sled(self.path.clone(), error))
    }

    /// Saves what changed, in one atomic batch.
    ///
    /// # Errors
    /// [`SavedStateError`]; what was saved before is then still there, or found damaged.
    pub fn save(&mut self, change: &StateChange) -> Result<(), SavedStateError> {
        let mut batch = sled::Batch::default();
        for (shelf, number, image) in &change.buckets {
            let place = (*shelf, *number);
            let bytes = image.bytes()?;
            for (chunk, value) in (0_u32..).zip(bytes.chunks(SHELF_CHUNK_BYTES)) {
                batch.insert(key(place, chunk).as_slice(), value);
            }
            let digest = digest_of(&bytes);
            let before = match bytes.is_empty() {
                true => self.digests.remove(&place),
                false => self.digests.insert(place, digest),
            };
            for stale in digest.1..before.map_or(0, |(_, chunks)| chunks) {
                batch.remove(key(place, stale).as_slice());
            }
        }
        let digest = digest_all(&change.head, &self.digests)?;
        let meta = Meta {
            format: FORMAT,
            rules: RULES_VERSION,
            size: change.tree.size,
            root: *change.tree.root.as_bytes(),
            digest,
            head: change.head.clone(),
        };
        batch.insert(META, encode::<_, META_BYTES_MAX>(&meta)?);
        self.db
            .apply_batch(batch)
            .and_then(|()| self.db.flush().map(drop))
            .map_err(|error| SavedStateError::Sled(self.path.clone(), error))
    }

    fn meta(&self) -> Option<Meta> {
        decode::<Meta, META_BYTES_MAX>(&self.db.get(META).ok()??).ok()
    }

    /// The size of the log that the saved state speaks of, without loading it.
    pub fn saved_size(&self) -> Option<u64> {
        self.meta().map(|meta| meta.size)
    }

    /// The digest that it says it has; [`Self::load`] checks it.
    pub fn saved_digest(&self) -> Option<[u8; 32]> {
        self.meta().map(|meta| meta.digest)
    }
}

/// SHA-256 over the head and each bucket's place and digest, in order.
fn digest_all(head: &Head, digests: &Digests) -> Result<[u8; 32], CodecError> {
    let mut hasher = Sha256::new();
    hasher.update(encode::<_, META_BYTES_MAX>(head)?);
    for ((shelf, number), (digest, _)) in digests {
        hasher.update([*shelf]);
        hasher.update(number.to_be_bytes());
        hasher.update(digest);
    }
    Ok(hasher.finalize().into())
}

fn digest_of(bytes: &[u8]) -> ([u8; 32], u32) {
    (
        Sha256::digest(bytes).into(),
        bytes.len().div_ceil(SHELF_CHUNK_BYTES) as u32,
    )
}

/// Never the meta's key, which is shorter.
fn key((shelf, number): (u8, u64), chunk: u32) -> Vec<u8> {
    [
        [shelf].as_slice(),
        &number.to_be_bytes(),
        &chunk.to_be_bytes(),
    ]
    .concat()
}

fn parse_key(key: &[u8]) -> Option<((u8, u64), u32)> {
    let (shelf, rest) = key.split_first()?;
    let (number, chunk) = rest.split_first_chunk::<8>()?;
    let chunk = <[u8; 4]>::try_from(chunk).ok()?;
    Some((
        (*shelf, u64::from_be_bytes(*number)),
        u32::from_be_bytes(chunk),
    ))
}
