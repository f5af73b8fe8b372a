//! The names and verifier keys of notes (c2sp.org/signed-note, "Verifier keys").

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::crypto::PublicKey;

/// The name of a key, and the origin of a log: no spaces, plus signs or control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyName(String);

/// Text that can't name a key or a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name is not empty and has no spaces, plus signs or control characters, such as example.org/ledger"
)]
pub struct NameError;

impl KeyName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = !text
            .chars()
            .any(|c| c.is_whitespace() || c < ' ' || c == '+');
        if !text.is_empty() && plain {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError)
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The two kinds of signature that we make and check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignatureType {
    /// 0x01: Ed25519 over the note's text.
    Ed25519,
    /// 0x04: a witness's timestamped cosignature.
    CosignatureV1,
}

impl SignatureType {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }
}

/// A key that verifies notes: `<name>+<id in hex>+<base64 of type and key>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifierKey {
    name: KeyName,
    kind: SignatureType,
    key: PublicKey,
}

impl VerifierKey {
    /// The verifier key of these parts.
    pub fn new(name: KeyName, kind: SignatureType, key: PublicKey) -> Self {
        Self { name, kind, key }
    }

    /// The key's name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The kind of signature that it makes.
    pub fn kind(&self) -> SignatureType {
        self.kind
    }

    /// The Ed25519 key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// SHA-256(name ‖ "\n" ‖ type ‖ key), the first four bytes.
    pub fn id(&self) -> u32 {
        let mut hasher = Sha256::new();
        hasher.update(self.name.0.as_bytes());
        hasher.update([b'\n', self.kind.byte()]);
        hasher.update(self.key.as_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
        u32::from_be_bytes([a, b, c, d])
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.kind.byte()];
        material.extend_from_slice(self.key.as_bytes());
        write!(
            f,
            "{}+{:08x}+{}",
            self.name,
            self.id(),
            STANDARD.encode(material)
        )
    }
}

/// Text that is no verifier key of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VkeyError {
    /// Not three parts joined by plus signs, or not in their encodings.
    #[error("a verifier key reads <name>+<8 hex digits>+<base64>")]
    Shape,
    /// A signature type other than Ed25519 and Ed25519 cosignatures.
    #[error("the key's signature type {0:#04x} is not supported (only 0x01 and 0x04)")]
    Type(u8),
    /// The key id does not belong to the name and key.
    #[error("the key id does not match the name and the key: was a character lost?")]
    Id,
}

impl FromStr for VerifierKey {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(VkeyError::Shape);
        };
        let name = name.parse().map_err(|_| VkeyError::Shape)?;
        let material = STANDARD.decode(material).map_err(|_| VkeyError::Shape)?;
        let (kind, key) = material.split_first().ok_or(VkeyError::Shape)?;
        let kind = match kind {
            0x01 => SignatureType::Ed25519,
            0x04 => SignatureType::CosignatureV1,
            other => return Err(VkeyError::Type(*other)),
        };
        let key = <[u8; 32]>::try_from(key).map_err(|_| VkeyError::Shape)?;
        let vkey = Self::new(name, kind, PublicKey::from_bytes(key));
        if format!("{:08x}", vkey.id()) == id {
            Ok(vkey)
        } else {
            Err(VkeyError::Id)
        }
    }
}
