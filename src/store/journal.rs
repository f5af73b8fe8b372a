//! The journal: what was acknowledged and is not yet in immutable files.
//!
//! A segment is a header and then, for each commit, a frame with its entries and a frame with the
//! head that they lead to, written at once and synced once. A frame is: length of its payload
//! (`u32`), kind (`u8`), payload, and the first 8 bytes of SHA-256 over the segment's salt and all
//! that. All integers are big-endian. A head is its tree's size (`u64`) and root; see [`LogHead`]
//! for its state entry.
//!
//! The salt is 16 random bytes, which are in the header and in no answer of the server. So no
//! sender can write an entry that holds what looks like a frame of the segment: what is found
//! behind a torn end is a commit only if this software wrote it as one.
//!
//! The header is a frame without a salt: the word [`MAGIC`], the salt, and the head that the first
//! commit extends. It stands at byte 0, and once more at byte [`HEADER_COPY_AT`], with zeroes
//! between: a sector that can't be read does not take the salt of all that is behind it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use super::{Batch, RESTORE, StoreError};
use crate::durable::{AppendFile, at, remove, renew};
use crate::measures::Durations;
use crate::merkle::{HASH_BYTES, Hash};
use crate::note::TreeHead;
use crate::record::LogHead;

const KIND_HEADER: u8 = 0;
pub(super) const KIND_ENTRIES: u8 = 1;
pub(super) const KIND_COMMIT: u8 = 2;
const MAGIC: &[u8; 16] = b"arborlog-journal";
const SALT_BYTES: usize = 16;
/// Where the header stands a second time: behind the largest sector in use.
const HEADER_COPY_AT: usize = 4096;
const CHECKSUM_BYTES: usize = 8;
pub(super) const FRAME_EXTRA_BYTES: usize = 4 + 1 + CHECKSUM_BYTES;
/// Two heads: what a commit extends, and what it leads to.
pub(super) const HEADS_BYTES: usize = 2 * (8 + HASH_BYTES);
/// Bytes of a segment after which a commit begins the next one: old segments can then be removed.
pub const SEGMENT_BYTES: u64 = 16 << 20;

/// The newest segment, open for commits.
#[derive(Debug)]
pub(super) struct JournalWriter {
    /// The folder that the segments are in.
    dir: PathBuf,
    /// The newest segment's file.
    file: AppendFile,
    /// What the checksums of that segment begin with.
    salt: Salt,
}

/// What each checksum of a segment begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Salt([u8; SALT_BYTES]);

/// The header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// What each checksum of the segment begins with.
    pub salt: Salt,
    /// The head that the segment's first commit extends.
    pub start: LogHead,
}

/// A segment as it was read.
pub(super) struct Segment {
    /// The segment's file.
    pub path: PathBuf,
    /// What each checksum of the segment begins with.
    pub salt: Salt,
    /// The head that the segment's first commit extends.
    pub start: LogHead,
    /// The whole commits, in order: entries as in a bundle, and the head that they lead to.
    pub commits: Vec<(Vec<u8>, LogHead)>,
    /// Number of bytes up to the end of the last whole commit.
    pub good_bytes: u64,
    /// Number of bytes in the file.
    pub file_bytes: u64,
}

