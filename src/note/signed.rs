//! Notes as text with signature lines (c2sp.org/signed-note, "Format").

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::vkey::{KeyName, NoteKey, SignatureType, VerifierKey, can_stand_in_a_line};
use crate::crypto::{Sign, SignError, Signature, SigningKey, VerifyingKey};
use crate::outcome::Outcome;

/// Bytes of the longest note that is read: sixteen post-quantum signatures of 5 kB fit.
pub const NOTE_BYTES_MAX: usize = 262_144;
/// The most signature lines that are read; the standard asks for 16 at least.
pub const NOTE_SIGNATURES_MAX: usize = 64;

/// A signature line of a note.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoteSignature {
    /// Name of the key that signed, as the line has it. One that [`KeyName`] refuses is no known
    /// key's.
    pub name: String,
    /// Id of that key, as [`VerifierKey::id`] makes it.
    pub key_id: u32,
    /// The line's bytes after the id; what they mean depends on the key's type.
    pub bytes: Vec<u8>,
}

/// A note that was read or made; a signature in it counts only once it was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// Why text is no signed note, or not signed by the key asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("the note is longer than {NOTE_BYTES_MAX} bytes")]
    TooLong,
    /// Not UTF-8, or with control characters.
    #[error("the note is no UTF-8 text, or has control characters")]
    NotText,
    /// The text does not end in an empty line with signatures after it.
    #[error("the note has no signatures behind an empty line")]
    NoSignatures,
    /// A signature line that can't be read.
    #[error("signature line {0} is malformed")]
    SignatureLine(usize),
    /// More than [`NOTE_SIGNATURES_MAX`] signatures.
    #[error("the note has more than {NOTE_SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// No signature line names this key.
    #[error("the note is not signed by {0}")]
    NotSignedBy(String),
    /// A line names the key, and its signature is false.
    #[error("the signature by {0} is false")]
    FalseSignature(String),
}

impl NoteError {
    /// What a note with this error comes to: only a signature that does not hold is a lie.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::FalseSignature(_) => Outcome::False,
            _ => Outcome::Unchecked,
        }
    }

    /// A stable name of what is wrong (`docs/format.md`, section 13.2).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::FalseSignature(_) => "signature_invalid",
            Self::NotSignedBy(_) => "unsigned",
            _ => "note_malformed",
        }
    }
}

