//! A cosigner's private key: Ed25519 or ML-DSA-44.

use std::path::Path;
use std::str::FromStr;

use crate::crypto::{KeyFileError, MldsaSigningKey, SigningKey};
use crate::note::{
    Checkpoint, CosignError, KeyName, SignatureType, VerifierKey, cosign, cosign_mldsa,
};

/// What kind of key a cosigner has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Ed25519: cosignatures of type 0x04, which every client reads.
    Ed25519,
    /// ML-DSA-44: cosignatures of type 0x06, which hold against quantum computers too.
    Mldsa,
}

impl FromStr for KeyKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ed25519" => Ok(Self::Ed25519),
            "mldsa" => Ok(Self::Mldsa),
            _ => Err("a key is ed25519 or mldsa".to_owned()),
        }
    }
}

/// The key itself.
pub(super) enum CosignerKey {
    Ed25519(SigningKey),
    Mldsa(MldsaSigningKey),
}

impl CosignerKey {
    #[cfg(feature = "random")]
    pub(super) fn generate(kind: KeyKind) -> Result<Self, KeyFileError> {
        Ok(match kind {
            KeyKind::Ed25519 => Self::Ed25519(SigningKey::generate()?),
            KeyKind::Mldsa => Self::Mldsa(MldsaSigningKey::generate()?),
        })
    }

    #[cfg(feature = "random")]
    pub(super) fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
        match self {
            Self::Ed25519(key) => key.write_new(path),
            Self::Mldsa(key) => key.write_new(path),
        }
    }

    /// Reads the file of the private half of a key.
    pub(super) fn read(path: &Path, vkey: &VerifierKey) -> Result<Self, KeyFileError> {
        Ok(match vkey.is_mldsa() {
            true => Self::Mldsa(MldsaSigningKey::read(path)?),
            false => Self::Ed25519(SigningKey::read(path)?),
        })
    }

    pub(super) fn vkey(&self, name: &KeyName) -> VerifierKey {
        match self {
            Self::Ed25519(key) => {
                VerifierKey::new(name.clone(), SignatureType::CosignatureV1, key.public())
            }
            Self::Mldsa(key) => VerifierKey::mldsa(name.clone(), key.public()),
        }
    }

    pub(super) fn cosign(
        &self,
        checkpoint: &mut Checkpoint,
        name: &KeyName,
        seen_at_s: u64,
    ) -> Result<(), CosignError> {
        match self {
            Self::Ed25519(key) => {
                cosign(checkpoint, name, key, seen_at_s);
                Ok(())
            }
            Self::Mldsa(key) => cosign_mldsa(checkpoint, name, key, seen_at_s),
        }
    }
}
