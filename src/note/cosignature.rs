//! What a cosigner adds to a checkpoint: a timestamped signature (c2sp.org/tlog-cosignature), by Ed25519, type
//! 0x04, or by ML-DSA-44, type 0x06.

use super::checkpoint::Checkpoint;
use super::signed::NoteError;
use super::timestamped::CosignError;
use super::vkey::{KeyName, SignatureType, VerifierKey};
use crate::crypto::{MldsaSigningKey, Sign, SignError, SigningKey};

/// A cosigner's signed statement that at some time it saw this checkpoint, and nothing inconsistent
/// with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cosignature {
    /// Name of the cosigner.
    pub witness: KeyName,
    /// When it saw the checkpoint, in seconds since 1970-01-01 UTC. With ML-DSA-44, 0 says that no time is
    /// given.
    pub seen_at_s: u64,
}

/// Adds a cosignature by Ed25519 to a checkpoint.
pub fn cosign(checkpoint: &mut Checkpoint, witness: &KeyName, key: &SigningKey, seen_at_s: u64) {
    let vkey = VerifierKey::new(witness.clone(), SignatureType::CosignatureV1, key.public());
    let bytes = checkpoint.stamped().sign(key, seen_at_s);
    checkpoint.note_mut().attach(&vkey, bytes);
}

/// Adds a cosignature by Ed25519 to a checkpoint, by a key that may not answer.
///
/// # Errors
/// [`SignError`]; the checkpoint is as it was then.
pub fn try_cosign(
    checkpoint: &mut Checkpoint,
    witness: &KeyName,
    key: &impl Sign,
    seen_at_s: u64,
) -> Result<(), SignError> {
    let vkey = VerifierKey::new(witness.clone(), SignatureType::CosignatureV1, key.public());
    let bytes = checkpoint.stamped().try_sign(key, seen_at_s)?;
    checkpoint.note_mut().attach(&vkey, bytes);
    Ok(())
}

/// Adds a cosignature by ML-DSA-44 to a checkpoint. It does not sign lines behind the root.
///
/// # Errors
/// [`CosignError`] with a time that the standard does not allow.
pub fn cosign_mldsa(
    checkpoint: &mut Checkpoint,
    witness: &KeyName,
    key: &MldsaSigningKey,
    seen_at_s: u64,
) -> Result<(), CosignError> {
    checkpoint.attach_mldsa(witness, key, seen_at_s)
}

impl Cosignature {
    /// Verifies a witness's lines on a checkpoint; of several, all must hold, and the newest
    /// time counts. One without a time (ML-DSA-44 alone can leave it out) is no witness's: it does not say
    /// that this is the largest tree that was seen.
    ///
    /// # Errors
    /// [`NoteError::NotSignedBy`] without such a line, [`NoteError::FalseSignature`] with a
    /// false one.
    pub fn verify(checkpoint: &Checkpoint, witness: &VerifierKey) -> Result<Self, NoteError> {
        let seen = Self::verify_any_time(checkpoint, witness)?;
        match seen.seen_at_s {
            0 if witness.is_mldsa() => Err(NoteError::NotSignedBy(witness.name().to_string())),
            _ => Ok(seen),
        }
    }

    /// As [`Self::verify`], and a cosignature without a time counts too: an auditor's.
    ///
    /// # Errors
    /// As of [`Self::verify`].
    pub fn verify_any_time(
        checkpoint: &Checkpoint,
        cosigner: &VerifierKey,
    ) -> Result<Self, NoteError> {
        if !cosigner.is_for_cosigners() {
            return Err(NoteError::NotSignedBy(cosigner.name().to_string()));
        }
        Ok(Self {
            witness: cosigner.name().clone(),
            seen_at_s: checkpoint.stamped().newest_time(cosigner)?,
        })
    }
}
