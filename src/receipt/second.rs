//! A second checkpoint in a receipt's file, larger than its own: where no checkpoint has the whole quorum, one has the
//! witnesses' half and another the auditors' (`docs/format.md`, 13.7).

use bincode::de::Decoder;
use bincode::error::DecodeError;
use bincode::{Decode, Encode};

use super::ReceiptError;
use super::verify::hashes;
use crate::merkle::{PROOF_HASHES_MAX, ProofError, consistency_ranges, verify_consistency};
use crate::note::{CheckpointError, NOTE_BYTES_MAX, TreeHead, UnverifiedCheckpoint};
use crate::policy::{Level, Standing};
use crate::record::{decode_bytes, decode_list};

/// A larger checkpoint of the same log, as it was read or made, with the proof that its tree begins with that of the
/// file's own.
#[derive(Clone, PartialEq, Eq, Debug, Encode)]
pub struct SecondCheckpoint {
    /// The note with its signatures.
    pub checkpoint: Vec<u8>,
    /// The consistency proof (RFC 9162, 2.1.4).
    pub consistency: Vec<[u8; 32]>,
}

impl<C> Decode<C> for SecondCheckpoint {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self {
            checkpoint: decode_bytes(decoder, NOTE_BYTES_MAX)?,
            consistency: decode_list(decoder, PROOF_HASHES_MAX)?,
        })
    }
}

/// A second checkpoint whose tree is proven to begin with that of the file's own.
#[derive(Clone, Debug)]
pub struct VerifiedSecond {
    /// Size and root of its tree.
    pub head: TreeHead,
    /// By the policy, if the file was verified under one: who signed, when, and which levels that makes.
    pub standing: Option<Standing>,
}

impl SecondCheckpoint {
    /// The checkpoint; no signature is verified.
    pub(super) fn claimed(&self) -> Result<UnverifiedCheckpoint, CheckpointError> {
        UnverifiedCheckpoint::parse(&self.checkpoint)
    }

    /// Checks that the tree of `second`, this checkpoint's, begins with the one of `own`, the file's.
    pub(super) fn check(&self, own: TreeHead, second: TreeHead) -> Result<(), ReceiptError> {
        let unproven = |error| ReceiptError::SecondTree {
            size: second.size,
            error,
        };
        let needed = consistency_ranges(own.size, second.size).map_err(unproven)?;
        let proof = hashes(&self.consistency);
        if proof.len() != needed.len() {
            return Err(unproven(ProofError::Length { found: proof.len() }));
        }
        verify_consistency(own.size, &own.root, second.size, &second.root, &proof).map_err(unproven)
    }
}

/// The larger of a file's checkpoints that has a level, of those that are given.
pub(super) fn largest_with(
    level: Level,
    checkpoints: &[(TreeHead, Option<&Standing>)],
) -> Option<u64> {
    let with_level = checkpoints
        .iter()
        .filter(|(_, standing)| standing.is_some_and(|standing| standing.reaches(level)));
    with_level.map(|(head, _)| head.size).max()
}
