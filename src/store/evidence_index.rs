//! Which entries name an evidence, by its digest, in sled: derived from the log, and made from it again when it is lost.
//!
//! It covers the entries of a window, from one index up to another. A key is the digest and the entry's index
//! (big-endian), its value when the entry was admitted and, of an award, whose it is and its points. One value more,
//! the header, names the window, the root over the entries up to its end, and the run of the machine that it was
//! written in: each batch changes it together with what it covers.
//!
//! sled does not sync. What it wrote is there after the process was killed; after the machine was, it may not be. So an
//! index from an earlier run of the machine is not believed, and is made again.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use crate::durable::{FileError, remove_folder};
use crate::record::{Digest, Grams, Index, TimeMs};

/// The version of this layout.
const FORMAT: u32 = 1;
/// Shorter than any other key.
const HEADER_KEY: &[u8] = b"header";
const CACHE_BYTES: u64 = 64 << 20;
const DIGEST_BYTES: usize = 32;
const KEY_BYTES: usize = DIGEST_BYTES + 8;
/// Where Linux names the run of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Why the index can't be used. The log is not affected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceIndexError {
    /// sled's own words.
    #[error("the index of evidence in {0}: {1}; it may be removed, and is made again from the log")]
    Sled(PathBuf, String),
    /// A database that can't be read could not be removed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The entries that the index covers: from one on, up to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// The first that is covered.
    pub from: u64,
    /// The number of entries of the log up to the last that is covered.
    pub to: u64,
}

/// An entry that names an evidence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EvidenceUse {
    /// The evidence.
    pub digest: Digest,
    /// The entry.
    pub index: Index,
    /// When it was admitted.
    pub admitted_at: TimeMs,
    /// Of an award: the number of the holder whose key awarded, and the points.
    pub award: Option<(u32, Grams)>,
}

/// The index, open.
pub struct EvidenceIndex {
    path: PathBuf,
    db: sled::Db,
    boot_id: Vec<u8>,
    /// Changed after the database, so that all that it says is there.
    window: RwLock<Window>,
}

/// The header's fixed part: format, from, to, root.
const HEADER_BYTES: usize = 4 + 8 + 8 + 32;

impl EvidenceIndex {
    /// Opens the index, or makes an empty one; gives the root over the entries up to its end, which the caller holds
    /// against the log before it believes any of it. `None` if there is nothing to be believed: then it is empty.
    ///
    /// # Errors
    /// [`EvidenceIndexError`].
    pub fn open(path: &Path) -> Result<(Self, Option<[u8; 32]>), EvidenceIndexError> {
        let db = match open_db(path) {
            Ok(db) => db,
            Err(sled::Error::Corruption { .. } | sled::Error::Unsupported(_)) => {
                tracing::warn!(path = %path.display(), "the index of evidence can't be read, and is made again");
                remove_folder(path)?;
                open_db(path).map_err(|error| sled_error(path, &error))?
            }
            Err(error) => return Err(sled_error(path, &error)),
        };
        let index = Self {
            path: path.to_owned(),
            db,
            boot_id: std::fs::read(BOOT_ID).unwrap_or_default(),
            window: RwLock::new(Window { from: 0, to: 0 }),
        };
        let header = index.db.get(HEADER_KEY).map_err(|e| index.error(&e))?;
        let found = header.and_then(|header| index.believed(&header));
        match found {
            Some((window, root)) => {
                index.set_window(window);
                Ok((index, Some(root)))
            }
            None => {
                index.begin_at(0)?;
                Ok((index, None))
            }
        }
    }

    /// The window and root of a header, if it is of this layout and of this run of the machine.
    fn believed(&self, header: &[u8]) -> Option<(Window, [u8; 32])> {
        let (fixed, boot_id) = header.split_first_chunk::<HEADER_BYTES>()?;
        let (format, rest) = fixed.split_first_chunk::<4>()?;
        let (from, rest) = rest.split_first_chunk::<8>()?;
        let (to, root) = rest.split_first_chunk::<8>()?;
        let is_ours = u32::from_be_bytes(*format) == FORMAT;
        let is_this_run = !self.boot_id.is_empty() && boot_id == self.boot_id;
        let window = Window {
            from: u64::from_be_bytes(*from),
            to: u64::from_be_bytes(*to),
        };
        (is_ours && is_this_run).then_some((window, root.try_into().ok()?))
    }

    fn header(&self, window: Window, root: [u8; 32]) -> Vec<u8> {
        let mut header = FORMAT.to_be_bytes().to_vec();
        header.extend(window.from.to_be_bytes());
        header.extend(window.to.to_be_bytes());
        header.extend(root);
        header.extend(&self.boot_id);
        header
    }

