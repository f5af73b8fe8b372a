//! Entries: records as the log keeps them.

use bincode::{Decode, Encode};

use super::codec::{CodecError, decode_front, encode};
use super::number::{Index, TimeMs};
use super::signed::{Endorsement, SignedRecord};
use crate::crypto::Signature;

/// The longest entry.
pub const ENTRY_BYTES_MAX: usize = 32_768;
/// The version of the entry format.
pub const ENTRY_VERSION: u16 = 1;
/// The most indexes in a lineage: that of a void of a transfer.
pub const LINEAGE_MAX: usize = 5;

/// Indexes of the earlier entries that an entry stands on (`docs/format.md`, 5.1). The first is the
/// issuer's entry before, the second the entry that the issuer's authority rests on; the meaning of
/// the others depends on the kind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lineage(Vec<Option<Index>>);

impl Lineage {
    /// A lineage of these indexes.
    pub fn new(indexes: Vec<Option<Index>>) -> Self {
        Self(indexes)
    }

    /// All places, in order.
    pub fn indexes(&self) -> &[Option<Index>] {
        &self.0
    }

    /// The issuer's entry before; `None` for the issuer's first.
    pub fn issuer_before(&self) -> Option<Index> {
        self.0.first().copied().flatten()
    }

    /// The entry that the issuer's authority rests on: its grant, or for a governor the set in force;
    /// `None` for the genesis.
    pub fn authority(&self) -> Option<Index> {
        self.0.get(1).copied().flatten()
    }
}

/// A record as the log keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When the record's batch came in.
    pub admitted_at: TimeMs,
    /// The earlier entries that it stands on.
    pub lineage: Lineage,
    /// The record with its signatures.
    pub signed: SignedRecord,
}

/// An entry's fields, in the order of their bytes.
#[derive(Encode, Decode)]
struct EntryFields {
    version: u16,
    admitted_at: TimeMs,
    lineage: Vec<u64>,
    record: Vec<u8>,
    signature: Signature,
    endorsements: Vec<Endorsement>,
}

/// As [`EntryFields`], without copies.
#[derive(Encode)]
struct EntryFieldsRef<'a> {
    version: u16,
    admitted_at: TimeMs,
    lineage: Vec<u64>,
    record: &'a [u8],
    signature: &'a Signature,
    endorsements: &'a [Endorsement],
}

impl Entry {
    /// Reads an entry strictly.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not the one encoding of an entry of version 1.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (wire, rest) = decode_front::<EntryFields, ENTRY_BYTES_MAX>(bytes)?;
        if wire.version != ENTRY_VERSION {
            return Err(CodecError::Malformed(format!(
                "the entry is of version {}; this software reads version {ENTRY_VERSION}",
                wire.version
            )));
        }
        check_length(wire.lineage.len())?;
        let lineage = wire
            .lineage
            .into_iter()
            .map(|i| (i != u64::MAX).then_some(Index(i)));
        Ok(Self {
            admitted_at: wire.admitted_at,
            lineage: Lineage(lineage.collect()),
            signed: SignedRecord::before_rest(
                wire.record,
                wire.signature,
                wire.endorsements,
                rest,
            )?,
        })
    }

    /// The entry's bytes.
    ///
    /// # Errors
    /// As [`Self::encode_parts`].
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        Self::encode_parts(self.admitted_at, &self.lineage, &self.signed)
    }

    /// The bytes of an entry of these parts.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] beyond [`ENTRY_BYTES_MAX`], [`CodecError::Malformed`] for a lineage that
    /// no reader would take.
    pub fn encode_parts(
        admitted_at: TimeMs,
        lineage: &Lineage,
        signed: &SignedRecord,
    ) -> Result<Vec<u8>, CodecError> {
        check_length(lineage.0.len())?;
        let indexes = lineage.0.iter();
        let mut bytes = encode::<_, ENTRY_BYTES_MAX>(&EntryFieldsRef {
            version: ENTRY_VERSION,
            admitted_at,
            lineage: indexes.map(|i| i.map_or(u64::MAX, |i| i.0)).collect(),
            record: signed.bytes(),
            signature: signed.signature(),
            endorsements: signed.endorsements(),
        })?;
        bytes.extend_from_slice(signed.mldsa_bytes());
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(CodecError::TooLong {
                found: bytes.len(),
                max: ENTRY_BYTES_MAX,
            });
        }
        Ok(bytes)
    }
}

/// One length for who writes and who reads: an entry that can be admitted can be read again.
fn check_length(lineage: usize) -> Result<(), CodecError> {
    if lineage > LINEAGE_MAX {
        return Err(CodecError::Malformed(format!(
            "the lineage has too many indexes, {lineage} instead of at most {LINEAGE_MAX}"
        )));
    }
    Ok(())
}
