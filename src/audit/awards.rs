//! The awards of a ledger on disk, in rows, for the findings that compare awards with each other:
//! the same evidence twice, an activity split into several awards, awards at the cap day after
//! day.
//!
//! There may be a billion: they don't fit in memory. Rows go to partitions by account and by
//! evidence, and each partition is sorted in memory by itself, some 1/256 of the whole. A row
//! takes 110 bytes on disk. Only the lengths of the partitions are in the saved audit: rows after
//! them, of a run that did not end, are cut.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use bincode::{Decode, Encode};

use crate::durable::{FileError, at, create_dirs, hold};
use crate::record::{
    AccountId, ActivityCode, Award, Day, Digest, Grams, Index, MethodId, MethodVersion,
};

/// Partitions of each of the two kinds.
const PARTITIONS: usize = 256;
/// Bytes that wait in memory for each partition: 8 MB together.
const BUFFER_BYTES: usize = 16 * 1024;
const ROW_BYTES: usize = 32 + 4 + 2 + 4 + 4 + 8 + 8;
const EVIDENCE_BYTES: usize = 32 + 8 + 8;

/// Rows that can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum AwardRowsError {
    /// The file system says no.
    #[error(transparent)]
    Io(#[from] FileError),
    /// Rows that were saved are gone.
    #[error("{0} is shorter than it was saved: begin with a new state file")]
    Cut(PathBuf),
    /// Somebody else writes to them.
    #[error("{0} is in use by another audit or monitor; wait for that one")]
    Locked(PathBuf),
}

/// One award, as it is compared with others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AwardRow {
    /// Whose.
    pub account: AccountId,
    /// The method,
    pub method: MethodId,
    /// and the activity in it.
    pub activity: ActivityCode,
    /// When it was done.
    pub occurred_on: Day,
    /// The method's version.
    pub version: MethodVersion,
    /// The entry.
    pub index: Index,
    /// Its points.
    pub points: Grams,
}

/// Bytes in each partition's file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct AwardRowsLengths {
    by_account: Vec<u64>,
    by_evidence: Vec<u64>,
}

/// All awards that were seen.
#[derive(Debug)]
pub struct AwardRows {
    by_account: Partitions,
    by_evidence: Partitions,
    _lock: AwardRowsLock,
}

/// A folder of rows, held: nobody else cuts or adds rows meanwhile. Taken before the lengths are
/// read.
#[derive(Debug)]
pub struct AwardRowsLock {
    dir: PathBuf,
    _file: File,
}

impl AwardRowsLock {
    /// Holds a folder, which is made if need be.
    ///
    /// # Errors
    /// [`AwardRowsError::Locked`] when somebody else does.
    pub fn hold(dir: &Path) -> Result<Self, AwardRowsError> {
        create_dirs(dir)?;
        let file = hold(&dir.join("LOCK"))?;
        Ok(Self {
            dir: dir.to_owned(),
            _file: file.ok_or_else(|| AwardRowsError::Locked(dir.to_owned()))?,
        })
    }
}

impl AwardRows {
    /// Begins, or goes on from these lengths, in a folder of their own.
    ///
    /// # Errors
    /// [`AwardRowsError`], also when rows that were saved are gone.
    pub fn open(lock: AwardRowsLock, lengths: &AwardRowsLengths) -> Result<Self, AwardRowsError> {
        Ok(Self {
            by_account: Partitions::open(&lock.dir, "account", &lengths.by_account)?,
            by_evidence: Partitions::open(&lock.dir, "evidence", &lengths.by_evidence)?,
            _lock: lock,
        })
    }

    /// Adds an award.
    ///
    /// # Errors
    /// [`AwardRowsError`].
    pub fn add(&mut self, index: Index, award: &Award) -> Result<(), AwardRowsError> {
        let account = award.account.as_bytes();
        let mut row = Vec::with_capacity(ROW_BYTES);
        row.extend_from_slice(account);
        row.extend_from_slice(&award.method.0.to_be_bytes());
        row.extend_from_slice(&award.activity.0.to_be_bytes());
        row.extend_from_slice(&award.occurred_on.0.to_be_bytes());
        row.extend_from_slice(&award.version.0.to_be_bytes());
        row.extend_from_slice(&index.0.to_be_bytes());
        row.extend_from_slice(&award.points.0.to_be_bytes());
        self.by_account.add(account, &row)?;
        row.clear();
        row.extend_from_slice(award.evidence.as_bytes());
        row.extend_from_slice(&index.0.to_be_bytes());
        row.extend_from_slice(&award.points.0.to_be_bytes());
        self.by_evidence.add(award.evidence.as_bytes(), &row)
    }

    /// Writes what waits, durably; gives the lengths to save.
    ///
    /// # Errors
    /// [`AwardRowsError`].
    pub fn sync(&mut self) -> Result<AwardRowsLengths, AwardRowsError> {
        Ok(AwardRowsLengths {
            by_account: self.by_account.sync()?,
            by_evidence: self.by_evidence.sync()?,
        })
    }

