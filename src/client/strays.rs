//! Statements of a key that are in the log and in no journal: another writer used the key, or a
//! journal was lost with the head. Each may be a line of some input: before a line that says the
//! same is signed, somebody has to say which it is.
//!
//! ```text
//! key [32] ‖ digest of the statement [32] ‖ index u64
//!   ‖ seq u64 ‖ index u64 ‖ id [32] of the record that signs it ‖ how many it signs u64
//!   ‖ whether it names an event u8 ‖ the event [32], or zeros                          for each
//! ```

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::digest_table::{DigestTable, Value};
use super::key_head::StraysSeen;
use super::own_chain::LoggedLine;
use super::remote::ChainEnd;
use super::seq_ranges::SeqRanges;
use crate::crypto::PublicKey;
use crate::durable::{FileError, at, replace_with};
use crate::record::{Digest, Index, RecordId, Seq};

const STRAY_BYTES: usize = 161;
/// In a value: its statement names an event.
const NAMES_EVENT: u64 = 1 << 63;

/// Statements of the log by their digests, on disk.
pub(super) struct LoggedLines {
    table: DigestTable,
    /// Their entries by the events that they name, of those too that were taken out.
    events: DigestTable,
    /// Whose they are; a value names one by its place here.
    keys: Vec<PublicKey>,
    folder: PathBuf,
    taken: u64,
}

impl LoggedLines {
    /// A table for some `room` statements, in this folder.
    pub(super) fn new(folder: &Path, room: u64) -> Result<Self, FileError> {
        Ok(Self {
            table: DigestTable::new(folder, room).map_err(at(folder))?,
            events: DigestTable::new(folder, room).map_err(at(folder))?,
            keys: Vec::new(),
            folder: folder.to_owned(),
            taken: 0,
        })
    }

