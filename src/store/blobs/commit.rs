//! The bytes of a commit and of a fence: `docs/engine.md` specifies them.
//!
//! One encoding: what is decoded here encodes to the same bytes again, and anything else is
//! refused.

use std::fmt;

use super::fields::{Fields, MAGIC_BYTES, end_object, put_head};
use crate::merkle::Bundle;
use crate::record::LogHead;
use crate::store::{Batch, Bytes, StoreError};

const MAGIC: &[u8; MAGIC_BYTES] = b"arborlog-commit1";
const NO_COMMIT: &str = "it does not begin as a commit of this version";
const KIND_BATCH: u8 = 1;
const KIND_FENCE: u8 = 2;
const RANDOM_BYTES: usize = 16;
/// Bytes up to the heads. They say which kind an object is: a sweep reads no more.
pub(super) const PREFACE_BYTES: u64 = (MAGIC.len() + 1 + 8 + 2 * RANDOM_BYTES) as u64;

/// One process's time at the head of the log, from its fence on. Drawn by chance for each fence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session([u8; RANDOM_BYTES]);

impl Session {
    /// A session that no other process has.
    pub(super) fn draw() -> Result<Self, StoreError> {
        Ok(Self(random()?))
    }

    /// Takes bytes that are a session already.
    pub const fn from_bytes(bytes: [u8; RANDOM_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; RANDOM_BYTES] {
        &self.0
    }
}

/// Shown in hexadecimal digits.
impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({self})")
    }
}

/// An object `commit/<seq>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its place in the chain.
    pub seq: u64,
    /// Whose it is.
    pub session: Session,
    /// Drawn by chance for each object. With the session, it tells an object that this process
    /// made from every other one.
    pub nonce: [u8; RANDOM_BYTES],
    /// What the object says.
    pub content: Content,
}

/// What an object `commit/<seq>` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Entries, at least one.
    Batch(Batch),
    /// No entries: from here on nobody of another session commits.
    Fence(LogHead),
}

impl Commit {
    /// An object with a nonce of its own.
    pub(super) fn new(seq: u64, session: Session, content: Content) -> Result<Self, StoreError> {
        Ok(Self {
            seq,
            session,
            nonce: random()?,
            content,
        })
    }

    /// The head of the log before this object.
    pub fn before(&self) -> LogHead {
        match &self.content {
            Content::Batch(batch) => batch.from,
            Content::Fence(head) => *head,
        }
    }

    /// The object's bytes.
    pub fn encode(&self) -> Bytes {
        let (kind, before, after, entries): (_, _, _, &[u8]) = match &self.content {
            Content::Batch(batch) => (KIND_BATCH, batch.from, batch.to, &batch.entries),
            Content::Fence(head) => (KIND_FENCE, *head, *head, &[]),
        };
        let mut bytes = Vec::with_capacity(entries.len() + 400);
        bytes.extend_from_slice(MAGIC);
        bytes.push(kind);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.session.0);
        bytes.extend_from_slice(&self.nonce);
        put_head(&mut bytes, before);
        put_head(&mut bytes, after);
        bytes.extend_from_slice(&(entries.len() as u64).to_be_bytes());
        bytes.extend_from_slice(entries);
        end_object(bytes)
    }

    /// Reads an object's bytes.
    ///
    /// # Errors
    /// What is wrong with them. They are then damaged, or of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut fields = Fields::of_object(bytes, MAGIC, NO_COMMIT)?;
        let [kind] = fields.take()?;
        let seq = fields.u64()?;
        let session = Session(fields.take()?);
        let nonce = fields.take()?;
        let (before, after) = (fields.head()?, fields.head()?);
        let length = fields.u64()?;
        let entries = fields.rest();
        if entries.len() as u64 != length {
            return Err("its entries have another length than it says");
        }
        let content = match kind {
            KIND_FENCE if before == after && entries.is_empty() => Content::Fence(before),
            KIND_FENCE => return Err("it is a fence, but has entries or two heads"),
            KIND_BATCH => {
                let bundle = Bundle::parse_all(entries).map_err(|_| "its entries are cut")?;
                let grows = after.tree.size.checked_sub(before.tree.size);
                if grows != Some(bundle.entries().len() as u64) || bundle.entries().is_empty() {
                    return Err("its heads are not as far apart as it has entries");
                }
                Content::Batch(Batch {
                    from: before,
                    entries: entries.to_vec(),
                    to: after,
                })
            }
            _ => return Err("it is neither a batch nor a fence"),
        };
        Ok(Self {
            seq,
            session,
            nonce,
            content,
        })
    }
}

/// Whether an object is a fence, by its first [`PREFACE_BYTES`].
pub(super) fn is_fence(preface: &[u8]) -> Result<bool, &'static str> {
    let mut fields = Fields::of(preface);
    fields.magic(MAGIC, NO_COMMIT)?;
    match fields.take()? {
        [KIND_BATCH] => Ok(false),
        [KIND_FENCE] => Ok(true),
        _ => Err("it is neither a batch nor a fence"),
    }
}

fn random() -> Result<[u8; RANDOM_BYTES], StoreError> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}
