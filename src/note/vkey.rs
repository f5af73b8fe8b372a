//! The names and verifier keys of notes (c2sp.org/signed-note, "Verifier keys").

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::crypto::{KeyError, MLDSA_KEY_BYTES, MldsaKey, PublicKey, VerifyingKey};

/// The name of a key, and the origin of a log: 1 to 200 bytes without white space, plus signs,
/// control characters or characters that can't be seen (`docs/format.md`, section 2.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyName(String);

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// Text that can't name a key or a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or with a character that parts what is written around a name.
    #[error(
        "a name is not empty and has no spaces, plus signs or control characters, such as example.org/ledger"
    )]
    Shape,
    /// Longer than 200 bytes.
    #[error("a name has at most {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// It has a character that can't be seen, or that reorders what is seen.
    #[error("the name has a character that can't be seen (U+{0:04X})")]
    Invisible(u32),
}

impl KeyName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !can_stand_in_a_line(text) || text.chars().any(char::is_control) {
            return Err(NameError::Shape);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        match text.chars().find(|c| is_invisible(*c)) {
            Some(c) => Err(NameError::Invisible(c.into())),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// What the standard asks of the name in a signature line (c2sp.org/signed-note, "Format"): lines
/// of keys that nobody here knows may have names that [`KeyName`] refuses.
pub(super) fn can_stand_in_a_line(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+')
}

/// Characters that reorder or hide what a reader sees, or can't be seen themselves.
pub(crate) fn misleads(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_invisible(c)
}

/// Unicode's Default_Ignorable_Code_Point, the marks of interlinear annotation, and the empty
/// braille pattern: two names that differ by one of these look alike.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}'
        | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an Ed25519 key signs. An ML-DSA-44 key signs in one way alone.
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

/// 0x06: a timestamped ML-DSA-44 signature of a checkpoint, by a log or by a cosigner.
const MLDSA: u8 = 0x06;

/// A key that verifies notes: `<name>+<id in hex>+<base64 of type and key>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifierKey {
    name: KeyName,
    key: NoteKey,
}

/// The key itself, and how it signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum NoteKey {
    Ed25519(SignatureType, PublicKey),
    Mldsa(MldsaKey),
}

impl VerifierKey {
    /// The verifier key of these parts.
    pub fn new(name: KeyName, kind: SignatureType, key: PublicKey) -> Self {
        let key = NoteKey::Ed25519(kind, key);
        Self { name, key }
    }

    /// The verifier key of an ML-DSA-44 key, which is a log's or a cosigner's.
    pub fn mldsa(name: KeyName, key: MldsaKey) -> Self {
        let key = NoteKey::Mldsa(key);
        Self { name, key }
    }

    /// The key's name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The type's byte: 0x01, 0x04 or 0x06.
    pub fn type_byte(&self) -> u8 {
        match &self.key {
            NoteKey::Ed25519(kind, _) => kind.byte(),
            NoteKey::Mldsa(_) => MLDSA,
        }
    }

    /// Whether its signatures may be a log's.
    pub fn is_for_logs(&self) -> bool {
        self.type_byte() != SignatureType::CosignatureV1.byte()
    }

    /// Whether its signatures may be a cosigner's.
    pub fn is_for_cosigners(&self) -> bool {
        self.type_byte() != SignatureType::Ed25519.byte()
    }

    /// Whether it is an ML-DSA-44 key.
    pub fn is_mldsa(&self) -> bool {
        self.type_byte() == MLDSA
    }

    /// How it signs; `None` for an ML-DSA-44 key.
    pub fn kind(&self) -> Option<SignatureType> {
        match &self.key {
            NoteKey::Ed25519(kind, _) => Some(*kind),
            NoteKey::Mldsa(_) => None,
        }
    }

    /// The Ed25519 key; `None` for an ML-DSA-44 key.
    pub fn key(&self) -> Option<&PublicKey> {
        match &self.key {
            NoteKey::Ed25519(_, key) => Some(key),
            NoteKey::Mldsa(_) => None,
        }
    }

    /// The bytes of the key, of either kind.
    pub fn key_bytes(&self) -> &[u8] {
        match &self.key {
            NoteKey::Ed25519(_, key) => key.as_bytes(),
            NoteKey::Mldsa(key) => key.as_bytes(),
        }
    }

    pub(super) fn note_key(&self) -> &NoteKey {
        &self.key
    }

    /// SHA-256(name ‖ "\n" ‖ type ‖ key), the first four bytes.
    pub fn id(&self) -> u32 {
        let mut hasher = Sha256::new();
        hasher.update(self.name.0.as_bytes());
        hasher.update([b'\n', self.type_byte()]);
        hasher.update(self.key_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
        u32::from_be_bytes([a, b, c, d])
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.type_byte()];
        material.extend_from_slice(self.key_bytes());
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
    /// Another signature type than Ed25519, Ed25519 cosignatures and ML-DSA-44.
    #[error("the key's signature type {0:#04x} is not supported (only 0x01, 0x04 and 0x06)")]
    Type(u8),
    /// The key id does not belong to the name and key.
    #[error("the key id does not match the name and the key: was a character lost?")]
    Id,
    /// The key has another length than keys of its type.
    #[error("a key of this type has {expected} bytes, and this {found}")]
    Length {
        /// Bytes of a key of its type.
        expected: usize,
        /// Bytes of this one.
        found: usize,
    },
    /// A name that no key may have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The bytes are no key that a signature could hold for (`docs/format.md`, section 4).
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Spaces, tabs and line ends around a key are not part of it: people paste it, and files end in a
/// newline.
impl FromStr for VerifierKey {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.trim_ascii().splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(VkeyError::Shape);
        };
        let name = name.parse()?;
        let material = STANDARD.decode(material).map_err(|_| VkeyError::Shape)?;
        let (kind, key) = material.split_first().ok_or(VkeyError::Shape)?;
        let length = |expected| VkeyError::Length {
            expected,
            found: key.len(),
        };
        let ed25519 = |kind| -> Result<NoteKey, VkeyError> {
            let key = <[u8; 32]>::try_from(key).map_err(|_| length(32))?;
            Ok(NoteKey::Ed25519(kind, PublicKey::from_bytes(key)))
        };
        let key = match *kind {
            0x01 => ed25519(SignatureType::Ed25519)?,
            0x04 => ed25519(SignatureType::CosignatureV1)?,
            MLDSA => {
                let key = MldsaKey::from_bytes(key).ok_or_else(|| length(MLDSA_KEY_BYTES))?;
                NoteKey::Mldsa(key)
            }
            other => return Err(VkeyError::Type(other)),
        };
        let vkey = Self { name, key };
        if format!("{:08x}", vkey.id()) != id {
            return Err(VkeyError::Id);
        }
        if let Some(key) = vkey.key() {
            VerifyingKey::new(key)?;
        }
        Ok(vkey)
    }
}
