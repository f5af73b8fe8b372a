//! The fields that objects of the log are made of: fixed widths, big-endian, one encoding.

use sha2::{Digest as _, Sha256};

use crate::merkle::{HASH_BYTES, Hash};
use crate::note::TreeHead;
use crate::record::{Index, LogHead, StateHead};
use crate::store::Bytes;

/// Bytes that tell an object's kind and version.
pub(super) const MAGIC_BYTES: usize = 16;

const CUT: &str = "it ends too early";

/// Bytes that are read field by field.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of bytes that may go on behind them.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The fields of an object behind its `magic`, as [`end_object`] ends it; `other` says that it begins
    /// otherwise.
    pub(super) fn of_object(
        bytes: &'a [u8],
        magic: &[u8; MAGIC_BYTES],
        other: &'static str,
    ) -> Result<Self, &'static str> {
        let (rest, digest) = bytes.split_last_chunk::<HASH_BYTES>().ok_or(CUT)?;
        if *digest != <[u8; HASH_BYTES]>::from(Sha256::digest(rest)) {
            return Err("its bytes do not match its digest");
        }
        let mut fields = Self { rest };
        fields.magic(magic, other)?;
        Ok(fields)
    }

    /// What every object of a kind and version begins with.
    pub(super) fn magic(
        &mut self,
        magic: &[u8; MAGIC_BYTES],
        other: &'static str,
    ) -> Result<(), &'static str> {
        match self.take()? == *magic {
            true => Ok(()),
            false => Err(other),
        }
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (field, rest) = self.rest.split_first_chunk::<N>().ok_or(CUT)?;
        self.rest = rest;
        Ok(*field)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let (field, rest) = self.rest.split_at_checked(length).ok_or(CUT)?;
        self.rest = rest;
        Ok(field)
    }

    pub(super) fn u64(&mut self) -> Result<u64, &'static str> {
        Ok(u64::from_be_bytes(self.take()?))
    }

    pub(super) fn hash(&mut self) -> Result<Hash, &'static str> {
        Ok(Hash::from_bytes(self.take()?))
    }

    /// A head: its tree, and the newest state entry in that tree, if there is one.
    pub(super) fn head(&mut self) -> Result<LogHead, &'static str> {
        let tree = TreeHead {
            size: self.u64()?,
            root: self.hash()?,
        };
        let state = match self.take()? {
            [0] => None,
            [1] => Some(StateHead {
                index: Index(self.u64()?),
                size: self.u64()?,
                root: self.hash()?,
            }),
            _ => return Err("a head says neither that it has a state entry nor that it has none"),
        };
        if state.is_some_and(|state| state.index.0 >= tree.size || state.size > state.index.0) {
            return Err("a head's state entry is not in its tree");
        }
        Ok(LogHead { tree, state })
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Whether nothing is left.
    pub(super) fn end(self) -> Result<(), &'static str> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err("it has more bytes behind its end")
        }
    }
}

/// Ends an object: with the SHA-256 of all that is before it.
pub(super) fn end_object(mut bytes: Vec<u8>) -> Bytes {
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    Bytes::from(bytes)
}

/// Appends a head, as [`Fields::head`] reads it.
pub(super) fn put_head(bytes: &mut Vec<u8>, head: LogHead) {
    bytes.extend_from_slice(&head.tree.size.to_be_bytes());
    bytes.extend_from_slice(head.tree.root.as_bytes());
    match head.state {
        None => bytes.push(0),
        Some(state) => {
            bytes.push(1);
            bytes.extend_from_slice(&state.index.0.to_be_bytes());
            bytes.extend_from_slice(&state.size.to_be_bytes());
            bytes.extend_from_slice(state.root.as_bytes());
        }
    }
}
