//! What an audit keeps between its runs, in one file: the checkpoint that it verified, the
//! ledger's state there, the tree, and what it observed.
//!
//! ```text
//! "arborlog audit 7\n"
//! u64 length, header                   the codec of docs/format.md, section 2
//! u8 map, u64 length, place, u64 length, bytes    for each bucket of the state
//! u8 0xff
//! SHA-256 of all before
//! ```
//!
//! The digest finds damage. It is no signature: anybody who can write the file can make a false
//! one, so the file belongs where only the auditor writes.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use bincode::{Decode, Encode};
use sha2::{Digest as _, Sha256};

use super::auditor::Verified;
use super::awards::AwardRowsLengths;
use super::observe::Observations;
use crate::durable::{FileError, at, replace_with};
use crate::ledger::{BucketError, Globals, RULES_VERSION, State};
use crate::merkle::{Frontier, Hash};
use crate::record::{decode, encode};

const MAGIC: &[u8] = b"arborlog audit 7\n";
const HEADER_BYTES_MAX: usize = 1 << 30;
const PLACE_BYTES_MAX: u64 = 64;
const BUCKET_BYTES_MAX: u64 = 1 << 30;
const END: u8 = 0xff;

/// Why a saved audit can't be written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SavedAuditError {
    /// The file can't be written or read.
    #[error(transparent)]
    Io(#[from] FileError),
    /// The file is damaged, or is no saved audit of this version.
    #[error("{0} can't be continued: {1}. Move it away to begin with a whole audit")]
    Unusable(PathBuf, String),
}

/// All of a saved audit but the state's buckets, which follow it in the file.
#[derive(Encode, Decode)]
struct FileHeader {
    /// The rules that made the state: under others it would be another one.
    rules: u32,
    /// The checkpoint as text, with its signatures.
    checkpoint: String,
    /// Entries that the tree is over.
    size: u64,
    /// The hashes of the tree's right edge.
    peaks: Vec<[u8; 32]>,
    /// What there is once in the state.
    globals: Globals,
    /// What was observed on the way.
    observations: Observations,
    /// How long the files of award rows were.
    awards: AwardRowsLengths,
}

/// An audit as it was saved.
#[derive(Clone, Debug)]
pub struct SavedAudit {
    /// The checkpoint, the state and the tree.
    pub verified: Verified,
    /// What was observed on the way.
    pub observations: Observations,
    /// How long the files of award rows were.
    pub awards: AwardRowsLengths,
}

impl SavedAudit {
    /// Writes the file anew, whole, in place of the one before; it is durable when this returns.
    /// The award rows whose lengths it names must be durable already: `AwardRows::sync`.
    ///
    /// # Errors
    /// [`SavedAuditError::Io`]; the file is then as it was, or the new one.
    pub fn write(&self, path: &Path) -> Result<(), SavedAuditError> {
        Ok(replace_with(path, |file| {
            let mut out = Hashing {
                inner: file,
                hasher: Sha256::new(),
            };
            self.write_to(&mut out)?;
            let digest = out.hasher.finalize();
            out.inner.write_all(&digest)
        })?)
    }