    /// How many were taken out.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn put(
        &mut self,
        key: &PublicKey,
        digest: &Digest,
        line: LoggedLine,
    ) -> Result<(), FileError> {
        let place = match self.keys.iter().position(|known| known == key) {
            Some(place) => place,
            None => {
                self.keys.push(*key);
                self.keys.len() - 1
            }
        };
        let LoggedLine {
            signed,
            of,
            index,
            event,
        } = line;
        // A seal signs 2^14 statements at the most, so its batch is no farther away either.
        let ahead = signed.index.0.saturating_sub(index.0);
        let mut packed = (place as u64) << 32 | (of & 0xffff) << 16 | (ahead & 0xffff);
        packed |= if event.is_some() { NAMES_EVENT } else { 0 };
        let mut value = Value::default();
        let [flags, seq, signed_at, digests @ ..] = &mut value;
        (*flags, *seq, *signed_at) = (packed, signed.seq.0, signed.index.0);
        let (id, _) = signed.id.as_bytes().as_chunks::<8>();
        let named = event.map_or([0; 32], |event| *event.as_bytes());
        let (named, _) = named.as_chunks::<8>();
        for (number, chunk) in digests.iter_mut().zip(id.iter().chain(named)) {
            *number = u64::from_be_bytes(*chunk);
        }
        let io = at(&self.folder);
        self.table.put(digest, value).map_err(&io)?;
        if let Some(event) = &event {
            let mut value = Value::default();
            let [first, ..] = &mut value;
            *first = index.0;
            self.events.put(event, value).map_err(io)?;
        }
        Ok(())
    }

    /// The first entry that names this event.
    pub(super) fn of_event(&self, event: &Digest) -> Result<Option<Index>, FileError> {
        let found = self.events.peek(event).map_err(at(&self.folder))?;
        Ok(found.map(|[index, ..]| Index(index)))
    }

    /// Takes out the first statement of a digest.
    pub(super) fn take(
        &mut self,
        digest: &Digest,
    ) -> Result<Option<(PublicKey, LoggedLine)>, FileError> {
        let taken = self.table.take(digest).map_err(at(&self.folder))?;
        self.taken += u64::from(taken.is_some());
        Ok(taken.and_then(|value| self.line(value)))
    }

    /// The first statement of a digest, which stays.
    pub(super) fn peek(
        &self,
        digest: &Digest,
    ) -> Result<Option<(PublicKey, LoggedLine)>, FileError> {
        let found = self.table.peek(digest).map_err(at(&self.folder))?;
        Ok(found.and_then(|value| self.line(value)))
    }

    fn line(&self, value: Value) -> Option<(PublicKey, LoggedLine)> {
        let [packed, seq, index, digests @ ..] = value;
        let place = (packed & !NAMES_EVENT) >> 32;
        let key = self.keys.get(usize::try_from(place).ok()?)?;
        let (mut bytes, mut event) = ([0; 32], [0; 32]);
        let (id, _) = bytes.as_chunks_mut::<8>();
        let (named, _) = event.as_chunks_mut::<8>();
        for (chunk, number) in id.iter_mut().chain(named).zip(digests) {
            *chunk = number.to_be_bytes();
        }
        let signed = ChainEnd {
            seq: Seq(seq),
            id: RecordId::from_bytes(bytes),
            index: Index(index),
        };
        let line = LoggedLine {
            signed,
            of: packed >> 16 & 0xffff,
            index: Index(index.checked_sub(packed & 0xffff)?),
            event: (packed & NAMES_EVENT != 0).then(|| Digest::from_bytes(event)),
        };
        Some((*key, line))
    }

    /// Calls `each` with all that was not taken out.
    pub(super) fn for_each(
        &self,
        mut each: impl FnMut(&PublicKey, &Digest, LoggedLine) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let mut failed = None;
        let walked = self.table.for_each(|digest, value| {
            if let Some((key, line)) = self.line(value)
                && let Err(error) = each(&key, &digest, line)
            {
                failed = Some(error);
                return Err(io::ErrorKind::Other.into());
            }
            Ok(())
        });
        match failed {
            Some(error) => Err(error),
            None => walked.map_err(at(&self.folder)),
        }
    }

    /// Writes all that was not taken out, as the strays of a key's head; `None` if that is nothing.
    pub(super) fn write_strays(
        &self,
        path: &Path,
        own: &PublicKey,
    ) -> Result<Option<StraysSeen>, FileError> {
        let mut hasher = Sha256::new();
        let (mut count, mut seqs) = (0, SeqRanges::default());
        let folder = at(&self.folder);
        replace_with(path, |file| {
            self.table.for_each(|digest, value| {
                let Some((key, line)) = self.line(value) else {
                    return Ok(());
                };
                let mut bytes = Vec::with_capacity(STRAY_BYTES);
                bytes.extend_from_slice(key.as_bytes());
                bytes.extend_from_slice(digest.as_bytes());
                bytes.extend_from_slice(&line.index.0.to_be_bytes());
                bytes.extend_from_slice(&line.signed.seq.0.to_be_bytes());
                bytes.extend_from_slice(&line.signed.index.0.to_be_bytes());
                bytes.extend_from_slice(line.signed.id.as_bytes());
                bytes.extend_from_slice(&line.of.to_be_bytes());
                bytes.push(u8::from(line.event.is_some()));
                let event = line.event.map_or([0; 32], |event| *event.as_bytes());
                bytes.extend_from_slice(&event);
                hasher.update(&bytes);
                count += 1;
                if key == *own {
                    seqs.insert(line.signed.seq, 1);
                }
                file.write_all(&bytes)
            })
        })
        .map_err(|error| folder(io::Error::new(error.error.kind(), error)))?;
        Ok((count > 0).then(|| StraysSeen {
            count,
            checksum: hex::encode(hasher.finalize()),
            seqs,
        }))
    }

    /// Reads the strays of a head, but for those that a journal holds by now; `None` if the file is
    /// not the one that the head knows.
    pub(super) fn read_strays(
        path: &Path,
        folder: &Path,
        seen: &StraysSeen,
        held: impl Fn(&PublicKey, Seq) -> bool,
    ) -> Result<Option<Self>, FileError> {
        let mut strays = Self::new(folder, seen.count)?;
        let mut reader = match File::open(path) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(path)(error)),
        };
        let mut hasher = Sha256::new();
        let mut bytes = [0; STRAY_BYTES];
        for _ in 0..seen.count {
            match reader.read_exact(&mut bytes) {
                Ok(()) => hasher.update(bytes),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(at(path)(error)),
            }
            let Some((key, digest, line)) = decode(&bytes) else {
                return Ok(None);
            };
            if !held(&key, line.signed.seq) {
                strays.put(&key, &digest, line)?;
            }
        }
        Ok((hex::encode(hasher.finalize()) == seen.checksum).then_some(strays))
    }
}

fn decode(bytes: &[u8; STRAY_BYTES]) -> Option<(PublicKey, Digest, LoggedLine)> {
    let (key, rest) = bytes.split_first_chunk::<32>()?;
    let (digest, rest) = rest.split_first_chunk::<32>()?;
    let (index, rest) = rest.split_first_chunk::<8>()?;
    let (seq, rest) = rest.split_first_chunk::<8>()?;
    let (signed_at, rest) = rest.split_first_chunk::<8>()?;
    let (id, rest) = rest.split_first_chunk::<32>()?;
    let (of, rest) = rest.split_first_chunk::<8>()?;
    let ([has_event], event) = rest.split_first_chunk::<1>()?;
    let (event, _) = event.split_first_chunk::<32>()?;
    let line = LoggedLine {
        signed: ChainEnd {
            seq: Seq(u64::from_be_bytes(*seq)),
            index: Index(u64::from_be_bytes(*signed_at)),
            id: RecordId::from_bytes(*id),
        },
        of: u64::from_be_bytes(*of),
        index: Index(u64::from_be_bytes(*index)),
        event: (*has_event == 1).then(|| Digest::from_bytes(*event)),
    };
    Some((
        PublicKey::from_bytes(*key),
        Digest::from_bytes(*digest),
        line,
    ))
}