impl JournalWriter {
    /// Begins a segment at a head. A crash leaves the segment with its header, or none: one without
    /// a header would count as damage, and by its name alone the segments before it could be
    /// removed too early.
    pub(super) fn begin(dir: &Path, start: LogHead) -> Result<Self, StoreError> {
        let path = dir.join(format!("{:020}", start.tree.size));
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| at(&path)(io::Error::other(error)))?;
        let salt = Salt(salt);
        Ok(Self {
            dir: dir.to_owned(),
            file: AppendFile::begin(&path, &Header { salt, start }.bytes()?)?,
            salt,
        })
    }

    /// Opens a segment for further commits. A torn end stays until a commit takes its place:
    /// opening changes nothing on disk, and a start that is refused later has destroyed nothing.
    pub(super) fn resume(dir: &Path, segment: &Segment) -> Result<Self, StoreError> {
        Ok(Self {
            dir: dir.to_owned(),
            file: AppendFile::resume(&segment.path, segment.good_bytes)?,
            salt: segment.salt,
        })
    }

    /// Makes a commit durable:
    ///
    /// ```text
    /// ftruncate fsync                      once after a start that found a torn end
    /// write(entries frame, commit frame)   one call
    /// fdatasync                            once this returns, the commit is durable
    /// ```
    ///
    /// A crash before the sync leaves both frames, neither, or a part, which the checksums show:
    /// then the commit never happened, and nobody was told that it did.
    ///
    /// A segment of `segment_bytes` or more takes no further commit: the next commit begins a new
    /// segment. A crash between the two leaves a segment without commits, which is whole.
    ///
    /// After an error the caller writes no more: pages that the kernel dropped after a failed sync
    /// are not written by a second sync on the same descriptor.
    pub(super) fn commit(
        &mut self,
        batch: &Batch,
        segment_bytes: u64,
        syncs: &Durations,
    ) -> Result<(), StoreError> {
        // Also if this segment takes no further commit: only the newest may have a torn end.
        self.file.cut()?;
        if self.file.end() >= segment_bytes {
            *self = Self::begin(&self.dir, batch.from)?;
        }
        let salt = &self.salt.0;
        let mut bytes = frame(salt, KIND_ENTRIES, &batch.entries)?;
        let heads = [head_bytes(batch.from), head_bytes(batch.to)].concat();
        bytes.extend(frame(salt, KIND_COMMIT, &heads)?);
        self.file.append(&bytes)?;
        let begun = Instant::now();
        let synced = self.file.sync();
        syncs.add(begun.elapsed());
        Ok(synced?)
    }
}