    fn write_to(&self, out: &mut impl Write) -> std::io::Result<()> {
        let other = |error: crate::record::CodecError| std::io::Error::other(error.to_string());
        let state = &self.verified.state;
        let header = FileHeader {
            rules: RULES_VERSION,
            checkpoint: self.verified.checkpoint.clone(),
            size: self.verified.tree.size(),
            peaks: self
                .verified
                .tree
                .peaks()
                .iter()
                .map(|hash| *hash.as_bytes())
                .collect(),
            globals: state.globals().clone(),
            observations: self.observations.clone(),
            awards: self.awards.clone(),
        };
        let header = encode::<_, HEADER_BYTES_MAX>(&header).map_err(other)?;
        out.write_all(MAGIC)?;
        out.write_all(&(header.len() as u64).to_be_bytes())?;
        out.write_all(&header)?;
        for (map, bucket) in state.clone().image().buckets() {
            let other = |error: BucketError| std::io::Error::other(error.to_string());
            let place = bucket.first_key().map_err(other)?;
            let bytes = bucket.bytes().map_err(other)?;
            out.write_all(&[map])?;
            out.write_all(&(place.len() as u64).to_be_bytes())?;
            out.write_all(&place)?;
            out.write_all(&(bytes.len() as u64).to_be_bytes())?;
            out.write_all(&bytes)?;
        }
        out.write_all(&[END])
    }

    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// [`SavedAuditError`] when it can't be read, or is damaged.
    pub fn read(path: &Path) -> Result<Option<Self>, SavedAuditError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(path)(error).into()),
        };
        let mut from = Hashing {
            inner: BufReader::new(file),
            hasher: Sha256::new(),
        };
        let unusable = |why: String| SavedAuditError::Unusable(path.to_owned(), why);
        let saved = Self::read_from(&mut from).map_err(unusable)?;
        let digest: [u8; 32] = from.hasher.finalize().into();
        let mut found = Vec::new();
        let end = from.inner.take(33).read_to_end(&mut found);
        if end.is_err() || found != digest {
            return Err(unusable("its digest does not match".to_owned()));
        }
        Ok(Some(saved))
    }

    fn read_from(from: &mut impl Read) -> Result<Self, String> {
        let mut magic = vec![0; MAGIC.len()];
        fill(from, &mut magic)?;
        if magic != MAGIC {
            return Err(
                "it was saved by another version of arborlog, or is no saved audit".to_owned(),
            );
        }
        let length = number(from)?;
        let header = bytes(from, length, HEADER_BYTES_MAX as u64)?;
        let header: FileHeader =
            decode::<_, HEADER_BYTES_MAX>(&header).map_err(|error| error.to_string())?;
        if header.rules != RULES_VERSION {
            return Err("it was saved under other rules".to_owned());
        }
        let peaks = header.peaks.into_iter().map(Hash::from_bytes).collect();
        let tree = Frontier::from_peaks(header.size, peaks).ok_or("its tree contradicts itself")?;
        let mut state = State::from_globals(header.globals);
        loop {
            let mut map = [0];
            fill(from, &mut map)?;
            if map == [END] {
                break;
            }
            let length = number(from)?;
            let place = bytes(from, length, PLACE_BYTES_MAX)?;
            let length = number(from)?;
            let bucket = bytes(from, length, BUCKET_BYTES_MAX)?;
            state
                .load(map[0], &place, &bucket)
                .map_err(|error| error.to_string())?;
        }
        Ok(Self {
            verified: Verified {
                checkpoint: header.checkpoint,
                state,
                tree,
            },
            observations: header.observations,
            awards: header.awards,
        })
    }
}

fn fill(from: &mut impl Read, into: &mut [u8]) -> Result<(), String> {
    from.read_exact(into).map_err(|_| "it is cut".to_owned())
}

fn number(from: &mut impl Read) -> Result<u64, String> {
    let mut bytes = [0; 8];
    fill(from, &mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

fn bytes(from: &mut impl Read, length: u64, most: u64) -> Result<Vec<u8>, String> {
    if length > most {
        return Err("a length in it reaches past its limit".to_owned());
    }
    let mut bytes = Vec::new();
    match from.take(length).read_to_end(&mut bytes) {
        Ok(read) if read as u64 == length => Ok(bytes),
        _ => Err("it is cut".to_owned()),
    }
}

/// Hashes what passes.
struct Hashing<T> {
    inner: T,
    hasher: Sha256,
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        let beyond = || std::io::Error::other("more bytes were written than there were");
        self.hasher.update(bytes.get(..written).ok_or_else(beyond)?);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(into)?;
        let beyond = || std::io::Error::other("more bytes were read than there was room for");
        self.hasher.update(into.get(..read).ok_or_else(beyond)?);
        Ok(read)
    }
}
