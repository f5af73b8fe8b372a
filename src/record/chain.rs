//! Record ids: the bytes that are signed, and the chain of an issuer's records.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::number::{TextId32Error, id32};
use super::text::Origin;

id32! {
    /// The id of a record: SHA-256 of its signing input.
    RecordId
}

impl RecordId {
    /// `prev` of the genesis, which no record precedes.
    pub const NONE: Self = Self([0; 32]);
}

/// Ties records to one ledger: `arborlog/record/v1\n` ‖ origin ‖ `\n` precedes the record's bytes in
/// what is signed and hashed.
#[derive(Clone, Debug)]
pub struct SigningContext {
    prefix: Vec<u8>,
}

impl SigningContext {
    /// The context of a ledger's records.
    pub fn new(origin: &Origin) -> Self {
        Self {
            prefix: format!("arborlog/record/v1\n{origin}\n").into_bytes(),
        }
    }

    /// The message that Ed25519 signs: the prefix and the record's bytes.
    pub fn input(&self, record: &[u8]) -> Vec<u8> {
        [self.prefix.as_slice(), record].concat()
    }

    /// The record's id.
    pub fn id(&self, record: &[u8]) -> RecordId {
        let mut hasher = Sha256::new();
        hasher.update(&self.prefix);
        hasher.update(record);
        RecordId(hasher.finalize().into())
    }
}
