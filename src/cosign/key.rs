//! A cosigner's private key: Ed25519 or ML-DSA-44.

use std::path::Path;
use std::str::FromStr;

use crate::crypto::{KeyAccess, KeyFileError, MldsaSigningKey, Signer, SigningKey};
use crate::note::{
    Checkpoint, CosignError, KeyName, SignatureType, VerifierKey, cosign_mldsa, try_cosign,
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
    Ed25519(Box<Signer>),
    Mldsa(MldsaSigningKey),
}

impl CosignerKey {
    /// Makes a key and writes its file; takes the one that an ssh-agent has instead if its public half is there.
    pub(super) fn make(
        kind: KeyKind,
        path: &Path,
        access: &KeyAccess,
    ) -> Result<Self, KeyFileError> {
        Ok(match kind {
            KeyKind::Ed25519 => Self::Ed25519(Box::new(make_or_take(path, access)?)),
            KeyKind::Mldsa => {
                let key = MldsaSigningKey::generate()?;
                key.write_new(path)?;
                Self::Mldsa(key)
            }
        })
    }

    /// Opens the private half of a key: of its file, or, if that is not there, of an ssh-agent that the file of the
    /// same name with the ending `.pub` names.
    pub(super) fn open(
        path: &Path,
        vkey: &VerifierKey,
        access: &KeyAccess,
    ) -> Result<Self, KeyFileError> {
        Ok(match vkey.is_mldsa() {
            true => Self::Mldsa(MldsaSigningKey::read(path)?),
            false => Self::Ed25519(Box::new(open_beside(path, access)?)),
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
            Self::Ed25519(key) => Ok(try_cosign(checkpoint, name, key.as_ref(), seen_at_s)?),
            Self::Mldsa(key) => cosign_mldsa(checkpoint, name, key, seen_at_s),
        }
    }
}

/// Opens the key of a file, or of the public half beside it, whose private half an ssh-agent has.
pub(super) fn open_beside(path: &Path, access: &KeyAccess) -> Result<Signer, KeyFileError> {
    let public_half = path.with_extension("pub");
    match !path.exists() && public_half.exists() {
        true => access.read(&public_half),
        false => access.read(path),
    }
}

/// A new key, written to a file; or the one whose public half is beside that file already, and which an ssh-agent
/// has.
pub(super) fn make_or_take(path: &Path, access: &KeyAccess) -> Result<Signer, KeyFileError> {
    let public_half = path.with_extension("pub");
    if public_half.exists() {
        return access.read(&public_half);
    }
    let key = SigningKey::generate()?;
    key.write_new(path)?;
    Ok(key.into())
}