impl SignedNote {
    /// Makes an unsigned note of text that ends in a newline.
    pub(super) fn unsigned(text: String) -> Self {
        Self {
            text,
            signatures: Vec::new(),
        }
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`] says what is malformed. No signature is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        if whole.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::NotText);
        }
        // The last empty line parts the text from the signatures.
        let (text, lines) = whole.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        let mut signatures = Vec::new();
        for (position, line) in lines.split('\n').enumerate() {
            if position >= NOTE_SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(parse_line(line).ok_or(NoteError::SignatureLine(position + 1))?);
        }
        Ok(Self {
            text: format!("{text}\n"),
            signatures,
        })
    }

    /// The text that is signed, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signatures, none of them verified.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a plain Ed25519 signature of the text under `name`.
    pub fn sign(&mut self, name: &KeyName, key: &SigningKey) {
        let vkey = VerifierKey::new(name.clone(), SignatureType::Ed25519, key.public());
        let bytes = key.sign(self.text.as_bytes()).as_bytes().to_vec();
        self.attach(&vkey, bytes);
    }

    /// The same by a key that may not answer.
    ///
    /// # Errors
    /// [`SignError`]; the note is as it was then.
    pub(super) fn try_sign(&mut self, name: &KeyName, key: &impl Sign) -> Result<(), SignError> {
        let vkey = VerifierKey::new(name.clone(), SignatureType::Ed25519, key.public());
        let bytes = key.try_sign(self.text.as_bytes())?.as_bytes().to_vec();
        self.attach(&vkey, bytes);
        Ok(())
    }

    /// Adds the line of a signature that was made elsewhere.
    pub(super) fn attach(&mut self, vkey: &VerifierKey, bytes: Vec<u8>) {
        self.signatures.push(NoteSignature {
            name: vkey.name().to_string(),
            key_id: vkey.id(),
            bytes,
        });
    }

    /// Keeps the lines of this name alone.
    #[cfg(feature = "keys")]
    pub(super) fn keep_lines_of(&mut self, name: &str) {
        self.signatures.retain(|line| line.name == name);
    }

    /// Takes the lines that name `vkey` from another note, in the place of those here.
    #[cfg(feature = "server")]
    pub(super) fn take_lines(&mut self, vkey: &VerifierKey, from: &Self) {
        let (name, id) = (vkey.name().as_str(), vkey.id());
        let names = |line: &NoteSignature| line.name == name && line.key_id == id;
        self.signatures.retain(|line| !names(line));
        let lines = from.signatures.iter().filter(|line| names(line));
        self.signatures.extend(lines.cloned());
    }

    /// How many lines name `vkey`.
    #[cfg(feature = "server")]
    pub(crate) fn count_of(&self, vkey: &VerifierKey) -> usize {
        self.lines_of(vkey).count()
    }

    /// The signature lines from one on, as they stand in the note.
    #[cfg(feature = "keys")]
    pub(crate) fn lines_from(&self, first: usize) -> String {
        self.signatures.iter().skip(first).map(line_of).collect()
    }

    /// The lines that name `vkey`, each as it stands in the note, with its newline.
    pub(crate) fn lines_as_text(&self, vkey: &VerifierKey) -> Vec<String> {
        let (name, id) = (vkey.name().as_str(), vkey.id());
        let lines = self.signatures.iter();
        lines
            .filter(|line| line.name == name && line.key_id == id)
            .map(line_of)
            .collect()
    }

    /// Whether a line names `vkey`; whether it holds, [`Self::verify`] says.
    pub fn names(&self, vkey: &VerifierKey) -> bool {
        self.lines_of(vkey).next().is_some()
    }

    /// The bytes of the lines that name `vkey`.
    pub(super) fn lines_of(&self, vkey: &VerifierKey) -> impl Iterator<Item = &[u8]> {
        let (name, id) = (vkey.name().to_string(), vkey.id());
        self.signatures
            .iter()
            .filter(move |line| line.name == name && line.key_id == id)
            .map(|line| line.bytes.as_slice())
    }

    /// Checks that an Ed25519 key of type 0x01 signed the text. Lines of other keys are passed over; one
    /// that names this key must hold. Keys of other types sign checkpoints alone, and [`super::Cosignature`]
    /// and [`super::UnverifiedCheckpoint`] verify those.
    ///
    /// # Errors
    /// [`NoteError::NotSignedBy`], [`NoteError::FalseSignature`].
    pub fn verify(&self, vkey: &VerifierKey) -> Result<(), NoteError> {
        let named = || vkey.name().to_string();
        let NoteKey::Ed25519(SignatureType::Ed25519, key) = vkey.note_key() else {
            return Err(NoteError::NotSignedBy(named()));
        };
        let key = VerifyingKey::new(key).map_err(|_| NoteError::FalseSignature(named()))?;
        let mut found = false;
        for bytes in self.lines_of(vkey) {
            <[u8; 64]>::try_from(bytes)
                .ok()
                .and_then(|bytes| {
                    key.verify(self.text.as_bytes(), &Signature::from_bytes(bytes))
                        .ok()
                })
                .ok_or_else(|| NoteError::FalseSignature(named()))?;
            found = true;
        }
        if found {
            Ok(())
        } else {
            Err(NoteError::NotSignedBy(named()))
        }
    }
}

fn parse_line(line: &str) -> Option<NoteSignature> {
    let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (id, rest) = bytes.split_first_chunk::<4>()?;
    if rest.is_empty() {
        return None;
    }
    if !can_stand_in_a_line(name) {
        return None;
    }
    Some(NoteSignature {
        name: name.to_owned(),
        key_id: u32::from_be_bytes(*id),
        bytes: rest.to_vec(),
    })
}

/// The note's own bytes.
impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for line in &self.signatures {
            f.write_str(&line_of(line))?;
        }
        Ok(())
    }
}

/// A signature as its line in a note.
fn line_of(signature: &NoteSignature) -> String {
    let mut bytes = signature.key_id.to_be_bytes().to_vec();
    bytes.extend_from_slice(&signature.bytes);
    format!("— {} {}\n", signature.name, STANDARD.encode(bytes))
}
