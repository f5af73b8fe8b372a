//! The awards of a ledger on disk, in rows, for the findings that compare awards with each other:
//! the same evidence twice, an activity split into several awards, awards at the cap day after
//! day. And the transfers from account to account, for those that ask where an account's points went.
//!
//! There may be a billion: they don't fit in memory. Rows go to partitions by account and by
//! evidence, and each partition is sorted in memory by itself, some 1/256 of the whole. An award
//! takes 110 bytes on disk, a transfer 80. Only the lengths of the partitions are in the saved audit: rows after
//! them, of a run that did not end, are cut.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use bincode::{Decode, Encode};

use crate::durable::{AppendFile, FileError, Held, at, hold, make_empty, make_folders};
use crate::record::{
    AccountId, ActivityCode, Award, Day, Digest, Grams, Index, MethodId, MethodVersion, Transfer,
};

/// Partitions of each of the two kinds.
pub(super) const PARTITIONS: usize = 256;
/// Bytes that wait in memory for each partition: 8 MB together.
const BUFFER_BYTES: usize = 16 * 1024;
const ROW_BYTES: usize = 32 + 4 + 2 + 4 + 4 + 8 + 8;
const EVIDENCE_BYTES: usize = 32 + 8 + 8;
const SENT_BYTES: usize = 32 + 32 + 8 + 8;

/// Rows that can't be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AwardRowsError {
    /// A file can't be written or read.
    #[error(transparent)]
    Io(#[from] FileError),
    /// Rows that were saved are gone.
    #[error("{0} is shorter than it was saved: begin with a new state file")]
    Cut(PathBuf),
    /// What was saved does not end with a whole row.
    #[error("{0} does not hold whole rows: begin with a new state file")]
    Damaged(PathBuf),
    /// The lengths that were saved are not those of the partitions that there are.
    #[error("the saved audit has award rows in {0} files, not in 256: begin with a new state file")]
    Partitions(usize),
    /// Another process writes to them.
    #[error("{0} is in use by another audit or monitor; wait for that one")]
    Locked(PathBuf),
}

/// One award, as it is compared with others. The order of the fields is the order of the rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AwardRow {
    /// The account that was awarded.
    pub account: AccountId,
    /// The method that the award follows.
    pub method: MethodId,
    /// The activity, by its code in the method.
    pub activity: ActivityCode,
    /// The day of the event that was awarded.
    pub occurred_on: Day,
    /// The version of the method.
    pub version: MethodVersion,
    /// The award's entry.
    pub index: Index,
    /// The award's points.
    pub points: Grams,
}

/// A transfer from an account to another, as it is compared with the awards of the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SentRow {
    /// The account that the points left.
    pub from: AccountId,
    /// The account that they went to.
    pub to: AccountId,
    /// The transfer's entry.
    pub index: Index,
    /// The points.
    pub points: Grams,
}

/// Bytes in each partition's file.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AwardRowsLengths {
    by_account: Vec<u64>,
    by_evidence: Vec<u64>,
    by_sender: Vec<u64>,
}

impl Default for AwardRowsLengths {
    fn default() -> Self {
        Self {
            by_account: vec![0; PARTITIONS],
            by_evidence: vec![0; PARTITIONS],
            by_sender: vec![0; PARTITIONS],
        }
    }
}

/// All awards that were seen, and all transfers between accounts.
#[derive(Debug)]
pub struct AwardRows {
    by_account: Partitions,
    by_evidence: Partitions,
    by_sender: Partitions,
    lock: AwardRowsLock,
}

/// A folder of rows, held: no other process cuts or adds rows meanwhile. Taken before the lengths
/// are read.
#[derive(Debug)]
pub struct AwardRowsLock {
    dir: PathBuf,
    _held: Held,
}

impl AwardRowsLock {
    /// Holds a folder, which is made if need be.
    ///
    /// # Errors
    /// [`AwardRowsError::Locked`] when another process does.
    pub fn hold(dir: &Path) -> Result<Self, AwardRowsError> {
        make_folders(dir)?;
        let held = hold(&dir.join("LOCK"))?;
        Ok(Self {
            dir: dir.to_owned(),
            _held: held.ok_or_else(|| AwardRowsError::Locked(dir.to_owned()))?,
        })
    }
}

