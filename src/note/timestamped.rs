//! Signatures of checkpoints that say when they were made (c2sp.org/tlog-cosignature): by Ed25519, type 0x04,
//! and by ML-DSA-44, type 0x06.

use super::signed::{NoteError, SignedNote};
use super::vkey::{KeyName, NoteKey, SignatureType, VerifierKey};
use crate::crypto::{
    MldsaKey, MldsaSignature, MldsaSigningKey, PublicKey, Sign, SignError, Signature, SigningKey,
    VerifyingKey,
};
use crate::merkle::Hash;

/// The last time that the standard allows: it has 63 bits.
pub const COSIGNED_AT_S_MAX: u64 = i64::MAX as u64;

/// A signature that could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CosignError {
    /// By ML-DSA-44, whose message has no room for it.
    #[error(
        "no ML-DSA-44 signature could be made: the time, or a name, is too large for its message"
    )]
    TooLarge,
    /// By Ed25519, by a key that did not answer.
    #[error(transparent)]
    Unsigned(#[from] SignError),
}

/// What is signed: a checkpoint's text, and what that says.
pub(super) struct Stamped<'a> {
    pub(super) note: &'a SignedNote,
    pub(super) origin: &'a KeyName,
    pub(super) size: u64,
    pub(super) root: &'a Hash,
}

impl Stamped<'_> {
    /// The message of type 0x04: a header line, a time line, then the checkpoint's text.
    fn ed25519_message(&self, at_s: u64) -> String {
        format!("cosignature/v1\ntime {at_s}\n{}", self.note.text())
    }

    /// The message of type 0x06, `cosigned_message` of the standard, of the whole tree: its start is 0. `None`
    /// if a name has no room in it. Lines behind the root are not in it.
    fn mldsa_message(&self, signer: &KeyName, at_s: u64) -> Option<Vec<u8>> {
        let mut message = b"subtree/v1\n\0".to_vec();
        push_name(&mut message, signer)?;
        message.extend_from_slice(&at_s.to_be_bytes());
        push_name(&mut message, self.origin)?;
        message.extend_from_slice(&0_u64.to_be_bytes());
        message.extend_from_slice(&self.size.to_be_bytes());
        message.extend_from_slice(self.root.as_bytes());
        Some(message)
    }

    /// The signature of type 0x04 as its line has it, behind the key's id.
    pub(super) fn sign(&self, key: &SigningKey, at_s: u64) -> Vec<u8> {
        ed25519_line(key.sign(self.ed25519_message(at_s).as_bytes()), at_s)
    }

    /// The same by a key that may not answer.
    pub(super) fn try_sign(&self, key: &impl Sign, at_s: u64) -> Result<Vec<u8>, SignError> {
        let signature = key.try_sign(self.ed25519_message(at_s).as_bytes())?;
        Ok(ed25519_line(signature, at_s))
    }

    /// The signature of type 0x06 as its line has it, behind the key's id.
    pub(super) fn sign_mldsa(
        &self,
        signer: &KeyName,
        key: &MldsaSigningKey,
        at_s: u64,
    ) -> Result<Vec<u8>, CosignError> {
        let message = self
            .mldsa_message(signer, at_s)
            .ok_or(CosignError::TooLarge)?;
        if at_s > COSIGNED_AT_S_MAX {
            return Err(CosignError::TooLarge);
        }
        let signature = key.sign(&message).map_err(|_| CosignError::TooLarge)?;
        let mut bytes = at_s.to_be_bytes().to_vec();
        bytes.extend_from_slice(signature.as_bytes());
        Ok(bytes)
    }

    /// Verifies the lines of a key of type 0x04 or 0x06; of several, all must hold. Gives the newest time.
    ///
    /// # Errors
    /// [`NoteError::NotSignedBy`] without such a line, [`NoteError::FalseSignature`] with a false one.
    pub(super) fn newest_time(&self, vkey: &VerifierKey) -> Result<u64, NoteError> {
        let named = || vkey.name().to_string();
        let mut newest = None;
        for line in self.note.lines_of(vkey) {
            let at_s = match vkey.note_key() {
                NoteKey::Ed25519(SignatureType::Ed25519, _) => None,
                NoteKey::Ed25519(SignatureType::CosignatureV1, key) => self.ed25519_time(key, line),
                NoteKey::Mldsa(key) => self.mldsa_time(vkey.name(), key, line),
            };
            let at_s = at_s.ok_or_else(|| NoteError::FalseSignature(named()))?;
            newest = newest.max(Some(at_s));
        }
        newest.ok_or_else(|| NoteError::NotSignedBy(named()))
    }

    /// The time of a line of type 0x04; `None` if it does not hold.
    fn ed25519_time(&self, key: &PublicKey, line: &[u8]) -> Option<u64> {
        let (at_s, signature) = parts(line)?;
        let signature = Signature::from_bytes(<[u8; 64]>::try_from(signature).ok()?);
        let key = VerifyingKey::new(key).ok()?;
        key.verify(self.ed25519_message(at_s).as_bytes(), &signature)
            .ok()?;
        Some(at_s)
    }

    /// The time of a line of type 0x06; `None` if it does not hold.
    fn mldsa_time(&self, signer: &KeyName, key: &MldsaKey, line: &[u8]) -> Option<u64> {
        let (at_s, signature) = parts(line)?;
        let signature = MldsaSignature::from_bytes(signature)?;
        let message = self.mldsa_message(signer, at_s)?;
        key.verify(&message, &signature).ok()?;
        Some(at_s)
    }
}

/// A signature of type 0x04 behind its time.
fn ed25519_line(signature: Signature, at_s: u64) -> Vec<u8> {
    let mut bytes = at_s.to_be_bytes().to_vec();
    bytes.extend_from_slice(signature.as_bytes());
    bytes
}

/// Time and signature of a line; `None` if it is cut, or the time is none that the standard allows.
fn parts(line: &[u8]) -> Option<(u64, &[u8])> {
    let (at_s, signature) = line.split_first_chunk::<8>()?;
    let at_s = u64::from_be_bytes(*at_s);
    (at_s <= COSIGNED_AT_S_MAX).then_some((at_s, signature))
}

/// A name behind its length, in one byte.
fn push_name(message: &mut Vec<u8>, name: &KeyName) -> Option<()> {
    let length = u8::try_from(name.as_str().len()).ok()?;
    message.push(length);
    message.extend_from_slice(name.as_str().as_bytes());
    Some(())
}