    /// Calls `each` with the awards of each account, sorted by method, activity, day, version
    /// and index.
    ///
    /// # Errors
    /// [`AwardRowsError`].
    pub fn each_account(
        &mut self,
        mut each: impl FnMut(&[AwardRow]),
    ) -> Result<(), AwardRowsError> {
        self.by_account.each(|bytes| {
            let mut rows: Vec<AwardRow> = bytes
                .as_chunks::<ROW_BYTES>()
                .0
                .iter()
                .filter_map(read_row)
                .collect();
            rows.sort_unstable();
            rows.chunk_by(|a, b| a.account == b.account)
                .for_each(&mut each);
        })
    }

    /// Calls `each` with the evidence that several awards name, their indexes and points.
    ///
    /// # Errors
    /// [`AwardRowsError`].
    pub fn each_repeated_evidence(
        &mut self,
        mut each: impl FnMut(Digest, Vec<(Index, Grams)>),
    ) -> Result<(), AwardRowsError> {
        self.by_evidence.each(|bytes| {
            let mut rows = bytes.as_chunks::<EVIDENCE_BYTES>().0.to_vec();
            rows.sort_unstable();
            for same in rows.chunk_by(|a, b| a[..32] == b[..32]) {
                if let [first, _, ..] = same
                    && let Some((digest, ..)) = read_evidence(first)
                {
                    let awards = same.iter().filter_map(read_evidence);
                    each(
                        digest,
                        awards.map(|(_, index, points)| (index, points)).collect(),
                    );
                }
            }
        })
    }
}

fn next<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (part, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*part)
}

fn read_evidence(row: &[u8; EVIDENCE_BYTES]) -> Option<(Digest, Index, Grams)> {
    let rest = &mut row.as_slice();
    Some((
        Digest::from_bytes(next(rest)?),
        Index(u64::from_be_bytes(next(rest)?)),
        Grams(u64::from_be_bytes(next(rest)?)),
    ))
}

fn read_row(row: &[u8; ROW_BYTES]) -> Option<AwardRow> {
    let rest = &mut row.as_slice();
    Some(AwardRow {
        account: AccountId::from_bytes(next(rest)?),
        method: MethodId(u32::from_be_bytes(next(rest)?)),
        activity: ActivityCode(u16::from_be_bytes(next(rest)?)),
        occurred_on: Day(u32::from_be_bytes(next(rest)?)),
        version: MethodVersion(u32::from_be_bytes(next(rest)?)),
        index: Index(u64::from_be_bytes(next(rest)?)),
        points: Grams(u64::from_be_bytes(next(rest)?)),
    })
}

/// Rows in files by the first byte of what they are sorted by.
#[derive(Debug)]
struct Partitions {
    parts: Vec<Partition>,
}

#[derive(Debug)]
struct Partition {
    path: PathBuf,
    written: u64,
    waiting: Vec<u8>,
}

impl Partitions {
    fn open(dir: &Path, name: &str, lengths: &[u64]) -> Result<Self, AwardRowsError> {
        let mut parts = Vec::with_capacity(PARTITIONS);
        for number in 0..PARTITIONS {
            let path = dir.join(format!("{name}-{number:02x}"));
            let written = lengths.get(number).copied().unwrap_or(0);
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(at(&path))?;
            if file.metadata().map_err(at(&path))?.len() < written {
                return Err(AwardRowsError::Cut(path));
            }
            file.set_len(written).map_err(at(&path))?;
            parts.push(Partition {
                path,
                written,
                waiting: Vec::new(),
            });
        }
        Ok(Self { parts })
    }

    fn add(&mut self, key: &[u8; 32], row: &[u8]) -> Result<(), AwardRowsError> {
        let Some(part) = self.parts.get_mut(usize::from(key[0])) else {
            return Ok(());
        };
        part.waiting.extend_from_slice(row);
        if part.waiting.len() >= BUFFER_BYTES {
            part.write()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<Vec<u64>, AwardRowsError> {
        for part in &mut self.parts {
            if let Some(file) = part.write()? {
                file.sync_data().map_err(at(&part.path))?;
            }
        }
        Ok(self.parts.iter().map(|part| part.written).collect())
    }

    fn each(&mut self, mut each: impl FnMut(&[u8])) -> Result<(), AwardRowsError> {
        for part in &mut self.parts {
            part.write()?;
            let mut bytes = Vec::new();
            File::open(&part.path)
                .and_then(|file| file.take(part.written).read_to_end(&mut bytes))
                .map_err(at(&part.path))?;
            each(&bytes);
        }
        Ok(())
    }
}

impl Partition {
    /// Appends what waits; the file, if there was something.
    fn write(&mut self) -> Result<Option<File>, AwardRowsError> {
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let written = OpenOptions::new()
            .write(true)
            .open(&self.path)
            .and_then(|mut file| {
                file.seek(std::io::SeekFrom::Start(self.written))?;
                file.write_all(&self.waiting)?;
                Ok(file)
            });
        let file = written.map_err(at(&self.path))?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(Some(file))
    }
}