impl AwardRows {
    /// Opens the rows of a folder at these lengths; the default ones begin without rows. What a
    /// run that did not end wrote after them is cut.
    ///
    /// # Errors
    /// [`AwardRowsError`], also when rows that were saved are gone.
    pub fn open(lock: AwardRowsLock, lengths: &AwardRowsLengths) -> Result<Self, AwardRowsError> {
        Ok(Self {
            by_account: Partitions::open(&lock.dir, "account", &lengths.by_account)?,
            by_evidence: Partitions::open(&lock.dir, "evidence", &lengths.by_evidence)?,
            by_sender: Partitions::open(&lock.dir, "sender", &lengths.by_sender)?,
            lock,
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

    /// Adds a transfer; points that go to no account are left out.
    ///
    /// # Errors
    /// [`AwardRowsError`].
    pub fn add_transfer(
        &mut self,
        index: Index,
        transfer: &Transfer,
    ) -> Result<(), AwardRowsError> {
        let Some(to) = &transfer.to else {
            return Ok(());
        };
        let from = transfer.from.as_bytes();
        let mut row = Vec::with_capacity(SENT_BYTES);
        row.extend_from_slice(from);
        row.extend_from_slice(to.as_bytes());
        row.extend_from_slice(&index.0.to_be_bytes());
        row.extend_from_slice(&transfer.points.0.to_be_bytes());
        self.by_sender.add(from, &row)
    }

    /// Writes what waits, durably; gives the lengths to save.
    ///
    /// # Errors
    /// [`AwardRowsError`].
    pub fn sync(&mut self) -> Result<AwardRowsLengths, AwardRowsError> {
        Ok(AwardRowsLengths {
            by_account: self.by_account.sync()?,
            by_evidence: self.by_evidence.sync()?,
            by_sender: self.by_sender.sync()?,
        })
    }

    /// A folder for rows that are needed while findings are reckoned; what is in it is nobody's afterwards.
    pub(super) fn scratch(&self) -> PathBuf {
        self.lock.dir.join("scratch")
    }

    /// Calls `each` with the awards of each account, sorted by method, activity, day, version
    /// and index, and with what the account sent to others. Accounts without an award are left out; the
    /// others come in ascending order.
    ///
    /// # Errors
    /// [`AwardRowsError`], and what `each` gives.
    pub fn each_account<E: From<AwardRowsError>>(
        &mut self,
        mut each: impl FnMut(&[AwardRow], &[SentRow]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut senders = self.by_sender.parts.iter_mut();
        self.by_account.each(read_row, |rows| {
            rows.sort_unstable();
            let part = senders.next();
            let mut sent = part.map_or(Ok(Vec::new()), |part| part.rows(read_sent))?;
            sent.sort_unstable();
            let mut sent = sent.as_slice();
            for rows in rows.chunk_by(|a, b| a.account == b.account) {
                let own = rows.first().map_or(&[][..], |row| {
                    let from = sent.partition_point(|it| it.from < row.account);
                    let rest = sent.get(from..).unwrap_or(&[]);
                    let count = rest.partition_point(|it| it.from == row.account);
                    let (own, others) = rest.split_at_checked(count).unwrap_or((&[], &[]));
                    sent = others;
                    own
                });
                each(rows, own)?;
            }
            Ok(())
        })
    }

    /// Calls `each` with each evidence that awards name, and the indexes and points of these.
    ///
    /// # Errors
    /// [`AwardRowsError`], and what `each` gives.
    pub fn each_evidence<E: From<AwardRowsError>>(
        &mut self,
        mut each: impl FnMut(Digest, &[(Index, Grams)]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut awards = Vec::new();
        self.by_evidence.each(read_evidence, |rows| {
            rows.sort_unstable();
            for same in rows.chunk_by(|a, b| a.0 == b.0) {
                if let Some((digest, ..)) = same.first() {
                    awards.clear();
                    awards.extend(same.iter().map(|(_, index, points)| (*index, *points)));
                    each(*digest, &awards)?;
                }
            }
            Ok(())
        })
    }

    /// Calls `each` with the evidence that several awards name, their indexes and points.
    ///
    /// # Errors
    /// [`AwardRowsError`], and what `each` gives.
    pub fn each_repeated_evidence<E: From<AwardRowsError>>(
        &mut self,
        mut each: impl FnMut(Digest, Vec<(Index, Grams)>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_evidence(|digest, awards| match awards {
            [_, _, ..] => each(digest, awards.to_vec()),
            _ => Ok(()),
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

fn read_sent(row: &[u8; SENT_BYTES]) -> Option<SentRow> {
    let rest = &mut row.as_slice();
    Some(SentRow {
        from: AccountId::from_bytes(next(rest)?),
        to: AccountId::from_bytes(next(rest)?),
        index: Index(u64::from_be_bytes(next(rest)?)),
        points: Grams(u64::from_be_bytes(next(rest)?)),
    })
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
pub(super) struct Partitions {
    /// One for each value of that byte.
    parts: Vec<Partition>,
}

#[derive(Debug)]
struct Partition {
    path: PathBuf,
    /// Bytes in the file. What is behind them is of a run that did not end, and is cut by the next
    /// write.
    written: u64,
    /// Of these, the bytes that are durable.
    synced: u64,
    /// Rows that are not in the file yet.
    waiting: Vec<u8>,
}

impl Partitions {
    pub(super) fn open(dir: &Path, name: &str, lengths: &[u64]) -> Result<Self, AwardRowsError> {
        if lengths.len() != PARTITIONS {
            return Err(AwardRowsError::Partitions(lengths.len()));
        }
        let names: Vec<String> = (0..PARTITIONS)
            .map(|number| format!("{name}-{number:02x}"))
            .collect();
        make_empty(dir, &names)?;
        let mut parts = Vec::with_capacity(PARTITIONS);
        for (name, &written) in names.iter().zip(lengths) {
            let path = dir.join(name);
            if fs::metadata(&path).map_err(at(&path))?.len() < written {
                return Err(AwardRowsError::Cut(path));
            }
            parts.push(Partition {
                path,
                written,
                synced: written,
                waiting: Vec::new(),
            });
        }
        Ok(Self { parts })
    }

    pub(super) fn add(&mut self, key: &[u8; 32], row: &[u8]) -> Result<(), AwardRowsError> {
        // There is a partition for each first byte: `open` checked it.
        let count = self.parts.len();
        let part = self.parts.get_mut(usize::from(key[0]));
        let part = part.ok_or(AwardRowsError::Partitions(count))?;
        part.waiting.extend_from_slice(row);
        if part.waiting.len() >= BUFFER_BYTES {
            part.write()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<Vec<u64>, AwardRowsError> {
        for part in &mut self.parts {
            part.sync()?;
        }
        Ok(self.parts.iter().map(|part| part.written).collect())
    }

    /// Calls `each` with the rows of each partition, in the order in which they were added.
    pub(super) fn each<const N: usize, R, E: From<AwardRowsError>>(
        &mut self,
        read: impl Fn(&[u8; N]) -> Option<R>,
        mut each: impl FnMut(&mut [R]) -> Result<(), E>,
    ) -> Result<(), E> {
        for part in &mut self.parts {
            each(&mut part.rows(&read)?)?;
        }
        Ok(())
    }
}

impl Partition {
    /// All rows, in the order in which they were added.
    fn rows<const N: usize, R>(
        &mut self,
        read: impl Fn(&[u8; N]) -> Option<R>,
    ) -> Result<Vec<R>, AwardRowsError> {
        let bytes = self.read()?;
        let (rows, rest) = bytes.as_chunks::<N>();
        let rows: Option<Vec<R>> = rows.iter().map(read).collect();
        let rows = rows.filter(|_| rest.is_empty());
        rows.ok_or_else(|| AwardRowsError::Damaged(self.path.clone()))
    }

    /// All bytes, those that waited too.
    fn read(&mut self) -> Result<Vec<u8>, AwardRowsError> {
        self.write()?;
        let mut bytes = Vec::new();
        File::open(&self.path)
            .and_then(|file| file.take(self.written).read_to_end(&mut bytes))
            .map_err(at(&self.path))?;
        // The file is held, but nothing keeps others from cutting it.
        if bytes.len() as u64 != self.written {
            return Err(AwardRowsError::Cut(self.path.clone()));
        }
        Ok(bytes)
    }

    fn open(&self) -> Result<AppendFile, AwardRowsError> {
        AppendFile::resume(&self.path, self.written).map_err(|error| match error.error.kind() {
            ErrorKind::UnexpectedEof => AwardRowsError::Cut(self.path.clone()),
            _ => error.into(),
        })
    }

    /// Appends what waits.
    fn write(&mut self) -> Result<(), AwardRowsError> {
        if !self.waiting.is_empty() {
            let mut file = self.open()?;
            file.append(&self.waiting)?;
            self.written = file.end();
            self.waiting.clear();
        }
        Ok(())
    }

    /// Appends what waits, and makes durable all that was appended since the last sync.
    fn sync(&mut self) -> Result<(), AwardRowsError> {
        self.write()?;
        if self.synced < self.written {
            self.open()?.sync()?;
            self.synced = self.written;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{AwardRows, AwardRowsError, AwardRowsLengths, AwardRowsLock, ROW_BYTES};
    use crate::record::{
        AccountId, ActivityCode, Award, Day, Digest, Grams, Index, MethodId, MethodVersion,
        Quantity,
    };

    fn award(account: u8) -> Award {
        Award {
            account: AccountId::from_bytes([account; 32]),
            method: MethodId(1),
            version: MethodVersion(1),
            activity: ActivityCode(1),
            occurred_on: Day(20_000),
            quantity: Quantity(1_000),
            points: Grams(100),
            evidence: Digest::from_bytes([account; 32]),
        }
    }

    fn open(dir: &Path, lengths: &AwardRowsLengths) -> Result<AwardRows, AwardRowsError> {
        AwardRows::open(AwardRowsLock::hold(dir)?, lengths)
    }

    fn count(rows: &mut AwardRows) -> Result<usize, AwardRowsError> {
        let mut count = 0;
        rows.each_account(|rows, _| {
            count += rows.len();
            Ok::<_, AwardRowsError>(())
        })?;
        Ok(count)
    }

    /// Each award is there when awards are compared, or the comparison fails.
    #[test]
    fn no_row_is_lost_without_an_error() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, file) = (temp.path(), temp.path().join("account-07"));
        let cut_to = |bytes: usize| {
            let file = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
            file.set_len(bytes as u64).unwrap();
        };
        let mut rows = open(dir, &AwardRowsLengths::default()).unwrap();
        for index in 0..3 {
            rows.add(Index(index), &award(7)).unwrap();
        }
        let lengths = rows.sync().unwrap();
        assert_eq!(count(&mut rows).unwrap(), 3);

        // Cut while a run reads it.
        cut_to(2 * ROW_BYTES);
        assert!(matches!(count(&mut rows), Err(AwardRowsError::Cut(path)) if path == file));
        drop(rows);
        // Cut between two runs.
        let found = open(dir, &lengths);
        assert!(matches!(found, Err(AwardRowsError::Cut(path)) if path == file));

        // Saved at lengths that end amid a row, or are of other files.
        let amid = AwardRowsLengths {
            by_account: (0..256).map(|part| u64::from(part == 7) * 100).collect(),
            ..AwardRowsLengths::default()
        };
        let mut rows = open(dir, &amid).unwrap();
        assert!(matches!(count(&mut rows), Err(AwardRowsError::Damaged(path)) if path == file));
        drop(rows);
        let few = AwardRowsLengths {
            by_evidence: vec![0; 255],
            ..AwardRowsLengths::default()
        };
        assert!(matches!(
            open(dir, &few),
            Err(AwardRowsError::Partitions(255))
        ));
    }
}