    /// The entries that it covers.
    pub fn window(&self) -> Window {
        *self.window.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_window(&self, window: Window) {
        *self.window.write().unwrap_or_else(PoisonError::into_inner) = window;
    }

    /// Forgets all, and begins before this entry.
    ///
    /// # Errors
    /// [`EvidenceIndexError`].
    pub fn begin_at(&self, from: u64) -> Result<(), EvidenceIndexError> {
        self.set_window(Window { from, to: from });
        self.db.clear().map_err(|error| self.error(&error))
    }

    /// Takes in the uses of the entries up to `to`, whose root this is.
    ///
    /// # Errors
    /// [`EvidenceIndexError`]; then nothing was taken in.
    pub fn extend(
        &self,
        uses: &[EvidenceUse],
        to: u64,
        root: [u8; 32],
    ) -> Result<(), EvidenceIndexError> {
        let window = Window {
            to,
            ..self.window()
        };
        let mut batch = sled::Batch::default();
        for one in uses {
            let mut value = one.admitted_at.0.to_be_bytes().to_vec();
            if let Some((holder, points)) = one.award {
                value.extend(holder.to_be_bytes());
                value.extend(points.0.to_be_bytes());
            }
            batch.insert(key(&one.digest, one.index.0).to_vec(), value);
        }
        batch.insert(HEADER_KEY, self.header(window, root));
        self.apply(batch, window)
    }

    /// Forgets uses of the first entries of the window, which then begins at `from`. `root` is that of its end.
    ///
    /// # Errors
    /// [`EvidenceIndexError`]; then nothing was forgotten.
    pub fn forget(
        &self,
        uses: &[EvidenceUse],
        from: u64,
        root: [u8; 32],
    ) -> Result<(), EvidenceIndexError> {
        let window = Window {
            from,
            ..self.window()
        };
        let mut batch = sled::Batch::default();
        for one in uses {
            batch.remove(key(&one.digest, one.index.0).to_vec());
        }
        batch.insert(HEADER_KEY, self.header(window, root));
        self.apply(batch, window)
    }

    fn apply(&self, batch: sled::Batch, window: Window) -> Result<(), EvidenceIndexError> {
        self.db
            .apply_batch(batch)
            .map_err(|error| self.error(&error))?;
        self.set_window(window);
        Ok(())
    }

    /// Entries that name an evidence, behind an index or from the first on, in their order, at most `count`.
    ///
    /// # Errors
    /// [`EvidenceIndexError`].
    pub fn uses(
        &self,
        digest: &Digest,
        after: Option<Index>,
        count: usize,
    ) -> Result<Vec<EvidenceUse>, EvidenceIndexError> {
        let first = match after {
            None => 0,
            Some(after) => match after.0.checked_add(1) {
                Some(first) => first,
                None => return Ok(Vec::new()),
            },
        };
        let found = self.db.range(key(digest, first)..=key(digest, u64::MAX));
        let mut uses = Vec::new();
        for item in found.take(count) {
            let (key, value) = item.map_err(|error| self.error(&error))?;
            uses.extend(read_use(*digest, &key, &value));
        }
        Ok(uses)
    }

    fn error(&self, error: &sled::Error) -> EvidenceIndexError {
        sled_error(&self.path, error)
    }
}

fn open_db(path: &Path) -> Result<sled::Db, sled::Error> {
    sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .open()
}

fn sled_error(path: &Path, error: &sled::Error) -> EvidenceIndexError {
    EvidenceIndexError::Sled(path.to_owned(), error.to_string())
}

fn key(digest: &Digest, index: u64) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    let (front, back) = key.split_at_mut(DIGEST_BYTES);
    front.copy_from_slice(digest.as_bytes());
    back.copy_from_slice(&index.to_be_bytes());
    key
}

/// A use as it was written; `None` for what nobody here wrote.
fn read_use(digest: Digest, key: &[u8], value: &[u8]) -> Option<EvidenceUse> {
    let index = key.get(DIGEST_BYTES..)?.first_chunk::<8>()?;
    let (admitted_at, rest) = value.split_first_chunk::<8>()?;
    let award = match rest.split_first_chunk::<4>() {
        Some((holder, points)) => Some((
            u32::from_be_bytes(*holder),
            Grams(u64::from_be_bytes(points.try_into().ok()?)),
        )),
        None => None,
    };
    Some(EvidenceUse {
        digest,
        index: Index(u64::from_be_bytes(*index)),
        admitted_at: TimeMs(u64::from_be_bytes(*admitted_at)),
        award,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(digest: u8, index: u64) -> EvidenceUse {
        EvidenceUse {
            digest: Digest::from_bytes([digest; 32]),
            index: Index(index),
            admitted_at: TimeMs(index * 10),
            award: index.is_multiple_of(2).then_some((7, Grams(index))),
        }
    }

    /// What is taken in is found in the order of its entries, by pages, also after another opening; what is forgotten
    /// is not; and an index of another run of the machine is not believed.
    #[test]
    fn what_was_taken_in_is_found_until_it_is_forgotten() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("evidence");
        let (index, root) = EvidenceIndex::open(&path).unwrap();
        assert_eq!(root, None);
        index.begin_at(3).unwrap();
        let uses = [one(1, 3), one(2, 4), one(1, 6), one(1, 9)];
        index.extend(&uses, 10, [5; 32]).unwrap();
        let of_first = Digest::from_bytes([1; 32]);
        drop(index);
        let (index, root) = EvidenceIndex::open(&path).unwrap();
        assert_eq!(root, Some([5; 32]));
        assert_eq!(index.window(), Window { from: 3, to: 10 });
        let page = index.uses(&of_first, None, 2).unwrap();
        assert_eq!(page, [one(1, 3), one(1, 6)]);
        let page = index.uses(&of_first, Some(Index(6)), 2).unwrap();
        assert_eq!(page, [one(1, 9)]);
        index.forget(&[one(1, 3), one(2, 4)], 5, [5; 32]).unwrap();
        assert_eq!(index.window(), Window { from: 5, to: 10 });
        let of_second = Digest::from_bytes([2; 32]);
        assert!(index.uses(&of_second, None, 9).unwrap().is_empty());
        assert_eq!(index.uses(&of_first, None, 9).unwrap().len(), 2);
        let mut header = index.header(index.window(), [5; 32]);
        *header.last_mut().unwrap() ^= 1;
        index.db.insert(HEADER_KEY, header).unwrap();
        drop(index);
        let (index, root) = EvidenceIndex::open(&path).unwrap();
        assert_eq!((root, index.window()), (None, Window { from: 0, to: 0 }));
        assert!(index.uses(&of_first, None, 9).unwrap().is_empty());
    }
}
