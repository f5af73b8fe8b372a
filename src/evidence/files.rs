//! The regular files below some folders, each hashed once, in pieces. Symbolic links are not followed, and what is no
//! regular file is not opened.

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::durable::{FileError, at};
use crate::record::Digest;

/// The most files that are read; those behind are told as unread.
pub const FILES_MAX: u64 = 1_000_000;
/// The longest file that is read: some hours of film.
pub const FILE_BYTES_MAX: u64 = 64 << 30;
/// Folders in folders.
const DEPTH_MAX: usize = 64;
/// Files whose reasons are kept.
const UNREAD_KEPT_MAX: usize = 100;
/// What is read at a time.
const PIECE_BYTES: usize = 1 << 18;

/// A file with a digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// Files by their digests.
#[derive(Debug, Default)]
pub struct Files {
    by_digest: HashMap<Digest, Found>,
    /// Files whose names are digests that they have not, by these.
    misnamed: HashMap<Digest, (PathBuf, Digest)>,
    /// Files that were seen, by device and number: one that has several names is read once.
    seen: HashSet<(u64, u64)>,
    count: u64,
    bytes: u64,
    links: u64,
    unread: Vec<(PathBuf, String)>,
    unread_count: u64,
}

impl Files {
    /// Reads all files below these folders. `progress` is told how many bytes were read.
    ///
    /// # Errors
    /// [`FileError`] when one of the folders themselves can't be read.
    pub fn read(folders: &[PathBuf], mut progress: impl FnMut(u64)) -> Result<Self, FileError> {
        let mut files = Self::default();
        for folder in folders {
            // A link that the auditor names is meant.
            let names = names_in(folder).map_err(at(folder))?;
            let mut open = vec![names.into_iter()];
            while let Some(names) = open.last_mut() {
                let Some(path) = names.next() else {
                    open.pop();
                    continue;
                };
                let meta = match path.symlink_metadata() {
                    Ok(meta) => meta,
                    Err(error) => {
                        files.leave(&path, &error);
                        continue;
                    }
                };
                if meta.is_symlink() {
                    files.links += 1;
                } else if meta.is_dir() {
                    if open.len() >= DEPTH_MAX {
                        files.leave(&path, &"it is more than 64 folders deep");
                        continue;
                    }
                    match names_in(&path) {
                        Ok(names) => open.push(names.into_iter()),
                        Err(error) => files.leave(&path, &error),
                    }
                } else if meta.is_file() {
                    files.take(&path, &meta, &mut progress);
                } else {
                    files.leave(&path, &"it is no regular file");
                }
            }
        }
        Ok(files)
    }

    /// The file with a digest.
    pub fn of(&self, digest: &Digest) -> Option<&Found> {
        self.by_digest.get(digest)
    }

    /// A file whose name is a digest that it has not, and the one that it has.
    pub fn named_as(&self, digest: &Digest) -> Option<(&Path, &Digest)> {
        let (path, real) = self.misnamed.get(digest)?;
        Some((path, real))
    }

    /// Files that were read.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Of these, how many differ.
    pub fn different(&self) -> u64 {
        self.by_digest.len() as u64
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Symbolic links, which were not followed.
    pub fn links(&self) -> u64 {
        self.links
    }

    /// Files that could not be read: some of them, with the reason.
    pub fn unread(&self) -> &[(PathBuf, String)] {
        &self.unread
    }

    /// How many could not be read.
    pub fn unread_count(&self) -> u64 {
        self.unread_count
    }

    fn leave(&mut self, path: &Path, why: &dyn std::fmt::Display) {
        self.unread_count += 1;
        if self.unread.len() < UNREAD_KEPT_MAX {
            self.unread.push((path.to_owned(), why.to_string()));
        }
    }

    fn take(&mut self, path: &Path, meta: &Metadata, progress: &mut impl FnMut(u64)) {
        if !self.seen.insert(id_of(meta)) {
            return;
        }
        if self.count >= FILES_MAX {
            return self.leave(path, &"there are more than 1,000,000 files");
        }
        match hash(path, meta, progress) {
            Ok((digest, bytes)) => {
                self.count += 1;
                self.bytes = self.bytes.saturating_add(bytes);
                let named = path
                    .file_stem()
                    .and_then(|stem| stem.to_str()?.parse().ok());
                if let Some(named) = named.filter(|named| *named != digest) {
                    self.misnamed.insert(named, (path.to_owned(), digest));
                }
                let path = path.to_owned();
                self.by_digest
                    .entry(digest)
                    .or_insert(Found { path, bytes });
            }
            Err(error) => self.leave(path, &error),
        }
    }
}

impl Found {
    /// The bytes of the file, which still have this digest.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn read(&self, digest: &Digest, bytes_max: usize) -> Result<Vec<u8>, String> {
        if self.bytes > bytes_max as u64 {
            return Err(format!("it is longer than {bytes_max} bytes"));
        }
        let bytes = crate::durable::read_at_most(&self.path, bytes_max);
        let bytes = bytes.map_err(|error| error.to_string())?;
        match Digest::from_bytes(Sha256::digest(&bytes).into()) == *digest {
            true => Ok(bytes),
            false => Err("it was changed while it was read".to_owned()),
        }
    }
}

/// What a folder has, in the order of the names.
fn names_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let names = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut names = names
        .take(usize::try_from(FILES_MAX).unwrap_or(usize::MAX))
        .collect::<std::io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

fn id_of(meta: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (meta.dev(), meta.ino())
}

/// The digest and length of the file that `meta` is of.
fn hash(
    path: &Path,
    meta: &Metadata,
    progress: &mut impl FnMut(u64),
) -> std::io::Result<(Digest, u64)> {
    let mut file = File::open(path)?;
    // Another one may stand at its place by now, such as a link.
    if id_of(&file.metadata()?) != id_of(meta) {
        return Err(std::io::Error::other("it was exchanged while it was read"));
    }
    if meta.len() > FILE_BYTES_MAX {
        return Err(std::io::Error::other("it is longer than 64 GiB"));
    }
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut read = 0;
    loop {
        let count = file.read(&mut piece)?;
        let Some(new) = piece.get(..count).filter(|new| !new.is_empty()) else {
            break;
        };
        hasher.update(new);
        read += count as u64;
        if read > FILE_BYTES_MAX {
            return Err(std::io::Error::other("it is longer than 64 GiB"));
        }
        progress(count as u64);
    }
    Ok((Digest::from_bytes(hasher.finalize().into()), read))
}
