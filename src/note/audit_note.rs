//! What an auditor says of a tree beside its cosignature: the root of the state that the rules make of the
//! entries (`docs/format.md`, section 12.4). Who only copies what a log shows can't say it.

use std::fmt;

use super::checkpoint::TreeHead;
use super::signed::{NoteError, SignedNote};
use super::vkey::{KeyName, SignatureType, VerifierKey};
use crate::crypto::{PublicKey, Sign, SignError, SigningKey};
use crate::merkle::Hash;

/// The first line of every audit note.
const HEADER: &str = "arborlog.org/audit/v1";
const LINES: usize = 6;

/// What an auditor made of the first entries of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditNote {
    /// The log's origin.
    pub origin: KeyName,
    /// The tree over those entries.
    pub head: TreeHead,
    /// The version of the rules by which the state was made.
    pub rules_version: u32,
    /// The state root.
    pub state_root: Hash,
}

/// Text that is no audit note, or one that the key asked for did not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditNoteError {
    /// The note is malformed, or its signature does not hold.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is none of an audit note.
    #[error(
        "the note's text is no audit note: expected {HEADER}, origin, size, root, rules version and state root, a line each"
    )]
    Shape,
}

impl AuditNote {
    /// The verifier key of the notes that a key signs under an auditor's name.
    pub fn vkey(name: &KeyName, key: PublicKey) -> VerifierKey {
        VerifierKey::new(name.clone(), SignatureType::Ed25519, key)
    }

    /// Signs it. The same note and key give the same bytes.
    pub fn sign(&self, name: &KeyName, key: &SigningKey) -> String {
        let mut note = SignedNote::unsigned(self.to_string());
        note.sign(name, key);
        note.to_string()
    }

    /// Signs it by a key that may not answer.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn try_sign(&self, name: &KeyName, key: &impl Sign) -> Result<String, SignError> {
        let mut note = SignedNote::unsigned(self.to_string());
        note.try_sign(name, key)?;
        Ok(note.to_string())
    }

    /// Reads a note and verifies that this auditor signed it.
    ///
    /// # Errors
    /// [`AuditNoteError`].
    pub fn open(bytes: &[u8], auditor: &VerifierKey) -> Result<Self, AuditNoteError> {
        let note = SignedNote::parse(bytes)?;
        note.verify(auditor)?;
        parse_text(note.text()).ok_or(AuditNoteError::Shape)
    }
}

/// The text that is signed.
impl fmt::Display for AuditNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\n{}", self.origin)?;
        writeln!(f, "{}\n{}", self.head.size, self.head.root)?;
        writeln!(f, "{}\n{}", self.rules_version, self.state_root)
    }
}

fn parse_text(text: &str) -> Option<AuditNote> {
    let lines: Vec<&str> = text.lines().collect();
    let lines: [&str; LINES] = lines.try_into().ok()?;
    let [header, origin, size, root, rules, state_root] = lines;
    let note = AuditNote {
        origin: origin.parse().ok()?,
        head: TreeHead {
            size: size.parse().ok()?,
            root: root.parse().ok()?,
        },
        rules_version: rules.parse().ok()?,
        state_root: state_root.parse().ok()?,
    };
    // There is one writing of a note.
    (header == HEADER && note.to_string() == text).then_some(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> AuditNote {
        AuditNote {
            origin: "example.org/ledger".parse().unwrap(),
            head: TreeHead {
                size: 41,
                root: Hash::empty_root(),
            },
            rules_version: 3,
            state_root: Hash::from_bytes([7; 32]),
        }
    }

    #[test]
    fn what_was_signed_is_read_by_the_auditors_key_alone() {
        let (key, other) = (
            SigningKey::from_seed(&[1; 32]),
            SigningKey::from_seed(&[2; 32]),
        );
        let name: KeyName = "auditor.example/a1".parse().unwrap();
        let signed = note().sign(&name, &key);
        let vkey = AuditNote::vkey(&name, key.public());
        assert_eq!(AuditNote::open(signed.as_bytes(), &vkey), Ok(note()));
        let stranger = AuditNote::vkey(&name, other.public());
        let refused = AuditNote::open(signed.as_bytes(), &stranger);
        assert!(matches!(
            refused,
            Err(AuditNoteError::Note(NoteError::NotSignedBy(_)))
        ));
        let changed = signed.replacen("\n41\n", "\n42\n", 1);
        let refused = AuditNote::open(changed.as_bytes(), &vkey);
        assert!(matches!(
            refused,
            Err(AuditNoteError::Note(NoteError::FalseSignature(_)))
        ));
    }

    #[test]
    fn each_other_writing_is_refused_though_it_is_signed() {
        let key = SigningKey::from_seed(&[1; 32]);
        let name: KeyName = "auditor.example/a1".parse().unwrap();
        let vkey = AuditNote::vkey(&name, key.public());
        let text = note().to_string();
        for (from, to) in [
            ("/v1\n", "/v2\n"),
            ("\n41\n", "\n041\n"),
            ("\n41\n", "\n+41\n"),
            ("\n3\n", "\n3\n3\n"),
            ("\n3\n", "\n"),
            ("example.org/ledger", "example.org/a ledger"),
        ] {
            let mut signed = SignedNote::unsigned(text.replacen(from, to, 1));
            signed.sign(&name, &key);
            let read = AuditNote::open(signed.to_string().as_bytes(), &vkey);
            assert_eq!(read, Err(AuditNoteError::Shape), "{to:?}");
        }
    }
}