/// The segments' files, oldest first, with the size of the tree at their beginning.
pub(super) fn segment_files(dir: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let mut files = Vec::new();
    for file in fs::read_dir(dir).map_err(at(dir))? {
        let file = file.map_err(at(dir))?;
        // A file of another name is no segment, but a temporary file that a crash left.
        if let Some(size) = file.file_name().to_str().and_then(|name| name.parse().ok()) {
            files.push((size, file.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// Makes the newest segment durable as it stands: a process that was killed between a write and its
/// sync leaves a commit that only the kernel's memory holds. A start that went by it would publish
/// what a loss of power takes back. The segments before it were synced before it began.
pub(super) fn renew_newest(dir: &Path) -> Result<(), StoreError> {
    match segment_files(dir)?.last() {
        Some((_, path)) => Ok(renew(path)?),
        None => Ok(()),
    }
}

/// Removes the segments whose entries are all among the first `in_files`: those whose next segment
/// begins at or before that size. Each removal is durable before the next: a disk may keep removals
/// in any order, and a journal with a hole would be damaged. A crash leaves the segments from some
/// one on.
pub(super) fn drop_segments(dir: &Path, in_files: u64) -> Result<(), StoreError> {
    let files = segment_files(dir)?;
    for [(_, path), (next_start, _)] in files.array_windows() {
        if *next_start <= in_files {
            remove(path)?;
        }
    }
    Ok(())
}

/// Reads a segment up to its last whole commit.
///
/// What follows is a commit that was cut off before it was synced, and so never acknowledged; or
/// damage, if a later commit is found behind it: then nothing is cut and an error says so.
pub(super) fn read_segment(path: &Path, newest: bool) -> Result<Segment, StoreError> {
    let bytes = fs::read(path).map_err(at(path))?;
    let damaged = |what: String| StoreError::Damaged {
        path: path.to_owned(),
        what,
    };
    let header = Header::parse(&bytes).ok_or_else(|| {
        damaged(format!(
            "its header is no journal's, or does not match its checksum; {RESTORE}"
        ))
    })?;
    let block = header.bytes()?;
    let mut rest = bytes.strip_prefix(block.as_slice()).ok_or_else(|| {
        damaged(format!(
            "its header does not stand at byte {HEADER_COPY_AT} once more, with zeroes before it; {RESTORE}"
        ))
    })?;
    let Header { salt, start } = header;
    let mut segment = Segment {
        path: path.to_owned(),
        salt,
        start,
        commits: Vec::new(),
        good_bytes: (bytes.len() - rest.len()) as u64,
        file_bytes: bytes.len() as u64,
    };
    let mut head = start;
    while let Some((entries, to)) = next_commit(salt, &mut rest, head) {
        segment.commits.push((entries.to_vec(), to));
        segment.good_bytes = (bytes.len() - rest.len()) as u64;
        head = to;
    }
    let later = last_from(salt, rest).is_some_and(|from| from > head.tree.size);
    if later || (!newest && segment.good_bytes < segment.file_bytes) {
        return Err(damaged(format!(
            "the commit after entry {} at byte {} does not match its checksum, but later ones are there; {RESTORE}",
            head.tree.size, segment.good_bytes
        )));
    }
    Ok(segment)
}

/// The largest tree that a whole commit frame anywhere in these bytes extends. One commit may be
/// torn with its own commit frame on disk; a later one is only ever written after its sync.
fn last_from(salt: Salt, bytes: &[u8]) -> Option<u64> {
    // Looked at before the checksum is computed: the length of the payload, and the kind.
    let may_be_commit = |window: &[u8]| {
        window
            .split_first_chunk::<4>()
            .is_some_and(|(length, rest)| {
                u32::from_be_bytes(*length) as usize == HEADS_BYTES
                    && rest.first() == Some(&KIND_COMMIT)
            })
    };
    bytes
        .windows(HEADS_BYTES + FRAME_EXTRA_BYTES)
        .filter(|window| may_be_commit(window))
        .filter_map(|mut window| salt.next_frame(&mut window))
        .filter_map(|(_, heads)| Some(parse_heads(heads)?.0.tree.size))
        .max()
}

fn next_commit<'a>(salt: Salt, rest: &mut &'a [u8], head: LogHead) -> Option<(&'a [u8], LogHead)> {
    let mut at = *rest;
    let (KIND_ENTRIES, entries) = salt.next_frame(&mut at)? else {
        return None;
    };
    let (KIND_COMMIT, heads) = salt.next_frame(&mut at)? else {
        return None;
    };
    let (from, to) = parse_heads(heads)?;
    if from != head {
        return None;
    }
    *rest = at;
    Some((entries, to))
}

impl Header {
    /// The bytes that a segment begins with.
    fn bytes(&self) -> Result<Vec<u8>, StoreError> {
        let start = head_bytes(self.start);
        let payload = [MAGIC.as_slice(), &self.salt.0, &start].concat();
        let frame = frame(&[], KIND_HEADER, &payload)?;
        let mut bytes = frame.clone();
        bytes.resize(HEADER_COPY_AT, 0);
        bytes.extend(frame);
        Ok(bytes)
    }

    /// The header at the beginning of these bytes.
    fn parse(mut bytes: &[u8]) -> Option<Self> {
        let (KIND_HEADER, payload) = next_frame(&[], &mut bytes)? else {
            return None;
        };
        let payload = payload.strip_prefix(MAGIC.as_slice())?;
        let (salt, start) = payload.split_first_chunk::<SALT_BYTES>()?;
        Some(Self {
            salt: Salt(*salt),
            start: parse_head(start)?,
        })
    }

    /// The header of a segment that may be damaged, by either copy, and the bytes behind both.
    pub(super) fn salvage(segment: &[u8]) -> Option<(Self, &[u8])> {
        let copy = || segment.get(HEADER_COPY_AT..).and_then(Self::parse);
        let header = Self::parse(segment).or_else(copy)?;
        let commits = segment.get(header.bytes().ok()?.len()..);
        Some((header, commits.unwrap_or(&[])))
    }
}

impl Salt {
    /// The kind and payload of the frame that begins these bytes, which are then those behind it;
    /// `None` if they begin with no frame of this segment.
    pub(super) fn next_frame<'a>(self, rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
        next_frame(&self.0, rest)
    }
}

fn frame(salt: &[u8], kind: u8, payload: &[u8]) -> Result<Vec<u8>, StoreError> {
    let length = u32::try_from(payload.len())
        .map_err(|_| StoreError::Inconsistent("a batch is longer than a frame"))?;
    let mut bytes = Vec::with_capacity(payload.len() + FRAME_EXTRA_BYTES);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&checksum(salt, &bytes));
    Ok(bytes)
}

fn next_frame<'a>(salt: &[u8], rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let whole = *rest;
    let (length, after) = whole.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    let (kind, after) = after.split_first()?;
    let (payload, after) = after.split_at_checked(length)?;
    let (found, after) = after.split_first_chunk::<CHECKSUM_BYTES>()?;
    if *found != checksum(salt, whole.get(..5 + length)?) {
        return None;
    }
    *rest = after;
    Some((*kind, payload))
}

fn checksum(salt: &[u8], bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::new().chain_update(salt).chain_update(bytes);
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(digest.finalize());
    [a, b, c, d, e, f, g, h]
}

/// A head as frames hold it. Its state entry has no place there, and need not have one: a commit
/// that names one leads to no head of the store's, and is refused before it comes here.
fn head_bytes(head: LogHead) -> Vec<u8> {
    let TreeHead { size, root } = head.tree;
    [size.to_be_bytes().as_slice(), root.as_bytes()].concat()
}

pub(super) fn parse_heads(bytes: &[u8]) -> Option<(LogHead, LogHead)> {
    let (from, to) = bytes.split_at_checked(HEADS_BYTES / 2)?;
    Some((parse_head(from)?, parse_head(to)?))
}

fn parse_head(bytes: &[u8]) -> Option<LogHead> {
    let (size, root) = bytes.split_first_chunk::<8>()?;
    let root = Hash::from_bytes(<[u8; HASH_BYTES]>::try_from(root).ok()?);
    Some(LogHead::without_state(TreeHead {
        size: u64::from_be_bytes(*size),
        root,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the newest segment may have a torn end: one that takes no more commits loses it first.
    #[test]
    fn a_torn_end_is_cut_before_another_segment_begins() {
        let temp = tempfile::tempdir().unwrap();
        let head = |size| {
            let root = Hash::empty_root();
            LogHead::without_state(TreeHead { size, root })
        };
        let batch = |size| Batch {
            from: head(size),
            entries: vec![0, 1, 7],
            to: head(size + 1),
        };
        let mut journal = JournalWriter::begin(temp.path(), head(0)).unwrap();
        let syncs = Durations::default();
        journal.commit(&batch(0), SEGMENT_BYTES, &syncs).unwrap();
        let first = temp.path().join(format!("{:020}", 0));
        let whole = fs::read(&first).unwrap();
        fs::write(&first, [whole.as_slice(), &whole[..90]].concat()).unwrap();
        let found = read_segment(&first, true).unwrap();
        assert_eq!(found.good_bytes, whole.len() as u64);
        let mut journal = JournalWriter::resume(temp.path(), &found).unwrap();
        assert_eq!(fs::read(&first).unwrap().len(), whole.len() + 90);
        journal.commit(&batch(1), 1, &syncs).unwrap();
        assert_eq!(fs::read(&first).unwrap(), whole);
        assert_eq!(read_segment(&first, false).unwrap().commits.len(), 1);
        let second = temp.path().join(format!("{:020}", 1));
        assert_eq!(read_segment(&second, true).unwrap().commits.len(), 1);
    }
}
