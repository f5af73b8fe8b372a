//! The strict verdict.

use curve25519_dalek::edwards::EdwardsPoint;

use super::key::{KeyError, PublicKey, Signature};

/// A public key that was checked: canonical, not of small order, without torsion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

/// The signature is not this key's over this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify (RFC 8032, strict)")]
pub struct SignatureError;

impl VerifyingKey {
    /// Checks the key, as the ledger does when it grants the key.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong with it.
    pub fn new(key: &PublicKey) -> Result<Self, KeyError> {
        let verifying = ed25519_dalek::VerifyingKey::from_bytes(key.as_bytes())
            .map_err(|_| KeyError::NotCanonical)?;
        let point = verifying.to_edwards();
        // Decompression takes y ≥ p and the sign of x = 0 too; encoding again shows them.
        if point.compress().as_bytes() != key.as_bytes() {
            return Err(KeyError::NotCanonical);
        }
        if point.is_small_order() {
            return Err(KeyError::SmallOrder);
        }
        if !point.is_torsion_free() {
            return Err(KeyError::Torsion);
        }
        Ok(Self(verifying))
    }

    /// The key's point on the curve.
    pub(super) fn point(&self) -> EdwardsPoint {
        self.0.to_edwards()
    }

    /// The strict verdict of RFC 8032 on a signature over `message`: s < L, R no point of small
    /// order, and the bytes of sB − kA equal to R's.
    ///
    /// # Errors
    /// [`SignatureError`], which says no more: there is nothing to tell a forger.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        self.0
            .verify_strict(message, &signature)
            .map_err(|_| SignatureError)
    }
}
