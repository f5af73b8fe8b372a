//! What a witness adds to a checkpoint: a timestamped Ed25519 cosignature
//! (c2sp.org/tlog-cosignature, type 0x04).

use super::checkpoint::Checkpoint;
use super::signed::NoteError;
use super::vkey::{KeyName, SignatureType, VerifierKey};
use crate::crypto::{Signature, SigningKey, VerifyingKey};

/// A witness's signed statement that at some time it saw this checkpoint, and nothing inconsistent
/// with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cosignature {
    /// Name of the witness.
    pub witness: KeyName,
    /// When the witness saw the checkpoint, in seconds since 1970-01-01 UTC.
    pub seen_at_s: u64,
}

/// The last time that the standard allows: it has 63 bits.
pub const COSIGNED_AT_S_MAX: u64 = i64::MAX as u64;

/// The signed message: a header line, a time line, then the checkpoint's text.
fn message(seen_at_s: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seen_at_s}\n{text}")
}

/// Adds a witness's cosignature to a checkpoint.
pub fn cosign(checkpoint: &mut Checkpoint, witness: &KeyName, key: &SigningKey, seen_at_s: u64) {
    let vkey = VerifierKey::new(witness.clone(), SignatureType::CosignatureV1, key.public());
    let signature = key.sign(message(seen_at_s, checkpoint.note().text()).as_bytes());
    let mut bytes = seen_at_s.to_be_bytes().to_vec();
    bytes.extend_from_slice(signature.as_bytes());
    checkpoint.note_mut().attach(&vkey, bytes);
}

impl Cosignature {
    /// Verifies a witness's lines on a checkpoint; of several, all must hold, and the newest
    /// time counts.
    ///
    /// # Errors
    /// [`NoteError::NotSignedBy`] without such a line, [`NoteError::FalseSignature`] with a
    /// false one.
    pub fn verify(checkpoint: &Checkpoint, witness: &VerifierKey) -> Result<Self, NoteError> {
        let named = || witness.name().to_string();
        let false_signature = || NoteError::FalseSignature(named());
        if witness.kind() != SignatureType::CosignatureV1 {
            return Err(NoteError::NotSignedBy(named()));
        }
        let key = VerifyingKey::new(witness.key()).map_err(|_| false_signature())?;
        let mut newest = None;
        for line in checkpoint.note().lines_of(witness) {
            let (time, signature) = line.split_first_chunk::<8>().ok_or_else(false_signature)?;
            let signature = <[u8; 64]>::try_from(signature).map_err(|_| false_signature())?;
            let seen_at_s = u64::from_be_bytes(*time);
            let signed = message(seen_at_s, checkpoint.note().text());
            let holds = key
                .verify(signed.as_bytes(), &Signature::from_bytes(signature))
                .is_ok();
            if seen_at_s > COSIGNED_AT_S_MAX || !holds {
                return Err(false_signature());
            }
            newest = newest.max(Some(seen_at_s));
        }
        let seen_at_s = newest.ok_or_else(|| NoteError::NotSignedBy(named()))?;
        Ok(Self {
            witness: witness.name().clone(),
            seen_at_s,
        })
    }
}
