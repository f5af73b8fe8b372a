//! What is left of journals that may be damaged anywhere.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::journal::{
    FRAME_EXTRA_BYTES, HEADS_BYTES, Header, KIND_COMMIT, KIND_ENTRIES, Salt, parse_heads,
    segment_files,
};
use super::{Batch, StoreError};
use crate::durable::at;
use crate::note::TreeHead;
use crate::record::LogHead;

/// What a disk can't read is skipped in blocks of this size.
const BLOCK_BYTES: usize = 4096;

/// What can still be read in journals.
#[derive(Default)]
pub(super) struct Salvaged {
    /// Trees that were committed, whether or not their entries are left.
    pub heads: Vec<TreeHead>,
    /// Whole commits, by the size of the tree that they extend.
    pub commits: Vec<Batch>,
    /// Number of entries that were committed at least.
    pub committed: u64,
}

impl Salvaged {
    /// Reads the journal in a store's directory, and those that repairs renamed or had begun: a
    /// repair may have been cut off before the new journal was in place.
    pub(super) fn of(dir: &Path) -> Result<Self, StoreError> {
        let mut salvaged = Self::default();
        for journal in fs::read_dir(dir).map_err(at(dir))? {
            let journal = journal.map_err(at(dir))?;
            let path = journal.path();
            if journal.file_name().to_string_lossy().starts_with("journal")
                && fs::metadata(&path).map_err(at(&path))?.is_dir()
            {
                for (start, segment) in segment_files(&path)? {
                    salvaged.committed = salvaged.committed.max(start);
                    salvaged.segment(&read_blocks(&segment)?);
                }
            }
        }
        salvaged.commits.sort_by_key(|commit| commit.from.tree.size);
        let sizes = salvaged.heads.iter().map(|head| head.size);
        salvaged.committed = sizes.fold(salvaged.committed, u64::max);
        Ok(salvaged)
    }

    fn segment(&mut self, bytes: &[u8]) {
        // Without the salt a commit can't be told from what an entry quotes: nothing is taken.
        let Some((Header { salt, start }, mut rest)) = Header::salvage(bytes) else {
            return;
        };
        self.heads.push(start.tree);
        while !rest.is_empty() {
            if let Some(commit) = next_whole(salt, &mut rest) {
                self.heads.extend([commit.from.tree, commit.to.tree]);
                self.commits.push(commit);
            } else {
                // The heads of a commit whose entries are damaged: it may never have been whole,
                // but the one before it was.
                if let Some((from, _)) = next_heads(salt, rest) {
                    self.heads.push(from.tree);
                }
                // The next commit begins at some later byte.
                rest = rest.split_first().map_or(&[], |(_, after)| after);
            }
        }
    }
}

/// The bytes of a file, with zeroes for blocks that the disk can't read.
fn read_blocks(path: &Path) -> Result<Vec<u8>, StoreError> {
    let file = File::open(path).map_err(at(path))?;
    let length = file.metadata().map_err(at(path))?.len();
    let length = usize::try_from(length)
        .map_err(|_| at(path)(std::io::Error::from(std::io::ErrorKind::FileTooLarge)))?;
    let mut bytes = vec![0; length];
    for (place, block) in (0_u64..).zip(bytes.chunks_mut(BLOCK_BYTES)) {
        if file
            .read_exact_at(block, place * BLOCK_BYTES as u64)
            .is_err()
        {
            block.fill(0);
        }
    }
    Ok(bytes)
}

/// A commit at the beginning of these bytes, whatever tree it extends. The entries' checksum is
/// computed only where a frame with heads follows them: at each byte it would take too long.
fn next_whole(salt: Salt, rest: &mut &[u8]) -> Option<Batch> {
    let (length, _) = rest.split_first_chunk::<4>()?;
    let behind = (u32::from_be_bytes(*length) as usize).checked_add(FRAME_EXTRA_BYTES)?;
    if rest.get(4) != Some(&KIND_ENTRIES) {
        return None;
    }
    let (from, to) = next_heads(salt, rest.get(behind..)?)?;
    let mut at = *rest;
    let (_, entries) = salt.next_frame(&mut at)?;
    let (_, _) = salt.next_frame(&mut at)?;
    *rest = at;
    let entries = entries.to_vec();
    Some(Batch { from, entries, to })
}

/// The heads in a commit frame at the beginning of these bytes.
fn next_heads(salt: Salt, mut rest: &[u8]) -> Option<(LogHead, LogHead)> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    if u32::from_be_bytes(*length) as usize != HEADS_BYTES || behind.first() != Some(&KIND_COMMIT) {
        return None;
    }
    parse_heads(salt.next_frame(&mut rest)?.1)
}
